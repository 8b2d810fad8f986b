//! Signatures: from a named algorithm and a key to the one function that checks them.

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};

use super::{Curve, PublicKey, PublicKeyKind};
use crate::signature_algorithm::{Digest, Scheme, SignatureAlgorithm};

pub(super) fn verify(
    key: &PublicKey,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let Some(check) = judge(&key.kind, algorithm) else { return false };
    // A CA mostly signs by one algorithm: what is kept for that one serves all that it issued.
    if let Some(ready) = key.ready.get().filter(|ready| std::ptr::addr_eq(ready.algorithm(), check)) {
        return ready.verify_sig(message, signature).is_ok();
    }
    let Ok(parsed) = ParsedPublicKey::new(check, key.key_bits()) else { return false };
    let verifies = parsed.verify_sig(message, signature).is_ok();
    // Where one for another algorithm is kept already, that one stays.
    let _ = key.ready.set(Box::new(parsed));
    verifies
}

/// The check for this kind of key and this algorithm; `None` when they do not fit or are not taken.
fn judge(kind: &PublicKeyKind, algorithm: SignatureAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match (kind, algorithm.scheme) {
        (PublicKeyKind::Rsa { .. }, Scheme::RsaPkcs1) => rsa_pkcs1(algorithm.digest),
        (PublicKeyKind::Rsa { .. }, Scheme::RsaPss { salt }) => rsa_pss(algorithm.digest, salt),
        (PublicKeyKind::Ec(curve), Scheme::Ecdsa) => ecdsa(*curve, algorithm.digest),
        (PublicKeyKind::Ed25519, Scheme::Ed25519) => Some(&signature::ED25519),
        (
            PublicKeyKind::Rsa { .. }
            | PublicKeyKind::Ec(_)
            | PublicKeyKind::Ed25519
            | PublicKeyKind::Other(_),
            Scheme::RsaPkcs1 | Scheme::RsaPss { .. } | Scheme::Ecdsa | Scheme::Ed25519 | Scheme::Dsa,
        ) => None,
    }
}

/// Whether any key can check a signature by this algorithm.
pub(crate) fn is_checked(algorithm: SignatureAlgorithm) -> bool {
    let kinds = [PublicKeyKind::Rsa { bits: 2048 }, PublicKeyKind::Ec(Curve::P256), PublicKeyKind::Ed25519];
    kinds.iter().any(|kind| judge(kind, algorithm).is_some())
}

fn rsa_pkcs1(digest: Digest) -> Option<&'static dyn VerificationAlgorithm> {
    match digest {
        Digest::Sha1 => Some(&signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
        Digest::Sha256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Digest::Sha384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Digest::Sha512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Digest::Md2 | Digest::Md4 | Digest::Md5 | Digest::Sha224 | Digest::Inside => None,
    }
}

fn rsa_pss(digest: Digest, salt: u64) -> Option<&'static dyn VerificationAlgorithm> {
    match (digest, salt) {
        (Digest::Sha256, 32) => Some(&signature::RSA_PSS_2048_8192_SHA256),
        (Digest::Sha384, 48) => Some(&signature::RSA_PSS_2048_8192_SHA384),
        (Digest::Sha512, 64) => Some(&signature::RSA_PSS_2048_8192_SHA512),
        (Digest::Sha256 | Digest::Sha384 | Digest::Sha512, _) => None,
        (Digest::Md2 | Digest::Md4 | Digest::Md5 | Digest::Sha1 | Digest::Sha224 | Digest::Inside, _) => None,
    }
}

fn ecdsa(curve: Curve, digest: Digest) -> Option<&'static dyn VerificationAlgorithm> {
    match (curve, digest) {
        (Curve::P256, Digest::Sha256) => Some(&signature::ECDSA_P256_SHA256_ASN1),
        (Curve::P256, Digest::Sha384) => Some(&signature::ECDSA_P256_SHA384_ASN1),
        (Curve::P256, Digest::Sha512) => Some(&signature::ECDSA_P256_SHA512_ASN1),
        (Curve::P384, Digest::Sha256) => Some(&signature::ECDSA_P384_SHA256_ASN1),
        (Curve::P384, Digest::Sha384) => Some(&signature::ECDSA_P384_SHA384_ASN1),
        (Curve::P384, Digest::Sha512) => Some(&signature::ECDSA_P384_SHA512_ASN1),
        (Curve::P521, Digest::Sha256) => Some(&signature::ECDSA_P521_SHA256_ASN1),
        (Curve::P521, Digest::Sha384) => Some(&signature::ECDSA_P521_SHA384_ASN1),
        (Curve::P521, Digest::Sha512) => Some(&signature::ECDSA_P521_SHA512_ASN1),
        (
            Curve::P256 | Curve::P384 | Curve::P521,
            Digest::Md2 | Digest::Md4 | Digest::Md5 | Digest::Sha1 | Digest::Sha224 | Digest::Inside,
        ) => None,
    }
}
