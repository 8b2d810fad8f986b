//! What a person uploaded for a preview, until he confirms it: in memory only, for a while, for himself only. Of several
//! nodes the one holds it that took it; the others ask for it again. What came of a confirmation is held as long: whoever
//! confirms twice, or goes back, is told that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::audit::Action;
use domain::clock::MINUTE;
use domain::id::{CsrId, ImportId, LineageId};
use domain::permission::uses;
use domain::{Actor, Authorized, Moment};
use pki::KeyId;
use zeroize::Zeroizing;

use super::{Brought, ImportFile, Preview, PreviewHash, Taken, Wishes, preview, read, take};
use crate::{App, Error, act};

/// How long an upload waits for its confirmation.
const PATIENCE: i64 = 10 * MINUTE;
/// Uploads that may wait, of all actors.
const MOST: usize = 64;
/// Uploads of one actor that may wait; the oldest makes room.
const MOST_OF_ONE: usize = 4;
/// Memory for all of them, in bytes.
const MOST_BYTES: usize = 128 * 1024 * 1024;

/// The uploads that wait. Private keys are wiped with the upload that held them.
#[derive(Default)]
pub(crate) struct Previews(Arc<Mutex<Waiting>>);

type Waiting = BTreeMap<ImportId, Held>;

struct Held {
    actor: String,
    at: Moment,
    stage: Stage,
    offered: Offered,
    size: usize,
    /// Whoever confirms holds it: a second confirmation waits for what came of the first.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// How far an upload is.
#[derive(Clone)]
enum Stage {
    /// It waits; private keys are in it.
    Waiting(Arc<Brought>),
    /// It was imported.
    Confirmed(Taken),
}

/// What an upload is about, beside what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// The request that it shall answer, and its key.
    pub csr: Option<(CsrId, KeyId)>,
    /// The lineage that it is for.
    pub lineage: Option<LineageId>,
}

/// A preview of what waits.
pub struct Shown {
    /// The preview.
    pub preview: Preview,
    /// What it is about.
    pub offered: Offered,
}

/// What came of a confirmation.
pub struct Confirmed {
    /// What was done.
    pub taken: Taken,
    /// What it was about.
    pub offered: Offered,
}

impl Previews {
    fn locked(&self) -> MutexGuard<'_, Waiting> {
        // Nobody panics while holding it, and what it guards is whole in any case.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, id: ImportId, held: Held) -> Result<(), Error> {
        let mut waiting = self.locked();
        forget_old(&mut waiting, held.at);
        while waiting.values().filter(|other| other.actor == held.actor).count() >= MOST_OF_ONE {
            let own = waiting.iter().filter(|(_, other)| other.actor == held.actor);
            let Some(oldest) = oldest(own) else { break };
            waiting.remove(&oldest);
        }
        while is_full(&waiting, held.size) {
            // What is done makes room for what waits.
            let done = waiting.iter().filter(|(_, other)| other.is_confirmed());
            let Some(oldest) = oldest(done) else { return Err(Error::Busy) };
            waiting.remove(&oldest);
        }
        waiting.insert(id, held);
        Ok(())
    }

    fn find(&self, id: &ImportId, actor: &Actor, now: Moment) -> Result<Found, Error> {
        let mut waiting = self.locked();
        forget_old(&mut waiting, now);
        let held = waiting.get(id).filter(|held| held.actor == actor.name()).ok_or_else(gone)?;
        Ok(Found { stage: held.stage.clone(), offered: held.offered.clone(), turn: Arc::clone(&held.turn) })
    }

    /// Lets go of the upload, and holds what came of it.
    fn confirmed(&self, id: &ImportId, taken: &Taken, now: Moment) {
        if let Some(held) = self.locked().get_mut(id) {
            (held.stage, held.at) = (Stage::Confirmed(taken.clone()), now);
        }
    }

    fn remove(&self, id: &ImportId, actor: &Actor) {
        let mut waiting = self.locked();
        if waiting.get(id).is_some_and(|held| held.actor == actor.name()) {
            waiting.remove(id);
        }
    }

    /// Lets keys go from memory in time even if nobody comes any more.
    fn forget_later(&self, clock: Arc<dyn domain::Clock>) {
        let waiting = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(PATIENCE.unsigned_abs() + 1_000)).await;
            if let Some(waiting) = waiting.upgrade() {
                forget_old(&mut Self(waiting).locked(), clock.now());
            }
        });
    }
}

