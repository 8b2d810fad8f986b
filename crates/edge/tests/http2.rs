//! The listener of the UI against hostile HTTP/2 (`SECURITY.md` 5.3, 7): frames written by hand (RFC 9113). Each
//! flood ends in a GOAWAY, a reset or the end of the connection, or is simply answered; the next client is served.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{get, post};
use claviger_edge::{BodyPace, HttpLimits, Limits, serve_http, ui_config};
use common::client::Client;
use common::world::World;
use rustls::version::TLS13;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET https://x/` as a block of fields (RFC 7541).
const GET: &[u8] = b"\x82\x87\x84\x41\x01x";
/// `POST https://x/swallow`.
const POST: &[u8] = b"\x83\x87\x04\x08/swallow\x41\x01x";

struct Server {
    _world: World,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Server {
    async fn start(idle: Duration, grace: Duration) -> Self {
        let mut world = World::new().await;
        let default = world.site(&["localhost"]);
        world.serve(1, &default, &[]).await;
        let long = Duration::from_secs(20);
        let limits = HttpLimits {
            connections: Limits { handshake: long, idle, drain: long, ..Limits::default() },
            head: long,
            body: BodyPace { grace, bytes_per_second: 1024 },
        };
        let app = Router::new()
            .route("/", get(async |_: Request| "here"))
            .route("/swallow", post(async |body: Body| swallow(body).await))
            .route("/wait", get(async || std::future::pending::<&str>().await));
        let tls = ui_config(Arc::clone(&world.resolver)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(serve_http(listener, Some(tls), app, limits, stop.clone()));
        Self { _world: world, address, stop }
    }

    async fn quick() -> Self {
        Self::start(Duration::from_secs(20), Duration::from_secs(20)).await
    }

    /// A connection on which both sides have said what HTTP/2 begins with.
    async fn connect(&self) -> Talk {
        let client = Client::with(&[&TLS13], &common::client::ECDSA).alpn("h2");
        let mut stream = client.connect(self.address, Some("localhost")).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        stream.write_all(&frame(SETTINGS, 0, 0, b"")).await.unwrap();
        let mut talk = Talk { stream };
        assert_eq!(talk.hear().await.map(|frame| frame.kind), Some(SETTINGS));
        talk.say(&frame(SETTINGS, ACK, 0, b"")).await;
        talk
    }

    /// Says this on a new connection; answers how it ends, with a request at the end that is answered or not.
    async fn hears(&self, bytes: &[u8]) -> Ending {
        let talk = self.connect().await;
        talk.ends(bytes).await
    }

    /// A good client is served.
    async fn serves(&self) {
        let mut talk = self.connect().await;
        talk.say(&frame(HEADERS, END_HEADERS | END_STREAM, 1, GET)).await;
        assert_eq!(talk.until_data(1).await, b"here");
    }
}

async fn swallow(body: Body) -> String {
    match axum::body::to_bytes(body, 1 << 20).await {
        Ok(bytes) => format!("{} bytes", bytes.len()),
        Err(_) => "broken".to_owned(),
    }
}

/// How a connection ended, or that it did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// GOAWAY with this code (RFC 9113, section 7).
    Goaway(u32),
    /// Only this stream was reset, with this code.
    Reset(u32),
    /// The request at the end was answered.
    Answered,
    /// The end without a word.
    Closed,
}

const PROTOCOL_ERROR: u32 = 1;
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    content: Vec<u8>,
}

fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), content].concat()
}

struct Talk {
    stream: TlsStream<TcpStream>,
}

impl Talk {
    async fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    async fn hear(&mut self) -> Option<Frame> {
        hear(&mut self.stream).await
    }

    async fn until_data(&mut self, stream: u32) -> Vec<u8> {
        loop {
            let frame = self.hear().await.unwrap();
            if frame.kind == DATA && frame.stream == stream && !frame.content.is_empty() {
                return frame.content;
            }
        }
    }

    /// Says it while it listens; then PING, whose answer shows that the connection goes on.
    async fn ends(self, bytes: &[u8]) -> Ending {
        let (mut from, mut to) = tokio::io::split(self.stream);
        let saying = async {
            // Who is cut off cannot say the rest.
            let _ = to.write_all(bytes).await;
            let _ = to.write_all(&frame(PING, 0, 0, b"the end.")).await;
            let _ = to.flush().await;
            std::future::pending::<()>().await;
        };
        let hearing = async {
            let mut reset = None;
            while let Some(frame) = hear(&mut from).await {
                match frame.kind {
                    GOAWAY => return Ending::Goaway(code(&frame.content[4..])),
                    RST_STREAM => reset = Some(Ending::Reset(code(&frame.content))),
                    PING if frame.flags == ACK && frame.content == b"the end." => {
                        return reset.unwrap_or(Ending::Answered);
                    }
                    _ => {}
                }
            }
            Ending::Closed
        };
        tokio::select! {
            () = saying => Ending::Closed,
            ending = hearing => ending,
        }
    }
}

