//! Certificate requests: the list, one request with its data to copy, and its answer.

use app::certificate::import::Offered;
use app::csr::CsrView;
use app::filter::CsrFilter;
use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use domain::Permission;
use domain::csr::CsrState;
use domain::id::CsrId;
use domain::permission::uses;

use super::api::{CsrForm, file};
use crate::Problem;
use crate::body::{Id, PageFields, PageUpload};
use crate::certificate::page::RequestRow;
use crate::certificate::page::import::{Maker, contents, files_input, hold, text_input};
use crate::page::confirm::Confirm;
use crate::page::download::{Sheet, attachment};
use crate::page::finding::Badge;
use crate::page::list::{Asked, List};
use crate::page::rows::csr_badge;
use crate::page::words::{alternative_names, public_key, safe, subject_lines};
use crate::page::{
    Entered, Flash, Frame, Input, Page, Place, Visit, When, Wrong, go, render, render_refused,
};

#[derive(Template)]
#[template(path = "csr/list.html")]
struct CsrsPage {
    frame: Frame,
    state: String,
    list: List,
    rows: Vec<Row>,
}

struct Row {
    id: String,
    subject: String,
    name: String,
    names: Vec<String>,
    fingerprint: String,
    badge: Badge,
    made: When,
    pem: String,
}

const STATES: [(&str, &str); 4] = [
    ("", "all"),
    ("waiting", "waiting for an answer"),
    ("fulfilled", "answered"),
    ("withdrawn", "withdrawn"),
];

/// `GET /csrs`.
pub async fn list(visit: Visit<uses::ViewCertificates>, Query(asked): Query<Asked>) -> Page {
    let filter = CsrFilter { text: asked.words(), state: asked.state.parse().ok(), ..CsrFilter::default() };
    let mut views = app::csr::list(visit.app(), visit.by(), filter, asked.page()).await?;
    if let Some(file) = sheet(&views).answer(&asked.format) {
        return Ok(file);
    }
    let mut list = List::new("/csrs", &asked).states(&STATES);
    list.cut(&mut views, |view| app::cursor::csr(&view.entry));
    let waiting = views.iter().filter(|view| view.entry.state == CsrState::Waiting).count();
    let now = visit.now();
    let rows = views.iter().map(|view| {
        let RequestRow { id, subject, name, names, fingerprint } = RequestRow::new(view);
        let made = When::new(view.entry.created, now);
        let (badge, pem) = (csr_badge(view.entry.state), view.csr.to_pem());
        Row { id, subject, name, names, fingerprint, badge, made, pem }
    });
    render(&CsrsPage {
        frame: visit.frame("Certificate requests", Place::Csrs),
        state: waiting_words(waiting),
        list,
        rows: rows.collect(),
    })
}

/// The state of things in one line.
fn waiting_words(waiting: usize) -> String {
    match waiting {
        0 => "None of those shown waits for the answer of a certificate authority.".to_owned(),
        1 => "One of those shown waits for the answer of a certificate authority.".to_owned(),
        many => format!("{many} of those shown wait for the answer of a certificate authority."),
    }
}

fn sheet(views: &[CsrView]) -> Sheet {
    let mut sheet =
        Sheet::new("csrs", ["friendly_name", "subject", "alternative_names", "sha256", "state", "made"]);
    for view in views {
        sheet.row([
            safe(&view.entry.friendly_name),
            view.csr.subject().to_string(),
            view.csr.names().iter().map(|name| safe(&name.to_string())).collect::<Vec<_>>().join(" "),
            view.entry.fingerprint.to_string(),
            view.entry.state.name().to_owned(),
            view.entry.created.unix().to_string(),
        ]);
    }
    sheet
}

#[derive(Template)]
#[template(path = "csr/show.html")]
struct CsrPage {
    frame: Frame,
    words: &'static str,
    badge: Badge,
    wrong: Wrong,
    id: String,
    subject: Vec<String>,
    public_key: String,
    names: Vec<String>,
    fingerprint: String,
    key: String,
    /// What the key is called, to those who may see keys.
    key_label: Option<String>,
    made: When,
    lineage: Option<(String, String)>,
    pem: String,
    files: Input,
    text: Input,
    waits: bool,
}

crate::page::refusing!(CsrPage);

/// `GET /csrs/{id}`.
pub async fn show(visit: Visit<uses::ViewCertificates>, Id(id): Id<CsrId>) -> Page {
    let view = app::csr::find(visit.app(), visit.by(), &id).await?;
    let lineage = match &view.entry.lineage {
        Some(lineage) => {
            let name = app::lineage::find(visit.app(), visit.by(), lineage)
                .await
                .map(|found| safe(&found.lineage.name));
            // A lineage that was removed is named by its id.
            Some((format!("/lineages/{lineage}"), name.unwrap_or_else(|_| lineage.to_string())))
        }
        None => None,
    };
    let key_label = match visit.permit().also(uses::ViewKeys) {
        Some(see) => app::key::find(visit.app(), &see, &view.entry.key).await.ok(),
        None => None,
    };
    let key_label = key_label.map(|found| safe(&found.key.label));
    let frame = visit.frame(safe(&view.entry.friendly_name), Place::Csrs);
    render(&CsrPage { lineage, key_label, ..page(frame, &view, Wrong::default()) })
}

