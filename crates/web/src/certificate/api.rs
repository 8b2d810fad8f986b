//! `/api/v1/certificates`: see, make self-signed ones, choose the default. Import and export are beside this.

use app::certificate::{CertificateView, Consequences, NewSelfSigned};
use app::cursor;
use app::filter::CertificateFilter;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::certificate::{CertificateEntry, CertificateState};
use domain::permission::uses;
use domain::target::EndpointSeen;
use http::StatusCode;
use pki::chain::Chain;
use pki::{Certificate, Fingerprint};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::{Body, Id, NoBody, created};
use crate::job::api::accepted;
use crate::key::api::wrong_form;
use crate::list::{Asked, Listing, Paging, parse_some};
use crate::routes::Parameter;
use crate::wire::{self, AttributeJson, FindingJson, Wanted};
use crate::{Permit, Problem, Web};

/// The parameters of the list.
pub const ASKED: [Parameter; 9] = [
    Parameter::LIMIT,
    Parameter::AFTER,
    Parameter::text("text", "Only those whose name holds this."),
    Parameter::one_of(
        "state",
        CertificateState::NAMES,
        "Only those in this state; all but `retired` if left out.",
    ),
    Parameter::id("lineage", "Only those of this lineage."),
    Parameter::text("environment", "Only those of this environment."),
    Parameter::flag("has_key", "`true` or `false`: only those whose private key is here, or is not."),
    Parameter::flag("include_ca", "`true`: CA certificates too."),
    Parameter::one_of(
        "order",
        &["not_after", "friendly_name"],
        "`not_after` (if left out) or `friendly_name`.",
    ),
];

/// Which certificates.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedCertificates {
    limit: Option<u32>,
    after: Option<String>,
    text: Option<String>,
    state: Option<String>,
    lineage: Option<String>,
    environment: Option<String>,
    has_key: Option<bool>,
    include_ca: Option<bool>,
    order: Option<String>,
}

/// A certificate with all that is known of it.
#[derive(Serialize, ToSchema)]
pub struct CertificateJson {
    /// SHA-256 of its DER, which names it.
    hash: String,
    /// The friendly name.
    friendly_name: String,
    /// The subject in text.
    subject: String,
    /// The subject in parts.
    subject_attributes: Vec<AttributeJson>,
    /// The issuer in text.
    issuer: String,
    /// The serial number in decimal.
    serial: String,
    /// The first moment of validity.
    not_before: String,
    /// The last moment of validity.
    not_after: String,
    /// The alternative names.
    subject_alternative_names: Vec<String>,
    /// Kind and size of its key.
    key_algorithm: String,
    /// How it was signed.
    signature_algorithm: String,
    /// What its key may be used for.
    key_usages: Vec<&'static str>,
    /// What it may be used for.
    extended_key_usages: Vec<String>,
    /// `server`, `client`, `sign`, `intermediate` or `root`.
    role: &'static str,
    /// The id of its key.
    key: String,
    /// Whether the private key is here.
    has_key: bool,
    /// `self_signed`, `internal`, `imported` or `factory`.
    source: &'static str,
    /// `issued`, `installed`, `verified`, `superseded`, `retired` or `revoked`.
    state: &'static str,
    /// Its lineage.
    #[serde(skip_serializing_if = "Option::is_none")]
    lineage: Option<String>,
    /// What its lineage is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    lineage_name: Option<String>,
    /// Whether it is its lineage's current one.
    is_current: bool,
    /// Whether the edge answers with it when no name fits.
    is_default: bool,
    /// Whether it is the factory certificate, which cannot be removed.
    is_factory: bool,
    /// When it came.
    created_at: String,
    /// Its chain as it is served: leaf first, no root.
    chain: Vec<ChainLink>,
    /// The root that the chain ends in; left out when it is not known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<ChainLink>,
    /// Where the certificate that is missing in the chain can be fetched: `complete` asks there. Left out when nothing
    /// is missing, or nobody says where it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_at: Vec<String>,
    /// What is wrong with it or its chain.
    findings: Vec<FindingJson>,
    /// What was seen of its lineage from outside; only where one certificate is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    endpoints: Vec<EndpointJson>,
    /// The certificates of its lineage, newest first; only where one certificate is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    history: Vec<HistoryJson>,
}

