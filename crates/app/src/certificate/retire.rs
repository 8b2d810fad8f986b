//! Remove a certificate from view. Its key is kept.

use domain::audit::{Action, Event};
use domain::certificate::CertificateState;
use domain::issuer::IssuerKind;
use domain::lineage::Lineage;
use domain::permission::uses;
use domain::{Authorized, Moment};
use pki::Fingerprint;
use store::Tx;

use crate::{App, Error, act, lineage};

/// Retires a certificate. The factory certificate, the default and a current one stay.
pub async fn retire(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &Fingerprint,
) -> Result<(), Error> {
    act::audited(app, by.actor(), Action::CertificateRetire, &id.to_string(), async {
        let (id, now) = (*id, app.now());
        let event = Event::done(now, by.actor(), Action::CertificateRetire, id.to_string());
        app.commit("certificate.retire", move |tx| {
            let entry =
                store::certificate::find(tx, &id)?.ok_or_else(|| Error::not_found("certificate", id))?;
            let view = super::view(tx, entry, now)?;
            if view.is_factory {
                let what = "the factory certificate may not be removed";
                return Err(Error::conflict(
                    "certificate.factory",
                    what,
                    "Choose another default; this one may stay.",
                ));
            }
            if view.is_default {
                let what = "this is the default certificate";
                return Err(Error::conflict("certificate.default", what, "Choose another default first."));
            }
            if view.is_current {
                retire_lineage(tx, view.lineage.as_ref(), now)?;
            }
            store::certificate::set_state(tx, &id, CertificateState::Retired)?;
            act::record(tx, &event)
        })
        .await?;
        app.served_changed();
        Ok(())
    })
    .await
}

/// A lineage that nobody renews by itself goes with its only certificate; any other must be removed on purpose.
fn retire_lineage(tx: &Tx<'_>, lineage: Option<&Lineage>, now: Moment) -> Result<(), Error> {
    let Some(lineage) = lineage else { return Ok(()) };
    let kind = store::issuer::find(tx, &lineage.issuer)?.map(|issuer| issuer.kind);
    match kind {
        Some(IssuerKind::Internal) => {
            let what = format!("the lineage {} serves this certificate", lineage.name);
            Err(Error::conflict("certificate.in_use", what, "Renew or remove the lineage first."))
        }
        Some(IssuerKind::SelfSigned | IssuerKind::Manual) | None => lineage::retire_in(tx, &lineage.id, now),
    }
}
