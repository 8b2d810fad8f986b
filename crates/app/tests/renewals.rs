//! Renewals that meet each other, and what must never happen to a lineage: that nothing renews it any more.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod common;

use claviger_app::filter::{AuditFilter, JobFilter};
use claviger_app::lineage::{self, LineageChange};
use claviger_app::{App, Error, Page, audit, csr, job, schedule, token};
use common::{House, houses, wanted};
use domain::clock::{DAY, MINUTE};
use domain::id::{IssuerId, LineageId, TokenId};
use domain::job::{Job, JobKind, JobState};
use domain::permission::uses;
use pki::KeyId;

async fn change_issuer(house: &House, id: &LineageId, issuer: &str) {
    let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
    let change = LineageChange { issuer: Some(IssuerId::of(issuer)), ..LineageChange::default() };
    lineage::update(&house.fixture.app, &by, id, change).await.unwrap();
}

/// The key that is served, and until when.
async fn current(house: &House, id: &LineageId) -> (KeyId, i64) {
    let see = house.fixture.may(uses::ViewCertificates).unwrap();
    let view = lineage::find(&house.fixture.app, &see, id).await.unwrap();
    let certificate = view.current.expect("a certificate").certificate;
    (certificate.key_id(), certificate.not_after().0)
}

async fn jobs(house: &House, id: &LineageId) -> Vec<Job> {
    let see = house.fixture.may(uses::ViewCertificates).unwrap();
    let filter = JobFilter { subject: Some(id.to_string()), ..JobFilter::default() };
    job::list(&house.fixture.app, &see, filter, Page::first(50)).await.unwrap()
}

/// Lets a hundred days go by; there is always a certificate that has not ended.
async fn live_on(house: &House, id: &LineageId) {
    for _ in 0..100 {
        house.clock.advance(DAY);
        house.fixture.run_due().await.unwrap();
        let (_, ends) = current(house, id).await;
        assert!(ends > house.fixture.app.now().unix().0, "it expired: nothing renewed it");
    }
}

#[tokio::test]
async fn a_renewal_that_was_asked_for_early_and_given_up_is_made_when_it_is_due() {
    for house in houses().await {
        let app = &house.fixture.app;
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let id = lineage::create(app, &by, wanted("early", "internal")).await.unwrap().lineage.id;
        house.fixture.run_due().await.unwrap();
        change_issuer(&house, &id, "manual").await;
        lineage::renew(app, &by, &id).await.unwrap();
        house.fixture.run_due().await.unwrap();
        let see = house.fixture.may(uses::ViewCertificates).unwrap();
        let order = lineage::find(app, &see, &id).await.unwrap().order.expect("an order that waits");
        csr::withdraw(app, &by, &order.csr).await.unwrap();
        change_issuer(&house, &id, "internal").await;
        // What was withdrawn is not asked for again before its time.
        house.clock.advance(2 * DAY);
        house.fixture.run_due().await.unwrap();
        assert!(lineage::find(app, &see, &id).await.unwrap().order.is_none());
        live_on(&house, &id).await;
    }
}

#[tokio::test]
async fn renew_and_rekey_at_once_are_one_renewal_with_a_new_key() {
    for house in houses().await {
        let app = &house.fixture.app;
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let mut kept = wanted("both", "internal");
        kept.at_renewal = domain::lineage::AtRenewal::KeepKey;
        let id = lineage::create(app, &by, kept).await.unwrap().lineage.id;
        house.fixture.run_due().await.unwrap();
        for renew_first in [true, false] {
            let (before, _) = current(&house, &id).await;
            let (first, second) = if renew_first {
                (lineage::renew(app, &by, &id).await.unwrap(), lineage::rekey(app, &by, &id).await.unwrap())
            } else {
                (lineage::rekey(app, &by, &id).await.unwrap(), lineage::renew(app, &by, &id).await.unwrap())
            };
            assert_eq!((first.id, second.kind), (second.id, JobKind::LineageRekey));
            house.fixture.run_due().await.unwrap();
            assert_ne!(current(&house, &id).await.0, before, "a new key was asked for");
        }
        let ended: Vec<_> = jobs(&house, &id).await.into_iter().map(|job| (job.state, job.trouble)).collect();
        assert_eq!(
            ended,
            vec![(JobState::Done, String::new()); 3],
            "the first certificate, and one for each pair"
        );
        live_on(&house, &id).await;
    }
}

