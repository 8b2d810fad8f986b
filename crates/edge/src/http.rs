//! The listener of the UI, the API and the plain HTTP ports: `web`'s router behind deadlines and caps.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::accept::accept_each;
use crate::activity::{Activity, Watched};
use crate::body::{BodyPace, PacedBody};
use crate::caps::Limits;

/// The most bytes of a request's head, and of what is read ahead of a body.
const HEAD_SIZE: usize = 24 * 1024;
/// The most bytes of the headers of an HTTP/2 request.
const HEADER_LIST_SIZE: u32 = 16 * 1024;
/// The most bytes of a request's address.
const URI_SIZE: usize = 8 * 1024;
const STREAMS: u32 = 100;
const PENDING_RESETS: usize = 20;
const PING: Duration = Duration::from_secs(20);

/// The limits of an HTTP listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Of its connections.
    pub connections: Limits,
    /// How long the head of a request may take, and how long an HTTP/1.1 connection may rest between two requests.
    pub head: Duration,
    /// How slowly a body may come.
    pub body: BodyPace,
}

impl Default for HttpLimits {
    fn default() -> Self {
        // People and programs, not the clients of the sites: each connection may carry a hundred requests at once.
        let connections = Limits {
            connections: 2_000,
            idle: Duration::from_secs(120),
            drain: Duration::from_secs(10),
            ..Limits::default()
        };
        Self { connections, head: Duration::from_secs(10), body: BodyPace::default() }
    }
}

/// Who sent a request; each request has it as an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// Serves the router until `stop`, by TLS if there is a configuration for it ([`crate::ui_config`]). After the stop,
/// answers in progress go on, at the latest to the drain limit. Streams of events must end by themselves.
pub async fn serve_http(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    app: Router,
    limits: HttpLimits,
    stop: CancellationToken,
) {
    let connections = limits.connections;
    let acceptor = tls.map(TlsAcceptor::from);
    let ending = stop.clone();
    let serve = move |stream, peer| {
        let (acceptor, app, stop) = (acceptor.clone(), app.clone(), ending.clone());
        let connection = Connection { app, limits, stop, peer: PeerAddress(peer) };
        async move { connection.accept(stream, acceptor).await }
    };
    accept_each(listener, &connections, &stop, serve).await;
}

/// One connection.
struct Connection {
    app: Router,
    limits: HttpLimits,
    stop: CancellationToken,
    peer: PeerAddress,
}

impl Connection {
    async fn accept(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        let deadline = Instant::now() + self.limits.connections.handshake;
        let started = async {
            // Nothing is allocated for a client that says nothing.
            stream.peek(&mut [0]).await?;
            match acceptor {
                Some(acceptor) => acceptor.accept(stream).await.map(|stream| Started::Tls(Box::new(stream))),
                None => io::Result::Ok(Started::Plain(stream)),
            }
        };
        match tokio::time::timeout_at(deadline, started).await {
            Ok(Ok(Started::Plain(stream))) => self.http1(stream).await,
            Ok(Ok(Started::Tls(stream))) => {
                let (_, session) = stream.get_ref();
                // Chosen by ALPN alone: waiting for a preface would be waiting without a deadline.
                if session.alpn_protocol() == Some(b"h2") {
                    self.http2(stream).await;
                } else {
                    self.http1(stream).await;
                }
            }
            Ok(Err(error)) => tracing::debug!(peer = %self.peer.0, %error, "a handshake failed"),
            Err(_) => tracing::debug!(peer = %self.peer.0, "a handshake took too long"),
        }
    }

    async fn http1<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::new();
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new());
        http.header_read_timeout(self.limits.head).max_buf_size(HEAD_SIZE);
        let answer = service_fn(|request| self.answer(request));
        self.run(http.serve_connection(io, answer), &activity).await;
    }

    async fn http2<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::new();
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
        let mut http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new());
        http.max_concurrent_streams(STREAMS).max_header_list_size(HEADER_LIST_SIZE);
        http.max_pending_accept_reset_streams(PENDING_RESETS).keep_alive_interval(PING);
        let answer = service_fn(|request| self.answer(request));
        self.run(http.serve_connection(io, answer), &activity).await;
    }

    /// Runs the connection to its end, to the idle limit, or, after the stop, to the end of what is in progress.
    async fn run<C: GracefulConnection>(&self, connection: C, activity: &Activity) {
        let idle = self.limits.connections.idle;
        let (mut connection, mut idle) =
            (std::pin::pin!(connection), std::pin::pin!(activity.idle_for(idle)));
        tokio::select! {
            _ = connection.as_mut() => return,
            () = idle.as_mut() => return,
            () = self.stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            _ = connection => {}
            () = idle => {}
        }
    }

    fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, std::convert::Infallible>> + Send + 'static {
        request.extensions_mut().insert(self.peer);
        let (mut app, pace) = (self.app.clone(), self.limits.body);
        async move {
            if uri_size(&request) > URI_SIZE {
                let mut refusal = Response::new(Body::empty());
                *refusal.status_mut() = StatusCode::URI_TOO_LONG;
                return Ok(refusal);
            }
            // A router is always ready.
            app.call(request.map(|body| PacedBody::new(body, pace))).await
        }
    }
}

enum Started {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

fn uri_size<B>(request: &Request<B>) -> usize {
    request.uri().path_and_query().map_or(0, |path| path.as_str().len())
}
