//! What every action needs at hand: the store, the clock, open tokens, and the ways to wake the clockwork.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};

use domain::pin::PinPolicy;
use domain::snapshot::Signers;
use domain::{Clock, Moment, Random, Snapshot};
use outbound::{Dialer, IpNet};
use pki::Blocklist;
use store::{Store, Tx};
use token::{InstanceKey, Sessions};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, Semaphore, SemaphorePermit, broadcast, watch};

use crate::certificate::Previews;
use crate::job::Progress;
use crate::setup::SetupCode;
use crate::signing::{Authorities, KeyRing};
use crate::snapshot::Building;
use crate::strangers::Strangers;
use crate::tries::Tries;
use crate::{Error, audit};

/// How this server is set up, from its configuration file and command line.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address under which people and programs reach the UI and API, `https://localhost:4000`.
    pub base_url: String,
    /// The address of the plain HTTP port as relying parties reach it; none leaves it out of certificates.
    pub http_url: Option<String>,
    /// Where the edge listens, for the look from outside.
    pub edge_address: Option<SocketAddr>,
    /// The data directory.
    pub data: PathBuf,
    /// Wrong PINs after which a token locks.
    pub pin_tries: u32,
    /// What a PIN must be.
    pub pin_policy: PinPolicy,
    /// How long a target may take, in milliseconds, until it serves what was installed.
    pub verify_patience: i64,
    /// Keys that nobody may use, if a list was loaded.
    pub blocklist: Option<Arc<Blocklist>>,
    /// Networks that are not public and into which addresses found in data may lead all the same.
    pub permitted: Vec<IpNet>,
    /// Whether an import has the missing certificates of a chain fetched without being asked.
    pub fetch_missing: bool,
}

impl Config {
    /// The configuration of a server in this data directory, all else by default.
    pub fn of_directory(data: PathBuf) -> Self {
        Self {
            base_url: "https://localhost:4000".to_owned(),
            http_url: None,
            edge_address: None,
            data,
            pin_tries: domain::pin::TRIES,
            pin_policy: PinPolicy::STRICT,
            verify_patience: 20_000,
            blocklist: None,
            permitted: Vec::new(),
            fetch_missing: false,
        }
    }
}

/// The world that the server lives in.
pub struct World {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where serials, nonces and ids come from.
    pub random: Arc<dyn Random>,
}

/// Log-ins that may be under way at once. More are told to come back, so that PINs and imports get their turn.
const LOG_INS: usize = 16;

/// The running server without its listeners.
pub struct App {
    store: Store,
    world: World,
    config: Config,
    instance: Arc<InstanceKey>,
    sessions: Arc<Sessions>,
    ring: Arc<KeyRing>,
    authorities: Authorities,
    snapshot: watch::Sender<Arc<Snapshot>>,
    /// What the last build of the snapshot leaves to the next.
    snapshot_building: Building,
    /// Held while the first start is done.
    setup_turn: Mutex<()>,
    /// Held while the CAs of an issuer are made.
    authority_turn: Mutex<()>,
    /// One for each target, and for each thing that targets share, by name.
    turns: std::sync::Mutex<HashMap<String, Arc<Mutex<()>>>>,
    progress: broadcast::Sender<Progress>,
    /// Woken when there is work to do now.
    wake: Notify,
    /// Woken when what the edge serves may have changed.
    served: Notify,
    /// At most so many password and PIN derivations at once: each takes 64 MiB.
    derivations: Arc<Semaphore>,
    /// Log-ins that may wait for a derivation; strangers come no further.
    log_ins: Semaphore,
    /// Passwords tried, by address.
    tries: Tries,
    dialer: Dialer,
    setup_code: SetupCode,
    strangers: Strangers,
    /// Uploads that wait for their confirmation.
    previews: Previews,
    /// The head of the audit log as this process last wrote it into its file.
    head_written: std::sync::Mutex<Option<audit::Head>>,
    /// When the clockwork last looked for due work, in milliseconds; 0 before the first time.
    last_tick: AtomicI64,
}

impl App {
    /// Puts the parts together. Tokens are closed until [`crate::token::open_system`].
    pub fn new(store: Store, instance: Arc<InstanceKey>, world: World, config: Config) -> Arc<Self> {
        let sessions = Arc::new(Sessions::default());
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let dialer = Dialer::default().permitting(config.permitted.iter().copied());
        Arc::new(Self {
            store,
            world,
            config,
            instance,
            ring: Arc::new(KeyRing::new(Arc::clone(&sessions))),
            authorities: Authorities::default(),
            sessions,
            snapshot: watch::Sender::new(Arc::new(Snapshot::default())),
            snapshot_building: Building::default(),
            setup_turn: Mutex::new(()),
            authority_turn: Mutex::new(()),
            turns: std::sync::Mutex::default(),
            progress: broadcast::Sender::new(256),
            wake: Notify::new(),
            served: Notify::new(),
            derivations: Arc::new(Semaphore::new(cores)),
            log_ins: Semaphore::new(LOG_INS),
            tries: Tries::default(),
            dialer,
            setup_code: SetupCode::default(),
            strangers: Strangers::default(),
            previews: Previews::default(),
            head_written: std::sync::Mutex::default(),
            last_tick: AtomicI64::new(0),
        })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Commits one action: rows, event and jobs in one transaction.
    pub(crate) async fn commit<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl Fn(&Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.store.tx(name, work).await
    }

    /// Reads in one consistent view.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl Fn(&Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.store.read(name, work).await
    }

