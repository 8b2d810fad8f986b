//! `/api/v1/users`.

use app::user::{NewUser, UserChange};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::id::UserId;
use domain::permission::uses;
use domain::user::User;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::{Body, Id, Secret, created};
use crate::xroad::api_keys::{parse_roles, role_names};
use crate::{Permit, Problem, Web};

/// A person who may log in.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserJson {
    /// The id.
    id: String,
    /// The log-in name.
    name: String,
    /// Names of roles.
    roles: Vec<&'static str>,
    /// Whether log-in is refused.
    disabled: bool,
    /// When the user was made.
    created_at: String,
}

impl From<User> for UserJson {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            roles: role_names(&user.roles),
            name: user.name,
            disabled: user.disabled,
            created_at: user.created.to_string(),
        }
    }
}

/// A user to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUserJson {
    /// The log-in name.
    #[schema(schema_with = crate::schema::some_text)]
    name: String,
    /// The first password, 12 or more characters.
    password: Secret,
    /// Names of roles.
    #[serde(default)]
    #[schema(schema_with = crate::schema::roles)]
    roles: Vec<String>,
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChangeJson {
    /// Names of roles.
    roles: Option<Vec<String>>,
    /// A new password.
    password: Option<Secret>,
    /// Whether log-in is refused.
    disabled: Option<bool>,
}

/// `GET /users`
pub async fn list(
    State(web): State<Web>,
    by: Permit<uses::ViewUsers>,
) -> Result<Json<Vec<UserJson>>, Problem> {
    Ok(Json(app::user::list(web.app(), &by).await?.into_iter().map(UserJson::from).collect()))
}

/// `GET /users/{id}`
pub async fn find(
    State(web): State<Web>,
    by: Permit<uses::ViewUsers>,
    Id(id): Id<UserId>,
) -> Result<Json<UserJson>, Problem> {
    Ok(Json(app::user::find(web.app(), &by, &id).await?.into()))
}

/// `POST /users`
pub async fn create(
    State(web): State<Web>,
    by: Permit<uses::ManageUsers>,
    Body(input): Body<NewUserJson>,
) -> Result<Response, Problem> {
    let roles = parse_roles(&input.roles)?;
    let input = NewUser { name: input.name, password: input.password.into_inner(), roles };
    let user = app::user::create(web.app(), &by, input).await?;
    Ok(created(format!("/api/v1/users/{}", user.id), UserJson::from(user)))
}

/// `PATCH /users/{id}`
pub async fn update(
    State(web): State<Web>,
    by: Permit<uses::ManageUsers>,
    Id(id): Id<UserId>,
    Body(input): Body<UserChangeJson>,
) -> Result<Json<UserJson>, Problem> {
    let change = UserChange {
        roles: input.roles.as_deref().map(parse_roles).transpose()?,
        password: input.password.map(Secret::into_inner),
        disabled: input.disabled,
    };
    Ok(Json(app::user::update(web.app(), &by, &id, change).await?.into()))
}
