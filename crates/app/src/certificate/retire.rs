//! Remove a certificate from view. Its key is kept.

use domain::audit::{Action, Event};
use domain::certificate::{CertificateEntry, CertificateState, NotRemoved, plan_removal};
use domain::issuer::IssuerKind;
use domain::permission::uses;
use domain::{Authorized, Moment};
use pki::Fingerprint;
use store::Tx;

use crate::{App, Error, act, lineage};

/// What is done where a lineage serves the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequences {
    /// Nothing: it is said, and the certificate stays.
    Refuse,
    /// The lineage ends with its only certificate, unless a CA of ours renews it: whoever asks was told what is lost.
    Accept,
}

/// Retires a certificate. The factory certificate, the default and those of our own CAs stay; one that a lineage serves
/// stays too, unless the lineage ends with it.
pub async fn retire(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &Fingerprint,
    consequences: Consequences,
) -> Result<(), Error> {
    act::audited(app, by.actor(), Action::CertificateRetire, &id.to_string(), async {
        let (id, now) = (*id, app.now());
        let event = Event::done(now, by.actor(), Action::CertificateRetire, id.to_string());
        app.commit("certificate.retire", move |tx| {
            let entry =
                store::certificate::find(tx, &id)?.ok_or_else(|| Error::not_found("certificate", id))?;
            let view = super::view(tx, entry, now)?;
            match (plan_removal(&view.needed()), consequences) {
                (Ok(()), _) => {}
                (Err(NotRemoved::Served(_)), Consequences::Accept) => end_lineage(tx, &id, now)?,
                (Err(why), _) => return Err(refused(&why)),
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

/// Says why it stays, and what can be done instead.
fn refused(why: &NotRemoved) -> Error {
    let (code, repair) = match why {
        NotRemoved::Factory => ("certificate.factory", "Choose another default; this one may stay."),
        NotRemoved::Default => ("certificate.default", "Choose another default first."),
        NotRemoved::Authority(_) => (
            "certificate.authority",
            "It stays for the chains of what that issued. Withdraw the issuer if it shall issue no more.",
        ),
        NotRemoved::Served(_) => ("certificate.in_use", "Remove the lineage first."),
    };
    Error::conflict(code, why.to_string(), repair)
}

/// Ends the lineage that serves a certificate. One that an imported or self-signed certificate founded may end with its
/// only certificate; any other is removed on purpose.
fn end_lineage(tx: &Tx<'_>, id: &Fingerprint, now: Moment) -> Result<(), Error> {
    let lineage = store::lineage::of_current(tx, id)?.ok_or_else(|| Error::not_found("lineage", id))?;
    let what = NotRemoved::Served(lineage.name.clone());
    if store::issuer::find(tx, &lineage.issuer)?.is_some_and(|issuer| issuer.kind == IssuerKind::Internal) {
        let what = format!("{what} and renews it by itself");
        return Err(Error::conflict("certificate.in_use", what, "Remove the lineage first."));
    }
    let of_lineage = store::certificate::of_lineage(tx, &lineage.id)?;
    let is_other =
        |entry: &CertificateEntry| entry.fingerprint() != *id && entry.state != CertificateState::Retired;
    if of_lineage.iter().any(is_other) {
        let repair = "Use another certificate for it first, or remove the lineage.";
        return Err(Error::conflict("certificate.in_use", format!("{what} and has others"), repair));
    }
    lineage::retire_in(tx, &lineage.id, now)
}
