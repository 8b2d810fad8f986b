//! What TLS clients refuse about a certificate as it is built, and which of them: browsers forgive much of it.

use super::extension::has_key_usage;
use super::finding::warning;
use super::{Certificate, Role};
use crate::{Finding, Severity};

/// They look for digitalSignature wherever the server signs.
const DEMAND_SIGNATURE: &str = "Chrome, GnuTLS and Java";
/// They take any usage that some key exchange of TLS has, but one of them there must be.
const DEMAND_ANY: &str = "Chrome, Firefox, OpenSSL, GnuTLS and Java";
/// Key usages for exchanges that nobody offers any more: RSA without (EC)DHE, and fixed ECDH.
const OLD_EXCHANGES: [&str; 2] = ["keyEncipherment", "keyAgreement"];

pub(super) fn findings(certificate: &Certificate) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(key_usage(certificate));
    findings.extend(stapling(certificate));
    findings.extend(version(certificate));
    findings.extend(precertificate(certificate));
    findings
}

/// A server signs in every handshake of TLS 1.3, and in each of TLS 1.2 with ECDHE (RFC 8446, 4.4.2.2).
fn key_usage(certificate: &Certificate) -> Option<Finding> {
    let bits = certificate.0.extensions.key_usage?;
    if certificate.role() != Role::Server || has_key_usage(bits, "digitalSignature") {
        return None;
    }
    let is_old = OLD_EXCHANGES.iter().any(|usage| has_key_usage(bits, usage));
    let clients = if is_old { DEMAND_SIGNATURE } else { DEMAND_ANY };
    let what = format!(
        "its key usage does not allow the signatures of TLS 1.3 and ECDHE (digitalSignature): {clients} refuse it"
    );
    Some(warning("cert.purpose", what, "keyUsage", "Ask for one with digitalSignature."))
}

fn stapling(certificate: &Certificate) -> Option<Finding> {
    let applies = certificate.0.extensions.oddities.wants_stapling && !certificate.is_ca();
    let what = "it demands that the server sends an OCSP answer along (must-staple), which is not done here: \
                Firefox and GnuTLS refuse it";
    let repair = "Ask for one without must-staple; harmless on another server that sends one.";
    applies.then(|| warning("cert.must_staple", what.to_owned(), "TLS feature", repair))
}

/// Extensions came with version 3 (RFC 5280, 4.1.2.1).
fn version(certificate: &Certificate) -> Option<Finding> {
    let version = certificate.0.version;
    if version == 2 || certificate.0.extensions.is_absent {
        return None;
    }
    let what = format!(
        "it has extensions and says that it is of version {}, which has none: Java, Go and Python 3.13 refuse it",
        version + 1
    );
    Some(warning("cert.profile", what, "version", "Ask the issuer for one of version 3."))
}

/// Nobody takes a precertificate: its poison is critical, and made to be unknown.
fn precertificate(certificate: &Certificate) -> Option<Finding> {
    let what = "it is the precertificate that a CA logs before it issues (certificate transparency): every client \
                refuses it";
    let repair = "Import the certificate itself: ask the CA for it.";
    let is_one = certificate.0.extensions.oddities.is_precertificate;
    let found =
        || warning("cert.precertificate", what.to_owned(), "extension 1.3.6.1.4.1.11129.2.4.3", repair);
    is_one.then(|| Finding { severity: Severity::Error, ..found() })
}
