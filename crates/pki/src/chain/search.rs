//! Which of the ways that [`crate::path`] finds is the best to serve.

use std::cmp::Reverse;
use std::ops::ControlFlow;

use super::Pool;
use crate::path::search::{Budget, End, Goal, walk};
use crate::{Certificate, UnixTime};

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

/// Greater is better: all valid now; complete; short if complete, long if not.
type Score = (bool, bool, Reverse<usize>, usize);

/// Finds the best path from `leaf` upwards; stops at the first that is complete and valid.
pub(super) fn best_path(leaf: &Certificate, pool: &Pool, now: UnixTime) -> Found {
    let mut budget = Budget::new();
    let mut best: Option<(Score, Vec<Certificate>)> = None;
    let mut looped = false;
    walk(leaf, (pool, Goal::Root), now, &mut budget, &mut |_, path, end| {
        looped |= end == End::Looped;
        let score = score(path, end, now);
        let is_perfect = score.0 && score.1;
        if best.as_ref().is_none_or(|(best, _)| score > *best) {
            best = Some((score, path.to_vec()));
        }
        if is_perfect { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let path = best.map_or_else(|| vec![leaf.clone()], |(_, path)| path);
    Found { path, outcome: Outcome { looped, exhausted: budget.is_exhausted } }
}

fn score(path: &[Certificate], end: End, now: UnixTime) -> Score {
    // The leaf is the same on every path.
    let valid = path.iter().skip(1).all(|member| member.is_valid_at(now));
    match end {
        End::Reached => (valid, true, Reverse(path.len()), 0),
        End::Stuck | End::Looped => (valid, false, Reverse(0), path.len()),
    }
}
