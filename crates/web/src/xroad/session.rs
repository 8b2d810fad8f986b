//! `/api/v1/login`, `/logout` and `/user` (`XROAD.md` 2.1).

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use domain::Actor;
use domain::permission::{permissions_of, uses};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::api_keys::role_names;
use crate::body::{Body, NoBody, PageForm, Secret, media_type};
use crate::{Permit, Problem, Web, access};

/// Name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The log-in name.
    username: String,
    /// The password.
    password: Secret,
}

/// Who one is.
#[derive(Serialize, ToSchema)]
#[schema(as = Oneself)]
pub struct UserJson {
    /// The log-in name, or `api-key-` and its id.
    username: String,
    /// Names of roles.
    roles: Vec<&'static str>,
    /// Names of permissions.
    permissions: Vec<&'static str>,
}

/// `POST /login`: form fields as X-Road's clients send them, or JSON. 200 with both cookies.
pub async fn log_in(State(web): State<Web>, request: Request) -> Result<Response, Problem> {
    let address = access::address_text(request.extensions());
    let Given(input) = Given::from_request(request, &web).await?;
    let opened = app::access::log_in(web.app(), &input.username, input.password.reveal(), &address).await;
    let session = opened.map_err(|error| match error {
        app::Error::Refused(_) => {
            let mut problem = Problem::from(error);
            problem.status = StatusCode::UNAUTHORIZED;
            problem
        }
        other => other.into(),
    })?;
    let mut answer = StatusCode::OK.into_response();
    access::put_cookies(&mut answer, access::session_cookies(&session));
    Ok(answer)
}

/// Credentials in either form.
struct Given(Credentials);

impl FromRequest<Web> for Given {
    type Rejection = Problem;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Problem> {
        if media_type(request.headers()) != "application/json" {
            return PageForm::<Credentials>::from_request(request, web)
                .await
                .map(|PageForm(input)| Self(input));
        }
        let (parts, stream) = request.into_parts();
        let bytes = crate::body::read_all(&parts, stream, crate::body::MAX_BODY).await?;
        Ok(Self(crate::json::read(&bytes)?))
    }
}

/// `POST /logout`
pub async fn log_out(
    State(web): State<Web>,
    by: Permit<uses::SeeOneself>,
    _: NoBody,
) -> Result<Response, Problem> {
    if let Some(secret) = by.recognised().session_secret() {
        app::access::log_out(web.app(), &by, secret).await?;
    }
    let mut answer = StatusCode::OK.into_response();
    access::put_cookies(&mut answer, access::cookies_gone());
    Ok(answer)
}

/// `GET /user`
pub async fn user(by: Permit<uses::SeeOneself>) -> Json<UserJson> {
    let actor = by.actor();
    let username = match actor {
        Actor::User { name, .. } => name.clone(),
        Actor::ApiKey { id, .. } => format!("api-key-{id}"),
        Actor::Scheduler | Actor::Edge | Actor::Installer => actor.name(),
    };
    let permissions = permissions_of(actor).into_iter().collect();
    Json(UserJson { username, roles: role_names(&actor.roles()), permissions })
}

/// The passwords that a person changes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password now.
    old_password: Secret,
    /// The password from now on.
    new_password: Secret,
}

/// `PUT /user/password`: ours. All one's sessions end.
pub async fn change_password(
    State(web): State<Web>,
    by: Permit<uses::SeeOneself>,
    Body(input): Body<PasswordChange>,
) -> Result<StatusCode, Problem> {
    app::user::change_own_password(web.app(), &by, input.old_password.reveal(), input.new_password.reveal())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
