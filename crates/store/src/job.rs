//! Jobs: claimed under a lease, by a number that grows with each claim (the fence).
//!
//! Whoever works on a job names its fence with each write; when somebody else has claimed it since, nothing is written
//! and the answer is false.

use domain::Moment;
use domain::id::JobId;
use domain::job::{Job, JobKind, JobState};

use crate::select::{self, Select};
use crate::tx::Row;
use crate::{Error, Page, Tx, text};

const COLUMNS: &str =
    "id, kind, subject, state, due, attempts, fence, progress, trouble, actor, created, ended";

/// A job to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Its id, unless there is such a job already.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// To what.
    pub subject: String,
    /// When it may start.
    pub due: Moment,
    /// Who wants it.
    pub actor: String,
    /// When it was asked for.
    pub created: Moment,
}

/// Which jobs are listed. All that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// In this state.
    pub state: Option<JobState>,
    /// For this.
    pub subject: Option<String>,
}

/// Adds a job, unless one of the same kind and subject waits or runs; answers the id of the one that there is now.
pub fn add(tx: &Tx<'_>, job: &NewJob) -> Result<JobId, Error> {
    // On PostgreSQL the one that was in the way may end in between.
    for _ in 0..3 {
        let added = tx.exec(
            "INSERT INTO job (id, kind, subject, state, due, ready, attempts, fence, progress, trouble, actor, created)
             VALUES ($1, $2, $3, 'waiting', $4, $4, 0, 0, '', '', $5, $6)
             ON CONFLICT (kind, subject) WHERE state IN ('waiting', 'running') DO NOTHING",
            &[&job.id.as_str(), &job.kind.name(), &job.subject, &job.due.0, &job.actor, &job.created.0],
        )?;
        if added > 0 {
            return Ok(job.id.clone());
        }
        if let Some(open) = open_of(tx, job.kind, &job.subject)? {
            return Ok(open.id);
        }
    }
    Err(Error::Busy)
}

/// The job of this kind and subject that waits or runs.
pub fn open_of(tx: &Tx<'_>, kind: JobKind, subject: &str) -> Result<Option<Job>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM job WHERE kind = $1 AND subject = $2 AND state IN ('waiting', 'running')"
    );
    tx.one(&sql, &[&kind.name(), &subject], read)
}

/// Claims jobs that may start, or whose lease has ended, the longest due first. Two claimers never get one job.
pub fn claim(tx: &Tx<'_>, now: Moment, lease_until: Moment, limit: u32) -> Result<Vec<Job>, Error> {
    let sql = format!(
        "UPDATE job SET state = 'running', ready = $2, fence = fence + 1, attempts = attempts + 1 WHERE id IN
         (SELECT id FROM job WHERE ready <= $1 ORDER BY ready, id LIMIT $3{}) RETURNING {COLUMNS}",
        tx.skip_locked()
    );
    let mut jobs = tx.rows(&sql, &[&now.0, &lease_until.0, &i64::from(limit)], read)?;
    jobs.sort_by(|a, b| (a.due, &a.id).cmp(&(b.due, &b.id)));
    Ok(jobs)
}

/// Lets every claimed job be claimed again at once. Only where no other node can hold a lease: at the start of the
/// one process that has a SQLite database.
pub fn release_all(tx: &Tx<'_>, now: Moment) -> Result<u64, Error> {
    tx.exec(
        "UPDATE job SET state = 'waiting', ready = $1, fence = fence + 1 WHERE state = 'running'",
        &[&now.0],
    )
}

/// Extends the lease.
pub fn extend(tx: &Tx<'_>, id: &JobId, fence: i64, until: Moment) -> Result<bool, Error> {
    held(tx, "ready = $3", &[&id.as_str(), &fence, &until.0])
}

/// Says what the job does now.
pub fn progress(tx: &Tx<'_>, id: &JobId, fence: i64, text: &str) -> Result<bool, Error> {
    held(tx, "progress = $3", &[&id.as_str(), &fence, &text::storable(text)])
}

/// Ends the job well, and says what came of it.
pub fn finish(tx: &Tx<'_>, id: &JobId, fence: i64, said: &str, at: Moment) -> Result<bool, Error> {
    held(
        tx,
        "state = 'done', ready = NULL, trouble = '', progress = $3, ended = $4",
        &[&id.as_str(), &fence, &text::storable(said), &at.0],
    )
}

/// Lets the job wait for its next try.
pub fn retry(tx: &Tx<'_>, id: &JobId, fence: i64, due: Moment, trouble: &str) -> Result<bool, Error> {
    held(
        tx,
        "state = 'waiting', due = $3, ready = $3, trouble = $4",
        &[&id.as_str(), &fence, &due.0, &text::storable(trouble)],
    )
}

/// Gives the job up.
pub fn fail(tx: &Tx<'_>, id: &JobId, fence: i64, trouble: &str, at: Moment) -> Result<bool, Error> {
    held(
        tx,
        "state = 'failed', ready = NULL, trouble = $3, ended = $4",
        &[&id.as_str(), &fence, &text::storable(trouble), &at.0],
    )
}

