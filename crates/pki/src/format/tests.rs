use ::pkcs8::pkcs5::pbes2::{EncryptionScheme, Kdf, Parameters, Pbkdf2Params, ScryptParams};

use super::*;
use crate::tlv::{sequence, tlv};
use crate::{KeyAlgorithm, KeyId, testing};

fn keys(contents: &Contents) -> Vec<KeyId> {
    let key = |item: &Item| match &item.object {
        Object::PrivateKey(key) => key.id(),
        Object::Certificate(_) | Object::Csr(_) | Object::Crl(_) => panic!("only keys are here"),
    };
    contents.items.iter().map(key).collect()
}

fn code(result: Result<Contents, Refusal>) -> &'static str {
    result.err().map_or("", |refusal| refusal.code)
}

/// The key under a passphrase, with a cheap derivation.
fn encrypt(pkcs8: &[u8], kdf: Kdf, passphrase: &str) -> Vec<u8> {
    let parameters = Parameters { kdf, encryption: EncryptionScheme::Aes256Cbc { iv: [7; 16] } };
    let data = parameters.encrypt(passphrase, pkcs8).unwrap();
    let algorithm =
        ::pkcs8::der::Encode::to_der(&::pkcs8::pkcs5::EncryptionScheme::Pbes2(parameters)).unwrap();
    sequence(&[&algorithm, &tlv(tag::OCTET_STRING, &[&data])])
}

fn pbkdf2(iterations: u32) -> Kdf {
    Kdf::Pbkdf2(Pbkdf2Params::hmac_sha256(iterations, b"saltsalt").unwrap())
}

fn scrypt() -> Kdf {
    let salt = b"saltsalt".as_slice().try_into().unwrap();
    Kdf::Scrypt(ScryptParams {
        salt,
        cost_parameter: 16,
        block_size: 8,
        parallelization: 1,
        key_length: None,
    })
}

#[test]
fn a_key_is_read_from_every_wrapping() {
    for algorithm in
        [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa2048]
    {
        let pkcs8 = testing::pkcs8(algorithm);
        let id = PrivateKey::from_pkcs8_der(&pkcs8).unwrap().id();
        let mut fields = fields(&pkcs8).unwrap();
        let (_, _, inner) = (fields.any().unwrap(), fields.any().unwrap(), fields.any().unwrap().value);
        let plain = read(&pkcs8, None).unwrap();
        assert_eq!((plain.format, keys(&plain)), ("pkcs8", vec![id]), "{algorithm}");
        for kdf in [pbkdf2(1000), scrypt()] {
            let der = encrypt(&pkcs8, kdf, "pass wörd");
            let contents = read(&der, Some("pass wörd")).unwrap();
            assert_eq!((contents.format, keys(&contents)), ("pkcs8-encrypted", vec![id]), "{algorithm}");
            assert_eq!(code(read(&der, Some("pass word"))), "pass.wrong");
            assert_eq!(code(read(&der, None)), "pass.needed");
        }
        if algorithm.is_rsa() {
            let contents = read(inner, None).unwrap();
            assert_eq!((contents.format, keys(&contents)), ("pkcs1", vec![id]));
        }
    }
}

#[test]
fn a_sec1_key_is_read_where_it_names_its_curve() {
    let pkcs8 = testing::pkcs8(KeyAlgorithm::EcP256);
    let key = PrivateKey::from_pkcs8_der(&pkcs8).unwrap();
    let mut outer = fields(&pkcs8).unwrap();
    let (_, _, inner) = (outer.any().unwrap(), outer.any().unwrap(), outer.any().unwrap().value);
    let mut sec1 = fields(inner).unwrap();
    let (version, scalar) = (sec1.any().unwrap().whole, sec1.any().unwrap().whole);
    let curve = tlv(tag::constructed(0), &[&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]]);
    let contents = read(&sequence(&[version, scalar, &curve]), None).unwrap();
    assert_eq!((contents.format, keys(&contents)), ("sec1", vec![key.id()]));
    assert_eq!(code(read(&sequence(&[version, scalar]), None)), "key.curve");
}

#[test]
fn damage_and_a_wrong_passphrase_look_the_same() {
    let der = encrypt(&testing::pkcs8(KeyAlgorithm::EcP256), pbkdf2(1000), "right");
    let mut damaged = der.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let answers =
        [read(&der, Some("wrong")).err(), read(&damaged, Some("right")).err(), read(&der, Some("")).err()];
    assert_eq!(answers[0].as_ref().map(|refusal| refusal.code), Some("pass.wrong"));
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[test]
fn an_empty_passphrase_is_a_passphrase() {
    let der = encrypt(&testing::pkcs8(KeyAlgorithm::EcP256), pbkdf2(1000), "");
    assert_eq!(code(read(&der, Some(""))), "");
    assert_eq!(code(read(&der, None)), "pass.needed");
}

#[test]
fn no_format_takes_what_belongs_to_another() {
    let pkcs8 = testing::pkcs8(KeyAlgorithm::EcP256);
    let samples = [
        pkcs8.to_vec(),
        encrypt(&pkcs8, pbkdf2(1), "x"),
        fields(&testing::pkcs8(KeyAlgorithm::Rsa2048)).map(|mut f| f.nth_value(2)).unwrap(),
        fields(&pkcs8).map(|mut f| f.nth_value(2)).unwrap(),
        b"-----BEGIN CERTIFICATE-----".to_vec(),
    ];
    for (sample, name) in samples.iter().zip(["pkcs8", "pkcs8-encrypted", "pkcs1", "sec1", "pem"]) {
        let takers: Vec<_> =
            FORMATS.iter().filter(|format| (format.sniff)(sample)).map(|format| format.name).collect();
        assert_eq!(takers, [name]);
    }
}

trait NthValue {
    fn nth_value(&mut self, index: usize) -> Vec<u8>;
}

impl NthValue for Reader<'_> {
    fn nth_value(&mut self, index: usize) -> Vec<u8> {
        for _ in 0..index {
            self.any().unwrap();
        }
        self.any().unwrap().value.to_vec()
    }
}

#[test]
fn a_passphrase_is_not_a_file() {
    let der = encrypt(&testing::pkcs8(KeyAlgorithm::EcP256), pbkdf2(1), "x");
    assert_eq!(code(read(&der, Some(&"x".repeat(1024)))), "pass.wrong");
    assert_eq!(code(read(&der, Some(&"x".repeat(1025)))), "input.too_large");
}
