//! What is odd about a certificate that was let in.

use super::{CLIENT_AUTH, Certificate, Role, SERVER_AUTH, address, client};
use crate::finding::abridged;
use crate::name::inert;
use crate::signature_algorithm::{Digest, SignatureAlgorithm};
use crate::{Finding, Severity, SubjectAltName, UnixTime, san};

const DAY: i64 = 86_400;
/// Findings of one kind that are told of one certificate; of the others only how many there are.
const TOLD_OF_EACH: usize = 10;
/// 9999-12-31T23:59:59Z, which RFC 5280, 4.1.2.5 reserves for "no defined end".
const NO_END: UnixTime = UnixTime(253_402_300_799);

/// The longest validity of a public server certificate, in days, by the day from which it holds
/// (CA/B Baseline Requirements 6.3.2); the newest first.
const LIFETIMES: [(UnixTime, i64); 6] = [
    (UnixTime(1_868_227_200), 47),  // 2029-03-15
    (UnixTime(1_805_068_800), 100), // 2027-03-15
    (UnixTime(1_773_532_800), 200), // 2026-03-15
    (UnixTime(1_598_918_400), 398), // 2020-09-01
    (UnixTime(1_519_862_400), 825), // 2018-03-01
    (UnixTime(i64::MIN), 1_188),    // 39 months
];

pub(super) fn findings(certificate: &Certificate, now: UnixTime) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(validity(certificate, now));
    findings.extend(lifetime(certificate));
    findings.extend(serial(certificate));
    findings.extend(names(certificate));
    findings.extend(usage(certificate));
    findings.extend(client::findings(certificate));
    findings.extend(signature(certificate));
    findings.extend(certificate.public_key().findings());
    findings.extend(addresses(certificate));
    abridged(findings, TOLD_OF_EACH)
}

fn validity(certificate: &Certificate, now: UnixTime) -> Option<Finding> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    let (code, what, repair) = if now > not_after {
        ("cert.expired", format!("it expired on {not_after}"), "Renew it.")
    } else if now < not_before {
        ("cert.not_yet_valid", format!("it is valid only from {not_before} on"), "Wait, or check the clock.")
    } else {
        return None;
    };
    Some(Finding { severity: Severity::Error, ..warning(code, what, "validity", repair) })
}

fn lifetime(certificate: &Certificate) -> Option<Finding> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if not_after >= NO_END {
        let what = "it has no defined end (year 9999)".to_owned();
        return Some(warning("cert.lifetime", what, "validity", "Ask for one with a real end."));
    }
    if certificate.role() != Role::Server || certificate.is_self_issued() {
        return None;
    }
    let (_, days) = LIFETIMES.into_iter().find(|(from, _)| not_before >= *from)?;
    // Both ends are included: a day is 86,400 seconds, the last of them counted.
    let seconds = not_after.since(not_before).saturating_add(1);
    if seconds <= days * DAY {
        return None;
    }
    let what = format!(
        "it is valid for {} days; clients of public CAs refuse one of its date over {days} days",
        seconds.div_euclid(DAY)
    );
    Some(warning(
        "cert.lifetime",
        what,
        "validity",
        "Harmless from a CA of your own; else order a shorter one.",
    ))
}

fn serial(certificate: &Certificate) -> Option<Finding> {
    let serial = certificate.serial();
    let what = match serial {
        [0] => "the serial number is zero",
        [top, ..] if top & 0x80 != 0 => "the serial number is negative",
        _ if serial.len() > 20 => "the serial number is longer than 20 octets",
        _ => return None,
    };
    Some(warning(
        "cert.serial",
        what.to_owned(),
        "serial number",
        "Ask the issuer for a certificate with a sound one.",
    ))
}

fn names(certificate: &Certificate) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        certificate.names().iter().flat_map(|name| name.syntax_findings()).collect();
    for (place, name) in [("subject", certificate.subject()), ("issuer", certificate.issuer())] {
        if name.has_control_characters() {
            let what =
                "a control character stands in the name; it is shown escaped and never matched".to_owned();
            findings.push(warning(
                "name.control_char",
                what,
                place,
                "Ask the issuer for a certificate without it.",
            ));
        }
    }
    let is_blank = certificate.subject().common_name().is_none_or(|name| name.trim().is_empty());
    if is_blank && certificate.names().is_empty() && !certificate.is_ca() {
        let what = "it has neither an alternative name nor a common name".to_owned();
        findings.push(warning(
            "cert.no_name",
            what,
            "subject",
            "Ask for one with the host name as an alternative name.",
        ));
    }
    if !is_blank || !certificate.names().is_empty() {
        findings.extend(no_host(certificate));
    }
    findings
}

