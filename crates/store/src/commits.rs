//! Counting commits: how well transactions share them tells how the disk is used.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counters of one store.
#[derive(Default)]
pub(crate) struct Commits {
    commits: AtomicU64,
    transactions: AtomicU64,
}

/// What was counted since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Commits: each is one wait for the disk.
    pub commits: u64,
    /// Transactions that were in them, those that were refused too.
    pub transactions: u64,
}

impl Commits {
    /// A commit with so many transactions was made.
    pub(crate) fn note(&self, transactions: usize) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.transactions.fetch_add(u64::try_from(transactions).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What was counted.
    pub(crate) fn made(&self) -> Made {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Made { commits: read(&self.commits), transactions: read(&self.transactions) }
    }
}
