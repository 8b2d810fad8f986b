//! Keys: see, generate, name, retire, bring back, export.

mod export;
mod generate;
mod list;
mod retire;
mod update;

use domain::certificate::CertificateEntry;
use domain::csr::CsrEntry;
use domain::key::Key;
use store::Tx;

use crate::Error;

pub use export::export;
pub(crate) use generate::{MadeKey, describe, insert, make, session_of};
pub use generate::{NewKey, generate};
pub use list::{find, list};
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

pub(crate) fn with_children(tx: &Tx<'_>, key: Key) -> Result<KeyView, Error> {
    let csrs = store::csr::of_key(tx, &key.id)?;
    let certificates = store::certificate::by_key(tx, &key.id)?;
    Ok(KeyView { key, csrs, certificates })
}
