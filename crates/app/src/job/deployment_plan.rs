//! Gives targets the chain as it is now, where it is another than they have: an intermediate that was missing came, or one
//! that shows a better way. The edge builds its chains anew by itself; whoever got files keeps them until somebody installs
//! new ones.
//!
//! One job for all lineages. It is asked for in the transaction in which a CA's certificate comes, so that it is never
//! forgotten; however many come, one waits.

use domain::audit::{Action, Event, Field};
use domain::id::{JobId, LineageId, TargetId};
use domain::job::{Job, JobKind, LEASE};
use domain::lineage::Lineage;
use domain::permission::{authorize, uses};
use domain::redeployment::{PAUSE, Redeployment, plan_redeployment};
use domain::target::{ChainHash, chain_hash};
use domain::{Actor, Moment, Random};
use pki::Fingerprint;
use store::Tx;

use super::{Done, refuse_lost_lease};
use crate::certificate::plan_deployment;
use crate::chains::Chains;
use crate::{App, Error, act};

/// What the job is about: the chains of all lineages.
const SUBJECT: &str = "chains";
/// Lineages that are looked at in one transaction.
const BATCH: u32 = 100;

/// Asks for it, where anybody but the edge has certificates. Whoever is at it begins anew: he may have passed by already.
pub(crate) fn ask(tx: &Tx<'_>, now: Moment, (actor, random): (&str, &dyn Random)) -> Result<(), Error> {
    if store::lineage::with_targets_beside(tx, &TargetId::edge(), &LineageId::of(""), 1)?.is_empty() {
        return Ok(());
    }
    let wanted = super::new(JobId::new(now, random), JobKind::DeploymentPlan, SUBJECT, actor, now);
    let id = store::job::add(tx, &wanted)?;
    if id != wanted.id {
        store::job::hand_to(tx, &id, actor, now)?;
    }
    Ok(())
}

/// Looks at every lineage that has a target beside the edge, and plans what is due. Killed at any point and run again, it
/// finds what it planned, and plans only the rest.
pub(super) async fn run(app: &App, job: &Job) -> Result<Done, Error> {
    authorize(&Actor::Scheduler, uses::RunSchedule, "")?;
    let (mut after, mut planned, mut under_way) = (LineageId::of(""), 0, 0);
    loop {
        let (from, now) = (after.clone(), app.now());
        let page = app.read("deployment.look", move |tx| look(tx, &from, now)).await?;
        under_way += page.under_way;
        if !page.due.is_empty() {
            planned += plan(app, job, page.due).await?;
        }
        match page.last {
            Some(last) => after = last,
            None => return conclude(app, job, planned, under_way).await,
        }
    }
}

/// A page of lineages, as they were seen.
struct Page {
    /// The last of them; none when that was all.
    last: Option<LineageId>,
    /// Those with a target that is due.
    due: Vec<LineageId>,
    /// Targets where something else is being done.
    under_way: usize,
}

fn look(tx: &Tx<'_>, after: &LineageId, now: Moment) -> Result<Page, Error> {
    let lineages = store::lineage::with_targets_beside(tx, &TargetId::edge(), after, BATCH)?;
    let mut chains = Chains::new(tx, now.unix());
    let mut page = Page { last: lineages.last().map(|one| one.id.clone()), due: Vec::new(), under_way: 0 };
    for lineage in lineages {
        let Some(wish) = decide(&mut chains, &lineage)? else { continue };
        page.under_way += wish.under_way;
        if !wish.targets.is_empty() {
            page.due.push(lineage.id);
        }
    }
    Ok(page)
}

