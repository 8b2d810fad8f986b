//! What arrives at the real edge port: hellos in the smallest pieces, what is no TLS at all, and ten thousand
//! connections that say nothing.

#![expect(clippy::unwrap_used, reason = "a story stops at the first surprise")]

#[expect(dead_code, reason = "this story uses a part")]
#[path = "common/cli.rs"]
mod cli;
mod common;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cli::Cli;
use common::{Api, PATIENCE, Place, Server, Spoken, is_valid_for, plain_get, shown_leaf, wait_for};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const NAME: &str = "a.example";

/// A server whose edge serves [`NAME`], and its root.
struct Site {
    place: Place,
    server: Server,
    root: PathBuf,
}

impl Site {
    fn start(change: impl FnOnce(&Place, &mut Command)) -> Self {
        let place = Place::new();
        place.init();
        let server = Server::start_with(&place, |command| change(&place, command)).unwrap();
        let api = Api::new(&server, &place);
        let lineage = api.make_lineage(NAME, None);
        api.wait_until_verified(&lineage);
        let root = place.file("root.pem");
        let cli = Cli::new(&server, &place);
        let internal = cli.json(&["issuer", "show", "internal"]);
        cli.say(&["cert", "export", internal["root"]["hash"].as_str().unwrap(), "--out", "root.pem"]);
        Self { place, server, root }
    }

    fn edge(&self) -> SocketAddr {
        self.server.addresses.edge
    }

    fn is_served(&self) -> bool {
        is_valid_for(self.edge(), NAME, &self.root)
    }

    /// A number of the metrics page.
    fn metric(&self, name: &str) -> u64 {
        let page = plain_get(self.server.addresses.metrics, "/metrics").unwrap();
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name}\n{page}")).parse().unwrap()
    }

    /// A client that trusts the root alone.
    fn client(&self) -> ClientConnection {
        // The second installation in this process is refused, and that is fine.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.root).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        ClientConnection::new(Arc::new(config), NAME.try_into().unwrap()).unwrap()
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A connection on which everything is sent byte by byte.
struct InBytes {
    stream: TcpStream,
    cut: Cut,
    /// What of the current record was not sent yet; only for [`Cut::Records`].
    record: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// Into TCP segments of one byte.
    Segments,
    /// Handshake messages into TLS records of one byte (RFC 8446, 5.1 lets them be cut anywhere).
    Records,
}

impl Read for InBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for InBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.cut == Cut::Segments {
            return self.stream.write(&bytes[..1]);
        }
        self.record.extend_from_slice(bytes);
        while let Some(length) =
            self.record.get(3..5).map(|two| usize::from(two[0]) << 8 | usize::from(two[1]))
        {
            if self.record.len() < 5 + length {
                break;
            }
            let record: Vec<u8> = self.record.drain(..5 + length).collect();
            match record[0] {
                22 => {
                    for byte in &record[5..] {
                        self.stream.write_all(&[22, record[1], record[2], 0, 1, *byte])?;
                    }
                }
                _ => self.stream.write_all(&record)?,
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[test]
fn a_hello_in_the_smallest_pieces_gets_its_handshake() {
    let site = Site::start(|_, _| ());
    for cut in [Cut::Segments, Cut::Records] {
        let stream = InBytes { stream: connect(site.edge()), cut, record: Vec::new() };
        let mut tls = StreamOwned::new(site.client(), stream);
        tls.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        tls.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(NAME), "{cut:?}: {answer}");
    }
    site.server.stop();
}

#[test]
fn what_is_no_tls_is_closed_and_harms_nobody() {
    let site = Site::start(|_, _| ());
    let mut bad: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".to_vec(),
        // An SSLv2 CLIENT-HELLO.
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80\x03\x00\x80".to_vec(),
        // A record of SSL 3.0 whose hello offers nothing else.
        b"\x16\x03\x00\x00\x2d\x01\x00\x00\x29\x03\x00aaaaaaaabbbbbbbbccccccccdddddddd\x00\x00\x02\x00\x0a\x01\x00"
            .to_vec(),
        // Data and an alert before any hello.
        b"\x17\x03\x03\x00\x05hello".to_vec(),
        b"\x15\x03\x03\x00\x02\x02\x28".to_vec(),
        vec![0; 20_000],
        vec![0xff; 20_000],
    ];
    // A record that says that it is longer than any may be.
    bad.push([&b"\x16\x03\x01\xff\xff\x01\x00\xff\xfb\x03\x03"[..], &[0; 70_000]].concat());
    // Noise that is the same in each run (Knuth's multiplier).
    let mut state = 1_u64;
    bad.extend((0..200).map(|length| {
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        std::iter::repeat_with(next).take(8 + length).collect()
    }));
    for bytes in &bad {
        let started = Instant::now();
        let answer = exchange(site.edge(), bytes);
        let shown = &bytes[..bytes.len().min(16)];
        // Nothing, or an alert: never a handshake, and never what a web server says.
        assert!(answer.first().is_none_or(|kind| *kind == 21), "{shown:x?}: {answer:x?}");
        assert!(answer.len() <= 7, "{shown:x?}: {answer:x?}");
        assert!(started.elapsed() < PATIENCE / 2, "{shown:x?}: closed late");
    }
    assert!(site.is_served());
    site.server.stop();
}

/// A name in another spelling is the same name; what is no host name, or another one, never gets somebody's certificate.
#[test]
fn odd_names_get_their_certificate_the_default_or_an_alert() {
    let site = Site::start(|_, _| ());
    let shown = |name: &str| shown_leaf(site.edge(), name);
    let (own, default) = (shown(NAME).unwrap(), shown("other.example").unwrap());
    assert_ne!(own, default);
    for name in ["A.EXAMPLE", "a.example.", "A.Example."] {
        assert_eq!(shown(name), Some(own), "{name}");
    }
    for name in ["b.a.example", "example", "xa.example", "localhost"] {
        assert_eq!(shown(name), Some(default), "{name}");
    }
    let long = "a".repeat(250);
    for name in [
        "127.0.0.1",
        "::1",
        "*.example",
        "a..example",
        ".a.example",
        "a.example..",
        "a b",
        "ä.example",
        &long,
    ] {
        let seen = shown(name);
        assert!(seen.is_none_or(|seen| seen == default), "{name}: {seen:?}");
    }
    assert!(site.is_served());
    site.server.stop();
}

/// Sends it, ends the sending side, and answers what comes back until the end.
fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    // The server may have closed already: then what it sent before is the answer, or nothing is.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => answer,
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => answer,
        Err(error) => panic!("{bytes:x?}: not closed: {error}"),
    }
}

