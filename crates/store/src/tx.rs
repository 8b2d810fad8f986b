//! One transaction on either engine: the wall behind which the two drivers differ.
//!
//! Statements are written once, with `$1`. Types are those that both engines take: `i64`, `bool`, text and bytes.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::str::FromStr;

use domain::Moment;
use rusqlite::Connection;
use tokio::runtime::Handle;

use crate::{Error, StoreKeys};

/// A value that both drivers take.
pub(crate) trait Arg: rusqlite::ToSql + tokio_postgres::types::ToSql + Sync {}
impl<T: rusqlite::ToSql + tokio_postgres::types::ToSql + Sync> Arg for T {}

/// A value that both drivers give.
pub(crate) trait Col: rusqlite::types::FromSql + for<'a> tokio_postgres::types::FromSql<'a> {}
impl<T: rusqlite::types::FromSql + for<'a> tokio_postgres::types::FromSql<'a>> Col for T {}

/// The values of a statement, `$1` first.
pub(crate) type Args<'a> = &'a [&'a dyn Arg];

/// A transaction. Whatever its closure did is durable when [`crate::Store::tx`] has answered `Ok`, else undone.
pub struct Tx<'a> {
    engine: Engine<'a>,
    keys: &'a StoreKeys,
    name: &'static str,
    depth: Cell<u32>,
    broken: Cell<bool>,
    again: Cell<bool>,
    nudged: Cell<bool>,
}

