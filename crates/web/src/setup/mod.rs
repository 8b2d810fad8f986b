//! The first start: pages.

pub mod page;
