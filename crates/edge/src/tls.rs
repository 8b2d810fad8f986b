//! How TLS is spoken: 1.3 and 1.2, X25519MLKEM768 first, no early data.

use std::fmt;
use std::sync::{Arc, OnceLock};

use domain::snapshot::Served;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};

use crate::resolver::Resolver;

/// The configuration of the UI and API listener: HTTP/2 or HTTP/1.1, each connection with a full handshake.
///
/// # Errors
/// None in a build whose cryptography works.
pub fn ui_config(resolver: Arc<Resolver>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = config(resolver)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// The edge's configuration. It resumes sessions by tickets that only this process can read, and offers no ALPN:
/// the bytes go to a backend of which we do not know the protocol, and the status page is HTTP/1.1, which needs none.
pub(crate) struct EdgeTls {
    resolver: Arc<Resolver>,
    config: ServerConfig,
}

impl EdgeTls {
    pub(crate) fn new(resolver: Arc<Resolver>) -> Result<Self, rustls::Error> {
        let config = with_tickets(&resolver)?;
        Ok(Self { resolver, config })
    }

    /// The configuration for one connection, and where its choice will stand.
    pub(crate) fn for_one(&self) -> (Arc<ServerConfig>, Arc<OneChoice>) {
        let choice = Arc::new(OneChoice { resolver: Arc::clone(&self.resolver), chosen: OnceLock::new() });
        // Shares everything but the resolver with all the others.
        let mut config = self.config.clone();
        config.cert_resolver = Arc::clone(&choice) as Arc<dyn ResolvesServerCert>;
        (Arc::new(config), choice)
    }
}

fn with_tickets(resolver: &Arc<Resolver>) -> Result<ServerConfig, rustls::Error> {
    let mut config = config(Arc::clone(resolver))?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(config)
}

fn config(resolver: Arc<Resolver>) -> Result<ServerConfig, rustls::Error> {
    // The provider's own order of key exchanges has X25519MLKEM768 first.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13, &TLS12])?;
    Ok(builder.with_no_client_auth().with_cert_resolver(resolver))
}

/// Remembers what was chosen for one connection, so that certificate and backend are of one snapshot.
pub(crate) struct OneChoice {
    resolver: Arc<Resolver>,
    chosen: OnceLock<(Arc<Served>, Arc<CertifiedKey>)>,
}

impl OneChoice {
    pub(crate) fn served(&self) -> Option<&Arc<Served>> {
        self.chosen.get().map(|(served, _)| served)
    }
}

impl ResolvesServerCert for OneChoice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // A second hello, after a retry request, gets what the first one got, also when the certificate was replaced in
        // between.
        if let Some((_, certified)) = self.chosen.get() {
            return Some(Arc::clone(certified));
        }
        let chosen = self.resolver.choose(&hello)?;
        let (_, certified) = self.chosen.get_or_init(|| chosen);
        Some(Arc::clone(certified))
    }
}

impl fmt::Debug for OneChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OneChoice({:?})", self.resolver)
    }
}
