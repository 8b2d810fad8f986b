//! What is wrong with a chain, and what to do about it.

use super::obstacle::looped;
use super::series::Ended;
use super::{Chain, MAX_CHECKS, client};
use crate::path::search::Budget;
use crate::{Certificate, Finding, Refusal, Severity, UnixTime};

/// `obstacle` is why the chain ends where its last certificate's issuer is here.
pub(super) fn findings(
    chain: &Chain,
    ended: Ended,
    obstacle: Option<&Refusal>,
    now: UnixTime,
    budget: &mut Budget,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !chain.is_complete() {
        if ended.is_looped {
            findings.extend(chain.served.last().map(looped).as_ref().map(in_the_way));
        }
        findings.push(match obstacle {
            Some(obstacle) => in_the_way(obstacle),
            None if ended.is_used_up => left_out(chain),
            None if ended.is_exhausted => cut_off(),
            None => gap(chain),
        });
    }
    let leaf_end = chain.served.first().map(Certificate::not_after);
    let root = chain.root.iter().filter(|_| !leads_itself(chain));
    for member in chain.served.iter().skip(1).chain(root) {
        if !member.is_valid_at(now) {
            findings.push(expired(member, now));
        } else if leaf_end.is_some_and(|end| member.not_after() < end) {
            findings.push(ends_first(member, chain));
        }
    }
    findings.extend(client::findings(chain, now, budget));
    findings
}

/// A self-signed leaf is its own root; its validity is the certificate's own finding.
fn leads_itself(chain: &Chain) -> bool {
    chain.root.as_ref() == chain.served.first()
}

fn gap(chain: &Chain) -> Finding {
    match chain.served.as_slice() {
        // A CA by itself is sent to nobody: what is above it may well be the root.
        [.., last] if chain.served.len() > 1 || last.is_ca() => root_missing(last),
        [last, ..] => incomplete(last),
        [] => cut_off(),
    }
}

/// The issuer of `last` is not known, so clients will not know it either.
pub(super) fn incomplete(last: &Certificate) -> Finding {
    let missing = last.issuer();
    Finding {
        code: "chain.incomplete",
        severity: Severity::Warning,
        what: format!(
            "the certificate of the issuer {missing} is missing; most clients will refuse the connection"
        ),
        place: last.display_name(),
        repair: repair_gap(last),
    }
}

fn repair_gap(last: &Certificate) -> String {
    let is_web = |url: &&String| url.split_once(':').is_some_and(|(scheme, _)| is_web_scheme(scheme));
    match last.ca_issuer_urls().iter().find(is_web) {
        Some(url) => format!("Import the issuer's certificate; the CA publishes it at {url}."),
        None => "Import the intermediate certificate that the CA sent with its answer or shows on its pages."
            .to_owned(),
    }
}

/// Others, like ldap and file, mean something inside the CA's own network only, or on its own disk.
fn is_web_scheme(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

fn root_missing(last: &Certificate) -> Finding {
    Finding {
        code: "chain.root_missing",
        severity: Severity::Warning,
        what: format!(
            "the root {} is not known here, so it was not checked whether the chain ends there",
            last.issuer()
        ),
        place: last.display_name(),
        repair: "Import the root certificate, or the next intermediate, if clients refuse the chain."
            .to_owned(),
    }
}

fn expired(member: &Certificate, now: UnixTime) -> Finding {
    let (what, repair) = if now < member.not_before() {
        (
            format!("a CA certificate is valid only from {} on", member.not_before()),
            "Wait, or check the clock.",
        )
    } else {
        let repair = "Import the CA's new certificate; the leaf need not change if the CA kept its key.";
        (format!("a CA certificate expired on {}", member.not_after()), repair)
    };
    finding("chain.expired", Severity::Error, what, member, repair)
}

fn ends_first(member: &Certificate, chain: &Chain) -> Finding {
    let name = member.display_name();
    let mut what =
        format!("the CA certificate “{name}” ends on {}, before the leaf does", member.not_after());
    if let Some(end) = chain.ends().filter(|end| *end != member.not_after()) {
        what.push_str(&format!("; what is served is good until {end}"));
    }
    finding(
        "chain.expires_before_leaf",
        Severity::Warning,
        what,
        member,
        "Import its successor before that day.",
    )
}

/// A chain that is not built to its end is an error, as at every other limit; who is no CA is told, and others may know
/// another way.
fn in_the_way(obstacle: &Refusal) -> Finding {
    let severity = if obstacle.code == "chain.budget" { Severity::Error } else { Severity::Warning };
    Finding { severity, ..Finding::from(obstacle.clone()) }
}

/// The search was cut off.
fn cut_off() -> Finding {
    Finding {
        code: "chain.budget",
        severity: Severity::Error,
        what: format!("no chain was found within {MAX_CHECKS} signature checks"),
        place: String::new(),
        repair: "Send only the certificates that belong to this chain.".to_owned(),
    }
}

/// Others before it used up what all of them may cost.
fn left_out(chain: &Chain) -> Finding {
    Finding {
        what: "its chain was not built: those of the certificates before it cost as much as one file may"
            .to_owned(),
        place: chain.served.first().map(Certificate::display_name).unwrap_or_default(),
        repair: "Send this certificate again, with its chain and fewer others.".to_owned(),
        ..cut_off()
    }
}

pub(super) fn finding(
    code: &'static str,
    severity: Severity,
    what: impl Into<String>,
    member: &Certificate,
    repair: &str,
) -> Finding {
    Finding { code, severity, what: what.into(), place: member.display_name(), repair: repair.to_owned() }
}
