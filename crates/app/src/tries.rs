//! Passwords that are tried: by the address they come from, so that who tries many names from one place goes slowly; and
//! for names that nobody has, which are answered as those of people are.
//!
//! Nobody is shut out. After a few wrong ones the tries of an address go one by one, with a pause before each; the right
//! password of anybody there is taken after a few seconds at most. Kept in memory: a stranger must not make us write.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::Moment;
use domain::clock::{DAY, MINUTE, SECOND};

use crate::Error;

/// Wrong passwords of one address that cost nothing: people mistype, and offices share an address.
const FREE: u32 = 10;
/// How long after the last wrong one an address begins anew.
const MEMORY: i64 = 15 * MINUTE;
/// The pause before each further try.
const PAUSE: Duration = Duration::from_secs(1);
/// Tries of one address that may wait for their pause; more are told to come back.
const WAITING: u32 = 4;
/// The most addresses that are remembered; beyond it those that come newly count as one.
const MOST: usize = 10_000;

/// How long after the last miss a name begins anew, as those of people do in the tables.
const NAME_MEMORY: i64 = DAY;

/// Decides about the next try from the misses and the moment of the last one; answers the misses with this one.
pub(crate) type MayTry = fn(u32, Option<Moment>, Moment) -> Result<u32, Error>;

/// The tries of every address lately, and of every name that nobody has.
#[derive(Default)]
pub(crate) struct Tries(Mutex<Lately>);

#[derive(Default)]
struct Lately {
    addresses: HashMap<String, Address>,
    /// Misses of names that nobody has, and when the last one came.
    names: HashMap<String, (u32, Moment)>,
    /// When those that were silent were last forgotten; a full map is not searched for each newcomer.
    swept: Moment,
}

impl Lately {
    /// Where an address is counted: by itself, or in a full map among the newcomers.
    fn place<'a>(&mut self, key: &'a str, now: Moment) -> &'a str {
        if self.addresses.len() < MOST || self.addresses.contains_key(key) {
            return key;
        }
        if now.since(self.swept) >= MINUTE {
            self.swept = now;
            self.addresses.retain(|_, known| known.waiting > 0 || now.since(known.last) < MEMORY);
        }
        if self.addresses.len() < MOST { key } else { "" }
    }

    /// Makes room for another name: those of yesterday go, else the one that was tried the longest ago.
    fn make_room(&mut self, now: Moment) {
        if self.names.len() < MOST {
            return;
        }
        self.names.retain(|_, (_, last)| now.since(*last) < NAME_MEMORY);
        if self.names.len() >= MOST {
            let oldest = self.names.iter().min_by_key(|(_, (_, last))| *last).map(|(name, _)| name.clone());
            oldest.map(|name| self.names.remove(&name));
        }
    }

    fn known(&mut self, key: &str) -> Option<&mut Address> {
        let key = if self.addresses.contains_key(key) { key } else { "" };
        self.addresses.get_mut(key)
    }
}

struct Address {
    wrong: u32,
    last: Moment,
    waiting: u32,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Address {
    fn new(now: Moment) -> Self {
        Self { wrong: 0, last: now, waiting: 0, turn: Arc::default() }
    }
}

/// What an address owes before its next try.
enum Owed {
    Nothing,
    Pause(Arc<tokio::sync::Mutex<()>>),
}

impl Tries {
    /// Lets a try begin: at once, or after its pause. It counts as wrong until [`Tries::forgive`].
    ///
    /// # Errors
    /// [`Error::Throttled`] when too many of this address wait already.
    pub(crate) async fn begin(&self, address: &str, now: Moment) -> Result<(), Error> {
        let key = network(address);
        match self.count(&key, now)? {
            Owed::Nothing => Ok(()),
            Owed::Pause(turn) => {
                let _waiting = Waiting { tries: self, key: &key };
                let _turn = turn.lock().await;
                tokio::time::sleep(PAUSE).await;
                Ok(())
            }
        }
    }

    /// Takes back that a try counted as wrong: it was right, or was not looked at.
    pub(crate) fn forgive(&self, address: &str) {
        if let Some(known) = self.locked().known(&network(address)) {
            known.wrong = known.wrong.saturating_sub(1);
        }
    }

