//! Targets and their kinds.

pub mod api;
pub mod page;
