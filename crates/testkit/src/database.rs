//! Fresh databases, one per test.
//!
//! `CLAVIGER_TEST_POSTGRES` is the address of a PostgreSQL server on which tests may make databases, such as
//! `postgres://postgres@127.0.0.1:5432`; a database that it names is not used. `CLAVIGER_TEST_ENGINE=postgresql` makes [`fresh_store`] use it
//! too, so that one suite runs on either engine.

use std::env;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use store::{Database, Store, StoreKeys};
use tempfile::TempDir;

/// A store with all tables and nothing in them. Its files go when it is dropped; a database on a server stays until
/// the server goes.
pub struct FreshStore {
    /// The store.
    pub store: Store,
    /// Where it is, to open it again.
    pub database: Database,
    _folder: Option<TempDir>,
}

impl FreshStore {
    /// Everything that is stored, for finding out whether anything changed: the pages of the file, or every row as the
    /// server writes it.
    pub async fn everything(&self) -> Vec<u8> {
        let Database::Postgres(address) = &self.database else {
            let folder = tempfile::tempdir().expect("a folder for temporary files");
            let copy = folder.path().join("copy.db");
            self.store.backup_to(&copy).await.expect("a copy of the database");
            return std::fs::read(copy).expect("the copy that was just made");
        };
        let connected = tokio_postgres::connect(address, tokio_postgres::NoTls).await;
        let (client, connection) = connected.expect("the database that was made here");
        let connection = tokio::spawn(connection);
        let mut all = String::new();
        for table in rows(&client, "TABLE pg_tables").await {
            if let [Some(schema), Some(name), ..] = table.as_slice()
                && schema == "public"
            {
                all.push_str(&format!("{name} {:?}\n", rows(&client, &format!("TABLE \"{name}\"")).await));
            }
        }
        connection.abort();
        all.into_bytes()
    }
}

/// The rows of a table as texts.
async fn rows(client: &tokio_postgres::Client, table: &str) -> Vec<Vec<Option<String>>> {
    let answers = client.simple_query(table).await.expect("a table that is there");
    let texts = answers.iter().filter_map(|answer| match answer {
        tokio_postgres::SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|place| row.get(place).map(str::to_owned)).collect())
        }
        _ => None,
    });
    texts.collect()
}

/// The keys of every store made here.
pub fn store_keys() -> StoreKeys {
    StoreKeys { audit: [7; 32], field: pki::seal::SealKey::new([8; 32]) }
}

/// A fresh store: on SQLite, unless `CLAVIGER_TEST_ENGINE` says `postgresql`.
pub async fn fresh_store() -> FreshStore {
    match env::var("CLAVIGER_TEST_ENGINE").as_deref() {
        Ok("postgresql") => on_postgres(&server().expect("CLAVIGER_TEST_POSTGRES names the server")).await,
        Ok("sqlite" | "") | Err(_) => on_sqlite().await,
        Ok(other) => panic!("CLAVIGER_TEST_ENGINE={other} is neither sqlite nor postgresql"),
    }
}

/// A fresh store on SQLite, and one on PostgreSQL where there is a server.
pub async fn fresh_stores() -> Vec<FreshStore> {
    let mut all = vec![on_sqlite().await];
    if let Some(server) = server() {
        all.push(on_postgres(&server).await);
    }
    all
}

fn server() -> Option<String> {
    env::var("CLAVIGER_TEST_POSTGRES")
        .ok()
        .filter(|address| !address.is_empty())
        .map(|address| server_of(&address))
}

/// The address without a database.
fn server_of(address: &str) -> String {
    let (scheme, rest) =
        address.split_once("://").expect("CLAVIGER_TEST_POSTGRES is postgres://user@host:port");
    format!("{scheme}://{}", rest.split('/').next().unwrap_or(rest))
}

async fn on_sqlite() -> FreshStore {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let database = Database::Sqlite(folder.path().join("claviger.db"));
    migrated(database, Some(folder)).await
}

async fn on_postgres(server: &str) -> FreshStore {
    let name = new_name();
    let connected = tokio_postgres::connect(&format!("{server}/postgres"), tokio_postgres::NoTls).await;
    let (client, connection) = connected.expect("CLAVIGER_TEST_POSTGRES is the address of a server");
    let connection = tokio::spawn(connection);
    client
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .await
        .expect("the server lets us make a database");
    connection.abort();
    migrated(Database::Postgres(format!("{server}/{name}")), None).await
}

/// Tests run side by side, also in several processes.
fn new_name() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("claviger_test_{}_{now}_{}", process::id(), MADE.fetch_add(1, Ordering::SeqCst))
}

async fn migrated(database: Database, folder: Option<TempDir>) -> FreshStore {
    let store = Store::open(&database, store_keys()).await.expect("the new database opens");
    store.migrate().await.expect("the new database takes the tables");
    FreshStore { store, database, _folder: folder }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_database_is_left_alone() {
        for address in ["postgres://p@h:5432", "postgres://p@h:5432/", "postgres://p@h:5432/postgres"] {
            assert_eq!(server_of(address), "postgres://p@h:5432");
        }
    }
}
