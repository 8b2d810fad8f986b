//! How the offline tools show certificates, keys, CSRs and findings: as JSON, and as text for people.
//!
//! Everything that comes out of a file passes through `pki`'s inert texts: no name moves a cursor or turns a line
//! around.

use std::fmt::Write;

use outbound::Possession;
use pki::certificate::Outline;
use pki::inspect::{InspectedItem, Inspection};
use pki::name::inert;
use pki::{
    Certificate, Crl, Csr, DistinguishedName, Finding, Refusal, Role, Severity, SubjectAltName, UnixTime,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::look::{Served, Shown};
use crate::cli::ink::Ink;

/// Names shown to people, at most; programs get all.
const NAMES_SHOWN: usize = 20;
/// Addresses of one kind shown to people, at most.
const ADDRESSES_SHOWN: usize = 4;
const DAY: i64 = 24 * 60 * 60;

/// The object that `inspect --json` promises. Its items are made one by one while it is written: there may be ten
/// thousand, and each takes more memory as JSON than as a certificate.
pub struct InspectionJson<'a> {
    /// What was found.
    pub inspection: &'a Inspection,
    /// The name of the file, where there are several.
    pub file: Option<&'a str>,
    /// How it was met, if it is a server.
    pub served: Option<&'a Served>,
}

impl Serialize for InspectionJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("accepted", &self.inspection.accepted)?;
        object.serialize_entry("format", &self.inspection.format)?;
        object.serialize_entry("items", &Items(self.inspection))?;
        object.serialize_entry("findings", &findings_json(&self.inspection.findings))?;
        if let Some(file) = self.file {
            object.serialize_entry("file", file)?;
        }
        if let Some(served) = self.served {
            object.serialize_entry("served", &served_json(served))?;
        }
        object.end()
    }
}

struct Items<'a>(&'a Inspection);

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.items.iter().zip(&self.0.friendly_names).map(|(item, name)| {
            let mut object = item_json(item);
            object["friendly_name"] = json!(name.as_deref().map(inert));
            object
        }))
    }
}

/// What a look at a TLS server adds to it.
pub fn served_json(served: &Served) -> Value {
    let fingerprints = |shown: &Shown| -> Vec<String> {
        shown.chain.iter().map(|certificate| certificate.fingerprint().to_string()).collect()
    };
    let others = served.others.iter().map(|(client, seen)| match seen {
        Ok(shown) => json!({
            "client": client.name(),
            "protocol": shown.protocol,
            "key_exchange": shown.key_exchange,
            "chain": fingerprints(shown),
        }),
        Err(error) => json!({ "client": client.name(), "trouble": inert(&error.chain()) }),
    });
    json!({
        "address": served.address.to_string(),
        "server_name": served.server_name,
        "protocol": served.shown.protocol,
        "key_exchange": served.shown.key_exchange,
        "chain": fingerprints(&served.shown),
        "private_key": possession(&served.shown),
        "other_clients": others.collect::<Vec<_>>(),
    })
}

/// Whether the server proved that it has the private key.
fn possession(shown: &Shown) -> &'static str {
    match shown.possession {
        Possession::Proven => "proven",
        Possession::Disproven => "disproven",
        Possession::Unchecked(_) => "unchecked",
    }
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
        InspectedItem::PrivateKey(key) => {
            json!({ "type": "private_key", "key": key.label(), "key_id": key.id().to_string() })
        }
        InspectedItem::Csr(csr) => csr_json(csr),
        InspectedItem::Crl(crl) => crl_json(crl),
        InspectedItem::Refused(outline) => outline_json(outline),
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

fn crl_json(crl: &Crl) -> Value {
    json!({
        "type": "crl",
        "fingerprint": crl.fingerprint().to_string(),
        "issuer": crl.issuer().to_string(),
        "number": crl.number_decimal(),
        "this_update": crl.this_update().to_string(),
        "next_update": crl.next_update().map(|moment| moment.to_string()),
        "revoked": crl.len(),
        "is_delta": crl.is_delta(),
        "signature_algorithm": crl.signature_algorithm(),
    })
}

