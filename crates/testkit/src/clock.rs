//! A clock that only moves when a test moves it.

use std::sync::atomic::{AtomicI64, Ordering};

use domain::{Clock, Moment};

/// A clock that only moves when a test moves it.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// Starts at this moment.
    pub fn at(now: Moment) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Puts it to this moment, also an earlier one.
    pub fn set(&self, now: Moment) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves it by so many milliseconds; answers what it shows then.
    pub fn advance(&self, milliseconds: i64) -> Moment {
        Moment(self.0.fetch_add(milliseconds, Ordering::SeqCst) + milliseconds)
    }
}

impl Default for TestClock {
    /// Starts at 2026-01-01T00:00:00Z.
    fn default() -> Self {
        Self::at(Moment(1_767_225_600_000))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Moment {
        Moment(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_when_it_is_moved() {
        let clock = TestClock::default();
        assert_eq!(clock.now().to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(clock.advance(domain::clock::DAY), clock.now());
        clock.set(Moment(5));
        assert_eq!(clock.now(), Moment(5));
    }
}
