//! What happens around every request: host, origin, method, path and rate are checked before anything else looks at
//! it, and every answer leaves with the same headers.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use domain::clock::random_bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::access::{self, Caller, peer};
use crate::limits::Rate;
use crate::page::FormRefused;
use crate::routes::Kind;
use crate::{Problem, Web};

/// What the router is told by whoever serves it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The host names under which this server may be asked, without ports; any other is answered 421.
    pub allowed_hosts: Vec<String>,
    /// How often one address outside loopback may ask the API, or send a page's form.
    pub rate: Rate,
    /// Becomes true when the server stops: streams of events end then, for they would never end by themselves.
    pub stopping: Option<tokio::sync::watch::Receiver<bool>>,
}

/// X-Road's name for what ties an answer to the log.
const CORRELATION: HeaderName = HeaderName::from_static("x-road-ui-correlation-id");

/// The content security policy (`SECURITY.md` 3.5).
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                   form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'";

/// The longest path and query that is looked at.
const MAX_TARGET: usize = 8 * 1024;

/// Puts the checks and headers around a router.
pub(crate) fn around(router: Router<Web>, web: &Web) -> Router<Web> {
    router.layer(from_fn_with_state(web.clone(), guard))
}

/// A caller who hangs up drops the future that answers him. What changes something therefore runs by itself: an action
/// that was begun is done to its end, its answer is kept for its `Idempotency-Key`, and its refusal is recorded.
async fn guard(State(web): State<Web>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return answer(web, request, next).await;
    }
    let kind = Kind::of(request.uri().path());
    let answered = tokio::spawn(answer(web.clone(), request, next)).await;
    match answered {
        Ok(response) => response,
        Err(panic) => {
            let problem = Problem::from(app::Error::internal("a request ended badly", &panic));
            let mut response = match kind {
                Kind::Api => problem.into_response(),
                Kind::Page => crate::page::problem::draw(&problem),
            };
            put_headers(response.headers_mut(), &correlation(&web));
            response
        }
    }
}

async fn answer(web: Web, mut request: Request, next: Next) -> Response {
    let correlation = correlation(&web);
    let caller = Caller::default();
    request.extensions_mut().insert(caller.clone());
    let kind = Kind::of(request.uri().path());
    let asked = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let is_read = request.method().is_safe();
    let closes = request.version() < http::Version::HTTP_2;
    let mut response = match check(&web, &request) {
        Ok(()) => crate::idempotency::around(&web, request, next).await,
        Err(problem) => problem.into_response(),
    };
    log(&response, &correlation);
    if let Some(problem) = response.extensions().get::<Problem>().cloned() {
        access::record(&web, &caller, &problem, is_read).await;
        if kind == Kind::Page {
            response = as_page(&web, &problem, if is_read { &asked } else { "/" }).await;
        }
        if let Some(wait) = problem.retry_after(web.app().now()) {
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
    }
    if let Some(refused) = response.extensions().get::<FormRefused>().cloned() {
        access::record_form(&web, &caller, &refused).await;
    }
    if closes && response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    put_headers(response.headers_mut(), &correlation);
    response
}

fn correlation(web: &Web) -> String {
    pki::identity::hex(&random_bytes::<8>(web.app().random()))
}

fn check(web: &Web, request: &Request) -> Result<(), Problem> {
    check_method(request.method())?;
    check_target(request.uri())?;
    let host = check_host(web, request)?;
    check_origin(request, host)?;
    check_rate(web, request)
}

/// Programs are counted whatever they ask, browsers when they send something: log-ins and set-up codes are guessed by
/// sending. Whether there is a session does not matter: nobody fills in twenty forms a second.
fn check_rate(web: &Web, request: &Request) -> Result<(), Problem> {
    if Kind::of(request.uri().path()) == Kind::Page && request.method().is_safe() {
        return Ok(());
    }
    let taken = web.limits().take(peer(request.extensions()), web.app().now());
    taken.map_err(|seconds| {
        let what = "there were too many requests from your address";
        let repair = format!("Wait {seconds} seconds.");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", what, repair).after(seconds)
    })
}

fn check_method(method: &Method) -> Result<(), Problem> {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    if known.contains(method) { Ok(()) } else { Err(Problem::method_not_allowed()) }
}

/// Nothing of ours has a path that needs escapes of dots, slashes or controls; who sends one probes for files.
fn check_target(uri: &http::Uri) -> Result<(), Problem> {
    let path = uri.path().to_ascii_lowercase();
    let odd = ["//", "/.", "\\", "%2f", "%5c", "%2e", "%00", "%0a", "%0d"];
    let length = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if length > MAX_TARGET || odd.iter().any(|part| path.contains(part)) {
        return Err(Problem::no_such_address());
    }
    // No text that is looked for has it, and PostgreSQL has no place for it.
    if uri.query().is_some_and(|query| query.contains("%00")) {
        return Err(Problem::bad_request("input.query", "a parameter has a NUL in it", "Leave it out."));
    }
    Ok(())
}

/// The host that was asked, from the address (HTTP/2) or the header. `X-Forwarded-Host` counts for nothing.
fn check_host<'a>(web: &Web, request: &'a Request) -> Result<&'a str, Problem> {
    let misdirected = || {
        let what = "this server does not answer for that host name";
        let repair = "Use the name that it was set up with, or add this one to its configuration.";
        Problem::new(StatusCode::MISDIRECTED_REQUEST, "request.host", what, repair)
    };
    let mut headers = request.headers().get_all(header::HOST).into_iter();
    let header = headers.next().and_then(|value| value.to_str().ok());
    let authority =
        request.uri().authority().map(|authority| authority.as_str()).or(header).ok_or_else(misdirected)?;
    let name = host_name(authority);
    let is_ours = web.options().allowed_hosts.iter().any(|host| host_name(host).eq_ignore_ascii_case(name));
    if is_ours && headers.next().is_none() { Ok(authority) } else { Err(misdirected()) }
}

