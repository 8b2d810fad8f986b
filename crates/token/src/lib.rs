//! Where private keys live and sign: sealed with their token's data key, opened only while the token is logged in.
//!
//! It must not know the store, issuers, targets or pages: sealed keys and key slots come and go as values. It neither
//! counts wrong PINs nor limits how many derivations run at once; `app` does both.
//!
//! Start reading at [`Session`], then [`slot`], then [`Sessions`].
//!
//! PKCS#11 will stand in `pkcs11/` beside `software/`. What [`Session`] does (generate, import, open a signer, export)
//! becomes the trait `Token` then: with one kind of token it would only repeat it.

mod error;
mod instance_key;
mod sessions;
mod software;

pub use error::TokenError;
pub use instance_key::{InstanceKey, label};
pub use sessions::Sessions;
pub use software::data_key::{DataKey, Memory};
pub use software::session::Session;
pub use software::slot;
