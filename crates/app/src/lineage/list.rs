//! See lineages.

use domain::Authorized;
use domain::id::LineageId;
use domain::lineage::Lineage;
use domain::permission::uses;
use store::lineage::LineageFilter;
use store::{Page, Tx};

use super::LineageView;
use crate::{App, Error};

/// A page of lineages, by name.
pub async fn list(
    app: &App,
    _by: &Authorized<uses::ViewCertificates>,
    filter: LineageFilter,
    page: Page,
) -> Result<Vec<LineageView>, Error> {
    app.read("lineage.list", move |tx| {
        store::lineage::list(tx, &filter, &page)?.into_iter().map(|lineage| view(tx, lineage)).collect()
    })
    .await
}

/// One lineage, with its history.
pub async fn find(
    app: &App,
    _by: &Authorized<uses::ViewCertificates>,
    id: &LineageId,
) -> Result<LineageView, Error> {
    load(app, id).await
}

pub(super) async fn load(app: &App, id: &LineageId) -> Result<LineageView, Error> {
    let id = id.clone();
    app.read("lineage.find", move |tx| {
        let lineage = store::lineage::find(tx, &id)?.ok_or_else(|| Error::not_found("lineage", &id))?;
        let history = store::certificate::of_lineage(tx, &id)?;
        Ok(LineageView { history, ..view(tx, lineage)? })
    })
    .await
}

fn view(tx: &Tx<'_>, lineage: Lineage) -> Result<LineageView, Error> {
    let current = match &lineage.current {
        Some(fingerprint) => store::certificate::find(tx, fingerprint)?,
        None => None,
    };
    let mut deployments = Vec::with_capacity(lineage.targets.len());
    for target in &lineage.targets {
        deployments.extend(store::deployment::latest(tx, &lineage.id, target)?);
    }
    let issuer = store::issuer::find(tx, &lineage.issuer)?;
    Ok(LineageView {
        current,
        order: store::order::active(tx, &lineage.id)?,
        deployments,
        endpoints: store::endpoint::of_lineage(tx, &lineage.id)?,
        issuer_label: issuer.map_or_else(|| lineage.issuer.to_string(), |issuer| issuer.label),
        history: Vec::new(),
        lineage,
    })
}
