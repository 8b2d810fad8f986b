//! CSRs: make, see, withdraw.

mod create;
mod list;
mod withdraw;

use domain::csr::CsrEntry;
use pki::Csr;

pub use create::{CsrCreated, KeyChoice, NewCsr, create};
pub(crate) use create::{Subject, check_subject, choose_key, read, record_csr, sign, usage_profile};
pub use list::{find, list};
pub use withdraw::withdraw;

/// A CSR with what stands in it.
#[derive(Clone, Debug)]
pub struct CsrView {
    /// The row.
    pub entry: CsrEntry,
    /// Its content.
    pub csr: Csr,
}
