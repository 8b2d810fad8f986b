//! Make a key in a token.

use std::sync::Arc;

use domain::audit::{Action, Event, Field};
use domain::id::TokenId;
use domain::key::{
    Born, Durability, Exportable, Key, KeyState, KeyUsage, SealedKey, exportable_by_default, parse_label,
};
use domain::permission::{Use, uses};
use domain::{Authorized, Moment, Random};
use pki::{KeyAlgorithm, PublicKey, Signer};
use store::Tx;
use token::Session;

use crate::key::refuse_known_bad;
use crate::signing::session_of_named;
use crate::{App, Error, act};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The friendly name; unique.
    pub label: String,
    /// The token that makes and holds it.
    pub token: TokenId,
    /// Kind and size.
    pub algorithm: KeyAlgorithm,
    /// When it may leave; none means as usual for TLS keys.
    pub exportable: Option<Exportable>,
}

/// A key as it came out of its token, not yet stored.
pub(crate) struct MadeKey {
    pub(crate) key: Key,
    pub(crate) sealed: SealedKey,
}

/// Makes a TLS key.
pub async fn generate(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    input: NewKey,
) -> Result<Key, Error> {
    act::audited(app, by.actor(), Action::KeyGenerate, "", async {
        let made = make(app, &input, Some(KeyUsage::Tls)).await?;
        let event = Event::done(app.now(), by.actor(), Action::KeyGenerate, made.key.id.to_string())
            .with(Field::Label, &made.key.label)
            .with(Field::Algorithm, made.key.algorithm)
            .with(Field::Token, &made.key.token);
        let key = made.key.clone();
        app.commit("key.generate", move |tx| {
            insert(tx, &made)?;
            act::record(tx, &event)
        })
        .await?;
        Ok(key)
    })
    .await
}

/// Makes a key on a thread of its own (an RSA key takes a second), without storing it.
pub(crate) async fn make(app: &App, input: &NewKey, usage: Option<KeyUsage>) -> Result<MadeKey, Error> {
    let label = parse_label(&input.label)?;
    let session = session_of_named(app, &input.token).await?;
    let exportable = input.exportable.unwrap_or_else(|| exportable_by_default(usage));
    let (algorithm, random, now) = (input.algorithm, app.random_source(), app.now());
    let generated = app.blocking(move || session.generate(algorithm, exportable, &*random)).await?;
    let (public, sealed) = generated?;
    refuse_known_bad(app, &public)?;
    Ok(MadeKey { key: describe(label, &public, &sealed, usage, Born::Generated, now), sealed })
}

/// Makes a key on this thread and opens it, without storing it: for what is signed with it at once.
pub(crate) fn make_signer<U: Use>(
    session: &Session,
    input: NewKey,
    usage: KeyUsage,
    (random, now): (&dyn Random, Moment),
    by: &Authorized<U>,
) -> Result<(MadeKey, Arc<dyn Signer>), Error> {
    let label = parse_label(&input.label)?;
    let exportable = input.exportable.unwrap_or_else(|| exportable_by_default(Some(usage)));
    let (sealed, signer) = session.generate_signer(input.algorithm, exportable, random, by)?;
    let key = describe(label, signer.public_key(), &sealed, Some(usage), Born::Generated, now);
    Ok((MadeKey { key, sealed }, signer))
}

/// The row of a key that was just made or imported.
pub(crate) fn describe(
    label: String,
    public: &PublicKey,
    sealed: &SealedKey,
    usage: Option<KeyUsage>,
    born: Born,
    now: Moment,
) -> Key {
    Key {
        id: sealed.id,
        token: sealed.token.clone(),
        label,
        usage,
        algorithm: sealed.algorithm,
        spki: public.spki_der().to_vec(),
        exportable: sealed.exportable,
        born,
        durability: Durability::ThisNodeOnly,
        state: KeyState::Active,
        created: now,
        retired: None,
        exported: None,
    }
}

/// Stores a key; a friendly name that is taken is refused.
pub(crate) fn insert(tx: &Tx<'_>, made: &MadeKey) -> Result<(), Error> {
    if store::key::by_label(tx, &made.key.label)?.is_some() {
        let what = format!("the friendly name “{}” is taken by another key", made.key.label);
        return Err(Error::conflict("key.label_taken", what, "Choose another name."));
    }
    Ok(store::key::insert(tx, &made.key, &made.sealed)?)
}
