//! `/api/v1/tokens` (`XROAD.md` 2.2): read, name, log in, log out, PIN.

use app::token::Consequences;
use axum::Json;
use axum::extract::{FromRequestParts, State};
use domain::Permission;
use domain::id::TokenId;
use domain::permission::{Use, uses};
use http::StatusCode;
use http::request::Parts;
use pki::Refusal;
use serde::Deserialize;
use utoipa::ToSchema;

use super::token_json::{self, Token};
use crate::body::{Body, Id, NoBody, Secret, no_such};
use crate::{Permit, Problem, Web};

/// A token that X-Road may see: `system` is not there for it.
pub struct Visible(pub TokenId);

impl FromRequestParts<Web> for Visible {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let Id(id) = Id::<TokenId>::from_request_parts(parts, web).await?;
        if id == TokenId::system() { Err(no_such("token", id.as_str())) } else { Ok(Self(id)) }
    }
}

/// A new friendly name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenName {
    /// 1 to 255 characters.
    name: String,
}

/// The PIN.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenPassword {
    /// The PIN.
    #[serde(default)]
    password: Secret,
}

/// The PIN and the next one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenPinUpdate {
    /// The PIN now.
    old_pin: Secret,
    /// The PIN from now on.
    new_pin: Secret,
}

/// `GET /tokens`
pub async fn list(State(web): State<Web>, by: Permit<uses::ViewKeys>) -> Result<Json<Vec<Token>>, Problem> {
    // All but `system`, which is not there for X-Road.
    let tokens = app::token::list(web.app(), &by).await?;
    Ok(Json(tokens.iter().map(token_json::token).collect()))
}

/// `GET /tokens/{id}`
pub async fn find(
    State(web): State<Web>,
    by: Permit<uses::ViewKeys>,
    Visible(id): Visible,
) -> Result<Json<Token>, Problem> {
    Ok(Json(token_json::token(&app::token::find(web.app(), &by, &id).await?)))
}

/// `PATCH /tokens/{id}`
pub async fn rename(
    State(web): State<Web>,
    by: Permit<uses::EditTokenName>,
    Visible(id): Visible,
    Body(input): Body<TokenName>,
) -> Result<Json<Token>, Problem> {
    // Whoever may name tokens may see them (`XROAD.md` 1.8), so the view is always there.
    if let Some(see) = by.also(uses::ViewKeys)
        && !token_json::facts(&app::token::find(web.app(), &see, &id).await?).saved
    {
        let what = "the token is not saved: none of its keys has a CSR or certificate";
        let conflict = app::Error::conflict("action_not_possible", what, "Make a key and a CSR in it first.");
        let mut problem = Problem::from(conflict);
        problem.recorded = false;
        return Err(problem);
    }
    app::token::rename(web.app(), &by, &id, &input.name).await?;
    as_it_is(&web, &by, &id).await
}

/// `PUT /tokens/{id}/login`
pub async fn log_in(
    State(web): State<Web>,
    by: Permit<uses::ActivateToken>,
    Visible(id): Visible,
    Body(input): Body<TokenPassword>,
) -> Result<Json<Token>, Problem> {
    app::token::log_in(web.app(), &by, &id, input.password.reveal()).await?;
    as_it_is(&web, &by, &id).await
}

/// `PUT /tokens/{id}/logout`. X-Road asks nobody whether something is still served; neither does this.
pub async fn log_out(
    State(web): State<Web>,
    by: Permit<uses::ActivateToken>,
    Visible(id): Visible,
    _: NoBody,
) -> Result<Json<Token>, Problem> {
    app::token::log_out(web.app(), &by, &id, Consequences::Accept).await?;
    as_it_is(&web, &by, &id).await
}

/// `PUT /tokens/{id}/pin`
pub async fn change_pin(
    State(web): State<Web>,
    by: Permit<uses::UpdateTokenPin>,
    Visible(id): Visible,
    Body(input): Body<TokenPinUpdate>,
) -> Result<StatusCode, Problem> {
    let changed =
        app::token::change_pin(web.app(), &by, &id, input.old_pin.reveal(), input.new_pin.reveal()).await;
    changed.map_err(|error| with_policy(&web, error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// A token after it was changed. Whoever may change tokens may see them (`XROAD.md` 1.8).
pub async fn as_it_is<U: Use>(web: &Web, by: &Permit<U>, id: &TokenId) -> Result<Json<Token>, Problem> {
    let see = by.also(uses::ViewKeys).ok_or_else(|| Problem::forbidden(Permission::ViewKeys))?;
    Ok(Json(token_json::token(&app::token::find(web.app(), &see, id).await?)))
}

/// X-Road says its PIN policy in four items, and nothing with its other PIN codes.
fn with_policy(web: &Web, error: app::Error) -> Problem {
    let policy = web.app().config().pin_policy;
    let metadata = match &error {
        app::Error::Refused(Refusal { code: "token_weak_pin", .. }) => vec![
            "pin_min_length".to_owned(),
            policy.min_length.to_string(),
            "pin_min_char_classes_count".to_owned(),
            policy.min_classes.to_string(),
        ],
        app::Error::Refused(_) => Vec::new(),
        app::Error::NotPermitted(_)
        | app::Error::NotFound { .. }
        | app::Error::Invalid(_)
        | app::Error::Conflict(_)
        | app::Error::Throttled { .. }
        | app::Error::TokenUnavailable { .. }
        | app::Error::Busy
        | app::Error::Internal { .. } => return error.into(),
    };
    Problem::from(error).with_metadata(metadata)
}
