//! Private keys in PEM that OpenSSL encrypted in its old way: `Proc-Type: 4,ENCRYPTED` and
//! `DEK-Info: <cipher>,<initialisation vector>` in front of the base64 (the headers are those of RFC 1421, 4.6.1).
//!
//! The key is one round of MD5 away from the passphrase: whoever has the file tries hundreds of millions of
//! passphrases a second. It is taken, because old servers are full of it, and said.

use md5::Md5;
use md5::digest::Output;
use zeroize::{Zeroize, Zeroizing};

use super::cipher::Cipher;
use super::{kdf, pbe};
use crate::{Finding, Refusal};

/// Octets of the initialisation vector that serve as salt.
const SALT: usize = 8;
const MD5_LENGTH: usize = 16;
const ASK_FOR_ANOTHER: &str = "Ask whoever made the file for the key as PKCS#8 or PKCS#12 under AES.";

/// How the content of a block is encrypted.
pub(super) struct OldEncryption {
    cipher: Cipher,
    iv: Vec<u8>,
}

/// Splits what stands between BEGIN and END into its headers and its base64.
///
/// Refuses `key.encryption_unsupported`: another cipher, or headers that mean something else; `key.kdf_params`: the
/// initialisation vector does not fit the cipher.
pub(super) fn split(body: &[u8]) -> Result<(Option<OldEncryption>, &[u8]), Refusal> {
    if after(body, b"DEK-Info:").is_some() {
        return Err(unsupported("the headers of the encrypted block are out of order"));
    }
    let Some(rest) = after(body, b"Proc-Type:") else {
        return Ok((None, without_headers(body)?));
    };
    let value = after(rest, b"4,")
        .and_then(|rest| after(rest, b"ENCRYPTED"))
        .and_then(|rest| after(rest, b"DEK-Info:"))
        .ok_or_else(|| unsupported("the headers of the block say nothing that is understood here"))?
        .trim_ascii_start();
    let length = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
    let (value, base64) = value.split_at(length);
    Ok((Some(OldEncryption::read(value)?), base64))
}

/// Leaves out what some tools write above the base64, as `Comment: ...`: nothing of it is needed.
fn without_headers(body: &[u8]) -> Result<&[u8], Refusal> {
    let mut rest = body.trim_ascii_start();
    while let Some(end) = rest.iter().position(|octet| *octet == b'\n') {
        let (line, below) = rest.split_at(end);
        if !line.contains(&b':') {
            break;
        }
        if line.starts_with(b"Proc-Type") || line.starts_with(b"DEK-Info") {
            return Err(unsupported("the headers of the encrypted block are out of order"));
        }
        rest = below.trim_ascii_start();
    }
    Ok(rest)
}

impl OldEncryption {
    /// `AES-256-CBC,` and hexadecimal digits.
    fn read(value: &[u8]) -> Result<Self, Refusal> {
        let comma = value.iter().position(|octet| *octet == b',').unwrap_or(value.len());
        let (name, digits) = value.split_at(comma);
        let cipher = match name {
            b"AES-128-CBC" => Cipher::Aes128,
            b"AES-192-CBC" => Cipher::Aes192,
            b"AES-256-CBC" => Cipher::Aes256,
            b"DES-EDE3-CBC" => Cipher::TripleDes,
            _ => return Err(unsupported("the key is encrypted with a cipher that is not taken")),
        };
        let iv = digits.get(1..).and_then(from_hex).filter(|iv| iv.len() == cipher.block_length());
        let iv = iv.ok_or_else(|| kdf::senseless("the initialisation vector has the wrong length"))?;
        Ok(Self { cipher, iv })
    }

    /// Decrypts the content. Refuses `pass.wrong`; one wrong passphrase in 250 still gives something, as with
    /// [`pbe::decrypt`].
    pub(super) fn decrypt(&self, passphrase: &str, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let key = self.key(passphrase);
        self.cipher.decrypt_cbc(&key, &self.iv, data)
    }

    /// OpenSSL's EVP_BytesToKey with MD5 and one round: hash upon hash until there is enough.
    fn key(&self, passphrase: &str) -> Zeroizing<Vec<u8>> {
        let length = self.cipher.key_length();
        let mut key = Zeroizing::new(Vec::with_capacity(length + MD5_LENGTH));
        let mut hash = Output::<Md5>::default();
        while key.len() < length {
            let previous = key.len().saturating_sub(MD5_LENGTH);
            pbe::hash_into::<Md5>(&[&key[previous..], passphrase.as_bytes(), &self.iv[..SALT]], &mut hash);
            key.extend_from_slice(&hash);
        }
        hash.as_mut_slice().zeroize();
        key.truncate(length);
        key
    }
}

/// Said of every key that came so.
pub(super) fn weak(place: String) -> Finding {
    let what = "the key is encrypted in the old way of OpenSSL (DEK-Info): one round of MD5 protects it";
    Finding { place, ..pbe::weak(what) }
}

/// A block with a label that is never encrypted in this way.
pub(super) fn misplaced() -> Refusal {
    unsupported("only RSA and EC private keys are encrypted in the old way of OpenSSL (DEK-Info)")
}

fn unsupported(what: &str) -> Refusal {
    Refusal::new("key.encryption_unsupported", what, ASK_FOR_ANOTHER)
}

/// What stands after white space and a word.
fn after<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    text.trim_ascii_start().strip_prefix(word)
}

fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    digits
        .chunks(2)
        .map(|pair| match pair {
            // Two digits fit an octet.
            [high, low] => Some((value(*high)? << 4 | value(*low)?) as u8),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
