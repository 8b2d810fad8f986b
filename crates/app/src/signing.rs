//! Opening keys to sign with: for an action that was authorized, and for the edge.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use domain::id::TokenId;
use domain::key::SealedKey;
use domain::permission::{Use, authorize, uses};
use domain::snapshot::Signers;
use domain::{Actor, Authorized};
use pki::{KeyId, Signer};
use token::Sessions;

use crate::{App, Error};

/// Opens a sealed key for what was authorized.
pub fn open<U: Use>(app: &App, sealed: &SealedKey, proof: &Authorized<U>) -> Result<Arc<dyn Signer>, Error> {
    let session = app.sessions().session(&sealed.token);
    let session = session.ok_or_else(|| Error::TokenUnavailable { token: sealed.token.clone() })?;
    Ok(session.signer(sealed, proof)?)
}

/// The keys of what is served. Each is opened when a handshake first asks for it, and gone when its token logs out.
pub struct KeyRing {
    sessions: Arc<Sessions>,
    keys: RwLock<HashMap<KeyId, Slot>>,
}

#[derive(Clone)]
struct Slot {
    sealed: Arc<SealedKey>,
    open: Option<Arc<dyn Signer>>,
}

impl KeyRing {
    /// An empty ring over the open tokens.
    pub fn new(sessions: Arc<Sessions>) -> Self {
        Self { sessions, keys: RwLock::default() }
    }

    /// Puts these keys on the ring and takes all others off. What is open stays open.
    pub fn replace(&self, sealed: Vec<SealedKey>) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *keys);
        *keys = sealed
            .into_iter()
            .map(|sealed| {
                let open = before.remove(&sealed.id).and_then(|slot| slot.open);
                (sealed.id, Slot { sealed: Arc::new(sealed), open })
            })
            .collect();
    }

    /// Drops what is open of a token that logs out, so that the bytes are wiped.
    pub fn forget(&self, token: &TokenId) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        for slot in keys.values_mut().filter(|slot| slot.sealed.token == *token) {
            slot.open = None;
        }
    }

    fn slot(&self, key: &KeyId) -> Option<Slot> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: &KeyId, open: Option<Arc<dyn Signer>>) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = keys.get_mut(key) {
            slot.open = open;
        }
    }
}

impl Signers for KeyRing {
    fn signer(&self, key: &KeyId) -> Option<Arc<dyn Signer>> {
        let slot = self.slot(key)?;
        if let Some(signer) = slot.open {
            return Some(signer);
        }
        let session = self.sessions.session(&slot.sealed.token)?;
        let proof = authorize(&Actor::Edge, uses::ServeTls, &key.to_string()).ok()?;
        let signer = session.signer(&slot.sealed, &proof).inspect_err(|error| {
            tracing::warn!(key = %key, %error, "a key that should be served cannot be opened");
        });
        let signer = signer.ok()?;
        self.keep(key, Some(Arc::clone(&signer)));
        Some(signer)
    }
}
