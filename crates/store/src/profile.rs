//! Profiles.

use domain::id::ProfileId;
use domain::issuer::Profile;

use crate::tx::Row;
use crate::{Error, Tx, text};

const PROFILE: &str = "SELECT id, label, usage, client_auth, lifetime, lifetime_max, algorithms FROM profile";

/// Stores a new profile. [`Error::Conflict`] is of `profile.id`.
pub fn insert(tx: &Tx<'_>, profile: &Profile) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO profile (id, label, usage, client_auth, lifetime, lifetime_max, algorithms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            &profile.id.as_str(),
            &profile.label,
            &profile.usage.name(),
            &profile.client_auth,
            &profile.lifetime,
            &profile.lifetime_max,
            &text::lines(&profile.algorithms),
        ],
    )?;
    Ok(())
}

/// One profile.
pub fn find(tx: &Tx<'_>, id: &ProfileId) -> Result<Option<Profile>, Error> {
    tx.one(&format!("{PROFILE} WHERE id = $1"), &[&id.as_str()], read)
}

/// Every profile, by id.
pub fn all(tx: &Tx<'_>) -> Result<Vec<Profile>, Error> {
    tx.rows(&format!("{PROFILE} ORDER BY id"), &[], read)
}

fn read(row: &Row<'_>) -> Result<Profile, Error> {
    let algorithms = text::parse_lines(&row.text("algorithms")?);
    Ok(Profile {
        id: ProfileId::of(row.text("id")?),
        label: row.at("label")?,
        usage: row.parsed("profile", "usage")?,
        client_auth: row.at("client_auth")?,
        lifetime: row.at("lifetime")?,
        lifetime_max: row.at("lifetime_max")?,
        algorithms: algorithms.ok_or(Error::Corrupt { table: "profile", column: "algorithms" })?,
    })
}
