//! What handshakes from outside saw, the last time for each address and name.

use domain::id::{LineageId, TargetId};
use domain::target::EndpointSeen;
use pki::Fingerprint;

use crate::tx::Row;
use crate::{Error, Tx, text};

const ENDPOINT: &str =
    "SELECT e.target AS target, e.lineage AS lineage, e.address AS address, e.name AS name,
    e.certificate AS certificate, e.trouble AS trouble, e.at AS at FROM endpoint e";
/// Of a target that was taken off its lineage nobody wants to know.
const BOUND: &str = "JOIN lineage_target b ON b.lineage = e.lineage AND b.target = e.target";

/// Remembers what was seen, in place of what was seen there before.
pub fn record(tx: &Tx<'_>, seen: &EndpointSeen) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO endpoint (target, lineage, address, name, certificate, trouble, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (target, lineage, address, name) DO UPDATE
         SET certificate = excluded.certificate, trouble = excluded.trouble, at = excluded.at",
        &[
            &seen.target.as_str(),
            &seen.lineage.as_str(),
            &seen.address,
            &seen.name,
            &seen.certificate.as_ref().map(|certificate| certificate.0.as_slice()),
            &text::storable(&seen.trouble),
            &seen.at.0,
        ],
    )?;
    Ok(())
}

/// Where a lineage was looked for.
pub fn of_lineage(tx: &Tx<'_>, lineage: &LineageId) -> Result<Vec<EndpointSeen>, Error> {
    let sql = format!("{ENDPOINT} WHERE e.lineage = $1 ORDER BY e.target, e.address, e.name");
    tx.rows(&sql, &[&lineage.as_str()], read)
}

/// What was looked for at a target, of the lineages that it serves.
pub fn of_target(tx: &Tx<'_>, target: &TargetId) -> Result<Vec<EndpointSeen>, Error> {
    let sql = format!("{ENDPOINT} {BOUND} WHERE e.target = $1 ORDER BY e.lineage, e.address, e.name");
    tx.rows(&sql, &[&target.as_str()], read)
}

/// Where something else is served than the lineage's current certificate, on the targets that it is bound to.
pub fn wrong(tx: &Tx<'_>, limit: u32) -> Result<Vec<EndpointSeen>, Error> {
    let sql = format!(
        "{ENDPOINT} {BOUND} JOIN lineage l ON l.id = e.lineage AND l.retired IS NULL
         WHERE l.current IS NOT NULL AND (e.certificate IS NULL OR e.certificate <> l.current)
         ORDER BY e.at, e.lineage, e.address, e.name LIMIT $1"
    );
    tx.rows(&sql, &[&i64::from(limit)], read)
}

/// Forgets what was seen of a lineage at a target.
pub fn remove_of(tx: &Tx<'_>, lineage: &LineageId, target: &TargetId) -> Result<(), Error> {
    tx.exec(
        "DELETE FROM endpoint WHERE lineage = $1 AND target = $2",
        &[&lineage.as_str(), &target.as_str()],
    )?;
    Ok(())
}

/// Forgets what was seen at one address of a target.
pub fn remove_at(tx: &Tx<'_>, target: &TargetId, address: &str) -> Result<(), Error> {
    tx.exec("DELETE FROM endpoint WHERE target = $1 AND address = $2", &[&target.as_str(), &address])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<EndpointSeen, Error> {
    Ok(EndpointSeen {
        target: TargetId::of(row.text("target")?),
        lineage: LineageId::of(row.text("lineage")?),
        address: row.at("address")?,
        name: row.at("name")?,
        certificate: row.hash_or_none("endpoint", "certificate")?.map(Fingerprint),
        trouble: row.at("trouble")?,
        at: row.moment("at")?,
    })
}
