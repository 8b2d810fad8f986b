//! Which tokens are open in this process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use domain::id::TokenId;

use crate::Session;

/// The open tokens. Shared by everything that signs; a token that is not here is logged out.
#[derive(Default)]
pub struct Sessions {
    open: RwLock<HashMap<TokenId, Arc<Session>>>,
    generation: AtomicU64,
}

impl Sessions {
    /// No token is open.
    pub fn new() -> Self {
        Self::default()
    }

    /// Logs a token in. If it was already, the older session ends, and with it the signers that it gave.
    pub fn open(&self, session: Session) -> Arc<Session> {
        let session = Arc::new(session);
        let before = self.write().insert(session.token().clone(), Arc::clone(&session));
        if let Some(before) = before {
            before.close();
        }
        self.generation.fetch_add(1, Ordering::Release);
        session
    }

    /// Logs a token out: its data key and every opened key are wiped, signers already handed out sign no more.
    /// Whether it was logged in.
    pub fn close(&self, token: &TokenId) -> bool {
        let Some(session) = self.write().remove(token) else {
            return false;
        };
        session.close();
        self.generation.fetch_add(1, Ordering::Release);
        true
    }

    /// The session of a token, if it is logged in.
    pub fn session(&self, token: &TokenId) -> Option<Arc<Session>> {
        self.read().get(token).cloned()
    }

    /// Grows whenever a token is logged in or out, so that a cache of signers knows when it is old.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    // Nothing can panic while a lock is held, and if it did, the map would still be whole.
    fn read(&self) -> RwLockReadGuard<'_, HashMap<TokenId, Arc<Session>>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<TokenId, Arc<Session>>> {
        self.open.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use domain::key::Exportable;
    use pki::{KeyAlgorithm, SignError, SignatureScheme};

    use super::*;
    use crate::TokenError;
    use crate::software::testing::{Counting, may_issue, session};

    #[test]
    fn log_out_stops_signers_that_were_handed_out() {
        let sessions = Sessions::new();
        let soft = TokenId::soft();
        assert_eq!(sessions.generation(), 0);
        let session = sessions.open(session(&soft, 1));
        let (_, sealed) =
            session.generate(KeyAlgorithm::EcP256, Exportable::Never, &Counting::new()).unwrap();
        let signer = session.signer(&sealed, &may_issue()).unwrap();
        assert!(signer.sign(SignatureScheme::EcdsaP256Sha256, b"m").is_ok());
        assert!(sessions.session(&soft).is_some());

        assert!(sessions.close(&soft));
        assert!(sessions.session(&soft).is_none());
        assert_eq!(sessions.generation(), 2);
        assert_eq!(signer.sign(SignatureScheme::EcdsaP256Sha256, b"m"), Err(SignError::TokenUnavailable));
        let refused = session.signer(&sealed, &may_issue()).err();
        assert_eq!(refused, Some(TokenError::LoggedOut { token: soft.clone() }));
        assert!(!sessions.close(&soft));
    }

    #[test]
    fn a_second_log_in_ends_the_first_session_only() {
        let sessions = Sessions::new();
        let first = sessions.open(session(&TokenId::soft(), 1));
        let other = sessions.open(session(&TokenId::system(), 2));
        let second = sessions.open(session(&TokenId::soft(), 1));
        let made = |session: &Session| {
            session.generate(KeyAlgorithm::EcP256, Exportable::Never, &Counting::new()).is_ok()
        };
        assert!(!made(&first) && made(&other) && made(&second));
    }
}
