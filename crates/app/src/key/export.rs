//! Hand a private key to a person, under a passphrase.

use domain::Authorized;
use domain::audit::{Action, Event, Field};
use domain::clock::random_bytes;
use domain::key::{Exportable, Key, KeyState};
use domain::permission::uses;
use domain::user::PASSWORD_MIN;
use pki::format::pkcs8_write;
use pki::{KeyId, Refusal};
use zeroize::Zeroizing;

use crate::{App, Error, act};

/// The private key as encrypted PKCS#8 (PBES2), DER. Recorded on the key for ever, before it is answered.
pub async fn export(
    app: &App,
    by: &Authorized<uses::ExportPrivateKey>,
    id: &KeyId,
    passphrase: &str,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    act::audited(app, by.actor(), Action::KeyExport, &id.to_string(), async {
        let (id, now) = (*id, app.now());
        if passphrase.chars().count() < PASSWORD_MIN {
            let what = format!("the passphrase has fewer than {PASSWORD_MIN} characters");
            return Err(Refusal::new("pass.short", what, "Choose a longer one.").into());
        }
        let (key, sealed) = app
            .read("key.export", move |tx| {
                let key = store::key::find(tx, &id)?.ok_or_else(|| Error::not_found("key", id))?;
                let sealed = store::key::sealed(tx, &id)?.ok_or_else(|| Error::not_found("key", id))?;
                Ok((key, sealed))
            })
            .await?;
        if key.state != KeyState::Active {
            let what = format!("the key is {}", key.state);
            return Err(Error::conflict("key.state", what, "Only an active key can be exported."));
        }
        let private = super::session_of(app, &sealed.token)?.export(&sealed, by)?;
        let event = Event::done(now, by.actor(), Action::KeyExport, id.to_string())
            .with(Field::Label, &key.label)
            .with(Field::Format, "pkcs8");
        app.commit("key.mark_exported", move |tx| {
            // Looked at again: it may have been lowered or retired meanwhile.
            let free =
                |key: &Key| key.state == KeyState::Active && key.exportable == Exportable::WithPassphrase;
            if !store::key::find(tx, &id)?.is_some_and(|key| free(&key)) {
                let what = "this private key may not leave its token any more";
                return Err(Error::conflict("key.not_exportable", what, "Leave it where it is."));
            }
            store::key::mark_exported(tx, &id, now)?;
            act::record(tx, &event)
        })
        .await?;
        let (salt, iv) = (random_bytes(app.random()), random_bytes(app.random()));
        let passphrase = Zeroizing::new(passphrase.to_owned());
        app.deriving(move || pkcs8_write::encrypt(&private, &passphrase, salt, iv)).await
    })
    .await
}
