//! One key in two hands: whoever holds the private key of one certificate can speak for the other too.

use domain::certificate::{CertificateEntry, CertificateState};
use domain::id::LineageId;
use pki::{Certificate, Finding, Severity};
use store::Tx;

use crate::Error;

/// The most certificates of one key that are looked at: only an attack has more.
pub(super) const SAME_KEY: u32 = 64;

/// `key.shared`, if another lineage, or somebody else's certificate, has the public key of this one.
pub(crate) fn finding(
    tx: &Tx<'_>,
    certificate: &Certificate,
    lineage: Option<&LineageId>,
) -> Result<Option<Finding>, Error> {
    let others = store::certificate::some_by_key(tx, &certificate.key_id(), SAME_KEY)?;
    let other = others.iter().find(|other| is_in_other_hands(other, certificate, lineage));
    let Some(other) = other else { return Ok(None) };
    let holder = match &other.lineage {
        Some(id) => store::lineage::find(tx, id)?.map(|lineage| lineage.name),
        None => None,
    };
    let whose = match holder {
        Some(name) => format!("the lineage “{name}”"),
        None => format!("the certificate of {}", other.certificate.display_name()),
    };
    Ok(Some(Finding {
        code: "key.shared",
        severity: Severity::Warning,
        what: format!("the same key is in use for {whose}"),
        place: certificate.display_name(),
        repair: "Make a key of its own for one of them, and ask for a certificate of that.".to_owned(),
    }))
}

/// In a lineage the key may stay for years, and a CA may be cross-signed. Without lineages on both sides, a certificate
/// for somebody else has neither the subject nor a name in common.
fn is_in_other_hands(
    other: &CertificateEntry,
    certificate: &Certificate,
    lineage: Option<&LineageId>,
) -> bool {
    let held = &other.certificate;
    if held == certificate || other.state == CertificateState::Retired {
        return false;
    }
    match (lineage, &other.lineage) {
        (Some(one), Some(other)) => one != other,
        (Some(_) | None, Some(_) | None) => {
            let shares_name = held.names().iter().any(|name| certificate.names().contains(name));
            let is_same = held.subject() == certificate.subject() && !held.subject().is_empty();
            !is_same && !shares_name
        }
    }
}
