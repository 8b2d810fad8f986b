//! Writes private keys under a passphrase: PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC (RFC 8018), which
//! every tool of the last ten years reads.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

use crate::PrivateKey;
use crate::tlv::{self, tag};

/// Rounds of PBKDF2: 0.14 s of one core, for us and for whoever guesses (OWASP's figure for SHA-256).
pub const ITERATIONS: NonZeroU32 = NonZeroU32::new(600_000).unwrap();

const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
const HMAC_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
const AES_256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");

/// Encrypts a key: DER of EncryptedPrivateKeyInfo (RFC 5958, 3). `salt` and `iv` are random, new each time.
///
/// Takes 0.14 s of CPU: call it on a blocking thread.
pub fn encrypt(key: &PrivateKey, passphrase: &str, salt: [u8; 16], iv: [u8; 16]) -> Zeroizing<Vec<u8>> {
    let Encrypted { algorithm, data } = encrypt_octets(key.pkcs8_der(), passphrase, ITERATIONS, salt, iv);
    Zeroizing::new(tlv::sequence(&[&algorithm, &tlv::tlv(tag::OCTET_STRING, &[&data])]))
}

/// What was encrypted, and the AlgorithmIdentifier that says how.
pub(super) struct Encrypted {
    pub(super) algorithm: Vec<u8>,
    pub(super) data: Vec<u8>,
}

/// Encrypts anything.
pub(super) fn encrypt_octets(
    plain: &[u8],
    passphrase: &str,
    iterations: NonZeroU32,
    salt: [u8; 16],
    iv: [u8; 16],
) -> Encrypted {
    let mut secret = Zeroizing::new([0; 32]);
    derive(PBKDF2_HMAC_SHA256, iterations, &salt, passphrase.as_bytes(), secret.as_mut_slice());
    let data = encrypt_cbc(&secret, iv, plain);
    Encrypted { algorithm: algorithm_identifier(&salt, iterations, &iv), data }
}

fn encrypt_cbc(secret: &[u8; 32], iv: [u8; 16], plain: &[u8]) -> Vec<u8> {
    // Room for the padding, so that the buffer does not move and leave plaintext behind.
    let mut data = Vec::with_capacity(plain.len() + 16);
    data.extend_from_slice(plain);
    // Key and initialisation vector have the lengths that AES-256-CBC wants; nothing else can fail.
    let unbound = UnboundCipherKey::new(&AES_256, secret).expect("32 octets are an AES-256 key");
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(unbound).expect("AES has a CBC mode");
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    cipher.less_safe_encrypt(&mut data, context).expect("any length can be padded");
    data
}

fn algorithm_identifier(salt: &[u8], iterations: NonZeroU32, iv: &[u8]) -> Vec<u8> {
    let null = tlv::tlv(tag::NULL, &[]);
    let prf = tlv::sequence(&[&tlv::oid(HMAC_SHA256.as_bytes()), &null]);
    let rounds = tlv::unsigned_integer(&iterations.get().to_be_bytes());
    let kdf_parameters = tlv::sequence(&[&tlv::tlv(tag::OCTET_STRING, &[salt]), &rounds, &prf]);
    let kdf = tlv::sequence(&[&tlv::oid(PBKDF2.as_bytes()), &kdf_parameters]);
    let cipher = tlv::sequence(&[&tlv::oid(AES_256_CBC.as_bytes()), &tlv::tlv(tag::OCTET_STRING, &[iv])]);
    tlv::sequence(&[&tlv::oid(PBES2.as_bytes()), &tlv::sequence(&[&kdf, &cipher])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyAlgorithm, testing};

    #[test]
    fn another_implementation_decrypts_it_with_the_passphrase_alone() {
        let key = PrivateKey::from_pkcs8_der(&testing::pkcs8(KeyAlgorithm::EcP256)).unwrap();
        let der = encrypt(&key, "pass wörd", [1; 16], [2; 16]);
        let read = pkcs8::EncryptedPrivateKeyInfoRef::try_from(der.as_slice()).unwrap();
        assert_eq!(read.decrypt("pass wörd").unwrap().as_bytes(), key.pkcs8_der());
        assert!(read.decrypt("pass word").is_err());
    }
}
