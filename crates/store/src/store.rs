//! The store: opening it, running transactions on it, closing it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use pki::seal::SealKey;
use tokio::sync::watch;
use zeroize::Zeroize;

use crate::commits::{Commits, Made};
use crate::postgres::{Mode, Postgres};
use crate::sqlite::Sqlite;
use crate::{Error, Tx, migration};

/// Where the tables are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A server: `postgres://user@host/database?sslmode=verify-full&sslrootcert=/path/ca.pem`.
    Postgres(String),
}

impl FromStr for Database {
    type Err = Error;

    /// `postgres://…` or `postgresql://…` is a server, anything else a path, with or without `sqlite:` in front.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        match text.strip_prefix("sqlite:").unwrap_or(text) {
            "" => Err(Error::Address("it is empty".to_owned())),
            path if path.contains("://") => Err(Error::Address("use a path or postgres://".to_owned())),
            path => Ok(Self::Sqlite(PathBuf::from(path))),
        }
    }
}

/// What the store keeps secrets and the audit chain with; derived from the instance key. Wiped when dropped.
pub struct StoreKeys {
    /// Chains audit events.
    pub audit: [u8; 32],
    /// Seals secret settings.
    pub field: SealKey,
}

impl Drop for StoreKeys {
    fn drop(&mut self) {
        self.audit.zeroize();
    }
}

/// What [`Store::check`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The version of the schema; 0 when there are no tables yet.
    pub schema: i64,
    /// What is wrong, a sentence each; empty when all is well.
    pub problems: Vec<String>,
}

/// All tables, on one of two engines. Clones share one store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    keys: Arc<StoreKeys>,
    nudges: watch::Sender<u64>,
    commits: Arc<Commits>,
}

enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Store {
    /// Opens the store. Refuses tables of another version ([`Error::Schema`]); none at all is fine, call
    /// [`Store::migrate`] then.
    pub async fn open(database: &Database, keys: StoreKeys) -> Result<Self, Error> {
        let store = Self::connect(database, keys).await?;
        match store.schema().await? {
            0 => Ok(store),
            found if found == migration::NEWEST => Ok(store),
            found => Err(Error::Schema { found, expected: migration::NEWEST }),
        }
    }

    /// Opens the store to migrate it: takes tables of an older version too.
    pub async fn open_to_migrate(database: &Database, keys: StoreKeys) -> Result<Self, Error> {
        let store = Self::connect(database, keys).await?;
        let found = store.schema().await?;
        if (0..=migration::NEWEST).contains(&found) {
            return Ok(store);
        }
        Err(Error::Schema { found, expected: migration::NEWEST })
    }

    async fn connect(database: &Database, keys: StoreKeys) -> Result<Self, Error> {
        let keys = Arc::new(keys);
        let nudges = watch::Sender::new(0);
        let commits: Arc<Commits> = Arc::default();
        let engine = match database {
            Database::Sqlite(path) => {
                let (path, keys, nudges) = (path.clone(), Arc::clone(&keys), nudges.clone());
                let commits = Arc::clone(&commits);
                let opened =
                    tokio::task::spawn_blocking(move || Sqlite::open(&path, keys, nudges, commits)).await;
                Engine::Sqlite(opened.map_err(|_| Error::Closed)??)
            }
            Database::Postgres(url) => Engine::Postgres(Postgres::open(url, nudges.clone()).await?),
        };
        Ok(Self { inner: Arc::new(Inner { engine, keys, nudges, commits }) })
    }

    /// Brings the tables to the newest version; answers how many steps that took. Each step is one transaction, and
    /// of several nodes only one takes it.
    pub async fn migrate(&self) -> Result<u32, Error> {
        let mut steps = 0;
        for step in migration::ALL {
            steps += self.tx("migrate", move |tx| step.apply(tx)).await?;
        }
        Ok(steps)
    }

    /// Runs a transaction. What the closure did is durable when this answers `Ok`; when the closure returns an error
    /// or panics, or the answer is an error for another reason, nothing of it is stored.
    ///
    /// The closure may run more than once (PostgreSQL asks for it after a deadlock), so it has no effect outside.
    /// It runs on a thread of the store that others wait for: no signing, hashing of passwords or waiting in it.
    pub async fn tx<T, E, F>(&self, name: &'static str, run: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        match &self.inner.engine {
            Engine::Sqlite(sqlite) => sqlite.write(name, run).await,
            Engine::Postgres(postgres) => {
                let ended = postgres.run(name, Mode::Write, Arc::clone(&self.inner.keys), run).await;
                if ended.is_ok() {
                    self.inner.commits.note(1);
                }
                ended
            }
        }
    }

    /// Reads, all from one moment. Writing is refused.
    pub async fn read<T, E, F>(&self, name: &'static str, run: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        match &self.inner.engine {
            Engine::Sqlite(sqlite) => sqlite.read(name, run).await,
            Engine::Postgres(postgres) => {
                postgres.run(name, Mode::Read, Arc::clone(&self.inner.keys), run).await
            }
        }
    }

    /// Changes after each committed transaction that called [`Tx::nudge`], on whichever node. Nudges may be lost or
    /// come twice: look at a timer as well.
    pub fn nudges(&self) -> watch::Receiver<u64> {
        self.inner.nudges.subscribe()
    }

    /// How many commits were made since the start, and how many transactions shared them.
    pub fn commits(&self) -> Made {
        self.inner.commits.made()
    }

    /// `sqlite` or `postgresql`.
    pub fn engine_name(&self) -> &'static str {
        match &self.inner.engine {
            Engine::Sqlite(_) => "sqlite",
            Engine::Postgres(_) => "postgresql",
        }
    }

    /// Copies everything, as of one moment, into a new file of mode 0600 that needs nothing beside it, while others go
    /// on writing. SQLite only; the file must not exist.
    pub async fn backup_to(&self, path: &Path) -> Result<(), Error> {
        match &self.inner.engine {
            Engine::Sqlite(sqlite) => sqlite.backup_to(path).await,
            Engine::Postgres(_) => Err(Error::NotSqlite),
        }
    }

    /// Looks for damage: pages, references and the schema's version.
    pub async fn check(&self) -> Result<Check, Error> {
        let schema = self.schema().await?;
        let mut problems = match &self.inner.engine {
            Engine::Sqlite(sqlite) => sqlite.problems().await?,
            Engine::Postgres(_) => Vec::new(),
        };
        if schema != migration::NEWEST {
            problems
                .push(format!("the schema has version {schema}, this program needs {}", migration::NEWEST));
        }
        Ok(Check { schema, problems })
    }

    /// Ends it: what waits is still written, later calls are refused with [`Error::Closed`].
    pub async fn close(&self) {
        match &self.inner.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close(),
        }
    }

    async fn schema(&self) -> Result<i64, Error> {
        self.read("schema", migration::version).await
    }
}

/// Runs a closure; a panic in it becomes an error, and so does a failed statement that the closure did not report.
pub(crate) fn run_guarded<T, E: From<Error>>(
    name: &'static str,
    tx: &Tx<'_>,
    run: &impl Fn(&Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    match catch_unwind(AssertUnwindSafe(|| run(tx))) {
        Ok(Ok(_)) if tx.is_broken() => Err(E::from(Error::NotCommitted { name })),
        Ok(result) => result,
        Err(_) => Err(E::from(Error::Panicked { name })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_path_or_a_server() {
        assert_eq!("a/b.db".parse::<Database>().ok(), Some(Database::Sqlite("a/b.db".into())));
        assert_eq!("sqlite:a.db".parse::<Database>().ok(), Some(Database::Sqlite("a.db".into())));
        assert!(matches!("postgresql://h/d".parse(), Ok(Database::Postgres(_))));
        assert!("".parse::<Database>().is_err() && "mysql://h/d".parse::<Database>().is_err());
    }
}
