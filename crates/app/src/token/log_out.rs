//! Log out of a token; what would stop being served is said first.

use domain::Authorized;
use domain::audit::{Action, Event};
use domain::id::TokenId;
use domain::permission::uses;

use super::TokenSummary;
use crate::{App, Error, act};

/// What to do when the log-out would stop something served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequences {
    /// Log out all the same.
    Accept,
    /// Do not log out, and say what would stop.
    Refuse,
}

/// Logs out. Signatures stop at once; the data key is wiped.
pub async fn log_out(
    app: &App,
    by: &Authorized<uses::ActivateToken>,
    id: &TokenId,
    consequences: Consequences,
) -> Result<TokenSummary, Error> {
    act::audited(app, by.actor(), Action::TokenLogOut, id.as_str(), async {
        if *id == TokenId::system() {
            let what = "the token system cannot be logged out: the server's own certificates need it";
            return Err(Error::conflict("action_not_possible", what, "Stop the server to close it."));
        }
        super::list::load(app, id).await?;
        if app.sessions().session(id).is_none() {
            let what = "the token is not logged in";
            return Err(Error::conflict("action_not_possible", what, "There is nothing to do."));
        }
        let stops = stops(app, id).await?;
        if consequences == Consequences::Refuse && !stops.is_empty() {
            let what = format!("the edge would answer with the default certificate for {}", stops.join(", "));
            return Err(Error::conflict("token_in_use", what, "Log out all the same only if that may be."));
        }
        let event = Event::done(app.now(), by.actor(), Action::TokenLogOut, id.as_str());
        app.commit("token.log_out", move |tx| act::record(tx, &event)).await?;
        close(app, id);
        super::list::load(app, id).await
    })
    .await
}

/// Closes a token without more ado.
pub(super) fn close(app: &App, id: &TokenId) {
    app.sessions().close(id);
    app.ring().forget(id);
    app.served_changed();
}

/// The names that the edge would no longer serve with their own certificate.
pub async fn stops_at_log_out(
    app: &App,
    _by: &Authorized<uses::ActivateToken>,
    id: &TokenId,
) -> Result<Vec<String>, Error> {
    super::list::load(app, id).await?;
    stops(app, id).await
}

async fn stops(app: &App, id: &TokenId) -> Result<Vec<String>, Error> {
    let token = id.clone();
    let keys = app.read("token.keys", move |tx| Ok(store::key::ids_of_token(tx, &token)?)).await?;
    let snapshot = app.published();
    let mine = |key: &pki::KeyId| keys.contains(key);
    let served = snapshot.all().into_iter().filter(|served| mine(&served.key));
    let mut names: Vec<String> =
        served.flat_map(|served| served.names.iter().map(ToString::to_string)).collect();
    if snapshot.default.as_ref().is_some_and(|served| mine(&served.key)) {
        names.push("every other name (it is the default certificate)".to_owned());
    }
    Ok(names)
}
