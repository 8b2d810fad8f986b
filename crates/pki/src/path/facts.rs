//! What path validation wants to know of a certificate beyond what everybody asks: which extensions are there and
//! critical, name constraints, policies, distribution points (RFC 5280, 4.2).

use std::cell::OnceCell;

use super::name_constraints::NameConstraints;
use crate::crl::{PointName, directory_name, read_reasons};
use crate::tlv::{Reader, Tlv, oid_to_dotted, only, tag, unexpected};
use crate::{Certificate, Refusal, format};

/// id-ce, 2.5.29.
const ID_CE: [u8; 2] = [0x55, 0x1d];
/// id-pe, 1.3.6.1.5.5.7.1.
const ID_PE: [u8; 7] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01];

/// The content octets of an object identifier.
pub(super) type Oid = Vec<u8>;

/// An extension's value, and whether it is marked critical.
#[derive(Clone, Debug)]
pub(super) struct Marked<T> {
    pub(super) critical: bool,
    pub(super) value: T,
}

/// What the certificate says.
#[derive(Default)]
pub(super) struct Facts {
    /// As it is written: 2 for X.509 version 3.
    pub(super) version: u8,
    /// basicConstraints says `cA`.
    pub(super) basic_constraints: Option<Marked<bool>>,
    pub(super) has_key_usage: bool,
    /// How many purposes there are.
    pub(super) extended_usage: Option<Marked<usize>>,
    pub(super) subject_key_id: Option<Marked<()>>,
    pub(super) authority_key_id: Option<Marked<AuthorityKeyId>>,
    pub(super) alternative_names: Option<Marked<()>>,
    pub(super) name_constraints: Option<Marked<NameConstraints>>,
    pub(super) policies: Option<Vec<Oid>>,
    pub(super) mappings: Vec<(Oid, Oid)>,
    pub(super) policy_constraints: Option<Marked<PolicyConstraints>>,
    pub(super) inhibit_any_policy: Option<u32>,
    pub(super) crl_points: Vec<Point>,
    /// How many access descriptions there are.
    pub(super) authority_access: Option<Marked<usize>>,
    /// Critical, and not one that is understood here: a dotted identifier.
    pub(super) unknown_critical: Option<String>,
    /// See the method.
    pub(super) is_own_work: OnceCell<bool>,
}

/// AuthorityKeyIdentifier, as far as its form matters.
#[derive(Clone, Copy, Debug)]
pub(super) struct AuthorityKeyId {
    pub(super) has_key_id: bool,
    /// The issuer's own issuer or serial number is named.
    pub(super) names_certificate: bool,
}

/// PolicyConstraints (RFC 5280, 4.2.1.11).
#[derive(Clone, Copy, Debug)]
pub(super) struct PolicyConstraints {
    pub(super) require_explicit: Option<u32>,
    pub(super) inhibit_mapping: Option<u32>,
}

/// DistributionPoint (RFC 5280, 4.2.1.13).
pub(super) struct Point {
    pub(super) name: Option<PointName>,
    pub(super) reasons: Option<u16>,
    /// Canonical names of whoever issues the CRL, if that is not the certificate's issuer.
    pub(super) issuers: Option<Vec<Vec<u8>>>,
}

impl Facts {
    /// Reads what a certificate says; its framing and its plain fields were checked when it was parsed.
    ///
    /// # Errors
    /// `cert.syntax` when one of the extensions that only path validation reads is malformed.
    pub(super) fn read(certificate: &Certificate) -> Result<Self, Refusal> {
        let syntax = |_| {
            Refusal::new(
                "cert.syntax",
                "an extension is not built as RFC 5280 prescribes",
                "Ask the issuer for a sound certificate.",
            )
        };
        Self::read_fields(certificate.der()).map_err(syntax)
    }

    /// Whether its own key made the signature of `certificate`, whose facts these are; checked once.
    pub(super) fn is_own_work(&self, certificate: &Certificate) -> bool {
        *self.is_own_work.get_or_init(|| certificate.is_own_work())
    }

    fn read_fields(der: &[u8]) -> Result<Self, Refusal> {
        let mut facts = Self::default();
        let mut outer = Reader::new(only(der, tag::SEQUENCE)?.value);
        let mut fields = Reader::new(outer.expect(tag::SEQUENCE)?.value);
        if let Some(version) = fields.optional(tag::constructed(0))? {
            facts.version = only(version.value, tag::INTEGER)?.value.last().copied().unwrap_or(0);
        }
        while !fields.is_empty() {
            let field = fields.any()?;
            if field.tag == tag::constructed(3) {
                let mut list = Reader::new(only(field.value, tag::SEQUENCE)?.value);
                while !list.is_empty() {
                    facts.take(list.expect(tag::SEQUENCE)?)?;
                }
            }
        }
        Ok(facts)
    }

