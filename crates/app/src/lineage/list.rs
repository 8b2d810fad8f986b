//! See lineages.

use std::collections::BTreeMap;

use domain::Authorized;
use domain::id::{LineageId, TargetId};
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
        let labels = store::target::labels(tx)?;
        let lineages = store::lineage::list(tx, &filter, &page)?;
        lineages.into_iter().map(|lineage| view(tx, &labels, lineage)).collect()
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
        Ok(LineageView { history, ..view(tx, &store::target::labels(tx)?, lineage)? })
    })
    .await
}

type Labels = BTreeMap<TargetId, String>;

fn view(tx: &Tx<'_>, labels: &Labels, lineage: Lineage) -> Result<LineageView, Error> {
    let label = |target: &TargetId| labels.get(target).cloned().unwrap_or_else(|| target.to_string());
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
        target_labels: lineage.targets.iter().map(label).collect(),
        deployments,
        endpoints: store::endpoint::of_lineage(tx, &lineage.id)?,
        issuer_label: issuer.map_or_else(|| lineage.issuer.to_string(), |issuer| issuer.label),
        history: Vec::new(),
        lineage,
    })
}
