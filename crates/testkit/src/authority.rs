//! Keys in memory, a CA and its certificates.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use pki::issue::{self, Purpose, Template};
use pki::name::{Attribute, AttributeType};
use pki::{
    Certificate, DistinguishedName, KeyAlgorithm, PrivateKey, PublicKey, SignError, SignatureScheme, Signer,
    SubjectAltName, UnixTime,
};

/// A key in memory: P-256 or RSA 2048.
pub struct TestSigner {
    pair: Pair,
    public_key: PublicKey,
    pkcs8: Vec<u8>,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl TestSigner {
    /// A new P-256 key.
    pub fn ec() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let pkcs8 = pair.to_pkcs8v1().unwrap().as_ref().to_vec();
        Self::new(Pair::Ec(pair), pkcs8)
    }

    /// A new RSA key of 2048 bits.
    pub fn rsa() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref().to_vec();
        Self::new(Pair::Rsa(pair), pkcs8)
    }

    fn new(pair: Pair, pkcs8: Vec<u8>) -> Self {
        let spki: PublicKeyX509Der<'_> = match &pair {
            Pair::Ec(pair) => pair.public_key().as_der().unwrap(),
            Pair::Rsa(pair) => pair.public_key().as_der().unwrap(),
        };
        let public_key = PublicKey::from_spki_der(spki.as_ref()).unwrap();
        Self { pair, public_key, pkcs8 }
    }

    /// The private key itself.
    pub fn private_key(&self) -> PrivateKey {
        PrivateKey::from_pkcs8_der(&self.pkcs8).unwrap()
    }

    /// The private key as PKCS#8 in DER.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

impl Signer for TestSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn algorithm(&self) -> KeyAlgorithm {
        self.public_key.algorithm().unwrap()
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => {
                assert_eq!(scheme, SignatureScheme::EcdsaP256Sha256);
                Ok(pair.sign(&random, message).unwrap().as_ref().to_vec())
            }
            Pair::Rsa(pair) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(padding(scheme), &random, message, &mut out).unwrap();
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
        SignatureScheme::RsaPkcs1Sha256 => &RSA_PKCS1_SHA256,
        SignatureScheme::RsaPkcs1Sha384 => &RSA_PKCS1_SHA384,
        SignatureScheme::RsaPkcs1Sha512 => &RSA_PKCS1_SHA512,
        SignatureScheme::RsaPssSha256 => &RSA_PSS_SHA256,
        SignatureScheme::RsaPssSha384 => &RSA_PSS_SHA384,
        SignatureScheme::RsaPssSha512 => &RSA_PSS_SHA512,
        other => panic!("{other:?} is not for RSA"),
    }
}

/// A CA: a root that nobody sends, and the intermediate that signs.
pub struct Authority {
    signer: TestSigner,
    /// The one that signs.
    pub intermediate: Certificate,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one, with keys of its own.
    pub fn new() -> Self {
        let (root, signer) = (TestSigner::ec(), TestSigner::ec());
        let purpose = Purpose::Intermediate { path_len: 0 };
        let template = template("Test intermediate", "Test root", &signer.public_key, (&[], purpose));
        let intermediate = signed(&template, &root);
        Self { signer, intermediate }
    }

    /// A certificate of this key for these names.
    pub fn issue(&self, names: &[&str], key: &TestSigner) -> Certificate {
        signed(&leaf(names, key), &self.signer)
    }

    /// The same, which says that the intermediate can be had at this address.
    pub fn issue_with_address(&self, names: &[&str], key: &TestSigner, address: &str) -> Certificate {
        let template = Template { ca_issuers_url: Some(address.to_owned()), ..leaf(names, key) };
        signed(&template, &self.signer)
    }
}

fn leaf(names: &[&str], key: &TestSigner) -> Template {
    template("", "Test intermediate", &key.public_key, (names, Purpose::TlsServer))
}

fn template(subject: &str, issuer: &str, key: &PublicKey, what: (&[&str], Purpose)) -> Template {
    static SERIAL: AtomicU32 = AtomicU32::new(1);
    Template {
        serial: SERIAL.fetch_add(1, Ordering::Relaxed).to_be_bytes().to_vec(),
        issuer: common_name(issuer),
        subject: common_name(subject),
        public_key: key.clone(),
        // 2020 to 2100: the tests ask what is served, not when.
        not_before: UnixTime(1_577_836_800),
        not_after: UnixTime(4_102_444_800),
        names: what.0.iter().map(|name| SubjectAltName::parse(name).unwrap()).collect(),
        purpose: what.1,
        authority_key_id: None,
        ca_issuers_url: None,
    }
}

fn signed(template: &Template, signer: &TestSigner) -> Certificate {
    let tbs = issue::to_be_signed(template, signer.algorithm().certificate_scheme()).unwrap();
    Certificate::parse(&issue::sign(&tbs, signer).unwrap()).unwrap()
}

fn common_name(name: &str) -> DistinguishedName {
    // Empty values are skipped.
    DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, name)]).unwrap()
}
