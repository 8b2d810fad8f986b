//! Keys, and their sealed private halves.

use std::collections::BTreeSet;

use domain::Moment;
use domain::id::TokenId;
use domain::key::{Exportable, Key, KeyState, KeyUsage, SealedKey};
use pki::KeyId;

use crate::select::{self, SEARCH, Select, searchable};
use crate::tx::Row;
use crate::{Error, Page, Tx};

const KEY: &str =
    "SELECT id, token, label, usage, algorithm, spki, exportable, born, durability, state, created,
    retired, exported FROM key";

/// Which keys are listed. All that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFilter {
    /// In this token.
    pub token: Option<TokenId>,
    /// For this.
    pub usage: Option<KeyUsage>,
    /// In this state; none means all but the destroyed ones.
    pub state: Option<KeyState>,
    /// With this in the friendly name or the id, without regard to case.
    pub text: Option<String>,
}

/// Stores a new key with its sealed private half. [`Error::Conflict`] is of `key.label` or `key.id`.
pub fn insert(tx: &Tx<'_>, key: &Key, sealed: &SealedKey) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO key (id, token, label, label_folded, usage, algorithm, spki, exportable, born, durability, state,
         created, retired, exported, sealed, search)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        &[
            &key.id.0.as_slice(),
            &key.token.as_str(),
            &key.label,
            &key.label.to_lowercase(),
            &key.usage.map(KeyUsage::name),
            &key.algorithm.name(),
            &key.spki,
            &key.exportable.name(),
            &key.born.name(),
            &key.durability.name(),
            &key.state.name(),
            &key.created.0,
            &key.retired.map(|at| at.0),
            &key.exported.map(|at| at.0),
            &sealed.sealed,
            &search_text(&key.label, &key.id),
        ],
    )?;
    Ok(())
}

fn search_text(label: &str, id: &KeyId) -> String {
    searchable(&[label, &id.to_string()])
}

/// One key, whatever its state.
pub fn find(tx: &Tx<'_>, id: &KeyId) -> Result<Option<Key>, Error> {
    tx.one(&format!("{KEY} WHERE id = $1"), &[&id.0.as_slice()], read)
}

/// Where a key is in its life, and what it is for.
pub fn standing(tx: &Tx<'_>, id: &KeyId) -> Result<Option<(KeyState, Option<KeyUsage>)>, Error> {
    let sql = "SELECT state, usage FROM key WHERE id = $1";
    tx.one(sql, &[&id.0.as_slice()], |row| {
        Ok((row.parsed("key", "state")?, row.parsed_or_none("key", "usage")?))
    })
}

/// The key of this friendly name that is not destroyed.
pub fn by_label(tx: &Tx<'_>, label: &str) -> Result<Option<Key>, Error> {
    tx.one(&format!("{KEY} WHERE label = $1 AND state <> 'destroyed'"), &[&label], read)
}

const SEALED: &str =
    "SELECT id, token, exportable, algorithm, sealed FROM key WHERE id = $1 AND sealed IS NOT NULL";

/// The sealed private half; none once it is destroyed.
pub fn sealed(tx: &Tx<'_>, id: &KeyId) -> Result<Option<SealedKey>, Error> {
    tx.one(SEALED, &[&id.0.as_slice()], read_sealed)
}

/// The sealed private half of a key for TLS; none for any other, whatever certificate somebody made over it: a CA's key
/// must never come to the edge.
pub fn sealed_for_tls(tx: &Tx<'_>, id: &KeyId) -> Result<Option<SealedKey>, Error> {
    let sql = format!("{SEALED} AND (usage IS NULL OR usage = 'tls')");
    tx.one(&sql, &[&id.0.as_slice()], read_sealed)
}

fn read_sealed(row: &Row<'_>) -> Result<SealedKey, Error> {
    Ok(SealedKey {
        id: KeyId(row.hash("key", "id")?),
        token: TokenId::of(row.text("token")?),
        exportable: row.parsed("key", "exportable")?,
        algorithm: row.parsed("key", "algorithm")?,
        sealed: row.at("sealed")?,
    })
}

/// Keys by friendly name. The next page begins after [`cursor`] of the last one.
pub fn list(tx: &Tx<'_>, filter: &KeyFilter, page: &Page) -> Result<Vec<Key>, Error> {
    let mut select = Select::new(KEY);
    match filter.state {
        Some(state) => select.filter("state = {}", state.name()),
        None => select.only("state <> 'destroyed'"),
    };
    select.maybe("token = {}", filter.token.as_ref().map(TokenId::as_str));
    select.maybe("usage = {}", filter.usage.map(KeyUsage::name));
    select.search(SEARCH, filter.text.as_deref());
    if let Some(after) = &page.after {
        let (id, label) = select::read_cursor(after)?;
        let id: KeyId = id.parse().map_err(|_| Error::Cursor)?;
        select.after("(label_folded, id) > ({1}, {2})", label.to_owned(), id.0.to_vec());
    }
    select.rows(tx, "label_folded, id", page.limit, read)
}

/// Where the list continues after this key.
pub fn cursor(key: &Key) -> String {
    select::cursor(&key.id.to_string(), key.label.to_lowercase())
}

/// Every key of a token that is not destroyed, by friendly name.
pub fn of_token(tx: &Tx<'_>, token: &TokenId) -> Result<Vec<Key>, Error> {
    let sql = format!("{KEY} WHERE token = $1 AND state <> 'destroyed' ORDER BY label_folded, id");
    tx.rows(&sql, &[&token.as_str()], read)
}

