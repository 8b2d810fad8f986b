//! Issuers: see, make, withdraw; the CAs of internal ones are made when they are first used.

mod authority;
mod create;
mod list;

use domain::issuer::Issuer;
use pki::Certificate;

pub use authority::authority_file;
pub(crate) use authority::{Authority, ensure_authority};
pub use create::{NewIssuer, Withdrawn, create, set_withdrawn};
pub use list::{find, list, profiles};

/// An issuer with its CAs.
#[derive(Clone, Debug)]
pub struct IssuerView {
    /// The issuer.
    pub issuer: Issuer,
    /// Its root, once it was first used (internal only).
    pub root: Option<Certificate>,
    /// Its intermediate.
    pub intermediate: Option<Certificate>,
    /// How many lineages it serves.
    pub lineages: i64,
    /// One sentence for people who choose.
    pub help: &'static str,
}
