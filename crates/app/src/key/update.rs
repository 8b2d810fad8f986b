//! Name a key, or lower when it may leave.

use domain::Authorized;
use domain::audit::{Action, Event, Field};
use domain::key::{Exportable, Key, parse_label};
use domain::permission::uses;
use pki::KeyId;

use crate::{App, Error, act};

/// What is to change; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct KeyChange {
    /// The friendly name.
    pub label: Option<String>,
    /// When it may leave: can be lowered, never raised.
    pub exportable: Option<Exportable>,
}

/// Changes a key.
pub async fn update(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &KeyId,
    change: KeyChange,
) -> Result<Key, Error> {
    act::audited(app, by.actor(), Action::KeyUpdate, &id.to_string(), async {
        let id = *id;
        let label = change.label.as_deref().map(parse_label).transpose()?;
        let resealed = match change.exportable {
            Some(exportable) => Some(lowered(app, &id, exportable).await?),
            None => None,
        };
        let mut event = Event::done(app.now(), by.actor(), Action::KeyUpdate, id.to_string());
        event.fields.extend(label.clone().map(|label| (Field::Label, label)));
        event.fields.extend(change.exportable.map(|to| (Field::Exportable, to.name().to_owned())));
        app.commit("key.update", move |tx| {
            let before = store::key::find(tx, &id)?.ok_or_else(|| Error::not_found("key", id))?;
            super::refuse_other_usage(&before)?;
            if let Some(label) = &label {
                if store::key::by_label(tx, label)?.is_some_and(|other| other.id != id) {
                    let what = format!("the friendly name “{label}” is taken by another key");
                    return Err(Error::conflict("key.label_taken", what, "Choose another name."));
                }
                store::key::set_label(tx, &id, label)?;
            }
            if let Some(resealed) = &resealed {
                // Compared again: two changes at once must not undo the lower one.
                refuse_raise(before.exportable, resealed.exportable)?;
                store::key::lower_exportable(tx, &id, resealed.exportable, &resealed.sealed)?;
            }
            store::audit::record(tx, &event)?;
            store::key::find(tx, &id)?.ok_or_else(|| Error::not_found("key", id))
        })
        .await
    })
    .await
}

async fn lowered(app: &App, id: &KeyId, to: Exportable) -> Result<domain::key::SealedKey, Error> {
    let id = *id;
    let sealed = app.read("key.sealed", move |tx| Ok(store::key::sealed(tx, &id)?)).await?;
    let sealed = sealed.ok_or_else(|| Error::not_found("key", id))?;
    refuse_raise(sealed.exportable, to)?;
    let session = super::session_of(app, &sealed.token)?;
    Ok(session.reseal(&sealed, to, app.random())?)
}

fn refuse_raise(from: Exportable, to: Exportable) -> Result<(), Error> {
    if to <= from {
        return Ok(());
    }
    let what = format!("{from} cannot become {to}: it can be lowered, never raised");
    Err(Error::conflict("key.exportable", what, "Make a new key that may leave."))
}
