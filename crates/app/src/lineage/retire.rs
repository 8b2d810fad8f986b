//! Remove a lineage: nothing renews and serves its certificates any more; they and their keys stay.

use domain::audit::{Action, Event, Field};
use domain::id::LineageId;
use domain::order::OrderState;
use domain::permission::uses;
use domain::{Authorized, Moment};
use store::Tx;

use crate::{App, Error, act};

/// Retires a lineage.
pub async fn retire(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &LineageId,
) -> Result<(), Error> {
    act::audited(app, by.actor(), Action::LineageRetire, id.as_str(), async {
        let (id, now) = (id.clone(), app.now());
        let event = Event::done(now, by.actor(), Action::LineageRetire, id.as_str());
        app.commit("lineage.retire", move |tx| {
            let lineage = store::lineage::find(tx, &id)?.ok_or_else(|| Error::not_found("lineage", &id))?;
            retire_in(tx, &id, now)?;
            act::record(tx, &event.clone().with(Field::Label, &lineage.name))
        })
        .await?;
        app.served_changed();
        Ok(())
    })
    .await
}

/// Retires a lineage with the order that is under way for it.
pub(crate) fn retire_in(tx: &Tx<'_>, id: &LineageId, now: Moment) -> Result<(), Error> {
    if let Some(order) = store::order::active(tx, id)? {
        store::order::set_state(tx, &order.id, OrderState::Invalid)?;
    }
    Ok(store::lineage::retire(tx, id, now)?)
}
