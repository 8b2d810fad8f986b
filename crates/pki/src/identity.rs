//! The two names that are hashes: a key's and a certificate's.

use std::fmt;
use std::str::FromStr;

/// Names a key: SHA-256 of its DER SubjectPublicKeyInfo. Written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 32]);

/// Names a certificate or a CSR: SHA-256 of its DER. Written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 32]);

impl KeyId {
    /// Names the key with this SubjectPublicKeyInfo.
    pub fn of_spki(spki_der: &[u8]) -> Self {
        Self(sha256(spki_der))
    }

    /// X-Road's form: the first 20 bytes as 40 upper-case hex digits (`XROAD.md` 1.1).
    pub fn to_xroad(&self) -> String {
        hex(&self.0[..20]).to_ascii_uppercase()
    }
}

impl Fingerprint {
    /// Names the object with this DER.
    pub fn of_der(der: &[u8]) -> Self {
        Self(sha256(der))
    }

    /// The form for people: upper-case pairs with colons between.
    pub fn to_colons(&self) -> String {
        let pairs: Vec<String> = self.0.iter().map(|byte| format!("{byte:02X}")).collect();
        pairs.join(":")
    }
}

/// A text that is not 64 hex digits (colons between pairs are allowed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 in hexadecimal")]
pub struct NotAHash;

macro_rules! hash_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex(&self.0))
            }
        }

        impl FromStr for $name {
            type Err = NotAHash;

            fn from_str(text: &str) -> Result<Self, NotAHash> {
                unhex32(text).map(Self).ok_or(NotAHash)
            }
        }
    };
}
hash_text!(KeyId);
hash_text!(Fingerprint);

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    out
}

fn unhex32(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_with_and_without_colons() {
        let fingerprint = Fingerprint::of_der(b"abc");
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        assert_eq!(fingerprint.to_colons().parse(), Ok(fingerprint));
        assert_eq!("abc".parse::<KeyId>(), Err(NotAHash));
        assert_eq!(KeyId([0xab; 32]).to_xroad(), "AB".repeat(20));
    }
}
