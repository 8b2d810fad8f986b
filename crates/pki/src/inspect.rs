//! Looks at a file and says what is in it and what is wrong with it, without ever failing.

use std::collections::HashSet;

use crate::certificate::Outline;
use crate::chain::{arrange_for, deduplicated, refuse_crowd};
use crate::finding::abridged;
use crate::format::{self, Contents, Item, KdfBudget, Object};
use crate::{Blocklist, Certificate, Crl, Csr, Finding, KeyId, PublicKey, Refusal, UnixTime};

/// Findings of one kind that are told of one file; of the others only how many there are.
const TOLD_OF_EACH: usize = 200;

/// What a file holds and what is to be said about it.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Whether import would take it; if not, the reason is the first finding.
    pub accepted: bool,
    /// The format, as in [`Contents::format`]; empty when the file could not be read.
    pub format: String,
    /// What is in it, in its order; of a refused file what could be read all the same.
    pub items: Vec<InspectedItem>,
    /// What the file calls each of the items, in the same order: any characters, never to be trusted.
    pub friendly_names: Vec<Option<String>>,
    /// Everything that was noticed, refusals first.
    pub findings: Vec<Finding>,
}

/// One thing in a file, as far as it may be shown.
#[derive(Clone, Debug)]
pub enum InspectedItem {
    /// A certificate.
    Certificate(Certificate),
    /// A private key: only its public half.
    PrivateKey(PublicKey),
    /// A certificate request.
    Csr(Csr),
    /// A certificate revocation list.
    Crl(Crl),
    /// A certificate that is the reason, or one of the reasons, why the file is refused.
    Refused(Outline),
}

impl InspectedItem {
    /// The public key in it; a revocation list has none, and that of a refused certificate is not read.
    pub fn public_key(&self) -> Option<&PublicKey> {
        match self {
            Self::Certificate(certificate) => Some(certificate.public_key()),
            Self::PrivateKey(key) => Some(key),
            Self::Csr(csr) => Some(csr.public_key()),
            Self::Crl(_) | Self::Refused(_) => None,
        }
    }
}

impl Inspection {
    /// Adds what was noticed by looking at other things, too; of many findings of one kind only how many there are.
    pub fn notice(&mut self, findings: Vec<Finding>) {
        if findings.is_empty() {
            return;
        }
        self.findings.extend(findings);
        self.findings = abridged(std::mem::take(&mut self.findings), TOLD_OF_EACH);
    }

    /// Refuses what holds a key of the list, as import does: `key.weak.blocklist`, each key once, before the other
    /// findings.
    pub fn refuse_known_keys(&mut self, list: &Blocklist) {
        let mut seen = HashSet::new();
        let keys =
            self.items.iter().filter_map(InspectedItem::public_key).filter(|key| seen.insert(key.id()));
        let known = keys.filter_map(|key| list.refuse(key).err()).map(Finding::from).collect();
        let mut known = abridged(known, TOLD_OF_EACH);
        self.accepted &= known.is_empty();
        known.append(&mut self.findings);
        self.findings = known;
    }
}

/// Inspects a file at a moment. A file that would be refused has `accepted: false` and its code among the findings.
pub fn inspect(bytes: &[u8], passphrase: Option<&str>, now: UnixTime) -> Inspection {
    inspect_within(bytes, passphrase.as_slice(), now, &mut KdfBudget::new())
}

/// As [`inspect`], with passphrases and what may be spent on deriving keys as in [`format::read_within`].
pub fn inspect_within(
    bytes: &[u8],
    passphrases: &[&str],
    now: UnixTime,
    budget: &mut KdfBudget,
) -> Inspection {
    match format::read_partly(bytes, passphrases, budget) {
        (contents, Ok(())) => inspect_contents(contents, now),
        (contents, Err(refusal)) => refused(contents, refusal),
    }
}

/// A file that is not taken, with what could be read of it. Of one that is too much nothing is shown.
fn refused(mut contents: Contents, refusal: Refusal) -> Inspection {
    if format::is_of_whole_file(&refusal) {
        contents.items.clear();
        contents.outlines.clear();
    }
    let is_shown = !contents.items.is_empty() || !contents.outlines.is_empty();
    let refusals = std::iter::once(refusal).chain(contents.more_refusals).map(Finding::from).collect();
    let (items, friendly_names) = with_outlines(contents.items, contents.outlines).unzip();
    Inspection {
        accepted: false,
        format: if is_shown { contents.format.to_owned() } else { String::new() },
        items,
        friendly_names,
        findings: abridged(refusals, TOLD_OF_EACH),
    }
}

