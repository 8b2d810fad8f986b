//! Certificates as no CA would make them: every field is raw DER, and the signature is right all the same.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

/// One DER element.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=0x7f => out.push(short as u8),
        long => {
            let octets: Vec<u8> = long.to_be_bytes().into_iter().skip_while(|octet| *octet == 0).collect();
            out.push(0x80 | octets.len() as u8);
            out.extend(octets);
        }
    }
    out.extend(content);
    out
}

/// A SEQUENCE.
pub fn seq(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

/// A name with one attribute, a common name in UTF-8.
pub fn name(common_name: &str) -> Vec<u8> {
    let attribute = seq(&[&[6, 3, 0x55, 4, 3], &tlv(0x0c, &[common_name.as_bytes()])]);
    seq(&[&tlv(0x31, &[&attribute])])
}

/// An extension below 2.5.29; `critical` is the DER of the flag, or nothing.
pub fn extension(number: u8, critical: &[u8], value: &[u8]) -> Vec<u8> {
    seq(&[&[6, 3, 0x55, 0x1d, number], critical, &tlv(4, &[value])])
}

/// The flag of a critical extension.
pub const CRITICAL: &[u8] = &[1, 1, 0xff];

/// A subjectAltName with these DNS names.
pub fn dns_names(names: &[&str]) -> Vec<u8> {
    let names: Vec<u8> = names.iter().flat_map(|name| tlv(0x82, &[name.as_bytes()])).collect();
    extension(17, &[], &seq(&[&names]))
}

/// basicConstraints with `cA`.
pub fn ca() -> Vec<u8> {
    extension(19, CRITICAL, &seq(&[CRITICAL]))
}

/// The key with this number; the same each time.
pub fn key(number: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap()
}

/// The SubjectPublicKeyInfo of [`key`].
pub fn spki(number: u8) -> Vec<u8> {
    bits(&[6, 3, 0x2b, 0x65, 0x70], key(number).public_key().as_ref())
}

/// A SubjectPublicKeyInfo from the content of its algorithm and its key.
pub fn bits(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    seq(&[&seq(&[algorithm]), &tlv(3, &[&[0], key])])
}

/// Ed25519, as an AlgorithmIdentifier.
pub const ED25519: &[u8] = &[0x30, 5, 6, 3, 0x2b, 0x65, 0x70];

/// The fields of a certificate.
pub struct Fields {
    pub serial: Vec<u8>,
    pub algorithm: Vec<u8>,
    pub issuer: Vec<u8>,
    pub not_before: String,
    pub not_after: String,
    pub subject: Vec<u8>,
    pub spki: Vec<u8>,
    pub extensions: Vec<Vec<u8>>,
    pub signer: u8,
}

impl Fields {
    /// A server's certificate for `a.example`, key 1, issued by `CA`, key 100.
    pub fn server() -> Self {
        Self {
            serial: vec![1],
            algorithm: ED25519.to_vec(),
            issuer: name("CA"),
            not_before: "20261101000000Z".to_owned(),
            not_after: "20261231000000Z".to_owned(),
            subject: name("a.example"),
            spki: spki(1),
            extensions: vec![dns_names(&["a.example"])],
            signer: 100,
        }
    }

    /// A CA's certificate.
    pub fn ca(subject: &str, key: u8, issuer: &str, signer: u8) -> Self {
        Self {
            issuer: name(issuer),
            subject: name(subject),
            spki: spki(key),
            extensions: vec![ca()],
            signer,
            ..Self::server()
        }
    }

    /// The certificate in DER.
    pub fn der(&self) -> Vec<u8> {
        let time = |text: &str| tlv(0x18, &[text.as_bytes()]);
        let signed = seq(&[
            &tlv(0xa0, &[&[2, 1, 2]]),
            &tlv(2, &[&self.serial]),
            &self.algorithm,
            &self.issuer,
            &seq(&[&time(&self.not_before), &time(&self.not_after)]),
            &self.subject,
            &self.spki,
            &tlv(0xa3, &[&seq(&[&self.extensions.concat()])]),
        ]);
        let signature = key(self.signer).sign(&signed);
        seq(&[&signed, &self.algorithm, &tlv(3, &[&[0], signature.as_ref()])])
    }
}

/// A PEM block.
pub fn pem(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut body = String::new();
    for (index, three) in der.chunks(3).enumerate() {
        if index % 16 == 0 {
            body.push('\n');
        }
        let number =
            three.iter().chain([0, 0].iter()).take(3).fold(0_usize, |sum, octet| sum << 8 | *octet as usize);
        for place in 0..4 {
            let letter = ALPHABET[number >> (18 - 6 * place) & 63];
            body.push(if place <= three.len() { letter as char } else { '=' });
        }
    }
    format!("-----BEGIN {label}-----{body}\n-----END {label}-----\n")
}
