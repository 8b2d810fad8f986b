//! TLS to PostgreSQL over rustls: the two traits of tokio-postgres, and the two settings of libpq that choose it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::TlsConnector;

use crate::Error;

/// Reads the address. `sslmode=require`, `verify-ca` and `verify-full` all mean TLS with the server's name and chain
/// verified, and need `sslrootcert`, a PEM file; `disable` and nothing mean none.
pub(crate) fn settings(url: &str) -> Result<(tokio_postgres::Config, Option<Tls>), Error> {
    let (plain, mode, roots) = take_out(url);
    let mut config: tokio_postgres::Config =
        plain.parse().map_err(|error: tokio_postgres::Error| Error::Address(error.to_string()))?;
    let wants_tls = match mode.as_deref() {
        None | Some("prefer" | "allow") => roots.is_some(),
        Some("disable") => false,
        Some("require" | "verify-ca" | "verify-full") => true,
        Some(other) => return Err(Error::Address(format!("sslmode={other} is not known"))),
    };
    config.application_name("claviger");
    if !wants_tls {
        config.ssl_mode(SslMode::Disable);
        return Ok((config, None));
    }
    let Some(roots) = roots else {
        return Err(Error::Address("TLS needs sslrootcert=, a PEM file of the server's CA".to_owned()));
    };
    config.ssl_mode(SslMode::Require);
    Ok((config, Some(Tls(TlsConnector::from(Arc::new(client_config(&roots)?))))))
}

/// The address without what tokio-postgres does not know, `sslmode`, and `sslrootcert`.
fn take_out(url: &str) -> (String, Option<String>, Option<String>) {
    let Some((base, query)) = url.split_once('?') else {
        return (url.to_owned(), None, None);
    };
    let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => roots = Some(value.replace("%2F", "/").replace("%20", " ")),
            _ => rest.push(pair),
        }
    }
    let plain = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    (plain, mode, roots)
}

fn client_config(roots_file: &str) -> Result<ClientConfig, Error> {
    let unreadable = |what: String| Error::Address(format!("sslrootcert: {what}"));
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(roots_file).map_err(|error| unreadable(error.to_string()))?
    {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unreadable("there is no certificate in it".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Address(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Makes TLS connections.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl MakeTlsConnect<Socket> for Tls {
    type Stream = Stream;
    type TlsConnect = Connect;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Connect, Self::Error> {
        Ok(Connect { connector: self.0.clone(), name: ServerName::try_from(domain)?.to_owned() })
    }
}

/// One connection to be.
pub(crate) struct Connect {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl TlsConnect<Socket> for Connect {
    type Stream = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move { Ok(Stream(Box::new(self.connector.connect(self.name, socket).await?))) })
    }
}

/// A connection with TLS.
pub(crate) struct Stream(Box<tokio_rustls::client::TlsStream<Socket>>);

impl tokio_postgres::tls::TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().0.as_mut()).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.get_mut().0.as_mut()).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().0.as_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().0.as_mut()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_never_silently_left_out() {
        assert!(matches!(settings("postgres://h/d?sslmode=verify-full"), Err(Error::Address(_))));
        assert!(matches!(settings("postgres://h/d?sslmode=require"), Err(Error::Address(_))));
        assert!(matches!(settings("postgres://h/d?sslmode=vreify"), Err(Error::Address(_))));
        assert!(matches!(
            settings("postgres://h/d?sslmode=require&sslrootcert=/nowhere"),
            Err(Error::Address(_))
        ));
    }

    #[test]
    fn other_settings_reach_the_driver() {
        let (config, tls) =
            settings("postgres://me@h:5433/d?connect_timeout=3&sslmode=disable").expect("an address");
        assert!(tls.is_none());
        assert_eq!(config.get_connect_timeout(), Some(&std::time::Duration::from_secs(3)));
        assert_eq!(config.get_ports(), [5433]);
    }
}
