//! What revocation lists among the files say about the certificates among them. The lists themselves are not kept.

use std::collections::HashMap;
use std::sync::Arc;

use pki::chain::Chain;
use pki::crl::{Reason, Revoked};
use pki::{Certificate, Finding, Fingerprint, Severity};
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
    let certificates = || brought.certificates.iter().map(|one| &one.certificate);
    let mut found = Revocations::default();
    for list in &brought.crls {
        let answers = certificates().zip(list.revoked_among(certificates()));
        let named: Vec<(&Certificate, Revoked)> =
            answers.filter_map(|(certificate, answer)| answer.map(|entry| (certificate, entry))).collect();
        if named.is_empty() {
            continue;
        }
        let here = store::certificate::issuers_named(tx, list.issuer().der())?;
        let is_signed = list.is_signed_by_any(certificates()) || list.is_signed_by_any(&here);
        for (certificate, entry) in
            named.into_iter().filter(|(_, entry)| entry.reason != Reason::RemoveFromCrl)
        {
            let name = certificate.display_name();
            found.add(
                certificate.fingerprint(),
                if is_signed { taken_back(name, entry) } else { said(name, entry) },
            );
        }
    }
    Ok(found)
}

fn taken_back(place: String, entry: Revoked) -> Finding {
    error(place, format!("the CA revoked this certificate on {} ({})", entry.at, entry.reason.name()))
}

fn error(place: String, what: String) -> Finding {
    let repair =
        "Ask for another certificate, with a new key if the old one may be known to others.".to_owned();
    Finding { code: "cert.revoked", severity: Severity::Error, what, place, repair }
}

/// What anybody may have written.
fn said(place: String, entry: Revoked) -> Finding {
    let what = format!(
        "a revocation list names this certificate since {} ({}); whether its CA signed the list cannot be checked",
        entry.at,
        entry.reason.name()
    );
    let repair = "Give the certificate of the list's issuer, too.".to_owned();
    Finding { code: "cert.revoked", severity: Severity::Warning, what, place, repair }
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
            self.add(certificate.fingerprint(), error(certificate.display_name(), words.to_owned()));
        }
    }
}
