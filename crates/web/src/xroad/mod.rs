//! X-Road's management API as a facade: its paths, fields, codes and headers (`XROAD.md` sections 1 and 2) over the
//! same `app` functions that ours calls. It sees the software token `0` and PKCS#11 tokens, and of keys only those
//! for signing, for authentication, or for nothing yet.

pub mod api_keys;
pub mod possible_actions;
pub mod session;
pub mod token_json;
pub mod tokens;
