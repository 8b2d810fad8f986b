//! Refusals of strangers, counted in memory per kind and minute: whom nobody knows must not be able to make us write.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use domain::clock::MINUTE;
use domain::{Moment, names};

names! {
    /// Why a stranger was refused.
    Refused {
        /// Neither session nor API key, or none that counts.
        Unknown "unknown",
        /// A name and password, PIN or set-up code that does not fit.
        Guess "guess",
        /// Another site's request, or another server's name.
        Foreign "foreign",
        /// Too many requests.
        TooMany "too_many",
        /// Anything else that cannot be answered.
        Malformed "malformed",
    }
}

type Counts = [u64; Refused::ALL.len()];

/// The counts since the start, and those of the minute that runs.
#[derive(Default)]
pub struct Strangers {
    totals: [AtomicU64; Refused::ALL.len()],
    minute: Mutex<(i64, Counts)>,
}

impl Strangers {
    /// Counts a refusal. When a minute is over its counts go to the log, in one line.
    pub fn note(&self, kind: Refused, now: Moment) {
        self.totals[kind as usize].fetch_add(1, Ordering::Relaxed);
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let this = now.0.div_euclid(MINUTE);
        if minute.0 != this {
            tell(&minute.1);
            *minute = (this, Counts::default());
        }
        minute.1[kind as usize] += 1;
    }

    /// How many of a kind since the start.
    pub fn total(&self, kind: Refused) -> u64 {
        self.totals[kind as usize].load(Ordering::Relaxed)
    }

    /// How many of a kind in the minute of the last refusal.
    pub fn in_minute(&self, kind: Refused) -> u64 {
        self.minute.lock().unwrap_or_else(PoisonError::into_inner).1[kind as usize]
    }
}

fn tell(counts: &Counts) {
    if counts.iter().any(|count| *count > 0) {
        let text: Vec<String> =
            Refused::ALL.iter().zip(counts).map(|(kind, count)| format!("{kind}={count}")).collect();
        tracing::info!(refused = text.join(" "), "strangers were refused within a minute");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_go_on_and_minutes_begin_anew() {
        let strangers = Strangers::default();
        for (kind, at) in [(Refused::Guess, 0), (Refused::Guess, 1), (Refused::TooMany, 2)] {
            strangers.note(kind, Moment(at));
        }
        assert_eq!((strangers.in_minute(Refused::Guess), strangers.in_minute(Refused::TooMany)), (2, 1));
        strangers.note(Refused::Guess, Moment(MINUTE));
        assert_eq!((strangers.in_minute(Refused::Guess), strangers.total(Refused::Guess)), (1, 3));
        assert_eq!(strangers.total(Refused::Malformed), 0);
    }
}
