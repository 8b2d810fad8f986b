//! What may be sent to support: a bundle of certificates, chains and their state, and a look into other files so that
//! no private key goes along.
//!
//! Start reading at [`bundle`] and [`look`].

mod blob;
mod bundle;
mod encoded;
mod hexadecimal;
mod look;
mod marks;
mod spelled;
mod stream;

use std::sync::Arc;

use domain::Authorized;
use domain::audit::{Action, Event, Field};
use domain::permission::uses;
use pki::Refusal;

use crate::{App, Error, act};

pub use bundle::bundle;
pub use look::{Looked, Offered, look};

/// Looks into files that somebody wants to send to support. Nothing of them is kept.
///
/// # Errors
/// Those of [`look`], and `input.empty`.
pub async fn check(
    app: &App,
    by: &Authorized<uses::ExportCertificate>,
    files: Vec<Offered>,
) -> Result<Looked, Error> {
    act::audited(app, by.actor(), Action::SupportCheck, "", async {
        if files.iter().all(|file| file.bytes.is_empty()) {
            return Err(Refusal::new("input.empty", "there is nothing to look at", "Choose a file.").into());
        }
        let own = Arc::clone(app.instance());
        let looked = app.blocking(move || look(&files, Some(&own))).await??;
        let event =
            Event::done(app.now(), by.actor(), Action::SupportCheck, "").with(Field::Count, looked.files);
        app.commit("support.check", move |tx| act::record(tx, &event)).await?;
        Ok(looked)
    })
    .await
}
