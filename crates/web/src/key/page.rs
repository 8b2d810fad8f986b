//! One key: what is known of it, its requests and certificates, delete and bring back; and a new one.

use app::key::{KeyChange, KeyView, NewKey};
use askama::Template;
use domain::Permission;
use domain::id::TokenId;
use domain::key::{Born, Exportable, Key, KeyState, KeyUsage};
use domain::permission::uses;
use pki::{KeyAlgorithm, KeyId};

use crate::Problem;
use crate::body::{Id, PageFields};
use crate::page::confirm::Confirm;
use crate::page::field::{Choice, choice};
use crate::page::finding::Badge;
use crate::page::rows::{
    CertificateLine, CsrLine, durability_words, exportable_words, key_badge, usage_words,
};
use crate::page::simple::Simple;
use crate::page::when::{When, counted};
use crate::page::words::safe;
use crate::page::{Entered, Flash, Frame, Input, Page, Place, Visit, go, render};

#[derive(Template)]
#[template(path = "key/show.html")]
struct KeyPage {
    frame: Frame,
    words: String,
    id: String,
    badge: Badge,
    kind: &'static str,
    token: String,
    usage: &'static str,
    exportable: &'static str,
    born: &'static str,
    created: When,
    durability: &'static str,
    exported: Option<When>,
    is_retired: bool,
    can_request: bool,
    csrs: Vec<CsrLine>,
    certificates: Vec<CertificateLine>,
    /// How many certificates more there are; empty where all are shown.
    more: String,
    label: Input,
    /// None where it may leave nowhere already.
    lower: Option<Input>,
}

/// Whether a TLS certificate may be asked for with this key.
pub fn can_request(key: &Key) -> bool {
    let is_for_tls = match key.usage {
        None | Some(KeyUsage::Tls) => true,
        Some(KeyUsage::Sign | KeyUsage::Auth | KeyUsage::Ca | KeyUsage::Account | KeyUsage::Node) => false,
    };
    is_for_tls && key.state == KeyState::Active
}

/// `GET /keys/{id}`.
pub async fn show(visit: Visit<uses::ViewKeys>, Id(id): Id<KeyId>) -> Page {
    let view = app::key::find(visit.app(), visit.by(), &id).await?;
    let key = &view.key;
    let now = visit.now();
    render(&KeyPage {
        frame: visit.frame(safe(&key.label), Place::Keys),
        words: format!("{} key in token {}.", key.algorithm.label(), key.token),
        id: key.id.to_string(),
        badge: key_badge(key.state),
        kind: key.algorithm.label(),
        token: key.token.to_string(),
        usage: usage_words(key.usage),
        exportable: exportable_words(key.exportable),
        born: born_words(key.born),
        created: When::new(key.created, now),
        durability: durability_words(key.durability),
        exported: key.exported.map(|at| When::new(at, now)),
        is_retired: key.state == KeyState::Retired,
        can_request: can_request(key),
        csrs: view.csrs.iter().map(|csr| CsrLine::new(csr, now)).collect(),
        certificates: view.certificates.iter().map(|entry| CertificateLine::new(entry, now)).collect(),
        more: match view.more_certificates {
            0 => String::new(),
            more => format!("{} more, which end earlier.", counted(more as u64, "certificate")),
        },
        label: Input::line("label", "Friendly Name").value(&key.label).needed(),
        lower: lower_input(key),
    })
}

fn born_words(born: Born) -> &'static str {
    match born {
        Born::Generated => "made here",
        Born::Imported => "imported",
    }
}

fn lower_input(key: &Key) -> Option<Input> {
    let allowed = Exportable::ALL.iter().filter(|wish| **wish <= key.exportable);
    let choices: Vec<Choice> = allowed.map(|wish| choice(wish.name(), exportable_words(*wish))).collect();
    if choices.len() < 2 {
        return None;
    }
    let input = Input::select("exportable", "May leave", choices).chosen(&[key.exportable.name().to_owned()]);
    Some(input.hint("Can be lowered, never raised again."))
}

/// `POST /keys/{id}`.
pub async fn update(
    visit: Visit<uses::ManageTlsCertificates>,
    Id(id): Id<KeyId>,
    PageFields(fields): PageFields,
) -> Page {
    let entered = Entered(fields);
    let exportable = entered.text("exportable").parse::<Exportable>().ok();
    let change = KeyChange { label: entered.some("label"), exportable };
    let back = format!("/keys/{id}");
    match app::key::update(visit.app(), visit.by(), &id, change).await {
        Ok(key) => Ok(go(&back, Flash::good(format!("{} was changed.", safe(&key.label))))),
        Err(error) => Simple::new(visit.frame("Change a key", Place::Keys), format!("Key {id}"), &back)
            .back(&back)
            .input(Input::line("label", "Friendly Name"))
            .input(Input::select("exportable", "May leave", every_freedom()))
            .refused(&entered, error),
    }
}

fn every_freedom() -> Vec<Choice> {
    Exportable::ALL.iter().map(|wish| choice(wish.name(), exportable_words(*wish))).collect()
}