/// What is due for one lineage.
struct Wish {
    certificate: Fingerprint,
    /// Where, and why.
    targets: Vec<(TargetId, &'static str)>,
    /// Targets where something else is being done.
    under_way: usize,
}

/// None where nothing can be said.
fn decide(chains: &mut Chains<'_>, lineage: &Lineage) -> Result<Option<Wish>, Error> {
    let Some(certificate) = lineage.current else { return Ok(None) };
    let Some(chain) = chain_of(chains, &certificate)? else { return Ok(None) };
    let mut wish = Wish { certificate, targets: Vec::new(), under_way: 0 };
    for target in lineage.targets.iter().filter(|target| **target != TargetId::edge()) {
        let latest = store::deployment::latest(chains.tx(), &lineage.id, target)?;
        let job = match &latest {
            Some(latest) => store::job::open_of(chains.tx(), JobKind::DeploymentRun, latest.id.as_str())?,
            None => None,
        };
        match plan_redeployment(latest.as_ref(), job.map(|job| job.state), &certificate, &chain) {
            Redeployment::Nothing { .. } => {}
            Redeployment::Wait { .. } => wish.under_way += 1,
            Redeployment::Deploy { reason } => wish.targets.push((target.clone(), reason)),
        }
    }
    Ok(Some(wish))
}

/// None where nobody knows the best chain: a thicket of CAs takes no good chain off a target.
fn chain_of(chains: &mut Chains<'_>, certificate: &Fingerprint) -> Result<Option<ChainHash>, Error> {
    let Some(entry) = store::certificate::find(chains.tx(), certificate)? else { return Ok(None) };
    let chain = chains.of(&entry.certificate)?;
    Ok((!chain.was_cut_off()).then(|| chain_hash(&chain.served)))
}

/// Plans what is still due, each lineage with its event; says how many deployments.
async fn plan(app: &App, job: &Job, due: Vec<LineageId>) -> Result<usize, Error> {
    let (job, now, random) = (job.clone(), app.now(), app.random_source());
    let planned = app
        .commit("deployment.plan", move |tx| {
            refuse_lost_lease(tx, &job)?;
            let mut chains = Chains::new(tx, now.unix());
            let mut planned = 0;
            for id in &due {
                let Some(lineage) = store::lineage::find(tx, id)? else { continue };
                let Some(wish) = decide(&mut chains, &lineage)? else { continue };
                planned += wish.targets.len();
                plan_one(tx, &lineage, &wish, now, (&job.actor, &*random))?;
            }
            store::job::extend(tx, &job.id, job.fence, now.plus(LEASE))?;
            Ok(planned)
        })
        .await?;
    app.wake();
    Ok(planned)
}

fn plan_one(
    tx: &Tx<'_>,
    lineage: &Lineage,
    wish: &Wish,
    now: Moment,
    by: (&str, &dyn Random),
) -> Result<(), Error> {
    let Some((_, reason)) = wish.targets.first() else { return Ok(()) };
    for (target, _) in &wish.targets {
        plan_deployment(tx, lineage, target, &wish.certificate, now, by)?;
    }
    let names: Vec<&str> = wish.targets.iter().map(|(target, _)| target.as_str()).collect();
    let mut event = Event::done(now, &Actor::Scheduler, Action::DeploymentPlan, lineage.id.as_str())
        .with(Field::Certificate, wish.certificate)
        .with(Field::Target, names.join(" "))
        .with(Field::Reason, reason);
    by.0.clone_into(&mut event.actor);
    act::record(tx, &event)
}

/// Ends the job; where something was under way, the next one looks at that in a moment.
async fn conclude(app: &App, job: &Job, planned: usize, under_way: usize) -> Result<Done, Error> {
    let mut said = match planned {
        0 => "no target needs another chain".to_owned(),
        1 => "1 target gets the chain as it is now".to_owned(),
        planned => format!("{planned} targets get the chain as it is now"),
    };
    if under_way > 0 {
        said.push_str(&format!(
            "; where something is being installed ({under_way}) it is looked at again in a moment"
        ));
    }
    let (ending, text, now, random) = (job.clone(), said.clone(), app.now(), app.random_source());
    app.commit("deployment.planned", move |tx| {
        super::end(tx, &ending, &text, now)?;
        if under_way > 0 {
            let id = JobId::new(now, &*random);
            let again = super::new(id, JobKind::DeploymentPlan, SUBJECT, &ending.actor, now.plus(PAUSE));
            store::job::add(tx, &again)?;
        }
        Ok(())
    })
    .await?;
    Ok(Done::Stored(said))
}
