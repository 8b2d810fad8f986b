//! What pages send without a script: form fields, with the token against forged requests among them.

use axum::extract::{FromRequest, Request};
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{MAX_BODY, media_type, read_all, wrong_type};
use crate::access::{self, CSRF_FIELD, Caller, CsrfOwed};
use crate::{Problem, Web, json};

const FORM: &str = "application/x-www-form-urlencoded";

/// Names and values of a form. Any of them may be a password: all are wiped when they are dropped.
pub type Fields = Zeroizing<Vec<(String, String)>>;

/// The fields of a form in their order and as they were typed, `_csrf` taken out. Repeated names stay repeated.
pub struct PageFields(pub Fields);

impl FromRequest<Web> for PageFields {
    type Rejection = Problem;

    async fn from_request(request: Request, _web: &Web) -> Result<Self, Problem> {
        let (parts, stream) = request.into_parts();
        if media_type(&parts.headers) != FORM {
            return Err(wrong_type(FORM));
        }
        let bytes = read_all(&parts, stream, MAX_BODY).await?;
        let mut fields = decode(&bytes)?;
        take_csrf(&parts, &mut fields)?;
        Ok(Self(fields))
    }
}

/// A form as a type. Fields that the type does not know are its own matter; empty ones come as empty texts.
pub struct PageForm<T>(pub T);

/// A form that is only a button.
#[derive(Deserialize)]
pub struct Nothing {}

impl<T: DeserializeOwned> FromRequest<Web> for PageForm<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Problem> {
        let fields = PageFields::from_request(request, web).await?;
        let PageFields(mut fields) = fields;
        json::fit::fields(std::mem::take(&mut *fields)).map(Self).map_err(|misfit| {
            let what = format!("the form does not fit: {misfit}");
            Problem::bad_request("input.field", what, "Load the page again and fill it in anew.")
        })
    }
}

/// Takes the token out of the fields, and checks it where it is owed.
pub(super) fn take_csrf(parts: &Parts, fields: &mut Vec<(String, String)>) -> Result<(), Problem> {
    let token = fields.iter().position(|(name, _)| name == CSRF_FIELD).map(|at| fields.remove(at).1);
    if parts.extensions.get::<CsrfOwed>().is_none() {
        return Ok(());
    }
    let caller = parts.extensions.get::<Caller>().and_then(Caller::known);
    let caller = caller.ok_or_else(Problem::unauthorized)?;
    access::check_csrf_field(caller, token.as_deref().unwrap_or_default())
}

fn decode(bytes: &[u8]) -> Result<Fields, Problem> {
    let wrong = || {
        Problem::bad_request(
            "input.form",
            "the form is not text in UTF-8 without NUL",
            "Load the page again.",
        )
    };
    let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
    // As many as there can be: a vector that grows leaves what it held behind in memory.
    let mut fields = Fields::new(Vec::with_capacity(text.split('&').count()));
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (unescape(name).ok_or_else(wrong)?, unescape(value).ok_or_else(wrong)?);
        fields.push((name.to_string(), value.to_string()));
    }
    Ok(fields)
}

/// `+` is a blank, `%xx` a byte (URL standard, 5.1).
fn unescape(text: &str) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) =
                    (char::from(rest.next()?).to_digit(16)?, char::from(rest.next()?).to_digit(16)?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    // Not through an error, which would hold the bytes.
    let text = std::str::from_utf8(&bytes).ok().filter(|text| !text.contains('\0'));
    text.map(|text| Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_browsers_send() {
        let fields =
            decode(b"san=a.org&san=%20b.org%0D%0A&o=Acme%2C+%22Inc%22+%C3%96&empty=&password=+x+").unwrap();
        let read = [
            ("san", "a.org"),
            ("san", " b.org\r\n"),
            ("o", "Acme, \"Inc\" Ö"),
            ("empty", ""),
            ("password", " x "),
        ];
        assert_eq!(*fields, read.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn refuses_what_is_no_text() {
        for bytes in [&b"a=%ff"[..], b"a=%4", b"a=%zz", b"\xff=1", b"a=b%00c", b"%00=1"] {
            assert!(decode(bytes).is_err());
        }
    }
}