/// A certificate that is not taken: what it says of itself, as far as it can be read.
fn outline_json(outline: &Outline) -> Value {
    let name = |name: &Option<DistinguishedName>| name.as_ref().map(ToString::to_string);
    let moment = |moment: Option<UnixTime>| moment.map(|moment| moment.to_string());
    json!({
        "type": "refused_certificate",
        "fingerprint": outline.fingerprint.to_string(),
        "subject": name(&outline.subject),
        "issuer": name(&outline.issuer),
        "serial": outline.serial_decimal(),
        "not_before": moment(outline.not_before),
        "not_after": moment(outline.not_after),
    })
}

fn texts(names: &[SubjectAltName]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// What is known about an item from what stands beside it.
pub struct Beside<'a> {
    /// What its file calls it.
    pub friendly_name: Option<&'a str>,
    /// Where its private key is, as far as that is known.
    pub private_key: String,
    /// The moment to judge by.
    pub now: UnixTime,
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
    pub fn item(&mut self, item: &InspectedItem, beside: &Beside<'_>) {
        match item {
            InspectedItem::Certificate(certificate) => self.certificate(certificate, beside),
            InspectedItem::Csr(csr) => self.csr(csr, beside),
            InspectedItem::Crl(crl) => self.crl(crl),
            InspectedItem::Refused(outline) => self.outline(outline, beside.now),
            InspectedItem::PrivateKey(key) => {
                self.head("Private key", &key.label());
                self.friendly_name(beside);
                self.field("Key id", &key.id().to_string());
            }
        }
    }

    fn certificate(&mut self, certificate: &Certificate, beside: &Beside<'_>) {
        let kind = match certificate.role() {
            Role::Server => "Server certificate",
            Role::Client => "Client certificate",
            Role::Sign => "Signing certificate",
            Role::Intermediate => "Intermediate certificate",
            Role::Root => "Root certificate",
        };
        self.head(kind, &certificate.display_name());
        self.friendly_name(beside);
        self.field("Issued To", &subject_of(certificate));
        self.field("Issued By", &certificate.issuer().to_string());
        self.names(certificate.names());
        self.field("Expiration", &expiration(period(certificate), beside.now));
        self.field("Role", role(certificate));
        self.field("Private Key?", &beside.private_key);
        self.field("Key", &certificate.public_key().label());
        self.field("Signature", &certificate.signature_algorithm());
        self.usages(certificate);
        self.field("Serial", &serial(certificate.serial()));
        self.addresses(certificate);
        self.field("SHA-256", &certificate.fingerprint().to_string());
        self.field("Key id", &certificate.key_id().to_string());
    }

    /// What the key may be used for; nothing is said where nothing is limited.
    fn usages(&mut self, certificate: &Certificate) {
        let (usages, extended) = (certificate.key_usages(), certificate.extended_key_usages());
        if !usages.is_empty() {
            self.field("Key usage", &usages.join(", "));
        }
        if !extended.is_empty() {
            self.field("Extended key usage", &extended.join(", "));
        }
    }

    /// Where more can be had, as it says itself; nothing of it is asked.
    fn addresses(&mut self, certificate: &Certificate) {
        let addresses = [
            ("Issuer at", certificate.ca_issuer_urls()),
            ("OCSP at", certificate.ocsp_urls()),
            ("CRL at", certificate.crl_urls()),
        ];
        for (label, urls) in addresses.into_iter().filter(|(_, urls)| !urls.is_empty()) {
            let mut shown: Vec<String> =
                urls.iter().take(ADDRESSES_SHOWN).map(|url| inert(url).into_owned()).collect();
            if urls.len() > ADDRESSES_SHOWN {
                shown.push(format!("and {} more", urls.len() - ADDRESSES_SHOWN));
            }
            self.field(label, &shown.join(", "));
        }
    }

    fn csr(&mut self, csr: &Csr, beside: &Beside<'_>) {
        self.head("Certificate request", &csr.subject().to_string());
        self.friendly_name(beside);
        self.names(csr.names());
        self.field("Private Key?", &beside.private_key);
        self.field("Key", &csr.public_key().label());
        self.field("SHA-256", &csr.fingerprint().to_string());
        self.field("Key id", &csr.public_key().id().to_string());
    }

    fn crl(&mut self, crl: &Crl) {
        let kind = if crl.is_delta() { "Revocation list (changes only)" } else { "Revocation list" };
        self.head(kind, &crl.issuer().to_string());
        self.field("Issued By", &crl.issuer().to_string());
        let next = crl.next_update().map_or_else(|| "not said".to_owned(), |moment| moment.to_string());
        self.field("Expiration", &format!("{next} (valid from {})", crl.this_update()));
        self.field("Revoked", &counted(crl.len(), "certificate"));
        if let Some(number) = crl.number_decimal() {
            self.field("Number", &number);
        }
        self.field("Signature", &crl.signature_algorithm());
        self.field("SHA-256", &crl.fingerprint().to_string());
    }

    fn outline(&mut self, outline: &Outline, now: UnixTime) {
        let text = |name: &Option<DistinguishedName>| {
            name.as_ref().map_or_else(|| "(cannot be read)".to_owned(), ToString::to_string)
        };
        self.head("Refused certificate", &text(&outline.subject));
        self.field("Issued To", &text(&outline.subject));
        self.field("Issued By", &text(&outline.issuer));
        let period = outline.not_before.zip(outline.not_after);
        let expiration = period.map(|period| expiration(period, now));
        self.field("Expiration", expiration.as_deref().unwrap_or("(cannot be read)"));
        self.field("Serial", &serial(&outline.serial));
        self.field("SHA-256", &outline.fingerprint.to_string());
    }

    /// How a TLS server was met, and what clients of other kinds see there.
    pub fn served(&mut self, served: &Served) {
        self.line("");
        self.field("Asked for", served.server_name.as_deref().unwrap_or("no name"));
        self.field("Address", &served.address.to_string());
        self.field("Protocol", &protocol(&served.shown));
        self.field("Served", &in_order(&served.shown));
        for (client, seen) in &served.others {
            let text = match seen {
                Ok(shown) if shown.chain == served.shown.chain => "the same".to_owned(),
                Ok(shown) => format!("another one: {} ({})", in_order(shown), protocol(shown)),
                Err(error) => format!("nothing: {}", inert(&error.chain())),
            };
            self.field(client.label(), &text);
        }
    }

    fn head(&mut self, kind: &str, name: &str) {
        let _ = writeln!(self.text, "\n  {kind}  {}", self.ink.strong(name));
    }

    fn friendly_name(&mut self, beside: &Beside<'_>) {
        if let Some(name) = beside.friendly_name {
            self.field("Friendly Name", &inert(name));
        }
    }

    fn field(&mut self, label: &str, value: &str) {
        let _ = writeln!(self.text, "    {label:<19}  {value}");
    }

    fn names(&mut self, names: &[SubjectAltName]) {
        if names.is_empty() {
            return;
        }
        let mut shown: Vec<String> = names.iter().take(NAMES_SHOWN).map(readable).collect();
        if names.len() > NAMES_SHOWN {
            shown.push(format!("and {} more", names.len() - NAMES_SHOWN));
        }
        self.field("Alternative Name(s)", &shown.join(", "));
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
        let repair = repair(finding);
        for line in [finding.place.as_str(), repair] {
            // Of what was put right already, the repair is just this.
            if !line.is_empty() && line != "Nothing." {
                let _ = writeln!(self.text, "           {line}");
            }
        }
        let _ = writeln!(self.text, "           {}", self.ink.faint(finding.code));
    }
}

