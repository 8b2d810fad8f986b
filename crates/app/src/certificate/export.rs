//! Hand out a certificate or its chain.

use domain::Authorized;
use domain::permission::uses;
use pki::format::pem_write;
use pki::{Certificate, Fingerprint};

use super::find;
use crate::{App, Error};

/// Whether the root goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithRoot {
    /// No: clients have it.
    LeftOut,
    /// Yes, because somebody ticked it.
    Included,
}

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportForm {
    /// The certificate alone, DER.
    Der,
    /// The certificate alone, PEM.
    Pem,
    /// The certificates above it, PEM.
    ChainPem(WithRoot),
    /// The certificate and those above it, PEM.
    FullchainPem(WithRoot),
}

/// A file that is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// A name of ours, from ids only.
    pub name: String,
    /// Its media type.
    pub media_type: &'static str,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Exports a certificate. Nothing is changed, so nothing is recorded.
pub async fn export(
    app: &App,
    by: &Authorized<uses::ExportCertificate>,
    id: &Fingerprint,
    form: ExportForm,
) -> Result<File, Error> {
    let see = domain::authorize(by.actor(), uses::ViewCertificates, &id.to_string())?;
    let view = find(app, &see, id).await?;
    let short = &id.to_string()[..16];
    let above = |root: WithRoot| -> Vec<Certificate> {
        let chain = view.chain.served.iter().skip(1);
        let root = view.chain.root.iter().filter(|_| root == WithRoot::Included);
        chain.chain(root).filter(|one| one.fingerprint() != *id).cloned().collect()
    };
    let leaf = &view.entry.certificate;
    let pem = |name: String, certificates: &[Certificate]| File {
        name,
        media_type: "application/x-pem-file",
        bytes: pem_write::chain(certificates.iter().map(Certificate::der)).into_bytes(),
    };
    Ok(match form {
        ExportForm::Der => File {
            name: format!("certificate-{short}.cer"),
            media_type: "application/pkix-cert",
            bytes: leaf.der().to_vec(),
        },
        ExportForm::Pem => pem(format!("certificate-{short}.pem"), std::slice::from_ref(leaf)),
        ExportForm::ChainPem(root) => {
            let chain = above(root);
            if chain.is_empty() {
                let what = "no certificate above this one is known";
                return Err(Error::conflict(
                    "chain.incomplete",
                    what,
                    "Import the intermediate certificates first.",
                ));
            }
            pem(format!("chain-{short}.pem"), &chain)
        }
        ExportForm::FullchainPem(root) => {
            let mut all = vec![leaf.clone()];
            all.extend(above(root));
            pem(format!("fullchain-{short}.pem"), &all)
        }
    })
}
