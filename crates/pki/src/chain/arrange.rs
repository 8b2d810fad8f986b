//! The certificates of one file, in any order, with duplicates and strangers: which is the leaf, what is its chain.

use std::collections::{HashMap, HashSet};

use super::finding::{finding, incomplete};
use super::{Chain, Pool, build};
use crate::path::search::{MAX_CANDIDATES, is_same_ca};
use crate::path::{Known, Options, Purpose};
use crate::{Certificate, Crl, Finding, KeyId, Refusal, Severity, UnixTime};

/// The certificates of one file, sorted.
#[derive(Clone, Debug)]
pub struct Arranged {
    /// Whom the file is about; `None` only when there are no certificates.
    pub leaf: Option<Certificate>,
    /// Its chain; the findings tell what was repaired, too.
    pub chain: Chain,
    /// What belongs neither to the chain nor is its root.
    pub unrelated: Vec<Certificate>,
}

/// Finds the leaf and its chain among the certificates of one file.
///
/// Besides the findings of [`build`]: `chain.reordered`, `chain.deduplicated` (info), `chain.unrelated` (warning).
pub fn arrange(certificates: Vec<Certificate>, now: UnixTime) -> Arranged {
    arrange_for(certificates, None, now)
}

/// As [`arrange`]; the certificate of the key `wanted` is the leaf, if there is one.
pub fn arrange_for(certificates: Vec<Certificate>, wanted: Option<&KeyId>, now: UnixTime) -> Arranged {
    arrange_with_lists(certificates, wanted, &[], now)
}

/// As [`arrange_for`]; what the revocation lists say counts for the verdict.
pub fn arrange_with_lists(
    certificates: Vec<Certificate>,
    wanted: Option<&KeyId>,
    crls: &[Crl],
    now: UnixTime,
) -> Arranged {
    let copies = deduplicated(&certificates);
    let distinct = without_duplicates(certificates);
    let Some(leaf) = find_leaf(&distinct, wanted).map(|leaf| newest(leaf, &distinct, now)).cloned() else {
        let verdict = Err(Refusal::new("chain.nothing", "there is no certificate", "Give the leaf's file."));
        let chain = Chain { served: Vec::new(), root: None, verdict, findings: Vec::new() };
        return Arranged { leaf: None, chain, unrelated: Vec::new() };
    };
    let mut chain = match refuse_crowd(&distinct) {
        Ok(()) => {
            let pool = Pool::new(distinct.iter().cloned());
            build(&leaf, &Known { crls, ..Known::among(&pool) }, &Options::new(now, Purpose::Any))
        }
        Err(refusal) => {
            let findings = vec![Finding::from(refusal.clone())];
            Chain { served: vec![leaf.clone()], root: None, verdict: Err(refusal), findings }
        }
    };
    let unrelated = strangers(&distinct, &chain);
    // Another certificate of a CA that stands in the chain is no link that it lacks.
    let is_in_chain = |other: &Certificate| chain.served.iter().any(|member| is_same_ca(member, other));
    if unrelated.iter().any(|other| other.is_ca() && !is_in_chain(other)) {
        name_the_gap(&mut chain);
    }
    chain.findings.extend(copies);
    if is_reordered(&distinct, &chain) {
        let what = "the certificates were not in order; they are now, the leaf first";
        chain.findings.push(finding("chain.reordered", Severity::Info, what, &leaf, "Nothing."));
    }
    if !unrelated.is_empty() {
        chain.findings.push(unrelated_finding(&unrelated));
    }
    Arranged { leaf: Some(leaf), chain, unrelated }
}

fn without_duplicates(certificates: Vec<Certificate>) -> Vec<Certificate> {
    let mut seen = HashSet::new();
    certificates.into_iter().filter(|certificate| seen.insert(certificate.fingerprint())).collect()
}

