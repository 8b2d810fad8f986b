//! Writes PKCS#12 (RFC 7292): a key with its certificates, or a trust store.
//!
//! Modern files have everything under PBKDF2-HMAC-SHA-256 and AES-256-CBC and a MAC of HMAC-SHA-256: OpenSSL, Java,
//! GnuTLS, NSS and Windows of the last years read them. Legacy ones have 3DES and SHA-1, for devices that read nothing
//! else. Why these iterations: `docs/decisions/own-pkcs7-and-pkcs12.md`.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use aws_lc_rs::hmac;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use const_oid::ObjectIdentifier;
use des::TdesEde3;
use zeroize::Zeroizing;

use super::pbe::{ID_IV, ID_KEY, ID_MAC, Passphrase, Pkcs12Hash, pkcs12_kdf};
use super::pkcs7::{DATA, ENCRYPTED_DATA};
use super::pkcs7_write::{content_info, content_type};
use super::pkcs8_write::{Encrypted, encrypt_octets};
use crate::tlv::{self, tag};
use crate::{Certificate, PrivateKey};

/// Rounds for each of key, certificates and MAC: whoever guesses takes the cheapest of the three, so they cost the
/// same. More than this, or 1,000,000 in all, .NET's loader refuses.
const MODERN_ITERATIONS: NonZeroU32 = NonZeroU32::new(300_000).unwrap();
/// Old devices are slow.
const LEGACY_ITERATIONS: NonZeroU32 = NonZeroU32::new(10_000).unwrap();
/// What is in a trust store is public, and Java reads it at every start: as `keytool` does it.
const TRUST_STORE_ITERATIONS: NonZeroU32 = NonZeroU32::new(10_000).unwrap();

const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA1_AND_3DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");
const SHROUDED_KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERTIFICATE_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const X509_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");
const FRIENDLY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.20");
const LOCAL_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.21");
/// Java's mark of a certificate that is trusted and has no key.
const TRUSTED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113894.746875.1.1");
const ANY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

/// What goes into a file.
pub struct Pkcs12<'a> {
    /// The private key of the leaf, if it goes along.
    pub key: Option<&'a PrivateKey>,
    /// The leaf first, then the rest of its chain.
    pub certificates: &'a [Certificate],
    /// What key and leaf are called; may be empty.
    pub friendly_name: &'a str,
}

/// How a file is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC, MAC of HMAC-SHA-256.
    Modern,
    /// 3DES and a MAC of HMAC-SHA-1, for old devices: whoever has the file can guess much faster.
    Legacy,
}

/// Random octets for one file; never to be used for another.
pub struct Salts {
    key: [u8; 16],
    key_iv: [u8; 16],
    certificates: [u8; 16],
    certificates_iv: [u8; 16],
    mac: [u8; 16],
}

impl Salts {
    /// Has them filled by a source of randomness.
    pub fn new(mut fill: impl FnMut(&mut [u8])) -> Self {
        let mut draw = || {
            let mut octets = [0; 16];
            fill(&mut octets);
            octets
        };
        Self { key: draw(), key_iv: draw(), certificates: draw(), certificates_iv: draw(), mac: draw() }
    }
}

/// Writes a PFX in DER. The passphrase should be ASCII: older `keytool`s and devices fail on others.
///
/// Takes about 0.3 s of CPU: call it on a blocking thread.
pub fn write(
    contents: &Pkcs12<'_>,
    passphrase: &str,
    strength: Strength,
    salts: &Salts,
) -> Zeroizing<Vec<u8>> {
    let protection = Protection::new(passphrase, strength);
    let name = friendly_name(contents.friendly_name);
    let binding = contents.key.map(|key| attribute(LOCAL_KEY_ID, &octets(&key.id().0[..20])));
    let own = || -> Vec<Vec<u8>> { name.iter().chain(&binding).cloned().collect() };
    let certificates: Vec<Vec<u8>> = contents
        .certificates
        .iter()
        .enumerate()
        .map(|(place, one)| certificate_bag(one, if place == 0 { own() } else { Vec::new() }))
        .collect();
    let mut safes = Vec::new();
    if !certificates.is_empty() {
        let safe = protection.encrypt(&sequence_of(&certificates), salts.certificates, salts.certificates_iv);
        safes.push(encrypted_safe(&safe));
    }
    if let Some(key) = contents.key {
        let encrypted = protection.encrypt(key.pkcs8_der(), salts.key, salts.key_iv);
        let bag = bag(SHROUDED_KEY_BAG, &shrouded(&encrypted), own());
        safes.push(content_info(DATA, &octets(&tlv::sequence(&[&bag]))));
    }
    Zeroizing::new(protection.seal(&sequence_of(&safes), &salts.mac))
}

