//! The first page: what needs a person, what ends when, what is running.

use app::overview::{Need, Overview, Place as Spot, Week};
use askama::Template;
use domain::Permission;
use domain::permission::uses;

use crate::page::finding::Note;
use crate::page::plot::{Bar, Plot};
use crate::page::rows::{JobLine, open_ids};
use crate::page::when::{counted, number};
use crate::page::words::{safe, sentence};
use crate::page::{Frame, Page, Place, Visit, render};

#[derive(Template)]
#[template(path = "overview/show.html")]
struct OverviewPage {
    frame: Frame,
    state: String,
    needs: Vec<Note>,
    /// What did not fit, behind its number.
    further: Vec<Note>,
    count: String,
    plot: Plot,
    /// How many weeks the plot shows.
    weeks: usize,
    running_ids: String,
    running: Vec<JobLine>,
    lineages: String,
    certificates: String,
    waiting: String,
}

/// What needs a person and stands open; more would push the rest of the page out of sight.
const OPEN: usize = 12;
/// From so many on, a list behind it may have been cut.
const MAYBE_MORE: usize = 20;

/// `GET /`.
pub async fn show(visit: Visit<uses::ViewCertificates>) -> Page {
    let overview = app::overview::show(visit.app(), visit.by()).await?;
    let names = app::job::subject_names(visit.app(), visit.by(), &overview.running).await?;
    let now = visit.now();
    let mut needs: Vec<Note> = overview.needs.iter().map(note).collect();
    let further = needs.split_off(needs.len().min(OPEN));
    let all = number(overview.needs.len() as u64);
    render(&OverviewPage {
        frame: visit.frame("Overview", Place::Overview),
        state: state(&overview),
        count: if overview.needs.len() < MAYBE_MORE { all } else { format!("{all} or more") },
        needs,
        further,
        weeks: overview.weeks.len(),
        plot: Plot::new(overview.weeks.iter().map(bar).collect()),
        running_ids: open_ids(&overview.running),
        running: overview.running.iter().zip(names).map(|(job, name)| JobLine::new(job, name, now)).collect(),
        lineages: number(overview.lineages.unsigned_abs()),
        certificates: number(overview.certificates.unsigned_abs()),
        waiting: number(overview.waiting_csrs.unsigned_abs()),
    })
}

fn state(overview: &Overview) -> String {
    let identity = &overview.identity;
    let title = safe(&identity.title());
    let title = if identity.instance.is_empty() { format!("Environment {title}") } else { title };
    let lineages = counted(overview.lineages.unsigned_abs(), "lineage");
    match (overview.lineages, overview.troubled) {
        (0, _) => format!("{title}. No lineage yet: make one, or import a certificate that you have."),
        (_, 0) => format!("{title}. {lineages}, none in trouble."),
        (_, troubled) => format!("{title}. {lineages}, {} in trouble.", number(troubled.unsigned_abs())),
    }
}

fn bar(week: &Week) -> Bar {
    Bar { start: week.start, by_itself: week.by_itself, needs_person: week.needs_person, late: week.late }
}

fn note(need: &Need) -> Note {
    let (address, words) = match &need.place {
        Spot::Certificate(id) => (format!("/certificates/{id}"), "See the certificate"),
        Spot::Csr(id) => (format!("/csrs/{id}#answer"), "Import the answer"),
        Spot::Lineage(id) => (format!("/lineages/{id}"), "See the lineage"),
        Spot::Target(id) => (format!("/targets/{id}"), "See the target"),
        Spot::Token(id) => (format!("/tokens/{id}/log-in"), "Log in"),
    };
    Note::new(need.severity, sentence(&safe(&need.what)), sentence(&safe(&need.detail))).link(address, words)
}
