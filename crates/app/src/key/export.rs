//! Hand a private key to a person, under a passphrase.

use domain::Authorized;
use domain::audit::{Action, Event, Field};
use domain::clock::random_bytes;
use domain::key::{Exportable, Key, KeyState, KeyUsage};
use domain::permission::uses;
use domain::user::PASSWORD_MIN;
use pki::format::pkcs8_write;
use pki::{Fingerprint, KeyId, PrivateKey, Refusal};
use zeroize::Zeroizing;

use crate::{App, Error, act};

/// A key on its way out, as the audit log names it.
#[derive(Clone, Copy)]
pub(crate) struct Leaving {
    /// Which key.
    pub(crate) id: KeyId,
    /// In which form.
    pub(crate) format: &'static str,
    /// Whose certificate goes along or was asked about.
    pub(crate) certificate: Option<Fingerprint>,
}

/// The private key as encrypted PKCS#8 (PBES2), DER. Recorded on the key for ever, before it is answered.
///
/// # Errors
/// `pass.short`, `pass.control_char`, `key.state`, `key.not_exportable`.
pub async fn export(
    app: &App,
    by: &Authorized<uses::ExportPrivateKey>,
    id: &KeyId,
    passphrase: &str,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    act::audited(app, by.actor(), Action::KeyExport, &id.to_string(), async {
        let leaving = Leaving { id: *id, format: "pkcs8", certificate: None };
        let private = take_out(app, by, leaving, passphrase).await?;
        let (salt, iv) = (random_bytes(app.random()), random_bytes(app.random()));
        let passphrase = Zeroizing::new(passphrase.to_owned());
        app.deriving(move || pkcs8_write::encrypt(&private, &passphrase, salt, iv)).await
    })
    .await
}

/// Takes a private key out of its token for a person who gave a passphrase that may protect it, and records that on
/// the key and in the audit log before the caller gets it. The caller encrypts it under that passphrase at once.
pub(crate) async fn take_out(
    app: &App,
    by: &Authorized<uses::ExportPrivateKey>,
    leaving: Leaving,
    passphrase: &str,
) -> Result<PrivateKey, Error> {
    let (id, now) = (leaving.id, app.now());
    check_passphrase(passphrase)?;
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
    if !may_leave(&key) {
        return Err(stays());
    }
    let private = super::session_of(app, &sealed.token)?.export(&sealed, by)?;
    let mut event = Event::done(now, by.actor(), Action::KeyExport, id.to_string())
        .with(Field::Label, &key.label)
        .with(Field::Format, leaving.format);
    if let Some(certificate) = leaving.certificate {
        event = event.with(Field::Certificate, certificate);
    }
    app.commit("key.mark_exported", move |tx| {
        // Looked at again: it may have been lowered or retired meanwhile.
        let is_free = |key: &Key| key.state == KeyState::Active && may_leave(key);
        if !store::key::find(tx, &id)?.is_some_and(|key| is_free(&key)) {
            return Err(stays());
        }
        store::key::mark_exported(tx, &id, now)?;
        act::record(tx, &event)
    })
    .await?;
    Ok(private)
}

fn check_passphrase(passphrase: &str) -> Result<(), Refusal> {
    refuse_untypable(passphrase)?;
    if passphrase.chars().count() >= PASSWORD_MIN {
        return Ok(());
    }
    let what = format!("the passphrase has fewer than {PASSWORD_MIN} characters");
    Err(Refusal::new("pass.short", what, "Choose a longer one."))
}

/// Refuses what nobody can type where the file is opened: `pass.control_char`.
pub(crate) fn refuse_untypable(passphrase: &str) -> Result<(), Refusal> {
    if !passphrase.contains(char::is_control) {
        return Ok(());
    }
    let what = "the passphrase has a line break or another control character in it";
    Err(Refusal::new("pass.control_char", what, "Write it on one line, of characters that can be typed."))
}

/// Whether a person may have the key: by its own freedom, and never when it signs for somebody or for our own house,
/// whatever its freedom says.
fn may_leave(key: &Key) -> bool {
    let is_for_tls = match key.usage {
        None | Some(KeyUsage::Tls) => true,
        Some(KeyUsage::Sign | KeyUsage::Auth | KeyUsage::Ca | KeyUsage::Account | KeyUsage::Node) => false,
    };
    is_for_tls && key.exportable == Exportable::WithPassphrase
}

fn stays() -> Error {
    let what = "this private key may not leave its token for a person";
    Error::conflict("key.not_exportable", what, "Make a new key that may, or leave this one where it is.")
}

#[cfg(test)]
mod tests {
    use domain::Moment;
    use domain::id::TokenId;
    use domain::key::{Born, Durability};

    use super::*;

    fn key(usage: Option<KeyUsage>, exportable: Exportable) -> Key {
        Key {
            id: KeyId([0; 32]),
            token: TokenId::soft(),
            label: "k".to_owned(),
            usage,
            algorithm: pki::KeyAlgorithm::EcP256,
            spki: Vec::new(),
            exportable,
            born: Born::Imported,
            durability: Durability::BackedUp,
            state: KeyState::Active,
            created: Moment(0),
            retired: None,
            exported: None,
        }
    }

    #[test]
    fn keys_that_sign_for_somebody_never_leave_whatever_their_row_says() {
        let free = Exportable::WithPassphrase;
        for usage in KeyUsage::ALL {
            assert_eq!(may_leave(&key(Some(*usage), free)), *usage == KeyUsage::Tls, "{usage}");
        }
        assert!(may_leave(&key(None, free)));
        assert!(!may_leave(&key(Some(KeyUsage::Tls), Exportable::ToTargets)));
    }

    #[test]
    fn a_passphrase_counts_by_characters() {
        assert_eq!(check_passphrase("éééééééééé").unwrap_err().code, "pass.short");
        assert!(check_passphrase("éééééééééééé").is_ok());
    }

    #[test]
    fn a_passphrase_can_be_typed() {
        for bad in ["correct\0horse 1", "correct horse\n1", "correct horse 1\r"] {
            assert_eq!(check_passphrase(bad).unwrap_err().code, "pass.control_char", "{bad:?}");
        }
    }
}
