//! Whether one path holds (RFC 5280, 6.1): rule by rule over the whole path, the cheap ones first.

use std::collections::HashMap;
use std::rc::Rc;

use super::facts::Facts;
use super::policy::{self, Step, Wanted};
use super::search::Budget;
use super::{Known, Options, Purpose, Revocation, exhausted, fault, peer, revocation, strict};
use crate::crl::Revoked;
use crate::signature_algorithm::Digest;
use crate::{Certificate, Fingerprint, Refusal};

/// Whose path it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// Of the leaf that was asked about.
    EndEntity,
    /// Of whoever signed a revocation list.
    CrlIssuer,
}

/// Where a certificate stands in the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Leaf,
    Intermediate,
    Anchor,
    /// Leaf and anchor at once.
    Alone,
}

/// One certificate of the path.
pub(super) struct Link<'a> {
    pub(super) certificate: &'a Certificate,
    pub(super) facts: Rc<Facts>,
}

/// What stays the same for every path of one question.
pub(super) struct Validation<'a> {
    pub(super) known: &'a Known<'a>,
    pub(super) options: &'a Options<'a>,
    wanted: Wanted,
    /// Signers of revocation lists whose own paths are being looked at, the outermost first.
    pub(super) signers: Vec<Fingerprint>,
    /// What a list says of a certificate, by both.
    pub(super) looked_up: HashMap<(Fingerprint, Fingerprint), Option<Revoked>>,
}

/// What is said about one path.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// About the leaf alone, which no other path would change.
    pub(crate) leaf: Result<(), Refusal>,
    /// About those above it, and about all of them together.
    pub(crate) above: Result<(), Refusal>,
}

impl Judgement {
    /// The first fault, the leaf's own before the others.
    pub(crate) fn verdict(self) -> Result<(), Refusal> {
        self.leaf.and(self.above)
    }
}

const SERVER_AUTH: &str = "serverAuth";
const CLIENT_AUTH: &str = "clientAuth";
const ANY_USAGE: &str = "anyExtendedKeyUsage";
/// Key usages of which TLS needs one.
const TLS_KEY_USAGES: [&str; 3] = ["digitalSignature", "keyEncipherment", "keyAgreement"];

impl<'a> Validation<'a> {
    pub(super) fn new(known: &'a Known<'a>, options: &'a Options<'a>, wanted: Wanted) -> Self {
        Self { known, options, wanted, signers: Vec::new(), looked_up: HashMap::new() }
    }

    /// Judges a path, leaf first, anchor last, whose signatures were checked.
    pub(super) fn judge(&mut self, path: &[Certificate], subject: Subject, budget: &mut Budget) -> Judgement {
        let links: Result<Vec<_>, _> = path.iter().map(|one| link(one, budget)).collect();
        match links {
            Ok(links) => {
                Judgement { leaf: self.leaf(&links, subject), above: self.above(&links, subject, budget) }
            }
            Err(unreadable) => Judgement { leaf: Ok(()), above: Err(unreadable) },
        }
    }

