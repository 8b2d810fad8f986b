//! Certificates: the list with its actions. One file per further page below.

pub mod adopt;
pub mod export;
pub mod import;
pub mod new;
pub mod preview;
pub mod show;
pub mod ticks;
pub mod together;

use app::certificate::{CertificateView, Consequences, MOST_TOGETHER};
use app::csr::CsrView;
use app::filter::{CertificateFilter, CertificateOrder, CsrFilter};
use app::lineage::LineageView;
use askama::Template;
use axum::extract::Query;
use axum::response::{IntoResponse, Redirect};
use domain::certificate::plan_use;
use domain::csr::CsrState;
use domain::permission::uses;
use domain::{Moment, Permission};
use pki::{Fingerprint, Refusal, Severity};

use self::ticks::Ticks;
use crate::body::{Id, PageFields};
use crate::page::confirm::Confirm;
use crate::page::download::Sheet;
use crate::page::list::{Asked, List};
use crate::page::rows::name_of;
use crate::page::when::{counted, utc_words};
use crate::page::words::{Dotted, alternative_names, listed, safe, sentence, title, with_readable_moments};
use crate::page::{Entered, Flash, Frame, Page, Place, Visit, When, go, go_refused, render};

#[derive(Template)]
#[template(path = "certificate/list.html")]
struct CertificatesPage {
    frame: Frame,
    state: String,
    list: List,
    /// This page of the list, without what is ticked.
    here: String,
    /// What is ticked and not among the rows: fingerprint and name.
    elsewhere: Vec<(String, String)>,
    rows: Vec<Row>,
    requests: Vec<RequestRow>,
}

struct Row {
    id: String,
    name: Dotted,
    label: String,
    warnings: String,
    issued_to: Dotted,
    issued_by: String,
    ends: When,
    /// The kind of each alternative name, and the name.
    names: Vec<(String, Dotted)>,
    has_key: bool,
    can_be_default: bool,
    is_default: bool,
    is_ticked: bool,
}

/// A request in a table.
pub struct RequestRow {
    /// Its id.
    pub id: String,
    /// Its subject in one line.
    pub subject: String,
    /// Its friendly name.
    pub name: String,
    /// Its alternative names.
    pub names: Vec<String>,
    /// Its SHA-256.
    pub fingerprint: String,
}

impl RequestRow {
    /// The row of a request.
    pub fn new(view: &CsrView) -> Self {
        let subject = view.csr.subject();
        Self {
            id: view.entry.id.to_string(),
            subject: if subject.is_empty() { "(no subject)".to_owned() } else { subject.to_string() },
            name: safe(&view.entry.friendly_name),
            names: alternative_names(view.csr.names()),
            fingerprint: view.entry.fingerprint.to_string(),
        }
    }
}

/// Requests that are shown below the certificates; all of them have a page of their own.
const FEW: u32 = 50;

