//! Who asks: recognises the actor of a request, and checks the token against forged requests.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use app::access::{Live, LoggedIn};
use app::strangers::Refused;
use axum::response::Response;
use domain::Actor;
use domain::audit::Action;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, StatusCode};
use zeroize::Zeroizing;

use crate::page::FormRefused;
use crate::routes::{Kind, Row};
use crate::{Peer, Problem, Web, base64};

/// The cookie that holds a session's secret. The prefix binds it to this host, over TLS, for every path.
pub const SESSION_COOKIE: &str = "__Host-claviger";
/// The cookie from which scripts read the token that they send back (X-Road's name).
pub const CSRF_COOKIE: &str = "XSRF-TOKEN";
/// The header in which they send it.
pub const CSRF_HEADER: &str = "x-xsrf-token";
/// The hidden field in which forms send it.
pub const CSRF_FIELD: &str = "_csrf";

/// A caller who is known. Cheap to clone.
#[derive(Clone)]
pub struct Recognised {
    inner: Arc<Inner>,
}

struct Inner {
    actor: Actor,
    means: Means,
}

/// By what somebody was recognised.
enum Means {
    /// The `Authorization` header: browsers never send it by themselves.
    Header,
    /// A session's cookie.
    Session { secret: String, csrf: String },
}

impl Recognised {
    /// Who it is.
    pub fn actor(&self) -> &Actor {
        &self.inner.actor
    }

    /// The session's token against forged requests; empty when there is no session.
    pub fn csrf(&self) -> &str {
        match &self.inner.means {
            Means::Header => "",
            Means::Session { csrf, .. } => csrf,
        }
    }

    /// The secret of the session, to end it; none when the caller came without one.
    pub fn session_secret(&self) -> Option<&str> {
        match &self.inner.means {
            Means::Header => None,
            Means::Session { secret, .. } => Some(secret),
        }
    }

    /// Whether a browser could have been tricked into this request: it came with a cookie alone.
    pub fn has_session(&self) -> bool {
        self.session_secret().is_some()
    }

    fn by_header(actor: Actor) -> Self {
        Self { inner: Arc::new(Inner { actor, means: Means::Header }) }
    }

    fn by_session(live: Live, secret: &str) -> Self {
        let means = Means::Session { secret: secret.to_owned(), csrf: live.csrf };
        Self { inner: Arc::new(Inner { actor: live.actor, means }) }
    }
}

/// What is learned about a request on its way in, for the guard to record a refusal on its way out. The caller is
/// looked up once.
#[derive(Clone, Default)]
pub(crate) struct Caller(Arc<Learned>);

#[derive(Default)]
struct Learned {
    recognised: OnceLock<Recognised>,
    row: OnceLock<Arc<Row>>,
    object: OnceLock<String>,
}

impl Caller {
    /// Who was recognised so far.
    pub(crate) fn known(&self) -> Option<&Recognised> {
        self.0.recognised.get()
    }
}

/// Notes which row answers.
pub(crate) fn note_row(parts: &Parts) {
    if let (Some(caller), Some(row)) = (parts.extensions.get::<Caller>(), parts.extensions.get::<Arc<Row>>())
    {
        let _ = caller.0.row.set(Arc::clone(row));
    }
}

/// Notes the id in the path.
pub(crate) fn note_object(parts: &Parts, object: &str) {
    if let Some(caller) = parts.extensions.get::<Caller>() {
        let _ = caller.0.object.set(object.to_owned());
    }
}

/// Recognises the caller, once per request. None when the request carries nothing, or nothing that counts.
pub async fn known(parts: &Parts, web: &Web) -> Result<Option<Recognised>, Problem> {
    let caller = parts.extensions.get::<Caller>();
    if let Some(known) = caller.and_then(Caller::known) {
        return Ok(Some(known.clone()));
    }
    let recognised = recognise(parts, web).await?;
    if let (Some(caller), Some(recognised)) = (caller, &recognised) {
        // Whoever was first is the same.
        let _ = caller.0.recognised.set(recognised.clone());
    }
    Ok(recognised)
}

