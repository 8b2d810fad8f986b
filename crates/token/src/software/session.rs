//! An open software token: makes keys, seals them, and opens them again for those who may.

use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use domain::clock::random_bytes;
use domain::id::TokenId;
use domain::key::{Exportable, SealedKey};
use domain::permission::Use;
use domain::{Authorized, Permission, Random};
use pki::seal::{self, SealKey};
use pki::{KeyAlgorithm, KeyId, PrivateKey, PublicKey, Signer};
use zeroize::Zeroizing;

use super::data_key::{DataKey, Memory};
use super::signing_key::{Pair, SigningKey};
use crate::TokenError;

/// An open software token. Shared as `Arc<Session>`; ends at log-out for everyone who holds it.
pub struct Session {
    token: TokenId,
    /// None after log-out.
    data_key: RwLock<Option<DataKey>>,
    opened: Mutex<Opened>,
}

/// The keys that were opened and may still be in use, to be wiped at log-out.
#[derive(Default)]
struct Opened {
    keys: Vec<Weak<SigningKey>>,
    /// Dropped keys are swept out when there are this many, so that adding one stays cheap.
    sweep_at: usize,
}

impl Session {
    /// A token whose data key was opened ([`crate::slot::open`]).
    pub fn new(token: TokenId, data_key: DataKey) -> Self {
        Self { token, data_key: RwLock::new(Some(data_key)), opened: Mutex::default() }
    }

    /// Which token.
    pub fn token(&self) -> &TokenId {
        &self.token
    }

    /// Whether the data key is kept out of swap; none after log-out.
    pub fn memory(&self) -> Option<Memory> {
        self.data_key.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(DataKey::memory)
    }

    /// Makes a new key. P-256 takes about 50 µs, RSA up to seconds: call it on a blocking thread.
    ///
    /// # Errors
    /// [`TokenError::LoggedOut`], [`TokenError::Generation`].
    pub fn generate(
        &self,
        algorithm: KeyAlgorithm,
        exportable: Exportable,
        random: &dyn Random,
    ) -> Result<(PublicKey, SealedKey), TokenError> {
        let (_, public_key, sealed) = self.generate_pair(algorithm, exportable, random)?;
        Ok((public_key, sealed))
    }

    /// Makes a new key and opens it for signing, as [`Session::generate`] and [`Session::signer`] do one after the
    /// other.
    ///
    /// # Errors
    /// [`TokenError::LoggedOut`], [`TokenError::Generation`], [`TokenError::WrongPermission`].
    pub fn generate_signer<U: Use>(
        &self,
        algorithm: KeyAlgorithm,
        exportable: Exportable,
        random: &dyn Random,
        _proof: &Authorized<U>,
    ) -> Result<(SealedKey, Arc<dyn Signer>), TokenError> {
        may_sign::<U>()?;
        let (pair, public_key, sealed) = self.generate_pair(algorithm, exportable, random)?;
        let signer = self.with_data_key(|_| Ok(self.enlist(SigningKey::new(pair, public_key, algorithm))))?;
        Ok((sealed, signer))
    }

    fn generate_pair(
        &self,
        algorithm: KeyAlgorithm,
        exportable: Exportable,
        random: &dyn Random,
    ) -> Result<(Pair, PublicKey, SealedKey), TokenError> {
        let failed = |_| TokenError::Generation;
        let pair = Pair::generate(algorithm).map_err(failed)?;
        let public_key = public_key(&pair).ok_or(TokenError::Generation)?;
        let pkcs8 = pair.to_pkcs8().map_err(failed)?;
        let sealed = self.seal((public_key.id(), algorithm), &pkcs8, exportable, random)?;
        Ok((pair, public_key, sealed))
    }

