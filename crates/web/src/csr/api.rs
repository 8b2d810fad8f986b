//! `/api/v1/csrs`: certificate requests, byte-identical at each download.

use app::certificate::File;
use app::csr::{CsrView, NewCsr};
use app::cursor;
use app::filter::CsrFilter;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::csr::{CsrEntry, CsrState};
use domain::id::CsrId;
use domain::permission::uses;
use http::StatusCode;
use pki::format::pem_write;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::{Body, Id, attachment, created};
use crate::key::api::wrong_form;
use crate::list::{Asked, Listing, Paging, parse_some};
use crate::routes::Parameter;
use crate::wire::{self, AttributeJson, FindingJson, Wanted};
use crate::{Permit, Problem, Web};

/// The parameters of the list.
pub const ASKED: [Parameter; 6] = [
    Parameter::LIMIT,
    Parameter::AFTER,
    Parameter::one_of("state", CsrState::NAMES, "Only `waiting`, `fulfilled` or `withdrawn` ones."),
    Parameter::id("key", "Only those of this key."),
    Parameter::id("lineage", "Only those of this lineage."),
    Parameter::text("text", "Only those whose name holds this."),
];

/// Which CSRs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedCsrs {
    limit: Option<u32>,
    after: Option<String>,
    state: Option<String>,
    key: Option<String>,
    lineage: Option<String>,
    text: Option<String>,
}

/// In which form it is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedFile {
    format: Option<String>,
}

/// A CSR.
#[derive(Serialize, ToSchema)]
pub struct Csr {
    /// The id.
    id: String,
    /// The friendly name.
    friendly_name: String,
    /// Its key.
    key: String,
    /// The subject in text.
    subject: String,
    /// The subject in parts.
    subject_attributes: Vec<AttributeJson>,
    /// The alternative names.
    subject_alternative_names: Vec<String>,
    /// Kind and size of its key.
    key_algorithm: String,
    /// SHA-256 of its DER.
    fingerprint: String,
    /// `waiting`, `fulfilled` or `withdrawn`.
    state: &'static str,
    /// The lineage that it would renew.
    #[serde(skip_serializing_if = "Option::is_none")]
    lineage: Option<String>,
    /// What that lineage is called; only where one CSR is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    lineage_name: Option<String>,
    /// When it was made.
    created_at: String,
    /// The request itself, to copy.
    pem: String,
    /// What is odd about it.
    findings: Vec<FindingJson>,
}

wire::made_from_a_key! {
    /// A CSR to make.
    NewCsrJson {
        /// The lineage that it would renew.
        lineage: Option<String>,
    }
}

/// A CSR that was just made.
#[derive(Serialize, ToSchema)]
pub struct CsrCreatedJson {
    /// The CSR.
    csr: Csr,
    /// The common name, where it became the first alternative name by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    added_name: Option<String>,
}

/// `GET /csrs`
pub async fn list(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
    Asked(asked): Asked<AskedCsrs>,
) -> Result<Json<Listing<Csr>>, Problem> {
    let filter = CsrFilter {
        state: parse_some("state", asked.state.as_deref())?,
        key: parse_some("key", asked.key.as_deref())?,
        lineage: parse_some("lineage", asked.lineage.as_deref())?,
        text: asked.text,
    };
    let paging = Paging::new(asked.limit, asked.after);
    let csrs = app::csr::list(web.app(), &by, filter, paging.page()).await?;
    Ok(Json(paging.cut(csrs, |view| cursor::csr(&view.entry), |view| json(&view))))
}

/// `POST /csrs`
pub async fn create(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Body(input): Body<NewCsrJson>,
) -> Result<Response, Problem> {
    let Wanted { key, subject, names } = input.wanted()?;
    let lineage = parse_some("lineage", input.lineage.as_deref())?;
    let wanted = NewCsr { friendly_name: input.friendly_name, key, subject, names, lineage };
    let made = app::csr::create(web.app(), &by, wanted).await?;
    let view = view(made.entry)?;
    let location = format!("/api/v1/csrs/{}", view.entry.id);
    let added_name = made.added_name.map(|name| name.to_string());
    Ok(created(location, CsrCreatedJson { csr: json(&view), added_name }))
}

/// What stands in a CSR that was just made.
fn view(entry: CsrEntry) -> Result<CsrView, Problem> {
    let csr = pki::Csr::parse(&entry.der)
        .map_err(|refusal| app::Error::internal("a new CSR cannot be read", &refusal))?;
    Ok(CsrView { entry, csr })
}

/// `GET /csrs/{id}`
pub async fn find(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
    Id(id): Id<CsrId>,
) -> Result<Json<Csr>, Problem> {
    let view = app::csr::find(web.app(), &by, &id).await?;
    let lineage_name = match &view.entry.lineage {
        // One that was removed has no name any more.
        Some(lineage) => {
            app::lineage::find(web.app(), &by, lineage).await.ok().map(|found| found.lineage.name)
        }
        None => None,
    };
    Ok(Json(Csr { lineage_name, ..json(&view) }))
}

/// The parameter of the file.
pub const ASKED_FILE: [Parameter; 1] = [Parameter::one_of("format", &["PEM", "DER"], "`PEM` if left out.")];

/// `GET /csrs/{id}/file?format=PEM`
pub async fn download(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
    Id(id): Id<CsrId>,
    Asked(asked): Asked<AskedFile>,
) -> Result<Response, Problem> {
    let form = match asked.format.as_deref().unwrap_or("PEM") {
        "PEM" | "pem" => CsrForm::Pem,
        "DER" | "der" => CsrForm::Der,
        _ => return Err(wrong_form("format", "PEM or DER")),
    };
    Ok(attachment(file(&app::csr::find(web.app(), &by, &id).await?.entry, form)))
}

/// `DELETE /csrs/{id}`: gives it up; its key is kept.
pub async fn withdraw(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Id(id): Id<CsrId>,
) -> Result<StatusCode, Problem> {
    app::csr::withdraw(web.app(), &by, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The forms of a CSR file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsrForm {
    /// PEM, for people and most CAs.
    Pem,
    /// DER.
    Der,
}

/// The CSR as a file: the bytes that were signed, named like X-Road's (`XROAD.md` 3).
pub fn file(entry: &CsrEntry, form: CsrForm) -> File {
    let date: String = entry.created.to_string().chars().filter(char::is_ascii_digit).take(8).collect();
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '_' };
    let name: String = entry.friendly_name.chars().map(allowed).take(60).collect();
    let (end, media_type, bytes) = match form {
        CsrForm::Pem => ("pem", "application/x-pem-file", pem_write::csr(&entry.der).into_bytes()),
        CsrForm::Der => ("der", "application/pkcs10", entry.der.clone()),
    };
    File { name: format!("tls_csr_{date}_{name}.{end}"), media_type, bytes }
}

fn json(view: &CsrView) -> Csr {
    let (entry, csr) = (&view.entry, &view.csr);
    Csr {
        id: entry.id.to_string(),
        friendly_name: entry.friendly_name.clone(),
        key: entry.key.to_string(),
        subject: csr.subject().to_string(),
        subject_attributes: wire::attributes(csr.subject()),
        subject_alternative_names: wire::names(csr.names()),
        key_algorithm: csr.public_key().label(),
        fingerprint: entry.fingerprint.to_string(),
        state: entry.state.name(),
        lineage: entry.lineage.as_ref().map(ToString::to_string),
        lineage_name: None,
        created_at: entry.created.to_string(),
        pem: pem_write::csr(&entry.der),
        findings: wire::findings(&csr.findings()),
    }
}
