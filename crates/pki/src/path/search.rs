//! The one search for ways from a certificate upwards: depth first, best candidate first, branching, within a budget.
//!
//! [`super::best`] takes the best of them; `revocation` looks for the ways of those who sign lists.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;

use super::Anchors;
use super::facts::Facts;
use crate::chain::{Allowance, MAX_CHECKS, MAX_LENGTH, Pool};
use crate::public_key::{Curve, PublicKeyKind};
use crate::{Certificate, Crl, Fingerprint, KeyId, Refusal, UnixTime};

/// Certificates put on top of a path, at most, in one search: branches that meet again cost no signature checks.
const MAX_STEPS: usize = 1000;
/// Names compared with constraints, policies followed, at most, in one search (CVE-2025-58187, CVE-2023-0464).
const MAX_COMPARISONS: usize = 250_000;
/// Issuers of one certificate that are tried, at most: only an attack has more that fit by name and key identifier.
pub(crate) const MAX_CANDIDATES: usize = 32;

/// Entries of one kind that are remembered from one question to the next, at most.
const MAX_REMEMBERED: usize = 10_000;

/// What a step costs, in the units of [`Allowance`].
const STEP_COST: u64 = 5;
/// Comparisons that cost one unit.
const COMPARISONS_PER_UNIT: usize = 10;

/// What was found out and holds for other questions over the same certificates, too: nothing is worked out twice.
#[derive(Default)]
pub(crate) struct Memory {
    /// Signatures that were checked, by what was signed and by which key: a CA may have many certificates for one key.
    checked: HashMap<Fingerprint, Vec<(KeyId, bool)>>,
    /// Candidates for issuers, best first, by the issuer's name and key identifier as a certificate gives them.
    ranked: HashMap<Vec<u8>, Rc<Ranked>>,
    facts: HashMap<Fingerprint, Rc<Facts>>,
}

/// Candidates for an issuer.
struct Ranked {
    /// The likeliest first.
    candidates: Vec<Certificate>,
    /// There were more than are tried.
    is_cut: bool,
}

impl Memory {
    /// What the certificate says, read once.
    pub(super) fn facts(&mut self, certificate: &Certificate) -> Result<Rc<Facts>, Refusal> {
        if let Some(facts) = self.facts.get(&certificate.fingerprint()) {
            return Ok(facts.clone());
        }
        let read = Facts::read(certificate).map_err(|refusal| refusal.at(certificate.display_name()))?;
        let facts = Rc::new(read);
        self.facts.insert(certificate.fingerprint(), facts.clone());
        Ok(facts)
    }

    /// Forgets what nobody will ask for again: a leaf issues nothing. Whatever grew too large goes as a whole.
    pub(crate) fn forget(&mut self, leaf: &Certificate) {
        if !leaf.may_issue() {
            self.checked.remove(&leaf.fingerprint());
            self.facts.remove(&leaf.fingerprint());
        }
        if self.checked.len() > MAX_REMEMBERED {
            self.checked.clear();
        }
        if self.facts.len() > MAX_REMEMBERED {
            self.facts.clear();
        }
        if self.ranked.len() > MAX_REMEMBERED {
            self.ranked.clear();
        }
    }

    /// How many signatures it knows of.
    #[cfg(test)]
    pub(crate) fn signatures(&self) -> usize {
        self.checked.values().map(Vec::len).sum()
    }

    /// There are more candidates now.
    pub(crate) fn forget_candidates(&mut self) {
        self.ranked.clear();
    }
}

/// What is left to spend, shared by everything that one question leads to.
pub(crate) struct Budget {
    checks: usize,
    steps: usize,
    comparisons: usize,
    /// Something was left undone for want of budget.
    pub(crate) is_exhausted: bool,
    /// Nothing more can be compared, so that no way can be judged any more.
    pub(crate) is_blind: bool,
    /// What was spent so far, in the units of [`Allowance`].
    spent: u64,
    /// What need not be spent again.
    pub(crate) memory: Memory,
}

