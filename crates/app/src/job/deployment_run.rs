//! Brings one certificate to one target and proves from outside that it is served; else the one before is put back.

use std::collections::BTreeSet;
use std::time::Duration;

use deploy::{DeployError, EndpointLook, Expected, Material, Patience, verify_within};
use domain::audit::{Action, Event, Field, Outcome};
use domain::certificate::{CertificateEntry, CertificateState};
use domain::id::{DeploymentId, LineageId, TargetId};
use domain::job::{Job, JobState, LEASE};
use domain::key::{Exportable, SealedKey};
use domain::lineage::Lineage;
use domain::permission::{authorize, uses};
use domain::target::{ChainHash, Deployment, DeploymentState, EndpointSeen, Target, chain_hash};
use domain::{Actor, Authorized};
use pki::{Certificate, PrivateKey};
use store::Tx;
use tokio::sync::OwnedMutexGuard;

use super::{Done, lease_lost, refuse_lost_lease, tell};
use crate::{App, Error, act, chains, key, snapshot};

/// Everything that a deployment needs, read at one moment.
struct Plan {
    deployment: Deployment,
    lineage: Lineage,
    target: Target,
    entry: CertificateEntry,
    chain: Vec<Certificate>,
    sealed: SealedKey,
    /// The same certificate was in use there before.
    proven: bool,
}

impl Plan {
    fn chain_hash(&self) -> ChainHash {
        chain_hash(std::iter::once(&self.entry.certificate).chain(&self.chain))
    }
}

/// Runs one deployment.
pub(super) async fn run(app: &App, job: &Job) -> Result<Done, Error> {
    let id: DeploymentId = job.subject.parse().map_err(|_| Error::not_found("deployment", &job.subject))?;
    let by = authorize(&Actor::Scheduler, uses::Deploy, id.as_str())?;
    let target = load(app, &id).await?.target.id;
    // One after the other at a target, and what is current is looked at when it is this one's turn.
    let own = (target != TargetId::edge()).then(|| format!("target {target}"));
    let _turn = app.turns(own.into_iter().collect()).await;
    extend_lease(app, job).await?;
    let plan = load(app, &id).await?;
    if plan.deployment.state.is_done() {
        return Ok(Done::said("it was done before"));
    }
    if !plan.lineage.targets.contains(&target) {
        let trouble = "the target was taken off the lineage before";
        record(app, job, &plan, DeploymentState::Failed, trouble, None).await?;
        return Ok(Done::said(trouble));
    }
    if plan.lineage.current != Some(plan.entry.fingerprint()) {
        let trouble = "a newer certificate took its place before it was proven";
        record(app, job, &plan, DeploymentState::Failed, trouble, None).await?;
        return Ok(Done::said(trouble));
    }
    tell(app, job, JobState::Running, &format!("installing on “{}”", plan.target.label));
    if let Err(error) = install(app, job, &by, &plan).await? {
        let trouble = said(&error);
        record(app, job, &plan, failed_state(&error), &trouble, None).await?;
        return Ok(Done::said(trouble));
    }
    let addresses = addresses(app, &plan.target);
    if addresses.is_empty() {
        let said = "it is installed; no address is known where it could be seen from outside";
        record(app, job, &plan, DeploymentState::Installed, said, Some(Vec::new())).await?;
        return Ok(Done::said(said));
    }
    let is_noted = plan.deployment.chain == Some(plan.chain_hash());
    if plan.deployment.state == DeploymentState::Planned || !is_noted {
        record(app, job, &plan, DeploymentState::Installed, "", None).await?;
    }
    prove(app, job, &plan, &addresses).await
}

