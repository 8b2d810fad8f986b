//! Targets: places that need a certificate; and deployments: one certificate on one target.

use std::collections::BTreeMap;

use pki::identity::sha256;
use pki::{Certificate, Fingerprint};

use crate::clock::Moment;
use crate::id::{DeploymentId, LineageId, TargetId};
use crate::names;

/// A target, with the settings that its connector described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its id; `edge` is built in.
    pub id: TargetId,
    /// Which connector serves it: `edge`, `files`.
    pub kind: String,
    /// The name on pages; unique.
    pub label: String,
    /// The connector's settings by name.
    pub settings: BTreeMap<String, String>,
    /// `host:port` of every address from which it serves, for the look from outside.
    pub addresses: Vec<String>,
    /// When it was made.
    pub created: Moment,
}

impl TargetId {
    /// The edge in this process.
    pub fn edge() -> Self {
        Self::of("edge")
    }
}

names! {
    /// Where a deployment is.
    DeploymentState {
        /// It will be done.
        Planned "planned",
        /// The target took it; nobody has looked yet.
        Installed "installed",
        /// A handshake from outside saw it on every address.
        Verified "verified",
        /// It did not work; the one before is still served.
        Failed "failed",
        /// The one before was put back.
        RolledBack "rolled_back",
    }
}

impl DeploymentState {
    /// Whether nothing more happens to it.
    pub fn is_done(self) -> bool {
        match self {
            Self::Planned | Self::Installed => false,
            Self::Verified | Self::Failed | Self::RolledBack => true,
        }
    }
}

/// Names what is sent with a certificate: SHA-256 over the fingerprints of all members, the leaf first.
pub type ChainHash = Fingerprint;

/// The name of a chain as it is served, the leaf first.
pub fn chain_hash<'a>(served: impl IntoIterator<Item = &'a Certificate>) -> ChainHash {
    let members: Vec<u8> = served.into_iter().flat_map(|member| member.fingerprint().0).collect();
    Fingerprint(sha256(&members))
}

/// One certificate on one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Which lineage.
    pub lineage: LineageId,
    /// On which target.
    pub target: TargetId,
    /// Which certificate.
    pub certificate: Fingerprint,
    /// Where it is.
    pub state: DeploymentState,
    /// The chain with which it was tried; none before, and for those that are older than this was noted.
    pub chain: Option<ChainHash>,
    /// What went wrong, in the target's own words; empty when nothing did.
    pub trouble: String,
    /// When it was planned.
    pub created: Moment,
    /// When its state last changed.
    pub changed: Moment,
}

/// What a handshake from outside saw at one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSeen {
    /// Which target.
    pub target: TargetId,
    /// Which lineage was looked for.
    pub lineage: LineageId,
    /// `host:port`.
    pub address: String,
    /// The name that was asked for (SNI).
    pub name: String,
    /// The certificate that was served; none when there was no handshake.
    pub certificate: Option<Fingerprint>,
    /// What went wrong; empty when nothing did.
    pub trouble: String,
    /// When.
    pub at: Moment,
}
