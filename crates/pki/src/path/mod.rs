//! Certification path validation (RFC 5280, 6) over a search that branches: does this certificate lead to somebody who
//! is trusted, and may it be used as it is meant to be?
//!
//! Asked through [`crate::chain::build`]: every way that `search` finds is put to `validate`, and the first that holds is
//! the chain. Everything together stays within one budget, so that no set of certificates or lists costs more than some
//! tens of milliseconds: [`crate::chain::MAX_CHECKS`] signature checks, [`crate::chain::MAX_LENGTH`] certificates to a path.

mod facts;
mod name_constraints;
mod peer;
mod policy;
mod revocation;
pub(crate) mod search;
mod strict;
mod validate;

use std::cmp::Reverse;
use std::ops::ControlFlow;

use crate::chain::{MAX_CHECKS, Pool};
use crate::tlv::oid_from_dotted;
use crate::{Certificate, Crl, Refusal, SubjectAltName, UnixTime};
use policy::{ANY_POLICY, Wanted};
use search::{Budget, End};
use validate::{Judgement, Subject, Validation};

/// What is known when a path is looked for.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Certificates that may stand between the leaf and an anchor; nothing is trusted for being here.
    pub intermediates: &'a Pool,
    /// Those that are trusted.
    pub anchors: Anchors<'a>,
    /// Revocation lists, of any issuers and in any order.
    pub crls: &'a [Crl],
}

/// Who is trusted. Their own validity, usages and constraints count.
#[derive(Clone, Copy)]
pub enum Anchors<'a> {
    /// Everybody who signed himself: who builds a chain to serve does not choose for the clients.
    Roots,
    /// These, whoever signed them.
    Only(&'a Pool),
}

impl<'a> Known<'a> {
    /// What there is to build a chain to serve from: roots stand among the others.
    pub fn among(all: &'a Pool) -> Self {
        Self { intermediates: all, anchors: Anchors::Roots, crls: &[] }
    }
}

impl<'a> Anchors<'a> {
    /// Those that are named.
    fn pool(self) -> Option<&'a Pool> {
        match self {
            Self::Roots => None,
            Self::Only(pool) => Some(pool),
        }
    }
}

/// What is asked of a path.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// The moment at which it is to hold.
    pub at: UnixTime,
    /// What the leaf is to be used for.
    pub purpose: Purpose,
    /// Names that the leaf must have: hosts, addresses, mailboxes. All of them.
    pub peers: &'a [SubjectAltName],
    /// Which certificate policies are wanted.
    pub policies: Policies,
    /// What is to be known about revocation.
    pub revocation: Revocation,
    /// Intermediates between leaf and anchor, at most; those that a CA issued to itself do not count.
    pub max_intermediates: Option<usize>,
}

/// What a leaf is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Serves TLS. Besides RFC 5280, 6, the form that TLS clients and the CA/B Baseline Requirements demand.
    Server,
    /// Shows who connects. The same demands on the form.
    Client,
    /// Anything: RFC 5280, 6, and no more.
    Any,
}

/// Certificate policies that are wanted (RFC 5280, 6.1.1, c to g).
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// Dotted identifiers, any of which will do; none means that every policy will do.
    pub wanted: Vec<String>,
    /// The path must be valid for one of them.
    pub require_explicit: bool,
    /// No CA may call its policies by another CA's names.
    pub inhibit_mapping: bool,
    /// anyPolicy stands for nothing.
    pub inhibit_any: bool,
}

/// What is to be known about revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// Nothing; lists are not looked at.
    Ignored,
    /// What the lists say, for those issuers that have one among [`Known::crls`]; one that cannot be relied upon leaves
    /// the state unknown, and the path does not hold.
    Known,
    /// The state of every certificate below the anchor.
    Required,
}

impl Options<'_> {
    /// A path for this purpose at this moment: any name, any policy, revocation as far as lists are there.
    pub fn new(at: UnixTime, purpose: Purpose) -> Self {
        Self {
            at,
            purpose,
            peers: &[],
            policies: Policies::default(),
            revocation: Revocation::Known,
            max_intermediates: None,
        }
    }
}

/// The best way up from a leaf, and what is said about it.
pub(crate) struct Best {
    /// The leaf first, each issued by the next; the last is trusted, if `is_anchored`.
    pub(crate) way: Vec<Certificate>,
    /// It ends at somebody trusted; the leaf may be that himself.
    pub(crate) is_anchored: bool,
    /// Why it does not hold: the reason of this very way.
    pub(crate) verdict: Result<(), Refusal>,
    /// Somewhere there were two CAs that issued each other.
    pub(crate) is_looped: bool,
    /// The budget was used up, so there may be better ways.
    pub(crate) is_exhausted: bool,
}

/// Greater is better: it holds; all valid now; complete; short if complete, long if not.
type Score = (bool, bool, bool, Reverse<usize>, usize);

