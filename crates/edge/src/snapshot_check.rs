//! Whether a snapshot may be served. A bad one changes nothing: the edge keeps what it has.

use std::collections::HashMap;
use std::sync::Arc;

use domain::Snapshot;
use domain::snapshot::Served;
use pki::{Certificate, Fingerprint};

/// The most certificates in a chain that is served.
const MAX_CHAIN: usize = pki::chain::MAX_LENGTH;

/// Why a snapshot is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotRefused {
    /// Somebody would get nothing at all.
    #[error("there is no default certificate in it")]
    NoDefault,
    /// A chain has no certificate, or more than ten.
    #[error("the chain of certificate {0} has {1} certificates, not 1 to {MAX_CHAIN}")]
    ChainLength(Fingerprint, usize),
    /// A certificate in a chain cannot be read.
    #[error("a certificate in the chain of {0} cannot be read")]
    Unreadable(Fingerprint),
    /// The first certificate of a chain is not the one that it is said to be.
    #[error("the chain of certificate {0} begins with another certificate")]
    OtherLeaf(Fingerprint),
    /// The certificate was made for another key: every handshake with it would fail.
    #[error("the key of certificate {0} is not the one that it was made for")]
    OtherKey(Fingerprint),
}

/// Every certificate of a snapshot by its fingerprint.
pub(crate) type Checked = HashMap<Fingerprint, Arc<Served>>;

/// Checks what is new in the snapshot since the one before.
pub(crate) fn check(snapshot: &Snapshot, before: &Checked) -> Result<Checked, SnapshotRefused> {
    let default = snapshot.default.as_ref().ok_or(SnapshotRefused::NoDefault)?;
    let all = snapshot.all();
    let mut checked = Checked::with_capacity(all.len() + 1);
    for served in all.into_iter().chain([default]) {
        let known = before.get(&served.fingerprint).is_some_and(|old| same(old, served));
        if !known {
            check_served(served)?;
        }
        checked.insert(served.fingerprint, Arc::clone(served));
    }
    Ok(checked)
}

/// Whether both give the same handshake.
pub(crate) fn same(one: &Arc<Served>, other: &Arc<Served>) -> bool {
    let (a, b) = (one, other);
    Arc::ptr_eq(a, b) || (a.key == b.key && a.algorithm == b.algorithm && a.chain == b.chain)
}

fn check_served(served: &Served) -> Result<(), SnapshotRefused> {
    let name = served.fingerprint;
    if served.chain.is_empty() || served.chain.len() > MAX_CHAIN {
        return Err(SnapshotRefused::ChainLength(name, served.chain.len()));
    }
    let mut chain = Vec::with_capacity(served.chain.len());
    for der in &served.chain {
        chain.push(Certificate::parse(der).map_err(|_| SnapshotRefused::Unreadable(name))?);
    }
    let Some(leaf) = chain.first() else {
        return Err(SnapshotRefused::ChainLength(name, 0));
    };
    if leaf.fingerprint() != name {
        return Err(SnapshotRefused::OtherLeaf(name));
    }
    if leaf.key_id() != served.key || leaf.public_key().algorithm() != Some(served.algorithm) {
        return Err(SnapshotRefused::OtherKey(name));
    }
    Ok(())
}
