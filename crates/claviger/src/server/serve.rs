//! `serve`: runs the server until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use domain::Snapshot;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::installation::{At, Expect, Installation};
use super::listeners::{IfTaken, Listeners};
use super::running::Running;
use crate::cli::output;
use crate::config;

/// Runs the server: UI and API, edge, renewals, deployments.
///
/// On an empty data directory it prints a one-time setup link. A database of an older version is brought to this
/// one; `claviger migrate` does only that. SIGTERM and SIGINT stop it, and connections in progress go on to the drain
/// limit.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    at: AtOrPrint,
    /// Where the UI and API listen [default: 127.0.0.1:4000]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where the plain HTTP port listens [default: 127.0.0.1:4080]
    #[arg(long, value_name = "ADDRESS")]
    http_listen: Option<SocketAddr>,
    /// Where the edge listens [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDRESS")]
    edge_listen: Option<SocketAddr>,
    /// Where metrics and health listen [default: 127.0.0.1:4090]
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
    /// Write the real addresses to this file as JSON, once every port answers
    #[arg(long, value_name = "FILE")]
    addresses_file: Option<PathBuf>,
}

/// An installation, or the wish to see the configuration.
#[derive(Debug, Args)]
struct AtOrPrint {
    /// The data directory; made when it is not there
    #[arg(long, value_name = "DIR", env = "CLAVIGER_DATA", required_unless_present = "print_config")]
    data: Option<PathBuf>,
    /// The configuration file [default: claviger.toml in the data directory, if it is there]
    #[arg(long, value_name = "FILE", env = "CLAVIGER_CONFIG")]
    config: Option<PathBuf>,
    /// The database: a path or postgres://... [default: claviger.db in the data directory]
    #[arg(long, value_name = "URL", env = "CLAVIGER_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Print the default configuration with its comments, and end
    #[arg(long)]
    print_config: bool,
}

impl Serve {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let Some(at) = self.at.installation() else {
            output::line(config::DEFAULT.trim_end())?;
            return Ok(ExitCode::SUCCESS);
        };
        let mut installation = at.read(Expect::Anything)?;
        let _lock = installation.directory.lock()?;
        self.put_listeners(&mut installation);
        let listeners = Listeners::bind(&installation.config.listen, IfTaken::Refuse).await?;
        let running = Running::start(&installation, listeners).await?;
        if let Some(file) = &self.addresses_file {
            running.addresses().write(file)?;
        }
        greet(&running).await?;
        until_stopped(running).await
    }

    fn put_listeners(&self, installation: &mut Installation) {
        let listen = &mut installation.config.listen;
        listen.ui = self.listen.unwrap_or(listen.ui);
        listen.http = self.http_listen.unwrap_or(listen.http);
        listen.edge = self.edge_listen.unwrap_or(listen.edge);
        listen.metrics = self.metrics_listen.unwrap_or(listen.metrics);
    }
}

impl AtOrPrint {
    fn installation(&self) -> Option<At> {
        let data = self.data.clone().filter(|_| !self.print_config)?;
        Some(At { data, config: self.config.clone(), database: self.database.clone() })
    }
}

/// Says where everything is; before the first start also how to begin.
async fn greet(running: &Running) -> anyhow::Result<()> {
    let (app, addresses) = (running.app(), running.addresses());
    let base_url = &app.config().base_url;
    output::line(format!("UI and API  {base_url}"))?;
    output::line(format!("Edge        {}", addresses.edge))?;
    output::line(format!("Plain HTTP  http://{}", addresses.http))?;
    output::line(format!("Metrics     http://{}/metrics", addresses.metrics))?;
    if let Some(pin) = running.ui_pin() {
        output::line(format!("The UI's certificate has the SHA-256 {pin}"))?;
    }
    if !app::setup::is_installed(app).await? {
        let code = app.setup_code().renew(app.random());
        output::line("Set this server up here; the link works once:")?;
        output::line(format!("  {base_url}/setup#{}", code.as_str()))?;
    }
    Ok(())
}

async fn until_stopped(mut running: Running) -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tokio::spawn(tell_new_pins(running.snapshots()));
    let ended = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        error = running.part_ended() => Some(error),
    };
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    tracing::info!("stopping");
    running.stop().await;
    match ended {
        None => Ok(ExitCode::SUCCESS),
        Some(error) => Err(error),
    }
}

/// Says when the UI shows another certificate, so that whoever pinned the one before can compare.
async fn tell_new_pins(mut snapshots: watch::Receiver<Arc<Snapshot>>) {
    let pin = |snapshot: &Snapshot| snapshot.default.as_ref().map(|served| served.fingerprint);
    let mut known = pin(&snapshots.borrow_and_update());
    while snapshots.changed().await.is_ok() {
        let new = pin(&snapshots.borrow_and_update());
        if let Some(certificate) = new.filter(|_| new != known) {
            tracing::info!(%certificate, "the UI shows a new certificate; this is its SHA-256");
            known = new;
        }
    }
}
