//! Export: what goes into the file, and in which form.

use app::certificate::{
    CertificateView, ExportForm, KeySecret, Leaf, Members, Part, TrustPassphrase, Wanted,
};
use askama::Template;
use domain::key::Exportable;
use domain::permission::uses;
use domain::{Moment, Permission, authorize};
use pki::format::pkcs12_write::Strength;
use pki::{Certificate, Fingerprint, Refusal};
use zeroize::Zeroizing;

use crate::Problem;
use crate::body::{Id, PageFields};
use crate::certificate::export::answer;
use crate::page::field::{Choice, Control, choice};
use crate::page::form::Form;
use crate::page::rows::name_of;
use crate::page::when::utc_words;
use crate::page::words::safe;
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
    members: Option<Input>,
    key_allowed: bool,
    key_words: &'static str,
    key: Input,
    passphrase: Input,
    form: Input,
    legacy: Input,
    trust_passphrase: Input,
    /// Shown once a passphrase was entered that some programs cannot take.
    known: Option<Input>,
}

crate::page::refusing!(ExportPage);

/// Who may export certificates.
pub type Exporter = Visit<uses::ExportCertificate>;

/// `GET /certificates/{id}/export`.
pub async fn form(visit: Exporter, Id(id): Id<Fingerprint>) -> Page {
    let view = seen(&visit, &id).await?;
    let start = [("certificate", "yes"), ("chain", "yes"), ("form", ExportForm::Fitting.name())];
    let mut start = start.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    // Clients have the root: it goes along only when somebody ticks it.
    let members = view.above().into_iter().filter(|one| !is_root(&view, one));
    start.extend(members.map(|one| ("member".to_owned(), one.fingerprint().to_string())));
    render(&page(&visit, &view, &Entered::from(start), Wrong::default()).await?)
}

async fn seen(visit: &Exporter, id: &Fingerprint) -> Result<CertificateView, Problem> {
    let see = authorize(visit.actor(), uses::ViewCertificates, &id.to_string()).map_err(app::Error::from)?;
    Ok(app::certificate::find(visit.app(), &see, id).await?)
}

fn is_root(view: &CertificateView, one: &Certificate) -> bool {
    view.chain.root.as_ref().is_some_and(|root| root.fingerprint() == one.fingerprint())
}

async fn page(
    visit: &Exporter,
    view: &CertificateView,
    entered: &Entered,
    wrong: Wrong,
) -> Result<ExportPage, Problem> {
    let key_words = key_words(visit, view).await?;
    let form = Form::new(entered, &wrong);
    let check = |name, label| form.put(Input::new(name, label, Control::Check));
    let is_not_ascii = wrong.about("passphrase").iter().any(|text| text.contains(KNOWN));
    Ok(ExportPage {
        frame: visit.frame("Export", Place::Certificates),
        id: view.entry.fingerprint().to_string(),
        name: name_of(&view.entry),
        certificate: check("certificate", "Include Certificate"),
        chain: check("chain", "Include Certificate Chain"),
        members: members(view).map(|input| form.put(input)),
        key_allowed: key_words.is_empty(),
        key_words,
        key: check("key", "Include Private Key"),
        passphrase: form.put(
            Input::secret("passphrase", "Passphrase")
                .hint("For the private key: 12 or more characters. Nobody can read the file without it."),
        ),
        form: form.put(Input::select("form", "Form", forms(key_words.is_empty())).hint(
            "DER is used for just the server certificate, PKCS#8 for just the private key, PKCS#7 for multiple certificates, PKCS#12 for certificate and private key with or without the chain.",
        )),
        legacy: form.put(Input::new("legacy", "For an old device: 3DES and SHA-1", Control::Check).hint(
            "PKCS#12 only. It protects weakly: whoever gets the file can try passphrases fast. Tick it only if the device refuses the file without, and delete the file when it was imported there.",
        )),
        trust_passphrase: form.put(trust_input()),
        known: is_not_ascii.then(|| Input::new("known", KNOWN, Control::Check)),
        wrong,
    })
}

