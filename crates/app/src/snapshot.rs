//! The edge's snapshot: what is served now, read anew from the store whenever something may have changed.
//!
//! Building a chain costs signature checks, and a certificate never changes: what was built is taken over as long as no
//! CA certificate came in that could make another chain better.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::clock::HOUR;
use domain::id::TargetId;
use domain::key::SealedKey;
use domain::lineage::Backend;
use domain::snapshot::Served;
use domain::{Moment, Snapshot};
use pki::{Certificate, Fingerprint, KeyId, UnixTime};
use store::Tx;
use token::Sessions;
use tokio::sync::Mutex;

use crate::{App, Error, chains, setting};

/// What the builds of the snapshot share.
#[derive(Default)]
pub(crate) struct Building {
    /// How often a build was asked for.
    asked: AtomicU64,
    turn: Mutex<Turn>,
}

/// What a build leaves to the next; held while one is built and published.
#[derive(Default)]
struct Turn {
    /// Every wish up to this one was met.
    met: u64,
    chains: Chains,
}

/// When the chains in the last snapshot were built, and what they rest on.
#[derive(Clone, Copy, Default)]
struct Chains {
    /// CA certificates that there were.
    authorities: i64,
    built: Moment,
    /// The first moment at which a member ends that had not ended when it was built in.
    until: Option<UnixTime>,
}

impl Chains {
    /// Whether they are still the best that can be built.
    fn hold(&self, authorities: i64, now: Moment) -> bool {
        self.authorities == authorities
            && now.since(self.built) < HOUR
            && self.until.is_none_or(|until| now.unix() <= until)
    }

    fn note_end(&mut self, issuer: &Certificate, now: Moment) {
        let end = issuer.not_after();
        if end >= now.unix() {
            self.until = Some(self.until.map_or(end, |until| until.min(end)));
        }
    }
}

/// Builds the snapshot from what is committed now, and publishes it if it differs from the last one. Of many who ask
/// while one is built, one builds for all.
pub async fn refresh(app: &App) -> Result<(), Error> {
    let building = app.snapshot_building();
    let wish = building.asked.fetch_add(1, Ordering::SeqCst) + 1;
    // One after the other: rows that were read earlier must never be published later.
    let mut turn = building.turn.lock().await;
    if turn.met >= wish {
        return Ok(());
    }
    let all_until_now = building.asked.load(Ordering::SeqCst);
    turn.chains = build(app, turn.chains).await?;
    turn.met = all_until_now;
    Ok(())
}

async fn build(app: &App, chains: Chains) -> Result<Chains, Error> {
    let now = app.now();
    let before = app.published();
    let source = Source {
        sessions: Arc::clone(app.sessions()),
        known: before.all().into_iter().map(|one| (one.fingerprint, Arc::clone(one))).collect(),
        default: before.default.clone(),
        held: app.ring().held(),
        chains,
        now,
    };
    let mut rows = app.read("snapshot.rows", move |tx| source.rows(tx)).await?;
    app.ring().replace(std::mem::take(&mut rows.new_keys), &rows.keys, now);
    if before.version == 0 || !same(&before, &rows) {
        app.publish(Arc::new(Snapshot::new(before.version + 1, rows.default, rows.served)));
    }
    Ok(rows.chains)
}

