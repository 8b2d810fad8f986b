//! Signs of a private key in bytes of any kind, found without a passphrase and whatever the file is called.
//!
//! Here a false alarm costs a question, and a miss costs a key: what could well hold one, is one.

use std::borrow::Cow;

use super::{blob, spelled};

/// The object identifiers of the ways to encrypt a PKCS#8 key, as content octets: PKCS#5, PKCS#12, Java's.
const KEY_ENCRYPTION: [&[u8]; 3] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1],
    &[0x2b, 6, 1, 4, 1, 0x2a, 2, 17, 1, 1],
];
/// A PKCS#7 content type, with its tag and length.
const CONTENT_TYPE: [u8; 10] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7];
/// How PKCS#12 begins in BER of indefinite length: `PFX { version 3, ContentInfo {`.
const BER_PFX: [u8; 7] = [0x30, 0x80, 2, 1, 3, 0x30, 0x80];
const INTEGER: u8 = 2;
const OCTET_STRING: u8 = 4;
const OID: u8 = 6;
const SEQUENCE: u8 = 0x30;

/// What stands at the very beginning of files that hold private keys.
const BEGINNINGS: [(&[u8], &str); 12] = [
    (b"SQLite format 3\0", DATABASE),
    // Its write-ahead log, in either order of octets, and its journal: whole pages of it.
    (&[0x37, 0x7f, 6, 0x82], DATABASE),
    (&[0x37, 0x7f, 6, 0x83], DATABASE),
    (&[0xd9, 0xd5, 5, 0xf9, 0x20, 0xa1, 0x63, 0xd7], DATABASE),
    (b"CLAVIGER BACKUP", "a backup of Claviger"),
    (b"claviger recovery", "the sealed instance key of Claviger"),
    (b"kych", "an Apple keychain"),
    (&[0x1e, 0xf1, 0xb5, 0xb0], "a private key (PVK)"),
    (&[0, 0, 0, 1, 0, 0, 0, 20], "a key store (BKS)"),
    (&[0, 0, 0, 2, 0, 0, 0, 20], "a key store (BKS)"),
    (&[7, 2, 0, 0, 0, 0xa4, 0, 0], "a private key (Microsoft key blob)"),
    (&[7, 2, 0, 0, 0, 0x24, 0, 0], "a private key (Microsoft key blob)"),
];

const DATABASE: &str = "a database, which can hold keys";
/// What the file of an instance key is called (see `claviger serve`), wherever it was copied to.
const INSTANCE_KEY_FILE: &str = "instance.key";

/// What gives a key away wherever it stands in a text, in upper or lower case. [`LABEL`] does only in the line that
/// begins a PEM block, those of JSON and those of XML (as .NET writes keys) only together.
const WORDS: [&[u8]; 9] = [
    LABEL,
    b"openssh-key-v1\0",
    b"PuTTY-User-Key-File",
    b"AGE-SECRET-KEY-1",
    JWK_KIND,
    b"<RSAKeyValue",
    b"<D>",
    b"\"d\"",
    b"\"k\"",
];
const LABEL: &[u8] = b"PRIVATE KEY";
const JWK_KIND: &[u8] = b"\"kty\"";

/// Archives that cannot be opened here.
const CLOSED: [(&[u8], &str); 7] = [
    (&[0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], "7z"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"BZh", "bzip2"),
    (&[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], "xz"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (b"MSCF\0\0\0\0", "cabinet"),
    (&[4, 0x22, 0x4d, 0x18], "lz4"),
];

/// What kind of private key is in these bytes, in the open or encrypted.
pub(super) fn private_key(bytes: &[u8]) -> Option<&'static str> {
    let begins = || beginning(bytes, &BEGINNINGS).or_else(|| blob::private_key(bytes));
    let reads = |text_of_it: &[u8]| text(text_of_it).or_else(|| spelled::private_key(text_of_it));
    begins()
        .or_else(|| java_key_store(bytes))
        .or_else(|| is_instance_key(bytes).then_some(INSTANCE_KEY))
        .or_else(|| reads(&narrowed(bytes)))
        .or_else(|| der(bytes))
}

