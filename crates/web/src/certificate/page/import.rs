//! Import: files or pasted text, and what was found in them.

use app::certificate::{Import, Imported};
use askama::Template;
use domain::Moment;
use domain::id::TokenId;
use domain::permission::uses;
use domain::token::TokenState;
use pki::{Refusal, Severity};
use zeroize::Zeroizing;

use crate::Problem;
use crate::body::PageUpload;
use crate::page::field::{Choice, Control, choice};
use crate::page::finding::{Badge, Note};
use crate::page::form::Form;
use crate::page::rows::CertificateLine;
use crate::page::when::counted;
use crate::page::words::safe;
use crate::page::{Entered, Frame, Input, Page, Place, Visit, Wrong, render, render_refused};

#[derive(Template)]
#[template(path = "certificate/import.html")]
struct ImportPage {
    frame: Frame,
    wrong: Wrong,
    found: Option<Found>,
    files: Input,
    text: Input,
    password: Input,
    friendly_name: Input,
    token: Input,
}

struct Found {
    badge: Badge,
    certificates: Vec<CertificateLine>,
    lines: Vec<String>,
    notes: Vec<Note>,
}

type Maker = Visit<uses::ManageTlsCertificates>;

/// `GET /certificates/import`.
pub async fn form(visit: Maker) -> Page {
    render(&page(&visit, tokens(&visit).await?, &Entered::default(), (Wrong::default(), None)))
}

async fn tokens(visit: &Maker) -> Result<Vec<Choice>, Problem> {
    let mut choices = vec![choice("system", "system: works with nobody there")];
    if let Some(see) = visit.permit().also(uses::ViewKeys) {
        let tokens = app::token::list(visit.app(), &see).await?;
        let open = tokens
            .iter()
            .filter(|view| view.token.id != TokenId::system() && view.state == TokenState::LoggedIn);
        choices.extend(open.map(|view| choice(view.token.id.as_str(), safe(&view.token.label))));
    }
    Ok(choices)
}

fn page(
    visit: &Maker,
    tokens: Vec<Choice>,
    entered: &Entered,
    (wrong, found): (Wrong, Option<Found>),
) -> ImportPage {
    let form = Form::new(entered, &wrong);
    ImportPage {
        frame: visit.frame("Import", Place::Certificates),
        files: files_input(),
        text: wrong.mark(text_input()),
        password: wrong.mark(
            Input::secret("password", "Password")
                .complete("off")
                .hint("Of what is encrypted in the files; else leave it empty."),
        ),
        friendly_name: form.put(
            Input::line("friendly_name", "Certificate Friendly Name")
                .hint("Left empty, it keeps the name of its request, or takes the common name."),
        ),
        token: form
            .put(Input::select("token", "Token", tokens).hint("Where a private key from the files is kept.")),
        wrong,
        found,
    }
}

/// The field for files, here and where the answer to a request is imported.
pub fn files_input() -> Input {
    Input::new("files", "Files", Control::Files).hint(
        "PEM or DER, in any order, with or without the certificates above. Several at once are welcome.",
    )
}

/// The field for pasted text.
pub fn text_input() -> Input {
    Input::new("text", "Or paste the text", Control::Area(8)).hint("Starts with -----BEGIN CERTIFICATE-----")
}

/// The files and the pasted text of an upload; refuses when there is neither.
pub fn contents(upload: &mut PageUpload) -> Result<Vec<Vec<u8>>, Wrong> {
    let mut files: Vec<Vec<u8>> =
        upload.files.drain(..).map(|mut part| std::mem::take(&mut *part.bytes)).collect();
    if let Some(at) = upload.fields.iter().position(|(name, _)| name == "text") {
        let (_, text) = upload.fields.remove(at);
        if !text.trim().is_empty() {
            files.push(text.into_bytes());
        }
    }
    if files.is_empty() {
        let refusal = Refusal::new(
            "input.empty",
            "there is neither a file nor a text",
            "Choose a file, or paste its text.",
        );
        return Err(Wrong::field("files", refusal));
    }
    Ok(files)
}

/// `POST /certificates/import`. The same files twice store nothing twice, so no redirect is needed.
pub async fn import(visit: Maker, mut upload: PageUpload) -> Page {
    let tokens = tokens(&visit).await?;
    let contents = contents(&mut upload);
    let entered = Entered(std::mem::take(&mut upload.fields));
    let files = match contents {
        Ok(files) => files,
        Err(wrong) => return render_refused(&page(&visit, tokens, &entered, (wrong, None))),
    };
    let input = Import {
        files,
        passphrase: entered.some("password").map(Zeroizing::new),
        friendly_name: entered.some("friendly_name"),
        token: entered.text("token").parse().unwrap_or_else(|_| TokenId::system()),
        exportable: None,
        lineage: None,
    };
    match app::certificate::import(visit.app(), visit.by(), input).await {
        Ok(imported) => {
            let found = found(&imported, visit.now());
            render(&page(&visit, tokens, &Entered::default(), (Wrong::default(), Some(found))))
        }
        Err(error) => {
            let wrong = Wrong::of(error)?.placed(field_of);
            render_refused(&page(&visit, tokens, &entered, (wrong, None)))
        }
    }
}

fn field_of(refusal: &Refusal) -> Option<&'static str> {
    match refusal.code {
        "pass.wrong" | "pass.missing" => Some("password"),
        "key.label_taken" => Some("friendly_name"),
        code if code.starts_with("name.") && refusal.place.is_empty() => Some("friendly_name"),
        _ => None,
    }
}

fn found(imported: &Imported, now: Moment) -> Found {
    let mut notes: Vec<Note> = imported.findings.iter().map(Note::from).collect();
    let troubled = imported.certificates.iter().filter(|view| !view.entry.certificate.is_ca());
    notes.extend(troubled.flat_map(|view| view.findings.iter().map(Note::from)));
    let worst = imported.certificates.iter().flat_map(|view| &view.findings).chain(&imported.findings);
    let worst = worst.map(|finding| finding.severity).max();
    Found {
        badge: match worst {
            Some(Severity::Error) => Badge::bad("taken, but not fit for use"),
            Some(Severity::Warning) => Badge::warn("taken, with a warning"),
            Some(Severity::Info) | None => Badge::good("taken"),
        },
        certificates: imported
            .certificates
            .iter()
            .map(|view| CertificateLine::new(&view.entry, now))
            .collect(),
        lines: lines(imported),
        notes,
    }
}

/// What else came of it, one sentence each.
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
    lines
}
