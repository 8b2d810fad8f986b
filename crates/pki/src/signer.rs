//! Everything that signs does it through this trait: CSRs, our CA, ACME accounts, the edge's handshakes.

use crate::{KeyAlgorithm, PublicKey, SignatureScheme};

/// Why a signature was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The key cannot sign in this way.
    #[error("the key cannot sign with {0:?}")]
    Scheme(SignatureScheme),
    /// The token that holds the key is logged out, locked or gone.
    #[error("the token that holds the key is not available")]
    TokenUnavailable,
    /// The token or library failed.
    #[error("signing failed")]
    Failed,
}

/// A private key that signs, wherever it lives. Synchronous: call it on a blocking thread.
pub trait Signer: Send + Sync {
    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// The kind of key.
    fn algorithm(&self) -> KeyAlgorithm;

    /// Signs a message; the scheme's digest is computed inside.
    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SignError>;

    /// Signs a digest made by the caller, for messages too large to hold. Ed25519 cannot.
    fn sign_digest(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, SignError>;
}
