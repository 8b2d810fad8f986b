//! Tools that need no server of ours. They call `pki` directly and open no database; the network only where a TLS server
//! is to be looked at.

pub mod chain;
pub mod console;
pub mod convert;
pub mod inspect;

mod anchors;
mod destination;
mod explain;
mod input;
mod look;
mod material;
mod passphrase;
pub mod report;
mod served;
mod together;