fn same(before: &Snapshot, rows: &Rows) -> bool {
    let same_one = |a: &Arc<Served>, b: &Arc<Served>| Arc::ptr_eq(a, b) || a == b;
    let same_default = match (&before.default, &rows.default) {
        (Some(before), Some(now)) => same_one(before, now),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let known = before.all();
    let mut wanted: Vec<&Arc<Served>> =
        rows.served.iter().filter(|one| one.names.iter().any(|name| name.dns().is_some())).collect();
    wanted.sort_by_key(|one| one.fingerprint);
    same_default && known.len() == wanted.len() && known.iter().zip(wanted).all(|(a, b)| same_one(a, b))
}

/// What is served, as it was read.
struct Rows {
    served: Vec<Arc<Served>>,
    default: Option<Arc<Served>>,
    keys: HashSet<KeyId>,
    /// Those of `keys` that are not on the ring.
    new_keys: Vec<SealedKey>,
    chains: Chains,
}

/// What the rows are read with: the last snapshot, and the keys on the ring.
struct Source {
    sessions: Arc<Sessions>,
    known: HashMap<Fingerprint, Arc<Served>>,
    default: Option<Arc<Served>>,
    held: HashSet<KeyId>,
    chains: Chains,
    now: Moment,
}

impl Source {
    fn rows(&self, tx: &Tx<'_>) -> Result<Rows, Error> {
        let authorities = store::certificate::authority_count(tx)?;
        let hold = self.chains.hold(authorities, self.now);
        let chains = if hold { self.chains } else { Chains { authorities, built: self.now, until: None } };
        let (keys, new_keys) = (HashSet::new(), Vec::new());
        let mut rows = Rows { served: Vec::new(), default: None, keys, new_keys, chains };
        let mut builder = chains::Chains::new(tx, self.now.unix());
        for row in store::lineage::served(tx, &TargetId::edge())? {
            let known = self.known.get(&row.certificate).filter(|_| hold);
            let served = match known {
                Some(known) => with_backend(known, row.backend),
                None => {
                    let Some(entry) = store::certificate::find(tx, &row.certificate)? else { continue };
                    let served = self.describe(&mut builder, &entry.certificate, &mut rows.chains)?;
                    let Some(served) = served else { continue };
                    with_backend(&Arc::new(served), row.backend)
                }
            };
            if self.take_key(tx, &row.key, &mut rows)? {
                rows.served.push(served);
            }
        }
        self.take_default(&mut builder, hold, &mut rows)?;
        Ok(rows)
    }

    /// Puts a key among those that are wanted; false when it is destroyed, or not for TLS.
    fn take_key(&self, tx: &Tx<'_>, key: &KeyId, rows: &mut Rows) -> Result<bool, Error> {
        if !rows.keys.contains(key) {
            if !self.held.contains(key) {
                let Some(sealed) = store::key::sealed_for_tls(tx, key)? else { return Ok(false) };
                rows.new_keys.push(sealed);
            }
            rows.keys.insert(*key);
        }
        Ok(true)
    }

    /// The default certificate; where it has ended or its token is logged out, the factory certificate: our own pages
    /// are served with it, also the one on which a token is logged in.
    fn take_default(
        &self,
        builder: &mut chains::Chains<'_>,
        hold: bool,
        rows: &mut Rows,
    ) -> Result<(), Error> {
        let tx = builder.tx();
        for name in [setting::DEFAULT_CERTIFICATE, setting::FACTORY_CERTIFICATE] {
            let Some(fingerprint) = setting::fingerprint(tx, name)? else { continue };
            let Some(entry) = store::certificate::find(tx, &fingerprint)? else { continue };
            let Some(sealed) = store::key::sealed_for_tls(tx, &entry.key())? else { continue };
            let ended = self.now.unix() > entry.certificate.not_after();
            let serves = !ended && self.sessions.session(&sealed.token).is_some();
            if !serves && name != setting::FACTORY_CERTIFICATE {
                continue;
            }
            let known = self.default.as_ref().filter(|known| hold && known.fingerprint == fingerprint);
            rows.default = match known {
                Some(known) => Some(Arc::clone(known)),
                None => self.describe(builder, &entry.certificate, &mut rows.chains)?.map(Arc::new),
            };
            self.take_key(tx, &sealed.id, rows)?;
            return Ok(());
        }
        Ok(())
    }

    /// None where the key is of a kind that nobody signs with here.
    fn describe(
        &self,
        builder: &mut chains::Chains<'_>,
        certificate: &Certificate,
        chains: &mut Chains,
    ) -> Result<Option<Served>, Error> {
        let Some(algorithm) = certificate.public_key().algorithm() else { return Ok(None) };
        let chain = builder.of(certificate)?;
        chain.served.iter().skip(1).chain(&chain.root).for_each(|issuer| chains.note_end(issuer, self.now));
        Ok(Some(Served {
            fingerprint: certificate.fingerprint(),
            chain: chain.served.iter().map(|one| one.der().to_vec()).collect(),
            key: certificate.key_id(),
            algorithm,
            names: certificate.names().to_vec(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            backend: None,
        }))
    }
}

fn with_backend(served: &Arc<Served>, backend: Option<Backend>) -> Arc<Served> {
    if served.backend == backend {
        return Arc::clone(served);
    }
    Arc::new(Served { backend, ..Served::clone(served) })
}
