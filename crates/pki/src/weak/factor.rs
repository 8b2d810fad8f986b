//! Small factors of a modulus. A key has one when it is damaged, or was never made of two primes.

use std::sync::LazyLock;

use num_bigint::BigUint;

/// The largest prime that is tried, as far as `badkeys` goes.
const LARGEST: u32 = 65_537;

/// Odd primes whose product fits 64 bits: the modulus is divided once by all of them.
struct Group {
    product: u64,
    /// `product * inverse` is 1 modulo 2^64.
    inverse: u64,
    primes: Vec<Divisor>,
}

/// A prime, prepared to be tried without a division (Hacker's Delight, 10-17).
struct Divisor {
    inverse: u64,
    /// The largest quotient of a multiple of the prime.
    limit: u64,
}

static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| {
    let mut groups: Vec<Group> = Vec::new();
    for prime in odd_primes(LARGEST).map(u64::from) {
        let divisor = Divisor { inverse: inverse(prime), limit: u64::MAX / prime };
        match groups.last_mut() {
            Some(group) if group.product.checked_mul(prime).is_some() => {
                group.product *= prime;
                group.primes.push(divisor);
            }
            Some(_) | None => groups.push(Group { product: prime, inverse: 0, primes: vec![divisor] }),
        }
    }
    groups.iter_mut().for_each(|group| group.inverse = inverse(group.product));
    groups
});

/// Whether a prime up to 65537 divides the modulus, which is odd.
pub(super) fn has_small_factor(modulus: &BigUint) -> bool {
    let digits = modulus.to_u64_digits();
    GROUPS.iter().any(|group| {
        let rest = exact_rest(&digits, group);
        group.primes.iter().any(|prime| rest.wrapping_mul(prime.inverse) <= prime.limit)
    })
}

/// A number that the primes of the group divide exactly when they divide the whole: minus the whole, divided by a
/// power of 2^64, modulo the product. Two multiplications for each digit, and no division.
fn exact_rest(digits: &[u64], group: &Group) -> u64 {
    digits.iter().fold(0, |carry, digit| {
        let (difference, borrowed) = digit.overflowing_sub(carry);
        let quotient = difference.wrapping_mul(group.inverse);
        let high = (u128::from(quotient) * u128::from(group.product)) >> 64;
        // Below the product, so that one more fits.
        high as u64 + u64::from(borrowed)
    })
}

/// The inverse of an odd number modulo 2^64, by Newton's method: each step doubles the bits that are right.
fn inverse(odd: u64) -> u64 {
    // Every odd number is its own inverse modulo 8: 3, 6, 12, 24, 48, 96 bits.
    (0..5).fold(odd, |guess, _| guess.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(guess))))
}

/// The odd primes up to a bound, ascending.
pub(super) fn odd_primes(largest: u32) -> impl Iterator<Item = u32> {
    // Bounds here are far below the size of memory.
    let mut composite = vec![false; largest as usize + 1];
    (3..=largest).step_by(2).filter(move |candidate| {
        let prime = !composite[*candidate as usize];
        if prime {
            let step = 2 * *candidate as usize;
            let first = (*candidate as usize).saturating_mul(*candidate as usize);
            (first..composite.len()).step_by(step).for_each(|multiple| composite[multiple] = true);
        }
        prime
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_primes_are_all_there() {
        assert_eq!(odd_primes(LARGEST).count(), 6_542);
        assert_eq!(odd_primes(29).collect::<Vec<_>>(), [3, 5, 7, 11, 13, 17, 19, 23, 29]);
        assert_eq!(odd_primes(LARGEST).last(), Some(LARGEST));
    }

    #[test]
    fn inverses_are_inverse() {
        for odd in [1, 3, 65_537, u64::MAX, 0x1234_5678_9abc_def1] {
            assert_eq!(inverse(odd).wrapping_mul(odd), 1, "{odd}");
        }
    }

    #[test]
    fn every_small_factor_is_found_and_no_other() {
        // 2^127 - 1 and 2^521 - 1 are primes.
        let mersenne = |bits: u32| (BigUint::from(1_u32) << bits) - 1_u32;
        let sound = mersenne(127) * mersenne(521);
        assert!(!has_small_factor(&sound));
        for prime in odd_primes(LARGEST) {
            assert!(has_small_factor(&(&sound * prime)), "{prime}");
        }
        // The next primes after 65537.
        for larger in [65_539_u32, 65_543] {
            assert!(!has_small_factor(&(&sound * larger)), "{larger}");
        }
    }
}
