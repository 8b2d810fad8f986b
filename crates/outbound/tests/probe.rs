//! What is seen of servers whose certificate TLS libraries refuse, or whose key is not theirs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;
use std::time::Duration;

use claviger_outbound::{Dialer, Doubt, Offer, Origin, OutboundError, Possession, Probe, Seen};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use testkit::{Authority, TestSigner};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Starts a server that shows these octets as its certificate and signs with this key; its address.
async fn serve(version: &'static SupportedProtocolVersion, certificate: &[u8], key: &TestSigner) -> String {
    let key = PrivateKeyDer::Pkcs8(key.pkcs8().to_vec().into());
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let shown = CertifiedKey::new(vec![CertificateDer::from(certificate.to_vec())], key);
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(Arc::new(shown))));
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

async fn probe(address: &str, doubt: Doubt) -> Result<Seen, OutboundError> {
    let probe =
        Probe { address, origin: Origin::Operator, server_name: Some("a.example"), offer: Offer::Any, doubt };
    Dialer::default().probe(&probe, Instant::now() + Duration::from_secs(10)).await
}

fn wrap(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], &length[..], &content].concat()
}

/// A certificate of version 1 with this SubjectPublicKeyInfo, and a signature that nobody checks.
fn version_1(key: &[u8]) -> Vec<u8> {
    let (name, signature) = (wrap(0x30, &[]), wrap(0x03, &[&[0, 1, 2, 3]]));
    let algorithm = wrap(0x30, &[&[0x06, 0x03, 0x2b, 0x65, 0x70]]);
    let validity = wrap(0x30, &[b"\x17\x0d200101000000Z", b"\x17\x0d300101000000Z"]);
    let signed = wrap(0x30, &[&[0x02, 0x01, 0x80], &algorithm, &name, &validity, &name, key]);
    wrap(0x30, &[&signed, &algorithm, &signature])
}

#[tokio::test]
async fn a_certificate_that_the_library_refuses_is_shown_and_its_key_proven() {
    let authority = Authority::new();
    for key in [TestSigner::ec(), TestSigner::rsa()] {
        let old = version_1(authority.issue(&["a.example"], &key).public_key().spki_der());
        for version in VERSIONS {
            let address = serve(version, &old, &key).await;
            let seen = probe(&address, Doubt::Tell).await.unwrap();
            assert_eq!((seen.possession, seen.chain), (Possession::Proven, vec![old.clone()]));
            assert!(!seen.refused.is_empty() && seen.unfinished.is_empty());
            assert!(["TLS 1.2", "TLS 1.3"].contains(&seen.version) && !seen.key_exchange.is_empty());
            let strict = probe(&address, Doubt::Refuse).await;
            assert!(matches!(strict, Err(OutboundError::Handshake(_))), "{strict:?}");
        }
    }
}

#[tokio::test]
async fn who_shows_what_is_not_his_is_told_or_not_believed() {
    let (authority, owner, thief) = (Authority::new(), TestSigner::ec(), TestSigner::ec());
    let certificate = authority.issue(&["a.example"], &owner);
    let old = version_1(certificate.public_key().spki_der());
    for shown in [certificate.der(), &old] {
        for version in VERSIONS {
            let address = serve(version, shown, &thief).await;
            let seen = probe(&address, Doubt::Tell).await.unwrap();
            assert_eq!((seen.possession, seen.chain), (Possession::Disproven, vec![shown.to_vec()]));
            assert_eq!(seen.refused.is_empty(), shown == certificate.der());
            let strict = probe(&address, Doubt::Refuse).await;
            assert!(matches!(strict, Err(OutboundError::Handshake(_))), "{strict:?}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_checked_is_neither_proven_nor_disproven() {
    let signer = TestSigner::ec();
    for shown in [&b"no certificate"[..], &version_1(&wrap(0x30, &[])), &version_1(&unknown_key())] {
        for version in VERSIONS {
            let address = serve(version, shown, &signer).await;
            let seen = probe(&address, Doubt::Tell).await.unwrap();
            assert!(matches!(&seen.possession, Possession::Unchecked(why) if !why.is_empty()), "{seen:?}");
            assert!(probe(&address, Doubt::Refuse).await.is_err());
        }
    }
}

/// A key of a kind that nobody knows.
fn unknown_key() -> Vec<u8> {
    wrap(0x30, &[&wrap(0x30, &[&[0x06, 0x03, 0x2a, 0x03, 0x04]]), &wrap(0x03, &[&[0, 1, 2, 3]])])
}
