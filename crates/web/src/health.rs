//! `/healthz` and `/readyz`, for the metrics port.

use std::sync::Arc;

use app::App;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;

/// The addresses that an orchestrator asks: alive, and able to work.
pub fn health_router(app: Arc<App>) -> Router {
    Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready)).with_state(app)
}

/// Ready as soon as the database answers.
async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    match app::setup::is_installed(&app).await {
        Ok(true) => (StatusCode::OK, "ready\n"),
        Ok(false) => (StatusCode::OK, "ready, waiting for the first start\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}
