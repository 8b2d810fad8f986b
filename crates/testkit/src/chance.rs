//! Randomness that is the same in each run.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::Random;

/// SHA-256 of a seed and a counter: looks random, and is the same in each run.
#[derive(Debug, Default)]
pub struct SeededRandom {
    seed: u64,
    drawn: AtomicU64,
}

impl SeededRandom {
    /// Starts from this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(32) {
            let drawn = self.drawn.fetch_add(1, Ordering::SeqCst);
            let block = pki::identity::sha256(&[self.seed.to_be_bytes(), drawn.to_be_bytes()].concat());
            part.copy_from_slice(&block[..part.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::clock::random_bytes;

    use super::*;

    #[test]
    fn repeats_itself_from_the_same_seed_only() {
        let draw = |seed| {
            let random = SeededRandom::new(seed);
            (random_bytes::<40>(&random), random_bytes::<40>(&random))
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_ne!(draw(1).0, draw(1).1);
    }
}
