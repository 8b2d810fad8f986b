//! `/api/v1/overview`: what needs a person now, what ends when, what runs.

use app::overview::{Need, Overview, Place, Week};
use axum::Json;
use axum::extract::State;
use domain::permission::uses;
use serde::Serialize;
use utoipa::ToSchema;

use crate::job::api::JobJson;
use crate::{Permit, Problem, Web};

/// The state of everything, in short.
#[derive(Serialize, ToSchema)]
#[schema(as = Overview)]
pub struct OverviewJson {
    /// What this server is called.
    title: String,
    /// The environment.
    environment: String,
    /// How many lineages there are.
    lineages: i64,
    /// How many of them are in trouble.
    troubled: i64,
    /// How many certificates there are, CAs left out.
    certificates: i64,
    /// How many CSRs wait for an answer.
    waiting_csrs: i64,
    /// What needs a person, the worst first.
    needs: Vec<NeedJson>,
    /// What ends in which week.
    weeks: Vec<WeekJson>,
    /// What runs now.
    running: Vec<JobJson>,
}

/// Something that needs a person.
#[derive(Serialize, ToSchema)]
pub struct NeedJson {
    /// `info`, `warning` or `error`.
    severity: &'static str,
    /// What is the matter.
    what: String,
    /// More about it.
    detail: String,
    /// What it is about: `certificate`, `csr`, `lineage`, `target` or `token`.
    kind: &'static str,
    /// Its id.
    id: String,
}

/// A week of expiries.
#[derive(Serialize, ToSchema)]
pub struct WeekJson {
    /// Its first moment.
    start: String,
    /// Certificates that are renewed without anybody.
    by_itself: u32,
    /// Certificates that need a person.
    needs_person: u32,
    /// Certificates whose renewal is late.
    late: u32,
}

/// `GET /overview`
pub async fn show(
    State(web): State<Web>,
    by: Permit<uses::ViewCertificates>,
) -> Result<Json<OverviewJson>, Problem> {
    let overview = app::overview::show(web.app(), &by).await?;
    let names = app::job::subject_names(web.app(), &by, &overview.running).await?;
    Ok(Json(json(overview, names)))
}

fn json(overview: Overview, names: Vec<Option<String>>) -> OverviewJson {
    OverviewJson {
        title: overview.identity.title(),
        environment: overview.identity.environment,
        lineages: overview.lineages,
        troubled: overview.troubled,
        certificates: overview.certificates,
        waiting_csrs: overview.waiting_csrs,
        needs: overview.needs.into_iter().map(need).collect(),
        weeks: overview.weeks.into_iter().map(week).collect(),
        running: overview.running.into_iter().zip(names).map(JobJson::named).collect(),
    }
}

fn need(need: Need) -> NeedJson {
    let (kind, id) = match need.place {
        Place::Certificate(id) => ("certificate", id.to_string()),
        Place::Csr(id) => ("csr", id.to_string()),
        Place::Lineage(id) => ("lineage", id.to_string()),
        Place::Target(id) => ("target", id.to_string()),
        Place::Token(id) => ("token", id.to_string()),
    };
    NeedJson { severity: need.severity.name(), what: need.what, detail: need.detail, kind, id }
}

fn week(week: Week) -> WeekJson {
    WeekJson {
        start: week.start.to_string(),
        by_itself: week.by_itself,
        needs_person: week.needs_person,
        late: week.late,
    }
}
