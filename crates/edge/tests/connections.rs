//! What the edge does with connections, good and bad ones.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use claviger_edge::{HandshakeFailure, Limits};
use common::client::Client;
use common::world::{Running, World, quick, with_backend};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A site `a.example` with this backend, and the edge in front of it.
async fn start(limits: Limits, backend: Option<(SocketAddr, bool)>) -> (World, Running) {
    let mut world = World::new().await;
    let default = world.site(&["default.example"]);
    let mut site = world.site(&["a.example"]);
    if let Some((address, proxy_protocol)) = backend {
        site = with_backend(site, address, proxy_protocol);
    }
    world.serve(1, &default, &[&site]).await;
    let edge = world.start(limits).await;
    (world, edge)
}

async fn backend() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The ClientHello of a real client, record header included.
fn hello() -> Vec<u8> {
    let name = "a.example".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(Client::new().config(), name).unwrap();
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

async fn first_byte(stream: &mut TcpStream) -> Option<u8> {
    stream.read_u8().await.ok()
}

const HANDSHAKE: Option<u8> = Some(22);
const ALERT: Option<u8> = Some(21);

#[tokio::test]
async fn a_hello_may_come_in_pieces_of_one_byte() {
    let (_world, edge) = start(quick(), None).await;
    let hello = hello();

    let mut stream = TcpStream::connect(edge.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in &hello {
        stream.write_all(&[*byte]).await.unwrap();
    }
    assert_eq!(first_byte(&mut stream).await, HANDSHAKE);

    let mut stream = TcpStream::connect(edge.address).await.unwrap();
    for byte in &hello[5..] {
        stream.write_all(&[22, 3, 1, 0, 1, *byte]).await.unwrap();
    }
    assert_eq!(first_byte(&mut stream).await, HANDSHAKE);
}

#[tokio::test]
async fn what_is_not_tls_gets_an_alert_and_is_closed() {
    let (world, edge) = start(quick(), None).await;
    let old = b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x01aaaaaaaabbbbbbbbccccccccdddddddd\x00\x00\x02\x00\x2f\x01\x00";
    let bad: [&[u8]; 3] =
        [b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n", b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00", old];
    for bytes in bad {
        let mut stream = TcpStream::connect(edge.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer.first().copied(), ALERT, "{bytes:?}");
    }
    // Longer than any hello may be: closed without reading on.
    let mut huge = b"\x16\x03\x01\x40\x00\x01\x01\x00\x00\x03\x03".to_vec();
    huge.resize(16_389, 0);
    let mut stream = TcpStream::connect(edge.address).await.unwrap();
    stream.write_all(&huge).await.unwrap();
    let _ = stream.read_to_end(&mut Vec::new()).await;
    assert_eq!(edge.end(&world).await.failed(HandshakeFailure::Protocol), 4);
}

#[tokio::test]
async fn silence_ends_at_the_deadline_and_does_not_stop_a_good_client() {
    let limits = Limits { handshake: Duration::from_millis(200), connections: 3, ..quick() };
    let (world, edge) = start(limits, None).await;
    let mut silent = Vec::new();
    for sent in [&b""[..], b"\x16", &hello()[..200]] {
        let mut stream = TcpStream::connect(edge.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        silent.push(stream);
    }
    // All places are taken: this one waits until they are free.
    Client::new().connect(edge.address, Some("a.example")).await.unwrap();
    for mut stream in silent {
        assert_eq!(first_byte(&mut stream).await, None);
    }
    drop(TcpStream::connect(edge.address).await.unwrap());
    Client::new().connect(edge.address, Some("a.example")).await.unwrap();
    let counters = edge.end(&world).await;
    assert_eq!(counters.failed(HandshakeFailure::Deadline), 3);
    assert_eq!(counters.failed(HandshakeFailure::Closed), 1);
    assert_eq!(counters.handshakes(), 2);
}

#[tokio::test]
async fn a_thousand_idle_connections_do_not_stop_a_good_client() {
    let (_world, edge) = start(quick(), None).await;
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        idle.push(TcpStream::connect(edge.address).await.unwrap());
    }
    Client::new().connect(edge.address, Some("a.example")).await.unwrap();
    assert!(edge.counters.connections() >= 1_000);
    drop(idle);
}

#[tokio::test]
async fn bytes_pass_to_the_backend_and_back() {
    let (listener, address) = backend().await;
    let (_world, edge) = start(quick(), Some((address, false))).await;
    let client = Client::new();
    let mut stream = client.connect(edge.address, Some("a.example")).await.unwrap();
    let (mut behind, _) = listener.accept().await.unwrap();
    stream.write_all(b"question").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut question = String::new();
    behind.read_to_string(&mut question).await.unwrap();
    assert_eq!(question, "question");
    // The client has ended its side; the answer still comes.
    let answer = vec![b'x'; 300_000];
    behind.write_all(&answer).await.unwrap();
    drop(behind);
    let mut got = Vec::new();
    stream.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, answer);
}

#[tokio::test]
async fn a_backend_that_wants_to_knows_the_client() {
    let (listener, address) = backend().await;
    let (_world, edge) = start(quick(), Some((address, true))).await;
    let mut stream = Client::new().connect(edge.address, Some("a.example")).await.unwrap();
    let client = stream.get_ref().0.local_addr().unwrap();
    stream.write_all(b"hello").await.unwrap();
    let (mut behind, _) = listener.accept().await.unwrap();
    let mut got = [0; 28 + 5];
    behind.read_exact(&mut got).await.unwrap();
    let mut expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01".to_vec();
    expected.extend(client.port().to_be_bytes());
    expected.extend(edge.address.port().to_be_bytes());
    expected.extend(b"hello");
    assert_eq!(got.as_slice(), expected);
}

#[tokio::test]
async fn a_backend_that_is_away_closes_the_connection() {
    let (listener, address) = backend().await;
    drop(listener);
    let (_world, edge) = start(quick(), Some((address, false))).await;
    let mut stream = Client::new().connect(edge.address, Some("a.example")).await.unwrap();
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got).await;
    assert!(got.is_empty());
    assert_eq!(edge.counters.backend_failures(), 1);
}

