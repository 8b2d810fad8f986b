//! Opening, migrating, backing up, checking, closing.

use std::os::unix::fs::PermissionsExt;

use store::{Database, Error, Store};
use testkit::{fresh_stores, store_keys};

use crate::world;

/// Runs a statement behind the store's back.
pub async fn behind(database: &Database, sql: &str) {
    match database {
        Database::Sqlite(path) => {
            let connection = rusqlite::Connection::open(path).expect("the file");
            connection.busy_timeout(std::time::Duration::from_secs(5)).expect("a timeout");
            connection.execute_batch(sql).expect("the statement");
        }
        Database::Postgres(url) => {
            let (client, connection) =
                tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("a server");
            let running = tokio::spawn(connection);
            client.batch_execute(sql).await.expect("the statement");
            running.abort();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_twice_changes_nothing() {
    for fresh in fresh_stores().await {
        fresh.store.tx("seed", world::seed).await.expect("the world");
        assert_eq!(fresh.store.migrate().await.expect("a migration"), 0);
        let again = Store::open(&fresh.database, store_keys()).await.expect("it opens");
        let count = again.read("count", store::lineage::count).await.expect("a count");
        assert_eq!(count, 1);
        let check = again.check().await.expect("a check");
        assert_eq!((check.schema, check.problems), (6, Vec::new()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_may_migrate_at_once() {
    for fresh in fresh_stores().await {
        let drop_all = match &fresh.database {
            Database::Sqlite(_) => continue,
            Database::Postgres(_) => "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
        };
        behind(&fresh.database, drop_all).await;
        let other = Store::open(&fresh.database, store_keys()).await.expect("it opens");
        let (one, two) = tokio::join!(fresh.store.migrate(), other.migrate());
        assert_eq!(one.expect("a migration") + two.expect("a migration"), 6);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_another_version_are_refused() {
    for fresh in fresh_stores().await {
        behind(&fresh.database, "INSERT INTO schema_version (version, name) VALUES (99, 'later')").await;
        let refused =
            |result: Result<Store, Error>| matches!(result, Err(Error::Schema { found: 99, expected: 6 }));
        assert!(refused(Store::open(&fresh.database, store_keys()).await));
        assert!(refused(Store::open_to_migrate(&fresh.database, store_keys()).await));
        assert!(!fresh.store.check().await.expect("a check").problems.is_empty());
        behind(&fresh.database, "DROP TABLE schema_version").await;
        let foreign = Store::open(&fresh.database, store_keys()).await;
        assert!(matches!(foreign, Err(Error::Schema { found: -1, .. })), "tables that are not ours");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_are_closed_to_others() {
    for fresh in fresh_stores().await {
        let Database::Sqlite(path) = &fresh.database else {
            continue;
        };
        fresh.store.tx("seed", world::seed).await.expect("the world");
        let mut seen = 0;
        for file in std::fs::read_dir(path.parent().expect("a folder")).expect("its files") {
            let file = file.expect("a file");
            let mode = file.metadata().expect("its mode").permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", file.file_name());
            seen += 1;
        }
        assert_eq!(seen, 3, "the database, -wal and -shm");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_stands_alone() {
    for fresh in fresh_stores().await {
        fresh.store.tx("seed", world::seed).await.expect("the world");
        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder.path().join("copy.db");
        let done = fresh.store.backup_to(&copy).await;
        if fresh.store.engine_name() == "postgresql" {
            assert!(matches!(done, Err(Error::NotSqlite)));
            continue;
        }
        done.expect("a backup");
        assert_eq!(std::fs::read_dir(folder.path()).expect("files").count(), 1);
        assert_eq!(std::fs::metadata(&copy).expect("a file").permissions().mode() & 0o777, 0o600);
        assert!(
            matches!(fresh.store.backup_to(&copy).await, Err(Error::Io(_))),
            "an old backup is not written over"
        );
        let restored = Store::open(&Database::Sqlite(copy), store_keys()).await.expect("it opens");
        assert_eq!(restored.read("count", store::lineage::count).await.expect("a count"), 1);
        assert_eq!(restored.check().await.expect("a check").problems, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found() {
    for fresh in fresh_stores().await {
        if fresh.store.engine_name() == "postgresql" {
            continue;
        }
        fresh.store.tx("seed", world::seed).await.expect("the world");
        behind(&fresh.database, "PRAGMA foreign_keys = OFF; DELETE FROM token").await;
        let problems = fresh.store.check().await.expect("a check").problems;
        assert!(problems.iter().any(|problem| problem.starts_with("key refers")), "{problems:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_writes_what_waits_and_refuses_what_comes() {
    for fresh in fresh_stores().await {
        let writes: Vec<_> = (0..100)
            .map(|number| {
                let store = fresh.store.clone();
                let name = format!("s{number}");
                tokio::spawn(
                    async move { store.tx("put", move |tx| store::setting::put(tx, &name, "x")).await },
                )
            })
            .collect();
        let mut stored = 0;
        for write in writes {
            stored += usize::from(write.await.expect("no panic").is_ok());
        }
        assert_eq!(stored, 100);
        fresh.store.close().await;
        let late: Result<(), Error> = fresh.store.tx("put", |tx| store::setting::put(tx, "late", "x")).await;
        assert!(matches!(late, Err(Error::Closed)), "{late:?}");
        let reopened = Store::open(&fresh.database, store_keys()).await.expect("it opens");
        assert_eq!(reopened.read("all", store::setting::all).await.expect("settings").len(), 100);
    }
}
