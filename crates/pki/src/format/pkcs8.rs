//! Private keys as PKCS#8 (RFC 5958) in DER, open or under a passphrase (PBES2 with PBKDF2 or scrypt).

use ::pkcs8::EncryptedPrivateKeyInfoRef;

use super::kdf::{self, KdfBudget};
use super::{Contents, Format, Item, begins_with_oid, check_key, fields, no_cost};
use crate::tlv::{Reader, tag};
use crate::{PrivateKey, Refusal};

pub(super) const PLAIN: Format = Format { name: "pkcs8", sniff: is_plain, charge: no_cost, read: read_plain };

pub(super) const ENCRYPTED: Format =
    Format { name: "pkcs8-encrypted", sniff: is_encrypted, charge, read: read_encrypted };

/// `SEQUENCE { INTEGER, AlgorithmIdentifier, OCTET STRING ... }`
fn is_plain(der: &[u8]) -> bool {
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

fn read_plain(der: &[u8], _: Option<&str>, contents: &mut Contents) -> Result<(), Refusal> {
    check_key(der)?;
    contents.items.push(Item::PrivateKey(PrivateKey::from_pkcs8_der(der)?));
    Ok(())
}

fn charge(der: &[u8], budget: &mut KdfBudget) -> Result<(), Refusal> {
    check_key(der)?;
    let mut outer = fields(der).ok_or_else(kdf::unsupported)?;
    let algorithm = outer.expect(tag::SEQUENCE)?;
    budget.charge(kdf::pbes2_cost(Reader::new(algorithm.value))?)
}

fn read_encrypted(der: &[u8], passphrase: Option<&str>, contents: &mut Contents) -> Result<(), Refusal> {
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| kdf::unsupported())?;
    let Some(passphrase) = passphrase else {
        return Err(Refusal::new("pass.needed", "the private key is encrypted", "Give its passphrase."));
    };
    // Padding that does not fit, and content that is no key: both mean a wrong passphrase or a damaged file, and
    // nobody can tell which.
    let plain = encrypted.decrypt(passphrase).map_err(|_| wrong_passphrase())?;
    if !is_plain(plain.as_bytes()) {
        return Err(wrong_passphrase());
    }
    read_plain(plain.as_bytes(), None, contents)
}

fn wrong_passphrase() -> Refusal {
    Refusal::new(
        "pass.wrong",
        "the passphrase is wrong, or the file is damaged",
        "Type the passphrase again; mind the keyboard layout.",
    )
}
