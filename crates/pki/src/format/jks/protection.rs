//! How Java key stores encrypt private keys: JKS with a stream made of SHA-1, JCEKS with 3DES under an MD5 of its own
//! making. Both are Sun's inventions, known only from their source code (`KeyProtector`, `PBES1Core`).

use md5::Md5;
use sha1::Sha1;
use sha1::digest::Output;
use zeroize::{Zeroize, Zeroizing};

use crate::Refusal;
use crate::format::cipher::Cipher;
use crate::format::kdf::{self, Cost};
use crate::format::pbe::{Passphrase, hash_into, rehash, wrong_passphrase};
use crate::format::{check_key, der, fields, pkcs8};
use crate::seal::constant_time_eq;
use crate::tlv::{Reader, oid_to_dotted, tag};

/// `KeyProtector` of JKS.
const JKS_STREAM: &str = "1.3.6.1.4.1.42.2.17.1.1";
/// `PBEWithMD5AndTripleDES` of JCEKS.
const MD5_TRIPLE_DES: &str = "1.3.6.1.4.1.42.2.19.1";

const SHA1_LENGTH: usize = 20;
const MD5_LENGTH: usize = 16;
/// Half of the salt of JCEKS.
const HALF: usize = 4;
/// What a block of MD5 or SHA-1 holds, less its end mark and length.
const BLOCK: usize = 64;
const END_OF_HASH: usize = 9;

/// An encrypted key, by the way in which it is encrypted.
enum Protected<'a> {
    Stream { salt: &'a [u8], data: &'a [u8], check: &'a [u8] },
    TripleDes { salt: [u8; 2 * HALF], iterations: u32, data: &'a [u8] },
}

/// Says what [`open`] costs with a passphrase so short that every hash takes one block.
///
/// Refuses `key.encryption_unsupported`, `key.kdf_params`, `limit.kdf_cost`, `input.too_large` and `der.*`.
pub(super) fn cost(protected: &[u8]) -> Result<Cost, Refusal> {
    Ok(match Protected::read(protected)? {
        Protected::Stream { data, .. } => kdf::hashes(1, data.len().div_ceil(SHA1_LENGTH)),
        Protected::TripleDes { iterations, .. } => kdf::hashes(iterations, 2),
    })
}

/// How often [`cost`] is to be paid with this passphrase: it goes into every single hash.
pub(super) fn blocks(passphrase: &Passphrase<'_>) -> u64 {
    (SHA1_LENGTH + passphrase.utf16().len() + END_OF_HASH).div_ceil(BLOCK) as u64
}

/// Decrypts a key: PKCS#8 in DER. Charge [`cost`] first. Refuses `pass.wrong`.
pub(super) fn open(protected: &[u8], passphrase: &Passphrase<'_>) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let plain = match Protected::read(protected)? {
        Protected::Stream { salt, data, check } => open_stream(salt, data, check, passphrase),
        Protected::TripleDes { salt, iterations, data } => {
            open_triple_des(salt, iterations, data, passphrase)
        }
    };
    plain.filter(|plain| pkcs8::is_plain(plain) && der::check(plain).is_ok()).ok_or_else(wrong_passphrase)
}

impl<'a> Protected<'a> {
    /// EncryptedPrivateKeyInfo (RFC 5958, 3).
    fn read(protected: &'a [u8]) -> Result<Self, Refusal> {
        check_key(protected)?;
        let mut outer = fields(protected).ok_or_else(kdf::unsupported)?;
        let mut algorithm = Reader::new(outer.expect(tag::SEQUENCE)?.value);
        let data = outer.expect(tag::OCTET_STRING)?.value;
        match oid_to_dotted(algorithm.expect(tag::OID)?.value)?.as_str() {
            JKS_STREAM => {
                let too_short = || kdf::senseless("the encrypted key is too short to hold its salt");
                let (salt, rest) = data.split_at_checked(SHA1_LENGTH).ok_or_else(too_short)?;
                let length = rest.len().checked_sub(SHA1_LENGTH).ok_or_else(too_short)?;
                let (data, check) = rest.split_at(length);
                Ok(Self::Stream { salt, data, check })
            }
            MD5_TRIPLE_DES => {
                let (salt, iterations) = kdf::salt_and_iterations(&mut algorithm)?;
                let salt =
                    salt.try_into().map_err(|_| kdf::senseless("the salt is not eight octets long"))?;
                Ok(Self::TripleDes { salt, iterations, data })
            }
            _ => Err(kdf::unsupported()),
        }
    }
}

/// Each piece of the stream is the hash of the passphrase and the piece before, the first one being the salt.
fn open_stream(
    salt: &[u8],
    data: &[u8],
    check: &[u8],
    passphrase: &Passphrase<'_>,
) -> Option<Zeroizing<Vec<u8>>> {
    let mut plain = Zeroizing::new(data.to_vec());
    let mut stream = Output::<Sha1>::default();
    let mut previous = Zeroizing::new(salt.to_vec());
    for piece in plain.chunks_mut(SHA1_LENGTH) {
        hash_into::<Sha1>(&[passphrase.utf16(), &previous], &mut stream);
        for (octet, key) in piece.iter_mut().zip(&stream) {
            *octet ^= key;
        }
        previous.copy_from_slice(&stream);
    }
    hash_into::<Sha1>(&[passphrase.utf16(), &plain], &mut stream);
    let fits = constant_time_eq(&stream, check);
    stream.as_mut_slice().zeroize();
    fits.then_some(plain)
}

/// Each half of the salt is hashed with the passphrase again and again; the two results are the three keys and the
/// initialisation vector.
fn open_triple_des(
    mut salt: [u8; 2 * HALF],
    iterations: u32,
    data: &[u8],
    passphrase: &Passphrase<'_>,
) -> Option<Zeroizing<Vec<u8>>> {
    if salt[..HALF] == salt[HALF..] {
        // Java means to turn the first half round here, and misses: part of the format by now.
        let [a, b, _, d, ..] = salt;
        salt[..HALF].copy_from_slice(&[d, a, b, d]);
    }
    let passphrase = seven_bits(passphrase);
    let mut derived = Zeroizing::new(Vec::with_capacity(2 * MD5_LENGTH));
    let mut state = Output::<Md5>::default();
    for half in salt.chunks(HALF) {
        hash_into::<Md5>(&[half, &passphrase], &mut state);
        for _ in 1..iterations {
            rehash::<Md5>(&mut state, &passphrase);
        }
        derived.extend_from_slice(&state);
    }
    state.as_mut_slice().zeroize();
    let (key, iv) = derived.split_at(Cipher::TripleDes.key_length());
    Cipher::TripleDes.decrypt_cbc(key, iv, data).ok()
}

/// Java takes the low seven bits of every character, and newer versions refuse others than ASCII.
fn seven_bits(passphrase: &Passphrase<'_>) -> Zeroizing<Vec<u8>> {
    let units = passphrase.utf16();
    let mut octets = Zeroizing::new(Vec::with_capacity(units.len() / 2));
    octets.extend(units.chunks(2).filter_map(<[u8]>::last).map(|low| low & 0x7f));
    octets
}
