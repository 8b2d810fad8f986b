//! More certificates than are stored at once: they are checked when they come, kept with a job, and stored in parts.

use std::sync::Arc;

use domain::audit::{Action, Event, Field};
use domain::clock::DAY;
use domain::id::{ImportId, JobId};
use domain::job::{Job, JobKind, JobState, LEASE};
use domain::permission::uses;
use domain::{Actor, Authorized, Moment};
use pki::chain::Allowance;
use pki::{Certificate, Fingerprint};
use store::Tx;
use store::import::StoredImport;

use super::plan::{Asked, Look, hash, make};
use super::read::BroughtCertificate;
use super::revoked::Revocations;
use super::{Brought, Imported, PreviewHash, Wishes, check, revoked, write};
use crate::certificate::complete::Wanted;
use crate::chains::Chains;
use crate::job::{Done, Progress, refuse_lost_lease};
use crate::{App, Error, act, job};

/// Certificates in one transaction: others write in between.
const PART: usize = 500;
/// How long what is left of an import stays after it was done.
const KEEP: i64 = 30 * DAY;

/// Keeps what was brought, with the job that stores it.
pub(super) async fn begin(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    brought: &Arc<Brought>,
    wishes: &Wishes,
    previewed: Option<PreviewHash>,
) -> Result<Job, Error> {
    let revoked = revoked::find(app, brought).await?;
    if previewed.is_some() || wishes.lineage.is_some() {
        let (brought, wishes, revoked) = (Arc::clone(brought), wishes.clone(), Arc::clone(&revoked));
        let now = app.now();
        app.read("certificate.import.plan", move |tx| {
            let asked = Asked::of_files(now, &revoked);
            let plan = make(tx, &brought.certificates, None, &wishes, asked)?;
            plan.refuse_stray(&wishes)?;
            check::previewed(previewed, hash(&plan, &brought, &wishes))
        })
        .await?;
    }
    let (now, random) = (app.now(), app.random());
    let contents = pack(&brought.certificates, &revoked);
    let import =
        StoredImport { contents, ..stored(ImportId::random(random), brought, wishes, (by.actor(), now)) };
    let new = job::new(JobId::new(now, random), JobKind::CertificateImport, &import.id, &import.actor, now);
    let event = Event::done(now, by.actor(), Action::CertificateImport, import.id.as_str())
        .with(Field::Count, brought.certificates.len());
    let job = app
        .commit("certificate.import.begin", move |tx| {
            store::import::remove_done_before(tx, now.plus(-KEEP))?;
            store::import::insert(tx, &import)?;
            let id = store::job::add(tx, &new)?;
            store::audit::record(tx, &event)?;
            store::job::find(tx, &id)?.ok_or_else(|| Error::not_found("job", id))
        })
        .await?;
    app.wake();
    Ok(job)
}

fn stored(id: ImportId, brought: &Brought, wishes: &Wishes, (actor, now): (&Actor, Moment)) -> StoredImport {
    StoredImport {
        id,
        actor: actor.name(),
        friendly_name: wishes.friendly_name.clone(),
        lineage: wishes.lineage.clone(),
        contents: Vec::new(),
        total: brought.certificates.len(),
        stored: 0,
        new: 0,
        fulfilled: 0,
        became_current: 0,
        created: now,
    }
}

/// Stores the next parts until all are stored. A part is one transaction, with how far it came: killed at any point
/// and run again, it goes on where it was.
pub(crate) async fn run(app: &App, job: &Job) -> Result<Done, Error> {
    let id: ImportId = job.subject.parse().map_err(|_| Error::not_found("import", &job.subject))?;
    let found = id.clone();
    let mut import = app
        .read("import.load", move |tx| {
            store::import::find(tx, &found)?.ok_or_else(|| Error::not_found("import", &found))
        })
        .await?;
    let contents = Arc::new(std::mem::take(&mut import.contents));
    let mut allowance = Allowance::OF_FILE;
    while import.stored < import.total {
        let (bytes, from) = (Arc::clone(&contents), import.stored);
        let part = app.blocking(move || unpack(&bytes, from, PART)).await??;
        if part.0.is_empty() {
            return Err(Error::internal("a stored import is shorter than it says", &import.id));
        }
        (import, allowance) = store_part(app, job, import, (part, allowance)).await?;
        app.tell(Progress { job: job.id.clone(), state: JobState::Running, text: progress(&import) });
    }
    if !app.config().fetch_missing {
        return Ok(Done::said(result(&import)));
    }
    let all = app.blocking(move || fingerprints(&contents)).await??;
    fetch_missing(app, job, &import, all).await
}

/// Ends the job and begins those that fetch what is missing, in one transaction: run again, it begins nothing twice.
async fn fetch_missing(
    app: &App,
    job: &Job,
    import: &StoredImport,
    all: Vec<Fingerprint>,
) -> Result<Done, Error> {
    let now = app.now();
    let wanted = app.read("certificate.import.missing", move |tx| wanted(tx, &all, now)).await?;
    let (ending, said, random) = (job.clone(), result(import), app.random_source());
    let said = app
        .commit("certificate.import.end", move |tx| {
            let begun = wanted.begin(tx, now, (&ending.actor, &*random))?.len();
            let mut said = said.clone();
            match begun {
                0 => {}
                1 => said.push_str("; a job fetches what is missing in a chain"),
                begun => said.push_str(&format!("; {begun} jobs fetch what is missing in chains")),
            }
            job::end(tx, &ending, &said, now)?;
            Ok(said)
        })
        .await?;
    app.wake();
    Ok(Done::Stored(said))
}

