//! Ids: newtypes, so that a lineage's id is never taken for an issuer's.

use std::fmt;
use std::str::FromStr;

use crate::clock::{Random, random_bytes};

/// A text that cannot be an id: ids are 1 to 64 characters of `a-z`, `0-9`, `-`, `_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: use 1 to 64 of a-z, 0-9, - and _")]
pub struct NotAnId;

fn is_id(text: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// 20 random letters and digits (100 bits), after a prefix that tells what it names.
fn random_id(prefix: &str, random: &dyn Random) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letters = random_bytes::<20>(random).map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    prefix.chars().chain(letters).collect()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Makes a new id.
            pub fn random(random: &dyn Random) -> Self {
                Self(random_id($prefix, random))
            }

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
}

ids! {
    /// Names a token: `0` and `system` are the software tokens.
    TokenId "tok-";
    /// Names a CSR.
    CsrId "csr-";
    /// Names an import that waits for its confirmation or its job.
    ImportId "imp-";
    /// Names a lineage.
    LineageId "lin-";
    /// Names an issuer (certification service): the name that a person gave it.
    IssuerId "iss-";
    /// Names a profile: the name that a person gave it.
    ProfileId "pro-";
    /// Names an order.
    OrderId "ord-";
    /// Names a target.
    TargetId "tgt-";
    /// Names a deployment.
    DeploymentId "dep-";
    /// Names a job.
    JobId "job-";
    /// Names a user.
    UserId "usr-";
    /// Names an API key; a part of the key that its owner holds.
    ApiKeyId "";
    /// Names a session.
    SessionId "ses-";
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

    #[test]
    fn refuses_what_could_be_a_path_or_markup() {
        for text in ["", "../x", "a/b", "A", "<b>", &"a".repeat(65)] {
            assert_eq!(text.parse::<LineageId>(), Err(NotAnId), "{text}");
        }
        assert_eq!("lin-1_a".parse(), Ok(LineageId::of("lin-1_a")));
    }
}