/// The certificate of the key; else the first one that issued no other and is no CA; else the first that issued no
/// other; else (in a loop of CAs) the first.
fn find_leaf<'a>(certificates: &'a [Certificate], wanted: Option<&KeyId>) -> Option<&'a Certificate> {
    let of_key = |certificate: &&Certificate| wanted.is_some_and(|key| certificate.key_id() == *key);
    if let Some(leaf) = certificates.iter().find(of_key) {
        return Some(leaf);
    }
    let others = certificates.iter().filter(|certificate| !certificate.is_self_issued());
    let issuers: HashSet<&[u8]> = others.map(|certificate| certificate.issuer().der()).collect();
    let is_lowest = |certificate: &&Certificate| !issuers.contains(certificate.subject().der());
    let lowest = || certificates.iter().filter(is_lowest);
    let leaves = || lowest().filter(|certificate| !certificate.is_ca());
    // A root of version 1 is no CA by its own words: prefer what somebody else issued.
    (leaves().find(|certificate| !certificate.is_self_issued()))
        .or_else(|| leaves().next())
        .or_else(|| certificates.iter().find(|certificate| !certificate.is_ca()))
        .or_else(|| lowest().next())
        .or_else(|| certificates.first())
}

/// Of a leaf's certificates for the same key and subject: one that is valid now, and of these the one that ends last.
fn newest<'a>(leaf: &'a Certificate, certificates: &'a [Certificate], now: UnixTime) -> &'a Certificate {
    let rank = |one: &Certificate| (one.is_valid_at(now), one.not_after());
    let is_twin = |one: &&Certificate| !one.is_ca() && !leaf.is_ca() && is_same_ca(one, leaf);
    let twins = certificates.iter().filter(is_twin);
    twins.fold(leaf, |best, one| if rank(one) > rank(best) { one } else { best })
}

/// Refuses files with more CAs of one name than are ever tried as issuers: nobody means that.
///
/// # Errors
/// `chain.budget`.
pub fn refuse_crowd<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> Result<(), Refusal> {
    let mut counts: HashMap<&[u8], usize> = HashMap::new();
    for certificate in certificates.into_iter().filter(|certificate| certificate.may_issue()) {
        let count = counts.entry(certificate.subject().der()).or_default();
        *count += 1;
        if *count > MAX_CANDIDATES {
            let what = format!("more than {MAX_CANDIDATES} CAs in it have the same name");
            let repair = "Send only the certificates that belong to this chain.";
            return Err(Refusal::new("chain.budget", what, repair).at(certificate.display_name()));
        }
    }
    Ok(())
}

fn strangers(certificates: &[Certificate], chain: &Chain) -> Vec<Certificate> {
    let used: HashSet<_> = chain.served.iter().chain(&chain.root).map(Certificate::fingerprint).collect();
    certificates.iter().filter(|certificate| !used.contains(&certificate.fingerprint())).cloned().collect()
}

/// The file has further CAs that the chain does not reach: what is missing is a link, not the root.
fn name_the_gap(chain: &mut Chain) {
    if let Some(last) = chain.served.last() {
        let found = incomplete(last);
        chain
            .findings
            .iter_mut()
            .filter(|one| one.code == "chain.root_missing")
            .for_each(|one| *one = found.clone());
    }
}

fn is_reordered(certificates: &[Certificate], chain: &Chain) -> bool {
    let root = chain.root.iter().filter(|root| !chain.served.contains(root));
    let members: Vec<_> = chain.served.iter().chain(root).map(Certificate::fingerprint).collect();
    let sent = certificates.iter().map(Certificate::fingerprint).filter(|one| members.contains(one));
    !sent.eq(members.iter().copied())
}

/// Says how many copies of certificates were dropped, at the first that there are copies of: `chain.deduplicated`.
pub fn deduplicated(certificates: &[Certificate]) -> Option<Finding> {
    let mut seen = HashSet::new();
    let mut copies = certificates.iter().filter(|certificate| !seen.insert(certificate.fingerprint()));
    let first = copies.next()?;
    let what =
        format!("{} certificates were there more than once; the copies were dropped", 1 + copies.count());
    Some(finding("chain.deduplicated", Severity::Info, what, first, "Nothing."))
}

fn unrelated_finding(unrelated: &[Certificate]) -> Finding {
    const SHOWN: usize = 5;
    let mut names: Vec<String> = unrelated.iter().take(SHOWN).map(Certificate::display_name).collect();
    if unrelated.len() > SHOWN {
        names.push(format!("and {} more", unrelated.len() - SHOWN));
    }
    Finding {
        code: "chain.unrelated",
        severity: Severity::Warning,
        what: "the file holds certificates that do not belong to this chain; they were left out".to_owned(),
        place: names.join(", "),
        repair: "Import them on their own if you need them.".to_owned(),
    }
}
