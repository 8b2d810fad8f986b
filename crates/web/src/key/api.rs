//! `/api/v1/private-keys`: every key, whatever it is for.

use app::cursor;
use app::filter::KeyFilter;
use app::key::{KeyChange, KeyView, NewKey};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::certificate::CertificateEntry;
use domain::csr::CsrEntry;
use domain::key::{Key, KeyState, KeyUsage};
use domain::permission::uses;
use http::{StatusCode, header};
use pki::KeyId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::{Body, Id, NoBody, Secret, created};
use crate::idempotency::ShownOnce;
use crate::list::{Asked, Listing, Paging, parse, parse_some};
use crate::routes::Parameter;
use crate::{Permit, Problem, Web, wire};

/// The parameters of the list.
pub const ASKED: [Parameter; 6] = [
    Parameter::LIMIT,
    Parameter::AFTER,
    Parameter::id("token", "Only keys of this token."),
    Parameter::one_of(
        "usage",
        KeyUsage::NAMES,
        "Only keys for this: `tls`, `sign`, `auth`, `ca`, `account`, `node`.",
    ),
    Parameter::one_of(
        "state",
        KeyState::NAMES,
        "Only keys in this state: `active`, `retired`, `compromised`, `destroyed`.",
    ),
    Parameter::text("text", "Only keys whose name holds this."),
];

/// Which keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedKeys {
    limit: Option<u32>,
    after: Option<String>,
    token: Option<String>,
    usage: Option<String>,
    state: Option<String>,
    text: Option<String>,
}

/// A key. The private half is never here.
#[derive(Serialize, ToSchema)]
pub struct PrivateKey {
    /// SHA-256 of the public key, 64 hex digits.
    id: String,
    /// The friendly name.
    label: String,
    /// The token that holds it.
    token: String,
    /// What it is for; left out while it is for nothing yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<&'static str>,
    /// Kind and size.
    algorithm: &'static str,
    /// When it may leave: `never`, `to_targets`, `with_passphrase`.
    exportable: &'static str,
    /// `generated` or `imported`.
    born: &'static str,
    /// What survives the loss of the machine: `backed_up`, `this_node_only`, `hsm`.
    durability: &'static str,
    /// `active`, `retired`, `compromised` or `destroyed`.
    state: &'static str,
    /// When it was made or imported.
    created_at: String,
    /// When it was retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    retired_at: Option<String>,
    /// When it first left in a person's hands.
    #[serde(skip_serializing_if = "Option::is_none")]
    exported_at: Option<String>,
    /// Its CSRs.
    csrs: Vec<KeyCsr>,
    /// Its certificates, the one that ends last first; at most 100.
    certificates: Vec<KeyCertificate>,
    /// How many certificates it has besides; left out where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    more_certificates: Option<usize>,
}

/// A CSR of a key.
#[derive(Serialize, ToSchema)]
pub struct KeyCsr {
    /// Its id.
    id: String,
    /// Its friendly name.
    friendly_name: String,
    /// `waiting`, `fulfilled` or `withdrawn`.
    state: &'static str,
}

/// A certificate of a key.
#[derive(Serialize, ToSchema)]
pub struct KeyCertificate {
    /// SHA-256 of it.
    hash: String,
    /// Its friendly name.
    friendly_name: String,
    /// The last moment of its validity.
    not_after: String,
}

/// A key to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPrivateKey {
    /// The friendly name.
    #[schema(schema_with = crate::schema::some_text)]
    label: String,
    /// The token; `system` if left out.
    token: Option<String>,
    /// `ec-p256` if left out; `ec-p384`, `ed25519`, `rsa-2048`, `rsa-3072`, `rsa-4096`.
    #[schema(schema_with = crate::schema::algorithm)]
    algorithm: Option<String>,
    /// When it may leave; `with_passphrase` if left out.
    #[schema(schema_with = crate::schema::exportable)]
    exportable: Option<String>,
}

/// What to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivateKeyChange {
    /// The friendly name.
    label: Option<String>,
    /// When it may leave: can be lowered, never raised.
    #[schema(schema_with = crate::schema::exportable)]
    exportable: Option<String>,
}

/// The passphrase under which a key leaves.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyExport {
    /// 12 or more characters.
    passphrase: Secret,
    /// `pem` if left out, or `der`.
    form: Option<String>,
}

/// `GET /private-keys`
pub async fn list(
    State(web): State<Web>,
    by: Permit<uses::ViewKeys>,
    Asked(asked): Asked<AskedKeys>,
) -> Result<Json<Listing<PrivateKey>>, Problem> {
    let filter = KeyFilter {
        token: parse_some("token", asked.token.as_deref())?,
        usage: parse_some("usage", asked.usage.as_deref())?,
        state: parse_some("state", asked.state.as_deref())?,
        text: asked.text,
    };
    let paging = Paging::new(asked.limit, asked.after);
    let keys = app::key::list(web.app(), &by, filter, paging.page()).await?;
    Ok(Json(paging.cut(keys, |view| cursor::key(&view.key), json)))
}

