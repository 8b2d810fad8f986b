//! `/api/v1/support`: the bundle, and a look into files before somebody sends them.

use app::support::Offered;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::permission::uses;
use pki::{Fingerprint, Refusal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::{Secret, Upload, attachment};
use crate::list::{Asked, parse_some};
use crate::routes::Parameter;
use crate::{Permit, Problem, Web, base64};

/// Of what the bundle is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedPapers {
    certificate: Option<String>,
}

/// The parameters of the bundle.
pub const ASKED_BUNDLE: [Parameter; 1] = [Parameter::id(
    "certificate",
    "Only this certificate and its chain, by its hash; every certificate if left out.",
)];

/// Files in JSON.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckJson {
    /// The files.
    files: Vec<CheckedFileJson>,
}

/// A file that somebody wants to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckedFileJson {
    /// What it is called.
    name: Option<String>,
    /// Its bytes in base64.
    #[schema(value_type = String)]
    content: Secret,
}

/// That nothing was found.
#[derive(Serialize, ToSchema)]
pub struct CheckAnswer {
    /// How many files were looked into, those in archives included.
    files: usize,
}

/// `GET /support/bundle`
pub async fn bundle(
    State(web): State<Web>,
    by: Permit<uses::ExportCertificate>,
    Asked(asked): Asked<AskedPapers>,
) -> Result<Response, Problem> {
    let of: Option<Fingerprint> = parse_some("certificate", asked.certificate.as_deref())?;
    Ok(attachment(app::support::bundle(web.app(), &by, of).await?))
}

/// `POST /support/check`: a private key in any of the files, in whatever form, is refused.
pub async fn check(
    State(web): State<Web>,
    by: Permit<uses::ExportCertificate>,
    input: Upload<CheckJson>,
) -> Result<Json<CheckAnswer>, Problem> {
    let looked = app::support::check(web.app(), &by, offered(input)?).await?;
    Ok(Json(CheckAnswer { files: looked.files }))
}

fn offered(input: Upload<CheckJson>) -> Result<Vec<Offered>, Problem> {
    match input {
        Upload::Raw(bytes) => Ok(vec![Offered { name: "the file".to_owned(), bytes }]),
        Upload::Form(form) => Ok(of_form(form.files)),
        Upload::Json(input) => input.files.into_iter().enumerate().map(of_json).collect(),
    }
}

/// The files of a form, under the names that their owner gives them.
pub(super) fn of_form(parts: Vec<crate::body::Part>) -> Vec<Offered> {
    let named = |(index, part): (usize, crate::body::Part)| Offered {
        name: part.name.filter(|name| !name.is_empty()).unwrap_or_else(|| numbered(index)),
        bytes: part.bytes,
    };
    parts.into_iter().enumerate().map(named).collect()
}

fn of_json((index, file): (usize, CheckedFileJson)) -> Result<Offered, Problem> {
    let bytes = base64::decode(file.content.reveal()).ok_or_else(|| {
        let refusal = Refusal::new("input.value", "this is no base64", "Send the file's bytes in base64.");
        Problem::field(&format!("files[{index}].content"), refusal)
    })?;
    Ok(Offered { name: file.name.unwrap_or_else(|| numbered(index)), bytes: bytes.into() })
}

fn numbered(index: usize) -> String {
    format!("file {}", index + 1)
}
