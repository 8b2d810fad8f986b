//! Ids: newtypes, so that a lineage's id is never taken for an issuer's.

use std::fmt;
use std::str::FromStr;

use crate::clock::{Moment, Random, random_bytes};

/// A text that cannot be an id: ids are 1 to 64 characters of `a-z`, `0-9`, `-`, `_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: use 1 to 64 of a-z, 0-9, - and _")]
pub struct NotAnId;

fn is_id(text: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// The letters of new ids, in the order of their bytes, so that ids sort as what they were made from.
const LETTERS: &[u8; 32] = b"23456789abcdefghijkmnpqrstuvwxyz";

fn letter(number: u64) -> char {
    char::from(LETTERS[(number % 32) as usize])
}

/// 20 random letters and digits (100 bits), after a prefix that tells what it names.
fn random_id(prefix: &str, random: &dyn Random) -> String {
    let letters = random_bytes::<20>(random).map(|byte| letter(u64::from(byte)));
    prefix.chars().chain(letters).collect()
}

/// 9 letters of the milliseconds (until the year 3084) and 13 random ones (65 bits), after a prefix: what is made later
/// sorts later, as with UUIDs of version 7 (RFC 9562 section 5.7). Rows that come by the thousand then lie beside each
/// other in every index over their ids, instead of touching a page each.
fn id_in_time(prefix: &str, now: Moment, random: &dyn Random) -> String {
    let milliseconds = u64::try_from(now.0).unwrap_or(0);
    let time = (0..9).rev().map(|place| letter(milliseconds >> (5 * place)));
    let letters = random_bytes::<13>(random).map(|byte| letter(u64::from(byte)));
    prefix.chars().chain(time).chain(letters).collect()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal $made:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            ids!(@$made $prefix);

            /// Takes an id that the store gave back, or a constant of ours.
            pub fn of(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                if is_id(text) { Ok(Self(text.to_owned())) } else { Err(NotAnId) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
    (@random $prefix:literal) => {
        /// Makes a new id.
        pub fn random(random: &dyn Random) -> Self {
            Self(random_id($prefix, random))
        }
    };
    (@in_time $prefix:literal) => {
        /// Makes a new id that sorts after those of earlier milliseconds.
        pub fn new(now: Moment, random: &dyn Random) -> Self {
            Self(id_in_time($prefix, now, random))
        }
    };
}

ids! {
    /// Names a token: `0` and `system` are the software tokens.
    TokenId "tok-" random;
    /// Names a CSR.
    CsrId "csr-" in_time;
    /// Names an import that waits for its confirmation or its job.
    ImportId "imp-" random;
    /// Names a lineage.
    LineageId "lin-" in_time;
    /// Names an issuer (certification service): the name that a person gave it.
    IssuerId "iss-" random;
    /// Names a profile: the name that a person gave it.
    ProfileId "pro-" random;
    /// Names an order.
    OrderId "ord-" in_time;
    /// Names a target.
    TargetId "tgt-" random;
    /// Names a deployment.
    DeploymentId "dep-" in_time;
    /// Names a job.
    JobId "job-" in_time;
    /// Names a user.
    UserId "usr-" random;
    /// Names an API key; a part of the key that its owner holds.
    ApiKeyId "" random;
    /// Names a session.
    SessionId "ses-" random;
}

impl TokenId {
    /// X-Road's software token, opened by a PIN.
    pub fn soft() -> Self {
        Self::of("0")
    }

    /// The software token for what must work with nobody there.
    pub fn system() -> Self {
        Self::of("system")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Same(u8);

    impl Random for Same {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn what_is_made_later_sorts_later() {
        let at = |moment, byte| JobId::new(Moment(moment), &Same(byte));
        let moments = [-1, 0, 31, 32, 1_795_262_400_000, 1_795_262_400_001, (1 << 45) - 1];
        for pair in moments.windows(2).skip(1) {
            assert!(at(pair[0], 31) < at(pair[1], 0), "{pair:?}");
        }
        assert_eq!(at(-1, 7), at(0, 7));
        assert_ne!(at(0, 7), at(0, 8));
        assert!(at(1_795_262_400_000, 0).as_str().parse::<JobId>().is_ok());
    }

    #[test]
    fn refuses_what_could_be_a_path_or_markup() {
        for text in ["", "../x", "a/b", "A", "<b>", &"a".repeat(65)] {
            assert_eq!(text.parse::<LineageId>(), Err(NotAnId), "{text}");
        }
        assert_eq!("lin-1_a".parse(), Ok(LineageId::of("lin-1_a")));
    }
}
