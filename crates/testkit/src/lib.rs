//! What tests share: a clock that is set, randomness that repeats, a CA, and fresh databases on both engines.
//!
//! For tests only, where a panic with its reason is the right answer. It must not know `app` or `web`, or their unit
//! tests get two copies of one type.
//!
//! Start reading at [`fresh_store`].

mod authority;
mod chance;
mod clock;
mod database;

pub use authority::{Authority, TestSigner};
pub use chance::SeededRandom;
pub use clock::TestClock;
pub use database::{FreshStore, fresh_store, fresh_stores, store_keys};