async fn recognise(parts: &Parts, web: &Web) -> Result<Option<Recognised>, Problem> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).into_iter();
    if let Some(header) = headers.next() {
        // Two are none: whoever passed the request on may have looked at the other one.
        let (Ok(header), None) = (header.to_str(), headers.next()) else { return Ok(None) };
        return by_header(header, parts, web).await;
    }
    let Some(secret) = session_cookie(&parts.headers) else { return Ok(None) };
    let live = app::access::session(web.app(), secret).await?;
    Ok(live.map(|live| Recognised::by_session(live, secret)))
}

/// `X-Road-ApiKey token=KEY` (the scheme in any case, as X-Road's clients write it), `Bearer KEY`, or `Basic`.
async fn by_header(header: &str, parts: &Parts, web: &Web) -> Result<Option<Recognised>, Problem> {
    let Some((scheme, value)) = header.trim().split_once(' ') else { return Ok(None) };
    let value = value.trim();
    let key = match scheme.to_ascii_lowercase().as_str() {
        "x-road-apikey" => value.strip_prefix("token=").map(str::trim),
        "bearer" => Some(value),
        "basic" => return by_password(value, parts, web).await,
        _ => None,
    };
    let Some(key) = key else { return Ok(None) };
    Ok(app::access::api_key(web.app(), key).await?.map(Recognised::by_header))
}

/// HTTP Basic, as X-Road takes it: for API keys only, from this machine only.
async fn by_password(value: &str, parts: &Parts, web: &Web) -> Result<Option<Recognised>, Problem> {
    let is_about_keys = parts.uri.path().starts_with("/api/v1/api-keys");
    if !is_about_keys || !peer(&parts.extensions).is_some_and(|address| address.is_loopback()) {
        return Ok(None);
    }
    let decoded = Zeroizing::new(base64::decode(value).unwrap_or_default());
    let text = std::str::from_utf8(&decoded).unwrap_or_default();
    let Some((name, password)) = text.split_once(':') else { return Ok(None) };
    let address = address_text(&parts.extensions);
    match app::access::basic(web.app(), name, password, &address).await {
        Ok(actor) => Ok(Some(Recognised::by_header(actor))),
        Err(app::Error::Refused(_)) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// The session's secret from the cookies. Two that differ are none: somebody planted one.
fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut secrets = pairs.filter(|(name, _)| *name == SESSION_COOKIE).map(|(_, value)| value);
    let first = secrets.next()?;
    secrets.all(|other| other == first).then_some(first)
}

/// The address that the request came from.
pub(crate) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<Peer>().map(|peer| peer.0.ip().to_canonical())
}

/// The same as text, for throttling and the audit log; empty when unknown.
pub fn address_text(extensions: &Extensions) -> String {
    peer(extensions).map(|address| address.to_string()).unwrap_or_default()
}

/// Set when the token against forged requests is owed by the form that follows.
#[derive(Clone, Copy)]
pub(crate) struct CsrfOwed;

/// Refuses a change that a browser could have been tricked into: with a session, the header must hold the session's
/// token. A page's form may bring it as a hidden field instead; then [`crate::body::PageForm`] checks it.
pub(crate) fn check_csrf(parts: &mut Parts, caller: &Recognised, kind: Kind) -> Result<(), Problem> {
    if parts.method.is_safe() || !caller.has_session() {
        return Ok(());
    }
    let mut tokens = parts.headers.get_all(CSRF_HEADER).into_iter();
    match tokens.next() {
        Some(token) if tokens.next().is_none() && same(token.as_bytes(), caller.csrf().as_bytes()) => Ok(()),
        None if kind == Kind::Page && is_form(&parts.headers) => {
            parts.extensions.insert(CsrfOwed);
            Ok(())
        }
        Some(_) | None => Err(forged()),
    }
}

/// Compares the token of a form with the session's.
pub(crate) fn check_csrf_field(caller: &Recognised, token: &str) -> Result<(), Problem> {
    if same(token.as_bytes(), caller.csrf().as_bytes()) { Ok(()) } else { Err(forged()) }
}

fn forged() -> Problem {
    let what = "the token that protects against forged requests is missing or old";
    Problem::new(
        StatusCode::FORBIDDEN,
        "request.csrf",
        what,
        "Load the page again, then repeat what you did.",
    )
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data"
}

/// Compares in constant time; an empty expectation matches nothing.
fn same(given: &[u8], expected: &[u8]) -> bool {
    !expected.is_empty() && aws_lc_rs::constant_time::verify_slices_are_equal(given, expected).is_ok()
}

