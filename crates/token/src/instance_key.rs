//! The key of this installation, kept outside the database, and what is derived from it.

use domain::Random;
use pki::seal::SealKey;
use zeroize::Zeroizing;

/// One label for each use of the instance key, so that no derived key serves two.
pub mod label {
    /// What every PIN is mixed with.
    pub const TOKEN_PEPPER: &str = "token-pepper";
    /// The key slot of a token that opens by itself.
    pub const INSTANCE_SLOT: &str = "instance-slot";
    /// Secrets in the store.
    pub const FIELD: &str = "field";
    /// The chain of audit events.
    pub const AUDIT_MAC: &str = "audit-mac";
    /// Backups.
    pub const BACKUP: &str = "backup";
    /// Requests that are remembered by their `Idempotency-Key`.
    pub const IDEMPOTENCY: &str = "idempotency";
}

/// The instance key: 32 bytes, wiped when dropped. A database without it cannot be searched for PINs.
pub struct InstanceKey(Zeroizing<[u8; 32]>);

impl InstanceKey {
    /// Takes the bytes that [`InstanceKey::bytes`] gave.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Makes a new one.
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(bytes.as_mut_slice());
        Self(bytes)
    }

    /// Derives the key for one use by HKDF-SHA-256 (RFC 5869); see [`label`].
    pub fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*SealKey::derive(self.0.as_slice(), &[], label).bytes())
    }

    /// The bytes, for the instance key's own file and for sealing them into a backup.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_use_has_its_own_key() {
        let key = InstanceKey::from_bytes([1; 32]);
        let labels = [
            label::TOKEN_PEPPER,
            label::INSTANCE_SLOT,
            label::FIELD,
            label::AUDIT_MAC,
            label::BACKUP,
            label::IDEMPOTENCY,
        ];
        let derived: std::collections::BTreeSet<_> = labels.iter().map(|label| *key.derive(label)).collect();
        assert_eq!(derived.len(), labels.len());
        assert!(!derived.contains(key.bytes()));
        assert_eq!(key.derive(label::FIELD), InstanceKey::from_bytes([1; 32]).derive(label::FIELD));
    }
}
