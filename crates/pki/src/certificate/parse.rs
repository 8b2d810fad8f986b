//! From DER to the fields of a certificate, refusing what must not be let in.
//!
//! Order of the checks: framing, structure, counts, size, then the key, which alone may cost some microseconds.

use std::ops::Range;
use std::sync::OnceLock;

use super::extension::Extensions;
use super::{Fields, MAX_CERTIFICATE, Outline, Places};
use crate::public_key::{Care, whole_octets};
use crate::signature_algorithm::SignatureAlgorithm;
use crate::tlv::{Reader, Tlv, only, tag, unexpected};
use crate::{DistinguishedName, Fingerprint, PublicKey, Refusal, UnixTime, format};

pub(super) fn parse(der: &[u8], care: Care) -> Result<Fields, Refusal> {
    format::der::check(der)?;
    let outer = Outer::read(der).map_err(|_| syntax("certificate"))?;
    let inner = Inner::read(outer.signed.value).map_err(|_| syntax("tbsCertificate"))?;
    if inner.algorithm.whole != outer.algorithm.whole {
        return Err(Refusal::new(
            "cert.sigalg_mismatch",
            "the signature algorithm inside the certificate is not the one outside",
            "Ask the issuer for a sound certificate.",
        ));
    }
    let extensions = Extensions::read(inner.extensions)?;
    if der.len() > MAX_CERTIFICATE {
        return Err(too_large(der.len()));
    }
    let algorithm = SignatureAlgorithm::parse(outer.algorithm.whole);
    refuse_broken_digest(algorithm)?;
    let (not_before, not_after) = validity(inner.validity)?;
    let issuer = DistinguishedName::from_der(inner.issuer.whole).map_err(|refusal| refusal.at("issuer"))?;
    let subject =
        DistinguishedName::from_der(inner.subject.whole).map_err(|refusal| refusal.at("subject"))?;
    if let Some(refusal) = extensions.names.iter().find_map(|name| name.idna_refusal()) {
        return Err(refusal);
    }
    let public_key =
        PublicKey::read(inner.public_key.whole, care).map_err(|refusal| at(refusal, "public key"))?;
    let places = Places {
        signed: place(der, outer.signed.whole),
        algorithm: place(der, outer.algorithm.whole),
        signature: place(der, outer.signature),
    };
    Ok(Fields {
        der: der.to_vec(),
        fingerprint: Fingerprint::of_der(der),
        places,
        version: inner.version,
        algorithm,
        serial: inner.serial.value.to_vec(),
        self_issued: subject.matches(&issuer),
        issuer,
        subject,
        not_before,
        not_after,
        public_key,
        extensions,
        self_signed: OnceLock::new(),
    })
}

/// What can be told of one that is refused; none where not even the fields can be told apart.
pub(super) fn outline(der: &[u8]) -> Option<Outline> {
    let outer = Outer::read(der).ok()?;
    let inner = Inner::read(outer.signed.value).ok()?;
    let mut times = Reader::new(inner.validity.value);
    let mut next = || times.any().ok().and_then(parse_time);
    Some(Outline {
        fingerprint: Fingerprint::of_der(der),
        subject: DistinguishedName::from_der(inner.subject.whole).ok(),
        issuer: DistinguishedName::from_der(inner.issuer.whole).ok(),
        serial: inner.serial.value.to_vec(),
        not_before: next(),
        not_after: next(),
    })
}

/// Certificate (RFC 5280, 4.1.1).
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

/// TBSCertificate (RFC 5280, 4.1.2).
struct Inner<'a> {
    /// As it is written: 0 for version 1, also where it is left out.
    version: u8,
    serial: Tlv<'a>,
    algorithm: Tlv<'a>,
    issuer: Tlv<'a>,
    validity: Tlv<'a>,
    subject: Tlv<'a>,
    public_key: Tlv<'a>,
    extensions: Option<Tlv<'a>>,
}

