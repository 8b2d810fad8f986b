//! What can go wrong in the store, told apart as far as somebody treats it differently.

use tokio_postgres::error::SqlState;

/// Why the store did not do it. Never holds a stored value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More is waiting than the store takes; the caller may try again later.
    #[error("the store is busy")]
    Busy,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The transaction could not be committed, so nothing of it is stored; it may be tried again.
    #[error("{name} was not committed")]
    NotCommitted {
        /// The transaction's name.
        name: &'static str,
    },
    /// The transaction's closure panicked; nothing of it is stored.
    #[error("{name} panicked")]
    Panicked {
        /// The transaction's name.
        name: &'static str,
    },
    /// There is one already.
    #[error("there is already one with this {what}")]
    Conflict {
        /// What must be unique, as `table.column`; the first column where there are several.
        what: String,
    },
    /// It refers to something that is not there, or something still refers to it.
    #[error("it refers to something that is not there, or something still refers to it")]
    Reference,
    /// What should be changed is not there.
    #[error("there is no such {what}")]
    Missing {
        /// The kind of thing.
        what: &'static str,
    },
    /// The text that continues a list was not made by a `cursor` function.
    #[error("this is not a place where a list can be continued")]
    Cursor,
    /// A stored value cannot be read.
    #[error("the column {column} of {table} holds something that cannot be read")]
    Corrupt {
        /// In which table.
        table: &'static str,
        /// In which column.
        column: &'static str,
    },
    /// A sealed value does not open: another instance key, or an edited row.
    #[error("a sealed value of {table} does not open with this instance key")]
    Unsealable {
        /// In which table.
        table: &'static str,
    },
    /// The tables are of another version of this program (-1: of another program).
    #[error("the database has schema version {found}, this program needs {expected}")]
    Schema {
        /// The version in the database.
        found: i64,
        /// The version that this program knows.
        expected: i64,
    },
    /// Only SQLite can do this.
    #[error("this works with SQLite only; use PostgreSQL's own tools")]
    NotSqlite,
    /// The SQLite library is older than 3.51.3, which can corrupt a database in WAL mode.
    #[error("SQLite {0} is too old, 3.51.3 is needed")]
    SqliteVersion(&'static str),
    /// The address of a database cannot be used.
    #[error("the address of the database cannot be used: {0}")]
    Address(String),
    /// A file could not be made or read.
    #[error("could not use the file of the database")]
    Io(#[from] std::io::Error),
    /// SQLite refused.
    #[error("SQLite refused a statement")]
    Sqlite(#[source] rusqlite::Error),
    /// PostgreSQL refused, or could not be reached.
    #[error("PostgreSQL refused a statement")]
    Postgres(#[source] tokio_postgres::Error),
    /// No connection to PostgreSQL could be had.
    #[error("no connection to PostgreSQL")]
    Pool(#[source] deadpool_postgres::PoolError),
}

impl Error {
    /// Whether the same call may succeed a moment later (HTTP 503).
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Busy | Self::NotCommitted { .. } | Self::Pool(_) => true,
            Self::Postgres(error) => error.is_closed() || self.wants_retry(),
            Self::Closed
            | Self::Panicked { .. }
            | Self::Conflict { .. }
            | Self::Reference
            | Self::Missing { .. }
            | Self::Cursor
            | Self::Corrupt { .. }
            | Self::Unsealable { .. }
            | Self::Schema { .. }
            | Self::NotSqlite
            | Self::SqliteVersion(_)
            | Self::Address(_)
            | Self::Io(_)
            | Self::Sqlite(_) => false,
        }
    }

    /// Whether PostgreSQL asks for the whole transaction again: serialization failure or deadlock.
    pub(crate) fn wants_retry(&self) -> bool {
        let Self::Postgres(error) = self else { return false };
        let code = error.code();
        code == Some(&SqlState::T_R_SERIALIZATION_FAILURE) || code == Some(&SqlState::T_R_DEADLOCK_DETECTED)
    }

    /// Whether a statement failed, as opposed to a value that was read well and not understood.
    pub(crate) fn is_of_engine(&self) -> bool {
        matches!(
            self,
            Self::Busy
                | Self::NotCommitted { .. }
                | Self::Conflict { .. }
                | Self::Reference
                | Self::Sqlite(_)
                | Self::Postgres(_)
        )
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ffi;
        let rusqlite::Error::SqliteFailure(failure, message) = &error else {
            return Self::Sqlite(error);
        };
        match failure.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
                Self::Conflict { what: first_column(message.as_deref().unwrap_or_default()) }
            }
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Self::Reference,
            ffi::SQLITE_BUSY | ffi::SQLITE_BUSY_SNAPSHOT => Self::Busy,
            _ => Self::Sqlite(error),
        }
    }
}

/// `UNIQUE constraint failed: job.kind, job.subject` says `job.kind`.
fn first_column(message: &str) -> String {
    let columns = message.rsplit_once(": ").map_or(message, |(_, columns)| columns);
    columns.split(',').next().unwrap_or_default().trim().to_owned()
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(refusal) = error.as_db_error() else {
            return Self::Postgres(error);
        };
        match refusal.code() {
            // Unique constraints are named as SQLite reports them.
            &SqlState::UNIQUE_VIOLATION => {
                Self::Conflict { what: refusal.constraint().unwrap_or_default().to_owned() }
            }
            &SqlState::FOREIGN_KEY_VIOLATION | &SqlState::RESTRICT_VIOLATION => Self::Reference,
            _ => Self::Postgres(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_is_named_by_its_first_column() {
        assert_eq!(first_column("UNIQUE constraint failed: key.label"), "key.label");
        assert_eq!(first_column("UNIQUE constraint failed: job.kind, job.subject"), "job.kind");
    }
}
