//! One job: what it does, how far it is, why it failed. The script follows its events.

use askama::Template;
use domain::id::JobId;
use domain::job::{Job, JobKind, JobState};
use domain::permission::uses;
use pki::Severity;

use crate::body::Id;
use crate::page::finding::{Badge, Note};
use crate::page::rows::{is_open, job_badge, job_words};
use crate::page::when::counted;
use crate::page::words::{safe, sentence};
use crate::page::{Frame, Page, Place, Visit, When, render};

#[derive(Template)]
#[template(path = "job/show.html")]
struct JobPage {
    frame: Frame,
    words: &'static str,
    live: String,
    badge: Badge,
    progress: String,
    note: Option<Note>,
    address: Option<String>,
    subject: String,
    tries: u32,
    due: Option<When>,
    actor: String,
    made: When,
    ended: Option<When>,
}

/// `GET /jobs/{id}`.
pub async fn show(visit: Visit<uses::ViewCertificates>, Id(id): Id<JobId>) -> Page {
    let job = app::job::find(visit.app(), visit.by(), &id).await?;
    let name = app::job::subject_names(visit.app(), visit.by(), std::slice::from_ref(&job)).await?.pop();
    let mut shown = page(visit.frame(job_words(job.kind), Place::Elsewhere), &job);
    if let Some(name) = name.flatten() {
        shown.subject = safe(&name);
    }
    render(&shown)
}

fn page(frame: Frame, job: &Job) -> JobPage {
    let now = frame.now;
    let note = (!job.trouble.is_empty()).then(|| {
        let severity = if job.state == JobState::Failed { Severity::Error } else { Severity::Warning };
        Note::new(severity, "The last try failed.", sentence(&safe(&job.trouble)))
    });
    JobPage {
        words: words(job),
        live: if is_open(job) { job.id.to_string() } else { String::new() },
        badge: job_badge(job),
        progress: match (job.progress.as_str(), job.attempts) {
            ("", 0) => "It has not begun.".to_owned(),
            ("", tries) => format!("Tried {}.", counted(u64::from(tries), "time")),
            (progress, _) => sentence(&safe(progress)),
        },
        note,
        address: address(job),
        subject: subject(job),
        tries: job.attempts,
        due: (job.state == JobState::Waiting).then(|| When::new(job.due, now)),
        actor: safe(&job.actor),
        made: When::new(job.created, now),
        ended: job.ended.map(|at| When::new(at, now)),
        frame,
    }
}

fn words(job: &Job) -> &'static str {
    match job.state {
        JobState::Waiting => "It waits for its time.",
        JobState::Running => "It is under way; this page follows it.",
        JobState::Done => "It has ended; what came of it stands below.",
        JobState::Failed => "It was given up; a person must look.",
    }
}

/// Its subject where that has no name of its own, or is gone.
fn subject(job: &Job) -> String {
    match job.kind {
        JobKind::CertificateImport => "the imported certificates".to_owned(),
        JobKind::DeploymentPlan => "the chains on all targets".to_owned(),
        JobKind::LineageRenew
        | JobKind::LineageRekey
        | JobKind::DeploymentRun
        | JobKind::CertificateComplete => safe(&job.subject),
    }
}

/// Where its subject is shown; a deployment has no page of its own, and an import is seen by its certificates.
fn address(job: &Job) -> Option<String> {
    match job.kind {
        JobKind::LineageRenew | JobKind::LineageRekey => Some(format!("/lineages/{}", job.subject)),
        JobKind::DeploymentRun => None,
        JobKind::DeploymentPlan => Some("/targets".to_owned()),
        JobKind::CertificateImport => Some("/certificates".to_owned()),
        JobKind::CertificateComplete => Some(format!("/certificates/{}", job.subject)),
    }
}