    fn take(&mut self, extension: Tlv<'_>) -> Result<(), Refusal> {
        let mut fields = Reader::new(extension.value);
        let oid = fields.expect(tag::OID)?.value;
        let critical = fields.optional(tag::BOOLEAN)?.is_some_and(|flag| flag.value != [0]);
        let value = fields.expect(tag::OCTET_STRING)?.value;
        let checked = || format::der::check(value).map(|()| value);
        let marked = || Some(Marked { critical, value: () });
        match (oid.strip_prefix(&ID_CE), oid.strip_prefix(&ID_PE)) {
            (Some([14]), _) => self.subject_key_id = marked(),
            (Some([15]), _) => self.has_key_usage = true,
            (Some([17]), _) => self.alternative_names = marked(),
            (Some([19]), _) => {
                let is_ca = Reader::new(only(value, tag::SEQUENCE)?.value).optional(tag::BOOLEAN)?;
                let value = is_ca.is_some_and(|flag| flag.value != [0]);
                self.basic_constraints = Some(Marked { critical, value });
            }
            (Some([30]), _) => {
                let value = NameConstraints::read(checked()?)?;
                self.name_constraints = Some(Marked { critical, value });
            }
            (Some([31]), _) => self.crl_points = read_points(checked()?)?,
            (Some([32]), _) => self.policies = Some(read_policies(checked()?)?),
            (Some([33]), _) => self.mappings = read_mappings(checked()?)?,
            (Some([35]), _) => {
                let value = AuthorityKeyId::read(checked()?)?;
                self.authority_key_id = Some(Marked { critical, value });
            }
            (Some([36]), _) => {
                let value = PolicyConstraints::read(checked()?)?;
                self.policy_constraints = Some(Marked { critical, value });
            }
            (Some([37]), _) => self.extended_usage = Some(Marked { critical, value: count(checked()?)? }),
            (Some([54]), _) => {
                self.inhibit_any_policy = Some(read_skip(only(checked()?, tag::INTEGER)?.value)?)
            }
            (_, Some([1])) => self.authority_access = Some(Marked { critical, value: count(checked()?)? }),
            // issuerAltName, freshestCRL, subjectInfoAccess and TLS feature: without consequence for a path.
            (Some([18 | 46]), _) | (_, Some([11 | 24])) => {}
            _ if critical => self.unknown_critical = Some(oid_to_dotted(oid)?),
            _ => {}
        }
        Ok(())
    }
}

impl AuthorityKeyId {
    fn read(value: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Reader::new(only(value, tag::SEQUENCE)?.value);
        let has_key_id = fields.optional(tag::context(0))?.is_some();
        Ok(Self { has_key_id, names_certificate: !fields.is_empty() })
    }
}

impl PolicyConstraints {
    fn read(value: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Reader::new(only(value, tag::SEQUENCE)?.value);
        let mut skip = |number| {
            fields
                .optional(tag::context(number))
                .and_then(|field| field.map(|field| read_skip(field.value)).transpose())
        };
        let (require_explicit, inhibit_mapping) = (skip(0)?, skip(1)?);
        fields.end()?;
        Ok(Self { require_explicit, inhibit_mapping })
    }
}

/// SkipCerts: not negative; no path is as long as the largest that fits.
fn read_skip(octets: &[u8]) -> Result<u32, Refusal> {
    match octets {
        [] => Err(unexpected()),
        [top, ..] if top & 0x80 != 0 => Err(unexpected()),
        long if long.len() > 3 => Ok(u32::MAX),
        short => Ok(short.iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet))),
    }
}

/// How many elements a SEQUENCE has.
fn count(value: &[u8]) -> Result<usize, Refusal> {
    let mut list = Reader::new(only(value, tag::SEQUENCE)?.value);
    let mut count = 0;
    while !list.is_empty() {
        list.any()?;
        count += 1;
    }
    Ok(count)
}

/// CertificatePolicies (RFC 5280, 4.2.1.4) without qualifiers; one policy twice is malformed.
fn read_policies(value: &[u8]) -> Result<Vec<Oid>, Refusal> {
    let mut list = Reader::new(only(value, tag::SEQUENCE)?.value);
    let mut policies = Vec::new();
    while !list.is_empty() {
        policies.push(Reader::new(list.expect(tag::SEQUENCE)?.value).expect(tag::OID)?.value.to_vec());
    }
    let count = policies.len();
    policies.sort_unstable();
    policies.dedup();
    if policies.is_empty() || policies.len() < count { Err(unexpected()) } else { Ok(policies) }
}

/// PolicyMappings (RFC 5280, 4.2.1.5).
fn read_mappings(value: &[u8]) -> Result<Vec<(Oid, Oid)>, Refusal> {
    let mut list = Reader::new(only(value, tag::SEQUENCE)?.value);
    let mut mappings = Vec::new();
    while !list.is_empty() {
        let mut pair = Reader::new(list.expect(tag::SEQUENCE)?.value);
        mappings.push((pair.expect(tag::OID)?.value.to_vec(), pair.expect(tag::OID)?.value.to_vec()));
        pair.end()?;
    }
    Ok(mappings)
}

fn read_points(value: &[u8]) -> Result<Vec<Point>, Refusal> {
    let mut list = Reader::new(only(value, tag::SEQUENCE)?.value);
    let mut points = Vec::new();
    while !list.is_empty() {
        let mut fields = Reader::new(list.expect(tag::SEQUENCE)?.value);
        let name =
            fields.optional(tag::constructed(0))?.map(|name| PointName::read(name.value)).transpose()?;
        let reasons = fields.optional(tag::context(1))?.map(|bits| read_reasons(bits.value));
        let issuers =
            fields.optional(tag::constructed(2))?.map(|names| read_directories(names.value)).transpose()?;
        fields.end()?;
        points.push(Point { name, reasons, issuers });
    }
    Ok(points)
}

fn read_directories(content: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    let mut names = Reader::new(content);
    let mut found = Vec::with_capacity(1);
    while !names.is_empty() {
        found.extend(directory_name(names.any()?)?);
    }
    Ok(found)
}
