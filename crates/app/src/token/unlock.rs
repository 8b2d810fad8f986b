//! Unlock a token that locked after wrong PINs.

use domain::audit::{Action, Event};
use domain::id::TokenId;
use domain::permission::uses;
use domain::{Actor, Authorized};
use store::token::Attempts;

use super::TokenSummary;
use crate::{App, Error, access, act};

/// Unlocks the token. The officer proves again who he is, by his own password.
pub async fn unlock(
    app: &App,
    by: &Authorized<uses::UnlockToken>,
    id: &TokenId,
    own_password: &str,
) -> Result<TokenSummary, Error> {
    act::audited(app, by.actor(), Action::TokenUnlock, id.as_str(), async {
        let Actor::User { name, .. } = by.actor() else {
            let what = "only a person can unlock a token, with his own password";
            return Err(Error::conflict(
                "token_unlock.person",
                what,
                "Log in at the pages and unlock it there.",
            ));
        };
        access::prove(app, name, own_password).await?;
        let event = Event::done(app.now(), by.actor(), Action::TokenUnlock, id.as_str());
        let token = id.clone();
        app.commit("token.unlock", move |tx| {
            store::token::find(tx, &token)?.ok_or_else(|| Error::not_found("token", &token))?;
            store::token::record_attempt(tx, &token, &Attempts::default())?;
            act::record(tx, &event)
        })
        .await?;
        super::list::load(app, id).await
    })
    .await
}
