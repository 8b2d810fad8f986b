//! How many connections, and for how long.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The limits of one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections at once. Above it, new ones wait in the system's queue.
    pub connections: usize,
    /// The most connections at once from one address (IPv6: from one /64). Loopback has no such cap.
    pub per_address: usize,
    /// From the accepted connection to the end of the handshake; without TLS, to the first byte.
    pub handshake: Duration,
    /// How long nothing may pass in either direction.
    pub idle: Duration,
    /// How long connections may go on after the stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            per_address: 1_000,
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            drain: Duration::from_secs(30),
        }
    }
}

type Open = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// Who is connected now, against the caps.
pub(crate) struct Caps {
    total: Arc<Semaphore>,
    per_address: usize,
    open: Open,
}

/// One of the places under the total cap.
pub(crate) struct Place(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// One of the places of an address.
pub(crate) struct AddressPlace(Option<(Open, IpAddr)>);

impl Caps {
    pub(crate) fn new(limits: &Limits) -> Self {
        let total = limits.connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            total: Arc::new(Semaphore::new(total)),
            per_address: limits.per_address,
            open: Open::default(),
        }
    }

    /// Waits for a free place under the total cap.
    pub(crate) async fn place(&self) -> Option<Place> {
        // The semaphore is never closed; if it were, nothing more would be accepted.
        Arc::clone(&self.total).acquire_owned().await.ok().map(Place)
    }

    /// A place for this address, or none when it has too many.
    pub(crate) fn address_place(&self, address: IpAddr) -> Option<AddressPlace> {
        let Some(group) = group(address) else {
            return Some(AddressPlace(None));
        };
        let mut open = locked(&self.open);
        let count = open.entry(group).or_insert(0);
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        Some(AddressPlace(Some((Arc::clone(&self.open), group))))
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let Some((open, group)) = &self.0 else { return };
        let mut open = locked(open);
        if let Some(count) = open.get_mut(group) {
            *count -= 1;
            if *count == 0 {
                open.remove(group);
            }
        }
    }
}

/// Whoever can take many addresses counts as one; nobody for loopback.
fn group(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V4(address) => Some(IpAddr::V4(address)),
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << 64);
            Some(IpAddr::V6(Ipv6Addr::from_bits(network)))
        }
    }
}

fn locked(open: &Mutex<HashMap<IpAddr, usize>>) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(per_address: usize) -> Caps {
        Caps::new(&Limits { per_address, ..Limits::default() })
    }

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let caps = caps(2);
        let address = "192.0.2.1".parse().unwrap();
        let first = caps.address_place(address);
        let second = caps.address_place("::ffff:192.0.2.1".parse().unwrap());
        assert!(first.is_some() && second.is_some());
        assert!(caps.address_place(address).is_none());
        assert!(caps.address_place("192.0.2.2".parse().unwrap()).is_some());
        drop(first);
        assert!(caps.address_place(address).is_some());
        drop(second);
        assert!(locked(&caps.open).is_empty());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_and_loopback_as_nobody() {
        let caps = caps(1);
        let _one = caps.address_place("2001:db8::1".parse().unwrap());
        assert!(caps.address_place("2001:db8::2".parse().unwrap()).is_none());
        assert!(caps.address_place("2001:db8:0:1::1".parse().unwrap()).is_some());
        let many: Vec<_> = (0..100).map(|_| caps.address_place("127.0.0.1".parse().unwrap())).collect();
        assert!(many.iter().all(Option::is_some));
    }
}
