//! Encryption under a passphrase, as an AlgorithmIdentifier names it: PBES2 and PBES1 (RFC 8018), and the older
//! schemes of PKCS#12 (RFC 7292, appendices B and C).
//!
//! First [`cost`], which derives nothing and is charged to the file's budget; then [`decrypt`]. A wrong passphrase
//! and damaged data get one and the same refusal: nobody can tell them apart.

use ::pkcs8::pkcs5::EncryptionScheme;
use aws_lc_rs::digest;
use md5::Md5;
use sha1::Sha1;
use sha1::digest::{Digest, Output};
use spki::der::Decode;
use zeroize::{Zeroize, Zeroizing};

use super::cipher::Cipher;
use super::kdf::{self, Cost};
use super::passphrases::Forms;
use super::pbes2;
use crate::tlv::{self, Reader, oid_to_dotted, tag};
use crate::{Finding, Refusal, Severity};

/// A salt longer than this protects nobody better and is hashed again and again.
const MAX_SALT: usize = 1024;
/// The salt of PBES1 (RFC 8018, A.3).
const PBES1_SALT: usize = 8;

/// What [`pkcs12_kdf`] is asked for: a key to encrypt with (RFC 7292, B.3).
pub(crate) const ID_KEY: u8 = 1;
/// What [`pkcs12_kdf`] is asked for: an initialisation vector.
pub(crate) const ID_IV: u8 = 2;
/// What [`pkcs12_kdf`] is asked for: a key to authenticate with.
pub(crate) const ID_MAC: u8 = 3;

/// How software writes a passphrase for PKCS#12's own derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// In UTF-16 with a NUL at the end (RFC 7292, B.1).
    Usual,
    /// An empty one without its NUL; another one with a unit for every octet of UTF-8, as old versions of OpenSSL did.
    Unusual,
}

/// What somebody typed, in the forms that the schemes take; wiped when dropped.
pub(crate) struct Passphrase<'a> {
    text: &'a str,
    bmp: Zeroizing<Vec<u8>>,
}

impl<'a> Passphrase<'a> {
    /// In the form that is usual: for PKCS#12 in UTF-16 with a NUL at the end (RFC 7292, B.1).
    pub(crate) fn new(text: &'a str) -> Self {
        Self::of_units(text, text.encode_utf16())
    }

    /// In a form that somebody's software gives it; `None`: it has no such form.
    pub(crate) fn in_form(text: &'a str, form: Form) -> Option<Self> {
        match form {
            Form::Usual => Some(Self::new(text)),
            Form::Unusual if text.is_empty() => Some(Self { text, bmp: Zeroizing::default() }),
            Form::Unusual if text.is_ascii() => None,
            Form::Unusual => Some(Self::of_units(text, text.bytes().map(u16::from))),
        }
    }

