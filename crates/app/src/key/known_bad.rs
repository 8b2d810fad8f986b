//! Keys that nobody may use, by the list that the operator loaded.

use pki::PublicKey;

use crate::{App, Error};

/// Refuses a key whose private half is known to everybody (`key.weak.blocklist`); takes every key when no list is
/// loaded. What can be seen from the key alone was refused when it was read.
pub fn refuse_known_bad(app: &App, key: &PublicKey) -> Result<(), Error> {
    match &app.config().blocklist {
        Some(list) => Ok(list.refuse(key)?),
        None => Ok(()),
    }
}