impl Budget {
    /// A whole budget; what is in the memory costs next to nothing.
    pub(crate) fn new(memory: Memory) -> Self {
        Self {
            checks: MAX_CHECKS,
            steps: MAX_STEPS,
            comparisons: MAX_COMPARISONS,
            is_exhausted: false,
            is_blind: false,
            spent: 0,
            memory,
        }
    }

    /// A whole budget, or where the allowance is used up, none.
    pub(crate) fn within(allowance: Allowance, memory: Memory) -> Self {
        let whole = Self::new(memory);
        if allowance.is_used_up() { Self { checks: 0, steps: 0, comparisons: 0, ..whole } } else { whole }
    }

    /// What was spent so far.
    #[cfg(test)]
    pub(crate) fn spent(&self) -> u64 {
        self.spent
    }

    /// What is left of an allowance after this.
    pub(crate) fn left_of(&self, allowance: Allowance) -> Allowance {
        allowance.less(self.spent)
    }

    /// Whether so many comparisons may be made.
    pub(crate) fn charge(&mut self, comparisons: usize) -> bool {
        self.spent += (comparisons / COMPARISONS_PER_UNIT) as u64;
        self.is_blind |= comparisons > self.comparisons;
        self.is_exhausted |= self.is_blind;
        self.comparisons = self.comparisons.saturating_sub(comparisons);
        !self.is_blind
    }

    /// Whether `issuer` signed the certificate; `false`, too, when the budget is used up.
    pub(crate) fn is_signed(&mut self, certificate: &Certificate, issuer: &Certificate) -> bool {
        let is_own = certificate.fingerprint() == issuer.fingerprint();
        let verify = |issuer: &Certificate| {
            if is_own { certificate.is_self_signed() } else { certificate.is_signed_by(issuer) }
        };
        (is_own || certificate.names_as_issuer(issuer))
            && self.check(certificate.fingerprint(), issuer, verify)
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
        self.spent += 1;
        let known = self.memory.checked.entry(signed).or_default();
        let key = issuer.key_id();
        if let Some((_, verifies)) = known.iter().find(|(by, _)| *by == key) {
            return *verifies;
        }
        if self.checks == 0 {
            self.is_exhausted = true;
            return false;
        }
        self.checks -= 1;
        self.spent += check_cost(issuer);
        let verifies = verify(issuer);
        known.push((key, verifies));
        verifies
    }

    fn step(&mut self) -> bool {
        self.spent += STEP_COST;
        let left = self.steps.checked_sub(1);
        self.is_exhausted |= left.is_none();
        self.steps = left.unwrap_or(0);
        left.is_some()
    }
}

