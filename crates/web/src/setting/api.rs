//! `/api/v1/settings`.

use app::setting::Settings;
use axum::Json;
use axum::extract::State;
use domain::installation::Identity;
use domain::permission::uses;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::Body;
use crate::{Permit, Problem, Web};

/// What this server is and how it was set up.
#[derive(Serialize, ToSchema)]
#[schema(as = Settings)]
pub struct SettingsJson {
    /// What this server is.
    identity: IdentityJson,
    /// The database engine: `sqlite` or `postgresql`.
    engine: &'static str,
    /// The address of UI and API.
    base_url: String,
    /// Wrong PINs until a token locks.
    pin_tries: u32,
}

/// What this server is.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityJson {
    /// The environment, `production` or `test` say; it stays as it was at the first start.
    environment: String,
    /// X-Road instance; empty outside X-Road, as are the following.
    #[serde(default)]
    instance: String,
    /// Member class of the owner.
    #[serde(default)]
    member_class: String,
    /// Member code of the owner.
    #[serde(default)]
    member_code: String,
    /// Name of the owner.
    #[serde(default)]
    owner_name: String,
    /// Server code.
    #[serde(default)]
    server_code: String,
}

impl From<Identity> for IdentityJson {
    fn from(identity: Identity) -> Self {
        Self {
            environment: identity.environment,
            instance: identity.instance,
            member_class: identity.member_class,
            member_code: identity.member_code,
            owner_name: identity.owner_name,
            server_code: identity.server_code,
        }
    }
}

impl From<IdentityJson> for Identity {
    fn from(identity: IdentityJson) -> Self {
        Self {
            environment: identity.environment,
            instance: identity.instance,
            member_class: identity.member_class,
            member_code: identity.member_code,
            owner_name: identity.owner_name,
            server_code: identity.server_code,
        }
    }
}

/// `GET /settings`
pub async fn show(
    State(web): State<Web>,
    by: Permit<uses::ViewSettings>,
) -> Result<Json<SettingsJson>, Problem> {
    Ok(Json(json(app::setting::all(web.app(), &by).await?)))
}

/// `PUT /settings/identity`
pub async fn set_identity(
    State(web): State<Web>,
    by: Permit<uses::ManageSettings>,
    Body(input): Body<IdentityJson>,
) -> Result<Json<SettingsJson>, Problem> {
    Ok(Json(json(app::setting::update(web.app(), &by, input.into()).await?)))
}

fn json(settings: Settings) -> SettingsJson {
    SettingsJson {
        identity: settings.identity.into(),
        engine: settings.engine,
        base_url: settings.base_url,
        pin_tries: settings.pin_tries,
    }
}
