//! When a lineage is renewed, and how.

use pki::{Certificate, UnixTime};

use crate::clock::{DAY, Moment, SECOND};
use crate::id::LineageId;
use crate::issuer::IssuerKind;
use crate::lineage::{AtRenewal, Lineage};

/// Lifetimes up to this many milliseconds are renewed at half, longer ones at two thirds.
const SHORT: i64 = 10 * DAY;

/// When a certificate is due: at 2/3 of its lifetime (1/2 for 10 days or less), up to a twentieth of the lifetime
/// earlier by a hash of the lineage, so that what was issued together does not fall due together.
pub fn due_at(lineage: &LineageId, not_before: UnixTime, not_after: UnixTime) -> Moment {
    let lifetime = not_after.since(not_before).max(0).saturating_add(1).saturating_mul(SECOND);
    let share = if lifetime <= SHORT { lifetime / 2 } else { lifetime / 3 * 2 };
    Moment::from(not_before).plus(share - spread(lineage, lifetime / 20))
}

fn spread(lineage: &LineageId, width: i64) -> i64 {
    let hash = pki::identity::sha256(lineage.as_str().as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    let thousandths = i64::try_from(u64::from_be_bytes(first) % 1_000).unwrap_or(0);
    // Widths of a tenth of a millennium times a thousand still fit.
    width / 1_000 * thousandths + width % 1_000 * thousandths / 1_000
}

/// What a renewal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// It makes a new key.
    New,
    /// It keeps the key of the current certificate.
    Same,
}

/// What is to be done for a lineage, and why. The reason is shown to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Nothing.
    Nothing {
        /// Why.
        reason: String,
    },
    /// Order a certificate.
    Order {
        /// With which key.
        key: Key,
        /// Why.
        reason: String,
    },
}

/// What asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The clock.
    Due,
    /// A person or program: renew.
    Renew,
    /// A person or program: renew with a new key.
    Rekey,
}

/// Decides about one lineage. `has_active_order` says whether an order is under way already.
pub fn plan_renewal(
    lineage: &Lineage,
    current: Option<&Certificate>,
    has_active_order: bool,
    wish: Wish,
    now: Moment,
) -> Renewal {
    if has_active_order {
        return Renewal::Nothing { reason: "an order is under way already".to_owned() };
    }
    let key = match (wish, lineage.key_rule.at_renewal, current) {
        (Wish::Due | Wish::Renew, AtRenewal::KeepKey, Some(_)) => Key::Same,
        (Wish::Rekey, _, _) | (_, AtRenewal::NewKey, _) | (_, _, None) => Key::New,
    };
    let reason = match (wish, current) {
        (Wish::Renew, _) => "renewal was asked for".to_owned(),
        (Wish::Rekey, _) => "a new key was asked for".to_owned(),
        (Wish::Due, None) => "it has no certificate yet".to_owned(),
        (Wish::Due, Some(certificate)) => {
            let due = due_at(&lineage.id, certificate.not_before(), certificate.not_after());
            if now < due {
                return Renewal::Nothing { reason: format!("it is due at {due}") };
            }
            format!("its certificate ends at {}", certificate.not_after())
        }
    };
    Renewal::Order { key, reason }
}

/// Whether this kind of issuer answers without a person.
pub fn answers_by_itself(kind: IssuerKind) -> bool {
    match kind {
        IssuerKind::SelfSigned | IssuerKind::Internal => true,
        IssuerKind::Manual => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{HOUR, MINUTE};

    fn due(days: i64, lineage: &str) -> i64 {
        due_at(&LineageId::of(lineage), UnixTime(0), UnixTime(days * 86_400 - 1)).0
    }

    #[test]
    fn long_lives_renew_at_two_thirds_short_ones_at_half() {
        for name in ["a", "b", "c", "lin-zzz"] {
            assert!((60 * DAY - 90 * DAY / 20..=60 * DAY).contains(&due(90, name)));
            assert!((3 * DAY - 6 * DAY / 20..=3 * DAY).contains(&due(6, name)));
        }
    }

    #[test]
    fn what_was_issued_together_is_spread() {
        let moments: std::collections::BTreeSet<i64> =
            (0..100).map(|n| due(90, &format!("lin-{n}")) / HOUR).collect();
        assert!(moments.len() > 50, "{}", moments.len());
    }

    #[test]
    fn a_minute_is_renewed_after_about_half() {
        let at = due_at(&LineageId::of("x"), UnixTime(0), UnixTime(59)).0;
        assert!((26 * SECOND..=MINUTE / 2).contains(&at), "{at}");
    }

    #[test]
    fn the_longest_lifetime_does_not_overflow() {
        let at = due_at(&LineageId::of("x"), UnixTime(0), UnixTime(253_402_300_799));
        assert!(at.0 > 0);
        due_at(&LineageId::of("x"), UnixTime(i64::MIN), UnixTime(i64::MAX));
    }
}
