//! Sealing of secrets at rest: AES-256-GCM with everything that says where a value belongs bound in, so that
//! a sealed value cannot be moved to another row, column or version. Nonces come from the caller.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, hkdf, hmac};
use zeroize::Zeroizing;

/// The only layout so far: version, nonce, ciphertext, tag.
const VERSION: u8 = 1;
const TAG_LEN: usize = 16;

/// A key to seal with: 32 octets, wiped when dropped.
pub struct SealKey(Zeroizing<[u8; 32]>);

impl SealKey {
    /// Takes 32 random octets.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Derives a key by HKDF-SHA-256 (RFC 5869); each use has its own `label`.
    pub fn derive(ikm: &[u8], salt: &[u8], label: &str) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(ikm);
        let info = [label.as_bytes()];
        // 32 octets are one block of SHA-256; HKDF gives up to 255.
        let material = pseudorandom.expand(&info, hkdf::HKDF_SHA256).expect("one block is not too long");
        material.fill(key.as_mut_slice()).expect("the length is the one asked for");
        Self(key)
    }

    /// The octets, to seal this key itself with another.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn cipher(&self) -> LessSafeKey {
        // The key has the length of the algorithm, the only thing that can be wrong with it.
        LessSafeKey::new(
            UnboundKey::new(&AES_256_GCM, self.0.as_slice()).expect("32 octets are an AES-256 key"),
        )
    }
}

/// A sealed value that cannot be opened: wrong key, moved, changed or cut. Deliberately says no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value cannot be opened with this key in this place")]
pub struct Unsealable;

/// Seals a value: version octet, nonce, ciphertext, tag. A nonce must never be used twice with one key.
pub fn seal(key: &SealKey, nonce: [u8; 12], associated: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + NONCE_LEN + plain.len() + TAG_LEN);
    out.push(VERSION);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plain);
    let tag = key
        .cipher()
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            bound(associated),
            &mut out[1 + NONCE_LEN..],
        )
        // AES-GCM fails only beyond 64 GiB, which is no secret of ours.
        .expect("secrets are shorter than 64 GiB");
    out.extend_from_slice(tag.as_ref());
    out
}

/// Opens what [`seal`] made with the same key and associated data.
pub fn open(key: &SealKey, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
    let (version, rest) = sealed.split_first().ok_or(Unsealable)?;
    let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Unsealable)?;
    if *version != VERSION || body.len() < TAG_LEN {
        return Err(Unsealable);
    }
    let mut plain = Zeroizing::new(body.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let opened = key.cipher().open_in_place(nonce, bound(associated), &mut plain);
    let length = opened.map_err(|_| Unsealable)?.len();
    plain.truncate(length);
    Ok(plain)
}

/// The layout is bound in as well, so that a later one cannot be passed off as this one.
fn bound(associated: &[u8]) -> Aad<Vec<u8>> {
    let mut out = Vec::with_capacity(1 + associated.len());
    out.push(VERSION);
    out.extend_from_slice(associated);
    Aad::from(out)
}

/// Writes where a value belongs, with lengths in front, so that no two places read alike.
pub fn associated(table: &str, id: &str, column: &str, version: u32, extra: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(24 + table.len() + id.len() + column.len() + extra.len());
    for part in [table, id, column] {
        push_part(&mut out, part);
    }
    out.extend_from_slice(&version.to_be_bytes());
    push_part(&mut out, extra);
    out
}

fn push_part(out: &mut Vec<u8>, part: &str) {
    out.extend_from_slice(&(part.len() as u64).to_be_bytes());
    out.extend_from_slice(part.as_bytes());
}

/// HMAC-SHA-256 over the parts, one after the other (RFC 2104). The caller makes their borders unambiguous.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::new(key);
    for part in parts {
        mac.update(part);
    }
    mac.finish()
}

/// HMAC-SHA-256 over something too large to hold.
pub struct Hmac(hmac::Context);

impl Hmac {
    /// Begins with this key.
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// Takes the next part.
    pub fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// The code over all parts.
    pub fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.sign().as_ref());
        out
    }
}

/// Compares secrets in a time that depends on their lengths alone.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::hex;

    #[test]
    fn opens_only_unchanged_in_its_own_place() {
        let key = SealKey::new([7; 32]);
        let place = associated("key", "1", "sealed", 1, "");
        let sealed = seal(&key, [9; 12], &place, b"secret");
        assert_eq!(sealed.len(), 1 + 12 + 6 + 16);
        assert_eq!(&open(&key, &place, &sealed).unwrap()[..], b"secret");
        assert!(open(&key, &associated("key", "2", "sealed", 1, ""), &sealed).is_err());
        assert!(open(&SealKey::new([8; 32]), &place, &sealed).is_err());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(open(&key, &place, &changed).is_err(), "octet {index}");
            assert!(open(&key, &place, &sealed[..index]).is_err(), "cut at {index}");
        }
    }

    #[test]
    fn no_two_places_read_alike() {
        let places = [
            associated("a", "bc", "d", 1, "e"),
            associated("ab", "c", "d", 1, "e"),
            associated("a", "bc", "", 1, "de"),
            associated("a", "bc", "d", 2, "e"),
            associated("a", "bcd", "", 1, "e"),
        ];
        for (index, place) in places.iter().enumerate() {
            assert!(!places[index + 1..].contains(place));
        }
    }

    #[test]
    fn derives_as_rfc_5869_says() {
        // RFC 5869, A.3: no salt, no info; the first 32 of its 42 octets.
        let key = SealKey::derive(&[0x0b; 22], &[], "");
        assert_eq!(hex(key.bytes()), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
        assert_ne!(SealKey::derive(b"k", b"s", "a").bytes(), SealKey::derive(b"k", b"s", "b").bytes());
    }

    #[test]
    fn authenticates_as_rfc_4231_says() {
        // RFC 4231, 4.3.
        let tag = hmac_sha256(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(hex(&tag), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(constant_time_eq(&tag, &tag));
        assert!(!constant_time_eq(&tag, &tag[1..]));
    }
}