#[tokio::test]
async fn a_clock_that_finds_a_new_key_asked_for_opens_no_second_renewal() {
    for house in houses().await {
        let app = &house.fixture.app;
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let id = lineage::create(app, &by, wanted("clock", "internal")).await.unwrap().lineage.id;
        house.fixture.run_due().await.unwrap();
        house.clock.advance(80 * DAY);
        let asked = lineage::rekey(app, &by, &id).await.unwrap();
        assert_eq!(schedule::tick(app).await.unwrap(), 1);
        let open: Vec<_> =
            jobs(&house, &id).await.into_iter().filter(|job| job.state != JobState::Done).collect();
        assert_eq!(open.iter().map(|job| &job.id).collect::<Vec<_>>(), [&asked.id]);
        live_on(&house, &id).await;
    }
}

async fn lose_due(app: &App, id: &LineageId) {
    let id = id.clone();
    let lost = app.store().tx("test.lose", move |tx| store::lineage::set_due(tx, &id, None)).await;
    lost.unwrap();
}

#[tokio::test]
async fn a_lineage_that_lost_its_due_time_gets_one_again() {
    for house in houses().await {
        let app = &house.fixture.app;
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let id = lineage::create(app, &by, wanted("lost", "internal")).await.unwrap().lineage.id;
        house.fixture.run_due().await.unwrap();
        lose_due(app, &id).await;
        schedule::keep_house(app).await.unwrap();
        live_on(&house, &id).await;
        // One whose renewal waits for a person is none of these.
        change_issuer(&house, &id, "manual").await;
        lineage::renew(app, &by, &id).await.unwrap();
        house.fixture.run_due().await.unwrap();
        schedule::keep_house(app).await.unwrap();
        let see = house.fixture.may(uses::ViewCertificates).unwrap();
        assert_eq!(lineage::find(app, &see, &id).await.unwrap().lineage.due, None);
    }
}

#[tokio::test]
async fn a_token_that_is_logged_out_is_said_once_and_is_no_failure() {
    for house in houses().await {
        let app = &house.fixture.app;
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let mut locked = wanted("locked", "internal");
        locked.token = TokenId::soft();
        let may = house.fixture.may(uses::ActivateToken).unwrap();
        // The first start may have left it open.
        let out = token::log_out(app, &may, &TokenId::soft(), token::Consequences::Accept).await;
        assert!(matches!(out, Ok(_) | Err(Error::Conflict(_))));
        let id = lineage::create(app, &by, locked).await.unwrap().lineage.id;
        for _ in 0..30 {
            house.fixture.run_due().await.unwrap();
            house.clock.advance(MINUTE);
        }
        let see = house.fixture.may(uses::ViewCertificates).unwrap();
        let view = lineage::find(app, &see, &id).await.unwrap();
        assert_eq!(view.lineage.failures, 0);
        assert!(view.lineage.trouble.contains("is not logged in"), "{}", view.lineage.trouble);
        let audit_may = house.fixture.may(uses::ViewAuditLog).unwrap();
        let filter = AuditFilter { object: Some(id.to_string()), ..AuditFilter::default() };
        let events = audit::list(app, &audit_may, filter, None, 100).await.unwrap();
        let failed = events.iter().filter(|event| event.action == "order.fail").count();
        assert_eq!(failed, 1, "said once");
        house.fixture.log_in_to_token().await.unwrap();
        house.fixture.run_due().await.unwrap();
        current(&house, &id).await;
    }
}