    /// As it was typed.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// As PBES1 and PBES2 take it.
    pub(crate) fn utf8(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// As Java key stores take it: [`Passphrase::bmp`] without its end.
    pub(crate) fn utf16(&self) -> &[u8] {
        &self.bmp[..self.bmp.len().saturating_sub(2)]
    }

    /// As PKCS#12's own key derivation takes it.
    pub(crate) fn bmp(&self) -> &[u8] {
        &self.bmp
    }

    fn of_units(text: &'a str, units: impl Iterator<Item = u16>) -> Self {
        // Room for all of it: the buffer never moves and leaves nothing behind.
        let mut bmp = Zeroizing::new(Vec::with_capacity(2 * text.len() + 2));
        for unit in units.chain([0]) {
            bmp.extend_from_slice(&unit.to_be_bytes());
        }
        Self { text, bmp }
    }
}

/// Says what [`decrypt`] will cost; takes the fields of the AlgorithmIdentifier.
///
/// Refuses `key.encryption_unsupported`, `key.kdf_params`, `limit.kdf_cost`.
pub(crate) fn cost(algorithm: Reader<'_>) -> Result<Cost, Refusal> {
    match Legacy::read(algorithm)? {
        Some(legacy) => Ok(legacy.cost()),
        None => kdf::pbes2_cost(algorithm),
    }
}

/// Whether a scheme protects badly today: everything before PBES2.
pub(crate) fn is_weak(algorithm: Reader<'_>) -> bool {
    matches!(Legacy::read(algorithm), Ok(Some(_)))
}

/// The forms of a passphrase that make a difference to a scheme: only PKCS#12's own ones know several.
pub(super) fn forms(algorithm: Reader<'_>) -> Forms {
    match Legacy::read(algorithm) {
        Ok(Some(Legacy { derivation: Derivation::Pkcs12, .. })) => Forms::Every,
        Ok(Some(_) | None) | Err(_) => Forms::Usual,
    }
}

/// Decrypts what stands under an AlgorithmIdentifier (the whole element). Charge [`cost`] first.
///
/// Refuses as [`cost`] does, and `pass.wrong`: the padding does not fit. One wrong passphrase in 250 still gives
/// something, so the caller must look whether it makes sense and refuse with [`wrong_passphrase`] as well.
pub(crate) fn decrypt(
    algorithm_der: &[u8],
    passphrase: &Passphrase<'_>,
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let algorithm = Reader::new(tlv::only(algorithm_der, tag::SEQUENCE)?.value);
    match Legacy::read(algorithm)? {
        Some(legacy) => legacy.decrypt(passphrase, data),
        None => {
            kdf::pbes2_cost(algorithm)?;
            if let Some(plain) = pbes2::decrypt(algorithm, passphrase.utf8(), data)? {
                return Ok(plain);
            }
            let scheme = EncryptionScheme::from_der(algorithm_der).map_err(|_| kdf::unsupported())?;
            let mut buffer = Zeroizing::new(data.to_vec());
            let plain = scheme.decrypt_in_place(passphrase.utf8(), &mut buffer);
            let length = plain.map_err(|_| wrong_passphrase())?.len();
            buffer.truncate(length);
            Ok(buffer)
        }
    }
}

/// The code of [`wrong_passphrase`].
pub(super) const WRONG: &str = "pass.wrong";

/// The one answer to a wrong passphrase and to damaged data.
pub(crate) fn wrong_passphrase() -> Refusal {
    Refusal::new(
        WRONG,
        "the passphrase is wrong, or the file is damaged",
        "Type the passphrase again; mind the keyboard layout.",
    )
}

/// What was typed fits something else in the file; `what` says so.
pub(super) fn another_passphrase(what: impl Into<String>) -> Refusal {
    let repair = "Give its passphrase too: --passphrase-file once more, or the next field of the form.";
    Refusal::new(WRONG, what, repair)
}

/// Nothing was typed; `what` says what is encrypted.
pub(crate) fn passphrase_needed(what: &str) -> Refusal {
    Refusal::new("pass.needed", what, "Give its passphrase.")
}

/// Said of what is encrypted, but badly.
pub(crate) fn weak(what: &str) -> Finding {
    Finding {
        code: "key.encryption_weak",
        severity: Severity::Warning,
        what: what.to_owned(),
        place: String::new(),
        repair: "Export the key again from here, and delete this file.".to_owned(),
    }
}

/// How key and initialisation vector are made of the passphrase.
#[derive(Clone, Copy)]
enum Derivation {
    Pbkdf1Md5,
    Pbkdf1Sha1,
    /// With SHA-1.
    Pkcs12,
}

/// The schemes before PBES2. RC4 and MD2, which nobody ever used for keys, are not taken.
const SCHEMES: [(&str, Derivation, Cipher); 8] = [
    ("1.2.840.113549.1.5.3", Derivation::Pbkdf1Md5, Cipher::Des),
    ("1.2.840.113549.1.5.6", Derivation::Pbkdf1Md5, Cipher::Rc2Bits64),
    ("1.2.840.113549.1.5.10", Derivation::Pbkdf1Sha1, Cipher::Des),
    ("1.2.840.113549.1.5.11", Derivation::Pbkdf1Sha1, Cipher::Rc2Bits64),
    ("1.2.840.113549.1.12.1.3", Derivation::Pkcs12, Cipher::TripleDes),
    ("1.2.840.113549.1.12.1.4", Derivation::Pkcs12, Cipher::TripleDesTwoKeys),
    ("1.2.840.113549.1.12.1.5", Derivation::Pkcs12, Cipher::Rc2Bits128),
    ("1.2.840.113549.1.12.1.6", Derivation::Pkcs12, Cipher::Rc2Bits40),
];

/// One of [`SCHEMES`] with its parameters, which make sense and are not too dear.
struct Legacy<'a> {
    derivation: Derivation,
    cipher: Cipher,
    salt: &'a [u8],
    iterations: u32,
}

