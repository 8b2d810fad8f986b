//! What would be done with each part of an import, decided from what is here now. Nothing is changed by it: the
//! preview shows a plan, and the import carries one out.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use domain::Moment;
use domain::certificate::{CertificateEntry, CertificateState, NotCurrent, Source, plan_current, uncovered};
use domain::csr::CsrEntry;
use domain::id::CsrId;
use domain::key::{Key, KeyState};
use domain::lineage::Lineage;
use pki::chain::{Allowance, Chain};
use pki::identity::sha256;
use pki::name::inert;
use pki::{Certificate, Finding, KeyId, SubjectAltName};
use store::Tx;

use super::read::{BroughtCertificate, BroughtKey};
use super::revoked::Revocations;
use super::{Brought, FEW, PreviewHash, Wishes, shared, without_effect};
use crate::certificate::{findings, row};
use crate::chains::Chains;
use crate::key::{free_label, other_usage};
use crate::{Error, csr};

/// What would be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// One step for each certificate, in the order in which they were brought.
    pub steps: Vec<Step>,
    /// What would become of the private key.
    pub key: Option<KeyPlan>,
    /// The wishes that have no effect, because what they are about is here already.
    pub findings: Vec<Finding>,
    /// What is left for the chains of what came in the same files.
    pub(super) left: Allowance,
}

/// What would be done with one certificate.
#[derive(Clone, Debug)]
pub struct Step {
    /// The row as it would be.
    pub entry: CertificateEntry,
    /// Whether it is here already.
    pub standing: Standing,
    /// Where its private key is.
    pub key: KeyFrom,
    /// The requests that it answers.
    pub requests: Vec<CsrEntry>,
    /// What it would be used for.
    pub fate: Fate,
    /// What is current in its lineage before it.
    pub before: Option<Certificate>,
    /// The chain as it would be served.
    pub chain: Chain,
    /// What is wrong with it or its chain.
    pub findings: Vec<Finding>,
}

/// Whether a certificate is here already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It would be a new row.
    New,
    /// It is here; the same certificate twice is the same row.
    Known,
    /// It is here and was removed from view; it would come back.
    Hidden,
}

impl Standing {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Known => "known",
            Self::Hidden => "hidden",
        }
    }
}

/// Where the private key of a certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFrom {
    /// Among the files.
    Files,
    /// Here already.
    Here,
    /// Among the files, but it is not the one that is taken, or none is chosen yet. Only a preview says that.
    NotTaken,
    /// Neither.
    Nowhere,
}

impl KeyFrom {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Here => "here",
            Self::NotTaken => "not_taken",
            Self::Nowhere => "nowhere",
        }
    }
}

/// What a certificate would be used for.
#[derive(Clone, Debug)]
pub enum Fate {
    /// A CA's: it is kept for chains; so many certificates here name it as their issuer.
    ForChains(i64),
    /// It becomes its lineage's current certificate.
    Renews(Series),
    /// It is kept in its lineage, whose current certificate stays.
    Kept(Series, String),
    /// A lineage is founded on it: it is watched, and served if it has a DNS name.
    Founds,
    /// It is only kept.
    Alone(String),
}

/// A lineage that is there, or will be.
#[derive(Clone, Debug)]
pub enum Series {
    /// It is there.
    Lineage(Box<Lineage>),
    /// The one that this step founds.
    FoundedBy(usize),
}

/// What would become of the private key.
#[derive(Clone, Debug)]
pub enum KeyPlan {
    /// It is stored under this label.
    Stored(KeyId, String),
    /// It is here already.
    Here(Box<Key>),
}

/// How closely is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// At everything that a person is shown.
    Close,
    /// At what decides: a certificate whose key is not here is only kept, whatever its chain is.
    Brief,
}

/// When the plan is made, how closely is looked, what the chains may cost, and what was revoked.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) now: Moment,
    pub(super) look: Look,
    pub(super) allowance: Allowance,
    pub(super) revoked: &'a Revocations,
}

impl<'a> Asked<'a> {
    /// For all that the files hold.
    pub(super) fn of_files(now: Moment, revoked: &'a Revocations) -> Self {
        Self { now, look: Look::Close, allowance: Allowance::OF_FILE, revoked }
    }
}

