//! `/api/v1/targets` and `/api/v1/target-kinds`.

use std::collections::BTreeMap;

use app::target::{NewTarget, TargetChange, TargetView};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::connector::{Field, FieldKind, Need, Secrecy};
use domain::id::TargetId;
use domain::permission::uses;
use domain::target::Deployment;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::{Body, Id, created};
use crate::certificate::api::EndpointJson;
use crate::job::api::accepted;
use crate::lineage::api::DeploymentJson;
use crate::list::parse;
use crate::{Permit, Problem, Web};

/// A target. Secret settings are never shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Target)]
pub struct TargetJson {
    /// The id.
    id: String,
    /// The name on pages.
    label: String,
    /// Which kind it is of.
    kind: String,
    /// Its settings by name.
    settings: BTreeMap<String, String>,
    /// `host:port` of every address from which it serves.
    addresses: Vec<String>,
    /// The lineages that are installed there.
    lineages: Vec<TargetLineage>,
    /// The newest deployment of each lineage.
    deployments: Vec<DeploymentJson>,
    /// What was seen from outside.
    endpoints: Vec<EndpointJson>,
    /// When it was made.
    created_at: String,
}

/// A lineage of a target.
#[derive(Serialize, ToSchema)]
pub struct TargetLineage {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
}

/// A kind of target, and what it needs.
#[derive(Serialize, ToSchema)]
pub struct TargetKind {
    /// The stable name.
    kind: &'static str,
    /// The name on pages.
    label: &'static str,
    /// What it is for.
    help: &'static str,
    /// Its settings.
    fields: Vec<FieldJson>,
}

/// A setting of a kind of target.
#[derive(Serialize, ToSchema)]
pub struct FieldJson {
    /// The stable name.
    name: &'static str,
    /// The name on pages.
    label: &'static str,
    /// What it is.
    help: &'static str,
    /// `text`, `path`, `number`, `choice`, `address`, `address_list` or `flag`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What may be chosen.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    choices: &'static [&'static str],
    /// Whether it must be there.
    required: bool,
    /// Whether it is never shown again.
    secret: bool,
    /// What is taken when it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<&'static str>,
}

/// A target to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTargetJson {
    /// The name on pages.
    #[schema(schema_with = crate::schema::some_text)]
    label: String,
    /// Which kind, `files` say.
    #[schema(schema_with = crate::schema::some_text)]
    kind: String,
    /// Its settings by name.
    #[serde(default)]
    settings: BTreeMap<String, String>,
    /// `host:port` of every address from which it serves.
    #[serde(default)]
    addresses: Vec<String>,
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetChangeJson {
    /// The name on pages.
    label: Option<String>,
    /// All settings; secret ones that are left out stay.
    settings: Option<BTreeMap<String, String>>,
    /// All addresses.
    addresses: Option<Vec<String>>,
}

/// What to install.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDeployment {
    /// The lineage whose current certificate is installed.
    lineage: String,
}

/// `GET /target-kinds`
pub async fn kinds(_by: Permit<uses::ViewCertificates>) -> Json<Vec<TargetKind>> {
    let kinds = app::target::kinds().iter().map(|kind| {
        let about = kind.about();
        let fields = about.fields.iter().map(field).collect();
        TargetKind { kind: about.kind, label: about.label, help: about.help, fields }
    });
    Json(kinds.collect())
}

/// `GET /targets`
pub async fn list(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
) -> Result<Json<Vec<TargetJson>>, Problem> {
    Ok(Json(app::target::list(web.app(), &by).await?.into_iter().map(json).collect()))
}

/// `GET /targets/{id}`
pub async fn find(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
    Id(id): Id<TargetId>,
) -> Result<Json<TargetJson>, Problem> {
    Ok(Json(json(app::target::find(web.app(), &by, &id).await?)))
}

/// `POST /targets`
pub async fn create(
    State(web): State<Web>,
    by: Permit<uses::ManageTargets>,
    Body(input): Body<NewTargetJson>,
) -> Result<Response, Problem> {
    let input = NewTarget {
        label: input.label,
        kind: input.kind,
        settings: input.settings,
        addresses: input.addresses,
    };
    let view = app::target::create(web.app(), &by, input).await?;
    Ok(created(format!("/api/v1/targets/{}", view.target.id), json(view)))
}

/// `PATCH /targets/{id}`
pub async fn update(
    State(web): State<Web>,
    by: Permit<uses::ManageTargets>,
    Id(id): Id<TargetId>,
    Body(input): Body<TargetChangeJson>,
) -> Result<Json<TargetJson>, Problem> {
    let change = TargetChange { label: input.label, settings: input.settings, addresses: input.addresses };
    Ok(Json(json(app::target::update(web.app(), &by, &id, change).await?)))
}

/// `DELETE /targets/{id}`
pub async fn retire(
    State(web): State<Web>,
    by: Permit<uses::ManageTargets>,
    Id(id): Id<TargetId>,
) -> Result<StatusCode, Problem> {
    app::target::retire(web.app(), &by, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /targets/{id}/deployments`: installs a lineage's current certificate again.
pub async fn deploy(
    State(web): State<Web>,
    by: Permit<uses::Deploy>,
    Id(id): Id<TargetId>,
    Body(input): Body<NewDeployment>,
) -> Result<Response, Problem> {
    let lineage = parse("lineage", &input.lineage)?;
    Ok(accepted(app::target::deploy(web.app(), &by, &id, &lineage).await?))
}

fn field(field: &Field) -> FieldJson {
    let (kind, choices): (_, &[&str]) = match field.kind {
        FieldKind::Text => ("text", &[]),
        FieldKind::Path => ("path", &[]),
        FieldKind::Number => ("number", &[]),
        FieldKind::Choice(choices) => ("choice", choices),
        FieldKind::Address => ("address", &[]),
        FieldKind::AddressList => ("address_list", &[]),
        FieldKind::Flag => ("flag", &[]),
    };
    FieldJson {
        name: field.name,
        label: field.label,
        help: field.help,
        kind,
        choices,
        required: field.need == Need::Required && field.default.is_none(),
        secret: field.secrecy == Secrecy::Secret,
        default: field.default,
    }
}

fn json(view: TargetView) -> TargetJson {
    let names: BTreeMap<_, _> = view.lineages.iter().map(|held| (&held.id, held.name.as_str())).collect();
    let deployment = |held: &Deployment| {
        let name = names.get(&held.lineage).copied().unwrap_or(held.lineage.as_str());
        DeploymentJson::new(held, name, &view.target.label)
    };
    let deployments = view.deployments.iter().map(deployment).collect();
    let lineage =
        |held: &domain::lineage::Lineage| TargetLineage { id: held.id.to_string(), name: held.name.clone() };
    TargetJson {
        id: view.target.id.to_string(),
        label: view.target.label,
        kind: view.target.kind,
        settings: view.target.settings,
        addresses: view.target.addresses,
        lineages: view.lineages.iter().map(lineage).collect(),
        deployments,
        endpoints: view.endpoints.iter().map(EndpointJson::from).collect(),
        created_at: view.target.created.to_string(),
    }
}
