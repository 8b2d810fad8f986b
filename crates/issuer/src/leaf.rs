//! What the issuers that sign have in common: the checks of an order, and the lint before the intent is returned.

use std::collections::BTreeSet;

use domain::issuer::Profile;
use domain::key::KeyUsage;
use pki::issue::{self, Purpose, Template};
use pki::{Certificate, PublicKey, Refusal, Severity, SignatureScheme};

use crate::{Answer, Prepared, Wanted};

/// Refuses an order that the profile or the CSR does not bear out.
pub(crate) fn check(wanted: &Wanted<'_>) -> Result<Purpose, Refusal> {
    wanted.profile.lifetime_for(Some(wanted.lifetime))?;
    check_key(wanted.profile, wanted.csr.public_key())?;
    let asked: BTreeSet<_> = wanted.csr.names().iter().collect();
    if asked != wanted.names.iter().collect() {
        let what = "the CSR does not ask for exactly the names that were ordered";
        let repair = "Make a new CSR with the names of the lineage.";
        return Err(Refusal::new("csr.names", what, repair));
    }
    purpose(wanted.profile)
}

fn check_key(profile: &Profile, key: &PublicKey) -> Result<(), Refusal> {
    match key.algorithm() {
        Some(algorithm) => profile.takes(algorithm),
        None => {
            let what = format!("the profile {} does not take keys of the kind {}", profile.id, key.label());
            Err(Refusal::new("profile.algorithm", what, "Choose another key algorithm."))
        }
    }
}

fn purpose(profile: &Profile) -> Result<Purpose, Refusal> {
    match profile.usage {
        KeyUsage::Tls if profile.client_auth => Ok(Purpose::TlsServerAndClient),
        KeyUsage::Tls => Ok(Purpose::TlsServer),
        KeyUsage::Sign => Ok(Purpose::Sign),
        KeyUsage::Auth => Ok(Purpose::Auth),
        KeyUsage::Ca | KeyUsage::Account | KeyUsage::Node => {
            let what = format!("no certificate is issued for keys of the usage {}", profile.usage);
            Err(Refusal::new("profile.usage", what, "Choose a profile for TLS, SIGN or AUTH."))
        }
    }
}

/// Writes the intent and lints it: reads it back as a certificate with a signature of zeros, and refuses what we would
/// not let in ourselves.
///
/// `signing_key` is the key that will sign.
pub(crate) fn prepare(
    wanted: &Wanted<'_>,
    template: &Template,
    signing_key: &PublicKey,
) -> Result<Answer, Refusal> {
    let scheme = certificate_scheme(signing_key)?;
    let to_be_signed = issue::to_be_signed(template, scheme)?;
    let unsigned = Certificate::parse(&issue::assemble(&to_be_signed, scheme, &[0; 64]))?;
    lint(&unsigned, wanted, template)?;
    Ok(Answer::Prepared(Prepared {
        serial: unsigned.serial().to_vec(),
        key: signing_key.id(),
        not_before: unsigned.not_before(),
        not_after: unsigned.not_after(),
        to_be_signed,
    }))
}

fn certificate_scheme(key: &PublicKey) -> Result<SignatureScheme, Refusal> {
    let algorithm = key.algorithm().ok_or_else(|| {
        let what = format!("no certificate can be signed with a key of the kind {}", key.label());
        Refusal::new("issuer.authority", what, "Make a new internal CA.")
    })?;
    Ok(algorithm.certificate_scheme())
}

/// Looks at the encoded certificate, not at what it was made from.
fn lint(certificate: &Certificate, wanted: &Wanted<'_>, template: &Template) -> Result<(), Refusal> {
    let found = certificate.findings(wanted.now.unix());
    if let Some(finding) = found.into_iter().find(|finding| finding.severity == Severity::Error) {
        return Err(Refusal::new(finding.code, finding.what, finding.repair).at(finding.place));
    }
    let lifetime = certificate.not_after().since(certificate.not_before()) + 1;
    let same = *certificate.subject() == template.subject
        && certificate.names() == wanted.names
        && certificate.key_id() == wanted.csr.public_key().id()
        && certificate.authority_key_id() == template.authority_key_id.as_deref()
        && certificate.not_after() == template.not_after
        && lifetime <= wanted.lifetime
        && !certificate.is_ca();
    if same {
        return Ok(());
    }
    let what = "the certificate would not say what was ordered";
    Err(Refusal::new("issuer.lint", what, "Report this: nothing was signed."))
}
