//! Sessions of people at the pages, by the hash of the secret in the cookie.

use domain::Moment;
use domain::id::UserId;
use domain::session::{IDLE, LONGEST};

use crate::{Error, Tx};

/// A stored session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Whose.
    pub user: UserId,
    /// What each change must bring along.
    pub csrf: String,
    /// When the person logged in.
    pub created: Moment,
    /// When the last request came.
    pub seen: Moment,
}

/// Stores a new session.
pub fn insert(
    tx: &Tx<'_>,
    id_hash: &[u8; 32],
    user: &UserId,
    csrf: &str,
    created: Moment,
) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO session (id, user_id, csrf, created, seen) VALUES ($1, $2, $3, $4, $4)",
        &[&id_hash.as_slice(), &user.as_str(), &csrf, &created.0],
    )?;
    Ok(())
}

/// One session, whether it still counts or not.
pub fn find(tx: &Tx<'_>, id_hash: &[u8; 32]) -> Result<Option<SessionRow>, Error> {
    tx.one("SELECT user_id, csrf, created, seen FROM session WHERE id = $1", &[&id_hash.as_slice()], |row| {
        Ok(SessionRow {
            user: UserId::of(row.text("user_id")?),
            csrf: row.at("csrf")?,
            created: row.moment("created")?,
            seen: row.moment("seen")?,
        })
    })
}

/// Remembers when the last request came. A session that is gone stays gone.
pub fn touch(tx: &Tx<'_>, id_hash: &[u8; 32], now: Moment) -> Result<(), Error> {
    tx.exec("UPDATE session SET seen = $2 WHERE id = $1", &[&id_hash.as_slice(), &now.0])?;
    Ok(())
}

/// Ends a session.
pub fn remove(tx: &Tx<'_>, id_hash: &[u8; 32]) -> Result<(), Error> {
    tx.exec("DELETE FROM session WHERE id = $1", &[&id_hash.as_slice()])?;
    Ok(())
}

/// Ends every session of a person; answers how many.
pub fn remove_of_user(tx: &Tx<'_>, user: &UserId) -> Result<u64, Error> {
    tx.exec("DELETE FROM session WHERE user_id = $1", &[&user.as_str()])
}

/// Forgets sessions that count no more; answers how many.
pub fn remove_dead(tx: &Tx<'_>, now: Moment) -> Result<u64, Error> {
    tx.exec(
        "DELETE FROM session WHERE seen <= $1 OR created <= $2",
        &[&now.plus(-IDLE).0, &now.plus(-LONGEST).0],
    )
}
