//! Between rustls, which asks for signatures in a handshake, and our signers, which make them.
//!
//! Keys of software tokens sign in a fraction of a millisecond (RSA 4096: five), so the handshake signs where it
//! runs. A signer that waits for a device needs a runtime of its own for the whole rest of the handshake; that comes
//! with PKCS#11, in `passthrough`, between the ClientHello and the handshake.

use std::fmt;
use std::sync::Arc;

use domain::Signers;
use domain::snapshot::Served;
use pki::{KeyAlgorithm, KeyId, SignError};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;

/// The certificate with a key that signs through `signers`.
pub(crate) fn certified_key(served: &Served, signers: Arc<dyn Signers>) -> CertifiedKey {
    let chain = served.chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let key = HandshakeKey { key: served.key, algorithm: served.algorithm, signers };
    CertifiedKey::new(chain, Arc::new(key))
}

/// Whether a client that offers these schemes can verify a signature of such a key.
pub(crate) fn can_verify(offered: &[rustls::SignatureScheme], algorithm: KeyAlgorithm) -> bool {
    first_offered(offered, algorithm).is_some()
}

fn first_offered(
    offered: &[rustls::SignatureScheme],
    algorithm: KeyAlgorithm,
) -> Option<pki::SignatureScheme> {
    let mut ours = algorithm.schemes().iter().copied();
    ours.find(|scheme| offered.contains(&tls_scheme(*scheme)))
}

/// The code point of RFC 8446, 4.2.3.
fn tls_scheme(scheme: pki::SignatureScheme) -> rustls::SignatureScheme {
    use pki::SignatureScheme as Ours;
    use rustls::SignatureScheme as Tls;
    match scheme {
        Ours::EcdsaP256Sha256 => Tls::ECDSA_NISTP256_SHA256,
        Ours::EcdsaP384Sha384 => Tls::ECDSA_NISTP384_SHA384,
        Ours::Ed25519 => Tls::ED25519,
        Ours::RsaPkcs1Sha256 => Tls::RSA_PKCS1_SHA256,
        Ours::RsaPkcs1Sha384 => Tls::RSA_PKCS1_SHA384,
        Ours::RsaPkcs1Sha512 => Tls::RSA_PKCS1_SHA512,
        Ours::RsaPssSha256 => Tls::RSA_PSS_SHA256,
        Ours::RsaPssSha384 => Tls::RSA_PSS_SHA384,
        Ours::RsaPssSha512 => Tls::RSA_PSS_SHA512,
    }
}

/// A key that is opened anew for each handshake, so that a log-out takes effect at once.
struct HandshakeKey {
    key: KeyId,
    algorithm: KeyAlgorithm,
    signers: Arc<dyn Signers>,
}

impl fmt::Debug for HandshakeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandshakeKey({})", self.key)
    }
}

impl rustls::sign::SigningKey for HandshakeKey {
    fn choose_scheme(&self, offered: &[rustls::SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
        let scheme = first_offered(offered, self.algorithm)?;
        let signer = self.signers.signer(&self.key)?;
        Some(Box::new(HandshakeSigner { scheme, signer }))
    }

    fn algorithm(&self) -> rustls::SignatureAlgorithm {
        match self.algorithm {
            KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 => rustls::SignatureAlgorithm::ECDSA,
            KeyAlgorithm::Ed25519 => rustls::SignatureAlgorithm::ED25519,
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                rustls::SignatureAlgorithm::RSA
            }
        }
    }
}

/// One signature of one handshake.
struct HandshakeSigner {
    scheme: pki::SignatureScheme,
    signer: Arc<dyn pki::Signer>,
}

impl fmt::Debug for HandshakeSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandshakeSigner({:?})", self.scheme)
    }
}

impl rustls::sign::Signer for HandshakeSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let failed = |error: SignError| rustls::Error::General(error.to_string());
        self.signer.sign(self.scheme, message).map_err(failed)
    }

    fn scheme(&self) -> rustls::SignatureScheme {
        tls_scheme(self.scheme)
    }
}

#[cfg(test)]
mod tests {
    use rustls::SignatureScheme as Tls;

    use super::*;

    #[test]
    fn a_client_is_asked_what_it_can_verify() {
        let modern = [Tls::ECDSA_NISTP256_SHA256, Tls::RSA_PSS_SHA512];
        assert!(can_verify(&modern, KeyAlgorithm::EcP256));
        assert!(!can_verify(&modern, KeyAlgorithm::EcP384));
        assert!(!can_verify(&modern, KeyAlgorithm::Ed25519));
        assert_eq!(first_offered(&modern, KeyAlgorithm::Rsa2048), Some(pki::SignatureScheme::RsaPssSha512));
        let old = [Tls::RSA_PKCS1_SHA256, Tls::RSA_PKCS1_SHA1];
        assert_eq!(first_offered(&old, KeyAlgorithm::Rsa4096), Some(pki::SignatureScheme::RsaPkcs1Sha256));
        assert!(!can_verify(&[], KeyAlgorithm::EcP256));
    }
}
