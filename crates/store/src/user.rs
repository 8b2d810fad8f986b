//! People who may log in, and wrong passwords by name.

use domain::id::UserId;
use domain::user::User;
use domain::{Moment, Role};

use crate::tx::Row;
use crate::{Error, Tx, text};

const USER: &str = "SELECT id, name, password, roles, disabled, created FROM \"user\"";

/// Stores a new user. [`Error::Conflict`] is of `user.name` or `user.id`.
pub fn insert(tx: &Tx<'_>, user: &User, password_hash: &str) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO \"user\" (id, name, password, roles, disabled, created) VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            &user.id.as_str(),
            &user.name,
            &password_hash,
            &text::roles(&user.roles),
            &user.disabled,
            &user.created.0,
        ],
    )?;
    Ok(())
}

/// One user.
pub fn find(tx: &Tx<'_>, id: &UserId) -> Result<Option<User>, Error> {
    tx.one(&format!("{USER} WHERE id = $1"), &[&id.as_str()], read)
}

/// The user of this name, as [`domain::user::parse_user_name`] writes it, with the hash of the password.
pub fn by_name(tx: &Tx<'_>, name: &str) -> Result<Option<(User, String)>, Error> {
    tx.one(&format!("{USER} WHERE name = $1"), &[&name], |row| Ok((read(row)?, row.at("password")?)))
}

/// Every user, by name.
pub fn all(tx: &Tx<'_>) -> Result<Vec<User>, Error> {
    tx.rows(&format!("{USER} ORDER BY name"), &[], read)
}

/// Stores a changed user: name, roles and whether log-in is refused.
pub fn update(tx: &Tx<'_>, user: &User) -> Result<(), Error> {
    tx.update(
        "user",
        "UPDATE \"user\" SET name = $2, roles = $3, disabled = $4 WHERE id = $1",
        &[&user.id.as_str(), &user.name, &text::roles(&user.roles), &user.disabled],
    )
}

/// Stores the hash of another password.
pub fn set_password(tx: &Tx<'_>, id: &UserId, password_hash: &str) -> Result<(), Error> {
    tx.update("user", "UPDATE \"user\" SET password = $2 WHERE id = $1", &[&id.as_str(), &password_hash])
}

/// The hash of the password.
pub fn password(tx: &Tx<'_>, id: &UserId) -> Result<Option<String>, Error> {
    tx.one("SELECT password FROM \"user\" WHERE id = $1", &[&id.as_str()], |row| row.at("password"))
}

/// How many users who may log in have this role. Before acting upon it: [`Tx::exclusive`].
pub fn count_active_with_role(tx: &Tx<'_>, role: Role) -> Result<i64, Error> {
    let active = tx.rows(&format!("{USER} WHERE NOT disabled"), &[], read)?;
    let holders = active.iter().filter(|user| user.roles.contains(&role)).count();
    Ok(i64::try_from(holders).unwrap_or(i64::MAX))
}

/// How many users there are.
pub fn count(tx: &Tx<'_>) -> Result<i64, Error> {
    tx.number("SELECT count(*) AS n FROM \"user\"", &[])
}

/// Wrong passwords for this name since the last right one, and when the last one came.
pub fn failures(tx: &Tx<'_>, name: &str) -> Result<(u32, Option<Moment>), Error> {
    let found = tx.one("SELECT wrong, last_wrong FROM login_attempt WHERE name = $1", &[&name], |row| {
        Ok((row.count("login_attempt", "wrong")?, row.moment_or_none("last_wrong")?))
    })?;
    Ok(found.unwrap_or_default())
}

/// Remembers wrong passwords for this name; 0 forgets them.
pub fn record_failure(tx: &Tx<'_>, name: &str, wrong: u32, last: Option<Moment>) -> Result<(), Error> {
    if wrong == 0 {
        tx.exec("DELETE FROM login_attempt WHERE name = $1", &[&name])?;
        return Ok(());
    }
    tx.exec(
        "INSERT INTO login_attempt (name, wrong, last_wrong) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET wrong = excluded.wrong, last_wrong = excluded.last_wrong",
        &[&name, &i64::from(wrong), &last.map(|at| at.0)],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<User, Error> {
    let roles = text::parse_roles(&row.text("roles")?);
    Ok(User {
        id: UserId::of(row.text("id")?),
        name: row.at("name")?,
        roles: roles.ok_or(Error::Corrupt { table: "user", column: "roles" })?,
        disabled: row.at("disabled")?,
        created: row.moment("created")?,
    })
}

/// Forgets the wrong passwords of names that nobody tried since.
pub fn forget_failures_before(tx: &Tx<'_>, before: Moment) -> Result<u64, Error> {
    tx.exec("DELETE FROM login_attempt WHERE last_wrong IS NULL OR last_wrong < $1", &[&before.0])
}
