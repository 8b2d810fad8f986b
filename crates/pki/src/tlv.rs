//! The few pieces of DER that names, CSRs and certificates made here are put together from (X.690).
//!
//! Reading is strict and borrows; writing cannot fail. Both know only tags of one octet: X.509 has no others.

use crate::Refusal;

/// Identifier octets.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const NUMERIC_STRING: u8 = 0x12;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const TELETEX_STRING: u8 = 0x14;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const VISIBLE_STRING: u8 = 0x1a;
    pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
    pub(crate) const BMP_STRING: u8 = 0x1e;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// `[number]`, primitive.
    pub(crate) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// `[number]`, constructed.
    pub(crate) const fn constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// One element: its tag, its content, and both with the header.
#[derive(Clone, Copy)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// Walks over the elements of some content octets.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(content: &'a [u8]) -> Self {
        Self { rest: content }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element, whatever it is.
    pub(crate) fn any(&mut self) -> Result<Tlv<'a>, Refusal> {
        let (tag, header, length) = header(self.rest)?;
        let end = header.checked_add(length).ok_or_else(bad_length)?;
        let whole = self.rest.get(..end).ok_or_else(truncated)?;
        self.rest = &self.rest[end..];
        Ok(Tlv { tag, value: &whole[header..], whole })
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Tlv<'a>, Refusal> {
        let element = self.any()?;
        if element.tag == tag { Ok(element) } else { Err(unexpected()) }
    }

    /// The next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Tlv<'a>>, Refusal> {
        if self.rest.first() == Some(&tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Result<(), Refusal> {
        if self.rest.is_empty() { Ok(()) } else { Err(trailing()) }
    }
}

/// Reads input that is one element with this tag and nothing after it.
pub(crate) fn only(der: &[u8], tag: u8) -> Result<Tlv<'_>, Refusal> {
    let mut reader = Reader::new(der);
    let element = reader.expect(tag)?;
    reader.end()?;
    Ok(element)
}

/// Nothing that is let in comes near this.
const MAX_LENGTH: usize = 1 << 28;

/// Tag, length of the header and length of the content.
fn header(input: &[u8]) -> Result<(u8, usize, usize), Refusal> {
    let [tag, first, ..] = *input else {
        return Err(truncated());
    };
    if tag & 0x1f == 0x1f || tag == 0 {
        return Err(unexpected());
    }
    match first {
        0..=0x7f => Ok((tag, 2, usize::from(first))),
        0x80 => Err(not_der("a length is left open (BER)")),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let octets = input.get(2..2 + count).ok_or_else(truncated)?;
            let length = octets.iter().fold(0_u64, |sum, octet| sum << 8 | u64::from(*octet));
            if octets[0] == 0 || length < 0x80 {
                return Err(not_der("a length is written longer than it need be"));
            }
            let length = usize::try_from(length).map_err(|_| bad_length())?;
            if length > MAX_LENGTH { Err(bad_length()) } else { Ok((tag, 2 + count, length)) }
        }
        0x85..=0xff => Err(bad_length()),
    }
}

const ASK_AGAIN: &str = "Export or download the file again, and send it unchanged.";

fn truncated() -> Refusal {
    Refusal::new("der.truncated", "the data ends in the middle of an element", ASK_AGAIN)
}

fn bad_length() -> Refusal {
    Refusal::new("der.length", "an element claims an impossible length", ASK_AGAIN)
}

fn trailing() -> Refusal {
    Refusal::new("der.trailing", "bytes follow after the end of the data", "Send only the object itself.")
}

pub(crate) fn not_der(what: &str) -> Refusal {
    let repair = "Export it again where it was made, as PEM or DER, or ask whoever sent it to do so.";
    Refusal::new("der.not_der", what, repair)
}

/// An element is not what the structure asks for at its place.
pub(crate) fn unexpected() -> Refusal {
    not_der("the data is not built as its kind prescribes")
}

/// Writes one element; its content is the parts one after the other.
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    if length < 0x80 {
        // Less than 0x80 fits.
        out.push(length as u8);
    } else {
        let octets = length.to_be_bytes();
        let skip = octets.iter().take_while(|octet| **octet == 0).count();
        // At most eight octets.
        out.push(0x80 | (octets.len() - skip) as u8);
        out.extend_from_slice(&octets[skip..]);
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag::SEQUENCE, parts)
}

/// A non-negative INTEGER from big-endian octets: minimal, with a zero in front where the top bit is set.
pub(crate) fn unsigned_integer(big_endian: &[u8]) -> Vec<u8> {
    let skip = big_endian.iter().take_while(|octet| **octet == 0).count();
    let octets = &big_endian[skip..];
    let pad: &[u8] = if octets.first().is_none_or(|top| top & 0x80 != 0) { &[0] } else { &[] };
    tlv(tag::INTEGER, &[pad, octets])
}

/// A BIT STRING of whole octets.
pub(crate) fn bit_string(octets: &[u8]) -> Vec<u8> {
    tlv(tag::BIT_STRING, &[&[0], octets])
}

