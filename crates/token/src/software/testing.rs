//! What the tests of this crate share.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::id::{ApiKeyId, TokenId};
use domain::permission::{Use, uses};
use domain::{Actor, Authorized, Random, Role, authorize};

use super::data_key::DataKey;
use super::session::Session;

/// Numbers that never repeat within a test and are the same in each run (splitmix64).
pub(crate) struct Counting(AtomicU64);

impl Counting {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(1))
    }
}

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            part.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes()[..part.len()]);
        }
    }
}

/// A session whose data key is made from the seed.
pub(crate) fn session(token: &TokenId, seed: u8) -> Session {
    Session::new(token.clone(), DataKey::from_bytes(&[seed; 32]))
}

/// A proof for a security officer.
pub(crate) fn proof<U: Use>(of: U) -> Authorized<U> {
    let officer = Actor::ApiKey { id: ApiKeyId::of("k"), roles: BTreeSet::from([Role::SecurityOfficer]) };
    authorize(&officer, of, "").unwrap()
}

/// A proof that opens signers.
pub(crate) fn may_issue() -> Authorized<uses::IssueCertificate> {
    proof(uses::IssueCertificate)
}
