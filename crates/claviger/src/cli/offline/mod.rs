//! Tools that need no server of ours. They call `pki` directly and open no database; the network only where a TLS server
//! is to be looked at, or where what is missing in a chain shall be fetched.

pub mod chain;
pub mod console;
pub mod convert;
pub mod inspect;

mod anchors;
mod destination;
mod explain;
mod fetch;
mod input;
mod look;
mod material;
mod passphrase;
pub mod report;
mod served;
mod together;
