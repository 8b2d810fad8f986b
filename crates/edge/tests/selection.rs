//! Which certificate the edge serves, to real TLS clients.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use claviger_edge::{HandshakeFailure, Seen, SnapshotRefused};
use common::client::{Client, ECDSA, RSA, leaf};
use common::world::{World, quick};
use domain::Snapshot;
use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};
use testkit::TestSigner;
use tokio::io::AsyncReadExt;

#[tokio::test]
async fn exact_then_wildcard_then_default() {
    let mut world = World::new().await;
    let default = world.site(&["default.example"]);
    let (exact, wildcard) = (world.site(&["a.b.example"]), world.site(&["*.b.example"]));
    world.serve(1, &default, &[&exact, &wildcard]).await;
    let edge = world.start(quick()).await;
    let client = Client::new();
    for (name, expected) in [
        (Some("a.b.example"), &exact),
        (Some("A.B.example"), &exact),
        (Some("c.b.example"), &wildcard),
        (Some("c.c.b.example"), &default),
        (Some("elsewhere.example"), &default),
        (None, &default),
    ] {
        assert_eq!(client.sees(edge.address, name).await, expected.fingerprint, "{name:?}");
    }
    let stream = client.connect(edge.address, Some("a.b.example")).await.unwrap();
    let session = stream.get_ref().1;
    assert_eq!(session.peer_certificates().unwrap()[1].as_ref(), world.authority.intermediate.der());
    let group = session.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    drop(stream);
    assert_eq!(edge.end(&world).await.handshakes(), 7);
}

#[tokio::test]
async fn each_client_gets_the_kind_that_it_can_verify() {
    let mut world = World::new().await;
    let default = world.site(&["default.example"]);
    let ec = world.site(&["a.example"]);
    let rsa = world.served(&["a.example"], &world.key(TestSigner::rsa()));
    world.serve(1, &default, &[&ec, &rsa]).await;
    let edge = world.start(quick()).await;
    for version in [&TLS12, &TLS13] {
        let sees = async |schemes: &[_]| {
            Client::with(&[version], schemes).sees(edge.address, Some("a.example")).await
        };
        assert_eq!(sees(&RSA).await, rsa.fingerprint);
        assert_eq!(sees(&ECDSA).await, ec.fingerprint);
        assert_eq!(sees(&[RSA.as_slice(), &ECDSA].concat()).await, ec.fingerprint);
    }
}

/// `SECURITY.md` 5.5, 9: a thousand changes while clients connect all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_handshake_fails_while_certificates_change_a_thousand_times() {
    const CHANGES: u64 = 1_000;
    const LOOKS: u64 = CHANGES / 4;
    let mut world = World::new().await;
    let default = world.site(&["default.example"]);
    let sites: Vec<_> = (0..10).map(|_| world.site(&["a.example"])).collect();
    world.serve(1, &default, &[&sites[0]]).await;
    let edge = world.start(quick()).await;
    let done = Arc::new(AtomicBool::new(false));
    let any: Vec<_> = sites.iter().map(|site| site.fingerprint).collect();
    let clients = (0..3).map(|_| {
        let (done, any, address) = (Arc::clone(&done), any.clone(), edge.address);
        tokio::spawn(async move {
            let mut handshakes = 0;
            while !done.load(Ordering::Relaxed) {
                // A client of its own each time, or all but the first would resume.
                assert!(any.contains(&Client::new().sees(address, Some("a.example")).await));
                handshakes += 1;
            }
            handshakes
        })
    });
    let clients: Vec<_> = clients.collect();
    let mut gone = Vec::new();
    for change in 1..=CHANGES {
        let site = &sites[change as usize % sites.len()];
        world.serve(change + 1, &default, &[site]).await;
        let served = Arc::clone(&world.snapshots.borrow());
        gone.extend(served.all().into_iter().map(Arc::downgrade));
        drop(served);
        // From the moment at which it is taken, everybody gets the new one.
        if change % (CHANGES / LOOKS) == 0 {
            assert_eq!(Client::new().sees(edge.address, Some("a.example")).await, site.fingerprint);
        }
    }
    done.store(true, Ordering::Relaxed);
    let mut handshakes = LOOKS;
    for client in clients {
        handshakes += client.await.unwrap();
    }
    assert!(handshakes > 2 * LOOKS, "only {handshakes} handshakes meanwhile");
    let counters = edge.end(&world).await;
    assert_eq!(counters.handshakes(), handshakes);
    assert!(HandshakeFailure::ALL.iter().all(|kind| counters.failed(*kind) == 0));
    // Nothing of what was replaced is held: memory does not grow with the changes.
    let held = gone.iter().filter(|served| served.strong_count() > 0).count();
    assert_eq!((gone.len() as u64, held), (CHANGES, 1));
}

