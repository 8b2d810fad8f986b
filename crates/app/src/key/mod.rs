//! Keys: see, generate, name, retire, bring back, export.

mod export;
mod generate;
mod known_bad;
mod list;
mod retire;
mod update;

use domain::certificate::CertificateEntry;
use domain::csr::CsrEntry;
use domain::key::{Key, KeyState, KeyUsage};
use pki::KeyId;
use store::Tx;

use crate::{Error, naming};

pub(crate) use crate::signing::{session_of, session_of_named};
pub use export::export;
pub(crate) use export::{Leaving, refuse_untypable, take_out};
pub(crate) use generate::{MadeKey, describe, insert, make, make_signer};
pub use generate::{NewKey, generate};
pub use known_bad::refuse_known_bad;
pub use list::{find, list, rows};
pub use retire::{destroy_expired, restore, retire};
pub use update::{KeyChange, update};

/// Certificates that are shown of a key, at most: a renewal each week gives so many in two years, an import ten thousand.
pub const SHOWN: u32 = 100;

/// A key with its CSRs and certificates.
#[derive(Clone, Debug)]
pub struct KeyView {
    /// The key.
    pub key: Key,
    /// Its CSRs, the newest first.
    pub csrs: Vec<CsrEntry>,
    /// Its certificates, the one that ends last first; at most [`SHOWN`].
    pub certificates: Vec<CertificateEntry>,
    /// How many certificates it has besides.
    pub more_certificates: usize,
}

/// Refuses a key that is not for TLS: CAs, accounts, SIGN and AUTH keys are not this permission's.
pub(crate) fn refuse_other_usage(key: &Key) -> Result<(), Error> {
    match other_usage(key.usage) {
        None => Ok(()),
        Some(other) => {
            let what = format!("the key is for {other}, not for TLS");
            Err(Error::conflict("wrong_key_usage", what, "Choose another key."))
        }
    }
}

/// What a key is for, if that is not TLS.
pub(crate) fn other_usage(usage: Option<KeyUsage>) -> Option<KeyUsage> {
    match usage {
        None | Some(KeyUsage::Tls) => None,
        Some(KeyUsage::Sign | KeyUsage::Auth | KeyUsage::Ca | KeyUsage::Account | KeyUsage::Node) => usage,
    }
}

/// Refuses to serve a certificate whose key is for something else, or cannot sign: it would leave its names without any.
/// Whoever got a leaf over the key of a CA must not have it served: the edge would sign with that key for everybody.
pub(crate) fn refuse_to_serve_with(tx: &Tx<'_>, id: &KeyId) -> Result<(), Error> {
    let what = match store::key::standing(tx, id)? {
        Some((KeyState::Active, usage)) => match other_usage(usage) {
            None => return Ok(()),
            Some(other) => {
                let what = format!("the private key of this certificate is for {other}, not for TLS");
                return Err(Error::conflict("wrong_key_usage", what, "Choose another certificate."));
            }
        },
        Some((state, _)) => format!("the private key of this certificate is {state}"),
        None => "the private key of this certificate is not here".to_owned(),
    };
    Err(Error::conflict("key.missing", what, "Import the key, bring it back, or choose another certificate."))
}

pub(crate) fn with_children(tx: &Tx<'_>, key: Key) -> Result<KeyView, Error> {
    let csrs = store::csr::of_key(tx, &key.id)?;
    let certificates = store::certificate::some_by_key(tx, &key.id, SHOWN)?;
    let more_certificates = match certificates.len() < SHOWN as usize {
        true => 0,
        false => {
            let all = store::certificate::count_by_key(tx, &key.id)?;
            usize::try_from(all).unwrap_or_default().saturating_sub(certificates.len())
        }
    };
    Ok(KeyView { key, csrs, certificates, more_certificates })
}

/// The label for a key; if another one has it, a longer one.
pub(crate) fn free_label(tx: &Tx<'_>, wanted: &str, id: &KeyId) -> Result<String, Error> {
    naming::free(wanted, &id.to_string(), |label| Ok(store::key::by_label(tx, label)?.is_none()))
}
