//! Issuers with their CA certificates, and the profiles.

use app::issuer::{IssuerView, NewIssuer, Withdrawn};
use askama::Template;
use axum::extract::Query;
use domain::Permission;
use domain::id::IssuerId;
use domain::issuer::{IssuerKind, Profile};
use domain::permission::uses;

use crate::body::{Id, PageFields};
use crate::page::confirm::Confirm;
use crate::page::download::Sheet;
use crate::page::field::choice;
use crate::page::finding::Badge;
use crate::page::list::{Asked, List, matches};
use crate::page::rows::usage_words;
use crate::page::simple::Simple;
use crate::page::when::{counted, number, span};
use crate::page::words::{safe, title};
use crate::page::{Entered, Flash, Frame, Input, Page, Place, Visit, go, render};

#[derive(Template)]
#[template(path = "issuer/list.html")]
struct IssuersPage {
    frame: Frame,
    state: String,
    list: List,
    rows: Vec<Row>,
    profiles: Vec<ProfileRow>,
}

struct Row {
    id: String,
    label: String,
    kind: &'static str,
    issued: String,
    authorities: Vec<(String, String)>,
    none: &'static str,
    badge: Badge,
    withdrawn: bool,
}

struct ProfileRow {
    id: String,
    label: String,
    usage: &'static str,
    lifetime: String,
    most: String,
    keys: String,
}

/// `GET /issuers`.
pub async fn list(visit: Visit<uses::ViewCertificates>, Query(asked): Query<Asked>) -> Page {
    let mut views = app::issuer::list(visit.app(), visit.by()).await?;
    let words = asked.words();
    views.retain(|view| matches(words.as_deref(), &[&view.issuer.label, view.issuer.id.as_str()]));
    if let Some(file) = sheet(&views).answer(&asked.format) {
        return Ok(file);
    }
    let profiles = app::issuer::profiles(visit.app(), visit.by()).await?;
    let open = views.iter().filter(|view| !view.issuer.withdrawn).count() as u64;
    let mut list = List::new("/issuers", &asked);
    let rows = list.window(&views, |view| view.issuer.id.to_string()).iter().map(row).collect();
    render(&IssuersPage {
        frame: visit.frame("Issuers", Place::Issuers),
        state: format!("{} to choose from.", counted(open, "issuer")),
        list,
        rows,
        profiles: profiles.iter().map(profile_row).collect(),
    })
}

fn row(view: &IssuerView) -> Row {
    let issuer = &view.issuer;
    let authorities = view.root.iter().chain(&view.intermediate);
    Row {
        id: issuer.id.to_string(),
        label: safe(&issuer.label),
        kind: kind_words(issuer.kind),
        issued: number(view.lineages.unsigned_abs()),
        authorities: authorities.map(|one| (one.fingerprint().to_string(), title(one.subject()))).collect(),
        none: if issuer.kind == IssuerKind::Internal { "made when it is first used" } else { "" },
        badge: if issuer.withdrawn { Badge::warn("withdrawn") } else { Badge::good("issues") },
        withdrawn: issuer.withdrawn,
    }
}

fn kind_words(kind: IssuerKind) -> &'static str {
    match kind {
        IssuerKind::SelfSigned => "each key signs its own certificate",
        IssuerKind::Internal => "our own CA",
        IssuerKind::Manual => "a person carries the request and brings the answer",
    }
}

fn profile_row(profile: &Profile) -> ProfileRow {
    let all = profile.algorithms.len() == pki::KeyAlgorithm::ALL.len();
    let keys = profile.algorithms.iter().map(|kind| kind.label()).collect::<Vec<_>>().join(", ");
    ProfileRow {
        id: profile.id.to_string(),
        label: safe(&profile.label),
        usage: usage_words(Some(profile.usage)),
        lifetime: span(profile.lifetime.saturating_mul(1_000)),
        most: span(profile.lifetime_max.saturating_mul(1_000)),
        keys: if all { "every kind that is made here".to_owned() } else { keys },
    }
}

