//! The parts of a PKCS#12 file and the bags in them (RFC 7292, 4.1 and 4.2).

use std::borrow::Cow;

use crate::format::pkcs7::{self, ContentInfo, only};
use crate::format::{Item, Object};
use crate::tlv::{self, Reader, Tlv, tag};
use crate::{KeyId, Refusal};

/// 1.2.840.113549.1.12.10.1, below which the kinds of bags stand, as content octets.
const BAG_TYPES: [u8; 10] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1];
/// 1.2.840.113549.1.9.22.1, a certificate of X.509.
const X509_CERTIFICATE: [u8; 10] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1];
/// 1.2.840.113549.1.9.23.1, a revocation list of X.509.
const X509_CRL: [u8; 10] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 23, 1];
/// 1.2.840.113549.1.9.20.
const FRIENDLY_NAME: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 20];

/// A friendly name is cut after so many units of UTF-16: nobody reads on.
const MAX_NAME: usize = 256;

/// One part of the file.
pub(super) enum Safe<'a> {
    /// Content octets: SafeContents, in DER or BER, not encrypted.
    Open(&'a [u8]),
    /// Encrypted under the passphrase.
    Sealed { algorithm: Tlv<'a>, data: Cow<'a, [u8]> },
    /// Encrypted for the holder of a certificate.
    Foreign,
}

/// The parts of an AuthenticatedSafe in DER.
pub(super) fn safes(der: &[u8]) -> Result<Vec<Safe<'_>>, Refusal> {
    let mut parts = Reader::new(tlv::only(der, tag::SEQUENCE)?.value);
    let mut safes = Vec::new();
    while !parts.is_empty() {
        let info = ContentInfo::read(parts.expect(tag::SEQUENCE)?.value)?;
        let content = info.content.ok_or_else(|| super::no_content("a part of the PKCS#12 file is empty"))?;
        safes.push(match info.kind {
            Some(pkcs7::DATA) if content.tag == tag::OCTET_STRING => Safe::Open(content.value),
            Some(pkcs7::ENCRYPTED_DATA) => sealed(content)?,
            Some(pkcs7::ENVELOPED_DATA) => Safe::Foreign,
            Some(_) | None => return Err(tlv::unexpected()),
        });
    }
    Ok(safes)
}

/// EncryptedData with its EncryptedContentInfo (RFC 5652, sections 8 and 6.1).
fn sealed(content: Tlv<'_>) -> Result<Safe<'_>, Refusal> {
    let mut fields = Reader::new(tlv::only(content.whole, tag::SEQUENCE)?.value);
    fields.expect(tag::INTEGER)?;
    let mut info = Reader::new(fields.expect(tag::SEQUENCE)?.value);
    info.expect(tag::OID)?;
    let algorithm = info.expect(tag::SEQUENCE)?;
    let data = match info.any() {
        Ok(Tlv { tag: 0x80, value, .. }) => Cow::Borrowed(value),
        // In BER it may stand in pieces; under an implicit tag that can be told only here.
        Ok(Tlv { tag: 0xa0, value, .. }) => Cow::Owned(joined(value)?),
        Ok(_) | Err(_) => return Err(super::no_content("an encrypted part of the PKCS#12 file is empty")),
    };
    info.end()?;
    Ok(Safe::Sealed { algorithm, data })
}

fn joined(pieces: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut pieces = Reader::new(pieces);
    let mut out = Vec::new();
    while !pieces.is_empty() {
        out.extend_from_slice(pieces.expect(tag::OCTET_STRING)?.value);
    }
    Ok(out)
}

/// One thing in the file.
pub(super) struct Bag<'a> {
    pub(super) contents: Contents<'a>,
    /// As it stands there; never to be trusted.
    pub(super) friendly_name: Option<String>,
}

