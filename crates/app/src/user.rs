//! People who may log in.

use std::collections::BTreeSet;

use domain::audit::{Action, Event, Field};
use domain::id::UserId;
use domain::permission::{NotPermitted, Permission, Role, uses};
use domain::user::{PASSWORD_MIN, User, parse_user_name};
use domain::{Actor, Authorized};
use pki::Refusal;
use zeroize::Zeroizing;

use crate::{App, Error, access, act};

/// What is asked for.
pub struct NewUser {
    /// The log-in name.
    pub name: String,
    /// The first password.
    pub password: Zeroizing<String>,
    /// What the person is trusted with.
    pub roles: BTreeSet<Role>,
}

/// What is to change; what is none stays.
#[derive(Default)]
pub struct UserChange {
    /// What the person is trusted with.
    pub roles: Option<BTreeSet<Role>>,
    /// A new password.
    pub password: Option<Zeroizing<String>>,
    /// Whether log-in is refused.
    pub disabled: Option<bool>,
}

/// All users.
pub async fn list(app: &App, _by: &Authorized<uses::ViewUsers>) -> Result<Vec<User>, Error> {
    app.read("user.list", |tx| Ok(store::user::all(tx)?)).await
}

/// One user.
pub async fn find(app: &App, _by: &Authorized<uses::ViewUsers>, id: &UserId) -> Result<User, Error> {
    let id = id.clone();
    app.read("user.find", move |tx| store::user::find(tx, &id)?.ok_or_else(|| Error::not_found("user", &id)))
        .await
}

/// Makes a user. Who gives roles gives only what he holds.
pub async fn create(app: &App, by: &Authorized<uses::ManageUsers>, input: NewUser) -> Result<User, Error> {
    act::audited(app, by.actor(), Action::UserCreate, "", async {
        let name = parse_user_name(&input.name).ok_or_else(|| {
            let what = "the name must be 1 to 64 letters, digits or . - _ @";
            Refusal::new("user.name", what, "Choose another name.").at("name")
        })?;
        check_password(&input.password)?;
        refuse_more_than_held(by.actor(), &input.roles, Permission::ManageUsers)?;
        let password = access::hash_password(app, &input.password).await?;
        let user = User {
            id: UserId::random(app.random()),
            name,
            roles: input.roles,
            disabled: false,
            created: app.now(),
        };
        let event = Event::done(app.now(), by.actor(), Action::UserCreate, user.id.as_str())
            .with(Field::User, &user.name)
            .with(Field::Roles, role_names(&user.roles));
        let row = user.clone();
        app.commit("user.create", move |tx| {
            if store::user::by_name(tx, &row.name)?.is_some() {
                let what = format!("there is a user {} already", row.name);
                return Err(Error::conflict("user.exists", what, "Choose another name."));
            }
            store::user::insert(tx, &row, &password)?;
            act::record(tx, &event)
        })
        .await?;
        Ok(user)
    })
    .await
}

/// Changes a user. The last active administrator can be neither disabled nor stripped of the role.
pub async fn update(
    app: &App,
    by: &Authorized<uses::ManageUsers>,
    id: &UserId,
    change: UserChange,
) -> Result<User, Error> {
    act::audited(app, by.actor(), Action::UserUpdate, id.as_str(), async {
        if let Some(password) = &change.password {
            check_password(password)?;
        }
        let password = match &change.password {
            Some(password) => Some(access::hash_password(app, password).await?),
            None => None,
        };
        let (id, now, actor) = (id.clone(), app.now(), by.actor().clone());
        app.commit("user.update", move |tx| {
            let before = store::user::find(tx, &id)?.ok_or_else(|| Error::not_found("user", &id))?;
            let mut user = before.clone();
            if change.password.is_some() || change.disabled.is_some() {
                // A password is the way to all the roles behind it.
                refuse_more_than_held(&actor, &before.roles, Permission::ManageUsers)?;
            }
            if let Some(roles) = &change.roles {
                // Both what is given and what is taken away must be the giver's to dispose of.
                let changed: BTreeSet<Role> = roles.symmetric_difference(&before.roles).copied().collect();
                refuse_more_than_held(&actor, &changed, Permission::ManageUsers)?;
                user.roles.clone_from(roles);
            }
            user.disabled = change.disabled.unwrap_or(user.disabled);
            refuse_last_administrator(tx, &before, &user)?;
            store::user::update(tx, &user)?;
            if let Some(password) = &password {
                store::user::set_password(tx, &id, password)?;
            }
            if password.is_some() || user.disabled {
                store::session::remove_of_user(tx, &id)?;
            }
            let event = Event::done(now, &actor, Action::UserUpdate, id.as_str())
                .with(Field::User, &user.name)
                .with(Field::Roles, role_names(&user.roles));
            store::audit::record(tx, &event)?;
            Ok(user)
        })
        .await
    })
    .await
}

/// Changes one's own password; all one's sessions end.
pub async fn change_own_password(
    app: &App,
    by: &Authorized<uses::SeeOneself>,
    old: &str,
    new: &str,
) -> Result<(), Error> {
    act::audited(app, by.actor(), Action::UserUpdate, "", async {
        let Actor::User { id, name, .. } = by.actor().clone() else {
            let what = "only a person has a password";
            return Err(Error::conflict("user.person", what, "Make a new API key instead."));
        };
        access::prove(app, &name, old).await?;
        check_password(new)?;
        let password = access::hash_password(app, new).await?;
        let event =
            Event::done(app.now(), by.actor(), Action::UserUpdate, id.as_str()).with(Field::User, &name);
        app.commit("user.change_own_password", move |tx| {
            store::user::set_password(tx, &id, &password)?;
            store::session::remove_of_user(tx, &id)?;
            act::record(tx, &event)
        })
        .await
    })
    .await
}

/// Refuses a password that is too short; long and odd ones are welcome (ASVS 6.2).
pub(crate) fn check_password(password: &str) -> Result<(), Refusal> {
    let length = password.chars().count();
    if (PASSWORD_MIN..=1_000).contains(&length) {
        return Ok(());
    }
    let what = format!("the password has {length} characters, it needs {PASSWORD_MIN} to 1000");
    Err(Refusal::new("user.password", what, "Choose another one; a sentence does well.").at("password"))
}

/// Who gives roles gives only what he holds.
pub(crate) fn refuse_more_than_held(
    actor: &Actor,
    roles: &BTreeSet<Role>,
    permission: Permission,
) -> Result<(), NotPermitted> {
    let all = matches!(actor, Actor::Installer) || roles.is_subset(&actor.roles());
    if all { Ok(()) } else { Err(NotPermitted { permission, actor: actor.name() }) }
}

/// The names of roles, for an event.
pub(crate) fn role_names(roles: &BTreeSet<Role>) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" ")
}

fn refuse_last_administrator(tx: &store::Tx<'_>, before: &User, after: &User) -> Result<(), Error> {
    tx.exclusive("administrators")?;
    let administers = |user: &User| !user.disabled && user.roles.contains(&Role::SystemAdministrator);
    if administers(before)
        && !administers(after)
        && store::user::count_active_with_role(tx, Role::SystemAdministrator)? <= 1
    {
        let what = "this is the last system administrator";
        return Err(Error::conflict(
            "user.last_administrator",
            what,
            "Give the role to somebody else first.",
        ));
    }
    Ok(())
}
