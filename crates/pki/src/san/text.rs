//! Alternative names as people type them: which kind a text is, and whether it can be one.

use std::net::{IpAddr, Ipv6Addr};

use super::{MAX_NAMES, SubjectAltName};
use crate::Refusal;
use crate::name::inert;

pub(super) const IP_HINT: &str = "Write it like 192.0.2.1 or 2001:db8::1.";
const DNS_HINT: &str = "Use letters, digits and hyphens, with dots between: www.example.org.";
const URI_HINT: &str = "For a URI write https://… with the colon.";

pub(super) fn syntax(what: impl Into<String>, repair: &str) -> Refusal {
    Refusal::new("san.syntax", what, repair)
}

pub(super) fn too_many() -> Refusal {
    let what = format!("there are more than {MAX_NAMES} names");
    Refusal::new("limit.san_count", what, "Spread the names over several certificates.")
}

pub(super) fn bad_alabel(label: &str) -> Refusal {
    let what = format!("{} is not a valid internationalised label", inert(label));
    Refusal::new("san.idna", what, "Write the name in its own letters, or leave it out.")
}

pub(super) fn explicit_kind(text: &str) -> Option<(&'static str, &str)> {
    let (prefix, rest) = text.split_once(':')?;
    let kind = ["dns", "ip", "email", "uri"].into_iter().find(|kind| kind.eq_ignore_ascii_case(prefix))?;
    Some((kind, rest.trim()))
}

pub(super) fn parse_by_content(text: &str) -> Result<SubjectAltName, Refusal> {
    if let Some(ip) = parse_ip(text) {
        return Ok(SubjectAltName::Ip(ip));
    }
    let uri = scheme(text).filter(|(scheme, rest)| {
        rest.starts_with("//") || scheme.eq_ignore_ascii_case("mailto") || !text.contains('@')
    });
    match uri {
        // "host:443" reads like a scheme, but a scheme is not followed by a number alone.
        Some((_, rest)) if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()) => {
            Err(syntax("a name has no port", "Leave out the colon and the number."))
        }
        Some(_) => parse_uri(text),
        None if text.contains('@') => parse_email(text),
        None if text.contains('/') => Err(syntax("this is neither a host name nor a URI", URI_HINT)),
        None => parse_dns(text),
    }
}

/// An address, IPv6 also in brackets.
pub(super) fn parse_ip(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

pub(super) fn parse_dns(text: &str) -> Result<SubjectAltName, Refusal> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let (wild, base) = text.strip_prefix("*.").map_or(("", text), |base| ("*.", base));
    if base.contains('*') {
        let repair = "Use a star only as the whole first label: *.example.org.";
        return Err(Refusal::new("san.wildcard", "a wildcard stands only for the whole first label", repair));
    }
    let labels: Result<Vec<String>, Refusal> = base.split(['.', '。']).map(ascii_label).collect();
    let name = format!("{wild}{}", labels?.join("."));
    check_labels(&name[wild.len()..]).map_err(|what| syntax(what, DNS_HINT))?;
    if name.len() > 253 {
        return Err(syntax("the name has more than 253 characters", "Shorten it."));
    }
    Ok(SubjectAltName::Dns(name))
}

/// One label in lower-case ASCII. Only those that are internationalised go through UTS 46.
fn ascii_label(label: &str) -> Result<String, Refusal> {
    let lower = label.to_ascii_lowercase();
    if lower.is_ascii() && !lower.starts_with("xn--") {
        return Ok(lower);
    }
    let ascii = idna::domain_to_ascii_strict(&lower).map_err(|_| bad_alabel(label))?;
    let stable = !ascii.contains('.') && (!ascii.starts_with("xn--") || readable_label(&ascii).is_some());
    if stable { Ok(ascii) } else { Err(bad_alabel(label)) }
}

/// The letters of a label; `None` for an A-label whose decoding does not encode back to the very same.
pub(super) fn readable_label(label: &str) -> Option<String> {
    if !label.starts_with("xn--") {
        return Some(label.to_owned());
    }
    let (readable, valid) = idna::domain_to_unicode(label);
    let again = idna::domain_to_ascii_strict(&readable).ok()?;
    (valid.is_ok() && !readable.is_ascii() && again == label).then_some(readable)
}

