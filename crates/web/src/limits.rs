//! How often one address may ask: two token buckets per address outside loopback (DESIGN section 6).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use domain::Moment;
use domain::clock::{MINUTE, SECOND};

/// Requests that one address may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In one second.
    pub per_second: u32,
    /// In one minute.
    pub per_minute: u32,
}

impl Default for Rate {
    /// X-Road's: 20 a second, 600 a minute.
    fn default() -> Self {
        Self { per_second: 20, per_minute: 600 }
    }
}

/// The most addresses that are remembered; beyond it, those that come newly share one allowance.
const MOST: usize = 20_000;

/// The buckets of everybody who asked lately.
pub(crate) struct Limits {
    rate: Rate,
    callers: Mutex<HashMap<IpAddr, Caller>>,
}

#[derive(Clone, Copy)]
struct Caller {
    second: Bucket,
    minute: Bucket,
}

/// A bucket that fills by itself. Counts in thousandths, so that slow filling loses nothing.
#[derive(Clone, Copy)]
struct Bucket {
    thousandths: i64,
    filled: Moment,
}

impl Bucket {
    fn full(size: u32, now: Moment) -> Self {
        Self { thousandths: i64::from(size) * 1_000, filled: now }
    }

    /// Fills up for the time that went by, at `size` per `period`.
    fn fill(&mut self, size: u32, period: i64, now: Moment) {
        // A clock that was set back gives nothing and takes nothing.
        let elapsed = now.since(self.filled).clamp(0, period);
        let full = i64::from(size) * 1_000;
        self.thousandths = (self.thousandths + elapsed * full / period).min(full);
        self.filled = now;
    }

    /// Milliseconds until there is one.
    fn wait(&self, size: u32, period: i64) -> i64 {
        let missing = 1_000 - self.thousandths;
        if missing <= 0 { 0 } else { (missing * period).div_euclid(i64::from(size.max(1)) * 1_000) + 1 }
    }
}

impl Limits {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, callers: Mutex::new(HashMap::new()) }
    }

    /// Counts a request from this address; the error is the seconds to wait. Loopback is never counted.
    pub(crate) fn take(&self, address: Option<IpAddr>, now: Moment) -> Result<(), i64> {
        if address.is_some_and(|address| address.is_loopback()) {
            return Ok(());
        }
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let key = self.key(&mut callers, network(address), now);
        let fresh = Caller {
            second: Bucket::full(self.rate.per_second, now),
            minute: Bucket::full(self.rate.per_minute, now),
        };
        let caller = callers.entry(key).or_insert(fresh);
        caller.second.fill(self.rate.per_second, SECOND, now);
        caller.minute.fill(self.rate.per_minute, MINUTE, now);
        let wait = caller
            .second
            .wait(self.rate.per_second, SECOND)
            .max(caller.minute.wait(self.rate.per_minute, MINUTE));
        if wait > 0 {
            return Err(wait.div_euclid(SECOND) + 1);
        }
        caller.second.thousandths -= 1_000;
        caller.minute.thousandths -= 1_000;
        Ok(())
    }

    /// Keeps the map bounded: forgets who was silent for a minute, then lets newcomers share one bucket.
    fn key(&self, callers: &mut HashMap<IpAddr, Caller>, address: IpAddr, now: Moment) -> IpAddr {
        if callers.len() < MOST || callers.contains_key(&address) {
            return address;
        }
        callers.retain(|_, caller| now.since(caller.minute.filled) < MINUTE);
        if callers.len() < MOST { address } else { UNKNOWN }
    }
}

/// Stands for whoever has no address of his own.
const UNKNOWN: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Who gets one allowance: an IPv4 address, or an IPv6 network of 64 bits, of which anybody has plenty of addresses.
fn network(address: Option<IpAddr>) -> IpAddr {
    match address {
        None => UNKNOWN,
        Some(IpAddr::V4(address)) => IpAddr::V4(address),
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    fn passed(limits: &Limits, from: Option<IpAddr>, at: i64, tries: usize) -> usize {
        (0..tries).filter(|_| limits.take(from, Moment(at)).is_ok()).count()
    }

    #[test]
    fn twenty_a_second_and_again_after_a_second() {
        let limits = Limits::new(Rate::default());
        let from = address("192.0.2.1");
        assert_eq!(passed(&limits, from, 0, 100), 20);
        assert_eq!(limits.take(from, Moment(0)), Err(1));
        assert_eq!(passed(&limits, from, 1_000, 100), 20);
        assert_eq!(passed(&limits, address("192.0.2.2"), 1_000, 100), 20);
    }

    #[test]
    fn six_hundred_a_minute() {
        let limits = Limits::new(Rate::default());
        let from = address("192.0.2.1");
        let passed: usize = (0..60).map(|second| passed(&limits, from, second * 1_000, 20)).sum();
        // 600 at once, and what fills up within the minute.
        assert!((1_100..=1_200).contains(&passed), "{passed}");
        let later: usize = (60..120).map(|second| self::passed(&limits, from, second * 1_000, 20)).sum();
        assert!((590..=610).contains(&later), "{later}");
    }

    #[test]
    fn loopback_is_free_and_an_ipv6_network_is_one_caller() {
        let limits = Limits::new(Rate::default());
        assert_eq!(passed(&limits, address("127.0.0.1"), 0, 100), 100);
        assert_eq!(passed(&limits, address("::1"), 0, 100), 100);
        assert_eq!(
            passed(&limits, address("2001:db8::1"), 0, 15) + passed(&limits, address("2001:db8::2"), 0, 15),
            20
        );
        assert_eq!(passed(&limits, address("2001:db8:0:1::1"), 0, 15), 15);
        assert_eq!(passed(&limits, None, 0, 100), 20);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let limits = Limits::new(Rate::default());
        assert_eq!(passed(&limits, address("192.0.2.1"), 1_000_000, 100), 20);
        assert_eq!(passed(&limits, address("192.0.2.1"), 0, 100), 0);
        assert_eq!(passed(&limits, address("192.0.2.1"), 1_000, 100), 20);
    }

    #[test]
    fn a_million_addresses_take_bounded_memory() {
        let limits = Limits::new(Rate::default());
        for n in 0..50_000_u32 {
            let _ = limits.take(Some(IpAddr::V4(n.into())), Moment(0));
        }
        let size = limits.callers.lock().unwrap().len();
        assert!(size <= MOST + 1, "{size}");
    }
}
