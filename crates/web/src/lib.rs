//! The REST API and the pages: parse, call `app`, render.
//!
//! Here, and only here, live our JSON, our HTML, status codes and headers. It must not know SQL, TLS or sockets: the
//! binary gives [`router`] to a listener, and puts the caller's address into each request as [`Peer`]. What a caller
//! may do is decided by `domain`; a handler only names the permission, by asking for a [`permit::Permit`].
//!
//! Start reading at [`routes`] (every address there is), then [`permit`], then [`csr::api`].

mod accept;
pub mod access;
pub mod api_key;
pub mod audit;
pub mod base64;
pub mod body;
pub mod certificate;
pub mod csr;
pub mod disposition;
pub mod events;
pub mod guard;
pub mod health;
pub mod idempotency;
pub mod issuer;
pub mod job;
pub mod json;
pub mod key;
pub mod limits;
pub mod lineage;
pub mod list;
pub mod openapi;
pub mod overview;
pub mod page;
pub mod permit;
pub mod problem;
pub mod public;
pub mod routes;
mod schema;
pub mod session;
pub mod setting;
pub mod setup;
pub mod support;
pub mod target;
#[cfg(test)]
mod testing;
pub mod token;
pub mod user;
pub mod wire;
pub mod xroad;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use app::App;

pub use guard::Options;
pub use health::health_router;
pub use permit::Permit;
pub use problem::Problem;
pub use public::public_router;

/// Where a request came from. Whoever serves the router puts it into the request's extensions; without it a caller
/// counts as unknown: not loopback, and all such callers share one rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What every handler gets as its state; cheap to clone.
#[derive(Clone)]
pub struct Web {
    shared: Arc<Shared>,
}

struct Shared {
    app: Arc<App>,
    options: Options,
    limits: limits::Limits,
    running: idempotency::Running,
    openapi: OnceLock<String>,
}

impl Web {
    /// The application.
    pub fn app(&self) -> &Arc<App> {
        &self.shared.app
    }

    /// What the router was told.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    pub(crate) fn limits(&self) -> &limits::Limits {
        &self.shared.limits
    }

    pub(crate) fn running(&self) -> &idempotency::Running {
        &self.shared.running
    }

    /// The OpenAPI document, made once.
    pub(crate) fn openapi(&self) -> &str {
        self.shared.openapi.get_or_init(|| openapi::document(routes::all().rows()))
    }
}

/// The router of the UI and API port: pages, assets and `/api/v1`, behind every check of [`guard`].
pub fn router(app: Arc<App>, options: Options) -> axum::Router {
    let limits = limits::Limits::new(options.rate);
    let shared =
        Shared { app, options, limits, running: idempotency::Running::default(), openapi: OnceLock::new() };
    let web = Web { shared: Arc::new(shared) };
    guard::around(routes::all().into_router(), &web).with_state(web)
}