/// One certificate of a chain.
#[derive(Serialize, ToSchema)]
pub struct ChainLink {
    /// SHA-256 of it.
    hash: String,
    /// The subject in text.
    subject: String,
    /// The last moment of validity.
    not_after: String,
}

/// What a look from outside saw.
#[derive(Serialize, ToSchema)]
pub struct EndpointJson {
    /// Which target.
    target: String,
    /// `host:port`.
    address: String,
    /// The name that was asked for.
    name: String,
    /// What was served; left out when there was no handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    /// What went wrong; left out when nothing did.
    #[serde(skip_serializing_if = "String::is_empty")]
    trouble: String,
    /// When.
    seen_at: String,
}

impl From<&EndpointSeen> for EndpointJson {
    fn from(seen: &EndpointSeen) -> Self {
        Self {
            target: seen.target.to_string(),
            address: seen.address.clone(),
            name: seen.name.clone(),
            certificate: seen.certificate.map(|hash| hash.to_string()),
            trouble: seen.trouble.clone(),
            seen_at: seen.at.to_string(),
        }
    }
}

/// A certificate of a lineage, in short.
#[derive(Serialize, ToSchema)]
pub struct HistoryJson {
    /// SHA-256 of it.
    hash: String,
    /// The first moment of validity.
    not_before: String,
    /// The last moment of validity.
    not_after: String,
    /// Where it is in its life.
    state: &'static str,
}

impl From<&CertificateEntry> for HistoryJson {
    fn from(entry: &CertificateEntry) -> Self {
        Self {
            hash: entry.fingerprint().to_string(),
            not_before: entry.certificate.not_before().to_string(),
            not_after: entry.certificate.not_after().to_string(),
            state: entry.state.name(),
        }
    }
}

wire::made_from_a_key! {
    /// A self-signed certificate to make.
    NewSelfSignedJson {
        /// Days of validity, 1 to 3650.
        days: u32,
    }
}

/// What is to change about a certificate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateChange {
    /// The friendly name: 1 to 100 characters.
    friendly_name: String,
}

/// A self-signed certificate that was just made.
#[derive(Serialize, ToSchema)]
pub struct SelfSignedJson {
    /// The certificate.
    certificate: CertificateJson,
    /// The common name, where it became the first alternative name by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    added_name: Option<String>,
}

/// `GET /certificates`
pub async fn list(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
    Asked(asked): Asked<AskedCertificates>,
) -> Result<Json<Listing<CertificateJson>>, Problem> {
    let order = match asked.order.as_deref().unwrap_or("not_after") {
        "not_after" => app::filter::CertificateOrder::NotAfter,
        "friendly_name" => app::filter::CertificateOrder::FriendlyName,
        _ => return Err(wrong_form("order", "not_after or friendly_name")),
    };
    let filter = CertificateFilter {
        text: asked.text,
        has_key: asked.has_key,
        environment: asked.environment,
        state: parse_some("state", asked.state.as_deref())?,
        lineage: parse_some("lineage", asked.lineage.as_deref())?,
        include_ca: asked.include_ca.unwrap_or(false),
        order,
        ..CertificateFilter::default()
    };
    let paging = Paging::new(asked.limit, asked.after);
    let found = app::certificate::list(web.app(), &by, filter, paging.page()).await?;
    Ok(Json(paging.cut(found, |view| cursor::certificate(&view.entry, order), |view| json(&view))))
}

/// `GET /certificates/{hash}`
pub async fn find(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
    Id(id): Id<Fingerprint>,
) -> Result<Json<CertificateJson>, Problem> {
    Ok(Json(json(&app::certificate::find(web.app(), &by, &id).await?)))
}