/// What becomes of the request in these bytes.
async fn fate(server: &Server, bytes: &[u8]) -> Ending {
    let mut talk = server.connect().await;
    talk.say(bytes).await;
    while let Some(frame) = talk.hear().await {
        match frame.kind {
            GOAWAY => return Ending::Goaway(code(&frame.content[4..])),
            RST_STREAM => return Ending::Reset(code(&frame.content)),
            HEADERS => return Ending::Answered,
            _ => {}
        }
    }
    Ending::Closed
}

async fn hear(from: &mut (impl AsyncReadExt + Unpin)) -> Option<Frame> {
    let mut head = [0; 9];
    from.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut content = vec![0; length as usize];
    from.read_exact(&mut content).await.ok()?;
    Some(Frame { kind: head[3], flags: head[4], stream: code(&head[5..]), content })
}

fn code(four: &[u8]) -> u32 {
    u32::from_be_bytes([four[0], four[1], four[2], four[3]])
}

/// Streams of a client: 1, 3, 5 and so on.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|number| 2 * number + 1)
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once_end_the_connection() {
    let server = Server::quick().await;
    // CVE-2023-44487.
    let reset = |stream| {
        let begun = frame(HEADERS, END_HEADERS | END_STREAM, stream, GET);
        [begun, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    };
    let rapid: Vec<u8> = streams(5_000).flat_map(reset).collect();
    assert_eq!(server.hears(&rapid).await, Ending::Goaway(ENHANCE_YOUR_CALM));
    // CVE-2025-8671: the server is made to reset them, here by windows that grow by nothing.
    let begin = |stream| {
        let begun = frame(HEADERS, END_HEADERS, stream, POST);
        [begun, frame(WINDOW_UPDATE, 0, stream, &[0; 4])].concat()
    };
    let made: Vec<u8> = streams(5_000).flat_map(begin).collect();
    let ending = server.hears(&made).await;
    assert!(matches!(ending, Ending::Goaway(ENHANCE_YOUR_CALM | PROTOCOL_ERROR)), "{ending:?}");
    server.serves().await;
}

#[tokio::test]
async fn a_head_without_an_end_is_not_collected() {
    let server = Server::quick().await;
    // RUSTSEC-2024-0332: fields that never end, in frames with something, little and nothing in them.
    for part in [&[0x40, 1, b'x', 1, b'y'].repeat(3_000)[..], &[0x40, 1, b'x', 1, b'y'], b""] {
        let begun = frame(HEADERS, END_STREAM, 1, GET);
        let more = frame(CONTINUATION, 0, 1, part).repeat(if part.len() > 100 { 200 } else { 20_000 });
        let ending = server.hears(&[begun, more].concat()).await;
        assert!(matches!(ending, Ending::Goaway(_) | Ending::Closed), "{} bytes: {ending:?}", part.len());
    }
    // A reference into the table, over and over: little on the wire, much when it is written out.
    let value = [&[0x40, 1, b'x', 0x7f, 0x81, 0x1e][..], &[b'y'; 4_000]].concat();
    let bomb = [GET, &value, &[0xbe; 12_000]].concat();
    let ending = server.hears(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb)).await;
    assert_ne!(ending, Ending::Closed);
    server.serves().await;
}

