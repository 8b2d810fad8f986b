//! The extensions that we write into certificates and CSRs, and the reading of those in a CSR (RFC 5280,
//! 4.2).

use const_oid::ObjectIdentifier;

use crate::tlv::{self, Reader, tag};
use crate::{Refusal, SubjectAltName, san};

pub(crate) const SUBJECT_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
pub(crate) const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
pub(crate) const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
pub(crate) const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
pub(crate) const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
pub(crate) const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
pub(crate) const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
pub(crate) const AUTHORITY_ACCESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.1");
pub(crate) const CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");
pub(crate) const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
pub(crate) const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// Bits of keyUsage, bit 0 of the standard on top.
pub(crate) mod usage {
    pub(crate) const DIGITAL_SIGNATURE: u16 = 0x8000;
    pub(crate) const NON_REPUDIATION: u16 = 0x4000;
    pub(crate) const KEY_ENCIPHERMENT: u16 = 0x2000;
    pub(crate) const DATA_ENCIPHERMENT: u16 = 0x1000;
    pub(crate) const KEY_CERT_SIGN: u16 = 0x0400;
    pub(crate) const CRL_SIGN: u16 = 0x0200;
}

/// Whether a reader that does not know an extension must refuse the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Criticality {
    Critical,
    NonCritical,
}

/// Writes one Extension around its DER value.
pub(crate) fn extension(oid: ObjectIdentifier, criticality: Criticality, value: &[u8]) -> Vec<u8> {
    // FALSE is the default and therefore not written.
    let critical: &[u8] = match criticality {
        Criticality::Critical => &[tag::BOOLEAN, 1, 0xff],
        Criticality::NonCritical => &[],
    };
    tlv::sequence(&[&tlv::oid(oid.as_bytes()), critical, &tlv::tlv(tag::OCTET_STRING, &[value])])
}

pub(crate) fn key_usage(bits: u16, criticality: Criticality) -> Vec<u8> {
    extension(KEY_USAGE, criticality, &tlv::named_bits(bits))
}

pub(crate) fn extended_key_usage(purposes: &[ObjectIdentifier]) -> Vec<u8> {
    let content: Vec<u8> = purposes.iter().flat_map(|purpose| tlv::oid(purpose.as_bytes())).collect();
    extension(EXTENDED_KEY_USAGE, Criticality::NonCritical, &tlv::sequence(&[&content]))
}

/// `None` when a name is not ASCII, which a parsed name never is.
pub(crate) fn subject_alt_name(names: &[SubjectAltName], criticality: Criticality) -> Option<Vec<u8>> {
    let value = san::write_general_names(names)?;
    Some(extension(SUBJECT_ALT_NAME, criticality, &value))
}

/// One extension as it was read; `oid` is the content of its identifier.
pub(crate) struct Extension<'a> {
    pub(crate) oid: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl Extension<'_> {
    pub(crate) fn is(&self, oid: ObjectIdentifier) -> bool {
        self.oid == oid.as_bytes()
    }
}

/// Reads Extensions, given with their header.
pub(crate) fn read_all(der: &[u8]) -> Result<Vec<Extension<'_>>, Refusal> {
    let mut reader = Reader::new(tlv::only(der, tag::SEQUENCE)?.value);
    let mut extensions = Vec::new();
    while !reader.is_empty() {
        let mut fields = Reader::new(reader.expect(tag::SEQUENCE)?.value);
        let oid = fields.expect(tag::OID)?.value;
        fields.optional(tag::BOOLEAN)?;
        let value = fields.expect(tag::OCTET_STRING)?.value;
        fields.end()?;
        extensions.push(Extension { oid, value });
    }
    Ok(extensions)
}

/// Reads the value of keyUsage; bits beyond the sixteenth do not exist.
pub(crate) fn read_key_usage(value: &[u8]) -> Result<u16, Refusal> {
    let content = tlv::only(value, tag::BIT_STRING)?.value;
    let (_unused, octets) = content.split_first().ok_or_else(tlv::unexpected)?;
    let octet = |index| octets.get(index).copied().unwrap_or(0);
    Ok(u16::from_be_bytes([octet(0), octet(1)]))
}

/// Reads the value of extendedKeyUsage as dotted identifiers.
pub(crate) fn read_extended_key_usage(value: &[u8]) -> Result<Vec<String>, Refusal> {
    let mut reader = Reader::new(tlv::only(value, tag::SEQUENCE)?.value);
    let mut purposes = Vec::new();
    while !reader.is_empty() {
        purposes.push(tlv::oid_to_dotted(reader.expect(tag::OID)?.value)?);
    }
    Ok(purposes)
}

/// Whether the value of basicConstraints says CA:TRUE.
pub(crate) fn read_is_ca(value: &[u8]) -> Result<bool, Refusal> {
    let mut reader = Reader::new(tlv::only(value, tag::SEQUENCE)?.value);
    Ok(reader.optional(tag::BOOLEAN)?.is_some_and(|flag| flag.value != [0]))
}
