//! Subject alternative names: typed by people, read from certificates, matched with hosts (RFC 5280, 4.2.1.6;
//! RFC 9525).

mod encoding;
mod script;
mod text;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::name::{inert, shortened};
use crate::tlv::{self, tag};
use crate::{DistinguishedName, Finding, Refusal, Severity};

pub(crate) use encoding::{read_general_name, read_general_names, write_general_names};
use text::{IP_HINT, bad_alabel, check_labels, explicit_kind, has_uri_characters, host, is_host_byte};
use text::{
    parse_by_content, parse_dns, parse_email, parse_ip, parse_uri, readable_label, scheme, syntax, too_many,
};

/// Characters of a name in a sentence about it, at most: the longest host name.
const LONGEST_SHOWN: usize = 253;

/// The most names that one certificate or CSR may have.
pub const MAX_NAMES: usize = 100;

/// One alternative name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubjectAltName {
    /// A host name, lower-case, in A-labels, as it is matched; may begin with `*.`.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
    /// An e-mail address.
    Email(String),
    /// A URI.
    Uri(String),
    /// A kind that we only carry along.
    Other {
        /// The name of the kind in RFC 5280.
        kind: &'static str,
        /// The whole GeneralName.
        der: Vec<u8>,
    },
}

impl SubjectAltName {
    /// Reads what a person typed; its content decides the kind: an IP address, an e-mail address (`@`), a URI
    /// (`scheme:`), else a host name. `dns:`, `ip:`, `email:` and `uri:` in front decide it too.
    ///
    /// Host names are turned into A-labels and lower case; one dot at the end is dropped.
    /// Refuses `san.syntax`, `san.wildcard` and `san.idna`, with the text as the place.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let text = text.trim();
        let parsed = match explicit_kind(text) {
            Some(("dns", rest)) => parse_dns(rest),
            Some(("ip", rest)) => {
                let address = parse_ip(rest).map(Self::Ip);
                address.ok_or_else(|| syntax("this is not an IP address", IP_HINT))
            }
            Some(("email", rest)) => parse_email(rest),
            Some((_, rest)) => parse_uri(rest),
            None => parse_by_content(text),
        };
        parsed.map_err(|refusal| refusal.at(inert(text)))
    }

    /// Reads a list: one name to a line, or several with commas between (a comma inside a URI is written
    /// `%2C`). Blank parts are skipped, duplicates dropped.
    ///
    /// Says everything that is wrong, each with its line, counted from 1; over [`MAX_NAMES`]:
    /// `limit.san_count`.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Vec<(usize, Refusal)>> {
        let mut names: Vec<Self> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let mut refusals = Vec::new();
        for (index, line) in text.lines().enumerate() {
            for part in line.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                match Self::parse(part) {
                    Ok(name) if !seen.insert(name.clone()) => {}
                    Ok(_) if names.len() == MAX_NAMES => return Err(vec![(index + 1, too_many())]),
                    Ok(name) => names.push(name),
                    Err(refusal) => refusals.push((index + 1, refusal)),
                }
                if refusals.len() > MAX_NAMES {
                    return Err(refusals);
                }
            }
        }
        if refusals.is_empty() { Ok(names) } else { Err(refusals) }
    }

    /// Whether it covers this host: exactly, or by a wildcard that stands for one label. An address covers
    /// itself. A name with a character that no host name has covers nothing.
    pub fn matches_host(&self, host: &str) -> bool {
        match self {
            Self::Dns(pattern) => {
                let host = host.strip_suffix('.').unwrap_or(host);
                if host.is_empty() || !pattern.bytes().all(|b| is_host_byte(b) || b == b'*') {
                    return false;
                }
                match pattern.strip_prefix("*.") {
                    Some(base) => host.split_once('.').is_some_and(|(label, rest)| {
                        !label.is_empty() && !base.contains('*') && rest.eq_ignore_ascii_case(base)
                    }),
                    None => !pattern.contains('*') && host.eq_ignore_ascii_case(pattern),
                }
            }
            Self::Ip(address) => parse_ip(host).is_some_and(|host| host == *address),
            Self::Email(_) | Self::Uri(_) | Self::Other { .. } => false,
        }
    }

    /// The host name, if it is one.
    pub fn dns(&self) -> Option<&str> {
        match self {
            Self::Dns(name) => Some(name),
            Self::Ip(_) | Self::Email(_) | Self::Uri(_) | Self::Other { .. } => None,
        }
    }

    /// The name of the kind in RFC 5280: `dNSName`, `iPAddress`, ...
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dNSName",
            Self::Ip(_) => "iPAddress",
            Self::Email(_) => "rfc822Name",
            Self::Uri(_) => "uniformResourceIdentifier",
            Self::Other { kind, .. } => kind,
        }
    }

    /// What is odd about a name that somebody else made: `san.syntax`, `san.wildcard`, `san.mixed_script`,
    /// `name.control_char`. The name itself is the place.
    pub fn syntax_findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut warn = |code, what: &str, repair: &str| {
            let (what, repair) = (what.to_owned(), repair.to_owned());
            let place = shortened(&self.to_string(), LONGEST_SHOWN).into_owned();
            findings.push(Finding { code, severity: Severity::Warning, what, place, repair });
        };
        let ask = "Ask for a certificate with the name spelled right.";
        match self {
            Self::Dns(name) | Self::Email(name) | Self::Uri(name) if name.chars().any(char::is_control) => {
                let what = "a name contains a control character, and is never matched";
                warn("name.control_char", what, ask);
            }
            Self::Dns(name) => {
                if let Some((what, repair)) = bad_wildcard(name) {
                    warn("san.wildcard", what, repair);
                } else if let Err(what) = check_labels(name.strip_prefix("*.").unwrap_or(name)) {
                    warn("san.syntax", &shortened(&what, LONGEST_SHOWN), ask);
                }
                let readable = self.unicode().unwrap_or_default();
                if let Some(what) = script::deceptive(&readable) {
                    let what = format!("{what}: it reads {}", inert(&shortened(&readable, LONGEST_SHOWN)));
                    warn(
                        "san.mixed_script",
                        &what,
                        "Compare the name letter by letter with the one you mean.",
                    );
                }
            }
            Self::Email(address) => {
                if let Err(refusal) = parse_email(address) {
                    warn("san.syntax", &refusal.what, ask);
                }
            }
            Self::Uri(uri) if scheme(uri).is_none() => warn("san.syntax", "a URI without a scheme", ask),
            Self::Uri(uri) if !has_uri_characters(uri) => {
                warn("san.syntax", "the URI has a character that URIs do not have", ask);
            }
            Self::Other { kind: "iPAddress", .. } => {
                warn("san.syntax", "an IP address of neither 4 nor 16 octets", ask);
            }
            Self::Other { kind: "unknown", .. } => {
                warn("san.syntax", "an alternative name of a kind that does not exist", ask);
            }
            Self::Other { kind: "directoryName", der }
                if directory_name(der).is_some_and(|name| name.has_control_characters()) =>
            {
                warn("name.control_char", "a name contains a control character, and is never matched", ask);
            }
            Self::Ip(_) | Self::Uri(_) | Self::Other { .. } => {}
        }
        findings
    }

    /// The refusal `san.idna` for an A-label whose decoding does not encode back to itself
    /// (`xn--example-.com`), in a host name, or in the host of an e-mail address or URI.
    pub fn idna_refusal(&self) -> Option<Refusal> {
        let name = match self {
            Self::Dns(name) => Cow::Borrowed(name.as_str()),
            Self::Email(address) => Cow::Owned(address.rsplit_once('@')?.1.to_ascii_lowercase()),
            Self::Uri(uri) => Cow::Owned(host(uri)?.to_ascii_lowercase()),
            Self::Ip(_) | Self::Other { .. } => return None,
        };
        let bad = |label: &&str| label.starts_with("xn--") && readable_label(label).is_none();
        let place = || shortened(&self.to_string(), LONGEST_SHOWN).into_owned();
        name.split('.').find(bad).map(|label| bad_alabel(&shortened(label, LONGEST_SHOWN)).at(place()))
    }

    /// The readable form of a host name with A-labels (`xn--...`); `None` for all others.
    pub fn unicode(&self) -> Option<String> {
        let name = self.dns().filter(|name| name.split('.').any(|label| label.starts_with("xn--")))?;
        let readable = |label: &str| readable_label(label).unwrap_or_else(|| label.to_owned());
        Some(name.split('.').map(readable).collect::<Vec<_>>().join("."))
    }
}