async fn load(app: &App, id: &DeploymentId) -> Result<Plan, Error> {
    let (id, now) = (id.clone(), app.now().unix());
    app.read("deployment.load", move |tx| {
        let deployment =
            store::deployment::find(tx, &id)?.ok_or_else(|| Error::not_found("deployment", &id))?;
        let lineage = store::lineage::find(tx, &deployment.lineage)?;
        let lineage = lineage.ok_or_else(|| Error::not_found("lineage", &deployment.lineage))?;
        let target = store::target::find(tx, &deployment.target)?;
        let target = target.ok_or_else(|| Error::not_found("target", &deployment.target))?;
        let entry = store::certificate::find(tx, &deployment.certificate)?;
        let entry = entry.ok_or_else(|| Error::not_found("certificate", deployment.certificate))?;
        let sealed =
            store::key::sealed(tx, &entry.key())?.ok_or_else(|| Error::not_found("key", entry.key()))?;
        let chain = chains::of(tx, &entry.certificate, now)?.served.into_iter().skip(1).collect();
        let proven = store::deployment::was_in_use(tx, &deployment)?;
        Ok(Plan { deployment, lineage, target, entry, chain, sealed, proven })
    })
    .await
}

/// Installs. The outer error is ours and is tried again; the inner one is the target's and is told to people.
async fn install(
    app: &App,
    job: &Job,
    by: &Authorized<uses::Deploy>,
    plan: &Plan,
) -> Result<Result<(), DeployError>, Error> {
    if plan.target.id == TargetId::edge() {
        snapshot::refresh(app).await?;
        return Ok(Ok(()));
    }
    let connector = connector(&plan.target)?;
    let private = private_key(app, by, plan)?;
    let (settings, leaf, chain, proven) =
        (plan.target.settings.clone(), plan.entry.certificate.clone(), plan.chain.clone(), plan.proven);
    let _turns = shared_turns(app, job, plan).await?;
    app.blocking(move || {
        let material = Material { certificate: &leaf, chain: &chain, key: private.as_ref(), proven };
        connector.install(&settings, &material).map(drop)
    })
    .await
}

/// The turn at what the target shares with others: an nginx reads the pairs of all its sites.
async fn shared_turns(app: &App, job: &Job, plan: &Plan) -> Result<Vec<OwnedMutexGuard<()>>, Error> {
    let (connector, settings) = (connector(&plan.target)?, plan.target.settings.clone());
    let shared: BTreeSet<String> =
        app.blocking(move || connector.shares(&settings).into_iter().collect()).await?;
    let turns = app.turns(shared).await;
    extend_lease(app, job).await?;
    Ok(turns)
}

/// The private key, where it may leave; else the target must have it already.
fn private_key(app: &App, by: &Authorized<uses::Deploy>, plan: &Plan) -> Result<Option<PrivateKey>, Error> {
    if plan.sealed.exportable < Exportable::ToTargets {
        return Ok(None);
    }
    Ok(Some(key::session_of(app, &plan.sealed.token)?.export(&plan.sealed, by)?))
}

fn connector(target: &Target) -> Result<&'static dyn deploy::Target, Error> {
    deploy::connector(&target.kind).ok_or_else(|| Error::not_found("target_kind", &target.kind))
}

/// Looks from outside until it is seen everywhere, or patience ends and the one before is put back.
async fn prove(app: &App, job: &Job, plan: &Plan, addresses: &[String]) -> Result<Done, Error> {
    tell(app, job, JobState::Running, &format!("looking at “{}” from outside", plan.target.label));
    extend_lease(app, job).await?;
    let expected = Expected {
        certificate: &plan.entry.certificate,
        chain: &plan.chain,
        names: plan.entry.certificate.names(),
    };
    let patience = Patience {
        total: Duration::from_millis(app.config().verify_patience.unsigned_abs()),
        ..Patience::default()
    };
    let looks = verify_within(app.dialer(), addresses, &expected, patience).await;
    let seen = looks.iter().map(|look| endpoint(app, plan, look)).collect();
    match looks.iter().find(|look| !look.is_good()) {
        None => {
            record(app, job, plan, DeploymentState::Verified, "", Some(seen)).await?;
            let count = looks.len();
            let said = if count == 1 { "a handshake".to_owned() } else { format!("{count} handshakes") };
            Ok(Done::said(format!("{said} saw it on “{}”", plan.target.label)))
        }
        Some(bad) => {
            let trouble = format!("at {} {}", bad.address, bad.trouble);
            let (state, trouble) = put_back(app, job, plan, trouble).await?;
            record(app, job, plan, state, &trouble, Some(seen)).await?;
            Ok(Done::said(trouble))
        }
    }
}

