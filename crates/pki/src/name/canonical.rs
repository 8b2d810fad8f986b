//! When two names are the same name: letters in any case, spaces that do not count, any string type (RFC 5280, 7.1).

use super::{Attribute, DistinguishedName, decode};
use crate::Refusal;
use crate::tlv::{Reader, tag};

impl DistinguishedName {
    /// Whether both are the same name by RFC 5280, 7.1, however each is encoded.
    pub fn matches(&self, other: &Self) -> bool {
        if self.der == other.der {
            return true;
        }
        let mut pairs = self.relative.iter().zip(&other.relative);
        self.relative.len() == other.relative.len() && pairs.all(|(one, other)| is_same_relative(one, other))
    }

    /// Octets that are the same for all names that match; those of a name inside a directory subtree begin with
    /// those of the subtree.
    pub fn canonical(&self) -> Vec<u8> {
        self.relative.iter().flat_map(|relative| canonical_relative(relative)).collect()
    }
}

/// What [`DistinguishedName::canonical`] would have at its end for this RelativeDistinguishedName, given as the
/// content of its SET.
pub(crate) fn canonical_of_set(content: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut elements = Reader::new(content);
    let mut attributes = Vec::with_capacity(1);
    while !elements.is_empty() {
        attributes.push(decode(elements.expect(tag::SEQUENCE)?.value)?);
    }
    Ok(canonical_relative(&attributes))
}

fn is_same_relative(one: &[Attribute], other: &[Attribute]) -> bool {
    match (one, other) {
        ([one], [other]) => one.kind == other.kind && folded(&one.value).eq(folded(&other.value)),
        _ => one.len() == other.len() && canonical_relative(one) == canonical_relative(other),
    }
}

/// Every part has its length in front, so that no two different names run into the same octets.
fn canonical_relative(attributes: &[Attribute]) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = attributes.iter().map(canonical_attribute).collect();
    parts.sort_unstable();
    with_length(&parts.concat())
}

fn canonical_attribute(attribute: &Attribute) -> Vec<u8> {
    let value: String = folded(&attribute.value).collect();
    with_length(&[attribute.kind.oid().as_bytes(), &[0], value.as_bytes()].concat())
}

fn with_length(octets: &[u8]) -> Vec<u8> {
    // A name is part of an input of a few megabytes at most.
    let length = octets.len() as u64;
    [&length.to_be_bytes(), octets].concat()
}

/// Lower case; no spaces at the ends, one between words.
fn folded(value: &str) -> impl Iterator<Item = char> {
    value.split_whitespace().enumerate().flat_map(|(index, word)| {
        let space = (index > 0).then_some(' ');
        space.into_iter().chain(word.chars().flat_map(char::to_lowercase))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::AttributeType;
    use crate::tlv;

    fn name(attributes: &[(AttributeType, &str)]) -> DistinguishedName {
        let attributes =
            attributes.iter().map(|(kind, value)| Attribute::new(kind.clone(), *value)).collect();
        DistinguishedName::from_attributes(attributes).unwrap()
    }

    #[test]
    fn case_spaces_and_string_types_do_not_count() {
        use AttributeType::{CommonName, Country, Organization};
        let one = name(&[(Country, "FI"), (Organization, "Acme  Oy"), (CommonName, "Root Ca")]);
        let other = name(&[(Country, "FI"), (Organization, " acme oy "), (CommonName, "ROOT CA")]);
        assert!(one.matches(&other) && one.canonical() == other.canonical());
        let printable = tlv::sequence(&[&tlv::tlv(
            tag::SET,
            &[&tlv::sequence(&[&[6, 3, 0x55, 4, 3], &tlv::tlv(tag::PRINTABLE_STRING, &[b"X y"])])],
        )]);
        let printable = DistinguishedName::from_der(&printable).unwrap();
        assert!(printable.matches(&name(&[(CommonName, "x Y")])));
        for different in [
            name(&[(Organization, "Acme Oy"), (Country, "FI"), (CommonName, "Root Ca")]),
            name(&[(Country, "FI"), (Organization, "Acme Oy")]),
            name(&[(Country, "FI"), (Organization, "AcmeOy"), (CommonName, "Root Ca")]),
        ] {
            assert!(!one.matches(&different) && one.canonical() != different.canonical());
        }
    }

    #[test]
    fn a_subtree_is_a_beginning() {
        use AttributeType::{CommonName, Country};
        let whole = name(&[(Country, "FI"), (CommonName, "ab")]).canonical();
        assert!(whole.starts_with(&name(&[(Country, "FI")]).canonical()));
        assert!(!whole.starts_with(&name(&[(CommonName, "ab")]).canonical()));
        let longer = name(&[(Country, "FI"), (CommonName, "abc")]).canonical();
        assert!(!longer.starts_with(&whole));
        let relative = tlv::sequence(&[&[6, 3, 0x55, 4, 3], &tlv::tlv(tag::UTF8_STRING, &[b"AB"])]);
        let built = [name(&[(Country, "FI")]).canonical(), canonical_of_set(&relative).unwrap()].concat();
        assert_eq!(built, whole);
    }
}
