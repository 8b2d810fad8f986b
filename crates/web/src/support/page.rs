//! The page for support: the bundle in one click, and a look into other files.

use askama::Template;
use axum::extract::Query;
use domain::permission::uses;
use pki::{Fingerprint, Refusal};
use serde::Deserialize;

use super::api::of_form;
use crate::body::PageUpload;
use crate::list::parse_some;
use crate::page::download::attachment;
use crate::page::field::Control;
use crate::page::when::counted;
use crate::page::{Flash, Frame, Input, Page, Place, Visit, Wrong, go, render, render_refused};

#[derive(Template)]
#[template(path = "support/show.html")]
struct SupportPage {
    frame: Frame,
    wrong: Wrong,
    files: Input,
}

crate::page::refusing!(SupportPage);

type Sender = Visit<uses::ExportCertificate>;

/// `GET /support`.
pub async fn show(visit: Sender) -> Page {
    render(&page(&visit, Wrong::default()))
}

fn page(visit: &Sender, wrong: Wrong) -> SupportPage {
    let files = Input::new("files", "Files", Control::Files)
        .hint("Any files, zip, tar and gzip archives too. Their content decides, not their name.");
    SupportPage { frame: visit.frame("Support", Place::Support), files: wrong.mark(files), wrong }
}

/// Of what the bundle is wanted.
#[derive(Deserialize)]
pub struct Of {
    certificate: Option<String>,
}

/// `GET /support/bundle.zip`.
pub async fn bundle(visit: Sender, Query(of): Query<Of>) -> Page {
    let of: Option<Fingerprint> = parse_some("certificate", of.certificate.as_deref())?;
    let file = app::support::bundle(visit.app(), visit.by(), of).await?;
    Ok(attachment(&file.name, file.media_type, file.bytes))
}

/// `POST /support/check`.
pub async fn check(visit: Sender, upload: PageUpload) -> Page {
    let files = of_form(upload.files);
    let sent = counted(files.len() as u64, "file");
    match app::support::check(visit.app(), visit.by(), files).await {
        Ok(looked) => {
            let parts = counted(looked.files as u64, "part");
            let text = format!(
                "No private key was found in {sent}: {parts} looked into, those inside archives and encoded text included."
            );
            Ok(go("/support", Flash::good(text)))
        }
        Err(error) => {
            let about = |refusal: &Refusal| {
                // The reason for which a private key is refused stands on top, whole.
                let is_about_files =
                    !refusal.code.starts_with("validation") && refusal.code != "support.private_key";
                is_about_files.then_some("files")
            };
            render_refused(&page(&visit, Wrong::of(error)?.placed(about)))
        }
    }
}
