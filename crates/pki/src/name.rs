//! Distinguished names, built from attributes and never by parsing escaped text (RFC 5280, 4.1.2.4).
//!
//! What was typed is what is encoded: commas, quotes and non-ASCII need no escaping on the way in.
//! On the way out, [`DistinguishedName`]'s `Display` and [`inert`] make every text harmless to show.

mod attribute;
mod canonical;

use std::borrow::Cow;
use std::fmt;

use crate::Refusal;
use crate::identity::hex;
use crate::tlv::{self, Reader, tag};

pub use attribute::AttributeType;
use attribute::{Encoding, MAX_OTHER};
pub(crate) use canonical::canonical_of_set;

/// A subject's or issuer's name: relative names in DER order (country first), each a set of attributes.
///
/// Keeps the DER that it was read from, so that a name goes into a certificate exactly as its owner wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistinguishedName {
    der: Vec<u8>,
    /// One or more attributes each; more than one is rare ("multi-valued").
    relative: Vec<Vec<Attribute>>,
}

/// One attribute of a name, its value as plain text (or `#` and hexadecimal when it is no text).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// What it says.
    pub kind: AttributeType,
    /// The value, exactly as typed or as found.
    pub value: String,
}

impl Attribute {
    /// Pairs a kind with its value.
    pub fn new(kind: AttributeType, value: impl Into<String>) -> Self {
        Self { kind, value: value.into() }
    }
}

impl DistinguishedName {
    /// Builds a name, one attribute to each relative name, in the given order; empty values are skipped.
    ///
    /// Refuses `name.country`, `name.too_long`, `name.control_char`, `name.not_printable`, `name.not_ascii`
    /// and
    /// `name.attribute` (an `Other` that is no object identifier), with the attribute as the place.
    pub fn from_attributes(attributes: Vec<Attribute>) -> Result<Self, Refusal> {
        let mut content = Vec::new();
        let mut relative = Vec::with_capacity(attributes.len());
        for mut attribute in attributes {
            if attribute.value.is_empty() {
                continue;
            }
            if let AttributeType::Other(dotted) = attribute.kind {
                attribute.kind = AttributeType::of_oid(dotted);
            }
            let element = encode(&attribute).map_err(|refusal| refusal.at(attribute.kind.short_name()))?;
            content.extend_from_slice(&tlv::tlv(tag::SET, &[&element]));
            relative.push(vec![attribute]);
        }
        Ok(Self { der: tlv::sequence(&[&content]), relative })
    }

    /// Reads a name with any string types, several attributes to a relative name, unknown kinds.
    ///
    /// Refuses only what is not DER or not a Name: `der.*`.
    pub fn from_der(der: &[u8]) -> Result<Self, Refusal> {
        let mut sets = Reader::new(tlv::only(der, tag::SEQUENCE)?.value);
        let mut relative = Vec::new();
        while !sets.is_empty() {
            let mut elements = Reader::new(sets.expect(tag::SET)?.value);
            let mut attributes = Vec::with_capacity(1);
            while !elements.is_empty() {
                attributes.push(decode(elements.expect(tag::SEQUENCE)?.value)?);
            }
            relative.push(attributes);
        }
        Ok(Self { der: der.to_vec(), relative })
    }

    /// The DER, as read or as built.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// All attributes, in DER order.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.relative.iter().flatten()
    }

    /// The last (most specific) common name.
    pub fn common_name(&self) -> Option<&str> {
        let names = self.attributes().filter(|attribute| attribute.kind == AttributeType::CommonName);
        names.last().map(|attribute| attribute.value.as_str())
    }

    /// The first value of this kind, in DER order.
    pub fn first(&self, kind: &AttributeType) -> Option<&str> {
        self.attributes().find(|attribute| attribute.kind == *kind).map(|attribute| attribute.value.as_str())
    }

    /// Whether there is no attribute at all.
    pub fn is_empty(&self) -> bool {
        self.attributes().next().is_none()
    }

    /// Whether a value has NUL, ESC or another control character in it; such a name is never matched with.
    pub fn has_control_characters(&self) -> bool {
        self.attributes().any(|attribute| attribute.value.chars().any(char::is_control))
    }
}

