//! Fetches one document by HTTP from an address that was found in data.
//!
//! Whoever wrote the data chose the address, so nothing about it is believed: each address on the way, also the one
//! that a redirect names, is resolved and checked by [`Dialer::connect`] and connected to as it was checked; the answer
//! has a limit in bytes, and all of it together one in time. Nothing is sent but the address: no cookie, no name, no
//! password.
//!
//! A server behind `https` must show a certificate that this system trusts. What is fetched is public and judged by
//! whoever asked for it, so `http` is as good (RFC 5280, section 4.2.2.1 and 8).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, HOST, LOCATION, USER_AGENT};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use url::{Position, Url};

use crate::{Dialer, Origin, OutboundError, chain};

/// Octets of an address, at most.
const MAX_ADDRESS: usize = 2_048;
/// Octets of an answer's head, at most.
const MAX_HEAD: usize = 32 * 1024;

/// How much is taken, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// For everything together: look-ups, connections, redirects, answers.
    pub total: Duration,
    /// Bytes of the document.
    pub bytes: usize,
    /// Redirects that are followed.
    pub redirects: usize,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self { total: Duration::from_secs(10), bytes: 1024 * 1024, redirects: 3 }
    }
}

/// A document.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it was in the end. ASCII.
    pub address: String,
    /// What was there, whatever its server called it.
    pub body: Vec<u8>,
}

/// No document, and at which address it ended.
#[derive(Debug, thiserror::Error)]
#[error("{}", .from.as_ref().map_or_else(|| address.clone(), |from| format!("{address}, to which {from} leads")))]
pub struct NotFetched {
    /// The address.
    pub address: String,
    /// The address that led there by a redirect.
    pub from: Option<String>,
    /// Why there is none.
    #[source]
    pub why: FetchError,
}

