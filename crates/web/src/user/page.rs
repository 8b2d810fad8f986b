//! Users: the list, a new one, and changing one.

use std::collections::BTreeSet;

use app::user::{NewUser, UserChange};
use askama::Template;
use axum::extract::Query;
use domain::id::UserId;
use domain::permission::uses;
use domain::user::User;
use domain::{Permission, Role};
use zeroize::Zeroizing;

use crate::Problem;
use crate::body::{Id, PageFields};
use crate::page::download::Sheet;
use crate::page::field::{Control, choice};
use crate::page::finding::Badge;
use crate::page::form::Form;
use crate::page::list::{Asked, List, matches};
use crate::page::simple::Simple;
use crate::page::when::number;
use crate::page::words::{listed, safe};
use crate::page::{
    Entered, Flash, Frame, Input, Page, Place, Visit, When, Wrong, go, render, render_refused,
};

#[derive(Template)]
#[template(path = "user/list.html")]
struct UsersPage {
    frame: Frame,
    state: String,
    wrong: Wrong,
    list: List,
    rows: Vec<Row>,
    name: Input,
    password: Input,
    roles: Input,
}

crate::page::refusing!(UsersPage);

struct Row {
    id: String,
    name: String,
    roles: String,
    badge: Badge,
    since: When,
}

/// The names of roles for people.
pub fn role_words(roles: &BTreeSet<Role>) -> String {
    let names: Vec<String> = roles.iter().map(|role| role.label().to_owned()).collect();
    if names.is_empty() { "none".to_owned() } else { listed(&names) }
}

/// The roles that the giver holds: who gives roles gives only what he has.
pub fn roles_input(held: &BTreeSet<Role>) -> Input {
    let own = Role::ALL.into_iter().filter(|role| held.contains(role));
    let choices = own.map(|role| choice(role.name(), role.label())).collect();
    Input::new("roles", "Roles", Control::Checks(choices)).hint("You can give only roles that you hold.")
}

/// The roles that were ticked.
pub fn ticked_roles(entered: &Entered) -> BTreeSet<Role> {
    entered.all("roles").iter().filter_map(|name| name.parse().ok()).collect()
}

/// `GET /users`.
pub async fn list(visit: Visit<uses::ViewUsers>, Query(asked): Query<Asked>) -> Page {
    let mut users = app::user::list(visit.app(), visit.by()).await?;
    let words = asked.words();
    users.retain(|user| matches(words.as_deref(), &[&user.name, &role_words(&user.roles)]));
    if let Some(file) = sheet(&users).answer(&asked.format) {
        return Ok(file);
    }
    let (frame, held) = (visit.frame("Users", Place::Users), visit.actor().roles());
    render(&page(frame, &users, &asked, (&held, &Entered::default(), Wrong::default())))
}

fn page(
    frame: Frame,
    users: &[User],
    asked: &Asked,
    (held, entered, wrong): (&BTreeSet<Role>, &Entered, Wrong),
) -> UsersPage {
    let form = Form::new(entered, &wrong);
    let mut list = List::new("/users", asked);
    let rows = list.window(users, |user| user.id.to_string()).iter().map(|user| Row {
        id: user.id.to_string(),
        name: safe(&user.name),
        roles: role_words(&user.roles),
        badge: if user.disabled { Badge::warn("disabled") } else { Badge::good("active") },
        since: When::new(user.created, frame.now),
    });
    UsersPage {
        state: state(users),
        rows: rows.collect(),
        list,
        name: form.put(Input::line("name", "Name").hint("Small letters, digits, . - _ @").needed()),
        password: form.put(
            Input::secret("password", "First password")
                .hint("12 or more characters. The person changes it after the first log-in.")
                .needed(),
        ),
        roles: form.put(roles_input(held)),
        wrong,
        frame,
    }
}

fn state(users: &[User]) -> String {
    match users.iter().filter(|user| !user.disabled).count() {
        1 => "1 person may log in.".to_owned(),
        count => format!("{} people may log in.", number(count as u64)),
    }
}

fn sheet(users: &[User]) -> Sheet {
    let mut sheet = Sheet::new("users", ["id", "name", "roles", "disabled", "created"]);
    for user in users {
        sheet.row([
            user.id.to_string(),
            safe(&user.name),
            user.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" "),
            user.disabled.to_string(),
            user.created.unix().to_string(),
        ]);
    }
    sheet
}

/// `POST /users`.
pub async fn create(visit: Visit<uses::ManageUsers>, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    let input = NewUser {
        name: entered.text("name").to_owned(),
        password: Zeroizing::new(entered.exact("password").to_owned()),
        roles: ticked_roles(&entered),
    };
    match app::user::create(visit.app(), visit.by(), input).await {
        Ok(user) => Ok(go("/users", Flash::good(format!("{} may log in now.", safe(&user.name))))),
        Err(error) => {
            let wrong = Wrong::of(error)?.placed(|refusal| match refusal.code {
                "user.name" | "user.exists" => Some("name"),
                code if code.contains("password") => Some("password"),
                code if code.contains("role") => Some("roles"),
                _ => None,
            });
            let see = visit
                .permit()
                .also(uses::ViewUsers)
                .ok_or_else(|| Problem::forbidden(Permission::ViewUsers))?;
            let users = app::user::list(visit.app(), &see).await?;
            let (frame, held) = (visit.frame("Users", Place::Users), visit.actor().roles());
            render_refused(&page(frame, &users, &Asked::default(), (&held, &entered, wrong)))
        }
    }
}

async fn form(visit: &Visit<uses::ManageUsers>, id: &UserId) -> Result<Simple, Problem> {
    let see =
        visit.permit().also(uses::ViewUsers).ok_or_else(|| Problem::forbidden(Permission::ViewUsers))?;
    let user = app::user::find(visit.app(), &see, id).await?;
    let held: BTreeSet<Role> = visit.actor().roles().union(&user.roles).copied().collect();
    let chosen: Vec<String> = user.roles.iter().map(|role| role.name().to_owned()).collect();
    let states =
        vec![choice("no", "may log in"), choice("yes", "disabled: sessions end at once, log-in is refused")];
    let state = if user.disabled { "yes" } else { "no" };
    Ok(Simple::new(
        visit.frame(format!("User {}", safe(&user.name)), Place::Users),
        safe(&user.name),
        format!("/users/{id}"),
    )
    .words("Changes count at once, also in sessions that are open.")
    .back("/users")
    .input(roles_input(&held).chosen(&chosen))
    .input(Input::select("disabled", "State", states).chosen(&[state.to_owned()]))
    .input(Input::secret("password", "New password").hint("Left empty, the password stays.")))
}

/// `GET /users/{id}`.
pub async fn show(visit: Visit<uses::ManageUsers>, Id(id): Id<UserId>) -> Page {
    form(&visit, &id).await?.show()
}

/// `POST /users/{id}`.
pub async fn update(
    visit: Visit<uses::ManageUsers>,
    Id(id): Id<UserId>,
    PageFields(fields): PageFields,
) -> Page {
    let entered = Entered(fields);
    let change = UserChange {
        roles: Some(ticked_roles(&entered)),
        password: Some(entered.exact("password"))
            .filter(|text| !text.is_empty())
            .map(|text| Zeroizing::new(text.to_owned())),
        disabled: Some(entered.text("disabled") == "yes"),
    };
    match app::user::update(visit.app(), visit.by(), &id, change).await {
        Ok(user) => Ok(go("/users", Flash::good(format!("{} was changed.", safe(&user.name))))),
        Err(error) => form(&visit, &id).await?.refused(&entered, error),
    }
}
