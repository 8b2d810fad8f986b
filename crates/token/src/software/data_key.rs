//! The data key of a token: what every private key in it is sealed with.

use domain::Random;
use pki::seal::SealKey;
use zeroize::Zeroizing;

/// The data key of a token: 32 bytes, wiped when dropped, kept out of swap if the system lets us.
pub struct DataKey {
    // Dropped before the page, and after `drop` has wiped it.
    lock: Option<region::LockGuard>,
    page: Box<Page>,
}

/// Whether the system promised to keep a data key out of swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// It did.
    Locked,
    /// It refused (limit of locked memory). The operator is told once; keys work all the same.
    Unlocked,
}

/// A page of its own: memory is locked by the page, and unlocking one key must not unlock its neighbour.
#[repr(align(4096))]
struct Page(SealKey);

impl DataKey {
    /// Makes a new one, for a new token.
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(bytes.as_mut_slice());
        Self::from_bytes(&bytes)
    }

    /// Whether it is kept out of swap.
    pub fn memory(&self) -> Memory {
        if self.lock.is_some() { Memory::Locked } else { Memory::Unlocked }
    }

    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Self {
        let page = Box::new(Page(SealKey::new(*bytes)));
        let lock = region::lock(&raw const *page, size_of::<Page>()).ok();
        Self { lock, page }
    }

    pub(crate) fn key(&self) -> &SealKey {
        &self.page.0
    }
}

impl Drop for DataKey {
    /// Wipes the key while the page is still locked.
    fn drop(&mut self) {
        self.page.0 = SealKey::new([0; 32]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_key_has_its_own_page() {
        let keys: Vec<DataKey> = (0..4).map(|seed| DataKey::from_bytes(&[seed; 32])).collect();
        let pages: std::collections::BTreeSet<usize> =
            keys.iter().map(|key| (&raw const *key.page).addr() / 4096).collect();
        assert_eq!(pages.len(), keys.len());
        drop(keys);
    }
}
