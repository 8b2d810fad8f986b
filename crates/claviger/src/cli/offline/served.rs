//! Judges what a TLS server showed: each certificate, the chain as it was sent, and the name.

use outbound::Possession;
use pki::chain::arrange_for;
use pki::inspect::{InspectedItem, Inspection};
use pki::{Certificate, Finding, Severity, UnixTime};

use super::anchors;
use super::look::{self, Served, Shown};

/// What a look is called where files have their format.
pub const FORMAT: &str = "tls";

/// Everything that was shown, each certificate once, and what is wrong with it.
pub fn inspect(served: &Served, now: UnixTime) -> Inspection {
    let anchors = anchors::of_this_machine();
    let mut certificates: Vec<Certificate> = Vec::new();
    let mut findings: Vec<Finding> = Vec::new();
    let others = served.others.iter().filter_map(|(_, seen)| seen.as_ref().ok());
    for (index, shown) in std::iter::once(&served.shown).chain(others).enumerate() {
        let mut judged = judge(shown, &anchors, now);
        if index == 0 {
            judged.extend(name_finding(served));
        }
        for finding in judged {
            // Siblings have their intermediates in common.
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        for certificate in &shown.chain {
            if !certificates.contains(certificate) {
                certificates.push(certificate.clone());
            }
        }
    }
    Inspection {
        accepted: served.shown.refusals.is_empty() && !certificates.is_empty(),
        format: FORMAT.to_owned(),
        friendly_names: vec![None; certificates.len()],
        items: certificates.into_iter().map(InspectedItem::Certificate).collect(),
        findings,
    }
}

/// What is wrong with one chain as it was sent.
fn judge(shown: &Shown, anchors: &[Certificate], now: UnixTime) -> Vec<Finding> {
    let mut findings: Vec<Finding> = shown.refusals.iter().cloned().map(Finding::from).collect();
    findings.extend(doubts(shown));
    let Some(leaf) = shown.chain.first() else { return findings };
    findings.extend(shown.chain.iter().flat_map(|certificate| certificate.findings(now)));
    if leaf.is_self_signed() {
        findings.push(self_signed(leaf));
        return findings;
    }
    let signs_one = |anchor: &&Certificate| {
        !shown.chain.contains(anchor) && shown.chain.iter().any(|sent| sent.is_signed_by(anchor))
    };
    let known = shown.chain.iter().chain(anchors.iter().filter(signs_one)).cloned().collect();
    let arranged = arrange_for(known, Some(&leaf.key_id()), now);
    let is_twin = |stranger: &Certificate| {
        let members = arranged.chain.served.iter().chain(&arranged.chain.root);
        members.into_iter().any(|member| member.key_id() == stranger.key_id())
    };
    // A cross-signed twin of a member is sent for clients that do not know the root.
    let strangers = arranged.unrelated.iter().any(|stranger| !is_twin(stranger));
    let chain = arranged.chain.findings.into_iter();
    findings.extend(chain.filter(|finding| finding.code != "chain.unrelated" || strangers).map(as_sent));
    findings.extend(shown.chain.iter().filter(|sent| sent.is_self_signed()).map(root_sent));
    findings
}

/// What is doubtful about the handshake: who would not have seen anything of it, and what was not proven.
pub fn doubts(shown: &Shown) -> Vec<Finding> {
    let place = shown.chain.first().map(Certificate::display_name).unwrap_or_default();
    let finding = |code, severity, what: String, repair: &str| {
        let (place, repair) = (place.clone(), repair.to_owned());
        Finding { code, severity, what, place, repair }
    };
    let mut doubts = Vec::new();
    match &shown.possession {
        Possession::Proven => {}
        Possession::Disproven => doubts.push(finding(
            "look.unproven",
            Severity::Error,
            "the server does not have the private key of the certificate that it shows".to_owned(),
            "Look whose server it is: everybody can show this certificate, nobody else can use it.",
        )),
        Possession::Unchecked(why) => doubts.push(finding(
            "look.unproven",
            Severity::Warning,
            format!("it could not be checked whether the server has the private key: {why}"),
            "Look whether the fingerprint is that of a certificate which you know.",
        )),
    }
    if !shown.refused.is_empty() {
        doubts.push(finding(
            "look.certificate_refused",
            Severity::Error,
            format!("there are TLS clients that refuse the certificate: {}", shown.refused),
            "Put another certificate in its place, of version 3 and without odd extensions.",
        ));
    }
    if !shown.unfinished.is_empty() {
        doubts.push(finding(
            "look.unfinished",
            Severity::Warning,
            format!("the server showed its certificate and then went no further: {}", shown.unfinished),
            "Mostly it asks clients for a certificate of their own; else its log says why.",
        ));
    }
    doubts
}

/// In a file the order is put right; what a server sends, clients get as it is.
fn as_sent(finding: Finding) -> Finding {
    const REPAIR: &str = "Install the chain as `claviger chain --write` puts it.";
    let (what, repair) = match finding.code {
        "chain.reordered" => {
            ("the server sends its certificates in the wrong order, which some clients refuse", REPAIR)
        }
        "chain.deduplicated" => ("the server sends a certificate more than once", REPAIR),
        "chain.unrelated" => ("the server sends certificates that do not belong to the chain", REPAIR),
        "chain.root_missing" => (
            "the chain ends at a root that this machine does not trust",
            "If it is the root of your own CA, its clients have to know it: look whether they do.",
        ),
        _ => return finding,
    };
    let severity = finding.severity.max(Severity::Warning);
    Finding { severity, what: what.to_owned(), repair: repair.to_owned(), ..finding }
}

fn self_signed(leaf: &Certificate) -> Finding {
    Finding {
        code: "look.self_signed",
        severity: Severity::Warning,
        what: "the certificate is self-signed: only clients that were told to will trust it".to_owned(),
        place: leaf.display_name(),
        repair: "Order one from a CA that the clients know.".to_owned(),
    }
}

fn root_sent(root: &Certificate) -> Finding {
    Finding {
        code: "look.root_sent",
        severity: Severity::Info,
        what: format!(
            "the server sends the root too, {} octets in each handshake for nothing",
            root.der().len()
        ),
        place: root.display_name(),
        repair: "Leave it out: clients have it, or do not trust it.".to_owned(),
    }
}

/// Whether the name that was asked for is in the certificate.
fn name_finding(served: &Served) -> Option<Finding> {
    let leaf = served.shown.chain.first()?;
    if look::fits(served, leaf)? {
        return None;
    }
    let asked = served.server_name.as_deref().unwrap_or(&served.host);
    let asked = pki::name::inert(asked);
    // Who dials an address mostly means the name behind it.
    let severity = if served.server_name.is_some() { Severity::Error } else { Severity::Warning };
    Some(Finding {
        code: "cert.name_mismatch",
        severity,
        what: format!("the certificate is not for {asked}"),
        place: leaf.display_name(),
        repair: format!(
            "Serve one with {asked} among its Alternative Names, or ask for another --servername."
        ),
    })
}
