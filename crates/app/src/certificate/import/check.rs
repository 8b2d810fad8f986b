//! What is refused before anything is decided: nothing to take, several keys, a key of another certificate.

use std::sync::Arc;

use domain::key::parse_label;
use pki::{Certificate, KeyId, Refusal};

use super::{Brought, FEW, PreviewHash, Wishes};
use crate::{App, Error, key};

/// Checks the wishes themselves; a blank friendly name is none.
pub(super) fn wishes(mut wishes: Wishes) -> Result<Wishes, Refusal> {
    let name = wishes.friendly_name.take();
    wishes.friendly_name =
        name.filter(|name| !name.trim().is_empty()).map(|name| parse_label(&name)).transpose()?;
    Ok(wishes)
}

/// Checks what was brought; answers the private key that is taken.
pub(super) async fn brought(
    app: &App,
    brought: &Arc<Brought>,
    wishes: &Wishes,
) -> Result<Option<KeyId>, Error> {
    refuse_nothing(brought)?;
    for certificate in brought.certificates.iter().map(|one| &one.certificate) {
        key::refuse_known_bad(app, certificate.public_key())?;
    }
    for one in &brought.keys {
        key::refuse_known_bad(app, one.private.public_key())?;
    }
    let chosen = chosen_key(brought, wishes)?;
    if let Some(id) = &chosen
        && let Err(mismatch) = refuse_mismatch(id, brought)
        && !completes_what_is_here(app, id, brought).await?
    {
        return Err(mismatch.into());
    }
    if chosen.is_some() && brought.certificates.len() > FEW {
        let what = format!("with a private key at most {FEW} certificates are taken at once");
        let repair =
            "Import the key with its own certificate and chain, and the other certificates without it.";
        return Err(Refusal::new("limit.cert_count", what, repair).into());
    }
    Ok(chosen)
}

/// Refuses what is not what was previewed.
pub(super) fn previewed(expected: Option<PreviewHash>, found: PreviewHash) -> Result<(), Error> {
    if expected.is_none_or(|expected| expected == found) {
        return Ok(());
    }
    let what =
        "this import would not do what the preview showed: the files differ, or something here changed since";
    Err(Error::conflict("import.preview_changed", what, "Look at a new preview, then confirm that."))
}

/// Requests and revocation lists alone are nothing to keep.
fn refuse_nothing(brought: &Brought) -> Result<(), Refusal> {
    if !brought.certificates.is_empty() || !brought.keys.is_empty() {
        return Ok(());
    }
    if !brought.csrs.is_empty() {
        let repair = "Give the request to your CA, and import the certificate that it answers with.";
        return Err(Refusal::new("import.csr", "this is a certificate request, not a certificate", repair));
    }
    if !brought.crls.is_empty() {
        let repair = "Import the certificate of the CA that signed it, if that is what you need.";
        return Err(Refusal::new("import.crl", "this is a revocation list, not a certificate", repair));
    }
    let what = "there is neither a certificate nor a private key in it";
    Err(Refusal::new("input.empty", what, "Choose another file."))
}

fn chosen_key(brought: &Brought, wishes: &Wishes) -> Result<Option<KeyId>, Refusal> {
    if let Some(wanted) = &wishes.key {
        if brought.key(wanted).is_some() {
            return Ok(Some(*wanted));
        }
        let what = format!("the files hold no private key {wanted}");
        return Err(Refusal::new("import.ambiguous_key", what, "Choose one of the keys in the files."));
    }
    match brought.keys.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only.private.id())),
        several => {
            let what = format!("the files hold {} private keys", several.len());
            let repair = "Say which one is to be taken, or import each key with its certificate by itself.";
            Err(Refusal::new("import.ambiguous_key", what, repair))
        }
    }
}

fn refuse_mismatch(key: &KeyId, brought: &Brought) -> Result<(), Refusal> {
    // Leaves come first. A certificate that signed itself is often a CA by its own words, and has a key all the same.
    let mut certificates = brought.certificates.iter().map(|one| &one.certificate);
    let Some(first) = certificates.clone().next() else { return Ok(()) };
    if certificates.any(|certificate: &Certificate| certificate.key_id() == *key) {
        return Ok(());
    }
    if let Some(key) = brought.key(key) {
        brought
            .certificates
            .iter()
            .try_for_each(|one| one.certificate.refuse_unbound(key.private.public_key()))?;
    }
    let what = format!("the private key does not belong to the certificate of {}", first.display_name());
    let repair = match first.is_ca() {
        true => "Bring the certificate of this key along, or import the key by itself.",
        false => "Find the key that the certificate was asked for with.",
    };
    Err(Refusal::new("key.mismatch", what, repair))
}

/// Whether the key belongs to a certificate that waits here for it, and beside it are only certificates of CAs.
async fn completes_what_is_here(app: &App, key: &KeyId, brought: &Brought) -> Result<bool, Error> {
    if brought.certificates.iter().any(|one| !one.certificate.is_ca()) {
        return Ok(false);
    }
    let key = *key;
    app.read("certificate.import.check", move |tx| {
        Ok(!store::certificate::some_by_key(tx, &key, 1)?.is_empty())
    })
    .await
}
