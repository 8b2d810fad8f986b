//! Change a token's PIN: one key slot is wrapped anew, no key is touched.

use std::sync::Arc;

use domain::Authorized;
use domain::audit::{Action, Event};
use domain::id::TokenId;
use domain::permission::uses;
use domain::pin::{PinPolicy, PinRefusal, check, plain};
use pki::Refusal;
use store::token::Attempts;
use token::slot;
use zeroize::Zeroizing;

use super::log_in::open_with_pin;
use super::log_out::close;
use crate::{App, Error, act};

/// Changes the PIN. The token must be logged in and is logged out by it; the old PIN counts as a try.
pub async fn change_pin(
    app: &App,
    by: &Authorized<uses::UpdateTokenPin>,
    id: &TokenId,
    old: &str,
    new: &str,
) -> Result<(), Error> {
    act::audited(app, by.actor(), Action::TokenPinChange, id.as_str(), async {
        if *id == TokenId::system() || app.sessions().session(id).is_none() {
            let what = "the PIN can be changed only while the token is logged in";
            return Err(Error::conflict("action_not_possible", what, "Log in to the token first."));
        }
        let (old, new) = (plain(old), plain(new));
        check_policy(new, app.config().pin_policy)?;
        let data_key = open_with_pin(app, id, old).await?;
        let (pin, instance, random, token) =
            (Zeroizing::new(new.to_owned()), Arc::clone(app.instance()), app.random_source(), id.clone());
        let wrapped =
            app.deriving(move || slot::pin_slot(&token, &data_key, &pin, &instance, &*random)).await?;
        let wrapped = wrapped.map_err(Error::from)?;
        let event = Event::done(app.now(), by.actor(), Action::TokenPinChange, id.as_str());
        let token = id.clone();
        app.commit("token.change_pin", move |tx| {
            store::token::put_slot(tx, &wrapped)?;
            store::token::record_attempt(tx, &token, &Attempts::default())?;
            act::record(tx, &event)
        })
        .await?;
        close(app, id);
        Ok(())
    })
    .await
}

/// Checks a new PIN; the codes are X-Road's.
pub(crate) fn check_policy(pin: &str, policy: PinPolicy) -> Result<(), Refusal> {
    check(pin, policy).map_err(|refusal| {
        let code = match refusal {
            PinRefusal::Weak { .. } => "token_weak_pin",
            PinRefusal::Characters => "invalid_characters_pin",
        };
        Refusal::new(code, refusal.to_string(), "Choose another PIN.").at("pin")
    })
}
