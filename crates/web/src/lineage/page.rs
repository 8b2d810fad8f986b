//! Lineages: the list, one lineage with its state and history, renew and rekey. Forms are in the files below.

pub mod edit;
pub mod new;
pub mod offer;

use std::collections::BTreeMap;

use app::filter::{JobFilter, LineageFilter};
use app::lineage::LineageView;
use askama::Template;
use axum::extract::Query;
use domain::id::LineageId;
use domain::job::Job;
use domain::lineage::{AtRenewal, Lineage};
use domain::order::OrderState;
use domain::permission::uses;
use domain::target::{Deployment, DeploymentState};
use domain::{Moment, Permission};
use pki::Severity;

use crate::Problem;
use crate::body::{Id, PageFields};
use crate::page::confirm::Confirm;
use crate::page::download::Sheet;
use crate::page::finding::{Badge, Note};
use crate::page::list::{Asked, List};
use crate::page::rows::{
    CertificateLine, EndpointLine, Fact, JobLine, deployment_badge, exportable_words, is_open, open_ids,
};
use crate::page::when::{counted, span};
use crate::page::words::{Dotted, alternative_names, listed, safe, sentence, subject_lines};
use crate::page::{Entered, Flash, Frame, Page, Place, Visit, When, go, render};

#[derive(Template)]
#[template(path = "lineage/list.html")]
struct LineagesPage {
    frame: Frame,
    state: String,
    list: List,
    rows: Vec<Row>,
}

struct Row {
    id: String,
    name: String,
    environment: String,
    names: Dotted,
    issuer: String,
    ends: Option<When>,
    due: Option<When>,
    badge: Badge,
    trouble: String,
}

const STATES: [(&str, &str); 2] = [("", "all"), ("trouble", "in trouble")];

/// `GET /lineages`.
pub async fn list(visit: Visit<uses::ViewCertificates>, Query(asked): Query<Asked>) -> Page {
    let filter = LineageFilter {
        text: asked.words(),
        trouble_only: asked.state == "trouble",
        ..LineageFilter::default()
    };
    let mut views = app::lineage::list(visit.app(), visit.by(), filter, asked.page()).await?;
    if let Some(file) = sheet(&views).answer(&asked.format) {
        return Ok(file);
    }
    let mut list = List::new("/lineages", &asked).states(&STATES);
    list.cut(&mut views, |view| app::cursor::lineage(&view.lineage));
    let troubled = views.iter().filter(|view| !view.lineage.trouble.is_empty()).count();
    let now = visit.now();
    let state = match (views.len(), troubled) {
        (0, _) => "None yet.".to_owned(),
        (shown, 0) => format!("{} shown, none in trouble.", counted(shown as u64, "lineage")),
        (shown, wrong) => format!("{} shown, {wrong} in trouble.", counted(shown as u64, "lineage")),
    };
    let rows = views.iter().map(|view| row(view, now)).collect();
    render(&LineagesPage { frame: visit.frame("Lineages", Place::Lineages), state, list, rows })
}

fn row(view: &LineageView, now: Moment) -> Row {
    let lineage = &view.lineage;
    Row {
        id: lineage.id.to_string(),
        name: safe(&lineage.name),
        environment: safe(&lineage.environment),
        names: Dotted::new(&few_names(lineage)),
        issuer: safe(&view.issuer_label),
        ends: view.current.as_ref().map(|entry| When::unix(entry.certificate.not_after(), now)),
        due: lineage.due.map(|due| When::new(due, now)),
        badge: badge(view, now),
        trouble: sentence(&safe(&lineage.trouble)),
    }
}

fn few_names(lineage: &Lineage) -> String {
    let mut names: Vec<String> = lineage.names.iter().take(3).map(|name| safe(&name.to_string())).collect();
    let more = lineage.names.len().saturating_sub(3);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    if names.is_empty() { lineage.subject.to_string() } else { listed(&names) }
}