/// Says what is wrong with a host name (without wildcard), in ASCII (RFC 1123, 2.1).
pub(super) fn check_labels(name: &str) -> Result<(), String> {
    let show = |label: &str| inert(label).into_owned();
    for label in name.split('.') {
        if label.is_empty() {
            return Err("a label is empty".into());
        }
        if label.len() > 63 {
            return Err(format!("the label {} has more than 63 characters", show(label)));
        }
        if label.contains('_') {
            return Err(format!("the label {} has an underscore, which host names do not have", show(label)));
        }
        if !label.bytes().all(is_host_byte) {
            return Err(format!("the label {} has a character that host names do not have", show(label)));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(format!("the label {} begins or ends with a hyphen", show(label)));
        }
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return Err("the last label is a number: neither a host name nor an IP address".into());
    }
    if name.len() > 253 { Err("the name has more than 253 characters".into()) } else { Ok(()) }
}

pub(super) fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.' || byte == b'_'
}

pub(super) fn parse_email(text: &str) -> Result<SubjectAltName, Refusal> {
    let hint = "Write it like hostmaster@example.org.";
    let Some((local, domain)) = text.rsplit_once('@') else {
        return Err(syntax("an e-mail address has an @", hint));
    };
    let atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b);
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    if local.is_empty() || local.len() > 64 || dots || !local.bytes().all(atom) {
        return Err(syntax("the part before the @ is not that of an e-mail address", hint));
    }
    match parse_dns(domain)? {
        SubjectAltName::Dns(domain) if !domain.contains('*') => {
            Ok(SubjectAltName::Email(format!("{local}@{domain}")))
        }
        SubjectAltName::Dns(_)
        | SubjectAltName::Ip(_)
        | SubjectAltName::Email(_)
        | SubjectAltName::Uri(_)
        | SubjectAltName::Other { .. } => Err(syntax("the part after the @ is not a domain", hint)),
    }
}

/// Splits `scheme:rest` (RFC 3986, 3.1).
pub(super) fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let tail = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(tail);
    valid.then_some((scheme, rest))
}

/// Schemes whose URIs are useless without a host.
const WITH_HOST: [&str; 9] = ["http", "https", "ftp", "ftps", "ldap", "ldaps", "ws", "wss", "spiffe"];

pub(super) fn parse_uri(text: &str) -> Result<SubjectAltName, Refusal> {
    let Some((scheme, rest)) = scheme(text) else {
        return Err(syntax("a URI begins with a scheme and a colon", URI_HINT));
    };
    if rest.is_empty() || !has_uri_characters(text) {
        let repair = "Write characters beyond ASCII, spaces and quotes as %xx.";
        return Err(syntax("the URI has a character that URIs do not have", repair));
    }
    let needs_host = WITH_HOST.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    match rest.strip_prefix("//") {
        Some(after) => check_authority(after.split(['/', '?', '#']).next().unwrap_or(after), needs_host)?,
        None if needs_host => return Err(syntax("after the scheme there is no host", URI_HINT)),
        None => {}
    }
    Ok(SubjectAltName::Uri(text.to_owned()))
}

/// Whether a text has the characters of a URI only, and two digits behind every `%` (RFC 3986, 2).
pub(super) fn has_uri_characters(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b);
    let is_escape =
        |after: &str| after.len() >= 2 && after.bytes().take(2).all(|digit| digit.is_ascii_hexdigit());
    text.bytes().all(allowed) && text.split('%').skip(1).all(is_escape)
}

/// The host in a URI that has one.
pub(super) fn host(uri: &str) -> Option<&str> {
    let after = uri.split_once("://")?.1;
    Some(host_and_port(after.split(['/', '?', '#']).next().unwrap_or(after)).0)
}

fn host_and_port(authority: &str) -> (&str, &str) {
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host_port.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        Some(_) | None => (host_port, ""),
    }
}

/// The host must be a host name or an address (RFC 5280, 4.2.1.6).
fn check_authority(authority: &str, needs_host: bool) -> Result<(), Refusal> {
    let (host, port) = host_and_port(authority);
    if port.parse::<u16>().is_err() && !port.is_empty() {
        return Err(syntax("the port in the URI is not a number", URI_HINT));
    }
    if host.is_empty() {
        let missing = Err(syntax("the URI has no host", URI_HINT));
        return if needs_host { missing } else { Ok(()) };
    }
    if parse_ip(host).is_some() {
        return Ok(());
    }
    check_labels(host).map_err(|what| syntax(format!("in the URI's host, {what}"), DNS_HINT))
}
