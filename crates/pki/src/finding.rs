//! What is wrong with something, said so that a person can mend it. Codes: `docs/codes.md`.

use std::collections::HashMap;
use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Was put right by us, and said.
    Info,
    /// Works today, or for some.
    Warning,
    /// Must not be used like this.
    Error,
}

impl Severity {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something noticed about an object that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The stable code, `<subject>.<what>`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, one sentence.
    pub what: String,
    /// Where: a file part, a field, a subject.
    pub place: String,
    /// What to do about it, one sentence.
    pub repair: String,
}

/// Why an input was not taken. Nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} ({code})")]
pub struct Refusal {
    /// The stable code, `<subject>.<what>`.
    pub code: &'static str,
    /// What was wrong, one sentence.
    pub what: String,
    /// Where: a line, an offset, a file part.
    pub place: String,
    /// What to do, one sentence.
    pub repair: String,
}

impl Refusal {
    /// Makes a refusal; `place` is empty when there is only one place.
    pub fn new(code: &'static str, what: impl Into<String>, repair: impl Into<String>) -> Self {
        Self { code, what: what.into(), place: String::new(), repair: repair.into() }
    }

    /// Says where it was.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = place.into();
        self
    }
}

/// The first `each` findings of every code and severity; the last of them says how many more there are. What somebody
/// else made can be wrong a thousand times in the same way.
pub(crate) fn abridged(findings: Vec<Finding>, each: usize) -> Vec<Finding> {
    let mut counts: HashMap<(&'static str, Severity), usize> = HashMap::new();
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len().min(2 * each));
    for finding in findings {
        let count = counts.entry((finding.code, finding.severity)).or_default();
        *count += 1;
        if *count <= each {
            kept.push(finding);
        }
    }
    for ((code, severity), count) in counts.into_iter().filter(|(_, count)| *count > each) {
        let mut of_kind = kept.iter_mut().rev();
        if let Some(last) = of_kind.find(|finding| finding.code == code && finding.severity == severity) {
            last.what.push_str(&format!(" (and {} more like it)", count - each));
        }
    }
    kept
}

impl From<Refusal> for Finding {
    /// A refusal is shown among the findings as an error.
    fn from(refusal: Refusal) -> Self {
        Self {
            code: refusal.code,
            severity: Severity::Error,
            what: refusal.what,
            place: refusal.place,
            repair: refusal.repair,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
