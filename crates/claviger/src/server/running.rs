//! A running server: the application, its clockwork, and its four listeners.

use std::sync::Arc;

use anyhow::Context;
use app::App;
use axum::Router;
use axum::extract::Request;
use axum::middleware::map_request;
use domain::Snapshot;
use edge::{EdgeConfig, HttpLimits, PeerAddress, Resolver, Seen, Sources};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::audit_head::OldHead;
use super::first_certificate::{self, InFront};
use super::installation::{Installation, OlderTables};
use super::listeners::{Addresses, Listeners};
use super::{metrics, process, world};

/// A server that runs until [`Running::stop`].
pub struct Running {
    app: Arc<App>,
    addresses: Addresses,
    resolver: Arc<Resolver>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    stop: CancellationToken,
    /// The same for those who do not know tokens.
    stopping: watch::Sender<bool>,
    parts: JoinSet<&'static str>,
}

impl Running {
    /// Opens the installation and starts everything. When this answers, every port answers.
    pub async fn start(installation: &Installation, listeners: Listeners) -> anyhow::Result<Self> {
        process::raise_file_limit();
        let needed = process::files_needed(installation.config.edge.connections);
        if let Some(short) = process::short_of_files(needed) {
            tracing::warn!(repair = process::MORE_FILES, "{short}");
        }
        let addresses = listeners.addresses;
        let (app, head) = open(installation, &addresses).await?;
        let stop = CancellationToken::new();
        let InFront { snapshots, signers } = serve_first(&app, &stop).await?;
        let (seen, told) = mpsc::channel(256);
        let sources = Sources { snapshots: snapshots.clone(), signers, clock: app.clock(), seen };
        let resolver = Resolver::new(sources);
        let (stopping, parts) = (watch::Sender::new(false), JoinSet::new());
        let mut running = Self { app, addresses, resolver, snapshots, stop, stopping, parts };
        running.start_clockwork(told);
        running.start_listeners(installation, listeners)?;
        running.start_verifying(head);
        Ok(running)
    }

    /// The application.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The SHA-256 of the certificate that the UI shows to whoever asks for no other name.
    pub fn ui_pin(&self) -> Option<pki::Fingerprint> {
        self.snapshots.borrow().default.as_ref().map(|served| served.fingerprint)
    }

    /// The same, each time it changes.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// Waits until a part of the server ends, which none does by itself while all is well.
    pub async fn part_ended(&mut self) -> anyhow::Error {
        match self.parts.join_next().await {
            Some(Ok(part)) => anyhow::anyhow!("{part} ended by itself"),
            Some(Err(error)) => anyhow::Error::new(error).context("a part of the server ended badly"),
            None => anyhow::anyhow!("nothing runs"),
        }
    }

