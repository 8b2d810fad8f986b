//! What no role may bring about: served keys deleted, other people's roles taken over, tries that are not counted.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use claviger_app::certificate::{self, ExportForm, TrustPassphrase, Wanted};
use claviger_app::filter::{CertificateFilter, KeyFilter};
use claviger_app::idempotency::Recalled;
use claviger_app::state::World;
use claviger_app::testing::{ADMIN, Fixture, InstanceKey, PASSWORD, PIN};
use claviger_app::user::{self, NewUser, UserChange};
use claviger_app::{App, Config, Error, Page, access, audit, backup, idempotency, key, token};
use common::{House, START, houses};
use domain::audit::{Action, Event};
use domain::clock::DAY;
use domain::id::TokenId;
use domain::key::{Durability, KeyUsage};
use domain::permission::{Role, uses};
use domain::token::TokenState;
use domain::{Actor, authorize};
use pki::KeyId;
use testkit::{SeededRandom, TestClock, fresh_stores};
use zeroize::Zeroizing;

fn code(error: &Error) -> String {
    error.code()
}

async fn keys(house: &House, usage: KeyUsage) -> Vec<key::KeyView> {
    let see = house.fixture.may(uses::ViewKeys).unwrap();
    let filter = KeyFilter { usage: Some(usage), ..KeyFilter::default() };
    key::list(&house.fixture.app, &see, filter, Page::first(10)).await.unwrap()
}

#[tokio::test]
async fn the_factory_key_and_the_keys_of_cas_stay() {
    for house in houses().await {
        let app = &house.fixture.app;
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let factory = keys(&house, KeyUsage::Tls).await[0].key.id;
        let refused = key::retire(app, &by, &factory).await.unwrap_err();
        assert_eq!(code(&refused), "key.in_use");
        // A CA comes into being with the first certificate that it issues.
        let made = claviger_app::lineage::create(app, &by, common::wanted("a", "internal")).await.unwrap();
        house.fixture.run_due().await.unwrap();
        for ca in keys(&house, KeyUsage::Ca).await {
            let refused = key::retire(app, &by, &ca.key.id).await.unwrap_err();
            assert_eq!(code(&refused), "wrong_key_usage", "{}", ca.key.label);
            let change = key::KeyChange { label: Some("mine".to_owned()), exportable: None };
            assert_eq!(
                code(&key::update(app, &by, &ca.key.id, change).await.unwrap_err()),
                "wrong_key_usage"
            );
        }
        let current = made.lineage.id;
        let see = house.fixture.may(uses::ViewCertificates).unwrap();
        let served = claviger_app::lineage::find(app, &see, &current).await.unwrap().current.unwrap();
        assert_eq!(code(&key::retire(app, &by, &served.key()).await.unwrap_err()), "key.in_use");
    }
}

#[tokio::test]
async fn an_administrator_cannot_become_the_officer_by_a_password() {
    for house in houses().await {
        let app = &house.fixture.app;
        let administrator = Fixture::actor(&[Role::SystemAdministrator]);
        let by = authorize(&administrator, uses::ManageUsers, "").unwrap();
        let see = authorize(&administrator, uses::ViewUsers, "").unwrap();
        let officer =
            user::list(app, &see).await.unwrap().into_iter().find(|user| user.name == ADMIN).unwrap();
        let change = UserChange {
            password: Some(Zeroizing::new("a new long password".to_owned())),
            ..UserChange::default()
        };
        assert!(matches!(user::update(app, &by, &officer.id, change).await, Err(Error::NotPermitted(_))));
        let change = UserChange { disabled: Some(true), ..UserChange::default() };
        assert!(matches!(user::update(app, &by, &officer.id, change).await, Err(Error::NotPermitted(_))));
        assert!(access::log_in(app, ADMIN, PASSWORD, "").await.is_ok(), "the password is the old one");
        let given = NewUser {
            name: "friend".to_owned(),
            password: Zeroizing::new("a new long password".to_owned()),
            roles: BTreeSet::from([Role::SecurityOfficer]),
        };
        assert!(matches!(user::create(app, &by, given).await, Err(Error::NotPermitted(_))));
    }
}

