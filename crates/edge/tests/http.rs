//! The listener of the UI and of the plain HTTP ports, against good and bad HTTP.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{get, post};
use claviger_edge::{BodyError, BodyPace, HttpLimits, Limits, PeerAddress, serve_http, ui_config};
use common::client::Client;
use common::world::World;
use rustls::HandshakeKind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
    release: Arc<Notify>,
    entered: Arc<Notify>,
}

fn limits() -> HttpLimits {
    let long = Duration::from_secs(10);
    HttpLimits {
        connections: Limits { handshake: long, idle: long, drain: long, ..Limits::default() },
        head: long,
        body: BodyPace { grace: long, bytes_per_second: 1024 },
    }
}

async fn who(request: Request) -> String {
    let peer = request.extensions().get::<PeerAddress>().unwrap().0;
    format!("peer {peer}")
}

/// How the body ended.
async fn swallow(body: Body) -> String {
    match axum::body::to_bytes(body, 1 << 20).await {
        Ok(bytes) => format!("{} bytes", bytes.len()),
        Err(error) => {
            let mut cause: Option<&dyn std::error::Error> = Some(&error);
            while let Some(error) = cause {
                if let Some(BodyError::TooSlow) = error.downcast_ref() {
                    return "too slow".to_owned();
                }
                cause = error.source();
            }
            error.to_string()
        }
    }
}

async fn start(world: Option<&World>, limits: HttpLimits) -> Running {
    let (release, entered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inside, here) = (Arc::clone(&release), Arc::clone(&entered));
    let wait = move || {
        let (inside, here) = (Arc::clone(&inside), Arc::clone(&here));
        async move {
            here.notify_one();
            inside.notified().await;
            "released"
        }
    };
    let app = Router::new().route("/", get(who)).route("/swallow", post(swallow)).route("/wait", get(wait));
    let tls = world.map(|world| ui_config(Arc::clone(&world.resolver)).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(serve_http(listener, tls, app, limits, stop.clone()));
    Running { address, stop, task, release, entered }
}

/// Sends this and reads to the end.
async fn talk(address: SocketAddr, send: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(send.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

#[tokio::test]
async fn requests_know_who_sent_them() {
    let mut world = World::new().await;
    let default = world.site(&["localhost"]);
    world.serve(1, &default, &[]).await;
    let server = start(Some(&world), limits()).await;
    let client = Client::new().alpn("http/1.1");
    for _ in 0..2 {
        let mut stream = client.connect(server.address, Some("localhost")).await.unwrap();
        let (tcp, session) = stream.get_ref();
        let local = tcp.local_addr().unwrap();
        // The UI resumes nothing.
        assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full));
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.ends_with(&format!("peer {local}")), "{answer}");
    }
    let plain = start(None, limits()).await;
    let answer = talk(plain.address, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.contains("peer 127.0.0.1:"), "{answer}");
}

#[tokio::test]
async fn http2_is_spoken_by_agreement_and_its_silence_ends() {
    let mut world = World::new().await;
    let default = world.site(&["localhost"]);
    world.serve(1, &default, &[]).await;
    let mut limits = limits();
    limits.connections.idle = Duration::from_millis(200);
    let server = start(Some(&world), limits).await;
    let client = Client::new().alpn("h2");
    let mut stream = client.connect(server.address, Some("localhost")).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    // Preface, empty SETTINGS, HEADERS of GET https / with :authority x on stream 1 (RFC 9113, RFC 7541).
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    stream.write_all(b"\0\0\x06\x01\x05\0\0\0\x01\x82\x87\x84\x41\x01x").await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.contains("peer 127.0.0.1:"), "{answer:?}");
    // Not even a preface.
    let mut stream = client.connect(server.address, Some("localhost")).await.unwrap();
    rest(&mut stream).await;
    // On the plain port HTTP/2 is not spoken.
    let plain = start(None, limits).await;
    let answer = talk(plain.address, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(answer.is_empty() || status(&answer) == "400" || status(&answer) == "505", "{answer}");
}

