//! Tools that need no server. They call `pki` directly, and open neither a network nor a database.

pub mod chain;
pub mod console;
pub mod inspect;

mod input;
pub mod report;
