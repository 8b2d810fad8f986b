//! Private keys of every usage.

pub mod api;
pub mod page;