fn badge(view: &LineageView, now: Moment) -> Badge {
    let ended = view.current.as_ref().is_some_and(|entry| entry.certificate.not_after() < now.unix());
    let waits = view.order.as_ref().is_some_and(|order| order.state == OrderState::Pending);
    match (&view.current, ended, view.lineage.failures > 0, waits) {
        (Some(_), true, _, _) => Badge::bad("ended"),
        (_, _, true, _) => Badge::bad("renewal fails"),
        (_, _, _, true) => Badge::warn("waits for the CA's answer"),
        (None, ..) => Badge::warn("no certificate yet"),
        (Some(_), ..) if !view.lineage.trouble.is_empty() => Badge::warn("needs a look"),
        (Some(_), ..) => Badge::good("in order"),
    }
}

fn sheet(views: &[LineageView]) -> Sheet {
    let columns = [
        "name",
        "names",
        "environment",
        "issuer",
        "profile",
        "not_after",
        "due",
        "current_sha256",
        "trouble",
    ];
    let mut sheet = Sheet::new("lineages", columns);
    for view in views {
        let lineage = &view.lineage;
        let ends = view.current.as_ref().map(|entry| entry.certificate.not_after().to_string());
        sheet.row([
            safe(&lineage.name),
            lineage.names.iter().map(|name| safe(&name.to_string())).collect::<Vec<_>>().join(" "),
            safe(&lineage.environment),
            lineage.issuer.to_string(),
            lineage.profile.to_string(),
            ends.unwrap_or_default(),
            lineage.due.map(|due| due.unix().to_string()).unwrap_or_default(),
            lineage.current.map(|current| current.to_string()).unwrap_or_default(),
            safe(&lineage.trouble),
        ]);
    }
    sheet
}

