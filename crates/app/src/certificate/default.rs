//! Choose the default certificate.

use domain::Authorized;
use domain::audit::{Action, Event};
use domain::certificate::CertificateState;
use domain::permission::uses;
use pki::Fingerprint;

use crate::{App, Error, act, key, setting};

/// Makes a certificate the one that the edge and our own pages answer with when no name fits.
pub async fn set_default(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &Fingerprint,
) -> Result<(), Error> {
    act::audited(app, by.actor(), Action::CertificateDefault, &id.to_string(), async {
        let (id, now) = (*id, app.now());
        let event = Event::done(now, by.actor(), Action::CertificateDefault, id.to_string());
        app.commit("certificate.default", move |tx| {
            let entry =
                store::certificate::find(tx, &id)?.ok_or_else(|| Error::not_found("certificate", id))?;
            key::refuse_to_serve_with(tx, &entry.key())?;
            super::refuse_revoked(&entry)?;
            let view = super::view(tx, entry, now)?;
            super::refuse_errors(&view.findings)?;
            if view.entry.state == CertificateState::Retired {
                // What is served is not hidden.
                store::certificate::set_state(tx, &id, CertificateState::Issued)?;
            }
            setting::put_fingerprint(tx, setting::DEFAULT_CERTIFICATE, &id)?;
            act::record(tx, &event)
        })
        .await?;
        app.served_changed();
        Ok(())
    })
    .await
}