impl<'a> Legacy<'a> {
    /// Reads the fields of an AlgorithmIdentifier; `None` when it names another scheme.
    fn read(mut algorithm: Reader<'a>) -> Result<Option<Self>, Refusal> {
        let oid = oid_to_dotted(algorithm.expect(tag::OID)?.value)?;
        let Some((_, derivation, cipher)) = SCHEMES.into_iter().find(|(known, ..)| *known == oid) else {
            return Ok(None);
        };
        let (salt, iterations) = kdf::salt_and_iterations(&mut algorithm)?;
        let is_sound = match derivation {
            Derivation::Pbkdf1Md5 | Derivation::Pbkdf1Sha1 => salt.len() == PBES1_SALT,
            Derivation::Pkcs12 => (1..=MAX_SALT).contains(&salt.len()),
        };
        if is_sound {
            Ok(Some(Self { derivation, cipher, salt, iterations }))
        } else {
            Err(kdf::senseless("the salt has a length that makes no sense"))
        }
    }

    fn cost(&self) -> Cost {
        match self.derivation {
            Derivation::Pbkdf1Md5 | Derivation::Pbkdf1Sha1 => kdf::hashes(self.iterations, 1),
            Derivation::Pkcs12 => {
                let blocks = |length: usize| length.div_ceil(Pkcs12Hash::Sha1.output_length());
                kdf::hashes_of(
                    Pkcs12Hash::Sha1.twelfths(),
                    self.iterations,
                    blocks(self.cipher.key_length()) + blocks(self.cipher.block_length()),
                )
            }
        }
    }

    fn decrypt(&self, passphrase: &Passphrase<'_>, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let key_length = self.cipher.key_length();
        let mut derived = Zeroizing::new(vec![0; key_length + self.cipher.block_length()]);
        match self.derivation {
            Derivation::Pbkdf1Md5 => self.pbkdf1::<Md5>(passphrase, &mut derived),
            Derivation::Pbkdf1Sha1 => self.pbkdf1::<Sha1>(passphrase, &mut derived),
            Derivation::Pkcs12 => {
                let (key, iv) = derived.split_at_mut(key_length);
                let bmp = passphrase.bmp();
                pkcs12_kdf(Pkcs12Hash::Sha1, bmp, self.salt, self.iterations, ID_KEY, key);
                pkcs12_kdf(Pkcs12Hash::Sha1, bmp, self.salt, self.iterations, ID_IV, iv);
            }
        }
        let (key, iv) = derived.split_at(key_length);
        self.cipher.decrypt_cbc(key, iv, data)
    }

    /// RFC 8018, 5.1 and 6.1.2: eight octets of key and eight of initialisation vector out of one hash.
    fn pbkdf1<D: Digest>(&self, passphrase: &Passphrase<'_>, out: &mut [u8]) {
        let mut state = Output::<D>::default();
        hash_into::<D>(&[passphrase.utf8(), self.salt], &mut state);
        for _ in 1..self.iterations {
            rehash::<D>(&mut state, &[]);
        }
        for (to, from) in out.iter_mut().zip(&state) {
            *to = *from;
        }
        state.as_mut_slice().zeroize();
    }
}