/// The ids of the same keys.
pub fn ids_of_token(tx: &Tx<'_>, token: &TokenId) -> Result<BTreeSet<KeyId>, Error> {
    let sql = "SELECT id FROM key WHERE token = $1 AND state <> 'destroyed'";
    let ids = tx.rows(sql, &[&token.as_str()], |row| Ok(KeyId(row.hash("key", "id")?)))?;
    Ok(ids.into_iter().collect())
}

/// Changes where the key is in its life, and when it was retired.
pub fn set_state(tx: &Tx<'_>, id: &KeyId, state: KeyState, retired: Option<Moment>) -> Result<(), Error> {
    tx.update(
        "key",
        "UPDATE key SET state = $2, retired = $3 WHERE id = $1",
        &[&id.0.as_slice(), &state.name(), &retired.map(|at| at.0)],
    )
}

/// Gives the key another friendly name. [`Error::Conflict`] is of `key.label`.
pub fn set_label(tx: &Tx<'_>, id: &KeyId, label: &str) -> Result<(), Error> {
    tx.update(
        "key",
        "UPDATE key SET label = $2, label_folded = $3, search = $4 WHERE id = $1",
        &[&id.0.as_slice(), &label, &label.to_lowercase(), &search_text(label, id)],
    )
}

/// Says what the key is for.
pub fn set_usage(tx: &Tx<'_>, id: &KeyId, usage: KeyUsage) -> Result<(), Error> {
    tx.update("key", "UPDATE key SET usage = $2 WHERE id = $1", &[&id.0.as_slice(), &usage.name()])
}

/// Lowers when the key may leave, together with the seal that it is bound into.
pub fn lower_exportable(
    tx: &Tx<'_>,
    id: &KeyId,
    exportable: Exportable,
    resealed: &[u8],
) -> Result<(), Error> {
    tx.update(
        "key",
        "UPDATE key SET exportable = $2, sealed = $3 WHERE id = $1 AND sealed IS NOT NULL",
        &[&id.0.as_slice(), &exportable.name(), &resealed],
    )
}

/// Remembers for ever when the key first left in a person's hands.
pub fn mark_exported(tx: &Tx<'_>, id: &KeyId, at: Moment) -> Result<(), Error> {
    tx.update(
        "key",
        "UPDATE key SET exported = COALESCE(exported, $2) WHERE id = $1",
        &[&id.0.as_slice(), &at.0],
    )
}

/// The keys that no backup holds. What is read here before the tables are copied is in the copy; a key that is made while
/// they are copied may not be, whatever time it bears.
pub fn not_backed_up(tx: &Tx<'_>) -> Result<Vec<KeyId>, Error> {
    tx.rows("SELECT id FROM key WHERE durability = 'this_node_only'", &[], |row| {
        Ok(KeyId(row.hash("key", "id")?))
    })
}

/// Remembers that a backup holds these keys; answers how many are new to it.
pub fn mark_backed_up(tx: &Tx<'_>, held: &[KeyId]) -> Result<u64, Error> {
    let mut marked = 0;
    for id in held {
        marked += tx.exec(
            "UPDATE key SET durability = 'backed_up' WHERE id = $1 AND durability = 'this_node_only'",
            &[&id.0.as_slice()],
        )?;
    }
    Ok(marked)
}

/// Removes the sealed private half for good; the rest of the row stays as history.
pub fn destroy(tx: &Tx<'_>, id: &KeyId) -> Result<(), Error> {
    tx.exec("UPDATE certificate SET has_key = $2 WHERE key = $1", &[&id.0.as_slice(), &false])?;
    tx.update("key", "UPDATE key SET state = 'destroyed', sealed = NULL WHERE id = $1", &[&id.0.as_slice()])
}

/// Keys that were retired before this moment and are not yet destroyed, the oldest first.
pub fn retired_before(tx: &Tx<'_>, before: Moment, limit: u32) -> Result<Vec<Key>, Error> {
    tx.rows(
        &format!("{KEY} WHERE state = 'retired' AND retired < $1 ORDER BY retired, id LIMIT $2"),
        &[&before.0, &i64::from(limit)],
        read,
    )
}

/// How many keys are in each state; states without a key are left out.
pub fn count_by_state(tx: &Tx<'_>) -> Result<Vec<(KeyState, i64)>, Error> {
    tx.rows("SELECT state, count(*) AS n FROM key GROUP BY state ORDER BY state", &[], |row| {
        Ok((row.parsed("key", "state")?, row.at("n")?))
    })
}

/// How many active keys a token holds.
pub fn count_in_token(tx: &Tx<'_>, token: &TokenId) -> Result<i64, Error> {
    tx.number("SELECT count(*) AS n FROM key WHERE token = $1 AND state = 'active'", &[&token.as_str()])
}

fn read(row: &Row<'_>) -> Result<Key, Error> {
    Ok(Key {
        id: KeyId(row.hash("key", "id")?),
        token: TokenId::of(row.text("token")?),
        label: row.at("label")?,
        usage: row.parsed_or_none("key", "usage")?,
        algorithm: row.parsed("key", "algorithm")?,
        spki: row.at("spki")?,
        exportable: row.parsed("key", "exportable")?,
        born: row.parsed("key", "born")?,
        durability: row.parsed("key", "durability")?,
        state: row.parsed("key", "state")?,
        created: row.moment("created")?,
        retired: row.moment_or_none("retired")?,
        exported: row.moment_or_none("exported")?,
    })
}
