//! Orders. A unique index lets at most one be active per lineage, also with several nodes.

use domain::id::{CsrId, IssuerId, LineageId, OrderId};
use domain::order::{Order, OrderState};
use pki::{Fingerprint, KeyId};

use crate::tx::Row;
use crate::{Error, Tx};

const ORDER: &str =
    "SELECT id, lineage, issuer, key, csr, state, reason, intent, certificate, created FROM \"order\"";

/// Stores a new order. [`Error::Conflict`] of `order.lineage`: the lineage has an active one.
pub fn insert(tx: &Tx<'_>, order: &Order) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO \"order\" (id, lineage, issuer, key, csr, state, reason, intent, certificate, created)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            &order.id.as_str(),
            &order.lineage.as_str(),
            &order.issuer.as_str(),
            &order.key.0.as_slice(),
            &order.csr.as_str(),
            &order.state.name(),
            &order.reason,
            &order.intent,
            &order.certificate.as_ref().map(|certificate| certificate.0.as_slice()),
            &order.created.0,
        ],
    )?;
    Ok(())
}

/// The order that occupies the lineage.
pub fn active(tx: &Tx<'_>, lineage: &LineageId) -> Result<Option<Order>, Error> {
    let sql = format!("{ORDER} WHERE lineage = $1 AND state IN ('pending', 'ready', 'processing')");
    tx.one(&sql, &[&lineage.as_str()], read)
}

/// One order.
pub fn find(tx: &Tx<'_>, id: &OrderId) -> Result<Option<Order>, Error> {
    tx.one(&format!("{ORDER} WHERE id = $1"), &[&id.as_str()], read)
}

/// Every order of a lineage, the newest first.
pub fn of_lineage(tx: &Tx<'_>, lineage: &LineageId) -> Result<Vec<Order>, Error> {
    tx.rows(&format!("{ORDER} WHERE lineage = $1 ORDER BY created DESC, id DESC"), &[&lineage.as_str()], read)
}

/// The newest order that this CSR was made for.
pub fn by_csr(tx: &Tx<'_>, csr: &CsrId) -> Result<Option<Order>, Error> {
    tx.one(&format!("{ORDER} WHERE csr = $1 ORDER BY created DESC, id DESC"), &[&csr.as_str()], read)
}

/// Every order for this key, the newest first.
pub fn by_key(tx: &Tx<'_>, key: &KeyId) -> Result<Vec<Order>, Error> {
    tx.rows(&format!("{ORDER} WHERE key = $1 ORDER BY created DESC, id DESC"), &[&key.0.as_slice()], read)
}

/// Says where the order is.
pub fn set_state(tx: &Tx<'_>, id: &OrderId, state: OrderState) -> Result<(), Error> {
    tx.update("order", "UPDATE \"order\" SET state = $2 WHERE id = $1", &[&id.as_str(), &state.name()])
}

/// Stores what will be signed; the order is processing then. Committed before the signature is made.
pub fn set_intent(tx: &Tx<'_>, id: &OrderId, intent: &[u8]) -> Result<(), Error> {
    tx.update(
        "order",
        "UPDATE \"order\" SET intent = $2, state = 'processing' WHERE id = $1",
        &[&id.as_str(), &intent],
    )
}

/// Ends the order with its certificate, which must be stored; false when the order was not active any more, and then
/// nothing of it changes.
pub fn complete(tx: &Tx<'_>, id: &OrderId, certificate: &Fingerprint) -> Result<bool, Error> {
    let changed = tx.exec(
        "UPDATE \"order\" SET certificate = $2, state = 'valid'
         WHERE id = $1 AND state IN ('pending', 'ready', 'processing')",
        &[&id.as_str(), &certificate.0.as_slice()],
    )?;
    Ok(changed > 0)
}

fn read(row: &Row<'_>) -> Result<Order, Error> {
    Ok(Order {
        id: OrderId::of(row.text("id")?),
        lineage: LineageId::of(row.text("lineage")?),
        issuer: IssuerId::of(row.text("issuer")?),
        key: KeyId(row.hash("order", "key")?),
        csr: CsrId::of(row.text("csr")?),
        state: row.parsed("order", "state")?,
        reason: row.at("reason")?,
        intent: row.at("intent")?,
        certificate: row.hash_or_none("order", "certificate")?.map(Fingerprint),
        created: row.moment("created")?,
    })
}