fn page(frame: Frame, view: &CsrView, wrong: Wrong) -> CsrPage {
    let entry = &view.entry;
    CsrPage {
        words: match entry.state {
            CsrState::Waiting => {
                "Hand the request data to your certificate authority, then import its answer here."
            }
            CsrState::Fulfilled => "The answer came. Another answer for the same key is taken too.",
            CsrState::Withdrawn => "It was given up; its key is kept, and a late answer is still taken.",
        },
        badge: csr_badge(entry.state),
        id: entry.id.to_string(),
        subject: subject_lines(view.csr.subject()),
        public_key: public_key(&view.csr.public_key().label()),
        names: alternative_names(view.csr.names()),
        fingerprint: entry.fingerprint.to_string(),
        key: entry.key.to_string(),
        made: When::new(entry.created, frame.now),
        key_label: None,
        lineage: None,
        pem: view.csr.to_pem(),
        files: wrong.mark(files_input()),
        text: wrong.mark(text_input()),
        waits: entry.state == CsrState::Waiting,
        wrong,
        frame,
    }
}

/// `GET /csrs/{id}/request.pem`: the same bytes at each download.
pub async fn pem(visit: Visit<uses::ViewCertificates>, Id(id): Id<CsrId>) -> Page {
    let view = app::csr::find(visit.app(), visit.by(), &id).await?;
    Ok(download(&view, CsrForm::Pem))
}

/// `GET /csrs/{id}/request.der`: the exact bytes that were signed.
pub async fn der(visit: Visit<uses::ViewCertificates>, Id(id): Id<CsrId>) -> Page {
    let view = app::csr::find(visit.app(), visit.by(), &id).await?;
    Ok(download(&view, CsrForm::Der))
}

/// The same file, under the same name, as the API answers.
fn download(view: &CsrView, form: CsrForm) -> Response {
    let file = file(&view.entry, form);
    attachment(&file.name, file.media_type, file.bytes)
}

async fn seen(visit: &Maker, id: &CsrId) -> Result<CsrView, Problem> {
    let see = visit.permit().also(uses::ViewCertificates);
    let see = see.ok_or_else(|| Problem::forbidden(Permission::ViewCertificates))?;
    Ok(app::csr::find(visit.app(), &see, id).await?)
}

/// `POST /csrs/{id}/answer`: reads the certificate authority's answer, and leads to its preview.
pub async fn answer(visit: Maker, Id(id): Id<CsrId>, mut upload: PageUpload) -> Page {
    let view = seen(&visit, &id).await?;
    let again = |wrong| {
        let frame = visit.frame(safe(&view.entry.friendly_name), Place::Csrs);
        render_refused(&page(frame, &view, wrong))
    };
    let files = match contents(&mut upload) {
        Ok(files) => files,
        Err(wrong) => return again(wrong),
    };
    let offered = Offered { csr: Some((id, view.entry.key)), lineage: view.entry.lineage.clone() };
    let entered = Entered(std::mem::take(&mut upload.fields));
    match hold(&visit, files, &entered, offered).await? {
        Ok(preview) => Ok(preview),
        Err(wrong) => again(wrong),
    }
}

fn question(visit: &Maker, view: &CsrView) -> Confirm {
    let (name, id) = (safe(&view.entry.friendly_name), &view.entry.id);
    Confirm::new(
        visit.frame(format!("Withdraw {name}"), Place::Csrs),
        "Withdraw",
        format!("/csrs/{id}/withdraw"),
    )
    .loses("The request is no longer shown as waiting, and an order that it belongs to is given up.")
    .loses("Its key is kept: the certificate authority may still answer.")
    .asks_for(name)
    .back(format!("/csrs/{id}"))
}

/// `GET /csrs/{id}/withdraw`.
pub async fn withdraw_form(visit: Maker, Id(id): Id<CsrId>) -> Page {
    let view = seen(&visit, &id).await?;
    question(&visit, &view).show()
}

/// `POST /csrs/{id}/withdraw`.
pub async fn withdraw(visit: Maker, Id(id): Id<CsrId>, PageFields(fields): PageFields) -> Page {
    let view = seen(&visit, &id).await?;
    if let Some(again) = question(&visit, &view).check(&Entered(fields)) {
        return again;
    }
    match app::csr::withdraw(visit.app(), visit.by(), &id).await {
        Ok(()) => Ok(go(&format!("/csrs/{id}"), Flash::good("The request was withdrawn."))),
        Err(error) => question(&visit, &view).refused(error),
    }
}
