//! Certificates: the list with its actions. One file per further page below.

pub mod adopt;
pub mod export;
pub mod import;
pub mod new;
pub mod preview;
pub mod show;
pub mod together;

use app::certificate::CertificateView;
use app::csr::CsrView;
use app::filter::{CertificateFilter, CertificateOrder, CsrFilter};
use askama::Template;
use axum::extract::Query;
use axum::response::{IntoResponse, Redirect};
use domain::csr::CsrState;
use domain::permission::uses;
use domain::{Moment, Permission};
use pki::{Fingerprint, Refusal, Severity};

use crate::body::{Id, PageFields};
use crate::page::confirm::Confirm;
use crate::page::download::Sheet;
use crate::page::list::{Asked, List};
use crate::page::rows::name_of;
use crate::page::when::{counted, utc_words};
use crate::page::words::{Dotted, alternative_names, listed, safe, sentence, title};
use crate::page::{Entered, Flash, Frame, Page, Place, Visit, When, go, go_refused, render};

#[derive(Template)]
#[template(path = "certificate/list.html")]
struct CertificatesPage {
    frame: Frame,
    state: String,
    list: List,
    rows: Vec<Row>,
    requests: Vec<RequestRow>,
}

struct Row {
    id: String,
    name: String,
    warnings: String,
    issued_to: Dotted,
    issued_by: String,
    ends: When,
    names: Vec<String>,
    has_key: bool,
    can_be_default: bool,
    is_default: bool,
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
pub async fn list(visit: Visit<uses::ViewCertificates>, Query(asked): Query<Asked>) -> Page {
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
    let now = visit.now();
    render(&CertificatesPage {
        frame: visit.frame("Certificates", Place::Certificates),
        state: state(&views),
        list,
        rows: views.iter().map(|view| row(view, now)).collect(),
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

fn row(view: &CertificateView, now: Moment) -> Row {
    let certificate = &view.entry.certificate;
    Row {
        id: view.entry.fingerprint().to_string(),
        name: name_of(&view.entry),
        warnings: warnings(view).unwrap_or_default(),
        issued_to: Dotted::new(&safe(&certificate.display_name())),
        issued_by: title(certificate.issuer()),
        ends: When::unix(certificate.not_after(), now),
        names: alternative_names(certificate.names()),
        has_key: view.entry.has_key,
        can_be_default: view.entry.has_key && !certificate.is_ca(),
        is_default: view.is_default,
    }
}

/// `2 Warning(s): The issuer is not here.`
fn warnings(view: &CertificateView) -> Option<String> {
    let mut wrong: Vec<_> =
        view.findings.iter().filter(|finding| finding.severity >= Severity::Warning).collect();
    wrong.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let first = wrong.first()?;
    Some(format!("{} Warning(s): {}", wrong.len(), sentence(&safe(&first.what))))
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

/// `POST /certificates`: the action that was chosen for what was ticked, or a new default certificate.
pub async fn apply(_visit: Visit<uses::ViewCertificates>, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    if entered.text("do") == "default" {
        return Ok(to_default(&entered));
    }
    let selected = entered.all("selected");
    let answer = match (entered.text("action"), selected.as_slice()) {
        (_, []) => unchosen("no certificate is ticked", "Tick one first, then choose what to do with it."),
        ("export", [only]) => Redirect::to(&format!("/certificates/{}/export", tame(only))).into_response(),
        ("export", several) => together(several, "export"),
        ("remove", several) => together(several, "remove"),
        _ => unchosen("no action is chosen", "Choose one from the list, then apply it."),
    };
    Ok(answer)
}

/// Leads to the page of an action for all that is ticked.
fn together(ids: &[String], action: &str) -> axum::response::Response {
    let query: Vec<String> = ids.iter().map(|id| format!("id={}", tame(id))).collect();
    Redirect::to(&format!("/certificates/{action}?{}", query.join("&"))).into_response()
}

/// Nothing, or too much, was chosen in the list.
fn unchosen(what: &str, repair: &str) -> axum::response::Response {
    go_refused("/certificates", &Refusal::new("input.choice", what, repair))
}

/// The default is saved where its permission is asked for; the browser repeats the form there (307).
fn to_default(entered: &Entered) -> axum::response::Response {
    match entered.text("default") {
        "" => unchosen("no certificate is chosen", "Choose one in the column Default first."),
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
    let text = "The default certificate was changed. Clients that send no name, or an unknown one, get it from now on.";
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

/// The certificates that somebody wants to remove, from the address.
async fn wanted(
    visit: &Visit<uses::ManageTlsCertificates>,
    pairs: &[(String, String)],
) -> Result<Vec<CertificateView>, crate::Problem> {
    let see = visit.permit().also(uses::ViewCertificates);
    let see = see.ok_or_else(|| crate::Problem::forbidden(Permission::ViewCertificates))?;
    let mut views = Vec::new();
    for (_, id) in pairs.iter().filter(|(name, _)| name == "id").take(100) {
        let id: Fingerprint =
            id.parse().map_err(|_| app::Error::not_found("certificate", "of this fingerprint"))?;
        views.push(app::certificate::find(visit.app(), &see, &id).await?);
    }
    Ok(views)
}

fn question(visit: &Visit<uses::ManageTlsCertificates>, views: &[CertificateView]) -> Confirm {
    let names: Vec<String> = views.iter().map(|view| name_of(&view.entry)).collect();
    let count = counted(views.len() as u64, "certificate");
    let frame = visit.frame(format!("Remove {count}"), Place::Certificates);
    let mut question = Confirm::new(frame, "Remove", "/certificates/remove").back("/certificates");
    for view in views {
        let ends = utc_words(Moment::from(view.entry.certificate.not_after()));
        question = question.loses(format!(
            "“{}”, which ends {ends}, is no longer shown, exported or served.",
            name_of(&view.entry)
        ));
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
    let views = wanted(&visit, &pairs).await?;
    question(&visit, &views).show()
}

/// `POST /certificates/remove`. Stops at the first that cannot be removed and says which.
pub async fn remove(visit: Visit<uses::ManageTlsCertificates>, PageFields(fields): PageFields) -> Page {
    let views = wanted(&visit, &fields).await?;
    if let Some(again) = question(&visit, &views).check(&Entered(fields)) {
        return again;
    }
    let mut removed = Vec::new();
    for (index, view) in views.iter().enumerate() {
        if let Err(error) = app::certificate::retire(visit.app(), visit.by(), &view.entry.fingerprint()).await
        {
            return question(&visit, views.get(index..).unwrap_or_default()).refused(error);
        }
        removed.push(name_of(&view.entry));
    }
    Ok(go("/certificates", Flash::good(format!("Removed: {}.", listed(&removed)))))
}
