//! The gate in front of every DER reader: one pass over all elements, before anything is taken to mean something.
//!
//! What passes is complete, nests at most [`MAX_DEPTH`] deep, is encoded as X.690 sections 8 and 10 demand, and
//! has nothing after its end. Cost: linear, no allocation.

use crate::Refusal;
use crate::tlv::tag;

/// Elements inside elements, at most.
pub(crate) const MAX_DEPTH: usize = 32;
/// Octets of one object identifier, at most.
const MAX_OID: usize = 64;
/// A claimed length over this is a lie, whatever follows: no input is longer.
const MAX_LENGTH: u64 = super::MAX_INPUT as u64;

const SEND_AGAIN: &str = "Export or download the file again, and send it unchanged.";
const EXPORT_AGAIN: &str =
    "Export it again where it was made, as PEM or DER, or ask whoever sent it to do so.";

/// Checks that `bytes` are one DER element and nothing else.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Refusal> {
    let first = header(bytes, 0, bytes.len()).map_err(|fault| fault.at_outermost(bytes))?;
    if first.end < bytes.len() {
        return Err(trailing(first.end));
    }
    let mut ends = [0_usize; MAX_DEPTH];
    let (mut depth, mut position) = (0, 0);
    loop {
        let parent_end = if depth == 0 { bytes.len() } else { ends[depth - 1] };
        if position == parent_end {
            if depth == 0 {
                return Ok(());
            }
            depth -= 1;
            continue;
        }
        let element = header(bytes, position, parent_end).map_err(|fault| fault.inside(position))?;
        if element.constructed {
            if depth == MAX_DEPTH {
                return Err(too_deep(position));
            }
            check_constructed(element.tag).map_err(|refusal| refusal.at(format!("byte {position}")))?;
            ends[depth] = element.end;
            depth += 1;
            position = element.content;
        } else {
            check_primitive(element.tag, &bytes[element.content..element.end])
                .map_err(|refusal| refusal.at(format!("byte {position}")))?;
            position = element.end;
        }
    }
}

struct Header {
    tag: u8,
    constructed: bool,
    content: usize,
    end: usize,
}

/// Why a header could not be read.
enum Fault {
    /// The input, or the element around, ends within the header.
    Cut,
    /// The content would reach beyond the end.
    Beyond(u64),
    /// More octets of length than any file needs.
    Absurd,
    /// BER, not DER.
    NotDer(&'static str),
}

fn header(bytes: &[u8], start: usize, limit: usize) -> Result<Header, Fault> {
    let within = &bytes[start..limit];
    let (&tag, mut rest) = within.split_first().ok_or(Fault::Cut)?;
    if tag & 0x1f == 0x1f {
        rest = skip_high_tag(rest)?;
    }
    let (&first, mut rest) = rest.split_first().ok_or(Fault::Cut)?;
    let mut length = u64::from(first);
    if first == 0x80 {
        return Err(Fault::NotDer("a length is left open"));
    }
    if first > 0x80 {
        let count = usize::from(first & 0x7f);
        if count > 8 {
            return Err(Fault::Absurd);
        }
        let octets = rest.get(..count).ok_or(Fault::Cut)?;
        length = octets.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet));
        if length < 0x80 || octets[0] == 0 {
            return Err(Fault::NotDer("a length is written longer than it need be"));
        }
        rest = &rest[count..];
    }
    let content = limit - rest.len();
    if length > rest.len() as u64 {
        return Err(Fault::Beyond(length));
    }
    // It is not longer than `rest`, so it fits.
    let end = content + length as usize;
    Ok(Header { tag, constructed: tag & 0x20 != 0, content, end })
}

/// Tag numbers over 30 take further octets; no format that we read has them, but they may stand in what we skip.
fn skip_high_tag(rest: &[u8]) -> Result<&[u8], Fault> {
    let last = rest.iter().take(4).position(|octet| octet & 0x80 == 0);
    match last {
        Some(last) => Ok(&rest[last + 1..]),
        None if rest.len() < 4 => Err(Fault::Cut),
        None => Err(Fault::NotDer("a tag is written with too many octets")),
    }
}

impl Fault {
    /// The first header of all: if more is missing than is there, the file was cut short.
    fn at_outermost(self, bytes: &[u8]) -> Refusal {
        match self {
            Self::Cut => truncated(bytes.len()),
            Self::Beyond(length) if length <= MAX_LENGTH => truncated(bytes.len()),
            Self::Beyond(_) | Self::Absurd | Self::NotDer(_) => self.inside(0),
        }
    }

    fn inside(self, position: usize) -> Refusal {
        let refusal = match self {
            Self::Cut | Self::Beyond(_) => {
                Refusal::new("der.length", "an element is longer than the one around it", SEND_AGAIN)
            }
            Self::Absurd => Refusal::new("der.length", "an element claims an impossible length", SEND_AGAIN),
            Self::NotDer(what) => Refusal::new("der.not_der", what, EXPORT_AGAIN),
        };
        refusal.at(format!("byte {position}"))
    }
}

/// Of the universal kinds only SEQUENCE, SET, EXTERNAL and EMBEDDED PDV have elements in them. A string in pieces is BER,
/// and would be joined where BER is read: the same certificate would have two fingerprints.
fn check_constructed(tag: u8) -> Result<(), Refusal> {
    match tag {
        0x28 | 0x2b | tag::SEQUENCE | tag::SET => Ok(()),
        0x20..=0x3e => Err(Refusal::new("der.not_der", "a value stands there in pieces", EXPORT_AGAIN)),
        _ => Ok(()),
    }
}

