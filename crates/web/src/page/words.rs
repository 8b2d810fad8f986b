//! Small turns of phrase that several pages use, and the escape for addresses.

use std::fmt::Write;

use askama::Template;
use askama::filters::HtmlSafe;
use pki::name::inert;
use pki::{DistinguishedName, Fingerprint, SubjectAltName};

/// The text with every octet but letters, digits, `-`, `_` and `.` percent-encoded: for cookies and addresses.
pub fn escape(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// The opposite of [`escape`]; none when it is not percent-encoded UTF-8.
pub fn unescape(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let pair = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

/// A text that cannot act where it is shown (control characters and direction marks become visible).
pub fn safe(text: &str) -> String {
    inert(text).into_owned()
}

/// A host name, or another text with dots, for a narrow column: it breaks after its dots before it breaks anywhere.
#[derive(Clone, Debug, Template)]
#[template(
    source = "{% for part in parts %}{{ part }}{% if !loop.last %}<wbr>{% endif %}{% endfor %}",
    ext = "html"
)]
pub struct Dotted {
    parts: Vec<String>,
}

impl HtmlSafe for Dotted {}

impl Dotted {
    /// Of a text that is [`safe`] to show.
    pub fn new(text: &str) -> Self {
        Self { parts: text.split_inclusive('.').map(str::to_owned).collect() }
    }
}

/// The first letter as a capital, and a full stop: refusals are written without both.
pub fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let end = if text.ends_with(['.', '!', '?', ':']) { "" } else { "." };
    if begins_with_name(text) {
        return format!("{text}{end}");
    }
    format!("{}{}{end}", first.to_uppercase(), letters.as_str())
}

/// Whether the first word is a name that is written as it is: a host name, an address, a file.
fn begins_with_name(text: &str) -> bool {
    let word = text.split(char::is_whitespace).next().unwrap_or_default().trim_end_matches(['.', ',', ':']);
    word.contains("--") || word.contains(['.', '@', '/'])
}

/// `dNSName - www.example.org`, as the appliance writes alternative names.
pub fn alternative_name(name: &SubjectAltName) -> String {
    let readable = name.unicode().map(|readable| format!(" ({})", safe(&readable))).unwrap_or_default();
    format!("{} - {}{readable}", name.kind_name(), safe(&name.to_string()))
}

/// The text with every `2027-01-06T01:46:46Z` in it as a person writes it: `2027-01-06 01:46 UTC`.
pub fn with_readable_moments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = match rest.get(..MOMENT.len()).filter(|part| is_moment(part)) {
            Some(part) => {
                // The shape was checked: every letter is one octet.
                out.push_str(&format!("{} {} UTC", &part[..10], &part[11..16]));
                MOMENT.len()
            }
            None => {
                out.push(letter);
                letter.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// The shape of a moment; a zero stands for any digit.
const MOMENT: &str = "0000-00-00T00:00:00Z";

fn is_moment(text: &str) -> bool {
    let fits =
        |(shape, letter): (u8, u8)| if shape == b'0' { letter.is_ascii_digit() } else { letter == shape };
    text.len() == MOMENT.len() && MOMENT.bytes().zip(text.bytes()).all(fits)
}

/// The alternative names, or the appliance's words for none.
pub fn alternative_names(names: &[SubjectAltName]) -> Vec<String> {
    if names.is_empty() {
        return vec!["No Supported Names".to_owned()];
    }
    names.iter().map(alternative_name).collect()
}

/// Who is named: the common name, else the organisation, else the whole name.
pub fn title(name: &DistinguishedName) -> String {
    let organisation = || name.first(&pki::name::AttributeType::Organization);
    match name.common_name().or_else(organisation) {
        Some(text) => safe(text),
        None if name.is_empty() => "(no name)".to_owned(),
        None => name.to_string(),
    }
}

/// `CN=..`, `O=..`: one line an attribute, the most specific first.
pub fn subject_lines(name: &DistinguishedName) -> Vec<String> {
    let mut lines: Vec<String> =
        name.attributes().map(|part| format!("{}={}", part.kind.short_name(), safe(&part.value))).collect();
    lines.reverse();
    lines
}

/// The first octets of a fingerprint, enough for a person to tell two apart.
pub fn short(fingerprint: &Fingerprint) -> String {
    fingerprint.to_colons().chars().take(23).chain(['…']).collect()
}

/// `RSA (2048 Bits)`, as the appliance writes keys; curves keep their name.
pub fn public_key(label: &str) -> String {
    match label.strip_prefix("RSA ") {
        Some(bits) => format!("RSA ({bits} Bits)"),
        None => label.to_owned(),
    }
}

/// What a key usage or extended key usage allows, with its own name behind it; one that is unknown is shown as it is.
pub fn usage_words(usage: &str) -> String {
    let words = match usage {
        "digitalSignature" => "signs, as in a TLS handshake",
        "nonRepudiation" => "signs documents",
        "keyEncipherment" => "encrypts keys, as old TLS does with RSA",
        "dataEncipherment" => "encrypts data",
        "keyAgreement" => "agrees on keys",
        "keyCertSign" => "issues certificates",
        "cRLSign" => "signs revocation lists",
        "serverAuth" => "TLS server",
        "clientAuth" => "TLS client",
        "codeSigning" => "signs programs",
        "emailProtection" => "e-mail",
        "timeStamping" => "time stamps",
        "OCSPSigning" => "signs OCSP answers",
        other => return safe(other),
    };
    format!("{words} ({usage})")
}

/// `one, two and three`.
pub fn listed(parts: &[String]) -> String {
    match parts {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_comes_back_and_broken_text_does_not() {
        let text = "a b;,\"\\ Ö\u{202e}\n";
        assert_eq!(unescape(&escape(text)).as_deref(), Some(text));
        assert!(escape(text).is_ascii() && !escape(text).contains([';', ' ', '"', ',']));
        assert_eq!(unescape("%f"), None);
        assert_eq!(unescape("%ff"), None);
    }

    #[test]
    fn moments_in_a_text_can_be_read() {
        let read = with_readable_moments("é ends on 2027-01-06T01:46:46Z, not 2027-01-06T01:46Z or 1x27");
        assert_eq!(read, "é ends on 2027-01-06 01:46 UTC, not 2027-01-06T01:46Z or 1x27");
        assert_eq!(with_readable_moments("2027-01-06T01:46:46Z"), "2027-01-06 01:46 UTC");
    }

    #[test]
    fn refusals_become_sentences() {
        assert_eq!(sentence("the name is empty"), "The name is empty.");
        assert_eq!(sentence("Is it?"), "Is it?");
        assert_eq!(sentence(""), "");
        assert_eq!(sentence("xn--a- is no label"), "xn--a- is no label.");
        assert_eq!(sentence("shop.p12 holds a key"), "shop.p12 holds a key.");
    }

    #[test]
    fn keys_and_lists_read_as_people_know_them() {
        assert_eq!(public_key("RSA 2048"), "RSA (2048 Bits)");
        assert_eq!(public_key("EC P-256"), "EC P-256");
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
