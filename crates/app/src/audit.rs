//! The audit log: see it, verify it, and keep its head in a file beside the database.

use std::fs::{File, TryLockError};
use std::path::Path;

use domain::audit::{Action, Event, Field};
use domain::permission::uses;
use domain::{Actor, Authorized, Permission};
use pki::Refusal;
use pki::identity::hex;
use store::audit::AuditFilter;
pub use store::audit::StoredEvent;

use crate::backup::write_private;
use crate::{App, Error, act};

/// The name of the head file in the data directory.
pub const HEAD_FILE: &str = "audit.head";
/// The head of a log that was found cut off or changed; it stays until somebody has looked.
pub const BROKEN_HEAD_FILE: &str = "audit.head.broken";

/// What stands in [`BROKEN_HEAD_FILE`] when the head file was not there at all.
pub const GONE: &str = "the head file was missing beside a log with events\n";

/// The number and the MAC of the last event.
pub(crate) type Head = (i64, [u8; 32]);

/// A chain that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many events there are.
    pub events: i64,
    /// The MAC of the last one, in hexadecimal.
    pub head: String,
}

/// A page of events, the newest first; `before` is the number of the last one seen.
pub async fn list(
    app: &App,
    _by: &Authorized<uses::ViewAuditLog>,
    filter: AuditFilter,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<StoredEvent>, Error> {
    app.read("audit.list", move |tx| Ok(store::audit::page(tx, &filter, before, limit)?)).await
}

/// Checks the whole chain, and that it reaches at least as far as the head file says.
pub async fn verify(app: &App, _by: &Authorized<uses::ViewAuditLog>) -> Result<Verified, Error> {
    check(app).await
}

/// The same for who holds the data directory.
pub async fn check(app: &App) -> Result<Verified, Error> {
    let expected = read_head(&app.config().data.join(HEAD_FILE))?;
    let verified = app
        .read("audit.verify", move |tx| {
            store::audit::verify(tx, expected)?.map_err(|broken| broken_chain(broken.seq, broken.what))?;
            let head = store::audit::head(tx)?;
            // It is written before the first event: without it nobody can say how many events there must be.
            if expected.is_none() && head.0 > 0 {
                return Err(missing_head(head.0).into());
            }
            Ok(head)
        })
        .await?;
    Ok(Verified { events: verified.0, head: hex(&verified.1) })
}

fn broken_chain(seq: i64, what: &str) -> Refusal {
    let repair =
        "Compare with a backup and with what was sent to other systems; somebody may have edited the log.";
    Refusal::new("audit.broken", format!("the audit log is broken at event {seq}: {what}"), repair)
        .at(format!("event {seq}"))
}

fn missing_head(events: i64) -> Refusal {
    let what = format!(
        "the head file {HEAD_FILE} is missing beside a log of {events} events: a cut would not be found"
    );
    let repair = "Compare with a backup and with what was sent to other systems; the server writes a new head at its \
                  next start. On a new node of an installation on PostgreSQL, start the server once.";
    Refusal::new("audit.broken", what, repair).at(HEAD_FILE)
}

/// Writes the head of a log that has no event yet, so that from the first event on a missing file says something.
pub(crate) async fn begin_head(app: &App) -> Result<(), Error> {
    let path = app.config().data.join(HEAD_FILE);
    let (seq, mac) = head(app).await?;
    if seq > 0 || path.exists() {
        return Ok(());
    }
    app.blocking(move || write_head_file(&path, (seq, mac))).await?.map_err(|error| unwritable(&error))
}

/// Writes the head that the log has now: the first start of a further node, whose directory never had one.
pub async fn adopt_head(app: &App) -> Result<(), Error> {
    let path = app.config().data.join(HEAD_FILE);
    let head = head(app).await?;
    app.blocking(move || write_head_file(&path, head)).await?.map_err(|error| unwritable(&error))
}

fn unwritable(error: &std::io::Error) -> Error {
    Error::internal("the head of the audit log could not be written", error)
}

/// Writes the head file where the log went on, whichever process wrote to it; done by the clockwork at least once a
/// second. While another process is at it there is nothing to do: the next look comes soon.
pub async fn write_head(app: &App) -> Result<(), Error> {
    if app.head_written() == Some(head(app).await?) {
        return Ok(());
    }
    let free = |directory: &File| !matches!(directory.try_lock(), Err(TryLockError::WouldBlock));
    match turn(app, free).await? {
        Some(turn) => replace_head(app, turn).await,
        None => Ok(()),
    }
}

/// The same for a command that ends now, and whose event nobody else may come to look at: it waits for its turn.
pub async fn settle_head(app: &App) -> Result<(), Error> {
    let waited_for = |directory: &File| {
        // Where the file system knows no locks, nobody is waited for.
        let _ = directory.lock();
        true
    };
    match turn(app, waited_for).await? {
        Some(turn) => replace_head(app, turn).await,
        None => Ok(()),
    }
}

async fn head(app: &App) -> Result<Head, Error> {
    app.read("audit.head", |tx| Ok(store::audit::head(tx)?)).await
}

/// One process at a time reads the log's head and writes it, so that the file never goes back. The lock is on the data
/// directory itself, and ends with the process.
async fn turn(app: &App, take: impl FnOnce(&File) -> bool + Send + 'static) -> Result<Option<File>, Error> {
    let directory = app.config().data.clone();
    let opened = app.blocking(move || File::open(directory).map(|file| take(&file).then_some(file))).await?;
    opened.map_err(|error| unwritable(&error))
}

/// Replaces the head file, after seeing that the chain still leads through the head before: else a tail was cut off and
/// written anew, and the old head is kept beside as the proof.
async fn replace_head(app: &App, turn: File) -> Result<(), Error> {
    let path = app.config().data.join(HEAD_FILE);
    // A head file that cannot be read proves nothing any more; it is kept beside like one that does not fit.
    let before = read_head(&path).ok();
    let (head, leads_through) = app
        .read("audit.head", move |tx| {
            let head = store::audit::head(tx)?;
            let leads_through = match before {
                None => false,
                // Somebody took the file away while events were there.
                Some(None) => head.0 == 0,
                Some(Some((0, _))) => true,
                Some(Some((seq, mac))) => {
                    let at = store::audit::page(tx, &AuditFilter::default(), Some(seq + 1), 1)?;
                    at.first().is_some_and(|event| event.seq == seq && event.mac == mac)
                }
            };
            Ok((head, leads_through))
        })
        .await?;
    app.blocking(move || {
        if !leads_through {
            tracing::error!(
                "the audit log was cut off or changed; the head before is kept in {BROKEN_HEAD_FILE}"
            );
            keep_first(&path, &path.with_file_name(BROKEN_HEAD_FILE))?;
        }
        let written = write_head_file(&path, head);
        drop(turn);
        written
    })
    .await?
    .map_err(|error| unwritable(&error))?;
    app.note_head(head);
    Ok(())
}

/// The first proof is the one that counts. Where the head itself is gone, that is said in its place.
fn keep_first(path: &Path, kept: &Path) -> std::io::Result<()> {
    match (kept.exists(), path.exists()) {
        (true, _) => Ok(()),
        (false, true) => std::fs::rename(path, kept),
        (false, false) => write_private(kept, GONE.as_bytes()),
    }
}

fn write_head_file(path: &Path, (seq, mac): Head) -> std::io::Result<()> {
    write_private(path, format!("{seq} {}\n", hex(&mac)).as_bytes())
}

fn read_head(path: &Path) -> Result<Option<Head>, Error> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Error::internal("the head of the audit log cannot be read", &error));
        }
    };
    let parsed = text.trim().split_once(' ').and_then(|(seq, mac)| {
        let mac: pki::Fingerprint = mac.parse().ok()?;
        Some((seq.parse().ok()?, mac.0))
    });
    parsed.map(Some).ok_or_else(|| broken_chain(0, "the head file beside the database cannot be read").into())
}

/// Records a refusal that happened before an action was reached: a permission, or a body that cannot be read.
pub async fn refused(
    app: &App,
    actor: &Actor,
    action: Action,
    object: &str,
    code: &str,
    permission: Option<Permission>,
) -> Result<(), Error> {
    let mut event =
        Event::refused(app.now(), actor, action, object.chars().take(100).collect::<String>(), code);
    event.fields.extend(permission.map(|permission| (Field::Permission, permission.name().to_owned())));
    app.commit("audit.refused", move |tx| act::record(tx, &event)).await
}
