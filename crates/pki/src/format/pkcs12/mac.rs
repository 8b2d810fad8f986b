//! The MAC of a PKCS#12 file: the old kind (RFC 7292, section 4 and appendix B) and PBMAC1 (RFC 9579).

use std::num::NonZeroU32;

use aws_lc_rs::{hmac, pbkdf2};
use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

use crate::Refusal;
use crate::format::kdf::{self, Cost};
use crate::format::pbe::{self, ID_MAC, Passphrase, Pkcs12Hash};
use crate::format::pbes2::Pbkdf2;
use crate::tlv::{Reader, Tlv, tag};

const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA224: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.4");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const HMAC_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.7");
const HMAC_SHA224: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.8");
const HMAC_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
const HMAC_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.10");
const HMAC_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.11");
const PBMAC1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.14");
const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");

/// A salt longer than this protects nobody better and is hashed again and again.
const MAX_SALT: usize = 1024;
/// Octets of the key of PBMAC1: short ones can be guessed (RFC 9579, section 9), longer ones are only work.
const PBMAC1_KEY: std::ops::RangeInclusive<usize> = 20..=64;

/// MacData, checked, and known not to be too dear.
pub(super) struct Mac {
    algorithm: hmac::Algorithm,
    digest: Vec<u8>,
    salt: Vec<u8>,
    derivation: Derivation,
    cost: Cost,
}

/// How its key is made of the passphrase.
enum Derivation {
    /// PKCS#12's own.
    Pkcs12 { hash: Pkcs12Hash, iterations: u32 },
    /// PBKDF2, with a key of this many octets.
    Pbkdf2 { algorithm: pbkdf2::Algorithm, iterations: NonZeroU32, key_length: usize },
}

impl Mac {
    /// Reads the fields of a MacData. Derives nothing.
    ///
    /// Refuses `p12.mac_params` and `limit.kdf_cost`.
    pub(super) fn read(fields: &[u8]) -> Result<Self, Refusal> {
        read(fields).map_err(|refusal| match refusal.code {
            "limit.kdf_cost" | "p12.mac_params" => refusal,
            _ => senseless("the parameters of the MAC are malformed"),
        })
    }

    /// What [`Self::holds`] costs.
    pub(super) fn cost(&self) -> Cost {
        self.cost
    }

    /// Whether it is made with SHA-1.
    pub(super) fn is_weak(&self) -> bool {
        self.algorithm == hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY
    }

    /// Whether the passphrase is right and the content whole; nobody can tell which of them fails.
    pub(super) fn holds(&self, passphrase: &Passphrase<'_>, content: &[u8]) -> bool {
        let secret = match &self.derivation {
            Derivation::Pkcs12 { hash, iterations } => {
                let mut secret = Zeroizing::new(vec![0; hash.output_length()]);
                let bmp = passphrase.bmp();
                pbe::pkcs12_kdf(*hash, bmp, &self.salt, *iterations, ID_MAC, &mut secret);
                secret
            }
            Derivation::Pbkdf2 { algorithm, iterations, key_length } => {
                let mut secret = Zeroizing::new(vec![0; *key_length]);
                pbkdf2::derive(*algorithm, *iterations, &self.salt, passphrase.utf8(), &mut secret);
                secret
            }
        };
        hmac::verify(&hmac::Key::new(self.algorithm, &secret), content, &self.digest).is_ok()
    }
}

fn read(fields: &[u8]) -> Result<Mac, Refusal> {
    let mut fields = Reader::new(fields);
    let mut digest_info = Reader::new(fields.expect(tag::SEQUENCE)?.value);
    let mut algorithm = Reader::new(digest_info.expect(tag::SEQUENCE)?.value);
    let digest = digest_info.expect(tag::OCTET_STRING)?.value.to_vec();
    digest_info.end()?;
    let salt = fields.expect(tag::OCTET_STRING)?.value;
    let iterations = fields.optional(tag::INTEGER)?;
    fields.end()?;
    let oid = algorithm.expect(tag::OID)?.value;
    let mac = if oid == PBMAC1.as_bytes() {
        // Salt and iterations beside it mean nothing then (RFC 9579, section 4).
        pbmac1(Reader::new(algorithm.expect(tag::SEQUENCE)?.value), digest)?
    } else {
        old(oid, salt, iterations, digest)?
    };
    if mac.digest.len() == mac.algorithm.digest_algorithm().output_len() {
        Ok(mac)
    } else {
        Err(senseless("the MAC has the wrong length"))
    }
}