/// Decides. `brought_key` is the private key that is taken; with a friendly name in the wishes it gets that.
///
/// # Errors
/// `key.state`, `key.label_taken`, and a lineage that is named and not there.
pub(super) fn make(
    tx: &Tx<'_>,
    certificates: &[BroughtCertificate],
    brought_key: Option<&BroughtKey>,
    wishes: &Wishes,
    Asked { now, look, allowance, revoked }: Asked<'_>,
) -> Result<Plan, Error> {
    let key = brought_key.map(|key| plan_key(tx, key, certificates, wishes)).transpose()?;
    let named = match &wishes.lineage {
        Some(id) => Some(store::lineage::find(tx, id)?.ok_or_else(|| Error::not_found("lineage", id))?),
        None => None,
    };
    let mut planner = Planner {
        tx,
        wishes,
        named,
        brought: brought_key.map(|brought| brought.private.id()),
        key: key.as_ref(),
        chains: Chains::with(tx, certificates.iter().map(|one| &one.certificate), now.unix())
            .within(allowance),
        now,
        look,
        revoked,
        currents: HashMap::new(),
        lineages: HashMap::new(),
        answered: HashSet::new(),
        founded: Vec::new(),
    };
    let steps = certificates.iter().enumerate();
    let steps = steps.map(|(index, one)| planner.step(index, one)).collect::<Result<Vec<_>, _>>()?;
    let left = planner.chains.left();
    let findings = without_effect::findings(wishes, key.as_ref(), &steps);
    Ok(Plan { steps, key, findings, left })
}

fn plan_key(
    tx: &Tx<'_>,
    brought: &BroughtKey,
    certificates: &[BroughtCertificate],
    wishes: &Wishes,
) -> Result<KeyPlan, Error> {
    let id = brought.private.id();
    if let Some(there) = store::key::find(tx, &id)? {
        return match there.state {
            KeyState::Active => Ok(KeyPlan::Here(Box::new(there))),
            KeyState::Retired | KeyState::Compromised | KeyState::Destroyed => {
                let what = format!("this private key is here and {}", there.state);
                let repair = "Bring it back if it is retired, or use a new key.";
                Err(Error::conflict("key.state", what, repair))
            }
        };
    }
    if let Some(wanted) = &wishes.friendly_name {
        if store::key::by_label(tx, wanted)?.is_some() {
            let what = format!("the friendly name “{wanted}” is taken by another key");
            return Err(Error::conflict("key.label_taken", what, "Choose another name."));
        }
        return Ok(KeyPlan::Stored(id, wanted.clone()));
    }
    let of_key = certificates.iter().find(|one| one.certificate.key_id() == id);
    let named = brought.name.clone().or_else(|| of_key.and_then(|one| one.name.clone()));
    let named = named.or_else(|| of_key.and_then(|one| label(&one.certificate)));
    Ok(KeyPlan::Stored(id, free_label(tx, &named.unwrap_or_else(|| "Imported key".to_owned()), &id)?))
}

/// What people call a certificate, as a friendly name.
fn label(certificate: &Certificate) -> Option<String> {
    domain::key::parse_label(&certificate.display_name().chars().take(100).collect::<String>()).ok()
}

impl Plan {
    /// Refuses where a lineage was named and no certificate is for it: it would not become what was asked for.
    ///
    /// # Errors
    /// `import.lineage`.
    pub(super) fn refuse_stray(&self, wishes: &Wishes) -> Result<(), Error> {
        let Some(named) = &wishes.lineage else { return Ok(()) };
        let mut leaves = self.steps.iter().filter(|step| !matches!(step.fate, Fate::ForChains(_)));
        let Some(first) = leaves.clone().next() else { return Ok(()) };
        if leaves.any(|step| step.fate.lineage().is_some_and(|lineage| lineage.id == *named)) {
            return Ok(());
        }
        let name = first.entry.certificate.display_name();
        let name = inert(&name);
        let (what, repair) = match (first.fate.lineage(), first.fate.why()) {
            (Some(other), _) => {
                let what = format!("the certificate of {name} belongs to the lineage “{}”", other.name);
                (what, "Import it without a lineage, or name that one.")
            }
            (None, Some(why)) => {
                (format!("the certificate of {name} is for no lineage: {why}"), "Import another one.")
            }
            (None, None) => {
                let what = format!(
                    "the certificate of {name} is not for the lineage that was named: it has none of its names, and \
                     another key"
                );
                (what, "Name the lineage that it is for, or none.")
            }
        };
        Err(Error::conflict("import.lineage", what, repair))
    }
}

