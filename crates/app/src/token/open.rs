//! Open the system token when the server starts.

use domain::id::TokenId;
use domain::token::SlotKind;
use token::{Session, slot};

use crate::{App, Error};

/// Opens token `system` with the instance key. Nothing to do before the first start was finished.
///
/// # Errors
///
/// When the instance key is not the one that the slot was made with: restored database, foreign key file.
pub async fn open_system(app: &App) -> Result<(), Error> {
    let kept = app
        .read("token.open_system", |tx| Ok(store::token::slot(tx, &TokenId::system(), SlotKind::Instance)?));
    let Some(kept) = kept.await? else { return Ok(()) };
    let data_key = slot::open(&kept, slot::Opener::Instance, app.instance()).map_err(|_| {
        Error::conflict(
            "token.instance_key",
            "the instance key does not open the token system",
            "Put back the instance.key that belongs to this database, or restore a backup with its recovery passphrase.",
        )
    })?;
    app.sessions().open(Session::new(TokenId::system(), data_key));
    app.served_changed();
    Ok(())
}
