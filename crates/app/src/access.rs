//! Who is asking: people by password and session, programs by API key.

use std::sync::Arc;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};
use domain::audit::{Action, Event, Field};
use domain::clock::{MINUTE, random_bytes};
use domain::id::ApiKeyId;
use domain::permission::uses;
use domain::pin::{Attempt, plan_attempt};
use domain::user::{ApiKey, User, parse_user_name};
use domain::{Actor, Authorized, Moment, Random};
use pki::Refusal;
use pki::identity::{hex, sha256};
use pki::seal::constant_time_eq;
use store::Tx;
use zeroize::Zeroizing;

use crate::{App, Error, act};

/// Wrong passwords after which a name waits longer each time; it never locks for good, or anyone could lock it.
const PASSWORD_TRIES: u32 = u32::MAX;
/// Misses of a name that cost nothing: people mistype.
const FREE_MISSES: u32 = 3;
/// Beyond so many misses of a name they are not counted on; the wait has its full length long before.
const MOST_MISSES: u32 = 40;
/// A log-in is refused at the end of one of these, counted from its begin.
const PACE: Duration = Duration::from_millis(400);

/// A session that was just opened.
pub struct LoggedIn {
    /// The secret that the browser keeps in its cookie.
    pub secret: Zeroizing<String>,
    /// The token against cross-site requests.
    pub csrf: String,
    /// Who.
    pub user: User,
}

/// A session that is open.
#[derive(Clone, Debug)]
pub struct Live {
    /// Who acts.
    pub actor: Actor,
    /// The same as a user.
    pub user: User,
    /// The token against cross-site requests.
    pub csrf: String,
}

/// Logs a person in. Unknown name and wrong password get the same answer after the same work.
pub async fn log_in(app: &App, name: &str, password: &str, address: &str) -> Result<LoggedIn, Error> {
    let user = recognise(app, name, password, address).await?;
    open_session(app, user, address).await
}

/// Opens a session for somebody who proved himself in another way: the one-time link of the first start.
pub(crate) async fn open_session(app: &App, user: User, address: &str) -> Result<LoggedIn, Error> {
    let secret = Zeroizing::new(hex(&random_bytes::<32>(app.random())));
    let csrf = hex(&random_bytes::<16>(app.random()));
    let (id, now) = (sha256(secret.as_bytes()), app.now());
    let event =
        Event::done(now, &actor_of(&user), Action::LogIn, user.id.as_str()).with(Field::Address, address);
    let (who, token) = (user.id.clone(), csrf.clone());
    app.commit("session.open", move |tx| {
        store::session::insert(tx, &id, &who, &token, now)?;
        act::record(tx, &event)
    })
    .await?;
    Ok(LoggedIn { secret, csrf, user })
}

/// Recognises a session by its secret and notes that it was used (to the minute).
pub async fn session(app: &App, secret: &str) -> Result<Option<Live>, Error> {
    let (id, now) = (sha256(secret.as_bytes()), app.now());
    let found = app
        .read("session.find", move |tx| {
            let Some(row) = store::session::find(tx, &id)? else {
                return Ok(None);
            };
            let user = store::user::find(tx, &row.user)?;
            Ok(user.map(|user| (row, user)))
        })
        .await?;
    let live =
        found.filter(|(row, user)| !user.disabled && domain::session::is_live(row.created, row.seen, now));
    let Some((row, user)) = live else { return Ok(None) };
    if now.since(row.seen) >= MINUTE {
        app.store()
            .tx("session.touch", move |tx| Ok::<_, Error>(store::session::touch(tx, &id, now)?))
            .await?;
    }
    Ok(Some(Live { actor: actor_of(&user), user, csrf: row.csrf }))
}

/// Ends a session.
pub async fn log_out(app: &App, by: &Authorized<uses::SeeOneself>, secret: &str) -> Result<(), Error> {
    let id = sha256(secret.as_bytes());
    let event = Event::done(app.now(), by.actor(), Action::LogOut, "");
    app.commit("session.log_out", move |tx| {
        store::session::remove(tx, &id)?;
        act::record(tx, &event)
    })
    .await
}

