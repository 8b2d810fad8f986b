//! The answer to what was posted, carried to the next page in a cookie that lives a minute and is shown once.

use http::{HeaderMap, HeaderValue, header};

use crate::page::words;

const NAME: &str = "__Host-flash";
/// Cookies end at 4 KB; an answer is a sentence or two.
const LONGEST: usize = 600;

/// How the last action ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    /// The class of the box: `good`, `warn` or `bad`.
    pub tone: &'static str,
    /// One or two sentences.
    pub text: String,
}

impl Flash {
    /// It was done.
    pub fn good(text: impl Into<String>) -> Self {
        Self { tone: "good", text: text.into() }
    }

    /// It was done, but somebody should look.
    pub fn warn(text: impl Into<String>) -> Self {
        Self { tone: "warn", text: text.into() }
    }

    /// It was not done.
    pub fn bad(text: impl Into<String>) -> Self {
        Self { tone: "bad", text: text.into() }
    }

    /// The cookie that carries it.
    pub fn cookie(&self) -> HeaderValue {
        let text: String = self.text.chars().take(LONGEST).collect();
        let value = format!("{NAME}={}.{}; Max-Age=60; {ATTRIBUTES}", self.tone, words::escape(&text));
        HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static(""))
    }

    /// The cookie that removes it.
    pub fn gone() -> HeaderValue {
        HeaderValue::from_static("__Host-flash=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict")
    }

    /// Reads it from a request.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (tone, text) = pairs.find(|(name, _)| *name == NAME)?.1.split_once('.')?;
        let tone = ["good", "warn", "bad"].into_iter().find(|known| *known == tone)?;
        let text = words::unescape(text)?;
        (!text.is_empty()).then_some(Self { tone, text })
    }
}

const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(flash: &Flash) -> Option<Flash> {
        let cookie = flash.cookie();
        let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(&format!("a=b; {pair}")).unwrap());
        Flash::of(&headers)
    }

    #[test]
    fn arrives_as_it_was_sent_whatever_is_in_it() {
        for text in ["Done.", "Ö; x=\"<b>\" \r\nSet-Cookie: a=b %41", "\u{202e}z"] {
            assert_eq!(carried(&Flash::good(text)), Some(Flash::good(text)));
        }
        assert_eq!(carried(&Flash::bad("x".repeat(5_000))).unwrap().text.len(), LONGEST);
    }

    #[test]
    fn a_forged_tone_is_not_shown() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("__Host-flash=evil.text"));
        assert_eq!(Flash::of(&headers), None);
    }
}
