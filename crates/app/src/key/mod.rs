//! Keys: see, generate, name, retire, bring back, export.

mod export;
mod generate;
mod known_bad;
mod list;
mod retire;
mod update;

use domain::certificate::CertificateEntry;
use domain::csr::CsrEntry;
use domain::key::{Key, KeyUsage};
use store::Tx;

use crate::Error;

pub(crate) use crate::signing::session_of;
pub use export::export;
pub(crate) use export::{Leaving, take_out};
pub(crate) use generate::{MadeKey, describe, insert, make, make_signer};
pub use generate::{NewKey, generate};
pub use known_bad::refuse_known_bad;
pub use list::{find, list, rows};
pub use retire::{destroy_expired, restore, retire};
pub use update::{KeyChange, update};

/// A key with its CSRs and certificates.
#[derive(Clone, Debug)]
pub struct KeyView {
    /// The key.
    pub key: Key,
    /// Its CSRs, the newest first.
    pub csrs: Vec<CsrEntry>,
    /// Its certificates, the newest first.
    pub certificates: Vec<CertificateEntry>,
}

/// Refuses a key that is not for TLS: CAs, accounts, SIGN and AUTH keys are not this permission's.
pub(crate) fn refuse_other_usage(key: &Key) -> Result<(), Error> {
    match key.usage {
        None | Some(KeyUsage::Tls) => Ok(()),
        Some(other) => {
            let what = format!("the key is for {other}, not for TLS");
            Err(Error::conflict("wrong_key_usage", what, "Choose another key."))
        }
    }
}

pub(crate) fn with_children(tx: &Tx<'_>, key: Key) -> Result<KeyView, Error> {
    let csrs = store::csr::of_key(tx, &key.id)?;
    let certificates = store::certificate::by_key(tx, &key.id)?;
    Ok(KeyView { key, csrs, certificates })
}

/// A label that no other key has: a number is put behind where it is taken.
pub(crate) fn free_label(tx: &Tx<'_>, wanted: &str) -> Result<String, Error> {
    let mut label = wanted.to_owned();
    for number in 2..1_000 {
        if store::key::by_label(tx, &label)?.is_none() {
            break;
        }
        let room = 100 - 6;
        label = format!("{} ({number})", wanted.chars().take(room).collect::<String>());
    }
    Ok(label)
}
