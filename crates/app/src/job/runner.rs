//! Claims due jobs and runs them, many at once.

use std::sync::Arc;

use domain::Actor;
use domain::audit::{Action, Event, Outcome};
use domain::clock::MINUTE;
use domain::id::TokenId;
use domain::job::{Job, JobKind, JobState, LEASE, back_off};
use domain::renewal::Wish;
use tokio::task::{JoinError, JoinSet};

use super::{Done, deployment_plan, deployment_run, tell};
use crate::{App, Error, act, certificate, lineage};

/// Jobs that run at once. Enough that their transactions share commits; few enough that a crash leaves little to take up.
const AT_ONCE: usize = 512;

/// Runs what is due now until nothing is; says how many jobs ran.
pub async fn run_due(app: &Arc<App>) -> Result<usize, Error> {
    let (mut ran, mut running) = (0, JoinSet::new());
    loop {
        ran += start(app, &mut running).await?;
        // What one made due starts beside the others.
        let Some(ended) = running.join_next().await else { return Ok(ran) };
        note_panic(ended);
        join_ended(&mut running);
    }
}

/// Runs what is due now, without waiting for slow jobs before the next ones start.
pub async fn work(app: &Arc<App>, running: &mut JoinSet<()>) -> Result<(), Error> {
    join_ended(running);
    start(app, running).await.map(drop)
}

fn join_ended(running: &mut JoinSet<()>) {
    while let Some(ended) = running.try_join_next() {
        note_panic(ended);
    }
}

fn note_panic(ended: Result<(), JoinError>) {
    if let Err(panic) = ended {
        // Its lease ends and it is tried again; one bad job stops no other.
        tracing::error!(%panic, "a job ended badly");
    }
}

/// Starts what is due, as far as there is room; says how many. What is claimed starts at once, or its lease would end
/// before its work does; claiming for a few would be a transaction for each.
async fn start(app: &Arc<App>, running: &mut JoinSet<()>) -> Result<usize, Error> {
    let free = AT_ONCE.saturating_sub(running.len());
    if free < AT_ONCE / 4 {
        return Ok(0);
    }
    let claimed = claim(app, u32::try_from(free).unwrap_or(0)).await?;
    let count = claimed.len();
    for job in claimed {
        let app = Arc::clone(app);
        running.spawn(async move {
            run(&app, job).await;
            // What it made due starts at once.
            app.wake();
        });
    }
    Ok(count)
}

async fn claim(app: &App, limit: u32) -> Result<Vec<Job>, Error> {
    let now = app.now();
    let due = app.read("job.next_due", |tx| Ok(store::job::next_due(tx)?)).await?;
    if due.is_none_or(|due| due > now) {
        return Ok(Vec::new());
    }
    app.store()
        .tx("job.claim", move |tx| Ok::<_, Error>(store::job::claim(tx, now, now.plus(LEASE), limit)?))
        .await
}

async fn run(app: &Arc<App>, job: Job) {
    tell(app, &job, JobState::Running, "started");
    let result = one(app, &job).await;
    let ended = match &result {
        Ok(done) => finish(app, &job, done).await,
        Err(error) => retry(app, &job, error).await,
    };
    if let Err(error) = ended {
        tracing::warn!(job = %job.id, %error, "a job's end could not be stored; it will run again");
    }
}

async fn one(app: &App, job: &Job) -> Result<Done, Error> {
    match job.kind {
        JobKind::LineageRenew => lineage::run_renewal(app, job, wish(job)).await,
        JobKind::LineageRekey => lineage::run_renewal(app, job, Wish::Rekey).await,
        JobKind::DeploymentRun => deployment_run::run(app, job).await,
        JobKind::DeploymentPlan => deployment_plan::run(app, job).await,
        JobKind::CertificateImport => certificate::import::run_large(app, job).await,
        JobKind::CertificateComplete => certificate::run_completion(app, job).await,
    }
}

/// Whether a person asked, or the clock.
fn wish(job: &Job) -> Wish {
    if job.actor == Actor::Scheduler.name() { Wish::Due } else { Wish::Renew }
}

