//! How the offline tools show certificates, keys, CSRs and findings: as JSON, and as text for people.
//!
//! Everything that comes out of a file passes through `pki`'s inert texts: no name moves a cursor or turns a line
//! around.

use std::fmt::Write;

use pki::inspect::{InspectedItem, Inspection};
use pki::{Certificate, Csr, Finding, Severity, SubjectAltName, UnixTime};
use serde_json::{Value, json};

use crate::cli::ink::Ink;

/// Names shown to people, at most; programs get all.
const NAMES_SHOWN: usize = 20;
const DAY: i64 = 24 * 60 * 60;

/// The object that `inspect --json` promises; with the file's name when there are several.
pub fn inspection_json(inspection: &Inspection, file: Option<&str>) -> Value {
    let mut object = json!({
        "accepted": inspection.accepted,
        "format": inspection.format,
        "items": inspection.items.iter().map(item_json).collect::<Vec<_>>(),
        "findings": findings_json(&inspection.findings),
    });
    if let Some(file) = file {
        object["file"] = json!(file);
    }
    object
}

/// Findings as the API has them too.
pub fn findings_json(findings: &[Finding]) -> Vec<Value> {
    let json = |finding: &Finding| {
        json!({
            "code": finding.code,
            "severity": finding.severity.name(),
            "what": finding.what,
            "where": finding.place,
            "repair": finding.repair,
        })
    };
    findings.iter().map(json).collect()
}

fn item_json(item: &InspectedItem) -> Value {
    match item {
        InspectedItem::Certificate(certificate) => certificate_json(certificate),
        InspectedItem::PrivateKey { label, id } => {
            json!({ "type": "private_key", "key": label, "key_id": id.to_string() })
        }
        InspectedItem::Csr(csr) => csr_json(csr),
    }
}

/// A certificate.
pub fn certificate_json(certificate: &Certificate) -> Value {
    json!({
        "type": "certificate",
        "name": certificate.display_name(),
        "fingerprint": certificate.fingerprint().to_string(),
        "subject": certificate.subject().to_string(),
        "issuer": certificate.issuer().to_string(),
        "serial": certificate.serial_decimal(),
        "not_before": certificate.not_before().to_string(),
        "not_after": certificate.not_after().to_string(),
        "names": texts(certificate.names()),
        "role": certificate.role().name(),
        "is_ca": certificate.is_ca(),
        "key": certificate.public_key().label(),
        "key_id": certificate.key_id().to_string(),
        "key_usages": certificate.key_usages(),
        "extended_key_usages": certificate.extended_key_usages(),
        "signature_algorithm": certificate.signature_algorithm(),
        "ca_issuer_urls": certificate.ca_issuer_urls(),
        "ocsp_urls": certificate.ocsp_urls(),
        "crl_urls": certificate.crl_urls(),
    })
}

fn csr_json(csr: &Csr) -> Value {
    json!({
        "type": "csr",
        "fingerprint": csr.fingerprint().to_string(),
        "subject": csr.subject().to_string(),
        "names": texts(csr.names()),
        "key": csr.public_key().label(),
        "key_id": csr.public_key().id().to_string(),
        "extended_key_usages": csr.extended_key_usages(),
    })
}

