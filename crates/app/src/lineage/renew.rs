//! Ask for a renewal or rekey now: a job does it.

use domain::audit::{Action, Event, Field};
use domain::id::{JobId, LineageId};
use domain::job::{Job, JobKind};
use domain::permission::uses;
use domain::{Actor, Authorized};
use store::Tx;
use store::job::NewJob;

use crate::{App, Error, act, job};

/// Renews a lineage; whether with a new key, its key rule says.
pub async fn renew(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &LineageId,
) -> Result<Job, Error> {
    ask(app, by.actor(), id, Action::LineageRenew, JobKind::LineageRenew).await
}

/// Renews a lineage with a new key.
pub async fn rekey(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &LineageId,
) -> Result<Job, Error> {
    ask(app, by.actor(), id, Action::LineageRekey, JobKind::LineageRekey).await
}

async fn ask(app: &App, actor: &Actor, id: &LineageId, action: Action, kind: JobKind) -> Result<Job, Error> {
    act::audited(app, actor, action, id.as_str(), async {
        let (id, now) = (id.clone(), app.now());
        let job_id = JobId::new(now, app.random());
        let (event, name) = (Event::done(now, actor, action, id.as_str()), actor.name());
        let job = app
            .commit("lineage.ask", move |tx| {
                store::lineage::find(tx, &id)?.ok_or_else(|| Error::not_found("lineage", &id))?;
                if let Some(order) = store::order::active(tx, &id)? {
                    let what = format!("an order for this lineage is under way: {}", order.reason);
                    let repair = "Wait for it, import the CA's answer, or withdraw its request.";
                    return Err(Error::conflict("order.active", what, repair));
                }
                let wanted = job::new(job_id.clone(), kind, &id, &name, now);
                let job = add_or_take_over(tx, &wanted)?;
                store::audit::record(tx, &event.clone().with(Field::Lineage, &id))?;
                Ok(job)
            })
            .await?;
        app.wake();
        Ok(job)
    })
    .await
}

/// The job that does it. One that the clock opened becomes this person's: else it would do nothing where the clock sees
/// nothing due. One that waits after a failure starts now.
fn add_or_take_over(tx: &Tx<'_>, wanted: &NewJob) -> Result<Job, Error> {
    let id = store::job::add(tx, wanted)?;
    let find = || store::job::find(tx, &id)?.ok_or_else(|| Error::not_found("job", &id));
    let open = find()?;
    if open.actor == Actor::Scheduler.name() {
        store::job::hand_to(tx, &id, &wanted.actor, wanted.due)?;
    } else {
        store::job::hasten(tx, &id, wanted.due)?;
    }
    find()
}
