//! Chains: from a leaf to a root through what is known, and the repair of what a file holds in any order.
//!
//! [`build`] looks issuers up in a [`Pool`]; [`arrange`] takes the certificates of one file. Both search within a
//! budget of signature checks, so that no set of certificates, however crafted, costs more than a few milliseconds.

mod arrange;
mod client;
mod finding;
mod search;
mod series;

use std::collections::HashMap;

use crate::{Certificate, Crl, DistinguishedName, Finding, Refusal, UnixTime, path};

pub use arrange::{Arranged, arrange, arrange_for};
pub use series::Series;

/// Certificates in a chain, the root included, at most.
pub const MAX_LENGTH: usize = 10;
/// Signature checks in one search, at most.
pub const MAX_CHECKS: usize = 100;

/// The key usage of those that may sign CRLs.
const CRL_SIGN: &str = "cRLSign";

/// A way from a leaf towards a root.
#[derive(Clone, Debug)]
pub struct Chain {
    /// What a server sends: the leaf first, then intermediates, each issued by the next; no root, unless the leaf
    /// itself is one.
    pub served: Vec<Certificate>,
    /// The root at which it ends, when that is known.
    pub root: Option<Certificate>,
    /// What is wrong with it: `chain.*`.
    pub findings: Vec<Finding>,
}

impl Chain {
    /// Whether it reaches a root.
    pub fn is_complete(&self) -> bool {
        self.root.is_some()
    }

    /// What a client says that trusts the root and knows no more than what is sent to it: the path that it finds.
    ///
    /// # Errors
    /// Those of [`path::verify`]; `chain.untrusted` when the root is not known.
    pub fn verify(&self, options: &path::Options<'_>, crls: &[Crl]) -> Result<path::Path, Refusal> {
        let Some((leaf, sent)) = self.served.split_first() else {
            return Err(Refusal::new("chain.nothing", "there is no certificate", "Give the leaf's file."));
        };
        let (intermediates, anchors) = (Pool::new(sent.iter().cloned()), Pool::new(self.root.clone()));
        let known = path::Known { intermediates: &intermediates, anchors: &anchors, crls };
        if self.root.as_ref() == Some(leaf) {
            return path::verify_trusted(leaf, &known, options);
        }
        path::verify(leaf, &known, options)
    }

    /// Whatever RFC 5280 finds wrong with the path beyond the findings (`chain.client_cannot_build`): it costs the
    /// signature checks once more, so it is asked for where something is decided, not for every row of a list.
    pub fn path_finding(&self) -> Option<Finding> {
        client::refused_by_everybody(self)
    }

    /// The last moment at which every certificate that is sent is valid: the earliest end among them. `None` when
    /// nothing is sent.
    pub fn ends(&self) -> Option<UnixTime> {
        self.served.iter().map(Certificate::not_after).min()
    }
}

/// The certificates among which issuers are looked up, by their subject: the cost of a look-up does not depend on
/// how many there are.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    by_subject: HashMap<Vec<u8>, Vec<Certificate>>,
    /// Those that may sign CRLs and nothing else.
    crl_issuers: HashMap<Vec<u8>, Vec<Certificate>>,
}

impl Pool {
    /// Takes the certificates that may issue certificates or CRLs; others are left out, and so is the same one twice.
    pub fn new(certificates: impl IntoIterator<Item = Certificate>) -> Self {
        let mut pool = Self::default();
        certificates.into_iter().for_each(|certificate| pool.add(certificate));
        pool
    }

    /// Adds one, if it may issue and is not there yet.
    pub fn add(&mut self, certificate: Certificate) {
        let by_name = if certificate.may_issue() {
            &mut self.by_subject
        } else if certificate.key_usages().contains(&CRL_SIGN) {
            &mut self.crl_issuers
        } else {
            return;
        };
        let same_name = by_name.entry(certificate.subject().canonical()).or_default();
        if !same_name.contains(&certificate) {
            same_name.push(certificate);
        }
    }

    /// Whether this very certificate is there as one that may issue.
    pub(crate) fn contains(&self, certificate: &Certificate) -> bool {
        let same_name = self.by_subject.get(&certificate.subject().canonical());
        same_name.is_some_and(|same_name| same_name.contains(certificate))
    }

    /// Those that may have signed a CRL of this issuer; signatures are not checked.
    pub(crate) fn crl_issuers(&self, issuer: &DistinguishedName) -> impl Iterator<Item = &Certificate> {
        let name = issuer.canonical();
        let both = [self.by_subject.get(&name), self.crl_issuers.get(&name)];
        both.into_iter().flatten().flatten()
    }

    /// Those whose name and key identifier fit `certificate`'s issuer; signatures are not checked.
    pub(crate) fn candidates<'a>(
        &'a self,
        certificate: &'a Certificate,
    ) -> impl Iterator<Item = &'a Certificate> {
        let same_name = self.by_subject.get(&certificate.issuer().canonical()).map_or(&[][..], Vec::as_slice);
        same_name.iter().filter(|candidate| certificate.names_as_issuer(candidate))
    }
}

/// Builds the best chain for `leaf` from what is known: one whose members are all valid now, then one that reaches
/// a root, then the shortest complete or the longest incomplete one.
///
/// Never fails: gaps, loops and a search that ran over [`MAX_CHECKS`] are findings (`chain.incomplete`,
/// `chain.root_missing`, `chain.expired`, `chain.expires_before_leaf`, `chain.loop`, `chain.budget`), and so is what
/// only some clients cannot do (`chain.client_cannot_build`).
pub fn build(leaf: &Certificate, known: &Pool, now: UnixTime) -> Chain {
    let found = search::best_path(leaf, known, now);
    let mut served = found.path;
    let root = served.last().filter(|top| top.is_self_signed()).cloned();
    if root.is_some() && served.len() > 1 {
        served.pop();
    }
    let mut chain = Chain { served, root, findings: Vec::new() };
    chain.findings = finding::findings(&chain, found.outcome, now);
    chain
}

#[cfg(test)]
mod tests;