fn wanted(tx: &Tx<'_>, all: &[Fingerprint], now: Moment) -> Result<Wanted, Error> {
    let mut wanted = Wanted::default();
    let mut chains = Chains::new(tx, now.unix()).within(Allowance::OF_FILE);
    for id in all {
        if wanted.is_full() {
            break;
        }
        if let Some(entry) = store::certificate::find(tx, id)?.filter(|entry| entry.has_key) {
            wanted.consider(&entry, &chains.of(&entry.certificate)?);
        }
    }
    Ok(wanted)
}

async fn store_part(
    app: &App,
    job: &Job,
    import: StoredImport,
    ((part, revoked), allowance): (Part, Allowance),
) -> Result<(StoredImport, Allowance), Error> {
    let (job, now, random) = (job.clone(), app.now(), app.random_source());
    let wishes = Wishes {
        friendly_name: import.friendly_name.clone(),
        lineage: import.lineage.clone(),
        ..Wishes::default()
    };
    let mut event = Event::done(now, &Actor::Scheduler, Action::CertificateImport, import.id.as_str())
        .with(Field::Count, part.len());
    event.actor.clone_from(&import.actor);
    let stored = app
        .commit("certificate.import.part", move |tx| {
            refuse_lost_lease(tx, &job)?;
            let asked = Asked { now, look: Look::Brief, allowance, revoked: &revoked };
            let plan = make(tx, &part, None, &wishes, asked)?;
            let done = write::all(tx, &plan, None, now, (&import.actor, &*random))?;
            let after = counted(&import, part.len(), &done);
            store::import::advance(tx, &after)?;
            store::job::extend(tx, &job.id, job.fence, now.plus(LEASE))?;
            store::job::progress(tx, &job.id, job.fence, &progress(&after))?;
            act::record(tx, &event)?;
            Ok((after, plan.left))
        })
        .await?;
    app.served_changed();
    app.wake();
    Ok(stored)
}

fn counted(import: &StoredImport, part: usize, done: &Imported) -> StoredImport {
    StoredImport {
        stored: import.stored + part,
        new: import.new + done.new,
        fulfilled: import.fulfilled + done.fulfilled.len(),
        became_current: import.became_current + done.became_current.len(),
        ..import.clone()
    }
}

fn progress(import: &StoredImport) -> String {
    format!("{} of {} certificates are stored", import.stored, import.total)
}

fn result(import: &StoredImport) -> String {
    let known = import.total - import.new.min(import.total);
    let mut said =
        format!("{} certificates are stored: {} new, {known} known before", import.total, import.new);
    if import.fulfilled > 0 {
        said.push_str(&format!("; {} requests answered", import.fulfilled));
    }
    if import.became_current > 0 {
        said.push_str(&format!("; current certificate of {} lineages now", import.became_current));
    }
    said
}

/// Certificates as one text of bytes: of each its name, its DER, and why it was revoked by a list that came along, each
/// after its length. CAs come first, so that each leaf's chain is judged with what came along.
fn pack(certificates: &[BroughtCertificate], revoked: &Revocations) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(certificates.iter().map(|one| one.certificate.der().len() + 12).sum());
    let (authorities, leaves): (Vec<_>, Vec<_>) =
        certificates.iter().partition(|one| one.certificate.is_ca());
    for one in authorities.into_iter().chain(leaves) {
        let (name, why) =
            (one.name.as_deref().unwrap_or_default(), revoked.words(&one.certificate.fingerprint()));
        for part in [name.as_bytes(), one.certificate.der(), why.as_bytes()] {
            // A file has at most ten million bytes.
            bytes.extend((part.len() as u32).to_be_bytes());
            bytes.extend(part);
        }
    }
    bytes
}

/// So many of them, after the first `from`: never all at once, because read they take several times as much memory.
fn unpack(bytes: &[u8], from: usize, count: usize) -> Result<Part, Error> {
    let (mut part, mut revoked) = (Vec::new(), Revocations::default());
    for one in Packed(bytes).skip(from).take(count) {
        let Packet { name, der, why } = one?;
        let certificate = Certificate::parse_again(der)
            .map_err(|refusal| Error::internal("a stored import cannot be read", &refusal))?;
        revoked.remember(&certificate, &String::from_utf8_lossy(why));
        let name = String::from_utf8(name.to_vec()).ok().filter(|name| !name.is_empty());
        part.push(BroughtCertificate { certificate, name });
    }
    Ok((part, revoked))
}

/// Some of the certificates, and which of them were revoked.
type Part = (Vec<BroughtCertificate>, Revocations);

fn fingerprints(bytes: &[u8]) -> Result<Vec<Fingerprint>, Error> {
    Packed(bytes).map(|one| one.map(|one| Fingerprint::of_der(one.der))).collect()
}

/// What [`pack`] wrote of one certificate.
struct Packet<'a> {
    name: &'a [u8],
    der: &'a [u8],
    why: &'a [u8],
}

/// What [`pack`] wrote.
struct Packed<'a>(&'a [u8]);

impl<'a> Packed<'a> {
    fn part(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        self.0 = rest;
        Some(part)
    }
}

impl<'a> Iterator for Packed<'a> {
    type Item = Result<Packet<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let parts = self.part().zip(self.part()).zip(self.part());
        if parts.is_none() {
            self.0 = &[];
        }
        let packet = parts.map(|((name, der), why)| Packet { name, der, why });
        Some(packet.ok_or_else(|| Error::internal("a stored import cannot be read", &"it is cut short")))
    }
}
