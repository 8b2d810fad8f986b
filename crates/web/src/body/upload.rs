//! Files that come in: raw, as a form with files, or as texts in JSON. At most [`MAX_UPLOAD`].

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::form::{Fields, take_csrf};
use super::multipart::{Fault, pieces};
use super::{MAX_UPLOAD, media_type, read_all, wrong_type};
use crate::{Problem, Web, idempotency, json};

/// The most parts of one upload.
const MAX_PARTS: usize = 200;

/// A file of a form.
pub struct Part {
    /// The field's name.
    pub field: String,
    /// What its owner calls the file: for showing, nothing depends on it.
    pub name: Option<String>,
    /// The file's bytes.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// A form with files from a page; the token against forged requests was checked.
pub struct PageUpload {
    /// The files that are not empty.
    pub files: Vec<Part>,
    /// The other fields in their order, as they were typed.
    pub fields: Fields,
}

impl PageUpload {
    /// The first value of the field with this name, without blanks around it.
    pub fn text(&self, name: &str) -> Option<&str> {
        let first = self.fields.iter().find(|(held, _)| held == name);
        first.map(|(_, value)| value.trim())
    }

    /// Every value of the field with this name, without blanks around them.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.typed(name).map(str::trim)
    }

    /// Every value of the field with this name as it was typed, for passphrases.
    pub fn typed<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(held, _)| held == name).map(|(_, value)| value.as_str())
    }
}

impl FromRequest<Web> for PageUpload {
    type Rejection = Problem;

    async fn from_request(request: Request, _web: &Web) -> Result<Self, Problem> {
        let (parts, stream) = request.into_parts();
        let bytes = read_all(&parts, stream, MAX_UPLOAD).await?;
        let mut upload = split(&parts, &bytes)?;
        take_csrf(&parts, &mut upload.fields)?;
        Ok(upload)
    }
}

/// What the API takes where a file is wanted.
pub enum Upload<T> {
    /// The file alone, as X-Road's clients send it: `application/octet-stream`, or any type for PEM and DER.
    Raw(Zeroizing<Vec<u8>>),
    /// A form with files.
    Form(PageUpload),
    /// JSON with the files in it as texts.
    Json(T),
}

impl<T: DeserializeOwned + Send> FromRequest<Web> for Upload<T> {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        let (parts, stream) = request.into_parts();
        let read = async {
            let bytes = read_all(&parts, stream, MAX_UPLOAD).await?;
            let mark = idempotency::mark(web, &parts, &bytes);
            Ok::<_, Problem>((mark, Self::read(&parts, bytes)?))
        };
        let (mark, upload) = read.await.map_err(Problem::into_response)?;
        idempotency::begin_marked(web, &parts, mark).await.map_err(|again| *again)?;
        Ok(upload)
    }
}

impl<T: DeserializeOwned> Upload<T> {
    fn read(parts: &Parts, bytes: Zeroizing<Vec<u8>>) -> Result<Self, Problem> {
        match media_type(&parts.headers).as_str() {
            "application/json" => Ok(Self::Json(json::read(&bytes)?)),
            "multipart/form-data" => Ok(Self::Form(split(parts, &bytes)?)),
            "application/octet-stream"
            | "application/x-pem-file"
            | "application/pem-certificate-chain"
            | "application/pkix-cert"
            | "application/x-x509-ca-cert" => Ok(Self::Raw(bytes)),
            _ => Err(wrong_type("application/octet-stream")),
        }
    }
}

/// Takes a multipart body apart.
fn split(parts: &Parts, bytes: &[u8]) -> Result<PageUpload, Problem> {
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let pieces = pieces(kind, bytes, MAX_PARTS).map_err(refuse)?;
    let mut upload = PageUpload { files: Vec::new(), fields: Fields::new(Vec::with_capacity(pieces.len())) };
    for piece in pieces {
        match (piece.file_name, piece.bytes) {
            // A file field that was left empty.
            (Some(_), []) => {}
            (name @ Some(_), bytes) => {
                upload.files.push(Part { field: piece.field, name, bytes: Zeroizing::new(bytes.to_vec()) });
            }
            (None, bytes) => upload.fields.push((piece.field, text(bytes)?)),
        }
    }
    Ok(upload)
}

fn refuse(fault: Fault) -> Problem {
    let what = match fault {
        Fault::Boundary => return wrong_type("multipart/form-data"),
        Fault::TooMany => return too_many_parts(),
        Fault::CutOff => "the form with files ends before its last line",
        Fault::Head => "the form with files has a part that does not say which field it is",
    };
    Problem::bad_request("input.form", what, "Send it again.")
}

fn too_many_parts() -> Problem {
    let what = format!("the form has more than {MAX_PARTS} files and fields");
    let repair = "Send fewer files at once, or several certificates in one file.";
    Problem::new(http::StatusCode::PAYLOAD_TOO_LARGE, "input.too_large", what, repair)
}

fn text(bytes: &[u8]) -> Result<String, Problem> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    text.map(str::to_owned).ok_or_else(|| {
        let what = "a field of the form is not text in UTF-8 without NUL";
        Problem::bad_request("input.form", what, "Load the page again.")
    })
}
