//! The layout of a Java key store: magic, version, number of entries, the entries, and a SHA-1 over the passphrase
//! and all that. Numbers are big-endian; the file's own counts end loops, but nothing is allocated by them.

use sha1::{Digest, Sha1};

use super::java_object;
use crate::Refusal;
use crate::format::pbe::Passphrase;
use crate::seal::constant_time_eq;

pub(in crate::format) const JKS_MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
pub(super) const JCEKS_MAGIC: [u8; 4] = [0xce; 4];

/// Entries in one store, at most.
const MAX_ENTRIES: usize = 1000;
/// Certificates in one store beside private keys, at most. A trust store, without keys, may have as many as it has entries:
/// Java's own has some 150.
const MAX_CERTIFICATES: usize = 50;
/// What Java mixes into the digest; a joke of its first days.
const WHITENER: &[u8] = b"Mighty Aphrodite";
const DIGEST: usize = 20;
const SEND_AGAIN: &str = "Copy the key store again, unchanged, or ask whoever made it for PKCS#12.";

const PRIVATE_KEY: u32 = 1;
const TRUSTED_CERTIFICATE: u32 = 2;
const SECRET_KEY: u32 = 3;

/// A key store, taken apart; nothing in it has been authenticated or parsed yet.
pub(super) struct Store<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    /// Everything but the digest at the end.
    body: &'a [u8],
    digest: &'a [u8],
}

/// One entry under its alias.
pub(super) struct Entry<'a> {
    /// As it stands there: any characters.
    pub(super) alias: String,
    pub(super) kind: Kind<'a>,
    number: usize,
}

/// What an entry is.
pub(super) enum Kind<'a> {
    /// An EncryptedPrivateKeyInfo, and certificates in DER, that of the key first.
    Key { protected: &'a [u8], chain: Vec<&'a [u8]> },
    /// A certificate in DER.
    Anchor(&'a [u8]),
    /// A serialised Java object with a symmetric key in it.
    Sealed,
}

impl Entry<'_> {
    /// Which entry it is: by number, because an alias is not fit to be shown among our own words.
    pub(super) fn place(&self) -> String {
        format!("entry {}", self.number)
    }

    pub(super) fn locate(&self, refusal: Refusal) -> Refusal {
        let place = match refusal.place.as_str() {
            "" => self.place(),
            inner => format!("{}, {inner}", self.place()),
        };
        refusal.at(place)
    }
}

impl<'a> Store<'a> {
    /// Takes a file apart. Refuses `jks.truncated`, `jks.malformed`, `limit.cert_count`.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let (body, digest) =
            bytes.split_at_checked(bytes.len().saturating_sub(DIGEST)).ok_or_else(truncated)?;
        let mut cursor = Cursor(body);
        cursor.take(JKS_MAGIC.len())?;
        let version = cursor.number()?;
        if !matches!(version, 1 | 2) {
            return Err(malformed(format!("the key store has version {version}; 1 and 2 are known")));
        }
        let count = cursor.number()?;
        let mut entries = Vec::new();
        let mut counted = Counted::default();
        for number in 1..=count as usize {
            if number > MAX_ENTRIES {
                return Err(too_many(format!(
                    "the key store has {count} entries; at most {MAX_ENTRIES} are taken"
                )));
            }
            let entry = read_entry(&mut cursor, version, number, &mut counted)
                .map_err(|refusal| refusal.at(format!("entry {number}")))?;
            entries.push(entry);
        }
        if cursor.0.is_empty() {
            Ok(Self { entries, body, digest })
        } else {
            Err(malformed("something follows after the last entry".to_owned()))
        }
    }

    /// Whether the digest fits the passphrase.
    pub(super) fn is_authentic(&self, passphrase: &Passphrase<'_>) -> bool {
        constant_time_eq(&digest(passphrase, self.body), self.digest)
    }
}

/// What was read so far.
#[derive(Default)]
struct Counted {
    certificates: usize,
    keys: usize,
}

impl Counted {
    /// Refuses `limit.cert_count`.
    fn check(&self) -> Result<(), Refusal> {
        let (most, what) = match self.keys {
            0 => (MAX_ENTRIES, "more than"),
            _ => (MAX_CERTIFICATES, "private keys and more than"),
        };
        match self.certificates > most {
            true => Err(too_many(format!("the key store holds {what} {most} certificates"))),
            false => Ok(()),
        }
    }
}

