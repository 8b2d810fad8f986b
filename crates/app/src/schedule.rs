//! The clockwork: what is due becomes jobs, jobs run, the edge's snapshot and the audit head follow.

use std::sync::Arc;
use std::time::Duration;

use domain::clock::{DAY, HOUR, MINUTE};
use domain::id::{JobId, LineageId};
use domain::job::JobKind;
use domain::lineage::Lineage;
use domain::permission::{authorize, uses};
use domain::{Actor, Moment};
use store::Tx;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::{App, Error, audit, idempotency, job, key, lineage, snapshot};

/// Lineages that one tick turns into jobs, in one transaction.
const BATCH: u32 = 500;

/// Runs the clockwork until `stop` says true, then waits for running jobs for a little while.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let served = tokio::spawn(follow_served(Arc::clone(&app), stop.clone()));
    report(take_up(&app).await);
    let mut running = JoinSet::new();
    let mut housekeeping = Moment(0);
    while !*stop.borrow() {
        step(&app, &mut running, &mut housekeeping).await;
        tokio::select! {
            () = app.woken().notified() => {}
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            changed = stop.changed() => if changed.is_err() { break },
        }
    }
    let ended = async { while running.join_next().await.is_some() {} };
    // What does not end in time is taken up again at the next start.
    let _ = tokio::time::timeout(Duration::from_secs(10), ended).await;
    served.abort();
    report(audit::write_head(&app).await);
}

/// Takes up what the process before this one was doing when it was killed. On PostgreSQL other nodes may be at it:
/// there the leases end by themselves.
async fn take_up(app: &App) -> Result<(), Error> {
    if app.store().engine_name() != "sqlite" {
        return Ok(());
    }
    let now = app.now();
    app.store()
        .tx("job.release_all", move |tx| Ok::<_, Error>(store::job::release_all(tx, now).map(drop)?))
        .await
}

async fn step(app: &Arc<App>, running: &mut JoinSet<()>, housekeeping: &mut Moment) {
    report(tick(app).await.map(|_| app.note_tick()));
    report(job::work(app, running).await);
    report(audit::write_head(app).await);
    if app.now().since(*housekeeping) >= HOUR {
        *housekeeping = app.now();
        report(keep_house(app).await);
    }
}

fn report(result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::error!(%error, "the clockwork met an error; it goes on");
    }
}

/// Turns due lineages into jobs; says how many. When nothing is due this is one look at an index.
pub async fn tick(app: &App) -> Result<usize, Error> {
    authorize(&Actor::Scheduler, uses::RunSchedule, "")?;
    let now = app.now();
    let mut all = 0;
    loop {
        let due = app.read("lineage.due", move |tx| Ok(due_lineages(tx, now)?.len())).await?;
        if due == 0 {
            return Ok(all);
        }
        let random = app.random_source();
        all += app
            .store()
            .tx("lineage.schedule", move |tx| {
                let due = due_lineages(tx, now)?;
                for lineage in &due {
                    // An import, or another node, may have moved the time meanwhile. What is taken here the job
                    // carries; its end sets the next time.
                    if store::lineage::take_due(tx, &lineage.id, now)? {
                        let (id, scheduler) = (JobId::new(now, &*random), Actor::Scheduler.name());
                        lineage::add_clocked(
                            tx,
                            &job::new(id, JobKind::LineageRenew, &lineage.id, &scheduler, now),
                        )?;
                    }
                }
                Ok::<_, Error>(due.len())
            })
            .await?;
    }
}

fn due_lineages(tx: &Tx<'_>, now: Moment) -> Result<Vec<Lineage>, store::Error> {
    store::lineage::due(tx, now, (Moment(i64::MIN), &LineageId::of("")), BATCH)
}

/// What is done once an hour: keep times, old sessions, old answers.
pub async fn keep_house(app: &App) -> Result<(), Error> {
    key::destroy_expired(app).await?;
    catch_adrift(app).await?;
    idempotency::forget_old(app).await?;
    let now = app.now();
    app.store()
        .tx("house.keep", move |tx| {
            store::session::remove_dead(tx, now)?;
            store::user::forget_failures_before(tx, now.plus(-DAY))?;
            store::job::remove_ended_before(tx, now.plus(-30 * DAY))?;
            Ok::<_, Error>(())
        })
        .await
}

/// Gives every lineage a due time that has none, and that nothing carries: whatever took it, none expires in silence.
async fn catch_adrift(app: &App) -> Result<(), Error> {
    let now = app.now();
    let caught = app
        .store()
        .tx("lineage.catch", move |tx| {
            let adrift = store::lineage::adrift(tx, BATCH)?;
            for lineage in &adrift {
                store::lineage::set_due(tx, &lineage.id, Some(lineage::due(tx, &lineage.id, now)?))?;
            }
            Ok::<_, Error>(adrift.len())
        })
        .await?;
    if caught > 0 {
        tracing::warn!(caught, "lineages without a due time have one again");
    }
    Ok(())
}

/// Keeps the edge's snapshot up to date: on a nudge from here or another node, and every half minute in any case.
async fn follow_served(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut nudges = app.store().nudges();
    loop {
        report(snapshot::refresh(&app).await);
        tokio::select! {
            () = app.served_woken().notified() => {}
            nudged = nudges.changed() => if nudged.is_err() { return },
            () = tokio::time::sleep(Duration::from_millis((MINUTE / 2).unsigned_abs())) => {}
            changed = stop.changed() => if changed.is_err() || *stop.borrow() { return },
        }
    }
}
