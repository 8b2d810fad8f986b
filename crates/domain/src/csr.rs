//! CSRs as we keep them: the exact bytes that left the house.

use pki::{Fingerprint, KeyId};

use crate::clock::Moment;
use crate::id::{CsrId, LineageId};
use crate::names;

names! {
    /// What became of a CSR.
    CsrState {
        /// No answer yet.
        Waiting "waiting",
        /// A certificate for its key came.
        Fulfilled "fulfilled",
        /// A person gave it up; its key is kept.
        Withdrawn "withdrawn",
    }
}

/// A CSR that was made here, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsrEntry {
    /// Its id.
    pub id: CsrId,
    /// Whose.
    pub key: KeyId,
    /// The friendly name that a person knows it by.
    pub friendly_name: String,
    /// The PKCS#10 request as it was signed.
    pub der: Vec<u8>,
    /// SHA-256 of `der`.
    pub fingerprint: Fingerprint,
    /// What became of it.
    pub state: CsrState,
    /// The lineage that it would renew.
    pub lineage: Option<LineageId>,
    /// When it was made.
    pub created: Moment,
}
