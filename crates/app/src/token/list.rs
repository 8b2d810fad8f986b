//! See tokens.

use domain::Authorized;
use domain::id::TokenId;
use domain::permission::uses;
use domain::token::{Token, TokenState};
use store::Tx;

use super::TokenView;
use crate::{App, Error, key};

/// The tokens that people log in to, with their keys: all but `system`, whose keys may be very many.
pub async fn list(app: &App, _by: &Authorized<uses::ViewKeys>) -> Result<Vec<TokenView>, Error> {
    let rows = app.read("token.list", |tx| {
        let attended = store::token::all(tx)?.into_iter().filter(|token| token.id != TokenId::system());
        attended.map(|token| with_keys(tx, token)).collect::<Result<Vec<_>, Error>>()
    });
    Ok(rows.await?.into_iter().map(|(token, keys)| view(app, token, keys)).collect())
}

/// A token without its keys: they may be very many.
#[derive(Clone, Debug)]
pub struct TokenSummary {
    /// The token.
    pub token: Token,
    /// Whether it signs now.
    pub state: TokenState,
    /// Wrong PINs that are left until it locks; none for tokens without a PIN.
    pub tries_left: Option<u32>,
    /// How many active keys it holds.
    pub keys: i64,
}

/// All tokens, with the number of their keys.
pub async fn summaries(app: &App, _by: &Authorized<uses::ViewKeys>) -> Result<Vec<TokenSummary>, Error> {
    let rows = app.read("token.summaries", |tx| {
        store::token::all(tx)?.into_iter().map(|token| counted(tx, token)).collect::<Result<Vec<_>, Error>>()
    });
    Ok(rows.await?.into_iter().map(|row| summary(app, row)).collect())
}

fn counted(tx: &Tx, token: Token) -> Result<(Token, i64), Error> {
    let keys = store::key::count_in_token(tx, &token.id)?;
    Ok((token, keys))
}

fn summary(app: &App, (token, keys): (Token, i64)) -> TokenSummary {
    TokenSummary { state: super::state(app, &token), tries_left: super::tries_left(app, &token), token, keys }
}

/// One token, with the number of its keys.
pub async fn summarise(
    app: &App,
    _by: &Authorized<uses::ViewKeys>,
    id: &TokenId,
) -> Result<TokenSummary, Error> {
    load(app, id).await
}

pub(super) async fn load(app: &App, id: &TokenId) -> Result<TokenSummary, Error> {
    let wanted = id.clone();
    let row = app.read("token.summary", move |tx| counted(tx, stored(tx, &wanted)?));
    Ok(summary(app, row.await?))
}

fn stored(tx: &Tx, id: &TokenId) -> Result<Token, Error> {
    store::token::find(tx, id)?.ok_or_else(|| Error::not_found("token", id))
}

/// One token with its keys.
pub async fn find(app: &App, _by: &Authorized<uses::ViewKeys>, id: &TokenId) -> Result<TokenView, Error> {
    let wanted = id.clone();
    let (token, keys) = app.read("token.find", move |tx| with_keys(tx, stored(tx, &wanted)?)).await?;
    Ok(view(app, token, keys))
}

fn with_keys(tx: &Tx, token: Token) -> Result<(Token, Vec<key::KeyView>), Error> {
    let keys = store::key::of_token(tx, &token.id)?;
    let keys = keys.into_iter().map(|key| key::with_children(tx, key)).collect::<Result<_, _>>()?;
    Ok((token, keys))
}

fn view(app: &App, token: Token, keys: Vec<key::KeyView>) -> TokenView {
    TokenView { state: super::state(app, &token), tries_left: super::tries_left(app, &token), token, keys }
}
