//! What may be sent to support, and what may not.

pub mod api;
pub mod page;