    /// What concerns the leaf alone: it holds or not on every path.
    fn leaf(&self, links: &[Link<'_>], subject: Subject) -> Result<(), Refusal> {
        let Some((leaf, place)) = links.first().zip(places(links.len()).next()) else { return Ok(()) };
        self.alone(leaf, place, self.purpose(subject))?;
        match subject {
            Subject::EndEntity => self.peers(links),
            Subject::CrlIssuer => Ok(()),
        }
    }

    fn above(&mut self, links: &[Link<'_>], subject: Subject, budget: &mut Budget) -> Result<(), Refusal> {
        let purpose = self.purpose(subject);
        for (link, place) in links.iter().zip(places(links.len())).skip(1) {
            self.alone(link, place, purpose)?;
        }
        self.lengths(links)?;
        extended_usages(links, purpose)?;
        names(links, budget)?;
        self.policies(links, subject, budget)?;
        match self.options.revocation {
            Revocation::Ignored => Ok(()),
            Revocation::Known if self.known.crls.is_empty() => Ok(()),
            Revocation::Known | Revocation::Required => revocation::check(self, links, budget),
        }
    }

    /// Whoever signs lists need not be fit for what the leaf is used for.
    fn purpose(&self, subject: Subject) -> Purpose {
        match subject {
            Subject::EndEntity => self.options.purpose,
            Subject::CrlIssuer => Purpose::Any,
        }
    }

    /// The rules that look at one certificate only.
    fn alone(&self, link: &Link<'_>, place: Place, purpose: Purpose) -> Result<(), Refusal> {
        let certificate = link.certificate;
        self.dates(certificate, place)?;
        if let Some(oid) = &link.facts.unknown_critical {
            let what = format!("an extension that is marked critical ({oid}) is unknown here");
            let repair = "Ask the issuer for a certificate without it.";
            return Err(fault("cert.ext_critical", what, certificate, repair));
        }
        if matches!(place, Place::Leaf | Place::Intermediate) && certificate.has_digest(Digest::Sha1) {
            let what = "it is signed with SHA-1, which clients no longer take";
            return Err(fault(
                "sig.sha1",
                what,
                certificate,
                "Ask the issuer for one that is signed with SHA-256.",
            ));
        }
        if place == Place::Intermediate && !certificate.is_ca() {
            let what = "it issued a certificate, but is no CA";
            return Err(fault(
                "chain.not_ca",
                what,
                certificate,
                "Ask the issuer for a certificate of a real CA.",
            ));
        }
        if matches!(place, Place::Intermediate | Place::Anchor) && !certificate.may_issue() {
            let what = "its key usage does not allow to sign certificates";
            let repair = "Ask the issuer for a certificate of a CA with keyCertSign.";
            return Err(fault("chain.key_usage", what, certificate, repair));
        }
        match purpose {
            Purpose::Any => Ok(()),
            Purpose::Server | Purpose::Client => strict::check(link, place, purpose),
        }
    }

    fn dates(&self, certificate: &Certificate, place: Place) -> Result<(), Refusal> {
        let at = self.options.at;
        if certificate.is_valid_at(at) {
            return Ok(());
        }
        let (start, end) = (certificate.not_before(), certificate.not_after());
        let is_early = at < start;
        let what = if is_early {
            format!("it is valid only from {start} on")
        } else {
            format!("it expired on {end}")
        };
        let code = match place {
            Place::Leaf | Place::Alone if is_early => "cert.not_yet_valid",
            Place::Leaf | Place::Alone => "cert.expired",
            Place::Intermediate | Place::Anchor => "chain.expired",
        };
        let repair =
            if is_early { "Wait, or check the clock." } else { "Renew it, or import its successor." };
        Err(fault(code, what, certificate, repair))
    }

    /// How many intermediates each CA and whoever asks allow below (RFC 5280, 4.2.1.9).
    fn lengths(&self, links: &[Link<'_>]) -> Result<(), Refusal> {
        let (mut left, mut asked) = (u32::MAX, self.options.max_intermediates.unwrap_or(usize::MAX));
        for (index, link) in links.iter().enumerate().skip(1).rev() {
            let counts = index + 1 < links.len() && !link.certificate.is_self_issued();
            if counts && (left == 0 || asked == 0) {
                let what = "the path is longer than a CA above, or whoever asked, allows";
                let repair = "Ask the issuer for a certificate from a CA that may issue it.";
                return Err(fault("chain.path_length", what, link.certificate, repair));
            }
            if counts {
                (left, asked) = (left - 1, asked - 1);
            }
            left = left.min(link.certificate.path_len().unwrap_or(u32::MAX));
        }
        Ok(())
    }

    /// The leaf is fit for TLS and speaks for everyone who was asked for.
    fn peers(&self, links: &[Link<'_>]) -> Result<(), Refusal> {
        let Some(leaf) = links.first() else { return Ok(()) };
        let usages = leaf.certificate.key_usages();
        let is_fit = match self.options.purpose {
            Purpose::Any => true,
            Purpose::Server | Purpose::Client => {
                let has_one = TLS_KEY_USAGES.iter().any(|usage| usages.contains(usage));
                !leaf.facts.has_key_usage || leaf.certificate.is_ca() || has_one
            }
        };
        if !is_fit {
            let what = "its key usage does not allow TLS";
            return Err(fault("cert.purpose", what, leaf.certificate, "Ask for one with digitalSignature."));
        }
        match self.options.peers.iter().find(|peer| !peer::is_covered(peer, leaf.certificate)) {
            None => Ok(()),
            Some(peer) => {
                let what = format!("it does not speak for {peer}");
                let repair = "Ask for a certificate with this name among its alternative names.";
                Err(fault("cert.name_mismatch", what, leaf.certificate, repair))
            }
        }
    }

    fn policies(&self, links: &[Link<'_>], subject: Subject, budget: &mut Budget) -> Result<(), Refusal> {
        let below_anchor = links.split_last().map_or(&[][..], |(_, below)| below);
        let steps: Vec<Step<'_>> = below_anchor
            .iter()
            .rev()
            .map(|link| Step { facts: &link.facts, is_self_issued: link.certificate.is_self_issued() })
            .collect();
        let anything = Wanted::default();
        let wanted = if subject == Subject::EndEntity { &self.wanted } else { &anything };
        match links.first() {
            Some(leaf) if !policy::holds(&steps, wanted, budget) => {
                let what = "no certificate policy that is wanted holds along the path";
                Err(fault("chain.policy", what, leaf.certificate, "Ask the CA which policy it issues under."))
            }
            Some(_) | None => spent(budget),
        }
    }
}

/// A certificate with what it says.
fn link<'c>(certificate: &'c Certificate, budget: &mut Budget) -> Result<Link<'c>, Refusal> {
    Ok(Link { certificate, facts: budget.memory.facts(certificate)? })
}

fn places(length: usize) -> impl Iterator<Item = Place> {
    (0..length).map(move |index| match index {
        0 if length == 1 => Place::Alone,
        0 => Place::Leaf,
        last if last + 1 == length => Place::Anchor,
        _ => Place::Intermediate,
    })
}

/// Extended key usages nest: a CA that has some issues only for these.
fn extended_usages(links: &[Link<'_>], purpose: Purpose) -> Result<(), Refusal> {
    let wanted = match purpose {
        Purpose::Any => return Ok(()),
        Purpose::Server => SERVER_AUTH,
        Purpose::Client => CLIENT_AUTH,
    };
    let lacks = |link: &&Link<'_>| {
        let usages = link.certificate.extended_key_usages();
        link.facts.extended_usage.is_some()
            && !usages.iter().any(|usage| usage == wanted || usage == ANY_USAGE)
    };
    match links.iter().find(lacks) {
        None => Ok(()),
        Some(link) => {
            let what = format!("its extended key usage does not allow {wanted}");
            Err(fault("cert.purpose", what, link.certificate, "Ask for a certificate for this purpose."))
        }
    }
}

/// Every CA's constraints on every certificate below it, but for those that a CA issued to itself on the way
/// (RFC 5280, 6.1.3, b and c).
fn names(links: &[Link<'_>], budget: &mut Budget) -> Result<(), Refusal> {
    for (index, authority) in links.iter().enumerate().skip(1) {
        let Some(constraints) = &authority.facts.name_constraints else { continue };
        for (below, link) in links[..index].iter().enumerate() {
            if below > 0 && link.certificate.is_self_issued() {
                continue;
            }
            if let Some(name) = constraints.value.forbids(link.certificate, budget) {
                let what =
                    format!("the CA {} may not speak for {name}", authority.certificate.display_name());
                let repair = "Ask a CA that may speak for this name.";
                return Err(fault("chain.name_constraints", what, link.certificate, repair));
            }
            spent(budget)?;
        }
    }
    Ok(())
}

fn spent(budget: &Budget) -> Result<(), Refusal> {
    if budget.is_blind { Err(exhausted()) } else { Ok(()) }
}