/// Recognises a program by its API key, `clv_<id>_<secret>`.
pub async fn api_key(app: &App, presented: &str) -> Result<Option<Actor>, Error> {
    let Some((id, secret)) = presented.trim().strip_prefix("clv_").and_then(|rest| rest.split_once('_'))
    else {
        return Ok(None);
    };
    let (Ok(id), hash, now) = (id.parse::<ApiKeyId>(), sha256(secret.as_bytes()), app.now()) else {
        return Ok(None);
    };
    let found = app
        .read("api_key.find", move |tx| {
            let Some((key, expected)) = store::api_key::find(tx, &id)? else { return Ok(None) };
            let is_out = made_by_disabled(tx, &key)?;
            Ok(Some((key, expected, is_out)))
        })
        .await?;
    let Some((key, expected, is_out)) = found else {
        return Ok(None);
    };
    if !constant_time_eq(&hash, &expected) || key.expires <= now || is_out {
        return Ok(None);
    }
    note_use(app, &key).await?;
    Ok(Some(Actor::ApiKey { id: key.id, roles: key.roles }))
}

/// Whether somebody who came in a while ago would still come in as what he was: not disabled, revoked or ended, and with
/// the same roles. Sessions are not looked at.
pub async fn stands(app: &App, actor: &Actor) -> Result<bool, Error> {
    let (actor, now) = (actor.clone(), app.now());
    app.read("access.stands", move |tx| match &actor {
        Actor::User { id, roles, .. } => {
            let user = store::user::find(tx, id)?;
            Ok(user.is_some_and(|user| !user.disabled && user.roles == *roles))
        }
        Actor::ApiKey { id, roles } => match store::api_key::find(tx, id)? {
            Some((key, _)) => Ok(key.expires > now && key.roles == *roles && !made_by_disabled(tx, &key)?),
            None => Ok(false),
        },
        Actor::Scheduler | Actor::Edge | Actor::Installer => Ok(true),
    })
    .await
}

/// Who may not come in himself leaves no key behind that may: it rests for as long as he is disabled.
fn made_by_disabled(tx: &Tx<'_>, key: &ApiKey) -> Result<bool, Error> {
    let Some(name) = key.created_by.strip_prefix("user:") else { return Ok(false) };
    Ok(store::user::by_name(tx, name)?.is_some_and(|(maker, _)| maker.disabled))
}

async fn note_use(app: &App, key: &ApiKey) -> Result<(), Error> {
    let now = app.now();
    if key.last_used.is_some_and(|last| now.since(last) < MINUTE) {
        return Ok(());
    }
    let id = key.id.clone();
    app.store().tx("api_key.touch", move |tx| Ok::<_, Error>(store::api_key::touch(tx, &id, now)?)).await
}

/// Recognises a person by name and password for one request (HTTP Basic) or command.
pub async fn basic(app: &App, name: &str, password: &str, address: &str) -> Result<Actor, Error> {
    Ok(actor_of(&recognise(app, name, password, address).await?))
}

/// Checks a stranger's password; a wrong one for a known name is recorded. Wrong ones are counted by name and by
/// address: a name waits longer each time, an address with many goes slowly.
async fn recognise(app: &App, name: &str, password: &str, address: &str) -> Result<User, Error> {
    app.tries().begin(address, app.now()).await?;
    let begun = Instant::now();
    let checked = in_place(app, name, password).await;
    if !matches!(&checked, Err(Error::Refused(_))) {
        app.tries().forgive(address);
    }
    if let Err(error @ Error::Refused(_)) = &checked
        && let Some(known) = known_user(app, name).await?
    {
        act::refused(app, &actor_of(&known), Action::LogIn, known.id.as_str(), error).await?;
    }
    if checked.is_err() {
        rest(begun).await;
    }
    checked
}

/// Waits for the end of a [`PACE`]: of a known name a wrong password is written down, of an unknown one nothing is, and
/// the time of the answer must not tell them apart.
async fn rest(begun: Instant) {
    let over = begun.elapsed().as_nanos() % PACE.as_nanos();
    tokio::time::sleep(PACE.saturating_sub(Duration::from_nanos(u64::try_from(over).unwrap_or_default())))
        .await;
}

/// Whoever waits for his address' pause holds no place among the log-ins.
async fn in_place(app: &App, name: &str, password: &str) -> Result<User, Error> {
    let _place = app.log_in_place()?;
    check_password(app, name, password).await
}

/// Proves again who somebody is.
pub(crate) async fn prove(app: &App, name: &str, password: &str) -> Result<(), Error> {
    check_password(app, name, password).await.map(drop)
}

/// The actor that a user is.
pub(crate) fn actor_of(user: &User) -> Actor {
    Actor::User { id: user.id.clone(), name: user.name.clone(), roles: user.roles.clone() }
}