#[derive(Template)]
#[template(path = "lineage/show.html")]
struct LineagePage {
    frame: Frame,
    words: String,
    id: String,
    notes: Vec<Note>,
    job_ids: String,
    jobs: Vec<JobLine>,
    badge: Badge,
    current: Option<CertificateLine>,
    due: Option<When>,
    order: Option<(&'static str, String)>,
    waiting_csr: Option<String>,
    deployments: Vec<DeploymentLine>,
    nowhere: &'static str,
    endpoints: Vec<EndpointLine>,
    facts: Vec<Fact>,
    history: Vec<CertificateLine>,
}

struct DeploymentLine {
    target: String,
    label: String,
    badge: Badge,
    at: When,
    trouble: String,
    can_repeat: bool,
}

/// Jobs that are shown of one subject; the newest say what matters.
const JOBS: u32 = 5;

/// `GET /lineages/{id}`.
pub async fn show(visit: Visit<uses::ViewCertificates>, Id(id): Id<LineageId>) -> Page {
    let view = app::lineage::find(visit.app(), visit.by(), &id).await?;
    let deployments: Vec<String> =
        view.deployments.iter().map(|deployment| deployment.id.to_string()).collect();
    let jobs = jobs_of(&visit, std::iter::once(id.to_string()).chain(deployments)).await?;
    let names = app::job::subject_names(visit.app(), visit.by(), &jobs).await?;
    let targets: Vec<String> = view.target_labels.iter().map(|label| safe(label)).collect();
    let labels: BTreeMap<_, _> = view.lineage.targets.iter().zip(&targets).collect();
    let now = visit.now();
    let wanted = view.lineage.current.as_ref();
    let deployments = view.deployments.iter().map(|deployment| DeploymentLine {
        target: deployment.target.to_string(),
        label: labels
            .get(&deployment.target)
            .map_or_else(|| deployment.target.to_string(), |&label| label.clone()),
        badge: deployment_badge(deployment),
        at: When::new(deployment.changed, now),
        trouble: sentence(&safe(&deployment.trouble)),
        can_repeat: can_repeat(deployment),
    });
    let deployments = deployments.collect();
    render(&LineagePage {
        frame: visit.frame(safe(&view.lineage.name), Place::Lineages),
        words: words(&view),
        id: id.to_string(),
        notes: notes(&view),
        job_ids: open_ids(&jobs),
        jobs: jobs.iter().zip(names).map(|(job, name)| JobLine::new(job, name, now)).collect(),
        badge: badge(&view, now),
        current: view.current.as_ref().map(|entry| CertificateLine::new(entry, now)),
        due: view.lineage.due.map(|due| When::new(due, now)),
        order: view.order.as_ref().map(|order| (order.state.name(), sentence(&safe(&order.reason)))),
        waiting_csr: waiting_csr(&view),
        deployments,
        nowhere: if view.lineage.targets.is_empty() {
            "No target yet. Bind one, and each new certificate is installed and seen there."
        } else {
            "Nothing is installed yet: the first certificate goes to the targets below, and is looked at from outside."
        },
        endpoints: view.endpoints.iter().map(|seen| EndpointLine::new(seen, wanted, now)).collect(),
        facts: facts(&view, targets),
        history: view.history.iter().map(|entry| CertificateLine::new(entry, now)).collect(),
    })
}

/// The newest jobs of these subjects, those that can still change first.
pub async fn jobs_of(
    visit: &Visit<uses::ViewCertificates>,
    subjects: impl Iterator<Item = String>,
) -> Result<Vec<Job>, Problem> {
    let mut jobs = Vec::new();
    for subject in subjects.take(20) {
        let filter = JobFilter { subject: Some(subject), ..JobFilter::default() };
        let page = app::Page { after: None, limit: JOBS };
        jobs.extend(app::job::list(visit.app(), visit.by(), filter, page).await?);
    }
    jobs.sort_by_key(|job| (!is_open(job), std::cmp::Reverse(job.created)));
    jobs.truncate(2 * JOBS as usize);
    Ok(jobs)
}

fn words(view: &LineageView) -> String {
    let current = view.current.as_ref().map(|_| "It has a current certificate");
    let until = match view.lineage.due {
        Some(_) => "is renewed in time by itself",
        None => "renews nothing by itself now",
    };
    format!(
        "{} and {until}. Issuer: {}.",
        current.unwrap_or("It has no certificate yet"),
        safe(&view.issuer_label)
    )
}

fn notes(view: &LineageView) -> Vec<Note> {
    let lineage = &view.lineage;
    if lineage.trouble.is_empty() {
        return Vec::new();
    }
    let severity = if lineage.failures > 0 { Severity::Error } else { Severity::Warning };
    let tries = if lineage.failures > 0 {
        format!("Tried {}; it is tried again by itself.", counted(u64::from(lineage.failures), "time"))
    } else if view.deployments.iter().any(can_repeat) {
        "Mend it there, then install again: the button stands at the target below.".to_owned()
    } else {
        "A person has to do something.".to_owned()
    };
    let note = Note::new(severity, sentence(&safe(&lineage.trouble)), tries);
    vec![match waiting_csr(view) {
        Some(csr) => note.link(format!("/csrs/{csr}"), "Import the answer"),
        None => note,
    }]
}

/// Whether it ended badly, so that a person may want it once more.
fn can_repeat(deployment: &Deployment) -> bool {
    match deployment.state {
        DeploymentState::Failed | DeploymentState::RolledBack => true,
        DeploymentState::Planned | DeploymentState::Installed | DeploymentState::Verified => false,
    }
}

fn waiting_csr(view: &LineageView) -> Option<String> {
    let order = view.order.as_ref().filter(|order| order.state == OrderState::Pending)?;
    Some(order.csr.to_string())
}

fn facts(view: &LineageView, targets: Vec<String>) -> Vec<Fact> {
    let lineage = &view.lineage;
    let rule = &lineage.key_rule;
    let or = |lines: Vec<String>, none: &str| if lines.is_empty() { vec![none.to_owned()] } else { lines };
    let backend = lineage.backend.as_ref().map_or("the edge's own status page".to_owned(), |backend| {
        format!(
            "{}{}",
            safe(&backend.address),
            if backend.proxy_protocol { " with a PROXY header" } else { "" }
        )
    });
    vec![
        Fact::lines("Subject", or(subject_lines(&lineage.subject), "empty")),
        Fact::lines("Names", alternative_names(&lineage.names)),
        Fact::new("Environment", safe(&lineage.environment)),
        Fact::new("Owner", if lineage.owner.is_empty() { "none".to_owned() } else { safe(&lineage.owner) }),
        Fact::new("Issuer and profile", format!("{}, {}", safe(&view.issuer_label), lineage.profile)),
        Fact::new(
            "Lifetime",
            lineage
                .lifetime
                .map_or("as the profile says".to_owned(), |seconds| span(seconds.saturating_mul(1_000))),
        ),
        Fact::new("Key", format!("{} in token {}", rule.algorithm.label(), rule.token)),
        Fact::new("At a renewal", at_renewal_words(rule.at_renewal)),
        Fact::new("Keys may leave", exportable_words(rule.exportable)),
        Fact::lines("Targets", or(targets, "none")),
        Fact::new("Behind the edge", backend),
    ]
}

/// Whether a renewal makes a new key.
pub fn at_renewal_words(rule: AtRenewal) -> &'static str {
    match rule {
        AtRenewal::NewKey => "a new key each time",
        AtRenewal::KeepKey => "the same key, as long as it is sound",
    }
}

