//! Writes PEM (RFC 7468): strict labels, lines of 64 characters, line feeds.

use der::pem::{LineEnding, encapsulated_len, encode};
use zeroize::Zeroizing;

use crate::{PrivateKey, PublicKey};

/// A certificate: `CERTIFICATE`.
pub fn certificate(der: &[u8]) -> String {
    block("CERTIFICATE", der)
}

/// A CSR: `CERTIFICATE REQUEST`.
pub fn csr(der: &[u8]) -> String {
    block("CERTIFICATE REQUEST", der)
}

/// Certificates one after the other, in the order given.
pub fn chain<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> String {
    certificates.into_iter().map(certificate).collect()
}

/// A certificate revocation list: `X509 CRL`.
pub fn crl(der: &[u8]) -> String {
    block("X509 CRL", der)
}

/// Certificates as PKCS#7: `PKCS7`.
pub fn pkcs7(der: &[u8]) -> String {
    block("PKCS7", der)
}

/// An encrypted PKCS#8 key: `ENCRYPTED PRIVATE KEY`.
pub fn encrypted_key(der: &[u8]) -> String {
    block("ENCRYPTED PRIVATE KEY", der)
}

/// A private key in the open, for a target that has no other way: `PRIVATE KEY`.
pub fn private_key(key: &PrivateKey) -> Zeroizing<String> {
    Zeroizing::new(block("PRIVATE KEY", key.pkcs8_der()))
}

/// A public key: `PUBLIC KEY`.
pub fn public_key(key: &PublicKey) -> String {
    block("PUBLIC KEY", key.spki_der())
}

/// Writes into one buffer of the right size, so that no copy of a key is left behind.
pub(super) fn block(label: &'static str, der: &[u8]) -> String {
    // Labels are constants above, and the length is computed from the same input: nothing is left to fail.
    let length = encapsulated_len(label, LineEnding::LF, der.len()).expect("the label is sound");
    let mut buffer = vec![0; length];
    let written = encode(label, LineEnding::LF, der, &mut buffer).expect("the buffer is large enough").len();
    buffer.truncate(written);
    String::from_utf8(buffer).expect("PEM is ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyAlgorithm, testing};

    #[test]
    fn is_read_back_by_another_parser() {
        for length in [0, 1, 47, 48, 49, 1000] {
            let der = vec![0x5a; length];
            let parsed = pem::parse(certificate(&der)).unwrap();
            assert_eq!((parsed.tag(), parsed.contents()), ("CERTIFICATE", &der[..]));
        }
        let text = chain([&[1_u8; 100][..], &[2; 10]]);
        let parsed = pem::parse_many(&text).unwrap();
        assert_eq!(parsed.iter().map(|block| block.contents().len()).collect::<Vec<_>>(), [100, 10]);
        assert!(text.ends_with("-----END CERTIFICATE-----\n"));
        assert!(text.lines().all(|line| line.len() <= 64));
    }

    #[test]
    fn keys_have_their_own_labels() {
        let key = PrivateKey::from_pkcs8_der(&testing::pkcs8(KeyAlgorithm::EcP256)).unwrap();
        let parsed = pem::parse(private_key(&key).as_str()).unwrap();
        assert_eq!((parsed.tag(), parsed.contents()), ("PRIVATE KEY", key.pkcs8_der()));
        let parsed = pem::parse(public_key(key.public_key())).unwrap();
        assert_eq!((parsed.tag(), parsed.contents()), ("PUBLIC KEY", key.public_key().spki_der()));
        assert!(csr(&[0]).starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
        assert!(encrypted_key(&[0]).starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    }
}
