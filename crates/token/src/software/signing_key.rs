//! An opened private key that signs, until its token is logged out.

use std::sync::{PoisonError, RwLock};

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair,
};
use pki::{KeyAlgorithm, PublicKey, SignError, SignatureScheme, Signer};
use zeroize::Zeroizing;

/// A key pair of the library, which wipes its memory when dropped.
pub(super) enum Pair {
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Pair {
    /// Makes a new key, from the library's own source of randomness.
    pub(super) fn generate(algorithm: KeyAlgorithm) -> Result<Self, Unspecified> {
        match algorithm {
            KeyAlgorithm::EcP256 => EcdsaKeyPair::generate(P256).map(Self::Ec),
            KeyAlgorithm::EcP384 => EcdsaKeyPair::generate(P384).map(Self::Ec),
            KeyAlgorithm::Ed25519 => Ed25519KeyPair::generate().map(Self::Ed25519),
            KeyAlgorithm::Rsa2048 => RsaKeyPair::generate(KeySize::Rsa2048).map(Self::Rsa),
            KeyAlgorithm::Rsa3072 => RsaKeyPair::generate(KeySize::Rsa3072).map(Self::Rsa),
            KeyAlgorithm::Rsa4096 => RsaKeyPair::generate(KeySize::Rsa4096).map(Self::Rsa),
        }
    }

    /// Reads PKCS#8 that was sealed here. It need not be checked again: the seal says that we wrote it.
    pub(super) fn from_pkcs8(algorithm: KeyAlgorithm, pkcs8: &[u8]) -> Result<Self, Unspecified> {
        let ec = |curve| EcdsaKeyPair::from_private_key_der(curve, pkcs8).map(Self::Ec);
        let pair = match algorithm {
            KeyAlgorithm::EcP256 => ec(P256),
            KeyAlgorithm::EcP384 => ec(P384),
            KeyAlgorithm::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map(Self::Ed25519),
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                RsaKeyPair::from_pkcs8(pkcs8).map(Self::Rsa)
            }
        };
        pair.map_err(|_| Unspecified)
    }

    /// The private key as PKCS#8 v1.
    pub(super) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        let copy = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
        match self {
            Self::Ec(pair) => pair.to_pkcs8v1().map(|document| copy(document.as_ref())),
            Self::Ed25519(pair) => pair.to_pkcs8v1().map(|document| copy(document.as_ref())),
            Self::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map(|document| copy(document.as_ref())),
        }
    }

    /// The public half as SubjectPublicKeyInfo.
    pub(super) fn spki(&self) -> Result<Vec<u8>, Unspecified> {
        let der = match self {
            Self::Ec(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key())?,
            Self::Ed25519(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key())?,
            Self::Rsa(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key())?,
        };
        Ok(der.as_ref().to_vec())
    }
}

const P256: &EcdsaSigningAlgorithm = &signature::ECDSA_P256_SHA256_ASN1_SIGNING;
const P384: &EcdsaSigningAlgorithm = &signature::ECDSA_P384_SHA384_ASN1_SIGNING;

/// A [`Signer`] over a key pair in memory.
pub(super) struct SigningKey {
    public_key: PublicKey,
    algorithm: KeyAlgorithm,
    /// Emptied when the token is logged out, whoever still holds this signer.
    pair: RwLock<Option<Pair>>,
}

impl SigningKey {
    pub(super) fn new(pair: Pair, public_key: PublicKey, algorithm: KeyAlgorithm) -> Self {
        Self { public_key, algorithm, pair: RwLock::new(Some(pair)) }
    }

