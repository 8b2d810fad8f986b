//! Targets: the list, one target with what it serves, and forms made from the connectors' own fields.

use std::collections::BTreeMap;

use app::target::{NewTarget, TargetChange, TargetView};
use askama::Template;
use axum::extract::Query;
use domain::connector::{Field, Secrecy, addresses};
use domain::id::{LineageId, TargetId};
use domain::lineage::Lineage;
use domain::permission::uses;
use domain::target::DeploymentState;
use domain::{Moment, Permission};
use serde::Deserialize;

use crate::Problem;
use crate::body::{Id, PageFields};
use crate::lineage::page::jobs_of;
use crate::page::confirm::Confirm;
use crate::page::download::Sheet;
use crate::page::field::{Control, of_setting};
use crate::page::finding::Badge;
use crate::page::list::{Asked, List, matches};
use crate::page::rows::{EndpointLine, Fact, deployment_badge, open_ids};
use crate::page::simple::Simple;
use crate::page::when::counted;
use crate::page::words::{escape, safe, sentence};
use crate::page::{Entered, Flash, Frame, Input, Page, Place, Visit, When, Wrong, go, render};

#[derive(Template)]
#[template(path = "target/list.html")]
struct TargetsPage {
    frame: Frame,
    state: String,
    kinds: Vec<(&'static str, &'static str)>,
    list: List,
    rows: Vec<Row>,
}

struct Row {
    id: String,
    label: String,
    kind: String,
    addresses: String,
    lineages: usize,
    badge: Badge,
}

/// `GET /targets`.
pub async fn list(visit: Visit<uses::ViewCertificates>, Query(asked): Query<Asked>) -> Page {
    let mut views = app::target::list(visit.app(), visit.by()).await?;
    let words = asked.words();
    views.retain(|view| {
        matches(words.as_deref(), &[&view.target.label, &view.target.kind, &view.target.addresses.join(" ")])
    });
    if let Some(file) = sheet(&views).answer(&asked.format) {
        return Ok(file);
    }
    let mut list = List::new("/targets", &asked);
    let rows = list.window(&views, |view| view.target.id.to_string()).iter().map(row).collect();
    let kinds = app::target::kinds().iter().filter(|kind| kind.kind() != EDGE);
    render(&TargetsPage {
        frame: visit.frame("Targets", Place::Targets),
        state: format!("{} that certificates are installed in.", counted(views.len() as u64, "place")),
        kinds: kinds.map(|kind| (kind.kind(), kind.about().help)).collect(),
        list,
        rows,
    })
}

/// The kind that is built in, once.
const EDGE: &str = "edge";

fn row(view: &TargetView) -> Row {
    Row {
        id: view.target.id.to_string(),
        label: safe(&view.target.label),
        kind: view.target.kind.clone(),
        addresses: match view.target.addresses.as_slice() {
            [] if view.target.kind == EDGE => "where this server listens".to_owned(),
            addresses => safe(&addresses.join(", ")),
        },
        lineages: view.lineages.len(),
        badge: badge(view),
    }
}

fn badge(view: &TargetView) -> Badge {
    let bad = |state: DeploymentState| match state {
        DeploymentState::Failed | DeploymentState::RolledBack => true,
        DeploymentState::Planned | DeploymentState::Installed | DeploymentState::Verified => false,
    };
    let failed = view.deployments.iter().filter(|deployment| bad(deployment.state)).count();
    let open = view.deployments.iter().any(|deployment| !deployment.state.is_done());
    match (view.lineages.is_empty(), failed, open) {
        (true, ..) => Badge::plain("serves nothing yet"),
        (false, 0, false) => Badge::good("all seen from outside"),
        (false, 0, true) => Badge::plain("being installed"),
        (false, failed, _) => Badge::bad(format!("{failed} failed")),
    }
}

fn sheet(views: &[TargetView]) -> Sheet {
    let mut sheet = Sheet::new("targets", ["id", "label", "kind", "addresses", "lineages"]);
    for view in views {
        let names = view.lineages.iter().map(|lineage| safe(&lineage.name));
        sheet.row([
            view.target.id.to_string(),
            safe(&view.target.label),
            view.target.kind.clone(),
            view.target.addresses.join(" "),
            names.collect::<Vec<_>>().join(" "),
        ]);
    }
    sheet
}

#[derive(Template)]
#[template(path = "target/show.html")]
struct TargetPage {
    frame: Frame,
    words: String,
    id: String,
    job_ids: String,
    rows: Vec<LineageRow>,
    endpoints: Vec<EndpointLine>,
    facts: Vec<Fact>,
    can_change: bool,
}

struct LineageRow {
    id: String,
    name: String,
    badge: Badge,
    trouble: String,
    at: Option<When>,
    can_deploy: bool,
}

