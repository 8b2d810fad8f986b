//! API keys: the list, a new one that is shown once, its roles, and revoking.

use std::collections::BTreeSet;

use app::api_key::NewApiKey;
use askama::Template;
use axum::extract::Query;
use domain::id::ApiKeyId;
use domain::permission::uses;
use domain::user::ApiKey;
use domain::{Permission, Role};

use crate::Problem;
use crate::body::{Id, PageFields};
use crate::page::confirm::Confirm;
use crate::page::download::Sheet;
use crate::page::form::Form;
use crate::page::list::{Asked, List, matches};
use crate::page::simple::Simple;
use crate::page::when::counted;
use crate::page::words::safe;
use crate::page::{
    Entered, Flash, Frame, Input, Page, Place, Visit, When, Wrong, go, render, render_refused,
};
use crate::user::page::{role_words, roles_input, ticked_roles};

#[derive(Template)]
#[template(path = "api_key/list.html")]
struct ApiKeysPage {
    frame: Frame,
    state: String,
    wrong: Wrong,
    secret: Option<String>,
    list: List,
    rows: Vec<Row>,
    label: Input,
    roles: Input,
    days: Input,
}

crate::page::refusing!(ApiKeysPage);

struct Row {
    id: String,
    label: String,
    roles: String,
    made: When,
    maker: String,
    ends: When,
    used: Option<When>,
}

/// `GET /api-keys`.
pub async fn list(visit: Visit<uses::ViewApiKeys>, Query(asked): Query<Asked>) -> Page {
    let mut keys = app::api_key::list(visit.app(), visit.by()).await?;
    let words = asked.words();
    keys.retain(|key| matches(words.as_deref(), &[&key.label, key.id.as_str(), &role_words(&key.roles)]));
    if let Some(file) = sheet(&keys).answer(&asked.format) {
        return Ok(file);
    }
    let (frame, held) = (visit.frame("API keys", Place::ApiKeys), visit.actor().roles());
    render(&page(frame, &keys, &asked, (&held, &Entered::default(), Wrong::default())))
}

fn page(
    frame: Frame,
    keys: &[ApiKey],
    asked: &Asked,
    (held, entered, wrong): (&BTreeSet<Role>, &Entered, Wrong),
) -> ApiKeysPage {
    let form = Form::new(entered, &wrong);
    let mut list = List::new("/api-keys", asked);
    let rows = list.window(keys, |key| key.id.to_string()).iter().map(|key| Row {
        id: key.id.to_string(),
        label: if key.label.is_empty() { "(no label)".to_owned() } else { safe(&key.label) },
        roles: role_words(&key.roles),
        made: When::new(key.created, frame.now),
        maker: safe(&key.created_by),
        ends: When::new(key.expires, frame.now),
        used: key.last_used.map(|at| When::new(at, frame.now)),
    });
    ApiKeysPage {
        state: format!("{} for programs that talk to this server.", counted(keys.len() as u64, "key")),
        secret: None,
        rows: rows.collect(),
        list,
        label: form.put(Input::line("label", "What it is for").hint("The program and where it runs.")),
        roles: form.put(roles_input(held)),
        days: form.put(Input::line("days", "Days until it ends").value("90").with("inputmode", "numeric")),
        wrong,
        frame,
    }
}

fn sheet(keys: &[ApiKey]) -> Sheet {
    let mut sheet = Sheet::new("api-keys", ["id", "label", "roles", "created", "expires", "last_used"]);
    for key in keys {
        sheet.row([
            key.id.to_string(),
            safe(&key.label),
            key.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" "),
            key.created.unix().to_string(),
            key.expires.unix().to_string(),
            key.last_used.map(|at| at.unix().to_string()).unwrap_or_default(),
        ]);
    }
    sheet
}

