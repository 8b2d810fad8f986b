//! Which certificates a CRL speaks of (RFC 5280, 5.2.5), and the names of the points where it is published.

use crate::name::canonical_of_set;
use crate::tlv::{Reader, Tlv, only, tag};
use crate::{DistinguishedName, Refusal};

/// Every reason that there is: bits 1 to 8 of ReasonFlags, bit 0 of RFC 5280 on top.
pub(crate) const ALL_REASONS: u16 = 0x7f80;

/// IssuingDistributionPoint; without the extension, everything that the issuer issued.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) point: Option<PointName>,
    pub(crate) only_users: bool,
    pub(crate) only_cas: bool,
    pub(crate) only_attributes: bool,
    pub(crate) reasons: Option<u16>,
    pub(crate) is_indirect: bool,
}

/// DistributionPointName (RFC 5280, 4.2.1.13), in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PointName {
    /// Any of these.
    Full(Vec<Vec<u8>>),
    /// To be put at the end of the name of the CRL's issuer.
    Relative(Vec<u8>),
}

impl Scope {
    /// Reads the value of the extension.
    pub(super) fn read(value: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Reader::new(only(value, tag::SEQUENCE)?.value);
        let point =
            fields.optional(tag::constructed(0))?.map(|name| PointName::read(name.value)).transpose()?;
        let mut flag = |number| {
            fields.optional(tag::context(number)).map(|flag| flag.is_some_and(|flag| flag.value != [0]))
        };
        let (only_users, only_cas) = (flag(1)?, flag(2)?);
        let reasons = fields.optional(tag::context(3))?.map(|bits| read_reasons(bits.value));
        let mut flag = |number| {
            fields.optional(tag::context(number)).map(|flag| flag.is_some_and(|flag| flag.value != [0]))
        };
        let (is_indirect, only_attributes) = (flag(4)?, flag(5)?);
        fields.end()?;
        Ok(Self { point, only_users, only_cas, only_attributes, reasons, is_indirect })
    }
}

impl PointName {
    /// Reads the content of `[0] DistributionPointName`.
    pub(crate) fn read(content: &[u8]) -> Result<Self, Refusal> {
        let mut choice = Reader::new(content);
        let name = choice.any()?;
        choice.end()?;
        if name.tag == tag::constructed(1) {
            return canonical_of_set(name.value).map(Self::Relative);
        }
        if name.tag != tag::constructed(0) {
            return Err(crate::tlv::unexpected());
        }
        let mut names = Reader::new(name.value);
        let mut full = Vec::with_capacity(1);
        while !names.is_empty() {
            full.push(canonical_general_name(names.any()?)?);
        }
        Ok(Self::Full(full))
    }

    /// The full names, for a CRL of the issuer with this canonical name.
    pub(crate) fn full(&self, issuer: &[u8]) -> Vec<Vec<u8>> {
        match self {
            Self::Full(names) => names.clone(),
            Self::Relative(end) => vec![named_directory(&[issuer, end].concat())],
        }
    }
}

/// The canonical GeneralName of a directory name, given in canonical form.
pub(crate) fn named_directory(canonical: &[u8]) -> Vec<u8> {
    [&[tag::constructed(4)], canonical].concat()
}

fn canonical_general_name(name: Tlv<'_>) -> Result<Vec<u8>, Refusal> {
    let directory = directory_name(name)?;
    Ok(directory.map_or_else(|| name.whole.to_vec(), |canonical| named_directory(&canonical)))
}

/// The canonical form of a GeneralName that is a directory name.
pub(crate) fn directory_name(name: Tlv<'_>) -> Result<Option<Vec<u8>>, Refusal> {
    if name.tag != tag::constructed(4) {
        return Ok(None);
    }
    DistinguishedName::from_der(name.value).map(|name| Some(name.canonical()))
}

/// Reads the content of ReasonFlags, a BIT STRING under a tag of its own; bits beyond the eighth do not exist.
pub(crate) fn read_reasons(content: &[u8]) -> u16 {
    let octet = |index: usize| u16::from(content.get(index).copied().unwrap_or(0));
    (octet(1) << 8 | octet(2)) & ALL_REASONS
}
