//! Name a token.

use domain::Authorized;
use domain::audit::{Action, Event, Field};
use domain::id::TokenId;
use domain::key::parse_label;
use domain::permission::uses;

use super::TokenSummary;
use crate::{App, Error, act};

/// Gives the token a friendly name.
pub async fn rename(
    app: &App,
    by: &Authorized<uses::EditTokenName>,
    id: &TokenId,
    name: &str,
) -> Result<TokenSummary, Error> {
    act::audited(app, by.actor(), Action::TokenRename, id.as_str(), async {
        let label = parse_label(name)?;
        let event =
            Event::done(app.now(), by.actor(), Action::TokenRename, id.as_str()).with(Field::Label, &label);
        let token = id.clone();
        app.commit("token.rename", move |tx| {
            store::token::find(tx, &token)?.ok_or_else(|| Error::not_found("token", &token))?;
            store::token::rename(tx, &token, &label)?;
            act::record(tx, &event)
        })
        .await?;
        super::list::load(app, id).await
    })
    .await
}
