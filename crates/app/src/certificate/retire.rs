//! Remove a certificate from view. Its key is kept.

use domain::Authorized;
use domain::audit::{Action, Event};
use domain::certificate::{CertificateEntry, CertificateState};
use domain::issuer::IssuerKind;
use domain::lineage::Lineage;
use domain::permission::uses;
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
            refuse_own_authority(tx, &id)?;
            if let Some(lineage) = store::lineage::of_current(tx, &id)? {
                refuse_served(tx, &lineage, &id, consequences)?;
                lineage::retire_in(tx, &lineage.id, now)?;
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

/// The certificates of our own CAs are part of every chain below them.
fn refuse_own_authority(tx: &Tx<'_>, id: &Fingerprint) -> Result<(), Error> {
    match store::issuer::of_authority(tx, id)? {
        None => Ok(()),
        Some(issuer) => {
            let what = format!("this is a certificate of the CA “{}”", issuer.label);
            let repair =
                "It stays for the chains of what that issued. Withdraw the issuer if it shall issue no more.";
            Err(Error::conflict("certificate.authority", what, repair))
        }
    }
}

/// A lineage that an imported or self-signed certificate founded may end with its only certificate; any other is removed
/// on purpose.
fn refuse_served(
    tx: &Tx<'_>,
    lineage: &Lineage,
    id: &Fingerprint,
    consequences: Consequences,
) -> Result<(), Error> {
    let what = format!("the lineage “{}” serves this certificate", lineage.name);
    let in_use = |what| Err(Error::conflict("certificate.in_use", what, "Remove the lineage first."));
    if consequences == Consequences::Refuse {
        return in_use(what);
    }
    if store::issuer::find(tx, &lineage.issuer)?.is_some_and(|issuer| issuer.kind == IssuerKind::Internal) {
        return in_use(format!("{what} and renews it by itself"));
    }
    let of_lineage = store::certificate::of_lineage(tx, &lineage.id)?;
    let is_other =
        |entry: &CertificateEntry| entry.fingerprint() != *id && entry.state != CertificateState::Retired;
    if of_lineage.iter().any(is_other) {
        let repair = "Use another certificate for it first, or remove the lineage.";
        return Err(Error::conflict("certificate.in_use", format!("{what} and has others"), repair));
    }
    Ok(())
}
