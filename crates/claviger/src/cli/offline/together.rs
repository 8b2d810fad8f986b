//! What several certificates and keys have to do with each other: which key fits which certificate, which certificate
//! is the renewed one.

use std::collections::{BTreeMap, HashSet};

use pki::inspect::InspectedItem;
use pki::{Certificate, Crl, Finding, KeyId, PublicKey, Severity};

use super::inspect::{Looked, keys};

/// One sentence for each thing that is seen only when all are looked at together.
pub fn sentences(looked: &[Looked<'_>]) -> Vec<String> {
    let certificates = certificates(looked);
    let mut sentences = renewed(&certificates);
    if looked.len() > 1 {
        sentences.extend(fitting_keys(looked, &certificates));
    }
    sentences
}

/// Adds a finding to whatever holds a certificate that is on one of the revocation lists.
pub fn find_revoked(looked: &mut [Looked<'_>]) {
    let items = || looked.iter().flat_map(|one| &one.inspection.items);
    let certificates: Vec<&Certificate> = items().filter_map(certificate).collect();
    let mut found: Vec<Vec<Finding>> = certificates.iter().map(|_| Vec::new()).collect();
    for crl in items().filter_map(list) {
        for (found, news) in found.iter_mut().zip(crl.findings_about(&certificates, [])) {
            found.extend(news);
        }
    }
    let mut found = found.into_iter();
    for one in looked {
        let count = one.inspection.items.iter().filter_map(certificate).count();
        let news: Vec<Finding> = found.by_ref().take(count).flatten().collect();
        one.inspection.notice(news);
    }
}

/// Adds a finding to each file with a private key that fits nothing which was given.
pub fn find_mismatches(looked: &mut [Looked<'_>]) {
    let items = || looked.iter().flat_map(|one| &one.inspection.items);
    let certificates: Vec<&Certificate> = items().filter_map(certificate).collect();
    let requested = items().filter_map(request);
    let lock = Locks::new(&certificates, requested);
    // What one file refuses a key for, it said itself.
    let is_told = |one: &Looked<'_>| {
        let mut refusals = one.inspection.findings.iter().filter(|_| !one.inspection.accepted);
        refusals.any(|finding| finding.code == "key.mismatch" || finding.code == "key.algorithm")
    };
    let found: Vec<Vec<Finding>> = looked
        .iter()
        .map(|one| {
            let keys = keys(&one.inspection).filter(|_| !is_told(one));
            keys.filter_map(|key| lock.refuse(key, one.name)).collect()
        })
        .collect();
    for (one, news) in looked.iter_mut().zip(found) {
        one.inspection.notice(news);
    }
}

/// What a private key may fit: the certificates and the requests that were given with it.
pub struct Locks<'a> {
    certificates: &'a [&'a Certificate],
    known: HashSet<KeyId>,
    has_leaf: bool,
}

impl<'a> Locks<'a> {
    /// Takes all that was given.
    pub fn new(certificates: &'a [&'a Certificate], requested: impl Iterator<Item = KeyId>) -> Self {
        let known = certificates.iter().map(|one| one.key_id()).chain(requested).collect();
        Self { certificates, known, has_leaf: certificates.iter().any(|one| !one.is_ca()) }
    }

    /// The finding about a key, in the file of this name, that fits none of them: `key.mismatch`, or `key.algorithm`
    /// where its certificate binds it to RSASSA-PSS. Beside CAs alone a key is not out of place.
    pub fn refuse(&self, key: &PublicKey, place: &str) -> Option<Finding> {
        if !self.has_leaf || self.known.contains(&key.id()) {
            return None;
        }
        let bound = self.certificates.iter().find_map(|one| one.refuse_unbound(key).err());
        Some(bound.map_or_else(
            || mismatch(place),
            |refusal| Finding { place: format!("{place}, {}", refusal.place), ..refusal.into() },
        ))
    }
}

fn mismatch(place: &str) -> Finding {
    Finding {
        code: "key.mismatch",
        severity: Severity::Error,
        what: "the private key belongs to none of the certificates that were given".to_owned(),
        place: place.to_owned(),
        repair:
            "Look for the key that the certificate was requested with, or for the certificate of this key."
                .to_owned(),
    }
}

