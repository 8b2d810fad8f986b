//! `POST /api/v1/certificates` and its preview: files in, and what would be or was done with them.

use app::certificate::import::{Fate, Step};
use app::certificate::{Import, Imported, Preview, Taken};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::permission::uses;
use http::header;
use pki::{Certificate, Crl, Csr};
use serde::Serialize;
use utoipa::ToSchema;

use super::api::{CertificateJson, ChainLink, json, missing_at};
use super::upload;
use crate::body::{Upload, created};
use crate::job::api::accepted;
use crate::list::Asked;
use crate::wire::{self, FindingJson};
use crate::{Permit, Problem, Web};

/// What came of an import.
#[derive(Serialize, ToSchema)]
pub struct ImportedJson {
    /// Every certificate of the files, the leaf first.
    certificates: Vec<CertificateJson>,
    /// How many of them were new here.
    new: usize,
    /// The ids of the private keys.
    keys: Vec<String>,
    /// The CSRs that were answered.
    fulfilled: Vec<String>,
    /// The lineages whose current certificate it became.
    became_current: Vec<String>,
    /// The jobs that fetch what is missing in the chains; only where the configuration says that this is done unasked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fetching: Vec<String>,
    /// What was noticed while reading.
    findings: Vec<FindingJson>,
}

/// What an import would do. Nothing is stored.
#[derive(Serialize, ToSchema)]
pub struct PreviewJson {
    /// Names all that is said here: send it as `preview` with the same files, and the import is refused if it would do
    /// anything else by then. Left out when it would be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    /// Why it would be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<RefusalJson>,
    /// Whether a job would store it: over 50 certificates.
    as_job: bool,
    /// How many certificates there are.
    certificate_count: usize,
    /// How many of them are new here.
    new: usize,
    /// The certificates, the leaf first; of a large collection the first 50.
    certificates: Vec<PreviewedCertificateJson>,
    /// The private keys.
    keys: Vec<PreviewedKeyJson>,
    /// Certificate requests; they are not stored.
    csrs: Vec<PreviewedCsrJson>,
    /// Revocation lists; they are not stored.
    crls: Vec<PreviewedCrlJson>,
    /// What was noticed while reading.
    findings: Vec<FindingJson>,
}

/// Why an import would be refused.
#[derive(Serialize, ToSchema)]
pub struct RefusalJson {
    /// The stable code.
    code: String,
    /// What is wrong, where, and what to do.
    detail: String,
}

/// A certificate of the files.
#[derive(Serialize, ToSchema)]
pub struct PreviewedCertificateJson {
    /// SHA-256 of its DER, which names it.
    hash: String,
    /// `server`, `client`, `sign`, `intermediate` or `root`.
    role: &'static str,
    /// The friendly name that it would have.
    friendly_name: String,
    /// The subject in text.
    subject: String,
    /// The issuer in text.
    issuer: String,
    /// The first moment of validity.
    not_before: String,
    /// The last moment of validity.
    not_after: String,
    /// The alternative names.
    subject_alternative_names: Vec<String>,
    /// `new`, `known` (the same certificate twice is the same row) or `hidden` (removed from view; it would come back).
    standing: &'static str,
    /// The id of its key.
    key: String,
    /// Where its private key is: `files`, `here`, `not_taken` (among the files, but not the one that is taken, or none is
    /// chosen yet) or `nowhere`.
    private_key: &'static str,
    /// The CSRs that it answers.
    fulfills: Vec<String>,
    /// `renews` (becomes its lineage's current certificate), `founds` (a lineage), `kept` (in its lineage, whose current
    /// certificate stays), `alone` (is only kept) or `for_chains` (a CA's).
    fate: &'static str,
    /// Why it does not become current.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Its lineage, if that is there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    lineage: Option<String>,
    /// The name of its lineage.
    #[serde(skip_serializing_if = "Option::is_none")]
    lineage_name: Option<String>,
    /// What is current in its lineage now; the new one can be identified by its later expiration.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<ChainLink>,
    /// Of a CA: how many certificates here name it as their issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_here: Option<i64>,
    /// The chain as it would be served: leaf first, no root.
    chain: Vec<ChainLink>,
    /// The root that the chain ends in; left out when it is not known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<ChainLink>,
    /// Where the certificate that is missing in the chain can be fetched once this is imported; left out when nothing is
    /// missing, or nobody says where it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_at: Vec<String>,
    /// What is wrong with it or its chain.
    findings: Vec<FindingJson>,
}

/// A private key of the files.
#[derive(Serialize, ToSchema)]
pub struct PreviewedKeyJson {
    /// SHA-256 of its public half; send it as `key` where there are several.
    id: String,
    /// Kind and size.
    algorithm: &'static str,
    /// What its file calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    friendly_name: Option<String>,
    /// Whether it would be taken.
    chosen: bool,
    /// The certificates of the files that it belongs to.
    fits: Vec<String>,
    /// The certificates here that it belongs to.
    fits_here: Vec<String>,
    /// The label under which it is here already.
    #[serde(skip_serializing_if = "Option::is_none")]
    here: Option<String>,
}

/// A certificate request of the files.
#[derive(Serialize, ToSchema)]
pub struct PreviewedCsrJson {
    /// SHA-256 of its DER.
    fingerprint: String,
    /// The subject in text.
    subject: String,
    /// The alternative names.
    subject_alternative_names: Vec<String>,
}

/// A revocation list of the files.
#[derive(Serialize, ToSchema)]
pub struct PreviewedCrlJson {
    /// SHA-256 of its DER.
    fingerprint: String,
    /// Who signed it.
    issuer: String,
    /// When it was made.
    this_update: String,
    /// When the next one comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_update: Option<String>,
    /// How many certificates it revokes.
    revoked: usize,
}

