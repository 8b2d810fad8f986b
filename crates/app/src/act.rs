//! What all actions share: a refusal of a known actor is committed as an audit event.

use domain::Actor;
use domain::audit::{Action, Event, Field};
use domain::permission::NotPermitted;
use store::Tx;

use crate::{App, Error};

/// Runs an action. Its success event is written by itself, in its transaction; a refusal or failure is written here.
pub async fn audited<T>(
    app: &App,
    actor: &Actor,
    action: Action,
    object: &str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let result = work.await;
    if let Err(error) = &result {
        refused(app, actor, action, object, error).await?;
    }
    result
}

/// Commits the event of a refusal or failure.
pub async fn refused(
    app: &App,
    actor: &Actor,
    action: Action,
    object: &str,
    error: &Error,
) -> Result<(), Error> {
    let mut event = Event::refused(app.now(), actor, action, object, &error.code());
    if let Error::Internal { .. } = error {
        event.outcome = domain::audit::Outcome::Failed;
    }
    if let Error::NotPermitted(NotPermitted { permission, .. }) = error {
        event = event.with(Field::Permission, permission);
    }
    app.commit("audit.refused", move |tx| record(tx, &event)).await?;
    Ok(())
}

/// Writes an event in the transaction of its change.
pub(crate) fn record(tx: &Tx<'_>, event: &Event) -> Result<(), Error> {
    store::audit::record(tx, event)?;
    Ok(())
}
