//! `/api/v1/api-keys` (`XROAD.md` 2.1): X-Road's array of roles, or our object with a label and an end.

use std::collections::BTreeSet;

use app::api_key::NewApiKey;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::Role;
use domain::id::ApiKeyId;
use domain::permission::uses;
use domain::user::ApiKey;
use pki::Refusal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::{Body, Id};
use crate::idempotency::ShownOnce;
use crate::{Permit, Problem, Web};

/// What is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ApiKeyRequest {
    /// X-Road's form: names of roles.
    Roles(Vec<String>),
    /// Ours.
    Described(ApiKeyDescription),
}

/// An API key to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyDescription {
    /// Names of roles.
    roles: Vec<String>,
    /// What it is for.
    #[serde(default)]
    label: String,
    /// Days until it ends; 90 if left out.
    days: Option<u32>,
}

/// An API key, without the key.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyJson {
    /// The id.
    id: String,
    /// Names of its roles.
    roles: Vec<&'static str>,
    /// What it is for; left out when nothing was said.
    #[serde(skip_serializing_if = "String::is_empty")]
    label: String,
    /// When it was made.
    created_at: String,
    /// When it ends.
    expires_at: String,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
}

/// An API key that was just made: the only answer that shows the key.
#[derive(Serialize, ToSchema)]
pub struct NewApiKeyJson {
    /// The id.
    id: String,
    /// The key. It is not kept and never shown again.
    key: String,
    /// Names of its roles.
    roles: Vec<&'static str>,
    /// When it ends.
    expires_at: String,
}

/// `GET /api-keys`
pub async fn list(
    State(web): State<Web>,
    by: Permit<uses::ViewApiKeys>,
) -> Result<Json<Vec<ApiKeyJson>>, Problem> {
    Ok(Json(app::api_key::list(web.app(), &by).await?.into_iter().map(json).collect()))
}

/// `GET /api-keys/{id}`
pub async fn find(
    State(web): State<Web>,
    by: Permit<uses::ViewApiKeys>,
    Id(id): Id<ApiKeyId>,
) -> Result<Json<ApiKeyJson>, Problem> {
    Ok(Json(json(app::api_key::find(web.app(), &by, &id).await?)))
}

/// `POST /api-keys`: 200, as X-Road's server answers.
pub async fn create(
    State(web): State<Web>,
    by: Permit<uses::CreateApiKey>,
    Body(input): Body<ApiKeyRequest>,
) -> Result<Response, Problem> {
    let input = match input {
        ApiKeyRequest::Roles(roles) => ApiKeyDescription { roles, label: String::new(), days: None },
        ApiKeyRequest::Described(input) => input,
    };
    let input = NewApiKey { roles: parse_roles(&input.roles)?, label: input.label, days: input.days };
    let (made, key) = app::api_key::create(web.app(), &by, input).await?;
    let answer = NewApiKeyJson {
        id: made.id.to_string(),
        key: key.to_string(),
        roles: role_names(&made.roles),
        expires_at: made.expires.to_string(),
    };
    let mut response = Json(answer).into_response();
    response.extensions_mut().insert(ShownOnce);
    Ok(response)
}

/// `PUT /api-keys/{id}`
pub async fn set_roles(
    State(web): State<Web>,
    by: Permit<uses::UpdateApiKey>,
    Id(id): Id<ApiKeyId>,
    Body(roles): Body<Vec<String>>,
) -> Result<Json<ApiKeyJson>, Problem> {
    Ok(Json(json(app::api_key::set_roles(web.app(), &by, &id, parse_roles(&roles)?).await?)))
}

/// `DELETE /api-keys/{id}`: 200 without a body.
pub async fn revoke(
    State(web): State<Web>,
    by: Permit<uses::RevokeApiKey>,
    Id(id): Id<ApiKeyId>,
) -> Result<(), Problem> {
    Ok(app::api_key::revoke(web.app(), &by, &id).await?)
}

/// Reads names of roles: X-Road's code `invalid_role` for one that is none.
pub fn parse_roles(names: &[String]) -> Result<BTreeSet<Role>, Problem> {
    let parse = |name: &String| {
        name.parse::<Role>().map_err(|_| {
            let known: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
            Problem::from(Refusal::new(
                "invalid_role",
                "this is not a role",
                format!("Use one of {}.", known.join(", ")),
            ))
        })
    };
    names.iter().map(parse).collect()
}

/// Names of roles, in their order.
pub fn role_names(roles: &BTreeSet<Role>) -> Vec<&'static str> {
    roles.iter().map(|role| role.name()).collect()
}

fn json(key: ApiKey) -> ApiKeyJson {
    ApiKeyJson {
        id: key.id.to_string(),
        roles: role_names(&key.roles),
        label: key.label,
        created_at: key.created.to_string(),
        expires_at: key.expires.to_string(),
        last_used_at: key.last_used.map(|at| at.to_string()),
    }
}
