//! Make a certificate its lineage's current one, and plan its way to the targets.

use domain::audit::{Action, Event, Field};
use domain::certificate::{CertificateEntry, CertificateState};
use domain::id::{DeploymentId, JobId};
use domain::job::JobKind;
use domain::key::KeyState;
use domain::lineage::Lineage;
use domain::permission::uses;
use domain::renewal::due_at;
use domain::target::{Deployment, DeploymentState};
use domain::{Authorized, Moment, Random};
use pki::{Fingerprint, Severity};
use store::Tx;

use crate::{App, Error, act, job, setting};

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
            if let Some(error) = view.findings.iter().find(|finding| finding.severity == Severity::Error) {
                return Err(Error::conflict(error.code, error.what.clone(), error.repair.clone()));
            }
            make_current(tx, &lineage, &view.entry, now, (&actor, &*random))?;
            act::record(tx, &event.clone().with(Field::Lineage, &lineage.id))
        })
        .await?;
        app.served_changed();
        app.wake();
        Ok(())
    })
    .await
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
    refuse_without_key(tx, entry)?;
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

/// A certificate whose key cannot sign would leave its names without any.
fn refuse_without_key(tx: &Tx<'_>, entry: &CertificateEntry) -> Result<(), Error> {
    let state = store::key::state(tx, &entry.key())?;
    if state == Some(KeyState::Active) {
        return Ok(());
    }
    let what = match state {
        Some(state) => format!("the private key of this certificate is {state}"),
        None => "the private key of this certificate is not here".to_owned(),
    };
    Err(Error::conflict("key.missing", what, "Import the key, bring it back, or choose another certificate."))
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
        trouble: String::new(),
        created: now,
        changed: now,
    };
    store::deployment::insert(tx, &deployment)?;
    let job = job::new(JobId::new(now, random), JobKind::DeploymentRun, &deployment.id, actor, now);
    Ok(store::job::add(tx, &job)?)
}