/// Chrome 58, Firefox 101, Go 1.15, Java and our own edge look for hosts among the alternative names alone. Who names no
/// host at all is told where it says that it serves and does nothing else.
fn no_host(certificate: &Certificate) -> Option<Finding> {
    if certificate.role() != Role::Server || has_host(certificate) {
        return None;
    }
    let usages = &certificate.0.extensions.extended_usages;
    let has = |wanted: &str| usages.iter().any(|usage| usage == wanted);
    let what = match certificate.subject().common_name().and_then(san::host_name) {
        Some(host) => format!("the host {host} stands only in the common name, where clients no longer look"),
        None if has(SERVER_AUTH) && !has(CLIENT_AUTH) => {
            "it is for a server, and names neither a host nor an address: no client takes it for any site"
                .to_owned()
        }
        None => return None,
    };
    let repair = "Ask for one with the host name as an alternative name.";
    Some(warning("cert.no_san", what, "subject", repair))
}

fn has_host(certificate: &Certificate) -> bool {
    let is_host = |name: &SubjectAltName| matches!(name, SubjectAltName::Dns(_) | SubjectAltName::Ip(_));
    certificate.names().iter().any(is_host)
}

fn usage(certificate: &Certificate) -> Vec<Finding> {
    let extensions = &certificate.0.extensions;
    let mut findings: Vec<Finding> = (extensions.unknown_critical.iter())
        .map(|oid| {
            let what = "an extension that is marked critical is unknown here, and to most clients".to_owned();
            let repair = "Make sure that every client of this certificate knows it.";
            warning("cert.ext_critical", what, &format!("extension {oid}"), repair)
        })
        .collect();
    if !certificate.allows(SERVER_AUTH) && has_host(certificate) && !certificate.is_ca() {
        let what =
            "it names hosts, but its extended key usage does not allow to serve them (serverAuth)".to_owned();
        findings.push(warning(
            "cert.no_server_auth",
            what,
            "extendedKeyUsage",
            "Ask for one with serverAuth.",
        ));
    }
    findings
}

/// A root is trusted for its key; nobody depends on the signature that it made over itself.
fn signature(certificate: &Certificate) -> Option<Finding> {
    if certificate.role() == Role::Root {
        return None;
    }
    let name = certificate.signature_algorithm();
    if certificate.has_digest(Digest::Sha1) {
        let what = format!("it is signed with {name}, which clients no longer take");
        let repair = "Ask the issuer for a new certificate, signed with SHA-256.";
        return Some(warning("sig.sha1", what, "signature", repair));
    }
    if certificate.0.algorithm.is_some_and(SignatureAlgorithm::is_checked_here) {
        return None;
    }
    let what =
        format!("it is signed with {name}, which cannot be checked here: whoever issued it is not found");
    let repair =
        "Ask the issuer for one signed with SHA-256; with RSASSA-PSS, with a salt as long as the hash.";
    Some(warning("sig.algorithm", what, "signature", repair))
}

fn addresses(certificate: &Certificate) -> Vec<Finding> {
    let kinds = [
        ("CA issuers", certificate.ca_issuer_urls()),
        ("OCSP", certificate.ocsp_urls()),
        ("CRL", certificate.crl_urls()),
    ];
    let all = kinds.into_iter().flat_map(|(kind, urls)| urls.iter().map(move |url| (kind, url)));
    all.filter_map(|(kind, url)| {
        let why = address::blocked(url)?;
        let what = format!("an address in it is not asked: {why}");
        Some(warning(
            "net.blocked",
            what,
            &format!("{kind}: {}", inert(url)),
            "Give the file by hand where it is needed. A network of your own can be permitted in the server's configuration.",
        ))
    })
    .collect()
}

pub(super) fn warning(code: &'static str, what: String, place: &str, repair: &str) -> Finding {
    Finding { code, severity: Severity::Warning, what, place: place.to_owned(), repair: repair.to_owned() }
}
