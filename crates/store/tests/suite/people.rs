//! Users, sessions, API keys, settings, repeated requests.

use std::collections::{BTreeMap, BTreeSet};

use domain::id::{ApiKeyId, UserId};
use domain::session::{IDLE, LONGEST};
use domain::user::{ApiKey, User};
use domain::{Moment, Role};
use store::idempotency::{self, StoredAnswer};
use store::{Error, Tx, api_key, session, setting, user};
use testkit::fresh_stores;

fn person(name: &str) -> User {
    User {
        id: UserId::of(format!("usr-{name}")),
        name: name.to_owned(),
        roles: Role::ALL.into_iter().collect(),
        disabled: false,
        created: Moment(1),
    }
}

fn users(tx: &Tx) -> Result<(), Error> {
    let mut ann = person("ann");
    user::insert(tx, &ann, "hash 1")?;
    user::insert(tx, &person("bob"), "hash 2")?;
    let refused = tx.attempt(|tx| user::insert(tx, &User { id: UserId::of("usr-x"), ..person("ann") }, "x"));
    assert!(matches!(refused, Err(Error::Conflict { what }) if what == "user.name"));
    assert_eq!(user::by_name(tx, "ann")?, Some((ann.clone(), "hash 1".to_owned())));
    assert_eq!(user::count_active_with_role(tx, Role::SystemAdministrator)?, 2);
    ann.roles = BTreeSet::from([Role::Observer]);
    user::update(tx, &ann)?;
    user::update(tx, &User { disabled: true, ..person("bob") })?;
    assert_eq!(user::count_active_with_role(tx, Role::SystemAdministrator)?, 0);
    assert_eq!(user::count_active_with_role(tx, Role::Observer)?, 1);
    user::set_password(tx, &ann.id, "hash 3")?;
    assert_eq!(user::password(tx, &ann.id)?.as_deref(), Some("hash 3"));
    assert_eq!((user::find(tx, &ann.id)?, user::count(tx)?), (Some(ann.clone()), 2));
    assert_eq!(user::all(tx)?.len(), 2);
    ann.roles.clear();
    user::update(tx, &ann)?;
    assert_eq!(user::find(tx, &ann.id)?, Some(ann));
    assert_eq!(user::failures(tx, "stranger")?, (0, None));
    user::record_failure(tx, "stranger", 1, Some(Moment(5)))?;
    user::record_failure(tx, "stranger", 2, Some(Moment(6)))?;
    assert_eq!(user::failures(tx, "stranger")?, (2, Some(Moment(6))));
    user::record_failure(tx, "stranger", 0, None)?;
    assert_eq!(user::failures(tx, "stranger")?, (0, None));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_their_passwords() {
    for fresh in fresh_stores().await {
        fresh.store.tx("users", users).await.expect("all holds");
    }
}

fn sessions(tx: &Tx) -> Result<(), Error> {
    let ann = person("ann");
    user::insert(tx, &ann, "x")?;
    let start = Moment(LONGEST);
    for number in 1..=4 {
        session::insert(tx, &[number; 32], &ann.id, "csrf", start)?;
    }
    let found = session::find(tx, &[1; 32])?.expect("the session");
    assert_eq!(
        (found.user, found.csrf.as_str(), found.created, found.seen),
        (ann.id.clone(), "csrf", start, start)
    );
    session::touch(tx, &[1; 32], start.plus(IDLE))?;
    session::remove(tx, &[4; 32])?;
    assert_eq!(session::remove_dead(tx, start.plus(IDLE - 1))?, 0);
    assert_eq!(session::remove_dead(tx, start.plus(IDLE))?, 2);
    session::touch(tx, &[1; 32], start.plus(LONGEST - 1))?;
    assert_eq!(session::remove_dead(tx, start.plus(LONGEST - 1))?, 0);
    assert_eq!(session::remove_dead(tx, start.plus(LONGEST))?, 1, "8 hours in any case");
    session::insert(tx, &[5; 32], &ann.id, "csrf", start)?;
    assert_eq!(session::remove_of_user(tx, &ann.id)?, 1);
    assert_eq!(session::find(tx, &[5; 32])?, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_when_domain_says_so() {
    for fresh in fresh_stores().await {
        fresh.store.tx("sessions", sessions).await.expect("all holds");
    }
}

fn programs(tx: &Tx) -> Result<(), Error> {
    let mut key = ApiKey {
        id: ApiKeyId::of("abc"),
        label: "deploy".to_owned(),
        roles: BTreeSet::from([Role::Observer, Role::SecurityOfficer]),
        created_by: "user:ann".to_owned(),
        created: Moment(1),
        expires: Moment(100),
        last_used: None,
    };
    api_key::insert(tx, &key, &[6; 32])?;
    assert_eq!(api_key::find(tx, &key.id)?, Some((key.clone(), [6; 32])));
    key.roles.remove(&Role::SecurityOfficer);
    key.last_used = Some(Moment(60));
    api_key::set_roles(tx, &key.id, &key.roles)?;
    api_key::touch(tx, &key.id, Moment(60))?;
    assert_eq!(api_key::all(tx)?, [key.clone()]);
    assert!(api_key::remove(tx, &key.id)? && !api_key::remove(tx, &key.id)?);
    Ok(())
}

fn odds(tx: &Tx) -> Result<(), Error> {
    setting::put(tx, "a", "1")?;
    setting::put(tx, "a", "2")?;
    setting::put(tx, "b", "")?;
    assert_eq!(setting::text(tx, "a")?.as_deref(), Some("2"));
    setting::remove(tx, "a")?;
    assert_eq!(setting::all(tx)?, BTreeMap::from([("b".to_owned(), String::new())]));
    let answer = StoredAnswer { request_mark: [1; 32], status: 201, body: b"{}".to_vec(), at: Moment(5) };
    assert!(idempotency::insert(tx, "user:ann", "k", &answer)?);
    assert!(!idempotency::insert(tx, "user:ann", "k", &StoredAnswer { status: 500, ..answer.clone() })?);
    assert_eq!(idempotency::find(tx, "user:ann", "k")?, Some(answer));
    assert_eq!(idempotency::find(tx, "user:bob", "k")?, None);
    assert_eq!(
        (idempotency::remove_before(tx, Moment(5))?, idempotency::remove_before(tx, Moment(6))?),
        (0, 1)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn api_keys_settings_and_repeated_requests() {
    for fresh in fresh_stores().await {
        fresh.store.tx("programs", programs).await.expect("all holds");
        fresh.store.tx("odds", odds).await.expect("all holds");
    }
}
