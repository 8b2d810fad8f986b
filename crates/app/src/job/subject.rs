//! What people call the subjects of jobs.

use domain::Authorized;
use domain::id::{DeploymentId, LineageId};
use domain::job::{Job, JobKind};
use domain::permission::uses;
use pki::Fingerprint;
use store::Tx;

use crate::{App, Error};

/// What each of these jobs is about, in their order: a lineage by its name, a deployment as `lineage on target`, a
/// certificate by its friendly name. None where the subject has no name, or is no longer there.
pub async fn subject_names(
    app: &App,
    _by: &Authorized<uses::ViewCertificates>,
    jobs: &[Job],
) -> Result<Vec<Option<String>>, Error> {
    let subjects: Vec<_> = jobs.iter().map(|job| (job.kind, job.subject.clone())).collect();
    app.read("job.subject_names", move |tx| {
        subjects.iter().map(|(kind, subject)| name(tx, *kind, subject)).collect()
    })
    .await
}

fn name(tx: &Tx<'_>, kind: JobKind, subject: &str) -> Result<Option<String>, Error> {
    match kind {
        JobKind::LineageRenew | JobKind::LineageRekey => match subject.parse() {
            Ok(id) => lineage(tx, &id),
            Err(_) => Ok(None),
        },
        JobKind::DeploymentRun => match subject.parse() {
            Ok(id) => deployment(tx, &id),
            Err(_) => Ok(None),
        },
        JobKind::CertificateComplete => match subject.parse() {
            Ok(id) => certificate(tx, &id),
            Err(_) => Ok(None),
        },
        JobKind::CertificateImport | JobKind::DeploymentPlan => Ok(None),
    }
}

fn lineage(tx: &Tx<'_>, id: &LineageId) -> Result<Option<String>, Error> {
    Ok(store::lineage::find(tx, id)?.map(|lineage| lineage.name))
}

fn deployment(tx: &Tx<'_>, id: &DeploymentId) -> Result<Option<String>, Error> {
    let Some(deployment) = store::deployment::find(tx, id)? else { return Ok(None) };
    let lineage = lineage(tx, &deployment.lineage)?;
    let target = store::target::find(tx, &deployment.target)?;
    Ok(lineage.zip(target).map(|(lineage, target)| format!("{lineage} on {}", target.label)))
}

fn certificate(tx: &Tx<'_>, id: &Fingerprint) -> Result<Option<String>, Error> {
    let entry = store::certificate::find(tx, id)?;
    Ok(entry.map(|entry| match entry.friendly_name.as_str() {
        "" => entry.certificate.display_name(),
        _ => entry.friendly_name,
    }))
}
