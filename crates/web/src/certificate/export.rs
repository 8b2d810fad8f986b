//! `GET /api/v1/certificates/{hash}/file` for what holds no private key, `POST .../export` for what does: its passphrase
//! stands in the body, never in the address. `POST /api/v1/certificates/export` for several certificates in one file.

use app::certificate::{Above, ExportForm, Exported, KeySecret, Leaf, Members, TrustPassphrase, Wanted};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::permission::uses;
use http::{HeaderName, HeaderValue, header};
use pki::format::pkcs12_write::Strength;
use pki::{Finding, Fingerprint, Refusal};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::body::{Body, Id, Secret};
use crate::idempotency::{ChangedNothing, ShownOnce};
use crate::list::{Asked, parse, parse_some};
use crate::routes::Parameter;
use crate::wire::{self, FindingJson};
use crate::{Permit, Problem, Web, disposition};

/// What the receiver of a file should know, as a JSON array of findings.
pub const FINDINGS: HeaderName = HeaderName::from_static("claviger-findings");

/// In which form it is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedFile {
    form: Option<String>,
    certificate: Option<bool>,
    members: Option<String>,
    root: Option<bool>,
}

const FILE_FORMS: &[&str] = &[
    "pem",
    "der",
    "chain",
    "fullchain",
    "p7b",
    "p7b-pem",
    "nginx",
    "apache",
    "haproxy",
    "xroad",
    "jks",
    "p12-trust",
    "auto",
];

/// The parameters of the file.
pub const ASKED_FILE: [Parameter; 4] = [
    Parameter::one_of(
        "form",
        FILE_FORMS,
        "`pem` if left out; `xroad` is certs.tar.gz; `jks` and `p12-trust` are trust stores with the root.",
    ),
    Parameter::flag("certificate", "`false`: the certificate itself is left out, where the form allows it."),
    Parameter::text(
        "members",
        "Which certificates above it: `all` (but the root), `none`, or their hashes with commas between. As the form has it if left out.",
    ),
    Parameter::flag("root", "`true`: the root too, where the chain goes in."),
];

/// A file with the private key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportJson {
    /// `p12` if left out, `pkcs8`, `key`, `pem`, `nginx`, `apache`, `haproxy`, or `auto`.
    form: Option<String>,
    /// 12 or more characters. For PKCS#12, characters of a US keyboard: Java's keytool takes no others.
    passphrase: Secret,
    /// `false`: the certificate itself is left out, where the form allows it.
    certificate: Option<bool>,
    /// Which certificates above it, by their hashes; all but the root if left out.
    members: Option<Vec<String>>,
    /// `true`: the root too, where `members` is left out.
    root: Option<bool>,
    /// `true`: PKCS#12 with 3DES and SHA-1, for devices that read nothing newer.
    legacy: Option<bool>,
}

/// Several certificates in one file, without private keys.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TogetherJson {
    /// The certificates by their hashes, 1 to 100, in the order in which they are written.
    certificates: Vec<String>,
    /// `pem` if left out, `p7b`, `p7b-pem`, `auto` (`p7b`), `jks` or `p12-trust`: trust stores with the roots of their
    /// chains.
    form: Option<String>,
    /// Which certificates above them: `all` (but the roots) or `none`. As the form has it if left out.
    members: Option<String>,
    /// `true`: the roots too, where the chains go in.
    root: Option<bool>,
    /// Of a trust store, 6 or more characters; `changeit`, Java's custom, if left out. For PKCS#12, characters of a US
    /// keyboard: Java's keytool takes no others.
    passphrase: Option<Secret>,
}

/// `GET /certificates/{hash}/file?form=pem`
pub async fn download(
    State(web): State<Web>,
    by: Permit<uses::ExportCertificate>,
    Id(id): Id<Fingerprint>,
    Asked(asked): Asked<AskedFile>,
) -> Result<Response, Problem> {
    let mut wanted = Wanted::usual(parse_some("form", asked.form.as_deref())?.unwrap_or(ExportForm::Pem));
    match asked.members.as_deref() {
        None => {}
        Some("all") => wanted.members = Members::Usual,
        Some("none" | "") => wanted.members = Members::None,
        Some(hashes) => wanted.members = these(hashes.split(','))?,
    }
    narrow(&mut wanted, asked.certificate, asked.root)?;
    let exported =
        app::certificate::export(web.app(), &by, &id, &wanted, &TrustPassphrase::default()).await?;
    Ok(answer(exported))
}

/// `POST /certificates/export`
pub async fn together(
    State(web): State<Web>,
    by: Permit<uses::ExportCertificate>,
    Body(input): Body<TogetherJson>,
) -> Result<Response, Problem> {
    let form = parse_some("form", input.form.as_deref())?.unwrap_or(ExportForm::Pem);
    let ids: Result<Vec<Fingerprint>, Problem> =
        input.certificates.iter().map(|hash| parse("certificates", hash)).collect();
    let above = above(form, input.members.as_deref(), input.root.unwrap_or(false))?;
    let passphrase = trust_passphrase(form, input.passphrase)?;
    let exported =
        app::certificate::export_together(web.app(), &by, &ids?, (form, above), &passphrase).await?;
    let mut response = answer(exported);
    response.extensions_mut().insert(ChangedNothing);
    Ok(response)
}

