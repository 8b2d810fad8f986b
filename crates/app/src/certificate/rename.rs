//! Give a certificate another friendly name.

use domain::Authorized;
use domain::audit::{Action, Event, Field};
use domain::key::parse_label;
use domain::permission::uses;
use pki::Fingerprint;

use super::CertificateView;
use crate::{App, Error, act};

/// Names a certificate. Several may have one name: what tells them apart is their fingerprint.
///
/// # Errors
/// `name.empty`, `name.too_long`, `name.control_char`.
pub async fn rename(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &Fingerprint,
    name: &str,
) -> Result<CertificateView, Error> {
    act::audited(app, by.actor(), Action::CertificateRename, &id.to_string(), async {
        let (id, now, name) = (*id, app.now(), parse_label(name)?);
        let event = Event::done(now, by.actor(), Action::CertificateRename, id.to_string())
            .with(Field::Label, name.clone());
        app.commit("certificate.rename", move |tx| {
            let missing = || Error::not_found("certificate", id);
            let mut entry = store::certificate::find(tx, &id)?.ok_or_else(missing)?;
            store::certificate::set_friendly_name(tx, &id, &name)?;
            entry.friendly_name.clone_from(&name);
            act::record(tx, &event)?;
            super::view(tx, entry, now)
        })
        .await
    })
    .await
}
