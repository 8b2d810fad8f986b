//! `/api/v1/lineages`: the renewable series behind one purpose.

use std::collections::{HashMap, HashSet};

use app::cursor;
use app::filter::LineageFilter;
use app::lineage::{Adopt, LineageChange, LineageView, NewLineage};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::id::{LineageId, TargetId};
use domain::lineage::{AtRenewal, Backend};
use domain::permission::uses;
use domain::target::Deployment;
use http::StatusCode;
use pki::Fingerprint;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::body::{Body, Id, NoBody, created};
use crate::certificate::api::{EndpointJson, HistoryJson};
use crate::job::api::accepted;
use crate::list::{Asked, Listing, Paging, parse, parse_some};
use crate::routes::Parameter;
use crate::wire::{self, AttributeJson};
use crate::{Permit, Problem, Web};

/// The parameters of the list.
pub const ASKED: [Parameter; 6] = [
    Parameter::LIMIT,
    Parameter::AFTER,
    Parameter::text("text", "Only those whose name holds this."),
    Parameter::id("issuer", "Only those of this issuer."),
    Parameter::text("environment", "Only those of this environment."),
    Parameter::flag("trouble", "`true`: only those in trouble."),
];

/// Which lineages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedLineages {
    limit: Option<u32>,
    after: Option<String>,
    text: Option<String>,
    issuer: Option<String>,
    environment: Option<String>,
    trouble: Option<bool>,
}

/// A lineage with what is known of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Lineage)]
pub struct LineageJson {
    /// The id.
    id: String,
    /// Names the state of all that can be changed here; a renewal leaves it as it is. Sent along with a change, it refuses
    /// that one if somebody changed the lineage in between.
    revision: String,
    /// The name.
    name: String,
    /// The subject in text.
    subject: String,
    /// The subject in parts.
    subject_attributes: Vec<AttributeJson>,
    /// The alternative names.
    names: Vec<String>,
    /// For whom it speaks; left out when nobody said.
    #[serde(skip_serializing_if = "String::is_empty")]
    owner: String,
    /// The environment.
    environment: String,
    /// The token of its keys.
    token: String,
    /// Kind and size of its keys.
    algorithm: &'static str,
    /// `new_key` or `keep_key`.
    at_renewal: &'static str,
    /// When its keys may leave.
    exportable: &'static str,
    /// Who issues.
    issuer: String,
    /// The issuer's name on pages.
    issuer_label: String,
    /// What may be in the certificates.
    profile: String,
    /// Lifetime in seconds that is asked for; left out when it is the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetime: Option<i64>,
    /// Where it is installed.
    targets: Vec<String>,
    /// What those targets are called, in the same order.
    target_labels: Vec<String>,
    /// Where the edge passes the bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<BackendJson>,
    /// The current certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<HistoryJson>,
    /// When the next renewal is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<String>,
    /// Renewals that failed since the last that did not.
    failures: u32,
    /// Why the last renewal failed, or what a person must do; left out when all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    trouble: String,
    /// The order under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderJson>,
    /// The newest deployment on each target.
    deployments: Vec<DeploymentJson>,
    /// What was seen from outside.
    endpoints: Vec<EndpointJson>,
    /// Its certificates, newest first; only where one lineage is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    history: Vec<HistoryJson>,
    /// When it was made.
    created_at: String,
}

/// Where the edge passes the bytes.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[schema(as = Backend)]
#[serde(deny_unknown_fields)]
pub struct BackendJson {
    /// `host:port` of a TCP server.
    address: String,
    /// Whether a PROXY v2 header tells it the client's address.
    #[serde(default)]
    proxy_protocol: bool,
}

impl From<BackendJson> for Backend {
    fn from(backend: BackendJson) -> Self {
        Self { address: backend.address, proxy_protocol: backend.proxy_protocol }
    }
}

impl From<Backend> for BackendJson {
    fn from(backend: Backend) -> Self {
        Self { address: backend.address, proxy_protocol: backend.proxy_protocol }
    }
}

/// An order under way.
#[derive(Serialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderJson {
    /// The id.
    id: String,
    /// RFC 8555's state.
    state: &'static str,
    /// Why it was made.
    reason: String,
    /// The CSR that was made for it.
    csr: String,
    /// When it was made.
    created_at: String,
}

/// One certificate on one target.
#[derive(Serialize, ToSchema)]
#[schema(as = Deployment)]
pub struct DeploymentJson {
    /// The id.
    id: String,
    /// Which lineage.
    lineage: String,
    /// What that lineage is called.
    lineage_name: String,
    /// On which target.
    target: String,
    /// What that target is called.
    target_label: String,
    /// Which certificate.
    certificate: String,
    /// `planned`, `installed`, `verified`, `failed` or `rolled_back`.
    state: &'static str,
    /// What went wrong, in the target's own words; left out when nothing did.
    #[serde(skip_serializing_if = "String::is_empty")]
    trouble: String,
    /// When its state last changed.
    changed_at: String,
}

