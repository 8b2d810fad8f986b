//! Server CPU per full TLS 1.3 handshake, ours beside nginx's: P-256, 1,000 certificates by SNI, X25519, no resumption.
//!
//! `cargo bench --package claviger --bench handshake [-- COUNT]`. Run by hand; nginx must be installed. Both servers
//! run in a process of their own, take turns, and are asked by the same client in this one.

#![expect(clippy::print_stdout, reason = "it prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on may end")]

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use domain::id::TokenId;
use domain::key::{Exportable, SealedKey};
use domain::permission::{Permission, Role, authorize, uses};
use domain::snapshot::Served;
use domain::{Actor, Clock, Moment, Random, Signers, Snapshot};
use edge::{EdgeConfig, Resolver, Sources, serve_edge};
use pki::format::pem_write;
use pki::issue::{Purpose, Template};
use pki::name::{Attribute, AttributeType};
use pki::{Certificate, DistinguishedName, KeyAlgorithm, KeyId, PublicKey, Signer, SubjectAltName, UnixTime};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use token::{DataKey, Session};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

const SITES: usize = 1_000;
const AT_ONCE: usize = 8;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| !arg.starts_with("--"));
    let first = args.next();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if first.as_deref() == Some("serve") {
        return runtime.block_on(serve());
    }
    let count = first.and_then(|first| first.parse().ok()).unwrap_or(4_000);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        ours.push(runtime.block_on(measure(&mut Peer::ours(), count)));
        theirs.push(runtime.block_on(measure(&mut Peer::nginx(), count)));
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!("claviger: {ours:.3} ms of server CPU per full TLS 1.3 handshake, {SITES} certificates");
    println!("nginx:    {theirs:.3} ms");
    println!("ratio:    {:.2}", ours / theirs);
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn site(number: usize) -> String {
    format!("site-{number:04}.example.org")
}

/// A server in a process of its own.
struct Peer {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // nginx's master ends its worker when it is asked politely.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Peer {
    fn ours() -> Self {
        let port = free_port();
        let child =
            Command::new(std::env::current_exe().unwrap()).arg("serve").env("PORT", port.to_string()).spawn();
        Self { child: child.unwrap(), port, _folder: tempfile::tempdir().unwrap() }
    }

    fn nginx() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let sites = Sites::make();
        let mut servers = String::new();
        for (number, made) in sites.made.iter().enumerate() {
            let at = folder.path().join(number.to_string());
            std::fs::write(at.with_extension("pem"), pem_write::certificate(made.certificate.der())).unwrap();
            std::fs::write(at.with_extension("key"), sites.private_pem(made)).unwrap();
            let (at, name) = (at.display(), site(number));
            writeln!(servers, "server {{ listen 127.0.0.1:{port} ssl; server_name {name}; ssl_certificate {at}.pem; ssl_certificate_key {at}.key; return 200 'ok'; }}").unwrap();
        }
        let config = folder.path().join("nginx.conf");
        std::fs::write(&config, nginx_config(folder.path(), &servers)).unwrap();
        let child =
            Command::new("/usr/sbin/nginx").arg("-c").arg(&config).stderr(Stdio::null()).spawn().unwrap();
        Self { child, port, _folder: folder }
    }

    /// CPU of the process and of its children that still run, in seconds.
    fn cpu(&self) -> f64 {
        let mut ids = vec![self.child.id()];
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        ids.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        ids.iter().map(|id| cpu_of(*id)).sum()
    }
}

fn cpu_of(id: u32) -> f64 {
    let mut all = 0.0;
    for task in std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        all += text.split(' ').next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(0.0) / 1e9;
    }
    all
}

