//! Chains: from a leaf to a root through what is known, and the repair of what a file holds in any order.
//!
//! One builder for everybody: import, what is served, export, `claviger chain` and the judges in `tests/` all ask
//! [`build`], or [`Series::chain`] behind it, which does so for many leaves; [`arrange`] finds the leaf of one file before.
//! It branches, prefers the way that holds by [`crate::path`], and stays within a budget of signature checks, so that no
//! set of certificates, however crafted, costs more than some tens of milliseconds; all that one file asks for has an
//! [`Allowance`].

mod arrange;
mod client;
mod finding;
mod obstacle;
mod published;
mod series;

use std::collections::HashMap;

use crate::path::{Known, Options};
use crate::{Certificate, DistinguishedName, Finding, Refusal, UnixTime};

pub use arrange::{Arranged, arrange, arrange_for, arrange_with_lists, deduplicated, refuse_crowd};
pub use published::published;
pub use series::{Allowance, Series};

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
    /// The root at which it ends, when that is known; it is kept apart, and never served.
    pub root: Option<Certificate>,
    /// What a client says that trusts the root and applies RFC 5280, 6, to this chain; `chain.untrusted` where no root is
    /// known.
    pub verdict: Result<(), Refusal>,
    /// What is wrong with it: `chain.*`. A verdict that comes from the chain is among them, in other words.
    pub findings: Vec<Finding>,
}

impl Chain {
    /// Nobody looked for it: the leaf alone.
    pub fn unsought(leaf: Certificate) -> Self {
        let what = "nobody looked for the chain of this certificate";
        let verdict = Err(Refusal::new("chain.untrusted", what, "Look at the certificate by itself."));
        Self { served: vec![leaf], root: None, verdict, findings: Vec::new() }
    }

    /// Whether it reaches a root.
    pub fn is_complete(&self) -> bool {
        self.root.is_some()
    }

    /// Whether the search was given up within its budget: there may be a better chain than this.
    pub fn was_cut_off(&self) -> bool {
        self.findings.iter().any(|finding| finding.code == "chain.budget")
    }

    /// The last certificate of a chain that ends before a root: the certificate of its issuer is what is missing. None
    /// also where the search was cut off, because then nobody knows.
    pub fn gap(&self) -> Option<&Certificate> {
        self.served.last().filter(|_| !self.is_complete() && !self.was_cut_off())
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
    /// A few of each name that may sign neither: who signed all the same is told.
    powerless: HashMap<Vec<u8>, Vec<Certificate>>,
}

/// Certificates of one name that may sign nothing and are kept in mind, at most.
const MAX_POWERLESS: usize = 8;

impl Pool {
    /// Takes the certificates that may issue certificates or CRLs; others are kept in mind only to say that they may not.
    pub fn new(certificates: impl IntoIterator<Item = Certificate>) -> Self {
        let mut pool = Self::default();
        for certificate in certificates {
            pool.add(certificate);
        }
        pool
    }

    /// Adds one, if it may issue and is not there yet; answers whether it was added.
    pub fn add(&mut self, certificate: Certificate) -> bool {
        let by_name = if certificate.may_issue() {
            &mut self.by_subject
        } else if certificate.key_usages().contains(&CRL_SIGN) {
            &mut self.crl_issuers
        } else {
            let same_name = self.powerless.entry(certificate.subject().canonical()).or_default();
            if same_name.len() < MAX_POWERLESS && !same_name.contains(&certificate) {
                same_name.push(certificate);
            }
            return false;
        };
        let same_name = by_name.entry(certificate.subject().canonical()).or_default();
        let is_new = !same_name.contains(&certificate);
        if is_new {
            same_name.push(certificate);
        }
        is_new
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

    /// Those whose name and key identifier fit `certificate`'s issuer, and that may issue nothing; signatures are not
    /// checked.
    pub(crate) fn powerless<'a>(
        &'a self,
        certificate: &'a Certificate,
    ) -> impl Iterator<Item = &'a Certificate> {
        let name = certificate.issuer().canonical();
        let both = [self.crl_issuers.get(&name), self.powerless.get(&name)];
        both.into_iter().flatten().flatten().filter(|candidate| certificate.names_as_issuer(candidate))
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

/// Builds the best chain for `leaf` from what is known: the first that holds as `options` ask; else one whose members are
/// all valid then, then one that reaches a root, then the shortest complete or the longest incomplete one.
///
/// Never fails: whether it holds is its verdict; gaps, loops and a search that ran over [`MAX_CHECKS`] are findings
/// (`chain.incomplete`, `chain.root_missing`, `chain.expired`, `chain.expires_before_leaf`, `chain.loop`,
/// `chain.budget`; where the issuer is here and is none, `chain.not_ca` or `chain.key_usage`), and so is what only some clients, or no client at all, can do (`chain.client_cannot_build`).
pub fn build(leaf: &Certificate, known: &Known<'_>, options: &Options<'_>) -> Chain {
    Series::new(*known, options.clone()).chain(leaf)
}

#[cfg(test)]
mod tests;
