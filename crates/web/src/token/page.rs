//! Keys and certificates: tokens, their keys, log-in and log-out, PIN.

use app::key::KeyView;
use app::token::{Consequences, TokenView};
use askama::Template;
use axum::response::Response;
use domain::id::TokenId;
use domain::key::KeyState;
use domain::permission::uses;
use domain::token::{TokenKind, TokenState};
use domain::{Moment, Permission};
use pki::Refusal;

use crate::body::{Id, PageFields};
use crate::page::confirm::Confirm;
use crate::page::finding::Badge;
use crate::page::rows::{CertificateLine, CsrLine, key_badge, usage_words};
use crate::page::simple::Simple;
use crate::page::when::counted;
use crate::page::words::safe;
use crate::page::{Entered, Flash, Frame, Input, Page, Place, Visit, Wrong, go, render};

#[derive(Template)]
#[template(path = "token/list.html")]
struct TokensPage {
    frame: Frame,
    tokens: Vec<TokenCard>,
}

struct TokenCard {
    id: String,
    label: String,
    kind: String,
    badge: Badge,
    words: String,
    count: String,
    has_pin: bool,
    is_in: bool,
    is_out: bool,
    is_locked: bool,
    open: bool,
    keys: Vec<KeyRow>,
}

struct KeyRow {
    id: String,
    label: String,
    kind: &'static str,
    short: String,
    usage: &'static str,
    badge: Badge,
    can_request: bool,
    csrs: Vec<CsrLine>,
    certificates: Vec<CertificateLine>,
}

/// Keys of a token that are shown open; more stay behind their count until somebody asks.
const FEW: usize = 20;

/// `GET /keys`.
pub async fn list(visit: Visit<uses::ViewKeys>) -> Page {
    let now = visit.now();
    let tokens = app::token::list(visit.app(), visit.by()).await?;
    let tokens = tokens.iter().map(|view| card(view, now)).collect();
    render(&TokensPage { frame: visit.frame("Keys and certificates", Place::Keys), tokens })
}

fn card(view: &TokenView, now: Moment) -> TokenCard {
    let keys: Vec<KeyRow> =
        view.keys.iter().filter(|key| is_shown(key)).map(|key| key_row(key, now)).collect();
    TokenCard {
        id: view.token.id.to_string(),
        label: safe(&view.token.label),
        kind: kind_words(view),
        badge: badge(view),
        words: words(view),
        count: counted(keys.len() as u64, "key"),
        has_pin: view.token.id != TokenId::system(),
        is_in: view.state == TokenState::LoggedIn,
        is_out: view.state == TokenState::LoggedOut,
        is_locked: view.state == TokenState::Locked,
        open: keys.len() <= FEW,
        keys,
    }
}

fn is_shown(view: &KeyView) -> bool {
    match view.key.state {
        KeyState::Active | KeyState::Retired | KeyState::Compromised => true,
        KeyState::Destroyed => false,
    }
}

fn key_row(view: &KeyView, now: Moment) -> KeyRow {
    let key = &view.key;
    KeyRow {
        id: key.id.to_string(),
        label: safe(&key.label),
        kind: key.algorithm.label(),
        short: key.id.to_string().to_uppercase().chars().take(12).chain(['…']).collect(),
        usage: usage_words(key.usage),
        badge: key_badge(key.state),
        can_request: crate::key::page::can_request(key),
        csrs: view.csrs.iter().map(|csr| CsrLine::new(csr, now)).collect(),
        certificates: view.certificates.iter().map(|entry| CertificateLine::new(entry, now)).collect(),
    }
}

fn kind_words(view: &TokenView) -> String {
    match view.token.kind {
        TokenKind::Software => format!("software token {}", view.token.id),
        TokenKind::Pkcs11 => format!("PKCS#11 token {}", view.token.id),
    }
}

fn badge(view: &TokenView) -> Badge {
    match view.state {
        TokenState::LoggedIn => Badge::good("logged in"),
        TokenState::LoggedOut => match view.tries_left {
            Some(1) => Badge::bad("logged out, 1 try left"),
            Some(tries) => Badge::warn(format!("logged out, {tries} tries left")),
            None => Badge::warn("logged out"),
        },
        TokenState::Locked => Badge::bad("locked"),
        TokenState::Unavailable => Badge::bad("unavailable"),
        TokenState::NotInitialized => Badge::warn("has no PIN yet"),
    }
}