/// What a check of a signature by this issuer costs, in the units of [`Allowance`].
fn check_cost(issuer: &Certificate) -> u64 {
    match issuer.public_key().kind() {
        PublicKeyKind::Rsa { bits: 0..=3072 } | PublicKeyKind::Ed25519 => 50,
        PublicKeyKind::Rsa { bits: 3073.. } => 250,
        PublicKeyKind::Ec(Curve::P256) => 80,
        PublicKeyKind::Ec(Curve::P384) => 330,
        PublicKeyKind::Ec(Curve::P521) => 600,
        // Refused before anything is worked out.
        PublicKeyKind::Other(_) => 1,
    }
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

/// Shows every way from `leaf` through `pool` upwards to `visit`, the likeliest first, until that has seen enough.
pub(crate) fn walk(
    leaf: &Certificate,
    (pool, anchors): (&Pool, Anchors<'_>),
    at: UnixTime,
    budget: &mut Budget,
    visit: &mut Visit<'_>,
) {
    let mut walk = Walk { pool, anchors, at, budget, visit };
    // Both outcomes mean that the search is over.
    let _ = walk.extend(&mut vec![leaf.clone()]);
}

struct Walk<'a, 'v> {
    pool: &'a Pool,
    anchors: Anchors<'a>,
    at: UnixTime,
    budget: &'a mut Budget,
    visit: &'a mut Visit<'v>,
}

impl Walk<'_, '_> {
    fn extend(&mut self, path: &mut Vec<Certificate>) -> ControlFlow<()> {
        // The path begins with the leaf and only grows.
        let Some(top) = path.last().cloned() else { return ControlFlow::Break(()) };
        let mut grew = self.finish(&top, path)?;
        if grew && matches!(self.anchors, Anchors::Roots) {
            return ControlFlow::Continue(());
        }
        let (mut looped, mut only_over_ended) = (false, true);
        if path.len() < MAX_LENGTH {
            if !self.budget.step() {
                // Whatever else there is to see costs steps as well.
                if !grew {
                    (self.visit)(self.budget, path, End::Stuck)?;
                }
                return ControlFlow::Break(());
            }
            for issuer in &self.candidates(&top).candidates {
                if !self.budget.is_signed(&top, issuer) {
                    continue;
                }
                if path.iter().any(|member| is_same_ca(member, issuer)) {
                    looped = true;
                    continue;
                }
                grew = true;
                only_over_ended &= !issuer.is_valid_at(self.at) && !issuer.is_self_issued();
                path.push(issuer.clone());
                let flow = self.extend(path);
                path.pop();
                flow?;
            }
        }
        // Whom only certificates that have ended certify may be a root that clients know: better to stop below those.
        let stops_here = path.len() > 1 && only_over_ended && matches!(self.anchors, Anchors::Roots);
        if grew && !stops_here {
            return ControlFlow::Continue(());
        }
        (self.visit)(self.budget, path, if looped { End::Looped } else { End::Stuck })
    }

    /// Whether somebody trusted is reached at this point; then the way was visited.
    fn finish(&mut self, top: &Certificate, path: &mut Vec<Certificate>) -> ControlFlow<(), bool> {
        match self.anchors {
            Anchors::Roots => {
                let is_root = top.is_self_issued() && self.budget.is_signed(top, top);
                if is_root {
                    (self.visit)(self.budget, path, End::Reached)?;
                }
                ControlFlow::Continue(is_root)
            }
            Anchors::Only(anchors) => {
                let mut reached = false;
                let room = path.len() < MAX_LENGTH;
                let found = ranked(anchors, top, self.at);
                self.budget.is_exhausted |= found.is_cut;
                for anchor in found.candidates.into_iter().filter(|_| room) {
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

    /// The same for all certificates that name their issuer alike.
    fn candidates(&mut self, top: &Certificate) -> Rc<Ranked> {
        let key_id = top.authority_key_id();
        let named = [top.issuer().der(), &[u8::from(key_id.is_some())], key_id.unwrap_or_default()].concat();
        let known = self.budget.memory.ranked.get(&named).cloned();
        let found = known.unwrap_or_else(|| {
            let found = Rc::new(ranked(self.pool, top, self.at));
            self.budget.memory.ranked.insert(named, found.clone());
            found
        });
        self.budget.is_exhausted |= found.is_cut;
        found
    }
}

/// Valid ones first, then those whose key is named, then roots, then those that live longest.
fn ranked(pool: &Pool, top: &Certificate, at: UnixTime) -> Ranked {
    let mut candidates: Vec<Certificate> = pool.candidates(top).cloned().collect();
    candidates.sort_by_cached_key(|candidate| {
        // All candidates fit; this one says so itself.
        let is_named = candidate.subject_key_id().is_some() && top.authority_key_id().is_some();
        Reverse((candidate.is_valid_at(at), is_named, candidate.is_self_issued(), candidate.not_after()))
    });
    let is_cut = candidates.len() > MAX_CANDIDATES;
    candidates.truncate(MAX_CANDIDATES);
    Ranked { candidates, is_cut }
}

/// Whether both stand for the same CA: cross-signed twins have one name and one key.
pub(crate) fn is_same_ca(one: &Certificate, other: &Certificate) -> bool {
    one.key_id() == other.key_id() && one.subject().matches(other.subject())
}
