//! Several certificates in one file: PEM, PKCS#7, or a trust store with the roots of their chains. Never a private key:
//! nothing that this file is made of could hold one.

use std::collections::BTreeSet;

use domain::permission::uses;
use domain::{Authorized, Moment, Random, authorize};
use pki::format::pem_write;
use pki::{Certificate, Fingerprint, Refusal};

use super::write::{P7B, P12, PEM, pkcs7};
use super::{ExportForm, Exported, File, Members, TrustPassphrase, chosen, form, trust};
use crate::certificate::{CertificateView, find};
use crate::{App, Error};

/// Certificates that are exported together, at most; those above them come beside.
pub const MOST_TOGETHER: usize = 100;

/// Which certificates go in above those that are named. A trust store has their roots, whatever is said here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Above {
    /// None.
    None,
    /// All but the roots, which clients have.
    Usual,
    /// All and the roots.
    WithRoots,
}

impl Above {
    /// As the form has it for one certificate: PEM the certificate alone.
    pub fn usual(form: ExportForm) -> Self {
        if form == ExportForm::Pem { Self::None } else { Self::Usual }
    }

    fn members(self) -> Members {
        match self {
            Self::None => Members::None,
            Self::Usual => Members::Usual,
            Self::WithRoots => Members::WithRoot,
        }
    }
}

/// Exports several certificates in one file, in the order in which they are named, each with what is above it behind it;
/// what several have in common comes once. Nothing is changed, so nothing is recorded.
///
/// # Errors
/// `export.nothing`; `limit.cert_count` over [`MOST_TOGETHER`]; `export.form` where the form holds one certificate only, or
/// a private key; `chain.root_missing` where a trust store needs a root that is not here.
pub async fn export_together(
    app: &App,
    by: &Authorized<uses::ExportCertificate>,
    ids: &[Fingerprint],
    (form, above): (ExportForm, Above),
    passphrase: &TrustPassphrase,
) -> Result<Exported, Error> {
    let form = fitted(form)?;
    check_count(ids.len())?;
    let mut views: Vec<CertificateView> = Vec::new();
    for id in ids {
        if !views.iter().any(|view| view.entry.fingerprint() == *id) {
            let see = authorize(by.actor(), uses::ViewCertificates, &id.to_string())?;
            views.push(find(app, &see, id).await?);
        }
    }
    let certificates = if form.is_trust_store() { roots(&views)? } else { all(&views, above)? };
    let file = file(form, &certificates, passphrase, (app.now(), app.random()))?;
    // One alone keeps its name; several have none in common.
    let friendly_name = match views.as_slice() {
        [only] => only.entry.friendly_name.clone(),
        _ => String::new(),
    };
    Ok(Exported { file, friendly_name, findings: passphrase.findings(form) })
}

/// The form that is written; none that holds one certificate or a key.
fn fitted(form: ExportForm) -> Result<ExportForm, Refusal> {
    match form {
        ExportForm::Fitting => Ok(ExportForm::Pkcs7),
        known if ExportForm::SEVERAL.contains(&known) => Ok(known),
        other => {
            let what = format!("the form {other} does not hold several certificates");
            Err(Refusal::new("export.form", what, "Choose PEM, PKCS#7 or a trust store."))
        }
    }
}

fn check_count(count: usize) -> Result<(), Refusal> {
    match count {
        0 => Err(form::nothing()),
        1..=MOST_TOGETHER => Ok(()),
        _ => {
            let what = format!("{count} certificates are wanted; at most {MOST_TOGETHER} go into one file");
            Err(Refusal::new("limit.cert_count", what, "Export them in parts."))
        }
    }
}

fn all(views: &[CertificateView], above: Above) -> Result<Vec<Certificate>, Refusal> {
    let mut found = Vec::new();
    for view in views {
        found.push(view.entry.certificate.clone());
        found.extend(chosen(view, &above.members())?);
    }
    Ok(once(found))
}

fn roots(views: &[CertificateView]) -> Result<Vec<Certificate>, Error> {
    let mut found = Vec::new();
    for view in views {
        let root = view.chain.root.clone().ok_or_else(|| no_root(&view.entry.certificate))?;
        found.push(root);
    }
    Ok(once(found))
}

fn no_root(certificate: &Certificate) -> Error {
    let what = format!("the root of the chain of {} is not here", certificate.display_name());
    Error::conflict("chain.root_missing", what, "Import the root certificate first, or leave this one out.")
}

/// Each once, where it came first.
fn once(certificates: Vec<Certificate>) -> Vec<Certificate> {
    let mut seen = BTreeSet::new();
    certificates.into_iter().filter(|one| seen.insert(one.fingerprint())).collect()
}

fn file(
    form: ExportForm,
    certificates: &[Certificate],
    passphrase: &TrustPassphrase,
    (now, random): (Moment, &dyn Random),
) -> Result<File, Error> {
    let count = certificates.len();
    let file = |name: String, media_type, bytes| Ok(File { name, media_type, bytes });
    match form {
        ExportForm::Pem => {
            let text = pem_write::chain(certificates.iter().map(Certificate::der));
            file(format!("certificates-{count}.pem"), PEM, text.into_bytes())
        }
        ExportForm::Pkcs7 => file(format!("certificates-{count}.p7b"), P7B, pkcs7(certificates)),
        ExportForm::Pkcs7Pem => {
            let text = pem_write::pkcs7(&pkcs7(certificates)).into_bytes();
            file(format!("certificates-{count}-pem.p7b"), P7B, text)
        }
        ExportForm::JavaTrust => {
            let bytes = trust::jks(certificates, passphrase, now);
            file(format!("trust-{count}.jks"), "application/x-java-keystore", bytes)
        }
        ExportForm::Pkcs12Trust => {
            let bytes = trust::pkcs12(certificates, passphrase, random);
            file(format!("trust-{count}.p12"), P12, bytes)
        }
        ExportForm::Fitting
        | ExportForm::Der
        | ExportForm::Chain
        | ExportForm::Fullchain
        | ExportForm::KeyPem
        | ExportForm::Pkcs8
        | ExportForm::Pkcs12
        | ExportForm::Nginx
        | ExportForm::Apache
        | ExportForm::Haproxy
        | ExportForm::XRoad => Err(Error::internal("an export of several in a form for one", &form)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_forms_for_several_and_never_one_with_a_key() {
        for form in ExportForm::ALL {
            let taken = fitted(*form);
            let names = ["auto", "pem", "p7b", "p7b-pem", "jks", "p12-trust"];
            assert_eq!(taken.is_ok(), names.contains(&form.name()), "{form}");
            assert!(
                taken
                    .map_or_else(|refusal| refusal.code == "export.form", |form| form != ExportForm::Fitting)
            );
        }
    }

    #[test]
    fn the_count_is_bounded() {
        let code = |count| check_count(count).err().map(|refusal| refusal.code);
        assert_eq!((code(0), code(1), code(100)), (Some("export.nothing"), None, None));
        assert_eq!(code(101), Some("limit.cert_count"));
    }
}