/// The advice that fits beside every choice of a key; on narrow screens that of each is cut off in the list.
pub const KEY_HINT: &str =
    "EC P-256 suits nearly everybody: fast, and accepted everywhere. RSA is for older clients.";

fn new_form(frame: Frame, token: &str) -> Simple {
    let kinds = KeyAlgorithm::ALL
        .iter()
        .map(|kind| choice(kind.name(), format!("{}: {}", kind.label(), kind.advice())));
    Simple::new(
        frame,
        format!("Token {token}"),
        format!("/keys/new?token={}", crate::page::words::escape(token)),
    )
    .words("The key is made in its token and stays there. A request or certificate for it comes next.")
    .verb("Add key")
    .back("/keys")
    .input(Input::line("label", "Friendly Name").hint("Unique, in words that you will know again.").needed())
    .input(Input::select("algorithm", "Key", kinds.collect()).hint(KEY_HINT))
    .input(
        Input::select("exportable", "May leave", every_freedom())
            .chosen(&[Exportable::WithPassphrase.name().to_owned()])
            .hint("Can be lowered later, never raised."),
    )
}

/// What stands after `?` of the new key's page.
#[derive(serde::Deserialize)]
pub struct Where {
    #[serde(default)]
    token: String,
}

/// `GET /keys/new`.
pub async fn new(
    visit: Visit<uses::ManageTlsCertificates>,
    axum::extract::Query(place): axum::extract::Query<Where>,
) -> Page {
    new_form(visit.frame("Add key", Place::Keys), &place.token).show()
}

/// `POST /keys/new`.
pub async fn create(
    visit: Visit<uses::ManageTlsCertificates>,
    axum::extract::Query(place): axum::extract::Query<Where>,
    PageFields(fields): PageFields,
) -> Page {
    let entered = Entered(fields);
    let token: TokenId = place.token.parse().map_err(|_| app::Error::not_found("token", "of this name"))?;
    let input = NewKey {
        label: entered.text("label").to_owned(),
        token,
        algorithm: entered.text("algorithm").parse().unwrap_or(KeyAlgorithm::EcP256),
        exportable: entered.text("exportable").parse().ok(),
    };
    match app::key::generate(visit.app(), visit.by(), input).await {
        Ok(key) => {
            // Who may make keys may not always see all of them: then it is chosen for its request already.
            let next = if visit.may(Permission::ViewKeys) {
                "/keys".to_owned()
            } else {
                format!("/certificates/new?key={}", key.id)
            };
            let text = format!("The key {} was made. Generate a CSR for it next.", safe(&key.label));
            Ok(go(&next, Flash::good(text)))
        }
        Err(error) => new_form(visit.frame("Add key", Place::Keys), &place.token).refused(&entered, error),
    }
}

fn question(frame: Frame, view: &KeyView) -> Confirm {
    let id = view.key.id;
    Confirm::new(frame, "Delete the key", format!("/keys/{id}/delete"))
        .loses("The key is hidden and signs nothing any more.")
        .loses("It stays sealed for 30 days, or 400 when a request of it is unanswered; until then it can be brought back.")
        .loses("After that nobody can bring it back, and its certificates cannot be served any more.")
        .asks_for(safe(&view.key.label))
        .back(format!("/keys/{id}"))
}

async fn seen(visit: &Visit<uses::ManageTlsCertificates>, id: &KeyId) -> Result<KeyView, Problem> {
    let see = visit.permit().also(uses::ViewKeys).ok_or_else(|| Problem::forbidden(Permission::ViewKeys))?;
    Ok(app::key::find(visit.app(), &see, id).await?)
}

/// `GET /keys/{id}/delete`.
pub async fn delete_form(visit: Visit<uses::ManageTlsCertificates>, Id(id): Id<KeyId>) -> Page {
    let view = seen(&visit, &id).await?;
    question(visit.frame(format!("Delete {}", safe(&view.key.label)), Place::Keys), &view).show()
}

/// `POST /keys/{id}/delete`.
pub async fn delete(
    visit: Visit<uses::ManageTlsCertificates>,
    Id(id): Id<KeyId>,
    PageFields(fields): PageFields,
) -> Page {
    let view = seen(&visit, &id).await?;
    let asked = || question(visit.frame(format!("Delete {}", safe(&view.key.label)), Place::Keys), &view);
    if let Some(again) = asked().check(&Entered(fields)) {
        return again;
    }
    match app::key::retire(visit.app(), visit.by(), &id).await {
        Ok(()) => Ok(go(
            "/keys",
            Flash::good(format!(
                "The key {} was deleted. It can be brought back for 30 days.",
                safe(&view.key.label)
            )),
        )),
        Err(error) => asked().refused(error),
    }
}

/// `POST /keys/{id}/restore`.
pub async fn restore(visit: Visit<uses::RestoreKey>, Id(id): Id<KeyId>, _fields: PageFields) -> Page {
    app::key::restore(visit.app(), visit.by(), &id).await?;
    Ok(go(&format!("/keys/{id}"), Flash::good("The key is back.")))
}
