//! BER (X.690, section 8) to DER, for the two kinds of container that are found in BER: PKCS#7 and PKCS#12.
//!
//! Lengths become definite and short, strings that were written in pieces become whole; nothing else changes, so
//! that DER comes out as it went in. What comes out is read by the strict reader all the same. Cost: linear in the
//! size times the depth; one copy in memory, wiped when dropped, because it may hold a key.

use zeroize::Zeroizing;

use super::MAX_INPUT;
use crate::Refusal;

/// Elements inside elements, at most: a certificate within PKCS#7 needs about 15.
const MAX_DEPTH: usize = 24;

const CONSTRUCTED: u8 = 0x20;
/// What ends an element whose length was left open.
const END_OF_CONTENTS: [u8; 2] = [0, 0];
const SEND_AGAIN: &str = "Export or download the file again, and send it unchanged.";
const ASK_MAKER: &str = "Ask its maker for a sound one.";

/// Rewrites one element in DER.
///
/// # Errors
/// `der.truncated`, `der.length`, `der.depth`, `der.not_der` (what is not BER either) and `der.trailing`.
pub(crate) fn normalise(bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    // An open length takes four octets, a written one at most five; only what is longer than 64 KiB can gain.
    let room = bytes.len() + bytes.len() / 1024 + 64;
    let mut work =
        Normaliser { input: bytes, position: 0, out: Zeroizing::new(Vec::with_capacity(room)), depth: 0 };
    work.element(Limit { end: bytes.len(), is_end_of_file: true })?;
    if work.position < bytes.len() {
        let what = "bytes follow after the end of the object";
        return Err(work.fault("der.trailing", what, "Send the object alone."));
    }
    Ok(work.out)
}

/// What follows the header of the outermost element, whatever length it claims; `None` if it has another tag.
/// For recognising formats: nothing is checked.
pub(crate) fn inside(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let further = if first > 0x80 { usize::from(first & 0x7f) } else { 0 };
    if found == tag { rest.get(further..) } else { None }
}

struct Normaliser<'a> {
    input: &'a [u8],
    position: usize,
    out: Zeroizing<Vec<u8>>,
    depth: usize,
}

/// How far an element may reach.
#[derive(Clone, Copy)]
struct Limit {
    end: usize,
    /// Whether nothing but the end of the file sets it: what goes beyond was cut off, and did not lie.
    is_end_of_file: bool,
}

/// Where the content of an element ends.
#[derive(Clone, Copy)]
enum Extent {
    To(usize),
    /// Up to the end-of-contents octets.
    Open,
}

struct Header<'a> {
    identifier: &'a [u8],
    extent: Extent,
}

impl Header<'_> {
    fn is_constructed(&self) -> bool {
        self.identifier[0] & CONSTRUCTED != 0
    }
}

/// OCTET STRING and the strings of characters. BIT STRINGs in pieces occur nowhere.
fn is_string(tag: u8) -> bool {
    matches!(tag & !CONSTRUCTED, 0x04 | 0x0c | 0x12..=0x16 | 0x19..=0x1c | 0x1e)
}

impl<'a> Normaliser<'a> {
    /// Rewrites the next element.
    fn element(&mut self, limit: Limit) -> Result<(), Refusal> {
        let header = self.header(limit)?;
        if !header.is_constructed() {
            return self.primitive(&header);
        }
        let start = self.out.len();
        let tag = header.identifier[0];
        if is_string(tag) {
            self.children(header.extent, limit, |this, inner| this.piece(tag & !CONSTRUCTED, inner))?;
            self.put_header(start, &[tag & !CONSTRUCTED]);
        } else {
            self.children(header.extent, limit, Self::element)?;
            self.put_header(start, header.identifier);
        }
        Ok(())
    }

    fn primitive(&mut self, header: &Header<'_>) -> Result<(), Refusal> {
        let content = self.content(header)?;
        let start = self.out.len();
        self.out.extend_from_slice(content);
        self.put_header(start, header.identifier);
        Ok(())
    }

    /// The content of one piece of a string; pieces may be made of pieces.
    fn piece(&mut self, tag: u8, limit: Limit) -> Result<(), Refusal> {
        let header = self.header(limit)?;
        if header.identifier[0] & !CONSTRUCTED != tag {
            let what = "a string in pieces has a piece of another kind";
            return Err(self.fault("der.not_der", what, SEND_AGAIN));
        }
        if header.is_constructed() {
            return self.children(header.extent, limit, |this, inner| this.piece(tag, inner));
        }
        let content = self.content(&header)?;
        self.out.extend_from_slice(content);
        Ok(())
    }

