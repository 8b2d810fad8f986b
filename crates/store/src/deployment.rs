//! Deployments: one certificate on one target.

use domain::Moment;
use domain::id::{DeploymentId, LineageId, TargetId};
use domain::job::JobKind;
use domain::target::{ChainHash, Deployment, DeploymentState};
use pki::Fingerprint;

use crate::select::{self, Select};
use crate::tx::Row;
use crate::{Error, Page, Tx, text};

const DEPLOYMENT: &str =
    "SELECT id, lineage, target, certificate, state, chain, trouble, created, changed FROM deployment";
const OF_PAIR: &str = "WHERE lineage = $1 AND target = $2";
const NEWEST: &str = "ORDER BY created DESC, id DESC";

/// Which deployments are listed. All that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentFilter {
    /// In this state.
    pub state: Option<DeploymentState>,
    /// Of this lineage.
    pub lineage: Option<LineageId>,
    /// On this target.
    pub target: Option<TargetId>,
}

/// Stores a new deployment; its certificate must be stored.
pub fn insert(tx: &Tx<'_>, deployment: &Deployment) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO deployment (id, lineage, target, certificate, state, chain, trouble, created, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            &deployment.id.as_str(),
            &deployment.lineage.as_str(),
            &deployment.target.as_str(),
            &deployment.certificate.0.as_slice(),
            &deployment.state.name(),
            &deployment.chain.as_ref().map(|chain| chain.0.as_slice()),
            &deployment.trouble,
            &deployment.created.0,
            &deployment.changed.0,
        ],
    )?;
    Ok(())
}

/// One deployment.
pub fn find(tx: &Tx<'_>, id: &DeploymentId) -> Result<Option<Deployment>, Error> {
    tx.one(&format!("{DEPLOYMENT} WHERE id = $1"), &[&id.as_str()], read)
}

/// Every deployment of a lineage, the newest first.
pub fn of_lineage(tx: &Tx<'_>, lineage: &LineageId) -> Result<Vec<Deployment>, Error> {
    tx.rows(&format!("{DEPLOYMENT} WHERE lineage = $1 {NEWEST}"), &[&lineage.as_str()], read)
}

/// Every deployment on a target, the newest first.
pub fn of_target(tx: &Tx<'_>, target: &TargetId) -> Result<Vec<Deployment>, Error> {
    tx.rows(&format!("{DEPLOYMENT} WHERE target = $1 {NEWEST}"), &[&target.as_str()], read)
}

/// Deployments, the newest first. The next page begins after [`cursor`] of the last one.
pub fn list(tx: &Tx<'_>, filter: &DeploymentFilter, page: &Page) -> Result<Vec<Deployment>, Error> {
    let mut select = Select::new(DEPLOYMENT);
    select.maybe("state = {}", filter.state.map(DeploymentState::name));
    select.maybe("lineage = {}", filter.lineage.as_ref().map(LineageId::as_str));
    select.maybe("target = {}", filter.target.as_ref().map(TargetId::as_str));
    if let Some(after) = &page.after {
        let (id, created) = select::read_time_cursor(after)?;
        select.after("(created, id) < ({1}, {2})", created, id.to_owned());
    }
    select.rows(tx, "created DESC, id DESC", page.limit, read)
}

/// Where the list continues after this deployment.
pub fn cursor(deployment: &Deployment) -> String {
    select::cursor(deployment.id.as_str(), deployment.created.0)
}

/// The newest deployment of a lineage on a target.
pub fn latest(tx: &Tx<'_>, lineage: &LineageId, target: &TargetId) -> Result<Option<Deployment>, Error> {
    let sql = format!("{DEPLOYMENT} {OF_PAIR} {NEWEST} LIMIT 1");
    tx.one(&sql, &[&lineage.as_str(), &target.as_str()], read)
}

/// The newest deployment of a lineage on a target to which something more happens.
pub fn open_of(tx: &Tx<'_>, lineage: &LineageId, target: &TargetId) -> Result<Option<Deployment>, Error> {
    let sql = format!("{DEPLOYMENT} {OF_PAIR} AND state IN ('planned', 'installed') {NEWEST} LIMIT 1");
    tx.one(&sql, &[&lineage.as_str(), &target.as_str()], read)
}

/// The newest deployment of a lineage on a target that was seen from outside: what to put back.
pub fn verified_of(tx: &Tx<'_>, lineage: &LineageId, target: &TargetId) -> Result<Option<Deployment>, Error> {
    let sql = format!("{DEPLOYMENT} {OF_PAIR} AND state = 'verified' {NEWEST} LIMIT 1");
    tx.one(&sql, &[&lineage.as_str(), &target.as_str()], read)
}

/// Whether the same certificate was in use on the target before, by another deployment of the lineage: seen from outside, or
/// installed where nobody can look.
pub fn was_in_use(tx: &Tx<'_>, deployment: &Deployment) -> Result<bool, Error> {
    let found = tx.number(
        "SELECT count(*) AS n FROM deployment WHERE lineage = $1 AND target = $2 AND certificate = $3 AND id <> $4
         AND (state = 'verified' OR (state = 'installed' AND NOT EXISTS (SELECT 1 FROM job
             WHERE job.kind = $5 AND job.subject = deployment.id AND job.state IN ('waiting', 'running'))))",
        &[
            &deployment.lineage.as_str(),
            &deployment.target.as_str(),
            &deployment.certificate.0.as_slice(),
            &deployment.id.as_str(),
            &JobKind::DeploymentRun.name(),
        ],
    )?;
    Ok(found > 0)
}

/// Notes with which chain the deployment is tried.
pub fn set_chain(tx: &Tx<'_>, id: &DeploymentId, chain: &ChainHash) -> Result<(), Error> {
    tx.update(
        "deployment",
        "UPDATE deployment SET chain = $2 WHERE id = $1",
        &[&id.as_str(), &chain.0.as_slice()],
    )
}

/// Says where the deployment is since when, and what went wrong.
pub fn set_state(
    tx: &Tx<'_>,
    id: &DeploymentId,
    state: DeploymentState,
    trouble: &str,
    at: Moment,
) -> Result<(), Error> {
    tx.update(
        "deployment",
        "UPDATE deployment SET state = $2, trouble = $3, changed = $4 WHERE id = $1",
        &[&id.as_str(), &state.name(), &text::storable(trouble), &at.0],
    )
}

fn read(row: &Row<'_>) -> Result<Deployment, Error> {
    Ok(Deployment {
        id: DeploymentId::of(row.text("id")?),
        lineage: LineageId::of(row.text("lineage")?),
        target: TargetId::of(row.text("target")?),
        certificate: Fingerprint(row.hash("deployment", "certificate")?),
        state: row.parsed("deployment", "state")?,
        chain: row.hash_or_none("deployment", "chain")?.map(Fingerprint),
        trouble: row.at("trouble")?,
        created: row.moment("created")?,
        changed: row.moment("changed")?,
    })
}
