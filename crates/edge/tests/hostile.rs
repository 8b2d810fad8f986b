//! The edge against clients that mean harm: whatever comes, the answer is a certificate that the name deserves, an
//! alert or the end, at once or at the deadline, and the next good client is served (`SECURITY.md` 5.5).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::fmt;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use claviger_edge::{HandshakeFailure, Limits};
use common::client::{Client, leaf};
use common::hello::{ALERT, HANDSHAKE, Hello, Reply, exchange, record, records, reply};
use common::world::{Running, World, quick};
use domain::snapshot::Served;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, NamedGroup};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Alerts (RFC 8446, section 6).
const ILLEGAL_PARAMETER: u8 = 47;
const DECODE_ERROR: u8 = 50;
const UNRECOGNIZED_NAME: u8 = 112;

/// An edge that serves `a.example`, `*.w.example` and a default.
struct Edge {
    world: World,
    running: Running,
    site: Served,
    wildcard: Served,
    default: Served,
}

impl Edge {
    async fn start(limits: Limits) -> Self {
        let mut world = World::new().await;
        let default = world.site(&["default.example"]);
        let (site, wildcard) = (world.site(&["a.example"]), world.site(&["*.w.example"]));
        world.serve(1, &default, &[&site, &wildcard]).await;
        let running = world.start(limits).await;
        Self { world, running, site, wildcard, default }
    }

    async fn says(&self, hello: &Hello) -> Reply {
        hello.reply(self.running.address).await
    }

    /// A good client is served.
    async fn serves(&self) {
        let seen = Client::new().sees(self.running.address, Some("a.example")).await;
        assert_eq!(seen, self.site.fingerprint);
    }

    async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.running.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    fn own(&self) -> Reply {
        Reply::Certificate(self.site.fingerprint)
    }

    fn others(&self) -> Reply {
        Reply::Certificate(self.default.fingerprint)
    }
}

#[tokio::test]
async fn a_name_gets_its_certificate_in_every_spelling_and_no_other_name_does() {
    let edge = Edge::start(quick()).await;
    let wild = Reply::Certificate(edge.wildcard.fingerprint);
    let (label, longest) = ("a".repeat(63), format!("{}a", "a.".repeat(126)));
    for (name, expected) in [
        ("a.example", edge.own()),
        ("A.EXAMPLE", edge.own()),
        ("a.eXample", edge.own()),
        ("X.W.EXAMPLE", wild),
        // A wildcard stands for one label, and not for none.
        ("x.y.w.example", edge.others()),
        ("w.example", edge.others()),
        ("b.example", edge.others()),
        ("xa.example", edge.others()),
        ("example", edge.others()),
        ("_a.example", edge.others()),
        ("xn--bcher-kva.example", edge.others()),
        (&format!("{label}.example"), edge.others()),
        // 253 characters are the longest name there is.
        (&longest, edge.others()),
        // What is an address is no name, and counts as none (RFC 6066, section 3).
        ("127.0.0.1", edge.others()),
        ("::1", edge.others()),
    ] {
        assert_eq!(edge.says(&Hello::named(name.as_bytes())).await, expected, "{name:?}");
    }
    // One dot at the end is the same name (it does not belong there by RFC 6066, but some clients send it).
    assert_eq!(edge.says(&Hello::named(b"a.example.")).await, edge.own());
    assert_eq!(edge.says(&Hello::named(b"A.W.example.")).await, wild);
    assert_eq!(edge.says(&Hello::new()).await, edge.others());
    edge.serves().await;
}

#[tokio::test]
async fn what_is_no_host_name_gets_an_alert() {
    let edge = Edge::start(quick()).await;
    let (label, long) = (format!("{}.example", "a".repeat(64)), "a.".repeat(150));
    for name in [
        &b""[..],
        b".",
        b"..",
        b".a.example",
        b"a..example",
        b"a.example..",
        b"*.w.example",
        b"-a.example",
        b"a b",
        b"a.example\0",
        b"a.example\0.evil.example",
        b"\0",
        "ä.example".as_bytes(),
        b"\xff\xfe",
        b"a.example:443",
        b"https://a.example/",
        b"[::1]",
        b"a.example\r\nhost: evil",
        label.as_bytes(),
        &long.as_bytes()[..255],
        &long.as_bytes()[..300],
        &[b'a'; 16_000],
    ] {
        let said = edge.says(&Hello::named(name)).await;
        let shown = String::from_utf8_lossy(&name[..name.len().min(40)]).into_owned();
        let refused = [UNRECOGNIZED_NAME, ILLEGAL_PARAMETER, DECODE_ERROR].map(Reply::Alert).contains(&said);
        assert!(refused, "{shown:?}, {} bytes: {said:?}", name.len());
    }
    edge.serves().await;
}