fn request(item: &InspectedItem) -> Option<KeyId> {
    match item {
        InspectedItem::Csr(csr) => Some(csr.public_key().id()),
        InspectedItem::Certificate(_)
        | InspectedItem::Crl(_)
        | InspectedItem::PrivateKey(_)
        | InspectedItem::Refused(_) => None,
    }
}

fn certificate(item: &InspectedItem) -> Option<&Certificate> {
    match item {
        InspectedItem::Certificate(certificate) => Some(certificate),
        InspectedItem::Crl(_)
        | InspectedItem::Csr(_)
        | InspectedItem::PrivateKey(_)
        | InspectedItem::Refused(_) => None,
    }
}

fn list(item: &InspectedItem) -> Option<&Crl> {
    match item {
        InspectedItem::Crl(crl) => Some(crl),
        InspectedItem::Certificate(_)
        | InspectedItem::Csr(_)
        | InspectedItem::PrivateKey(_)
        | InspectedItem::Refused(_) => None,
    }
}

/// Every certificate once, with the first place where it is.
fn certificates<'a>(looked: &'a [Looked<'_>]) -> Vec<(&'a Certificate, &'a str)> {
    let mut found: BTreeMap<_, (&Certificate, &str)> = BTreeMap::new();
    for one in looked {
        for item in &one.inspection.items {
            if let InspectedItem::Certificate(certificate) = item {
                found.entry(certificate.fingerprint()).or_insert((certificate, one.name));
            }
        }
    }
    found.into_values().collect()
}

/// Certificates for the same names: the seed's words for telling the new one from the old.
fn renewed(certificates: &[(&Certificate, &str)]) -> Vec<String> {
    let mut groups: BTreeMap<Vec<String>, Vec<&(&Certificate, &str)>> = BTreeMap::new();
    for one in certificates.iter().filter(|(certificate, _)| !certificate.is_ca()) {
        let mut names: Vec<String> = one.0.names().iter().map(ToString::to_string).collect();
        if names.is_empty() {
            names.push(one.0.subject().to_string());
        }
        names.sort();
        // An RSA certificate and an ECDSA one for the same names are siblings: neither came after the other.
        let kind = one.0.public_key().label();
        names.extend(kind.split(' ').next().map(str::to_owned));
        groups.entry(names).or_default().push(one);
    }
    let several = groups.into_values().filter(|group| group.len() > 1);
    several.filter_map(|group| of_one_name(group)).collect()
}

fn of_one_name(mut group: Vec<&(&Certificate, &str)>) -> Option<String> {
    group.sort_by_key(|(certificate, _)| (certificate.not_after(), certificate.not_before()));
    let (newest, place) = *group.pop()?;
    let name = newest.display_name();
    let count = group.len() + 1;
    let (older, _) = *group.pop()?;
    if older.not_after() == newest.not_after() {
        return Some(format!(
            "{count} certificates are issued to {name} and end at the same moment: they can be identified only by \
             their Key and SHA-256."
        ));
    }
    Some(format!(
        "{count} certificates are issued to {name}. The newest (in {place}) can be identified by its Expiration, {}: \
         that is later than {}.",
        newest.not_after(),
        older.not_after()
    ))
}

/// Keys and certificates that lie in different files.
fn fitting_keys(looked: &[Looked<'_>], certificates: &[(&Certificate, &str)]) -> Vec<String> {
    let mut sentences = Vec::new();
    for one in looked {
        for key in keys(&one.inspection) {
            // One that is bound to RSASSA-PSS has another name, and belongs to it all the same.
            let fits = |certificate: &Certificate| {
                certificate.key_id() == key.id() || certificate.refuse_unbound(key).is_err()
            };
            let fitting: Vec<String> = certificates
                .iter()
                .filter(|(certificate, _)| fits(certificate))
                .map(|(certificate, place)| format!("{} in {place}", certificate.display_name()))
                .collect();
            sentences.push(if fitting.is_empty() {
                format!("The private key in {} belongs to none of the certificates.", one.name)
            } else {
                format!("The private key in {} belongs to {}.", one.name, fitting.join(", "))
            });
        }
    }
    sentences.dedup();
    sentences
}
