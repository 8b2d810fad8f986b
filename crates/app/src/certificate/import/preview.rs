//! What an import would do, said before anything is stored.

use std::sync::Arc;

use domain::Authorized;
use domain::audit::Action;
use domain::certificate::NotCurrent;
use domain::key::{Key, KeyState};
use domain::permission::uses;
use pki::{Fingerprint, KeyAlgorithm, KeyId};
use store::Tx;

use super::revoked::Revocations;
use super::{Brought, FEW, Fate, Import, KeyFrom, Plan, PreviewHash, Step, Wishes};
use super::{check, plan, read, revoked, shared};
use crate::{App, Error, act, key};

/// What was found, and what would be done with it.
pub struct Preview {
    /// What the files hold.
    pub brought: Arc<Brought>,
    /// The private keys, with what they fit.
    pub keys: Vec<PreviewedKey>,
    /// Which of them would be taken.
    pub chosen: Option<KeyId>,
    /// What would be done with each certificate and the key.
    pub plan: Plan,
    /// Names all of that: what a confirmation says. None when it would be refused.
    pub hash: Option<PreviewHash>,
    /// Why it would be refused.
    pub refusal: Option<Error>,
    /// How it would be kept.
    pub wishes: Wishes,
}

/// A private key out of the files.
#[derive(Clone, Debug)]
pub struct PreviewedKey {
    /// SHA-256 of its public half.
    pub id: KeyId,
    /// Kind and size.
    pub algorithm: KeyAlgorithm,
    /// What its file calls it.
    pub name: Option<String>,
    /// The certificates of the files that it belongs to.
    pub fits: Vec<Fingerprint>,
    /// Certificates here that it belongs to, with their friendly names; of very many only the first.
    pub fits_here: Vec<(Fingerprint, String)>,
    /// The label under which it is here already.
    pub here: Option<String>,
}

impl Preview {
    /// Whether a job would store it.
    pub fn is_for_job(&self) -> bool {
        self.brought.certificates.len() > FEW
    }
}

/// Says what [`super::import`] would do. Changes nothing.
///
/// # Errors
/// Every refusal of [`pki::format::read`]. What was read and would still be refused is a preview with a refusal.
pub async fn preview(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    input: Import,
) -> Result<Preview, Error> {
    act::audited(app, by.actor(), Action::CertificateImport, "", async {
        let brought = read::all(app, input.files, input.passphrases).await?;
        look(app, &Arc::new(brought), input.wishes).await
    })
    .await
}

/// Previews what was read.
pub(super) async fn look(app: &App, brought: &Arc<Brought>, wishes: Wishes) -> Result<Preview, Error> {
    let checked = check::wishes(wishes.clone()).map_err(Error::from);
    let (wishes, wrong) = match checked {
        Ok(wishes) => (wishes, None),
        Err(error) => (Wishes { friendly_name: None, ..wishes }, Some(error)),
    };
    let (chosen, refused) = match check::brought(app, brought, &wishes).await {
        Ok(chosen) => (chosen, wrong),
        Err(error) => (None, wrong.or(Some(error))),
    };
    let revoked = revoked::find(app, brought).await?;
    let (planned, keys) = read_plan(app, (brought, &revoked), &wishes, chosen).await?;
    let (mut plan, unplanned) = match planned {
        Ok(plan) => (plan, None),
        // Shown without what cannot be.
        Err(error) => {
            let plain = Wishes { friendly_name: None, lineage: None, ..wishes.clone() };
            let (plan, _) = read_plan(app, (brought, &revoked), &plain, None).await?;
            (plan?, Some(error))
        }
    };
    let is_new_key = matches!(plan.key, Some(super::KeyPlan::Stored(..)));
    let closed = match is_new_key {
        true => key::session_of_named(app, &wishes.token).await.err(),
        false => None,
    };
    let refusal = refused.or(unplanned).or(closed);
    let hash = refusal.is_none().then(|| plan::hash(&plan, brought, &wishes));
    plan.steps.iter_mut().for_each(|step| leave_out(step, brought, chosen));
    Ok(Preview { brought: Arc::clone(brought), keys, chosen, plan, hash, refusal, wishes })
}

/// Says of a certificate whose key is among the files, and not taken, just that: nobody has to look for it.
fn leave_out(step: &mut Step, brought: &Brought, chosen: Option<KeyId>) {
    if step.key != KeyFrom::Nowhere || brought.key(&step.entry.key()).is_none() {
        return;
    }
    step.key = KeyFrom::NotTaken;
    step.findings.retain(|finding| finding.code != "key.missing");
    match &mut step.fate {
        Fate::Alone(why) | Fate::Kept(_, why) if *why == NotCurrent::NoKey.to_string() => {
            *why = match chosen {
                Some(_) => "its private key is not the one that is taken",
                None => "which private key is taken is not chosen yet",
            }
            .to_owned();
        }
        Fate::ForChains(_) | Fate::Renews(_) | Fate::Kept(..) | Fate::Founds | Fate::Alone(_) => {}
    }
}

type Read = (Result<Plan, Error>, Vec<PreviewedKey>);

/// The plan, or why there is none that a person could mend, and the keys; all as of one moment.
async fn read_plan(
    app: &App,
    (brought, revoked): (&Arc<Brought>, &Arc<Revocations>),
    wishes: &Wishes,
    chosen: Option<KeyId>,
) -> Result<Read, Error> {
    let (brought, revoked) = (Arc::clone(brought), Arc::clone(revoked));
    let (wishes, now) = (wishes.clone(), app.now());
    app.read("certificate.preview", move |tx| {
        let key = chosen.and_then(|id| brought.key(&id));
        let asked = plan::Asked::of_files(now, &revoked);
        let planned = plan::make(tx, &brought.certificates, key, &wishes, asked);
        let planned = match planned.and_then(|plan| plan.refuse_stray(&wishes).map(|()| plan)) {
            Err(error @ (Error::Refused(_) | Error::Conflict(_))) => Err(error),
            planned => Ok(planned?),
        };
        let keys = brought.keys.iter().map(|key| previewed(tx, &brought, key)).collect::<Result<_, _>>()?;
        Ok((planned, keys))
    })
    .await
}

fn previewed(tx: &Tx<'_>, brought: &Brought, key: &super::BroughtKey) -> Result<PreviewedKey, Error> {
    let id = key.private.id();
    let of_key = brought.certificates.iter().filter(|one| one.certificate.key_id() == id);
    let fits: Vec<Fingerprint> = of_key.map(|one| one.certificate.fingerprint()).collect();
    let known = store::certificate::some_by_key(tx, &id, shared::SAME_KEY)?.into_iter();
    let known = known.filter(|entry| !fits.contains(&entry.fingerprint()));
    let here = store::key::find(tx, &id)?.filter(|key: &Key| key.state != KeyState::Destroyed);
    Ok(PreviewedKey {
        id,
        algorithm: key.private.algorithm(),
        name: key.name.clone(),
        fits_here: known.map(|entry| (entry.fingerprint(), entry.friendly_name)).collect(),
        here: here.map(|key| key.label),
        fits,
    })
}