#[tokio::test]
async fn two_names_in_one_hello_are_none() {
    let edge = Edge::start(quick()).await;
    let name: (u8, &[u8]) = (0, b"a.example");
    for other in [(0, &b"b.example"[..]), name, (0, b"")] {
        for names in [[name, other], [other, name]] {
            let said = edge.says(&Hello::new().names(&names)).await;
            assert!(matches!(said, Reply::Alert(_)), "{names:?}: {said:?}");
        }
    }
    // Beside a name of a kind that nobody has defined it is still the only host name.
    assert_eq!(edge.says(&Hello::new().names(&[name, (1, b"x")])).await, edge.own());
    // The extension twice, and with nothing, or too much, in it.
    let twice = Hello::named(b"a.example").names(&[(0, b"b.example")]);
    assert!(matches!(edge.says(&twice).await, Reply::Alert(_)));
    for content in [&b""[..], b"\0\0", b"\0\x01\0", b"\xff\xff\0\0\x01a", b"\0\x0c\0\0\x09a.examplex"] {
        let said = edge.says(&Hello::new().with(0, content.to_vec())).await;
        assert!(matches!(said, Reply::Alert(_)), "{content:?}: {said:?}");
    }
    edge.serves().await;
}

#[tokio::test]
async fn extensions_may_be_many_and_strange_but_not_twice() {
    let edge = Edge::start(quick()).await;
    let name = || Hello::named(b"a.example");
    // Numbers that nobody has assigned, far from those that mean something.
    let many = |count: u16, size: usize| {
        (0..count).fold(name(), |hello, number| hello.with(0x4000 + number, vec![7; size]))
    };
    let started = Instant::now();
    assert_eq!(edge.says(&many(1_000, 0)).await, edge.own());
    // 60 kB in all, in four records; then in as many as there are bytes in a hundred.
    let big = many(1_000, 56);
    assert_eq!(edge.says(&big).await, edge.own());
    assert_eq!(exchange(edge.running.address, &records(&big.message(), 100)).await, edge.own());
    let one = name().with(0x4000, vec![7; 60_000]);
    assert_eq!(edge.says(&one).await, edge.own());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    // GREASE (RFC 8701): reserved suites and extensions mean nothing.
    let grease = name().suite_before(0x0a0a).with(0x1a1a, Vec::new()).with(0xfafa, vec![0]);
    assert_eq!(edge.says(&grease).await, edge.own());
    for (twice, hello) in [
        ("a known one", name().with(10, vec![0, 2, 0, 0x1d])),
        ("an unknown one", name().with(0x4000, vec![]).with(0x4000, vec![])),
        ("the last of a thousand", many(1_000, 0).with(0x4000, vec![])),
    ] {
        let said = edge.says(&hello).await;
        assert!(matches!(said, Reply::Alert(DECODE_ERROR | ILLEGAL_PARAMETER)), "{twice}: {said:?}");
    }
    edge.serves().await;
}

#[tokio::test]
async fn a_hello_that_is_longer_than_any_is_not_read_to_its_end() {
    let edge = Edge::start(quick()).await;
    // A message that says that it has 16 MB, and goes on and on: the edge stops reading long before that.
    let endless = [&[1, 0xff, 0xff, 0xff, 3, 3][..], &[0; 200_000]].concat();
    let said = exchange(edge.running.address, &records(&endless, 0x4000)).await;
    assert!(matches!(said, Reply::Alert(_) | Reply::Closed), "{said:?}");
    // Records over the limit, empty ones for ever, and a message of another kind.
    let over = [&[HANDSHAKE, 3, 1, 0xff, 0xff][..], &[0; 0xffff]].concat();
    let empty = record(HANDSHAKE, &[]).repeat(20_000);
    let finished = record(HANDSHAKE, &[20, 0, 0, 4, 1, 2, 3, 4]);
    for bytes in [&over, &empty, &finished] {
        let said = exchange(edge.running.address, bytes).await;
        assert!(matches!(said, Reply::Alert(_) | Reply::Closed), "{:?}: {said:?}", &bytes[..5]);
    }
    edge.serves().await;
    let counters = edge.running.end(&edge.world).await;
    assert_eq!(counters.failed(HandshakeFailure::Deadline), 0);
}

