//! RSA moduli that anybody can factor: small factors, primes that are close together, sparse primes, and ROCA.

mod factor;

use std::sync::LazyLock;

use num_bigint::BigUint;

/// What is wrong with a modulus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weakness {
    /// Divisible by a small prime (NIST SP 800-89, 5.3.3, asks for 751).
    SmallFactor,
    /// Made by the Infineon library of CVE-2017-15361.
    Roca,
    /// Fermat's method finds the factors within 100 rounds (CA/B Baseline Requirements, 6.1.1.3).
    ClosePrimes,
    /// Mostly zeros, as the product of two primes that are nearly powers of two: factored as a polynomial.
    Sparse,
}

/// Looks for known weaknesses of an odd modulus of at most 8192 bits, as far as that costs next to nothing: for the
/// many certificates of others.
pub(crate) fn weakness(modulus: &BigUint) -> Option<Weakness> {
    let remainders = Remainders::of(modulus);
    if remainders.any_zero() {
        return Some(Weakness::SmallFactor);
    }
    if remainders.look_like_roca() {
        return Some(Weakness::Roca);
    }
    if has_close_primes(modulus) {
        return Some(Weakness::ClosePrimes);
    }
    is_sparse(modulus).then_some(Weakness::Sparse)
}

/// As [`weakness`], with all that takes longer: for a key that somebody wants to use.
pub(crate) fn weakness_of_own(modulus: &BigUint) -> Option<Weakness> {
    weakness(modulus).or_else(|| factor::has_small_factor(modulus).then_some(Weakness::SmallFactor))
}

/// The largest prime that is tried as a factor of any modulus.
const LARGEST_FACTOR: u32 = 751;
/// The ROCA fingerprint uses the odd primes up to this one ("The Return of Coppersmith's Attack", CCS 2017).
const LARGEST_ROCA_PRIME: u32 = 167;
/// The number whose powers the faulty library built its primes from.
const ROCA_GENERATOR: u64 = 65_537;
const FERMAT_ROUNDS: u32 = 100;

/// Primes whose product fits 64 bits: the long division by a modulus is done once for all of them.
struct Group {
    product: u64,
    primes: Vec<u64>,
}

static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| {
    let mut groups: Vec<Group> = Vec::new();
    for prime in factor::odd_primes(LARGEST_FACTOR).map(u64::from) {
        match groups.last_mut() {
            Some(group) if group.product.checked_mul(prime).is_some() => {
                group.product *= prime;
                group.primes.push(prime);
            }
            Some(_) | None => groups.push(Group { product: prime, primes: vec![prime] }),
        }
    }
    groups
});

/// For each ROCA prime the residues that are a power of the generator, as flags.
static ROCA_RESIDUES: LazyLock<Vec<(u64, Vec<bool>)>> = LazyLock::new(|| {
    let primes = factor::odd_primes(LARGEST_ROCA_PRIME).map(u64::from);
    primes.map(|prime| (prime, powers_modulo(prime))).collect()
});

fn powers_modulo(prime: u64) -> Vec<bool> {
    // The residue is below `prime`, which is the length.
    let mut powers = vec![false; prime as usize];
    let mut power = 1;
    while !powers[power as usize] {
        powers[power as usize] = true;
        power = power * ROCA_GENERATOR % prime;
    }
    powers
}

/// The modulus modulo every odd prime up to 751, in ascending order of the primes.
struct Remainders(Vec<(u64, u64)>);

impl Remainders {
    fn of(modulus: &BigUint) -> Self {
        let digits = modulus.to_u64_digits();
        let mut all = Vec::with_capacity(140);
        for group in GROUPS.iter() {
            let product = u128::from(group.product);
            // Always below a number of 64 bits.
            let whole =
                digits.iter().rev().fold(0, |rest, digit| ((rest << 64) | u128::from(*digit)) % product)
                    as u64;
            all.extend(group.primes.iter().map(|prime| (*prime, whole % prime)));
        }
        Self(all)
    }

    fn any_zero(&self) -> bool {
        self.0.iter().any(|(_, remainder)| *remainder == 0)
    }

    fn look_like_roca(&self) -> bool {
        let pairs = self.0.iter().zip(ROCA_RESIDUES.iter());
        // Both lists ascend from 3 without gaps, so the primes agree; the residue is below the prime.
        pairs.take(ROCA_RESIDUES.len()).all(|((_, remainder), (_, powers))| powers[*remainder as usize])
    }
}

/// Fewer than four ones among ten binary digits, in the whole and in its lower half. Of sound moduli of 2048 bits not
/// one in 10^18 has so few: that is nine standard deviations (`badkeys` calls it rsapoly).
fn is_sparse(modulus: &BigUint) -> bool {
    let digits = modulus.to_u64_digits();
    let few = |digits: &[u64]| {
        let ones: u64 = digits.iter().map(|digit| u64::from(digit.count_ones())).sum();
        // A modulus has 32 to 128 digits of 64 bits.
        ones * 10 < digits.len() as u64 * 64 * 4
    };
    few(&digits) && few(&digits[..digits.len() / 2])
}