/// Checks a value and writes its AttributeTypeAndValue.
fn encode(attribute: &Attribute) -> Result<Vec<u8>, Refusal> {
    let Attribute { kind, value } = attribute;
    let name = kind.short_name();
    let oid = tlv::oid_from_dotted(kind.oid()).ok_or_else(|| not_an_oid(name))?;
    let (max, encoding) = kind.row().map_or((MAX_OTHER, Encoding::Utf8), |row| (row.max, row.encoding));
    if value.chars().any(char::is_control) {
        let what = format!("{name} contains a control character");
        return Err(Refusal::new("name.control_char", what, "Type the value again, on one line."));
    }
    if *kind == AttributeType::Country && !is_country(value) {
        return Err(country_refusal(value));
    }
    let length = value.chars().count();
    if length > max {
        let what = format!("{name} has {length} characters, {max} are allowed");
        return Err(Refusal::new("name.too_long", what, "Shorten it."));
    }
    let tag = match encoding {
        Encoding::Printable if value.bytes().all(is_printable) => tag::PRINTABLE_STRING,
        Encoding::Printable => {
            let what = format!("{name} contains a character that is not allowed there");
            let repair = "Use only the letters A to Z, digits, spaces and ' ( ) + , - . / : = ?";
            return Err(Refusal::new("name.not_printable", what, repair));
        }
        Encoding::Ia5 if value.is_ascii() => tag::IA5_STRING,
        Encoding::Ia5 => {
            let what = format!("{name} contains a character beyond ASCII");
            let repair = "Write it in ASCII; a domain in its xn-- form.";
            return Err(Refusal::new("name.not_ascii", what, repair));
        }
        Encoding::Utf8 => tag::UTF8_STRING,
    };
    Ok(tlv::sequence(&[&tlv::oid(&oid), &tlv::tlv(tag, &[value.as_bytes()])]))
}

fn not_an_oid(name: &str) -> Refusal {
    let what = format!("{} is not an object identifier", inert(name));
    Refusal::new("name.attribute", what, "Write it as numbers with dots between, like 2.5.4.97.")
}

fn is_country(value: &str) -> bool {
    value.len() == 2 && value.bytes().all(|letter| letter.is_ascii_uppercase())
}

fn country_refusal(value: &str) -> Refusal {
    let trimmed = value.trim().to_ascii_uppercase();
    let repair = match trimmed.as_str() {
        "UK" => "Write the ISO 3166 code, for the United Kingdom GB.".to_owned(),
        code if is_country(code) => format!("Write {code}."),
        _ => "Write the two capital letters of its ISO 3166 code, like FI, EE or DE.".to_owned(),
    };
    Refusal::new("name.country", "the country is not a code of two capital letters", repair)
}

fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

/// Reads the content of an AttributeTypeAndValue.
fn decode(content: &[u8]) -> Result<Attribute, Refusal> {
    let mut reader = Reader::new(content);
    let oid = reader.expect(tag::OID)?.value;
    let value = reader.any()?;
    reader.end()?;
    let text = text(value.tag, value.value).unwrap_or_else(|| format!("#{}", hex(value.whole)));
    Ok(Attribute { kind: AttributeType::of_oid(tlv::oid_to_dotted(oid)?), value: text })
}

/// The text of a string type; `None` when it is another type or its octets do not belong to its character
/// set.
fn text(tag: u8, octets: &[u8]) -> Option<String> {
    match tag {
        tag::UTF8_STRING => String::from_utf8(octets.to_vec()).ok(),
        // TeletexString is read as Latin-1, as everyone does; the others are ASCII, but some CAs slipped
        // Latin-1 in.
        tag::PRINTABLE_STRING
        | tag::IA5_STRING
        | tag::NUMERIC_STRING
        | tag::VISIBLE_STRING
        | tag::TELETEX_STRING => Some(octets.iter().map(|octet| char::from(*octet)).collect()),
        tag::BMP_STRING => {
            let (units, rest) = octets.as_chunks::<2>();
            let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            if rest.is_empty() { String::from_utf16(&units).ok() } else { None }
        }
        tag::UNIVERSAL_STRING => {
            let (units, rest) = octets.as_chunks::<4>();
            let chars = units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit)));
            if rest.is_empty() { chars.collect() } else { None }
        }
        _ => None,
    }
}

impl fmt::Display for DistinguishedName {
    /// Most specific first, as the JDK writes it: `CN=leaf, O="Acme, Inc.", C=FI`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, attributes) in self.relative.iter().rev().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            for (index, attribute) in attributes.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { " + " })?;
                write!(f, "{}=", attribute.kind)?;
                write_value(f, &attribute.value)?;
            }
        }
        Ok(())
    }
}

/// Characters of a value that are shown: more than any kind of attribute may have.
const LONGEST_SHOWN: usize = 1024;

fn write_value(f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
    let value = shortened(value, LONGEST_SHOWN);
    let special = |c| matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';');
    if !(value.contains(special) || value.starts_with(' ') || value.ends_with(' ')) {
        return f.write_str(&inert(&value));
    }
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
    write!(f, "\"{}\"", inert(&escaped))
}

/// A text that is safe to show anywhere: control characters and marks that change the direction of writing or
/// cannot be seen become `\u{..}`.
pub fn inert(text: &str) -> Cow<'_, str> {
    if !text.contains(is_active) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_active(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// The beginning of a text that is longer than so many characters, with a mark that more was there.
pub(crate) fn shortened(text: &str, characters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(characters) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Control characters, line separators, marks and overrides of direction, and what cannot be seen: the
/// Default_Ignorable_Code_Points of Unicode but the selectors of variants, which emoji need, and annotations.
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests;
