//! Looks at what a TLS server shows, with a real handshake that never resumes.
//!
//! Every certificate is accepted here, expired, self-signed or for another name: the caller asks *what is served*, and
//! judges that itself. What is verified is the signature of the handshake: a server that shows a certificate whose
//! private key it does not have is not believed, or shown with that doubt ([`Doubt`]). Nothing is sent through such a
//! connection.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedCipherSuite};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use crate::dialer::{Dialer, Origin};
use crate::possession::{self, Possession, Version};
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

/// What to do with a certificate that our TLS library refuses, or whose private key the server does not prove to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// See nothing: what clients refuse, or what cannot be proven, is not served.
    Refuse,
    /// See it, and tell what is doubtful about it.
    Tell,
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
    /// How strictly.
    pub doubt: Doubt,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The address that answered.
    pub address: SocketAddr,
    /// DER of the chain as it was sent, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// `TLS 1.3` or `TLS 1.2`; empty where the handshake ended before anything was signed.
    pub version: &'static str,
    /// The key exchange, in its registered name; empty when the library has none.
    pub key_exchange: String,
    /// Whether the server has the private key; with [`Doubt::Refuse`] always proven.
    pub possession: Possession,
    /// Why our TLS library, and clients that are built with it, refuse the leaf; empty when they take it.
    pub refused: String,
    /// Why the handshake ended before its end, although the chain had been shown; empty when it came to its end.
    pub unfinished: String,
}

impl Dialer {
    /// Looks at the first address of the host that takes the connection.
    ///
    /// # Errors
    /// Those of [`Dialer::connect`], [`OutboundError::ServerName`], [`OutboundError::Handshake`]; the last with
    /// [`Doubt::Tell`] only where no certificate was shown.
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
    doubt: Doubt,
    notes: Arc<Notes>,
}

impl Look {
    fn new(probe: &Probe<'_>) -> Result<Self, OutboundError> {
        let notes = Arc::new(Notes::default());
        let mut config = config(probe.offer, probe.doubt, Arc::clone(&notes))?;
        let name = match probe.server_name {
            Some(name) => name.to_owned(),
            None => {
                config.enable_sni = false;
                let address: HostAndPort = probe.address.parse()?;
                address.host
            }
        };
        let name = ServerName::try_from(name).map_err(|_| OutboundError::ServerName)?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name, doubt: probe.doubt, notes })
    }

    async fn at(self, stream: tokio::net::TcpStream, deadline: Instant) -> Result<Seen, OutboundError> {
        let address = stream.peer_addr().map_err(OutboundError::Handshake)?;
        let handshake = self.connector.connect(self.name, stream);
        let ended = match tokio::time::timeout_at(deadline, handshake).await {
            Ok(ended) => ended.map_err(OutboundError::Handshake),
            Err(_) => Err(OutboundError::Deadline),
        };
        let (mut stream, mut seen) = match (ended, self.notes.seen(address)) {
            (Ok(stream), Some(seen)) => (stream, seen),
            (Err(error), Some(seen)) if self.doubt == Doubt::Tell => {
                return Ok(Seen { unfinished: error.chain(), ..seen });
            }
            (Err(error), _) => return Err(error),
            // Every cipher suite of ours has the server show a certificate.
            (Ok(_), None) => {
                return Err(OutboundError::Handshake(io::Error::other("no certificate was shown")));
            }
        };
        let group = stream.get_ref().1.negotiated_key_exchange_group();
        seen.key_exchange =
            group.and_then(|group| group.name().as_str().map(str::to_owned)).unwrap_or_default();
        // A polite end; what was seen was seen.
        let _ = tokio::time::timeout_at(deadline, stream.shutdown()).await;
        Ok(seen)
    }
}

/// What the verifier saw of one handshake.
#[derive(Debug, Default)]
struct Notes(Mutex<Option<Shown>>);

#[derive(Debug)]
struct Shown {
    chain: Vec<Vec<u8>>,
    version: &'static str,
    possession: Possession,
}

impl Notes {
    fn locked(&self) -> MutexGuard<'_, Option<Shown>> {
        // Nobody panics while holding it, and what it guards is whole in any case.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shown<'a>(&self, chain: impl Iterator<Item = &'a CertificateDer<'a>>) {
        let chain = chain.map(|certificate| certificate.to_vec()).collect();
        let possession =
            Possession::Unchecked("the handshake ended before the server had proven it".to_owned());
        *self.locked() = Some(Shown { chain, version: "", possession });
    }

    fn judged(&self, version: Version, possession: Possession) {
        if let Some(shown) = self.locked().as_mut() {
            (shown.version, shown.possession) = (version.name(), possession);
        }
    }

    fn seen(&self, address: SocketAddr) -> Option<Seen> {
        let Shown { chain, version, possession } = self.locked().take()?;
        let leaf = CertificateDer::from_slice(chain.first()?);
        let refused = ParsedCertificate::try_from(&leaf).err().map(|error| error.to_string());
        Some(Seen {
            address,
            refused: refused.unwrap_or_default(),
            chain,
            version,
            key_exchange: String::new(),
            possession,
            unfinished: String::new(),
        })
    }
}

fn config(offer: Offer, doubt: Doubt, notes: Arc<Notes>) -> Result<ClientConfig, OutboundError> {
    let mut provider = aws_lc_rs::default_provider();
    // TLS 1.2 names the kind of certificate in the cipher suite too.
    provider.cipher_suites.retain(|suite| match suite {
        SupportedCipherSuite::Tls12(suite) => suite.sign.iter().any(|scheme| offer.takes(*scheme)),
        SupportedCipherSuite::Tls13(_) => true,
    });
    let provider = Arc::new(provider);
    let verifier = Arc::new(WhoeverItIs { provider: Arc::clone(&provider), offer, doubt, notes });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OutboundError::Handshake(io::Error::other(error)))?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Accepts any certificate, and no signature but of its key; or any, and notes what it proves. Used by probes only, which
/// send and receive nothing.
#[derive(Debug)]
struct WhoeverItIs {
    provider: Arc<CryptoProvider>,
    offer: Offer,
    doubt: Doubt,
    notes: Arc<Notes>,
}

impl WhoeverItIs {
    /// Whether the handshake may go on after what the library said of its signature.
    fn judge(
        &self,
        version: Version,
        said: Result<HandshakeSignatureValid, rustls::Error>,
        check: impl FnOnce() -> Possession,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let possession = match (&said, self.doubt) {
            (Ok(_), _) => Possession::Proven,
            (Err(_), Doubt::Refuse) => return said,
            (Err(_), Doubt::Tell) => check(),
        };
        self.notes.judged(version, possession);
        Ok(HandshakeSignatureValid::assertion())
    }
}

impl ServerCertVerifier for WhoeverItIs {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.notes.shown(std::iter::once(leaf).chain(intermediates));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let said = verify_tls12_signature(message, leaf, signed, algorithms);
        self.judge(Version::V12, said, || possession::check(Version::V12, message, leaf, signed, algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let said = verify_tls13_signature(message, leaf, signed, algorithms);
        self.judge(Version::V13, said, || possession::check(Version::V13, message, leaf, signed, algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let all = self.provider.signature_verification_algorithms.supported_schemes();
        all.into_iter().filter(|scheme| self.offer.takes(*scheme)).collect()
    }
}
