//! The search itself: depth first, best candidate first, within a budget.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::{MAX_CHECKS, MAX_LENGTH, Pool};
use crate::{Certificate, Fingerprint, UnixTime};

/// The best path, and how the search ended.
pub(super) struct Found {
    /// Leaf first; the root last, if it was reached.
    pub(super) path: Vec<Certificate>,
    pub(super) outcome: Outcome,
}

/// What the search ran into on its way.
#[derive(Clone, Copy, Default)]
pub(super) struct Outcome {
    /// Two CAs that issued each other.
    pub(super) looped: bool,
    /// The budget was used up, so there may be better paths.
    pub(super) exhausted: bool,
}

/// Finds the best path from `leaf` upwards.
pub(super) fn best_path(leaf: &Certificate, pool: &Pool, now: UnixTime) -> Found {
    let mut search = Search {
        pool,
        now,
        checks_left: MAX_CHECKS,
        checked: HashMap::new(),
        best: None,
        outcome: Outcome::default(),
    };
    search.extend(&mut vec![leaf.clone()]);
    let path = search.best.map_or_else(|| vec![leaf.clone()], |(_, path)| path);
    Found { path, outcome: search.outcome }
}

/// Greater is better: all valid now; complete; short if complete, long if not.
type Score = (bool, bool, Reverse<usize>, usize);

struct Search<'a> {
    pool: &'a Pool,
    now: UnixTime,
    checks_left: usize,
    /// Signatures checked so far, by certificate and issuer: branches meet again.
    checked: HashMap<(Fingerprint, Fingerprint), bool>,
    best: Option<(Score, Vec<Certificate>)>,
    outcome: Outcome,
}

impl Search<'_> {
    fn extend(&mut self, path: &mut Vec<Certificate>) {
        // The path begins with the leaf and only grows.
        let Some(top) = path.last().cloned() else { return };
        if top.is_self_issued() && self.is_signed(&top, &top) {
            return self.offer(path, true);
        }
        let mut grew = false;
        if path.len() < MAX_LENGTH {
            for issuer in self.ranked_candidates(&top) {
                if self.is_done() {
                    return;
                }
                if !self.is_signed(&top, &issuer) {
                    continue;
                }
                if path.iter().any(|member| is_same_ca(member, &issuer)) {
                    self.outcome.looped = true;
                    continue;
                }
                grew = true;
                path.push(issuer);
                self.extend(path);
                path.pop();
            }
        }
        if !grew {
            self.offer(path, false);
        }
    }

    /// Valid ones first, then roots, then those that live longest.
    fn ranked_candidates(&self, top: &Certificate) -> Vec<Certificate> {
        let mut candidates: Vec<Certificate> = self.pool.candidates(top).cloned().collect();
        candidates.sort_by_key(|candidate| {
            Reverse((candidate.is_valid_at(self.now), candidate.is_self_issued(), candidate.not_after()))
        });
        candidates
    }

    fn is_signed(&mut self, certificate: &Certificate, issuer: &Certificate) -> bool {
        let pair = (certificate.fingerprint(), issuer.fingerprint());
        if let Some(known) = self.checked.get(&pair) {
            return *known;
        }
        if self.checks_left == 0 {
            self.outcome.exhausted = true;
            return false;
        }
        self.checks_left -= 1;
        let signed =
            if pair.0 == pair.1 { certificate.is_self_signed() } else { certificate.is_signed_by(issuer) };
        self.checked.insert(pair, signed);
        signed
    }

    fn offer(&mut self, path: &[Certificate], complete: bool) {
        // The leaf is the same on every path.
        let valid = path.iter().skip(1).all(|member| member.is_valid_at(self.now));
        let (short, long) = if complete { (path.len(), 0) } else { (0, path.len()) };
        let score = (valid, complete, Reverse(short), long);
        if self.best.as_ref().is_none_or(|(best, _)| score > *best) {
            self.best = Some((score, path.to_vec()));
        }
    }

    fn is_done(&self) -> bool {
        matches!(self.best, Some(((true, true, ..), _)))
    }
}

/// Whether both stand for the same CA: cross-signed twins have one name and one key.
fn is_same_ca(one: &Certificate, other: &Certificate) -> bool {
    one.subject() == other.subject() && one.key_id() == other.key_id()
}
