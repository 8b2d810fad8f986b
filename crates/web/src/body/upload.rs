//! Files that come in: raw, as a form with files, or as texts in JSON. At most [`MAX_UPLOAD`].

use axum::extract::{FromRequest, Multipart, Request};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::form::{Fields, take_csrf};
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
    /// The other fields in their order, trimmed.
    pub fields: Fields,
}

impl PageUpload {
    /// The first value of the field with this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    /// Every value of the field with this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(held, _)| held == name).map(|(_, value)| value.as_str())
    }
}

impl FromRequest<Web> for PageUpload {
    type Rejection = Problem;

    async fn from_request(request: Request, _web: &Web) -> Result<Self, Problem> {
        let (parts, stream) = request.into_parts();
        let bytes = read_all(&parts, stream, MAX_UPLOAD).await?;
        let mut upload = split(&parts, bytes).await?;
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
            let upload = Self::read(&parts, bytes.clone()).await?;
            Ok::<_, Problem>((bytes, upload))
        };
        let (bytes, upload) = read.await.map_err(Problem::into_response)?;
        idempotency::begin(web, &parts, &bytes).await.map_err(|again| *again)?;
        Ok(upload)
    }
}

impl<T: DeserializeOwned> Upload<T> {
    async fn read(parts: &Parts, bytes: Zeroizing<Vec<u8>>) -> Result<Self, Problem> {
        match media_type(&parts.headers).as_str() {
            "application/json" => Ok(Self::Json(json::read(&bytes)?)),
            "multipart/form-data" => Ok(Self::Form(split(parts, bytes).await?)),
            "application/octet-stream"
            | "application/x-pem-file"
            | "application/pem-certificate-chain"
            | "application/pkix-cert"
            | "application/x-x509-ca-cert" => Ok(Self::Raw(bytes)),
            _ => Err(wrong_type("application/octet-stream")),
        }
    }
}

/// Takes a multipart body apart. The bytes are all here, so nothing is read beyond the limit.
async fn split(parts: &Parts, bytes: Zeroizing<Vec<u8>>) -> Result<PageUpload, Problem> {
    let mut head = http::Request::builder().method(parts.method.clone());
    if let Some(kind) = parts.headers.get(http::header::CONTENT_TYPE) {
        head = head.header(http::header::CONTENT_TYPE, kind);
    }
    let mut whole =
        head.body(axum::body::Body::from(bytes.to_vec())).map_err(|_| wrong_type("multipart/form-data"))?;
    // The limit was kept while reading; axum's own would be smaller.
    axum::extract::DefaultBodyLimit::disable().apply(&mut whole);
    let mut form =
        Multipart::from_request(whole, &()).await.map_err(|_| wrong_type("multipart/form-data"))?;
    let mut upload = PageUpload { files: Vec::new(), fields: Fields::default() };
    while let Some(part) = form.next_field().await.map_err(broken)? {
        if upload.files.len() + upload.fields.len() == MAX_PARTS {
            return Err(too_many_parts());
        }
        let (field, name) = (part.name().unwrap_or_default().to_owned(), part.file_name().map(str::to_owned));
        let is_file = name.is_some();
        let bytes = Zeroizing::new(part.bytes().await.map_err(broken)?.to_vec());
        match (is_file, bytes.is_empty()) {
            // A file field that was left empty.
            (true, true) => {}
            (true, false) => upload.files.push(Part { field, name, bytes }),
            (false, _) => upload.fields.push((field, text(&bytes)?)),
        }
    }
    Ok(upload)
}

fn too_many_parts() -> Problem {
    let what = format!("the form has more than {MAX_PARTS} files and fields");
    let repair = "Send fewer files at once, or several certificates in one file.";
    Problem::new(http::StatusCode::PAYLOAD_TOO_LARGE, "input.too_large", what, repair)
}

fn text(bytes: &[u8]) -> Result<String, Problem> {
    let text = std::str::from_utf8(bytes).map(|text| text.trim().to_owned());
    text.map_err(|_| {
        Problem::bad_request("input.form", "a field of the form is not text in UTF-8", "Load the page again.")
    })
}

fn broken(error: axum::extract::multipart::MultipartError) -> Problem {
    let what = format!("the form with files cannot be read: {}", error.body_text());
    Problem::bad_request("input.form", what, "Send it again.")
}
