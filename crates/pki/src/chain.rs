//! Chains: from a leaf to a root through what is known, and the repair of what a file holds in any order.
//!
//! [`build`] looks issuers up in a [`Pool`]; [`arrange`] takes the certificates of one file. Both search within a
//! budget of signature checks, so that no set of certificates, however crafted, costs more than a few milliseconds.

mod arrange;
mod finding;
mod search;

use std::collections::HashMap;

use crate::{Certificate, Finding, UnixTime};

pub use arrange::{Arranged, arrange, arrange_for};

/// Certificates in a chain, the root included, at most.
pub const MAX_LENGTH: usize = 10;
/// Signature checks in one search, at most.
pub const MAX_CHECKS: usize = 100;

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
}

/// The certificates among which issuers are looked up, by their subject: the cost of a look-up does not depend on
/// how many there are.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    by_subject: HashMap<Vec<u8>, Vec<Certificate>>,
}

impl Pool {
    /// Takes the certificates that may issue (CAs); others are left out, and so is the same one twice.
    pub fn new(certificates: impl IntoIterator<Item = Certificate>) -> Self {
        let mut pool = Self::default();
        certificates.into_iter().for_each(|certificate| pool.add(certificate));
        pool
    }

    /// Adds one, if it may issue and is not there yet.
    pub fn add(&mut self, certificate: Certificate) {
        if !certificate.may_issue() {
            return;
        }
        let same_name = self.by_subject.entry(certificate.subject().der().to_vec()).or_default();
        if !same_name.contains(&certificate) {
            same_name.push(certificate);
        }
    }

    /// Those whose name and key identifier fit `certificate`'s issuer; signatures are not checked.
    fn candidates<'a>(&'a self, certificate: &'a Certificate) -> impl Iterator<Item = &'a Certificate> {
        let same_name = self.by_subject.get(certificate.issuer().der()).map_or(&[][..], Vec::as_slice);
        same_name.iter().filter(|candidate| certificate.names_as_issuer(candidate))
    }
}

/// Builds the best chain for `leaf` from what is known: one whose members are all valid now, then one that reaches
/// a root, then the shortest complete or the longest incomplete one.
///
/// Never fails: gaps, loops and a search that ran over [`MAX_CHECKS`] are findings (`chain.incomplete`,
/// `chain.root_missing`, `chain.expired`, `chain.expires_before_leaf`, `chain.loop`, `chain.budget`).
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
