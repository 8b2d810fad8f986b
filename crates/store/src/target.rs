//! Targets. Their secret settings are sealed, bound to the target's row.

use std::collections::BTreeMap;

use domain::id::TargetId;
use domain::target::Target;
use pki::seal;

use crate::tx::Row;
use crate::{Error, Tx, text};

const TARGET: &str = "SELECT id, kind, label, settings, sealed, addresses, created FROM target";

/// Stores a new target; the settings named in `secret` are sealed with the nonce, which is used nowhere else.
/// [`Error::Conflict`] is of `target.label` or `target.id`.
pub fn insert(tx: &Tx<'_>, target: &Target, secret: &[&str], nonce: [u8; 12]) -> Result<(), Error> {
    let (settings, sealed) = seal_settings(tx, target, secret, nonce);
    tx.exec(
        "INSERT INTO target (id, kind, label, settings, sealed, addresses, created)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            &target.id.as_str(),
            &target.kind,
            &target.label,
            &settings,
            &sealed,
            &text::lines(&target.addresses),
            &target.created.0,
        ],
    )?;
    Ok(())
}

/// One target.
pub fn find(tx: &Tx<'_>, id: &TargetId) -> Result<Option<Target>, Error> {
    tx.one(&format!("{TARGET} WHERE id = $1"), &[&id.as_str()], |row| read(tx, row))
}

/// Every target, by label.
pub fn all(tx: &Tx<'_>) -> Result<Vec<Target>, Error> {
    tx.rows(&format!("{TARGET} ORDER BY label, id"), &[], |row| read(tx, row))
}

/// What people call the targets.
pub fn labels(tx: &Tx<'_>) -> Result<BTreeMap<TargetId, String>, Error> {
    let all = tx.rows("SELECT id, label FROM target", &[], |row| {
        Ok((TargetId::of(row.text("id")?), row.text("label")?))
    })?;
    Ok(all.into_iter().collect())
}

/// Stores a changed target: label, settings and addresses. As [`insert`].
pub fn update(tx: &Tx<'_>, target: &Target, secret: &[&str], nonce: [u8; 12]) -> Result<(), Error> {
    let (settings, sealed) = seal_settings(tx, target, secret, nonce);
    tx.update(
        "target",
        "UPDATE target SET label = $2, settings = $3, sealed = $4, addresses = $5 WHERE id = $1",
        &[&target.id.as_str(), &target.label, &settings, &sealed, &text::lines(&target.addresses)],
    )
}

/// Removes a target with its bindings, deployments and what was seen of it. The lineages that were bound to it are
/// changed by that.
pub fn remove(tx: &Tx<'_>, id: &TargetId) -> Result<(), Error> {
    tx.exec(
        "UPDATE lineage SET version = version + 1
         WHERE id IN (SELECT lineage FROM lineage_target WHERE target = $1)",
        &[&id.as_str()],
    )?;
    tx.exec("DELETE FROM lineage_target WHERE target = $1", &[&id.as_str()])?;
    tx.exec("DELETE FROM endpoint WHERE target = $1", &[&id.as_str()])?;
    tx.exec("DELETE FROM deployment WHERE target = $1", &[&id.as_str()])?;
    tx.update("target", "DELETE FROM target WHERE id = $1", &[&id.as_str()])
}

fn place(id: &str) -> Vec<u8> {
    seal::associated("target", id, "sealed", 1, "")
}

fn seal_settings(
    tx: &Tx<'_>,
    target: &Target,
    secret: &[&str],
    nonce: [u8; 12],
) -> (String, Option<Vec<u8>>) {
    let is_secret = |name: &String| secret.contains(&name.as_str());
    let (hidden, open): (Vec<_>, Vec<_>) = target.settings.iter().partition(|(name, _)| is_secret(name));
    let sealed = (!hidden.is_empty()).then(|| {
        let plain = zeroize::Zeroizing::new(text::settings(hidden));
        seal::seal(&tx.keys().field, nonce, &place(target.id.as_str()), plain.as_bytes())
    });
    (text::settings(open), sealed)
}

fn read(tx: &Tx<'_>, row: &Row<'_>) -> Result<Target, Error> {
    let id = row.text("id")?;
    let corrupt = |column| Error::Corrupt { table: "target", column };
    let mut settings = text::parse_settings(&row.text("settings")?).ok_or(corrupt("settings"))?;
    if let Some(sealed) = row.at::<Option<Vec<u8>>>("sealed")? {
        settings.extend(open_settings(tx, &id, &sealed)?);
    }
    Ok(Target {
        id: TargetId::of(id),
        kind: row.at("kind")?,
        label: row.at("label")?,
        settings,
        addresses: row.text("addresses")?.lines().map(str::to_owned).collect(),
        created: row.moment("created")?,
    })
}

fn open_settings(tx: &Tx<'_>, id: &str, sealed: &[u8]) -> Result<BTreeMap<String, String>, Error> {
    let plain = seal::open(&tx.keys().field, &place(id), sealed)
        .map_err(|_| Error::Unsealable { table: "target" })?;
    let text = std::str::from_utf8(&plain).ok().and_then(text::parse_settings);
    text.ok_or(Error::Corrupt { table: "target", column: "sealed" })
}
