//! See CSRs.

use domain::Authorized;
use domain::id::CsrId;
use domain::permission::uses;
use store::Page;
use store::csr::CsrFilter;

use super::{CsrView, read};
use crate::{App, Error};

/// A page of CSRs, the newest first.
pub async fn list(
    app: &App,
    _by: &Authorized<uses::ViewCertificates>,
    filter: CsrFilter,
    page: Page,
) -> Result<Vec<CsrView>, Error> {
    let entries = app.read("csr.list", move |tx| Ok(store::csr::list(tx, &filter, &page)?)).await?;
    entries.into_iter().map(|entry| Ok(CsrView { csr: read(&entry)?, entry })).collect()
}

/// One CSR.
pub async fn find(app: &App, _by: &Authorized<uses::ViewCertificates>, id: &CsrId) -> Result<CsrView, Error> {
    let wanted = id.clone();
    let entry = app.read("csr.find", move |tx| Ok(store::csr::find(tx, &wanted)?)).await?;
    let entry = entry.ok_or_else(|| Error::not_found("csr", id))?;
    Ok(CsrView { csr: read(&entry)?, entry })
}
