//! What can go wrong with a key in a token.

use domain::key::Exportable;
use domain::{Permission, id::TokenId};
use pki::KeyId;

/// Why a token did not do what was asked. Never holds anything secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token was logged out; log it in and try again.
    #[error("the token {token} is logged out")]
    LoggedOut {
        /// Which token.
        token: TokenId,
    },
    /// The key belongs to another token.
    #[error("the key {key} is held by the token {token}")]
    Elsewhere {
        /// Which key.
        key: KeyId,
        /// Who holds it.
        token: TokenId,
    },
    /// The stored row was changed or damaged, or was sealed with another data key.
    #[error("the sealed key {key} cannot be opened: it was changed, moved or damaged")]
    Corrupt {
        /// Which key.
        key: KeyId,
    },
    /// The key may not leave in this way.
    #[error("the key {key} may not leave its token like this (exportable: {exportable})")]
    NotExportable {
        /// Which key.
        key: KeyId,
        /// When it may leave.
        exportable: Exportable,
    },
    /// When a key may leave can be lowered only.
    #[error("the key {key} cannot be made easier to take out than it is (exportable: {exportable})")]
    Raised {
        /// Which key.
        key: KeyId,
        /// When it may leave.
        exportable: Exportable,
    },
    /// The permission that was proven has nothing to do with this use of a private key.
    #[error("the permission {permission} does not allow this use of a private key")]
    WrongPermission {
        /// What was proven.
        permission: Permission,
    },
    /// The library made no key.
    #[error("the key could not be generated")]
    Generation,
}