fn words(view: &TokenView) -> String {
    let text = match view.state {
        TokenState::LoggedIn if view.token.id == TokenId::system() => {
            "Opens by itself when the server starts, for what must work with nobody there."
        }
        TokenState::LoggedIn => "It signs until somebody logs it out or the server stops.",
        TokenState::LoggedOut => "Its keys sign nothing until somebody enters the PIN.",
        TokenState::Locked => "Too many wrong PINs. A security officer unlocks it with his own password.",
        TokenState::Unavailable => "The module does not answer.",
        TokenState::NotInitialized => "It was never given a PIN.",
    };
    text.to_owned()
}

async fn title(visit: &Visit<impl domain::permission::Use>, id: &TokenId) -> Result<String, crate::Problem> {
    // Who may log a token in may not always see keys; the id then names it.
    match visit.permit().also(uses::ViewKeys) {
        Some(see) => Ok(safe(&app::token::find(visit.app(), &see, id).await?.token.label)),
        None => Ok(format!("token {id}")),
    }
}

fn pin_form(frame: Frame, label: &str, id: &TokenId) -> Simple {
    Simple::new(frame, label, format!("/tokens/{id}/log-in"))
        .words("Its keys sign until it is logged out or the server stops.")
        .verb("Log in")
        .back("/keys")
        .input(Input::secret("pin", "PIN").complete("off").needed().with("autofocus", "autofocus"))
}

/// `GET /tokens/{id}/log-in`.
pub async fn log_in_form(visit: Visit<uses::ActivateToken>, Id(id): Id<TokenId>) -> Page {
    let label = title(&visit, &id).await?;
    pin_form(visit.frame("Log in to a token", Place::Keys), &label, &id).show()
}

/// `POST /tokens/{id}/log-in`.
pub async fn log_in(
    visit: Visit<uses::ActivateToken>,
    Id(id): Id<TokenId>,
    PageFields(fields): PageFields,
) -> Page {
    let entered = Entered(fields);
    match app::token::log_in(visit.app(), visit.by(), &id, entered.exact("pin")).await {
        Ok(view) => Ok(go("/keys", Flash::good(format!("{} is logged in.", safe(&view.token.label))))),
        Err(error) => {
            let label = title(&visit, &id).await?;
            pin_form(visit.frame("Log in to a token", Place::Keys), &label, &id).refused(&entered, error)
        }
    }
}

async fn log_out_question(
    visit: &Visit<uses::ActivateToken>,
    id: &TokenId,
) -> Result<Confirm, crate::Problem> {
    let label = title(visit, id).await?;
    let stops = app::token::stops_at_log_out(visit.app(), visit.by(), id).await?;
    let frame = visit.frame(format!("Log out {label}"), Place::Keys);
    let mut question = Confirm::new(frame, "Log out", format!("/tokens/{id}/log-out")).back("/keys");
    question = question.loses("Its keys sign nothing until somebody enters the PIN again.");
    for name in &stops {
        question =
            question.loses(format!("{} is answered with the default certificate from then on.", safe(name)));
    }
    Ok(if stops.is_empty() { question.loses("Nothing that is served now needs it.") } else { question })
}

/// `GET /tokens/{id}/log-out`.
pub async fn log_out_form(visit: Visit<uses::ActivateToken>, Id(id): Id<TokenId>) -> Page {
    log_out_question(&visit, &id).await?.show()
}

/// `POST /tokens/{id}/log-out`. What would stop was shown before.
pub async fn log_out(visit: Visit<uses::ActivateToken>, Id(id): Id<TokenId>, _fields: PageFields) -> Page {
    match app::token::log_out(visit.app(), visit.by(), &id, Consequences::Accept).await {
        Ok(view) => Ok(go("/keys", Flash::good(format!("{} is logged out.", safe(&view.token.label))))),
        Err(error) => log_out_question(&visit, &id).await?.refused(error),
    }
}

fn pin_change_form(frame: Frame, label: &str, id: &TokenId) -> Simple {
    Simple::new(frame, label, format!("/tokens/{id}/pin"))
        .words("The token is logged out when the PIN was changed.")
        .verb("Change PIN")
        .back("/keys")
        .input(Input::secret("old_pin", "PIN now").complete("off").needed())
        .input(
            Input::secret("new_pin", "New PIN")
                .hint("10 or more characters of three kinds: digits, upper case, lower case, others.")
                .needed(),
        )
        .input(Input::secret("new_pin_again", "New PIN again").needed())
}

