//! Bodies: read after the permission was checked, within limits, and refused with a problem.
//!
//! The extractors of the API also answer a repeated `Idempotency-Key`.

pub mod form;
mod multipart;
pub mod upload;

use std::str::FromStr;
use std::time::Duration;

use app::certificate::File;
use axum::body::{Body as Stream, BodyDataStream};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Problem, Web, idempotency, json};

pub use form::{Fields, Nothing, PageFields, PageForm};
pub use upload::{PageUpload, Part, Upload};

/// The most bytes of a JSON or form body (X-Road's limit).
pub const MAX_BODY: usize = 50 * 1024;
/// The most bytes of an upload.
pub const MAX_UPLOAD: usize = 10 * 1024 * 1024;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);
/// After so long without a byte nobody is sending any more.
const PAUSE: Duration = Duration::from_millis(250);
/// Bytes that are read and not kept, of a body that is too large, before it is answered: five files at their limit.
const MOST_READ_AWAY: usize = 5 * MAX_UPLOAD;

/// JSON of the type `T`, at most [`MAX_BODY`].
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequest<Web> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        let (parts, stream) = request.into_parts();
        let read = async {
            expect_json(&parts.headers)?;
            let bytes = read_all(&parts, stream, MAX_BODY).await?;
            let value = json::read(&bytes)?;
            Ok::<_, Problem>((bytes, value))
        };
        let (bytes, value) = read.await.map_err(Problem::into_response)?;
        idempotency::begin(web, &parts, &bytes).await.map_err(|again| *again)?;
        Ok(Self(value))
    }
}

/// A change that takes no body. Whatever is sent is read away within the limits.
pub struct NoBody;

impl FromRequest<Web> for NoBody {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        let (parts, stream) = request.into_parts();
        read_all(&parts, stream, MAX_BODY).await.map_err(Problem::into_response)?;
        idempotency::begin(web, &parts, &[]).await.map_err(|again| *again)?;
        Ok(Self)
    }
}

/// The first parameter of the path as an id. What cannot be one names nothing: 404.
pub struct Id<T>(pub T);

impl<T: Named> FromRequestParts<Web> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let parameters = RawPathParams::from_request_parts(parts, web).await;
        let parameters = parameters.map_err(|_| Problem::no_such_address())?;
        let text = parameters.iter().next().map_or("", |(_, value)| value);
        T::from_str(text).map(Self).map_err(|_| no_such(T::KIND, text))
    }
}

/// There is nothing of this kind with this id, said before `app` is asked. What somebody wrote in place of an id is
/// shown short and without what could harm a log or terminal.
pub(crate) fn no_such(kind: &'static str, text: &str) -> Problem {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(64).collect();
    let mut problem = Problem::from(app::Error::not_found(kind, shown));
    problem.recorded = false;
    problem
}

/// Ids that stand in paths.
pub trait Named: FromStr {
    /// What they name, as the codes of refusals say it.
    const KIND: &'static str;
}

macro_rules! named {
    ($($id:ty => $kind:literal,)*) => { $(impl Named for $id { const KIND: &'static str = $kind; })* };
}
named! {
    domain::id::TokenId => "token",
    domain::id::CsrId => "csr",
    domain::id::LineageId => "lineage",
    domain::id::IssuerId => "issuer",
    domain::id::TargetId => "target",
    domain::id::JobId => "job",
    domain::id::ImportId => "import",
    domain::id::UserId => "user",
    domain::id::ApiKeyId => "api_key",
    pki::KeyId => "key",
    pki::Fingerprint => "certificate",
    SettingName => "setting",
}

/// The name of a setting in a path.
pub struct SettingName(pub String);

impl FromStr for SettingName {
    type Err = domain::id::NotAnId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'-')
        };
        let is_name = (1..=64).contains(&text.len()) && text.bytes().all(allowed);
        if is_name { Ok(Self(text.to_owned())) } else { Err(domain::id::NotAnId) }
    }
}

/// A PIN, password or passphrase as it was typed, blanks included: zeroized when dropped, never shown, never answered.
#[derive(Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Gives it away.
    pub fn into_inner(self) -> Zeroizing<String> {
        self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(json::fit::AS_TYPED, Typed)
    }
}

/// Takes a [`Secret`] out of its newtype.
struct Typed;