/// The items with their names, and each refused certificate where it stood among them.
fn with_outlines(
    items: Vec<Item>,
    outlines: Vec<(usize, Outline)>,
) -> impl Iterator<Item = (InspectedItem, Option<String>)> {
    let mut outlines = outlines.into_iter().peekable();
    let places = items.into_iter().map(Some).chain([None]).enumerate();
    places.flat_map(move |(place, item)| {
        let mut here = Vec::new();
        while let Some((_, outline)) = outlines.next_if(|(before, _)| *before <= place) {
            here.push((InspectedItem::Refused(outline), None));
        }
        here.extend(item.map(|mut item| {
            let name = item.friendly_name.take();
            (shown(item), name)
        }));
        here
    })
}

fn inspect_contents(contents: Contents, now: UnixTime) -> Inspection {
    let keys = distinct_keys(&contents.items);
    let certificates: Vec<Certificate> = contents.items.iter().filter_map(certificate).cloned().collect();
    let mut refusals: Vec<Finding> =
        key_refusal(&keys, &certificates).into_iter().map(Finding::from).collect();
    let mut findings = contents.findings;
    for item in &contents.items {
        match &item.object {
            Object::Certificate(certificate) => findings.extend(certificate.findings(now)),
            Object::Csr(csr) => findings.extend(csr.findings()),
            Object::Crl(crl) => findings.extend(crl.findings(now)),
            Object::PrivateKey(key) => findings.extend(key.public_key().findings()),
        }
    }
    for finding in chain_findings(certificates, keys.first().map(|key| key.id()).as_ref(), now) {
        // An exhausted search is what import refuses a file for.
        if finding.code == "chain.budget" { refusals.push(finding) } else { findings.push(finding) }
    }
    let accepted = refusals.is_empty();
    refusals.append(&mut findings);
    let refusals = abridged(refusals, TOLD_OF_EACH);
    let friendly_names = contents.items.iter().map(|item| item.friendly_name.clone()).collect();
    let items = contents.items.into_iter().map(shown).collect();
    Inspection { accepted, format: contents.format.to_owned(), items, friendly_names, findings: refusals }
}

fn certificate(item: &Item) -> Option<&Certificate> {
    match &item.object {
        Object::Certificate(certificate) => Some(certificate),
        Object::PrivateKey(_) | Object::Csr(_) | Object::Crl(_) => None,
    }
}

fn shown(item: Item) -> InspectedItem {
    match item.object {
        Object::Certificate(certificate) => InspectedItem::Certificate(certificate),
        Object::Csr(csr) => InspectedItem::Csr(csr),
        Object::Crl(crl) => InspectedItem::Crl(crl),
        Object::PrivateKey(key) => InspectedItem::PrivateKey(key.public_key().clone()),
    }
}

/// The keys in the file; the same one in two forms counts once.
fn distinct_keys(items: &[Item]) -> Vec<&PublicKey> {
    let mut keys: Vec<&PublicKey> = Vec::new();
    for item in items {
        if let Object::PrivateKey(key) = &item.object
            && !keys.iter().any(|known| known.id() == key.id())
        {
            keys.push(key.public_key());
        }
    }
    keys
}

fn key_refusal(keys: &[&PublicKey], certificates: &[Certificate]) -> Option<Refusal> {
    match keys {
        [] => None,
        [key] if certificates.is_empty() || certificates.iter().any(|one| one.key_id() == key.id()) => None,
        [key] => {
            let bound = certificates.iter().find_map(|one| one.refuse_unbound(key).err());
            Some(bound.unwrap_or_else(|| {
                let what = "the private key belongs to none of the certificates in the file";
                let repair = "Send the key together with its own certificate, or each alone.";
                Refusal::new("key.mismatch", what, repair).at(format!("key {}", key.id()))
            }))
        }
        [..] => {
            let what = format!("the file holds {} different private keys", keys.len());
            Some(Refusal::new(
                "import.ambiguous_key",
                what,
                "Choose one of them, or send each in its own file.",
            ))
        }
    }
}

/// Findings about a chain make sense only where several certificates belong together: not for a list of roots.
fn chain_findings(certificates: Vec<Certificate>, key: Option<&KeyId>, now: UnixTime) -> Vec<Finding> {
    if certificates.len() < 2 {
        return Vec::new();
    }
    if certificates.iter().all(|one| one.is_ca() && one.is_self_issued()) {
        let crowd = refuse_crowd(&certificates).err().map(Finding::from);
        return crowd.into_iter().chain(deduplicated(&certificates)).collect();
    }
    arrange_for(certificates, key, now).chain.findings
}
