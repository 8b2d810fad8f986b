//! A form with files (RFC 7578): files reach the API as they are, with the names that its refusals say.

use axum::body::Bytes;
use pki::name::inert;
use zeroize::Zeroizing;

/// The most characters of a file's name that travel: what is shown of it is shorter.
const MAX_NAME: usize = 255;

/// A part of a form.
pub struct Part<'a> {
    field: &'a str,
    file_name: Option<&'a str>,
    bytes: &'a [u8],
}

impl<'a> Part<'a> {
    /// A field with a text.
    pub fn text(field: &'a str, text: &'a str) -> Self {
        Self { field, file_name: None, bytes: text.as_bytes() }
    }

    /// A file, and what it is called here.
    pub fn file(name: &'a str, bytes: &'a [u8]) -> Self {
        Self { field: "files", file_name: Some(name), bytes }
    }

    fn head(&self) -> String {
        let name =
            self.file_name.map(|name| format!("; filename=\"{}\"", quotable(name))).unwrap_or_default();
        format!("Content-Disposition: form-data; name=\"{}\"{name}\r\n\r\n", self.field)
    }
}

/// A form, ready to be sent.
pub struct Form {
    /// Its media type, with the boundary.
    pub content_type: String,
    /// All of it. It may hold keys and passphrases: it is wiped once it was sent.
    pub body: Bytes,
}

impl Form {
    /// Writes a form. The boundary is random, so that no file has it in it.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn write(parts: &[Part<'_>]) -> anyhow::Result<Self> {
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| anyhow::anyhow!("the system has no randomness"))?;
        let boundary = pki::identity::hex(&random);
        let heads: Vec<String> = parts.iter().map(Part::head).collect();
        let length: usize = heads.iter().zip(parts).map(|(head, part)| head.len() + part.bytes.len()).sum();
        // As much as there will be: what grows leaves what it held behind in memory.
        let borders = (parts.len() + 1) * (boundary.len() + 8);
        let mut body = Zeroizing::new(Vec::with_capacity(length + borders));
        for (head, part) in heads.iter().zip(parts) {
            for piece in [b"--", boundary.as_bytes(), b"\r\n", head.as_bytes(), part.bytes, b"\r\n"] {
                body.extend_from_slice(piece);
            }
        }
        for piece in [b"--", boundary.as_bytes(), b"--\r\n"] {
            body.extend_from_slice(piece);
        }
        let content_type = format!("multipart/form-data; boundary={boundary}");
        Ok(Self { content_type, body: Bytes::from_owner(body) })
    }
}

/// A name as it can stand in quotes in a header: one line, a quote behind a backslash. Any other backslash is one for the
/// server; the last would take the closing quote with it.
fn quotable(name: &str) -> String {
    let inert: String = inert(name).chars().take(MAX_NAME).collect();
    let mut name = inert.replace('"', "\\\"");
    if name.ends_with('\\') {
        name.push(' ');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_files_and_fields_between_borders() {
        let form =
            Form::write(&[Part::text("token", "0"), Part::file("a\".pem", &[0, 0xff, b'\r'])]).unwrap();
        let boundary = form.content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        let mut wanted = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n0\r\n--{boundary}\r\n\
             Content-Disposition: form-data; name=\"files\"; filename=\"a\\\".pem\"\r\n\r\n"
        )
        .into_bytes();
        wanted.extend_from_slice(&[0, 0xff, b'\r']);
        wanted.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        assert_eq!(form.body, wanted);
        assert_ne!(form.content_type, Form::write(&[]).unwrap().content_type);
    }

    #[test]
    fn a_name_stays_in_its_quotes_and_on_its_line() {
        assert_eq!(quotable("tõend (1).p12"), "tõend (1).p12");
        assert_eq!(quotable("a\"; name=\"key"), "a\\\"; name=\\\"key");
        assert_eq!(quotable("a\r\nX: y"), "a\\u{d}\\u{a}X: y");
        assert_eq!((quotable("a\\").as_str(), quotable("a\\\"").as_str()), ("a\\ ", "a\\\\\""));
        assert!(quotable(&"\u{202e}".repeat(1_000)).len() <= MAX_NAME + 1);
    }
}
