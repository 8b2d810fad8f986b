//! Transactions: groups with refusals and panics, inner attempts, readers, nudges.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use store::{Error, Store, setting};
use testkit::fresh_stores;

use crate::world;

#[derive(Debug)]
enum Mine {
    Refused,
    Store(Error),
}

impl From<Error> for Mine {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

async fn settings(store: &Store) -> Vec<String> {
    let all = store.read("all", setting::all).await.expect("settings");
    all.into_keys().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_and_a_panic_undo_only_themselves() {
    for fresh in fresh_stores().await {
        let actions: Vec<_> = (0..200)
            .map(|number| {
                let store = fresh.store.clone();
                let run = move |tx: &store::Tx<'_>| {
                    setting::put(tx, &format!("s{number}"), "x")?;
                    if number % 10 == 3 {
                        return Err(Mine::Refused);
                    }
                    assert!(number != 55, "the panic of this test");
                    Ok(number)
                };
                tokio::spawn(async move { (number, store.tx("mix", run).await) })
            })
            .collect();
        let mut kept = 0;
        for action in actions {
            match action.await.expect("no panic outside") {
                (number, Ok(answer)) => {
                    assert_eq!(number, answer);
                    kept += 1;
                }
                (number, Err(Mine::Refused)) => assert_eq!(number % 10, 3),
                (number, Err(Mine::Store(error))) => {
                    assert_eq!(number, 55);
                    assert!(matches!(error, Error::Panicked { name: "mix" }), "{error:?}");
                }
            }
        }
        assert_eq!(kept, 179);
        let stored = settings(&fresh.store).await;
        assert_eq!(stored.len(), kept);
        assert!(!stored.contains(&"s55".to_owned()) && !stored.contains(&"s13".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_fails_undoes_only_its_part() {
    for fresh in fresh_stores().await {
        let done: Result<(), Error> = fresh
            .store
            .tx("attempts", |tx| {
                setting::put(tx, "before", "x")?;
                let inner: Result<(), Mine> = tx.attempt(|tx| {
                    setting::put(tx, "inner", "x")?;
                    tx.attempt(|tx| setting::put(tx, "innermost", "x"))?;
                    Err(Mine::Refused)
                });
                assert!(matches!(inner, Err(Mine::Refused)));
                // A statement that fails inside leaves the rest usable, on PostgreSQL too.
                let twice: Result<(), Error> = tx.attempt(|tx| {
                    store::token::insert(tx, &world::token())?;
                    store::token::insert(tx, &world::token())
                });
                assert!(matches!(twice, Err(Error::Conflict { what }) if what == "token.id"));
                tx.attempt(|tx| setting::put(tx, "kept", "x"))?;
                assert!(store::token::all(tx)?.is_empty());
                setting::put(tx, "after", "x")
            })
            .await;
        done.expect("it is committed");
        assert_eq!(settings(&fresh.store).await, ["after", "before", "kept"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swallowed_failure_is_never_committed_as_success() {
    for fresh in fresh_stores().await {
        let done: Result<(), Error> = fresh
            .store
            .tx("careless", |tx| {
                setting::put(tx, "a", "x")?;
                let _ = store::lineage::insert(tx, &world::lineage("lin-without-issuer"));
                Ok(())
            })
            .await;
        assert!(matches!(done, Err(Error::NotCommitted { name: "careless" })), "{done:?}");
        assert!(settings(&fresh.store).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_write_nothing_and_see_one_moment() {
    for fresh in fresh_stores().await {
        let wrote: Result<(), Error> = fresh.store.read("sly", |tx| setting::put(tx, "a", "x")).await;
        assert!(matches!(wrote, Err(Error::Sqlite(_) | Error::Postgres(_))), "{wrote:?}");
        assert!(settings(&fresh.store).await.is_empty());

        let (begun, wait_begun) = std::sync::mpsc::channel();
        let (written, wait_written) = std::sync::mpsc::channel::<()>();
        let wait_written = std::sync::Mutex::new(wait_written);
        let reader = fresh.store.clone();
        let reading = tokio::spawn(async move {
            reader
                .read("twice", move |tx| {
                    let first = setting::all(tx)?.len();
                    begun.send(()).expect("somebody waits");
                    wait_written.lock().expect("one reader").recv().expect("the word");
                    Ok::<_, Error>((first, setting::all(tx)?.len()))
                })
                .await
        });
        tokio::task::block_in_place(|| wait_begun.recv().expect("the reader"));
        let put: Result<(), Error> = fresh.store.tx("put", |tx| setting::put(tx, "b", "x")).await;
        put.expect("it is written meanwhile");
        written.send(()).expect("the reader waits");
        assert_eq!(reading.await.expect("no panic").expect("both reads"), (0, 0));
        assert_eq!(settings(&fresh.store).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nudge_reaches_other_nodes_after_the_commit_only() {
    for fresh in fresh_stores().await {
        let is_shared = fresh.store.engine_name() == "postgresql";
        let other = if is_shared {
            Store::open(&fresh.database, testkit::store_keys()).await.expect("another node")
        } else {
            fresh.store.clone()
        };
        let mut nudges = other.nudges();
        if is_shared {
            // The first one says that the node listens.
            let listens = nudges.wait_for(|count| *count > 0);
            tokio::time::timeout(Duration::from_secs(20), listens).await.expect("in time").expect("open");
        }
        nudges.mark_unchanged();
        let refused: Result<(), Mine> = fresh
            .store
            .tx("refused", |tx| {
                tx.nudge();
                Err(Mine::Refused)
            })
            .await;
        assert!(refused.is_err());
        assert!(!nudges.has_changed().expect("open"), "nothing was committed");
        let done: Result<(), Error> = fresh
            .store
            .tx("nudge", |tx| {
                tx.nudge();
                setting::put(tx, "a", "x")
            })
            .await;
        done.expect("it is committed");
        tokio::time::timeout(Duration::from_secs(20), nudges.changed())
            .await
            .expect("in time")
            .expect("open");
    }
}

/// Two transactions that take two rows in opposite order: PostgreSQL ends one, and the wall runs it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_tried_again() {
    for fresh in fresh_stores().await {
        let seeded: Result<(), Error> = fresh
            .store
            .tx("seed", |tx| {
                setting::put(tx, "a", "0")?;
                setting::put(tx, "b", "0")
            })
            .await;
        seeded.expect("two rows");
        let runs = Arc::new(AtomicU32::new(0));
        // SQLite runs them one by one: there the first would wait for the second in vain.
        let is_shared = fresh.store.engine_name() == "postgresql";
        let patience = Duration::from_secs(if is_shared { 20 } else { 0 });
        let both = [("a", "b"), ("b", "a")].map(|(first, second)| {
            let (store, runs) = (fresh.store.clone(), Arc::clone(&runs));
            tokio::spawn(async move {
                store
                    .tx("cross", move |tx| {
                        setting::put(tx, first, second)?;
                        runs.fetch_add(1, Ordering::SeqCst);
                        // Both hold their first row before they want the other's.
                        let started = std::time::Instant::now();
                        while runs.load(Ordering::SeqCst) < 2 && started.elapsed() < patience {
                            std::thread::yield_now();
                        }
                        setting::put(tx, second, first)
                    })
                    .await
            })
        });
        for one in both {
            let done: Result<(), Error> = one.await.expect("no panic");
            done.expect("both are committed in the end");
        }
        assert_eq!(runs.load(Ordering::SeqCst), if is_shared { 3 } else { 2 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_checked_under_a_name_still_holds_when_acted_upon() {
    for fresh in fresh_stores().await {
        let takers: Vec<_> = (0..8)
            .map(|number| {
                let store = fresh.store.clone();
                tokio::spawn(async move {
                    store
                        .tx("take", move |tx| {
                            tx.exclusive("the only seat")?;
                            let is_free = setting::all(tx)?.is_empty();
                            if is_free {
                                setting::put(tx, &format!("taken by {number}"), "x")?;
                            }
                            Ok::<_, Error>(is_free)
                        })
                        .await
                })
            })
            .collect();
        let mut seated = 0;
        for taker in takers {
            seated += usize::from(taker.await.expect("no panic").expect("an answer"));
        }
        assert_eq!((seated, settings(&fresh.store).await.len()), (1, 1));
    }
}
