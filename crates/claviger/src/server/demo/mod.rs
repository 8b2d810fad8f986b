//! `demo`: the whole main job on a fresh machine. Three sites are served, clients keep connecting from another
//! process, all three sites get new keys and certificates, and what the clients saw is the report.

pub mod client;
mod clients;
mod report;
mod sites;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use app::App;
use app::setup::Install;
use clap::Args;
use domain::Actor;
use domain::installation::Identity;
use zeroize::Zeroizing;

use self::clients::Clients;
use self::report::Report;
use super::init::{acting, explain};
use super::installation::{At, Expect, Installation};
use super::instance::DataDirectory;
use super::listeners::{IfTaken, Listeners};
use super::running::Running;
use super::world;
use crate::cli::output;

/// Handshakes per site that must have seen the certificate before, so that there is something to replace.
const BEFORE: u64 = 100;
/// Handshakes per site that must have seen the new one.
const AFTER: u64 = 200;
/// Handshakes in all.
const IN_ALL: u64 = 2_000;

/// Shows the whole main job on this machine, without a network, in under a minute.
///
/// It makes a data directory, an internal CA and three sites, serves them on loopback, starts clients in a second
/// process that open new TLS connections all the time, and gives all sites new keys and certificates. Then it says
/// what the clients saw and keeps serving until Ctrl-C.
#[derive(Debug, Args)]
pub struct Demo {
    /// End after the report; the exit code is 1 if any handshake failed
    #[arg(long)]
    exit: bool,
    /// Report as JSON
    #[arg(long)]
    json: bool,
    /// How many sites
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(3..=100))]
    sites: u8,
    /// The data directory; an empty one [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Removes a temporary data directory when the demonstration ends, however it ends.
struct Temporary(Option<PathBuf>);

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Err(error) = std::fs::remove_dir_all(&path)
        {
            eprintln!("{} could not be removed: {error}", path.display());
        }
    }
}

impl Demo {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (data, _temporary) = self.directory();
        let installation = installation(data)?;
        let _lock = installation.directory.lock()?;
        let listeners = Listeners::bind(&installation.config.listen, IfTaken::AnyFree).await?;
        let mut running = Running::start(&installation, listeners).await?;
        let (app, edge) = (Arc::clone(running.app()), running.addresses().edge);
        let shown = tokio::select! {
            shown = show(&app, edge, usize::from(self.sites)) => shown,
            error = running.part_ended() => Err(error),
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("stopped before the report")),
        };
        let ended = match shown {
            Ok(report) => self.tell(report, &mut running).await,
            Err(error) => Err(error),
        };
        running.stop().await;
        ended
    }

    fn directory(&self) -> (PathBuf, Temporary) {
        if let Some(data) = &self.data {
            return (data.clone(), Temporary(None));
        }
        let data = std::env::temp_dir().join(format!("claviger-demo-{}", world::random_word().as_str()));
        (data.clone(), Temporary(Some(data)))
    }

    async fn tell(&self, report: Report, running: &mut Running) -> anyhow::Result<ExitCode> {
        if self.json {
            output::json(&report)?;
        } else {
            output::line(report.table())?;
        }
        if !self.exit {
            keep_serving(running).await?;
        }
        Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn installation(data: PathBuf) -> anyhow::Result<Installation> {
    if data.exists() && !DataDirectory::open(&data)?.is_unused() {
        bail!("{} is in use; the demonstration needs an empty directory", data.display());
    }
    let at = At { data, config: None, database: None };
    let mut installation = at.read_quietly(Expect::Anything)?;
    // Nobody waits for a backend here, and Ctrl-C should not wait for anybody.
    installation.config.edge.drain_seconds = 2;
    Ok(installation)
}

/// The main job, from an empty directory to the report.
async fn show(app: &Arc<App>, edge: SocketAddr, count: usize) -> anyhow::Result<Report> {
    let admin = install(app).await?;
    say(format!("An internal CA makes certificates for {count} sites; the edge serves them on {edge}."));
    let sites = sites::make(app, &admin, count).await?;
    let old = sites::wait_until_served(app, &admin, &sites, None).await?;
    let root = sites::write_root(app, &admin).await?;
    let mut clients = Clients::start(edge, &sites, &root)?;
    say("Clients in another process connect all the time, each time with a full handshake.");
    clients
        .wait_for("the clients see every site", |tally| {
            sites.iter().zip(&old).all(|(site, old)| tally.seen(&site.name, old) >= BEFORE)
        })
        .await?;
    say("Every site gets a new key and a new certificate now.");
    let started = (Instant::now(), world::now());
    sites::rekey(app, &admin, &sites).await?;
    let new = sites::wait_until_served(app, &admin, &sites, Some(&old)).await?;
    say(format!(
        "Renewed, installed and seen from outside after {:.1} s.",
        started.0.elapsed().as_secs_f64()
    ));
    clients
        .wait_for("the clients see the new certificates", |tally| {
            let enough = sites.iter().zip(&new).all(|(site, new)| tally.seen(&site.name, new) >= AFTER);
            enough && tally.handshakes >= IN_ALL
        })
        .await?;
    let tally = clients.stop().await?;
    let names: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
    Ok(Report::of(&tally, &names, &old, &new, started.1))
}

/// The first start, with secrets that nobody needs to know: the log-in link opens the door.
async fn install(app: &Arc<App>) -> anyhow::Result<Actor> {
    let pin = Zeroizing::new(format!("Pin-{}", world::random_word().as_str()));
    let input = Install {
        admin_name: "demo".to_owned(),
        admin_password: world::random_word(),
        identity: Identity { environment: "test".to_owned(), ..Identity::default() },
        pin,
        recovery: None,
    };
    let installed = app::setup::install(app, None, input).await.map_err(explain)?;
    app::snapshot::refresh(app).await?;
    Ok(acting(&installed.admin))
}

/// Says what happens, where it does not get between the report and whoever reads it.
fn say(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

/// Serves until Ctrl-C. A log-in link works once, so a new one is printed when one was used.
async fn keep_serving(running: &mut Running) -> anyhow::Result<()> {
    let app = Arc::clone(running.app());
    output::line(format!("The pages are at {}; stop with Ctrl-C.", app.config().base_url))?;
    let links = async {
        loop {
            let code = app.setup_code().renew(app.random());
            output::line(format!(
                "Log in here (works once): {}/login#{}",
                app.config().base_url,
                code.as_str()
            ))?;
            while app.setup_code().is(&code) {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
    };
    tokio::select! {
        ended = links => ended,
        error = running.part_ended() => Err(error),
        stopped = tokio::signal::ctrl_c() => stopped.context("cannot wait for Ctrl-C"),
    }
}