#[tokio::test]
async fn tries_at_the_same_time_are_all_counted() {
    for house in houses().await {
        let app = &house.fixture.app;
        let by = house.fixture.may(uses::ActivateToken).unwrap();
        let soft = TokenId::soft();
        let tries = (0..8).map(|_| token::log_in(app, &by, &soft, "Wrong-12345"));
        let ended = futures_util::future::join_all(tries).await;
        let checked = ended
            .iter()
            .filter(|end| end.as_ref().is_err_and(|error| code(error) == "pin_incorrect"))
            .count();
        assert_eq!(checked, 1, "one was checked, the others had to wait");
        // The right PIN has to wait too, then it opens the token and the count begins anew.
        assert!(matches!(token::log_in(app, &by, &TokenId::soft(), PIN).await, Err(Error::Throttled { .. })));
        house.clock.advance(1_000);
        let view = token::log_in(app, &by, &TokenId::soft(), PIN).await.unwrap();
        assert_eq!((view.state, view.token.wrong_pins), (TokenState::LoggedIn, 0));
    }
}

/// A restart is a new program over the same tables.
#[tokio::test]
async fn wrong_pins_are_counted_across_restarts_and_lock_the_token_until_an_officer_unlocks_it() {
    for fresh in fresh_stores().await {
        let (clock, random) = (Arc::new(TestClock::at(START)), Arc::new(SeededRandom::new(1)));
        let data = tempfile::tempdir().unwrap();
        let instance = Arc::new(InstanceKey::generate(&*random));
        let start = || {
            let config = Config { pin_tries: 3, ..Config::of_directory(data.path().to_owned()) };
            let world = World { clock: clock.clone(), random: random.clone() };
            App::new(fresh.store.clone(), Arc::clone(&instance), world, config)
        };
        let fixture = Fixture::installed(start()).await.unwrap();
        let (by, soft) = (fixture.may(uses::ActivateToken).unwrap(), TokenId::soft());
        let refused =
            async |app: &App, pin: &str| token::log_in(app, &by, &soft, pin).await.unwrap_err().code();
        assert_eq!(refused(&start(), "Wrong-12345").await, "pin_incorrect");
        assert_eq!(refused(&start(), PIN).await, "throttled", "the delay outlives a restart");
        clock.advance(1_000);
        assert_eq!(refused(&start(), "Wrong-12345").await, "pin_incorrect");
        clock.advance(1_000);
        assert_eq!(refused(&start(), PIN).await, "throttled", "it doubles");
        clock.advance(1_000);
        assert_eq!(refused(&start(), "Wrong-12345").await, "pin_incorrect");
        clock.advance(DAY);
        let app = start();
        assert_eq!(
            refused(&app, PIN).await,
            "token_locked",
            "the lock outlives a restart, and no waiting ends it"
        );
        let see = fixture.may(uses::ViewKeys).unwrap();
        assert_eq!(token::find(&app, &see, &soft).await.unwrap().state, TokenState::Locked);

        let program = authorize(&Fixture::actor(&[Role::SecurityOfficer]), uses::UnlockToken, "").unwrap();
        let officer = fixture.may(uses::UnlockToken).unwrap();
        let no_person = token::unlock(&app, &program, &soft, PASSWORD).await.unwrap_err();
        assert_eq!(code(&no_person), "token_unlock.person");
        assert!(token::unlock(&app, &officer, &soft, "not his password").await.is_err());
        assert_eq!(refused(&app, PIN).await, "token_locked");
        let view = token::unlock(&app, &officer, &soft, PASSWORD).await.unwrap();
        assert_eq!((view.state, view.token.wrong_pins), (TokenState::LoggedOut, 0));
        assert!(token::log_in(&app, &by, &soft, PIN).await.is_ok());
    }
}

