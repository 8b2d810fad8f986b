//! Answers that were given to requests with an `Idempotency-Key`, so that a repeated request gets the same.

use domain::Moment;

use crate::{Error, Tx};

/// A stored answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// What the request is known again by, keyed from outside the tables: the same key with another request is refused.
    pub request_mark: [u8; 32],
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
    /// When it was given.
    pub at: Moment,
}

/// The answer that this actor got for this key.
pub fn find(tx: &Tx<'_>, actor: &str, key: &str) -> Result<Option<StoredAnswer>, Error> {
    tx.one(
        "SELECT request, status, body, at FROM idempotency WHERE actor = $1 AND key = $2",
        &[&actor, &key],
        |row| {
            let status = u16::try_from(row.at::<i64>("status")?);
            Ok(StoredAnswer {
                request_mark: row.hash("idempotency", "request")?,
                status: status.map_err(|_| Error::Corrupt { table: "idempotency", column: "status" })?,
                body: row.at("body")?,
                at: row.moment("at")?,
            })
        },
    )
}

/// Stores an answer; false when there is one already, and then nothing of it changes.
pub fn insert(tx: &Tx<'_>, actor: &str, key: &str, answer: &StoredAnswer) -> Result<bool, Error> {
    let stored = tx.exec(
        "INSERT INTO idempotency (actor, key, request, status, body, at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (actor, key) DO NOTHING",
        &[
            &actor,
            &key,
            &answer.request_mark.as_slice(),
            &i64::from(answer.status),
            &answer.body,
            &answer.at.0,
        ],
    )?;
    Ok(stored > 0)
}

/// Forgets answers that were given before this moment; answers how many.
pub fn remove_before(tx: &Tx<'_>, before: Moment) -> Result<u64, Error> {
    tx.exec("DELETE FROM idempotency WHERE at < $1", &[&before.0])
}
