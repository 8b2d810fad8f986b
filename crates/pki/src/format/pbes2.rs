//! PBES2 with PBKDF2 (RFC 8018, 5.2 and 6.2), derived by AWS-LC: nearly every file of today, and twice as fast as
//! elsewhere. What AWS-LC lacks (scrypt, HMAC-SHA-224) is left to `pkcs8`.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA384, PBKDF2_HMAC_SHA512};
use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

use super::cipher::Cipher;
use super::kdf;
use crate::Refusal;
use crate::tlv::{Reader, tag};

const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
const HMAC_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.7");
const HMAC_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
const HMAC_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.10");
const HMAC_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.11");
const AES_128_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.2");
const AES_192_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.22");
const AES_256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");
const TRIPLE_DES_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.3.7");

/// How PBKDF2 goes in a file, its hash one of those that AWS-LC has.
pub(super) struct Pbkdf2<'a> {
    pub(super) algorithm: pbkdf2::Algorithm,
    pub(super) salt: &'a [u8],
    pub(super) iterations: NonZeroU32,
    pub(super) key_length: Option<u64>,
    /// Octets that come out of one hash.
    pub(super) block_length: usize,
}

impl<'a> Pbkdf2<'a> {
    /// Reads PBKDF2-params (RFC 8018, A.2); `None` when they name another hash, or a salt by its algorithm.
    ///
    /// Refuses `key.kdf_params`, `limit.kdf_cost` and `der.*`.
    pub(super) fn read(mut parameters: Reader<'a>) -> Result<Option<Self>, Refusal> {
        let Some(salt) = parameters.optional(tag::OCTET_STRING)? else {
            return Ok(None);
        };
        let iterations = kdf::iterations(parameters.expect(tag::INTEGER)?)?;
        let iterations = NonZeroU32::new(iterations).ok_or_else(kdf::unsupported)?;
        let key_length = parameters.optional(tag::INTEGER)?.map(|length| small(length.value));
        let named = match parameters.optional(tag::SEQUENCE)? {
            Some(hash) => Reader::new(hash.value).expect(tag::OID)?.value,
            // The default.
            None => HMAC_SHA1.as_bytes(),
        };
        parameters.end()?;
        let hash = [
            (HMAC_SHA1, PBKDF2_HMAC_SHA1, 20),
            (HMAC_SHA256, PBKDF2_HMAC_SHA256, 32),
            (HMAC_SHA384, PBKDF2_HMAC_SHA384, 48),
            (HMAC_SHA512, PBKDF2_HMAC_SHA512, 64),
        ]
        .into_iter()
        .find(|(oid, ..)| oid.as_bytes() == named);
        Ok(hash.map(|(_, algorithm, block_length)| Self {
            algorithm,
            salt: salt.value,
            iterations,
            key_length,
            block_length,
        }))
    }

    /// Fills `out`, whatever key length the file names.
    pub(super) fn derive(&self, passphrase: &[u8], out: &mut [u8]) {
        pbkdf2::derive(self.algorithm, self.iterations, self.salt, passphrase, out);
    }
}

/// A length of one octet; all others are over every limit.
fn small(integer: &[u8]) -> u64 {
    match integer {
        [length] if length & 0x80 == 0 => u64::from(*length),
        _ => u64::MAX,
    }
}

/// Decrypts; takes the fields of the AlgorithmIdentifier, whose cost was charged. `None`: not by AWS-LC.
///
/// Refuses `pass.wrong`, `key.kdf_params` and `der.*`.
pub(super) fn decrypt(
    mut algorithm: Reader<'_>,
    passphrase: &[u8],
    data: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
    algorithm.expect(tag::OID)?;
    let mut parameters = Reader::new(algorithm.expect(tag::SEQUENCE)?.value);
    let mut derivation = Reader::new(parameters.expect(tag::SEQUENCE)?.value);
    let mut scheme = Reader::new(parameters.expect(tag::SEQUENCE)?.value);
    if derivation.expect(tag::OID)?.value != PBKDF2.as_bytes() {
        return Ok(None);
    }
    let Some(derivation) = Pbkdf2::read(Reader::new(derivation.expect(tag::SEQUENCE)?.value))? else {
        return Ok(None);
    };
    let Some(cipher) = cipher(scheme.expect(tag::OID)?.value) else {
        return Ok(None);
    };
    let iv = scheme.expect(tag::OCTET_STRING)?.value;
    let mut key = Zeroizing::new(vec![0; cipher.key_length()]);
    derivation.derive(passphrase, &mut key);
    cipher.decrypt_cbc(&key, iv, data).map(Some)
}

fn cipher(oid: &[u8]) -> Option<Cipher> {
    [
        (AES_128_CBC, Cipher::Aes128),
        (AES_192_CBC, Cipher::Aes192),
        (AES_256_CBC, Cipher::Aes256),
        (TRIPLE_DES_CBC, Cipher::TripleDes),
    ]
    .into_iter()
    .find(|(known, _)| known.as_bytes() == oid)
    .map(|(_, cipher)| cipher)
}
