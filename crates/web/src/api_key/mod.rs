//! API keys: pages; the API is in [`crate::xroad::api_keys`].

pub mod page;
