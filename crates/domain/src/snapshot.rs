//! What the edge serves: an immutable set of certificates, and the rule that chooses one for a connection.

use std::collections::HashMap;
use std::sync::Arc;

use pki::{Fingerprint, KeyAlgorithm, KeyId, Signer, SubjectAltName, UnixTime};

use crate::lineage::Backend;

/// A certificate that can be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// SHA-256 of the leaf.
    pub fingerprint: Fingerprint,
    /// DER of the chain: leaf first, no root.
    pub chain: Vec<Vec<u8>>,
    /// The key that signs its handshakes.
    pub key: KeyId,
    /// The kind of that key.
    pub algorithm: KeyAlgorithm,
    /// The names that it answers for.
    pub names: Vec<SubjectAltName>,
    /// First second of validity.
    pub not_before: UnixTime,
    /// Last second of validity.
    pub not_after: UnixTime,
    /// Where the bytes go; none means the status page.
    pub backend: Option<Backend>,
}

/// Gives the signer of a key that is open now: its token is logged in.
pub trait Signers: Send + Sync {
    /// The signer; none when the token is logged out or does not know the key.
    fn signer(&self, key: &KeyId) -> Option<Arc<dyn Signer>>;
}

/// Everything that the edge serves at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows with each change.
    pub version: u64,
    /// The certificate for everybody else; the factory certificate at first.
    pub default: Option<Arc<Served>>,
    exact: HashMap<String, Vec<Arc<Served>>>,
    wildcard: HashMap<String, Vec<Arc<Served>>>,
}

impl Snapshot {
    /// Makes a snapshot of these certificates.
    pub fn new<S: Into<Arc<Served>>>(
        version: u64,
        default: Option<S>,
        served: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut snapshot = Self { version, default: default.map(Into::into), ..Self::default() };
        for one in served {
            snapshot.add(one.into());
        }
        snapshot
    }

    fn add(&mut self, served: Arc<Served>) {
        for name in served.names.iter().filter_map(SubjectAltName::dns) {
            let (map, key) = match name.strip_prefix("*.") {
                Some(parent) => (&mut self.wildcard, parent),
                None => (&mut self.exact, name),
            };
            map.entry(key.to_owned()).or_default().push(Arc::clone(&served));
        }
    }

    /// Chooses the certificate for a connection: exact name, then wildcard, then the default; among several the ones
    /// valid now, of a key that the client can verify, the newest. `can` says what the client can verify.
    pub fn select<'a>(
        &'a self,
        server_name: Option<&str>,
        now: UnixTime,
        can: impl Fn(KeyAlgorithm) -> bool,
    ) -> Option<&'a Arc<Served>> {
        let name = server_name.map(canonical).unwrap_or_default();
        let parent = name.split_once('.').map_or("", |(_, parent)| parent);
        let best = |list: Option<&'a Vec<Arc<Served>>>| list.and_then(|list| newest(list, now, &can));
        best(self.exact.get(&name)).or_else(|| best(self.wildcard.get(parent))).or(self.default.as_ref())
    }

    /// Every certificate in it, each once, without the default.
    pub fn all(&self) -> Vec<&Arc<Served>> {
        let mut all: Vec<&Arc<Served>> =
            self.exact.values().chain(self.wildcard.values()).flatten().collect();
        all.sort_by_key(|served| served.fingerprint);
        all.dedup_by_key(|served| served.fingerprint);
        all
    }
}

/// Lower case, one trailing dot stripped: the form in which names are compared.
fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn newest<'a>(
    list: &'a [Arc<Served>],
    now: UnixTime,
    can: &impl Fn(KeyAlgorithm) -> bool,
) -> Option<&'a Arc<Served>> {
    let valid = |served: &&Arc<Served>| served.not_before <= now && now <= served.not_after;
    // EC before RSA where the client takes both: it is cheaper for both sides.
    let rank = |served: &&Arc<Served>| (!served.algorithm.is_rsa(), served.not_before, served.not_after);
    list.iter().filter(valid).filter(|served| can(served.algorithm)).max_by_key(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(names: &[&str], algorithm: KeyAlgorithm, not_before: i64) -> Served {
        let mark = format!("{names:?}{algorithm}{not_before}");
        Served {
            fingerprint: Fingerprint::of_der(mark.as_bytes()),
            chain: Vec::new(),
            key: KeyId::of_spki(mark.as_bytes()),
            algorithm,
            names: names.iter().map(|name| SubjectAltName::Dns((*name).to_owned())).collect(),
            not_before: UnixTime(not_before),
            not_after: UnixTime(not_before + 100),
            backend: None,
        }
    }

    fn choose(snapshot: &Snapshot, name: Option<&str>, now: i64) -> Option<Fingerprint> {
        snapshot.select(name, UnixTime(now), |_| true).map(|served| served.fingerprint)
    }

    #[test]
    fn exact_before_wildcard_before_default() {
        let (default, exact) =
            (served(&["d.org"], KeyAlgorithm::EcP256, 0), served(&["a.b.org"], KeyAlgorithm::EcP256, 0));
        let wild = served(&["*.b.org"], KeyAlgorithm::EcP256, 0);
        let snapshot = Snapshot::new(1, Some(default.clone()), [exact.clone(), wild.clone()]);
        assert_eq!(choose(&snapshot, Some("a.b.org"), 1), Some(exact.fingerprint));
        assert_eq!(choose(&snapshot, Some("A.B.Org."), 1), Some(exact.fingerprint));
        assert_eq!(choose(&snapshot, Some("x.b.org"), 1), Some(wild.fingerprint));
        assert_eq!(choose(&snapshot, Some("x.y.b.org"), 1), Some(default.fingerprint));
        assert_eq!(choose(&snapshot, Some("b.org"), 1), Some(default.fingerprint));
        assert_eq!(choose(&snapshot, None, 1), Some(default.fingerprint));
        // An expired exact match gives way to a wildcard that is valid.
        let old =
            Snapshot::new(1, Some(default), [served(&["a.b.org"], KeyAlgorithm::EcP256, -500), wild.clone()]);
        assert_eq!(choose(&old, Some("a.b.org"), 1), Some(wild.fingerprint));
    }

    #[test]
    fn the_newest_that_is_valid_and_that_the_client_can_verify() {
        let old = served(&["a.org"], KeyAlgorithm::EcP256, 0);
        let new = served(&["a.org"], KeyAlgorithm::EcP256, 10);
        let later = served(&["a.org"], KeyAlgorithm::EcP256, 50);
        let rsa = served(&["a.org"], KeyAlgorithm::Rsa2048, 20);
        let snapshot = Snapshot::new(1, None, [old, new.clone(), later, rsa.clone()]);
        assert_eq!(choose(&snapshot, Some("a.org"), 30), Some(new.fingerprint));
        let only_rsa = snapshot.select(Some("a.org"), UnixTime(30), KeyAlgorithm::is_rsa);
        assert_eq!(only_rsa.map(|served| served.fingerprint), Some(rsa.fingerprint));
    }
}