async fn check_password(app: &App, name: &str, password: &str) -> Result<User, Error> {
    let canonical = parse_user_name(name).unwrap_or_else(|| "-".to_owned());
    let wanted = canonical.clone();
    let found = app.read("user.by_name", move |tx| Ok(store::user::by_name(tx, &wanted)?)).await?;
    let (user, kept) = found.unzip();
    // Counted before the check, so that many tries at once gain nothing. Of names that nobody has only in memory.
    match &user {
        Some(_) => count_miss(app, &canonical).await?,
        None => app.tries().count_name(&canonical, app.now(), may_try)?,
    }
    let password = Zeroizing::new(password.to_owned());
    let right = app.deriving(move || verify_password(&password, kept.as_deref())).await?;
    let Some(user) = user.filter(|user| right && !user.disabled) else { return Err(wrong_password()) };
    app.store()
        .tx("user.clear_tries", move |tx| {
            Ok::<_, Error>(store::user::record_failure(tx, &canonical, 0, None)?)
        })
        .await?;
    Ok(user)
}

/// Counts a try of a known name as wrong until it was right.
async fn count_miss(app: &App, name: &str) -> Result<(), Error> {
    let (name, now) = (name.to_owned(), app.now());
    app.store()
        .tx("user.count_try", move |tx| {
            tx.exclusive(&format!("log-in {name}"))?;
            let (wrong, last) = store::user::failures(tx, &name)?;
            let wrong = may_try(wrong, last, now)?;
            Ok::<_, Error>(store::user::record_failure(tx, &name, wrong, Some(now))?)
        })
        .await
}

/// Whether a name with so many misses may be tried now, and the misses with this one.
fn may_try(wrong: u32, last: Option<Moment>, now: Moment) -> Result<u32, Error> {
    match plan_attempt(wrong.saturating_sub(FREE_MISSES), last, PASSWORD_TRIES, now) {
        Attempt::Allowed => Ok(wrong.saturating_add(1).min(MOST_MISSES)),
        Attempt::Wait(until) => {
            let what = format!("after several wrong passwords the next try may come at {until}");
            Err(Error::Throttled { until, what })
        }
        Attempt::Locked => Err(wrong_password()),
    }
}

async fn known_user(app: &App, name: &str) -> Result<Option<User>, Error> {
    let Some(name) = parse_user_name(name) else { return Ok(None) };
    app.read("user.known", move |tx| Ok(store::user::by_name(tx, &name)?.map(|(user, _)| user))).await
}

fn wrong_password() -> Error {
    Refusal::new("login_failed", "name and password do not fit together", "Check both, and try again.").into()
}

/// 64 MiB, 3 passes (`SECURITY.md`): 0.15 s of one core.
pub(crate) fn argon() -> Argon2<'static> {
    // The parameters are constants within Argon2's bounds, so the default is never taken.
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(65_536, 3, 1, Some(32)).unwrap_or_default())
}

/// The stored form of a password: `argon2id$<salt hex>$<hash hex>`.
pub(crate) async fn hash_password(app: &App, password: &str) -> Result<String, Error> {
    let (password, random) = (Zeroizing::new(password.to_owned()), app.random_source());
    app.deriving(move || hash_with(&password, random_bytes::<16>(&*random as &dyn Random))).await?
}

fn hash_with(password: &str, salt: [u8; 16]) -> Result<String, Error> {
    let mut hash = Zeroizing::new([0; 32]);
    argon()
        .hash_password_into(password.as_bytes(), &salt, &mut *hash)
        .map_err(|error| Error::internal("a password could not be hashed", &error))?;
    Ok(format!("argon2id${}${}", hex(&salt), hex(&*hash)))
}

/// Whether the password is the kept one. Without a kept one the same work is done for nothing.
fn verify_password(password: &str, kept: Option<&str>) -> bool {
    let parts: Vec<&str> = kept.unwrap_or_default().split('$').collect();
    let salt = parts.get(1).and_then(|salt| unhex16(salt)).unwrap_or([7; 16]);
    match hash_with(password, salt) {
        Ok(hash) => kept.is_some_and(|kept| constant_time_eq(hash.as_bytes(), kept.as_bytes())),
        Err(_) => false,
    }
}

fn unhex16(text: &str) -> Option<[u8; 16]> {
    let mut out = [0; 16];
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(out)
}

/// Logs in the administrator of a demonstration by the one-time link that it printed.
pub async fn log_in_by_code(app: &Arc<App>, code: &str, address: &str) -> Result<LoggedIn, Error> {
    if !app.setup_code().take(code) {
        return Err(Refusal::new(
            "login_failed",
            "the one-time code is not right or was used",
            "Log in by name and password.",
        )
        .into());
    }
    let first = app
        .read("user.first", |tx| Ok(store::user::all(tx)?.into_iter().find(|user| !user.disabled)))
        .await?;
    let user = first.ok_or_else(|| Error::not_found("user", "administrator"))?;
    open_session(app, user, address).await
}