/// Which certificates above those that are named go in.
fn above(form: ExportForm, members: Option<&str>, root: bool) -> Result<Above, Problem> {
    let above = match members {
        None => Above::usual(form),
        Some("all") => Above::Usual,
        Some("none") => Above::None,
        Some(_) => {
            let what = "of several certificates only all members of the chains can go along, or none";
            let refusal = Refusal::new("input.value", what, "Send all or none.");
            return Err(Problem::field("members", refusal));
        }
    };
    Ok(match (above, root) {
        (Above::Usual, true) => Above::WithRoots,
        (Above::None | Above::WithRoots, _) | (Above::Usual, false) => above,
    })
}

/// Under what a trust store is written; a passphrase for anything else is a mistake, and not passed over.
fn trust_passphrase(form: ExportForm, given: Option<Secret>) -> Result<TrustPassphrase, Problem> {
    match given {
        None => Ok(TrustPassphrase::default()),
        Some(_) if !form.is_trust_store() => {
            let what = "only a trust store has a passphrase where no private key goes along";
            let refusal = Refusal::new("input.value", what, "Leave it out, or choose a trust store.");
            Err(Problem::field("passphrase", refusal))
        }
        Some(secret) => TrustPassphrase::chosen(secret.into_inner())
            .map_err(|refusal| Problem::field("passphrase", refusal)),
    }
}

/// `POST /certificates/{hash}/export`
pub async fn export(
    State(web): State<Web>,
    by: Permit<uses::ExportPrivateKey>,
    Id(id): Id<Fingerprint>,
    Body(input): Body<ExportJson>,
) -> Result<Response, Problem> {
    let form = parse_some("form", input.form.as_deref())?.unwrap_or(ExportForm::Pkcs12);
    let mut wanted = Wanted { members: Members::Usual, ..Wanted::usual(form) };
    if let Some(hashes) = &input.members {
        wanted.members = these(hashes.iter().map(String::as_str))?;
    }
    narrow(&mut wanted, input.certificate, input.root)?;
    let strength = if input.legacy.unwrap_or(false) { Strength::Legacy } else { Strength::Modern };
    let secret = KeySecret { passphrase: input.passphrase.into_inner(), strength };
    let exported = app::certificate::export_with_key(web.app(), &by, &id, &wanted, secret).await?;
    let mut response = answer(exported);
    response.extensions_mut().insert(ShownOnce);
    Ok(response)
}

fn these<'a>(hashes: impl Iterator<Item = &'a str>) -> Result<Members, Problem> {
    let hashes: Result<Vec<Fingerprint>, Problem> =
        hashes.map(|hash| parse("members", hash.trim())).collect();
    hashes.map(|hashes| if hashes.is_empty() { Members::None } else { Members::These(hashes) })
}

fn narrow(wanted: &mut Wanted, certificate: Option<bool>, root: Option<bool>) -> Result<(), Problem> {
    if certificate == Some(false) {
        wanted.certificate = Leaf::LeftOut;
    }
    match (&wanted.members, root) {
        (Members::Usual, Some(true)) => wanted.members = Members::WithRoot,
        (Members::None | Members::WithRoot, _) | (_, None | Some(false)) => {}
        (Members::These(_), Some(true)) => {
            let what = "the members are named one by one, so the root is among them or not";
            let refusal = Refusal::new("input.value", what, "Send either members or root.");
            return Err(Problem::field("root", refusal));
        }
    }
    Ok(())
}

/// The file as it is saved, kept by nobody on the way, with what its receiver should know.
pub fn answer(exported: Exported) -> Response {
    let Exported { file, friendly_name, findings } = exported;
    // X-Road's tools know this file by its name alone.
    let friendly_name = if file.name == "certs.tar.gz" { "" } else { friendly_name.as_str() };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(file.media_type)),
        (header::CONTENT_DISPOSITION, disposition::attachment(&file.name, friendly_name)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let mut response = (headers, file.bytes).into_response();
    if let Some(said) = said(&findings) {
        response.headers_mut().insert(FINDINGS, said);
    }
    response
}

/// Findings in a header; none when there are none.
fn said(findings: &[Finding]) -> Option<HeaderValue> {
    let findings: Vec<FindingJson> = wire::findings(findings);
    if findings.is_empty() {
        return None;
    }
    // Our sentences are ASCII; one that is not would be left out rather than break the answer.
    serde_json::to_string(&findings).ok().filter(|text| text.is_ascii())?.try_into().ok()
}
