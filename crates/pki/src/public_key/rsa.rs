//! The checks on an RSA public key (CA/B Baseline Requirements 6.1.5, 6.1.6, 6.1.1.3).

use num_bigint::BigUint;

use crate::Refusal;
use crate::tlv::{Reader, only, tag};
use crate::weak::{self, Weakness};

const SMALLEST: u64 = 2048;
const LARGEST: u64 = 8192;
/// AWS-LC verifies with no longer exponent, and neither does Windows.
const LONGEST_EXPONENT: u64 = 33;
/// Smaller exponents are tolerated, and said.
const USUAL_EXPONENT: u32 = 65_537;

pub(super) struct Checked {
    pub(super) bits: u32,
    pub(super) small_exponent: bool,
}

/// How much a key is looked at.
#[derive(Clone, Copy)]
pub(crate) enum Care {
    /// It was let in before: what takes time is not done again.
    Known,
    /// It stands in a certificate of others.
    Quick,
    /// Somebody wants to use it here.
    Thorough,
}

/// Checks an RSAPublicKey in DER (RFC 8017, A.1.1).
pub(super) fn check(der: &[u8], care: Care) -> Result<Checked, Refusal> {
    crate::format::der::check(der)?;
    let mut key = Reader::new(only(der, tag::SEQUENCE)?.value);
    let modulus = key.expect(tag::INTEGER)?.value;
    let exponent = key.expect(tag::INTEGER)?.value;
    key.end()?;
    let bits = check_size(modulus)?;
    let modulus = BigUint::from_bytes_be(modulus);
    let exponent = check_exponent(exponent, &modulus)?;
    let weakness = match care {
        Care::Known => None,
        Care::Quick => weak::weakness(&modulus),
        Care::Thorough => weak::weakness_of_own(&modulus),
    };
    match weakness {
        Some(Weakness::SmallFactor) => return Err(bad_modulus("the modulus has a small factor")),
        Some(Weakness::Roca) => {
            return Err(compromised(
                "key.weak.roca",
                "the key was made by a faulty library (ROCA, CVE-2017-15361)",
            ));
        }
        Some(Weakness::ClosePrimes) => {
            return Err(compromised(
                "key.weak.close_primes",
                "the two primes of the key are too close together",
            ));
        }
        Some(Weakness::Sparse) => {
            return Err(compromised(
                "key.weak.sparse",
                "the modulus is mostly zeros, so that its factors can be computed",
            ));
        }
        None => {}
    }
    Ok(Checked { bits, small_exponent: exponent < BigUint::from(USUAL_EXPONENT) })
}

/// Size and parity, before anything is computed with the number.
fn check_size(modulus: &[u8]) -> Result<u32, Refusal> {
    let (Some(top), Some(low)) = (modulus.first(), modulus.last()) else {
        return Err(bad_modulus("the modulus is empty"));
    };
    if top & 0x80 != 0 || modulus == [0] || low & 1 == 0 {
        return Err(bad_modulus("the modulus is negative, zero or even"));
    }
    // DER is minimal: at most the first octet is zero. The length is below 10 MB.
    let octets = if *top == 0 { &modulus[1..] } else { modulus };
    let bits = octets.len() as u64 * 8 - u64::from(octets[0].leading_zeros());
    if bits > LARGEST {
        return Err(Refusal::new(
            "limit.rsa_size",
            format!("the RSA key has {bits} bits; at most {LARGEST} are taken"),
            "Use a key of 2048 to 4096 bits, or EC P-256.",
        ));
    }
    if bits < SMALLEST || !bits.is_multiple_of(8) {
        return Err(Refusal::new(
            "key.rsa_size",
            format!("the RSA key has {bits} bits; 2048 or more are needed, in whole octets"),
            "Make a new key of at least 2048 bits, or EC P-256.",
        ));
    }
    // At most 8192.
    Ok(bits as u32)
}

fn check_exponent(exponent: &[u8], modulus: &BigUint) -> Result<BigUint, Refusal> {
    let negative = exponent.first().is_none_or(|top| top & 0x80 != 0);
    let even = exponent.last().is_none_or(|low| low & 1 == 0);
    let number = BigUint::from_bytes_be(exponent);
    let what = if negative || even {
        "the public exponent is negative or even"
    } else if number == BigUint::from(1_u32) {
        "the public exponent is 1"
    } else if number >= *modulus {
        "the public exponent is not smaller than the modulus"
    } else if number.bits() > LONGEST_EXPONENT {
        "the public exponent is longer than 33 bits"
    } else {
        return Ok(number);
    };
    Err(Refusal::new("key.rsa_exponent", what, "Make a new key with the exponent 65537."))
}

fn bad_modulus(what: &str) -> Refusal {
    Refusal::new("key.rsa_modulus", what, "Make a new key.")
}

fn compromised(code: &'static str, what: &str) -> Refusal {
    Refusal::new(code, what, "Make a new key elsewhere, and revoke every certificate of this one.")
}
