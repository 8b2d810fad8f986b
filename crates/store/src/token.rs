//! Tokens and the key slots that open them.

use domain::Moment;
use domain::id::TokenId;
use domain::token::{KeySlot, SlotKind, Token};

use crate::tx::Row;
use crate::{Error, Tx};

const TOKEN: &str = "SELECT id, kind, label, wrong_pins, last_wrong, locked,
    EXISTS (SELECT 1 FROM key_slot WHERE key_slot.token = token.id) AS initialized FROM token";

/// Every token, by id.
pub fn all(tx: &Tx<'_>) -> Result<Vec<Token>, Error> {
    tx.rows(&format!("{TOKEN} ORDER BY id"), &[], read)
}

/// One token.
pub fn find(tx: &Tx<'_>, id: &TokenId) -> Result<Option<Token>, Error> {
    tx.one(&format!("{TOKEN} WHERE id = $1"), &[&id.as_str()], read)
}

/// Stores a new token.
pub fn insert(tx: &Tx<'_>, token: &Token) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO token (id, kind, label, wrong_pins, last_wrong, locked) VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            &token.id.as_str(),
            &token.kind.name(),
            &token.label,
            &i64::from(token.wrong_pins),
            &token.last_wrong.map(|at| at.0),
            &token.locked,
        ],
    )?;
    Ok(())
}

/// What is remembered of the PINs that were tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Wrong PINs since the last right one.
    pub wrong_pins: u32,
    /// When the last wrong one came.
    pub last_wrong: Option<Moment>,
    /// Whether the token waits for an officer.
    pub locked: bool,
}

/// Remembers the PINs that were tried; to be committed before a PIN is checked.
pub fn record_attempt(tx: &Tx<'_>, id: &TokenId, attempts: &Attempts) -> Result<(), Error> {
    tx.update(
        "token",
        "UPDATE token SET wrong_pins = $2, last_wrong = $3, locked = $4 WHERE id = $1",
        &[
            &id.as_str(),
            &i64::from(attempts.wrong_pins),
            &attempts.last_wrong.map(|at| at.0),
            &attempts.locked,
        ],
    )
}

/// Gives the token another friendly name.
pub fn rename(tx: &Tx<'_>, id: &TokenId, label: &str) -> Result<(), Error> {
    tx.update("token", "UPDATE token SET label = $2 WHERE id = $1", &[&id.as_str(), &label])
}

/// The slot of this kind.
pub fn slot(tx: &Tx<'_>, token: &TokenId, kind: SlotKind) -> Result<Option<KeySlot>, Error> {
    tx.one(
        "SELECT token, kind, salt, parameters, sealed FROM key_slot WHERE token = $1 AND kind = $2",
        &[&token.as_str(), &kind.name()],
        |row| {
            Ok(KeySlot {
                token: TokenId::of(row.text("token")?),
                kind: row.parsed("key_slot", "kind")?,
                salt: row.at("salt")?,
                parameters: row.at("parameters")?,
                sealed: row.at("sealed")?,
            })
        },
    )
}

/// Stores a slot, in place of the one of its kind.
pub fn put_slot(tx: &Tx<'_>, slot: &KeySlot) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO key_slot (token, kind, salt, parameters, sealed) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (token, kind) DO UPDATE SET salt = excluded.salt, parameters = excluded.parameters,
         sealed = excluded.sealed",
        &[&slot.token.as_str(), &slot.kind.name(), &slot.salt, &slot.parameters, &slot.sealed],
    )?;
    Ok(())
}

/// Removes the slot of this kind, if there is one.
pub fn remove_slot(tx: &Tx<'_>, token: &TokenId, kind: SlotKind) -> Result<(), Error> {
    tx.exec("DELETE FROM key_slot WHERE token = $1 AND kind = $2", &[&token.as_str(), &kind.name()])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Token, Error> {
    Ok(Token {
        id: TokenId::of(row.text("id")?),
        kind: row.parsed("token", "kind")?,
        label: row.at("label")?,
        initialized: row.at("initialized")?,
        wrong_pins: row.count("token", "wrong_pins")?,
        last_wrong: row.moment_or_none("last_wrong")?,
        locked: row.at("locked")?,
    })
}
