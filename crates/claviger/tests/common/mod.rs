//! What the stories share: the built program, a server in a directory of its own, and `openssl` as a judge from outside.

// Each story uses its own part of this.
#![expect(dead_code, reason = "every story is a program of its own and uses a part")]
#![expect(clippy::unwrap_used, reason = "a story stops at the first surprise")]

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use pki::{Certificate, Fingerprint};
use serde::Deserialize;
use serde_json::Value;

/// The administrator of every server here.
pub const ADMIN: &str = "officer";
pub const PASSWORD: &str = "correct horse battery staple";
/// The PIN of token `0`.
pub const PIN: &str = "Secret-1234";

/// How long something may take that usually takes a moment.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The built program.
pub fn claviger() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.env_remove("CREDENTIALS_DIRECTORY").stdin(Stdio::null());
    command
}

/// Runs a command to its end; a failure shows what it said.
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail with exit code 1; answers what it said.
pub fn refuse(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{command:?}\n{}", said(&output));
    said(&output)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Looks again until there is something, at most for [`PATIENCE`].
pub fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_within(PATIENCE, what, look)
}

/// Looks again until there is something.
pub fn wait_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The mode of a file, without its kind.
pub fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

/// A directory that is removed at the end, with room for a data directory and files beside it.
pub struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.file("data")
    }

    /// Writes a file that only its owner may read.
    pub fn secret(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// The command `init` with everything that it takes.
    pub fn init_command(&self) -> Command {
        let mut command = claviger();
        command.arg("init").arg("--data").arg(self.data()).args(["--admin", ADMIN]);
        command.arg("--password-file").arg(self.secret("password", &format!("{PASSWORD}\n")));
        command.arg("--pin-file").arg(self.secret("pin", &format!("{PIN}\n")));
        command.args(["--environment", "test", "--owner", "DEV:COM:1234", "--owner-name", "Acme"]);
        command.args(["--server-code", "SS0"]);
        command.arg("--api-key-file").arg(self.file("api-key"));
        command.arg("--recovery-file").arg(self.file("recovery"));
        command
    }

    pub fn init(&self) {
        succeed(&mut self.init_command());
    }

    pub fn api_key(&self) -> String {
        std::fs::read_to_string(self.file("api-key")).unwrap().trim().to_owned()
    }
}

/// Where a server listens.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Addresses {
    pub ui: SocketAddr,
    pub http: SocketAddr,
    pub edge: SocketAddr,
    pub metrics: SocketAddr,
}

/// A running `serve`; killed when it is dropped.
pub struct Server {
    child: Child,
    pub addresses: Addresses,
    said: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts `serve` on free ports and waits until it is ready.
    pub fn start(place: &Place) -> Self {
        Self::start_with(place, |_| ()).unwrap_or_else(|said| panic!("serve ended\n{said}"))
    }

    /// The same with a changed command; a server that ends before it is ready answers what it said.
    pub fn start_with(place: &Place, change: impl FnOnce(&mut Command)) -> Result<Self, String> {
        let file = place.file("addresses.json");
        let _ = std::fs::remove_file(&file);
        let mut command = claviger();
        command.arg("serve").arg("--data").arg(place.data()).arg("--addresses-file").arg(&file);
        for port in ["--listen", "--http-listen", "--edge-listen", "--metrics-listen"] {
            command.args([port, "127.0.0.1:0"]);
        }
        change(&mut command);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take().unwrap(), Arc::clone(&said));
        collect(child.stderr.take().unwrap(), Arc::clone(&said));
        let mut server = Self { child, addresses: unknown(), said };
        server.addresses = wait_for("serve is ready", || {
            if server.child.try_wait().unwrap().is_some() {
                return Some(None);
            }
            let addresses: Addresses = serde_json::from_slice(&std::fs::read(&file).ok()?).ok()?;
            healthy(addresses.metrics).then_some(Some(addresses))
        })
        .ok_or_else(|| server.said())?;
        Ok(server)
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Everything that it said so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }

    /// Waits until it says a line with this in it; answers the line.
    pub fn wait_until_said(&self, part: &str) -> String {
        wait_for(part, || self.said.lock().unwrap().iter().find(|line| line.contains(part)).cloned())
    }

    /// Ends it as an operator does; it must end well.
    pub fn stop(mut self) {
        succeed(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
        let status = self.child.wait().unwrap();
        assert!(status.success(), "serve ended with {status}\n{}", self.said());
    }

    /// Ends it as a power failure does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A client of the UI and API that trusts the certificate that `serve` printed the pin of.
    pub fn client(&self) -> reqwest::Client {
        // Every test of a process shares one provider; the second installation is refused, and that is fine.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let shown = shown_chain(self.addresses.ui, "localhost").expect("the UI shows a certificate");
        let pin = self.wait_until_said("SHA-256");
        assert!(pin.contains(&shown[0].fingerprint().to_string()), "{pin}");
        let root = reqwest::Certificate::from_der(shown[0].der()).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([root]).timeout(PATIENCE);
        client.redirect(reqwest::redirect::Policy::none()).build().unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.addresses.ui.port())
    }
}

