//! The first start: administrator, identity, the PIN of token `0`, the factory certificate, the recovery passphrase.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use domain::Actor;
use domain::audit::{Action, Event, Field};
use domain::clock::random_bytes;
use domain::id::{IssuerId, TargetId, TokenId, UserId};
use domain::installation::Identity;
use domain::issuer::{Issuer, IssuerKind, Profile};
use domain::permission::{Role, authorize, uses};
use domain::pin::plain;
use domain::target::Target;
use domain::token::{KeySlot, Token, TokenKind};
use domain::user::{PASSWORD_MIN, User, parse_user_name};
use pki::Refusal;
use pki::identity::sha256;
use pki::seal::constant_time_eq;
use token::{DataKey, slot};
use zeroize::Zeroizing;

use crate::certificate::factory;
use crate::{App, Error, access, act, audit, backup, setting, token as tokens};

/// The one-time code of the setup link (or of a demonstration's log-in link), kept only as a hash.
#[derive(Default)]
pub struct SetupCode(Mutex<Option<[u8; 32]>>);

impl SetupCode {
    /// Makes a new code; the one before no longer counts.
    pub fn renew(&self, random: &dyn domain::Random) -> Zeroizing<String> {
        let code = Zeroizing::new(pki::identity::hex(&random_bytes::<16>(random)));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sha256(code.as_bytes()));
        code
    }

    /// Whether this is the code.
    pub fn is(&self, code: &str) -> bool {
        let kept = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.is_some_and(|kept| constant_time_eq(&kept, &sha256(code.trim().as_bytes())))
    }

    /// Uses the code up, if it is the right one.
    pub fn take(&self, code: &str) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let right = kept.is_some_and(|kept| constant_time_eq(&kept, &sha256(code.trim().as_bytes())));
        if right {
            *kept = None;
        }
        right
    }
}

/// What the first start asks for.
pub struct Install {
    /// Log-in name of the first administrator.
    pub admin_name: String,
    /// Password of the first administrator.
    pub admin_password: Zeroizing<String>,
    /// What this server is.
    pub identity: Identity,
    /// The PIN of token `0`.
    pub pin: Zeroizing<String>,
    /// The recovery passphrase; made here when none is given.
    pub recovery: Option<Zeroizing<String>>,
}

/// What the first start gives back once.
pub struct Installed {
    /// The recovery passphrase: with a backup file it is enough to sign again on an empty machine.
    pub recovery: Zeroizing<String>,
    /// The first administrator.
    pub admin: User,
}

/// Whether the first start was finished.
pub async fn is_installed(app: &App) -> Result<bool, Error> {
    app.read("setup.is_installed", |tx| Ok(store::setting::text(tx, setting::ENVIRONMENT)?.is_some())).await
}

/// Does the first start. With a code it comes from the setup page; without, from who holds the data directory.
pub async fn install(app: &App, code: Option<&str>, input: Install) -> Result<Installed, Error> {
    // A stranger who guesses codes must not make us write: this refusal leaves no event.
    if code.is_some_and(|code| !app.setup_code().is(code)) {
        let repair = "Use the newest link that the server printed.";
        return Err(Refusal::new("setup.code", "the setup code is not right", repair).into());
    }
    // One after the other: a second click must not make another recovery passphrase than the one that is shown.
    let _turn = app.setup_turn().lock().await;
    audit::begin_head(app).await?;
    act::audited(app, &Actor::Installer, Action::Installed, "", async {
        if is_installed(app).await? {
            let what = "the first start was finished before";
            return Err(Error::conflict("setup.done", what, "Log in as an administrator."));
        }
        let name = check(app, &input)?;
        let recovery = backup::arm_recovery(app, input.recovery.clone()).await?;
        let admin = store_all(app, name, &input).await?;
        app.setup_code().take(code.unwrap_or_default());
        tokens::open_system(app).await?;
        factory::ensure(app).await?;
        Ok(Installed { recovery, admin })
    })
    .await
}

fn check(app: &App, input: &Install) -> Result<String, Error> {
    let wrong = complaints(app, input);
    match parse_user_name(&input.admin_name) {
        Some(name) if wrong.is_empty() => Ok(name),
        Some(_) | None => Err(Error::Invalid(wrong)),
    }
}

