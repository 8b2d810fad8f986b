//! Gives a changed key store the checksum that belongs to it: without that the fuzzer would never get past the door.

use aws_lc_rs::{digest, hmac};

/// The passphrase of what is mended: the first of [`crate::PASSPHRASES`].
const PASSPHRASE: &str = crate::PASSPHRASES[0];
const SALT: [u8; 8] = *b"saltsalt";
/// Of SHA-256.
const BLOCK: usize = 64;
/// What PKCS#12 calls a key for a MAC.
const ID_MAC: u8 = 3;
/// `SEQUENCE { SHA-256, NULL }`
const SHA256: &[u8] = &[0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0];
/// The content type of plain data.
const DATA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const JKS_DIGEST: usize = 20;

/// A PKCS#12 file around the parts of another one, or around the bytes themselves, with one iteration of MAC.
pub fn with_mac(bytes: &[u8]) -> Vec<u8> {
    let parts = authenticated_safe(bytes).unwrap_or(bytes);
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, digest_of_passphrase().as_ref()), parts);
    let content = tlv(0xa0, &[&tlv(4, &[parts])]);
    let digest_info = tlv(0x30, &[SHA256, &tlv(4, &[mac.as_ref()])]);
    let mac = tlv(0x30, &[&digest_info, &tlv(4, &[&SALT])]);
    tlv(0x30, &[&[2, 1, 3], &tlv(0x30, &[DATA, &content]), &mac])
}

/// A Java key store with the digest that it needs; its own is cut off.
pub fn with_digest(bytes: &[u8]) -> Vec<u8> {
    let body = &bytes[..bytes.len().saturating_sub(JKS_DIGEST)];
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(&utf16(PASSPHRASE));
    context.update(b"Mighty Aphrodite");
    context.update(body);
    [body, context.finish().as_ref()].concat()
}

/// RFC 7292, B.2, for one iteration and one hash of output.
fn digest_of_passphrase() -> digest::Digest {
    let typed = [utf16(PASSPHRASE), vec![0, 0]].concat();
    let filled = |octets: &[u8]| -> Vec<u8> { octets.iter().copied().cycle().take(BLOCK).collect() };
    digest::digest(&digest::SHA256, &[vec![ID_MAC; BLOCK], filled(&SALT), filled(&typed)].concat())
}

/// The octets that the MAC of a PFX is over.
fn authenticated_safe(pfx: &[u8]) -> Option<&[u8]> {
    let (_, fields, _) = element(pfx)?;
    let (_, _, rest) = element(fields)?;
    let (_, info, _) = element(rest)?;
    let (_, _, rest) = element(info)?;
    let (_, explicit, _) = element(rest)?;
    let (tag, octets, _) = element(explicit)?;
    (tag == 4).then_some(octets)
}

/// Tag, content and what follows, of an element with a definite length.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (octets.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=0x7f => out.push(short as u8),
        long => {
            let octets: Vec<u8> = long.to_be_bytes().into_iter().skip_while(|octet| *octet == 0).collect();
            out.push(0x80 | octets.len() as u8);
            out.extend(octets);
        }
    }
    out.extend(content);
    out
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}