/// What to do about it, here.
fn repair(finding: &Finding) -> &str {
    match finding.code {
        "pass.needed" => "Give its passphrase with --passphrase-file FILE; on a terminal it is asked for.",
        _ => &finding.repair,
    }
}

/// A name, with its readable form beside it when it is in A-labels.
fn readable(name: &SubjectAltName) -> String {
    match name.unicode() {
        Some(unicode) => format!("{name} ({})", pki::name::inert(&unicode)),
        None => name.to_string(),
    }
}

/// The subject; a server's certificate may do without.
fn subject_of(certificate: &Certificate) -> String {
    let subject = certificate.subject();
    match (subject.is_empty(), certificate.names().is_empty()) {
        (false, _) => subject.to_string(),
        (true, false) => "(no subject: the alternative names count)".to_owned(),
        (true, true) => "(no subject)".to_owned(),
    }
}

/// The serial number as browsers and OpenSSL show it; JSON has the decimal number.
fn serial(octets: &[u8]) -> String {
    octets.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// How it can be told from the others of a chain.
fn role(certificate: &Certificate) -> &'static str {
    match (certificate.role(), certificate.issuer() == certificate.subject()) {
        (Role::Server, true) => "server, self-signed: Issued To and Issued By are the same, and it is no CA",
        (Role::Server, false) if certificate.names().is_empty() => {
            "server: it is no CA, and meant for nothing else"
        }
        (Role::Server, false) => "server: its Alternative Names are those of a server; it is no CA",
        (Role::Client, _) => "client: shows who connects",
        (Role::Sign, _) => "signs documents or messages",
        (Role::Intermediate, _) => "intermediate: a CA, and Issued To and Issued By are different",
        (Role::Root, _) => "root: a CA, and Issued To and Issued By are the same",
    }
}