/// What an instance key is called where it is refused.
pub(super) const INSTANCE_KEY: &str = "the instance key of a Claviger";

/// Whether the instance key's file is called so, in whatever folder or archive it is.
pub(super) fn is_named_instance_key(name: &str) -> bool {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.eq_ignore_ascii_case(INSTANCE_KEY_FILE)
}

/// The form of an instance key: 32 octets in hexadecimal, and nothing else in the file.
fn is_instance_key(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii();
    text.len() == 64 && text.iter().all(u8::is_ascii_hexdigit)
}

/// Whether these 32 octets are in it. How long that takes says nothing of how many of them were right.
pub(super) fn holds(bytes: &[u8], own: &[u8; 32]) -> bool {
    let differs = |here: &[u8]| here.iter().zip(own).fold(0, |sum, (here, own)| sum | (here ^ own));
    bytes.windows(own.len()).any(|here| differs(here) == 0)
}

/// Text of wide letters (UTF-16, UTF-32) with one octet for each; anything else as it is.
pub(super) fn narrowed(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !is_wide_text(bytes) {
        return Cow::Borrowed(bytes);
    }
    Cow::Owned(bytes.iter().copied().filter(|byte| *byte != 0).collect())
}

/// An archive that cannot be looked into.
pub(super) fn closed(bytes: &[u8]) -> Option<&'static str> {
    beginning(bytes, &CLOSED)
}

fn beginning(bytes: &[u8], known: &[(&[u8], &'static str)]) -> Option<&'static str> {
    known.iter().find(|(begin, _)| bytes.starts_with(begin)).map(|(_, name)| *name)
}

/// Whether every second octet of a good part is nothing, as in UTF-16, or three of four, as in UTF-32.
fn is_wide_text(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(4096)).unwrap_or_default();
    let nothing = head.iter().filter(|byte| **byte == 0).count();
    head.len() >= 16 && nothing * 3 >= head.len() && nothing * 5 <= head.len() * 4
}

/// PEM of any maker, and keys that are texts by themselves. One pass, whatever is looked for.
fn text(bytes: &[u8]) -> Option<&'static str> {
    let (mut is_jwk, mut has_secret) = (false, false);
    let (mut is_xml, mut has_exponent) = (false, false);
    for (at, byte) in bytes.iter().enumerate() {
        if !matches!(byte.to_ascii_lowercase(), b'p' | b'o' | b'a' | b'"' | b'<') {
            continue;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        match WORDS.iter().position(|word| begins_with(rest, word)) {
            Some(0) if is_label(bytes, at) => return Some("a private key (PEM)"),
            Some(0) | None => {}
            Some(1..=3) => return Some("a private key (OpenSSH, PuTTY or age)"),
            Some(4) => is_jwk = true,
            Some(5) => is_xml = true,
            Some(6) => has_exponent = true,
            Some(_) => has_secret = true,
        }
    }
    match (is_jwk && has_secret, is_xml && has_exponent) {
        (true, _) => Some("a private key (JWK)"),
        (false, true) => Some("a private key (XML)"),
        (false, false) => None,
    }
}

fn begins_with(bytes: &[u8], word: &[u8]) -> bool {
    bytes.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
}

/// `--BEGIN` in the same line before it, whatever the label says between.
fn is_label(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(at.saturating_sub(64)..at).unwrap_or_default();
    let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let begin = line.windows(5).rposition(|five| five.eq_ignore_ascii_case(b"BEGIN"));
    begin.is_some_and(|begin| line.get(..begin).is_some_and(|head| head.contains(&b'-')))
}

/// A key structure in DER anywhere in the bytes; PKCS#12 in BER too.
fn der(bytes: &[u8]) -> Option<&'static str> {
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != SEQUENCE {
            continue;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.strip_prefix(&BER_PFX).is_some_and(|rest| rest.starts_with(&CONTENT_TYPE)) {
            return Some(PKCS12);
        }
        if let Some(name) = structure(rest) {
            return Some(name);
        }
    }
    None
}

const PKCS12: &str = "a PKCS#12 file (.p12, .pfx)";

/// The private key structure that begins here.
fn structure(bytes: &[u8]) -> Option<&'static str> {
    let outer = element(bytes).filter(|outer| outer.tag == SEQUENCE)?;
    let first = element(outer.content)?;
    match (first.tag, first.content) {
        (INTEGER, [0 | 1]) => after_version(first.content == [1], first.rest),
        (INTEGER, [3]) => {
            let second = element(first.rest).filter(|second| second.tag == SEQUENCE)?;
            second.content.starts_with(&CONTENT_TYPE).then_some(PKCS12)
        }
        (SEQUENCE, identifier) => {
            let oid = element(identifier).filter(|oid| oid.tag == OID)?;
            let data = element(first.rest)?;
            let is_encrypted = KEY_ENCRYPTION.iter().any(|known| oid.content.starts_with(known));
            let is_last = data.tag == OCTET_STRING && data.rest.is_empty();
            (is_encrypted && is_last).then_some("an encrypted private key (PKCS#8)")
        }
        _ => None,
    }
}

