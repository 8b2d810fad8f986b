//! Whom the leaf speaks for: matching of the names that were asked for (RFC 9525, RFC 5280, 7.5).

use crate::{Certificate, SubjectAltName};

/// Labels under which countries have their registries, as in `co.uk`. Public suffixes that only the Public Suffix List
/// knows are not told from other names.
const REGISTRY_LABELS: [&str; 16] = [
    "ac", "co", "com", "edu", "gob", "gouv", "gov", "govt", "mil", "ne", "net", "nom", "or", "org", "sch",
    "school",
];

/// Whether a client that asked for `wanted` takes this certificate: by its alternative names only.
pub(super) fn is_covered(wanted: &SubjectAltName, certificate: &Certificate) -> bool {
    let names = certificate.names().iter().filter(|name| is_well_formed(name));
    match wanted {
        SubjectAltName::Dns(host) => {
            let mut names = names.filter(|name| name.dns().is_some_and(|name| !is_registry_wildcard(name)));
            names.any(|name| name.matches_host(host))
        }
        SubjectAltName::Email(address) => {
            let mut names = names.filter_map(|name| match name {
                SubjectAltName::Email(name) => Some(name),
                SubjectAltName::Dns(_)
                | SubjectAltName::Ip(_)
                | SubjectAltName::Uri(_)
                | SubjectAltName::Other { .. } => None,
            });
            names.any(|name| is_same_mailbox(name, address))
        }
        SubjectAltName::Ip(_) | SubjectAltName::Uri(_) | SubjectAltName::Other { .. } => {
            names.into_iter().any(|name| name == wanted)
        }
    }
}

/// The part before the `@` as it stands, the host in any case.
fn is_same_mailbox(one: &str, other: &str) -> bool {
    match (one.rsplit_once('@'), other.rsplit_once('@')) {
        (Some((local, host)), Some((other_local, other_host))) => {
            local == other_local && host.eq_ignore_ascii_case(other_host)
        }
        _ => false,
    }
}

/// A wildcard over a top-level domain or a country's registry stands for hosts of strangers.
fn is_registry_wildcard(name: &str) -> bool {
    let Some(base) = name.strip_prefix("*.") else { return false };
    match base.split_once('.') {
        None => true,
        Some((label, country)) => country.len() == 2 && REGISTRY_LABELS.contains(&label),
    }
}

/// Whether an alternative name has the form that its kind prescribes (RFC 5280, 4.2.1.6).
pub(super) fn is_well_formed(name: &SubjectAltName) -> bool {
    match name {
        SubjectAltName::Email(address) => {
            let parts = address.split_once('@');
            let is_mailbox = |(local, host): (&str, &str)| {
                !local.is_empty() && !host.is_empty() && !host.contains('@') && address.is_ascii()
            };
            parts.is_some_and(is_mailbox) && !address.chars().any(char::is_control)
        }
        SubjectAltName::Other { kind, .. } => *kind != "iPAddress",
        SubjectAltName::Dns(_) | SubjectAltName::Ip(_) | SubjectAltName::Uri(_) => {
            let told = name.syntax_findings();
            !told
                .iter()
                .any(|finding| matches!(finding.code, "san.syntax" | "san.wildcard" | "name.control_char"))
        }
    }
}
