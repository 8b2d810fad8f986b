//! The verifier against servers that are right, wrong, slow to change, and lying.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use claviger_deploy::{EndpointLook, Expected, Patience, verify, verify_within};
use outbound::Dialer;
use pki::{Certificate, SubjectAltName};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use testkit::{Authority, TestSigner};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// Serves whatever the function answers for the n-th hello.
struct Serves<F>(F, AtomicUsize);

impl<F> std::fmt::Debug for Serves<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Serves")
    }
}

impl<F> ResolvesServerCert for Serves<F>
where
    F: Fn(&ClientHello<'_>, usize) -> Option<Arc<CertifiedKey>> + Send + Sync,
{
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        (self.0)(&hello, self.1.fetch_add(1, Ordering::SeqCst))
    }
}

fn pair(chain: &[&Certificate], key: &TestSigner) -> Arc<CertifiedKey> {
    let chain = chain.iter().map(|certificate| CertificateDer::from(certificate.der().to_vec())).collect();
    let key = PrivateKeyDer::Pkcs8(key.pkcs8().to_vec().into());
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    Arc::new(CertifiedKey::new(chain, key))
}

/// Starts a server; its address.
async fn serve<F>(versions: &[&'static rustls::SupportedProtocolVersion], resolve: F) -> String
where
    F: Fn(&ClientHello<'_>, usize) -> Option<Arc<CertifiedKey>> + Send + Sync + 'static,
{
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Serves(resolve, AtomicUsize::new(0))));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move { acceptor.accept(stream).await.map(drop) });
        }
    });
    address
}

async fn look(addresses: &[String], certificate: &Certificate, chain: &[Certificate]) -> Vec<EndpointLook> {
    let expected = Expected { certificate, chain, names: certificate.names() };
    verify(&Dialer::default(), addresses, &expected, Instant::now() + Duration::from_secs(10)).await
}

#[tokio::test]
async fn sees_what_is_served_under_each_name() {
    let (authority, key, other_key) = (Authority::new(), TestSigner::ec(), TestSigner::ec());
    let certificate = authority.issue(&["a.example", "*.a.example"], &key);
    let other = authority.issue(&["b.example"], &other_key);
    let right = pair(&[&certificate, &authority.intermediate], &key);
    let wrong = pair(&[&other, &authority.intermediate], &other_key);
    let address = serve(rustls::ALL_VERSIONS, move |hello, _| match hello.server_name() {
        Some("a.example") => Some(Arc::clone(&right)),
        _ => Some(Arc::clone(&wrong)),
    })
    .await;
    let chain = [authority.intermediate.clone()];
    let looks = look(std::slice::from_ref(&address), &certificate, &chain).await;
    assert_eq!(looks.len(), 2);
    let good = EndpointLook {
        address: address.clone(),
        name: "a.example".to_owned(),
        certificate: Some(certificate.fingerprint()),
        trouble: String::new(),
        warning: String::new(),
    };
    assert_eq!(looks[0], good);
    assert_eq!(looks[1].name, "claviger-check.a.example");
    assert_eq!(looks[1].certificate, Some(other.fingerprint()));
    assert!(looks[1].trouble.contains(&other.fingerprint().to_string()), "{}", looks[1].trouble);
}

#[tokio::test]
async fn proves_both_siblings_in_both_versions() {
    let (authority, ec, rsa) = (Authority::new(), TestSigner::ec(), TestSigner::rsa());
    let of_ec = authority.issue(&["a.example"], &ec);
    let of_rsa = authority.issue(&["a.example"], &rsa);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (first, second) = (pair(&[&of_ec], &ec), pair(&[&of_rsa], &rsa));
        let address = serve(&[version], move |hello, _| {
            let can = first.key.choose_scheme(hello.signature_schemes()).is_some();
            Some(Arc::clone(if can { &first } else { &second }))
        })
        .await;
        for certificate in [&of_ec, &of_rsa] {
            let looks = look(
                std::slice::from_ref(&address),
                certificate,
                std::slice::from_ref(&authority.intermediate),
            )
            .await;
            assert!(looks[0].is_good(), "{looks:?}");
            assert!(looks[0].warning.contains("Test intermediate"), "{looks:?}");
        }
    }
}