#[tokio::test]
async fn a_default_in_a_closed_token_gives_way_to_the_factory_certificate() {
    for house in houses().await {
        let app = &house.fixture.app;
        house.fixture.log_in_to_token().await.unwrap();
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let wanted = certificate::NewSelfSigned {
            friendly_name: "in token 0".to_owned(),
            key: claviger_app::csr::KeyChoice::New {
                algorithm: pki::KeyAlgorithm::EcP256,
                token: TokenId::soft(),
            },
            subject: Vec::new(),
            names: vec![pki::SubjectAltName::parse("pages.example.org").unwrap()],
            days: 90,
        };
        let made = certificate::self_sign(app, &by, wanted).await.unwrap().view.entry.fingerprint();
        certificate::set_default(app, &by, &made).await.unwrap();
        house.fixture.run_due().await.unwrap();
        let default = || app.snapshots().borrow().default.clone().unwrap().fingerprint;
        assert_eq!(default(), made);
        let may = house.fixture.may(uses::ActivateToken).unwrap();
        let refused =
            token::log_out(app, &may, &TokenId::soft(), token::Consequences::Refuse).await.unwrap_err();
        assert_eq!(code(&refused), "token_in_use");
        token::log_out(app, &may, &TokenId::soft(), token::Consequences::Accept).await.unwrap();
        house.fixture.run_due().await.unwrap();
        assert_ne!(default(), made, "the pages are served by a certificate whose token is open");
    }
}