#[tokio::test]
async fn heads_have_their_size_and_time() {
    let mut limits = limits();
    limits.head = Duration::from_millis(100);
    let server = start(None, limits).await;
    let long = "a".repeat(40_000);
    let answer = talk(server.address, &format!("GET / HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n")).await;
    assert_eq!(status(&answer), "431");
    let fits = "a".repeat(15_000);
    let answer = talk(server.address, &format!("GET / HTTP/1.1\r\nhost: x\r\nx: {fits}\r\n\r\n")).await;
    assert_eq!(status(&answer), "200");
    let answer = talk(server.address, &format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", &long[..8_192])).await;
    assert_eq!(status(&answer), "414");
    // Half a head, or a connection at rest: closed at the limit.
    let answer = talk(server.address, "GET / HTTP/1.1\r\nho").await;
    assert!(answer.is_empty() || status(&answer) == "408", "{answer}");
    let answer = talk(server.address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}

#[tokio::test]
async fn a_head_that_breaks_the_rules_is_refused_and_ends_the_connection() {
    let server = start(None, limits()).await;
    let next = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    for line in [
        "x: a\0b",
        "x: a\rb",
        "x: a\r\n b",
        "x : a",
        " x: a",
        "x y: a",
        "x\0: a",
        ": a",
        "x",
        "x\u{7f}: a",
        "x: \u{1b}[31m",
        "(x): a",
    ] {
        let answer =
            talk(server.address, &format!("GET / HTTP/1.1\r\nhost: x\r\n{line}\r\n\r\n{next}")).await;
        assert_eq!(status(&answer), "400", "{line:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{line:?}: {answer}");
    }
    for line in [
        "GET / HTTP/1.1 x",
        "GET /\0 HTTP/1.1",
        "GET / /x HTTP/1.1",
        "GET / HTTP/3.0",
        "GET / HTTP/0.9",
        "GET /",
        "G\0T / HTTP/1.1",
        "G(T / HTTP/1.1",
        " / HTTP/1.1",
        "\u{1b}",
    ] {
        let answer = talk(server.address, &format!("{line}\r\nhost: x\r\n\r\n{next}")).await;
        assert!(["400", "505"].contains(&status(&answer)), "{line:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{line:?}: {answer}");
    }
    assert_eq!(
        status(&talk(server.address, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await),
        "200"
    );
}

#[tokio::test]
async fn two_lengths_never_become_two_requests() {
    let server = start(None, limits()).await;
    for (head, body) in [
        ("content-length: 5\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ncontent-length: 5", "0\r\n\r\n"),
        ("content-length: 5\r\ncontent-length: 6", "hello"),
        ("transfer-encoding: xchunked", ""),
        ("content-length: +5", "hello"),
    ] {
        let smuggled = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        let send = format!("POST /swallow HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n{body}{smuggled}");
        let answer = talk(server.address, &send).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{head}: {answer}");
        assert!(!answer.contains("peer"), "{head}: {answer}");
    }
}

#[tokio::test]
async fn slow_bodies_are_cut() {
    let mut limits = limits();
    limits.body.grace = Duration::from_millis(100);
    let server = start(None, limits).await;
    let head = "POST /swallow HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100\r\n\r\n";
    let answer = talk(server.address, &format!("{head}only this")).await;
    assert!(answer.ends_with("too slow"), "{answer}");
    let answer = talk(server.address, &format!("{head}{}", "x".repeat(100))).await;
    assert!(answer.contains("100 bytes"), "{answer}");
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let mut world = World::new().await;
    let default = world.site(&["localhost"]);
    world.serve(1, &default, &[]).await;
    let mut limits = limits();
    limits.connections.handshake = Duration::from_millis(50);
    for world in [Some(&world), None] {
        let server = start(world, limits).await;
        assert_eq!(talk(server.address, "").await, "");
    }
    let server = start(Some(&world), limits).await;
    let answer = talk(server.address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(answer.as_bytes().first(), Some(&21));
}

#[tokio::test]
async fn the_stop_finishes_what_is_in_progress() {
    let server = start(None, limits()).await;
    let mut resting = TcpStream::connect(server.address).await.unwrap();
    resting.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    resting.read_u8().await.unwrap();
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    server.entered.notified().await;
    server.stop.cancel();
    rest(&mut resting).await;
    assert!(!server.task.is_finished());
    server.release.notify_one();
    let answer = rest(&mut busy).await;
    assert!(answer.ends_with("released"), "{answer}");
    server.task.await.unwrap();
}

#[tokio::test]
async fn the_stop_does_not_wait_for_ever() {
    let mut limits = limits();
    limits.connections.drain = Duration::from_millis(50);
    let server = start(None, limits).await;
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    server.entered.notified().await;
    server.stop.cancel();
    server.task.await.unwrap();
    assert_eq!(rest(&mut busy).await, "");
}