/// The hashes that [`pkcs12_kdf`] is used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pkcs12Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Pkcs12Hash {
    /// Octets of one hash.
    pub(crate) fn output_length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// What one hash costs, as [`kdf::hashes_of`] counts: measured on x86-64 with SHA extensions.
    fn twelfths(self) -> u64 {
        match self {
            Self::Sha1 => 2,
            Self::Sha224 | Self::Sha256 => 4,
            Self::Sha384 | Self::Sha512 => 7,
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => &digest::SHA224,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// What [`pkcs12_kdf`] costs for an output of at most one hash, as the key of a MAC is. `iterations` come from the
/// file and may be anything: refuses `key.kdf_params`, `limit.kdf_cost`, else gives them back as a number that fits.
pub(crate) fn pkcs12_mac_cost(hash: Pkcs12Hash, iterations: tlv::Tlv<'_>) -> Result<(u32, Cost), Refusal> {
    let iterations = kdf::iterations(iterations)?;
    Ok((iterations, kdf::hashes_of(hash.twelfths(), iterations, 1)))
}

/// PKCS#12's own key derivation (RFC 7292, B.2). `bmp_passphrase` is [`Passphrase::bmp`], `id` one of [`ID_KEY`],
/// [`ID_IV`], [`ID_MAC`]. CPU: one hash per iteration for every hash length of output.
pub(crate) fn pkcs12_kdf(
    hash: Pkcs12Hash,
    bmp_passphrase: &[u8],
    salt: &[u8],
    iterations: u32,
    id: u8,
    out: &mut [u8],
) {
    // The letters in the comments are those of RFC 7292, B.2.
    let algorithm = hash.algorithm();
    let block = algorithm.block_len();
    let filled = |octets: &[u8]| octets.len().div_ceil(block) * block;
    // D, and I = S || P, each of the latter repeated up to a whole number of blocks.
    let diversifier = vec![id; block];
    let mut input = Zeroizing::new(Vec::with_capacity(filled(salt) + filled(bmp_passphrase)));
    input.extend(salt.iter().cycle().take(filled(salt)));
    input.extend(bmp_passphrase.iter().cycle().take(filled(bmp_passphrase)));
    for part in out.chunks_mut(hash.output_length()) {
        let mut first = digest::Context::new(algorithm);
        first.update(&diversifier);
        first.update(&input);
        let mut state = first.finish();
        for _ in 1..iterations {
            state = digest::digest(algorithm, state.as_ref());
        }
        let length = part.len();
        part.copy_from_slice(&state.as_ref()[..length]);
        for piece in input.chunks_mut(block) {
            add_with_one(piece, state.as_ref());
        }
    }
}

/// I_j = (I_j + B + 1) mod 2^v, where B is the hash repeated up to a block.
fn add_with_one(piece: &mut [u8], state: &[u8]) {
    let mut carry = 1;
    for (place, octet) in piece.iter_mut().enumerate().rev() {
        let sum = u16::from(*octet) + u16::from(state[place % state.len()]) + carry;
        // The low octet stays, the rest is carried.
        *octet = sum as u8;
        carry = sum >> 8;
    }
}

/// The hash of a hash and of what follows it, in its place.
pub(super) fn rehash<D: Digest>(state: &mut Output<D>, suffix: &[u8]) {
    let mut hasher = D::new();
    hasher.update(&*state);
    hasher.update(suffix);
    hasher.finalize_into(state);
}

/// The hash of the parts, one after the other.
pub(super) fn hash_into<D: Digest>(parts: &[&[u8]], out: &mut Output<D>) {
    let mut hasher = D::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize_into(out);
}

#[cfg(test)]
mod tests;
