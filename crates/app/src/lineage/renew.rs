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
                // From here on nobody else opens a renewal of it.
                if !store::lineage::hold(tx, &id)? {
                    return Err(Error::not_found("lineage", &id));
                }
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

/// The job that does it; a lineage has one at most, of either kind. One that the clock opened becomes this person's: else
/// it would do nothing where the clock sees nothing due. So does a renewal where a new key is asked for; a new key is
/// what a renewal asks for too. One that waits after a failure starts now.
fn add_or_take_over(tx: &Tx<'_>, wanted: &NewJob) -> Result<Job, Error> {
    let open = store::job::open_of(tx, other(wanted.kind), &wanted.subject)?;
    let is_raised = open.is_some() && wanted.kind == JobKind::LineageRekey;
    let id = match open {
        Some(open) => open.id,
        None => store::job::add(tx, wanted)?,
    };
    if is_raised {
        store::job::set_kind(tx, &id, JobKind::LineageRekey)?;
    }
    let find = || store::job::find(tx, &id)?.ok_or_else(|| Error::not_found("job", &id));
    if is_raised || find()?.actor == Actor::Scheduler.name() {
        store::job::hand_to(tx, &id, &wanted.actor, wanted.due)?;
    } else {
        store::job::hasten(tx, &id, wanted.due)?;
    }
    find()
}

/// Opens the clock's renewal of a lineage that the transaction holds, unless one is open.
pub(crate) fn add_clocked(tx: &Tx<'_>, wanted: &NewJob) -> Result<(), Error> {
    if store::job::open_of(tx, other(wanted.kind), &wanted.subject)?.is_none() {
        store::job::add(tx, wanted)?;
    }
    Ok(())
}

/// The other way to renew.
fn other(kind: JobKind) -> JobKind {
    if kind == JobKind::LineageRekey { JobKind::LineageRenew } else { JobKind::LineageRekey }
}
