//! A refusal of the server, as people read it.

use std::fmt;

use pki::name::inert;
use reqwest::StatusCode;
use serde_json::Value;

use crate::cli::ink::Ink;

/// The server did not do it. Made from `application/problem+json`.
#[derive(Debug)]
pub struct Refused {
    status: StatusCode,
    code: String,
    /// Sentences: what was wrong, and what to do.
    detail: String,
    /// What belongs to the code: places, names.
    places: Vec<String>,
    /// The answer as it came.
    body: String,
}

impl Refused {
    /// Reads the body of an answer that is no success.
    pub fn read(status: StatusCode, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body).into_owned();
        let problem: Value = serde_json::from_str(&body).unwrap_or_default();
        let text = |pointer| problem.pointer(pointer).and_then(Value::as_str);
        let detail = text("/detail").or(text("/title")).map(|text| inert(text).into_owned());
        let places = problem.pointer("/error/metadata").and_then(Value::as_array);
        Self {
            status,
            code: text("/error/code").map(|code| inert(code).into_owned()).unwrap_or_default(),
            detail: detail.unwrap_or_else(|| format!("The server answered {status}.")),
            places: places
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(|place| inert(place).into_owned())
                .collect(),
            body,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The answer as it came.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Says it on standard error: sentences, place, and the code small.
    pub fn tell(&self) {
        eprintln!("{}", self.text(Ink::for_errors()));
    }

    fn text(&self, ink: Ink) -> String {
        let mut text = self.detail.clone();
        if !self.places.is_empty() {
            text.push_str(&format!("\n  {}", self.places.join(", ")));
        }
        let code = if self.code.is_empty() { self.status.to_string() } else { self.code.clone() };
        text.push_str(&format!("\n  {}", ink.faint(code)));
        text
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_said_with_its_place_and_code() {
        let body = br#"{"status":400,"title":"Bad Request","detail":"The end is missing. Copy it all.",
            "error":{"code":"pem.truncated","metadata":["line 3\u001b[2J"]}}"#;
        let refused = Refused::read(StatusCode::BAD_REQUEST, body);
        assert_eq!(
            refused.text(Ink::PLAIN),
            "The end is missing. Copy it all.\n  line 3\\u{1b}[2J\n  pem.truncated"
        );
    }

    #[test]
    fn what_is_no_problem_is_said_by_its_status() {
        let refused = Refused::read(StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!(refused.text(Ink::PLAIN), "The server answered 502 Bad Gateway.\n  502 Bad Gateway");
    }
}
