//! The plain HTTP port: what relying parties fetch without being known. For now, CA certificates.

use std::sync::Arc;

use app::App;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};

/// The router of the plain HTTP port.
pub fn public_router(app: Arc<App>) -> Router {
    Router::new().route("/ca/{file}", get(authority)).fallback(nothing).with_state(app)
}

/// `/ca/{name}.cer`: the certificate of a CA of ours, DER, `application/pkix-cert` (RFC 5280, 4.2.2.1).
async fn authority(State(app): State<Arc<App>>, Path(file): Path<String>) -> Response {
    let Some(name) = file.strip_suffix(".cer") else { return nothing().await };
    match app::issuer::authority_file(&app, name).await {
        Ok(Some(file)) => {
            // A CA's certificate under its name changes only when the CA is made anew.
            let headers = [
                (header::CONTENT_TYPE, file.media_type),
                (header::CACHE_CONTROL, "public, max-age=3600"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, file.bytes.to_vec()).into_response()
        }
        Ok(None) => nothing().await,
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "try again in a moment\n").into_response(),
    }
}

async fn nothing() -> Response {
    (
        StatusCode::NOT_FOUND,
        [(header::X_CONTENT_TYPE_OPTIONS, "nosniff")],
        "there is nothing at this address\n",
    )
        .into_response()
}
