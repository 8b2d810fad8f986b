//! Settings of the whole installation, by name.

use std::collections::BTreeMap;

use crate::{Error, Tx};

/// The value of a setting.
pub fn text(tx: &Tx<'_>, name: &str) -> Result<Option<String>, Error> {
    tx.one("SELECT value FROM setting WHERE name = $1", &[&name], |row| row.at("value"))
}

/// Stores a setting, in place of the one of this name.
pub fn put(tx: &Tx<'_>, name: &str, value: &str) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        &[&name, &value],
    )?;
    Ok(())
}

/// Removes a setting, if there is one.
pub fn remove(tx: &Tx<'_>, name: &str) -> Result<(), Error> {
    tx.exec("DELETE FROM setting WHERE name = $1", &[&name])?;
    Ok(())
}

/// Every setting.
pub fn all(tx: &Tx<'_>) -> Result<BTreeMap<String, String>, Error> {
    let pairs =
        tx.rows("SELECT name, value FROM setting", &[], |row| Ok((row.at("name")?, row.at("value")?)))?;
    Ok(pairs.into_iter().collect())
}