/// All that is wrong with what was entered, by field. It says nothing about this server, and asks nothing of it.
pub fn complaints(app: &App, input: &Install) -> Vec<(String, Refusal)> {
    let mut wrong = Vec::new();
    if parse_user_name(&input.admin_name).is_none() {
        let what = "the name must be 1 to 64 letters, digits or . - _ @";
        wrong.push(("admin_name".to_owned(), Refusal::new("user.name", what, "Choose another name.")));
    }
    if let Err(refusal) = crate::user::check_password(&input.admin_password) {
        wrong.push(("admin_password".to_owned(), refusal));
    }
    if let Err(refusal) = tokens::check_policy(plain(&input.pin), app.config().pin_policy) {
        wrong.push(("pin".to_owned(), refusal));
    }
    if let Err(refusal) = input.identity.check() {
        wrong.push((refusal.place.clone(), refusal));
    }
    if let Some(given) = &input.recovery
        && given.chars().count() < PASSWORD_MIN
    {
        let what = format!("the recovery passphrase has fewer than {PASSWORD_MIN} characters");
        wrong.push((
            "recovery".to_owned(),
            Refusal::new("recovery.short", what, "Make it longer, or leave it out."),
        ));
    }
    wrong
}

async fn store_all(app: &App, name: String, input: &Install) -> Result<User, Error> {
    let now = app.now();
    let admin = User {
        id: UserId::random(app.random()),
        name,
        roles: BTreeSet::from(Role::ALL),
        disabled: false,
        created: now,
    };
    let password = access::hash_password(app, &input.admin_password).await?;
    let slots = make_slots(app, plain(&input.pin)).await?;
    let (identity, nonce) = (input.identity.clone(), random_bytes::<12>(app.random()));
    let by = authorize(&Actor::Installer, uses::ManageSettings, "")?;
    let event = Event::done(now, by.actor(), Action::Installed, "")
        .with(Field::User, &admin.name)
        .with(Field::Environment, &identity.environment);
    let user = admin.clone();
    app.commit("setup.install", move |tx| {
        store::user::insert(tx, &user, &password)?;
        for (token, kept) in &slots {
            store::token::insert(tx, token)?;
            store::token::put_slot(tx, kept)?;
        }
        for issuer in issuers(now) {
            store::issuer::insert(tx, &issuer)?;
        }
        for profile in Profile::built_in() {
            store::profile::insert(tx, &profile)?;
        }
        store::target::insert(tx, &edge_target(now), &[], nonce)?;
        setting::put_identity(tx, &identity)?;
        act::record(tx, &event)
    })
    .await?;
    Ok(admin)
}

async fn make_slots(app: &App, pin: &str) -> Result<Vec<(Token, KeySlot)>, Error> {
    let (pin, instance, random) =
        (Zeroizing::new(pin.to_owned()), Arc::clone(app.instance()), app.random_source());
    app.deriving(move || {
        let (soft, system) = (DataKey::generate(&*random), DataKey::generate(&*random));
        let pin_slot = slot::pin_slot(&TokenId::soft(), &soft, &pin, &instance, &*random)?;
        let instance_slot = slot::instance_slot(&TokenId::system(), &system, &instance, &*random);
        Ok(vec![
            (software(TokenId::soft(), "softToken-0"), pin_slot),
            (software(TokenId::system(), "system"), instance_slot),
        ])
    })
    .await?
}

fn software(id: TokenId, label: &str) -> Token {
    Token {
        id,
        kind: TokenKind::Software,
        label: label.to_owned(),
        initialized: true,
        wrong_pins: 0,
        last_wrong: None,
        locked: false,
    }
}

fn issuers(created: domain::Moment) -> Vec<Issuer> {
    let issuer = |id: &str, kind, label: &str| Issuer {
        id: IssuerId::of(id),
        kind,
        label: label.to_owned(),
        withdrawn: false,
        created,
        authority: None,
    };
    vec![
        issuer("internal", IssuerKind::Internal, "Internal CA"),
        issuer("manual", IssuerKind::Manual, "A CA that a person asks"),
        issuer("self-signed", IssuerKind::SelfSigned, "Self-signed"),
    ]
}

fn edge_target(created: domain::Moment) -> Target {
    Target {
        id: TargetId::edge(),
        kind: "edge".to_owned(),
        label: "The edge in this server".to_owned(),
        settings: std::collections::BTreeMap::new(),
        addresses: Vec::new(),
        created,
    }
}
