//! `/api/v1/issuers` and `/api/v1/profiles`.

use app::issuer::{IssuerView, NewIssuer, Withdrawn};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::id::IssuerId;
use domain::issuer::{Issuer, Profile};
use domain::permission::uses;
use pki::Certificate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::{Body, Id, created};
use crate::list::parse;
use crate::{Permit, Problem, Web};

/// An issuer.
#[derive(Serialize, ToSchema)]
pub struct IssuerJson {
    /// Its name, also in addresses.
    id: String,
    /// The name on pages.
    label: String,
    /// `self_signed`, `internal` or `manual`.
    kind: &'static str,
    /// Whether it issues no more.
    withdrawn: bool,
    /// When it was made.
    created_at: String,
    /// One sentence for people who choose.
    #[serde(skip_serializing_if = "str::is_empty")]
    help: &'static str,
    /// How many lineages it serves.
    lineages: i64,
    /// Its root, once it was first used.
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<AuthorityJson>,
    /// Its intermediate, which signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    intermediate: Option<AuthorityJson>,
}

/// A CA of ours.
#[derive(Serialize, ToSchema)]
pub struct AuthorityJson {
    /// SHA-256 of its certificate.
    hash: String,
    /// The subject in text.
    subject: String,
    /// The last moment of validity.
    not_after: String,
}

/// A profile.
#[derive(Serialize, ToSchema)]
pub struct ProfileJson {
    /// Its name.
    id: String,
    /// The name on pages.
    label: String,
    /// What its certificates are for.
    usage: &'static str,
    /// Whether TLS certificates may also be used by clients.
    client_auth: bool,
    /// Lifetime in seconds unless asked otherwise.
    lifetime: i64,
    /// Longest lifetime in seconds.
    lifetime_max: i64,
    /// Key algorithms that it takes.
    algorithms: Vec<&'static str>,
}

/// An issuer to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIssuerJson {
    /// Its name: 1 to 64 of a-z, 0-9, `-` and `_`.
    #[schema(schema_with = crate::schema::some_text)]
    id: String,
    /// The name on pages.
    #[schema(schema_with = crate::schema::some_text)]
    label: String,
    /// `internal`, `manual` or `self_signed`.
    #[schema(schema_with = crate::schema::issuer_kind)]
    kind: String,
}

/// What to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerChange {
    /// Whether it issues no more.
    withdrawn: bool,
}

/// `GET /issuers`
pub async fn list(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
) -> Result<Json<Vec<IssuerJson>>, Problem> {
    Ok(Json(app::issuer::list(web.app(), &by).await?.into_iter().map(json).collect()))
}

/// `GET /issuers/{id}`
pub async fn find(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
    Id(id): Id<IssuerId>,
) -> Result<Json<IssuerJson>, Problem> {
    Ok(Json(json(app::issuer::find(web.app(), &by, &id).await?)))
}

/// `POST /issuers`
pub async fn create(
    State(web): State<Web>,
    by: Permit<uses::ManageIssuers>,
    Body(input): Body<NewIssuerJson>,
) -> Result<Response, Problem> {
    let input = NewIssuer { id: input.id, label: input.label, kind: parse("kind", &input.kind)? };
    let issuer = app::issuer::create(web.app(), &by, input).await?;
    Ok(created(format!("/api/v1/issuers/{}", issuer.id), alone(issuer)))
}

/// `PATCH /issuers/{id}`: withdraws it or takes it up again.
pub async fn update(
    State(web): State<Web>,
    by: Permit<uses::ManageIssuers>,
    Id(id): Id<IssuerId>,
    Body(input): Body<IssuerChange>,
) -> Result<http::StatusCode, Problem> {
    let withdrawn = if input.withdrawn { Withdrawn::Yes } else { Withdrawn::No };
    app::issuer::set_withdrawn(web.app(), &by, &id, withdrawn).await?;
    Ok(http::StatusCode::NO_CONTENT)
}

/// `GET /profiles`
pub async fn profiles(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
) -> Result<Json<Vec<ProfileJson>>, Problem> {
    Ok(Json(app::issuer::profiles(web.app(), &by).await?.iter().map(profile).collect()))
}

fn json(view: IssuerView) -> IssuerJson {
    IssuerJson {
        help: view.help,
        lineages: view.lineages,
        root: view.root.as_ref().map(authority),
        intermediate: view.intermediate.as_ref().map(authority),
        ..alone(view.issuer)
    }
}

fn alone(issuer: Issuer) -> IssuerJson {
    IssuerJson {
        id: issuer.id.to_string(),
        label: issuer.label,
        kind: issuer.kind.name(),
        withdrawn: issuer.withdrawn,
        created_at: issuer.created.to_string(),
        help: "",
        lineages: 0,
        root: None,
        intermediate: None,
    }
}

fn authority(certificate: &Certificate) -> AuthorityJson {
    AuthorityJson {
        hash: certificate.fingerprint().to_string(),
        subject: certificate.subject().to_string(),
        not_after: certificate.not_after().to_string(),
    }
}

fn profile(profile: &Profile) -> ProfileJson {
    ProfileJson {
        id: profile.id.to_string(),
        label: profile.label.clone(),
        usage: profile.usage.name(),
        client_auth: profile.client_auth,
        lifetime: profile.lifetime,
        lifetime_max: profile.lifetime_max,
        algorithms: profile.algorithms.iter().map(|algorithm| algorithm.name()).collect(),
    }
}