/// `POST /private-keys`
pub async fn generate(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Body(input): Body<NewPrivateKey>,
) -> Result<Response, Problem> {
    let input = NewKey {
        label: input.label,
        token: wire::token(input.token.as_deref())?,
        algorithm: wire::algorithm(input.algorithm.as_deref())?,
        exportable: parse_some("exportable", input.exportable.as_deref())?,
    };
    let key = app::key::generate(web.app(), &by, input).await?;
    Ok(created(format!("/api/v1/private-keys/{}", key.id), childless(key)))
}

/// `GET /private-keys/{id}`
pub async fn find(
    State(web): State<Web>,
    by: Permit<uses::ViewKeys>,
    Id(id): Id<KeyId>,
) -> Result<Json<PrivateKey>, Problem> {
    Ok(Json(json(app::key::find(web.app(), &by, &id).await?)))
}

/// `PATCH /private-keys/{id}`
pub async fn update(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Id(id): Id<KeyId>,
    Body(input): Body<PrivateKeyChange>,
) -> Result<Json<PrivateKey>, Problem> {
    let exportable = input.exportable.as_deref().map(|text| parse("exportable", text)).transpose()?;
    let key = app::key::update(web.app(), &by, &id, KeyChange { label: input.label, exportable }).await?;
    Ok(Json(childless(key)))
}

/// `DELETE /private-keys/{id}`: retires the key for the keep time.
pub async fn retire(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Id(id): Id<KeyId>,
) -> Result<StatusCode, Problem> {
    app::key::retire(web.app(), &by, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /private-keys/{id}/restore`
pub async fn restore(
    State(web): State<Web>,
    by: Permit<uses::RestoreKey>,
    Id(id): Id<KeyId>,
    _: NoBody,
) -> Result<StatusCode, Problem> {
    app::key::restore(web.app(), &by, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /private-keys/{id}/export`: the private key as encrypted PKCS#8.
pub async fn export(
    State(web): State<Web>,
    by: Permit<uses::ExportPrivateKey>,
    Id(id): Id<KeyId>,
    Body(input): Body<KeyExport>,
) -> Result<Response, Problem> {
    let form = match input.form.as_deref().unwrap_or("pem") {
        "pem" => KeyForm::Pem,
        "der" => KeyForm::Der,
        _ => return Err(wrong_form("form", "pem or der")),
    };
    let der = app::key::export(web.app(), &by, &id, input.passphrase.reveal()).await?;
    let (bytes, kind, end) = match form {
        KeyForm::Pem => {
            (pki::format::pem_write::encrypted_key(&der).into_bytes(), "application/x-pem-file", "pem")
        }
        KeyForm::Der => (der.to_vec(), "application/pkcs8-encrypted", "p8"),
    };
    let name = format!("attachment; filename=\"key_{}.{end}\"", &id.to_string()[..16]);
    let headers = [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, name)];
    let mut response = (headers, bytes).into_response();
    response.extensions_mut().insert(ShownOnce);
    Ok(response)
}

enum KeyForm {
    Pem,
    Der,
}

/// One of a few words was expected.
pub(crate) fn wrong_form(field: &str, words: &str) -> Problem {
    let what = format!("{field} is none of {words}");
    Problem::field(field, pki::Refusal::new("input.value", what, format!("Use {words}.")))
}

fn json(view: KeyView) -> PrivateKey {
    let csrs = view.csrs.iter().map(csr).collect();
    let certificates = view.certificates.iter().map(certificate).collect();
    let more_certificates = Some(view.more_certificates).filter(|more| *more > 0);
    PrivateKey { csrs, certificates, more_certificates, ..childless(view.key) }
}

fn childless(key: Key) -> PrivateKey {
    PrivateKey {
        id: key.id.to_string(),
        label: key.label,
        token: key.token.to_string(),
        usage: key.usage.map(|usage| usage.name()),
        algorithm: key.algorithm.name(),
        exportable: key.exportable.name(),
        born: key.born.name(),
        durability: key.durability.name(),
        state: key.state.name(),
        created_at: key.created.to_string(),
        retired_at: key.retired.map(|at| at.to_string()),
        exported_at: key.exported.map(|at| at.to_string()),
        csrs: Vec::new(),
        certificates: Vec::new(),
        more_certificates: None,
    }
}

fn csr(entry: &CsrEntry) -> KeyCsr {
    KeyCsr { id: entry.id.to_string(), friendly_name: entry.friendly_name.clone(), state: entry.state.name() }
}

fn certificate(entry: &CertificateEntry) -> KeyCertificate {
    KeyCertificate {
        hash: entry.fingerprint().to_string(),
        friendly_name: entry.friendly_name.clone(),
        not_after: entry.certificate.not_after().to_string(),
    }
}
