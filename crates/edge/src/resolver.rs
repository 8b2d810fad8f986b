//! Which certificate a connection gets.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arc_swap::ArcSwap;
use domain::snapshot::Served;
use domain::{Clock, Signers, Snapshot};
use pki::{Fingerprint, KeyId};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::signing;
use crate::snapshot_check::{self, Checked, SnapshotRefused};

/// Where the edge gets everything from.
pub struct Sources {
    /// What to serve; the last good one is kept.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Who signs.
    pub signers: Arc<dyn Signers>,
    /// Which certificates are valid now.
    pub clock: Arc<dyn Clock>,
    /// Where it tells what it saw. It never waits: what does not fit is dropped.
    pub seen: mpsc::Sender<Seen>,
}

/// What the edge tells whoever feeds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A snapshot is served from now on.
    Taken {
        /// Its version.
        version: u64,
    },
    /// A snapshot is not served; the one before still is.
    Refused {
        /// Its version.
        version: u64,
        /// What is wrong with it.
        reason: SnapshotRefused,
    },
    /// A key cannot sign now, so that the default certificate was served; told once per key and snapshot.
    KeyUnavailable {
        /// Which key.
        key: KeyId,
        /// Which certificate was not served.
        certificate: Fingerprint,
    },
}

/// Chooses the certificate of each connection from the last good snapshot.
pub struct Resolver {
    sources: Sources,
    loaded: ArcSwap<Loaded>,
}

/// A snapshot and what was made from it.
#[derive(Default)]
struct Loaded {
    snapshot: Arc<Snapshot>,
    checked: Checked,
    /// Made when a certificate is first asked for, so that a hundred thousand of them load at once.
    ready: RwLock<HashMap<Fingerprint, Ready>>,
    unavailable: Mutex<HashSet<KeyId>>,
}

#[derive(Clone)]
struct Ready {
    served: Arc<Served>,
    certified: Arc<CertifiedKey>,
}

impl Resolver {
    /// Serves the snapshot that is in the channel now, if it is good; [`Resolver::follow`] takes the later ones.
    pub fn new(mut sources: Sources) -> Arc<Self> {
        let first = sources.snapshots.borrow_and_update().clone();
        let resolver = Self { sources, loaded: ArcSwap::default() };
        resolver.take(first);
        Arc::new(resolver)
    }

    /// Takes each new snapshot until `stop`, or until nobody can send one any more.
    pub async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let mut snapshots = self.sources.snapshots.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = snapshots.changed() => if changed.is_err() { return },
            }
            let (resolver, snapshot) = (Arc::clone(&self), snapshots.borrow_and_update().clone());
            // Many new certificates take a while to check.
            let taken = tokio::task::spawn_blocking(move || resolver.take(snapshot)).await;
            if let Err(error) = taken {
                tracing::error!(%error, "taking a snapshot ended in a panic; the one before is still served");
            }
        }
    }

    /// The version of the snapshot that is served; 0 while there is none.
    pub fn version(&self) -> u64 {
        self.loaded.load().snapshot.version
    }

    /// Serves this snapshot from now on, if it is good.
    fn take(&self, snapshot: Arc<Snapshot>) {
        let version = snapshot.version;
        let before = self.loaded.load();
        match snapshot_check::check(&snapshot, &before.checked) {
            Ok(checked) => {
                let ready = still_ready(&before, &checked);
                drop(before);
                self.loaded.store(Arc::new(Loaded {
                    snapshot,
                    checked,
                    ready: RwLock::new(ready),
                    unavailable: Mutex::default(),
                }));
                tracing::debug!(version, "a new set of certificates is served");
                self.tell(Seen::Taken { version });
            }
            Err(reason) => {
                tracing::error!(version, %reason, "a set of certificates is not served, the one before still is");
                self.tell(Seen::Refused { version, reason });
            }
        }
    }

    fn tell(&self, seen: Seen) {
        // A full channel means that nobody has read for long; the edge goes on without.
        let _ = self.sources.seen.try_send(seen);
    }

    /// The certificate for this hello, and the key that signs with it. The default certificate stands in for one
    /// whose key cannot sign now.
    pub(crate) fn choose(&self, hello: &ClientHello<'_>) -> Option<(Arc<Served>, Arc<CertifiedKey>)> {
        let loaded = self.loaded.load();
        let now = self.sources.clock.now().unix();
        let offered = hello.signature_schemes();
        let can = |algorithm| signing::can_verify(offered, algorithm);
        let chosen = loaded.snapshot.select(hello.server_name(), now, can)?;
        if self.sources.signers.signer(&chosen.key).is_some() {
            return Some((Arc::clone(chosen), loaded.certified(chosen, &self.sources.signers)));
        }
        self.tell_unavailable(&loaded, chosen);
        let default = loaded.snapshot.default.as_ref()?;
        self.sources.signers.signer(&default.key)?;
        Some((Arc::clone(default), loaded.certified(default, &self.sources.signers)))
    }

    fn tell_unavailable(&self, loaded: &Loaded, served: &Served) {
        let mut told = loaded.unavailable.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(served.key) {
            let (key, certificate) = (served.key, served.fingerprint);
            tracing::warn!(%key, %certificate, "the key cannot sign now: the default certificate is served");
            self.tell(Seen::KeyUnavailable { key, certificate });
        }
    }
}

/// What was made from the snapshot before and is the same in the new one.
fn still_ready(before: &Loaded, checked: &Checked) -> HashMap<Fingerprint, Ready> {
    let ready = before.ready.read().unwrap_or_else(PoisonError::into_inner);
    let stays = |ready: &Ready| {
        let new = checked.get(&ready.served.fingerprint);
        new.is_some_and(|new| snapshot_check::same(&ready.served, new))
    };
    ready
        .iter()
        .filter(|(_, ready)| stays(ready))
        .map(|(fingerprint, ready)| (*fingerprint, ready.clone()))
        .collect()
}

impl Loaded {
    fn certified(&self, served: &Arc<Served>, signers: &Arc<dyn Signers>) -> Arc<CertifiedKey> {
        let ready = self.ready.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = ready.get(&served.fingerprint)
            && snapshot_check::same(&ready.served, served)
        {
            return Arc::clone(&ready.certified);
        }
        drop(ready);
        let certified = Arc::new(signing::certified_key(served, Arc::clone(signers)));
        let ready = Ready { served: Arc::clone(served), certified: Arc::clone(&certified) };
        let mut all = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(served.fingerprint, ready);
        certified
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(&hello).map(|(_, certified)| certified)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resolver(version {})", self.version())
    }
}