#[tokio::test]
async fn a_bad_snapshot_changes_nothing() {
    let mut world = World::new().await;
    let default = world.site(&["default.example"]);
    let site = world.site(&["a.example"]);
    world.serve(1, &default, &[&site]).await;
    let edge = world.start(quick()).await;
    let name = site.fingerprint;

    let (mut empty, mut garbage, mut cut, mut other, mut key) =
        (site.clone(), site.clone(), site.clone(), site.clone(), site.clone());
    empty.chain.clear();
    garbage.chain[1] = b"garbage".to_vec();
    cut.chain[0].pop();
    other.chain.remove(0);
    key.key = default.key;
    let mut long = site.clone();
    long.chain.extend(std::iter::repeat_n(site.chain[1].clone(), 9));
    for (version, (bad, reason)) in [
        (empty, SnapshotRefused::ChainLength(name, 0)),
        (long, SnapshotRefused::ChainLength(name, 11)),
        (garbage, SnapshotRefused::Unreadable(name)),
        (cut, SnapshotRefused::Unreadable(name)),
        (other, SnapshotRefused::OtherLeaf(name)),
        (key, SnapshotRefused::OtherKey(name)),
    ]
    .into_iter()
    .enumerate()
    {
        let version = version as u64 + 2;
        let snapshot = Snapshot::new(version, Some(default.clone()), [bad]);
        assert_eq!(world.offer(snapshot).await, Seen::Refused { version, reason });
    }
    let reason = SnapshotRefused::NoDefault;
    let seen = world.offer(Snapshot::new(9, None, [site.clone()])).await;
    assert_eq!(seen, Seen::Refused { version: 9, reason });

    assert_eq!(world.resolver.version(), 1);
    assert_eq!(Client::new().sees(edge.address, Some("a.example")).await, name);
    assert_eq!(Client::new().sees(edge.address, None).await, default.fingerprint);
}

#[tokio::test]
async fn a_chain_that_was_completed_is_served_though_the_leaf_is_the_same() {
    let mut world = World::new().await;
    let default = world.site(&["default.example"]);
    let whole = world.site(&["a.example"]);
    let mut short = whole.clone();
    short.chain.truncate(1);
    let edge = world.start(quick()).await;
    for (version, site) in [(1, &short), (2, &whole), (3, &whole)] {
        world.serve(version, &default, &[site]).await;
        let stream = Client::new().connect(edge.address, Some("a.example")).await.unwrap();
        let sent = stream.get_ref().1.peer_certificates().unwrap().len();
        assert_eq!(sent, site.chain.len());
    }
}

#[tokio::test]
async fn a_key_that_cannot_sign_now_gives_way_to_the_default() {
    let mut world = World::new().await;
    let (key, default_key) = (world.key(TestSigner::ec()), world.key(TestSigner::ec()));
    let site = world.served(&["a.example"], &key);
    let default = world.served(&["default.example"], &default_key);
    world.serve(1, &default, &[&site]).await;
    let edge = world.start(quick()).await;
    let client = Client::new();
    assert_eq!(client.sees(edge.address, Some("a.example")).await, site.fingerprint);

    world.keys.log_out(&key);
    for _ in 0..2 {
        assert_eq!(client.clone().sees(edge.address, Some("a.example")).await, default.fingerprint);
    }
    let told = Seen::KeyUnavailable { key: site.key, certificate: site.fingerprint };
    assert_eq!(world.seen.recv().await, Some(told));
    assert!(world.seen.try_recv().is_err());

    world.keys.log_in(&key);
    assert_eq!(client.sees(edge.address, Some("a.example")).await, site.fingerprint);

    world.keys.log_out(&key);
    world.keys.log_out(&default_key);
    assert!(client.connect(edge.address, Some("a.example")).await.is_err());
    assert_eq!(edge.counters.failed(HandshakeFailure::NoCertificate), 1);
}

#[tokio::test]
async fn sessions_are_resumed() {
    let mut world = World::new().await;
    let default = world.site(&["default.example"]);
    world.serve(1, &default, &[]).await;
    let edge = world.start(quick()).await;
    let client = Client::new();
    let kind = async || {
        let mut stream = client.connect(edge.address, Some("a.example")).await.unwrap();
        let kind = stream.get_ref().1.handshake_kind().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        // The tickets come with the answer.
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(leaf(&stream), default.fingerprint);
        kind
    };
    assert_eq!(kind().await, HandshakeKind::Full);
    assert_eq!(kind().await, HandshakeKind::Resumed);
}
