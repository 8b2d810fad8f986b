//! A client that must greet twice: its first key share is of a group that the edge does not speak (RFC 8446, 4.1.4).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use common::world::{World, quick};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// `openssl s_client` with a key share of P-521, and P-256 beside it: what it says.
fn greet_twice(address: SocketAddr) -> JoinHandle<String> {
    tokio::task::spawn_blocking(move || {
        let mut client = Command::new("openssl");
        client.args(["s_client", "-brief", "-servername", "a.example", "-groups", "P-521:P-256", "-connect"]);
        let output = client.arg(address.to_string()).stdin(Stdio::null()).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    })
}

async fn forward_one(from: &mut TcpStream, to: &mut TcpStream) -> usize {
    let mut bytes = vec![0; 1 << 16];
    let length = from.read(&mut bytes).await.unwrap();
    to.write_all(&bytes[..length]).await.unwrap();
    length
}

#[tokio::test]
async fn a_swap_between_the_two_hellos_fails_no_handshake() {
    let mut world = World::new().await;
    let default = world.site(&["default.example"]);
    let (old, new) = (world.site(&["a.example"]), world.site(&["a.example"]));
    world.serve(1, &default, &[&old]).await;
    let running = world.start(quick()).await;
    let between = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let said = greet_twice(between.local_addr().unwrap());

    let (mut client, _) = between.accept().await.unwrap();
    let mut edge = TcpStream::connect(running.address).await.unwrap();
    assert!(forward_one(&mut client, &mut edge).await > 0, "the first hello");
    assert!(forward_one(&mut edge, &mut client).await > 0, "the request to try again");
    let mut second = vec![0; 1 << 16];
    let length = client.read(&mut second).await.unwrap();
    world.serve(2, &default, &[&new]).await;
    edge.write_all(&second[..length]).await.unwrap();
    // Either side may end it with a reset when it has all that it wants.
    let _ = tokio::io::copy_bidirectional(&mut client, &mut edge).await;
    drop((client, edge));

    let said = said.await.unwrap();
    assert!(said.contains("CONNECTION ESTABLISHED") && said.contains("TLSv1.3"), "{said}");
    let counters = running.end(&world).await;
    assert_eq!(counters.handshakes(), 1, "{said}");
}