impl NotFetched {
    /// The addresses and everything that went wrong in one line, for people.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It is no address that is fetched.
    #[error("{0}")]
    Address(&'static str),
    /// Nothing was reached, or may be.
    #[error(transparent)]
    Reach(#[from] OutboundError),
    /// This system has no roots by which a server could be told.
    #[error("https cannot be spoken here")]
    Tls(#[source] rustls::Error),
    /// What answers does not speak HTTP, or breaks off.
    #[error("the answer cannot be read")]
    Http(#[source] hyper::Error),
    /// The server has no such document, or does not give it.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// It leads on too often.
    #[error("it leads on to another address more than {0} times")]
    Redirects(usize),
    /// It is longer than is taken.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
    /// Not all of it came in time.
    #[error("the answer was not there within {} seconds", .0.as_secs_f32())]
    Slow(Duration),
}

/// What a server answered.
enum Answer {
    Document(Vec<u8>),
    /// A redirect, as the server wrote it.
    Elsewhere(String),
}

impl Dialer {
    /// Fetches the document at an `http` or `https` address that was found in data.
    ///
    /// # Errors
    /// [`NotFetched`] with the address at which it ended: the given one, or one that a redirect led to.
    pub async fn fetch(&self, address: &str, limits: &FetchLimits) -> Result<Fetched, NotFetched> {
        let deadline = Instant::now() + limits.total;
        let refused = |why| NotFetched { address: shown(address), from: None, why };
        let mut url = parse(address).map_err(refused)?;
        let mut from: Option<Url> = None;
        for _ in 0..=limits.redirects {
            let asked = match timeout_at(deadline, self.ask(&url, limits.bytes, deadline)).await {
                Ok(Err(FetchError::Reach(OutboundError::Deadline))) if Instant::now() >= deadline => {
                    Err(FetchError::Slow(limits.total))
                }
                Ok(asked) => asked,
                Err(_) => Err(FetchError::Slow(limits.total)),
            };
            let next = asked.and_then(|answer| match answer {
                Answer::Document(body) => Ok(Err(body)),
                Answer::Elsewhere(location) => join(&url, &location).map(Ok),
            });
            match next {
                Ok(Err(body)) => return Ok(Fetched { address: url.into(), body }),
                Ok(Ok(next)) => from = Some(std::mem::replace(&mut url, next)),
                Err(why) => {
                    return Err(NotFetched { address: url.into(), from: from.map(String::from), why });
                }
            }
        }
        let why = FetchError::Redirects(limits.redirects);
        Err(NotFetched { address: url.into(), from: from.map(String::from), why })
    }

    /// Asks one server.
    async fn ask(&self, url: &Url, most: usize, deadline: Instant) -> Result<Answer, FetchError> {
        check(url)?;
        let host = url.host_str().ok_or(FetchError::Address("it names no host"))?;
        let port = url.port_or_known_default().ok_or(FetchError::Address("it names no port"))?;
        let stream = self.connect(&format!("{host}:{port}"), Origin::Found, deadline).await?;
        if url.scheme() == "http" {
            return exchange(stream, url, most).await;
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|_| OutboundError::ServerName)?;
        let stream = tls()?.connect(name, stream).await.map_err(OutboundError::Handshake)?;
        exchange(stream, url, most).await
    }
}

/// The host that would be asked for the document at this address, with its port where that is not the usual one; none
/// where nobody is ever asked.
pub fn host_of(address: &str) -> Option<String> {
    let url = parse(address).ok().filter(|url| check(url).is_ok())?;
    Some(url[Position::BeforeHost..Position::AfterPort].to_owned()).filter(|host| !host.is_empty())
}

fn parse(address: &str) -> Result<Url, FetchError> {
    if address.len() > MAX_ADDRESS {
        return Err(FetchError::Address("it is too long"));
    }
    Url::parse(address).map_err(|_| FetchError::Address("it is no address"))
}

fn join(from: &Url, location: &str) -> Result<Url, FetchError> {
    if location.len() > MAX_ADDRESS {
        return Err(FetchError::Address("the address that it leads on to is too long"));
    }
    from.join(location).map_err(|_| FetchError::Address("what it leads on to is no address"))
}

/// Everything about an address that can be said before its host is looked up.
fn check(url: &Url) -> Result<(), FetchError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(FetchError::Address("only http and https are fetched"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(FetchError::Address("an address with a user name or password in it is not fetched"));
    }
    Ok(())
}

/// A text that is no address, so that it can be shown: visible ASCII, not too long.
fn shown(address: &str) -> String {
    address.chars().take(200).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

fn tls() -> Result<TlsConnector, FetchError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let verified = builder.and_then(BuilderVerifierExt::with_platform_verifier);
    let config = verified.map_err(FetchError::Tls)?.with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// One question and its answer; the connection ends with it.
async fn exchange<S>(stream: S, url: &Url, most: usize) -> Result<Answer, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(FetchError::Http)?;
    // Whoever drops this ends the connection too.
    let mut talk = JoinSet::new();
    talk.spawn(connection);
    let answer = sender.send_request(question(url)?).await.map_err(FetchError::Http)?;
    match answer.status() {
        StatusCode::OK => document(answer, most).await.map(Answer::Document),
        status if status.is_redirection() => {
            let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            location.map(|to| Answer::Elsewhere(to.to_owned())).ok_or(FetchError::Status(status.as_u16()))
        }
        status => Err(FetchError::Status(status.as_u16())),
    }
}

fn question(url: &Url) -> Result<Request<Empty<Bytes>>, FetchError> {
    let request = Request::get(&url[Position::BeforePath..Position::AfterQuery])
        .header(HOST, &url[Position::BeforeHost..Position::AfterPort])
        .header(USER_AGENT, concat!("claviger/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close");
    request.body(Empty::new()).map_err(|_| FetchError::Address("it cannot be asked for in HTTP"))
}

async fn document(answer: Response<Incoming>, most: usize) -> Result<Vec<u8>, FetchError> {
    let too_large = FetchError::TooLarge(most);
    // What says its length is refused before it is read.
    if answer.body().size_hint().lower() > most as u64 {
        return Err(too_large);
    }
    match Limited::new(answer.into_body(), most).collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large),
        Err(error) => Err(match error.downcast::<hyper::Error>() {
            Ok(error) => FetchError::Http(*error),
            Err(_) => too_large,
        }),
    }
}

#[cfg(test)]
mod tests;