fn nginx_config(folder: &Path, servers: &str) -> String {
    let folder = folder.display();
    format!(
        "daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit;
         events {{ worker_connections 1024; }}
         http {{ access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
                 uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e; server_names_hash_max_size 8192;
                 ssl_protocols TLSv1.3; ssl_ecdh_curve X25519; ssl_session_tickets off; ssl_session_cache off;
                 {servers} }}"
    )
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn measure(peer: &mut Peer, count: usize) -> f64 {
    let config = Arc::new(client_config());
    // Each name once before: keys are parsed on first use.
    wait_until_served(peer.port, &config).await;
    run(peer.port, &config, SITES).await;
    let before = peer.cpu();
    run(peer.port, &config, count).await;
    (peer.cpu() - before) * 1_000.0 / count as f64
}

async fn wait_until_served(port: u16, config: &Arc<ClientConfig>) {
    for _ in 0..600 {
        if connect(port, config, 0).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server on port {port} did not start");
}

async fn run(port: u16, config: &Arc<ClientConfig>, count: usize) {
    let mut running = tokio::task::JoinSet::new();
    for lane in 0..AT_ONCE {
        let config = Arc::clone(config);
        running.spawn(async move {
            for number in (lane..count).step_by(AT_ONCE) {
                connect(port, &config, number % SITES).await.unwrap();
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

async fn connect(port: u16, config: &Arc<ClientConfig>, number: usize) -> std::io::Result<()> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from(site(number)).unwrap();
    let stream = tokio_rustls::TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
    drop(stream);
    Ok(())
}

fn client_config() -> ClientConfig {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.kx_groups = vec![rustls::crypto::aws_lc_rs::kx_group::X25519];
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
    let mut config =
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unread)).with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    config
}

/// The client's own work is not measured, and its certificates are not judged here.
#[derive(Debug)]
struct Unread;

impl ServerCertVerifier for Unread {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// The edge as `claviger serve` runs it, over keys in a software token.
async fn serve() {
    let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
    let sites = Sites::make();
    let snapshot = Arc::new(sites.snapshot());
    let (_publish, snapshots) = watch::channel(snapshot);
    let (seen, _told) = mpsc::channel(16);
    let signers: Arc<dyn Signers> = Arc::new(sites.open());
    let resolver = Resolver::new(Sources { snapshots, signers, clock: Arc::new(Now), seen });
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    serve_edge(
        listener,
        EdgeConfig::new(resolver, edge::Limits::default()).unwrap(),
        CancellationToken::new(),
    )
    .await;
}

struct Now;

impl Clock for Now {
    fn now(&self) -> Moment {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Moment(i64::try_from(since.as_millis()).unwrap())
    }
}

impl Random for Now {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).unwrap();
    }
}

struct Made {
    sealed: SealedKey,
    certificate: Certificate,
}

struct Sites {
    session: Session,
    made: Vec<Made>,
}

struct Open(HashMap<KeyId, Arc<dyn Signer>>);

impl Signers for Open {
    fn signer(&self, key: &KeyId) -> Option<Arc<dyn Signer>> {
        self.0.get(key).cloned()
    }
}

impl Sites {
    fn make() -> Self {
        let session = Session::new(TokenId::system(), DataKey::generate(&Now));
        let made = (0..SITES).map(|number| make(&session, number)).collect();
        Self { session, made }
    }

    fn snapshot(&self) -> Snapshot {
        let served = |made: &Made| Served {
            fingerprint: made.certificate.fingerprint(),
            chain: vec![made.certificate.der().to_vec()],
            key: made.sealed.id,
            algorithm: KeyAlgorithm::EcP256,
            names: made.certificate.names().to_vec(),
            not_before: made.certificate.not_before(),
            not_after: made.certificate.not_after(),
            backend: None,
        };
        Snapshot::new(1, self.made.first().map(served), self.made.iter().map(served))
    }

    fn open(&self) -> Open {
        let proof = authorize(&Actor::Edge, uses::ServeTls, "").unwrap();
        let open = |made: &Made| (made.sealed.id, self.session.signer(&made.sealed, &proof).unwrap());
        let open = Open(self.made.iter().map(open).collect());
        assert_eq!(open.0.len(), SITES);
        open
    }

    fn private_pem(&self, made: &Made) -> String {
        let officer = Actor::ApiKey {
            id: domain::id::ApiKeyId::of("bench"),
            roles: BTreeSet::from([Role::SecurityOfficer]),
        };
        assert!(domain::permission::may(&officer, Permission::ExportPrivateKey));
        let proof = authorize(&officer, uses::ExportPrivateKey, "").unwrap();
        let private = self.session.export(&made.sealed, &proof).unwrap();
        pem_write::private_key(&private).to_string()
    }
}

fn make(session: &Session, number: usize) -> Made {
    let (public, sealed) = session.generate(KeyAlgorithm::EcP256, Exportable::WithPassphrase, &Now).unwrap();
    let name = Attribute::new(AttributeType::CommonName, site(number));
    let subject = DistinguishedName::from_attributes(vec![name]).unwrap();
    let now = Now.now().unix();
    let template = Template {
        serial: vec![1; 16],
        issuer: subject.clone(),
        subject,
        public_key: PublicKey::from_spki_der(public.spki_der()).unwrap(),
        not_before: UnixTime(now.0 - 60),
        not_after: UnixTime(now.0 + 86_400),
        names: vec![SubjectAltName::parse(&site(number)).unwrap()],
        purpose: Purpose::TlsServer,
        authority_key_id: None,
        ca_issuers_url: None,
    };
    let proof = authorize(&Actor::Edge, uses::ServeTls, "").unwrap();
    let signer = session.signer(&sealed, &proof).unwrap();
    let tbs = pki::issue::to_be_signed(&template, signer.algorithm().certificate_scheme()).unwrap();
    Made { certificate: Certificate::parse(&pki::issue::sign(&tbs, &*signer).unwrap()).unwrap(), sealed }
}
