//! Jobs: work that is done later, also after a crash. A new kind is a file here and an arm in `runner.rs`.

mod deployment_plan;
mod deployment_run;
mod runner;
mod subject;

use domain::id::JobId;
use domain::job::{Job, JobKind, JobState};
use domain::permission::uses;
use domain::{Authorized, Moment};
use store::job::{JobFilter, NewJob};
use store::{Page, Tx};

use crate::{App, Error};

pub(crate) use deployment_plan::ask as follow_chains;
pub(crate) use deployment_run::note_deployments;
pub(crate) use runner::locked_out;
pub use runner::{run_due, work};
pub use subject::subject_names;

/// What a job says while it works, for pages that follow it.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Which job.
    pub job: JobId,
    /// Where it is now.
    pub state: JobState,
    /// What it does, one sentence.
    pub text: String,
}

/// How a job ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// What came of it, one sentence, which is still to be stored.
    Said(String),
    /// The same, stored already in the transaction of what it did.
    Stored(String),
}

impl Done {
    pub(crate) fn said(text: impl Into<String>) -> Self {
        Self::Said(text.into())
    }
}

/// Tells pages that follow the job what it does.
fn tell(app: &App, job: &Job, state: JobState, text: &str) {
    app.tell(Progress { job: job.id.clone(), state, text: text.to_owned() });
}

/// A page of jobs, the newest first.
pub async fn list(
    app: &App,
    _by: &Authorized<uses::ViewCertificates>,
    filter: JobFilter,
    page: Page,
) -> Result<Vec<Job>, Error> {
    app.read("job.list", move |tx| Ok(store::job::list(tx, &filter, &page)?)).await
}

/// One job.
pub async fn find(app: &App, _by: &Authorized<uses::ViewCertificates>, id: &JobId) -> Result<Job, Error> {
    let id = id.clone();
    app.read("job.find", move |tx| store::job::find(tx, &id)?.ok_or_else(|| Error::not_found("job", &id)))
        .await
}

/// The row of a job that starts now.
pub(crate) fn new(id: JobId, kind: JobKind, subject: impl ToString, actor: &str, now: Moment) -> NewJob {
    NewJob { id, kind, subject: subject.to_string(), due: now, actor: actor.to_owned(), created: now }
}

/// Refuses to write for a job whose lease another one took over meanwhile.
pub(crate) fn refuse_lost_lease(tx: &Tx<'_>, job: &Job) -> Result<(), Error> {
    if store::job::holds(tx, &job.id, job.fence)? { Ok(()) } else { Err(lease_lost()) }
}

/// Ends a job well together with what it did; refused when another one took it over meanwhile.
pub(crate) fn end(tx: &Tx<'_>, job: &Job, said: &str, now: Moment) -> Result<(), Error> {
    if store::job::finish(tx, &job.id, job.fence, said, now)? { Ok(()) } else { Err(lease_lost()) }
}

fn lease_lost() -> Error {
    Error::conflict("job.lease_lost", "another worker took this job over", "There is nothing to do.")
}
