//! Export of several certificates in one file, as they were ticked in the list.

use app::certificate::{Above, CertificateView, ExportForm, MOST_TOGETHER};
use askama::Template;
use axum::extract::Query;
use domain::permission::uses;
use domain::{Moment, authorize};
use pki::{Fingerprint, Refusal};

use super::export::{Exporter, trust_input, trust_passphrase};
use crate::Problem;
use crate::body::PageFields;
use crate::certificate::export::answer;
use crate::page::field::{Choice, Control, choice};
use crate::page::form::Form;
use crate::page::rows::name_of;
use crate::page::when::{counted, utc_words};
use crate::page::words::title;
use crate::page::{Entered, Frame, Input, Page, Place, Wrong, render, render_refused};

#[derive(Template)]
#[template(path = "certificate/together.html")]
struct TogetherPage {
    frame: Frame,
    wrong: Wrong,
    state: String,
    /// Everything that was ticked in the list, so that it is still there when the form comes again.
    offered: Vec<String>,
    certificates: Input,
    chain: Input,
    root: Input,
    form: Input,
    trust_passphrase: Input,
}

crate::page::refusing!(TogetherPage);

/// `GET /certificates/export?id=..`.
pub async fn form(visit: Exporter, Query(pairs): Query<Vec<(String, String)>>) -> Page {
    let views = seen(&visit, &ids("id", &Entered::from(pairs))?).await?;
    let start = [("chain", "yes"), ("form", ExportForm::Pem.name())];
    let mut start = start.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    start.extend(views.iter().map(|view| ("id".to_owned(), view.entry.fingerprint().to_string())));
    render(&page(&visit, &views, &Entered::from(start), Wrong::default()))
}

/// The certificates that are named, however often; more than are exported at once are not looked at.
fn ids(name: &str, entered: &Entered) -> Result<Vec<Fingerprint>, Problem> {
    let ids: Result<Vec<Fingerprint>, _> =
        entered.all(name).iter().take(MOST_TOGETHER + 1).map(|id| id.parse()).collect();
    ids.map_err(|_| app::Error::not_found("certificate", "of this fingerprint").into())
}

async fn seen(visit: &Exporter, ids: &[Fingerprint]) -> Result<Vec<CertificateView>, Problem> {
    let mut views = Vec::new();
    for id in ids {
        let see =
            authorize(visit.actor(), uses::ViewCertificates, &id.to_string()).map_err(app::Error::from)?;
        views.push(app::certificate::find(visit.app(), &see, id).await?);
    }
    Ok(views)
}

fn page(visit: &Exporter, views: &[CertificateView], entered: &Entered, wrong: Wrong) -> TogetherPage {
    let form = Form::new(entered, &wrong);
    let check = |name, label| form.put(Input::new(name, label, Control::Check));
    let rows = views.iter().map(row).collect();
    TogetherPage {
        frame: visit.frame("Export", Place::Certificates),
        state: format!("{}.", counted(views.len() as u64, "certificate")),
        offered: views.iter().map(|view| view.entry.fingerprint().to_string()).collect(),
        certificates: form.put(Input::new("id", "Certificates", Control::Checks(rows))),
        chain: check("chain", "Include Certificate Chains"),
        root: form.put(
            Input::new("root", "Include the root certificates", Control::Check)
                .hint("Clients have them. Certificates that several chains have in common come once."),
        ),
        form: form.put(Input::select("form", "Form", forms())),
        trust_passphrase: form.put(trust_input()),
        wrong,
    }
}

fn row(view: &CertificateView) -> Choice {
    let certificate = &view.entry.certificate;
    let ends = utc_words(Moment::from(certificate.not_after()));
    let label = format!("{}, issued by {}, ends {ends}", name_of(&view.entry), title(certificate.issuer()));
    choice(view.entry.fingerprint().to_string(), label)
}

fn forms() -> Vec<Choice> {
    ExportForm::SEVERAL.iter().map(|form| choice(form.name(), words(*form))).collect()
}

/// What people read; what a form for one says differently.
fn words(form: ExportForm) -> &'static str {
    match form {
        ExportForm::Pem => "PEM: all in one text file (.pem)",
        ExportForm::Pkcs7 => "PKCS#7, for Windows and routers (.p7b)",
        ExportForm::Pkcs7Pem => "PKCS#7 as text (.p7b)",
        ExportForm::JavaTrust => "Java trust store (JKS) with the roots of their chains (.jks)",
        ExportForm::Pkcs12Trust => "PKCS#12 trust store with the roots of their chains (.p12)",
        ExportForm::Fitting
        | ExportForm::Der
        | ExportForm::Chain
        | ExportForm::Fullchain
        | ExportForm::KeyPem
        | ExportForm::Pkcs8
        | ExportForm::Pkcs12
        | ExportForm::Nginx
        | ExportForm::Apache
        | ExportForm::Haproxy
        | ExportForm::XRoad => form.label(),
    }
}

/// `POST /certificates/export`: answers the file.
pub async fn export(visit: Exporter, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    match made(&visit, &ids("id", &entered)?, &entered).await? {
        Ok(exported) => Ok(answer(exported)),
        Err(wrong) => {
            let offered = seen(&visit, &ids("offered", &entered)?).await?;
            render_refused(&page(&visit, &offered, &entered, wrong))
        }
    }
}

async fn made(
    visit: &Exporter,
    ids: &[Fingerprint],
    entered: &Entered,
) -> Result<Result<app::certificate::Exported, Wrong>, Problem> {
    let Ok(form) = entered.text("form").parse::<ExportForm>() else {
        let what = "the form holds what this page does not offer";
        return Ok(Err(Wrong::whole(Refusal::new("input.value", what, "Load the page again."))));
    };
    let above = match (entered.has("chain"), entered.has("root")) {
        (true, true) => Above::WithRoots,
        (true, false) => Above::Usual,
        (false, _) => Above::None,
    };
    let passphrase = match trust_passphrase(form, entered) {
        Ok(passphrase) => passphrase,
        Err(wrong) => return Ok(Err(wrong)),
    };
    // Nothing would have been changed: a refusal stands in no audit log yet.
    let made =
        app::certificate::export_together(visit.app(), visit.by(), ids, (form, above), &passphrase).await;
    match made {
        Ok(exported) => Ok(Ok(exported)),
        Err(app::Error::Refused(refusal) | app::Error::Conflict(refusal)) => {
            Ok(Err(Wrong::whole(refusal).placed(field_of)))
        }
        Err(error) => Err(error.into()),
    }
}

fn field_of(refusal: &Refusal) -> Option<&'static str> {
    match refusal.code {
        "export.form" => Some("form"),
        "export.nothing" | "limit.cert_count" | "chain.root_missing" => Some("id"),
        _ => None,
    }
}