/// `GET /certificates`.
pub async fn list(
    visit: Visit<uses::ViewCertificates>,
    Query(asked): Query<Asked>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Page {
    let order =
        if asked.sort == "name" { CertificateOrder::FriendlyName } else { CertificateOrder::NotAfter };
    let filter =
        CertificateFilter { text: asked.words(), include_ca: true, order, ..CertificateFilter::default() };
    let mut views = app::certificate::list(visit.app(), visit.by(), filter, asked.page()).await?;
    if let Some(file) = sheet(&views).answer(&asked.format) {
        return Ok(file);
    }
    let mut list = List::new("/certificates", &asked).sorts(&[("", "Expiration"), ("name", "Friendly Name")]);
    list.cut(&mut views, |view| app::cursor::certificate(&view.entry, order));
    let waiting = CsrFilter { state: Some(CsrState::Waiting), ..CsrFilter::default() };
    let first = app::Page { after: None, limit: FEW };
    let requests = app::csr::list(visit.app(), visit.by(), waiting, first).await?;
    let (frame, now) = (visit.frame("Certificates", Place::Certificates), visit.now());
    // Who can do nothing with ticks has none.
    let can_tick = frame.may(Permission::ExportCertificate) || frame.may(Permission::ManageTlsCertificates);
    let (ticks, list) = match can_tick {
        true => (Ticks::in_address(&pairs), list.within("ticks")),
        false => (Ticks::default(), list),
    };
    render(&CertificatesPage {
        frame,
        state: state(&views),
        list,
        here: Ticks::default().of_list(&asked),
        elsewhere: elsewhere(&visit, &views, &ticks).await?,
        rows: views.iter().map(|view| row(view, &ticks, now)).collect(),
        requests: requests.iter().map(RequestRow::new).collect(),
    })
}

fn state(views: &[CertificateView]) -> String {
    let troubled = views.iter().filter(|view| warnings(view).is_some()).count() as u64;
    match (views.len(), troubled) {
        (0, _) => "None is here yet.".to_owned(),
        (shown, 0) => format!("{} shown, nothing is wrong with any.", counted(shown as u64, "certificate")),
        (shown, wrong) => format!("{} shown, {wrong} with a warning.", counted(shown as u64, "certificate")),
    }
}

/// What is ticked and not on this page. What was removed meanwhile is ticked no more.
async fn elsewhere(
    visit: &Visit<uses::ViewCertificates>,
    shown: &[CertificateView],
    ticks: &Ticks,
) -> Result<Vec<(String, String)>, crate::Problem> {
    let mut ticked = Vec::new();
    let is_shown = |id: &Fingerprint| shown.iter().any(|view| view.entry.fingerprint() == *id);
    for id in ticks.all().iter().filter(|id| !is_shown(id)).take(MOST_TOGETHER) {
        match app::certificate::find(visit.app(), visit.by(), id).await {
            Ok(view) => ticked.push((id.to_string(), name_of(&view.entry))),
            Err(app::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(ticked)
}

fn row(view: &CertificateView, ticks: &Ticks, now: Moment) -> Row {
    let certificate = &view.entry.certificate;
    let is_usable = plan_use(&view.entry, &view.findings, &[]).is_ok();
    Row {
        id: view.entry.fingerprint().to_string(),
        name: Dotted::new(&name_of(&view.entry)),
        label: name_of(&view.entry),
        warnings: warnings(view).unwrap_or_default(),
        issued_to: Dotted::new(&safe(&certificate.display_name())),
        issued_by: title(certificate.issuer()),
        ends: When::unix(certificate.not_after(), now),
        names: alternative_names(certificate.names()).iter().map(|name| in_two(name)).collect(),
        has_key: view.entry.has_key,
        can_be_default: view.is_default || is_usable && !certificate.is_ca(),
        is_default: view.is_default,
        is_ticked: ticks.holds(&view.entry.fingerprint()),
    }
}

/// `dNSName - ` and the name, which breaks after its dots.
fn in_two(name: &str) -> (String, Dotted) {
    match name.split_once(" - ") {
        Some((kind, name)) => (format!("{kind} - "), Dotted::new(name)),
        None => (String::new(), Dotted::new(name)),
    }
}

/// `2 warnings: The issuer is not here.`; with an error among them that comes first, and only errors are counted.
fn warnings(view: &CertificateView) -> Option<String> {
    let mut wrong: Vec<_> =
        view.findings.iter().filter(|finding| finding.severity >= Severity::Warning).collect();
    wrong.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let first = wrong.first()?;
    let kind = if first.severity == Severity::Error { "error" } else { "warning" };
    let count = wrong.iter().filter(|finding| finding.severity == first.severity).count();
    Some(format!("{}: {}", counted(count as u64, kind), with_readable_moments(&sentence(&safe(&first.what)))))
}

fn sheet(views: &[CertificateView]) -> Sheet {
    let columns = [
        "friendly_name",
        "issued_to",
        "issued_by",
        "not_before",
        "not_after",
        "alternative_names",
        "private_key",
        "default",
        "sha256",
        "warnings",
    ];
    let mut sheet = Sheet::new("certificates", columns);
    for view in views {
        let certificate = &view.entry.certificate;
        sheet.row([
            name_of(&view.entry),
            safe(&certificate.display_name()),
            title(certificate.issuer()),
            certificate.not_before().to_string(),
            certificate.not_after().to_string(),
            certificate.names().iter().map(|name| safe(&name.to_string())).collect::<Vec<_>>().join(" "),
            yes_or_no(view.entry.has_key),
            yes_or_no(view.is_default),
            view.entry.fingerprint().to_string(),
            view.findings.iter().map(|finding| finding.code).collect::<Vec<_>>().join(" "),
        ]);
    }
    sheet
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// `POST /certificates`: another page of the list with what is ticked, the action that was chosen for it, or a new
/// default certificate.
pub async fn apply(_visit: Visit<uses::ViewCertificates>, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    if entered.text("do") == "default" {
        return Ok(to_default(&entered));
    }
    let here = entered.text("here");
    let ticks = match Ticks::in_form(&entered).check() {
        Ok(ticks) => ticks,
        Err((refusal, kept)) => return Ok(go_refused(&kept.on(here), &refusal)),
    };
    let odd = |what, repair| go_refused(&ticks.on(here), &Refusal::new("input.choice", what, repair));
    let answer = match (entered.text("go"), entered.text("action"), ticks.all()) {
        ("show", ..) => Redirect::to(&ticks.of_list(&looked_for(&entered))).into_response(),
        ("", _, []) => odd("no certificate is ticked", "Tick one first, then choose what to do with it."),
        ("", "export", [only]) => Redirect::to(&format!("/certificates/{only}/export")).into_response(),
        ("", "export", _) => together(&ticks, "export"),
        ("", "remove", _) => together(&ticks, "remove"),
        ("", ..) => odd("no action is chosen", "Choose one from the list, then apply it."),
        (address, ..) => Redirect::to(&ticks.on(address)).into_response(),
    };
    Ok(answer)
}

/// What stands in the fields above the list.
fn looked_for(entered: &Entered) -> Asked {
    let text = |name| entered.text(name).to_owned();
    Asked { q: text("q"), sort: text("sort"), ..Asked::default() }
}

/// Leads to the page of an action for all that is ticked.
fn together(ticks: &Ticks, action: &str) -> axum::response::Response {
    Redirect::to(&format!("/certificates/{action}?{}", ticks.query("id"))).into_response()
}

/// The default is saved where its permission is asked for; the browser repeats the form there (307).
fn to_default(entered: &Entered) -> axum::response::Response {
    match entered.text("default") {
        "" => {
            let repair = "Choose one in the column Default first.";
            go_refused("/certificates", &Refusal::new("input.choice", "no certificate is chosen", repair))
        }
        id => Redirect::temporary(&format!("/certificates/{}/default", tame(id))).into_response(),
    }
}

/// Only what can be in a fingerprint: it becomes a part of an address.
fn tame(id: &str) -> String {
    id.chars().filter(char::is_ascii_hexdigit).take(64).collect()
}

/// `POST /certificates/{id}/default`.
pub async fn set_default(
    visit: Visit<uses::ManageTlsCertificates>,
    Id(id): Id<Fingerprint>,
    _fields: PageFields,
) -> Page {
    app::certificate::set_default(visit.app(), visit.by(), &id).await?;
    let text = "The default certificate was changed. Clients that send no name, or an unknown one, get it from now on. So may you: \
                these pages show it too unless another certificate has their name.";
    Ok(go("/certificates", Flash::good(text)))
}

/// `POST /certificates/{id}/activate`.
pub async fn activate(
    visit: Visit<uses::ManageTlsCertificates>,
    Id(id): Id<Fingerprint>,
    _fields: PageFields,
) -> Page {
    app::certificate::activate(visit.app(), visit.by(), &id).await?;
    let text = "It is the current certificate of its lineage now, and is being installed on its targets.";
    Ok(go(&format!("/certificates/{id}"), Flash::good(text)))
}

/// `POST /certificates/{id}/complete`: begins to fetch what is missing in the chain, and leads to the job.
pub async fn complete(
    visit: Visit<uses::ManageTlsCertificates>,
    Id(id): Id<Fingerprint>,
    _fields: PageFields,
) -> Page {
    match app::certificate::complete(visit.app(), visit.by(), &id).await {
        Ok(job) => Ok(Redirect::to(&format!("/jobs/{}", job.id)).into_response()),
        Err(app::Error::Conflict(refusal)) => Ok(go_refused(&format!("/certificates/{id}"), &refusal)),
        Err(error) => Err(error.into()),
    }
}

/// A certificate that somebody wants to remove.
struct Removal {
    view: CertificateView,
    /// What else is lost, where a lineage serves it.
    served: Option<String>,
}

/// The certificates that somebody wants to remove, from the address; those that are served come last.
async fn wanted(
    visit: &Visit<uses::ManageTlsCertificates>,
    pairs: &[(String, String)],
) -> Result<Vec<Removal>, crate::Problem> {
    let see = visit.permit().also(uses::ViewCertificates);
    let see = see.ok_or_else(|| crate::Problem::forbidden(Permission::ViewCertificates))?;
    let mut removals = Vec::new();
    for (_, id) in pairs.iter().filter(|(name, _)| name == "id").take(100) {
        let id: Fingerprint =
            id.parse().map_err(|_| app::Error::not_found("certificate", "of this fingerprint"))?;
        let view = app::certificate::find(visit.app(), &see, &id).await?;
        let served = match view.lineage.as_ref().filter(|_| view.is_current) {
            Some(lineage) => Some(served(&app::lineage::find(visit.app(), &see, &lineage.id).await?)),
            None => None,
        };
        removals.push(Removal { view, served });
    }
    removals.sort_by_key(|removal| removal.served.is_some());
    Ok(removals)
}

/// What is lost with the only certificate of a lineage.
fn served(view: &LineageView) -> String {
    let names: Vec<String> = view.lineage.names.iter().map(|name| safe(&name.to_string())).collect();
    let serves = match names.as_slice() {
        [] => String::new(),
        names => format!(" for {}", listed(names)),
    };
    let labels: Vec<String> = view.target_labels.iter().map(|label| safe(label)).collect();
    let targets = match labels.as_slice() {
        [] => String::new(),
        labels => format!(
            " It is installed on {}: the edge serves it no longer, elsewhere it stays.",
            listed(labels)
        ),
    };
    format!(
        "The lineage “{}”, which serves it{serves}, ends with it, and nothing is renewed there any more.{targets}",
        safe(&view.lineage.name)
    )
}

fn question(visit: &Visit<uses::ManageTlsCertificates>, removals: &[Removal]) -> Confirm {
    let names: Vec<String> = removals.iter().map(|removal| name_of(&removal.view.entry)).collect();
    let count = counted(removals.len() as u64, "certificate");
    let frame = visit.frame(format!("Remove {count}"), Place::Certificates);
    let mut question = Confirm::new(frame, "Remove", "/certificates/remove").back("/certificates");
    for Removal { view, served } in removals {
        let ends = utc_words(Moment::from(view.entry.certificate.not_after()));
        question = question.loses(format!(
            "“{}”, which ends {ends}, is no longer shown, exported or served.",
            name_of(&view.entry)
        ));
        if let Some(served) = served {
            question = question.loses(served.clone());
        }
        question = question.carries("id", view.entry.fingerprint().to_string());
    }
    question = question.loses("The private keys stay; a key is deleted on its own page.");
    match names.as_slice() {
        [only] => question.asks_for(only.clone()),
        several => question.asks_for(format!("remove {}", several.len())),
    }
}

/// `GET /certificates/remove?id=..`.
pub async fn remove_form(
    visit: Visit<uses::ManageTlsCertificates>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Page {
    let removals = wanted(&visit, &pairs).await?;
    question(&visit, &removals).show()
}

/// `POST /certificates/remove`. Stops at the first that cannot be removed and says which.
pub async fn remove(visit: Visit<uses::ManageTlsCertificates>, PageFields(fields): PageFields) -> Page {
    let removals = wanted(&visit, &fields).await?;
    if let Some(again) = question(&visit, &removals).check(&Entered(fields)) {
        return again;
    }
    let mut removed = Vec::new();
    for (index, Removal { view, served }) in removals.iter().enumerate() {
        let consequences = match served {
            Some(_) => Consequences::Accept,
            None => Consequences::Refuse,
        };
        let id = view.entry.fingerprint();
        if let Err(error) = app::certificate::retire(visit.app(), visit.by(), &id, consequences).await {
            return question(&visit, removals.get(index..).unwrap_or_default()).refused(error);
        }
        removed.push(name_of(&view.entry));
    }
    Ok(go("/certificates", Flash::good(format!("Removed: {}.", listed(&removed)))))
}
