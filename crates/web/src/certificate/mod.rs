//! Certificates.

pub mod api;
pub mod export;
pub mod import;
pub mod page;
pub mod upload;
