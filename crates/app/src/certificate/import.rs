//! Take certificates, and perhaps their key, from files: the CA's answer, or a pair made elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use domain::audit::{Action, Event, Field};
use domain::certificate::{CertificateEntry, CertificateState, Source, plan_current, uncovered};
use domain::csr::{CsrEntry, CsrState};
use domain::id::{CsrId, IssuerId, LineageId, TokenId};
use domain::key::{Born, Exportable, Key, KeyState, KeyUsage, parse_label};
use domain::permission::uses;
use domain::{Authorized, Moment, Random};
use pki::format::Item;
use pki::{Certificate, Finding, Fingerprint, KeyId, PrivateKey, Refusal};
use store::Tx;
use zeroize::Zeroizing;

use super::{CertificateView, make_current, row, view};
use crate::key::{MadeKey, describe, session_of};
use crate::lineage::found;
use crate::{App, Error, act, chains, key};

/// What is brought.
pub struct Import {
    /// The files, in any order.
    pub files: Vec<Vec<u8>>,
    /// The passphrase of what is encrypted in them.
    pub passphrase: Option<Zeroizing<String>>,
    /// The friendly name of the certificate; none means that of its request or key, else its common name.
    pub friendly_name: Option<String>,
    /// The token that takes a private key.
    pub token: TokenId,
    /// When an imported key may leave; none means as usual for TLS keys.
    pub exportable: Option<Exportable>,
    /// The lineage that the answer is for; found by key or request when none is given.
    pub lineage: Option<LineageId>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// Every certificate of the files, the leaf first.
    pub certificates: Vec<CertificateView>,
    /// How many of them were new here.
    pub new: usize,
    /// The private keys.
    pub keys: Vec<Key>,
    /// The requests that were answered.
    pub fulfilled: Vec<CsrId>,
    /// The lineages whose current certificate it became.
    pub became_current: Vec<LineageId>,
    /// What was noticed while reading.
    pub findings: Vec<Finding>,
}

/// Most certificates in one import here; more come as a job.
const MOST: usize = 10_000;

/// Imports. All or nothing: what cannot be taken stores nothing.
pub async fn import(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    input: Import,
) -> Result<Imported, Error> {
    act::audited(app, by.actor(), Action::CertificateImport, "", async {
        let name = input
            .friendly_name
            .as_deref()
            .filter(|name| !name.trim().is_empty())
            .map(parse_label)
            .transpose()?;
        let (files, passphrase, now) = (input.files, input.passphrase, app.now());
        let brought = app
            .deriving(move || read_all(&files, passphrase.as_ref().map(|text| text.as_str()), now))
            .await??;
        let random = app.random_source();
        let made = match &brought.key {
            Some(private) => {
                let label = name.clone().unwrap_or_else(|| brought.label());
                Some(seal(app, private, label, &input.token, input.exportable)?)
            }
            None => None,
        };
        let store = Storing {
            certificates: brought.certificates,
            findings: brought.findings,
            made,
            name,
            lineage: input.lineage,
            actor: by.actor().name(),
            now,
        };
        let event = Event::done(now, by.actor(), Action::CertificateImport, store.object())
            .with(Field::Count, store.certificates.len());
        let imported = app
            .commit("certificate.import", move |tx| {
                let imported = store.write(tx, &*random)?;
                store::audit::record(tx, &event)?;
                Ok(imported)
            })
            .await?;
        app.served_changed();
        app.wake();
        Ok(imported)
    })
    .await
}

struct Brought {
    certificates: Vec<Certificate>,
    key: Option<PrivateKey>,
    findings: Vec<Finding>,
}

impl Brought {
    /// A friendly name for a key that came without one.
    fn label(&self) -> String {
        let leaf = self.certificates.iter().find(|certificate| !certificate.is_ca());
        let name = leaf.map_or_else(|| "Imported key".to_owned(), Certificate::display_name);
        parse_label(&name.chars().take(100).collect::<String>()).unwrap_or_else(|_| "Imported key".to_owned())
    }
}

