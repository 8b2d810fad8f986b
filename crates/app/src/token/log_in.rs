//! Log in to a token by its PIN.

use std::sync::Arc;

use domain::audit::{Action, Event};
use domain::id::TokenId;
use domain::permission::uses;
use domain::pin::{Attempt, plain, plan_attempt};
use domain::token::{KeySlot, SlotKind};
use domain::{Authorized, Moment};
use pki::Refusal;
use store::token::Attempts;
use token::{DataKey, Session, slot};
use zeroize::Zeroizing;

use super::TokenSummary;
use crate::{App, Error, act, job};

/// Logs in. Wrong PINs are counted before the check, so that a kill gives no free try.
pub async fn log_in(
    app: &App,
    by: &Authorized<uses::ActivateToken>,
    id: &TokenId,
    pin: &str,
) -> Result<TokenSummary, Error> {
    act::audited(app, by.actor(), Action::TokenLogIn, id.as_str(), async {
        if app.sessions().session(id).is_some() {
            return Err(already_logged_in());
        }
        let pin = plain(pin);
        if pin.is_empty() {
            return Err(Refusal::new(
                "missing_token_password",
                "the PIN is missing",
                "Enter the token's PIN.",
            )
            .into());
        }
        let data_key = open_with_pin(app, id, pin).await?;
        let event = Event::done(app.now(), by.actor(), Action::TokenLogIn, id.as_str());
        let token = id.clone();
        app.commit("token.log_in", move |tx| {
            store::token::record_attempt(tx, &token, &Attempts::default())?;
            act::record(tx, &event)
        })
        .await?;
        app.sessions().open(Session::new(id.clone(), data_key));
        start_waiting(app, id).await?;
        app.ring().forget(id);
        app.served_changed();
        app.wake();
        super::list::load(app, id).await
    })
    .await
}

/// Jobs that wait for this token go on.
async fn start_waiting(app: &App, id: &TokenId) -> Result<(), Error> {
    let (waited, now) = (job::locked_out(id), app.now());
    app.store()
        .tx("job.hasten_all", move |tx| Ok::<_, Error>(store::job::hasten_all(tx, &waited, now).map(drop)?))
        .await
}

fn already_logged_in() -> Error {
    Error::conflict("action_not_possible", "the token is logged in already", "Go on, or log out first.")
}

/// Counts the try, then opens the PIN slot. The caller resets the count when all went well.
pub(super) async fn open_with_pin(app: &App, id: &TokenId, pin: &str) -> Result<DataKey, Error> {
    let kept = count_try(app, id).await?;
    let (pin, instance) = (Zeroizing::new(pin.to_owned()), Arc::clone(app.instance()));
    let opened = app.deriving(move || slot::open(&kept, slot::Opener::Pin(&pin), &instance)).await?;
    match opened {
        Ok(data_key) => Ok(data_key),
        Err(_) => Err(wrong_pin(app, id).await?),
    }
}

async fn count_try(app: &App, id: &TokenId) -> Result<KeySlot, Error> {
    let (wanted, now, tries) = (id.clone(), app.now(), app.config().pin_tries);
    app.commit("token.count_try", move |tx| {
        tx.exclusive(&format!("token {wanted}"))?;
        let token = store::token::find(tx, &wanted)?.ok_or_else(|| Error::not_found("token", &wanted))?;
        let kept = store::token::slot(tx, &wanted, SlotKind::Pin)?.ok_or_else(no_pin)?;
        match plan_attempt(token.wrong_pins, token.last_wrong, tries, now) {
            _ if token.locked => Err(locked()),
            Attempt::Locked => Err(locked()),
            Attempt::Wait(until) => Err(throttled(until)),
            Attempt::Allowed => {
                let wrong = token.wrong_pins + 1;
                let tried = Attempts { wrong_pins: wrong, last_wrong: Some(now), locked: wrong >= tries };
                store::token::record_attempt(tx, &wanted, &tried)?;
                Ok(kept)
            }
        }
    })
    .await
}

async fn wrong_pin(app: &App, id: &TokenId) -> Result<Error, Error> {
    let token = super::list::load(app, id).await?.token;
    let left = app.config().pin_tries.saturating_sub(token.wrong_pins);
    let repair = match left {
        0 => "The token is locked now. A security officer can unlock it.".to_owned(),
        1 => "One try is left before the token locks.".to_owned(),
        left => format!("{left} tries are left before the token locks."),
    };
    Ok(Refusal::new("pin_incorrect", "the PIN is not right", repair).into())
}

fn no_pin() -> Error {
    Error::conflict("action_not_possible", "this token has no PIN", "It is opened by the server itself.")
}

fn locked() -> Error {
    let what = "the token is locked after too many wrong PINs";
    Error::conflict("token_locked", what, "A security officer can unlock it with his own password.")
}

fn throttled(until: Moment) -> Error {
    Error::Throttled { until, what: format!("after a wrong PIN the next try may come at {until}") }
}