struct Planner<'a> {
    tx: &'a Tx<'a>,
    wishes: &'a Wishes,
    /// The lineage that was named for the answer.
    named: Option<Lineage>,
    brought: Option<KeyId>,
    key: Option<&'a KeyPlan>,
    chains: Chains<'a>,
    now: Moment,
    look: Look,
    revoked: &'a Revocations,
    /// What would be current after the steps so far.
    currents: HashMap<String, Certificate>,
    /// The lineages that have certificates of a key: many certificates of one are asked about once.
    lineages: HashMap<KeyId, Rc<[Lineage]>>,
    /// The requests that the steps so far answer: each is answered once.
    answered: HashSet<CsrId>,
    /// Lineages that the steps so far would found: the step, and the certificate.
    founded: Vec<(usize, Certificate)>,
}

/// What a step begins with.
struct Found {
    key: Option<Key>,
    /// Those of its key that wait.
    requests: Vec<CsrEntry>,
    known: Option<CertificateEntry>,
    /// Whether it is one to serve: no CA's, and not over a key that is here for something else.
    is_served: bool,
}

impl Planner<'_> {
    fn step(&mut self, index: usize, brought: &BroughtCertificate) -> Result<Step, Error> {
        let certificate = &brought.certificate;
        let id = certificate.key_id();
        let found = self.find(certificate)?;
        let key = self.key_of(&id, found.key.as_ref());
        let series = if found.is_served { self.series_of(certificate, &found)? } else { None };
        let entry = self.entry(brought, &found, key, series.as_ref());
        // Of a large collection nobody is shown more, and each chain costs signature checks.
        let look = if index < FEW { self.look } else { Look::Brief };
        let (chain, mut findings) = match (look, key) {
            (Look::Close, _) | (Look::Brief, KeyFrom::Files | KeyFrom::Here) => {
                self.judged(&entry, series.as_ref(), look)?
            }
            (Look::Brief, KeyFrom::NotTaken | KeyFrom::Nowhere) => {
                (Chain::unsought(certificate.clone()), Vec::new())
            }
        };
        findings.extend(self.revoked.of_chain(&chain));
        let before = self.before(series.as_ref())?;
        let decided = refuse_unfit_key(found.key.as_ref())
            .and_then(|()| plan_current(&entry, &findings, before.as_ref(), names_of(series.as_ref())))
            .map_err(|why| match &before {
                Some(current) if current == certificate => "it is the current one already".to_owned(),
                Some(_) | None => why.to_string(),
            });
        let fate = self.fate(index, certificate, series, decided)?;
        let standing = match &found.known {
            None => Standing::New,
            Some(known) if known.state == CertificateState::Retired => Standing::Hidden,
            Some(_) => Standing::Known,
        };
        let requests = self.answered(found.requests, &entry, standing, &fate)?;
        Ok(Step { entry, standing, key, requests, fate, before, chain, findings })
    }

    /// What is here of a certificate.
    fn find(&self, certificate: &Certificate) -> Result<Found, Error> {
        let (tx, id) = (self.tx, certificate.key_id());
        let key = store::key::find(tx, &id)?;
        // A leaf that somebody made over the key of a CA is nothing to serve, and no answer.
        let is_served =
            !certificate.is_ca() && key.as_ref().is_none_or(|key| other_usage(key.usage).is_none());
        let requests = if is_served { store::csr::waiting_of_key(tx, &id)? } else { Vec::new() };
        Ok(Found {
            key,
            requests,
            known: store::certificate::find(tx, &certificate.fingerprint())?,
            is_served,
        })
    }

    /// The requests that it answers: it came after them, and is for their names, or is used in their place. What a
    /// lineage waits for is answered when the lineage has its certificate.
    fn answered(
        &mut self,
        waiting: Vec<CsrEntry>,
        entry: &CertificateEntry,
        standing: Standing,
        fate: &Fate,
    ) -> Result<Vec<CsrEntry>, Error> {
        let (is_only, becomes_current) = (waiting.len() == 1, matches!(fate, Fate::Renews(_) | Fate::Founds));
        let renewed = fate.lineage().filter(|_| becomes_current).map(|lineage| &lineage.id);
        let mut answered = Vec::new();
        for request in waiting {
            if self.answered.contains(&request.id) {
                continue;
            }
            // A key has older certificates where it is kept, or where another request of it was answered.
            if standing != Standing::New && entry.created <= request.created {
                continue;
            }
            let is_answered = if self.is_ordered(&request)? {
                renewed.is_some() && renewed == request.lineage.as_ref()
            } else {
                let names = csr::read(&request)?.names().to_vec();
                (is_only && becomes_current) || uncovered(&entry.certificate, &names).is_none()
            };
            if is_answered {
                self.answered.insert(request.id.clone());
                answered.push(request);
            }
        }
        Ok(answered)
    }

    /// Whether an order that is under way waits for the answer.
    fn is_ordered(&self, request: &CsrEntry) -> Result<bool, Error> {
        let Some(lineage) = &request.lineage else { return Ok(false) };
        Ok(store::order::active(self.tx, lineage)?.is_some_and(|order| order.csr == request.id))
    }

    /// Its chain, and what is wrong with it.
    fn judged(
        &mut self,
        entry: &CertificateEntry,
        series: Option<&Series>,
        look: Look,
    ) -> Result<(Chain, Vec<Finding>), Error> {
        let chain = self.chains.of(&entry.certificate)?;
        let mut findings = findings(entry, &chain, self.now);
        // A key in two hands is a warning, and decides nothing.
        if look == Look::Close && !self.is_founded_with(&entry.key()) {
            let lineage = series.and_then(Series::lineage).map(|lineage| &lineage.id);
            findings.extend(shared::finding(self.tx, &entry.certificate, lineage)?);
        }
        Ok((chain, findings))
    }

    fn key_of(&self, id: &KeyId, here: Option<&Key>) -> KeyFrom {
        let is_here = here.is_some_and(|key| key.state != KeyState::Destroyed);
        match (is_here, self.brought == Some(*id)) {
            (true, _) => KeyFrom::Here,
            (false, true) => KeyFrom::Files,
            (false, false) => KeyFrom::Nowhere,
        }
    }

    fn is_founded_with(&self, key: &KeyId) -> bool {
        self.founded.iter().any(|(_, founder)| founder.key_id() == *key)
    }

    /// The row as it is kept: what is here stays as it is, but comes back into view.
    fn entry(
        &self,
        brought: &BroughtCertificate,
        found: &Found,
        key: KeyFrom,
        series: Option<&Series>,
    ) -> CertificateEntry {
        let has_key = key != KeyFrom::Nowhere;
        if let Some(known) = &found.known {
            let state = match known.state {
                CertificateState::Retired | CertificateState::Issued => CertificateState::Issued,
                CertificateState::Installed
                | CertificateState::Verified
                | CertificateState::Superseded
                | CertificateState::Revoked => known.state,
            };
            return CertificateEntry { state, has_key, ..known.clone() };
        }
        let lineage = series.and_then(Series::lineage).map(|lineage| lineage.id.clone());
        let name = self.name(brought, found);
        let new = row(brought.certificate.clone(), name, Source::Imported, lineage, self.now);
        CertificateEntry { has_key, ..new }
    }

    /// What a person said, else what its request is called, the file, or the key; else its own name.
    fn name(&self, brought: &BroughtCertificate, found: &Found) -> String {
        let certificate = &brought.certificate;
        let own = || certificate.display_name();
        if certificate.is_ca() {
            return brought.name.clone().unwrap_or_else(own);
        }
        let said = self.wishes.friendly_name.clone();
        let request = || found.requests.first().map(|request| request.friendly_name.clone());
        let stored = || match self.key {
            Some(KeyPlan::Stored(id, label)) if *id == certificate.key_id() => Some(label.clone()),
            Some(KeyPlan::Stored(..) | KeyPlan::Here(_)) | None => None,
        };
        let key = || found.key.as_ref().map(|key| key.label.clone()).or_else(stored);
        said.or_else(request).or_else(|| brought.name.clone()).or_else(key).unwrap_or_else(own)
    }

    /// The lineage that a leaf belongs to: the one that it is in, or that was named for it, or that of the request that
    /// it answers, or of its key's certificate.
    fn series_of(&mut self, leaf: &Certificate, found: &Found) -> Result<Option<Series>, Error> {
        // What is here stays where it is: another lineage may serve it.
        if let Some(own) = found.known.as_ref().and_then(|known| known.lineage.as_ref())
            && let Some(lineage) = store::lineage::find(self.tx, own)?
        {
            return Ok(Some(Series::Lineage(Box::new(lineage))));
        }
        let by_key = self.lineages_of(&leaf.key_id())?;
        if let Some(named) = &self.named {
            let mut requests = found.requests.iter().filter_map(|request| request.lineage.as_ref());
            let has_its_key =
                requests.any(|id| *id == named.id) || by_key.iter().any(|held| held.id == named.id);
            if has_its_key || is_alike(leaf, named) {
                return Ok(Some(Series::Lineage(Box::new(named.clone()))));
            }
        }
        for request in &found.requests {
            // What lacks a name is the answer nevertheless, and kept there: it is not a lineage of its own.
            if let Some(id) = &request.lineage
                && let Some(lineage) = store::lineage::find(self.tx, id)?
                && is_alike(leaf, &lineage)
            {
                return Ok(Some(Series::Lineage(Box::new(lineage))));
            }
        }
        // One that has other names is not this one's.
        if let Some(held) = by_key.iter().find(|held| uncovered(leaf, &held.names).is_none()) {
            return Ok(Some(Series::Lineage(Box::new(held.clone()))));
        }
        let mut founded = self.founded.iter();
        let same = founded.find(|(_, founder)| {
            founder.key_id() == leaf.key_id() && uncovered(leaf, founder.names()).is_none()
        });
        Ok(same.map(|(step, _)| Series::FoundedBy(*step)))
    }

    /// The lineages that have certificates of a key; one that was removed meanwhile is none of them.
    fn lineages_of(&mut self, key: &KeyId) -> Result<Rc<[Lineage]>, Error> {
        if let Some(known) = self.lineages.get(key) {
            return Ok(Rc::clone(known));
        }
        let ids = store::certificate::lineages_of_key(self.tx, key, shared::SAME_KEY)?;
        let mut found = Vec::with_capacity(ids.len());
        for id in &ids {
            found.extend(store::lineage::find(self.tx, id)?);
        }
        let found: Rc<[Lineage]> = found.into();
        self.lineages.insert(*key, Rc::clone(&found));
        Ok(found)
    }

    fn fate(
        &mut self,
        index: usize,
        certificate: &Certificate,
        series: Option<Series>,
        decided: Result<(), String>,
    ) -> Result<Fate, Error> {
        if certificate.is_ca() {
            let subject = certificate.subject().der();
            return Ok(Fate::ForChains(store::certificate::count_issued_by(self.tx, subject)?));
        }
        Ok(match (series, decided) {
            (Some(series), Ok(())) => {
                self.currents.insert(series.name(), certificate.clone());
                Fate::Renews(series)
            }
            (Some(series), Err(why)) => Fate::Kept(series, why),
            (None, Ok(())) => {
                self.founded.push((index, certificate.clone()));
                self.currents.insert(Series::FoundedBy(index).name(), certificate.clone());
                Fate::Founds
            }
            (None, Err(why)) => Fate::Alone(why),
        })
    }

    /// The certificate that is current in a lineage after the steps so far.
    fn before(&self, series: Option<&Series>) -> Result<Option<Certificate>, Error> {
        let Some(series) = series else { return Ok(None) };
        if let Some(current) = self.currents.get(&series.name()) {
            return Ok(Some(current.clone()));
        }
        match series.lineage().and_then(|lineage| lineage.current) {
            Some(current) => Ok(store::certificate::find(self.tx, &current)?.map(|entry| entry.certificate)),
            None => Ok(None),
        }
    }
}

