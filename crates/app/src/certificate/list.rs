//! See certificates.

use domain::Authorized;
use domain::permission::uses;
use pki::Fingerprint;
use store::Page;
use store::certificate::CertificateFilter;

use super::{CertificateView, view, view_among};
use crate::chains::Chains;
use crate::{App, Error};

/// A page of certificates.
pub async fn list(
    app: &App,
    _by: &Authorized<uses::ViewCertificates>,
    filter: CertificateFilter,
    page: Page,
) -> Result<Vec<CertificateView>, Error> {
    let now = app.now();
    app.read("certificate.list", move |tx| {
        let entries = store::certificate::list(tx, &filter, &page)?;
        let mut chains = Chains::new(tx, now.unix());
        entries.into_iter().map(|entry| view_among(&mut chains, entry, now)).collect()
    })
    .await
}

/// One certificate, with where it is served and the history of its lineage.
pub async fn find(
    app: &App,
    _by: &Authorized<uses::ViewCertificates>,
    id: &Fingerprint,
) -> Result<CertificateView, Error> {
    let (id, now) = (*id, app.now());
    app.read("certificate.find", move |tx| {
        let entry = store::certificate::find(tx, &id)?.ok_or_else(|| Error::not_found("certificate", id))?;
        let mut found = view(tx, entry, now)?;
        if let Some(lineage) = &found.lineage {
            found.endpoints = store::endpoint::of_lineage(tx, &lineage.id)?;
            found.history = store::certificate::of_lineage(tx, &lineage.id)?;
        }
        Ok(found)
    })
    .await
}