/// Records that a known caller was refused before `app` was reached: a change, or something not permitted. What
/// strangers do writes nothing.
pub(crate) async fn record(web: &Web, caller: &Caller, problem: &Problem, is_read: bool) {
    if caller.known().is_none() {
        if let Some(kind) = stranger_refused(problem) {
            web.app().strangers().note(kind, web.app().now());
        }
        return;
    }
    let is_refusal = !is_read || problem.status == StatusCode::FORBIDDEN;
    let Some(known) = caller.known().filter(|_| is_refusal && !problem.recorded) else { return };
    let row = caller.0.row.get();
    let action = row.map_or(Action::Request, |row| row.action());
    let object = caller.0.object.get().map_or("", String::as_str);
    let permission = row.and_then(|row| row.permission()).filter(|_| problem.code == "forbidden");
    let recorded =
        app::audit::refused(web.app(), known.actor(), action, object, &problem.code, permission).await;
    if let Err(error) = recorded {
        tracing::error!(%error, "a refusal could not be recorded");
    }
}

/// The same for a form that a page showed again, or sent back with a sentence.
pub(crate) async fn record_form(web: &Web, caller: &Caller, refused: &FormRefused) {
    let mut problem = Problem::bad_request(&refused.code, "", "");
    problem.recorded = refused.recorded;
    record(web, caller, &problem, false).await;
}

/// As what a refusal of a stranger is counted; what does not exist and what failed here is not.
fn stranger_refused(problem: &Problem) -> Option<Refused> {
    match problem.status {
        StatusCode::UNAUTHORIZED => Some(Refused::Unknown),
        StatusCode::FORBIDDEN | StatusCode::MISDIRECTED_REQUEST => Some(Refused::Foreign),
        StatusCode::TOO_MANY_REQUESTS => Some(Refused::TooMany),
        StatusCode::BAD_REQUEST if matches!(problem.code.as_ref(), "login_failed" | "setup.code") => {
            Some(Refused::Guess)
        }
        StatusCode::BAD_REQUEST if problem.code == "throttled" => Some(Refused::TooMany),
        StatusCode::NOT_FOUND => None,
        status if status.is_client_error() => Some(Refused::Malformed),
        _ => None,
    }
}

/// The cookies of a session that was just opened: its secret, and the token that scripts read.
///
/// `Lax`, not `Strict`: a link in a mail must find the reader logged in; changes are protected by the token.
pub fn session_cookies(session: &LoggedIn) -> [HeaderValue; 2] {
    [
        cookie(&format!(
            "{SESSION_COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax",
            session.secret.as_str()
        )),
        cookie(&format!("{CSRF_COOKIE}={}; Path=/; Secure; SameSite=Strict", session.csrf)),
    ]
}

/// The same cookies, taken away.
pub fn cookies_gone() -> [HeaderValue; 2] {
    [
        cookie(&format!("{SESSION_COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")),
        cookie(&format!("{CSRF_COOKIE}=; Path=/; Secure; SameSite=Strict; Max-Age=0")),
    ]
}

/// Puts cookies into an answer.
pub fn put_cookies(answer: &mut Response, cookies: [HeaderValue; 2]) {
    for cookie in cookies {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
}

fn cookie(text: &str) -> HeaderValue {
    // Secrets and tokens are hexadecimal, so every text is a header value.
    let mut value = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
        }
        session_cookie(&headers).map(str::to_owned)
    }

    #[test]
    fn finds_the_session_among_other_cookies() {
        assert_eq!(cookies(&["a=b; __Host-claviger=abc; XSRF-TOKEN=x"]).as_deref(), Some("abc"));
        assert_eq!(cookies(&["a=b", "__Host-claviger=abc"]).as_deref(), Some("abc"));
        assert_eq!(cookies(&["claviger=abc; x__Host-claviger=abc"]), None);
    }

    #[test]
    fn two_sessions_at_once_are_none() {
        assert_eq!(cookies(&["__Host-claviger=abc; __Host-claviger=def"]), None);
        assert_eq!(cookies(&["__Host-claviger=abc; __Host-claviger=abc"]).as_deref(), Some("abc"));
    }

    #[test]
    fn an_empty_token_never_matches() {
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"", b"") && !same(b"abc", b"abd") && !same(b"ab", b"abc"));
    }
}
