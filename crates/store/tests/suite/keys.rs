//! Tokens, slots, keys, CSRs, issuers, profiles.

use domain::Moment;
use domain::csr::CsrState;
use domain::id::{CsrId, IssuerId, ProfileId, TokenId};
use domain::issuer::{Authority, Profile};
use domain::key::{Durability, Exportable, KeyState, KeyUsage};
use domain::token::{KeySlot, SlotKind};
use pki::KeyId;
use store::csr::CsrFilter;
use store::key::KeyFilter;
use store::token::Attempts;
use store::{Error, Page, Tx, certificate, csr, issuer, key, profile, token};
use testkit::fresh_stores;

use crate::world;

fn tokens(tx: &Tx) -> Result<(), Error> {
    token::insert(tx, &world::token())?;
    let id = TokenId::soft();
    assert_eq!(token::all(tx)?, [world::token()]);
    let slot = KeySlot {
        token: id.clone(),
        kind: SlotKind::Pin,
        salt: vec![1, 2],
        parameters: "m=65536".to_owned(),
        sealed: vec![3],
    };
    token::put_slot(tx, &slot)?;
    let newer = KeySlot { sealed: vec![4, 5], ..slot.clone() };
    token::put_slot(tx, &newer)?;
    assert!(token::slot(tx, &id, SlotKind::Pin)? == Some(newer));
    assert!(token::slot(tx, &id, SlotKind::Instance)?.is_none());
    token::record_attempt(tx, &id, &Attempts { wrong_pins: 3, last_wrong: Some(Moment(9)), locked: true })?;
    token::rename(tx, &id, "Other")?;
    let found = token::find(tx, &id)?.expect("the token");
    assert_eq!((found.wrong_pins, found.last_wrong, found.locked), (3, Some(Moment(9)), true));
    assert_eq!((found.label.as_str(), found.initialized), ("Other", true));
    token::remove_slot(tx, &id, SlotKind::Pin)?;
    assert!(!token::find(tx, &id)?.expect("the token").initialized);
    let missing = token::rename(tx, &TokenId::of("none"), "x");
    assert!(matches!(missing, Err(Error::Missing { what: "token" })));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_slots() {
    for fresh in fresh_stores().await {
        fresh.store.tx("tokens", tokens).await.expect("all holds");
    }
}

fn keys(tx: &Tx) -> Result<(), Error> {
    world::seed(tx)?;
    let (first, sealed) = world::key("first");
    assert_eq!(key::find(tx, &first.id)?, Some(first.clone()));
    assert!(key::sealed(tx, &first.id)? == Some(sealed));
    assert_eq!(key::by_label(tx, "first")?, Some(first.clone()));
    key::set_usage(tx, &first.id, KeyUsage::Tls)?;
    key::lower_exportable(tx, &first.id, Exportable::Never, &[9, 9])?;
    let resealed = key::sealed(tx, &first.id)?.expect("the private half");
    assert!(resealed.exportable == Exportable::Never && resealed.sealed == [9, 9]);
    key::mark_exported(tx, &first.id, Moment(7))?;
    key::mark_exported(tx, &first.id, Moment(8))?;
    let held = key::not_backed_up(tx)?;
    assert_eq!((held.as_slice(), key::mark_backed_up(tx, &held)?), ([first.id].as_slice(), 1));
    assert_eq!((key::mark_backed_up(tx, &held)?, key::not_backed_up(tx)?), (0, Vec::new()));
    let found = key::find(tx, &first.id)?.expect("the key");
    assert_eq!((found.exported, found.usage), (Some(Moment(7)), Some(KeyUsage::Tls)));
    assert_eq!((found.durability, found.exportable), (Durability::BackedUp, Exportable::Never));
    assert_eq!(key::count_in_token(tx, &TokenId::soft())?, 1);
    assert!(key::ids_of_token(tx, &TokenId::soft())?.contains(&first.id));
    assert!(key::ids_of_token(tx, &TokenId::system())?.is_empty());

    key::set_state(tx, &first.id, KeyState::Retired, Some(Moment(50)))?;
    assert_eq!(key::retired_before(tx, Moment(50), 10)?.len(), 0);
    assert_eq!(key::retired_before(tx, Moment(51), 10)?.len(), 1);
    key::destroy(tx, &first.id)?;
    assert!(key::sealed(tx, &first.id)?.is_none());
    assert_eq!(key::find(tx, &first.id)?.expect("the history").state, KeyState::Destroyed);
    assert_eq!((key::by_label(tx, "first")?, key::of_token(tx, &TokenId::soft())?), (None, Vec::new()));
    assert_eq!(key::count_by_state(tx)?, [(KeyState::Destroyed, 1)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_their_private_halves() {
    for fresh in fresh_stores().await {
        fresh.store.tx("keys", keys).await.expect("all holds");
    }
}

/// RSA keys take a while: one may bear a time before the copy began, and be committed after.
fn made_during_a_backup(tx: &Tx) -> Result<(), Error> {
    world::seed(tx)?;
    let held = key::not_backed_up(tx)?;
    let (mut late, sealed) = world::key("late");
    late.created = Moment(0);
    key::insert(tx, &late, &sealed)?;
    assert_eq!(key::mark_backed_up(tx, &held)?, 1);
    assert_eq!(key::not_backed_up(tx)?, [late.id]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_made_during_a_backup_is_not_in_it() {
    for fresh in fresh_stores().await {
        fresh.store.tx("backup", made_during_a_backup).await.expect("all holds");
    }
}

fn unique_labels(tx: &Tx) -> Result<(), Error> {
    world::seed(tx)?;
    let (first, _) = world::key("first");
    let (mut other, mut sealed) = world::key("other");
    other.label = "first".to_owned();
    let refused = tx.attempt(|tx| key::insert(tx, &other, &sealed));
    assert!(matches!(refused, Err(Error::Conflict { what }) if what == "key.label"));
    let refused = tx.attempt(|tx| key::insert(tx, &world::key("first").0, &sealed));
    assert!(matches!(refused, Err(Error::Conflict { what }) if what == "key.id" || what == "key.label"));
    key::destroy(tx, &first.id)?;
    key::insert(tx, &other, &sealed)?;
    (other, sealed) = world::key("third");
    key::insert(tx, &other, &sealed)?;
    let refused = tx.attempt(|tx| key::set_label(tx, &other.id, "first"));
    assert!(matches!(refused, Err(Error::Conflict { what }) if what == "key.label"));
    other.token = TokenId::of("nowhere");
    other.id = KeyId([0; 32]);
    other.label = "fourth".to_owned();
    assert!(matches!(tx.attempt(|tx| key::insert(tx, &other, &sealed)), Err(Error::Reference)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_is_free_again_when_its_key_is_destroyed() {
    for fresh in fresh_stores().await {
        fresh.store.tx("labels", unique_labels).await.expect("all holds");
    }
}

fn pages_of_keys(tx: &Tx) -> Result<(), Error> {
    world::seed(tx)?;
    for label in ["beta", "Alpha", "100%", "Ömer", "gamma: x", "delta"] {
        let (key, sealed) = world::key(label);
        key::insert(tx, &key, &sealed)?;
    }
    let mut page = Page::first(2);
    let mut labels = Vec::new();
    loop {
        let keys = key::list(tx, &KeyFilter::default(), &page)?;
        let Some(last) = keys.last() else { break };
        page.after = Some(key::cursor(last));
        labels.extend(keys.into_iter().map(|key| key.label));
    }
    assert_eq!(labels, ["100%", "Alpha", "beta", "delta", "first", "gamma: x", "Ömer"]);
    let search = |text: &str| {
        let filter =
            KeyFilter { text: Some(text.to_owned()), token: Some(TokenId::soft()), ..KeyFilter::default() };
        Ok::<_, Error>(key::list(tx, &filter, &Page::first(10))?.len())
    };
    assert_eq!((search("ALPHA")?, search("öM")?, search("%")?, search("_")?, search(" ")?), (1, 1, 1, 0, 7));
    let usage =
        KeyFilter { usage: Some(KeyUsage::Sign), state: Some(KeyState::Active), ..KeyFilter::default() };
    assert!(key::list(tx, &usage, &Page::first(10))?.is_empty());
    let bad = Page { after: Some("nonsense".to_owned()), limit: 1 };
    assert!(matches!(key::list(tx, &KeyFilter::default(), &bad), Err(Error::Cursor)));
    let id = world::key("beta").0.id;
    key::set_label(tx, &id, "Renamed")?;
    assert_eq!((search("renamed")?, search("beta")?), (1, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_in_pages() {
    for fresh in fresh_stores().await {
        fresh.store.tx("pages", pages_of_keys).await.expect("all holds");
    }
}

fn requests(tx: &Tx) -> Result<(), Error> {
    world::seed(tx)?;
    let id = world::key("first").0.id;
    let (one, mut two) = (world::csr("csr-1", id), world::csr("csr-2", id));
    two.lineage = Some(world::lineage("lin-1").id);
    csr::insert(tx, &one)?;
    csr::insert(tx, &two)?;
    assert_eq!(csr::find(tx, &two.id)?, Some(two.clone()));
    assert_eq!(csr::of_key(tx, &id)?, [two.clone(), one.clone()]);
    csr::set_state(tx, &one.id, CsrState::Fulfilled)?;
    assert_eq!(csr::waiting_of_key(tx, &id)?, [two.clone()]);
    assert_eq!(csr::count_waiting(tx)?, 1);
    let first = csr::list(tx, &CsrFilter::default(), &Page::first(1))?;
    assert_eq!(first, [two.clone()]);
    let page = Page { after: Some(csr::cursor(&two)), limit: 9 };
    assert_eq!(csr::list(tx, &CsrFilter::default(), &page)?.len(), 1);
    let narrow = CsrFilter {
        state: Some(CsrState::Waiting),
        key: Some(id),
        lineage: two.lineage.clone(),
        text: Some("REQUEST csr-2".to_owned()),
    };
    assert_eq!(csr::list(tx, &narrow, &Page::first(9))?, [two]);
    assert!(csr::find(tx, &CsrId::of("none"))?.is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn csrs_stay_byte_for_byte() {
    for fresh in fresh_stores().await {
        fresh.store.tx("csrs", requests).await.expect("all holds");
    }
}

fn issuers(tx: &Tx) -> Result<(), Error> {
    world::seed(tx)?;
    let id = IssuerId::of("internal");
    assert_eq!(issuer::find(tx, &id)?, Some(world::issuer("internal")));
    issuer::set_withdrawn(tx, &id, true)?;
    certificate::insert(tx, &world::entry(world::root(), "Root"))?;
    let root = world::root().fingerprint();
    let authority = Authority { root, intermediate: root, key: world::key("first").0.id };
    issuer::set_authority(tx, &id, &authority)?;
    let all = issuer::all(tx)?;
    assert!(all.len() == 1 && all[0].withdrawn && all[0].authority == Some(authority));
    let mut profiles = Profile::built_in();
    profiles.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(profile::all(tx)?, profiles);
    assert_eq!(profile::find(tx, &ProfileId::of("tls"))?, Some(Profile::built_in()[0].clone()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn issuers_and_profiles() {
    for fresh in fresh_stores().await {
        fresh.store.tx("issuers", issuers).await.expect("all holds");
    }
}
