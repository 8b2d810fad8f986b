//! Issuers.

use domain::id::IssuerId;
use domain::issuer::{Authority, Issuer};
use pki::{Fingerprint, KeyId};

use crate::tx::Row;
use crate::{Error, Tx};

const ISSUER: &str =
    "SELECT id, kind, label, withdrawn, created, root, intermediate, authority_key FROM issuer";

/// Stores a new issuer. [`Error::Conflict`] is of `issuer.id`.
pub fn insert(tx: &Tx<'_>, issuer: &Issuer) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO issuer (id, kind, label, withdrawn, created) VALUES ($1, $2, $3, $4, $5)",
        &[&issuer.id.as_str(), &issuer.kind.name(), &issuer.label, &issuer.withdrawn, &issuer.created.0],
    )?;
    issuer.authority.as_ref().map_or(Ok(()), |authority| set_authority(tx, &issuer.id, authority))
}

/// One issuer.
pub fn find(tx: &Tx<'_>, id: &IssuerId) -> Result<Option<Issuer>, Error> {
    tx.one(&format!("{ISSUER} WHERE id = $1"), &[&id.as_str()], read)
}

/// The issuer behind which this certificate of a CA stands.
pub fn of_authority(tx: &Tx<'_>, certificate: &Fingerprint) -> Result<Option<Issuer>, Error> {
    let sql = format!("{ISSUER} WHERE root = $1 OR intermediate = $1 ORDER BY id");
    tx.one(&sql, &[&certificate.0.as_slice()], read)
}

/// Every issuer, by id.
pub fn all(tx: &Tx<'_>) -> Result<Vec<Issuer>, Error> {
    tx.rows(&format!("{ISSUER} ORDER BY id"), &[], read)
}

/// Says whether the issuer is withdrawn.
pub fn set_withdrawn(tx: &Tx<'_>, id: &IssuerId, withdrawn: bool) -> Result<(), Error> {
    tx.update("issuer", "UPDATE issuer SET withdrawn = $2 WHERE id = $1", &[&id.as_str(), &withdrawn])
}

/// Says which CAs stand behind the issuer; their certificates and the key must be stored.
pub fn set_authority(tx: &Tx<'_>, id: &IssuerId, authority: &Authority) -> Result<(), Error> {
    tx.update(
        "issuer",
        "UPDATE issuer SET root = $2, intermediate = $3, authority_key = $4 WHERE id = $1",
        &[
            &id.as_str(),
            &authority.root.0.as_slice(),
            &authority.intermediate.0.as_slice(),
            &authority.key.0.as_slice(),
        ],
    )
}

fn read(row: &Row<'_>) -> Result<Issuer, Error> {
    let root = row.hash_or_none("issuer", "root")?;
    let intermediate = row.hash_or_none("issuer", "intermediate")?;
    let key = row.hash_or_none("issuer", "authority_key")?;
    let authority = root.zip(intermediate).zip(key).map(|((root, intermediate), key)| Authority {
        root: Fingerprint(root),
        intermediate: Fingerprint(intermediate),
        key: KeyId(key),
    });
    Ok(Issuer {
        id: IssuerId::of(row.text("id")?),
        kind: row.parsed("issuer", "kind")?,
        label: row.at("label")?,
        withdrawn: row.at("withdrawn")?,
        created: row.moment("created")?,
        authority,
    })
}
