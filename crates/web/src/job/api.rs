//! `/api/v1/jobs`, and their progress as server-sent events.

use app::cursor;
use app::filter::JobFilter;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::Authorized;
use domain::id::JobId;
use domain::job::{Job, JobState};
use domain::permission::uses;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::Id;
use crate::events::{self, Follow};
use crate::list::{Asked, Listing, Paging, parse_some};
use crate::routes::Parameter;
use crate::{Permit, Problem, Web};

/// The parameters of the list.
pub const ASKED: [Parameter; 4] = [
    Parameter::LIMIT,
    Parameter::AFTER,
    Parameter::one_of(
        "state",
        JobState::NAMES,
        "Only jobs in this state: `waiting`, `running`, `done`, `failed`.",
    ),
    Parameter::id("subject", "Only jobs of this lineage, deployment, import or certificate."),
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
    /// `lineage.renew`, `lineage.rekey`, `deployment.run`, `deployment.plan`, `certificate.import` or
    /// `certificate.complete`.
    kind: &'static str,
    /// The lineage, deployment, import or certificate that it is about; `chains` for all of them.
    subject: String,
    /// What that is called, `lineage on target` for a deployment; left out when it has no name, and in the answer to a
    /// request that begins a job.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_name: Option<String>,
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
            subject_name: None,
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

impl JobJson {
    /// A job whose subject is called so, if it is called anything.
    pub fn named((job, subject_name): (Job, Option<String>)) -> Self {
        Self { subject_name, ..Self::from(job) }
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
    let names = app::job::subject_names(web.app(), &by, &jobs).await?;
    let named = jobs.into_iter().zip(names).collect();
    Ok(Json(paging.cut(named, |(job, _)| cursor::job(job), JobJson::named)))
}

/// `GET /jobs/{id}`
pub async fn find(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
    Id(id): Id<JobId>,
) -> Result<Json<JobJson>, Problem> {
    let job = app::job::find(web.app(), &by, &id).await?;
    let name = app::job::subject_names(web.app(), &by, std::slice::from_ref(&job)).await?.pop();
    Ok(Json(JobJson::named((job, name.flatten()))))
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
pub async fn all_events(State(web): State<Web>, by: Permit<uses::ViewCertificates>) -> Response {
    events::stream(&web, Follow::All(Authorized::clone(&by)), web.app().progress()).into_response()
}
