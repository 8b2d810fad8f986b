//! Private keys as PKCS#8 (RFC 5958) in DER, open or under a passphrase: PBES2 with PBKDF2 or scrypt, and the older
//! schemes, which are said to be weak.

use zeroize::Zeroizing;

use super::kdf::{self, KdfBudget};
use super::passphrases::Lock;
use super::pbe;
use super::{Format, Object, Reading, begins_with_oid, check_key, der, fields, no_cost};
use crate::tlv::{Reader, Tlv, tag};
use crate::{PrivateKey, Refusal};

pub(super) const PLAIN: Format = Format { name: "pkcs8", sniff: is_plain, charge: no_cost, read: read_plain };

pub(super) const ENCRYPTED: Format =
    Format { name: "pkcs8-encrypted", sniff: is_encrypted, charge, read: read_encrypted };

/// `SEQUENCE { INTEGER, AlgorithmIdentifier, OCTET STRING ... }`
pub(super) fn is_plain(der: &[u8]) -> bool {
    fields(der).is_some_and(|mut fields| {
        fields.expect(tag::INTEGER).is_ok()
            && fields.expect(tag::SEQUENCE).is_ok_and(|algorithm| begins_with_oid(algorithm.value))
            && fields.expect(tag::OCTET_STRING).is_ok()
    })
}

/// `SEQUENCE { AlgorithmIdentifier, OCTET STRING }`
fn is_encrypted(der: &[u8]) -> bool {
    fields(der).is_some_and(|mut fields| {
        fields.expect(tag::SEQUENCE).is_ok_and(|algorithm| begins_with_oid(algorithm.value))
            && fields.expect(tag::OCTET_STRING).is_ok()
    })
}

fn read_plain(der: &[u8], reading: &mut Reading<'_>) -> Result<(), Refusal> {
    check_key(der)?;
    reading.add(Object::PrivateKey(PrivateKey::from_pkcs8_der(der)?))
}

fn charge(der: &[u8], budget: &mut KdfBudget) -> Result<(), Refusal> {
    check_key(der)?;
    let (algorithm, _) = encrypted_fields(der)?;
    budget.charge(pbe::cost(Reader::new(algorithm.value))?)
}

fn read_encrypted(der: &[u8], reading: &mut Reading<'_>) -> Result<(), Refusal> {
    let (algorithm, data) = encrypted_fields(der)?;
    let fields = Reader::new(algorithm.value);
    let lock = Lock::charged(pbe::forms(fields), pbe::cost(fields)?);
    let opened = reading
        .open(&lock, |passphrase| pbe::decrypt(algorithm.whole, passphrase, data).and_then(sensible))?;
    let plain = opened.ok_or_else(|| reading.closed("the private key is encrypted"))?;
    if pbe::is_weak(fields) {
        reading
            .contents
            .findings
            .push(pbe::weak("the key is encrypted in a way that no longer protects it well"));
    }
    read_plain(&plain, reading)
}

/// What comes out must look like a key: else the passphrase is wrong or the file is damaged, and nobody can tell
/// which.
fn sensible(plain: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    if is_plain(&plain) && der::check(&plain).is_ok() { Ok(plain) } else { Err(pbe::wrong_passphrase()) }
}

/// EncryptedPrivateKeyInfo (RFC 5958, 3): how it is encrypted, and the data.
fn encrypted_fields(der: &[u8]) -> Result<(Tlv<'_>, &[u8]), Refusal> {
    let mut outer = fields(der).ok_or_else(kdf::unsupported)?;
    let algorithm = outer.expect(tag::SEQUENCE)?;
    let data = outer.expect(tag::OCTET_STRING)?;
    outer.end()?;
    Ok((algorithm, data.value))
}