/// `POST /certificates`: imports files, raw, as a form, or in JSON.
pub async fn import(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Asked(asked): Asked<upload::AskedImport>,
    input: Upload<upload::ImportJson>,
) -> Result<Response, Problem> {
    let import: Import = upload::import(asked, input)?;
    match app::certificate::import(web.app(), &by, import).await? {
        Taken::Now(done) => Ok(imported(&done)),
        Taken::AsJob(job) => Ok(accepted(*job)),
    }
}

/// 201 where something is new here; the same files again are no new rows: 200.
fn imported(done: &Imported) -> Response {
    let first = done.certificates.first();
    let location = first.map(|view| format!("/api/v1/certificates/{}", view.entry.fingerprint()));
    let location = location.unwrap_or_else(|| "/api/v1/private-keys".to_owned());
    let answer = ImportedJson {
        certificates: done.certificates.iter().map(json).collect(),
        new: done.new,
        keys: done.keys.iter().map(|key| key.id.to_string()).collect(),
        fulfilled: done.fulfilled.iter().map(ToString::to_string).collect(),
        became_current: done.became_current.iter().map(ToString::to_string).collect(),
        fetching: done.fetching.iter().map(ToString::to_string).collect(),
        findings: wire::findings(&done.findings),
    };
    if done.new + done.new_keys > 0 {
        return created(location, answer);
    }
    ([(header::LOCATION, location)], Json(answer)).into_response()
}

/// `POST /certificates/preview`: says what the import of the same files would do.
pub async fn preview(
    State(web): State<Web>,
    by: Permit<uses::ManageTlsCertificates>,
    Asked(asked): Asked<upload::AskedImport>,
    input: Upload<upload::ImportJson>,
) -> Result<Json<PreviewJson>, Problem> {
    let import: Import = upload::import(asked, input)?;
    Ok(Json(previewed(app::certificate::preview(web.app(), &by, import).await?)))
}

fn previewed(preview: Preview) -> PreviewJson {
    let shown = preview.plan.steps.iter().take(app::certificate::import::FEW);
    let is_new = |step: &&Step| step.standing == app::certificate::import::Standing::New;
    PreviewJson {
        hash: preview.hash.map(|hash| hash.to_string()),
        as_job: preview.is_for_job(),
        certificate_count: preview.plan.steps.len(),
        new: preview.plan.steps.iter().filter(is_new).count(),
        certificates: shown.map(certificate).collect(),
        keys: preview
            .keys
            .iter()
            .map(|key| PreviewedKeyJson {
                id: key.id.to_string(),
                algorithm: key.algorithm.name(),
                friendly_name: key.name.clone(),
                chosen: preview.chosen == Some(key.id),
                fits: key.fits.iter().map(ToString::to_string).collect(),
                fits_here: key.fits_here.iter().map(|(hash, _)| hash.to_string()).collect(),
                here: key.here.clone(),
            })
            .collect(),
        csrs: preview.brought.csrs.iter().map(csr).collect(),
        crls: preview.brought.crls.iter().map(crl).collect(),
        findings: preview
            .brought
            .findings
            .iter()
            .chain(&preview.plan.findings)
            .map(FindingJson::from)
            .collect(),
        refusal: preview.refusal.map(|error| {
            let problem = Problem::from(error);
            RefusalJson { code: problem.code.clone(), detail: problem.detail() }
        }),
    }
}

fn certificate(step: &Step) -> PreviewedCertificateJson {
    let held = &step.entry.certificate;
    let lineage = step.fate.lineage();
    PreviewedCertificateJson {
        hash: held.fingerprint().to_string(),
        role: held.role().name(),
        friendly_name: step.entry.friendly_name.clone(),
        subject: held.subject().to_string(),
        issuer: held.issuer().to_string(),
        not_before: held.not_before().to_string(),
        not_after: held.not_after().to_string(),
        subject_alternative_names: wire::names(held.names()),
        standing: step.standing.name(),
        key: held.key_id().to_string(),
        private_key: step.key.name(),
        fulfills: step.requests.iter().map(|request| request.id.to_string()).collect(),
        fate: step.fate.name(),
        reason: step.fate.why().map(str::to_owned),
        lineage: lineage.map(|lineage| lineage.id.to_string()),
        lineage_name: lineage.map(|lineage| lineage.name.clone()),
        replaces: step.before.as_ref().filter(|_| matches!(step.fate, Fate::Renews(_))).map(link),
        issued_here: match step.fate {
            Fate::ForChains(count) => Some(count),
            Fate::Renews(_) | Fate::Kept(..) | Fate::Founds | Fate::Alone(_) => None,
        },
        chain: step.chain.served.iter().map(link).collect(),
        root: step.chain.root.as_ref().map(link),
        missing_at: missing_at(&step.chain),
        findings: wire::findings(&step.findings),
    }
}

fn link(certificate: &Certificate) -> ChainLink {
    ChainLink::from(certificate)
}

fn csr(csr: &Csr) -> PreviewedCsrJson {
    PreviewedCsrJson {
        fingerprint: csr.fingerprint().to_string(),
        subject: csr.subject().to_string(),
        subject_alternative_names: wire::names(csr.names()),
    }
}

fn crl(crl: &Crl) -> PreviewedCrlJson {
    PreviewedCrlJson {
        fingerprint: crl.fingerprint().to_string(),
        issuer: crl.issuer().to_string(),
        this_update: crl.this_update().to_string(),
        next_update: crl.next_update().map(|next| next.to_string()),
        revoked: crl.len(),
    }
}
