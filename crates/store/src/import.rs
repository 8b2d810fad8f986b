//! Imports that are stored by a job, in parts: what is still to be stored, and how far it came.

use domain::Moment;
use domain::id::{ImportId, LineageId};

use crate::tx::Row;
use crate::{Error, Tx};

/// One import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImport {
    /// Its id; the job's subject.
    pub id: ImportId,
    /// Who wanted it.
    pub actor: String,
    /// The friendly name that was wished.
    pub friendly_name: Option<String>,
    /// The lineage that was named.
    pub lineage: Option<LineageId>,
    /// The certificates, packed by whoever stores them; empty once all are stored.
    pub contents: Vec<u8>,
    /// How many there are.
    pub total: usize,
    /// How many are stored.
    pub stored: usize,
    /// How many of those were new.
    pub new: usize,
    /// How many requests were answered.
    pub fulfilled: usize,
    /// How many lineages have a new current certificate.
    pub became_current: usize,
    /// When it came.
    pub created: Moment,
}

/// Stores one that begins.
pub fn insert(tx: &Tx<'_>, import: &StoredImport) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO import (id, actor, friendly_name, lineage, total, stored, new, fulfilled, became_current, created)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            &import.id.as_str(),
            &import.actor,
            &import.friendly_name,
            &import.lineage.as_ref().map(LineageId::as_str),
            &number(import.total),
            &number(import.stored),
            &number(import.new),
            &number(import.fulfilled),
            &number(import.became_current),
            &import.created.0,
        ],
    )?;
    tx.exec(
        "INSERT INTO import_contents (import, contents) VALUES ($1, $2)",
        &[&import.id.as_str(), &import.contents],
    )?;
    Ok(())
}

/// One import with what is still to be stored.
pub fn find(tx: &Tx<'_>, id: &ImportId) -> Result<Option<StoredImport>, Error> {
    let found = tx.one(
        "SELECT id, actor, friendly_name, lineage, total, stored, new, fulfilled, became_current, created
         FROM import WHERE id = $1",
        &[&id.as_str()],
        read,
    )?;
    let Some(import) = found else { return Ok(None) };
    let sql = "SELECT contents FROM import_contents WHERE import = $1";
    let contents = tx.one(sql, &[&id.as_str()], |row| row.at::<Vec<u8>>("contents"))?.unwrap_or_default();
    Ok(Some(StoredImport { contents, ..import }))
}

/// Says how far it came. Once all are stored the contents go.
pub fn advance(tx: &Tx<'_>, import: &StoredImport) -> Result<(), Error> {
    tx.update(
        "import",
        "UPDATE import SET stored = $2, new = $3, fulfilled = $4, became_current = $5 WHERE id = $1",
        &[
            &import.id.as_str(),
            &number(import.stored),
            &number(import.new),
            &number(import.fulfilled),
            &number(import.became_current),
        ],
    )?;
    if import.stored >= import.total {
        tx.exec("DELETE FROM import_contents WHERE import = $1", &[&import.id.as_str()])?;
    }
    Ok(())
}

/// Forgets imports that came before this moment and are all stored; answers how many.
pub fn remove_done_before(tx: &Tx<'_>, before: Moment) -> Result<u64, Error> {
    tx.exec("DELETE FROM import WHERE created < $1 AND stored >= total", &[&before.0])
}

/// Counts are far below the largest number.
fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn read(row: &Row<'_>) -> Result<StoredImport, Error> {
    let count = |column| Ok::<_, Error>(row.count("import", column)? as usize);
    Ok(StoredImport {
        id: ImportId::of(row.text("id")?),
        actor: row.at("actor")?,
        friendly_name: row.at("friendly_name")?,
        lineage: row.at::<Option<String>>("lineage")?.map(LineageId::of),
        contents: Vec::new(),
        total: count("total")?,
        stored: count("stored")?,
        new: count("new")?,
        fulfilled: count("fulfilled")?,
        became_current: count("became_current")?,
        created: row.moment("created")?,
    })
}
