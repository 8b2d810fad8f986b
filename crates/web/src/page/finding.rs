//! Findings as they are shown: what, where, and the repair beside it.

use askama::Template;
use askama::filters::HtmlSafe;
use pki::{Finding, Severity};

use crate::page::words::{safe, sentence, with_readable_moments};

/// A finding, or another thing that somebody should know or do.
#[derive(Clone, Debug, Template)]
#[template(path = "part/finding.html")]
pub struct Note {
    tone: &'static str,
    what: String,
    detail: String,
    code: String,
    /// Address and words of each button.
    links: Vec<(String, String)>,
    /// The buttons that do it at once.
    deeds: Vec<Deed>,
}

/// A button that does something at once.
#[derive(Clone, Debug)]
struct Deed {
    address: String,
    csrf: String,
    words: String,
}

impl HtmlSafe for Note {}

impl Note {
    /// Something with a severity; `what` and `detail` are whole sentences.
    pub fn new(severity: Severity, what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            tone: tone(severity),
            what: what.into(),
            detail: detail.into(),
            code: String::new(),
            links: Vec::new(),
            deeds: Vec::new(),
        }
    }

    /// Adds the button that repairs it at once; `csrf` is the frame's.
    #[must_use]
    pub fn button(mut self, address: impl Into<String>, csrf: &str, words: impl Into<String>) -> Self {
        self.deeds.push(Deed { address: address.into(), csrf: csrf.to_owned(), words: words.into() });
        self
    }

    /// Adds the button that leads to its repair.
    #[must_use]
    pub fn link(mut self, address: impl Into<String>, words: impl Into<String>) -> Self {
        self.links.push((address.into(), words.into()));
        self
    }
}

impl From<&Finding> for Note {
    fn from(finding: &Finding) -> Self {
        let place =
            if finding.place.is_empty() { String::new() } else { format!("{}: ", safe(&finding.place)) };
        let detail = format!("{place}{}", finding.repair);
        Self {
            code: finding.code.to_owned(),
            ..Self::new(finding.severity, with_readable_moments(&sentence(&safe(&finding.what))), detail)
        }
    }
}

/// The class of a box for a severity.
pub fn tone(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "",
        Severity::Warning => "warn",
        Severity::Error => "bad",
    }
}

/// A word with a colour that only repeats it.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(source = r#"<span class="badge {{ tone }}">{{ word }}</span>"#, ext = "html")]
pub struct Badge {
    tone: &'static str,
    word: String,
}

impl HtmlSafe for Badge {}

impl Badge {
    /// All is well.
    pub fn good(word: impl Into<String>) -> Self {
        Self { tone: "good", word: word.into() }
    }

    /// Somebody should look.
    pub fn warn(word: impl Into<String>) -> Self {
        Self { tone: "warn", word: word.into() }
    }

    /// It is broken.
    pub fn bad(word: impl Into<String>) -> Self {
        Self { tone: "bad", word: word.into() }
    }

    /// Neither.
    pub fn plain(word: impl Into<String>) -> Self {
        Self { tone: "plain", word: word.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_words_in_a_finding_are_shown_and_do_nothing() {
        let finding = Finding {
            code: "san.syntax",
            severity: Severity::Warning,
            what: "odd <script>alert(1)</script>".into(),
            place: "\u{202e}x\u{7}".into(),
            repair: "Mend it.".into(),
        };
        let html = Note::from(&finding).to_string();
        assert!(
            !html.contains("<script>") && !html.contains('\u{202e}') && !html.contains('\u{7}'),
            "{html}"
        );
        assert!(html.contains("finding warn") && html.contains("san.syntax"), "{html}");
    }
}
