use super::*;
use crate::issue::algorithm_identifier;
use crate::tlv::{bit_string, oid, sequence, tlv, unsigned_integer};
use crate::{SignatureScheme, Signer, testing};

#[test]
fn what_every_algorithm_signs_verifies_and_nothing_else_does() {
    for algorithm in KeyAlgorithm::ALL {
        let signer = testing::signer(algorithm);
        let key = signer.public_key();
        for scheme in algorithm.schemes() {
            let identifier = algorithm_identifier(*scheme);
            let signature = signer.sign(*scheme, b"message").unwrap();
            assert!(key.verify(&identifier, b"message", &signature), "{scheme:?}");
            assert!(!key.verify(&identifier, b"massage", &signature), "{scheme:?}");
            assert!(!key.verify(&identifier, b"message", &signature[1..]), "{scheme:?}");
            assert!(!key.verify(b"", b"message", &signature), "{scheme:?}");
            let other = match scheme {
                SignatureScheme::Ed25519 => SignatureScheme::EcdsaP256Sha256,
                _ => SignatureScheme::Ed25519,
            };
            assert!(!key.verify(&algorithm_identifier(other), b"message", &signature), "{scheme:?}");
        }
    }
}

#[test]
fn a_key_knows_its_kind_and_its_name() {
    for algorithm in KeyAlgorithm::ALL {
        let signer = testing::signer(algorithm);
        let key = PublicKey::from_spki_der(signer.public_key().spki_der()).unwrap();
        assert_eq!(key.algorithm(), Some(algorithm));
        assert_eq!(key.label(), algorithm.label());
        assert_eq!(key.id(), KeyId::of_spki(key.spki_der()));
        assert_eq!(&key, signer.public_key());
        assert!(key.findings().is_empty());
        assert!(key.spki_der().ends_with(key.key_bits()));
    }
    let signer = testing::signer(KeyAlgorithm::Ed25519);
    assert_eq!(signer.public_key().key_bits().len(), 32);
    assert_eq!(signer.public_key().kind(), &PublicKeyKind::Ed25519);
}

#[test]
fn compressed_points_are_taken() {
    let signer = testing::signer(KeyAlgorithm::EcP256);
    let point = signer.public_key().key_bits().to_vec();
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    let spki = sequence(&[&sequence(&[&oid(OID_EC), &oid(OID_P256)]), &bit_string(&compressed)]);
    let key = PublicKey::from_spki_der(&spki).unwrap();
    assert_eq!(key.kind(), &PublicKeyKind::Ec(Curve::P256));
    let signature = signer.sign(SignatureScheme::EcdsaP256Sha256, b"m").unwrap();
    assert!(key.verify(&algorithm_identifier(SignatureScheme::EcdsaP256Sha256), b"m", &signature));
}

#[test]
fn an_rsa_key_under_the_pss_identifier_is_an_rsa_key() {
    let signer = testing::signer(KeyAlgorithm::Rsa2048);
    let key = signer.public_key().key_bits();
    let spki = sequence(&[&sequence(&[&oid(OID_RSA_PSS)]), &bit_string(key)]);
    assert_eq!(PublicKey::from_spki_der(&spki).unwrap().kind(), &PublicKeyKind::Rsa { bits: 2048 });
}

#[test]
fn a_small_exponent_is_told() {
    let signer = testing::signer(KeyAlgorithm::Rsa2048);
    let mut fields = Reader::new(only(signer.public_key().key_bits(), tag::SEQUENCE).unwrap().value);
    let modulus = fields.expect(tag::INTEGER).unwrap().whole;
    let key = sequence(&[modulus, &unsigned_integer(&[3])]);
    let spki = sequence(&[&sequence(&[&oid(OID_RSA), &tlv(tag::NULL, &[])]), &bit_string(&key)]);
    let findings = PublicKey::from_spki_der(&spki).unwrap().findings();
    assert_eq!(findings[0].code, "key.rsa_exponent");
    assert_eq!(findings[0].severity, Severity::Warning);
}

#[test]
fn other_kinds_are_shown_by_name_and_verify_nothing() {
    let spki = sequence(&[&sequence(&[&[6, 3, 0x2b, 0x65, 0x71]]), &bit_string(&[7; 57])]);
    let key = PublicKey::from_spki_der(&spki).unwrap();
    assert_eq!(key.label(), "Ed448");
    assert_eq!(key.findings()[0].code, "key.algorithm");
    assert_eq!(key.algorithm(), None);
    assert!(!key.verify(&sequence(&[&[6, 3, 0x2b, 0x65, 0x71]]), b"m", &[0; 114]));
}

#[test]
fn the_encoding_must_be_der_to_the_last_octet() {
    let spki = testing::signer(KeyAlgorithm::EcP256).public_key().spki_der().to_vec();
    let code = |der: &[u8]| PublicKey::from_spki_der(der).unwrap_err().code;
    assert_eq!(code(&spki[..1]), "der.truncated");
    assert_eq!(code(&spki[..spki.len() - 1]), "der.truncated");
    assert_eq!(code(&[&spki[..], &[0]].concat()), "der.trailing");
    assert_eq!(code(&[0x30, 0]), "der.truncated");
}
