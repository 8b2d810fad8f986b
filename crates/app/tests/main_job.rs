//! The main job through the use cases: order, serve, renew, rekey, for a year of the virtual clock.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod common;

use std::collections::BTreeSet;

use claviger_app::filter::AuditFilter;
use claviger_app::lineage::{self, NewLineage};
use claviger_app::{Error, audit, certificate, csr, key, overview};
use common::{House, START, houses, wanted};
use domain::Actor;
use domain::clock::DAY;
use domain::id::{IssuerId, JobId, TokenId};
use domain::job::JobKind;
use domain::order::OrderState;
use domain::permission::uses;
use pki::{KeyAlgorithm, SubjectAltName};
use store::job::NewJob;

async fn audit_holds(house: &House) {
    let by = house.fixture.may(uses::ViewAuditLog).unwrap();
    audit::verify(&house.fixture.app, &by).await.unwrap();
}

#[tokio::test]
async fn an_internal_lineage_is_issued_served_and_renewed_for_a_year() {
    for house in houses().await {
        let app = &house.fixture.app;
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let made = lineage::create(app, &by, wanted("shop", "internal")).await.unwrap();
        let see = house.fixture.may(uses::ViewCertificates).unwrap();
        let mut served = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for _ in 0..365 {
            house.fixture.run_due().await.unwrap();
            let snapshot = app.snapshots().borrow().clone();
            let now = START.plus(0).unix();
            let chosen =
                snapshot.select(Some("shop.example.org"), now.max(house.fixture.app.now().unix()), |_| true);
            let chosen = chosen.expect("something is always served");
            assert!(chosen.not_after > app.now().unix(), "never an expired one");
            served.insert(chosen.fingerprint);
            keys.insert(chosen.key);
            house.clock.advance(DAY);
        }
        // 90 days, renewed at two thirds: about every 60 days.
        assert!((6..=8).contains(&served.len()), "{}", served.len());
        assert_eq!(keys.len(), served.len(), "each renewal made a new key");
        let view = lineage::find(app, &see, &made.lineage.id).await.unwrap();
        assert_eq!(view.history.len(), served.len());
        assert_eq!(view.lineage.failures, 0);
        let current = certificate::find(app, &see, &view.lineage.current.unwrap()).await.unwrap();
        assert_eq!(current.chain.served.len(), 2, "leaf and intermediate, no root");
        assert!(current.chain.root.is_some());
        assert_eq!(current.findings, [], "a certificate of ours has no findings");
        audit_holds(&house).await;
    }
}

#[tokio::test]
async fn a_manual_lineage_that_falls_due_makes_a_key_and_a_csr_and_waits() {
    for house in houses().await {
        let app = &house.fixture.app;
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let made = lineage::create(app, &by, wanted("paper", "manual")).await.unwrap();
        house.fixture.run_due().await.unwrap();
        let see = house.fixture.may(uses::ViewCertificates).unwrap();
        let view = lineage::find(app, &see, &made.lineage.id).await.unwrap();
        let order = view.order.expect("an order");
        assert_eq!(order.state, OrderState::Pending);
        let request = csr::find(app, &see, &order.csr).await.unwrap();
        assert_eq!(request.csr.names(), [SubjectAltName::parse("paper.example.org").unwrap()]);
        assert!(!view.lineage.trouble.is_empty(), "it says what a person must do");
        let needs = overview::show(app, &see).await.unwrap().needs;
        assert_eq!(needs.len(), 1, "named once, where the answer is imported: {needs:?}");
        assert_eq!(needs[0].place, overview::Place::Csr(request.entry.id));
        // Asked again, it is refused: one order at a time.
        let again = lineage::renew(app, &by, &made.lineage.id).await;
        assert!(matches!(again, Err(Error::Conflict(refusal)) if refusal.code == "order.active"));
        audit_holds(&house).await;
    }
}

#[tokio::test]
async fn a_person_who_asks_beside_a_job_of_the_clock_gets_his_renewal() {
    for house in houses().await {
        let app = &house.fixture.app;
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let see = house.fixture.may(uses::ViewCertificates).unwrap();
        let made = lineage::create(app, &by, wanted("shop", "internal")).await.unwrap();
        house.fixture.run_due().await.unwrap();
        let id = made.lineage.id;
        let current = async || lineage::find(app, &see, &id).await.unwrap().current.unwrap().fingerprint();
        for is_running in [false, true] {
            let before = current().await;
            // The clock's job: nothing is due, so by itself it would do nothing.
            let (subject, now) = (id.to_string(), app.now());
            let opened = app.store().tx("test", move |tx| {
                let job = NewJob {
                    id: JobId::of(format!("job-clock-{is_running}")),
                    kind: JobKind::LineageRenew,
                    subject: subject.clone(),
                    due: now,
                    actor: Actor::Scheduler.name(),
                    created: now,
                };
                let id = store::job::add(tx, &job)?;
                if is_running {
                    store::job::claim(tx, now, now.plus(DAY), 1)?;
                }
                Ok::<_, Error>(id)
            });
            let opened = opened.await.unwrap();
            let asked = lineage::renew(app, &by, &id).await.unwrap();
            assert_eq!((&asked.id, &asked.actor), (&opened, &house.fixture.admin.name()));
            house.fixture.run_due().await.unwrap();
            assert_ne!(current().await, before, "running: {is_running}");
        }
        audit_holds(&house).await;
    }
}

#[tokio::test]
async fn a_refusal_leaves_one_event_and_nothing_else() {
    for house in houses().await {
        let app = &house.fixture.app;
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let see = house.fixture.may(uses::ViewAuditLog).unwrap();
        let count =
            || async { audit::list(app, &see, AuditFilter::default(), None, 100).await.unwrap().len() };
        let before = count().await;
        let missing = NewLineage { issuer: IssuerId::of("nobody"), ..wanted("x", "internal") };
        assert!(matches!(lineage::create(app, &by, missing).await, Err(Error::NotFound { .. })));
        assert_eq!(count().await, before + 1);
        let lineages = house.fixture.may(uses::ViewCertificates).unwrap();
        let all =
            lineage::list(app, &lineages, Default::default(), claviger_app::Page::first(10)).await.unwrap();
        assert!(all.is_empty());
        audit_holds(&house).await;
    }
}

#[tokio::test]
async fn a_key_in_a_closed_token_is_not_available_and_a_label_is_unique() {
    for house in houses().await {
        let app = &house.fixture.app;
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let wanted = |token| key::NewKey {
            label: "one".to_owned(),
            token,
            algorithm: KeyAlgorithm::EcP256,
            exportable: None,
        };
        let closed = key::generate(app, &by, wanted(TokenId::soft())).await;
        assert!(matches!(closed, Err(Error::TokenUnavailable { .. })));
        house.fixture.log_in_to_token().await.unwrap();
        key::generate(app, &by, wanted(TokenId::soft())).await.unwrap();
        let taken = key::generate(app, &by, wanted(TokenId::system())).await;
        assert!(matches!(taken, Err(Error::Conflict(refusal)) if refusal.code == "key.label_taken"));
    }
}
