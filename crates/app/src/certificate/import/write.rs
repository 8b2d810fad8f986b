//! Carries a plan out, in the transaction in which it was made.

use domain::csr::CsrState;
use domain::id::{IssuerId, LineageId};
use domain::key::{Born, Key, KeyUsage};
use domain::lineage::Lineage;
use domain::{Moment, Random};
use pki::KeyId;
use store::Tx;

use super::plan::{Fate, KeyPlan, Plan, Series, Standing, Step};
use super::{Brought, Imported, Wishes};
use crate::certificate::{CertificateView, make_current, view_among};
use crate::chains::Chains;
use crate::key::{MadeKey, describe, session_of_named};
use crate::lineage::found;
use crate::{App, Error, job, key};

/// Seals a private key for its token. Its label is decided by the plan.
pub(super) async fn seal(
    app: &App,
    brought: &Brought,
    chosen: KeyId,
    wishes: &Wishes,
) -> Result<MadeKey, Error> {
    let private = &brought.key(&chosen).ok_or_else(|| Error::not_found("key", chosen))?.private;
    let usage = Some(KeyUsage::Tls);
    let exportable = wishes.exportable.unwrap_or_else(|| domain::key::exportable_by_default(usage));
    let sealed = session_of_named(app, &wishes.token).await?.import(private, exportable, app.random())?;
    let key = describe(String::new(), private.public_key(), &sealed, usage, Born::Imported, app.now());
    Ok(MadeKey { key, sealed })
}

/// Writes what the plan says.
pub(super) fn all(
    tx: &Tx<'_>,
    plan: &Plan,
    made: Option<&MadeKey>,
    now: Moment,
    by: (&str, &dyn Random),
) -> Result<Imported, Error> {
    let founded = vec![None; plan.steps.len()];
    let mut writing = Writing { tx, now, by, imported: Imported::default(), founded, authorities: 0 };
    if let Some(planned) = &plan.key {
        writing.key(planned, made)?;
    }
    // CAs first, so that a leaf's chain is whole when it is served.
    let is_ca = |step: &&(usize, &Step)| step.1.entry.certificate.is_ca();
    let steps: Vec<(usize, &Step)> = plan.steps.iter().enumerate().collect();
    for (index, step) in steps.iter().filter(is_ca).chain(steps.iter().filter(|step| !is_ca(step))) {
        writing.step(*index, step)?;
    }
    if writing.authorities > 0 {
        job::follow_chains(tx, now, by)?;
    }
    Ok(writing.imported)
}

struct Writing<'a> {
    tx: &'a Tx<'a>,
    now: Moment,
    /// The actor's name and the source of ids.
    by: (&'a str, &'a dyn Random),
    imported: Imported,
    /// The lineages that were founded, by step.
    founded: Vec<Option<LineageId>>,
    /// Certificates of CAs that are new here: chains of others may be better now.
    authorities: usize,
}

impl Writing<'_> {
    fn key(&mut self, planned: &KeyPlan, made: Option<&MadeKey>) -> Result<(), Error> {
        let key = match (planned, made) {
            (KeyPlan::Here(key), _) => Key::clone(key),
            (KeyPlan::Stored(_, label), Some(made)) => {
                let key = Key { label: label.clone(), ..made.key.clone() };
                key::insert(self.tx, &MadeKey { key: key.clone(), sealed: made.sealed.clone() })?;
                store::certificate::set_has_key(self.tx, &key.id)?;
                self.imported.new_keys += 1;
                key
            }
            (KeyPlan::Stored(id, _), None) => return Err(Error::not_found("key", id)),
        };
        self.imported.keys.push(key);
        Ok(())
    }

    fn step(&mut self, index: usize, step: &Step) -> Result<(), Error> {
        let (tx, fingerprint) = (self.tx, step.entry.fingerprint());
        match step.standing {
            Standing::New => {
                let is_new = usize::from(store::certificate::insert(tx, &step.entry)?);
                self.imported.new += is_new;
                self.authorities += if step.entry.certificate.is_ca() { is_new } else { 0 };
            }
            Standing::Hidden => store::certificate::set_state(tx, &fingerprint, step.entry.state)?,
            Standing::Known => {}
        }
        for request in &step.requests {
            store::csr::set_state(tx, &request.id, CsrState::Fulfilled)?;
            self.imported.fulfilled.push(request.id.clone());
        }
        match &step.fate {
            Fate::ForChains(_) | Fate::Alone(_) => Ok(()),
            Fate::Kept(series, _) => self.lineage(series).and_then(|lineage| self.join(&lineage, step)),
            Fate::Renews(series) => {
                let lineage = self.lineage(series)?;
                self.join(&lineage, step)?;
                self.renew(&lineage, step)
            }
            Fate::Founds => {
                let founded = found(tx, &step.entry, IssuerId::of("manual"), self.now, self.by)?;
                self.founded[index] = Some(founded.id.clone());
                self.imported.became_current.push(founded.id);
                Ok(())
            }
        }
    }

    fn join(&self, lineage: &Lineage, step: &Step) -> Result<(), Error> {
        Ok(store::certificate::set_lineage(self.tx, &step.entry.fingerprint(), Some(&lineage.id))?)
    }

    /// Completes the lineage's order and makes the certificate current.
    fn renew(&mut self, lineage: &Lineage, step: &Step) -> Result<(), Error> {
        let order = store::order::active(self.tx, &lineage.id)?;
        if let Some(order) = order.filter(|order| step.requests.iter().any(|one| one.id == order.csr)) {
            store::order::complete(self.tx, &order.id, &step.entry.fingerprint())?;
        }
        make_current(self.tx, lineage, &step.entry, self.now, self.by)?;
        self.imported.became_current.push(lineage.id.clone());
        Ok(())
    }

    /// The lineage as it is after the steps so far.
    fn lineage(&self, series: &Series) -> Result<Lineage, Error> {
        let id = match series {
            Series::Lineage(lineage) => Some(lineage.id.clone()),
            Series::FoundedBy(step) => self.founded.get(*step).cloned().flatten(),
        };
        let id = id.ok_or_else(|| Error::not_found("lineage", "of this import"))?;
        store::lineage::find(self.tx, &id)?.ok_or_else(|| Error::not_found("lineage", id))
    }
}

/// The certificates of a plan as they are now.
pub(super) fn views(tx: &Tx<'_>, plan: &Plan, now: Moment) -> Result<Vec<CertificateView>, Error> {
    let mut views = Vec::with_capacity(plan.steps.len());
    let mut chains = Chains::new(tx, now.unix());
    for fingerprint in plan.steps.iter().map(|step| step.entry.fingerprint()) {
        if let Some(entry) = store::certificate::find(tx, &fingerprint)? {
            views.push(view_among(&mut chains, entry, now)?);
        }
    }
    Ok(views)
}