/// Looking takes as long as the configuration says: the lease must outlast it.
async fn extend_lease(app: &App, job: &Job) -> Result<(), Error> {
    let (id, fence) = (job.id.clone(), job.fence);
    let until = app.now().plus(app.config().verify_patience.max(0)).plus(LEASE);
    app.store()
        .tx(
            "job.extend",
            move |tx| {
                if store::job::extend(tx, &id, fence, until)? { Ok(()) } else { Err(lease_lost()) }
            },
        )
        .await
}

fn addresses(app: &App, target: &Target) -> Vec<String> {
    if target.id == TargetId::edge() {
        return app.config().edge_address.map(|address| address.to_string()).into_iter().collect();
    }
    target.addresses.clone()
}

fn endpoint(app: &App, plan: &Plan, look: &EndpointLook) -> EndpointSeen {
    EndpointSeen {
        target: plan.target.id.clone(),
        lineage: plan.lineage.id.clone(),
        address: look.address.clone(),
        name: look.name.clone(),
        certificate: look.certificate,
        trouble: if look.is_good() { look.warning.clone() } else { look.trouble.clone() },
        at: app.now(),
    }
}

async fn put_back(
    app: &App,
    job: &Job,
    plan: &Plan,
    trouble: String,
) -> Result<(DeploymentState, String), Error> {
    if plan.target.id == TargetId::edge() {
        return Ok((DeploymentState::Failed, trouble));
    }
    let connector = connector(&plan.target)?;
    let (settings, certificate) = (plan.target.settings.clone(), plan.entry.fingerprint());
    let _turns = shared_turns(app, job, plan).await?;
    let put_back = app.blocking(move || connector.put_back(&settings, certificate)).await?;
    Ok(match put_back {
        Ok(()) => (DeploymentState::RolledBack, format!("{trouble}; the one before was put back")),
        Err(error) => (
            DeploymentState::Failed,
            format!("{trouble}; putting the one before back failed: {}", said(&error)),
        ),
    })
}

/// Whether what was there before is served on.
fn failed_state(error: &DeployError) -> DeploymentState {
    match error {
        DeployError::Refused { .. } | DeployError::NotRunning { .. } | DeployError::Program { .. } => {
            DeploymentState::RolledBack
        }
        DeployError::Settings(_)
        | DeployError::KeyMismatch
        | DeployError::KeyMissing(_)
        | DeployError::Directory(..)
        | DeployError::NotAFile(_)
        | DeployError::File { .. }
        | DeployError::HalfDone { .. } => DeploymentState::Failed,
    }
}

fn said(error: &DeployError) -> String {
    format!("{}. {}", error.chain(), error.repair())
}

/// Stores where the deployment is now, what was seen in place of all that was seen before, and the event.
async fn record(
    app: &App,
    job: &Job,
    plan: &Plan,
    state: DeploymentState,
    trouble: &str,
    seen: Option<Vec<EndpointSeen>>,
) -> Result<(), Error> {
    let (job, at, event) = (job.clone(), app.now(), event(app, plan, state));
    let (deployment, lineage) = (plan.deployment.clone(), plan.lineage.clone());
    // Once it is seen from outside, the chain was noted when it was installed.
    let tried = (state != DeploymentState::Verified).then(|| plan.chain_hash());
    let trouble = trouble.to_owned();
    app.commit("deployment.record", move |tx| {
        refuse_lost_lease(tx, &job)?;
        store::deployment::set_state(tx, &deployment.id, state, &trouble, at)?;
        if let Some(chain) = &tried {
            store::deployment::set_chain(tx, &deployment.id, chain)?;
        }
        if let Some(seen) = &seen {
            store::endpoint::remove_of(tx, &lineage.id, &deployment.target)?;
            let bound = store::lineage::find(tx, &lineage.id)?;
            if bound.is_some_and(|bound| bound.targets.contains(&deployment.target)) {
                seen.iter().try_for_each(|one| store::endpoint::record(tx, one))?;
            }
        }
        follow(tx, &lineage, &deployment, state)?;
        act::record(tx, &event)
    })
    .await
}