impl DeploymentJson {
    /// A deployment of the lineage and on the target that are called so.
    pub fn new(deployment: &Deployment, lineage_name: &str, target_label: &str) -> Self {
        Self {
            id: deployment.id.to_string(),
            lineage: deployment.lineage.to_string(),
            lineage_name: lineage_name.to_owned(),
            target: deployment.target.to_string(),
            target_label: target_label.to_owned(),
            certificate: deployment.certificate.to_string(),
            state: deployment.state.name(),
            trouble: deployment.trouble.clone(),
            changed_at: deployment.changed.to_string(),
        }
    }
}

/// A lineage to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLineageJson {
    /// The name; unique.
    name: String,
    /// The subject, in the order in which it shall stand.
    #[serde(default)]
    subject: Vec<AttributeJson>,
    /// The alternative names.
    #[serde(default)]
    names: Vec<String>,
    /// For whom it speaks.
    #[serde(default)]
    owner: String,
    /// The token of its keys; `system` if left out.
    token: Option<String>,
    /// Kind and size of its keys; `ec-p256` if left out.
    #[schema(schema_with = crate::schema::algorithm)]
    algorithm: Option<String>,
    /// `new_key` if left out, or `keep_key`.
    #[schema(schema_with = crate::schema::at_renewal)]
    at_renewal: Option<String>,
    /// When its keys may leave; `with_passphrase` if left out.
    #[schema(schema_with = crate::schema::exportable)]
    exportable: Option<String>,
    /// Who issues; `internal` if left out.
    issuer: Option<String>,
    /// What may be in the certificates; `tls` if left out.
    profile: Option<String>,
    /// Lifetime in seconds; the profile's if left out.
    lifetime: Option<i64>,
    /// Where it is installed; the edge of this server if left out.
    targets: Option<Vec<String>>,
    /// Where the edge passes the bytes; the status page if left out.
    backend: Option<BackendJson>,
}

/// What to change. What is left out stays; `null` for the lifetime or backend takes it away.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LineageChangeJson {
    /// The `revision` that was seen. If the lineage has another one by now, nothing is changed: 409 `lineage.changed`. Left
    /// out, it is changed whatever it is now.
    revision: Option<String>,
    /// The name.
    name: Option<String>,
    /// For whom it speaks.
    owner: Option<String>,
    /// The token of new keys.
    token: Option<String>,
    /// Kind and size of new keys.
    #[schema(schema_with = crate::schema::algorithm)]
    algorithm: Option<String>,
    /// `new_key` or `keep_key`.
    #[schema(schema_with = crate::schema::at_renewal)]
    at_renewal: Option<String>,
    /// When new keys may leave.
    #[schema(schema_with = crate::schema::exportable)]
    exportable: Option<String>,
    /// Who issues.
    issuer: Option<String>,
    /// What may be in the certificates.
    profile: Option<String>,
    /// Lifetime in seconds; `null` means the profile's.
    #[serde(deserialize_with = "present")]
    lifetime: Option<Option<i64>>,
    /// Where it is installed.
    targets: Option<Vec<String>>,
    /// Where the edge passes the bytes; `null` means the status page.
    #[serde(deserialize_with = "present")]
    backend: Option<Option<BackendJson>>,
}

/// Tells `null` from a field that is left out.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// `GET /lineages`
pub async fn list(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
    Asked(asked): Asked<AskedLineages>,
) -> Result<Json<Listing<LineageJson>>, Problem> {
    let filter = LineageFilter {
        text: asked.text,
        issuer: parse_some("issuer", asked.issuer.as_deref())?,
        environment: asked.environment,
        trouble_only: asked.trouble.unwrap_or(false),
        ..LineageFilter::default()
    };
    let paging = Paging::new(asked.limit, asked.after);
    let lineages = app::lineage::list(web.app(), &by, filter, paging.page()).await?;
    Ok(Json(paging.cut(lineages, |view| cursor::lineage(&view.lineage), json)))
}

/// `GET /lineages/{id}`
pub async fn find(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
    Id(id): Id<LineageId>,
) -> Result<Json<LineageJson>, Problem> {
    Ok(Json(json(app::lineage::find(web.app(), &by, &id).await?)))
}

/// `POST /lineages`
pub async fn create(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Body(input): Body<NewLineageJson>,
) -> Result<Response, Problem> {
    let view = app::lineage::create(web.app(), &by, new(input)?).await?;
    Ok(created(format!("/api/v1/lineages/{}", view.lineage.id), json(view)))
}

/// `PATCH /lineages/{id}`
pub async fn update(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Id(id): Id<LineageId>,
    Body(input): Body<LineageChangeJson>,
) -> Result<Json<LineageJson>, Problem> {
    Ok(Json(json(app::lineage::update(web.app(), &by, &id, change(input)?).await?)))
}