/// `POST /api-keys`: the key is in the answer and nowhere else.
pub async fn create(visit: Visit<uses::CreateApiKey>, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    let input = NewApiKey {
        roles: ticked_roles(&entered),
        label: entered.text("label").to_owned(),
        days: entered.text("days").parse().ok(),
    };
    let made = app::api_key::create(visit.app(), visit.by(), input).await;
    let see =
        visit.permit().also(uses::ViewApiKeys).ok_or_else(|| Problem::forbidden(Permission::ViewApiKeys))?;
    let keys = app::api_key::list(visit.app(), &see).await?;
    let (frame, held) = (visit.frame("API keys", Place::ApiKeys), visit.actor().roles());
    match made {
        Ok((_, secret)) => {
            let page = page(frame, &keys, &Asked::default(), (&held, &Entered::default(), Wrong::default()));
            render(&ApiKeysPage { secret: Some(secret.to_string()), ..page })
        }
        Err(error) => {
            let wrong = Wrong::of(error)?.placed(|refusal| refusal.code.contains("role").then_some("roles"));
            render_refused(&page(frame, &keys, &Asked::default(), (&held, &entered, wrong)))
        }
    }
}

async fn roles_form(visit: &Visit<uses::UpdateApiKey>, id: &ApiKeyId) -> Result<Simple, Problem> {
    let see =
        visit.permit().also(uses::ViewApiKeys).ok_or_else(|| Problem::forbidden(Permission::ViewApiKeys))?;
    let key = app::api_key::find(visit.app(), &see, id).await?;
    let held: BTreeSet<Role> = visit.actor().roles().union(&key.roles).copied().collect();
    let chosen: Vec<String> = key.roles.iter().map(|role| role.name().to_owned()).collect();
    let frame = visit.frame("Roles of an API key", Place::ApiKeys);
    Ok(Simple::new(frame, format!("{} {id}", safe(&key.label)), format!("/api-keys/{id}"))
        .words("They count from the next request on.")
        .back("/api-keys")
        .input(roles_input(&held).chosen(&chosen)))
}

/// `GET /api-keys/{id}`.
pub async fn show(visit: Visit<uses::UpdateApiKey>, Id(id): Id<ApiKeyId>) -> Page {
    roles_form(&visit, &id).await?.show()
}

/// `POST /api-keys/{id}`.
pub async fn set_roles(
    visit: Visit<uses::UpdateApiKey>,
    Id(id): Id<ApiKeyId>,
    PageFields(fields): PageFields,
) -> Page {
    let entered = Entered(fields);
    match app::api_key::set_roles(visit.app(), visit.by(), &id, ticked_roles(&entered)).await {
        Ok(_) => Ok(go("/api-keys", Flash::good("The roles were changed."))),
        Err(error) => roles_form(&visit, &id).await?.refused(&entered, error),
    }
}

fn question(visit: &Visit<uses::RevokeApiKey>, id: &ApiKeyId) -> Confirm {
    Confirm::new(visit.frame("Revoke an API key", Place::ApiKeys), "Revoke", format!("/api-keys/{id}/revoke"))
        .loses("The program that has it is refused from the next request on.")
        .loses("It cannot be brought back; make a new one instead.")
        .asks_for(id.as_str())
        .back("/api-keys")
}

/// `GET /api-keys/{id}/revoke`.
pub async fn revoke_form(visit: Visit<uses::RevokeApiKey>, Id(id): Id<ApiKeyId>) -> Page {
    question(&visit, &id).show()
}

/// `POST /api-keys/{id}/revoke`.
pub async fn revoke(
    visit: Visit<uses::RevokeApiKey>,
    Id(id): Id<ApiKeyId>,
    PageFields(fields): PageFields,
) -> Page {
    if let Some(again) = question(&visit, &id).check(&Entered(fields)) {
        return again;
    }
    match app::api_key::revoke(visit.app(), visit.by(), &id).await {
        Ok(()) => Ok(go("/api-keys", Flash::good("The API key was revoked."))),
        Err(error) => question(&visit, &id).refused(error),
    }
}
