//! Private keys as PKCS#8 (RFC 5958) in DER, open or under a passphrase: PBES2 with PBKDF2 or scrypt, and the older
//! schemes, which are said to be weak.

use zeroize::Zeroizing;

use super::kdf::{self, KdfBudget};
use super::pbe::{self, Passphrase};
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
    let Some(passphrase) = reading.passphrase else {
        return Err(pbe::passphrase_needed("the private key is encrypted"));
    };
    let plain = decrypt(algorithm, passphrase, data, &mut reading.budget)?;
    if pbe::is_weak(Reader::new(algorithm.value)) {
        reading
            .contents
            .findings
            .push(pbe::weak("the key is encrypted in a way that no longer protects it well"));
    }
    read_plain(&plain, reading)
}

/// What comes out must look like a key: else the passphrase is wrong or the file is damaged, and nobody can tell
/// which.
fn decrypt(
    algorithm: Tlv<'_>,
    passphrase: &str,
    data: &[u8],
    budget: &mut KdfBudget,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let wrong = pbe::wrong_passphrase();
    for (tries, form) in Passphrase::forms_for(Reader::new(algorithm.value), passphrase).enumerate() {
        if tries > 0 {
            budget.charge(pbe::cost(Reader::new(algorithm.value))?)?;
        }
        match pbe::decrypt(algorithm.whole, &form, data) {
            Ok(plain) if is_plain(&plain) && der::check(&plain).is_ok() => return Ok(plain),
            Err(refusal) if refusal != wrong => return Err(refusal),
            Ok(_) | Err(_) => {}
        }
    }
    Err(wrong)
}

/// EncryptedPrivateKeyInfo (RFC 5958, 3): how it is encrypted, and the data.
fn encrypted_fields(der: &[u8]) -> Result<(Tlv<'_>, &[u8]), Refusal> {
    let mut outer = fields(der).ok_or_else(kdf::unsupported)?;
    let algorithm = outer.expect(tag::SEQUENCE)?;
    let data = outer.expect(tag::OCTET_STRING)?;
    outer.end()?;
    Ok((algorithm, data.value))
}
