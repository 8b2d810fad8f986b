//! The audit log: whatever is done to it behind the store's back is found.

use domain::audit::{Action, Event, Field, Outcome};
use domain::{Actor, Moment};
use store::audit::{self, AuditFilter, Broken};
use store::{Error, Store, StoreKeys};
use testkit::{FreshStore, fresh_stores};

use crate::opening::behind;

type Head = (i64, [u8; 32]);

async fn written(fresh: &FreshStore, events: i64) -> Head {
    let record = move |tx: &store::Tx<'_>| {
        for number in 1..=events {
            let event =
                Event::done(Moment(number), &Actor::Scheduler, Action::KeyGenerate, format!("key-{number}"));
            assert_eq!(audit::record(tx, &event.with(Field::Label, "a\nb"))?, number);
        }
        audit::head(tx)
    };
    let head: Result<Head, Error> = fresh.store.tx("record", record).await;
    head.expect("a head")
}

async fn verified(store: &Store, expected: Option<Head>) -> Result<i64, Broken> {
    store.read("verify", move |tx| audit::verify(tx, expected)).await.expect("it can be read")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untouched_log_is_whole() {
    for fresh in fresh_stores().await {
        assert_eq!(verified(&fresh.store, None).await, Ok(0));
        let head = written(&fresh, 2_500).await;
        assert_eq!(head.0, 2_500);
        assert_eq!(verified(&fresh.store, Some(head)).await, Ok(2_500));
        let more: Result<i64, Error> = fresh
            .store
            .tx("more", |tx| audit::record(tx, &Event::done(Moment(9), &Actor::Edge, Action::LogIn, "")))
            .await;
        assert_eq!(more.expect("an event"), 2_501);
        assert_eq!(verified(&fresh.store, Some(head)).await, Ok(2_501), "a head may be older than the log");
    }
}

/// Each line does something else behind the store's back to ten events, and says at which one it shows.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_done_to_the_log_is_found() {
    let reorder =
        "UPDATE audit_event SET seq = 99 WHERE seq = 4; UPDATE audit_event SET seq = 4 WHERE seq = 5;
                   UPDATE audit_event SET seq = 5 WHERE seq = 99";
    let cut_with_head = "DELETE FROM audit_event WHERE seq > 8;
                         UPDATE audit_head SET seq = 8, mac = (SELECT mac FROM audit_event WHERE seq = 8)";
    let tampering = [
        ("UPDATE audit_event SET actor = 'user:eve' WHERE seq = 3", 3),
        ("UPDATE audit_event SET at = at + 1 WHERE seq = 10", 10),
        ("UPDATE audit_event SET fields = '' WHERE seq = 7", 7),
        ("UPDATE audit_event SET outcome = 'refused' WHERE seq = 1", 1),
        ("UPDATE audit_event SET mac = (SELECT mac FROM audit_event WHERE seq = 5) WHERE seq = 6", 6),
        ("DELETE FROM audit_event WHERE seq = 4", 4),
        ("DELETE FROM audit_event WHERE seq = 1", 1),
        ("DELETE FROM audit_event WHERE seq = 4; UPDATE audit_event SET seq = seq - 1 WHERE seq = 5", 4),
        (reorder, 4),
        ("DELETE FROM audit_event WHERE seq > 8", 9),
        (cut_with_head, 9),
        ("DELETE FROM audit_event; DELETE FROM audit_head", 1),
        ("UPDATE audit_head SET seq = 9", 10),
        ("DELETE FROM audit_head", 10),
        ("UPDATE audit_event SET seq = -1 WHERE seq = 10; UPDATE audit_head SET seq = 9", 0),
    ];
    for (sql, seq) in tampering {
        for fresh in fresh_stores().await {
            let head = written(&fresh, 10).await;
            behind(&fresh.database, sql).await;
            let found = verified(&fresh.store, Some(head)).await.map_err(|broken| broken.seq);
            assert_eq!(found, Err(seq), "{sql} on {}", fresh.store.engine_name());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_written_anew_under_another_key_is_found() {
    for fresh in fresh_stores().await {
        written(&fresh, 3).await;
        let others = StoreKeys { audit: [0; 32], field: pki::seal::SealKey::new([8; 32]) };
        let stranger = Store::open(&fresh.database, others).await.expect("it opens");
        assert!(verified(&stranger, None).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_recorded_at_once_make_one_chain() {
    for fresh in fresh_stores().await {
        let writers: Vec<_> = (0..60)
            .map(|number| {
                let store = fresh.store.clone();
                let event = Event::done(Moment(number), &Actor::Scheduler, Action::KeyGenerate, "x");
                tokio::spawn(async move { store.tx("record", move |tx| audit::record(tx, &event)).await })
            })
            .collect();
        for writer in writers {
            let recorded: Result<i64, Error> = writer.await.expect("no panic");
            recorded.expect("an event");
        }
        assert_eq!(verified(&fresh.store, None).await, Ok(60));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_filtered() {
    for fresh in fresh_stores().await {
        written(&fresh, 10).await;
        let refused = Event::refused(Moment(50), &Actor::Edge, Action::TokenLogIn, "0", "pin_incorrect");
        let recorded: Result<i64, Error> =
            fresh.store.tx("record", move |tx| audit::record(tx, &refused)).await;
        assert_eq!(recorded.expect("an event"), 11);
        let page = |filter: AuditFilter, before| {
            let store = fresh.store.clone();
            async move {
                let events = store.read("page", move |tx| audit::page(tx, &filter, before, 4)).await;
                let events: Result<Vec<_>, Error> = events;
                events.expect("a page").into_iter().map(|event| event.seq).collect::<Vec<_>>()
            }
        };
        assert_eq!(page(AuditFilter::default(), None).await, [11, 10, 9, 8]);
        assert_eq!(page(AuditFilter::default(), Some(3)).await, [2, 1]);
        let all = AuditFilter {
            actor: Some("edge".to_owned()),
            action: Some(Action::TokenLogIn),
            object: Some("0".to_owned()),
            outcome: Some(Outcome::Refused),
            from: Some(Moment(50)),
            until: Some(Moment(51)),
        };
        assert_eq!(page(all, None).await, [11]);
        let early = AuditFilter { until: Some(Moment(3)), ..AuditFilter::default() };
        assert_eq!(page(early, None).await, [2, 1]);
    }
}