impl FromStr for SubjectAltName {
    type Err = Refusal;

    /// The same as [`SubjectAltName::parse`].
    fn from_str(text: &str) -> Result<Self, Refusal> {
        Self::parse(text)
    }
}

impl fmt::Display for SubjectAltName {
    /// The plain value, safe to show; kinds that we only carry along with their kind in front.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(text) | Self::Email(text) | Self::Uri(text) => f.write_str(&inert(text)),
            Self::Ip(address) => write!(f, "{address}"),
            Self::Other { kind: "directoryName", der } => match directory_name(der) {
                Some(name) => write!(f, "directoryName:{name}"),
                None => write!(f, "directoryName:#{}", crate::identity::hex(der)),
            },
            Self::Other { kind, der } => write!(f, "{kind}:#{}", crate::identity::hex(der)),
        }
    }
}

/// What is wrong with a wildcard, and what to do; `None` for a sound one and for names without.
fn bad_wildcard(name: &str) -> Option<(&'static str, &'static str)> {
    let repair = "Use a star only as the whole first label: *.example.org.";
    match name.strip_prefix("*.") {
        Some(base) if base.is_empty() || base.contains('*') => {
            Some(("a wildcard that no client matches", repair))
        }
        Some(base) if !base.contains('.') => Some((
            "a wildcard over all that is below one top-level label, which most clients do not match",
            "Name the domain: *.example.org.",
        )),
        None if name.contains('*') => Some(("a wildcard that no client matches", repair)),
        Some(_) | None => None,
    }
}

fn directory_name(der: &[u8]) -> Option<DistinguishedName> {
    DistinguishedName::from_der(tlv::only(der, tag::constructed(4)).ok()?.value).ok()
}

/// The alternative name that a common name amounts to: a host name (with a dot, or a wildcard) or an IP
/// address.
pub fn host_name(text: &str) -> Option<SubjectAltName> {
    if let Some(address) = parse_ip(text) {
        return Some(SubjectAltName::Ip(address));
    }
    if !text.contains('.') || text.contains(char::is_whitespace) {
        return None;
    }
    parse_dns(text).ok()
}

/// Makes a common name that is a host name the first alternative name, where CAs and clients look for it.
/// Returns the names, and what was added: `None` when it was there already (then it only moved to the front).
pub fn with_common_name(
    subject: &DistinguishedName,
    mut names: Vec<SubjectAltName>,
) -> (Vec<SubjectAltName>, Option<SubjectAltName>) {
    let Some(host) = subject.common_name().and_then(host_name) else {
        return (names, None);
    };
    match names.iter().position(|name| *name == host) {
        Some(place) => {
            names[..=place].rotate_right(1);
            (names, None)
        }
        None => {
            names.insert(0, host.clone());
            (names, Some(host))
        }
    }
}

#[cfg(test)]
mod tests;