/// The encodings that DER fixes and that a forger could vary without changing the meaning.
fn check_primitive(tag: u8, content: &[u8]) -> Result<(), Refusal> {
    let not_der = |what: &str| Err(Refusal::new("der.not_der", what, EXPORT_AGAIN));
    match tag {
        tag::BOOLEAN if !matches!(content, [0x00 | 0xff]) => not_der("a BOOLEAN is neither 00 nor FF"),
        tag::INTEGER => match content {
            [] => not_der("an INTEGER is empty"),
            [0x00, next, ..] if next & 0x80 == 0 => not_der("an INTEGER is written longer than it need be"),
            [0xff, next, ..] if next & 0x80 != 0 => not_der("an INTEGER is written longer than it need be"),
            _ => Ok(()),
        },
        tag::BIT_STRING if !matches!(content, [0] | [0..=7, _, ..]) => not_der("a BIT STRING is malformed"),
        tag::NULL if !content.is_empty() => not_der("a NULL is not empty"),
        tag::OID => check_oid(content),
        0x00 => not_der("an element has no tag"),
        0x10 | 0x11 => not_der("a SEQUENCE or SET is marked as primitive"),
        _ => Ok(()),
    }
}

/// Checks the content of an object identifier. Refuses `der.oid`.
pub(crate) fn check_oid(content: &[u8]) -> Result<(), Refusal> {
    let refuse = |what: &str| Err(Refusal::new("der.oid", what, "Ask its maker for a sound one."));
    if content.len() > MAX_OID {
        return refuse("an object identifier is longer than 64 octets");
    }
    let mut begins = true;
    for octet in content {
        if begins && *octet == 0x80 {
            return refuse("an object identifier has an arc with a zero in front");
        }
        begins = octet & 0x80 == 0;
    }
    if content.is_empty() || !begins {
        return refuse("an object identifier is empty or ends in the middle of an arc");
    }
    Ok(())
}

fn truncated(length: usize) -> Refusal {
    Refusal::new("der.truncated", "the data ends in the middle of an element", SEND_AGAIN)
        .at(format!("byte {length}"))
}

fn trailing(position: usize) -> Refusal {
    Refusal::new("der.trailing", "bytes follow after the end of the object", "Send the object alone.")
        .at(format!("byte {position}"))
}

fn too_deep(position: usize) -> Refusal {
    Refusal::new("der.depth", "elements are nested more than 32 deep", "Ask its maker for a sound one.")
        .at(format!("byte {position}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlv::{sequence, tlv};

    fn code(der: &[u8]) -> &'static str {
        check(der).err().map_or("", |refusal| refusal.code)
    }

    #[test]
    fn sound_elements_pass() {
        assert_eq!(code(&sequence(&[&[2, 1, 0], &[1, 1, 0xff], &[6, 3, 0x55, 4, 3], &[5, 0]])), "");
        assert_eq!(code(&[0x30, 0]), "");
        assert_eq!(code(&sequence(&[&[0x9f, 0x81, 0x01, 1, 7]])), "", "a tag of three octets");
    }

    #[test]
    fn every_fault_of_framing_has_its_code() {
        assert_eq!(code(&[]), "der.truncated");
        assert_eq!(code(&[0x30, 5, 2, 1, 0]), "der.truncated");
        assert_eq!(code(&[0x30, 0x82, 1]), "der.truncated");
        assert_eq!(code(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0]), "der.length");
        assert_eq!(code(&[0x30, 0xff, 0, 0]), "der.length");
        assert_eq!(code(&[0x30, 3, 2, 5, 0]), "der.length", "inner longer than outer");
        assert_eq!(code(&[0x30, 3, 2, 1, 0, 0]), "der.trailing");
        assert_eq!(code(&[0x30, 0x80, 2, 1, 0, 0, 0]), "der.not_der");
        assert_eq!(code(&[0x30, 0x81, 3, 2, 1, 0]), "der.not_der");
    }

    #[test]
    fn what_is_not_der_is_mended_where_it_was_made_and_needs_no_other_program() {
        let ours = check(&[0x30, 0x80, 2, 1, 0, 0, 0]).unwrap_err();
        let theirs = crate::tlv::not_der("the data is odd");
        assert_eq!((ours.code, &ours.repair), (theirs.code, &theirs.repair));
        assert!(ours.repair.contains("whoever sent it") && !ours.repair.to_lowercase().contains("openssl"));
    }

    #[test]
    fn every_fault_of_encoding_has_its_code() {
        for content in
            [&[1, 1, 1][..], &[2, 0], &[2, 2, 0, 1], &[2, 2, 0xff, 0x80], &[3, 0], &[3, 2, 8, 0], &[5, 1, 0]]
        {
            assert_eq!(code(&sequence(&[content])), "der.not_der", "{content:?}");
        }
        for content in [&[0, 1, 7][..], &[0x20, 0], &[0x24, 3, 4, 1, 7], &[0x3a, 0], &[0x22, 3, 2, 1, 7]] {
            assert_eq!(code(&sequence(&[content])), "der.not_der", "{content:?}");
        }
        for content in [&[][..], &[0x80, 1], &[0x55, 0x84], &[0x2a; 65], &[0x2a; 60_000]] {
            assert_eq!(code(&sequence(&[&tlv(tag::OID, &[content])])), "der.oid");
        }
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |depth| (0..depth).fold(vec![5, 0], |inner, _| sequence(&[&inner]));
        assert_eq!(code(&nested(MAX_DEPTH)), "");
        assert_eq!(code(&nested(MAX_DEPTH + 1)), "der.depth");
        assert_eq!(code(&nested(20_000)), "der.depth");
    }
}
