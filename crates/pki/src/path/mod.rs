//! Certification path validation (RFC 5280, 6) over a search that branches: does this certificate lead to somebody who
//! is trusted, and may it be used as it is meant to be?
//!
//! [`verify`] is the one door. Every way that `search` finds is put to `validate`; the first that holds is the
//! answer. Everything together stays within one budget, so that no set of certificates or lists costs more than a few
//! milliseconds: [`crate::chain::MAX_CHECKS`] signature checks, [`crate::chain::MAX_LENGTH`] certificates to a path.

mod facts;
mod name_constraints;
mod peer;
mod policy;
mod revocation;
pub(crate) mod search;
mod strict;
mod validate;

use std::ops::ControlFlow;

use crate::chain::{MAX_CHECKS, Pool};
use crate::tlv::oid_from_dotted;
use crate::{Certificate, Crl, Refusal, SubjectAltName, UnixTime};
use policy::{ANY_POLICY, Wanted};
use search::{Budget, End, Goal};
use validate::{Subject, Validation};

/// What is known when a path is looked for.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Certificates that may stand between the leaf and an anchor; nothing is trusted for being here.
    pub intermediates: &'a Pool,
    /// Those that are trusted. Their own validity, usages and constraints count, their signatures do not.
    pub anchors: &'a Pool,
    /// Revocation lists, of any issuers and in any order.
    pub crls: &'a [Crl],
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

/// A path that holds.
#[derive(Clone, Debug)]
pub struct Path {
    /// The leaf first, each issued by the next; without the anchor, unless the leaf is the anchor itself.
    pub certificates: Vec<Certificate>,
    /// Who is trusted.
    pub anchor: Certificate,
}

/// Finds a path from `leaf` to an anchor that holds for what is asked.
///
/// # Errors
/// The reason why the likeliest path does not hold, with the certificate as the place: `cert.expired`,
/// `cert.not_yet_valid`, `chain.expired`, `chain.not_ca`, `chain.path_length`, `chain.key_usage`,
/// `chain.name_constraints`, `chain.policy`, `cert.ext_critical`, `cert.purpose`, `cert.name_mismatch`, `cert.profile`,
/// `cert.serial`, `cert.syntax`, `san.syntax`, `key.algorithm`, `sig.sha1`, `cert.revoked`, `cert.revocation_unknown`;
/// `chain.untrusted` when no way leads to an anchor; `chain.budget` when the search was cut off.
pub fn verify(leaf: &Certificate, known: &Known<'_>, options: &Options<'_>) -> Result<Path, Refusal> {
    if known.anchors.contains(leaf) {
        return verify_trusted(leaf, known, options);
    }
    let mut budget = Budget::new();
    let mut validation = Validation::new(known, options, wanted(&options.policies)?);
    let (mut found, mut first_fault) = (None, None);
    let goal = Goal::Anchor(known.anchors);
    search::walk(leaf, (known.intermediates, goal), options.at, &mut budget, &mut |budget, path, end| {
        if end != End::Reached {
            return ControlFlow::Continue(());
        }
        match validation.check(path, Subject::EndEntity, budget) {
            Ok(()) => {
                found = path.split_last().map(|(anchor, certificates)| Path {
                    certificates: certificates.to_vec(),
                    anchor: anchor.clone(),
                });
                ControlFlow::Break(())
            }
            Err(fault) => {
                first_fault.get_or_insert(fault);
                if budget.is_exhausted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        }
    });
    match found {
        Some(path) => Ok(path),
        None if budget.is_exhausted => Err(exhausted()),
        None => Err(first_fault.unwrap_or_else(|| untrusted(leaf))),
    }
}

/// Validates a certificate that is trusted itself, as one that signed itself and was pinned.
pub(crate) fn verify_trusted(
    leaf: &Certificate,
    known: &Known<'_>,
    options: &Options<'_>,
) -> Result<Path, Refusal> {
    let mut validation = Validation::new(known, options, wanted(&options.policies)?);
    validation.check(std::slice::from_ref(leaf), Subject::EndEntity, &mut Budget::new())?;
    Ok(Path { certificates: vec![leaf.clone()], anchor: leaf.clone() })
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