fn unknown() -> Addresses {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    Addresses { ui: nowhere, http: nowhere, edge: nowhere, metrics: nowhere }
}

fn collect(from: impl std::io::Read + Send + 'static, into: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            into.lock().unwrap().push(line);
        }
    });
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("serve said:\n{}", self.said());
        }
    }
}

fn healthy(address: SocketAddr) -> bool {
    plain_get(address, "/healthz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// A plain HTTP request, answered as it comes.
pub fn plain_get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// The API with a key.
pub struct Api {
    client: reqwest::Client,
    base: String,
    key: String,
    runtime: tokio::runtime::Runtime,
}

impl Api {
    pub fn new(server: &Server, place: &Place) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { client: server.client(), base: server.url("/api/v1"), key: place.api_key(), runtime }
    }

    /// Asks; answers the status and the JSON, null when there is none.
    pub fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.base));
        request = request.header("Authorization", format!("X-Road-ApiKey token={}", self.key));
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null))
        })
    }

    pub fn get(&self, path: &str) -> Value {
        let (status, json) = self.ask("GET", path, None);
        assert_eq!(status, 200, "{path}: {json}");
        json
    }

    pub fn post(&self, path: &str, body: Value) -> Value {
        let (status, json) = self.ask("POST", path, Some(body));
        assert!((200..300).contains(&status), "{path}: {status} {json}");
        json
    }

    /// Makes a lineage of the internal CA on the edge; answers its id.
    pub fn make_lineage(&self, name: &str, lifetime: Option<u32>) -> String {
        let mut wanted = serde_json::json!({ "name": name, "names": [name] });
        if let Some(lifetime) = lifetime {
            wanted["lifetime"] = lifetime.into();
        }
        self.post("/lineages", wanted)["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the lineage's current certificate was seen from outside.
    pub fn wait_until_verified(&self, lineage: &str) -> Fingerprint {
        wait_for("the certificate is verified", || {
            let view = self.get(&format!("/lineages/{lineage}"));
            let current = view["current"]["hash"].as_str()?.to_owned();
            let deployment = &view["deployments"][0];
            let seen = deployment["certificate"] == current.as_str() && deployment["state"] == "verified";
            seen.then(|| current.parse().unwrap())
        })
    }
}

/// The chain that a server shows for a name, as `openssl s_client` sees it; none when there was no handshake.
pub fn shown_chain(address: SocketAddr, name: &str) -> Option<Vec<Certificate>> {
    let output = s_client(address, name).arg("-showcerts").output().unwrap();
    let chain: Vec<Certificate> = pem_blocks(&String::from_utf8_lossy(&output.stdout))
        .iter()
        .map(|pem| Certificate::parse(&from_pem(pem)).unwrap())
        .collect();
    (!chain.is_empty()).then_some(chain)
}

/// The fingerprint of the leaf that a server shows for a name.
pub fn shown_leaf(address: SocketAddr, name: &str) -> Option<Fingerprint> {
    Some(shown_chain(address, name)?[0].fingerprint())
}

/// Whether `openssl s_client` finds the chain valid for the name under this root.
pub fn is_valid_for(address: SocketAddr, name: &str, root: &Path) -> bool {
    let mut command = s_client(address, name);
    command.arg("-CAfile").arg(root).args(["-no-CApath", "-verify_return_error", "-verify_hostname", name]);
    command.output().unwrap().status.success()
}

fn s_client(address: SocketAddr, name: &str) -> Command {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address.to_string(), "-servername", name]).stdin(Stdio::null());
    command
}

/// The certificates of a PEM text.
fn pem_blocks(text: &str) -> Vec<String> {
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    let blocks = text.split(begin).skip(1).filter_map(|rest| rest.split_once(end));
    blocks.map(|(body, _)| format!("{begin}{body}{end}\n")).collect()
}

fn from_pem(pem: &str) -> Vec<u8> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

/// Runs `openssl` in a directory.
pub fn openssl(directory: &Path, arguments: &[&str]) -> String {
    succeed(Command::new("openssl").current_dir(directory).args(arguments).stdin(Stdio::null()))
}

/// A process whose standard output is read line by line; killed when it is dropped.
pub struct Spoken {
    pub child: Child,
    lines: mpsc::Receiver<String>,
}

impl Spoken {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let output = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line with this in it.
    pub fn line_with(&self, part: &str) -> String {
        let deadline = Instant::now() + 3 * PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("it never said: {part}"));
            if line.contains(part) {
                return line;
            }
        }
    }
}

impl Drop for Spoken {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
