//! Looks at what a TLS server shows, with a real handshake that never resumes.
//!
//! Every certificate is accepted here, expired, self-signed or for another name: the caller asks *what is served*, and
//! judges that itself. What is verified is the signature of the handshake: a server that shows a certificate whose
//! private key it does not have is not believed. Nothing is sent through such a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ProtocolVersion, SignatureScheme, SupportedCipherSuite};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use crate::dialer::{Dialer, Origin};
use crate::{HostAndPort, OutboundError};

/// Which signatures the probe says it can verify, so that a server with several certificates shows that of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// All.
    Any,
    /// RSA only.
    RsaOnly,
    /// ECDSA only.
    EcdsaOnly,
    /// Ed25519 only.
    Ed25519Only,
}

impl Offer {
    fn takes(self, scheme: SignatureScheme) -> bool {
        use SignatureScheme as S;
        let rsa = [
            S::RSA_PSS_SHA256,
            S::RSA_PSS_SHA384,
            S::RSA_PSS_SHA512,
            S::RSA_PKCS1_SHA256,
            S::RSA_PKCS1_SHA384,
            S::RSA_PKCS1_SHA512,
        ];
        let ecdsa = [S::ECDSA_NISTP256_SHA256, S::ECDSA_NISTP384_SHA384, S::ECDSA_NISTP521_SHA512];
        match self {
            Self::Any => true,
            Self::RsaOnly => rsa.contains(&scheme),
            Self::EcdsaOnly => ecdsa.contains(&scheme),
            Self::Ed25519Only => scheme == S::ED25519,
        }
    }
}

/// What to look at.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// `host:port`.
    pub address: &'a str,
    /// Where that address comes from.
    pub origin: Origin,
    /// The name to ask for (SNI); none asks for no name.
    pub server_name: Option<&'a str>,
    /// Which kind of certificate.
    pub offer: Offer,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The address that answered.
    pub address: SocketAddr,
    /// DER of the chain as it was sent, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// `TLS 1.3` or `TLS 1.2`.
    pub version: &'static str,
    /// The key exchange, in its registered name; empty when the library has none.
    pub key_exchange: String,
}

impl Dialer {
    /// Looks at the first address of the host that takes the connection.
    ///
    /// # Errors
    /// Those of [`Dialer::connect`], [`OutboundError::ServerName`], [`OutboundError::Handshake`].
    pub async fn probe(&self, probe: &Probe<'_>, deadline: Instant) -> Result<Seen, OutboundError> {
        let look = Look::new(probe)?;
        let stream = self.connect(probe.address, probe.origin, deadline).await?;
        look.at(stream, deadline).await
    }
}

/// A probe made ready.
struct Look {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Look {
    fn new(probe: &Probe<'_>) -> Result<Self, OutboundError> {
        let mut config = config(probe.offer)?;
        let name = match probe.server_name {
            Some(name) => name.to_owned(),
            None => {
                config.enable_sni = false;
                let address: HostAndPort = probe.address.parse()?;
                address.host
            }
        };
        let name = ServerName::try_from(name).map_err(|_| OutboundError::ServerName)?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    async fn at(self, stream: tokio::net::TcpStream, deadline: Instant) -> Result<Seen, OutboundError> {
        let address = stream.peer_addr().map_err(OutboundError::Handshake)?;
        let handshake = self.connector.connect(self.name, stream);
        let handshake = tokio::time::timeout_at(deadline, handshake).await;
        let mut stream = handshake.map_err(|_| OutboundError::Deadline)?.map_err(OutboundError::Handshake)?;
        let (_, session) = stream.get_ref();
        let chain = session.peer_certificates().unwrap_or_default();
        let seen = Seen {
            address,
            chain: chain.iter().map(|certificate| certificate.to_vec()).collect(),
            version: match session.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
                _ => "TLS 1.3",
            },
            key_exchange: session
                .negotiated_key_exchange_group()
                .and_then(|group| group.name().as_str().map(str::to_owned))
                .unwrap_or_default(),
        };
        // A polite end; what was seen was seen.
        let _ = tokio::time::timeout_at(deadline, stream.shutdown()).await;
        Ok(seen)
    }
}

fn config(offer: Offer) -> Result<ClientConfig, OutboundError> {
    let mut provider = aws_lc_rs::default_provider();
    // TLS 1.2 names the kind of certificate in the cipher suite too.
    provider.cipher_suites.retain(|suite| match suite {
        SupportedCipherSuite::Tls12(suite) => suite.sign.iter().any(|scheme| offer.takes(*scheme)),
        SupportedCipherSuite::Tls13(_) => true,
    });
    let provider = Arc::new(provider);
    let verifier = Arc::new(WhoeverItIs { provider: Arc::clone(&provider), offer });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OutboundError::Handshake(std::io::Error::other(error)))?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Accepts any certificate, and no signature but of its key. Used by probes only, which send and receive nothing.
#[derive(Debug)]
struct WhoeverItIs {
    provider: Arc<CryptoProvider>,
    offer: Offer,
}

impl ServerCertVerifier for WhoeverItIs {
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
        verify_tls12_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let all = self.provider.signature_verification_algorithms.supported_schemes();
        all.into_iter().filter(|scheme| self.offer.takes(*scheme)).collect()
    }
}