impl<'de> serde::de::Visitor<'de> for Typed {
    type Value = Secret;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a string")
    }

    fn visit_newtype_struct<D: serde::Deserializer<'de>>(self, inner: D) -> Result<Secret, D::Error> {
        String::deserialize(inner).map(Secret::from)
    }
}

impl utoipa::PartialSchema for Secret {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        let format = SchemaFormat::KnownFormat(KnownFormat::Password);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl utoipa::ToSchema for Secret {}

/// JSON with the status 201, and where the new object is.
pub fn created<T: Serialize>(location: String, body: T) -> Response {
    (StatusCode::CREATED, [(http::header::LOCATION, location)], axum::Json(body)).into_response()
}

/// A file as an attachment. The name is ours: letters, digits and `._-` only, so that no browser reads it otherwise
/// (RFC 6266).
pub fn attachment(file: File) -> Response {
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = file.name.chars().filter(allowed).take(128).collect();
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers =
        [(CONTENT_TYPE, file.media_type.to_owned()), (http::header::CONTENT_DISPOSITION, disposition)];
    (headers, file.bytes.to_vec()).into_response()
}

/// The media type without its parameters, in lower case.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

pub(crate) fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    if media_type(headers) == "application/json" { Ok(()) } else { Err(wrong_type("application/json")) }
}

pub(crate) fn wrong_type(wanted: &str) -> Problem {
    let what = format!("the body must be of the type {wanted}");
    let repair = format!("Send it with the header Content-Type: {wanted}.");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "input.content_type", what, repair)
}

pub(crate) fn too_large(limit: usize) -> Problem {
    let size = match limit / 1024 {
        small @ ..1024 => format!("{small} KB"),
        large => format!("{} MB", large / 1024),
    };
    let what = format!("what was sent has more than {size} in all");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "input.too_large", what, "Send less at once.")
}

/// Reads a body to its end: at most so many bytes, within [`PATIENCE`].
pub(crate) async fn read_all(
    parts: &Parts,
    stream: Stream,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let announced =
        parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let mut chunks = stream.into_data_stream();
    let read = match announced.filter(|length| *length > limit) {
        Some(_) => Err(too_large(limit)),
        None => {
            let collected = collect(&mut chunks, limit, announced.unwrap_or(0));
            tokio::time::timeout(PATIENCE, collected).await.unwrap_or_else(|_| Err(slow()))
        }
    };
    if read.as_ref().is_err_and(|problem| problem.status == StatusCode::PAYLOAD_TOO_LARGE) {
        read_away(parts, &mut chunks).await;
    }
    read
}

fn slow() -> Problem {
    let what = "the body did not arrive within 30 seconds";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "input.slow", what, "Send it again, faster.")
}

/// Reads what is too much and keeps nothing of it: a connection that is closed with bytes unread is reset, and who still
/// sends would see that in place of the answer. Nobody has to send it who asks first (RFC 9110, 10.1.1).
async fn read_away(parts: &Parts, chunks: &mut BodyDataStream) {
    let asks_first = parts.headers.get(EXPECT).is_some_and(|value| value.as_bytes().starts_with(b"100-"));
    if asks_first {
        return;
    }
    let rest = async {
        let mut left = MOST_READ_AWAY;
        // Whoever pauses waits for the answer.
        while let Ok(Some(Ok(chunk))) = tokio::time::timeout(PAUSE, chunks.next()).await {
            let Some(less) = left.checked_sub(chunk.len()) else { break };
            left = less;
        }
    };
    // Whoever takes longer, or sends more, is answered all the same.
    let _ = tokio::time::timeout(PATIENCE, rest).await;
}

async fn collect(
    chunks: &mut BodyDataStream,
    limit: usize,
    expected: usize,
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected));
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            Problem::bad_request("input.cut_off", "the body ended before it was complete", "Send it again.")
        })?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        if bytes.capacity() - bytes.len() < chunk.len() {
            // A vector that grows by itself leaves what it held behind in memory.
            let room = (bytes.len() + chunk.len()).max(2 * bytes.len()).min(limit);
            let mut larger = Zeroizing::new(Vec::with_capacity(room));
            larger.extend_from_slice(&bytes);
            bytes = larger;
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
