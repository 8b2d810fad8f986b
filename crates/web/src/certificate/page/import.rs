//! Import: files or pasted text. What is in them is shown before anything is stored: see [`super::preview`].

use app::certificate::import::Offered;
use app::certificate::{ImportFile, Imported};
use askama::Template;
use axum::response::Redirect;
use axum::response::{IntoResponse, Response};
use domain::permission::uses;
use pki::Refusal;
use zeroize::Zeroizing;

use crate::Problem;
use crate::body::PageUpload;
use crate::page::field::Control;
use crate::page::form::Form;
use crate::page::when::counted;
use crate::page::words::safe;
use crate::page::{Entered, Frame, Input, Page, Place, Visit, Wrong, render, render_refused};

#[derive(Template)]
#[template(path = "certificate/import.html")]
struct ImportPage {
    frame: Frame,
    wrong: Wrong,
    files: Input,
    text: Input,
    password: Input,
    more: Vec<Input>,
}

crate::page::refusing!(ImportPage);

/// Who may import.
pub type Maker = Visit<uses::ManageTlsCertificates>;

/// `GET /certificates/import`.
pub async fn form(visit: Maker) -> Page {
    render(&page(&visit, &Entered::default(), Wrong::default()))
}

fn page(visit: &Maker, entered: &Entered, wrong: Wrong) -> ImportPage {
    let form = Form::new(entered, &wrong);
    // The field of the guide is the only "Password".
    let more = [("second", "Another passphrase"), ("third", "One more passphrase")];
    ImportPage {
        frame: visit.frame("Import", Place::Certificates),
        files: wrong.mark(files_input()),
        text: wrong.mark(text_input()),
        password: form.put(
            Input::secret("password", "Password")
                .complete("off")
                .hint("Of what is encrypted in the files; else leave it empty."),
        ),
        more: more.map(|(name, label)| Input::secret(name, label).complete("off")).into(),
        wrong,
    }
}

/// The field for files, here and where the answer to a request is imported.
pub fn files_input() -> Input {
    Input::new("files", "Files", Control::Files).hint(
        "Certificates, chains and keys in any order, several at once: PEM, DER, PKCS#7 (.p7b), PKCS#12 (.p12, .pfx), Java key stores. Their content decides, not their name.",
    )
}

/// The field for pasted text.
pub fn text_input() -> Input {
    Input::new("text", "Or paste the text", Control::Area(8)).hint("Starts with -----BEGIN CERTIFICATE-----")
}

/// The files and the pasted text of an upload; refuses when there is neither.
pub fn contents(upload: &mut PageUpload) -> Result<Vec<ImportFile>, Wrong> {
    let files = upload.files.drain(..);
    let mut files: Vec<ImportFile> =
        files.map(|part| ImportFile { name: part.name, bytes: part.bytes }).collect();
    if let Some(at) = upload.fields.iter().position(|(name, _)| name == "text") {
        let text = Zeroizing::new(upload.fields.remove(at).1);
        let text = text.trim();
        if !text.is_empty() {
            let name = Some("the pasted text".to_owned());
            files.push(ImportFile { name, bytes: Zeroizing::new(text.as_bytes().to_vec()) });
        }
    }
    if files.is_empty() {
        let what = "there is neither a file nor a text";
        let refusal = Refusal::new("input.empty", what, "Choose a file, or paste its text.");
        return Err(Wrong::field("files", refusal));
    }
    Ok(files)
}

/// `POST /certificates/import`: reads what came, and leads to its preview.
pub async fn upload(visit: Maker, mut upload: PageUpload) -> Page {
    let contents = contents(&mut upload);
    let entered = Entered(std::mem::take(&mut upload.fields));
    let held = match contents {
        Ok(files) => hold(&visit, files, &entered, Offered::default()).await?,
        Err(wrong) => Err(wrong),
    };
    match held {
        Ok(answer) => Ok(answer),
        Err(wrong) => render_refused(&page(&visit, &entered, wrong)),
    }
}

/// Holds an upload and leads to its preview; or says what is wrong with it.
pub async fn hold(
    visit: &Maker,
    files: Vec<ImportFile>,
    entered: &Entered,
    offered: Offered,
) -> Result<Result<Response, Wrong>, Problem> {
    let passphrases = ["password", "second", "third"].map(|name| entered.exact(name));
    let passphrases = passphrases.into_iter().filter(|text| !text.is_empty());
    let passphrases = passphrases.map(|text| Zeroizing::new(text.to_owned())).collect();
    let held = app::certificate::import::hold(visit.app(), visit.by(), files, passphrases, offered).await;
    match held {
        Ok(id) => Ok(Ok(Redirect::to(&format!("/certificates/import/{id}")).into_response())),
        Err(error) => Ok(Err(Wrong::of(error)?.placed(field_of))),
    }
}

fn field_of(refusal: &Refusal) -> Option<&'static str> {
    match refusal.code {
        "pass.wrong" | "pass.needed" => Some("password"),
        _ => None,
    }
}

/// What came of an import, one sentence each.
pub fn lines(imported: &Imported) -> Vec<String> {
    let mut lines = vec![format!("{} new here.", counted(imported.new as u64, "certificate"))];
    for key in &imported.keys {
        lines.push(format!(
            "The private key “{}” ({}) is in token {}.",
            safe(&key.label),
            key.algorithm.label(),
            key.token
        ));
    }
    if !imported.fulfilled.is_empty() {
        lines.push(format!("{} answered.", counted(imported.fulfilled.len() as u64, "request")));
    }
    if !imported.became_current.is_empty() {
        let count = counted(imported.became_current.len() as u64, "lineage");
        lines.push(format!("It is now the current certificate of {count}."));
    }
    if !imported.fetching.is_empty() {
        lines.push("What is missing in its chain is being fetched.".to_owned());
    }
    lines
}
