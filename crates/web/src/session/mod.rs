//! Log-in and log-out: pages; the API is in [`crate::xroad::session`].

pub mod page;