/// A named-bit BIT STRING (X.690, 11.2.2): bit 0 is the top bit, zeros at the end are cut off.
pub(crate) fn named_bits(bits: u16) -> Vec<u8> {
    let octets = bits.to_be_bytes();
    let used = octets.len() - octets.iter().rev().take_while(|octet| **octet == 0).count();
    let unused = octets[..used].last().map_or(0, |octet| octet.trailing_zeros() as u8);
    tlv(tag::BIT_STRING, &[&[unused], &octets[..used]])
}

/// An OBJECT IDENTIFIER from its content octets.
pub(crate) fn oid(content: &[u8]) -> Vec<u8> {
    tlv(tag::OID, &[content])
}

/// More than this in one OBJECT IDENTIFIER is an attack, not a name.
const MAX_OID_OCTETS: usize = 64;

/// Content octets to dotted text; arcs up to 128 bits (`2.25.<uuid>`).
pub(crate) fn oid_to_dotted(content: &[u8]) -> Result<String, Refusal> {
    let bad = || Refusal::new("der.oid", "an object identifier is malformed or absurdly long", ASK_AGAIN);
    if content.is_empty() || content.len() > MAX_OID_OCTETS {
        return Err(bad());
    }
    let mut dotted = String::new();
    let (mut arc, mut open) = (0_u128, false);
    for octet in content {
        if (!open && *octet == 0x80) || arc.leading_zeros() < 7 {
            return Err(bad());
        }
        arc = arc << 7 | u128::from(octet & 0x7f);
        open = octet & 0x80 != 0;
        if !open {
            if dotted.is_empty() {
                let first = (arc / 40).min(2);
                dotted = format!("{first}.{}", arc - first * 40);
            } else {
                dotted.push_str(&format!(".{arc}"));
            }
            arc = 0;
        }
    }
    if open { Err(bad()) } else { Ok(dotted) }
}

/// Dotted text to content octets; `None` when it is no object identifier.
pub(crate) fn oid_from_dotted(dotted: &str) -> Option<Vec<u8>> {
    let plain = |arc: &str| arc == "0" || !arc.starts_with('0') && arc.bytes().all(|b| b.is_ascii_digit());
    let mut arcs = Vec::new();
    for arc in dotted.split('.') {
        arcs.push(if plain(arc) {
            arc.parse::<u128>().ok()?
        } else {
            return None;
        });
    }
    let [first, second, rest @ ..] = arcs.as_slice() else {
        return None;
    };
    if *first > 2 || (*first < 2 && *second >= 40) {
        return None;
    }
    let mut content = Vec::new();
    push_arc(&mut content, second.checked_add(first * 40)?);
    rest.iter().for_each(|arc| push_arc(&mut content, *arc));
    (content.len() <= MAX_OID_OCTETS).then_some(content)
}

fn push_arc(content: &mut Vec<u8>, arc: u128) {
    let groups = (128 - arc.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group == 0 { 0 } else { 0x80 };
        // Seven bits fit an octet.
        content.push((arc >> (7 * group) & 0x7f) as u8 | more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_identifiers_go_there_and_back() {
        let uuid_arc = "2.25.329800735698586629295641978511506172918";
        for dotted in ["2.5.4.3", "1.2.840.113549.1.9.14", "0.9.2342.19200300.100.1.25", uuid_arc] {
            let content = oid_from_dotted(dotted).unwrap();
            assert_eq!(oid_to_dotted(&content).unwrap(), dotted);
        }
        for bad in ["", "2", "3.1", "1.40", "1..2", "1.02", "1.a", "1.+2", "-1.2"] {
            assert_eq!(oid_from_dotted(bad), None, "{bad}");
        }
        for bad in [&[][..], &[0x80, 1], &[0x2a, 0x86], &[0x2a; 65], &[0xff; 40]] {
            assert_eq!(oid_to_dotted(bad).unwrap_err().code, "der.oid");
        }
    }

    #[test]
    fn lengths_are_minimal_and_read_back() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000] {
            let content = vec![7; length];
            let der = tlv(tag::OCTET_STRING, &[&content]);
            assert_eq!(only(&der, tag::OCTET_STRING).unwrap().value, content);
        }
        let code = |der: &[u8]| only(der, tag::OCTET_STRING).err().unwrap().code;
        assert_eq!(code(&[4, 0x81, 1, 0]), "der.not_der");
        assert_eq!(code(&[4, 0x80, 0, 0]), "der.not_der");
        assert_eq!(code(&[4, 2, 0]), "der.truncated");
        assert_eq!(code(&[4]), "der.truncated");
        assert_eq!(code(&[4, 0x85, 1, 0, 0, 0, 0]), "der.length");
        assert_eq!(code(&[4, 0x84, 0xff, 0xff, 0xff, 0xff]), "der.length");
        assert_eq!(code(&[4, 0, 0]), "der.trailing");
        assert_eq!(code(&[5, 0]), "der.not_der");
    }

    #[test]
    fn integers_stay_positive_and_named_bits_are_cut() {
        assert_eq!(unsigned_integer(&[0, 0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(unsigned_integer(&[0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(unsigned_integer(&[0]), [2, 1, 0]);
        assert_eq!(named_bits(0x8000), [3, 2, 7, 0x80]);
        assert_eq!(named_bits(0x0600), [3, 2, 1, 6]);
        assert_eq!(named_bits(0), [3, 1, 0]);
    }
}
