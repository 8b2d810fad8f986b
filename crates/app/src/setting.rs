//! Settings: what this server is and what it was told, as texts by name.

use domain::Authorized;
use domain::audit::{Action, Event, Field};
use domain::installation::Identity;
use domain::permission::uses;
use pki::{Fingerprint, Refusal};
use store::Tx;

use crate::{App, Error, act};

/// The environment's name; its presence says that the first start was finished.
pub const ENVIRONMENT: &str = "identity.environment";
/// The fingerprint of the default certificate.
pub const DEFAULT_CERTIFICATE: &str = "certificate.default";
/// The fingerprint of the factory certificate.
pub const FACTORY_CERTIFICATE: &str = "certificate.factory";

const INSTANCE: &str = "identity.instance";
const MEMBER_CLASS: &str = "identity.member_class";
const MEMBER_CODE: &str = "identity.member_code";
const OWNER_NAME: &str = "identity.owner_name";
const SERVER_CODE: &str = "identity.server_code";

/// What the settings page shows.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What this server is.
    pub identity: Identity,
    /// The database engine.
    pub engine: &'static str,
    /// The address of UI and API.
    pub base_url: String,
    /// Wrong PINs until a token locks.
    pub pin_tries: u32,
}

/// See the settings.
pub async fn all(app: &App, _by: &Authorized<uses::ViewSettings>) -> Result<Settings, Error> {
    let identity = app.read("setting.all", identity).await?;
    Ok(Settings {
        identity,
        engine: app.store().engine_name(),
        base_url: app.config().base_url.clone(),
        pin_tries: app.config().pin_tries,
    })
}

/// Changes what this server is. The environment stays: keys of test and production never mix.
pub async fn update(
    app: &App,
    by: &Authorized<uses::ManageSettings>,
    identity: Identity,
) -> Result<Settings, Error> {
    act::audited(app, by.actor(), Action::SettingUpdate, "identity", async {
        identity.check()?;
        let event = Event::done(app.now(), by.actor(), Action::SettingUpdate, "identity")
            .with(Field::Setting, "identity")
            .with(Field::Environment, &identity.environment);
        let new = identity.clone();
        app.commit("setting.update", move |tx| {
            let before = self::identity(tx)?;
            if before.environment != new.environment {
                let what = format!("this server belongs to the environment {}", before.environment);
                let repair = "Set up another server for another environment.";
                return Err(Refusal::new("identity.environment", what, repair).at("environment").into());
            }
            put_identity(tx, &new)?;
            act::record(tx, &event)
        })
        .await?;
        let see = domain::authorize(by.actor(), uses::ViewSettings, "")?;
        all(app, &see).await
    })
    .await
}

/// What this server is.
pub(crate) fn identity(tx: &Tx<'_>) -> Result<Identity, Error> {
    let text = |name| Ok::<_, Error>(store::setting::text(tx, name)?.unwrap_or_default());
    Ok(Identity {
        environment: text(ENVIRONMENT)?,
        instance: text(INSTANCE)?,
        member_class: text(MEMBER_CLASS)?,
        member_code: text(MEMBER_CODE)?,
        owner_name: text(OWNER_NAME)?,
        server_code: text(SERVER_CODE)?,
    })
}

pub(crate) fn put_identity(tx: &Tx<'_>, identity: &Identity) -> Result<(), Error> {
    let rows = [
        (ENVIRONMENT, &identity.environment),
        (INSTANCE, &identity.instance),
        (MEMBER_CLASS, &identity.member_class),
        (MEMBER_CODE, &identity.member_code),
        (OWNER_NAME, &identity.owner_name),
        (SERVER_CODE, &identity.server_code),
    ];
    for (name, value) in rows {
        store::setting::put(tx, name, value)?;
    }
    Ok(())
}

/// A fingerprint that is kept as a setting.
pub(crate) fn fingerprint(tx: &Tx<'_>, name: &str) -> Result<Option<Fingerprint>, Error> {
    Ok(store::setting::text(tx, name)?.and_then(|text| text.parse().ok()))
}

pub(crate) fn put_fingerprint(tx: &Tx<'_>, name: &str, fingerprint: &Fingerprint) -> Result<(), Error> {
    Ok(store::setting::put(tx, name, &fingerprint.to_string())?)
}