    /// Takes the content of a primitive element.
    fn content(&mut self, header: &Header<'_>) -> Result<&'a [u8], Refusal> {
        let Extent::To(end) = header.extent else {
            let what = "an element that is not made of others leaves its length open";
            return Err(self.fault("der.not_der", what, SEND_AGAIN));
        };
        let content = &self.input[self.position..end];
        self.position = end;
        Ok(content)
    }

    /// Rewrites what an element is made of.
    fn children(
        &mut self,
        extent: Extent,
        limit: Limit,
        mut child: impl FnMut(&mut Self, Limit) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        if self.depth == MAX_DEPTH {
            let what = format!("elements are nested more than {MAX_DEPTH} deep");
            return Err(self.fault("der.depth", &what, ASK_MAKER));
        }
        self.depth += 1;
        let inner = match extent {
            Extent::To(end) => Limit { end, is_end_of_file: false },
            Extent::Open => limit,
        };
        loop {
            match extent {
                Extent::To(end) if self.position == end => break,
                Extent::Open if self.input[self.position..inner.end].starts_with(&END_OF_CONTENTS) => {
                    self.position += END_OF_CONTENTS.len();
                    break;
                }
                Extent::To(_) | Extent::Open => child(self, inner)?,
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a header and stops at the first octet of the content, which lies within the limit.
    fn header(&mut self, limit: Limit) -> Result<Header<'a>, Refusal> {
        let within = &self.input[self.position..limit.end];
        let identifier_length = self.identifier_length(within, limit)?;
        let (identifier, rest) = within.split_at(identifier_length);
        let (&first, rest) = rest.split_first().ok_or_else(|| self.cut(limit))?;
        let (length, rest) = match first {
            0x80 => (None, rest),
            0x81..=0xff => {
                let (octets, rest) =
                    rest.split_at_checked(usize::from(first & 0x7f)).ok_or_else(|| self.cut(limit))?;
                (Some(number(octets)), rest)
            }
            0..=0x7f => (Some(usize::from(first)), rest),
        };
        let content = limit.end - rest.len();
        let extent = match length {
            None => Extent::Open,
            Some(length) if length <= rest.len() => Extent::To(content + length),
            Some(length) if length > MAX_INPUT => return Err(self.impossible()),
            Some(_) => return Err(self.cut(limit)),
        };
        self.position = content;
        Ok(Header { identifier, extent })
    }

    /// One octet, or up to five for tag numbers over 30, which may stand in what is skipped.
    fn identifier_length(&self, within: &[u8], limit: Limit) -> Result<usize, Refusal> {
        match within {
            // One zero alone is half of what ends an open length.
            [] | [0] => Err(self.cut(limit)),
            [0, ..] => Err(self.fault("der.not_der", "an element has no tag", SEND_AGAIN)),
            [tag, rest @ ..] if tag & 0x1f == 0x1f => {
                let last = rest.iter().take(4).position(|octet| octet & 0x80 == 0);
                last.map(|last| last + 2)
                    .ok_or_else(|| if rest.len() < 4 { self.cut(limit) } else { self.impossible() })
            }
            [_, ..] => Ok(1),
        }
    }

    /// Puts the header in front of the content that begins at `start`. The content moves within its buffer.
    fn put_header(&mut self, start: usize, identifier: &[u8]) {
        let length = self.out.len() - start;
        let octets = length.to_be_bytes();
        let skip = octets.iter().take_while(|octet| **octet == 0).count();
        // Less than 0x80 fits into one octet, and there are at most eight.
        let (first, further) = match length {
            0..=0x7f => (length as u8, &[][..]),
            _ => (0x80 | (octets.len() - skip) as u8, &octets[skip..]),
        };
        let header = identifier.iter().copied().chain([first]).chain(further.iter().copied());
        self.out.splice(start..start, header);
    }

    /// Something reaches beyond its limit.
    fn cut(&self, limit: Limit) -> Refusal {
        if limit.is_end_of_file {
            self.fault("der.truncated", "the data ends in the middle of an element", SEND_AGAIN)
        } else {
            self.fault("der.length", "an element is longer than the one around it", SEND_AGAIN)
        }
    }

    fn impossible(&self) -> Refusal {
        self.fault("der.length", "an element claims an impossible length", SEND_AGAIN)
    }

    fn fault(&self, code: &'static str, what: &str, repair: &str) -> Refusal {
        Refusal::new(code, what, repair).at(format!("byte {}", self.position))
    }
}

/// Zeros in front are BER; what does not fit is over every limit.
fn number(octets: &[u8]) -> usize {
    octets.iter().fold(0_usize, |sum, octet| sum.saturating_mul(256).saturating_add(usize::from(*octet)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlv::{sequence, tlv};

    fn der(ber: &[u8]) -> Vec<u8> {
        normalise(ber).unwrap().to_vec()
    }

    fn code(ber: &[u8]) -> &'static str {
        normalise(ber).err().map_or("", |refusal| refusal.code)
    }

    #[test]
    fn der_stays_as_it_is() {
        let long = tlv(4, &[&[7; 70_000]]);
        let set = tlv(0x31, &[&[1, 1, 0xff], &[5, 0]]);
        for element in
            [sequence(&[&[2, 1, 3], &tlv(0xa0, &[&long]), &set]), vec![0x30, 0], vec![0x9f, 0x81, 1, 1, 7]]
        {
            assert_eq!(der(&element), element);
        }
    }

    #[test]
    fn lengths_become_definite_and_short() {
        assert_eq!(der(&[0x30, 0x80, 2, 1, 3, 0, 0]), [0x30, 3, 2, 1, 3]);
        assert_eq!(der(&[0x30, 0x83, 0, 0, 3, 2, 1, 3]), [0x30, 3, 2, 1, 3]);
        assert_eq!(der(&[0x30, 0x80, 0x30, 0x80, 0, 0, 0xa0, 0x80, 0, 0, 0, 0]), [0x30, 4, 0x30, 0, 0xa0, 0]);
        let content = vec![7; 300];
        let open = [&[0x30, 0x80][..], &tlv(4, &[&content]), &[0, 0]].concat();
        assert_eq!(der(&open), sequence(&[&tlv(4, &[&content])]));
    }

    #[test]
    fn strings_in_pieces_become_whole() {
        assert_eq!(der(&[0x24, 0x80, 4, 1, 1, 4, 0, 4, 2, 2, 3, 0, 0]), [4, 3, 1, 2, 3]);
        assert_eq!(der(&[0x24, 6, 4, 1, 1, 4, 1, 2]), [4, 2, 1, 2]);
        assert_eq!(der(&[0x24, 0x80, 0x24, 0x80, 4, 1, 1, 0, 0, 4, 1, 2, 0, 0]), [4, 2, 1, 2]);
        assert_eq!(der(&[0x3e, 4, 0x1e, 2, 0, 65]), [0x1e, 2, 0, 65]);
        assert_eq!(der(&[0x24, 0]), [4, 0]);
        assert_eq!(code(&[0x24, 0x80, 2, 1, 1, 0, 0]), "der.not_der");
        assert_eq!(code(&[0x24, 0x80, 0x30, 0, 0, 0]), "der.not_der");
    }

    #[test]
    fn every_fault_has_its_code() {
        assert_eq!(code(&[]), "der.truncated");
        assert_eq!(code(&[0x30]), "der.truncated");
        assert_eq!(code(&[0x30, 5, 2, 1]), "der.truncated");
        assert_eq!(code(&[0x30, 0x80, 2, 1, 3]), "der.truncated");
        assert_eq!(code(&[0x30, 0x80, 2, 1, 3, 0]), "der.truncated");
        assert_eq!(code(&[0x30, 0x80, 0x30, 0x82, 1]), "der.truncated");
        assert_eq!(code(&[0x30, 3, 2, 5, 0]), "der.length");
        assert_eq!(code(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), "der.length");
        assert_eq!(code(&[0x30, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0]), "der.length");
        assert_eq!(code(&[0x30, 0, 0]), "der.trailing");
        assert_eq!(code(&[4, 0x80, 0, 0]), "der.not_der");
        assert_eq!(code(&[0x30, 2, 0, 0]), "der.not_der");
        assert_eq!(code(&[0, 0]), "der.not_der");
        assert_eq!(code(&[0x30, 1, 0]), "der.length");
        assert_eq!(code(&[0x3f, 0xff, 0xff, 0xff, 0xff, 1]), "der.length");
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |depth| (0..depth).fold(vec![5, 0], |inner, _| sequence(&[&inner]));
        assert_eq!(code(&nested(MAX_DEPTH)), "");
        assert_eq!(code(&nested(MAX_DEPTH + 1)), "der.depth");
        assert_eq!(code(&[0x30, 0x80].repeat(100_000)), "der.depth");
        assert_eq!(code(&[0x24, 0x80].repeat(100_000)), "der.depth");
    }

    #[test]
    fn the_inside_is_found_whatever_the_length_says() {
        assert_eq!(inside(&[0x30, 0x80, 6, 1], 0x30), Some(&[6, 1][..]));
        assert_eq!(inside(&[0x30, 0x82, 9, 9, 6, 1], 0x30), Some(&[6, 1][..]));
        assert_eq!(inside(&[0x30, 2, 6, 1], 0x30), Some(&[6, 1][..]));
        assert_eq!(inside(&[0x31, 2, 6, 1], 0x30), None);
        assert_eq!(inside(&[0x30, 0xff], 0x30), None);
        assert_eq!(inside(&[], 0x30), None);
    }
}
