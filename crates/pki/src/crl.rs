//! One certificate revocation list (RFC 5280, 5): immutable, cheap to clone, and never unpacked: its entries are read
//! where they lie, so that a list of a million costs no more memory than its own octets.
//!
//! [`Crl::parse`] checks every entry once. Whether a list may decide about a certificate (its issuer, its scope, its
//! time, its signature) is the business of [`crate::path`].

mod entry;
mod parse;
mod scope;

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use num_bigint::BigInt;

use crate::signature_algorithm::{Digest, SignatureAlgorithm};
use crate::{Certificate, DistinguishedName, Finding, Fingerprint, Refusal, Severity, UnixTime};

use entry::Entries;
pub use entry::{Reason, Revoked, revoked};
pub(crate) use scope::{ALL_REASONS, PointName, Scope, directory_name, named_directory, read_reasons};

/// Keys with which a signature is tried, at most, where nothing but a name says whose it is.
const MAX_KEYS_TRIED: usize = 32;

/// One CRL. Two are equal when their DER is.
#[derive(Clone)]
pub struct Crl(Arc<Fields>);

struct Fields {
    der: Vec<u8>,
    fingerprint: Fingerprint,
    places: Places,
    issuer: DistinguishedName,
    this_update: UnixTime,
    next_update: Option<UnixTime>,
    count: usize,
    /// An entry has a critical extension that nobody here understands.
    has_unknown_entries: bool,
    extensions: Extensions,
}

/// Where the signed part, the algorithm, the signature and the entries stand in the DER.
struct Places {
    signed: Range<usize>,
    algorithm: Range<usize>,
    signature: Range<usize>,
    entries: Range<usize>,
}

/// What the extensions of the list say.
#[derive(Default)]
struct Extensions {
    number: Option<Vec<u8>>,
    is_number_critical: bool,
    authority_key_id: Option<Vec<u8>>,
    /// The number of the list that a delta CRL builds upon.
    base: Option<Vec<u8>>,
    scope: Scope,
    /// Critical, and unknown to us: dotted identifiers.
    unknown_critical: Vec<String>,
}

impl Crl {
    /// Reads one CRL in DER.
    ///
    /// # Errors
    /// `der.*` for the framing, `crl.syntax`, `sig.broken`. The signature is not checked here: see
    /// [`Self::is_signed_by`].
    pub fn parse(der: &[u8]) -> Result<Self, Refusal> {
        parse::parse(der).map(|fields| Self(Arc::new(fields)))
    }

    /// The DER, as it was read.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The name of the list.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }

    /// Who issued it.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.0.issuer
    }

    /// The moment from which it holds.
    pub fn this_update(&self) -> UnixTime {
        self.0.this_update
    }

    /// The moment by which there will be a newer one; RFC 5280 demands it, some old lists lack it.
    pub fn next_update(&self) -> Option<UnixTime> {
        self.0.next_update
    }

    /// The CRL number in decimal, where it has one.
    pub fn number_decimal(&self) -> Option<String> {
        self.number().map(|octets| BigInt::from_signed_bytes_be(octets).to_string())
    }

    /// The issuer's key identifier.
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.0.extensions.authority_key_id.as_deref()
    }

    /// Whether it only tells what changed since another one.
    pub fn is_delta(&self) -> bool {
        self.0.extensions.base.is_some()
    }

    /// Whether it may speak of certificates that others issued.
    pub fn is_indirect(&self) -> bool {
        self.0.extensions.scope.is_indirect
    }

    /// How many certificates are on it.
    pub fn len(&self) -> usize {
        self.0.count
    }

    /// Whether no certificate is on it.
    pub fn is_empty(&self) -> bool {
        self.0.count == 0
    }

    /// The signature algorithm as Java spells it (`SHA256withRSA`), or `unknown`.
    pub fn signature_algorithm(&self) -> String {
        let algorithm = SignatureAlgorithm::parse(self.algorithm_der());
        algorithm.map_or_else(|| "unknown".to_owned(), SignatureAlgorithm::name)
    }

    /// What it says about the certificate with this serial number ([`Certificate::serial`]) and issuer; `None` when
    /// it is not on the list. Time: linear in the length of the list.
    pub fn revoked(&self, serial: &[u8], issuer: &DistinguishedName) -> Option<Revoked> {
        self.entries().find(serial, issuer, &self.0.issuer)
    }

    /// What it says about each of these certificates, in their order. Time: linear in the length of the list and in how many
    /// there are.
    pub fn revoked_among<'c>(
        &self,
        certificates: impl IntoIterator<Item = &'c Certificate>,
    ) -> Vec<Option<Revoked>> {
        let mut wanted = entry::Wanted::new(certificates);
        self.entries().find_all(&mut wanted, &self.0.issuer);
        wanted.answers
    }

    /// What is to be said of each of these certificates, in their order, because it is on the list: `cert.revoked`, an
    /// error where one of them or of `issuers` signed the list, else a warning.
    pub fn findings_about<'c>(
        &self,
        certificates: &[&'c Certificate],
        issuers: impl IntoIterator<Item = &'c Certificate>,
    ) -> Vec<Option<Finding>> {
        let mut answers = self.revoked_among(certificates.iter().copied());
        // On a delta list that one is valid again.
        answers
            .iter_mut()
            .for_each(|answer| *answer = answer.filter(|one| one.reason != Reason::RemoveFromCrl));
        let is_signed = answers.iter().any(Option::is_some)
            && (self.is_signed_by_any(certificates.iter().copied()) || self.is_signed_by_any(issuers));
        let about = |(certificate, answer): (&&Certificate, Option<Revoked>)| {
            answer.map(
                |entry| if is_signed { entry.finding(certificate) } else { entry.unchecked(certificate) },
            )
        };
        certificates.iter().zip(answers).map(about).collect()
    }

    /// Whether one of these issued it: see [`Self::is_signed_by`]. Of those whose name fits, no more than a few dozen keys
    /// are tried.
    pub fn is_signed_by_any<'c>(&self, certificates: impl IntoIterator<Item = &'c Certificate>) -> bool {
        let mut tried = HashSet::new();
        let fitting = certificates.into_iter().filter(|issuer| self.names_as_issuer(issuer));
        let mut keys = fitting.filter(|issuer| tried.insert(issuer.key_id())).take(MAX_KEYS_TRIED);
        keys.any(|issuer| self.verifies_with(issuer))
    }

    /// Whether `issuer` issued it: the name, the key identifier where both have one, the right to sign CRLs where its
    /// key usages are given, and the signature.
    pub fn is_signed_by(&self, issuer: &Certificate) -> bool {
        self.names_as_issuer(issuer) && self.verifies_with(issuer)
    }

    /// What is odd about it at this moment: `crl.not_yet_valid`, `crl.expired`, `cert.ext_critical`,
    /// `name.control_char`, `sig.sha1`.
    pub fn findings(&self, now: UnixTime) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut warn = |code, what: String, repair: &str| {
            let (place, repair) = (format!("CRL of {}", self.issuer()), repair.to_owned());
            findings.push(Finding { code, severity: Severity::Warning, what, place, repair });
        };
        if now < self.this_update() {
            let what = format!("the list holds only from {} on", self.this_update());
            warn("crl.not_yet_valid", what, "Wait, or check the clock.");
        }
        match self.next_update() {
            Some(end) if end < now => {
                let what =
                    format!("the list should have been replaced on {end}; it decides about nothing any more");
                warn("crl.expired", what, "Fetch the issuer's current list.");
            }
            Some(_) => {}
            None => {
                let what = "the list does not say when the next one comes".to_owned();
                warn("crl.expired", what, "Ask the issuer for a list with nextUpdate.");
            }
        }
        for oid in &self.0.extensions.unknown_critical {
            let what =
                format!("the list has a critical extension ({oid}) that is unknown here; it is not used");
            warn("cert.ext_critical", what, "Ask the issuer for a list without it.");
        }
        if self.issuer().has_control_characters() {
            let what = "a control character stands in the issuer's name; it is shown escaped".to_owned();
            warn("name.control_char", what, "Ask the issuer for a list without it.");
        }
        if self.has_weak_signature() {
            let what = format!("the list is signed with {}", self.signature_algorithm());
            warn("sig.sha1", what, "Ask the issuer for a list that is signed with SHA-256.");
        }
        findings
    }

    /// Everything of [`Self::is_signed_by`] that costs no cryptography.
    pub(crate) fn names_as_issuer(&self, issuer: &Certificate) -> bool {
        let ids = self.authority_key_id().zip(issuer.subject_key_id());
        let may_sign = || {
            let usages = issuer.key_usages();
            usages.is_empty() || usages.contains(&"cRLSign")
        };
        self.0.issuer.matches(issuer.subject())
            && ids.is_none_or(|(wanted, found)| wanted == found)
            && may_sign()
    }

    /// Whether the key of `issuer` made the signature.
    pub(crate) fn verifies_with(&self, issuer: &Certificate) -> bool {
        let Places { signed, signature, .. } = &self.0.places;
        let (message, signature) = (&self.0.der[signed.clone()], &self.0.der[signature.clone()]);
        issuer.public_key().verify(self.algorithm_der(), message, signature)
    }

    /// Whether nothing about the list itself forbids to rely on it at this moment: it is current, its number is not
    /// critical (RFC 5280, 5.2.3), and nothing critical in it is unknown here. Whether it has a number is another question:
    /// see [`Self::number`].
    pub(crate) fn is_usable_at(&self, at: UnixTime) -> bool {
        let Fields { extensions, has_unknown_entries, .. } = &*self.0;
        let is_current = self.this_update() <= at && self.next_update().is_some_and(|end| at <= end);
        is_current
            && !extensions.is_number_critical
            && extensions.unknown_critical.is_empty()
            && !has_unknown_entries
            && !self.has_weak_signature()
    }

    /// The CRL number as it stands there: big-endian.
    pub(crate) fn number(&self) -> Option<&[u8]> {
        self.0.extensions.number.as_deref()
    }

    /// The number of the list that this delta builds upon: big-endian.
    pub(crate) fn base(&self) -> Option<&[u8]> {
        self.0.extensions.base.as_deref()
    }

    /// Which certificates it speaks of.
    pub(crate) fn scope(&self) -> &Scope {
        &self.0.extensions.scope
    }

    fn has_weak_signature(&self) -> bool {
        SignatureAlgorithm::parse(self.algorithm_der()).is_some_and(|one| one.digest == Digest::Sha1)
    }

    fn entries(&self) -> Entries<'_> {
        Entries::new(&self.0.der[self.0.places.entries.clone()])
    }

    fn algorithm_der(&self) -> &[u8] {
        &self.0.der[self.0.places.algorithm.clone()]
    }
}

impl PartialEq for Crl {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Crl {}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl({}, {} entries)", self.0.fingerprint, self.0.count)
    }
}

#[cfg(test)]
pub(crate) mod tests;
