//! The points of Ed25519 (RFC 8032, 5.1.3) that no key may be: those of small order, with which anybody can sign, and
//! numbers that belong to no point.

use std::sync::LazyLock;

use num_bigint::BigUint;

/// Where a point of order 1, 2, 4 or 8 lies (its y, less the sign of x), also as a number beyond the field.
const SMALL_ORDER: [[u8; 32]; 7] = [
    with_ends(0x00, 0x00, 0x00),
    with_ends(0x01, 0x00, 0x00),
    with_ends(0xec, 0xff, 0x7f),
    with_ends(0xed, 0xff, 0x7f),
    with_ends(0xee, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// 2^255 - 19.
static PRIME: LazyLock<BigUint> = LazyLock::new(|| (BigUint::from(1_u32) << 255_u32) - 19_u32);

/// d of the curve -x^2 + y^2 = 1 + d x^2 y^2, which is -121665/121666.
static D: LazyLock<BigUint> = LazyLock::new(|| {
    let exponent = &*PRIME - 2_u32;
    (&*PRIME - 121_665_u32) * BigUint::from(121_666_u32).modpow(&exponent, &PRIME) % &*PRIME
});

const fn with_ends(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut octets = [middle; 32];
    octets[0] = first;
    octets[31] = last;
    octets
}

/// Says what is wrong with a public key, if anything is.
pub(super) fn check(key: &[u8]) -> Result<(), &'static str> {
    let Ok(mut y) = <[u8; 32]>::try_from(key) else {
        return Err("an Ed25519 key is not 32 octets long");
    };
    y[31] &= 0x7f;
    if SMALL_ORDER.contains(&y) {
        return Err("the public key is a point of small order, with which anybody can sign");
    }
    if is_on_curve(&BigUint::from_bytes_le(&y)) {
        Ok(())
    } else {
        Err("the public key is not a point on its curve")
    }
}

/// Whether there is an x: x^2 = (y^2 - 1) / (d y^2 + 1), and a fraction is a square when its two parts multiplied are.
fn is_on_curve(y: &BigUint) -> bool {
    let square = y * y % &*PRIME;
    let numerator = (&square + &*PRIME - 1_u32) % &*PRIME;
    let denominator = (&*D * &square + 1_u32) % &*PRIME;
    is_square(numerator * denominator % &*PRIME)
}

/// Whether a number that is not zero is a square modulo the prime: its Legendre symbol, by the law of reciprocity.
/// Quicker by far than a power, and time tells nothing about what is public.
fn is_square(mut number: BigUint) -> bool {
    let mut modulus = PRIME.clone();
    let mut is_minus = false;
    while number != BigUint::ZERO {
        let twos = number.trailing_zeros().unwrap_or(0);
        number >>= twos;
        let low = |n: &BigUint| n.iter_u32_digits().next().unwrap_or(0);
        is_minus ^= twos % 2 == 1 && matches!(low(&modulus) % 8, 3 | 5);
        is_minus ^= low(&number) % 4 == 3 && low(&modulus) % 4 == 3;
        std::mem::swap(&mut number, &mut modulus);
        number %= &modulus;
    }
    !is_minus
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_told_from_others_as_eulers_criterion_does() {
        let half = (&*PRIME - 1_u32) >> 1_u32;
        for number in 1_u32..200 {
            let number = BigUint::from(number).pow(31) % &*PRIME;
            let is_one = number.modpow(&half, &PRIME) == BigUint::from(1_u32);
            assert_eq!(is_square(number.clone()), is_one, "{number}");
        }
    }

    #[test]
    fn the_base_point_is_on_the_curve() {
        let mut base = [0x66; 32];
        base[0] = 0x58;
        assert_eq!(check(&base), Ok(()));
        assert!(check(&base[1..]).is_err());
        base[1] = 0x67;
        let other = check(&base);
        base[1] = 0x68;
        // Every other number belongs to no point.
        assert!(
            other.is_err() || check(&base).is_err() || {
                base[1] = 0x69;
                check(&base).is_err()
            }
        );
    }
}
