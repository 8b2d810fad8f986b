//! Certificates as we keep them, and where each is in its life.

use pki::{Certificate, Finding, Fingerprint, KeyId, Severity, SubjectAltName};

use crate::clock::Moment;
use crate::id::LineageId;
use crate::names;

names! {
    /// Where a TLS certificate is in its life.
    CertificateState {
        /// It is here: made or imported.
        Issued "issued",
        /// A target took it.
        Installed "installed",
        /// A handshake from outside saw it on every target.
        Verified "verified",
        /// A newer one is current.
        Superseded "superseded",
        /// Removed by a person, or too old to matter.
        Retired "retired",
        /// Its issuer took it back.
        Revoked "revoked",
    }
}

names! {
    /// How a certificate came here.
    Source {
        /// Signed by its own key, here.
        SelfSigned "self_signed",
        /// Issued by our CA.
        Internal "internal",
        /// Brought by a person.
        Imported "imported",
        /// Made at the first start.
        Factory "factory",
    }
}

/// A certificate that is kept here.
#[derive(Clone, Debug, PartialEq)]
pub struct CertificateEntry {
    /// The certificate.
    pub certificate: Certificate,
    /// The name that a person knows it by.
    pub friendly_name: String,
    /// How it came.
    pub source: Source,
    /// The lineage that it belongs to.
    pub lineage: Option<LineageId>,
    /// Whether its private key is here.
    pub has_key: bool,
    /// Where it is in its life.
    pub state: CertificateState,
    /// When it came.
    pub created: Moment,
}

impl CertificateEntry {
    /// SHA-256 of its DER, which names it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.certificate.fingerprint()
    }

    /// The key that it certifies.
    pub fn key(&self) -> KeyId {
        self.certificate.key_id()
    }
}

/// Why a certificate does not become current by itself, or is put to no use by a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCurrent {
    /// Its private key is not here.
    #[error("its private key is not here")]
    NoKey,
    /// Its issuer took it back.
    #[error("it was revoked")]
    Revoked,
    /// It has a finding of severity error.
    #[error("{0}")]
    Finding(String),
    /// It does not end later than the one in use.
    #[error("it does not end later than the one in use")]
    EndsEarlier,
    /// A name of its lineage is not in it.
    #[error("it does not cover {0}")]
    Names(String),
}

/// The first of these names that a certificate does not cover.
pub fn uncovered<'a>(certificate: &Certificate, names: &'a [SubjectAltName]) -> Option<&'a SubjectAltName> {
    all_uncovered(certificate, names).next()
}

/// Every one of these names that a certificate does not cover.
pub fn all_uncovered<'a>(
    certificate: &Certificate,
    names: &'a [SubjectAltName],
) -> impl Iterator<Item = &'a SubjectAltName> {
    names.iter().filter(|name| !certificate.names().contains(name))
}

/// Decides whether a person may put a certificate to use: for a lineage with these names, of which none may vanish; as the
/// default certificate, or the first of a new lineage, where there are none.
pub fn plan_use(
    entry: &CertificateEntry,
    findings: &[Finding],
    names: &[SubjectAltName],
) -> Result<(), NotCurrent> {
    if !entry.has_key {
        return Err(NotCurrent::NoKey);
    }
    if entry.state == CertificateState::Revoked {
        return Err(NotCurrent::Revoked);
    }
    if let Some(error) = findings.iter().find(|finding| finding.severity == Severity::Error) {
        return Err(NotCurrent::Finding(error.what.clone()));
    }
    match uncovered(&entry.certificate, names) {
        Some(missing) => Err(NotCurrent::Names(missing.to_string())),
        None => Ok(()),
    }
}

/// What needs a certificate that somebody may want to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// Whether it is the factory certificate.
    pub is_factory: bool,
    /// Whether it is the default certificate.
    pub is_default: bool,
    /// The label of the issuer here whose CA it is.
    pub authority: Option<String>,
    /// The name of the lineage that serves it.
    pub served: Option<String>,
}

/// Why a certificate is not removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRemoved {
    /// It is the last resort of the edge.
    #[error("the factory certificate may not be removed")]
    Factory,
    /// It answers where no name fits.
    #[error("this is the default certificate")]
    Default,
    /// It is part of every chain below it.
    #[error("this is a certificate of the CA “{0}”")]
    Authority(String),
    /// A lineage serves it; where that may end with it, a person can accept that.
    #[error("the lineage “{0}” serves this certificate")]
    Served(String),
}

/// Decides whether a certificate may be removed from view.
pub fn plan_removal(needed: &Needed) -> Result<(), NotRemoved> {
    if needed.is_factory {
        return Err(NotRemoved::Factory);
    }
    if needed.is_default {
        return Err(NotRemoved::Default);
    }
    if let Some(issuer) = &needed.authority {
        return Err(NotRemoved::Authority(issuer.clone()));
    }
    match &needed.served {
        Some(lineage) => Err(NotRemoved::Served(lineage.clone())),
        None => Ok(()),
    }
}

/// Decides whether a new certificate becomes its lineage's current one by itself (DESIGN section 9). `names` are the
/// lineage's: a name that is served must not vanish.
pub fn plan_current(
    new: &CertificateEntry,
    findings: &[Finding],
    before: Option<&Certificate>,
    names: &[SubjectAltName],
) -> Result<(), NotCurrent> {
    plan_use(new, findings, names)?;
    match before {
        Some(before) if new.certificate.not_after() <= before.not_after() => Err(NotCurrent::EndsEarlier),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_not_removed() {
        let free = Needed { is_factory: false, is_default: false, authority: None, served: None };
        assert_eq!(plan_removal(&free), Ok(()));
        let kept = [
            (Needed { is_factory: true, is_default: true, ..free.clone() }, NotRemoved::Factory),
            (Needed { is_default: true, ..free.clone() }, NotRemoved::Default),
            (
                Needed { authority: Some("internal".to_owned()), ..free.clone() },
                NotRemoved::Authority("internal".to_owned()),
            ),
            (
                Needed { served: Some("shop".to_owned()), ..free.clone() },
                NotRemoved::Served("shop".to_owned()),
            ),
        ];
        for (needed, why) in kept {
            assert_eq!(plan_removal(&needed), Err(why));
        }
    }
}