fn event(app: &App, plan: &Plan, state: DeploymentState) -> Event {
    let action = match state {
        DeploymentState::Planned | DeploymentState::Installed => Action::DeploymentInstall,
        DeploymentState::Verified => Action::DeploymentVerify,
        DeploymentState::Failed | DeploymentState::RolledBack => Action::DeploymentFail,
    };
    let mut event = Event::done(app.now(), &Actor::Scheduler, action, plan.deployment.id.as_str())
        .with(Field::Lineage, &plan.lineage.id)
        .with(Field::Target, &plan.target.id)
        .with(Field::Certificate, plan.entry.fingerprint());
    if action == Action::DeploymentFail {
        event.outcome = Outcome::Failed;
        event.code = format!("deployment.{state}");
    }
    event
}

/// The certificate's and lineage's states follow the deployment's.
fn follow(
    tx: &Tx<'_>,
    lineage: &Lineage,
    deployment: &Deployment,
    state: DeploymentState,
) -> Result<(), Error> {
    let Some(lineage) = store::lineage::find(tx, &lineage.id)? else {
        return Ok(());
    };
    if lineage.current != Some(deployment.certificate) {
        return Ok(());
    }
    match state {
        DeploymentState::Planned | DeploymentState::Failed | DeploymentState::RolledBack => {}
        DeploymentState::Installed => {
            store::certificate::set_state(tx, &deployment.certificate, CertificateState::Installed)?;
        }
        DeploymentState::Verified => {
            if proven_everywhere(tx, &lineage, deployment)? {
                store::certificate::set_state(tx, &deployment.certificate, CertificateState::Verified)?;
            }
        }
    }
    note_deployments(tx, &lineage.id)
}

/// How the trouble of a deployment begins at its lineage, which may have several targets: there it is said which one.
const AT_TARGET: &str = "on “";

/// Says at the lineage where its newest deployments went wrong, or that this is over. What its renewals say stays.
pub(crate) fn note_deployments(tx: &Tx<'_>, id: &LineageId) -> Result<(), Error> {
    let Some(lineage) = store::lineage::find(tx, id)? else { return Ok(()) };
    let trouble = trouble_of(tx, &lineage)?;
    let is_ours = lineage.trouble.is_empty() || lineage.trouble.starts_with(AT_TARGET);
    let is_told = if trouble.is_empty() { is_ours } else { is_ours || lineage.failures == 0 };
    if is_told && trouble != lineage.trouble {
        store::lineage::set_trouble(tx, id, lineage.failures, &trouble)?;
    }
    Ok(())
}

/// The first of its targets' troubles; empty where there is none.
fn trouble_of(tx: &Tx<'_>, lineage: &Lineage) -> Result<String, Error> {
    for target in &lineage.targets {
        let Some(latest) = store::deployment::latest(tx, &lineage.id, target)? else { continue };
        let went_wrong = matches!(latest.state, DeploymentState::Failed | DeploymentState::RolledBack);
        if went_wrong && lineage.current == Some(latest.certificate) {
            let label = store::target::find(tx, target)?.map(|found| found.label).unwrap_or_default();
            return Ok(format!("{AT_TARGET}{label}”: {}", latest.trouble));
        }
    }
    Ok(String::new())
}

fn proven_everywhere(tx: &Tx<'_>, lineage: &Lineage, this: &Deployment) -> Result<bool, Error> {
    for target in lineage.targets.iter().filter(|target| **target != this.target) {
        let latest = store::deployment::latest(tx, &lineage.id, target)?;
        let proven = latest.is_some_and(|latest| {
            latest.certificate == this.certificate && latest.state == DeploymentState::Verified
        });
        if !proven {
            return Ok(false);
        }
    }
    Ok(true)
}