enum Engine<'a> {
    Sqlite(&'a Connection),
    Postgres { tx: &'a deadpool_postgres::Transaction<'a>, handle: &'a Handle },
}

impl<'a> Tx<'a> {
    pub(crate) fn sqlite(name: &'static str, connection: &'a Connection, keys: &'a StoreKeys) -> Self {
        Self::new(name, Engine::Sqlite(connection), keys)
    }

    pub(crate) fn postgres(
        name: &'static str,
        tx: &'a deadpool_postgres::Transaction<'a>,
        handle: &'a Handle,
        keys: &'a StoreKeys,
    ) -> Self {
        Self::new(name, Engine::Postgres { tx, handle }, keys)
    }

    fn new(name: &'static str, engine: Engine<'a>, keys: &'a StoreKeys) -> Self {
        let [broken, again, nudged] = [(); 3].map(|()| Cell::new(false));
        Self { engine, keys, name, depth: Cell::new(0), broken, again, nudged }
    }

    /// Runs a part that may fail alone: when it returns an error, only what it did is undone.
    pub fn attempt<T, E: From<Error>>(&self, part: impl FnOnce(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        let depth = self.depth.get();
        let was_broken = self.broken.get();
        self.batch(&format!("SAVEPOINT attempt_{depth}"))?;
        self.depth.set(depth + 1);
        let result = part(self);
        self.depth.set(depth);
        match result {
            Ok(value) if !self.broken.get() => {
                self.batch(&format!("RELEASE SAVEPOINT attempt_{depth}"))?;
                Ok(value)
            }
            // A failed statement inside was swallowed: PostgreSQL would undo the part without a word.
            Ok(_) => Err(E::from(Error::NotCommitted { name: self.name })),
            Err(error) => {
                self.batch(&format!("ROLLBACK TO SAVEPOINT attempt_{depth}"))?;
                self.batch(&format!("RELEASE SAVEPOINT attempt_{depth}"))?;
                self.broken.set(was_broken);
                Err(error)
            }
        }
    }

    /// Lets every receiver of [`crate::Store::nudges`], on every node, know once this is committed.
    pub fn nudge(&self) {
        self.nudged.set(true);
    }

    /// Keeps others that name the same thing out until the end of the transaction, so that what is checked still holds
    /// when it is acted upon. SQLite has one writer and needs nothing.
    pub fn exclusive(&self, what: &str) -> Result<(), Error> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres { .. } => {
                let mut first = [0; 8];
                first.copy_from_slice(&pki::identity::sha256(what.as_bytes())[..8]);
                self.exec("SELECT pg_advisory_xact_lock($1)", &[&i64::from_be_bytes(first)]).map(|_| ())
            }
        }
    }

    /// Runs one statement; answers how many rows it changed.
    pub(crate) fn exec(&self, sql: &str, args: Args<'_>) -> Result<u64, Error> {
        self.noting(match &self.engine {
            Engine::Sqlite(connection) => self.exec_sqlite(connection, sql, args),
            Engine::Postgres { tx, handle } => handle.block_on(async {
                let statement = tx.prepare_cached(sql).await?;
                Ok(tx.execute(&statement, &for_postgres(args)).await?)
            }),
        })
    }

    /// Runs a statement that must change a row of `what`.
    pub(crate) fn update(&self, what: &'static str, sql: &str, args: Args<'_>) -> Result<(), Error> {
        match self.exec(sql, args)? {
            0 => Err(Error::Missing { what }),
            _ => Ok(()),
        }
    }

    /// Reads rows.
    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        args: Args<'_>,
        read: impl Fn(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.noting(match &self.engine {
            Engine::Sqlite(connection) => self.rows_sqlite(connection, sql, args, read),
            Engine::Postgres { tx, handle } => {
                let rows = handle.block_on(async {
                    let statement = tx.prepare_cached(sql).await?;
                    tx.query(&statement, &for_postgres(args)).await
                });
                rows.map_err(Error::from)
                    .and_then(|rows| rows.iter().map(|row| read(&Row::Postgres(row))).collect())
            }
        })
    }

    /// Reads the first row, if there is one.
    pub(crate) fn one<T>(
        &self,
        sql: &str,
        args: Args<'_>,
        read: impl Fn(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        Ok(self.rows(sql, args, read)?.into_iter().next())
    }

    /// Reads one number, called `n`; 0 when there is no row.
    pub(crate) fn number(&self, sql: &str, args: Args<'_>) -> Result<i64, Error> {
        Ok(self.one(sql, args, |row| row.at("n"))?.unwrap_or(0))
    }

    /// Runs several statements without values.
    pub(crate) fn batch(&self, sql: &str) -> Result<(), Error> {
        self.noting(match &self.engine {
            Engine::Sqlite(connection) => {
                self.still_open(connection).and_then(|()| Ok(connection.execute_batch(sql)?))
            }
            Engine::Postgres { tx, handle } => handle.block_on(tx.batch_execute(sql)).map_err(Error::from),
        })
    }

    /// What a claim adds to its inner query, so that two claimers never wait for each other nor get one row.
    pub(crate) fn skip_locked(&self) -> &'static str {
        match &self.engine {
            Engine::Sqlite(_) => "",
            Engine::Postgres { .. } => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// What a query adds to hold its rows until the end of the transaction.
    pub(crate) fn for_update(&self) -> &'static str {
        match &self.engine {
            Engine::Sqlite(_) => "",
            Engine::Postgres { .. } => " FOR UPDATE",
        }
    }

    /// The aggregate that joins the texts of a column with line feeds.
    pub(crate) fn lines_of(&self, column: &str) -> String {
        match &self.engine {
            Engine::Sqlite(_) => format!("group_concat({column}, char(10))"),
            Engine::Postgres { .. } => format!("string_agg({column}, chr(10))"),
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.engine, Engine::Sqlite(_))
    }

    pub(crate) fn keys(&self) -> &StoreKeys {
        self.keys
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    pub(crate) fn wants_retry(&self) -> bool {
        self.again.get()
    }

    pub(crate) fn is_nudged(&self) -> bool {
        self.nudged.get()
    }

    fn exec_sqlite(&self, connection: &Connection, sql: &str, args: Args<'_>) -> Result<u64, Error> {
        self.still_open(connection)?;
        let mut statement = connection.prepare_cached(&for_sqlite(sql))?;
        let changed = statement.execute(&*sqlite_args(args))?;
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }

    fn rows_sqlite<T>(
        &self,
        connection: &Connection,
        sql: &str,
        args: Args<'_>,
        read: impl Fn(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.still_open(connection)?;
        let mut statement = connection.prepare_cached(&for_sqlite(sql))?;
        let mut rows = statement.query(&*sqlite_args(args))?;
        let mut read_rows = Vec::new();
        while let Some(row) = rows.next()? {
            read_rows.push(read(&Row::Sqlite { row, next: Cell::new(0) })?);
        }
        Ok(read_rows)
    }

    /// Some errors (disk full) end SQLite's transaction; what came after would be committed statement by statement.
    fn still_open(&self, connection: &Connection) -> Result<(), Error> {
        if connection.is_autocommit() { Err(Error::NotCommitted { name: self.name }) } else { Ok(()) }
    }

    fn noting<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result {
            self.broken.set(self.broken.get() || error.is_of_engine());
            self.again.set(self.again.get() || error.wants_retry());
        }
        result
    }
}

thread_local! {
    static REWRITTEN: RefCell<HashMap<String, Rc<str>>> = RefCell::new(HashMap::new());
}

/// `$2` is only a name to SQLite and would be bound by order of appearance; `?2` is a number. Each text is rewritten
/// once per thread; texts that filters made could be many, so the memory is bounded.
fn for_sqlite(sql: &str) -> Rc<str> {
    REWRITTEN.with_borrow_mut(|known| {
        if let Some(text) = known.get(sql) {
            return Rc::clone(text);
        }
        if known.len() >= 1_000 {
            known.clear();
        }
        let text: Rc<str> = sql.replace('$', "?").into();
        known.insert(sql.to_owned(), Rc::clone(&text));
        text
    })
}

fn sqlite_args<'a>(args: Args<'a>) -> Vec<&'a dyn rusqlite::ToSql> {
    args.iter().map(|arg| *arg as &dyn rusqlite::ToSql).collect()
}