/// Reads every file; certificates come leaf first, each once.
fn read_all(files: &[Vec<u8>], passphrase: Option<&str>, now: Moment) -> Result<Brought, Refusal> {
    let (mut certificates, mut keys, mut findings) = (Vec::new(), BTreeMap::new(), Vec::new());
    if files.iter().all(Vec::is_empty) {
        return Err(Refusal::new(
            "input.empty",
            "there is nothing in it",
            "Choose a file, or paste its text.",
        ));
    }
    for file in files.iter().filter(|file| !file.is_empty()) {
        let contents = pki::format::read(file, passphrase)?;
        findings.extend(contents.findings);
        for item in contents.items {
            match item {
                Item::Certificate(certificate) => certificates.push(certificate),
                Item::PrivateKey(key) => drop(keys.insert(key.id(), key)),
                Item::Csr(_) => return Err(is_a_request()),
            }
        }
    }
    if certificates.len() > MOST {
        let what = format!("{} certificates are more than {MOST}", certificates.len());
        return Err(Refusal::new("limit.cert_count", what, "Import them in several parts."));
    }
    let key = only_key(keys)?;
    refuse_mismatch(key.as_ref(), &certificates)?;
    findings.extend(repaired(&certificates, now));
    let mut seen = BTreeSet::new();
    certificates.retain(|certificate| seen.insert(certificate.fingerprint()));
    certificates.sort_by_key(|certificate| (certificate.is_ca(), certificate.is_self_signed()));
    Ok(Brought { certificates, key, findings })
}

/// What was put right about the files of one certificate and its chain. What is wrong with the chain itself is said
/// with the certificate, where those that were known before count too.
fn repaired(certificates: &[Certificate], now: Moment) -> Vec<Finding> {
    let leaves = certificates.iter().filter(|certificate| !certificate.is_ca());
    let leaves: BTreeSet<Fingerprint> = leaves.map(Certificate::fingerprint).collect();
    // Several are a collection: it has no order.
    if leaves.len() != 1 || certificates.len() < 2 {
        return Vec::new();
    }
    let mut findings = pki::chain::arrange(certificates.to_vec(), now.unix()).chain.findings;
    findings.retain(|finding| matches!(finding.code, "chain.reordered" | "chain.deduplicated"));
    findings
}

fn is_a_request() -> Refusal {
    let repair = "Give the request to your CA, and import the certificate that it answers with.";
    Refusal::new("import.csr", "this is a certificate request, not a certificate", repair)
}

fn only_key(keys: BTreeMap<KeyId, PrivateKey>) -> Result<Option<PrivateKey>, Refusal> {
    let count = keys.len();
    let mut keys = keys.into_values();
    match (keys.next(), count) {
        (key, 0 | 1) => Ok(key),
        (_, count) => {
            let what = format!("the files hold {count} private keys");
            Err(Refusal::new("import.ambiguous_key", what, "Import each key with its certificate by itself."))
        }
    }
}

fn refuse_mismatch(key: Option<&PrivateKey>, certificates: &[Certificate]) -> Result<(), Refusal> {
    let Some(key) = key else { return Ok(()) };
    let leaves: Vec<&Certificate> = certificates.iter().filter(|certificate| !certificate.is_ca()).collect();
    if leaves.is_empty() || certificates.iter().any(|certificate| certificate.key_id() == key.id()) {
        return Ok(());
    }
    let what = format!("the private key does not belong to the certificate of {}", leaves[0].display_name());
    Err(Refusal::new("key.mismatch", what, "Find the key that the certificate was asked for with."))
}

fn seal(
    app: &App,
    private: &PrivateKey,
    label: String,
    token: &TokenId,
    exportable: Option<Exportable>,
) -> Result<MadeKey, Error> {
    let exportable = exportable.unwrap_or_else(|| domain::key::exportable_by_default(Some(KeyUsage::Tls)));
    let sealed = session_of(app, token)?.import(private, exportable, app.random())?;
    let key = describe(label, private.public_key(), &sealed, Some(KeyUsage::Tls), Born::Imported, app.now());
    Ok(MadeKey { key, sealed })
}

