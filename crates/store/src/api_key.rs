//! Programs' keys to the API; of their secrets only a hash.

use std::collections::BTreeSet;

use domain::id::ApiKeyId;
use domain::user::ApiKey;
use domain::{Moment, Role};

use crate::tx::Row;
use crate::{Error, Tx, text};

const API_KEY: &str = "SELECT id, label, roles, secret, created_by, created, expires, last_used FROM api_key";

/// Stores a new API key.
pub fn insert(tx: &Tx<'_>, key: &ApiKey, secret_hash: &[u8; 32]) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO api_key (id, label, roles, secret, created_by, created, expires, last_used)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            &key.id.as_str(),
            &key.label,
            &text::roles(&key.roles),
            &secret_hash.as_slice(),
            &key.created_by,
            &key.created.0,
            &key.expires.0,
            &key.last_used.map(|at| at.0),
        ],
    )?;
    Ok(())
}

/// One API key with the hash of its secret, whether it has ended or not.
pub fn find(tx: &Tx<'_>, id: &ApiKeyId) -> Result<Option<(ApiKey, [u8; 32])>, Error> {
    tx.one(&format!("{API_KEY} WHERE id = $1"), &[&id.as_str()], |row| {
        Ok((read(row)?, row.hash("api_key", "secret")?))
    })
}

/// Every API key, the oldest first.
pub fn all(tx: &Tx<'_>) -> Result<Vec<ApiKey>, Error> {
    tx.rows(&format!("{API_KEY} ORDER BY created, id"), &[], read)
}

/// Gives the API key other roles.
pub fn set_roles(tx: &Tx<'_>, id: &ApiKeyId, roles: &BTreeSet<Role>) -> Result<(), Error> {
    tx.update("api_key", "UPDATE api_key SET roles = $2 WHERE id = $1", &[&id.as_str(), &text::roles(roles)])
}

/// Remembers when the API key was last used. One that is gone stays gone.
pub fn touch(tx: &Tx<'_>, id: &ApiKeyId, at: Moment) -> Result<(), Error> {
    tx.exec("UPDATE api_key SET last_used = $2 WHERE id = $1", &[&id.as_str(), &at.0])?;
    Ok(())
}

/// Removes an API key; answers whether there was one.
pub fn remove(tx: &Tx<'_>, id: &ApiKeyId) -> Result<bool, Error> {
    Ok(tx.exec("DELETE FROM api_key WHERE id = $1", &[&id.as_str()])? > 0)
}

fn read(row: &Row<'_>) -> Result<ApiKey, Error> {
    let roles = text::parse_roles(&row.text("roles")?);
    Ok(ApiKey {
        id: ApiKeyId::of(row.text("id")?),
        label: row.at("label")?,
        roles: roles.ok_or(Error::Corrupt { table: "api_key", column: "roles" })?,
        created_by: row.at("created_by")?,
        created: row.moment("created")?,
        expires: row.moment("expires")?,
        last_used: row.moment_or_none("last_used")?,
    })
}