/// Whether the job is still held under this fence. The row is held too, until the end of the transaction.
pub fn holds(tx: &Tx<'_>, id: &JobId, fence: i64) -> Result<bool, Error> {
    let sql = format!(
        "SELECT fence FROM job WHERE id = $1 AND fence = $2 AND state = 'running'{}",
        tx.for_update()
    );
    Ok(tx.one(&sql, &[&id.as_str(), &fence], |row| row.at::<i64>("fence"))?.is_some())
}

fn held(tx: &Tx<'_>, change: &str, args: crate::tx::Args<'_>) -> Result<bool, Error> {
    let sql = format!("UPDATE job SET {change} WHERE id = $1 AND fence = $2 AND state = 'running'");
    Ok(tx.exec(&sql, args)? > 0)
}

/// Makes a waiting job due earlier; answers whether it was waiting for later.
pub fn hasten(tx: &Tx<'_>, id: &JobId, due: Moment) -> Result<bool, Error> {
    let sql = "UPDATE job SET due = $2, ready = $2 WHERE id = $1 AND state = 'waiting' AND due > $2";
    Ok(tx.exec(sql, &[&id.as_str(), &due.0])? > 0)
}

/// Lets the job wait for something that is no failure of its own: the try is not counted.
pub fn put_off(tx: &Tx<'_>, id: &JobId, fence: i64, due: Moment, trouble: &str) -> Result<bool, Error> {
    held(
        tx,
        "state = 'waiting', due = $3, ready = $3, trouble = $4, attempts = attempts - 1",
        &[&id.as_str(), &fence, &due.0, &text::storable(trouble)],
    )
}

/// Starts every job now that waits with this trouble.
pub fn hasten_all(tx: &Tx<'_>, trouble: &str, now: Moment) -> Result<u64, Error> {
    let sql = "UPDATE job SET due = $2, ready = $2 WHERE state = 'waiting' AND trouble = $1 AND due > $2";
    tx.exec(sql, &[&text::storable(trouble), &now.0])
}

/// Makes an open job one of another kind. [`Error::Conflict`]: there is one of that kind for its subject already.
pub fn set_kind(tx: &Tx<'_>, id: &JobId, kind: JobKind) -> Result<(), Error> {
    tx.update("job", "UPDATE job SET kind = $2 WHERE id = $1", &[&id.as_str(), &kind.name()])
}

/// Gives an open job to another actor: it starts anew for him, now. Whoever works on it writes no more, as if he had been
/// killed; what he stored is taken up.
pub fn hand_to(tx: &Tx<'_>, id: &JobId, actor: &str, now: Moment) -> Result<bool, Error> {
    let sql = "UPDATE job SET actor = $2, state = 'waiting', due = $3, ready = $3, fence = fence + 1
         WHERE id = $1 AND state IN ('waiting', 'running')";
    Ok(tx.exec(sql, &[&id.as_str(), &actor, &now.0])? > 0)
}

/// One job.
pub fn find(tx: &Tx<'_>, id: &JobId) -> Result<Option<Job>, Error> {
    tx.one(&format!("SELECT {COLUMNS} FROM job WHERE id = $1"), &[&id.as_str()], read)
}

/// Jobs, the newest first. The next page begins after [`cursor`] of the last one.
pub fn list(tx: &Tx<'_>, filter: &JobFilter, page: &Page) -> Result<Vec<Job>, Error> {
    let mut select = Select::new(format!("SELECT {COLUMNS} FROM job"));
    select.maybe("state = {}", filter.state.map(JobState::name));
    select.maybe("subject = {}", filter.subject.as_deref());
    if let Some(after) = &page.after {
        let (id, created) = select::read_time_cursor(after)?;
        select.after("(created, id) < ({1}, {2})", created, id.to_owned());
    }
    select.rows(tx, "created DESC, id DESC", page.limit, read)
}

/// Where the list continues after this job.
pub fn cursor(job: &Job) -> String {
    select::cursor(job.id.as_str(), job.created.0)
}

/// When there is next something to claim: the first due time or end of a lease.
pub fn next_due(tx: &Tx<'_>) -> Result<Option<Moment>, Error> {
    let sql = "SELECT ready FROM job WHERE ready IS NOT NULL ORDER BY ready LIMIT 1";
    tx.one(sql, &[], |row| row.moment("ready"))
}

/// How many jobs are in each state; states without a job are left out.
pub fn count_by_state(tx: &Tx<'_>) -> Result<Vec<(JobState, i64)>, Error> {
    tx.rows("SELECT state, count(*) AS n FROM job GROUP BY state ORDER BY state", &[], |row| {
        Ok((row.parsed("job", "state")?, row.at("n")?))
    })
}

/// Forgets jobs that ended before this moment; answers how many.
pub fn remove_ended_before(tx: &Tx<'_>, before: Moment) -> Result<u64, Error> {
    tx.exec("DELETE FROM job WHERE ended < $1", &[&before.0])
}

fn read(row: &Row<'_>) -> Result<Job, Error> {
    Ok(Job {
        id: JobId::of(row.text("id")?),
        kind: row.parsed("job", "kind")?,
        subject: row.at("subject")?,
        state: row.parsed("job", "state")?,
        due: row.moment("due")?,
        attempts: row.count("job", "attempts")?,
        fence: row.at("fence")?,
        progress: row.at("progress")?,
        trouble: row.at("trouble")?,
        actor: row.at("actor")?,
        created: row.moment("created")?,
        ended: row.moment_or_none("ended")?,
    })
}