async fn finish(app: &App, job: &Job, done: &Done) -> Result<(), Error> {
    let (Done::Said(said) | Done::Stored(said)) = done;
    tell(app, job, JobState::Done, said);
    let said = match done {
        Done::Said(said) => said.clone(),
        Done::Stored(_) => return Ok(()),
    };
    let (id, fence, at) = (job.id.clone(), job.fence, app.now());
    app.store()
        .tx("job.finish", move |tx| Ok::<_, Error>(store::job::finish(tx, &id, fence, &said, at).map(drop)?))
        .await
}

/// Puts a failed job off, and says at its lineage what is wrong.
async fn retry(app: &App, job: &Job, error: &Error) -> Result<(), Error> {
    // Only when what it is about is gone; an issuer or key that is missing can come back. Strangers' servers are asked
    // again when a person wants it.
    let is_gone = matches!(error, Error::NotFound { kind: "lineage" | "deployment" | "import", .. });
    let given_up = is_gone || (job.kind == JobKind::CertificateComplete && !may_pass(error));
    tell(app, job, if given_up { JobState::Failed } else { JobState::Waiting }, &error.to_string());
    tracing::warn!(job = %job.id, kind = %job.kind, subject = job.subject, %error, "a job failed");
    let spread = u64::from_be_bytes(
        pki::identity::sha256(job.id.as_str().as_bytes())[..8].try_into().unwrap_or([0; 8]),
    );
    let wait = match error {
        // A token that is logged out is no failure of ours: log-in starts it anew.
        Error::TokenUnavailable { .. } | Error::Busy => MINUTE,
        Error::NotPermitted(_)
        | Error::NotFound { .. }
        | Error::Refused(_)
        | Error::Invalid(_)
        | Error::Conflict(_)
        | Error::Throttled { .. }
        | Error::Internal { .. } => back_off(job.attempts, spread),
    };
    let (job, now, text) = (job.clone(), app.now(), said(error));
    let action = match job.kind {
        JobKind::LineageRenew | JobKind::LineageRekey => Action::OrderFail,
        JobKind::DeploymentRun => Action::DeploymentFail,
        JobKind::DeploymentPlan => Action::DeploymentPlan,
        JobKind::CertificateImport => Action::CertificateImport,
        JobKind::CertificateComplete => Action::CertificateFetch,
    };
    let is_locked = matches!(error, Error::TokenUnavailable { .. });
    let event = event(app, &job, action, error);
    app.commit("job.retry", move |tx| {
        let kept = if given_up {
            store::job::fail(tx, &job.id, job.fence, &text, now)?
        } else if is_locked {
            store::job::put_off(tx, &job.id, job.fence, now.plus(wait), &text)?
        } else {
            store::job::retry(tx, &job.id, job.fence, now.plus(wait), &text)?
        };
        if !kept {
            return Ok(());
        }
        if matches!(job.kind, JobKind::LineageRenew | JobKind::LineageRekey)
            && let Ok(lineage) = job.subject.parse()
            && let Some(held) = store::lineage::find(tx, &lineage)?
        {
            let failures = if is_locked { held.failures } else { job.attempts };
            store::lineage::set_trouble(tx, &lineage, failures, &text)?;
        }
        // A token may be logged out for days: that is said once.
        if is_locked && job.trouble == text { Ok(()) } else { act::record(tx, &event) }
    })
    .await
}

/// Whether the trouble is ours, and may be over soon.
fn may_pass(error: &Error) -> bool {
    matches!(error, Error::Busy | Error::Internal { .. })
}

fn event(app: &App, job: &Job, action: Action, error: &Error) -> Event {
    let mut event = Event::refused(app.now(), &Actor::Scheduler, action, job.subject.as_str(), &error.code());
    event.outcome = Outcome::Failed;
    event
}

/// What a job says that waits for a token.
pub(crate) fn locked_out(token: &TokenId) -> String {
    format!("The token {token} is not logged in. Log in to it, then it goes on.")
}

/// What went wrong, with what to do about it.
fn said(error: &Error) -> String {
    match error {
        Error::Refused(refusal) | Error::Conflict(refusal) => format!("{}. {}", refusal.what, refusal.repair),
        Error::TokenUnavailable { token } => locked_out(token),
        Error::NotPermitted(_)
        | Error::NotFound { .. }
        | Error::Invalid(_)
        | Error::Throttled { .. }
        | Error::Busy
        | Error::Internal { .. } => error.to_string(),
    }
}
