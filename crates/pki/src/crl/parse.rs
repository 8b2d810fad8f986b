//! From DER to the fields of a CRL.

use std::ops::Range;

use super::entry::{Entries, Summary};
use super::scope::Scope;
use super::{Extensions, Fields, Places};
use crate::certificate::parse_time;
use crate::public_key::whole_octets;
use crate::signature_algorithm::SignatureAlgorithm;
use crate::tlv::{Reader, Tlv, oid_to_dotted, only, tag, unexpected};
use crate::{DistinguishedName, Fingerprint, Refusal, UnixTime, format};

/// id-ce, 2.5.29.
const ID_CE: [u8; 2] = [0x55, 0x1d];

pub(super) fn parse(der: &[u8]) -> Result<Fields, Refusal> {
    format::der::check(der)?;
    let outer = Outer::read(der).map_err(|_| syntax("CertificateList"))?;
    let inner = Inner::read(outer.signed.value).map_err(|_| syntax("tbsCertList"))?;
    if inner.algorithm.whole != outer.algorithm.whole {
        return Err(syntax("signature algorithm"));
    }
    if let Some(known) = SignatureAlgorithm::parse(outer.algorithm.whole).filter(|one| one.digest.is_broken())
    {
        let what = format!("the list is signed with {}, which anybody can forge", known.name());
        return Err(Refusal::new("sig.broken", what, "Ask the issuer for a list signed with SHA-256."));
    }
    let issuer = DistinguishedName::from_der(inner.issuer.whole).map_err(|_| syntax("issuer"))?;
    let entries = inner.entries.map_or(&[][..], |list| list.value);
    let Summary { count, has_unknown_critical } =
        Entries::new(entries).summary().map_err(|_| syntax("revokedCertificates"))?;
    let extensions = Extensions::read(inner.extensions)?;
    let places = Places {
        signed: place(der, outer.signed.whole),
        algorithm: place(der, outer.algorithm.whole),
        signature: place(der, outer.signature),
        entries: if entries.is_empty() { 0..0 } else { place(der, entries) },
    };
    Ok(Fields {
        der: der.to_vec(),
        fingerprint: Fingerprint::of_der(der),
        places,
        issuer,
        this_update: inner.this_update,
        next_update: inner.next_update,
        count,
        has_unknown_entries: has_unknown_critical,
        extensions,
    })
}

/// CertificateList (RFC 5280, 5.1.1).
struct Outer<'a> {
    signed: Tlv<'a>,
    algorithm: Tlv<'a>,
    signature: &'a [u8],
}

impl<'a> Outer<'a> {
    fn read(der: &'a [u8]) -> Result<Self, Refusal> {
        let mut fields = Reader::new(only(der, tag::SEQUENCE)?.value);
        let signed = fields.expect(tag::SEQUENCE)?;
        let algorithm = fields.expect(tag::SEQUENCE)?;
        let signature = whole_octets(fields.expect(tag::BIT_STRING)?)?;
        fields.end()?;
        Ok(Self { signed, algorithm, signature })
    }
}

/// TBSCertList (RFC 5280, 5.1.2).
struct Inner<'a> {
    algorithm: Tlv<'a>,
    issuer: Tlv<'a>,
    this_update: UnixTime,
    next_update: Option<UnixTime>,
    entries: Option<Tlv<'a>>,
    extensions: Option<Tlv<'a>>,
}