/// `GET /tokens/{id}/pin`.
pub async fn pin_form_page(visit: Visit<uses::UpdateTokenPin>, Id(id): Id<TokenId>) -> Page {
    let label = title(&visit, &id).await?;
    pin_change_form(visit.frame("Change PIN", Place::Keys), &label, &id).show()
}

/// `POST /tokens/{id}/pin`.
pub async fn change_pin(
    visit: Visit<uses::UpdateTokenPin>,
    Id(id): Id<TokenId>,
    PageFields(fields): PageFields,
) -> Page {
    let entered = Entered(fields);
    let label = title(&visit, &id).await?;
    let mut form = pin_change_form(visit.frame("Change PIN", Place::Keys), &label, &id);
    if entered.exact("new_pin") != entered.exact("new_pin_again") {
        return form.again(&entered, Wrong::field("new_pin_again", differs()));
    }
    match app::token::change_pin(
        visit.app(),
        visit.by(),
        &id,
        entered.exact("old_pin"),
        entered.exact("new_pin"),
    )
    .await
    {
        Ok(()) => Ok(go(
            "/keys",
            Flash::good(format!("The PIN of {label} was changed. Log the token in with the new one.")),
        )),
        Err(error) => form.refused(&entered, error),
    }
}

/// Two secrets that should be the same.
pub fn differs() -> Refusal {
    Refusal::new("again.differs", "the two entries differ", "Type both again.")
}

fn unlock_question(frame: Frame, label: &str, id: &TokenId) -> Simple {
    Simple::new(frame, label, format!("/tokens/{id}/unlock"))
        .words("It was locked after too many wrong PINs. Find out who tried before you unlock it: the audit log says it.")
        .verb("Unlock")
        .back("/keys")
        .input(Input::secret("password", "Your own password").complete("current-password").needed())
}

/// `GET /tokens/{id}/unlock`.
pub async fn unlock_form(visit: Visit<uses::UnlockToken>, Id(id): Id<TokenId>) -> Page {
    let label = title(&visit, &id).await?;
    unlock_question(visit.frame("Unlock a token", Place::Keys), &label, &id).show()
}

/// `POST /tokens/{id}/unlock`.
pub async fn unlock(
    visit: Visit<uses::UnlockToken>,
    Id(id): Id<TokenId>,
    PageFields(fields): PageFields,
) -> Page {
    let entered = Entered(fields);
    match app::token::unlock(visit.app(), visit.by(), &id, entered.exact("password")).await {
        Ok(view) => Ok(go(
            "/keys",
            Flash::good(format!("{} is unlocked. Log it in with its PIN.", safe(&view.token.label))),
        )),
        Err(error) => {
            let label = title(&visit, &id).await?;
            unlock_question(visit.frame("Unlock a token", Place::Keys), &label, &id).refused(&entered, error)
        }
    }
}

fn name_question(frame: Frame, label: &str, id: &TokenId) -> Simple {
    Simple::new(frame, label, format!("/tokens/{id}/name"))
        .words("Only people see it; nothing else changes.")
        .verb("Rename")
        .back("/keys")
        .input(Input::line("name", "Friendly Name").value(label).needed())
}

/// `GET /tokens/{id}/name`.
pub async fn name_form(visit: Visit<uses::EditTokenName>, Id(id): Id<TokenId>) -> Page {
    let label = title(&visit, &id).await?;
    name_question(visit.frame("Rename a token", Place::Keys), &label, &id).show()
}

/// `POST /tokens/{id}/name`.
pub async fn rename(
    visit: Visit<uses::EditTokenName>,
    Id(id): Id<TokenId>,
    PageFields(fields): PageFields,
) -> Page {
    let entered = Entered(fields);
    match app::token::rename(visit.app(), visit.by(), &id, entered.text("name")).await {
        Ok(view) => Ok(renamed(&view)),
        Err(error) => {
            let label = title(&visit, &id).await?;
            name_question(visit.frame("Rename a token", Place::Keys), &label, &id).refused(&entered, error)
        }
    }
}

fn renamed(view: &TokenView) -> Response {
    go("/keys", Flash::good(format!("The token is called {} now.", safe(&view.token.label))))
}