    /// Remembers the head that the head file has now.
    pub(crate) fn note_head(&self, head: audit::Head) {
        *self.head_written.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
    }

    /// The head that this process last wrote; none before the first time.
    pub(crate) fn head_written(&self) -> Option<audit::Head> {
        *self.head_written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the clockwork looked for due work just now.
    pub(crate) fn note_tick(&self) {
        self.last_tick.store(self.now().0, Ordering::Release);
    }

    /// When the clockwork last looked for due work; none before the first time.
    pub fn last_tick(&self) -> Option<Moment> {
        let at = self.last_tick.load(Ordering::Acquire);
        (at != 0).then_some(Moment(at))
    }

    /// Where serials and ids come from.
    pub fn random(&self) -> &dyn Random {
        &*self.world.random
    }

    /// The same, to take along to another thread.
    pub fn random_source(&self) -> Arc<dyn Random> {
        Arc::clone(&self.world.random)
    }

    /// Where the time comes from.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.world.clock)
    }

    /// The time now.
    pub fn now(&self) -> Moment {
        self.world.clock.now()
    }

    /// How this server is set up.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The instance key.
    pub fn instance(&self) -> &Arc<InstanceKey> {
        &self.instance
    }

    /// The tokens that are open in this process.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// The keys that the edge signs with.
    pub fn ring(&self) -> &Arc<KeyRing> {
        &self.ring
    }

    /// The opened keys of our CAs.
    pub(crate) fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// The same, as the edge knows it.
    pub fn signers(&self) -> Arc<dyn Signers> {
        let ring: Arc<KeyRing> = Arc::clone(&self.ring);
        ring
    }

    /// What the edge serves, as it changes.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    pub(crate) fn publish(&self, snapshot: Arc<Snapshot>) {
        self.snapshot.send_replace(snapshot);
    }

    /// What the builds of the snapshot share.
    pub(crate) fn snapshot_building(&self) -> &Building {
        &self.snapshot_building
    }

    /// Whose turn it is to do the first start.
    pub(crate) fn setup_turn(&self) -> &Mutex<()> {
        &self.setup_turn
    }

    /// Whose turn it is to make the CAs of an issuer.
    pub(crate) fn authority_turn(&self) -> &Mutex<()> {
        &self.authority_turn
    }

    /// Waits for the turn at all of these, until the guards are dropped. The order of the names is everybody's, so that
    /// nobody waits in a circle.
    pub(crate) async fn turns(&self, names: BTreeSet<String>) -> Vec<OwnedMutexGuard<()>> {
        let mut held = Vec::with_capacity(names.len());
        for name in names {
            let turn = self.turn(name);
            held.push(turn.lock_owned().await);
        }
        held
    }

    fn turn(&self, name: String) -> Arc<Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(name).or_default())
    }

    /// A place among the log-ins under way.
    ///
    /// # Errors
    /// [`Error::Busy`] when there is none.
    pub(crate) fn log_in_place(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.log_ins.try_acquire().map_err(|_| Error::Busy)
    }

    /// Passwords tried, by address.
    pub(crate) fn tries(&self) -> &Tries {
        &self.tries
    }

    pub(crate) fn published(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// Progress of jobs, for pages that follow it.
    pub fn progress(&self) -> broadcast::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(crate) fn tell(&self, progress: Progress) {
        // Nobody listening is fine.
        let _ = self.progress.send(progress);
    }

    /// Says that there is work to do now.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn woken(&self) -> &Notify {
        &self.wake
    }

    /// Says that what the edge serves may have changed.
    pub fn served_changed(&self) {
        self.served.notify_one();
    }

    pub(crate) fn served_woken(&self) -> &Notify {
        &self.served
    }

    /// The way out.
    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// The one-time code of the setup link.
    pub fn setup_code(&self) -> &SetupCode {
        &self.setup_code
    }

    /// Uploads that wait for their confirmation.
    pub(crate) fn previews(&self) -> &Previews {
        &self.previews
    }

    /// The refusals of strangers.
    pub fn strangers(&self) -> &Strangers {
        &self.strangers
    }

    /// Runs something slow on a thread of its own.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|panic| Error::internal("a worker ended badly", &panic))
    }

    /// Runs a memory-hard derivation; only as many at once as there are cores.
    pub async fn deriving<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let permit = Arc::clone(&self.derivations).acquire_owned().await;
        let permit = permit.map_err(|closed| Error::internal("derivations are closed", &closed))?;
        self.blocking(move || {
            let value = work();
            drop(permit);
            value
        })
        .await
    }
}