    /// Wipes the key, after signatures that are being made.
    pub(super) fn close(&self) {
        *self.pair.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn with_pair(
        &self,
        scheme: SignatureScheme,
        make: impl FnOnce(&Pair) -> Result<Vec<u8>, SignError>,
    ) -> Result<Vec<u8>, SignError> {
        if !self.algorithm.schemes().contains(&scheme) {
            return Err(SignError::Scheme(scheme));
        }
        let pair = self.pair.read().unwrap_or_else(PoisonError::into_inner);
        make(pair.as_ref().ok_or(SignError::TokenUnavailable)?)
    }
}

impl Signer for SigningKey {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SignError> {
        // AWS-LC takes its own randomness; the argument is there for likeness with another library.
        let random = SystemRandom::new();
        self.with_pair(scheme, |pair| match pair {
            Pair::Ec(pair) => {
                let made = pair.sign(&random, message).map_err(|_| SignError::Failed)?;
                Ok(made.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => {
                let made = pair.try_sign(message).map_err(|_| SignError::Failed)?;
                Ok(made.as_ref().to_vec())
            }
            Pair::Rsa(pair) => {
                let (padding, _) = rsa(scheme).ok_or(SignError::Scheme(scheme))?;
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut out).map_err(|_| SignError::Failed)?;
                Ok(out)
            }
        })
    }

    fn sign_digest(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, SignError> {
        self.with_pair(scheme, |pair| match pair {
            Pair::Ec(pair) => {
                let algorithm = ec_digest(scheme).ok_or(SignError::Scheme(scheme))?;
                let made = pair.sign_digest(&imported(digest, algorithm)?).map_err(|_| SignError::Failed)?;
                Ok(made.as_ref().to_vec())
            }
            Pair::Ed25519(_) => Err(SignError::Scheme(scheme)),
            Pair::Rsa(pair) => {
                let (padding, algorithm) = rsa(scheme).ok_or(SignError::Scheme(scheme))?;
                let mut out = vec![0; pair.public_modulus_len()];
                let digest = imported(digest, algorithm)?;
                pair.sign_digest(padding, &digest, &mut out).map_err(|_| SignError::Failed)?;
                Ok(out)
            }
        })
    }
}

/// Fails when the digest has not the length of its algorithm.
fn imported(digest: &[u8], algorithm: &'static digest::Algorithm) -> Result<Digest, SignError> {
    Digest::import_less_safe(digest, algorithm).map_err(|_| SignError::Failed)
}

fn ec_digest(scheme: SignatureScheme) -> Option<&'static digest::Algorithm> {
    match scheme {
        SignatureScheme::EcdsaP256Sha256 => Some(&digest::SHA256),
        SignatureScheme::EcdsaP384Sha384 => Some(&digest::SHA384),
        SignatureScheme::Ed25519
        | SignatureScheme::RsaPkcs1Sha256
        | SignatureScheme::RsaPkcs1Sha384
        | SignatureScheme::RsaPkcs1Sha512
        | SignatureScheme::RsaPssSha256
        | SignatureScheme::RsaPssSha384
        | SignatureScheme::RsaPssSha512 => None,
    }
}

fn rsa(scheme: SignatureScheme) -> Option<(&'static dyn RsaEncoding, &'static digest::Algorithm)> {
    match scheme {
        SignatureScheme::RsaPkcs1Sha256 => Some((&signature::RSA_PKCS1_SHA256, &digest::SHA256)),
        SignatureScheme::RsaPkcs1Sha384 => Some((&signature::RSA_PKCS1_SHA384, &digest::SHA384)),
        SignatureScheme::RsaPkcs1Sha512 => Some((&signature::RSA_PKCS1_SHA512, &digest::SHA512)),
        SignatureScheme::RsaPssSha256 => Some((&signature::RSA_PSS_SHA256, &digest::SHA256)),
        SignatureScheme::RsaPssSha384 => Some((&signature::RSA_PSS_SHA384, &digest::SHA384)),
        SignatureScheme::RsaPssSha512 => Some((&signature::RSA_PSS_SHA512, &digest::SHA512)),
        SignatureScheme::EcdsaP256Sha256 | SignatureScheme::EcdsaP384Sha384 | SignatureScheme::Ed25519 => {
            None
        }
    }
}
