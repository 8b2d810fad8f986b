//! See issuers and profiles.

use domain::Authorized;
use domain::id::IssuerId;
use domain::issuer::{Issuer, Profile};
use domain::permission::uses;
use pki::{Certificate, Fingerprint};
use store::Tx;

use super::IssuerView;
use crate::{App, Error};

/// All issuers.
pub async fn list(app: &App, _by: &Authorized<uses::ViewCertificates>) -> Result<Vec<IssuerView>, Error> {
    app.read("issuer.list", |tx| store::issuer::all(tx)?.into_iter().map(|issuer| view(tx, issuer)).collect())
        .await
}

/// One issuer.
pub async fn find(
    app: &App,
    _by: &Authorized<uses::ViewCertificates>,
    id: &IssuerId,
) -> Result<IssuerView, Error> {
    let id = id.clone();
    app.read("issuer.find", move |tx| {
        let issuer = store::issuer::find(tx, &id)?.ok_or_else(|| Error::not_found("issuer", &id))?;
        view(tx, issuer)
    })
    .await
}

/// All profiles.
pub async fn profiles(app: &App, _by: &Authorized<uses::ViewCertificates>) -> Result<Vec<Profile>, Error> {
    app.read("profile.list", |tx| Ok(store::profile::all(tx)?)).await
}

fn view(tx: &Tx<'_>, issuer: Issuer) -> Result<IssuerView, Error> {
    let certificate = |fingerprint: Option<Fingerprint>| -> Result<Option<Certificate>, Error> {
        let Some(fingerprint) = fingerprint else {
            return Ok(None);
        };
        Ok(store::certificate::find(tx, &fingerprint)?.map(|entry| entry.certificate))
    };
    let (root, intermediate) = issuer.authority.as_ref().map(|pair| (pair.root, pair.intermediate)).unzip();
    Ok(IssuerView {
        root: certificate(root)?,
        intermediate: certificate(intermediate)?,
        lineages: store::lineage::of_issuer_count(tx, &issuer.id)?,
        help: issuer::connector(issuer.kind).help(),
        issuer,
    })
}
