//! The one search for ways from a certificate upwards: depth first, best candidate first, branching, within a budget.
//!
//! [`crate::chain::build`] uses it to find what to serve, [`super::verify`] to find a path that holds.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;

use crate::chain::{MAX_CHECKS, MAX_LENGTH, Pool};
use crate::{Certificate, Crl, Fingerprint, UnixTime};

/// Certificates put on top of a path, at most, in one search: branches that meet again cost no signature checks.
const MAX_STEPS: usize = 1000;
/// Names compared with constraints, policies followed, at most, in one search (CVE-2025-58187, CVE-2023-0464).
const MAX_COMPARISONS: usize = 250_000;
/// Issuers of one certificate that are tried, at most.
const MAX_CANDIDATES: usize = MAX_CHECKS;

/// What is left to spend, shared by everything that one question leads to.
pub(crate) struct Budget {
    checks: usize,
    steps: usize,
    comparisons: usize,
    /// Something was left undone for want of budget.
    pub(crate) is_exhausted: bool,
    /// Signatures checked so far, by what was signed and by whom: branches meet again.
    checked: HashMap<(Fingerprint, Fingerprint), bool>,
    ranked: HashMap<Fingerprint, Rc<[Certificate]>>,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self {
            checks: MAX_CHECKS,
            steps: MAX_STEPS,
            comparisons: MAX_COMPARISONS,
            is_exhausted: false,
            checked: HashMap::new(),
            ranked: HashMap::new(),
        }
    }

    /// Whether so many comparisons may be made.
    pub(crate) fn charge(&mut self, comparisons: usize) -> bool {
        self.is_exhausted |= comparisons > self.comparisons;
        self.comparisons = self.comparisons.saturating_sub(comparisons);
        !self.is_exhausted
    }

    /// Whether `issuer` signed the certificate; `false`, too, when the budget is used up.
    pub(crate) fn is_signed(&mut self, certificate: &Certificate, issuer: &Certificate) -> bool {
        let is_own = certificate.fingerprint() == issuer.fingerprint();
        self.check(certificate.fingerprint(), issuer, |issuer| {
            if is_own { certificate.is_self_signed() } else { certificate.is_signed_by(issuer) }
        })
    }

    /// As [`Self::is_signed`], for a CRL; only the signature.
    pub(crate) fn is_crl_signed(&mut self, crl: &Crl, issuer: &Certificate) -> bool {
        self.check(crl.fingerprint(), issuer, |issuer| crl.verifies_with(issuer))
    }

    fn check(
        &mut self,
        signed: Fingerprint,
        issuer: &Certificate,
        verify: impl FnOnce(&Certificate) -> bool,
    ) -> bool {
        let pair = (signed, issuer.fingerprint());
        if let Some(known) = self.checked.get(&pair) {
            return *known;
        }
        if self.checks == 0 {
            self.is_exhausted = true;
            return false;
        }
        self.checks -= 1;
        let verifies = verify(issuer);
        self.checked.insert(pair, verifies);
        verifies
    }

    fn step(&mut self) -> bool {
        let left = self.steps.checked_sub(1);
        self.is_exhausted |= left.is_none();
        self.steps = left.unwrap_or(0);
        left.is_some()
    }
}

/// Where a way is to end.
#[derive(Clone, Copy)]
pub(crate) enum Goal<'a> {
    /// At any certificate that signed itself.
    Root,
    /// At one of these.
    Anchor(&'a Pool),
}

/// How a way ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The last certificate is the goal.
    Reached,
    /// No issuer of the last certificate is known, or the way grew too long.
    Stuck,
    /// The only issuers of the last certificate stand on the way already.
    Looped,
}

/// Looks at one way, leaf first; says whether to go on looking for others.
pub(crate) type Visit<'v> = dyn FnMut(&mut Budget, &[Certificate], End) -> ControlFlow<()> + 'v;

/// Shows every way from `leaf` upwards to `visit`, the likeliest first, until that has seen enough.
pub(crate) fn walk(
    leaf: &Certificate,
    (pool, goal): (&Pool, Goal<'_>),
    at: UnixTime,
    budget: &mut Budget,
    visit: &mut Visit<'_>,
) {
    let mut walk = Walk { pool, goal, at, budget, visit };
    // Both outcomes mean that the search is over.
    let _ = walk.extend(&mut vec![leaf.clone()]);
}

struct Walk<'a, 'v> {
    pool: &'a Pool,
    goal: Goal<'a>,
    at: UnixTime,
    budget: &'a mut Budget,
    visit: &'a mut Visit<'v>,
}

impl Walk<'_, '_> {
    fn extend(&mut self, path: &mut Vec<Certificate>) -> ControlFlow<()> {
        // The path begins with the leaf and only grows.
        let Some(top) = path.last().cloned() else { return ControlFlow::Break(()) };
        let mut grew = self.finish(&top, path)?;
        if grew && matches!(self.goal, Goal::Root) {
            return ControlFlow::Continue(());
        }
        let mut looped = false;
        if path.len() < MAX_LENGTH && self.budget.step() {
            for issuer in self.candidates(&top).iter() {
                if !self.budget.is_signed(&top, issuer) {
                    continue;
                }
                if path.iter().any(|member| is_same_ca(member, issuer)) {
                    looped = true;
                    continue;
                }
                grew = true;
                path.push(issuer.clone());
                let flow = self.extend(path);
                path.pop();
                flow?;
            }
        }
        if grew {
            return ControlFlow::Continue(());
        }
        (self.visit)(self.budget, path, if looped { End::Looped } else { End::Stuck })
    }

    /// Whether the goal is reached at this point; then the way was visited.
    fn finish(&mut self, top: &Certificate, path: &mut Vec<Certificate>) -> ControlFlow<(), bool> {
        match self.goal {
            Goal::Root => {
                let is_root = top.is_self_issued() && self.budget.is_signed(top, top);
                if is_root {
                    (self.visit)(self.budget, path, End::Reached)?;
                }
                ControlFlow::Continue(is_root)
            }
            Goal::Anchor(anchors) => {
                let mut reached = false;
                let room = path.len() < MAX_LENGTH;
                for anchor in ranked(anchors, top, self.at).into_iter().filter(|_| room) {
                    if self.budget.is_signed(top, &anchor) {
                        reached = true;
                        path.push(anchor);
                        let flow = (self.visit)(self.budget, path, End::Reached);
                        path.pop();
                        flow?;
                    }
                }
                ControlFlow::Continue(reached)
            }
        }
    }

    fn candidates(&mut self, top: &Certificate) -> Rc<[Certificate]> {
        if let Some(known) = self.budget.ranked.get(&top.fingerprint()) {
            return known.clone();
        }
        let found: Rc<[Certificate]> = ranked(self.pool, top, self.at).into();
        self.budget.ranked.insert(top.fingerprint(), found.clone());
        found
    }
}

/// Valid ones first, then roots, then those that live longest.
fn ranked(pool: &Pool, top: &Certificate, at: UnixTime) -> Vec<Certificate> {
    let mut candidates: Vec<Certificate> = pool.candidates(top).cloned().collect();
    candidates.sort_by_cached_key(|candidate| {
        Reverse((candidate.is_valid_at(at), candidate.is_self_issued(), candidate.not_after()))
    });
    candidates.truncate(MAX_CANDIDATES);
    candidates
}

/// Whether both stand for the same CA: cross-signed twins have one name and one key.
fn is_same_ca(one: &Certificate, other: &Certificate) -> bool {
    one.key_id() == other.key_id() && one.subject().matches(other.subject())
}
