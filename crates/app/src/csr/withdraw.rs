//! Give a CSR up. Its key is kept: the CA may still answer.

use domain::Authorized;
use domain::audit::{Action, Event, Field};
use domain::clock::DAY;
use domain::csr::CsrState;
use domain::id::CsrId;
use domain::order::OrderState;
use domain::permission::uses;

use crate::{App, Error, act, lineage};

/// Withdraws a CSR that waits; the order that it was made for is given up with it.
pub async fn withdraw(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &CsrId,
) -> Result<(), Error> {
    act::audited(app, by.actor(), Action::CsrWithdraw, id.as_str(), async {
        let (id, now) = (id.clone(), app.now());
        let event = Event::done(now, by.actor(), Action::CsrWithdraw, id.as_str());
        app.commit("csr.withdraw", move |tx| {
            let entry = store::csr::find(tx, &id)?.ok_or_else(|| Error::not_found("csr", &id))?;
            let order = match &entry.lineage {
                Some(lineage) => store::order::active(tx, lineage)?.filter(|order| order.csr == id),
                None => None,
            };
            // As long as its order is under way it can be given up, whatever became of the request itself.
            if entry.state != CsrState::Waiting && order.is_none() {
                let what = format!("the request is {} already", entry.state);
                return Err(Error::conflict("csr.state", what, "There is nothing to withdraw."));
            }
            store::csr::set_state(tx, &id, CsrState::Withdrawn)?;
            if let Some(order) = order {
                let lineage = &order.lineage;
                store::order::set_state(tx, &order.id, OrderState::Invalid)?;
                store::lineage::set_trouble(tx, lineage, 0, "")?;
                // Not at once again; a person can ask at any time.
                let due = lineage::due(tx, lineage, now)?.max(now.plus(DAY));
                store::lineage::set_due(tx, lineage, Some(due))?;
            }
            act::record(tx, &event.clone().with(Field::Key, entry.key))
        })
        .await
    })
    .await
}