/// `GET /targets/{id}`.
pub async fn show(visit: Visit<uses::ViewCertificates>, Id(id): Id<TargetId>) -> Page {
    let view = app::target::find(visit.app(), visit.by(), &id).await?;
    let now = visit.now();
    let jobs = jobs_of(&visit, view.deployments.iter().map(|deployment| deployment.id.to_string())).await?;
    let wanted =
        |lineage: &LineageId| view.lineages.iter().find(|one| one.id == *lineage).and_then(|one| one.current);
    let endpoints =
        view.endpoints.iter().map(|seen| EndpointLine::new(seen, wanted(&seen.lineage).as_ref(), now));
    render(&TargetPage {
        frame: visit.frame(safe(&view.target.label), Place::Targets),
        words: about(&view.target.kind).map_or_else(String::new, |(help, _)| help.to_owned()),
        id: id.to_string(),
        job_ids: open_ids(&jobs),
        rows: view.lineages.iter().map(|lineage| lineage_row(&view, lineage, now)).collect(),
        endpoints: endpoints.collect(),
        facts: facts(&view),
        can_change: view.target.kind != EDGE,
    })
}

fn lineage_row(view: &TargetView, lineage: &Lineage, now: Moment) -> LineageRow {
    let deployment = view.deployments.iter().find(|deployment| deployment.lineage == lineage.id);
    LineageRow {
        id: lineage.id.to_string(),
        name: safe(&lineage.name),
        badge: deployment.map_or(Badge::plain("nothing installed yet"), deployment_badge),
        trouble: deployment.map(|deployment| sentence(&safe(&deployment.trouble))).unwrap_or_default(),
        at: deployment.map(|deployment| When::new(deployment.changed, now)),
        can_deploy: lineage.current.is_some(),
    }
}

fn facts(view: &TargetView) -> Vec<Fact> {
    let target = &view.target;
    let fields = about(&target.kind).map(|(_, fields)| fields).unwrap_or_default();
    let mut facts = vec![Fact::new("Kind", target.kind.clone())];
    if !target.addresses.is_empty() {
        facts.push(Fact::lines("Serves at", target.addresses.iter().map(|address| safe(address)).collect()));
    }
    for field in fields {
        match (field.secrecy, target.settings.get(field.name)) {
            (Secrecy::Secret, _) => facts.push(Fact::new(field.label, "kept, never shown")),
            (Secrecy::Plain, Some(value)) => facts.push(Fact::new(field.label, safe(value))),
            (Secrecy::Plain, None) => {}
        }
    }
    facts
}

/// What a kind of target says about itself: its help and its fields.
fn about(kind: &str) -> Option<(&'static str, &'static [Field])> {
    let found = app::target::kinds().iter().find(|one| one.kind() == kind)?;
    Some((found.about().help, found.fields()))
}

/// What stands after `?` of the new target's page.
#[derive(Deserialize)]
pub struct Kind {
    #[serde(default)]
    kind: String,
}

/// Sets the names of the connector's own fields apart from ours.
const PREFIX: &str = "set-";

fn form(frame: Frame, action: String, kind: &str) -> Result<Simple, Problem> {
    let (help, fields) = about(kind).ok_or_else(|| app::Error::not_found("target_kind", safe(kind)))?;
    let mut form = Simple::new(frame, format!("Target of the kind {kind}"), action)
        .words(help)
        .back("/targets")
        .input(
            Input::line("label", "Friendly Name").hint("Unique, in words that you will know again.").needed(),
        )
        .input(Input::new("addresses", "Serves at", Control::Area(2)).hint(
            "Every address from which it serves, host:port, one a line. It is looked at from outside there.",
        ));
    for field in fields {
        form = form.input(of_setting(field, PREFIX));
    }
    Ok(form)
}

/// `GET /targets/new?kind=files`.
pub async fn new(visit: Visit<uses::ManageTargets>, Query(asked): Query<Kind>) -> Page {
    let action = format!("/targets/new?kind={}", escape(&asked.kind));
    form(visit.frame("New target", Place::Targets), action, &asked.kind)?.verb("Make the target").show()
}

fn settings(entered: &Entered) -> BTreeMap<String, String> {
    let own = entered.0.iter().filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, value)));
    let filled = own.filter(|(_, value)| !value.trim().is_empty());
    filled.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

fn served_at(entered: &Entered) -> Vec<String> {
    addresses(entered.text("addresses")).map(str::to_owned).collect()
}

/// Puts the refusals of settings to their fields.
fn placed(error: app::Error, kind: &str) -> Result<Wrong, Problem> {
    let fields = about(kind).map(|(_, fields)| fields).unwrap_or_default();
    let wrong = Wrong::of(error)?.placed(|refusal| {
        let label = refusal.code.starts_with("name.") || refusal.code.contains("label");
        label.then_some("label").or_else(|| refusal.code.contains("address").then_some("addresses"))
    });
    Ok(fields.iter().fold(wrong, |wrong, field| {
        let renamed = wrong.renamed(field.name, &format!("{PREFIX}{}", field.name));
        renamed.renamed(&format!("settings.{}", field.name), &format!("{PREFIX}{}", field.name))
    }))
}