    /// Puts an opened key among those that log-out wipes. Called while the data key is held, so that a log-out in
    /// between cannot miss it.
    fn enlist(&self, key: SigningKey) -> Arc<dyn Signer> {
        let signer = Arc::new(key);
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).add(&signer);
        signer
    }

    /// Takes a key that was made elsewhere.
    ///
    /// # Errors
    /// [`TokenError::LoggedOut`].
    pub fn import(
        &self,
        key: &PrivateKey,
        exportable: Exportable,
        random: &dyn Random,
    ) -> Result<SealedKey, TokenError> {
        self.seal((key.id(), key.algorithm()), key.pkcs8_der(), exportable, random)
    }

    /// Opens a key for signing, for somebody who proves that he may do something that signs. The signer works until
    /// log-out, then answers [`pki::SignError::TokenUnavailable`].
    ///
    /// # Errors
    /// [`TokenError::LoggedOut`], [`TokenError::Elsewhere`], [`TokenError::Corrupt`],
    /// [`TokenError::WrongPermission`].
    pub fn signer<U: Use>(
        &self,
        sealed: &SealedKey,
        _proof: &Authorized<U>,
    ) -> Result<Arc<dyn Signer>, TokenError> {
        may_sign::<U>()?;
        self.with_data_key(|data_key| {
            Ok(self.enlist(signing_key(sealed, &open(sealed, data_key, &self.token)?)?))
        })
    }

    /// Takes a private key out of the token: for a target with the permission [`Permission::Deploy`] if the key may go
    /// to targets, for a person with [`Permission::ExportPrivateKey`] if it may be exported.
    ///
    /// # Errors
    /// [`TokenError::NotExportable`], [`TokenError::WrongPermission`], and those of [`Session::signer`].
    pub fn export<U: Use>(
        &self,
        sealed: &SealedKey,
        _proof: &Authorized<U>,
    ) -> Result<PrivateKey, TokenError> {
        let least = least_to_export(U::PERMISSION)
            .ok_or(TokenError::WrongPermission { permission: U::PERMISSION })?;
        if sealed.exportable < least {
            return Err(TokenError::NotExportable { key: sealed.id, exportable: sealed.exportable });
        }
        self.private_key(sealed)
    }

    /// Seals a key anew with less freedom to leave (or the same).
    ///
    /// # Errors
    /// [`TokenError::Raised`], and those of [`Session::signer`].
    pub fn reseal(
        &self,
        sealed: &SealedKey,
        exportable: Exportable,
        random: &dyn Random,
    ) -> Result<SealedKey, TokenError> {
        if exportable > sealed.exportable {
            return Err(TokenError::Raised { key: sealed.id, exportable: sealed.exportable });
        }
        let key = self.private_key(sealed)?;
        self.import(&key, exportable, random)
    }

    /// Ends the session: wipes the data key and every key that was opened.
    pub(crate) fn close(&self) {
        *self.data_key.write().unwrap_or_else(PoisonError::into_inner) = None;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        for key in opened.keys.drain(..).filter_map(|key| key.upgrade()) {
            key.close();
        }
    }

    /// Does something with the data key, which cannot go away meanwhile.
    fn with_data_key<T>(
        &self,
        make: impl FnOnce(&SealKey) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        match self.data_key.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(data_key) => make(data_key.key()),
            None => Err(TokenError::LoggedOut { token: self.token.clone() }),
        }
    }

    fn seal(
        &self,
        (id, algorithm): (KeyId, KeyAlgorithm),
        pkcs8: &[u8],
        exportable: Exportable,
        random: &dyn Random,
    ) -> Result<SealedKey, TokenError> {
        let place = place(&id, exportable, &self.token);
        let sealed = self.with_data_key(|key| Ok(seal::seal(key, random_bytes(random), &place, pkcs8)))?;
        Ok(SealedKey { id, token: self.token.clone(), exportable, algorithm, sealed })
    }

    fn private_key(&self, sealed: &SealedKey) -> Result<PrivateKey, TokenError> {
        let pkcs8 = self.with_data_key(|key| open(sealed, key, &self.token))?;
        let key = PrivateKey::from_pkcs8_der(&pkcs8).ok();
        key.filter(|key| key.id() == sealed.id && key.algorithm() == sealed.algorithm)
            .ok_or(TokenError::Corrupt { key: sealed.id })
    }
}

impl Drop for Session {
    /// A session that nobody holds any more is over, as after a log-out.
    fn drop(&mut self) {
        self.close();
    }
}

/// The permissions that make signatures: for a CSR or a self-signed certificate, by the internal CA and for its own
/// certificates, for the first certificate of a new installation, at the edge, in the clockwork. To see something or
/// to export a key is none.
const SIGNS: [Permission; 6] = [
    Permission::ManageTlsCertificates,
    Permission::IssueCertificate,
    Permission::ManageIssuers,
    Permission::ManageSettings,
    Permission::ServeTls,
    Permission::RunSchedule,
];

fn may_sign<U: Use>() -> Result<(), TokenError> {
    if SIGNS.contains(&U::PERMISSION) {
        Ok(())
    } else {
        Err(TokenError::WrongPermission { permission: U::PERMISSION })
    }
}

/// How free a key must be to leave under this permission; none when it takes no key out.
fn least_to_export(permission: Permission) -> Option<Exportable> {
    if permission == Permission::Deploy {
        Some(Exportable::ToTargets)
    } else if permission == Permission::ExportPrivateKey {
        Some(Exportable::WithPassphrase)
    } else {
        None
    }
}

impl Opened {
    fn add(&mut self, key: &Arc<SigningKey>) {
        if self.keys.len() >= self.sweep_at {
            self.keys.retain(|key| key.strong_count() > 0);
            self.sweep_at = 64.max(2 * self.keys.len());
        }
        self.keys.push(Arc::downgrade(key));
    }
}

/// Where a sealed key belongs: nobody can raise its freedom or give it to another token by editing the row.
fn place(id: &KeyId, exportable: Exportable, token: &TokenId) -> Vec<u8> {
    seal::associated("key", &id.to_string(), "sealed", 1, &format!("{exportable} {token}"))
}

fn open(sealed: &SealedKey, key: &SealKey, token: &TokenId) -> Result<Zeroizing<Vec<u8>>, TokenError> {
    if sealed.token != *token {
        return Err(TokenError::Elsewhere { key: sealed.id, token: sealed.token.clone() });
    }
    let place = place(&sealed.id, sealed.exportable, token);
    seal::open(key, &place, &sealed.sealed).map_err(|_| TokenError::Corrupt { key: sealed.id })
}

/// Builds the key pair, and proves that it is the one that the row names.
fn signing_key(sealed: &SealedKey, pkcs8: &[u8]) -> Result<SigningKey, TokenError> {
    let corrupt = || TokenError::Corrupt { key: sealed.id };
    let pair = Pair::from_pkcs8(sealed.algorithm, pkcs8).map_err(|_| corrupt())?;
    let is_named = |key: &PublicKey| key.id() == sealed.id && key.algorithm() == Some(sealed.algorithm);
    let public_key = public_key(&pair).filter(is_named).ok_or_else(corrupt)?;
    Ok(SigningKey::new(pair, public_key, sealed.algorithm))
}

fn public_key(pair: &Pair) -> Option<PublicKey> {
    PublicKey::from_spki_der(&pair.spki().ok()?).ok()
}

#[cfg(test)]
mod tests;
