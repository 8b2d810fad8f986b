//! See keys.

use domain::Authorized;
use domain::key::Key;
use domain::permission::uses;
use pki::KeyId;
use store::Page;
use store::key::KeyFilter;

use super::KeyView;
use crate::{App, Error};

/// A page of keys, by label.
pub async fn list(
    app: &App,
    _by: &Authorized<uses::ViewKeys>,
    filter: KeyFilter,
    page: Page,
) -> Result<Vec<KeyView>, Error> {
    app.read("key.list", move |tx| {
        let keys = store::key::list(tx, &filter, &page)?;
        keys.into_iter().map(|key| super::with_children(tx, key)).collect()
    })
    .await
}

/// The same without their CSRs and certificates.
pub async fn rows(
    app: &App,
    _by: &Authorized<uses::ViewKeys>,
    filter: KeyFilter,
    page: Page,
) -> Result<Vec<Key>, Error> {
    app.read("key.rows", move |tx| Ok(store::key::list(tx, &filter, &page)?)).await
}

/// One key.
pub async fn find(app: &App, _by: &Authorized<uses::ViewKeys>, id: &KeyId) -> Result<KeyView, Error> {
    let id = *id;
    app.read("key.find", move |tx| {
        let key = store::key::find(tx, &id)?.ok_or_else(|| Error::not_found("key", id))?;
        super::with_children(tx, key)
    })
    .await
}
