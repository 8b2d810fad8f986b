//! The edge: terminates TLS and passes the bytes on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use domain::snapshot::Served;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::accept::accept_each;
use crate::backend::{self, Ends};
use crate::caps::Limits;
use crate::counters::{EdgeCounters, HandshakeFailure};
use crate::resolver::Resolver;
use crate::status_page;
use crate::tls::EdgeTls;

/// What an edge needs; clones are the same edge.
#[derive(Clone)]
pub struct EdgeConfig {
    tls: Arc<EdgeTls>,
    limits: Limits,
    counters: Arc<EdgeCounters>,
}

impl EdgeConfig {
    /// An edge that serves what the resolver chooses.
    ///
    /// # Errors
    /// None in a build whose cryptography works.
    pub fn new(resolver: Arc<Resolver>, limits: Limits) -> Result<Self, rustls::Error> {
        Ok(Self { tls: Arc::new(EdgeTls::new(resolver)?), limits, counters: Arc::default() })
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<EdgeCounters> {
        Arc::clone(&self.counters)
    }
}

/// Accepts connections until `stop`: handshake, then the backend of the chosen certificate, or the status page.
/// Returns when every connection has ended, at the latest after the drain limit.
pub async fn serve_edge(listener: TcpListener, edge: EdgeConfig, stop: CancellationToken) {
    let limits = edge.limits;
    let serve = move |stream, peer| {
        let edge = edge.clone();
        async move { edge.serve(stream, peer).await }
    };
    accept_each(listener, &limits, &stop, serve).await;
}

impl EdgeConfig {
    async fn serve(&self, stream: TcpStream, client: SocketAddr) {
        let _open = self.counters.open();
        let deadline = Instant::now() + self.limits.handshake;
        let handshake = tokio::time::timeout_at(deadline, self.handshake(stream));
        let failure = match handshake.await {
            Ok(Ok((stream, served))) => {
                self.counters.count_handshake();
                return self.pass(stream, &served, client).await;
            }
            Ok(Err(error)) => {
                tracing::debug!(%client, %error, "a handshake failed");
                HandshakeFailure::from(&error)
            }
            Err(_) => HandshakeFailure::Deadline,
        };
        self.counters.count_failed(failure);
    }

    async fn handshake(&self, stream: TcpStream) -> io::Result<(TlsStream<TcpStream>, Arc<Served>)> {
        // Nothing is allocated for a client that says nothing.
        stream.peek(&mut [0]).await?;
        let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
        let (config, choice) = self.tls.for_one();
        let stream = start.into_stream(config).await?;
        let served = choice.served().map(Arc::clone);
        let served = served.ok_or_else(|| io::Error::other("no certificate was chosen"))?;
        Ok((stream, served))
    }

    async fn pass(&self, stream: TlsStream<TcpStream>, served: &Served, client: SocketAddr) {
        let (tcp, session) = stream.get_ref();
        let Some(backend) = &served.backend else {
            let name = session.server_name().map(str::to_owned);
            return status_page::serve(stream, name).await;
        };
        let Ok(local) = tcp.local_addr() else { return };
        match backend::connect(backend, Ends { client, local }).await {
            Ok(connected) => backend::copy(stream, connected, self.limits.idle).await,
            Err(error) => {
                self.counters.count_backend_failure();
                tracing::warn!(backend = %backend.address, %error, "the backend cannot be reached");
            }
        }
    }
}