/// Fermat: `n = a^2 - b^2` with `a` near the root of `n` when the primes are close.
fn has_close_primes(modulus: &BigUint) -> bool {
    let mut a = modulus.sqrt();
    if &a * &a < *modulus {
        a += 1_u32;
    }
    let mut b_squared = &a * &a - modulus;
    for _ in 0..FERMAT_ROUNDS {
        if is_square(&b_squared) {
            return true;
        }
        // (a + 1)^2 - n = (a^2 - n) + 2a + 1
        b_squared += &a << 1_u32;
        b_squared += 1_u32;
        a += 1_u32;
    }
    false
}

fn is_square(n: &BigUint) -> bool {
    // Cheap sieves first: 12 of 64 residues and 336 of 45,045 are squares; one number in 70 goes on to the root.
    const SQUARES_MODULO_64: u64 = 0x0202_0212_0203_0213;
    let low = n.iter_u64_digits().next().unwrap_or(0);
    if SQUARES_MODULO_64 >> (low & 63) & 1 == 0 {
        return false;
    }
    let rest = (n % 45_045_u32).iter_u32_digits().next().unwrap_or(0);
    if ![63, 65, 11].iter().all(|m| (0..*m).any(|root: u32| root * root % m == rest % m)) {
        return false;
    }
    let root = n.sqrt();
    &root * &root == *n
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next number from `n` on that passes Fermat's primality test.
    fn prime_from(n: BigUint) -> BigUint {
        let mut n = n | BigUint::from(1_u32);
        loop {
            let divisible = (3_u32..2000).step_by(2).any(|d| (&n % d) == BigUint::ZERO);
            if !divisible && BigUint::from(2_u32).modpow(&(&n - 1_u32), &n) == BigUint::from(1_u32) {
                return n;
            }
            n += 2_u32;
        }
    }

    fn number(seed: u32, bits: u64) -> BigUint {
        // Digits of a power: arbitrary, always the same.
        let power = BigUint::from(seed).pow(2000);
        let excess = power.bits() - bits;
        power >> excess
    }

    #[test]
    fn sound_moduli_pass() {
        for (p, q) in [(3, 7), (11, 13), (17, 19)] {
            let modulus = prime_from(number(p, 512)) * prime_from(number(q, 512));
            assert_eq!(weakness(&modulus), None);
        }
    }

    #[test]
    fn primes_next_to_each_other_are_found() {
        let p = prime_from(number(3, 512));
        let q = prime_from(&p + 2_u32);
        assert_eq!(weakness(&(&p * &q)), Some(Weakness::ClosePrimes));
        assert_eq!(weakness(&(&p * &p)), Some(Weakness::ClosePrimes));
        let far = prime_from(&p + (BigUint::from(1_u32) << 300_u32));
        assert_eq!(weakness(&(&p * far)), None);
    }

    #[test]
    fn small_factors_are_found_and_larger_ones_left() {
        let p = prime_from(number(5, 1000));
        assert_eq!(weakness(&(&p * 3_u32)), Some(Weakness::SmallFactor));
        assert_eq!(weakness(&(&p * 751_u32)), Some(Weakness::SmallFactor));
        assert_eq!(weakness(&(&p * 757_u32)), None);
        assert_eq!(weakness_of_own(&(&p * 757_u32)), Some(Weakness::SmallFactor));
        assert_eq!(weakness_of_own(&(&p * 65_537_u32)), Some(Weakness::SmallFactor));
        assert_eq!(weakness_of_own(&(&p * prime_from(number(7, 1000)))), None);
    }

    #[test]
    fn sparse_moduli_are_found() {
        let near_power = |bits: u32, low: u32| {
            prime_from((BigUint::from(1_u32) << bits) + (BigUint::from(0b1011_u32) << low))
        };
        assert_eq!(weakness(&(near_power(1023, 640) * near_power(1022, 96))), Some(Weakness::Sparse));
        // A chosen beginning ("vanity") leaves the lower half random.
        let lower = number(3, 1024);
        let vanity = (BigUint::from(1_u32) << 2047_u32) + lower;
        assert!(!is_sparse(&vanity));
    }

    #[test]
    fn powers_of_the_generator_are_found() {
        let primorial = ROCA_RESIDUES.iter().fold(BigUint::from(2_u32), |m, (prime, _)| m * *prime);
        let prime = |k: u32, e: u32| {
            let power = BigUint::from(ROCA_GENERATOR).modpow(&BigUint::from(e), &primorial);
            let mut candidate = number(k, 512) / &primorial * &primorial + power;
            while BigUint::from(2_u32).modpow(&(&candidate - 1_u32), &candidate) != BigUint::from(1_u32) {
                candidate += &primorial;
            }
            candidate
        };
        assert_eq!(weakness(&(prime(3, 1234) * prime(7, 99_999))), Some(Weakness::Roca));
    }

    #[test]
    fn squares_are_told_from_others() {
        for n in 0_u32..5000 {
            let root = f64::from(n).sqrt() as u32;
            assert_eq!(is_square(&BigUint::from(n)), root * root == n, "{n}");
        }
    }
}
