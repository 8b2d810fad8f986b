//! Keys that sign, for the tests of this crate.
#![expect(clippy::disallowed_methods, reason = "tests need fresh keys; the crate itself makes none")]

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair};
use zeroize::Zeroizing;

use crate::{KeyAlgorithm, PublicKey, SignError, SignatureScheme, Signer};

enum Pair {
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// A key in memory that signs with every scheme of its kind.
pub(crate) struct TestSigner {
    pair: Pair,
    algorithm: KeyAlgorithm,
    public_key: PublicKey,
}

/// A fresh private key as PKCS#8 v1; RSA keys are made once and shared, because they take long.
pub(crate) fn pkcs8(algorithm: KeyAlgorithm) -> Zeroizing<Vec<u8>> {
    static RSA: [OnceLock<Vec<u8>>; 3] = [const { OnceLock::new() }; 3];
    let rsa = |slot: usize, size| {
        RSA[slot].get_or_init(|| {
            let pair = RsaKeyPair::generate(size).unwrap();
            AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref().to_vec()
        })
    };
    let ec = |algorithm| EcdsaKeyPair::generate(algorithm).unwrap().to_pkcs8v1().unwrap().as_ref().to_vec();
    Zeroizing::new(match algorithm {
        KeyAlgorithm::EcP256 => ec(&signature::ECDSA_P256_SHA256_ASN1_SIGNING),
        KeyAlgorithm::EcP384 => ec(&signature::ECDSA_P384_SHA384_ASN1_SIGNING),
        KeyAlgorithm::Ed25519 => Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref().to_vec(),
        KeyAlgorithm::Rsa2048 => rsa(0, KeySize::Rsa2048).clone(),
        KeyAlgorithm::Rsa3072 => rsa(1, KeySize::Rsa3072).clone(),
        KeyAlgorithm::Rsa4096 => rsa(2, KeySize::Rsa4096).clone(),
    })
}

/// A signer with a key from [`pkcs8`].
pub(crate) fn signer(algorithm: KeyAlgorithm) -> TestSigner {
    let pkcs8 = pkcs8(algorithm);
    let ec = |kind| EcdsaKeyPair::from_pkcs8(kind, &pkcs8).unwrap();
    let pair = match algorithm {
        KeyAlgorithm::EcP256 => Pair::Ec(ec(&signature::ECDSA_P256_SHA256_ASN1_SIGNING)),
        KeyAlgorithm::EcP384 => Pair::Ec(ec(&signature::ECDSA_P384_SHA384_ASN1_SIGNING)),
        KeyAlgorithm::Ed25519 => Pair::Ed25519(Ed25519KeyPair::from_pkcs8(&pkcs8).unwrap()),
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
            Pair::Rsa(RsaKeyPair::from_pkcs8(&pkcs8).unwrap())
        }
    };
    let spki: PublicKeyX509Der<'_> = match &pair {
        Pair::Ec(pair) => pair.public_key().as_der().unwrap(),
        Pair::Ed25519(pair) => pair.public_key().as_der().unwrap(),
        Pair::Rsa(pair) => pair.public_key().as_der().unwrap(),
    };
    let public_key = PublicKey::from_spki_der(spki.as_ref()).unwrap();
    drop(spki);
    TestSigner { pair, algorithm, public_key }
}

impl Signer for TestSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SignError> {
        if !self.algorithm.schemes().contains(&scheme) {
            return Err(SignError::Scheme(scheme));
        }
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => {
                Ok(pair.sign(&random, message).map_err(|_| SignError::Failed)?.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(padding(scheme), &random, message, &mut out).map_err(|_| SignError::Failed)?;
                Ok(out)
            }
        }
    }

    fn sign_digest(&self, scheme: SignatureScheme, _digest: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError::Scheme(scheme))
    }
}

fn padding(scheme: SignatureScheme) -> &'static dyn RsaEncoding {
    match scheme {
        SignatureScheme::RsaPkcs1Sha256 => &signature::RSA_PKCS1_SHA256,
        SignatureScheme::RsaPkcs1Sha384 => &signature::RSA_PKCS1_SHA384,
        SignatureScheme::RsaPkcs1Sha512 => &signature::RSA_PKCS1_SHA512,
        SignatureScheme::RsaPssSha256 => &signature::RSA_PSS_SHA256,
        SignatureScheme::RsaPssSha384 => &signature::RSA_PSS_SHA384,
        SignatureScheme::RsaPssSha512 => &signature::RSA_PSS_SHA512,
        SignatureScheme::EcdsaP256Sha256 | SignatureScheme::EcdsaP384Sha384 | SignatureScheme::Ed25519 => {
            panic!("not an RSA scheme")
        }
    }
}