#[tokio::test]
async fn a_server_without_the_private_key_is_not_believed() {
    let (authority, key, thief) = (Authority::new(), TestSigner::ec(), TestSigner::ec());
    let certificate = authority.issue(&["a.example"], &key);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let stolen = pair(&[&certificate], &thief);
        let address = serve(&[version], move |_, _| Some(Arc::clone(&stolen))).await;
        let looks = look(&[address], &certificate, &[]).await;
        assert_eq!((looks.len(), looks[0].certificate), (1, None));
        assert!(looks[0].trouble.contains("handshake"), "{}", looks[0].trouble);
    }
}

#[tokio::test]
async fn says_where_nobody_answers() {
    let certificate = Authority::new().issue(&["a.example"], &TestSigner::ec());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let looks = look(&[free.to_string(), "nothing".to_owned()], &certificate, &[]).await;
    assert_eq!(looks.len(), 2);
    assert!(looks[0].trouble.contains("no connection"), "{looks:?}");
    assert!(looks[1].trouble.contains("host:port"), "{looks:?}");
    assert!(look(&[], &certificate, &[]).await.is_empty());
}

#[tokio::test]
async fn waits_for_a_reload_but_not_for_ever() {
    let (authority, key, old_key) = (Authority::new(), TestSigner::ec(), TestSigner::ec());
    let certificate = authority.issue(&["a.example"], &key);
    let old = authority.issue(&["a.example"], &old_key);
    let (after, before) = (pair(&[&certificate], &key), pair(&[&old], &old_key));
    let address =
        serve(rustls::ALL_VERSIONS, move |_, n| Some(Arc::clone(if n < 3 { &before } else { &after }))).await;
    let names = [SubjectAltName::parse("a.example").unwrap()];
    let addresses = [address];
    let patience = Patience { total: Duration::from_secs(20), pause: Duration::from_millis(1) };
    let expected = Expected { certificate: &certificate, chain: &[], names: &names };
    let looks = verify_within(&Dialer::default(), &addresses, &expected, patience).await;
    assert!(looks[0].is_good(), "{looks:?}");
    let patience = Patience { total: Duration::from_millis(50), ..patience };
    let expected = Expected { certificate: &old, ..expected };
    let looks = verify_within(&Dialer::default(), &addresses, &expected, patience).await;
    assert_eq!(looks[0].certificate, Some(certificate.fingerprint()));
    assert!(!looks[0].is_good());
}

#[tokio::test]
async fn waits_for_the_chain_where_the_leaf_was_served_before() {
    let (authority, key) = (Authority::new(), TestSigner::ec());
    let certificate = authority.issue(&["a.example"], &key);
    let (before, after) = (pair(&[&certificate], &key), pair(&[&certificate, &authority.intermediate], &key));
    let address =
        serve(rustls::ALL_VERSIONS, move |_, n| Some(Arc::clone(if n < 3 { &before } else { &after }))).await;
    let chain = [authority.intermediate.clone()];
    let expected = Expected { certificate: &certificate, chain: &chain, names: certificate.names() };
    let patience = Patience { total: Duration::from_secs(20), pause: Duration::from_millis(1) };
    let looks = verify_within(&Dialer::default(), &[address], &expected, patience).await;
    assert!(looks[0].is_good() && looks[0].warning.is_empty(), "{looks:?}");
    // A server that never sends it is found out, and believed for the leaf all the same.
    let leaf_alone = pair(&[&certificate], &key);
    let address = serve(rustls::ALL_VERSIONS, move |_, _| Some(Arc::clone(&leaf_alone))).await;
    let patience = Patience { total: Duration::from_millis(50), ..patience };
    let looks = verify_within(&Dialer::default(), &[address], &expected, patience).await;
    assert!(looks[0].is_good() && looks[0].warning.contains("Test intermediate"), "{looks:?}");
}