/// `POST /certificates/self-signed`
pub async fn self_sign(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Body(input): Body<NewSelfSignedJson>,
) -> Result<Response, Problem> {
    let Wanted { key, subject, names } = input.wanted()?;
    let wanted = NewSelfSigned { friendly_name: input.friendly_name, key, subject, names, days: input.days };
    let made = app::certificate::self_sign(web.app(), &by, wanted).await?;
    let location = format!("/api/v1/certificates/{}", made.view.entry.fingerprint());
    let added_name = made.added_name.map(|name| name.to_string());
    Ok(created(location, SelfSignedJson { certificate: json(&made.view), added_name }))
}

/// `PATCH /certificates/{hash}`
pub async fn rename(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Id(id): Id<Fingerprint>,
    Body(input): Body<CertificateChange>,
) -> Result<Json<CertificateJson>, Problem> {
    Ok(Json(json(&app::certificate::rename(web.app(), &by, &id, &input.friendly_name).await?)))
}

/// `DELETE /certificates/{hash}`
pub async fn retire(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Id(id): Id<Fingerprint>,
) -> Result<StatusCode, Problem> {
    app::certificate::retire(web.app(), &by, &id, Consequences::Refuse).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /certificates/{hash}/default`
pub async fn set_default(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Id(id): Id<Fingerprint>,
    _: NoBody,
) -> Result<StatusCode, Problem> {
    app::certificate::set_default(web.app(), &by, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /certificates/{hash}/activate`: makes it current in its lineage.
pub async fn activate(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Id(id): Id<Fingerprint>,
    _: NoBody,
) -> Result<StatusCode, Problem> {
    app::certificate::activate(web.app(), &by, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /certificates/{hash}/complete`: a job fetches what is missing in the chain.
pub async fn complete(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Id(id): Id<Fingerprint>,
    _: NoBody,
) -> Result<Response, Problem> {
    Ok(accepted(app::certificate::complete(web.app(), &by, &id).await?))
}

/// Where what is missing in a chain can be fetched.
pub(super) fn missing_at(chain: &Chain) -> Vec<String> {
    app::certificate::missing(chain).map(|missing| missing.addresses).unwrap_or_default()
}

impl From<&Certificate> for ChainLink {
    fn from(certificate: &Certificate) -> Self {
        Self {
            hash: certificate.fingerprint().to_string(),
            subject: certificate.subject().to_string(),
            not_after: certificate.not_after().to_string(),
        }
    }
}

pub(super) fn json(view: &CertificateView) -> CertificateJson {
    let (entry, held) = (&view.entry, &view.entry.certificate);
    CertificateJson {
        hash: held.fingerprint().to_string(),
        friendly_name: entry.friendly_name.clone(),
        subject: held.subject().to_string(),
        subject_attributes: wire::attributes(held.subject()),
        issuer: held.issuer().to_string(),
        serial: held.serial_decimal(),
        not_before: held.not_before().to_string(),
        not_after: held.not_after().to_string(),
        subject_alternative_names: wire::names(held.names()),
        key_algorithm: held.public_key().label(),
        signature_algorithm: held.signature_algorithm(),
        key_usages: held.key_usages(),
        extended_key_usages: held.extended_key_usages(),
        role: held.role().name(),
        key: held.key_id().to_string(),
        has_key: entry.has_key,
        source: entry.source.name(),
        state: entry.state.name(),
        lineage: entry.lineage.as_ref().map(ToString::to_string),
        lineage_name: view.lineage.as_ref().map(|lineage| lineage.name.clone()),
        is_current: view.is_current,
        is_default: view.is_default,
        is_factory: view.is_factory,
        created_at: entry.created.to_string(),
        chain: view.chain.served.iter().map(ChainLink::from).collect(),
        root: view.chain.root.as_ref().map(ChainLink::from),
        missing_at: missing_at(&view.chain),
        findings: wire::findings(&view.findings),
        endpoints: view.endpoints.iter().map(EndpointJson::from).collect(),
        history: view.history.iter().map(HistoryJson::from).collect(),
    }
}
