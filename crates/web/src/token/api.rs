//! What we have of tokens beyond X-Road: unlocking, and what a log-out would stop.

use axum::Json;
use axum::extract::State;
use domain::id::TokenId;
use domain::permission::uses;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::{Body, Id, Secret};
use crate::xroad::token_json::Token;
use crate::xroad::tokens::{Visible, as_it_is};
use crate::{Permit, Problem, Web};

/// The officer's own password, again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    /// The password of the person who unlocks.
    password: Secret,
}

/// What a log-out would stop.
#[derive(Serialize, ToSchema)]
pub struct LogOutEffects {
    /// The names that the edge would answer with the default certificate.
    stops: Vec<String>,
}

/// `PUT /tokens/{id}/unlock`
pub async fn unlock(
    State(web): State<Web>,
    by: Permit<uses::UnlockToken>,
    id: Visible,
    Body(input): Body<Unlock>,
) -> Result<Json<Token>, Problem> {
    app::token::unlock(web.app(), &by, &id.0, input.password.reveal()).await?;
    as_it_is(&web, &by, &id.0).await
}

/// `GET /tokens/{id}/logout-effects`
pub async fn effects(
    State(web): State<Web>,
    by: Permit<uses::ActivateToken>,
    Id(id): Id<TokenId>,
) -> Result<Json<LogOutEffects>, Problem> {
    Ok(Json(LogOutEffects { stops: app::token::stops_at_log_out(web.app(), &by, &id).await? }))
}
