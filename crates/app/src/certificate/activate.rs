//! Make a certificate its lineage's current one, and plan its way to the targets.

use domain::audit::{Action, Event, Field};
use domain::certificate::{CertificateEntry, CertificateState, all_uncovered};
use domain::csr::CsrState;
use domain::id::{DeploymentId, JobId};
use domain::job::JobKind;
use domain::lineage::Lineage;
use domain::permission::uses;
use domain::renewal::due_at;
use domain::target::{Deployment, DeploymentState};
use domain::{Authorized, Moment, Random};
use pki::Fingerprint;
use store::Tx;

use crate::{App, Error, act, job, key, setting};

/// Makes a certificate current because a person says so, also an older one; never one with an error.
pub async fn activate(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &Fingerprint,
) -> Result<(), Error> {
    act::audited(app, by.actor(), Action::CertificateActivate, &id.to_string(), async {
        let (id, now, random) = (*id, app.now(), app.random_source());
        let (event, actor) =
            (Event::done(now, by.actor(), Action::CertificateActivate, id.to_string()), by.actor().name());
        app.commit("certificate.activate", move |tx| {
            let entry =
                store::certificate::find(tx, &id)?.ok_or_else(|| Error::not_found("certificate", id))?;
            let view = super::view(tx, entry, now)?;
            let Some(lineage) = view.lineage else {
                let what = "the certificate belongs to no lineage";
                return Err(Error::conflict("lineage.none", what, "Make a lineage from it first."));
            };
            super::refuse_errors(&view.findings)?;
            refuse_lost_names(&lineage, &view.entry)?;
            make_current(tx, &lineage, &view.entry, now, (&actor, &*random))?;
            end_order(tx, &lineage, &view.entry)?;
            act::record(tx, &event.clone().with(Field::Lineage, &lineage.id))
        })
        .await?;
        app.served_changed();
        app.wake();
        Ok(())
    })
    .await
}

/// A name that the lineage serves must not vanish because of another certificate.
fn refuse_lost_names(lineage: &Lineage, entry: &CertificateEntry) -> Result<(), Error> {
    let lost: Vec<String> =
        all_uncovered(&entry.certificate, &lineage.names).map(ToString::to_string).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let what = format!(
        "this certificate is not for {}, which the lineage “{}” serves",
        lost.join(", "),
        lineage.name
    );
    let repair = "Ask for a certificate with all names of the lineage, or make another lineage for fewer.";
    Err(Error::conflict("lineage.names", what, repair))
}

/// Completes the lineage's order if it is this answer that it waits for: one that came after its request. A key that is
/// kept has older certificates too.
fn end_order(tx: &Tx<'_>, lineage: &Lineage, entry: &CertificateEntry) -> Result<(), Error> {
    let order = store::order::active(tx, &lineage.id)?;
    let Some(order) = order.filter(|order| order.key == entry.key() && order.created < entry.created) else {
        return Ok(());
    };
    store::order::complete(tx, &order.id, &entry.fingerprint())?;
    Ok(store::csr::set_state(tx, &order.csr, CsrState::Fulfilled)?)
}

/// Refuses what its issuer took back: nobody who looks would believe it.
pub(crate) fn refuse_revoked(entry: &CertificateEntry) -> Result<(), Error> {
    if entry.state != CertificateState::Revoked {
        return Ok(());
    }
    let what = "this certificate was revoked by its issuer";
    Err(Error::conflict("certificate.revoked", what, "Choose another one, or renew the lineage."))
}

/// Writes the change of a lineage's current certificate: the one before is superseded, the due time set, and for
/// each target a deployment planned with its job. `by` is the actor's name and the source of ids.
pub(crate) fn make_current(
    tx: &Tx<'_>,
    lineage: &Lineage,
    entry: &CertificateEntry,
    now: Moment,
    by: (&str, &dyn Random),
) -> Result<(), Error> {
    let (fingerprint, certificate) = (entry.fingerprint(), &entry.certificate);
    key::refuse_to_serve_with(tx, &entry.key())?;
    refuse_revoked(entry)?;
    // Our own pages and unknown names stay with the lineage whose certificate was chosen for them.
    if lineage.current.is_some() && setting::fingerprint(tx, setting::DEFAULT_CERTIFICATE)? == lineage.current
    {
        setting::put_fingerprint(tx, setting::DEFAULT_CERTIFICATE, &fingerprint)?;
    }
    if let Some(before) = lineage.current.filter(|before| *before != fingerprint) {
        store::certificate::set_state(tx, &before, CertificateState::Superseded)?;
    }
    if entry.state != CertificateState::Issued {
        store::certificate::set_state(tx, &fingerprint, CertificateState::Issued)?;
    }
    let due = due_at(&lineage.id, certificate.not_before(), certificate.not_after());
    store::lineage::set_current(tx, &lineage.id, &fingerprint, Some(due))?;
    for target in &lineage.targets {
        plan_deployment(tx, lineage, target, &fingerprint, now, by)?;
    }
    Ok(())
}

/// Plans one deployment with its job.
pub(crate) fn plan_deployment(
    tx: &Tx<'_>,
    lineage: &Lineage,
    target: &domain::id::TargetId,
    certificate: &Fingerprint,
    now: Moment,
    (actor, random): (&str, &dyn Random),
) -> Result<domain::id::JobId, Error> {
    let deployment = Deployment {
        id: DeploymentId::new(now, random),
        lineage: lineage.id.clone(),
        target: target.clone(),
        certificate: *certificate,
        state: DeploymentState::Planned,
        chain: None,
        trouble: String::new(),
        created: now,
        changed: now,
    };
    store::deployment::insert(tx, &deployment)?;
    let job = job::new(JobId::new(now, random), JobKind::DeploymentRun, &deployment.id, actor, now);
    Ok(store::job::add(tx, &job)?)
}
