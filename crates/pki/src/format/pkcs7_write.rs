//! Writes certificates as PKCS#7 (`.p7b`, `.p7c`): a SignedData without content and without signers (RFC 2315,
//! section 9; RFC 5652, section 5).

use super::pkcs7::{CONTENT_TYPES, DATA, SIGNED_DATA};
use crate::tlv::{self, tag};

/// Certificates in DER, in the order given: DER of a ContentInfo.
///
/// The order of a SET means nothing, but people and programs read the first certificate first: it stays.
pub fn write<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let certificates: Vec<&[u8]> = certificates.into_iter().collect();
    let empty_set = tlv::tlv(tag::SET, &[]);
    let signed_data = tlv::sequence(&[
        &tlv::unsigned_integer(&[1]),
        &empty_set,
        &tlv::sequence(&[&content_type(DATA)]),
        &tlv::tlv(tag::constructed(0), &certificates),
        &empty_set,
    ]);
    content_info(SIGNED_DATA, &signed_data)
}

/// A ContentInfo of the kind with this last arc.
pub(super) fn content_info(kind: u8, content: &[u8]) -> Vec<u8> {
    tlv::sequence(&[&content_type(kind), &tlv::tlv(tag::constructed(0), &[content])])
}

pub(super) fn content_type(kind: u8) -> Vec<u8> {
    tlv::tlv(tag::OID, &[&CONTENT_TYPES, &[kind]])
}
