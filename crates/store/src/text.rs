//! Values that are stored as lines of text: alternative names, settings, roles.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use domain::Role;
use pki::SubjectAltName;

/// What others said, without NUL, which PostgreSQL's text cannot hold.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Joins with line feeds; the values have none.
pub(crate) fn lines(values: impl IntoIterator<Item = impl Display>) -> String {
    let lines: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    lines.join("\n")
}

/// Reads each line.
pub(crate) fn parse_lines<T: FromStr>(text: &str) -> Option<Vec<T>> {
    text.lines().map(|line| line.parse().ok()).collect()
}

/// Roles by their names.
pub(crate) fn roles(roles: &BTreeSet<Role>) -> String {
    lines(roles.iter().map(|role| role.name()))
}

/// Reads [`roles`].
pub(crate) fn parse_roles(text: &str) -> Option<BTreeSet<Role>> {
    Some(parse_lines::<Role>(text)?.into_iter().collect())
}

/// Settings, `name=value`; a line feed or backslash in a value is escaped.
pub(crate) fn settings<'a>(settings: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let lines: Vec<String> =
        settings.into_iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    lines.join("\n")
}

/// Reads [`settings`].
pub(crate) fn parse_settings(text: &str) -> Option<BTreeMap<String, String>> {
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), unescape(value)));
    text.split('\n').filter(|line| !line.is_empty()).map(pair).collect()
}

/// Alternative names, each with its kind in front, in a form that is read back exactly (it is not for people).
pub(crate) fn names(names: &[SubjectAltName]) -> String {
    let lines: Vec<String> = names.iter().map(name).collect();
    lines.join("\n")
}

fn name(name: &SubjectAltName) -> String {
    match name {
        SubjectAltName::Dns(text) => format!("dns:{}", escape(text)),
        SubjectAltName::Ip(address) => format!("ip:{address}"),
        SubjectAltName::Email(text) => format!("email:{}", escape(text)),
        SubjectAltName::Uri(text) => format!("uri:{}", escape(text)),
        SubjectAltName::Other { kind, der } => format!("other:{kind}:{}", pki::identity::hex(der)),
    }
}

/// Reads [`names`].
pub(crate) fn parse_names(text: &str) -> Option<Vec<SubjectAltName>> {
    text.split('\n').filter(|line| !line.is_empty()).map(parse_name).collect()
}

fn parse_name(line: &str) -> Option<SubjectAltName> {
    let (kind, value) = line.split_once(':')?;
    Some(match kind {
        "dns" => SubjectAltName::Dns(unescape(value)),
        "ip" => SubjectAltName::Ip(value.parse().ok()?),
        "email" => SubjectAltName::Email(unescape(value)),
        "uri" => SubjectAltName::Uri(unescape(value)),
        "other" => {
            let (kind, hex) = value.split_once(':')?;
            SubjectAltName::Other { kind: known_kind(kind), der: unhex(hex)? }
        }
        _ => return None,
    })
}

/// The kinds of RFC 5280, 4.2.1.6 that are only carried along.
fn known_kind(kind: &str) -> &'static str {
    const KINDS: [&str; 9] = [
        "otherName",
        "rfc822Name",
        "dNSName",
        "x400Address",
        "directoryName",
        "ediPartyName",
        "uniformResourceIdentifier",
        "iPAddress",
        "registeredID",
    ];
    KINDS.into_iter().find(|known| *known == kind).unwrap_or("unknown")
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect()
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\0', "\\0")
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => plain.push('\n'),
                Some('0') => plain.push('\0'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_were() {
        let all = vec![
            SubjectAltName::Dns("*.a.org".to_owned()),
            SubjectAltName::Dns("odd\\name\nwith lines\0".to_owned()),
            SubjectAltName::Ip("2001:db8::1".parse().expect("an address")),
            SubjectAltName::Email("a@b.org".to_owned()),
            SubjectAltName::Uri("https://a.org/?x=y".to_owned()),
            SubjectAltName::Other { kind: "registeredID", der: vec![0x88, 1, 42] },
        ];
        assert_eq!(parse_names(&names(&all)), Some(all));
        assert_eq!(parse_names(""), Some(Vec::new()));
        assert_eq!(parse_names("ip:nonsense"), None);
    }

    #[test]
    fn a_setting_may_have_lines() {
        let all = BTreeMap::from([("a".to_owned(), "1=2\n\\n".to_owned()), ("b".to_owned(), String::new())]);
        assert_eq!(parse_settings(&settings(&all)), Some(all));
    }
}
