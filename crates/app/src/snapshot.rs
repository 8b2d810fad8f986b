//! The edge's snapshot: what is served now, built anew from the store whenever something may have changed.

use std::sync::Arc;

use domain::id::TargetId;
use domain::key::SealedKey;
use domain::snapshot::Served;
use domain::{Moment, Snapshot};
use pki::Certificate;
use store::Tx;
use token::Sessions;

use crate::{App, Error, chains, setting};

struct Rows {
    served: Vec<Served>,
    default: Option<Served>,
    keys: Vec<SealedKey>,
}

/// Builds the snapshot and publishes it if it differs from the last one.
pub async fn refresh(app: &App) -> Result<(), Error> {
    // One after the other: rows that were read earlier must never be published later.
    let _turn = app.snapshot_turn().lock().await;
    let now = app.now();
    let sessions = Arc::clone(app.sessions());
    let rows = app.read("snapshot.rows", move |tx| rows(tx, &sessions, now)).await?;
    app.ring().replace(rows.keys, now);
    let before = app.published();
    let same_default = before.default.as_deref() == rows.default.as_ref();
    if before.version > 0 && same_default && same(&before, &rows.served) {
        return Ok(());
    }
    app.publish(Arc::new(Snapshot::new(before.version + 1, rows.default, rows.served)));
    Ok(())
}

fn same(before: &Snapshot, served: &[Served]) -> bool {
    let mut wanted: Vec<&Served> =
        served.iter().filter(|one| one.names.iter().any(|name| name.dns().is_some())).collect();
    wanted.sort_by_key(|one| one.fingerprint);
    let known = before.all();
    known.len() == wanted.len() && known.iter().zip(wanted).all(|(known, wanted)| ***known == *wanted)
}

fn rows(tx: &Tx<'_>, sessions: &Sessions, now: Moment) -> Result<Rows, Error> {
    let (mut served, mut keys) = (Vec::new(), Vec::new());
    for row in store::lineage::served(tx, &TargetId::edge())? {
        let Some(sealed) = store::key::sealed(tx, &row.certificate.key_id())? else {
            continue;
        };
        served.push(Served { backend: row.backend, ..describe(tx, &row.certificate, &sealed, now)? });
        keys.push(sealed);
    }
    let default = default(tx, sessions, now)?;
    let (default, key) = default.unzip();
    keys.extend(key);
    Ok(Rows { served, default, keys })
}

/// The default certificate; where it has ended or its token is logged out, the factory certificate: our own pages are
/// served with it, also the one on which a token is logged in.
fn default(tx: &Tx<'_>, sessions: &Sessions, now: Moment) -> Result<Option<(Served, SealedKey)>, Error> {
    for name in [setting::DEFAULT_CERTIFICATE, setting::FACTORY_CERTIFICATE] {
        let Some(fingerprint) = setting::fingerprint(tx, name)? else {
            continue;
        };
        let Some(entry) = store::certificate::find(tx, &fingerprint)? else {
            continue;
        };
        let Some(sealed) = store::key::sealed(tx, &entry.key())? else {
            continue;
        };
        let serves = now.unix() <= entry.certificate.not_after() && sessions.session(&sealed.token).is_some();
        if serves || name == setting::FACTORY_CERTIFICATE {
            return Ok(Some((describe(tx, &entry.certificate, &sealed, now)?, sealed)));
        }
    }
    Ok(None)
}

fn describe(
    tx: &Tx<'_>,
    certificate: &Certificate,
    sealed: &SealedKey,
    now: Moment,
) -> Result<Served, Error> {
    let chain = chains::of(tx, certificate, now.unix())?;
    Ok(Served {
        fingerprint: certificate.fingerprint(),
        chain: chain.served.iter().map(|one| one.der().to_vec()).collect(),
        key: sealed.id,
        algorithm: sealed.algorithm,
        names: certificate.names().to_vec(),
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
        backend: None,
    })
}