/// What stands at the end of a store.
pub(in crate::format) fn digest(passphrase: &Passphrase<'_>, body: &[u8]) -> [u8; DIGEST] {
    Sha1::new().chain_update(passphrase.utf16()).chain_update(WHITENER).chain_update(body).finalize().into()
}

fn read_entry<'a>(
    cursor: &mut Cursor<'a>,
    version: u32,
    number: usize,
    counted: &mut Counted,
) -> Result<Entry<'a>, Refusal> {
    let tag = cursor.number()?;
    let alias = modified_utf8(cursor.short_block()?);
    // When it was made, in milliseconds since 1970.
    cursor.take(8)?;
    let kind = match tag {
        PRIVATE_KEY => {
            counted.keys += 1;
            counted.check()?;
            let protected = cursor.block()?;
            let mut chain = Vec::new();
            for _ in 0..cursor.number()? {
                chain.push(read_certificate(cursor, version, counted)?);
            }
            Kind::Key { protected, chain }
        }
        TRUSTED_CERTIFICATE => Kind::Anchor(read_certificate(cursor, version, counted)?),
        SECRET_KEY => {
            java_object::skip(cursor)?;
            Kind::Sealed
        }
        other => return Err(malformed(format!("an entry is of the unknown kind {other}"))),
    };
    Ok(Entry { alias, kind, number })
}

fn read_certificate<'a>(
    cursor: &mut Cursor<'a>,
    version: u32,
    counted: &mut Counted,
) -> Result<&'a [u8], Refusal> {
    counted.certificates += 1;
    counted.check()?;
    if version == 2 && cursor.short_block()? != b"X.509" {
        return Err(malformed("a certificate is not of the kind X.509".to_owned()));
    }
    cursor.block()
}

/// Java's own UTF-8: surrogates are encoded one by one, and NUL takes two octets. What is broken is replaced.
fn modified_utf8(octets: &[u8]) -> String {
    let mut units = Vec::with_capacity(octets.len());
    let mut rest = octets;
    while let [first, following @ ..] = rest {
        let low = |place: usize| {
            following.get(place).filter(|octet| **octet & 0xc0 == 0x80).map(|octet| octet & 0x3f)
        };
        let (unit, length) = match (first, low(0), low(1)) {
            (0x00..=0x7f, ..) => (u16::from(*first), 1),
            (0xc0..=0xdf, Some(second), _) => (u16::from(first & 0x1f) << 6 | u16::from(second), 2),
            (0xe0..=0xef, Some(second), Some(third)) => {
                (u16::from(first & 0x0f) << 12 | u16::from(second) << 6 | u16::from(third), 3)
            }
            _ => (0xfffd, 1),
        };
        units.push(unit);
        rest = &rest[length..];
    }
    String::from_utf16_lossy(&units)
}

/// Reads on; never beyond the end.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Refusal> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn octet(&mut self) -> Result<u8, Refusal> {
        self.take(1).map(|taken| taken[0])
    }

    pub(super) fn short(&mut self) -> Result<u16, Refusal> {
        self.take(2).map(|taken| u16::from_be_bytes([taken[0], taken[1]]))
    }

    pub(super) fn number(&mut self) -> Result<u32, Refusal> {
        self.take(4).map(|taken| u32::from_be_bytes([taken[0], taken[1], taken[2], taken[3]]))
    }

    /// Octets after their number, in 16 bits.
    pub(super) fn short_block(&mut self) -> Result<&'a [u8], Refusal> {
        let length = self.short()?;
        self.take(usize::from(length))
    }

    /// Octets after their number, in 32 bits.
    pub(super) fn block(&mut self) -> Result<&'a [u8], Refusal> {
        let length = self.number()?;
        self.take(length as usize)
    }
}

fn truncated() -> Refusal {
    Refusal::new("jks.truncated", "the key store is cut short, or a length in it is wrong", SEND_AGAIN)
}

pub(super) fn malformed(what: String) -> Refusal {
    Refusal::new("jks.malformed", what, SEND_AGAIN)
}

fn too_many(what: String) -> Refusal {
    Refusal::new("limit.cert_count", what, "Split it: export the entries that you need one by one.")
}
