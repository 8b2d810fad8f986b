//! Change a lineage. What changes its certificates takes effect at the next renewal.

use std::collections::BTreeSet;

use domain::audit::{Action, Event, Field};
use domain::id::{IssuerId, LineageId, ProfileId, TargetId, TokenId};
use domain::key::{Exportable, parse_label};
use domain::lineage::{AtRenewal, Backend, Lineage, Revision};
use domain::permission::uses;
use domain::{Authorized, Moment, Random};
use pki::KeyAlgorithm;
use store::Tx;

use super::LineageView;
use super::create::{check_backend, check_owner, check_references, refuse_taken_name};
use crate::certificate::plan_deployment;
use crate::{App, Error, act};

/// What is to change; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct LineageChange {
    /// The state that whoever wishes it saw; with none it is changed whatever it is now.
    pub seen: Option<Revision>,
    /// The name.
    pub name: Option<String>,
    /// For whom it speaks.
    pub owner: Option<String>,
    /// Who issues.
    pub issuer: Option<IssuerId>,
    /// What may be in the certificates.
    pub profile: Option<ProfileId>,
    /// Lifetime in seconds; the inner none means the profile's.
    pub lifetime: Option<Option<i64>>,
    /// The token of new keys.
    pub token: Option<TokenId>,
    /// Kind and size of new keys.
    pub algorithm: Option<KeyAlgorithm>,
    /// Whether a renewal makes a new key.
    pub at_renewal: Option<AtRenewal>,
    /// When new keys may leave.
    pub exportable: Option<Exportable>,
    /// Where the certificates are installed.
    pub targets: Option<Vec<TargetId>>,
    /// Where the edge passes the bytes; the inner none means the status page.
    pub backend: Option<Option<Backend>>,
}

/// Changes a lineage. On targets that are new to it, its current certificate is installed at once.
pub async fn update(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &LineageId,
    wanted: LineageChange,
) -> Result<LineageView, Error> {
    act::audited(app, by.actor(), Action::LineageUpdate, id.as_str(), async {
        let (lineage, now, random, actor) = (id.clone(), app.now(), app.random_source(), by.actor().clone());
        app.commit("lineage.update", move |tx| {
            let changed = change(tx, &lineage, &wanted, now, (&actor.name(), &*random))?;
            let event = Event::done(now, &actor, Action::LineageUpdate, lineage.as_str())
                .with(Field::Label, &changed.name)
                .with(Field::Issuer, &changed.issuer);
            act::record(tx, &event)
        })
        .await?;
        app.served_changed();
        app.wake();
        super::list::load(app, id).await
    })
    .await
}

/// Writes a change within a transaction.
pub(super) fn change(
    tx: &Tx<'_>,
    id: &LineageId,
    wanted: &LineageChange,
    now: Moment,
    by: (&str, &dyn Random),
) -> Result<Lineage, Error> {
    let before = store::lineage::find(tx, id)?.ok_or_else(|| Error::not_found("lineage", id))?;
    if wanted.seen.is_some_and(|seen| seen != before.revision()) {
        return Err(changed());
    }
    let after = apply(before.clone(), wanted)?;
    if after.name != before.name {
        refuse_taken_name(tx, &after.name)?;
    }
    check_references(tx, &after)?;
    if !store::lineage::update(tx, &after)? {
        return Err(changed());
    }
    let gone: Vec<&TargetId> =
        before.targets.iter().filter(|target| !after.targets.contains(target)).collect();
    for target in &gone {
        store::endpoint::remove_of(tx, id, target)?;
    }
    if !gone.is_empty() {
        crate::job::note_deployments(tx, id)?;
    }
    let known: BTreeSet<&TargetId> = before.targets.iter().collect();
    for target in after.targets.iter().filter(|target| !known.contains(target)) {
        if let Some(current) = &after.current {
            plan_deployment(tx, &after, target, current, now, by)?;
        }
    }
    Ok(after)
}

/// Nobody's change is overwritten by somebody who has not seen it.
fn changed() -> Error {
    let what = "somebody changed this lineage since you looked at it";
    Error::conflict("lineage.changed", what, "Look at it again, then repeat your change.")
}

fn apply(mut lineage: Lineage, wanted: &LineageChange) -> Result<Lineage, Error> {
    if let Some(name) = &wanted.name {
        lineage.name = parse_label(name)?;
    }
    if let Some(owner) = &wanted.owner {
        lineage.owner = check_owner(owner)?;
    }
    if let Some(backend) = &wanted.backend {
        check_backend(backend.as_ref())?;
        lineage.backend.clone_from(backend);
    }
    let rule = &mut lineage.key_rule;
    set(&mut rule.token, wanted.token.as_ref());
    set(&mut rule.algorithm, wanted.algorithm.as_ref());
    set(&mut rule.at_renewal, wanted.at_renewal.as_ref());
    set(&mut rule.exportable, wanted.exportable.as_ref());
    set(&mut lineage.issuer, wanted.issuer.as_ref());
    set(&mut lineage.profile, wanted.profile.as_ref());
    set(&mut lineage.lifetime, wanted.lifetime.as_ref());
    set(&mut lineage.targets, wanted.targets.as_ref());
    Ok(lineage)
}

fn set<T: Clone>(place: &mut T, wanted: Option<&T>) {
    if let Some(wanted) = wanted {
        place.clone_from(wanted);
    }
}