/// What follows the version of a key: PKCS#8's algorithm, SEC1's number, or the numbers of PKCS#1 and DSA.
fn after_version(is_one: bool, rest: &[u8]) -> Option<&'static str> {
    let second = element(rest)?;
    match second.tag {
        SEQUENCE => {
            let oid = element(second.content)?;
            let third = element(second.rest)?;
            (oid.tag == OID && third.tag == OCTET_STRING).then_some("a private key (PKCS#8)")
        }
        OCTET_STRING => {
            let is_number = is_one && (16..=72).contains(&second.content.len());
            let ends = second.rest.first().is_none_or(|tag| matches!(*tag, 0xa0 | 0xa1));
            (is_number && ends).then_some("a private key (SEC1)")
        }
        INTEGER => match integers(rest) {
            5 => Some("a private key (DSA)"),
            8.. => Some("a private key (PKCS#1)"),
            _ => None,
        },
        _ => None,
    }
}

/// How many INTEGERs stand here in a row; of large numbers, as keys have them.
fn integers(mut rest: &[u8]) -> usize {
    let mut count = 0;
    let mut octets = 0;
    while let Some(next) = element(rest).filter(|next| next.tag == INTEGER && count < 8) {
        count += 1;
        octets += next.content.len();
        rest = next.rest;
    }
    if octets >= 64 { count } else { 0 }
}

/// One element of DER.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
}

/// Reads a complete element: one octet of tag, definite length.
fn element(bytes: &[u8]) -> Option<Element<'_>> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some(Element { tag, content, rest })
}

/// A JKS or JCEKS file, unless each of its entries is a trusted certificate: those stand there in the open.
fn java_key_store(bytes: &[u8]) -> Option<&'static str> {
    if !(bytes.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) || bytes.starts_with(&[0xce; 4])) {
        return None;
    }
    let is_trust_store = only_certificates(bytes).unwrap_or(false);
    (!is_trust_store).then_some("a Java key store (JKS)")
}

/// Walks the entries; none when it is no sound file.
fn only_certificates(bytes: &[u8]) -> Option<bool> {
    const CERTIFICATE: u32 = 2;
    let mut rest = bytes.get(4..)?;
    let version = number(&mut rest)?;
    let count = number(&mut rest)?;
    for _ in 0..count {
        if number(&mut rest)? != CERTIFICATE {
            return Some(false);
        }
        skip_text(&mut rest)?;
        take(&mut rest, 8)?;
        if version == 2 {
            skip_text(&mut rest)?;
        }
        let length = number(&mut rest)?;
        take(&mut rest, usize::try_from(length).ok()?)?;
    }
    // The digest over all of it, and nothing behind it.
    Some(rest.len() == 20)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(take(rest, 4)?.try_into().ok()?))
}

