//! What revocation lists among the files say about the certificates among them. The lists themselves are not kept.

use std::collections::HashMap;
use std::sync::Arc;

use pki::chain::Chain;
use pki::{Certificate, Finding, Fingerprint, Severity, crl};
use store::Tx;

use super::Brought;
use crate::{App, Error};

/// The certificates that are on a list, each with its finding: an error where the list's signature is good.
#[derive(Clone, Debug, Default)]
pub(super) struct Revocations(HashMap<Fingerprint, Finding>);

/// Looks the certificates up in the lists. Who signed a list may be among the files, or here.
pub(super) async fn find(app: &App, brought: &Arc<Brought>) -> Result<Arc<Revocations>, Error> {
    if brought.crls.is_empty() {
        return Ok(Arc::default());
    }
    let brought = Arc::clone(brought);
    app.read("certificate.import.revoked", move |tx| among(tx, &brought).map(Arc::new)).await
}

fn among(tx: &Tx<'_>, brought: &Brought) -> Result<Revocations, Error> {
    let certificates: Vec<&Certificate> = brought.certificates.iter().map(|one| &one.certificate).collect();
    let mut found = Revocations::default();
    for list in &brought.crls {
        let here = store::certificate::issuers_named(tx, list.issuer().der())?;
        for (certificate, finding) in certificates.iter().zip(list.findings_about(&certificates, &here)) {
            finding.into_iter().for_each(|finding| found.add(certificate.fingerprint(), finding));
        }
    }
    Ok(found)
}

impl Revocations {
    /// Of several lists the one counts whose signature is good.
    fn add(&mut self, id: Fingerprint, finding: Finding) {
        match self.0.get(&id) {
            Some(known) if known.severity >= finding.severity => {}
            Some(_) | None => {
                self.0.insert(id, finding);
            }
        }
    }

    /// What is said of a chain: of the certificate, and of those above it.
    pub(super) fn of_chain(&self, chain: &Chain) -> Vec<Finding> {
        let members = chain.served.iter().chain(&chain.root);
        let mut ids: Vec<Fingerprint> = members.map(Certificate::fingerprint).collect();
        ids.dedup();
        ids.iter().filter_map(|id| self.0.get(id)).cloned().collect()
    }

    /// What was wrong with a certificate, in words, for [`Self::remember`]; empty where it was not taken back.
    pub(super) fn words(&self, id: &Fingerprint) -> &str {
        let finding = self.0.get(id).filter(|finding| finding.severity == Severity::Error);
        finding.map_or("", |finding| finding.what.as_str())
    }

    /// Puts back what [`Self::words`] said.
    pub(super) fn remember(&mut self, certificate: &Certificate, words: &str) {
        if !words.is_empty() {
            self.add(certificate.fingerprint(), crl::revoked(certificate, words.to_owned()));
        }
    }
}