/// The names that its lineage serves and that must not vanish.
fn names_of(series: Option<&Series>) -> &[SubjectAltName] {
    series.and_then(Series::lineage).map_or(&[], |lineage| &lineage.names)
}

/// Whether a certificate is for what a lineage is for: it has a name of it, or where there are none the subject.
fn is_alike(leaf: &Certificate, lineage: &Lineage) -> bool {
    match lineage.names.as_slice() {
        [] => *leaf.subject() == lineage.subject,
        names => names.iter().any(|name| leaf.names().contains(name)),
    }
}

/// A key that is here and does not sign would leave the names without a certificate; one that is here for something
/// else must not sign for them.
fn refuse_unfit_key(key: Option<&Key>) -> Result<(), NotCurrent> {
    let Some(key) = key else { return Ok(()) };
    if let Some(other) = other_usage(key.usage) {
        return Err(NotCurrent::Finding(format!("its private key is for {other}, not for TLS")));
    }
    match key.state {
        KeyState::Active => Ok(()),
        state => Err(NotCurrent::Finding(format!("its private key is {state}"))),
    }
}

impl Series {
    /// The lineage, if it is there already.
    pub fn lineage(&self) -> Option<&Lineage> {
        match self {
            Self::Lineage(lineage) => Some(lineage),
            Self::FoundedBy(_) => None,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Lineage(lineage) => lineage.id.to_string(),
            Self::FoundedBy(step) => format!("step {step}"),
        }
    }
}

