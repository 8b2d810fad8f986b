//! Opening keys to sign with: for an action that was authorized, and for the edge.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use domain::clock::MINUTE;
use domain::id::{IssuerId, TokenId};
use domain::key::SealedKey;
use domain::permission::{Use, authorize, uses};
use domain::snapshot::Signers;
use domain::{Actor, Authorized, Moment};
use pki::{KeyId, Signer};
use token::{Session, Sessions};

use crate::issuer::Authority;
use crate::{App, Error};

/// Opens a sealed key for what was authorized.
pub fn open<U: Use>(app: &App, sealed: &SealedKey, proof: &Authorized<U>) -> Result<Arc<dyn Signer>, Error> {
    Ok(session_of(app, &sealed.token)?.signer(sealed, proof)?)
}

/// The token's session; the caller is told to log in when there is none.
pub(crate) fn session_of(app: &App, token: &TokenId) -> Result<Arc<Session>, Error> {
    app.sessions().session(token).ok_or_else(|| Error::TokenUnavailable { token: token.clone() })
}

/// The same for a token that somebody named: one that is not there is said to be that.
pub(crate) async fn session_of_named(app: &App, token: &TokenId) -> Result<Arc<Session>, Error> {
    if let Ok(session) = session_of(app, token) {
        return Ok(session);
    }
    let named = token.clone();
    app.read("token.named", move |tx| {
        let known = store::token::find(tx, &named)?;
        known.map(drop).ok_or_else(|| Error::not_found("token", &named))
    })
    .await?;
    Err(Error::TokenUnavailable { token: token.clone() })
}

/// An open key, with the generation of sessions that it was opened in: a log-out or log-in since then ended it.
type Opened = (u64, Arc<dyn Signer>);

/// Our CAs, read once, and their keys as they were opened, each with the generation of sessions that it was opened in.
/// They sign many certificates; reading and opening them costs more than a signature.
#[derive(Default)]
pub struct Authorities {
    pairs: RwLock<HashMap<IssuerId, Authority>>,
    signers: RwLock<HashMap<KeyId, Opened>>,
}

impl Authorities {
    /// The CAs of an issuer, if they were read before.
    pub(crate) fn pair(&self, issuer: &IssuerId) -> Option<Authority> {
        self.pairs.read().unwrap_or_else(PoisonError::into_inner).get(issuer).cloned()
    }

    /// Keeps what was read.
    pub(crate) fn keep_pair(&self, issuer: &IssuerId, authority: &Authority) {
        let mut pairs = self.pairs.write().unwrap_or_else(PoisonError::into_inner);
        pairs.insert(issuer.clone(), authority.clone());
    }
}

/// Opens the key of a CA of ours, or takes it as it was opened before.
pub fn open_authority(
    app: &App,
    sealed: &SealedKey,
    proof: &Authorized<uses::IssueCertificate>,
) -> Result<Arc<dyn Signer>, Error> {
    let (kept, generation) = (app.authorities(), app.sessions().generation());
    let known = kept.signers.read().unwrap_or_else(PoisonError::into_inner).get(&sealed.id).cloned();
    if let Some((_, signer)) = known.filter(|(opened, _)| *opened == generation) {
        return Ok(signer);
    }
    let signer = open(app, sealed, proof)?;
    let mut all = kept.signers.write().unwrap_or_else(PoisonError::into_inner);
    all.insert(sealed.id, (generation, Arc::clone(&signer)));
    Ok(signer)
}

/// How long a key stays on the ring after it is wanted no more: the edge may still choose by the snapshot before, and
/// handshakes that began with it must end well.
const GRACE: i64 = MINUTE;

/// The keys of what is served. Each is opened when a handshake first asks for it, and gone when its token logs out.
pub struct KeyRing {
    sessions: Arc<Sessions>,
    keys: RwLock<HashMap<KeyId, Slot>>,
}

