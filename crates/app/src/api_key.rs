//! API keys of programs.

use std::collections::BTreeSet;

use domain::Authorized;
use domain::audit::{Action, Event, Field};
use domain::clock::{DAY, random_bytes};
use domain::id::ApiKeyId;
use domain::permission::{Permission, Role, uses};
use domain::user::{API_KEY_LIFE, ApiKey};
use pki::Refusal;
use pki::identity::{hex, sha256};
use zeroize::Zeroizing;

use crate::user::{refuse_more_than_held, role_names};
use crate::{App, Error, act};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// What the key is trusted with.
    pub roles: BTreeSet<Role>,
    /// What it is for.
    pub label: String,
    /// Days until it ends; none means 90.
    pub days: Option<u32>,
}

/// All API keys.
pub async fn list(app: &App, _by: &Authorized<uses::ViewApiKeys>) -> Result<Vec<ApiKey>, Error> {
    app.read("api_key.list", |tx| Ok(store::api_key::all(tx)?)).await
}

/// One API key.
pub async fn find(app: &App, _by: &Authorized<uses::ViewApiKeys>, id: &ApiKeyId) -> Result<ApiKey, Error> {
    let id = id.clone();
    app.read("api_key.find", move |tx| {
        store::api_key::find(tx, &id)?.map(|(key, _)| key).ok_or_else(|| Error::not_found("api_key", &id))
    })
    .await
}

/// Makes an API key. The key itself is answered once and kept only as a hash.
pub async fn create(
    app: &App,
    by: &Authorized<uses::CreateApiKey>,
    input: NewApiKey,
) -> Result<(ApiKey, Zeroizing<String>), Error> {
    act::audited(app, by.actor(), Action::ApiKeyCreate, "", async {
        refuse_no_roles(&input.roles)?;
        refuse_more_than_held(by.actor(), &input.roles, Permission::CreateApiKey)?;
        let life = input.days.map_or(API_KEY_LIFE, |days| i64::from(days.clamp(1, 3_650)) * DAY);
        let key = ApiKey {
            id: ApiKeyId::random(app.random()),
            label: input.label.chars().filter(|c| !c.is_control()).take(100).collect(),
            roles: input.roles,
            created_by: by.actor().name(),
            created: app.now(),
            expires: app.now().plus(life),
            last_used: None,
        };
        let secret = Zeroizing::new(hex(&random_bytes::<32>(app.random())));
        let event = Event::done(app.now(), by.actor(), Action::ApiKeyCreate, key.id.as_str())
            .with(Field::Label, &key.label)
            .with(Field::Roles, role_names(&key.roles));
        let (row, hash) = (key.clone(), sha256(secret.as_bytes()));
        app.commit("api_key.create", move |tx| {
            store::api_key::insert(tx, &row, &hash)?;
            act::record(tx, &event)
        })
        .await?;
        let shown = Zeroizing::new(format!("clv_{}_{}", key.id, secret.as_str()));
        Ok((key, shown))
    })
    .await
}

/// Changes what a key is trusted with.
pub async fn set_roles(
    app: &App,
    by: &Authorized<uses::UpdateApiKey>,
    id: &ApiKeyId,
    roles: BTreeSet<Role>,
) -> Result<ApiKey, Error> {
    act::audited(app, by.actor(), Action::ApiKeyUpdate, id.as_str(), async {
        refuse_no_roles(&roles)?;
        let (id, actor, now) = (id.clone(), by.actor().clone(), app.now());
        app.commit("api_key.set_roles", move |tx| {
            let (key, _) = store::api_key::find(tx, &id)?.ok_or_else(|| Error::not_found("api_key", &id))?;
            let changed: BTreeSet<Role> = roles.symmetric_difference(&key.roles).copied().collect();
            refuse_more_than_held(&actor, &changed, Permission::UpdateApiKey)?;
            store::api_key::set_roles(tx, &id, &roles)?;
            let event = Event::done(now, &actor, Action::ApiKeyUpdate, id.as_str())
                .with(Field::Roles, role_names(&roles));
            store::audit::record(tx, &event)?;
            Ok(ApiKey { roles: roles.clone(), ..key })
        })
        .await
    })
    .await
}

/// Revokes a key, at once.
pub async fn revoke(app: &App, by: &Authorized<uses::RevokeApiKey>, id: &ApiKeyId) -> Result<(), Error> {
    act::audited(app, by.actor(), Action::ApiKeyRevoke, id.as_str(), async {
        let (id, event) = (id.clone(), Event::done(app.now(), by.actor(), Action::ApiKeyRevoke, id.as_str()));
        app.commit("api_key.revoke", move |tx| {
            store::api_key::find(tx, &id)?.ok_or_else(|| Error::not_found("api_key", &id))?;
            store::api_key::remove(tx, &id)?;
            act::record(tx, &event)
        })
        .await
    })
    .await
}

fn refuse_no_roles(roles: &BTreeSet<Role>) -> Result<(), Refusal> {
    if roles.is_empty() {
        return Err(Refusal::new("invalid_role", "an API key needs at least one role", "Name a role."));
    }
    Ok(())
}
