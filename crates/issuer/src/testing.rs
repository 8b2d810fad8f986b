//! What the tests of this crate share: keys, orders, a CA.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use domain::issuer::Profile;
use domain::{Moment, Random};
use pki::csr::{CsrRequest, KeyUsageProfile};
use pki::issue::{self, Template};
use pki::name::{Attribute, AttributeType};
use pki::{
    Certificate, Csr, DistinguishedName, KeyAlgorithm, PublicKey, SignError, SignatureScheme, Signer,
    SubjectAltName,
};

use crate::authority::{intermediate_template, root_template};
use crate::{Answer, AuthorityCertificates, IssuerError, Prepared, Wanted};

/// 2026-11-21T00:00:00.250Z.
pub(crate) const NOW: Moment = Moment(1_795_219_200_250);

/// Numbers that never repeat within a test and are the same in each run (splitmix64).
pub(crate) struct Counting(AtomicU64);

impl Counting {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(1))
    }
}

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            part.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes()[..part.len()]);
        }
    }
}

/// A P-256 key in memory.
pub(crate) struct TestSigner(EcdsaKeyPair, PublicKey);

/// A fresh key.
pub(crate) fn signer() -> TestSigner {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap().as_ref().to_vec();
    TestSigner(pair, PublicKey::from_spki_der(&spki).unwrap())
}

impl Signer for TestSigner {
    fn public_key(&self) -> &PublicKey {
        &self.1
    }

    fn algorithm(&self) -> KeyAlgorithm {
        KeyAlgorithm::EcP256
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SignError> {
        assert_eq!(scheme, SignatureScheme::EcdsaP256Sha256);
        Ok(self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec())
    }

    fn sign_digest(&self, scheme: SignatureScheme, _digest: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError::Scheme(scheme))
    }
}

pub(crate) fn public_key(signer: &TestSigner) -> PublicKey {
    signer.public_key().clone()
}

pub(crate) fn name(common_name: &str) -> DistinguishedName {
    let attributes = vec![Attribute::new(AttributeType::CommonName, common_name)];
    DistinguishedName::from_attributes(attributes).unwrap()
}

pub(crate) fn csr(key: &TestSigner, subject: &DistinguishedName, names: &[&str]) -> Csr {
    let names = names.iter().map(|name| SubjectAltName::parse(name).unwrap()).collect();
    let request = CsrRequest { subject: subject.clone(), names, usage: KeyUsageProfile::Tls };
    Csr::parse(&pki::csr::build(&request, key).unwrap()).unwrap()
}

pub(crate) fn signed(template: &Template, signer: &TestSigner) -> Certificate {
    let intent = issue::to_be_signed(template, SignatureScheme::EcdsaP256Sha256).unwrap();
    Certificate::parse(&issue::sign(&intent, signer).unwrap()).unwrap()
}

pub(crate) fn prepared(answer: Result<Answer, IssuerError>) -> Prepared {
    match answer {
        Ok(Answer::Prepared(prepared)) => prepared,
        Ok(Answer::WaitForPerson(what)) => panic!("it waits: {what}"),
        Err(error) => panic!("refused: {error}"),
    }
}

/// What [`Wanted`] borrows.
pub(crate) struct Order {
    pub(crate) csr: Csr,
    pub(crate) subject: DistinguishedName,
    pub(crate) names: Vec<SubjectAltName>,
    pub(crate) profile: Profile,
    pub(crate) lifetime: i64,
    pub(crate) now: Moment,
}

impl Order {
    /// A TLS certificate for `a.example`, for 90 days.
    pub(crate) fn of(key: &TestSigner) -> Self {
        let subject = name("a.example");
        let profile = Profile::built_in().remove(0);
        let csr = csr(key, &subject, &["a.example"]);
        let names = vec![SubjectAltName::Dns("a.example".into())];
        Self { csr, subject, names, lifetime: profile.lifetime, profile, now: NOW }
    }

    pub(crate) fn wanted(&self) -> Wanted<'_> {
        Wanted {
            csr: &self.csr,
            subject: &self.subject,
            names: &self.names,
            profile: &self.profile,
            lifetime: self.lifetime,
            now: self.now,
        }
    }
}

/// A CA with the key that signs leaves.
pub(crate) struct Authority {
    pub(crate) certificates: AuthorityCertificates,
    pub(crate) key: TestSigner,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let (root_key, key, random) = (signer(), signer(), Counting::new());
        let template = root_template("Test", public_key(&root_key), NOW, &random).unwrap();
        let root = signed(&template, &root_key);
        let template = intermediate_template("Test", public_key(&key), &root, NOW, &random).unwrap();
        let intermediate = signed(&template, &root_key);
        let ca_issuers_url = Some("http://ca.example/intermediate.crt".to_owned());
        Self { certificates: AuthorityCertificates { root, intermediate, ca_issuers_url }, key }
    }
}

pub(crate) fn unrelated_root() -> Certificate {
    let key = signer();
    signed(&root_template("Other", public_key(&key), NOW, &Counting::new()).unwrap(), &key)
}
