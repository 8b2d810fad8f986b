//! Export: what goes into the file, and in which form.

use app::certificate::{CertificateView, ExportForm, WithRoot};
use askama::Template;
use domain::key::Exportable;
use domain::permission::uses;
use domain::{Permission, authorize};
use pki::format::pem_write;
use pki::{Fingerprint, Refusal};
use zeroize::Zeroizing;

use crate::Problem;
use crate::body::{Id, PageFields};
use crate::page::download::attachment;
use crate::page::field::{Control, choice};
use crate::page::form::Form;
use crate::page::rows::name_of;
use crate::page::{Entered, Frame, Input, Page, Place, Visit, Wrong, render, render_refused};

#[derive(Template)]
#[template(path = "certificate/export.html")]
struct ExportPage {
    frame: Frame,
    wrong: Wrong,
    id: String,
    name: String,
    certificate: Input,
    chain: Input,
    root: Input,
    key_allowed: bool,
    key_words: &'static str,
    key: Input,
    passphrase: Input,
    form: Input,
}

type Exporter = Visit<uses::ExportCertificate>;

/// `GET /certificates/{id}/export`.
pub async fn form(visit: Exporter, Id(id): Id<Fingerprint>) -> Page {
    let start = [("certificate", "yes"), ("chain", "yes"), ("form", "pem")];
    let start = Entered(start.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    render(&page(&visit, &id, &start, Wrong::default()).await?)
}

async fn page(
    visit: &Exporter,
    id: &Fingerprint,
    entered: &Entered,
    wrong: Wrong,
) -> Result<ExportPage, Problem> {
    let see = authorize(visit.actor(), uses::ViewCertificates, &id.to_string()).map_err(app::Error::from)?;
    let view = app::certificate::find(visit.app(), &see, id).await?;
    let key_words = key_words(visit, &view).await?;
    let form = Form::new(entered, &wrong);
    let check = |name, label| form.put(Input::new(name, label, Control::Check));
    let forms = vec![
        choice("pem", "PEM: everything ticked, in one file"),
        choice("der", "DER: the certificate alone"),
    ];
    Ok(ExportPage {
        frame: visit.frame("Export", Place::Certificates),
        id: id.to_string(),
        name: name_of(&view.entry),
        certificate: check("certificate", "Include Certificate"),
        chain: check("chain", "Include Certificate Chain"),
        root: check("root", "Include the root certificate too (clients have it)"),
        key_allowed: key_words.is_empty(),
        key_words,
        key: check("key", "Include Private Key"),
        passphrase: form.put(
            Input::secret("passphrase", "Passphrase")
                .hint("For the private key: 12 or more characters. Nobody can read the file without it."),
        ),
        form: form.put(Input::select("form", "Form", forms)),
        wrong,
    })
}

/// Why the private key cannot go along; empty when it can.
async fn key_words(visit: &Exporter, view: &CertificateView) -> Result<&'static str, Problem> {
    if !view.entry.has_key {
        return Ok("The private key of this certificate is not here.");
    }
    let (true, Some(see)) = (visit.may(Permission::ExportPrivateKey), visit.permit().also(uses::ViewKeys))
    else {
        return Ok("Only a security officer can export the private key.");
    };
    let held = app::key::find(visit.app(), &see, &view.entry.key()).await?;
    match held.key.exportable {
        Exportable::WithPassphrase => Ok(""),
        Exportable::Never | Exportable::ToTargets => {
            Ok("The private key of this certificate never leaves its token for a person.")
        }
    }
}

/// What is ticked.
struct Ticked {
    certificate: bool,
    chain: Option<WithRoot>,
    key: bool,
    der: bool,
}

/// `POST /certificates/{id}/export`: answers the file.
pub async fn export(visit: Exporter, Id(id): Id<Fingerprint>, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    let root = if entered.has("root") { WithRoot::Included } else { WithRoot::LeftOut };
    let ticked = Ticked {
        certificate: entered.has("certificate"),
        chain: entered.has("chain").then_some(root),
        key: entered.has("key"),
        der: entered.text("form") == "der",
    };
    let made = match check(&ticked) {
        Some(wrong) => Err(wrong),
        None => make(&visit, &id, &ticked, entered.exact("passphrase")).await?,
    };
    match made {
        Ok((name, media_type, bytes)) => Ok(attachment(&name, media_type, bytes)),
        Err(wrong) => render_refused(&page(&visit, &id, &entered, wrong).await?),
    }
}

