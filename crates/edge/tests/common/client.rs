//! A TLS client that believes every certificate, but no signature that is not of its key.

use std::net::SocketAddr;
use std::sync::Arc;

use pki::Fingerprint;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub const RSA: [SignatureScheme; 2] = [SignatureScheme::RSA_PSS_SHA256, SignatureScheme::RSA_PKCS1_SHA256];
pub const ECDSA: [SignatureScheme; 1] = [SignatureScheme::ECDSA_NISTP256_SHA256];

/// A client; clones share their session tickets.
#[derive(Clone)]
pub struct Client(ClientConfig);

impl Client {
    pub fn new() -> Self {
        Self::with(rustls::ALL_VERSIONS, &[RSA.as_slice(), &ECDSA].concat())
    }

    pub fn with(versions: &[&'static SupportedProtocolVersion], schemes: &[SignatureScheme]) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Verifier(Arc::clone(&provider), schemes.to_vec());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Self(config)
    }

    pub fn alpn(mut self, protocol: &str) -> Self {
        self.0.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        self
    }

    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::new(self.0.clone())
    }

    /// A handshake; without a name, none is sent.
    pub async fn connect(
        &self,
        address: SocketAddr,
        name: Option<&str>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut config = self.0.clone();
        config.enable_sni = name.is_some();
        let name = ServerName::try_from(name.unwrap_or("unnamed.example").to_owned()).unwrap();
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// The certificate that is served.
    pub async fn sees(&self, address: SocketAddr, name: Option<&str>) -> Fingerprint {
        leaf(&self.connect(address, name).await.unwrap())
    }
}

pub fn leaf(stream: &TlsStream<TcpStream>) -> Fingerprint {
    Fingerprint::of_der(&stream.get_ref().1.peer_certificates().unwrap()[0])
}

#[derive(Debug)]
struct Verifier(Arc<CryptoProvider>, Vec<SignatureScheme>);

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, leaf, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.1.clone()
    }
}
