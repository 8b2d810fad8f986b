//! Tokens, beside what X-Road has of them.

pub mod api;
pub mod page;