impl<'a> Inner<'a> {
    fn read(content: &'a [u8]) -> Result<Self, Refusal> {
        let mut fields = Reader::new(content);
        let version = fields.optional(tag::INTEGER)?;
        if version.is_some_and(|version| version.value != [1]) {
            return Err(unexpected());
        }
        let algorithm = fields.expect(tag::SEQUENCE)?;
        let issuer = fields.expect(tag::SEQUENCE)?;
        let this_update = parse_time(fields.any()?).ok_or_else(unexpected)?;
        let mut next_update = None;
        for kind in [tag::UTC_TIME, tag::GENERALIZED_TIME] {
            if let Some(time) = fields.optional(kind)? {
                next_update = Some(parse_time(time).ok_or_else(unexpected)?);
                break;
            }
        }
        let entries = fields.optional(tag::SEQUENCE)?;
        let extensions = fields.optional(tag::constructed(0))?;
        fields.end()?;
        Ok(Self { algorithm, issuer, this_update, next_update, entries, extensions })
    }
}

impl Extensions {
    fn read(field: Option<Tlv<'_>>) -> Result<Self, Refusal> {
        let mut read = Self::default();
        let Some(field) = field else { return Ok(read) };
        let list = only(field.value, tag::SEQUENCE).map_err(|_| syntax("crlExtensions"))?;
        let mut rest = Reader::new(list.value);
        let mut seen: Vec<&[u8]> = Vec::with_capacity(4);
        while !rest.is_empty() {
            let (oid, critical, value) = extension(&mut rest).map_err(|_| syntax("crlExtensions"))?;
            if is_read(oid) {
                format::der::check(value).map_err(|refusal| refusal.at("crlExtensions"))?;
            }
            read.take(oid, critical, value).map_err(|_| syntax("crlExtensions"))?;
            if seen.contains(&oid) || seen.len() > 100 {
                return Err(syntax("crlExtensions"));
            }
            seen.push(oid);
        }
        Ok(read)
    }

    /// Understands one extension, or notes that nobody here does.
    fn take(&mut self, oid: &[u8], critical: bool, value: &[u8]) -> Result<(), Refusal> {
        match oid.strip_prefix(&ID_CE) {
            Some([20]) => {
                self.number = Some(number(value)?);
                self.is_number_critical = critical;
            }
            Some([27]) => self.base = Some(number(value)?),
            Some([28]) => self.scope = Scope::read(value)?,
            Some([35]) => {
                let mut fields = Reader::new(only(value, tag::SEQUENCE)?.value);
                self.authority_key_id = fields.optional(tag::context(0))?.map(|id| id.value.to_vec());
            }
            // issuerAltName and freshestCRL change nothing about what the list says.
            Some([18 | 46]) => {}
            Some(_) | None if critical => self.unknown_critical.push(oid_to_dotted(oid)?),
            Some(_) | None => {}
        }
        Ok(())
    }
}

/// Whether the value of an extension is looked at: CRL number, base of a delta, scope, key of the issuer. The others are
/// octets of somebody else.
fn is_read(oid: &[u8]) -> bool {
    matches!(oid.strip_prefix(&ID_CE), Some([20 | 27 | 28 | 35]))
}

/// The next extension: its identifier, whether it is critical, and its value.
fn extension<'a>(list: &mut Reader<'a>) -> Result<(&'a [u8], bool, &'a [u8]), Refusal> {
    let mut fields = Reader::new(list.expect(tag::SEQUENCE)?.value);
    let oid = fields.expect(tag::OID)?.value;
    let critical = fields.optional(tag::BOOLEAN)?.is_some_and(|flag| flag.value != [0]);
    let value = fields.expect(tag::OCTET_STRING)?.value;
    fields.end()?;
    Ok((oid, critical, value))
}

/// A CRL number: not negative.
fn number(value: &[u8]) -> Result<Vec<u8>, Refusal> {
    match only(value, tag::INTEGER)?.value {
        [top, ..] if top & 0x80 != 0 => Err(unexpected()),
        octets => Ok(octets.to_vec()),
    }
}

/// Where `part`, a piece of `whole`, stands in it.
fn place(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

fn syntax(place: &str) -> Refusal {
    Refusal::new(
        "crl.syntax",
        "the CRL is not built as RFC 5280 prescribes",
        "Ask the issuer for a sound one.",
    )
    .at(place)
}