/// What one import writes.
struct Storing {
    certificates: Vec<Certificate>,
    findings: Vec<Finding>,
    made: Option<MadeKey>,
    name: Option<String>,
    lineage: Option<LineageId>,
    actor: String,
    now: Moment,
}

impl Storing {
    fn object(&self) -> String {
        let first = self.certificates.first().map(|certificate| certificate.fingerprint().to_string());
        first.or_else(|| self.made.as_ref().map(|made| made.key.id.to_string())).unwrap_or_default()
    }

    fn write(&self, tx: &Tx<'_>, random: &dyn Random) -> Result<Imported, Error> {
        let mut imported = Imported { findings: self.findings.clone(), ..Imported::default() };
        if let Some(made) = &self.made {
            imported.keys.push(self.write_key(tx, made)?);
        }
        // CAs first, so that a leaf's chain is judged with what came along.
        let (leaves, authorities): (Vec<_>, Vec<_>) = self.certificates.iter().partition(|one| !one.is_ca());
        for authority in authorities {
            let entry = CertificateEntry {
                has_key: store::key::find(tx, &authority.key_id())?.is_some(),
                ..row(authority.clone(), authority.display_name(), Source::Imported, None, self.now)
            };
            imported.new += usize::from(store::certificate::insert(tx, &entry)?);
        }
        for leaf in leaves {
            self.write_leaf(tx, leaf, random, &mut imported)?;
        }
        imported.certificates = self.views(tx)?;
        Ok(imported)
    }

    fn write_key(&self, tx: &Tx<'_>, made: &MadeKey) -> Result<Key, Error> {
        if let Some(there) = store::key::find(tx, &made.key.id)? {
            return match there.state {
                KeyState::Active => Ok(there),
                KeyState::Retired | KeyState::Compromised | KeyState::Destroyed => {
                    let what = format!("this private key is here and {}", there.state);
                    Err(Error::conflict(
                        "key.state",
                        what,
                        "Bring it back if it is retired, or use a new key.",
                    ))
                }
            };
        }
        let mut made = MadeKey { key: made.key.clone(), sealed: made.sealed.clone() };
        if self.name.is_none() {
            made.key.label = free_label(tx, &made.key.label)?;
        }
        key::insert(tx, &made)?;
        store::certificate::set_has_key(tx, &made.key.id)?;
        Ok(made.key)
    }

    fn write_leaf(
        &self,
        tx: &Tx<'_>,
        leaf: &Certificate,
        random: &dyn Random,
        imported: &mut Imported,
    ) -> Result<(), Error> {
        let key = store::key::find(tx, &leaf.key_id())?;
        let requests = store::csr::waiting_of_key(tx, &leaf.key_id())?;
        let lineage = self.lineage_of(tx, leaf, &requests)?;
        let named =
            self.name.clone().or_else(|| requests.first().map(|request| request.friendly_name.clone()));
        let named = named.or_else(|| key.as_ref().map(|key| key.label.clone()));
        let entry = CertificateEntry {
            has_key: key.as_ref().is_some_and(|key| key.state != KeyState::Destroyed),
            ..row(
                leaf.clone(),
                named.unwrap_or_else(|| leaf.display_name()),
                Source::Imported,
                lineage.as_ref().map(|lineage| lineage.id.clone()),
                self.now,
            )
        };
        imported.new += usize::from(store::certificate::insert(tx, &entry)?);
        let entry = self.as_kept(tx, entry)?;
        for request in requests {
            store::csr::set_state(tx, &request.id, CsrState::Fulfilled)?;
            imported.fulfilled.push(request.id);
        }
        match lineage {
            Some(lineage) => {
                store::certificate::set_lineage(tx, &entry.fingerprint(), Some(&lineage.id))?;
                self.offer(tx, &lineage, &entry, random, imported)
            }
            None => self.found(tx, &entry, random, imported),
        }
    }