impl<'a> Inner<'a> {
    fn read(content: &'a [u8]) -> Result<Self, Refusal> {
        let mut fields = Reader::new(content);
        let version = match fields.optional(tag::constructed(0))? {
            None => 0,
            // Versions 1 to 3; there are no others.
            Some(version) => match only(version.value, tag::INTEGER)?.value {
                [written @ 0..=2] => *written,
                _ => return Err(unexpected()),
            },
        };
        let serial = fields.expect(tag::INTEGER)?;
        let algorithm = fields.expect(tag::SEQUENCE)?;
        let issuer = fields.expect(tag::SEQUENCE)?;
        let validity = fields.expect(tag::SEQUENCE)?;
        let subject = fields.expect(tag::SEQUENCE)?;
        let public_key = fields.expect(tag::SEQUENCE)?;
        fields.optional(tag::context(1))?;
        fields.optional(tag::context(2))?;
        let extensions = fields.optional(tag::constructed(3))?;
        fields.end()?;
        Ok(Self { version, serial, algorithm, issuer, validity, subject, public_key, extensions })
    }
}

/// Where `part`, a piece of `whole`, stands in it.
fn place(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

fn refuse_broken_digest(algorithm: Option<SignatureAlgorithm>) -> Result<(), Refusal> {
    match algorithm {
        Some(known) if known.digest.is_broken() => Err(Refusal::new(
            "sig.broken",
            format!("it is signed with {}, which anybody can forge", known.name()),
            "Ask the issuer for a new certificate, signed with SHA-256.",
        )),
        Some(_) | None => Ok(()),
    }
}

fn validity(validity: Tlv<'_>) -> Result<(UnixTime, UnixTime), Refusal> {
    let mut fields = Reader::new(validity.value);
    let mut next = || fields.any().ok().and_then(parse_time);
    let (Some(not_before), Some(not_after)) = (next(), next()) else {
        return Err(bad_validity("its validity is not given as times"));
    };
    if !fields.is_empty() {
        return Err(bad_validity("its validity is given by more than two times"));
    }
    if not_after < not_before {
        return Err(bad_validity("its validity ends before it begins"));
    }
    Ok((not_before, not_after))
}

fn bad_validity(what: &str) -> Refusal {
    Refusal::new("cert.validity", what, "Ask the issuer for a new certificate.").at("validity")
}

/// UTCTime `YYMMDDHHMMSSZ` or GeneralizedTime `YYYYMMDDHHMMSSZ` (RFC 5280, 4.1.2.5).
pub(crate) fn parse_time(element: Tlv<'_>) -> Option<UnixTime> {
    let (year_digits, text) = match element.tag {
        tag::UTC_TIME => (2, element.value),
        tag::GENERALIZED_TIME => (4, element.value),
        _ => return None,
    };
    let (digits, zone) = text.split_at_checked(year_digits + 10)?;
    if zone != b"Z" || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |digits: &[u8]| digits.iter().fold(0_u16, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    let (year, rest) = digits.split_at(year_digits);
    let year = match (year_digits, number(year)) {
        (2, short @ 50..) => 1900 + short,
        (2, short) => 2000 + short,
        (_, full) => full,
    };
    // Two digits each: they fit an octet.
    let part = |index: usize| number(&rest[2 * index..2 * index + 2]) as u8;
    let month = time::Month::try_from(part(0)).ok()?;
    let date = time::Date::from_calendar_date(i32::from(year), month, part(1)).ok()?;
    let moment = date.with_hms(part(2), part(3), part(4)).ok()?;
    Some(UnixTime(moment.assume_utc().unix_timestamp()))
}

pub(super) fn syntax(place: &str) -> Refusal {
    Refusal::new(
        "cert.syntax",
        "the certificate is not built as RFC 5280 prescribes",
        "Ask the issuer for a sound certificate.",
    )
    .at(place)
}

/// Names the place if the refusal did not do so itself.
fn at(refusal: Refusal, place: &str) -> Refusal {
    if refusal.place.is_empty() { refusal.at(place) } else { refusal }
}

fn too_large(length: usize) -> Refusal {
    Refusal::new(
        "input.too_large",
        format!("the certificate has {length} bytes; at most {MAX_CERTIFICATE} are taken"),
        "Ask the issuer for a certificate with fewer names.",
    )
}
