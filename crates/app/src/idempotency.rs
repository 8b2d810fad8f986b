//! Requests that may come twice: the answer is remembered under the key that the client gave.

use domain::clock::DAY;
use pki::seal::{constant_time_eq, hmac_sha256};
use store::idempotency::StoredAnswer;
use token::label;

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

/// What is kept of a request to know it again.
///
/// Bodies hold passwords, PINs and passphrases. The mark is keyed from the instance key, which is not in the database:
/// whoever steals the tables has nothing to try guesses against.
#[derive(Clone, Copy)]
pub struct Mark([u8; 32]);

/// Marks a request by all that makes two the same: method and address, then the body. The caller makes the border between
/// the parts unambiguous.
pub fn mark(app: &App, request: &[&[u8]]) -> Mark {
    Mark(hmac_sha256(app.instance().derive(label::IDEMPOTENCY).as_slice(), request))
}

/// Looks a key up. `actor` is [`domain::Actor::name`].
pub async fn recall(app: &App, actor: &str, key: &str, request: Mark) -> Result<Recalled, Error> {
    let (actor, key) = (actor.to_owned(), key.to_owned());
    let found =
        app.read("idempotency.find", move |tx| Ok(store::idempotency::find(tx, &actor, &key)?)).await?;
    Ok(match found {
        None => Recalled::New,
        Some(row) if constant_time_eq(&row.request_mark, &request.0) => {
            Recalled::Answered { status: row.status, body: row.body }
        }
        Some(_) => Recalled::OtherRequest,
    })
}

/// Remembers an answer for a day.
pub async fn remember(
    app: &App,
    actor: &str,
    key: &str,
    request: Mark,
    (status, body): (u16, Vec<u8>),
) -> Result<(), Error> {
    let (actor, key) = (actor.to_owned(), key.to_owned());
    let answer = StoredAnswer { request_mark: request.0, status, body, at: app.now() };
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
