//! One function per thing that a user can do; jobs and reconcilers; the only place where the other rooms meet.
//!
//! One user action = one function here = one transaction = one audit event, whoever calls it: the API, a page, the
//! command line or a job. It must not know JSON, HTML or status codes (`web`), SQL (`store`) or sockets (`edge`).
//!
//! Start reading at [`App`], then [`lineage::renew`], then [`job`].

pub mod access;
pub mod act;
pub mod api_key;
mod archive;
pub mod audit;
pub mod backup;
pub mod certificate;
pub mod chains;
pub mod csr;
pub mod error;
pub mod idempotency;
pub mod issuer;
pub mod job;
pub mod key;
pub mod lineage;
mod naming;
pub mod overview;
pub mod schedule;
pub mod setting;
pub mod setup;
pub mod signing;
pub mod snapshot;
pub mod state;
pub mod strangers;
pub mod support;
pub mod target;
#[cfg(feature = "testing")]
pub mod testing;
pub mod token;
mod tries;
pub mod user;

pub use error::Error;
pub use state::{App, Config};
pub use store::Page;

/// The store's filters, for lists.
pub mod filter {
    pub use store::audit::AuditFilter;
    pub use store::certificate::{CertificateFilter, CertificateOrder};
    pub use store::csr::CsrFilter;
    pub use store::job::JobFilter;
    pub use store::key::KeyFilter;
    pub use store::lineage::LineageFilter;
}

/// Where a page of a list ended: what the next one is asked with.
pub mod cursor {
    pub use store::certificate::cursor as certificate;
    pub use store::csr::cursor as csr;
    pub use store::job::cursor as job;
    pub use store::key::cursor as key;
    pub use store::lineage::cursor as lineage;
}
