//! Take certificates, and perhaps their key, from files: the CA's answer, or a pair made elsewhere.
//!
//! Four steps, one file each: `read` finds what is in the files, `check` refuses what cannot be taken at all,
//! `plan` decides what would be done with each part (pure reading, also for a `preview`), `write`
//! does it. More than [`FEW`] certificates are stored by a job (`large`); what a person uploaded for a preview waits
//! in memory (`held`).

mod check;
mod fetched;
mod held;
mod large;
mod plan;
mod preview;
mod read;
mod revoked;
mod shared;
mod without_effect;
mod write;

use std::sync::Arc;

use domain::Authorized;
use domain::audit::{Action, Event, Field};
use domain::id::{CsrId, JobId, LineageId, TokenId};
use domain::job::Job;
use domain::key::{Exportable, Key};
use domain::permission::uses;
use pki::{Finding, Fingerprint, KeyId};
use zeroize::Zeroizing;

use super::{CertificateView, complete};
use crate::{App, Error, act};

pub(crate) use fetched::store as store_fetched;
pub(crate) use held::Previews;
pub use held::{Confirmed, Offered, Shown, confirm, discard, hold, outcome, show};
pub(crate) use large::run as run_large;
pub use plan::{Fate, KeyFrom, KeyPlan, Plan, Series, Standing, Step};
pub use preview::{Preview, PreviewedKey, preview};
pub use read::{Brought, BroughtCertificate, BroughtKey};
pub(crate) use shared::finding as shared_key;

/// Most certificates that are stored at once, in one transaction; more are stored by a job, and have no keys.
pub const FEW: usize = 50;
/// Most certificates of one import.
pub const MOST: usize = pki::format::MAX_CERTIFICATES;

/// What is brought.
#[derive(Default)]
pub struct Import {
    /// The files, in any order; their content decides what they are.
    pub files: Vec<ImportFile>,
    /// The passphrases of what is encrypted in them; all of it is tried with each, within one budget.
    pub passphrases: Vec<Zeroizing<String>>,
    /// How it shall be kept.
    pub wishes: Wishes,
    /// What was previewed: refused where something else would be done now.
    pub preview: Option<PreviewHash>,
}

/// One file, or a pasted text.
pub struct ImportFile {
    /// What its owner calls it, for refusals; it decides nothing.
    pub name: Option<String>,
    /// What is in it.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl From<Vec<u8>> for ImportFile {
    fn from(bytes: Vec<u8>) -> Self {
        Self { name: None, bytes: Zeroizing::new(bytes) }
    }
}

/// How what is brought shall be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// The friendly name of key and leaf; none means that of the request, of the file or of the key, else the common
    /// name.
    pub friendly_name: Option<String>,
    /// The token that takes a private key.
    pub token: TokenId,
    /// When an imported key may leave; none means as usual for TLS keys.
    pub exportable: Option<Exportable>,
    /// The lineage that the answer is for; found by key or request when none is given.
    pub lineage: Option<LineageId>,
    /// Which private key is taken, where there are several.
    pub key: Option<KeyId>,
}

impl Default for Wishes {
    /// No wishes: a key goes into the token that works with nobody there.
    fn default() -> Self {
        Self { friendly_name: None, token: TokenId::system(), exportable: None, lineage: None, key: None }
    }
}

/// Names what was previewed: SHA-256 of everything that would be done. Written as 64 hexadecimal digits.
pub type PreviewHash = Fingerprint;

/// What came of an import.
#[derive(Clone, Debug)]
pub enum Taken {
    /// It is done.
    Now(Box<Imported>),
    /// It was checked, and a job stores it.
    AsJob(Box<Job>),
}

/// What was imported.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// Every certificate of the files, the leaf first.
    pub certificates: Vec<CertificateView>,
    /// How many of them were new here.
    pub new: usize,
    /// The private keys.
    pub keys: Vec<Key>,
    /// How many of the keys were new here.
    pub new_keys: usize,
    /// The requests that were answered.
    pub fulfilled: Vec<CsrId>,
    /// The lineages whose current certificate it became.
    pub became_current: Vec<LineageId>,
    /// What was noticed while reading.
    pub findings: Vec<Finding>,
    /// The jobs that fetch what is missing in the chains, where that is done unasked.
    pub fetching: Vec<JobId>,
}

impl Taken {
    /// What was imported, if it is done.
    pub fn into_imported(self) -> Option<Imported> {
        match self {
            Self::Now(imported) => Some(*imported),
            Self::AsJob(_) => None,
        }
    }
}

/// Imports. All or nothing: what cannot be taken stores nothing.
///
/// # Errors
/// Every refusal of [`pki::format::read`]; `import.csr`, `import.crl` when there is nothing else to take,
/// `import.ambiguous_key`, `import.lineage`, `import.preview_changed`, `key.mismatch`, `key.weak.*`, `key.label_taken`, `key.state`,
/// `limit.cert_count`.
pub async fn import(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    input: Import,
) -> Result<Taken, Error> {
    act::audited(app, by.actor(), Action::CertificateImport, "", async {
        let brought = read::all(app, input.files, input.passphrases).await?;
        take(app, by, &Arc::new(brought), input.wishes, input.preview).await
    })
    .await
}

async fn is_here(app: &App, key: KeyId) -> Result<bool, Error> {
    app.read("certificate.import.key", move |tx| Ok(store::key::find(tx, &key)?.is_some())).await
}

/// Takes what was read, if it is still what was previewed.
async fn take(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    brought: &Arc<Brought>,
    wishes: Wishes,
    previewed: Option<PreviewHash>,
) -> Result<Taken, Error> {
    let wishes = check::wishes(wishes)?;
    let chosen = check::brought(app, brought, &wishes).await?;
    if brought.certificates.len() > FEW {
        let job = large::begin(app, by, brought, &wishes, previewed).await?;
        return Ok(Taken::AsJob(Box::new(job)));
    }
    let made = match chosen {
        // What is here stays in its token; that of the wishes may be closed.
        Some(chosen) if !is_here(app, chosen).await? => {
            Some(write::seal(app, brought, chosen, &wishes).await?)
        }
        Some(_) | None => None,
    };
    let (now, actor, random) = (app.now(), by.actor().name(), app.random_source());
    let event = Event::done(now, by.actor(), Action::CertificateImport, brought.object())
        .with(Field::Count, brought.certificates.len());
    let revoked = revoked::find(app, brought).await?;
    let (brought, fetch_missing) = (Arc::clone(brought), app.config().fetch_missing);
    let imported = app
        .commit("certificate.import", move |tx| {
            let key = chosen.and_then(|id| brought.key(&id));
            let asked = plan::Asked::of_files(now, &revoked);
            let plan = plan::make(tx, &brought.certificates, key, &wishes, asked)?;
            plan.refuse_stray(&wishes)?;
            check::previewed(previewed, plan::hash(&plan, &brought, &wishes))?;
            let mut imported = write::all(tx, &plan, made.as_ref(), now, (&actor, &*random))?;
            imported.certificates = write::views(tx, &plan, now)?;
            if fetch_missing {
                let mut wanted = complete::Wanted::default();
                imported.certificates.iter().for_each(|view| wanted.consider(&view.entry, &view.chain));
                imported.fetching = wanted.begin(tx, now, (&actor, &*random))?;
            }
            imported.findings = brought.findings.iter().chain(&plan.findings).cloned().collect();
            store::audit::record(tx, &event)?;
            Ok(imported)
        })
        .await?;
    app.served_changed();
    app.wake();
    Ok(Taken::Now(Box::new(imported)))
}
