//! An edge with everything that feeds it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use claviger_edge::{EdgeConfig, EdgeCounters, Limits, Resolver, Seen, Sources, serve_edge};
use domain::lineage::Backend;
use domain::snapshot::Served;
use domain::{Clock, Moment, Signers, Snapshot};
use pki::{Certificate, KeyId, Signer};
use testkit::{Authority, TestSigner};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// 2030.
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Moment {
        Moment(1_893_456_000_000)
    }
}

/// The keys that can sign now.
#[derive(Default)]
pub struct Keys(Mutex<HashMap<KeyId, Arc<TestSigner>>>);

impl Keys {
    pub fn log_in(&self, key: &Arc<TestSigner>) {
        self.0.lock().unwrap().insert(key.public_key().id(), Arc::clone(key));
    }

    pub fn log_out(&self, key: &TestSigner) {
        self.0.lock().unwrap().remove(&key.public_key().id());
    }
}

impl Signers for Keys {
    fn signer(&self, key: &KeyId) -> Option<Arc<dyn Signer>> {
        let keys = self.0.lock().unwrap();
        keys.get(key).map(|key| Arc::clone(key) as Arc<dyn Signer>)
    }
}

pub struct World {
    pub authority: Authority,
    pub keys: Arc<Keys>,
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    pub seen: mpsc::Receiver<Seen>,
    pub resolver: Arc<Resolver>,
    pub stop: CancellationToken,
}

/// An edge that runs.
pub struct Running {
    pub address: SocketAddr,
    pub counters: Arc<EdgeCounters>,
    pub task: JoinHandle<()>,
}

impl Running {
    /// Stops it and waits for the last connection: what it counted is complete then.
    pub async fn end(self, world: &World) -> Arc<EdgeCounters> {
        world.stop.cancel();
        self.task.await.unwrap();
        self.counters
    }
}

/// Limits that no test should reach by accident.
pub fn quick() -> Limits {
    Limits {
        handshake: Duration::from_secs(10),
        idle: Duration::from_secs(10),
        drain: Duration::from_secs(10),
        ..Limits::default()
    }
}

impl World {
    /// Serves nothing yet.
    pub async fn new() -> Self {
        let (snapshots, receiver) = watch::channel(Arc::default());
        let (sender, seen) = mpsc::channel(100);
        let keys = Arc::new(Keys::default());
        let resolver = Resolver::new(Sources {
            snapshots: receiver,
            signers: Arc::clone(&keys) as Arc<dyn Signers>,
            clock: Arc::new(Fixed),
            seen: sender,
        });
        let stop = CancellationToken::new();
        tokio::spawn(Arc::clone(&resolver).follow(stop.clone()));
        let authority = Authority::new();
        let mut world = Self { authority, keys, snapshots, seen, resolver, stop };
        // The empty one that a channel must begin with.
        assert!(matches!(world.seen.recv().await, Some(Seen::Refused { version: 0, .. })));
        world
    }

    pub fn key(&self, key: TestSigner) -> Arc<TestSigner> {
        let key = Arc::new(key);
        self.keys.log_in(&key);
        key
    }

    pub fn served(&self, names: &[&str], key: &Arc<TestSigner>) -> Served {
        served(&self.authority.issue(names, key), &self.authority.intermediate)
    }

    /// A certificate with a new P-256 key.
    pub fn site(&self, names: &[&str]) -> Served {
        self.served(names, &self.key(TestSigner::ec()))
    }

    /// Offers a snapshot and waits for what the edge says.
    pub async fn offer(&mut self, snapshot: Snapshot) -> Seen {
        self.snapshots.send(Arc::new(snapshot)).unwrap();
        self.seen.recv().await.unwrap()
    }

    /// Serves these from now on.
    pub async fn serve(&mut self, version: u64, default: &Served, sites: &[&Served]) {
        let sites = sites.iter().copied().cloned();
        let seen = self.offer(Snapshot::new(version, Some(default.clone()), sites)).await;
        assert_eq!(seen, Seen::Taken { version });
    }

    pub async fn start(&self, limits: Limits) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let edge = EdgeConfig::new(Arc::clone(&self.resolver), limits).unwrap();
        let counters = edge.counters();
        let task = tokio::spawn(serve_edge(listener, edge, self.stop.clone()));
        Running { address, counters, task }
    }
}

fn served(certificate: &Certificate, intermediate: &Certificate) -> Served {
    Served {
        fingerprint: certificate.fingerprint(),
        chain: vec![certificate.der().to_vec(), intermediate.der().to_vec()],
        key: certificate.key_id(),
        algorithm: certificate.public_key().algorithm().unwrap(),
        names: certificate.names().to_vec(),
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
        backend: None,
    }
}

pub fn with_backend(mut served: Served, address: SocketAddr, proxy_protocol: bool) -> Served {
    let address = address.to_string();
    served.backend = Some(Backend { address, proxy_protocol });
    served
}