fn for_postgres<'a>(args: Args<'a>) -> Vec<&'a (dyn tokio_postgres::types::ToSql + Sync)> {
    args.iter().map(|arg| *arg as &(dyn tokio_postgres::types::ToSql + Sync)).collect()
}

/// A row that was read.
pub(crate) enum Row<'a> {
    Sqlite {
        row: &'a rusqlite::Row<'a>,
        /// The column after the one that was read last: columns are mostly read in their order, and to look one up by
        /// its name compares it with all before it.
        next: Cell<usize>,
    },
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// The value of a column.
    pub(crate) fn at<T: Col>(&self, column: &str) -> Result<T, Error> {
        Ok(match self {
            Row::Sqlite { row, next } => {
                let statement = row.as_ref();
                let index = match statement.column_name(next.get()) {
                    Ok(name) if name == column => next.get(),
                    Ok(_) | Err(_) => statement.column_index(column)?,
                };
                next.set(index + 1);
                row.get(index)?
            }
            Row::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn text(&self, column: &str) -> Result<String, Error> {
        self.at(column)
    }

    pub(crate) fn moment(&self, column: &str) -> Result<Moment, Error> {
        self.at(column).map(Moment)
    }

    pub(crate) fn moment_or_none(&self, column: &str) -> Result<Option<Moment>, Error> {
        Ok(self.at::<Option<i64>>(column)?.map(Moment))
    }

    /// A text that names something of ours.
    pub(crate) fn parsed<T: FromStr>(&self, table: &'static str, column: &'static str) -> Result<T, Error> {
        self.text(column)?.parse().map_err(|_| Error::Corrupt { table, column })
    }

    /// The same where there may be none.
    pub(crate) fn parsed_or_none<T: FromStr>(
        &self,
        table: &'static str,
        column: &'static str,
    ) -> Result<Option<T>, Error> {
        let text: Option<String> = self.at(column)?;
        text.map(|text| text.parse().map_err(|_| Error::Corrupt { table, column })).transpose()
    }

    /// A number that was never negative nor large.
    pub(crate) fn count(&self, table: &'static str, column: &'static str) -> Result<u32, Error> {
        u32::try_from(self.at::<i64>(column)?).map_err(|_| Error::Corrupt { table, column })
    }

    /// A hash.
    pub(crate) fn hash(&self, table: &'static str, column: &'static str) -> Result<[u8; 32], Error> {
        self.at::<Vec<u8>>(column)?.try_into().map_err(|_| Error::Corrupt { table, column })
    }

    /// The same where there may be none.
    pub(crate) fn hash_or_none(
        &self,
        table: &'static str,
        column: &'static str,
    ) -> Result<Option<[u8; 32]>, Error> {
        let bytes: Option<Vec<u8>> = self.at(column)?;
        bytes.map(|bytes| bytes.try_into().map_err(|_| Error::Corrupt { table, column })).transpose()
    }
}
