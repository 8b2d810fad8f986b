//! Lineages: the renewable series behind one purpose.

use pki::{DistinguishedName, Fingerprint, KeyAlgorithm, SubjectAltName};

use crate::clock::Moment;
use crate::id::{IssuerId, LineageId, ProfileId, TargetId, TokenId};
use crate::key::{Exportable, KeyUsage};
use crate::names;

names! {
    /// Whether a renewal makes a new key.
    AtRenewal {
        /// A new key each time.
        NewKey "new_key",
        /// The same key as long as it is sound.
        KeepKey "keep_key",
    }
}

/// Which keys a lineage uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRule {
    /// The token that makes and holds them.
    pub token: TokenId,
    /// Kind and size.
    pub algorithm: KeyAlgorithm,
    /// Whether a renewal makes a new one.
    pub at_renewal: AtRenewal,
    /// When they may leave.
    pub exportable: Exportable,
}

/// Where the edge passes the bytes of a lineage's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// `host:port` of a TCP server.
    pub address: String,
    /// Whether a PROXY v2 header tells it the client's address.
    pub proxy_protocol: bool,
}

/// A lineage.
#[derive(Clone, Debug, PartialEq)]
pub struct Lineage {
    /// Its id.
    pub id: LineageId,
    /// The name that a person gave it; unique.
    pub name: String,
    /// The subject of its certificates.
    pub subject: DistinguishedName,
    /// The names in its certificates.
    pub names: Vec<SubjectAltName>,
    /// What its certificates are for.
    pub usage: KeyUsage,
    /// For whom it speaks: an X-Road client identifier or free text; may be empty.
    pub owner: String,
    /// The environment; test and production never mix.
    pub environment: String,
    /// Which keys.
    pub key_rule: KeyRule,
    /// Who issues.
    pub issuer: IssuerId,
    /// What may be in the certificates.
    pub profile: ProfileId,
    /// Lifetime in seconds that is asked for; none means the profile's.
    pub lifetime: Option<i64>,
    /// Where they are installed.
    pub targets: Vec<TargetId>,
    /// Where the edge passes the bytes; none means the status page.
    pub backend: Option<Backend>,
    /// The current certificate.
    pub current: Option<Fingerprint>,
    /// When the next renewal is due; none while there is nothing to renew by itself.
    pub due: Option<Moment>,
    /// Renewals that failed since the last that did not.
    pub failures: u32,
    /// Why the last renewal failed, or what a person must do; empty when all is well.
    pub trouble: String,
    /// When it was made.
    pub created: Moment,
    /// Grows with each change; a stale writer is refused.
    pub version: i64,
}
