//! `demo-client`: opens new TLS connections all the time and checks at every one that the chain it saw is valid for
//! the name. It runs in a process of its own, so that nothing of the server's memory can help it.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use domain::Moment;
use pki::Fingerprint;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::cli::output;
use crate::server::world;

/// Clients per site that connect at the same time.
const AT_ONCE: usize = 4;
/// How long a client rests between two connections, so that the machine has time for the server as well.
const REST: Duration = Duration::from_millis(12);
/// How long one connection may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the tally is printed.
const EVERY: Duration = Duration::from_millis(100);
/// How many failures are described; all are counted.
const DESCRIBED: usize = 5;

/// Connects to the sites again and again, never resuming, and prints what it saw as lines of JSON, the last one at
/// the end. The exit code is 1 if any handshake failed, or a certificate was not valid for its name.
#[derive(Debug, Args)]
pub struct DemoClient {
    /// The address that all sites are served on
    #[arg(long, value_name = "ADDRESS")]
    edge: SocketAddr,
    /// The names to ask for
    #[arg(long = "site", value_name = "NAME", required = true)]
    sites: Vec<String>,
    /// A PEM file with the only root to trust
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// End after so many connections [default: when standard input is closed]
    #[arg(long, value_name = "N")]
    handshakes: Option<u64>,
}

/// What the clients saw so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Handshakes that ended well.
    pub handshakes: u64,
    /// Those that did not.
    pub failed: u64,
    /// What went wrong, the first few.
    pub failures: Vec<String>,
    /// By site, then by the fingerprint of the certificate.
    sites: BTreeMap<String, BTreeMap<String, Seen>>,
}

/// How often a certificate was seen, and when last (milliseconds since 1970).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    count: u64,
    last: i64,
}

impl Tally {
    /// Counts a handshake that ended well.
    pub fn count(&mut self, site: &str, certificate: &Fingerprint, now: Moment) {
        self.handshakes += 1;
        let seen = self.sites.entry(site.to_owned()).or_default().entry(certificate.to_string()).or_default();
        *seen = Seen { count: seen.count + 1, last: now.0 };
    }

    fn fail(&mut self, site: &str, error: &anyhow::Error) {
        self.failed += 1;
        if self.failures.len() < DESCRIBED {
            self.failures.push(format!("{site}: {error:#}"));
        }
    }

    fn find(&self, site: &str, certificate: &Fingerprint) -> Seen {
        let seen = self.sites.get(site).and_then(|seen| seen.get(&certificate.to_string()));
        seen.copied().unwrap_or_default()
    }

    /// How often a site showed this certificate.
    pub fn seen(&self, site: &str, certificate: &Fingerprint) -> u64 {
        self.find(site, certificate).count
    }

    /// When a site showed it last, in milliseconds since 1970; 0 when never.
    pub fn last_seen(&self, site: &str, certificate: &Fingerprint) -> i64 {
        self.find(site, certificate).last
    }

    /// Handshakes with a site.
    pub fn of_site(&self, site: &str) -> u64 {
        self.sites.get(site).map_or(0, |seen| seen.values().map(|seen| seen.count).sum())
    }
}

impl DemoClient {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let connector = TlsConnector::from(Arc::new(config(&self.root)?));
        let crowd = Arc::new(Crowd {
            address: self.edge,
            connector,
            tally: Mutex::default(),
            most: self.handshakes.unwrap_or(u64::MAX),
            stop: CancellationToken::new(),
        });
        let mut clients = tokio::task::JoinSet::new();
        for site in &self.sites {
            let name =
                ServerName::try_from(site.clone()).with_context(|| format!("{site} is no host name"))?;
            for _ in 0..AT_ONCE {
                clients.spawn(Arc::clone(&crowd).connect_again_and_again(site.clone(), name.clone()));
            }
        }
        if self.handshakes.is_none() {
            let stop = crowd.stop.clone();
            tokio::task::spawn_blocking(move || stop_with_standard_input(&stop));
        }
        while !crowd.stop.is_cancelled() {
            let _ = tokio::time::timeout(EVERY, crowd.stop.cancelled()).await;
            output::json(&crowd.tally())?;
        }
        while let Some(ended) = clients.join_next().await {
            ended.context("a client ended badly")?;
        }
        let tally = crowd.tally();
        output::json(&tally)?;
        Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Whoever started this process holds the other end: when that process ends, however it ends, so do the clients.
fn stop_with_standard_input(stop: &CancellationToken) {
    let mut ignored = [0; 64];
    let mut input = std::io::stdin().lock();
    while matches!(input.read(&mut ignored), Ok(1..)) {}
    stop.cancel();
}

/// A client that trusts one root, verifies chain and name, and never resumes.
fn config(root: &Path) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let cannot = || format!("{} holds no certificate", root.display());
    for certificate in CertificateDer::pem_file_iter(root).with_context(cannot)? {
        roots.add(certificate.with_context(cannot)?).with_context(cannot)?;
    }
    if roots.is_empty() {
        bail!("{}", cannot());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// All clients together.
struct Crowd {
    address: SocketAddr,
    connector: TlsConnector,
    tally: Mutex<Tally>,
    most: u64,
    stop: CancellationToken,
}

impl Crowd {
    async fn connect_again_and_again(self: Arc<Self>, site: String, name: ServerName<'static>) {
        while !self.stop.is_cancelled() {
            let seen = self.connect(&name).await;
            self.note(&site, seen);
            tokio::time::sleep(REST).await;
        }
    }

    /// One connection: a full handshake, and an orderly end.
    async fn connect(&self, name: &ServerName<'static>) -> anyhow::Result<Fingerprint> {
        let connection = async {
            let stream = TcpStream::connect(self.address).await.context("no connection")?;
            let mut stream = self.connector.connect(name.clone(), stream).await.context("no handshake")?;
            let (_, session) = stream.get_ref();
            let leaf = session.peer_certificates().and_then(<[_]>::first).context("no certificate")?;
            let fingerprint = Fingerprint::of_der(leaf);
            // The server may have closed already, and the handshake is what counts.
            let _ = stream.shutdown().await;
            Ok(fingerprint)
        };
        tokio::time::timeout(PATIENCE, connection).await.context("no answer in time")?
    }

    fn note(&self, site: &str, seen: anyhow::Result<Fingerprint>) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        match seen {
            Ok(certificate) => tally.count(site, &certificate, world::now()),
            Err(error) => tally.fail(site, &error),
        }
        if tally.handshakes + tally.failed >= self.most {
            self.stop.cancel();
        }
    }

    fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