#[tokio::test]
async fn records_of_any_type_and_version_end_the_handshake_before_and_after_the_hello() {
    let edge = Edge::start(quick()).await;
    let hello = Hello::named(b"a.example").bytes();
    // 20 is a change of cipher, 23 data, 24 the heartbeat (CVE-2014-0160 asked for 16 kB with three bytes).
    for kind in [0, 1, 19, 20, 23, 24, 25, 128, 255] {
        let garbage = record(kind, &[1, 0x40, 0]);
        let said = exchange(edge.running.address, &garbage).await;
        assert!(matches!(said, Reply::Alert(_) | Reply::Closed), "{kind}: {said:?}");
        let mut stream = edge.connect().await;
        stream.write_all(&hello).await.unwrap();
        assert_eq!(reply(&mut stream).await, edge.own());
        stream.write_all(&garbage).await.unwrap();
        let rest = rest(&mut stream).await;
        assert_eq!(rest.last_chunk().map(|[level, _]| *level), Some(2), "{kind}: a fatal alert, {rest:?}");
    }
    // A warning is nothing, many are too many; so it is with the change of cipher that TLS 1.3 tolerates.
    for (kind, content) in [(ALERT, &[1, 90][..]), (20, &[1])] {
        let flood = record(kind, content).repeat(10_000);
        let said = exchange(edge.running.address, &[flood.as_slice(), &hello].concat()).await;
        assert!(matches!(said, Reply::Alert(_) | Reply::Closed), "{kind}: {said:?}");
    }
    // SSL 2 and 3, TLS 1.0 and 1.1, in the record and in the hello.
    for version in [[3, 0], [3, 1], [3, 2], [2, 0], [0, 2]] {
        let mut old = Hello::named(b"a.example").message();
        old[4..6].copy_from_slice(&version);
        let said = exchange(edge.running.address, &record(HANDSHAKE, &old)).await;
        assert!(matches!(said, Reply::Alert(_)), "{version:?}: {said:?}");
    }
    edge.serves().await;
    assert_eq!(edge.running.end(&edge.world).await.failed(HandshakeFailure::Deadline), 0);
}

#[tokio::test]
async fn who_ends_or_breaks_off_in_the_handshake_is_gone_at_once() {
    let edge = Edge::start(quick()).await;
    let hello = Hello::named(b"a.example").bytes();
    // Half closed, before, within and after the hello.
    for said in [&b""[..], &hello[..1], &hello[..40], &hello] {
        let mut stream = edge.connect().await;
        stream.write_all(said).await.unwrap();
        stream.shutdown().await.unwrap();
        rest(&mut stream).await;
    }
    // Reset, at the same moments.
    for said in [&b""[..], &hello[..1], &hello[..40], &hello] {
        let mut stream = edge.connect().await;
        stream.write_all(said).await.unwrap();
        stream.set_zero_linger().unwrap();
    }
    edge.serves().await;
    let counters = edge.running.end(&edge.world).await;
    assert_eq!((counters.connections(), counters.failed(HandshakeFailure::Deadline)), (0, 0));
}

/// RUSTSEC-2024-0336 went on for ever with the processor. In the handshake anybody in between can write it, so it
/// alone ends nothing; on one thread, a loop would let nothing else of this test go on.
#[tokio::test]
async fn close_notify_in_the_handshake_keeps_nobody_busy() {
    let limits = Limits { handshake: Duration::from_millis(300), ..quick() };
    let edge = Edge::start(limits).await;
    let hello = Hello::named(b"a.example").bytes();
    let close_notify = record(ALERT, &[1, 0]);
    let mut waiting = Vec::new();
    for said in [
        close_notify.clone(),
        [&hello[..40], &close_notify].concat(),
        [hello.as_slice(), &close_notify].concat(),
        [hello.as_slice(), &close_notify.repeat(1_000)].concat(),
    ] {
        let mut stream = edge.connect().await;
        stream.write_all(&said).await.unwrap();
        waiting.push(stream);
    }
    edge.serves().await;
    let started = Instant::now();
    for stream in &mut waiting {
        // The other side stays open: it is for the edge to end it.
        rest(stream).await;
    }
    assert!(started.elapsed() < quick().handshake / 2, "{:?}", started.elapsed());
    assert_eq!(edge.running.end(&edge.world).await.connections(), 0);
}