impl Fate {
    /// The stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ForChains(_) => "for_chains",
            Self::Renews(_) => "renews",
            Self::Kept(..) => "kept",
            Self::Founds => "founds",
            Self::Alone(_) => "alone",
        }
    }

    /// The lineage that it would be in, if that is there already.
    pub fn lineage(&self) -> Option<&Lineage> {
        match self {
            Self::Renews(series) | Self::Kept(series, _) => series.lineage(),
            Self::ForChains(_) | Self::Founds | Self::Alone(_) => None,
        }
    }

    /// Why it does not become current; none where it does, or cannot.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Kept(_, why) | Self::Alone(why) => Some(why),
            Self::ForChains(_) | Self::Renews(_) | Self::Founds => None,
        }
    }
}

/// The hash of what was brought, wished and decided, in one canonical text: whoever confirms it confirms all of that.
pub(super) fn hash(plan: &Plan, brought: &Brought, wishes: &Wishes) -> PreviewHash {
    let mut text = Canonical("claviger import 1\n".to_owned());
    text.line("token", wishes.token.as_str());
    text.line("exportable", wishes.exportable.map_or("", |exportable| exportable.name()));
    text.line("friendly_name", wishes.friendly_name.as_deref().unwrap_or_default());
    match &plan.key {
        Some(KeyPlan::Stored(id, label)) => text.line(&format!("key stored {id}"), label),
        Some(KeyPlan::Here(key)) => text.line("key here", &key.id.to_string()),
        None => text.line("key", ""),
    }
    for key in &brought.keys {
        text.line("private", &key.private.id().to_string());
    }
    plan.steps.iter().for_each(|step| text.step(step));
    plan.findings.iter().for_each(|finding| text.line(finding.code, &finding.what));
    for csr in &brought.csrs {
        text.line("csr", &csr.fingerprint().to_string());
    }
    for crl in &brought.crls {
        text.line("crl", &crl.fingerprint().to_string());
    }
    pki::Fingerprint(sha256(text.0.as_bytes()))
}

/// Lines of `name=value`; values cannot hold line feeds.
struct Canonical(String);

impl Canonical {
    fn line(&mut self, name: &str, value: &str) {
        self.0.push_str(&format!("{name}={}\n", inert(value)));
    }

    fn step(&mut self, step: &Step) {
        self.line("certificate", &step.entry.fingerprint().to_string());
        self.line("name", &step.entry.friendly_name);
        self.line("standing", step.standing.name());
        self.line("private_key", step.key.name());
        for request in &step.requests {
            self.line("answers", request.id.as_str());
        }
        self.line("fate", step.fate.name());
        match &step.fate {
            Fate::Renews(series) | Fate::Kept(series, _) => {
                self.line("lineage", &series.name());
                let current = series.lineage().and_then(|lineage| lineage.current);
                self.line("before", &current.map(|held| held.to_string()).unwrap_or_default());
            }
            Fate::ForChains(_) | Fate::Founds | Fate::Alone(_) => {}
        }
        for member in step.chain.served.iter().skip(1).chain(&step.chain.root) {
            self.line("chain", &member.fingerprint().to_string());
        }
        for finding in &step.findings {
            self.line(finding.severity.name(), finding.code);
        }
    }
}
