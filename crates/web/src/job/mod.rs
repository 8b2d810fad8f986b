//! Jobs and their progress.

pub mod api;
pub mod page;
