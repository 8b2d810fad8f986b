//! CSRs, byte for byte.

use domain::csr::{CsrEntry, CsrState};
use domain::id::{CsrId, LineageId};
use pki::{Fingerprint, KeyId};

use crate::select::{self, SEARCH, Select, searchable};
use crate::tx::Row;
use crate::{Error, Page, Tx};

const CSR: &str = "SELECT id, key, friendly_name, der, fingerprint, state, lineage, created FROM csr";

/// Which CSRs are listed. All that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CsrFilter {
    /// In this state.
    pub state: Option<CsrState>,
    /// Of this key.
    pub key: Option<KeyId>,
    /// For this lineage.
    pub lineage: Option<LineageId>,
    /// With this in the friendly name, the id or the fingerprint, without regard to case.
    pub text: Option<String>,
}

/// Stores a new CSR.
pub fn insert(tx: &Tx<'_>, csr: &CsrEntry) -> Result<(), Error> {
    let search = searchable(&[&csr.friendly_name, csr.id.as_str(), &csr.fingerprint.to_string()]);
    tx.exec(
        "INSERT INTO csr (id, key, friendly_name, der, fingerprint, state, lineage, created, search)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            &csr.id.as_str(),
            &csr.key.0.as_slice(),
            &csr.friendly_name,
            &csr.der,
            &csr.fingerprint.0.as_slice(),
            &csr.state.name(),
            &csr.lineage.as_ref().map(LineageId::as_str),
            &csr.created.0,
            &search,
        ],
    )?;
    Ok(())
}

/// One CSR.
pub fn find(tx: &Tx<'_>, id: &CsrId) -> Result<Option<CsrEntry>, Error> {
    tx.one(&format!("{CSR} WHERE id = $1"), &[&id.as_str()], read)
}

/// CSRs, the newest first. The next page begins after [`cursor`] of the last one.
pub fn list(tx: &Tx<'_>, filter: &CsrFilter, page: &Page) -> Result<Vec<CsrEntry>, Error> {
    let mut select = Select::new(CSR);
    select.maybe("state = {}", filter.state.map(CsrState::name));
    select.maybe("key = {}", filter.key.map(|key| key.0.to_vec()));
    select.maybe("lineage = {}", filter.lineage.as_ref().map(LineageId::as_str));
    select.search(SEARCH, filter.text.as_deref());
    if let Some(after) = &page.after {
        let (id, created) = select::read_time_cursor(after)?;
        select.after("(created, id) < ({1}, {2})", created, id.to_owned());
    }
    select.rows(tx, "created DESC, id DESC", page.limit, read)
}

/// Where the list continues after this CSR.
pub fn cursor(csr: &CsrEntry) -> String {
    select::cursor(csr.id.as_str(), csr.created.0)
}

/// Every CSR of a key, the newest first.
pub fn of_key(tx: &Tx<'_>, key: &KeyId) -> Result<Vec<CsrEntry>, Error> {
    tx.rows(&format!("{CSR} WHERE key = $1 ORDER BY created DESC, id DESC"), &[&key.0.as_slice()], read)
}

/// The CSRs of a key that wait for an answer, the newest first.
pub fn waiting_of_key(tx: &Tx<'_>, key: &KeyId) -> Result<Vec<CsrEntry>, Error> {
    let sql = format!("{CSR} WHERE key = $1 AND state = 'waiting' ORDER BY created DESC, id DESC");
    tx.rows(&sql, &[&key.0.as_slice()], read)
}

/// Whether a request that a person made, and did not give up, has this friendly name.
pub fn is_named(tx: &Tx<'_>, friendly_name: &str) -> Result<bool, Error> {
    let sql = "SELECT count(*) AS n FROM csr
               WHERE friendly_name = $1 AND lineage IS NULL AND state <> 'withdrawn'";
    Ok(tx.number(sql, &[&friendly_name])? > 0)
}

/// Says what became of it.
pub fn set_state(tx: &Tx<'_>, id: &CsrId, state: CsrState) -> Result<(), Error> {
    tx.update("csr", "UPDATE csr SET state = $2 WHERE id = $1", &[&id.as_str(), &state.name()])
}

/// How many wait for an answer.
pub fn count_waiting(tx: &Tx<'_>) -> Result<i64, Error> {
    tx.number("SELECT count(*) AS n FROM csr WHERE state = 'waiting'", &[])
}

fn read(row: &Row<'_>) -> Result<CsrEntry, Error> {
    Ok(CsrEntry {
        id: CsrId::of(row.text("id")?),
        key: KeyId(row.hash("csr", "key")?),
        friendly_name: row.at("friendly_name")?,
        der: row.at("der")?,
        fingerprint: Fingerprint(row.hash("csr", "fingerprint")?),
        state: row.parsed("csr", "state")?,
        lineage: row.at::<Option<String>>("lineage")?.map(LineageId::of),
        created: row.moment("created")?,
    })
}
