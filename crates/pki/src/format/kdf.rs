//! What it costs to derive keys from passphrases, known before anything is derived.
//!
//! The parameters are the file's: without a limit, 250 bytes can ask for an hour of CPU or a petabyte of memory.

use crate::Refusal;
use crate::tlv::{Reader, Tlv, oid_to_dotted, tag};

/// PBKDF2 iterations for one file, in all: about 2 s of one core.
const MAX_ITERATIONS: u64 = 2_000_000;
/// Memory of scrypt for one file, in all.
const MAX_SCRYPT_BYTES: u64 = 64 * 1024 * 1024;
/// Lanes of scrypt: each costs the whole time once more.
const MAX_SCRYPT_LANES: u64 = 4;
/// Derived keys are at most 32 octets long; over this somebody wants us to work.
const ABSURD_KEY_LENGTH: u64 = 1024;

const PBES2: &str = "1.2.840.113549.1.5.13";
const PBKDF2: &str = "1.2.840.113549.1.5.12";
const SCRYPT: &str = "1.3.6.1.4.1.11591.4.11";

/// Ciphers of PBES2: identifier, octets of the key, octets of the initialisation vector.
const CIPHERS: [(&str, u64, usize); 4] = [
    ("2.16.840.1.101.3.4.1.2", 16, 16),  // AES-128-CBC
    ("2.16.840.1.101.3.4.1.22", 24, 16), // AES-192-CBC
    ("2.16.840.1.101.3.4.1.42", 32, 16), // AES-256-CBC
    ("1.2.840.113549.3.7", 24, 8),       // 3DES-CBC
];

/// HMAC with SHA-1, SHA-224, SHA-256, SHA-384, SHA-512.
const PSEUDO_RANDOM: [&str; 5] = [
    "1.2.840.113549.2.7",
    "1.2.840.113549.2.8",
    "1.2.840.113549.2.9",
    "1.2.840.113549.2.10",
    "1.2.840.113549.2.11",
];

/// What one derivation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Iterations of PBKDF2, or of anything else that hashes once in each.
    Iterations(u64),
    /// Bytes of memory of scrypt.
    Memory(u64),
}

/// What all derivations for one file may take together.
pub(crate) struct KdfBudget {
    iterations: u64,
    memory: u64,
}

impl KdfBudget {
    pub(crate) fn new() -> Self {
        Self { iterations: MAX_ITERATIONS, memory: MAX_SCRYPT_BYTES }
    }

    /// Takes one derivation off the budget.
    pub(crate) fn charge(&mut self, cost: Cost) -> Result<(), Refusal> {
        let (left, taken) = match cost {
            Cost::Iterations(count) => (&mut self.iterations, count),
            Cost::Memory(bytes) => (&mut self.memory, bytes),
        };
        *left = left.checked_sub(taken).ok_or_else(too_expensive)?;
        Ok(())
    }
}

/// Reads the fields of an encryption AlgorithmIdentifier and says what its key derivation costs.
///
/// Refuses `key.encryption_unsupported`, `key.kdf_params`, `limit.kdf_cost`.
pub(crate) fn pbes2_cost(mut algorithm: Reader<'_>) -> Result<Cost, Refusal> {
    if dotted(&mut algorithm)? != PBES2 {
        return Err(unsupported());
    }
    let mut parameters = Reader::new(sequence(&mut algorithm)?);
    let mut derivation = Reader::new(sequence(&mut parameters)?);
    let mut cipher = Reader::new(sequence(&mut parameters)?);
    let key_length = cipher_key_length(&mut cipher)?;
    match dotted(&mut derivation)?.as_str() {
        PBKDF2 => pbkdf2_cost(Reader::new(sequence(&mut derivation)?), key_length),
        SCRYPT => scrypt_cost(Reader::new(sequence(&mut derivation)?), key_length),
        _ => Err(unsupported()),
    }
}

