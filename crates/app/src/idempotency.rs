//! Requests that may come twice: the answer is remembered under the key that the client gave.

use domain::clock::DAY;
use pki::identity::sha256;

use store::idempotency::StoredAnswer;

use crate::{App, Error};

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recalled {
    /// Nothing: do it.
    New,
    /// It was done; this was the answer.
    Answered {
        /// The status code.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
    /// It was used for another request.
    OtherRequest,
}

/// Looks a key up. `actor` is [`domain::Actor::name`], `request` the method, path and body.
pub async fn recall(app: &App, actor: &str, key: &str, request: &[u8]) -> Result<Recalled, Error> {
    let (actor, key, hash) = (actor.to_owned(), key.to_owned(), sha256(request));
    let found =
        app.read("idempotency.find", move |tx| Ok(store::idempotency::find(tx, &actor, &key)?)).await?;
    Ok(match found {
        None => Recalled::New,
        Some(row) if row.request_hash == hash => Recalled::Answered { status: row.status, body: row.body },
        Some(_) => Recalled::OtherRequest,
    })
}

/// Remembers an answer for a day.
pub async fn remember(
    app: &App,
    actor: &str,
    key: &str,
    request: &[u8],
    (status, body): (u16, Vec<u8>),
) -> Result<(), Error> {
    let (actor, key) = (actor.to_owned(), key.to_owned());
    let answer = StoredAnswer { request_hash: sha256(request), status, body, at: app.now() };
    app.store()
        .tx("idempotency.insert", move |tx| {
            store::idempotency::insert(tx, &actor, &key, &answer)?;
            Ok::<_, Error>(())
        })
        .await
}

/// Forgets what is older than a day; done by the clockwork.
pub async fn forget_old(app: &App) -> Result<(), Error> {
    let before = app.now().plus(-DAY);
    app.store()
        .tx("idempotency.forget", move |tx| {
            Ok::<_, Error>(store::idempotency::remove_before(tx, before).map(drop)?)
        })
        .await
}