fn protocol(shown: &Shown) -> String {
    if shown.protocol.is_empty() {
        return "unknown".to_owned();
    }
    if shown.key_exchange.is_empty() {
        return shown.protocol.to_owned();
    }
    format!("{}, {}", shown.protocol, inert(&shown.key_exchange))
}

fn in_order(shown: &Shown) -> String {
    let names: Vec<String> = shown.chain.iter().map(Certificate::display_name).collect();
    match (names.is_empty(), shown.refusals.len()) {
        (false, 0) => names.join(", then "),
        (false, refused) => format!("{}, and {refused} that cannot be read", names.join(", then ")),
        (true, refused) => format!("{refused} that cannot be read"),
    }
}

/// When it ends, and how that stands at this moment.
fn expiration((from, until): (UnixTime, UnixTime), now: UnixTime) -> String {
    format!("{until} ({}; valid from {from})", standing((from, until), now))
}

fn period(certificate: &Certificate) -> (UnixTime, UnixTime) {
    (certificate.not_before(), certificate.not_after())
}

/// From when to when, and how that stands at this moment.
pub fn validity(certificate: &Certificate, now: UnixTime) -> String {
    let (from, until) = period(certificate);
    format!("{from} to {until} ({})", standing((from, until), now))
}

fn standing((from, until): (UnixTime, UnixTime), now: UnixTime) -> String {
    if now < from {
        format!("begins in {}", days(from.since(now)))
    } else if now > until {
        format!("ended {} ago", days(now.since(until)))
    } else {
        format!("{} left", days(until.since(now)))
    }
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
    let mut sentence: String =
        if begins_with_name(text) { text.to_owned() } else { first.to_uppercase().chain(letters).collect() };
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// Whether the first word is a name that is written as it is: a host name, an address, a file.
fn begins_with_name(text: &str) -> bool {
    let word = text.split(char::is_whitespace).next().unwrap_or_default().trim_end_matches(['.', ',', ':']);
    word.contains("--") || word.contains(['.', '@', '/'])
}

/// So many of them: `1 certificate`, `3 certificates`.
pub fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Tells on standard error why something was not done.
pub fn tell(refusal: Refusal) {
    let mut page = Page::new(Ink::for_errors());
    page.finding(&refusal.into());
    eprintln!("{}", page.into_text().trim_matches('\n'));
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
    fn a_sentence_begins_with_a_capital_unless_a_name_begins_it() {
        let said =
            ["the key is weak", "xn--a- is no label", "shop.example is the leaf", "wait"].map(sentence);
        assert_eq!(said, ["The key is weak.", "xn--a- is no label.", "shop.example is the leaf.", "Wait."]);
    }

    #[test]
    fn days_are_counted_in_words() {
        assert_eq!([days(5), days(DAY), days(3 * DAY + 7)], ["less than a day", "1 day", "3 days"]);
    }
}
