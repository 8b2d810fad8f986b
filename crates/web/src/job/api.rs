//! `/api/v1/jobs`, and their progress as server-sent events.

use app::cursor;
use app::filter::JobFilter;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::Authorized;
use domain::id::JobId;
use domain::job::Job;
use domain::permission::uses;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::Id;
use crate::events::{self, Follow};
use crate::list::{Asked, Listing, Paging, parse_some};
use crate::{Permit, Problem, Web};

/// The parameters of the list.
pub const ASKED: [(&str, &str); 4] = [
    ("limit", "Rows of a page, 1 to 1000; 100 if left out."),
    ("after", "The `next` of the page before."),
    ("state", "Only jobs in this state: `waiting`, `running`, `done`, `failed`."),
    ("subject", "Only jobs of this lineage, deployment, import or certificate."),
];

/// Which jobs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedJobs {
    limit: Option<u32>,
    after: Option<String>,
    state: Option<String>,
    subject: Option<String>,
}

/// A job.
#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobJson {
    /// The id.
    id: String,
    /// `lineage.renew`, `lineage.rekey`, `deployment.run`, `certificate.import` or `certificate.complete`.
    kind: &'static str,
    /// The lineage, deployment, import or certificate that it is about.
    subject: String,
    /// `waiting`, `running`, `done` or `failed`.
    state: &'static str,
    /// When it may start, or start again.
    due_at: String,
    /// How often it was tried.
    attempts: u32,
    /// What it does now, or what came of it.
    progress: String,
    /// Why the last try failed; left out when none did.
    #[serde(skip_serializing_if = "String::is_empty")]
    trouble: String,
    /// Who wanted it.
    actor: String,
    /// When it was made.
    created_at: String,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
}

impl From<Job> for JobJson {
    fn from(job: Job) -> Self {
        Self {
            id: job.id.to_string(),
            kind: job.kind.name(),
            subject: job.subject,
            state: job.state.name(),
            due_at: job.due.to_string(),
            attempts: job.attempts,
            progress: job.progress,
            trouble: job.trouble,
            actor: job.actor,
            created_at: job.created.to_string(),
            ended_at: job.ended.map(|at| at.to_string()),
        }
    }
}

/// Work that was begun: 202, with the job and where to follow it.
pub fn accepted(job: Job) -> Response {
    let location = format!("/api/v1/jobs/{}", job.id);
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(JobJson::from(job))).into_response()
}

/// `GET /jobs`
pub async fn list(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
    Asked(asked): Asked<AskedJobs>,
) -> Result<Json<Listing<JobJson>>, Problem> {
    let state = parse_some("state", asked.state.as_deref())?;
    let paging = Paging::new(asked.limit, asked.after);
    let filter = JobFilter { state, subject: asked.subject };
    let jobs = app::job::list(web.app(), &by, filter, paging.page()).await?;
    Ok(Json(paging.cut(jobs, cursor::job, JobJson::from)))
}

/// `GET /jobs/{id}`
pub async fn find(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
    Id(id): Id<JobId>,
) -> Result<Json<JobJson>, Problem> {
    Ok(Json(app::job::find(web.app(), &by, &id).await?.into()))
}

/// `GET /jobs/{id}/events`
pub async fn events(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
    Id(id): Id<JobId>,
) -> Result<Response, Problem> {
    let progress = web.app().progress();
    let job = app::job::find(web.app(), &by, &id).await?;
    let follow = Follow::One(Box::new(job), Authorized::clone(&by));
    Ok(events::stream(&web, follow, progress).into_response())
}

/// `GET /jobs/events`: every job's.
pub async fn all_events(State(web): State<Web>, _by: Permit<uses::ViewCertificates>) -> Response {
    events::stream(&web, Follow::All, web.app().progress()).into_response()
}
