//! PINs: what a good one is, and how often a wrong one may be tried.

use crate::clock::{Moment, SECOND};

/// Wrong PINs after which a token locks, unless a setting says otherwise.
pub const TRIES: u32 = 10;

/// The longest that a wrong one makes the next wait: 15 minutes, so that nobody can keep a person out for longer.
const LONGEST_DELAY: i64 = 900 * SECOND;

/// What a PIN must be. X-Road's policy (`XROAD.md` section 6) when `strict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinPolicy {
    /// Fewest characters.
    pub min_length: usize,
    /// Fewest classes among digits, upper case, lower case, others.
    pub min_classes: usize,
}

impl PinPolicy {
    /// X-Road's: 10 characters of 3 classes.
    pub const STRICT: PinPolicy = PinPolicy { min_length: 10, min_classes: 3 };
}

/// Why a PIN is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinRefusal {
    /// Too short or of too few kinds of characters.
    #[error(
        "the PIN needs at least {min_length} characters of at least {min_classes} kinds (digits, upper case, lower case, others)"
    )]
    Weak {
        /// Fewest characters.
        min_length: usize,
        /// Fewest classes.
        min_classes: usize,
    },
    /// Something other than printable ASCII.
    #[error("the PIN may hold only printable ASCII characters")]
    Characters,
}

/// A PIN as it counts: without the blanks around it. X-Road's programs take them off (`XROAD.md` 2.1), so a PIN that was
/// chosen elsewhere must open the token there too.
pub fn plain(entered: &str) -> &str {
    entered.trim()
}

/// Checks a new PIN against the policy.
pub fn check(pin: &str, policy: PinPolicy) -> Result<(), PinRefusal> {
    if !pin.bytes().all(|byte| (32..=126).contains(&byte)) {
        return Err(PinRefusal::Characters);
    }
    let classes: [fn(&u8) -> bool; 4] =
        [u8::is_ascii_digit, u8::is_ascii_uppercase, u8::is_ascii_lowercase, |byte| {
            !byte.is_ascii_alphanumeric()
        }];
    let held = classes.iter().filter(|class| pin.bytes().any(|byte| class(&byte))).count();
    if pin.len() < policy.min_length || held < policy.min_classes {
        return Err(PinRefusal::Weak { min_length: policy.min_length, min_classes: policy.min_classes });
    }
    Ok(())
}

/// Whether a PIN may be tried now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Yes; count it as wrong before checking.
    Allowed,
    /// Not before this moment.
    Wait(Moment),
    /// Not at all until an officer unlocks the token.
    Locked,
}

/// Decides about a try: after n wrong ones the next must wait 2^(n-1) seconds, from 1 s to 15 minutes; at `tries` it
/// locks.
pub fn plan_attempt(wrong: u32, last_wrong: Option<Moment>, tries: u32, now: Moment) -> Attempt {
    if wrong >= tries {
        return Attempt::Locked;
    }
    let Some(last) = last_wrong.filter(|_| wrong > 0) else {
        return Attempt::Allowed;
    };
    // A clock that was set back must not lock anyone out for longer than the delay itself.
    let delay = (SECOND << (wrong - 1).min(10)).min(LONGEST_DELAY);
    let free = last.min(now).plus(delay);
    if now >= free { Attempt::Allowed } else { Attempt::Wait(free) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_counts_length_and_classes() {
        assert_eq!(check("Secret1234", PinPolicy::STRICT), Ok(()));
        assert!(matches!(check("short1", PinPolicy::STRICT), Err(PinRefusal::Weak { .. })));
        assert!(matches!(check("alllowercase", PinPolicy::STRICT), Err(PinRefusal::Weak { .. })));
        assert_eq!(check("Sécret1234", PinPolicy::STRICT), Err(PinRefusal::Characters));
    }

    #[test]
    fn the_delay_doubles_and_then_the_token_locks() {
        let at = Moment(1_000_000);
        assert_eq!(plan_attempt(0, None, 10, at), Attempt::Allowed);
        assert_eq!(plan_attempt(1, Some(at), 10, at), Attempt::Wait(at.plus(SECOND)));
        assert_eq!(plan_attempt(4, Some(at), 10, at), Attempt::Wait(at.plus(8 * SECOND)));
        assert_eq!(plan_attempt(4, Some(at), 10, at.plus(8 * SECOND)), Attempt::Allowed);
        assert_eq!(plan_attempt(10, Some(at), 10, at.plus(1 << 40)), Attempt::Locked);
    }

    #[test]
    fn a_clock_set_back_delays_no_longer_than_the_delay() {
        let later = Moment(9_000_000);
        assert_eq!(plan_attempt(1, Some(later), 10, Moment(0)), Attempt::Wait(Moment(SECOND)));
    }
}