type Maker = Visit<uses::ManageTlsCertificates>;

/// `POST /lineages/{id}/renew`.
pub async fn renew(visit: Maker, Id(id): Id<LineageId>, _fields: PageFields) -> Page {
    let job = app::lineage::renew(visit.app(), visit.by(), &id).await?;
    Ok(go(&format!("/lineages/{id}"), started("The renewal has begun.", &job)))
}

/// `POST /lineages/{id}/rekey`.
pub async fn rekey(visit: Maker, Id(id): Id<LineageId>, _fields: PageFields) -> Page {
    let job = app::lineage::rekey(visit.app(), visit.by(), &id).await?;
    Ok(go(&format!("/lineages/{id}"), started("The rekey has begun: a new key, a new certificate.", &job)))
}

fn started(what: &str, job: &Job) -> Flash {
    let then = if is_open(job) { "Its progress stands below." } else { "It is done already." };
    Flash::good(format!("{what} {then}"))
}

async fn seen(visit: &Maker, id: &LineageId) -> Result<LineageView, Problem> {
    let see = visit.permit().also(uses::ViewCertificates);
    let see = see.ok_or_else(|| Problem::forbidden(Permission::ViewCertificates))?;
    Ok(app::lineage::find(visit.app(), &see, id).await?)
}

fn question(visit: &Maker, view: &LineageView) -> Confirm {
    let (name, id) = (safe(&view.lineage.name), &view.lineage.id);
    let frame = visit.frame(format!("Remove {name}"), Place::Lineages);
    Confirm::new(frame, "Remove the lineage", format!("/lineages/{id}/retire"))
        .loses("Nothing is renewed any more for these names, and the edge serves them no longer.")
        .loses("What is installed on targets stays there until it ends.")
        .loses("Certificates and keys stay here.")
        .asks_for(name)
        .back(format!("/lineages/{id}"))
}

/// `GET /lineages/{id}/retire`.
pub async fn retire_form(visit: Maker, Id(id): Id<LineageId>) -> Page {
    let view = seen(&visit, &id).await?;
    question(&visit, &view).show()
}

/// `POST /lineages/{id}/retire`.
pub async fn retire(visit: Maker, Id(id): Id<LineageId>, PageFields(fields): PageFields) -> Page {
    let view = seen(&visit, &id).await?;
    if let Some(again) = question(&visit, &view).check(&Entered(fields)) {
        return again;
    }
    match app::lineage::retire(visit.app(), visit.by(), &id).await {
        Ok(()) => Ok(go(
            "/lineages",
            Flash::good(format!("The lineage “{}” was removed.", safe(&view.lineage.name))),
        )),
        Err(error) => question(&visit, &view).refused(error),
    }
}