/// What the edge hears before it waits in vain.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Nothing,
    OneByte,
    HalfAHello,
    /// TLS 1.2: the client's key exchange is missing.
    Hello12,
    /// TLS 1.3: the client's Finished is missing.
    Hello13,
    /// TLS 1.3 with a group that the edge does not have: the second hello is missing.
    Retried,
}

impl Stage {
    const ALL: [Self; 6] =
        [Self::Nothing, Self::OneByte, Self::HalfAHello, Self::Hello12, Self::Hello13, Self::Retried];

    fn says(self) -> Vec<u8> {
        let hello = Hello::named(b"a.example").bytes();
        match self {
            Self::Nothing => Vec::new(),
            Self::OneByte => hello[..1].to_vec(),
            Self::HalfAHello => hello[..40].to_vec(),
            Self::Hello12 => hello,
            Self::Hello13 => first_flight(&Client::new().config()),
            Self::Retried => {
                // The key share is of a group that nobody knows; x25519 is offered, but not with a share.
                let hello = Hello::named(b"a.example").suite_before(0x1301);
                let hello = hello.with(43, vec![2, 3, 4]).with(51, vec![0, 5, 0x0a, 0x0a, 0, 1, 0]);
                hello.bytes()
            }
        }
    }

    /// The first byte of the answer to it, if there is any.
    fn hears(self) -> Option<u8> {
        match self {
            Self::Nothing | Self::OneByte | Self::HalfAHello => None,
            Self::Hello12 | Self::Hello13 | Self::Retried => Some(HANDSHAKE),
        }
    }
}

