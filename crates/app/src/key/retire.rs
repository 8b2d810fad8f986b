//! Delete a key: it is hidden and stays sealed for the keep time, then it is destroyed.

use domain::audit::{Action, Event, Field};
use domain::clock::DAY;
use domain::key::{KeyState, keep_time};
use domain::permission::{authorize, uses};
use domain::{Actor, Authorized};
use pki::KeyId;

use crate::{App, Error, act, setting};

/// Retires a key. One that something is served with stays.
pub async fn retire(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &KeyId,
) -> Result<(), Error> {
    act::audited(app, by.actor(), Action::KeyRetire, &id.to_string(), async {
        let (id, now) = (*id, app.now());
        let event = Event::done(now, by.actor(), Action::KeyRetire, id.to_string());
        app.commit("key.retire", move |tx| {
            let key = store::key::find(tx, &id)?.ok_or_else(|| Error::not_found("key", id))?;
            super::refuse_other_usage(&key)?;
            if key.state != KeyState::Active {
                let what = format!("the key is {} already", key.state);
                return Err(Error::conflict("key.state", what, "There is nothing to do."));
            }
            for entry in store::certificate::by_key(tx, &id)? {
                refuse_current(tx, &entry)?;
            }
            store::key::set_state(tx, &id, KeyState::Retired, Some(now))?;
            act::record(tx, &event)
        })
        .await
    })
    .await
}

/// Refuses the key of a certificate that is served: a lineage's current one, the default, the factory certificate.
fn refuse_current(tx: &store::Tx<'_>, entry: &domain::certificate::CertificateEntry) -> Result<(), Error> {
    for name in [setting::DEFAULT_CERTIFICATE, setting::FACTORY_CERTIFICATE] {
        if setting::fingerprint(tx, name)? == Some(entry.fingerprint()) {
            let what = "the key is in use: the default or factory certificate is served with it";
            return Err(Error::conflict(
                "key.in_use",
                what,
                "Choose another default; the factory key stays.",
            ));
        }
    }
    // Asked of the lineages themselves: to which one the certificate's row belongs says not who serves it.
    match store::lineage::of_current(tx, &entry.fingerprint())? {
        None => Ok(()),
        Some(lineage) => {
            let what = format!("the key is in use: the lineage “{}” serves with it", lineage.name);
            Err(Error::conflict("key.in_use", what, "Rekey the lineage first."))
        }
    }
}

/// Brings a retired key back.
pub async fn restore(app: &App, by: &Authorized<uses::RestoreKey>, id: &KeyId) -> Result<(), Error> {
    act::audited(app, by.actor(), Action::KeyRestore, &id.to_string(), async {
        let id = *id;
        let event = Event::done(app.now(), by.actor(), Action::KeyRestore, id.to_string());
        app.commit("key.restore", move |tx| {
            let key = store::key::find(tx, &id)?.ok_or_else(|| Error::not_found("key", id))?;
            super::refuse_other_usage(&key)?;
            if key.state != KeyState::Retired {
                let what = format!("the key is {}, not retired", key.state);
                return Err(Error::conflict("key.state", what, "Only a retired key can be brought back."));
            }
            store::key::set_state(tx, &id, KeyState::Active, None)?;
            act::record(tx, &event)
        })
        .await
    })
    .await
}

/// Destroys keys whose keep time is over; done by the clockwork. Says how many.
pub async fn destroy_expired(app: &App) -> Result<usize, Error> {
    authorize(&Actor::Scheduler, uses::RunSchedule, "")?;
    let now = app.now();
    let shortest = keep_time(false).min(30 * DAY);
    let candidates = app
        .read("key.retired", move |tx| Ok(store::key::retired_before(tx, now.plus(-shortest), 10_000)?))
        .await?;
    let mut destroyed = 0;
    for key in candidates {
        let event = Event::done(now, &Actor::Scheduler, Action::KeyDestroy, key.id.to_string())
            .with(Field::Label, &key.label);
        destroyed += app
            .commit("key.destroy", move |tx| {
                // Looked at again: somebody may have brought it back since it was listed.
                let Some(key) = store::key::find(tx, &key.id)?.filter(|key| key.state == KeyState::Retired)
                else {
                    return Ok(0);
                };
                let unanswered = !store::csr::waiting_of_key(tx, &key.id)?.is_empty();
                let retired = key.retired.unwrap_or(now);
                if now.since(retired) < keep_time(unanswered) {
                    return Ok(0);
                }
                store::key::destroy(tx, &key.id)?;
                store::audit::record(tx, &event)?;
                Ok(1)
            })
            .await?;
    }
    Ok(destroyed)
}
