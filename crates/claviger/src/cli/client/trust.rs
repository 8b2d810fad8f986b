//! How a server is recognised: by the CA that issued its certificate, or by the certificate's SHA-256. There is no way
//! to recognise nobody.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, bail};
use outbound::{Dialer, Doubt, Offer, Origin, Probe};
use pki::Fingerprint;
use pki::format::Item;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::server::Server;
use crate::cli::{question, secret};

/// How long the first contact may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a server is recognised.
#[derive(Debug)]
pub enum Trust {
    /// By the SHA-256 of its certificate's DER, and by nothing else in it: neither name nor dates.
    Pin(Fingerprint),
    /// By its name and one of these CAs.
    Authorities(Vec<pki::Certificate>),
}

/// Another certificate than the pinned one, when one was shown.
pub type Stranger = Arc<OnceLock<Fingerprint>>;

impl Trust {
    /// Reads CA certificates from a file, PEM or DER.
    pub fn authorities(path: &Path) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let contents =
            pki::format::read(&bytes, None).with_context(|| format!("{} cannot be used", path.display()))?;
        let certificates: Vec<_> = contents.items.into_iter().filter_map(Item::into_certificate).collect();
        if certificates.is_empty() {
            bail!("there is no certificate in {}", path.display());
        }
        Ok(Self::Authorities(certificates))
    }

    /// The TLS side of it, and where a stranger's certificate is noted.
    pub fn tls(&self) -> anyhow::Result<(ClientConfig, Stranger)> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let stranger = Stranger::default();
        let mut config = match self {
            Self::Pin(pin) => {
                let verifier = Pinned { pin: *pin, provider, stranger: Arc::clone(&stranger) };
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
            }
            Self::Authorities(certificates) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates {
                    let added = roots.add(CertificateDer::from(certificate.der().to_vec()));
                    added.with_context(|| format!("{} cannot be trusted", certificate.display_name()))?;
                }
                builder.with_root_certificates(roots).with_no_client_auth()
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok((config, stranger))
    }
}

/// Looks at a server that is not known yet, without sending anything, and has a person compare its pin.
///
/// # Errors
/// Where nobody can be asked, or somebody says no; the pin is said, so that it can be compared and given.
pub async fn first_contact(server: &Server) -> anyhow::Result<Fingerprint> {
    let address = server.address();
    let server_name = server.name();
    let probe = Probe {
        address: &address,
        origin: Origin::Operator,
        server_name: server_name.as_deref(),
        offer: Offer::Any,
        doubt: Doubt::Refuse,
    };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let seen = Dialer::default().probe(&probe, deadline).await;
    let seen = seen.with_context(|| format!("cannot reach {server}"))?;
    let Some(leaf) = seen.chain.first() else { bail!("{server} shows no certificate") };
    let pin = Fingerprint::of_der(leaf);
    if !secret::can_ask() {
        bail!(
            "{server} is not known yet. Its certificate has the SHA-256 {pin}. \
             Compare that with what `claviger serve` printed, then give it: --server-pin {pin}"
        );
    }
    eprintln!("{server} is not known yet. The SHA-256 of its certificate is");
    eprintln!("  {}", pin.to_colons());
    eprintln!("`claviger serve` printed it when it started.");
    if question::is_yes("Are the two the same, and shall it be remembered?")? {
        Ok(pin)
    } else {
        bail!("nothing was sent to {server}")
    }
}

/// Takes one certificate only, from a server that proves to have its key.
#[derive(Debug)]
struct Pinned {
    pin: Fingerprint,
    provider: Arc<CryptoProvider>,
    stranger: Stranger,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Fingerprint::of_der(end_entity);
        if shown == self.pin {
            return Ok(ServerCertVerified::assertion());
        }
        // The first one is enough for the message.
        let _ = self.stranger.set(shown);
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