/// The length of the cipher's key; its initialisation vector must have the length that the cipher wants.
fn cipher_key_length(cipher: &mut Reader<'_>) -> Result<u64, Refusal> {
    let oid = dotted(cipher)?;
    let (_, key, vector) = CIPHERS.into_iter().find(|(known, ..)| *known == oid).ok_or_else(unsupported)?;
    match cipher.expect(tag::OCTET_STRING) {
        Ok(found) if found.value.len() == vector => Ok(key),
        Ok(_) | Err(_) => Err(senseless("the initialisation vector has the wrong length")),
    }
}

/// PBKDF2-params (RFC 8018, A.2).
fn pbkdf2_cost(mut parameters: Reader<'_>, wanted: u64) -> Result<Cost, Refusal> {
    // A salt may also be named by an algorithm; nobody ever did.
    parameters.expect(tag::OCTET_STRING).map_err(|_| unsupported())?;
    let iterations = positive(parameters.expect(tag::INTEGER)?, "the number of iterations is not positive")?;
    check_key_length(&mut parameters, wanted)?;
    if !parameters.is_empty() {
        let mut pseudo_random = Reader::new(sequence(&mut parameters)?);
        let oid = dotted(&mut pseudo_random)?;
        if !PSEUDO_RANDOM.contains(&oid.as_str()) {
            return Err(unsupported());
        }
    }
    if iterations > MAX_ITERATIONS { Err(too_expensive()) } else { Ok(Cost::Iterations(iterations)) }
}

/// scrypt-params (RFC 7914, 7.1).
fn scrypt_cost(mut parameters: Reader<'_>, wanted: u64) -> Result<Cost, Refusal> {
    parameters.expect(tag::OCTET_STRING)?;
    let mut number = || positive(parameters.expect(tag::INTEGER)?, "a parameter of scrypt is not positive");
    let (cost, block, lanes) = (number()?, number()?, number()?);
    check_key_length(&mut parameters, wanted)?;
    let bytes = cost.saturating_mul(block).saturating_mul(128);
    if bytes > MAX_SCRYPT_BYTES || lanes > MAX_SCRYPT_LANES {
        return Err(too_expensive());
    }
    if cost < 2 || !cost.is_power_of_two() {
        return Err(senseless("the cost of scrypt is not a power of two"));
    }
    Ok(Cost::Memory(bytes))
}

/// The optional length of the derived key.
fn check_key_length(parameters: &mut Reader<'_>, wanted: u64) -> Result<(), Refusal> {
    let Some(length) = parameters.optional(tag::INTEGER)? else {
        return Ok(());
    };
    match positive(length, "the length of the derived key is not positive")? {
        length if length == wanted => Ok(()),
        length if length > ABSURD_KEY_LENGTH => Err(too_expensive()),
        _ => Err(senseless("the length of the derived key does not fit the cipher")),
    }
}

/// A positive INTEGER; what does not fit 64 bits is over every limit, and counts as the largest number.
fn positive(integer: Tlv<'_>, otherwise: &str) -> Result<u64, Refusal> {
    match integer.value {
        [] | [0] => Err(senseless(otherwise)),
        [top, ..] if top & 0x80 != 0 => Err(senseless(otherwise)),
        octets if octets.len() > 8 => Ok(u64::MAX),
        octets => Ok(octets.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet))),
    }
}

fn dotted(fields: &mut Reader<'_>) -> Result<String, Refusal> {
    oid_to_dotted(fields.expect(tag::OID)?.value)
}

fn sequence<'a>(fields: &mut Reader<'a>) -> Result<&'a [u8], Refusal> {
    fields.expect(tag::SEQUENCE).map(|element| element.value).map_err(|_| unsupported())
}

pub(crate) fn unsupported() -> Refusal {
    Refusal::new(
        "key.encryption_unsupported",
        "the key is encrypted in a way that is not taken",
        "Write it again with `openssl pkcs8 -topk8 -v2 aes-256-cbc`.",
    )
}

fn senseless(what: &str) -> Refusal {
    Refusal::new("key.kdf_params", what, "Export the key again.")
}

fn too_expensive() -> Refusal {
    Refusal::new(
        "limit.kdf_cost",
        "deriving the key from the passphrase would take too much time or memory; nothing was tried",
        "Write the key again with at most 2,000,000 iterations of PBKDF2, or scrypt within 64 MiB.",
    )
}