fn sheet(views: &[IssuerView]) -> Sheet {
    let mut sheet = Sheet::new(
        "issuers",
        ["id", "label", "kind", "lineages", "withdrawn", "root_sha256", "intermediate_sha256"],
    );
    for view in views {
        let print = |certificate: &Option<pki::Certificate>| {
            certificate.as_ref().map(|one| one.fingerprint().to_string()).unwrap_or_default()
        };
        sheet.row([
            view.issuer.id.to_string(),
            safe(&view.issuer.label),
            view.issuer.kind.name().to_owned(),
            view.lineages.to_string(),
            view.issuer.withdrawn.to_string(),
            print(&view.root),
            print(&view.intermediate),
        ]);
    }
    sheet
}

fn new_form(frame: Frame) -> Simple {
    let kinds = IssuerKind::ALL.iter().map(|kind| choice(kind.name(), kind_words(*kind)));
    Simple::new(frame, "Issuer", "/issuers/new")
        .words("The CA certificates of an internal issuer are made when it is first used.")
        .verb("Make the issuer")
        .back("/issuers")
        .input(Input::line("label", "Friendly Name").needed())
        .input(
            Input::line("id", "Name in addresses")
                .hint("Small letters, digits, - and _; it stays for ever.")
                .needed(),
        )
        .input(
            Input::select("kind", "Kind", kinds.collect()).chosen(&[IssuerKind::Internal.name().to_owned()]),
        )
}

/// `GET /issuers/new`.
pub async fn new(visit: Visit<uses::ManageIssuers>) -> Page {
    new_form(visit.frame("New issuer", Place::Issuers)).show()
}

/// `POST /issuers/new`.
pub async fn create(visit: Visit<uses::ManageIssuers>, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    let input = NewIssuer {
        id: entered.text("id").to_owned(),
        label: entered.text("label").to_owned(),
        kind: entered.text("kind").parse().unwrap_or(IssuerKind::Internal),
    };
    match app::issuer::create(visit.app(), visit.by(), input).await {
        Ok(issuer) => {
            Ok(go("/issuers", Flash::good(format!("The issuer “{}” was made.", safe(&issuer.label)))))
        }
        Err(error) => new_form(visit.frame("New issuer", Place::Issuers)).refused(&entered, error),
    }
}

fn question(visit: &Visit<uses::ManageIssuers>, id: &IssuerId) -> Confirm {
    Confirm::new(
        visit.frame(format!("Withdraw {id}"), Place::Issuers),
        "Withdraw",
        format!("/issuers/{id}/withdraw"),
    )
    .loses("It issues no more: lineages that use it are not renewed until they get another issuer.")
    .loses("What it issued stays valid, and it can be taken up again.")
    .asks_for(id.as_str())
    .back("/issuers")
}

/// `GET /issuers/{id}/withdraw`.
pub async fn withdraw_form(visit: Visit<uses::ManageIssuers>, Id(id): Id<IssuerId>) -> Page {
    question(&visit, &id).show()
}

/// `POST /issuers/{id}/withdraw`.
pub async fn withdraw(
    visit: Visit<uses::ManageIssuers>,
    Id(id): Id<IssuerId>,
    PageFields(fields): PageFields,
) -> Page {
    if let Some(again) = question(&visit, &id).check(&Entered(fields)) {
        return again;
    }
    match app::issuer::set_withdrawn(visit.app(), visit.by(), &id, Withdrawn::Yes).await {
        Ok(()) => Ok(go("/issuers", Flash::good(format!("The issuer {id} was withdrawn.")))),
        Err(error) => question(&visit, &id).refused(error),
    }
}

/// `POST /issuers/{id}/take-up`.
pub async fn take_up(visit: Visit<uses::ManageIssuers>, Id(id): Id<IssuerId>, _fields: PageFields) -> Page {
    app::issuer::set_withdrawn(visit.app(), visit.by(), &id, Withdrawn::No).await?;
    Ok(go("/issuers", Flash::good(format!("The issuer {id} issues again."))))
}