#[derive(Clone)]
struct Slot {
    sealed: Arc<SealedKey>,
    /// The open key, and the generation of sessions that it was opened in: a log-out or log-in since then ended it.
    open: Option<Opened>,
    /// Since when it is wanted no more.
    left: Option<Moment>,
}

impl KeyRing {
    /// An empty ring over the open tokens.
    pub fn new(sessions: Arc<Sessions>) -> Self {
        Self { sessions, keys: RwLock::default() }
    }

    /// Puts new keys on the ring. Those of `wanted` stay on it, and all others leave it a minute later. What is open
    /// stays open.
    pub fn replace(&self, new: Vec<SealedKey>, wanted: &HashSet<KeyId>, now: Moment) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        for sealed in new {
            let open = keys.remove(&sealed.id).and_then(|slot| slot.open);
            keys.insert(sealed.id, Slot { sealed: Arc::new(sealed), open, left: None });
        }
        keys.retain(|key, slot| {
            if wanted.contains(key) {
                slot.left = None;
                return true;
            }
            now.since(*slot.left.get_or_insert(now)) <= GRACE
        });
    }

    /// The keys that are on the ring.
    pub(crate) fn held(&self) -> HashSet<KeyId> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
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

    fn keep(&self, key: &KeyId, generation: u64, signer: Arc<dyn Signer>) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = keys.get_mut(key) {
            slot.open = Some((generation, signer));
        }
    }
}

impl Signers for KeyRing {
    fn signer(&self, key: &KeyId) -> Option<Arc<dyn Signer>> {
        let slot = self.slot(key)?;
        let generation = self.sessions.generation();
        if let Some((_, signer)) = slot.open.filter(|(made, _)| *made == generation) {
            return Some(signer);
        }
        let session = self.sessions.session(&slot.sealed.token)?;
        let proof = authorize(&Actor::Edge, uses::ServeTls, &key.to_string()).ok()?;
        let signer = session.signer(&slot.sealed, &proof).inspect_err(|error| {
            tracing::warn!(key = %key, %error, "a key that should be served cannot be opened");
        });
        let signer = signer.ok()?;
        self.keep(key, generation, Arc::clone(&signer));
        Some(signer)
    }
}

#[cfg(test)]
mod tests {
    use domain::Random;
    use domain::clock::SECOND;
    use domain::key::Exportable;
    use pki::KeyAlgorithm;
    use token::DataKey;

    use super::*;

    struct Counting;

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.iter_mut().zip(1..).for_each(|(byte, number)| *byte = number);
        }
    }

    #[test]
    fn a_key_that_is_served_no_more_signs_for_the_handshakes_that_began() {
        let sessions = Arc::new(Sessions::default());
        let session = sessions.open(Session::new(TokenId::system(), DataKey::generate(&Counting)));
        let (public, sealed) = session.generate(KeyAlgorithm::EcP256, Exportable::Never, &Counting).unwrap();
        let ring = KeyRing::new(Arc::clone(&sessions));
        let signs = || ring.signer(&public.id()).is_some();

        let (wanted, none) = (HashSet::from([sealed.id]), HashSet::new());
        ring.replace(vec![sealed.clone()], &wanted, Moment(0));
        ring.replace(Vec::new(), &none, Moment(SECOND));
        assert!(signs());
        ring.replace(Vec::new(), &none, Moment(SECOND + GRACE));
        assert!(signs());
        ring.replace(Vec::new(), &none, Moment(SECOND + GRACE + 1));
        assert!(!signs());

        // Wanted again, its time begins anew; a log-out ends it at once.
        ring.replace(vec![sealed], &wanted, Moment(2 * GRACE));
        ring.replace(Vec::new(), &none, Moment(3 * GRACE));
        ring.replace(Vec::new(), &wanted, Moment(4 * GRACE));
        ring.replace(Vec::new(), &none, Moment(5 * GRACE));
        assert!(signs());
        ring.forget(&TokenId::system());
        sessions.close(&TokenId::system());
        assert!(!signs());
    }
}