    /// Stops: no new connections, those in progress go on to the drain limit, then the store is closed.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.stopping.send_replace(true);
        while let Some(ended) = self.parts.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a part of the server ended badly");
            }
        }
        self.app.store().close().await;
    }

    fn start_clockwork(&mut self, told: mpsc::Receiver<Seen>) {
        let (app, stopping) = (Arc::clone(&self.app), self.stopping.subscribe());
        self.parts.spawn(async move {
            app::schedule::run(app, stopping).await;
            "the clockwork"
        });
        let (resolver, stop) = (Arc::clone(&self.resolver), self.stop.clone());
        self.parts.spawn(async move {
            resolver.follow(stop).await;
            "the resolver"
        });
        let stop = self.stop.clone();
        self.parts.spawn(async move {
            listen_to_edge(told, stop).await;
            "the edge's teller"
        });
    }

    /// A long log takes its time: no port waits for it.
    fn start_verifying(&mut self, head: OldHead) {
        let (app, stop) = (Arc::clone(&self.app), self.stop.clone());
        self.parts.spawn(async move {
            let verified = tokio::select! {
                () = stop.cancelled() => Ok(()),
                verified = head.verify(&app) => verified,
            };
            if let Err(error) = verified {
                tracing::error!(error = format!("{error:#}"), "the audit log was not verified at this start");
            }
            stop.cancelled().await;
            "the audit log's verifier"
        });
    }

    fn start_listeners(&mut self, installation: &Installation, listeners: Listeners) -> anyhow::Result<()> {
        let limits = installation.config.edge_limits();
        let edge =
            EdgeConfig::new(Arc::clone(&self.resolver), limits).context("the edge cannot speak TLS")?;
        let counters = edge.counters();
        let stop = self.stop.clone();
        self.parts.spawn(async move {
            edge::serve_edge(listeners.edge, edge, stop).await;
            "the edge"
        });
        let tls = edge::ui_config(Arc::clone(&self.resolver)).context("the UI cannot speak TLS")?;
        let ui = web::router(Arc::clone(&self.app), self.web_options(installation));
        let stop = self.stop.clone();
        self.parts.spawn(async move {
            edge::serve_http(listeners.ui, Some(tls), with_peer(ui), HttpLimits::default(), stop).await;
            "the UI's port"
        });
        let public = web::public_router(Arc::clone(&self.app));
        let health =
            web::health_router(Arc::clone(&self.app)).merge(metrics::router(Arc::clone(&self.app), counters));
        for (listener, router, name) in
            [(listeners.http, public, "the plain HTTP port"), (listeners.metrics, health, "the metrics port")]
        {
            let stop = self.stop.clone();
            self.parts.spawn(async move {
                edge::serve_http(listener, None, with_peer(router), HttpLimits::default(), stop).await;
                name
            });
        }
        Ok(())
    }

    fn web_options(&self, installation: &Installation) -> web::Options {
        let config = &installation.config;
        let base_url = &self.app.config().base_url;
        let base_host = base_url.split_once("://").map_or(base_url.as_str(), |(_, rest)| rest);
        let mut allowed_hosts: Vec<String> =
            ["localhost", "127.0.0.1", "[::1]", base_host].map(str::to_owned).into();
        allowed_hosts.extend(config.server.allowed_hosts.iter().cloned());
        let rate = web::limits::Rate {
            per_second: config.api.requests_per_second,
            per_minute: config.api.requests_per_minute,
        };
        web::Options { allowed_hosts, rate, stopping: Some(self.stopping.subscribe()) }
    }
}

/// Opens the application with the addresses that it really got, and looks at the audit log's head before the clockwork
/// writes it anew.
async fn open(installation: &Installation, addresses: &Addresses) -> anyhow::Result<(Arc<App>, OldHead)> {
    let store = installation.open_store(OlderTables::Migrate).await?;
    let config = app::Config {
        blocklist: installation.config.blocklist()?,
        permitted: installation.config.outbound.networks()?,
        fetch_missing: installation.config.outbound.fetch_missing,
        base_url: installation.config.base_url(addresses.ui.port()),
        edge_address: Some(addresses.edge),
        ..installation.app_config()
    };
    let app = installation.open_app(store, config).await?;
    let head = OldHead::read(&app.config().data)?;
    head.compare(&app).await?;
    Ok((app, head))
}

/// What is served from the first moment on: what the store says, or before the first start a certificate for setup.
async fn serve_first(app: &Arc<App>, stop: &CancellationToken) -> anyhow::Result<InFront> {
    if app::setup::is_installed(app).await? {
        app::certificate::factory::ensure(app).await?;
        app::snapshot::refresh(app).await?;
        return Ok(InFront { snapshots: app.snapshots(), signers: app.signers() });
    }
    let world = world::world();
    first_certificate::in_front_of(
        app.snapshots(),
        app.signers(),
        (&*world.clock, &*world.random),
        stop.clone(),
    )
}

/// Says in the log what the edge saw. What is refused or unavailable the edge has logged itself.
async fn listen_to_edge(mut told: mpsc::Receiver<Seen>, stop: CancellationToken) {
    loop {
        let seen = tokio::select! {
            () = stop.cancelled() => return,
            seen = told.recv() => seen,
        };
        match seen {
            Some(Seen::Taken { version }) => tracing::debug!(version, "the edge serves a new set"),
            Some(Seen::Refused { .. } | Seen::KeyUnavailable { .. }) => {}
            None => return stop.cancelled().await,
        }
    }
}

/// Tells `web` where a request came from, in its own words.
fn with_peer(router: Router) -> Router {
    router.layer(map_request(|mut request: Request| async move {
        if let Some(PeerAddress(address)) = request.extensions().get().copied() {
            request.extensions_mut().insert(web::Peer(address));
        }
        request
    }))
}