/// The field for the passphrase of a trust store, here and where several are exported.
pub fn trust_input() -> Input {
    Input::secret(TRUST, "Passphrase of the Trust Store").hint(
        "Trust stores only, 6 or more characters. Left empty, it is “changeit”, as Java has it: a trust store holds no secret.",
    )
}

/// What was chosen there. What Java cannot read is refused here: who else reads trust stores can take the JKS form.
pub fn trust_passphrase(form: ExportForm, entered: &Entered) -> Result<TrustPassphrase, Wrong> {
    let text = Zeroizing::new(entered.exact(TRUST).to_owned());
    let chosen = TrustPassphrase::chosen(text).map_err(|refusal| Wrong::field(TRUST, refusal))?;
    match chosen.findings(form).pop() {
        None => Ok(chosen),
        Some(finding) => {
            let repair = "Use those of a US keyboard, or choose the JKS form.";
            Err(Wrong::field(TRUST, Refusal::new(finding.code, finding.what, repair)))
        }
    }
}

const TRUST: &str = "trust_passphrase";
const KNOWN: &str = "The receiver takes this passphrase";

/// Each member of the chain with a tick.
fn members(view: &CertificateView) -> Option<Input> {
    let choices: Vec<Choice> = view
        .above()
        .iter()
        .map(|one| {
            let ends = utc_words(Moment::from(one.not_after()));
            let root = if is_root(view, one) { ". The root certificate: clients have it" } else { "" };
            let label = format!("{}, ends {ends}{root}", safe(&one.subject().to_string()));
            choice(one.fingerprint().to_string(), label)
        })
        .collect();
    (!choices.is_empty()).then(|| Input::new("member", "Members of the chain", Control::Checks(choices)))
}

/// The forms, without those for a private key where none can go along.
fn forms(with_key: bool) -> Vec<Choice> {
    let offered = ExportForm::ALL.iter().filter(|form| with_key || form.key() != Part::Always);
    offered.map(|form| choice(form.name(), form.label())).collect()
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

/// `POST /certificates/{id}/export`: answers the file.
pub async fn export(visit: Exporter, Id(id): Id<Fingerprint>, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    let made = match wanted(&entered) {
        Ok(wanted) if entered.has("key") => with_key(&visit, &id, &wanted, &entered).await?,
        Ok(wanted) => without_key(&visit, &id, &wanted, &entered).await?,
        Err(wrong) => Err(wrong),
    };
    match made {
        Ok(exported) => Ok(answer(exported)),
        Err(wrong) => {
            let view = seen(&visit, &id).await?;
            render_refused(&page(&visit, &view, &entered, wrong).await?)
        }
    }
}

/// What is ticked.
fn wanted(entered: &Entered) -> Result<Wanted, Wrong> {
    let form: Result<ExportForm, _> = entered.text("form").parse();
    let ids: Result<Vec<Fingerprint>, _> = entered.all("member").iter().map(|id| id.parse()).collect();
    let (Ok(form), Ok(ids)) = (form, ids) else {
        let what = "the form holds what this page does not offer";
        return Err(Wrong::whole(Refusal::new("input.value", what, "Load the page again.")));
    };
    let members = match entered.has("chain") {
        true if !ids.is_empty() => Members::These(ids),
        true | false => Members::None,
    };
    let certificate = if entered.has("certificate") { Leaf::Included } else { Leaf::LeftOut };
    Ok(Wanted { form, certificate, members })
}

type Made = Result<app::certificate::Exported, Wrong>;

/// Nothing of it stands in the audit log yet: nothing would have been changed.
async fn without_key(
    visit: &Exporter,
    id: &Fingerprint,
    wanted: &Wanted,
    entered: &Entered,
) -> Result<Made, Problem> {
    let passphrase = match trust_passphrase(wanted.form, entered) {
        Ok(passphrase) => passphrase,
        Err(wrong) => return Ok(Err(wrong)),
    };
    match app::certificate::export(visit.app(), visit.by(), id, wanted, &passphrase).await {
        Ok(exported) => Ok(Ok(exported)),
        Err(app::Error::Refused(refusal) | app::Error::Conflict(refusal)) => {
            Ok(Err(Wrong::whole(refusal).placed(field_of)))
        }
        Err(error) => Err(error.into()),
    }
}

async fn with_key(
    visit: &Exporter,
    id: &Fingerprint,
    wanted: &Wanted,
    entered: &Entered,
) -> Result<Made, Problem> {
    let Ok(by) = authorize(visit.actor(), uses::ExportPrivateKey, &id.to_string()) else {
        return Err(Problem::forbidden(Permission::ExportPrivateKey));
    };
    let passphrase = Zeroizing::new(entered.exact("passphrase").to_owned());
    // A form that is chosen by what is ticked becomes PKCS#12 where both are.
    let becomes_pkcs12 = wanted.form == ExportForm::Fitting && wanted.certificate == Leaf::Included;
    let is_pkcs12 = wanted.form.is_pkcs12() || becomes_pkcs12;
    if is_pkcs12 && !passphrase.is_ascii() && !entered.has("known") {
        let what =
            "the passphrase has characters that Java's keytool and some devices cannot take in PKCS#12";
        let repair = format!("Use those of a US keyboard; or enter it again and tick “{KNOWN}”.");
        return Ok(Err(Wrong::field("passphrase", Refusal::new("pass.not_ascii", what, repair))));
    }
    let strength = if entered.has("legacy") { Strength::Legacy } else { Strength::Modern };
    let secret = KeySecret { passphrase, strength };
    match app::certificate::export_with_key(visit.app(), &by, id, wanted, secret).await {
        Ok(exported) => Ok(Ok(exported)),
        Err(error) => Ok(Err(Wrong::of(error)?.placed(field_of))),
    }
}

fn field_of(refusal: &Refusal) -> Option<&'static str> {
    match refusal.code {
        "export.form" => Some("form"),
        "export.nothing" => Some("certificate"),
        "export.member" | "chain.incomplete" => Some("member"),
        code => code.starts_with("pass.").then_some("passphrase"),
    }
}