/// The hello of a real client.
fn first_flight(config: &Arc<ClientConfig>) -> Vec<u8> {
    let name = "a.example".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

#[tokio::test]
async fn the_deadline_holds_at_every_stage_of_the_handshake() {
    let limits = Limits { handshake: Duration::from_millis(300), ..quick() };
    let edge = Edge::start(limits).await;
    let started = Instant::now();
    let mut waiting = Vec::new();
    for stage in Stage::ALL {
        let mut stream = edge.connect().await;
        stream.write_all(&stage.says()).await.unwrap();
        waiting.push((stage, stream));
    }
    edge.serves().await;
    for (stage, stream) in &mut waiting {
        let rest = rest(stream).await;
        assert_eq!(rest.first().copied(), stage.hears(), "{stage:?}");
    }
    assert!(started.elapsed() < quick().handshake / 2, "{:?}", started.elapsed());
    let counters = edge.running.end(&edge.world).await;
    assert_eq!(counters.failed(HandshakeFailure::Deadline), Stage::ALL.len() as u64);
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_move_the_deadline() {
    let limits = Limits { handshake: Duration::from_millis(300), ..quick() };
    let edge = Edge::start(limits).await;
    let hello = Hello::named(b"a.example").with(0x4000, vec![0; 10_000]).bytes();
    // In one record that grows, and in records of one byte each.
    for pieces in [
        hello.chunks(1).map(<[u8]>::to_vec).collect::<Vec<_>>(),
        hello[5..].iter().map(|byte| record(HANDSHAKE, &[*byte])).collect(),
    ] {
        let started = Instant::now();
        let mut stream = edge.connect().await;
        for piece in pieces {
            let gone = stream.write_all(&piece).await.is_err();
            let end = tokio::time::timeout(Duration::from_millis(5), stream.read(&mut [0; 64])).await;
            if gone || end.is_ok() {
                break;
            }
        }
        assert!(started.elapsed() < quick().handshake / 2, "{:?}", started.elapsed());
    }
    assert_eq!(edge.running.end(&edge.world).await.failed(HandshakeFailure::Deadline), 2);
}

#[tokio::test]
async fn a_flood_of_key_updates_is_cut() {
    let edge = Edge::start(quick()).await;
    let client = Client::with(&[&TLS13], &common::client::ECDSA);
    let mut stream = client.connect(edge.running.address, Some("a.example")).await.unwrap();
    // One is a right of the client (RFC 8446, 4.6.3); so are those between which something is said.
    stream.get_mut().1.refresh_traffic_keys().unwrap();
    for _ in 0..1_000 {
        if stream.get_mut().1.refresh_traffic_keys().is_err() || stream.flush().await.is_err() {
            break;
        }
    }
    let mut got = Vec::new();
    let ended = stream.read_to_end(&mut got).await;
    assert!(ended.is_err() && got.is_empty(), "{ended:?} {got:?}");
    edge.serves().await;
    // One update, then a request: it is answered.
    let mut stream = client.connect(edge.running.address, Some("a.example")).await.unwrap();
    stream.get_mut().1.refresh_traffic_keys().unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    stream.read_to_end(&mut got).await.unwrap();
    assert!(got.starts_with(b"HTTP/1.0 200") || got.starts_with(b"HTTP/1.1 200"), "{got:?}");
}

/// Only OpenSSL can ask for it: our own library does not renegotiate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_renegotiates_is_refused() {
    let edge = Edge::start(quick()).await;
    let address = edge.running.address.to_string();
    let said = tokio::task::spawn_blocking(move || {
        let mut openssl = Command::new("openssl")
            .args(["s_client", "-tls1_2", "-servername", "a.example", "-connect", &address])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The command R asks for a new handshake on the connection. Standard input stays open until it has ended.
        let mut input = openssl.stdin.take().unwrap();
        input.write_all(b"R\n").unwrap();
        let output = openssl.wait_with_output().unwrap();
        drop(input);
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat()
    });
    let said = said.await.unwrap();
    assert!(said.contains("RENEGOTIATING") && said.contains("no renegotiation"), "{said}");
    edge.serves().await;
}

#[tokio::test]
async fn no_early_data_is_taken() {
    let edge = Edge::start(quick()).await;
    let mut config = ClientConfig::clone(&Client::with(&[&TLS13], &common::client::ECDSA).config());
    config.enable_early_data = true;
    let config = Arc::new(config);
    let name = || ServerName::try_from("a.example").unwrap();
    let connector = TlsConnector::from(Arc::clone(&config));
    let mut stream = connector.connect(name(), edge.connect().await).await.unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    // The ticket allows none, so a client that would send some does not; it resumes all the same.
    let mut client = rustls::ClientConnection::new(Arc::clone(&config), name()).unwrap();
    assert!(client.early_data().is_none());
    drop(client);
    let mut stream = connector.connect(name(), edge.connect().await).await.unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    assert!(!stream.get_ref().1.is_early_data_accepted());
}

/// A client that shows the ticket of one name for another.
struct OneTicket(Mutex<(Option<Tls12ClientSessionValue>, Option<Tls13ClientSessionValue>)>);

impl fmt::Debug for OneTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTicket")
    }
}

impl ClientSessionStore for OneTicket {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.lock().unwrap().0 = Some(value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.lock().unwrap().0.clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.lock().unwrap().0 = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.lock().unwrap().1 = Some(value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.lock().unwrap().1.take()
    }
}

#[tokio::test]
async fn a_ticket_of_one_name_opens_no_other() {
    let edge = Edge::start(quick()).await;
    for version in [&TLS12, &TLS13] {
        let mut config = ClientConfig::clone(&Client::with(&[version], &common::client::ECDSA).config());
        let store = Arc::new(OneTicket(Mutex::default()));
        config.resumption = rustls::client::Resumption::store(store);
        let connector = TlsConnector::from(Arc::new(config));
        let ask = async |name: &'static str| {
            let name = ServerName::try_from(name).unwrap();
            let mut stream = connector.connect(name, edge.connect().await).await.unwrap();
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.unwrap();
            (stream.get_ref().1.handshake_kind().unwrap(), leaf(&stream))
        };
        // For its own name it is taken.
        assert_eq!(ask("a.example").await, (HandshakeKind::Full, edge.site.fingerprint));
        assert_eq!(ask("a.example").await, (HandshakeKind::Resumed, edge.site.fingerprint));
        // For another it is not: the certificate of that name is shown and proved.
        assert_eq!(ask("x.w.example").await, (HandshakeKind::Full, edge.wildcard.fingerprint));
        assert_eq!(ask("b.example").await, (HandshakeKind::Full, edge.default.fingerprint));
    }
}

/// All that comes until the end.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut rest).await;
    rest
}