fn old(oid: &[u8], salt: &[u8], iterations: Option<Tlv<'_>>, digest: Vec<u8>) -> Result<Mac, Refusal> {
    let (_, hash, algorithm) = [
        (SHA1, Pkcs12Hash::Sha1, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        (SHA224, Pkcs12Hash::Sha224, hmac::HMAC_SHA224),
        (SHA256, Pkcs12Hash::Sha256, hmac::HMAC_SHA256),
        (SHA384, Pkcs12Hash::Sha384, hmac::HMAC_SHA384),
        (SHA512, Pkcs12Hash::Sha512, hmac::HMAC_SHA512),
    ]
    .into_iter()
    .find(|(known, ..)| known.as_bytes() == oid)
    .ok_or_else(unsupported)?;
    check_salt(salt)?;
    let (iterations, cost) = match iterations {
        Some(iterations) => pbe::pkcs12_mac_cost(hash, iterations).map_err(not_positive)?,
        // The default (RFC 7292, section 4).
        None => (1, kdf::hashes(1, 1)),
    };
    let derivation = Derivation::Pkcs12 { hash, iterations };
    Ok(Mac { algorithm, digest, salt: salt.to_vec(), derivation, cost })
}

/// PBMAC1-params (RFC 8018, A.5).
fn pbmac1(mut parameters: Reader<'_>, digest: Vec<u8>) -> Result<Mac, Refusal> {
    let mut derivation = Reader::new(parameters.expect(tag::SEQUENCE)?.value);
    let mut scheme = Reader::new(parameters.expect(tag::SEQUENCE)?.value);
    parameters.end()?;
    let scheme = scheme.expect(tag::OID)?.value;
    let (_, algorithm) = [
        (HMAC_SHA1, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        (HMAC_SHA224, hmac::HMAC_SHA224),
        (HMAC_SHA256, hmac::HMAC_SHA256),
        (HMAC_SHA384, hmac::HMAC_SHA384),
        (HMAC_SHA512, hmac::HMAC_SHA512),
    ]
    .into_iter()
    .find(|(known, _)| known.as_bytes() == scheme)
    .ok_or_else(unsupported)?;
    if derivation.expect(tag::OID)?.value != PBKDF2.as_bytes() {
        return Err(unsupported());
    }
    let parameters = Reader::new(derivation.expect(tag::SEQUENCE)?.value);
    let pbkdf2 = Pbkdf2::read(parameters)?.ok_or_else(unsupported)?;
    check_salt(pbkdf2.salt)?;
    // The length must be there (RFC 9579, section 5).
    let key_length = match pbkdf2.key_length.map(usize::try_from) {
        Some(Ok(length)) if PBMAC1_KEY.contains(&length) => length,
        Some(Ok(_) | Err(_)) | None => return Err(senseless("the key of the MAC is too short or too long")),
    };
    let cost = kdf::hashes(pbkdf2.iterations.get(), 2 * key_length.div_ceil(pbkdf2.block_length));
    let salt = pbkdf2.salt.to_vec();
    let derivation =
        Derivation::Pbkdf2 { algorithm: pbkdf2.algorithm, iterations: pbkdf2.iterations, key_length };
    Ok(Mac { algorithm, digest, salt, derivation, cost })
}

fn check_salt(salt: &[u8]) -> Result<(), Refusal> {
    if salt.len() <= MAX_SALT { Ok(()) } else { Err(senseless("the salt of the MAC is absurdly long")) }
}

fn not_positive(refusal: Refusal) -> Refusal {
    if refusal.code == "limit.kdf_cost" {
        refusal
    } else {
        senseless("the number of iterations of the MAC is not positive")
    }
}

fn unsupported() -> Refusal {
    senseless("the MAC is made in a way that is not taken")
}

fn senseless(what: &str) -> Refusal {
    Refusal::new("p12.mac_params", what, "Export the file again, with a MAC of HMAC-SHA-256.")
}