/// Finds the best way from `leaf` upwards; stops at the first that holds. What is wrong with the leaf alone is wrong on
/// every way, and so decides nothing between them.
///
/// The codes of the verdict: `cert.expired`, `cert.not_yet_valid`, `chain.expired`, `chain.not_ca`, `chain.path_length`,
/// `chain.key_usage`, `chain.name_constraints`, `chain.policy`, `cert.ext_critical`, `cert.purpose`,
/// `cert.name_mismatch`, `cert.profile`, `cert.serial`, `cert.syntax`, `san.syntax`, `key.algorithm`, `sig.sha1`,
/// `cert.revoked`, `cert.revocation_unknown`; `chain.untrusted` when no way leads to an anchor; `chain.budget` when the
/// search was cut off.
pub(crate) fn best(
    leaf: &Certificate,
    known: &Known<'_>,
    options: &Options<'_>,
    budget: &mut Budget,
) -> Best {
    let wanted = match wanted(&options.policies) {
        Ok(wanted) => wanted,
        Err(refusal) => return Best::alone(leaf, Err(refusal)),
    };
    let mut validation = Validation::new(known, options, wanted);
    if known.anchors.pool().is_some_and(|anchors| anchors.contains(leaf)) {
        let judged = validation.judge(std::slice::from_ref(leaf), Subject::EndEntity, budget);
        return Best { is_anchored: true, ..Best::alone(leaf, judged.verdict()) };
    }
    let mut best: Option<(Score, Best)> = None;
    let mut is_looped = false;
    let up = (known.intermediates, known.anchors);
    search::walk(leaf, up, options.at, budget, &mut |budget, way, end| {
        is_looped |= end == End::Looped;
        let judged = (end == End::Reached).then(|| validation.judge(way, Subject::EndEntity, budget));
        let score = score(way, judged.as_ref(), options.at);
        let holds = score.0;
        if best.as_ref().is_none_or(|(best, _)| score > *best) {
            let is_anchored = judged.is_some();
            let verdict = judged.map_or_else(|| Err(untrusted(leaf)), Judgement::verdict);
            best = Some((score, Best { way: way.to_vec(), is_anchored, ..Best::alone(leaf, verdict) }));
        }
        if holds || budget.is_blind { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let is_exhausted = budget.is_exhausted;
    match best {
        Some(((true, ..), best)) => Best { is_looped, is_exhausted, ..best },
        Some((_, best)) if is_exhausted => {
            Best { is_looped, is_exhausted, verdict: Err(exhausted()), ..best }
        }
        Some((_, best)) => Best { is_looped, ..best },
        None => Best { is_looped, is_exhausted, ..Best::alone(leaf, Err(untrusted(leaf))) },
    }
}

impl Best {
    fn alone(leaf: &Certificate, verdict: Result<(), Refusal>) -> Self {
        Self { way: vec![leaf.clone()], is_anchored: false, verdict, is_looped: false, is_exhausted: false }
    }
}

fn score(way: &[Certificate], judged: Option<&Judgement>, at: UnixTime) -> Score {
    // The leaf is the same on every way.
    let is_valid = way.iter().skip(1).all(|member| member.is_valid_at(at));
    match judged {
        Some(judged) => (judged.above.is_ok(), is_valid, true, Reverse(way.len()), 0),
        None => (false, is_valid, false, Reverse(0), way.len()),
    }
}

/// Why this way does not hold for who trusts the last of it, leaving aside what concerns the leaf alone. Signatures
/// are not looked at.
pub(crate) fn fault_above(way: &[Certificate], at: UnixTime, budget: &mut Budget) -> Option<Refusal> {
    let pool = Pool::default();
    let known = Known::among(&pool);
    let options = Options { revocation: Revocation::Ignored, ..Options::new(at, Purpose::Any) };
    let mut validation = Validation::new(&known, &options, Wanted::default());
    validation.judge(way, Subject::EndEntity, budget).above.err()
}

fn wanted(policies: &Policies) -> Result<Wanted, Refusal> {
    let mut wanted = Wanted {
        explicit: policies.require_explicit,
        no_mapping: policies.inhibit_mapping,
        no_any: policies.inhibit_any,
        ..Wanted::default()
    };
    for policy in &policies.wanted {
        let what = "a wanted policy is not an object identifier";
        let oid = oid_from_dotted(policy).ok_or_else(|| {
            Refusal::new("chain.policy", what, "Write it as numbers with dots between.").at(policy)
        })?;
        if oid == ANY_POLICY {
            wanted.policies.clear();
            break;
        }
        wanted.policies.insert(oid);
    }
    Ok(wanted)
}

/// Something about one certificate of a path.
fn fault(code: &'static str, what: impl Into<String>, certificate: &Certificate, repair: &str) -> Refusal {
    Refusal::new(code, what, repair).at(certificate.display_name())
}

fn untrusted(leaf: &Certificate) -> Refusal {
    let what = "no way leads from this certificate to a trusted root";
    let repair = "Add the missing intermediate certificates, or import the root if you trust it.";
    fault("chain.untrusted", what, leaf, repair)
}

fn exhausted() -> Refusal {
    let what = format!("no path was found within {MAX_CHECKS} signature checks and the other limits");
    Refusal::new("chain.budget", what, "Send only the certificates that belong to this chain.")
}

#[cfg(test)]
mod tests;
