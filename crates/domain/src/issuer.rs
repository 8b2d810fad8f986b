//! Issuers (certification services) and their profiles: who turns a CSR into a certificate, and what may be in it.

use pki::{Fingerprint, KeyAlgorithm, KeyId, Refusal};

use crate::clock::{DAY, Moment};
use crate::id::{IssuerId, ProfileId};
use crate::key::KeyUsage;
use crate::names;

names! {
    /// How an issuer works.
    IssuerKind {
        /// Each key signs its own certificate.
        SelfSigned "self_signed",
        /// Our own CA.
        Internal "internal",
        /// A person carries the CSR to a CA and brings the answer.
        Manual "manual",
    }
}

/// An issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Its name, also in addresses.
    pub id: IssuerId,
    /// How it works.
    pub kind: IssuerKind,
    /// The name on pages.
    pub label: String,
    /// Whether it was withdrawn: it issues no more, what it issued stays.
    pub withdrawn: bool,
    /// When it was made.
    pub created: Moment,
    /// The CA that signs leaves, once it was first used (internal only).
    pub authority: Option<Authority>,
}

/// The pair of CAs behind an internal issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The root's certificate.
    pub root: Fingerprint,
    /// The intermediate's certificate.
    pub intermediate: Fingerprint,
    /// The intermediate's key, which signs leaves.
    pub key: KeyId,
}

/// What may be in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub id: ProfileId,
    /// The name on pages.
    pub label: String,
    /// What its certificates are for.
    pub usage: KeyUsage,
    /// Whether TLS certificates may also be used by clients.
    pub client_auth: bool,
    /// Lifetime in seconds, unless a lineage asks for less or more within the bound.
    pub lifetime: i64,
    /// Longest lifetime in seconds that a lineage may ask for.
    pub lifetime_max: i64,
    /// Key algorithms that it takes.
    pub algorithms: Vec<KeyAlgorithm>,
}

impl Profile {
    /// The profiles that are there from the start.
    pub fn built_in() -> Vec<Profile> {
        let profile = |id: &str, label: &str, usage, days: i64| Profile {
            id: ProfileId::of(id),
            label: label.to_owned(),
            usage,
            client_auth: false,
            lifetime: days * DAY / 1_000,
            lifetime_max: 398 * DAY / 1_000,
            algorithms: KeyAlgorithm::ALL.to_vec(),
        };
        vec![
            profile("tls", "TLS server", KeyUsage::Tls, 90),
            Profile {
                client_auth: true,
                ..profile("tls-mutual", "TLS server and client", KeyUsage::Tls, 90)
            },
            profile("sign", "Signing (X-Road SIGN)", KeyUsage::Sign, 365),
            profile("auth", "Authentication (X-Road AUTH)", KeyUsage::Auth, 365),
        ]
    }

    /// The lifetime in seconds for a wish, within the bounds of the profile.
    pub fn lifetime_for(&self, wish: Option<i64>) -> Result<i64, Refusal> {
        match wish {
            None => Ok(self.lifetime),
            Some(seconds) if (1..=self.lifetime_max).contains(&seconds) => Ok(seconds),
            Some(seconds) => Err(Refusal::new(
                "profile.lifetime",
                format!("a lifetime of {seconds} seconds is not within the profile {}", self.id),
                format!("Ask for at most {} seconds, or choose another profile.", self.lifetime_max),
            )),
        }
    }

    /// Refuses a key that the profile does not take.
    pub fn takes(&self, algorithm: KeyAlgorithm) -> Result<(), Refusal> {
        if self.algorithms.contains(&algorithm) {
            return Ok(());
        }
        Err(Refusal::new(
            "profile.algorithm",
            format!("the profile {} does not take keys of the kind {}", self.id, algorithm.label()),
            "Choose another key algorithm or another profile.",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_stays_within_the_profile() {
        let tls = &Profile::built_in()[0];
        assert_eq!(tls.lifetime_for(None), Ok(90 * 86_400));
        assert_eq!(tls.lifetime_for(Some(60)), Ok(60));
        assert!(tls.lifetime_for(Some(0)).is_err());
        assert!(tls.lifetime_for(Some(399 * 86_400)).is_err());
    }
}
