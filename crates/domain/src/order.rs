//! Orders: one attempt to get a certificate for a lineage, with RFC 8555's states.

use pki::{Fingerprint, KeyId};

use crate::clock::Moment;
use crate::id::{CsrId, IssuerId, LineageId, OrderId};
use crate::names;

names! {
    /// RFC 8555, 7.1.6.
    OrderState {
        /// Waits for proofs, or for a person with the CA's answer.
        Pending "pending",
        /// All is there for the certificate to be asked for.
        Ready "ready",
        /// What will be signed is stored; the signature is on its way.
        Processing "processing",
        /// The certificate is here.
        Valid "valid",
        /// It was given up.
        Invalid "invalid",
    }
}

impl OrderState {
    /// Whether it still occupies its lineage: at most one such order per lineage.
    pub fn is_active(self) -> bool {
        match self {
            Self::Pending | Self::Ready | Self::Processing => true,
            Self::Valid | Self::Invalid => false,
        }
    }
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// For which lineage.
    pub lineage: LineageId,
    /// From whom.
    pub issuer: IssuerId,
    /// The key that will be certified.
    pub key: KeyId,
    /// The CSR that was made for it.
    pub csr: CsrId,
    /// Where it is.
    pub state: OrderState,
    /// Why it was made, shown to people.
    pub reason: String,
    /// The TBSCertificate that will be signed: the intent, stored before the signature exists.
    pub intent: Option<Vec<u8>>,
    /// The certificate, once it is here.
    pub certificate: Option<Fingerprint>,
    /// When it was made.
    pub created: Moment,
}
