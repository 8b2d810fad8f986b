//! The real clock and the real source of randomness.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use app::state::World;
use domain::{Clock, Moment, Random};

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The cryptographic library's source.
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        if aws_lc_rs::rand::fill(bytes).is_err() {
            // Serials and nonces that could repeat are worse than a server that is down.
            tracing::error!("the system gives no randomness");
            std::process::abort();
        }
    }
}

/// The world that a real server lives in.
pub fn world() -> World {
    World { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) }
}

/// A random secret of 32 hexadecimal digits.
pub fn random_word() -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(pki::identity::hex(&domain::clock::random_bytes::<16>(&SystemRandom)))
}

/// The time now, where there is no application that has a clock.
pub fn now() -> Moment {
    SystemClock.now()
}