fn check(ticked: &Ticked) -> Option<Wrong> {
    if ticked.der && ticked.key {
        let refusal = Refusal::new(
            "export.form",
            "DER holds the certificate alone",
            "Choose PEM to take the private key along.",
        );
        return Some(Wrong::field("form", refusal));
    }
    if !ticked.certificate && ticked.chain.is_none() && !ticked.key {
        let refusal =
            Refusal::new("export.nothing", "nothing is ticked", "Tick what should go into the file.");
        return Some(Wrong::field("certificate", refusal));
    }
    None
}

type File = (String, &'static str, Vec<u8>);

async fn make(
    visit: &Exporter,
    id: &Fingerprint,
    ticked: &Ticked,
    passphrase: &str,
) -> Result<Result<File, Wrong>, Problem> {
    let mut text = Zeroizing::new(Vec::new());
    if ticked.key {
        match private_key(visit, id, passphrase).await? {
            Ok(pem) => text.extend_from_slice(pem.as_bytes()),
            Err(wrong) => return Ok(Err(wrong)),
        }
    }
    let form = match (ticked.der, ticked.certificate, ticked.chain) {
        (true, _, _) => Some(ExportForm::Der),
        (false, true, Some(root)) => Some(ExportForm::FullchainPem(root)),
        (false, true, None) => Some(ExportForm::Pem),
        (false, false, Some(root)) => Some(ExportForm::ChainPem(root)),
        (false, false, None) => None,
    };
    let mut name = format!("key-{}.pem", &id.to_string()[..16]);
    let mut media_type = "application/x-pem-file";
    if let Some(form) = form {
        let file = match app::certificate::export(visit.app(), visit.by(), id, form).await {
            Ok(file) => file,
            Err(error) => return Ok(Err(Wrong::of(error)?)),
        };
        text.extend_from_slice(&file.bytes);
        if !ticked.key {
            (name, media_type) = (file.name, file.media_type);
        }
    }
    Ok(Ok((name, media_type, std::mem::take(&mut *text))))
}

/// The encrypted private key as PEM.
async fn private_key(
    visit: &Exporter,
    id: &Fingerprint,
    passphrase: &str,
) -> Result<Result<Zeroizing<String>, Wrong>, Problem> {
    let see = authorize(visit.actor(), uses::ViewCertificates, &id.to_string()).map_err(app::Error::from)?;
    let key = app::certificate::find(visit.app(), &see, id).await?.entry.key();
    let Ok(by) = authorize(visit.actor(), uses::ExportPrivateKey, &key.to_string()) else {
        return Err(Problem::forbidden(Permission::ExportPrivateKey));
    };
    match app::key::export(visit.app(), &by, &key, passphrase).await {
        Ok(der) => Ok(Ok(Zeroizing::new(pem_write::encrypted_key(&der)))),
        Err(error) => {
            let about = |refusal: &Refusal| refusal.code.starts_with("pass.").then_some("passphrase");
            Ok(Err(Wrong::of(error)?.placed(about)))
        }
    }
}

/// `GET /certificates/{id}/certificate.pem`.
pub async fn pem(visit: Exporter, Id(id): Id<Fingerprint>) -> Page {
    let file = app::certificate::export(visit.app(), visit.by(), &id, ExportForm::Pem).await?;
    Ok(attachment(&file.name, file.media_type, file.bytes))
}

/// `GET /certificates/{id}/certificate.cer`.
pub async fn der(visit: Exporter, Id(id): Id<Fingerprint>) -> Page {
    let file = app::certificate::export(visit.app(), visit.by(), &id, ExportForm::Der).await?;
    Ok(attachment(&file.name, file.media_type, file.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_never_takes_a_key_along_and_an_empty_file_is_refused() {
        let ticked = |certificate, key, der| Ticked { certificate, chain: None, key, der };
        assert!(check(&ticked(true, true, true)).is_some());
        assert!(check(&ticked(false, false, false)).is_some());
        assert!(check(&ticked(true, true, false)).is_none());
        assert!(check(&ticked(true, false, true)).is_none());
    }
}