#[tokio::test]
async fn a_removed_certificate_can_be_imported_again() {
    for house in houses().await {
        let app = &house.fixture.app;
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let wanted = certificate::NewSelfSigned {
            friendly_name: "again".to_owned(),
            key: claviger_app::csr::KeyChoice::New {
                algorithm: pki::KeyAlgorithm::EcP256,
                token: TokenId::system(),
            },
            subject: Vec::new(),
            names: vec![pki::SubjectAltName::parse("again.example.org").unwrap()],
            days: 90,
        };
        let made = certificate::self_sign(app, &by, wanted).await.unwrap().view;
        let export = house.fixture.may(uses::ExportCertificate).unwrap();
        let file = certificate::export(
            app,
            &export,
            &made.entry.fingerprint(),
            &Wanted::usual(ExportForm::Pem),
            &TrustPassphrase::default(),
        )
        .await
        .unwrap()
        .file;
        // Served, it stays, unless a person accepts what follows: its lineage ends with it.
        let made = made.entry.fingerprint();
        let refused = certificate::retire(app, &by, &made, certificate::Consequences::Refuse).await;
        assert_eq!(code(&refused.unwrap_err()), "certificate.in_use");
        certificate::retire(app, &by, &made, certificate::Consequences::Accept).await.unwrap();
        let see = house.fixture.may(uses::ViewCertificates).unwrap();
        let filter = || CertificateFilter { text: Some("again".to_owned()), ..CertificateFilter::default() };
        assert!(certificate::list(app, &see, filter(), Page::first(10)).await.unwrap().is_empty());
        let input =
            certificate::Import { files: vec![file.bytes.to_vec().into()], ..certificate::Import::default() };
        let imported = certificate::import(app, &by, input).await.unwrap().into_imported().unwrap();
        assert_eq!((imported.new, imported.became_current.len()), (0, 1));
        assert_eq!(certificate::list(app, &see, filter(), Page::first(10)).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_address_that_tries_many_names_goes_slowly_and_shuts_nobody_out() {
    // What is counted by address is in memory: one engine tells it all.
    for house in houses().await.into_iter().take(1) {
        let app = &house.fixture.app;
        for name in 0..10 {
            let tried = access::log_in(app, &format!("nobody{name}"), "guess", "192.0.2.1").await;
            assert_eq!(code(&tried.map(drop).unwrap_err()), "login_failed");
        }
        // Ten wrong ones, each of another name: this address pauses now, another does not.
        let paused = std::time::Instant::now();
        access::log_in(app, ADMIN, PASSWORD, "192.0.2.1").await.map(drop).unwrap();
        assert!(paused.elapsed() >= std::time::Duration::from_secs(1));
    }
}

#[tokio::test]
async fn a_head_file_that_was_taken_away_is_found() {
    for house in houses().await {
        let app = &house.fixture.app;
        let head = app.config().data.join(audit::HEAD_FILE);
        audit::check(app).await.unwrap();
        std::fs::remove_file(&head).unwrap();
        let Err(Error::Refused(refusal)) = audit::check(app).await else { panic!("it is found") };
        assert_eq!((refusal.code, refusal.place.as_str()), ("audit.broken", audit::HEAD_FILE));
        // The clockwork writes a new one, and keeps the finding beside it.
        audit::write_head(app).await.unwrap();
        assert!(head.exists());
        let kept = std::fs::read_to_string(app.config().data.join(audit::BROKEN_HEAD_FILE)).unwrap();
        assert_eq!(kept, audit::GONE);
    }
}

#[tokio::test]
async fn the_head_file_follows_what_another_process_wrote_and_never_goes_back() {
    for house in houses().await {
        let app = &house.fixture.app;
        let read = || std::fs::read_to_string(app.config().data.join(audit::HEAD_FILE)).unwrap();
        let stored = async || {
            let (seq, mac) = app.store().read("audit.head", store::audit::head).await.unwrap();
            format!("{seq} {}\n", pki::identity::hex(&mac))
        };
        let event = |of: &App| {
            let event = Event::done(of.now(), &Actor::Installer, Action::BackupCreate, "");
            let written = move |tx: &store::Tx<'_>| store::audit::record(tx, &event).map(drop);
            app.store().tx("audit.test", move |tx| written(tx))
        };
        audit::write_head(app).await.unwrap();
        assert_eq!(read(), stored().await);
        // Another process over the same tables; this one wrote nothing meanwhile.
        event(app).await.unwrap();
        audit::write_head(app).await.unwrap();
        assert_eq!(read(), stored().await);
        // While another process is at it, the clockwork passes; a command waits.
        event(app).await.unwrap();
        let (before, directory) = (read(), std::fs::File::open(&app.config().data).unwrap());
        directory.lock().unwrap();
        audit::write_head(app).await.unwrap();
        assert_eq!(read(), before);
        let (settled, ()) =
            futures_util::future::join(audit::settle_head(app), async { drop(directory) }).await;
        settled.unwrap();
        assert_eq!(read(), stored().await);
        assert!(!app.config().data.join(audit::BROKEN_HEAD_FILE).exists());
        audit::check(app).await.unwrap();
    }
}

#[tokio::test]
async fn a_name_that_nobody_has_is_answered_as_one_that_somebody_has_and_writes_nothing() {
    for house in houses().await {
        let app = &house.fixture.app;
        let tried = async |name: &str, time: usize| {
            let begun = std::time::Instant::now();
            let tried = access::log_in(app, name, "guess", &format!("192.0.2.{time}")).await;
            let error = tried.map(drop).unwrap_err();
            (error.code(), error.to_string(), begun.elapsed().as_millis() / 400)
        };
        let before = app.store().commits().transactions;
        assert_eq!(tried("no one", 0).await.0, "login_failed");
        assert_eq!(tried("nobody-else", 0).await.0, "login_failed");
        assert_eq!(app.store().commits().transactions, before, "a stranger makes us write nothing");
        for time in 0..5 {
            let (unknown, known) =
                futures_util::future::join(tried("nobody", time), tried(ADMIN, time)).await;
            assert_eq!((&unknown.0, &unknown.1), (&known.0, &known.1));
            assert_eq!(unknown.0, if time < 4 { "login_failed" } else { "throttled" });
            // Both are told at the end of a pace, so that the commit of the one is not seen.
            assert!(unknown.2 >= 1 && known.2 >= 1);
        }
        let counted = async |name: &'static str| {
            app.store().read("user.failures", move |tx| store::user::failures(tx, name)).await.unwrap().0
        };
        assert_eq!((counted("nobody").await, counted(ADMIN).await), (0, 4));
        house.clock.advance(1_000);
        assert_eq!(tried("nobody", 9).await.0, "login_failed", "the wait ends for both");
        assert!(access::log_in(app, ADMIN, PASSWORD, "").await.is_ok());
    }
}

#[tokio::test]
async fn what_is_kept_of_a_request_is_worth_nothing_without_the_instance_key() {
    for fresh in fresh_stores().await {
        let data = tempfile::tempdir().unwrap();
        let start = |seed| {
            let (clock, random) = (Arc::new(TestClock::at(START)), Arc::new(SeededRandom::new(seed)));
            let instance = InstanceKey::generate(&*random);
            Fixture::empty(fresh.store.clone(), instance, clock, random, data.path().to_owned())
        };
        let (one, other) = (start(1), start(2));
        let request: &[&[u8]] = &[b"POST /api/v1/users\n", b"{\"password\":\"hunter2\"}"];
        let marked = |app: &App| idempotency::mark(app, request);
        for (app, key) in [(&one, "k1"), (&other, "k2")] {
            idempotency::remember(app, "anna", key, marked(app), (201, b"{}".to_vec())).await.unwrap();
            let again = idempotency::recall(app, "anna", key, marked(app)).await.unwrap();
            assert_eq!(again, Recalled::Answered { status: 201, body: b"{}".to_vec() });
        }
        let kept = async |key: &'static str| {
            let row =
                fresh.store.read("idempotency", move |tx| store::idempotency::find(tx, "anna", key)).await;
            row.unwrap().unwrap().request_mark
        };
        let (of_one, of_other) = (kept("k1").await, kept("k2").await);
        assert_ne!(of_one, of_other);
        assert_ne!(of_one, pki::identity::sha256(&request.concat()));
        assert_ne!(of_one, pki::identity::sha256(&pki::identity::sha256(&request.concat())));
        assert_eq!(
            idempotency::recall(&one, "anna", "k2", marked(&one)).await.unwrap(),
            Recalled::OtherRequest
        );
    }
}

/// Keys that are made while backups are taken: whatever is said of one, a backup that was taken holds it.
#[tokio::test]
async fn a_key_is_backed_up_only_if_a_backup_holds_it() {
    // Backups are for SQLite.
    for house in houses().await.into_iter().take(1) {
        let app = &house.fixture.app;
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let settings = house.fixture.may(uses::ManageSettings).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let make = async |label: String| {
            let wanted = key::NewKey {
                label,
                token: TokenId::system(),
                algorithm: pki::KeyAlgorithm::EcP256,
                exportable: None,
            };
            key::generate(app, &by, wanted).await.map(drop).unwrap();
        };
        for round in 0..4 {
            house.clock.advance(1);
            let makers = (0..8).map(|n| make(format!("{round}-{n}")));
            let backup = backup::take(app, &settings, folder.path().join(format!("{round}.clv")));
            let (_, taken) = futures_util::future::join(futures_util::future::join_all(makers), backup).await;
            taken.unwrap();
            // Whoever looks now must find in this backup what is said to be in one.
            house.clock.advance(1);
        }
        let said = stored_keys(app.store(), Some(Durability::BackedUp)).await;
        let mut held = BTreeSet::new();
        for round in 0..4 {
            let from = folder.path().join(format!("{round}.clv"));
            let mut opened = backup::open_backup(&from, "recovery for tests only").unwrap();
            let copy = folder.path().join(format!("{round}.db"));
            opened.write_to(&copy, &folder.path().join("recovery")).unwrap();
            let keys = testkit::store_keys();
            let store = store::Store::open(&store::Database::Sqlite(copy), keys).await.unwrap();
            held.extend(stored_keys(&store, None).await);
            store.close().await;
        }
        assert!(!said.is_empty() && said.is_subset(&held), "{} said, {} held", said.len(), held.len());
        house.clock.advance(1);
        backup::take(app, &settings, folder.path().join("last.clv")).await.unwrap();
        assert_eq!(
            stored_keys(app.store(), Some(Durability::BackedUp)).await.len(),
            33,
            "and the factory key"
        );
    }
}

async fn stored_keys(store: &store::Store, durability: Option<Durability>) -> BTreeSet<KeyId> {
    let filter = KeyFilter::default();
    let read = store.read("keys", move |tx| store::key::list(tx, &filter, &Page::first(100)));
    let keys = read.await.unwrap().into_iter();
    keys.filter(|key| durability.is_none_or(|wanted| key.durability == wanted)).map(|key| key.id).collect()
}