/// `GET /certificates/{id}/certificate.pem`.
pub async fn pem(visit: Exporter, Id(id): Id<Fingerprint>) -> Page {
    plain(&visit, &id, ExportForm::Pem).await
}

/// `GET /certificates/{id}/certificate.cer`.
pub async fn der(visit: Exporter, Id(id): Id<Fingerprint>) -> Page {
    plain(&visit, &id, ExportForm::Der).await
}

async fn plain(visit: &Exporter, id: &Fingerprint, form: ExportForm) -> Page {
    let (wanted, passphrase) = (Wanted::usual(form), TrustPassphrase::default());
    Ok(answer(app::certificate::export(visit.app(), visit.by(), id, &wanted, &passphrase).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(pairs: &[(&str, &str)]) -> Entered {
        Entered::from(
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn members_count_only_where_the_chain_is_ticked() {
        let id = "ab".repeat(32);
        let ticked = wanted(&entered(&[("form", "p7b"), ("chain", "yes"), ("member", &id)])).unwrap();
        assert_eq!(ticked.members, Members::These(vec![id.parse().unwrap()]));
        assert_eq!(ticked.certificate, Leaf::LeftOut);
        let unticked = wanted(&entered(&[("form", "p7b"), ("certificate", "yes"), ("member", &id)])).unwrap();
        assert_eq!((unticked.members, unticked.certificate), (Members::None, Leaf::Included));
        assert!(wanted(&entered(&[("form", "word")])).is_err());
        assert!(wanted(&entered(&[("form", "pem"), ("member", "x")])).is_err());
    }

    #[test]
    fn who_may_not_take_the_key_sees_no_form_for_it() {
        let names = |with_key| forms(with_key).into_iter().map(|form| form.value).collect::<Vec<_>>();
        assert!(names(true).contains(&"p12".to_owned()) && names(true).len() == ExportForm::ALL.len());
        assert!(!names(false).iter().any(|name| ["p12", "pkcs8", "key"].contains(&name.as_str())));
    }
}
