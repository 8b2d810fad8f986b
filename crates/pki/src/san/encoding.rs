//! GeneralNames in DER (RFC 5280, 4.2.1.6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::text::too_many;
use super::{MAX_NAMES, SubjectAltName};
use crate::Refusal;
use crate::tlv::{self, Reader, tag};

/// Reads GeneralNames (the content of a subjectAltName extension); kinds that we do not know stay opaque.
///
/// Refuses what is not DER (`der.*`) and more than [`MAX_NAMES`] names (`limit.san_count`).
pub(crate) fn read_general_names(der: &[u8]) -> Result<Vec<SubjectAltName>, Refusal> {
    let mut reader = Reader::new(tlv::only(der, tag::SEQUENCE)?.value);
    let mut names = Vec::new();
    while !reader.is_empty() {
        if names.len() == MAX_NAMES {
            return Err(too_many());
        }
        let element = reader.any()?;
        names.push(read_general_name(element.tag, element.value, element.whole));
    }
    Ok(names)
}

/// Reads one GeneralName from its tag, its content and the whole of it.
pub(crate) fn read_general_name(tag: u8, value: &[u8], whole: &[u8]) -> SubjectAltName {
    // IA5String is ASCII; what is not is shown as Latin-1 and never matches.
    let text = || value.iter().map(|octet| char::from(*octet)).collect::<String>();
    let other = |kind| SubjectAltName::Other { kind, der: whole.to_vec() };
    match (tag, value.len()) {
        (0x81, _) => SubjectAltName::Email(text()),
        (0x82, _) => SubjectAltName::Dns(text().to_ascii_lowercase()),
        (0x86, _) => SubjectAltName::Uri(text()),
        (0x87, 4 | 16) => read_address(value).map_or_else(|| other("iPAddress"), SubjectAltName::Ip),
        (0x87, _) => other("iPAddress"),
        (0xa0, _) => other("otherName"),
        (0xa3, _) => other("x400Address"),
        (0xa4, _) => other("directoryName"),
        (0xa5, _) => other("ediPartyName"),
        (0x88, _) => other("registeredID"),
        _ => other("unknown"),
    }
}

fn read_address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(|octets| IpAddr::V6(Ipv6Addr::from(octets)))).ok()
}

/// Writes GeneralNames; `None` when a text is not ASCII, which a parsed name never is.
pub(crate) fn write_general_names(names: &[SubjectAltName]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    for name in names {
        let element = match name {
            SubjectAltName::Dns(text) => ia5(2, text)?,
            SubjectAltName::Email(text) => ia5(1, text)?,
            SubjectAltName::Uri(text) => ia5(6, text)?,
            SubjectAltName::Ip(IpAddr::V4(address)) => tlv::tlv(tag::context(7), &[&address.octets()]),
            SubjectAltName::Ip(IpAddr::V6(address)) => tlv::tlv(tag::context(7), &[&address.octets()]),
            SubjectAltName::Other { der, .. } => der.clone(),
        };
        content.extend_from_slice(&element);
    }
    Some(tlv::sequence(&[&content]))
}

fn ia5(number: u8, text: &str) -> Option<Vec<u8>> {
    text.is_ascii().then(|| tlv::tlv(tag::context(number), &[text.as_bytes()]))
}
