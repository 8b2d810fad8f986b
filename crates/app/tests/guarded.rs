//! What no role may bring about: served keys deleted, other people's roles taken over, tries that are not counted.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use claviger_app::certificate::{self, ExportForm, TrustPassphrase, Wanted};
use claviger_app::filter::{CertificateFilter, KeyFilter};
use claviger_app::state::World;
use claviger_app::testing::{ADMIN, Fixture, InstanceKey, PASSWORD, PIN};
use claviger_app::user::{self, NewUser, UserChange};
use claviger_app::{App, Config, Error, Page, access, audit, key, token};
use common::{House, START, houses};
use domain::authorize;
use domain::clock::DAY;
use domain::id::TokenId;
use domain::key::KeyUsage;
use domain::permission::{Role, uses};
use domain::token::TokenState;
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
        let made = certificate::self_sign(app, &by, wanted).await.unwrap().view.entry.fingerprint();
        let export = house.fixture.may(uses::ExportCertificate).unwrap();
        let file = certificate::export(
            app,
            &export,
            &made,
            &Wanted::usual(ExportForm::Pem),
            &TrustPassphrase::default(),
        )
        .await
        .unwrap()
        .file;
        certificate::retire(app, &by, &made).await.unwrap();
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
