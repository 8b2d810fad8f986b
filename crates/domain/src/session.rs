//! Sessions of people at the pages: 15 minutes idle, 8 hours in all (ASVS 7.3).

use crate::clock::{HOUR, MINUTE, Moment};

/// Longest time between two requests.
pub const IDLE: i64 = 15 * MINUTE;
/// Longest time from log-in.
pub const LONGEST: i64 = 8 * HOUR;

/// Whether a session still counts.
pub fn is_live(created: Moment, seen: Moment, now: Moment) -> bool {
    now.since(seen) < IDLE && now.since(created) < LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_when_idle_and_ends_in_any_case() {
        let start = Moment(0);
        assert!(is_live(start, start, Moment(IDLE - 1)));
        assert!(!is_live(start, start, Moment(IDLE)));
        assert!(!is_live(start, Moment(LONGEST - 1), Moment(LONGEST)));
    }
}