/// `POST /targets/new?kind=files`.
pub async fn create(
    visit: Visit<uses::ManageTargets>,
    Query(asked): Query<Kind>,
    PageFields(fields): PageFields,
) -> Page {
    let entered = Entered(fields);
    let input = NewTarget {
        label: entered.text("label").to_owned(),
        kind: asked.kind.clone(),
        settings: settings(&entered),
        addresses: served_at(&entered),
    };
    match app::target::create(visit.app(), visit.by(), input).await {
        Ok(view) => {
            let text =
                format!("The target “{}” was made. Bind a lineage to it next.", safe(&view.target.label));
            Ok(go(&format!("/targets/{}", view.target.id), Flash::good(text)))
        }
        Err(error) => {
            let wrong = placed(error, &asked.kind)?;
            let action = format!("/targets/new?kind={}", escape(&asked.kind));
            form(visit.frame("New target", Place::Targets), action, &asked.kind)?
                .verb("Make the target")
                .again(&entered, wrong)
        }
    }
}

async fn seen(visit: &Visit<uses::ManageTargets>, id: &TargetId) -> Result<TargetView, Problem> {
    let see = visit.permit().also(uses::ViewCertificates);
    let see = see.ok_or_else(|| Problem::forbidden(Permission::ViewCertificates))?;
    Ok(app::target::find(visit.app(), &see, id).await?)
}

fn edit(visit: &Visit<uses::ManageTargets>, view: &TargetView) -> Result<Simple, Problem> {
    let id = &view.target.id;
    let frame = visit.frame(format!("Edit {}", safe(&view.target.label)), Place::Targets);
    Ok(form(frame, format!("/targets/{id}/edit"), &view.target.kind)?.back(format!("/targets/{id}")))
}

/// `GET /targets/{id}/edit`.
pub async fn edit_form(visit: Visit<uses::ManageTargets>, Id(id): Id<TargetId>) -> Page {
    let view = seen(&visit, &id).await?;
    let mut pairs = vec![
        ("label".to_owned(), view.target.label.clone()),
        ("addresses".to_owned(), view.target.addresses.join("\n")),
    ];
    pairs.extend(view.target.settings.iter().map(|(name, value)| (format!("{PREFIX}{name}"), value.clone())));
    edit(&visit, &view)?.filled(&Entered::from(pairs)).show()
}

/// `POST /targets/{id}/edit`.
pub async fn update(
    visit: Visit<uses::ManageTargets>,
    Id(id): Id<TargetId>,
    PageFields(fields): PageFields,
) -> Page {
    let entered = Entered(fields);
    let change = TargetChange {
        label: entered.some("label"),
        settings: Some(settings(&entered)),
        addresses: Some(served_at(&entered)),
    };
    match app::target::update(visit.app(), visit.by(), &id, change).await {
        Ok(view) => Ok(go(
            &format!("/targets/{id}"),
            Flash::good(format!("The target “{}” was changed.", safe(&view.target.label))),
        )),
        Err(error) => {
            let view = seen(&visit, &id).await?;
            let wrong = placed(error, &view.target.kind)?;
            edit(&visit, &view)?.again(&entered, wrong)
        }
    }
}

fn question(visit: &Visit<uses::ManageTargets>, view: &TargetView) -> Confirm {
    let (name, id) = (safe(&view.target.label), &view.target.id);
    let count = counted(view.lineages.len() as u64, "lineage");
    Confirm::new(
        visit.frame(format!("Remove {name}"), Place::Targets),
        "Remove the target",
        format!("/targets/{id}/remove"),
    )
    .loses(format!("{count} no longer installed or looked at there."))
    .loses("What is installed there stays until it ends; nobody replaces it any more.")
    .asks_for(name)
    .back(format!("/targets/{id}"))
}

/// `GET /targets/{id}/remove`.
pub async fn remove_form(visit: Visit<uses::ManageTargets>, Id(id): Id<TargetId>) -> Page {
    let view = seen(&visit, &id).await?;
    question(&visit, &view).show()
}

/// `POST /targets/{id}/remove`.
pub async fn remove(
    visit: Visit<uses::ManageTargets>,
    Id(id): Id<TargetId>,
    PageFields(fields): PageFields,
) -> Page {
    let view = seen(&visit, &id).await?;
    if let Some(again) = question(&visit, &view).check(&Entered(fields)) {
        return again;
    }
    match app::target::retire(visit.app(), visit.by(), &id).await {
        Ok(()) => {
            Ok(go("/targets", Flash::good(format!("The target “{}” was removed.", safe(&view.target.label)))))
        }
        Err(error) => question(&visit, &view).refused(error),
    }
}

/// `POST /targets/{id}/deploy`.
pub async fn deploy(
    visit: Visit<uses::Deploy>,
    Id(id): Id<TargetId>,
    PageFields(fields): PageFields,
) -> Page {
    let entered = Entered(fields);
    let lineage: LineageId =
        entered.text("lineage").parse().map_err(|_| app::Error::not_found("lineage", "of this id"))?;
    app::target::deploy(visit.app(), visit.by(), &id, &lineage).await?;
    // Back to the page that asked.
    let back = if entered.has("back") { format!("/lineages/{lineage}") } else { format!("/targets/{id}") };
    Ok(go(&back, Flash::good("It is being installed again; its progress stands below.")))
}