/// Writes certificates that a Java program shall trust, each under its alias. `keytool` lists them as
/// `trustedCertEntry`. Aliases that differ in nothing but capitals are one to Java: later ones get a number.
pub fn trust_store(anchors: &[(String, Certificate)], passphrase: &str, salts: &Salts) -> Vec<u8> {
    let protection =
        Protection { iterations: TRUST_STORE_ITERATIONS, ..Protection::new(passphrase, Strength::Modern) };
    let trusted = attribute(TRUSTED_KEY_USAGE, &oid(ANY_USAGE));
    let mut taken = BTreeSet::new();
    let mut bags = Vec::new();
    for (alias, certificate) in anchors {
        let name = friendly_name(&free_alias(alias, &mut taken));
        let attributes = name.into_iter().chain([trusted.clone()]).collect();
        bags.push(certificate_bag(certificate, attributes));
    }
    let safe = protection.encrypt(&sequence_of(&bags), salts.certificates, salts.certificates_iv);
    protection.seal(&sequence_of(&[encrypted_safe(&safe)]), &salts.mac)
}

/// An alias that is not empty and unlike those before, as Java compares them.
fn free_alias(wished: &str, taken: &mut BTreeSet<String>) -> String {
    let wished = if wished.is_empty() { "trusted" } else { wished };
    let mut alias = wished.to_owned();
    let mut number = 1;
    while !taken.insert(alias.to_lowercase()) {
        number += 1;
        alias = format!("{wished} {number}");
    }
    alias
}

/// How everything in one file is protected.
struct Protection<'a> {
    passphrase: &'a str,
    strength: Strength,
    iterations: NonZeroU32,
}

impl<'a> Protection<'a> {
    fn new(passphrase: &'a str, strength: Strength) -> Self {
        let iterations = match strength {
            Strength::Modern => MODERN_ITERATIONS,
            Strength::Legacy => LEGACY_ITERATIONS,
        };
        Self { passphrase, strength, iterations }
    }

    fn encrypt(&self, plain: &[u8], salt: [u8; 16], iv: [u8; 16]) -> Encrypted {
        match self.strength {
            Strength::Modern => encrypt_octets(plain, self.passphrase, self.iterations, salt, iv),
            Strength::Legacy => self.triple_des(plain, old_salt(&salt)),
        }
    }

    /// pbeWithSHAAnd3-KeyTripleDES-CBC (RFC 7292, appendix C).
    fn triple_des(&self, plain: &[u8], salt: &[u8]) -> Encrypted {
        let (mut key, mut iv) = (Zeroizing::new([0; 24]), [0; 8]);
        self.derive(Pkcs12Hash::Sha1, salt, ID_KEY, key.as_mut_slice());
        self.derive(Pkcs12Hash::Sha1, salt, ID_IV, &mut iv);
        // Whole blocks, and at least one octet of padding; zeros are written over. The key never moves in memory.
        let mut data = vec![0; plain.len() - plain.len() % 8 + 8];
        data[..plain.len()].copy_from_slice(plain);
        // Key and initialisation vector have the lengths of the cipher, and the room for the padding was made above.
        let cipher =
            cbc::Encryptor::<TdesEde3>::new_from_slices(key.as_slice(), &iv).expect("24 and 8 octets");
        cipher.encrypt_padded::<Pkcs7>(&mut data, plain.len()).expect("there is room");
        let parameters = tlv::sequence(&[&octets(salt), &self.rounds()]);
        Encrypted { algorithm: tlv::sequence(&[&oid(SHA1_AND_3DES), &parameters]), data }
    }

