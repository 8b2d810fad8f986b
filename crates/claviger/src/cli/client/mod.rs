//! The nouns of the command line: thin clients of the server's API.
//!
//! Nothing is decided here. A verb turns its options into one request, and the answer into a table for people or,
//! with `--json`, into exactly what the API answered. Start reading at [`connection`], then [`session`], then any noun.

pub mod api_key;
pub mod audit;
pub mod certificate;
pub mod connection;
pub mod csr;
pub mod issuer;
pub mod job;
pub mod key;
pub mod lineage;
pub mod support;
pub mod target;
pub mod token;
pub mod user;

mod api;
mod detail;
mod follow;
mod form;
mod list;
mod material;
mod profile;
mod refused;
mod server;
mod session;
mod table;
mod trust;