    /// Counts a try of a name that nobody has, by the rule that holds for people's.
    ///
    /// # Errors
    /// What the rule refuses.
    pub(crate) fn count_name(&self, name: &str, now: Moment, may_try: MayTry) -> Result<(), Error> {
        let mut lately = self.locked();
        let known = lately.names.get(name).copied();
        let known = known.filter(|(_, last)| now.since(*last) < NAME_MEMORY);
        let wrong = may_try(known.map_or(0, |(wrong, _)| wrong), known.map(|(_, last)| last), now)?;
        if !lately.names.contains_key(name) {
            lately.make_room(now);
        }
        lately.names.insert(name.to_owned(), (wrong, now));
        Ok(())
    }

    fn count(&self, key: &str, now: Moment) -> Result<Owed, Error> {
        let mut lately = self.locked();
        let key = lately.place(key, now);
        let known = lately.addresses.entry(key.to_owned()).or_insert_with(|| Address::new(now));
        if now.since(known.last) >= MEMORY {
            known.wrong = 0;
        }
        if known.wrong >= FREE && known.waiting >= WAITING {
            let until = now.plus(i64::from(WAITING) * SECOND);
            let what =
                "many wrong passwords came from your address, and several tries wait already".to_owned();
            return Err(Error::Throttled { until, what });
        }
        known.last = now;
        known.wrong = known.wrong.saturating_add(1);
        if known.wrong <= FREE {
            return Ok(Owed::Nothing);
        }
        known.waiting += 1;
        Ok(Owed::Pause(Arc::clone(&known.turn)))
    }

    fn locked(&self) -> MutexGuard<'_, Lately> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that waits; whoever hangs up waits no more.
struct Waiting<'a> {
    tries: &'a Tries,
    key: &'a str,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(known) = self.tries.locked().known(self.key) {
            known.waiting = known.waiting.saturating_sub(1);
        }
    }
}

/// Who counts as one: an IPv4 address, or an IPv6 network of 64 bits, of which anybody has plenty of addresses.
fn network(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).to_string(),
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn wrong(tries: &Tries, address: &str, times: u32, now: Moment) {
        for _ in 0..times {
            tries.begin(address, now).now_or_never().expect("no pause").expect("it may be tried");
        }
    }

    #[tokio::test]
    async fn ten_are_free_then_each_waits_and_the_fifth_is_told_to_come_back() {
        let (tries, now) = (Tries::default(), Moment(0));
        wrong(&tries, "192.0.2.1", FREE, now);
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(tries.begin("192.0.2.1", now))).collect();
        for one in &mut waiting {
            assert!(one.as_mut().now_or_never().is_none(), "it waits");
        }
        let refused = tries.begin("192.0.2.1", now).now_or_never().expect("an answer at once");
        assert!(matches!(refused, Err(Error::Throttled { until, .. }) if until == Moment(4 * SECOND)));
        // Another address knows nothing of it.
        wrong(&tries, "192.0.2.2", FREE, now);
        // Whoever hangs up makes room.
        drop(waiting.pop());
        assert!(tries.begin("192.0.2.1", now).now_or_never().is_none());
    }

    #[tokio::test]
    async fn right_ones_do_not_count_and_a_quarter_of_an_hour_forgets() {
        let tries = Tries::default();
        for _ in 0..100 {
            wrong(&tries, "::1", 1, Moment(0));
            tries.forgive("::1");
        }
        wrong(&tries, "::1", FREE, Moment(0));
        assert!(tries.begin("::1", Moment(MEMORY - 1)).now_or_never().is_none());
        // That try came last, so the time runs from it.
        wrong(&tries, "::1", FREE, Moment(2 * MEMORY));
    }

    #[test]
    fn a_million_made_up_names_take_bounded_memory_and_the_last_ones_are_known() {
        let tries = Tries::default();
        let once: MayTry = |wrong, _, _| if wrong == 0 { Ok(1) } else { Err(Error::Busy) };
        for n in 0..10_100 {
            assert!(tries.count_name(&format!("n{n}"), Moment(n), once).is_ok());
        }
        assert_eq!(tries.locked().names.len(), MOST);
        let now = Moment(10_100);
        assert!(tries.count_name("n10099", now, once).is_err());
        assert!(tries.count_name("n10099", now.plus(DAY), once).is_ok(), "a day forgets");
        assert!(tries.count_name("n1", now, once).is_ok(), "the oldest gave way");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_a_million_take_bounded_memory() {
        assert_eq!(network("2001:db8::1"), network("2001:db8::2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        let tries = Tries::default();
        for n in 0..30_000_u32 {
            let _ = tries.count(&std::net::Ipv4Addr::from(n).to_string(), Moment(0));
        }
        assert!(tries.locked().addresses.len() <= MOST + 1);
    }
}
