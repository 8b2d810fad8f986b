//! What a name without a backend answers: that TLS works, in one line.

use std::convert::Infallible;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

/// How long the request's head may take.
const HEAD: Duration = Duration::from_secs(10);
/// How much of it is taken.
const HEAD_SIZE: usize = 16 * 1024;

/// Answers one request and closes. `server_name` is the name that the client asked for.
pub(crate) async fn serve<S>(stream: S, server_name: Option<String>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = service_fn(|request: Request<Incoming>| {
        let response = respond(request.method(), server_name.as_deref());
        async move { Ok::<_, Infallible>(response) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new());
    http.header_read_timeout(HEAD).max_buf_size(HEAD_SIZE).keep_alive(false);
    let connection = http.serve_connection(TokioIo::new(stream), answer);
    // The whole exchange has one deadline: a client that does not read must not stay.
    match tokio::time::timeout(2 * HEAD, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the status page was not answered"),
        Err(_) => tracing::debug!("the status page was not read in time"),
    }
}

fn respond(method: &Method, server_name: Option<&str>) -> Response<String> {
    let known = method == Method::GET || method == Method::HEAD;
    let text = match server_name {
        _ if !known => "claviger edge: only GET and HEAD are answered\n".to_owned(),
        Some(name) => format!("claviger edge: TLS works for {name}; no backend is set\n"),
        None => "claviger edge: TLS works; no backend is set\n".to_owned(),
    };
    let mut response = Response::new(text);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if !known {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    }
    response
}
