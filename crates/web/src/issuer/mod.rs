//! Issuers and profiles.

pub mod api;
pub mod page;