    /// Puts the MAC on the parts: the whole file.
    fn seal(&self, authenticated_safe: &[u8], salt: &[u8; 16]) -> Vec<u8> {
        let (hash, digest, algorithm, salt) = match self.strength {
            Strength::Modern => (Pkcs12Hash::Sha256, SHA256, hmac::HMAC_SHA256, &salt[..]),
            Strength::Legacy => (Pkcs12Hash::Sha1, SHA1, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, old_salt(salt)),
        };
        let mut secret = Zeroizing::new(vec![0; hash.output_length()]);
        self.derive(hash, salt, ID_MAC, &mut secret);
        let mac = hmac::sign(&hmac::Key::new(algorithm, &secret), authenticated_safe);
        let digest_info = tlv::sequence(&[
            &tlv::sequence(&[&oid(digest), &tlv::tlv(tag::NULL, &[])]),
            &octets(mac.as_ref()),
        ]);
        tlv::sequence(&[
            &tlv::unsigned_integer(&[3]),
            &content_info(DATA, &octets(authenticated_safe)),
            &tlv::sequence(&[&digest_info, &octets(salt), &self.rounds()]),
        ])
    }

    fn derive(&self, hash: Pkcs12Hash, salt: &[u8], id: u8, out: &mut [u8]) {
        let passphrase = Passphrase::new(self.passphrase);
        pkcs12_kdf(hash, passphrase.bmp(), salt, self.iterations.get(), id, out);
    }

    fn rounds(&self) -> Vec<u8> {
        tlv::unsigned_integer(&self.iterations.get().to_be_bytes())
    }
}

/// Old programs know no other length.
fn old_salt(salt: &[u8; 16]) -> &[u8] {
    &salt[..8]
}

/// EncryptedData with its EncryptedContentInfo (RFC 5652, sections 8 and 6.1).
fn encrypted_safe(encrypted: &Encrypted) -> Vec<u8> {
    let data = tlv::tlv(tag::context(0), &[&encrypted.data]);
    let info = tlv::sequence(&[&content_type(DATA), &encrypted.algorithm, &data]);
    content_info(ENCRYPTED_DATA, &tlv::sequence(&[&tlv::unsigned_integer(&[0]), &info]))
}

/// EncryptedPrivateKeyInfo (RFC 5958, section 3).
fn shrouded(encrypted: &Encrypted) -> Vec<u8> {
    tlv::sequence(&[&encrypted.algorithm, &octets(&encrypted.data)])
}

fn certificate_bag(certificate: &Certificate, attributes: Vec<Vec<u8>>) -> Vec<u8> {
    let explicit = tlv::tlv(tag::constructed(0), &[&octets(certificate.der())]);
    bag(CERTIFICATE_BAG, &tlv::sequence(&[&oid(X509_CERTIFICATE), &explicit]), attributes)
}

/// SafeBag (RFC 7292, 4.2). DER wants the attributes in order.
fn bag(kind: ObjectIdentifier, value: &[u8], mut attributes: Vec<Vec<u8>>) -> Vec<u8> {
    attributes.sort();
    let attributes =
        if attributes.is_empty() { Vec::new() } else { tlv::tlv(tag::SET, &[&attributes.concat()]) };
    tlv::sequence(&[&oid(kind), &tlv::tlv(tag::constructed(0), &[value]), &attributes])
}

fn attribute(kind: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    tlv::sequence(&[&oid(kind), &tlv::tlv(tag::SET, &[value])])
}

/// `None` when it is empty.
fn friendly_name(name: &str) -> Option<Vec<u8>> {
    let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
    (!units.is_empty()).then(|| attribute(FRIENDLY_NAME, &tlv::tlv(tag::BMP_STRING, &[&units])))
}

fn sequence_of(elements: &[Vec<u8>]) -> Vec<u8> {
    tlv::sequence(&[&elements.concat()])
}

fn octets(content: &[u8]) -> Vec<u8> {
    tlv::tlv(tag::OCTET_STRING, &[content])
}

fn oid(identifier: ObjectIdentifier) -> Vec<u8> {
    tlv::oid(identifier.as_bytes())
}