fn skip_text(rest: &mut &[u8]) -> Option<()> {
    let length = u16::from_be_bytes(take(rest, 2)?.try_into().ok()?);
    take(rest, usize::from(length)).map(drop)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn texts_of_keys_are_found_in_any_writing() {
        let pem = "junk\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n";
        for bytes in [
            pem.as_bytes(),
            &wide(pem),
            &pem.chars().flat_map(|letter| u32::from(letter).to_be_bytes()).collect::<Vec<u8>>(),
            b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----",
            b"----begin private key",
        ] {
            assert_eq!(private_key(bytes), Some("a private key (PEM)"));
        }
        assert!(private_key(b"PuTTY-User-Key-File-3: ssh-ed25519").is_some());
        assert!(private_key(br#"{"kty": "EC", "d" : "abc"}"#).is_some());
        assert!(private_key(b"<RSAKeyValue><Modulus>x</Modulus><D>y</D></RSAKeyValue>").is_some());
    }

    #[test]
    fn what_only_speaks_of_keys_is_none() {
        assert_eq!(private_key(b"Do not send your private key to support."), None);
        assert_eq!(private_key(b"-----BEGIN CERTIFICATE-----\nThe private key stays here.\n"), None);
        assert_eq!(private_key(br#"{"kty": "EC", "x": "abc"}"#), None);
        assert_eq!(private_key(b"<RSAKeyValue><Modulus>x</Modulus></RSAKeyValue>"), None);
        assert_eq!(private_key(&[0x30; 10_000]), None);
    }

    #[test]
    fn the_instance_key_and_the_files_of_a_database_are_found() {
        let key = "5e".repeat(32);
        for text in [key.clone(), format!("{key}\n"), format!("{}\r\n", key.to_uppercase())] {
            assert_eq!(private_key(text.as_bytes()), Some(INSTANCE_KEY));
        }
        for text in [format!("{key}  certs.zip\n"), key[..62].to_owned(), format!("{key}\n{key}\n")] {
            assert_eq!(private_key(text.as_bytes()), None);
        }
        for name in ["instance.key", "var/lib/claviger/instance.key", "C:\\backup\\INSTANCE.KEY"] {
            assert!(is_named_instance_key(name));
        }
        assert!(!is_named_instance_key("instance.key.txt") && !is_named_instance_key("my instance.keys"));
        for begin in [[0x37, 0x7f, 6, 0x82], [0x37, 0x7f, 6, 0x83]] {
            let log = [&begin[..], &[0, 0x2d, 0xe2, 0x18, 0, 0, 0x10, 0]].concat();
            assert_eq!(private_key(&log), Some("a database, which can hold keys"));
        }
        let own = [7; 32];
        assert!(holds(&[&[1][..], &own, &[2]].concat(), &own) && !holds(&own[1..], &own));
    }

    #[test]
    fn elements_that_are_cut_off_are_no_elements() {
        assert!(element(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0]).is_none());
        assert!(element(&[0x30, 0x80]).is_none() && element(&[0x30]).is_none() && element(&[]).is_none());
    }

    #[test]
    fn a_java_store_of_trusted_certificates_alone_is_let_through() {
        let mut store = vec![0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, b'a'];
        store.extend([0; 8]);
        store.extend([0, 5]);
        store.extend(b"X.509");
        store.extend([0, 0, 0, 3, 1, 2, 3]);
        store.extend([0; 20]);
        assert_eq!(private_key(&store), None);
        store[15] = 1;
        assert!(private_key(&store).is_some());
        store[15] = 2;
        store.push(0);
        assert!(private_key(&store).is_some(), "something hangs on behind");
    }
}
