//! All SQL of the house: tables on SQLite and PostgreSQL, their migrations, and the secrets that are sealed in them.
//!
//! A transaction is a synchronous closure over a [`Tx`]; repository functions (one file per noun) take it first, have
//! no `async`, cannot wait for a network and read the same on both engines. It must not know JSON, pages, connectors
//! or when something is due: it stores what `domain` decided.
//!
//! Start reading at [`store`], then [`tx`], then [`lineage`].

pub mod api_key;
pub mod audit;
pub mod certificate;
mod commits;
pub mod csr;
pub mod deployment;
pub mod endpoint;
pub mod error;
pub mod idempotency;
pub mod import;
pub mod issuer;
pub mod job;
pub mod key;
pub mod lineage;
mod migration;
pub mod order;
mod postgres;
pub mod profile;
mod select;
pub mod session;
pub mod setting;
mod sqlite;
pub mod store;
pub mod target;
mod text;
mod tls;
pub mod token;
pub mod tx;
pub mod user;

pub use commits::Made;
pub use error::Error;
pub use select::Page;
pub use store::{Check, Database, Store, StoreKeys};
pub use tx::Tx;