/// Holds so many connections from one address of loopback, says `held`, and opens those again that the server ends.
const HOLDER: &str = r#"
import resource, selectors, socket, sys, time
host, port, source, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
ends = selectors.DefaultSelector()
def hold():
    held = socket.create_connection((host, port), source_address=(source, 0))
    ends.register(held, selectors.EVENT_READ)
for number in range(count):
    hold()
    # A queue that overflows makes the system wait for a second.
    if number % 25 == 0:
        time.sleep(0.02)
print("held", flush=True)
while True:
    for key, _ in ends.select():
        ends.unregister(key.fileobj)
        key.fileobj.close()
        hold()
"#;

const HOLDERS: u64 = 4;
const HELD_BY_EACH: u64 = 2_500;

#[test]
fn ten_thousand_silent_connections_do_not_keep_a_good_client_out() {
    // The limit that shells usually give: the server must raise it by itself.
    let site = Site::start(|place, command| {
        let mut limited = Command::new("sh");
        let script = r#"ulimit -S -n 1024 && echo $$ > "$0" && exec "$@""#;
        limited
            .args(["-c", script])
            .arg(place.file("pid"))
            .arg(command.get_program())
            .args(command.get_args());
        limited.env_remove("CREDENTIALS_DIRECTORY").stdin(Stdio::null());
        *command = limited;
    });
    let pid = std::fs::read_to_string(site.place.file("pid")).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", pid.trim())).unwrap();
    let limit = |name: &str| -> Vec<String> {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().take(2).map(str::to_owned).collect()
    };
    assert_eq!(limit("Max core file size"), ["0", "0"], "a core dump would hold private keys");
    let [soft, hard] = &limit("Max open files")[..] else { panic!("{limits}") };
    assert_eq!(soft, hard, "the limit on open files was not raised");
    let wanted = HOLDERS * HELD_BY_EACH;
    let enough = hard.parse::<u64>().map_or(true, |files| files > wanted + 500);
    assert!(
        enough,
        "this machine lets a process open {hard} files; for this test raise the hard limit (ulimit -H -n)"
    );

    let holders: Vec<Spoken> = (2..2 + HOLDERS).map(|number| hold(site.edge(), number)).collect();
    for holder in &holders {
        holder.line_with("held");
    }
    // The edge ends each after its deadline and the holder opens it again, so the count moves a little.
    let nearly = wanted * 95 / 100;
    wait_for("all are connected at once", || {
        (site.metric("claviger_edge_connections") >= nearly).then_some(())
    });
    for _ in 0..3 {
        let started = Instant::now();
        assert!(site.is_served());
        assert!(started.elapsed() < Duration::from_secs(5), "served only after {:?}", started.elapsed());
    }
    let held = site.metric("claviger_edge_connections");
    assert!(held >= nearly, "only {held} were held while the good client was served");
    assert!(plain_get(site.server.addresses.metrics, "/readyz").unwrap().starts_with("HTTP/1.1 200"));

    drop(holders);
    wait_for("all are gone", || (site.metric("claviger_edge_connections") < 10).then_some(()));
    assert!(site.is_served());
    assert!(!site.server.said().contains("a connection was not accepted"), "the server ran out of files");
    site.server.stop();
}

fn hold(edge: SocketAddr, number: u64) -> Spoken {
    let mut python = Command::new("python3");
    python.args(["-c", HOLDER, &edge.ip().to_string(), &edge.port().to_string()]);
    Spoken::start(python.args([format!("127.0.0.{number}"), HELD_BY_EACH.to_string()]))
}
