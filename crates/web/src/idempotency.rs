//! `Idempotency-Key`: the same request sent twice is done once and answered twice.
//!
//! The key is looked up by the extractor that reads the body, after the permission was checked; the answer is kept
//! when the handler is done. An answer that shows a secret is never kept: its repetition is refused.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use app::idempotency::{Mark, Recalled};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::Actor;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};

use crate::access::Caller;
use crate::routes::Kind;
use crate::{Problem, Web};

/// The header that carries the key.
pub const HEADER: &str = "idempotency-key";
/// The largest answer that is kept.
const MAX_ANSWER: usize = 1024 * 1024;

/// Marks an answer that shows a secret once.
#[derive(Clone, Copy)]
pub struct ShownOnce;

/// Marks an answer to a request that changed nothing: it is not kept, and a repetition is answered anew.
#[derive(Clone, Copy)]
pub struct ChangedNothing;

/// Requests with a key that are being answered now, in this process.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<HashSet<(String, String)>>>);

/// One of them. Ends when it is dropped, also when the caller went away.
struct Turn {
    running: Running,
    of: (String, String),
}

/// What one request has to say about its key; filled in by [`begin`].
#[derive(Clone)]
struct Slot {
    key: String,
    pending: Arc<Mutex<Option<Pending>>>,
}

struct Pending {
    actor: Actor,
    request: Mark,
    _turn: Turn,
}

/// Runs the handler; keeps the answer if there is a key and the request was taken.
pub(crate) async fn around(web: &Web, mut request: Request, next: Next) -> Response {
    let is_api = Kind::of(request.uri().path()) == Kind::Api;
    let Some(key) = request.headers().get(HEADER).filter(|_| is_api && request.method() == Method::POST)
    else {
        return next.run(request).await;
    };
    let Some(key) = key.to_str().ok().filter(|key| (1..=255).contains(&key.len())) else {
        let what = "the Idempotency-Key must be 1 to 255 visible characters";
        return Problem::bad_request("idempotency.key", what, "Send a random one, a UUID say.")
            .into_response();
    };
    let slot = Slot { key: key.to_owned(), pending: Arc::default() };
    request.extensions_mut().insert(slot.clone());
    let response = next.run(request).await;
    let pending = slot.pending.lock().unwrap_or_else(PoisonError::into_inner).take();
    match pending {
        Some(pending) => keep(web, &slot.key, pending, response).await,
        None => response,
    }
}

/// Looks the key up: answers again what was answered before, refuses another request under the same key.
pub(crate) async fn begin(web: &Web, parts: &Parts, body: &[u8]) -> Result<(), Box<Response>> {
    begin_marked(web, parts, mark(web, parts, body)).await
}

/// The same with the mark that was made while the body was at hand.
pub(crate) async fn begin_marked(web: &Web, parts: &Parts, mark: Option<Mark>) -> Result<(), Box<Response>> {
    let (Some(slot), Some(request)) = (parts.extensions.get::<Slot>(), mark) else { return Ok(()) };
    let Some(caller) = parts.extensions.get::<Caller>().and_then(Caller::known) else { return Ok(()) };
    let actor = caller.actor().clone();
    let Some(turn) = web.running().start(actor.name(), slot.key.clone()) else {
        let what = "a request with this Idempotency-Key is being answered now";
        return refuse(Problem::new(
            StatusCode::CONFLICT,
            "idempotency.running",
            what,
            "Wait for its answer.",
        ));
    };
    match app::idempotency::recall(web.app(), &actor.name(), &slot.key, request).await {
        Ok(Recalled::New) => {
            let pending = Pending { actor, request, _turn: turn };
            *slot.pending.lock().unwrap_or_else(PoisonError::into_inner) = Some(pending);
            Ok(())
        }
        Ok(Recalled::Answered { status, body }) => Err(Box::new(replay(status, &body))),
        Ok(Recalled::OtherRequest) => {
            let what = "this Idempotency-Key was used for another request";
            refuse(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency.mismatch",
                what,
                "Use a new key.",
            ))
        }
        Err(error) => refuse(error.into()),
    }
}

fn refuse(problem: Problem) -> Result<(), Box<Response>> {
    Err(Box::new(problem.into_response()))
}

/// What makes two requests the same: method, address and body; no address holds the end of a line. None for a request
/// without a key.
pub(crate) fn mark(web: &Web, parts: &Parts, body: &[u8]) -> Option<Mark> {
    parts.extensions.get::<Slot>()?;
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let head = format!("{} {target}\n", parts.method);
    Some(app::idempotency::mark(web.app(), &[head.as_bytes(), body]))
}

/// Keeps an answer that says that something was done. A refusal did nothing and may be tried again.
async fn keep(web: &Web, key: &str, pending: Pending, response: Response) -> Response {
    if !response.status().is_success() || response.extensions().get::<ChangedNothing>().is_some() {
        return response;
    }
    let (head, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_ANSWER).await else {
        // Ours are small and in memory: this is a mistake of ours, and the caller must not take it for a refusal.
        let error = app::Error::internal("an answer could not be kept for its Idempotency-Key", &key.len());
        return Problem::from(error).into_response();
    };
    let location =
        head.headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let shown_once = head.extensions.get::<ShownOnce>().is_some();
    let kept = if shown_once { Vec::new() } else { [location.as_bytes(), b"\n", &bytes].concat() };
    let status = if shown_once { StatusCode::CONFLICT } else { head.status };
    let (actor, answer) = (pending.actor.name(), (status.as_u16(), kept));
    let remembered = app::idempotency::remember(web.app(), &actor, key, pending.request, answer).await;
    if let Err(error) = remembered {
        // The work is done and committed; only its repetition would not be recognised.
        tracing::warn!(%error, "an answer was not kept for its Idempotency-Key");
    }
    Response::from_parts(head, Body::from(bytes))
}

fn replay(status: u16, kept: &[u8]) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    if status == StatusCode::CONFLICT {
        let what = "this was done before, and its answer showed a secret that is not kept";
        let repair = "Look at what there is; make a new one under a new key if the secret is lost.";
        return Problem::new(status, "idempotency.shown_once", what, repair).into_response();
    }
    let at = kept.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (location, body) = (&kept[..at], kept.get(at + 1..).unwrap_or_default());
    let mut response = (status, body.to_vec()).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    if !body.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(location) = HeaderValue::from_bytes(location).ok().filter(|location| !location.is_empty()) {
        headers.insert(header::LOCATION, location);
    }
    response
}

impl Running {
    /// A turn, if nobody else has it.
    fn start(&self, actor: String, key: String) -> Option<Turn> {
        let of = (actor, key);
        let is_new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(of.clone());
        is_new.then(|| Turn { running: self.clone(), of })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.running.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_with_its_request() {
        let running = Running::default();
        let turn = running.start("a".to_owned(), "k".to_owned());
        assert!(turn.is_some() && running.start("a".to_owned(), "k".to_owned()).is_none());
        assert!(running.start("b".to_owned(), "k".to_owned()).is_some());
        drop(turn);
        assert!(running.start("a".to_owned(), "k".to_owned()).is_some());
    }
}