/// The host without its port; an IPv6 address keeps its brackets.
fn host_name(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.is_empty() => host,
        Some(_) | None => authority,
    }
}

/// Refuses changes that another site's page sends. Browsers say where a request comes from, scripts cannot forge it:
/// `Sec-Fetch-Site` first; `Origin` must be ours where it says anything (it is `null` under our own referrer policy).
fn check_origin(request: &Request, host: &str) -> Result<(), Problem> {
    if request.method().is_safe() {
        return Ok(());
    }
    let text = |name: &str| {
        let mut values = request.headers().get_all(name).into_iter();
        let first = values.next()?;
        // What comes twice, or is no text, is foreign.
        Some(if values.next().is_none() { first.to_str().unwrap_or("?") } else { "?" })
    };
    let site = text("sec-fetch-site");
    let same_site = site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    let same_origin = match text("origin") {
        None => true,
        Some("null") => site == Some("same-origin"),
        Some(origin) => {
            origin.strip_prefix("https://").is_some_and(|origin| origin.eq_ignore_ascii_case(host))
        }
    };
    if same_site && same_origin {
        return Ok(());
    }
    let what = "the request was sent by a page of another site";
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "request.origin",
        what,
        "Open this server's own pages and do it there.",
    ))
}

/// Says once what failed on our side; refusals are the audit log's matter.
fn log(response: &Response, correlation: &str) {
    let status = response.status();
    if !status.is_server_error() {
        return;
    }
    let problem = response.extensions().get::<Problem>();
    let code = problem.map_or("", |problem| problem.code.as_str());
    let what = problem.map_or("", |problem| problem.what.as_str());
    tracing::error!(correlation, status = status.as_u16(), code, what, "a request failed");
}

/// A refusal as browsers see it: log in first, or a page that says what was wrong.
async fn as_page(web: &Web, problem: &Problem, back: &str) -> Response {
    if problem.status != StatusCode::UNAUTHORIZED {
        return crate::page::problem::draw(problem);
    }
    match app::setup::is_installed(web.app()).await {
        Ok(true) => Redirect::to(&format!("/login?next={}", escape(back))).into_response(),
        Ok(false) => Redirect::to("/setup").into_response(),
        Err(error) => crate::page::problem::draw(&Problem::from(error)),
    }
}

/// Escapes everything but letters, digits and what paths need, for use as a query value.
fn escape(text: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
    let escaped = text
        .bytes()
        .map(|byte| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    escaped.collect()
}

fn put_headers(headers: &mut HeaderMap, correlation: &str) {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(correlation) {
        headers.insert(CORRELATION, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_no_part_of_the_name() {
        for (authority, name) in [
            ("localhost:4000", "localhost"),
            ("a.org", "a.org"),
            ("[::1]:4000", "[::1]"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(host_name(authority), name);
        }
    }

    #[test]
    fn the_way_back_cannot_leave_its_place_in_the_query() {
        assert_eq!(escape("/keys?a=b&next=//evil"), "/keys%3Fa%3Db%26next%3D//evil");
    }
}