#[tokio::test]
async fn what_breaks_the_rules_ends_the_stream_or_the_connection() {
    let server = Server::quick().await;
    let get = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, GET);
    let fields = |more: &[u8]| frame(HEADERS, END_HEADERS | END_STREAM, 1, &[GET, more].concat());
    let post = |more: &[u8]| frame(HEADERS, END_HEADERS, 1, &[POST, more].concat());
    let length = |text: &[u8]| [&b"\x0f\x0d"[..], &[text.len() as u8], text].concat();
    let data = |text: &[u8]| frame(DATA, END_STREAM, 1, text);
    for (what, bytes) in [
        ("a stream of the server's", get(2)),
        ("a stream twice", [get(3), get(1)].concat()),
        ("stream 0", get(0)),
        ("data on no stream", frame(DATA, 0, 0, b"x")),
        ("a push", frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])),
        ("a frame over 16 kB", frame(DATA, 0, 1, &[0; 16_385])),
        ("settings of five bytes", frame(SETTINGS, 0, 0, &[0; 5])),
        ("a ping of seven bytes", frame(PING, 0, 0, &[0; 7])),
        ("a window that overflows", overflow()),
        ("a field that cannot be read", frame(HEADERS, 5, 1, &[0xff; 20])),
        ("an upper-case name", fields(b"\x40\x01X\x01y")),
        ("connection", fields(b"\x40\x0aconnection\x05close")),
        ("transfer-encoding", fields(b"\x40\x11transfer-encoding\x07chunked")),
        ("a method twice", fields(b"\x82")),
        ("a line break in a value", fields(b"\x40\x01x\x03a\r\n")),
        ("a NUL in a value", fields(b"\x40\x01x\x03a\0b")),
        ("less than was said", [post(&length(b"5")), data(b"hell")].concat()),
        ("more than was said", [post(&length(b"3")), data(b"hello")].concat()),
        ("a length that is none", [post(&length(b"+5")), data(b"hello")].concat()),
        ("two lengths", [post(&[length(b"5"), length(b"6")].concat()), data(b"hello")].concat()),
    ] {
        let ending = fate(&server, &bytes).await;
        assert!(matches!(ending, Ending::Goaway(_) | Ending::Reset(_)), "{what}: {ending:?}");
    }
    server.serves().await;
}

/// Two updates that together pass 2^31-1 (RFC 9113, 6.9.1).
fn overflow() -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes()).repeat(2)
}

#[tokio::test]
async fn more_streams_than_a_hundred_are_refused() {
    let server = Server::quick().await;
    let wait = b"\x82\x87\x04\x05/wait\x41\x01x";
    let begin = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, wait);
    let hundred: Vec<u8> = streams(100).flat_map(begin).collect();
    assert_eq!(server.hears(&hundred).await, Ending::Answered);
    let more: Vec<u8> = streams(101).flat_map(begin).collect();
    assert_eq!(fate(&server, &more).await, Ending::Reset(REFUSED_STREAM));
    server.serves().await;
}

#[tokio::test]
async fn frames_that_ask_for_nothing_are_answered_one_by_one_or_cut() {
    let server = Server::quick().await;
    let (settings, ping) = (frame(SETTINGS, 0, 0, b""), frame(PING, 0, 0, b"12345678"));
    let window = frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes());
    let priority = frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]);
    let unknown = frame(0xfe, 0, 0, b"grease");
    let empty = frame(DATA, 0, 1, b"");
    let begun = frame(HEADERS, END_HEADERS, 1, POST);
    for (what, before, flood) in [
        ("settings", &b""[..], settings),
        ("pings", b"", ping),
        ("windows", b"", window),
        ("priorities", b"", priority),
        ("unknown frames", b"", unknown),
        ("empty data", &begun, empty),
    ] {
        let ending = server.hears(&[before, &flood.repeat(20_000)].concat()).await;
        assert!(matches!(ending, Ending::Answered | Ending::Goaway(ENHANCE_YOUR_CALM)), "{what}: {ending:?}");
    }
    server.serves().await;
}

/// Who asks all the time that something be answered, and reads no answer, is not written for without end.
#[tokio::test]
async fn answers_that_nobody_reads_are_not_collected() {
    let server = Server::quick().await;
    for flood in [frame(SETTINGS, 0, 0, b""), frame(PING, 0, 0, b"12345678")] {
        let mut talk = server.connect().await;
        let megabyte = flood.repeat((1 << 20) / flood.len());
        let mut said = 0;
        let stuck = async {
            while said < 64 && talk.stream.write_all(&megabyte).await.is_ok() {
                said += 1;
            }
        };
        // The server stops reading when its answers stand in the way: then nothing more can be said.
        let _ = tokio::time::timeout(Duration::from_secs(2), stuck).await;
        assert!(said < 64, "{said} MiB of questions were taken with no answer read");
        server.serves().await;
    }
}

#[tokio::test]
async fn a_body_of_nothing_has_its_time() {
    let server = Server::start(Duration::from_secs(20), Duration::from_millis(200)).await;
    let mut talk = server.connect().await;
    talk.say(&frame(HEADERS, END_HEADERS, 1, POST)).await;
    let empty = frame(DATA, 0, 1, b"");
    let started = Instant::now();
    let answer = loop {
        talk.say(&empty).await;
        let heard = tokio::time::timeout(Duration::from_millis(5), talk.until_data(1)).await;
        if let Ok(answer) = heard {
            break answer;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "a body of nothing goes on for ever");
    };
    assert_eq!(answer, b"broken");
}
