//! Certificate requests.

pub mod api;
pub mod page;