/// What is in a bag.
pub(super) enum Contents<'a> {
    /// PKCS#8 in the open.
    Key(&'a [u8]),
    /// PKCS#8 under the passphrase.
    SealedKey { algorithm: Tlv<'a>, data: &'a [u8] },
    /// DER of a certificate.
    Certificate(&'a [u8]),
    /// DER of a revocation list.
    Crl(&'a [u8]),
    /// Not read here; what it is, in words.
    Other(&'static str),
}

/// Shows each bag of SafeContents in DER, those in bags too. How deep they can lie in each other was limited when the
/// DER was made: each takes three of 24 levels.
pub(super) fn visit(
    der: &[u8],
    visitor: &mut dyn FnMut(Bag<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut bags = Reader::new(tlv::only(der, tag::SEQUENCE)?.value);
    while !bags.is_empty() {
        let mut fields = Reader::new(bags.expect(tag::SEQUENCE)?.value);
        let kind = fields.expect(tag::OID)?.value;
        let value = only(fields.expect(tag::constructed(0))?.value)?;
        let attributes = fields.optional(tag::SET)?;
        fields.end()?;
        let contents = match kind.strip_prefix(&BAG_TYPES) {
            Some([1]) => Contents::Key(value.whole),
            Some([2]) => sealed_key(value)?,
            Some([3]) => value_of(value, &X509_CERTIFICATE)?
                .map_or(Contents::Other("certificate that is not of X.509"), Contents::Certificate),
            Some([4]) => value_of(value, &X509_CRL)?
                .map_or(Contents::Other("revocation list that is not of X.509"), Contents::Crl),
            Some([5]) => Contents::Other("secret that is no private key"),
            Some([6]) => {
                visit(value.whole, visitor)?;
                continue;
            }
            Some(_) | None => Contents::Other("thing of an unknown kind"),
        };
        let friendly_name = attributes.and_then(|set| friendly_name(set.value));
        visitor(Bag { contents, friendly_name })?;
    }
    Ok(())
}

/// EncryptedPrivateKeyInfo (RFC 5958, section 3).
fn sealed_key(value: Tlv<'_>) -> Result<Contents<'_>, Refusal> {
    let mut fields = Reader::new(tlv::only(value.whole, tag::SEQUENCE)?.value);
    let algorithm = fields.expect(tag::SEQUENCE)?;
    let data = fields.expect(tag::OCTET_STRING)?.value;
    fields.end()?;
    Ok(Contents::SealedKey { algorithm, data })
}

/// What a CertBag or CRLBag holds (RFC 7292, 4.2.3 and 4.2.4); `None` when it is of another kind than this.
fn value_of<'a>(value: Tlv<'a>, wanted: &[u8]) -> Result<Option<&'a [u8]>, Refusal> {
    let mut fields = Reader::new(tlv::only(value.whole, tag::SEQUENCE)?.value);
    if fields.expect(tag::OID)?.value != wanted {
        return Ok(None);
    }
    let explicit = fields.expect(tag::constructed(0))?;
    fields.end()?;
    Ok(Some(tlv::only(explicit.value, tag::OCTET_STRING)?.value))
}

/// The friendlyName among attributes. Attributes are ornament: what is malformed among them is passed over.
fn friendly_name(attributes: &[u8]) -> Option<String> {
    let mut attributes = Reader::new(attributes);
    while let Ok(attribute) = attributes.expect(tag::SEQUENCE) {
        let mut fields = Reader::new(attribute.value);
        if fields.expect(tag::OID).ok()?.value == FRIENDLY_NAME {
            let mut values = Reader::new(fields.expect(tag::SET).ok()?.value);
            return Some(from_bmp(values.expect(tag::BMP_STRING).ok()?.value))
                .filter(|name| !name.is_empty());
        }
    }
    None
}

fn from_bmp(octets: &[u8]) -> String {
    let units = octets.chunks_exact(2).take(MAX_NAME).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    // Some write the NUL of C behind it.
    let units = units.take_while(|unit| *unit != 0);
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Which key pair a thing belongs to.
pub(super) fn key_id(item: &Item) -> Option<KeyId> {
    match &item.object {
        Object::Certificate(certificate) => Some(certificate.key_id()),
        Object::PrivateKey(key) => Some(key.id()),
        Object::Csr(_) | Object::Crl(_) => None,
    }
}