/// What is held under a name.
struct Found {
    stage: Stage,
    offered: Offered,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Found {
    fn into_waiting(self) -> Result<(Arc<Brought>, Offered), Error> {
        match self.stage {
            Stage::Waiting(brought) => Ok((brought, self.offered)),
            Stage::Confirmed(_) => Err(gone()),
        }
    }

    fn into_confirmed(self) -> Option<Confirmed> {
        match self.stage {
            Stage::Waiting(_) => None,
            Stage::Confirmed(taken) => Some(Confirmed { taken, offered: self.offered }),
        }
    }
}

impl Held {
    fn is_confirmed(&self) -> bool {
        match self.stage {
            Stage::Waiting(_) => false,
            Stage::Confirmed(_) => true,
        }
    }
}

/// The one that goes first: what is done before what waits, then by age.
fn oldest<'a>(held: impl Iterator<Item = (&'a ImportId, &'a Held)>) -> Option<ImportId> {
    held.min_by_key(|(_, held)| (!held.is_confirmed(), held.at)).map(|(id, _)| id.clone())
}

fn is_full(waiting: &Waiting, more: usize) -> bool {
    let bytes: usize = waiting.values().map(|other| other.size).sum();
    waiting.len() >= MOST || bytes + more > MOST_BYTES
}

fn gone() -> Error {
    let what = "what was uploaded is not held here; it waits 10 minutes, only on the node that took it, and not across a \
                restart";
    let repair = "Upload it again, unless you confirmed it before. Nothing was stored now.";
    Error::conflict("import.preview_gone", what, repair)
}

fn forget_old(waiting: &mut Waiting, now: Moment) {
    waiting.retain(|_, held| now.since(held.at) < PATIENCE);
}

/// Reads files and holds what is in them for a preview; passphrases are not held. Answers the name to ask with.
pub async fn hold(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    files: Vec<ImportFile>,
    passphrases: Vec<Zeroizing<String>>,
    offered: Offered,
) -> Result<ImportId, Error> {
    act::audited(app, by.actor(), Action::CertificateImport, "", async {
        let brought = read::all(app, files, passphrases).await?;
        let (id, actor, at) = (ImportId::random(app.random()), by.actor().name(), app.now());
        let size = brought.size();
        let stage = Stage::Waiting(Arc::new(brought));
        app.previews().put(id.clone(), Held { actor, at, stage, offered, size, turn: Arc::default() })?;
        app.previews().forget_later(app.clock());
        Ok(id)
    })
    .await
}

/// The preview of what waits under this name, kept as wished.
///
/// # Errors
/// `import.preview_gone`.
pub async fn show(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &ImportId,
    wishes: Wishes,
) -> Result<Shown, Error> {
    let (brought, offered) = app.previews().find(id, by.actor(), app.now())?.into_waiting()?;
    let wishes = Wishes { lineage: wishes.lineage.or_else(|| offered.lineage.clone()), ..wishes };
    Ok(Shown { preview: preview::look(app, &brought, wishes).await?, offered })
}

/// What came of the upload with this name, if it was confirmed a while ago.
pub fn outcome(app: &App, by: &Authorized<uses::ManageTlsCertificates>, id: &ImportId) -> Option<Confirmed> {
    app.previews().find(id, by.actor(), app.now()).ok()?.into_confirmed()
}

/// Imports what waits under this name, if that is still what was previewed. What was confirmed before is not imported
/// again: the answer is that of the first time.
///
/// # Errors
/// `import.preview_gone`, and every refusal of [`super::import`].
pub async fn confirm(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &ImportId,
    wishes: Wishes,
    previewed: PreviewHash,
) -> Result<Confirmed, Error> {
    act::audited(app, by.actor(), Action::CertificateImport, "", async {
        let turn = app.previews().find(id, by.actor(), app.now())?.turn;
        let _turn = turn.lock().await;
        if let Some(confirmed) = outcome(app, by, id) {
            return Ok(confirmed);
        }
        let (brought, offered) = app.previews().find(id, by.actor(), app.now())?.into_waiting()?;
        let wishes = Wishes { lineage: wishes.lineage.or_else(|| offered.lineage.clone()), ..wishes };
        let taken = take(app, by, &brought, wishes, Some(previewed)).await?;
        app.previews().confirmed(id, &taken, app.now());
        Ok(Confirmed { taken, offered })
    })
    .await
}

/// Forgets what waits under this name.
pub fn discard(app: &App, by: &Authorized<uses::ManageTlsCertificates>, id: &ImportId) {
    app.previews().remove(id, by.actor());
}