    /// The lineage that a leaf belongs to: named, or of the request that it answers, or of its key's certificate.
    fn lineage_of(
        &self,
        tx: &Tx<'_>,
        leaf: &Certificate,
        requests: &[CsrEntry],
    ) -> Result<Option<domain::lineage::Lineage>, Error> {
        let by_request = requests.iter().find_map(|request| request.lineage.clone());
        if let Some(id) = &self.lineage {
            return store::lineage::find(tx, id)?.map(Some).ok_or_else(|| Error::not_found("lineage", id));
        }
        let by_key =
            store::certificate::by_key(tx, &leaf.key_id())?.into_iter().filter_map(|entry| entry.lineage);
        for id in by_request.into_iter().chain(by_key) {
            // One that was removed meanwhile, or that has other names, is not this one's.
            let found = store::lineage::find(tx, &id)?;
            if let Some(lineage) = found.filter(|lineage| uncovered(leaf, &lineage.names).is_none()) {
                return Ok(Some(lineage));
            }
        }
        Ok(None)
    }

    /// The row as it is kept: one that was removed from view comes back.
    fn as_kept(&self, tx: &Tx<'_>, new: CertificateEntry) -> Result<CertificateEntry, Error> {
        let kept = store::certificate::find(tx, &new.fingerprint())?.unwrap_or(new);
        if kept.state == CertificateState::Retired {
            store::certificate::set_state(tx, &kept.fingerprint(), CertificateState::Issued)?;
            return Ok(CertificateEntry { state: CertificateState::Issued, ..kept });
        }
        Ok(kept)
    }

    /// Completes the lineage's order and makes the certificate current where it may be.
    fn offer(
        &self,
        tx: &Tx<'_>,
        lineage: &domain::lineage::Lineage,
        entry: &CertificateEntry,
        random: &dyn Random,
        imported: &mut Imported,
    ) -> Result<(), Error> {
        let before = match lineage.current {
            Some(fingerprint) => store::certificate::find(tx, &fingerprint)?.map(|entry| entry.certificate),
            None => None,
        };
        let chain = chains::of(tx, &entry.certificate, self.now.unix())?;
        let findings = super::findings(entry, &chain, self.now);
        if plan_current(entry, &findings, before.as_ref(), &lineage.names).is_ok() {
            if let Some(order) =
                store::order::active(tx, &lineage.id)?.filter(|order| order.key == entry.key())
            {
                store::order::complete(tx, &order.id, &entry.fingerprint())?;
            }
            make_current(tx, lineage, entry, self.now, (&self.actor, random))?;
            imported.became_current.push(lineage.id.clone());
        }
        Ok(())
    }

    /// Founds a lineage on a sound certificate whose key is here, so that it is served and watched from now on.
    fn found(
        &self,
        tx: &Tx<'_>,
        entry: &CertificateEntry,
        random: &dyn Random,
        imported: &mut Imported,
    ) -> Result<(), Error> {
        let chain = chains::of(tx, &entry.certificate, self.now.unix())?;
        if plan_current(entry, &super::findings(entry, &chain, self.now), None, &[]).is_ok() {
            let lineage = found(tx, entry, IssuerId::of("manual"), self.now, (&self.actor, random))?;
            imported.became_current.push(lineage.id);
        }
        Ok(())
    }

    fn views(&self, tx: &Tx<'_>) -> Result<Vec<CertificateView>, Error> {
        // A large bundle is not shown one by one.
        let shown: Vec<Fingerprint> =
            self.certificates.iter().take(50).map(Certificate::fingerprint).collect();
        let mut views = Vec::with_capacity(shown.len());
        for fingerprint in shown {
            if let Some(entry) = store::certificate::find(tx, &fingerprint)? {
                views.push(view(tx, entry, self.now)?);
            }
        }
        Ok(views)
    }
}

/// A label that no other key has: a number is put behind where it is taken.
pub(crate) fn free_label(tx: &Tx<'_>, wanted: &str) -> Result<String, Error> {
    let mut label = wanted.to_owned();
    for number in 2..1_000 {
        if store::key::by_label(tx, &label)?.is_none() {
            break;
        }
        let room = 100 - 6;
        label = format!("{} ({number})", wanted.chars().take(room).collect::<String>());
    }
    Ok(label)
}