fn texts(names: &[SubjectAltName]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// A page of text that grows downwards. Writing into a String cannot fail.
pub struct Page {
    text: String,
    ink: Ink,
}

impl Page {
    /// An empty page.
    pub fn new(ink: Ink) -> Self {
        Self { text: String::new(), ink }
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.text
    }

    /// The name of the thing, and its state in a few words.
    pub fn title(&mut self, name: &str, state: &str) {
        let _ = writeln!(self.text, "{}: {state}", self.ink.strong(name));
    }

    /// A line as it is.
    pub fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    /// One thing out of a file.
    pub fn item(&mut self, item: &InspectedItem, now: UnixTime) {
        match item {
            InspectedItem::Certificate(certificate) => self.certificate(certificate, now),
            InspectedItem::Csr(csr) => self.csr(csr),
            InspectedItem::PrivateKey { label, id } => {
                self.head("Private key", label);
                self.field("Key id", &id.to_string());
            }
        }
    }

    fn certificate(&mut self, certificate: &Certificate, now: UnixTime) {
        self.head("Certificate", &certificate.display_name());
        self.field("Subject", &certificate.subject().to_string());
        self.field("Issuer", &certificate.issuer().to_string());
        self.names(certificate.names());
        self.field("Valid", &validity(certificate, now));
        self.field("For", certificate.role().name());
        self.field("Key", &certificate.public_key().label());
        self.field("Signature", &certificate.signature_algorithm());
        self.field("Serial", &certificate.serial_decimal());
        self.field("SHA-256", &certificate.fingerprint().to_string());
        self.field("Key id", &certificate.key_id().to_string());
    }

    fn csr(&mut self, csr: &Csr) {
        self.head("Certificate request", &csr.subject().to_string());
        self.names(csr.names());
        self.field("Key", &csr.public_key().label());
        self.field("SHA-256", &csr.fingerprint().to_string());
        self.field("Key id", &csr.public_key().id().to_string());
    }

    fn head(&mut self, kind: &str, name: &str) {
        let _ = writeln!(self.text, "\n  {kind}  {}", self.ink.strong(name));
    }

    fn field(&mut self, label: &str, value: &str) {
        let _ = writeln!(self.text, "    {label:<10}  {value}");
    }

    fn names(&mut self, names: &[SubjectAltName]) {
        if names.is_empty() {
            return;
        }
        let mut shown: Vec<String> = names.iter().take(NAMES_SHOWN).map(readable).collect();
        if names.len() > NAMES_SHOWN {
            shown.push(format!("and {} more", names.len() - NAMES_SHOWN));
        }
        self.field("Names", &shown.join(", "));
    }

    /// What is wrong, or that nothing is.
    pub fn findings(&mut self, findings: &[Finding]) {
        if findings.is_empty() {
            self.line("\n  Nothing wrong was found.");
        }
        for finding in findings {
            self.finding(finding);
        }
        self.line("");
    }

    fn finding(&mut self, finding: &Finding) {
        let severity = self.ink.severity(finding.severity);
        let padding = " ".repeat("warning".len().saturating_sub(finding.severity.name().len()));
        let _ = writeln!(self.text, "\n  {severity}{padding}  {}", sentence(&finding.what));
        for line in [&finding.place, &finding.repair] {
            // Of what was put right already, the repair is just this.
            if !line.is_empty() && line != "Nothing." {
                let _ = writeln!(self.text, "           {line}");
            }
        }
        let _ = writeln!(self.text, "           {}", self.ink.faint(finding.code));
    }
}

/// A name, with its readable form beside it when it is in A-labels.
fn readable(name: &SubjectAltName) -> String {
    match name.unicode() {
        Some(unicode) => format!("{name} ({})", pki::name::inert(&unicode)),
        None => name.to_string(),
    }
}

/// From when to when, and how that stands at this moment.
pub fn validity(certificate: &Certificate, now: UnixTime) -> String {
    let (from, until) = (certificate.not_before(), certificate.not_after());
    let state = if now < from {
        format!("begins in {}", days(from.since(now)))
    } else if now > until {
        format!("ended {} ago", days(now.since(until)))
    } else {
        format!("{} left", days(until.since(now)))
    };
    format!("{from} to {until} ({state})")
}

fn days(seconds: i64) -> String {
    match seconds / DAY {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// First letter in upper case, a full stop at the end: messages have neither.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let mut sentence: String = first.to_uppercase().chain(letters).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// Whether nothing among them is an error.
pub fn has_no_error(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.severity < Severity::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_what_where_repair_and_code() {
        let finding = Finding {
            code: "chain.incomplete",
            severity: Severity::Error,
            what: "an intermediate is missing".to_owned(),
            place: "CN=leaf".to_owned(),
            repair: "Import it.".to_owned(),
        };
        let mut page = Page::new(Ink::PLAIN);
        page.findings(std::slice::from_ref(&finding));
        let expected = "\n  error    An intermediate is missing.\n           CN=leaf\n           Import it.\n           \
                        chain.incomplete\n\n";
        assert_eq!(page.into_text(), expected);
        assert_eq!(findings_json(&[finding])[0]["where"], "CN=leaf");
    }

    #[test]
    fn days_are_counted_in_words() {
        assert_eq!([days(5), days(DAY), days(3 * DAY + 7)], ["less than a day", "1 day", "3 days"]);
    }
}
