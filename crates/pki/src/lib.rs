//! Bytes to meaning and back: names, keys, CSRs, certificates, chains, formats and the [`Signer`] trait.
//!
//! Pure: nothing here touches files, the network, the clock or a source of randomness. Times, serials, salts and
//! nonces are arguments. It must not know our nouns (`domain`), our tables or our pages.
//!
//! Start reading at [`Certificate`], then [`chain`] and [`path`], then [`mod@format`].

pub mod algorithm;
pub mod blocklist;
pub mod certificate;
pub mod chain;
pub mod crl;
pub mod csr;
mod extension;
pub mod finding;
pub mod format;
pub mod identity;
pub mod inspect;
pub mod issue;
pub mod name;
pub mod path;
pub mod private_key;
pub mod public_key;
pub mod san;
pub mod seal;
mod signature_algorithm;
pub mod signer;
#[cfg(test)]
mod testing;
pub mod time;
mod tlv;
mod weak;

pub use algorithm::{KeyAlgorithm, SignatureScheme};
pub use blocklist::Blocklist;
pub use certificate::{Certificate, Role};
pub use crl::Crl;
pub use csr::Csr;
pub use finding::{Finding, Refusal, Severity};
pub use identity::{Fingerprint, KeyId};
pub use name::DistinguishedName;
pub use private_key::PrivateKey;
pub use public_key::PublicKey;
pub use san::SubjectAltName;
pub use signer::{SignError, Signer};
pub use time::UnixTime;
