//! Keys and certificates: tokens, their keys, log-in and log-out, PIN.

use app::cursor;
use app::filter::KeyFilter;
use app::key::KeyView;
use app::token::{Consequences, TokenSummary};
use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use domain::id::TokenId;
use domain::key::{KeyState, KeyUsage};
use domain::permission::uses;
use domain::token::{Token, TokenKind, TokenState};
use domain::{Moment, Permission};
use pki::Refusal;
use serde::Deserialize;

use crate::body::{Id, PageFields};
use crate::page::confirm::Confirm;
use crate::page::download::Sheet;
use crate::page::finding::Badge;
use crate::page::list::{Asked, List, PAGE};
use crate::page::rows::{CertificateLine, CsrLine, key_badge, usage_words};
use crate::page::simple::Simple;
use crate::page::when::counted;
use crate::page::words::{escape, safe};
use crate::page::{Entered, Flash, Frame, Input, Page, Place, Visit, Wrong, go, render};

#[derive(Template)]
#[template(path = "token/list.html")]
struct TokensPage {
    frame: Frame,
    list: List,
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
    is_narrowed: bool,
    keys: Vec<KeyRow>,
    /// Where more of its keys stand.
    more: Option<String>,
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
    /// How many more stand on the key's own page; empty when none.
    others: String,
}

/// Keys of each token that stand beside those of other tokens; a token alone has a whole page of them.
const FEW: u32 = 20;

/// Requests and certificates of a key that stand below it, the newest.
const NEWEST: usize = 3;

/// A deleted key is hidden until somebody looks for it.
const STATES: [(&str, &str); 3] = [("", "in use"), ("retired", "deleted"), ("all", "all")];

fn state_of(asked: &Asked) -> Option<KeyState> {
    if asked.state == "all" { None } else { Some(asked.state.parse().unwrap_or(KeyState::Active)) }
}

/// Whose keys are wanted, beside what every list takes.
#[derive(Deserialize)]
pub struct OfToken {
    #[serde(default)]
    token: String,
}

/// `GET /keys`: every token with a few of its keys, or one with a page of them.
pub async fn list(
    visit: Visit<uses::ViewKeys>,
    Query(asked): Query<Asked>,
    Query(OfToken { token: wanted }): Query<OfToken>,
) -> Page {
    if let Some(file) = sheet(&visit, &asked).await? {
        return Ok(file);
    }
    let mut tokens = Vec::new();
    for summary in app::token::summaries(visit.app(), visit.by()).await? {
        if wanted.is_empty() || summary.token.id.as_str() == wanted {
            tokens.push(card(&visit, &asked, &wanted, &summary).await?);
        }
    }
    let list = List::new("/keys", &asked).states(&STATES);
    render(&TokensPage { frame: visit.frame("Keys and certificates", Place::Keys), list, tokens })
}

async fn card(
    visit: &Visit<uses::ViewKeys>,
    asked: &Asked,
    wanted: &str,
    summary: &TokenSummary,
) -> Result<TokenCard, crate::Problem> {
    let (is_alone, id) = (!wanted.is_empty(), &summary.token.id);
    let most = if is_alone { PAGE } else { FEW };
    let state = state_of(asked);
    let filter = KeyFilter { token: Some(id.clone()), state, text: asked.words(), ..KeyFilter::default() };
    let after = Some(asked.after.clone()).filter(|after| is_alone && !after.is_empty());
    let mut keys =
        app::key::list(visit.app(), visit.by(), filter, app::Page { after, limit: most + 1 }).await?;
    let mut more = None;
    if keys.len() > most as usize {
        keys.truncate(most as usize);
        let after = keys.last().filter(|_| is_alone).map(|view| cursor::key(&view.key)).unwrap_or_default();
        more = Some(format!(
            "/keys?token={}&q={}&state={}&after={}",
            escape(id.as_str()),
            escape(asked.q.trim()),
            escape(&asked.state),
            escape(&after)
        ));
    }
    Ok(TokenCard {
        id: id.to_string(),
        label: safe(&summary.token.label),
        kind: kind_words(&summary.token),
        badge: badge(summary),
        words: words(summary),
        count: counted(summary.keys.unsigned_abs(), "active key"),
        has_pin: *id != TokenId::system(),
        is_in: summary.state == TokenState::LoggedIn,
        is_out: summary.state == TokenState::LoggedOut,
        is_locked: summary.state == TokenState::Locked,
        is_narrowed: asked.words().is_some() || !asked.state.is_empty(),
        keys: keys.iter().map(|key| key_row(key, visit.now())).collect(),
        more,
    })
}

/// All keys as a file, if one is asked for.
async fn sheet(visit: &Visit<uses::ViewKeys>, asked: &Asked) -> Result<Option<Response>, crate::Problem> {
    if !asked.is_file() {
        return Ok(None);
    }
    let filter = KeyFilter { state: state_of(asked), text: asked.words(), ..KeyFilter::default() };
    let columns = ["id", "label", "token", "usage", "algorithm", "state", "exportable", "created"];
    let mut sheet = Sheet::new("keys", columns);
    for key in app::key::rows(visit.app(), visit.by(), filter, asked.page()).await? {
        sheet.row([
            key.id.to_string(),
            safe(&key.label),
            key.token.to_string(),
            key.usage.map_or("", KeyUsage::name).to_owned(),
            key.algorithm.name().to_owned(),
            key.state.name().to_owned(),
            key.exportable.name().to_owned(),
            key.created.unix().to_string(),
        ]);
    }
    Ok(sheet.answer(&asked.format))
}

fn key_row(view: &KeyView, now: Moment) -> KeyRow {
    let key = &view.key;
    let newest = view.certificates.iter().take(NEWEST);
    let certificates = view.certificates.len() + view.more_certificates;
    let others = view.csrs.len().saturating_sub(NEWEST) + certificates.saturating_sub(NEWEST);
    KeyRow {
        id: key.id.to_string(),
        label: safe(&key.label),
        kind: key.algorithm.label(),
        short: key.id.to_string().to_uppercase().chars().take(12).chain(['…']).collect(),
        usage: usage_words(key.usage),
        badge: key_badge(key.state),
        can_request: crate::key::page::can_request(key),
        csrs: view.csrs.iter().take(NEWEST).map(|csr| CsrLine::new(csr, now)).collect(),
        certificates: newest.map(|entry| CertificateLine::new(entry, now)).collect(),
        others: if others == 0 { String::new() } else { format!("{others} more, on the key’s page") },
    }
}

fn kind_words(token: &Token) -> String {
    match token.kind {
        TokenKind::Software => format!("software token {}", token.id),
        TokenKind::Pkcs11 => format!("PKCS#11 token {}", token.id),
    }
}

fn badge(view: &TokenSummary) -> Badge {
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

fn words(view: &TokenSummary) -> String {
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
        Some(see) => Ok(safe(&app::token::summarise(visit.app(), &see, id).await?.token.label)),
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

fn renamed(view: &TokenSummary) -> Response {
    go("/keys", Flash::good(format!("The token is called {} now.", safe(&view.token.label))))
}
