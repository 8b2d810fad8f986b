//! The steps from no tables to the newest ones. A step that was released is never changed: add another.

use crate::{Error, Tx};

/// One step, with its text for each engine.
pub(crate) struct Migration {
    number: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// Every step, in order.
pub(crate) const ALL: &[Migration] = &[
    Migration {
        number: 1,
        name: "initial",
        sqlite: include_str!("../migrations/1_initial/sqlite.sql"),
        postgres: include_str!("../migrations/1_initial/postgres.sql"),
    },
    Migration {
        number: 2,
        name: "import",
        sqlite: include_str!("../migrations/2_import/sqlite.sql"),
        postgres: include_str!("../migrations/2_import/postgres.sql"),
    },
    Migration {
        number: 3,
        name: "csr_named",
        sqlite: include_str!("../migrations/3_csr_named/sqlite.sql"),
        postgres: include_str!("../migrations/3_csr_named/postgres.sql"),
    },
    Migration {
        number: 4,
        name: "csr_waiting",
        sqlite: include_str!("../migrations/4_csr_waiting/sqlite.sql"),
        postgres: include_str!("../migrations/4_csr_waiting/postgres.sql"),
    },
    Migration {
        number: 5,
        name: "deployed_chain",
        sqlite: include_str!("../migrations/5_deployed_chain/sqlite.sql"),
        postgres: include_str!("../migrations/5_deployed_chain/postgres.sql"),
    },
    Migration {
        number: 6,
        name: "certificate_by_key",
        sqlite: include_str!("../migrations/6_certificate_by_key/sqlite.sql"),
        postgres: include_str!("../migrations/6_certificate_by_key/postgres.sql"),
    },
];

/// The version that this program works with.
pub(crate) const NEWEST: i64 = 6;

impl Migration {
    /// Takes the step unless it was taken; answers how many were.
    pub(crate) fn apply(&self, tx: &Tx<'_>) -> Result<u32, Error> {
        tx.exclusive("schema")?;
        if version(tx)? >= self.number {
            return Ok(0);
        }
        if self.number == 1 {
            tx.batch(if tx.is_sqlite() { VERSION_TABLE_SQLITE } else { VERSION_TABLE_POSTGRES })?;
        }
        tx.batch(if tx.is_sqlite() { self.sqlite } else { self.postgres })?;
        tx.exec("INSERT INTO schema_version (version, name) VALUES ($1, $2)", &[&self.number, &self.name])?;
        Ok(1)
    }
}

const VERSION_TABLE_SQLITE: &str =
    "CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL) STRICT";
const VERSION_TABLE_POSTGRES: &str =
    "CREATE TABLE schema_version (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL)";

/// The version of the tables: 0 when there are none, -1 when there are some that are not ours.
pub(crate) fn version(tx: &Tx<'_>) -> Result<i64, Error> {
    let tables = if tx.is_sqlite() {
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    } else {
        "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables WHERE table_schema = current_schema()"
    };
    let tables = tx.rows(tables, &[], |row| row.text("name"))?;
    if tables.iter().any(|table| table == "schema_version") {
        return tx.number("SELECT max(version) AS n FROM schema_version", &[]);
    }
    Ok(if tables.is_empty() { 0 } else { -1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_without_a_gap() {
        let numbers: Vec<i64> = ALL.iter().map(|step| step.number).collect();
        assert_eq!(numbers, (1..=NEWEST).collect::<Vec<_>>());
    }
}
