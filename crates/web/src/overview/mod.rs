//! The overview: what needs a person, what ends when.

pub mod api;
pub mod page;
