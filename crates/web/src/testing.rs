//! A whole server in process, for the tests of this crate: the clock is moved by hand, jobs run when asked.

use std::net::SocketAddr;
use std::sync::Arc;

use app::testing::{ADMIN, Fixture, InstanceKey, PASSWORD};
use axum::body::{Body, to_bytes};
use domain::permission::uses;
use domain::{Moment, Role};
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use http::request::Builder;
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use testkit::{FreshStore, SeededRandom, TestClock, fresh_store};
use tower::ServiceExt;

use crate::{Options, Peer};

/// 2026-11-21T12:00:00Z.
pub(crate) const START: Moment = Moment(1_795_262_400_000);

/// A server that was set up, with what keeps it alive.
pub(crate) struct House {
    pub(crate) fixture: Fixture,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) router: axum::Router,
    _store: FreshStore,
    _data: tempfile::TempDir,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// The code of a refusal; empty when there is none.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Somebody with a browser.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) cookie: String,
    pub(crate) csrf: String,
}

impl House {
    pub(crate) async fn new() -> Self {
        let store = fresh_store().await;
        let (clock, random) = (Arc::new(TestClock::at(START)), Arc::new(SeededRandom::new(1)));
        let data = tempfile::tempdir().unwrap();
        let instance = InstanceKey::generate(&*random);
        let app =
            Fixture::empty(store.store.clone(), instance, clock.clone(), random, data.path().to_owned());
        let fixture = Fixture::installed(app).await.unwrap();
        let options = Options { allowed_hosts: vec!["localhost".to_owned()], ..Options::default() };
        let router = crate::router(Arc::clone(&fixture.app), options);
        Self { fixture, clock, router, _store: store, _data: data }
    }

    /// An API key with these roles, as it stands in the header.
    pub(crate) async fn key(&self, roles: &[Role]) -> String {
        let (_, key) = self.fixture.api_key(roles).await.unwrap();
        format!("Bearer {key}")
    }

    /// Sends a request as it is, from loopback unless it says otherwise.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        if request.extensions().get::<Peer>().is_none() {
            request.extensions_mut().insert(Peer(SocketAddr::from(([127, 0, 0, 1], 50_000))));
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, 16 << 20).await.unwrap().to_vec();
        Answer { status: head.status, headers: head.headers, bytes }
    }

    /// Sends JSON (or nothing, when it is null) with an `Authorization` header.
    pub(crate) async fn call(&self, method: &str, path: &str, key: &str, body: Value) -> Answer {
        let request = request(method, path).header(AUTHORIZATION, key);
        self.send(json(request, &body)).await
    }

    /// Opens a session of the first administrator.
    pub(crate) async fn log_in(&self) -> Browser {
        self.log_in_as(ADMIN, PASSWORD).await
    }

    /// Opens a session of anybody.
    pub(crate) async fn log_in_as(&self, name: &str, password: &str) -> Browser {
        let form = format!("username={name}&password={}", password.replace(' ', "+"));
        let head = request("POST", "/api/v1/login").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = self.send(head.body(Body::from(form)).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.json());
        Browser {
            cookie: cookie(&answer, crate::access::SESSION_COOKIE),
            csrf: cookie(&answer, "XSRF-TOKEN"),
        }
    }

    /// The names and codes of the newest audit events, the newest first.
    pub(crate) async fn events(&self, count: u32) -> Vec<(String, String, String)> {
        let by = self.fixture.may(uses::ViewAuditLog).unwrap();
        let events =
            app::audit::list(&self.fixture.app, &by, app::filter::AuditFilter::default(), None, count).await;
        events.unwrap().into_iter().map(|event| (event.action, event.outcome, event.code)).collect()
    }

    /// How many audit events there are.
    pub(crate) async fn event_count(&self) -> i64 {
        let by = self.fixture.may(uses::ViewAuditLog).unwrap();
        app::audit::verify(&self.fixture.app, &by).await.unwrap().events
    }
}

impl Browser {
    /// A request with the session's cookie, and the token where `csrf` holds one.
    pub(crate) fn request(&self, method: &str, path: &str, csrf: &str) -> Builder {
        let head = request(method, path)
            .header(COOKIE, format!("{}={}", crate::access::SESSION_COOKIE, self.cookie));
        if csrf.is_empty() { head } else { head.header(crate::access::CSRF_HEADER, csrf) }
    }
}

/// A request to this server.
pub(crate) fn request(method: &str, path: &str) -> Builder {
    Request::builder().method(method).uri(path).header(HOST, "localhost:4000")
}

/// With JSON, or without a body when it is null.
pub(crate) fn json(head: Builder, body: &Value) -> Request<Body> {
    if body.is_null() {
        return head.body(Body::empty()).unwrap();
    }
    head.header(CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap()
}

/// The value of a cookie that an answer sets; empty when it sets none.
pub(crate) fn cookie(answer: &Answer, name: &str) -> String {
    let lines = answer.headers.get_all(SET_COOKIE).into_iter().map(|line| line.to_str().unwrap());
    let mut values = lines.filter_map(|line| line.split(';').next()?.strip_prefix(name)?.strip_prefix('='));
    values.next().unwrap_or_default().to_owned()
}

mod complete;
mod door;
mod export;
mod import;
mod lineages;
mod lists;
mod names;
mod nouns;
mod put_to_use;
mod remove;
mod secrets;
mod support;
mod ticks;
mod together;
mod tricks;
mod walk;
mod x_road;