/// `DELETE /lineages/{id}`: its certificates stay.
pub async fn retire(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Id(id): Id<LineageId>,
) -> Result<StatusCode, Problem> {
    app::lineage::retire(web.app(), &by, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /lineages/{id}/renew`
pub async fn renew(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Id(id): Id<LineageId>,
    _: NoBody,
) -> Result<Response, Problem> {
    Ok(accepted(app::lineage::renew(web.app(), &by, &id).await?))
}

/// `POST /lineages/{id}/rekey`
pub async fn rekey(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Id(id): Id<LineageId>,
    _: NoBody,
) -> Result<Response, Problem> {
    Ok(accepted(app::lineage::rekey(web.app(), &by, &id).await?))
}

/// `POST /certificates/{hash}/lineage`: carries a certificate on.
pub async fn adopt(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Id(id): Id<Fingerprint>,
    Body(input): Body<LineageChangeJson>,
) -> Result<Response, Problem> {
    let wishes = Adopt { name: input.name.clone(), change: change(input)? };
    let view = app::lineage::adopt(web.app(), &by, &id, wishes).await?;
    Ok(created(format!("/api/v1/lineages/{}", view.lineage.id), json(view)))
}

fn new(input: NewLineageJson) -> Result<NewLineage, Problem> {
    Ok(NewLineage {
        name: input.name,
        subject: wire::parse_subject(&input.subject)?,
        names: wire::parse_names(&input.names)?,
        owner: input.owner,
        token: wire::token(input.token.as_deref())?,
        algorithm: wire::algorithm(input.algorithm.as_deref())?,
        at_renewal: parse_some("at_renewal", input.at_renewal.as_deref())?.unwrap_or(AtRenewal::NewKey),
        exportable: parse_some("exportable", input.exportable.as_deref())?,
        issuer: parse("issuer", input.issuer.as_deref().unwrap_or("internal"))?,
        profile: parse("profile", input.profile.as_deref().unwrap_or("tls"))?,
        lifetime: input.lifetime,
        targets: input.targets.as_deref().map_or_else(|| Ok(vec![TargetId::edge()]), targets)?,
        backend: input.backend.map(Backend::from),
    })
}

fn change(input: LineageChangeJson) -> Result<LineageChange, Problem> {
    Ok(LineageChange {
        // An empty text is a client's mistake: taken for none it would overwrite what it should not.
        seen: input.revision.as_deref().map(|text| parse("revision", text)).transpose()?,
        name: input.name,
        owner: input.owner,
        issuer: parse_some("issuer", input.issuer.as_deref())?,
        profile: parse_some("profile", input.profile.as_deref())?,
        lifetime: input.lifetime,
        token: parse_some("token", input.token.as_deref())?,
        algorithm: parse_some("algorithm", input.algorithm.as_deref())?,
        at_renewal: parse_some("at_renewal", input.at_renewal.as_deref())?,
        exportable: parse_some("exportable", input.exportable.as_deref())?,
        targets: input.targets.as_deref().map(targets).transpose()?,
        backend: input.backend.map(|backend| backend.map(Backend::from)),
    })
}

/// Ids of targets, each once.
fn targets(ids: &[String]) -> Result<Vec<TargetId>, Problem> {
    let mut seen = HashSet::new();
    ids.iter().filter(|id| seen.insert(id.as_str())).map(|id| parse("targets", id)).collect()
}

fn json(view: LineageView) -> LineageJson {
    let deployments = deployments(&view);
    let lineage = view.lineage;
    LineageJson {
        id: lineage.id.to_string(),
        revision: lineage.revision().to_string(),
        name: lineage.name,
        subject: lineage.subject.to_string(),
        subject_attributes: wire::attributes(&lineage.subject),
        names: wire::names(&lineage.names),
        owner: lineage.owner,
        environment: lineage.environment,
        token: lineage.key_rule.token.to_string(),
        algorithm: lineage.key_rule.algorithm.name(),
        at_renewal: lineage.key_rule.at_renewal.name(),
        exportable: lineage.key_rule.exportable.name(),
        issuer: lineage.issuer.to_string(),
        issuer_label: view.issuer_label,
        profile: lineage.profile.to_string(),
        lifetime: lineage.lifetime,
        targets: lineage.targets.iter().map(ToString::to_string).collect(),
        target_labels: view.target_labels,
        backend: lineage.backend.map(BackendJson::from),
        current: view.current.as_ref().map(HistoryJson::from),
        due_at: lineage.due.map(|at| at.to_string()),
        failures: lineage.failures,
        trouble: lineage.trouble,
        order: view.order.as_ref().map(order),
        deployments,
        endpoints: view.endpoints.iter().map(EndpointJson::from).collect(),
        history: view.history.iter().map(HistoryJson::from).collect(),
        created_at: lineage.created.to_string(),
    }
}

fn deployments(view: &LineageView) -> Vec<DeploymentJson> {
    let lineage = &view.lineage;
    let labels: HashMap<_, _> = lineage.targets.iter().zip(&view.target_labels).collect();
    let deployment = |held: &Deployment| {
        let label = labels.get(&held.target).map_or(held.target.as_str(), |label| label.as_str());
        DeploymentJson::new(held, &lineage.name, label)
    };
    view.deployments.iter().map(deployment).collect()
}

fn order(order: &domain::order::Order) -> OrderJson {
    OrderJson {
        id: order.id.to_string(),
        state: order.state.name(),
        reason: order.reason.clone(),
        csr: order.csr.to_string(),
        created_at: order.created.to_string(),
    }
}