#[tokio::test]
async fn an_idle_connection_is_cut() {
    let (listener, address) = backend().await;
    let limits = Limits { idle: Duration::from_millis(50), ..quick() };
    let (_world, edge) = start(limits, Some((address, false))).await;
    let mut stream = Client::new().connect(edge.address, Some("a.example")).await.unwrap();
    let (mut behind, _) = listener.accept().await.unwrap();
    assert_eq!(behind.read(&mut [0]).await.unwrap_or_default(), 0);
    assert_eq!(stream.read(&mut [0]).await.unwrap_or_default(), 0);
}

#[tokio::test]
async fn without_a_backend_there_is_a_status_page() {
    let (_world, edge) = start(quick(), None).await;
    let ask = async |request: &str, name| {
        let mut stream = Client::new().connect(edge.address, name).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    };
    let page = ask("GET /x HTTP/1.1\r\nhost: a.example\r\n\r\n", Some("a.example")).await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("a.example"), "{page}");
    assert!(page.contains("text/plain"), "{page}");
    let page = ask("HEAD / HTTP/1.1\r\nhost: a.example\r\n\r\n", None).await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("\r\n\r\n"), "{page}");
    let page = ask("DELETE / HTTP/1.1\r\nhost: a.example\r\n\r\n", None).await;
    assert!(page.starts_with("HTTP/1.1 405 "), "{page}");
    let page = ask("nonsense\r\n\r\n", None).await;
    assert!(page.starts_with("HTTP/1.1 400 "), "{page}");
}

#[tokio::test]
async fn the_stop_lets_connections_end() {
    let (listener, address) = backend().await;
    let (world, edge) = start(quick(), Some((address, false))).await;
    let mut stream = Client::new().connect(edge.address, Some("a.example")).await.unwrap();
    let (mut behind, _) = listener.accept().await.unwrap();
    world.stop.cancel();
    while TcpStream::connect(edge.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(b"still").await.unwrap();
    behind.read_exact(&mut [0; 5]).await.unwrap();
    assert!(!edge.task.is_finished());
    drop((stream, behind));
    edge.task.await.unwrap();
    assert_eq!(edge.counters.connections(), 0);
}

#[tokio::test]
async fn the_stop_does_not_wait_for_ever() {
    let (listener, address) = backend().await;
    let limits = Limits { drain: Duration::from_millis(50), ..quick() };
    let (world, edge) = start(limits, Some((address, false))).await;
    let mut stream = Client::new().connect(edge.address, Some("a.example")).await.unwrap();
    let (_behind, _) = listener.accept().await.unwrap();
    world.stop.cancel();
    edge.task.await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap_or_default(), 0);
    assert_eq!(edge.counters.connections(), 0);
}

/// Set for the copy of this program that has few files.
const FEW_FILES: &str = "CLAVIGER_TEST_FEW_FILES";

#[tokio::test]
async fn goes_on_after_running_out_of_files() {
    if std::env::var_os(FEW_FILES).is_some() {
        return run_out_of_files().await;
    }
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", r#"ulimit -n 64 && exec "$0" --exact goes_on_after_running_out_of_files --nocapture"#])
        .arg(program)
        .env(FEW_FILES, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

async fn run_out_of_files() {
    let (_world, edge) = start(quick(), None).await;
    let mut clients = Vec::new();
    while let Ok(client) = TcpStream::connect(edge.address).await {
        clients.push(client);
    }
    assert!((edge.counters.connections() as usize) < clients.len());
    drop(clients);
    Client::new().connect(edge.address, Some("a.example")).await.unwrap();
}
