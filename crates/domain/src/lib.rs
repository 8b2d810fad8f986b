//! Our nouns, their states, the permission table, and every decision.
//!
//! Pure: `now` and randomness are arguments. It must not know tables, JSON, pages, sockets or which connector does the
//! work. Deciding functions are called `plan_*` and return what to do with the reason, which is shown to people.
//!
//! Start reading at [`lineage`], then [`renewal`], then [`permission`].

pub mod actor;
pub mod audit;
pub mod certificate;
pub mod clock;
pub mod connector;
pub mod csr;
pub mod id;
pub mod installation;
pub mod issuer;
pub mod job;
pub mod key;
pub mod lineage;
pub mod names;
pub mod order;
pub mod permission;
pub mod pin;
pub mod redeployment;
pub mod renewal;
pub mod session;
pub mod snapshot;
pub mod target;
pub mod token;
pub mod user;

pub use actor::Actor;
pub use clock::{Clock, Moment, Random};
pub use permission::{Authorized, Permission, Role, authorize};
pub use snapshot::{Signers, Snapshot};
