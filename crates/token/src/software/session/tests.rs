use std::sync::OnceLock;

use domain::permission::uses;
use pki::{SignError, SignatureScheme};

use super::*;
use crate::software::testing::{Counting, may_issue, proof, session};

fn soft() -> Session {
    session(&TokenId::soft(), 1)
}

/// One key of each algorithm, made once because RSA takes long, all sealed by the same data key.
fn made(algorithm: KeyAlgorithm) -> &'static (PublicKey, SealedKey) {
    static MADE: [OnceLock<(PublicKey, SealedKey)>; 6] = [const { OnceLock::new() }; 6];
    let slot = KeyAlgorithm::ALL.iter().position(|known| *known == algorithm).unwrap();
    MADE[slot].get_or_init(|| soft().generate(algorithm, Exportable::ToTargets, &Counting::new()).unwrap())
}

fn refused(session: &Session, sealed: &SealedKey) -> TokenError {
    session.signer(sealed, &may_issue()).err().unwrap()
}

/// The DER AlgorithmIdentifier of a scheme (RFC 8017, appendix A; RFC 5758; RFC 8410).
fn identifier(scheme: SignatureScheme) -> Vec<u8> {
    let rsa =
        |last: u8| [&[0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1], &[last, 5, 0][..]].concat();
    let pss = |hash: u8, salt: u8| {
        let hash = [&[0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2][..], &[hash, 5, 0]].concat();
        let mask = [&[0x30, 26, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 8][..], &hash].concat();
        let parameters = [&[0xa0, 15][..], &hash, &[0xa1, 28], &mask, &[0xa2, 3, 2, 1, salt]].concat();
        let start = [0x30, 65, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 10, 0x30, 52];
        [&start[..], &parameters].concat()
    };
    match scheme {
        SignatureScheme::EcdsaP256Sha256 => vec![0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
        SignatureScheme::EcdsaP384Sha384 => vec![0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3],
        SignatureScheme::Ed25519 => vec![0x30, 5, 6, 3, 0x2b, 0x65, 0x70],
        SignatureScheme::RsaPkcs1Sha256 => rsa(11),
        SignatureScheme::RsaPkcs1Sha384 => rsa(12),
        SignatureScheme::RsaPkcs1Sha512 => rsa(13),
        SignatureScheme::RsaPssSha256 => pss(1, 32),
        SignatureScheme::RsaPssSha384 => pss(2, 48),
        SignatureScheme::RsaPssSha512 => pss(3, 64),
    }
}

fn digest(scheme: SignatureScheme, message: &[u8]) -> Vec<u8> {
    use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
    let algorithm = match scheme {
        SignatureScheme::EcdsaP256Sha256
        | SignatureScheme::RsaPkcs1Sha256
        | SignatureScheme::RsaPssSha256 => &SHA256,
        SignatureScheme::EcdsaP384Sha384
        | SignatureScheme::RsaPkcs1Sha384
        | SignatureScheme::RsaPssSha384 => &SHA384,
        SignatureScheme::Ed25519 | SignatureScheme::RsaPkcs1Sha512 | SignatureScheme::RsaPssSha512 => &SHA512,
    };
    digest(algorithm, message).as_ref().to_vec()
}

#[test]
fn every_algorithm_signs_with_every_scheme_of_its_own_and_no_other() {
    let session = soft();
    for algorithm in KeyAlgorithm::ALL {
        let (public_key, sealed) = made(algorithm);
        let signer = session.signer(sealed, &may_issue()).unwrap();
        assert_eq!((signer.algorithm(), signer.public_key()), (algorithm, public_key));
        for &scheme in algorithm.schemes() {
            let verifies =
                |signature: Vec<u8>| public_key.verify(&identifier(scheme), b"message", &signature);
            assert!(verifies(signer.sign(scheme, b"message").unwrap()), "{algorithm} {scheme:?}");
            assert!(!verifies(signer.sign(scheme, b"other").unwrap()), "{algorithm} {scheme:?}");
            let by_digest = signer.sign_digest(scheme, &digest(scheme, b"message"));
            if scheme == SignatureScheme::Ed25519 {
                assert_eq!(by_digest, Err(SignError::Scheme(scheme)));
            } else {
                assert!(verifies(by_digest.unwrap()), "{algorithm} {scheme:?}");
                assert_eq!(signer.sign_digest(scheme, b"short"), Err(SignError::Failed));
            }
        }
        let foreign = KeyAlgorithm::ALL.iter().flat_map(|other| other.schemes());
        for scheme in foreign.filter(|scheme| !algorithm.schemes().contains(scheme)) {
            assert_eq!(signer.sign(*scheme, b"m"), Err(SignError::Scheme(*scheme)));
            assert_eq!(signer.sign_digest(*scheme, &[0; 32]), Err(SignError::Scheme(*scheme)));
        }
    }
}

#[test]
fn an_edited_row_does_not_open() {
    let session = soft();
    let (_, sealed) = made(KeyAlgorithm::EcP256);
    let (_, other) = made(KeyAlgorithm::EcP384);
    let corrupt = TokenError::Corrupt { key: sealed.id };
    let raised = SealedKey { exportable: Exportable::WithPassphrase, ..sealed.clone() };
    assert_eq!(refused(&session, &raised), corrupt);
    assert_eq!(session.export(&raised, &proof(uses::ExportPrivateKey)).err(), Some(corrupt.clone()));
    let swapped = SealedKey { id: other.id, algorithm: other.algorithm, ..sealed.clone() };
    assert_eq!(refused(&session, &swapped), TokenError::Corrupt { key: other.id });
    let relabelled = SealedKey { algorithm: KeyAlgorithm::Ed25519, ..sealed.clone() };
    assert_eq!(refused(&session, &relabelled), corrupt);
    assert_eq!(refused(&crate::software::testing::session(&TokenId::soft(), 2), sealed), corrupt);
    let system = crate::software::testing::session(&TokenId::system(), 1);
    let elsewhere = TokenError::Elsewhere { key: sealed.id, token: TokenId::soft() };
    assert_eq!(refused(&system, sealed), elsewhere);
    let given = SealedKey { token: TokenId::system(), ..sealed.clone() };
    assert_eq!(refused(&system, &given), corrupt);
}

#[test]
fn a_key_sealed_under_a_wrong_name_is_not_opened() {
    let session = soft();
    let (_, sealed) = made(KeyAlgorithm::EcP256);
    let key = session.export(sealed, &proof(uses::Deploy)).unwrap();
    let other = made(KeyAlgorithm::EcP384).1.id;
    let wrong = session
        .seal((other, KeyAlgorithm::EcP256), key.pkcs8_der(), Exportable::ToTargets, &Counting::new())
        .unwrap();
    let corrupt = TokenError::Corrupt { key: other };
    assert_eq!(refused(&session, &wrong), corrupt);
    assert_eq!(session.export(&wrong, &proof(uses::Deploy)).err(), Some(corrupt));
}

#[test]
fn a_key_leaves_only_as_far_as_it_may() {
    let session = soft();
    let (_, sealed) = made(KeyAlgorithm::EcP256);
    let random = Counting::new();
    let key = session.export(sealed, &proof(uses::Deploy)).unwrap();
    assert_eq!(key.id(), sealed.id);
    let to_a_person = session.export(sealed, &proof(uses::ExportPrivateKey)).err();
    let not_exportable = |exportable| Some(TokenError::NotExportable { key: sealed.id, exportable });
    assert_eq!(to_a_person, not_exportable(Exportable::ToTargets));
    let free = session.import(&key, Exportable::WithPassphrase, &random).unwrap();
    assert!(session.export(&free, &proof(uses::ExportPrivateKey)).is_ok());

    let raised = session.reseal(sealed, Exportable::WithPassphrase, &random).err();
    assert_eq!(raised, Some(TokenError::Raised { key: sealed.id, exportable: Exportable::ToTargets }));
    let never = session.reseal(sealed, Exportable::Never, &random).unwrap();
    assert_eq!(session.export(&never, &proof(uses::Deploy)).err(), not_exportable(Exportable::Never));
    assert!(session.signer(&never, &may_issue()).is_ok());
}

#[test]
fn a_proof_of_something_else_opens_nothing() {
    let session = soft();
    let (_, sealed) = made(KeyAlgorithm::EcP256);
    let wrong = |permission| Some(TokenError::WrongPermission { permission });
    assert_eq!(session.signer(sealed, &proof(uses::ViewKeys)).err(), wrong(Permission::ViewKeys));
    assert_eq!(session.signer(sealed, &proof(uses::Deploy)).err(), wrong(Permission::Deploy));
    assert_eq!(session.export(sealed, &may_issue()).err(), wrong(Permission::IssueCertificate));
}

#[test]
fn signers_end_with_the_session() {
    let session = soft();
    let (_, sealed) = made(KeyAlgorithm::Ed25519);
    let signer = session.signer(sealed, &may_issue()).unwrap();
    drop(session);
    assert_eq!(signer.sign(SignatureScheme::Ed25519, b"m"), Err(SignError::TokenUnavailable));
}

#[test]
fn signers_that_were_dropped_are_forgotten() {
    let session = soft();
    let (_, sealed) = made(KeyAlgorithm::EcP256);
    let kept = session.signer(sealed, &may_issue()).unwrap();
    for _ in 0..300 {
        session.signer(sealed, &may_issue()).unwrap();
    }
    assert!(session.opened.lock().unwrap().keys.len() <= 65);
    session.close();
    assert_eq!(kept.sign(SignatureScheme::EcdsaP256Sha256, b"m"), Err(SignError::TokenUnavailable));
}
