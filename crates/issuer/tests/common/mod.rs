//! Keys in memory, a request, and randomness for the tests of this crate.

use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair};
use domain::{Moment, Random};
use pki::csr::{CsrRequest, KeyUsageProfile};
use pki::issue::{self, Template};
use pki::name::{Attribute, AttributeType};
use pki::{
    Certificate, Csr, DistinguishedName, KeyAlgorithm, PublicKey, SignError, SignatureScheme, Signer,
    SubjectAltName,
};

/// 2026-11-21T00:00:00Z.
pub const NOW: Moment = Moment(1_795_219_200_000);

/// The system's randomness: nothing here depends on the numbers.
#[derive(Default)]
pub struct Chance(());

impl Random for Chance {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).unwrap();
    }
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// A key in memory that signs certificates and requests.
#[derive(Clone)]
pub struct Key(Arc<Parts>);

struct Parts {
    pair: Pair,
    public_key: PublicKey,
    algorithm: KeyAlgorithm,
}

impl Key {
    /// One of this kind; the same each time within a test, for RSA keys take long.
    pub fn of(algorithm: KeyAlgorithm) -> Self {
        static MADE: Mutex<Vec<Key>> = Mutex::new(Vec::new());
        let mut made = MADE.lock().unwrap();
        if let Some(key) = made.iter().find(|key| key.0.algorithm == algorithm) {
            return key.clone();
        }
        made.push(Self::new(algorithm));
        made[made.len() - 1].clone()
    }

    /// A fresh one.
    pub fn new(algorithm: KeyAlgorithm) -> Self {
        let rsa = |size| Pair::Rsa(RsaKeyPair::generate(size).unwrap());
        let pair = match algorithm {
            KeyAlgorithm::EcP256 => {
                Pair::Ec(EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
            }
            KeyAlgorithm::EcP384 => {
                Pair::Ec(EcdsaKeyPair::generate(&signature::ECDSA_P384_SHA384_ASN1_SIGNING).unwrap())
            }
            KeyAlgorithm::Ed25519 => Pair::Ed25519(Ed25519KeyPair::generate().unwrap()),
            KeyAlgorithm::Rsa2048 => rsa(KeySize::Rsa2048),
            KeyAlgorithm::Rsa3072 => rsa(KeySize::Rsa3072),
            KeyAlgorithm::Rsa4096 => rsa(KeySize::Rsa4096),
        };
        let spki: PublicKeyX509Der<'_> = match &pair {
            Pair::Ec(pair) => pair.public_key().as_der().unwrap(),
            Pair::Ed25519(pair) => pair.public_key().as_der().unwrap(),
            Pair::Rsa(pair) => pair.public_key().as_der().unwrap(),
        };
        let public_key = PublicKey::from_spki_der(spki.as_ref()).unwrap();
        drop(spki);
        Self(Arc::new(Parts { pair, public_key, algorithm }))
    }
}

impl Signer for Key {
    fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    fn algorithm(&self) -> KeyAlgorithm {
        self.0.algorithm
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SignError> {
        assert_eq!(scheme, self.0.algorithm.certificate_scheme());
        let random = SystemRandom::new();
        Ok(match &self.0.pair {
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let padding: &dyn RsaEncoding = &signature::RSA_PKCS1_SHA256;
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut out).unwrap();
                out
            }
        })
    }

    fn sign_digest(&self, scheme: SignatureScheme, _digest: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError::Scheme(scheme))
    }
}

/// A subject of these parts, in this order.
pub fn name(parts: &[(&str, &str)]) -> DistinguishedName {
    let attribute = |(kind, value): &(&str, &str)| {
        let kind = match *kind {
            "C" => AttributeType::Country,
            "O" => AttributeType::Organization,
            "serialNumber" => AttributeType::SerialNumber,
            _ => AttributeType::CommonName,
        };
        Attribute::new(kind, *value)
    };
    DistinguishedName::from_attributes(parts.iter().map(attribute).collect()).unwrap()
}

/// A request for TLS.
pub fn csr(key: &Key, subject: &DistinguishedName, names: &[SubjectAltName]) -> Csr {
    let request = CsrRequest { subject: subject.clone(), names: names.to_vec(), usage: KeyUsageProfile::Tls };
    Csr::parse(&pki::csr::build(&request, key).unwrap()).unwrap()
}

/// The certificate of a template.
pub fn signed(template: &Template, key: &Key) -> Certificate {
    let to_be_signed = issue::to_be_signed(template, key.algorithm().certificate_scheme()).unwrap();
    Certificate::parse(&issue::sign(&to_be_signed, key).unwrap()).unwrap()
}
