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

/// What PBKDF2 hashes with: identifier, octets that come out of one hash.
const PSEUDO_RANDOM: [(&str, u64); 5] = [
    ("1.2.840.113549.2.7", HMAC_SHA1_LENGTH),
    ("1.2.840.113549.2.8", 28),  // HMAC with SHA-224
    ("1.2.840.113549.2.9", 32),  // HMAC with SHA-256
    ("1.2.840.113549.2.10", 48), // HMAC with SHA-384
    ("1.2.840.113549.2.11", 64), // HMAC with SHA-512
];

/// HMAC with SHA-1, which is meant where none is named.
const HMAC_SHA1_LENGTH: u64 = 20;

/// What one derivation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Iterations of PBKDF2, or of anything else that hashes once in each.
    Iterations(u64),
    /// Bytes of memory of scrypt.
    Memory(u64),
}

impl Cost {
    /// So many of the same.
    pub(crate) fn times(self, count: u64) -> Self {
        match self {
            Self::Iterations(iterations) => Self::Iterations(iterations.saturating_mul(count)),
            Self::Memory(bytes) => Self::Memory(bytes.saturating_mul(count)),
        }
    }
}

/// What all derivations for one file may take together, or those for several files and tries.
pub struct KdfBudget {
    iterations: u64,
    memory: u64,
}

impl Default for KdfBudget {
    fn default() -> Self {
        Self::new()
    }
}

impl KdfBudget {
    /// Nothing is spent yet.
    pub fn new() -> Self {
        Self { iterations: MAX_ITERATIONS, memory: MAX_SCRYPT_BYTES }
    }

    /// Less than usual, for a caller in a hurry: iterations of PBKDF2, and bytes of memory of scrypt.
    pub fn limited(iterations: u64, memory: u64) -> Self {
        Self { iterations: iterations.min(MAX_ITERATIONS), memory: memory.min(MAX_SCRYPT_BYTES) }
    }

    /// Nothing is spent yet of what may be spent on so many files.
    pub fn times(files: u32) -> Self {
        let files = u64::from(files);
        Self { iterations: MAX_ITERATIONS * files, memory: MAX_SCRYPT_BYTES * files }
    }

    /// What so many files, or passphrases for one, may take of it; what they leave is given back by [`Self::settle`].
    pub(crate) fn draw(&mut self, count: usize) -> Self {
        let count = count as u64;
        let drawn = Self {
            iterations: self.iterations.min(MAX_ITERATIONS.saturating_mul(count)),
            memory: self.memory.min(MAX_SCRYPT_BYTES.saturating_mul(count)),
        };
        self.iterations -= drawn.iterations;
        self.memory -= drawn.memory;
        drawn
    }

    /// Gives back what a file left.
    pub(crate) fn settle(&mut self, left: &Self) {
        self.iterations += left.iterations;
        self.memory += left.memory;
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
    let hash_length = if parameters.is_empty() {
        HMAC_SHA1_LENGTH
    } else {
        let oid = dotted(&mut Reader::new(sequence(&mut parameters)?))?;
        PSEUDO_RANDOM.into_iter().find(|(known, _)| *known == oid).ok_or_else(unsupported)?.1
    };
    // A key that is longer than a hash takes all iterations again for every hash more.
    let cost = Cost::Iterations(iterations).times(wanted.div_ceil(hash_length));
    if iterations > MAX_ITERATIONS { Err(too_expensive()) } else { Ok(cost) }
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

/// PBEParameter (RFC 8018, A.3), which PKCS#12 calls pkcs-12PbeParams: the salt and the iterations.
pub(crate) fn salt_and_iterations<'a>(algorithm: &mut Reader<'a>) -> Result<(&'a [u8], u32), Refusal> {
    let incomplete = |_| senseless("the parameters of the derivation are not complete");
    let mut parameters = Reader::new(algorithm.expect(tag::SEQUENCE).map_err(incomplete)?.value);
    let salt = parameters.expect(tag::OCTET_STRING).map_err(incomplete)?.value;
    Ok((salt, iterations(parameters.expect(tag::INTEGER).map_err(incomplete)?)?))
}

/// A number of iterations for a derivation that hashes once in each. Refuses `key.kdf_params`, `limit.kdf_cost`.
pub(crate) fn iterations(integer: Tlv<'_>) -> Result<u32, Refusal> {
    let count = positive(integer, "the number of iterations is not positive")?;
    if count > MAX_ITERATIONS {
        return Err(too_expensive());
    }
    u32::try_from(count).map_err(|_| too_expensive())
}

/// The cost of a derivation that hashes so often for each of so many blocks: an iteration of PBKDF2 hashes twice.
pub(crate) fn hashes(iterations: u32, blocks: usize) -> Cost {
    hashes_of(6, iterations, blocks)
}

/// As [`hashes`], where one hash costs so many twelfths of an iteration of PBKDF2 with HMAC-SHA-256.
pub(crate) fn hashes_of(twelfths: u64, iterations: u32, blocks: usize) -> Cost {
    let hashes = u64::from(iterations).saturating_mul(blocks as u64);
    Cost::Iterations(hashes.saturating_mul(twelfths).div_ceil(12))
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
        "Ask whoever made the file for PKCS#8 or PKCS#12 under AES.",
    )
}

pub(crate) fn senseless(what: &str) -> Refusal {
    Refusal::new("key.kdf_params", what, "Export the key again.")
}

/// Not every passphrase could be tried.
pub(super) fn too_many_tries() -> Refusal {
    Refusal::new(
        "limit.kdf_cost",
        "trying every passphrase would take too much time or memory; not all were tried",
        "Give only those that the file needs.",
    )
}

fn too_expensive() -> Refusal {
    Refusal::new(
        "limit.kdf_cost",
        "deriving the key from the passphrase would take too much time or memory; nothing was tried",
        "Write the file again with HMAC-SHA-256 and at most 2,000,000 iterations, or scrypt within 64 MiB.",
    )
}
