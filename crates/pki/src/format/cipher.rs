//! The block ciphers that files are encrypted with, in CBC mode with the padding of PKCS#7 (RFC 5652, 6.3).
//!
//! Knows no passphrases: keys come in derived. Which of them are good enough for what is decided elsewhere.

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, InnerIvInit, KeyInit};
use des::{Des, TdesEde2, TdesEde3};
use rc2::Rc2;
use zeroize::Zeroizing;

use super::pbe::wrong_passphrase;
use crate::Refusal;

/// A cipher with the length of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    Aes128,
    Aes192,
    Aes256,
    Des,
    TripleDes,
    /// The third key is the first one again.
    TripleDesTwoKeys,
    Rc2Bits40,
    Rc2Bits64,
    Rc2Bits128,
}

impl Cipher {
    /// Octets of its key.
    pub(crate) fn key_length(self) -> usize {
        match self {
            Self::Rc2Bits40 => 5,
            Self::Des | Self::Rc2Bits64 => 8,
            Self::Aes128 | Self::TripleDesTwoKeys | Self::Rc2Bits128 => 16,
            Self::Aes192 | Self::TripleDes => 24,
            Self::Aes256 => 32,
        }
    }

    /// Octets of a block, and of the initialisation vector.
    pub(crate) fn block_length(self) -> usize {
        match self {
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
            Self::Des | Self::TripleDes | Self::TripleDesTwoKeys => 8,
            Self::Rc2Bits40 | Self::Rc2Bits64 | Self::Rc2Bits128 => 8,
        }
    }

    /// Decrypts and takes the padding off. Refuses `pass.wrong`: the data are no whole blocks, or the padding does
    /// not fit; also a key or initialisation vector of the wrong length, so that nothing can crash.
    pub(crate) fn decrypt_cbc(
        self,
        key: &[u8],
        iv: &[u8],
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        match self {
            Self::Aes128 => unpad(Aes128::new_from_slice(key).ok(), iv, data),
            Self::Aes192 => unpad(Aes192::new_from_slice(key).ok(), iv, data),
            Self::Aes256 => unpad(Aes256::new_from_slice(key).ok(), iv, data),
            Self::Des => unpad(Des::new_from_slice(key).ok(), iv, data),
            Self::TripleDes => unpad(TdesEde3::new_from_slice(key).ok(), iv, data),
            Self::TripleDesTwoKeys => unpad(TdesEde2::new_from_slice(key).ok(), iv, data),
            Self::Rc2Bits40 | Self::Rc2Bits64 | Self::Rc2Bits128 => {
                let fits = key.len() == self.key_length();
                unpad(fits.then(|| Rc2::new_with_eff_key_len(key, 8 * key.len())), iv, data)
            }
        }
    }
}

fn unpad<C: BlockCipherDecrypt>(
    cipher: Option<C>,
    iv: &[u8],
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let cipher = cipher.ok_or_else(wrong_passphrase)?;
    let mode = cbc::Decryptor::inner_iv_slice_init(cipher, iv).map_err(|_| wrong_passphrase())?;
    let mut buffer = Zeroizing::new(data.to_vec());
    let length = mode.decrypt_padded::<Pkcs7>(&mut buffer).map_err(|_| wrong_passphrase())?.len();
    buffer.truncate(length);
    Ok(buffer)
}
