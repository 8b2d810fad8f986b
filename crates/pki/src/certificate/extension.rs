//! The extensions that we understand (RFC 5280, 4.2); the others are only counted and, if critical, named.

use crate::name::inert;
use crate::tlv::{Reader, Tlv, oid_to_dotted, only, tag};
use crate::{Refusal, SubjectAltName, format, san};

/// Alternative names in one certificate, at most: what public CAs issue is far below.
const MAX_NAMES: usize = 1000;
/// Subtrees in one nameConstraints, at most: checking costs names times subtrees (CVE-2025-58187).
const MAX_SUBTREES: usize = 250;

/// What the extensions say.
#[derive(Default)]
pub(super) struct Extensions {
    /// There are none at all: an old certificate of version 1.
    pub(super) is_absent: bool,
    pub(super) names: Vec<SubjectAltName>,
    pub(super) is_ca: bool,
    pub(super) path_len: Option<u32>,
    /// Bit 0 of RFC 5280 is the top bit.
    pub(super) key_usage: Option<u16>,
    pub(super) extended_usages: Vec<String>,
    pub(super) subject_key_id: Option<Vec<u8>>,
    pub(super) authority_key_id: Option<Vec<u8>>,
    /// Which certificate its issuer's is, where that is said beside the key identifier.
    pub(super) authority_certificate: AuthorityCertificate,
    pub(super) ca_issuer_urls: Vec<String>,
    pub(super) ocsp_urls: Vec<String>,
    pub(super) crl_urls: Vec<String>,
    /// Critical, and unknown to us: dotted identifiers.
    pub(super) unknown_critical: Vec<String>,
    pub(super) oddities: Oddities,
}

/// The certificate of an issuer, by who issued that and its serial number (RFC 5280, 4.2.1.1). Nobody needs it to
/// validate a path, so what is malformed in it counts as absent.
#[derive(Default)]
pub(super) struct AuthorityCertificate {
    /// The Name, in DER.
    pub(super) issuer: Option<Vec<u8>>,
    /// The INTEGER's octets.
    pub(super) serial: Option<Vec<u8>>,
}

/// What is well-formed and yet keeps clients away.
#[derive(Default)]
pub(super) struct Oddities {
    /// The extended key usage is there and empty, so that nothing is allowed.
    pub(super) allows_nothing: bool,
    /// The server must send an OCSP answer along (TLS feature, RFC 7633).
    pub(super) wants_stapling: bool,
    /// The poison of certificate transparency (RFC 6962, 3.1), critical as it must be.
    pub(super) is_precertificate: bool,
}

/// id-ce, 2.5.29: all extensions of RFC 5280 but those of id-pe.
const ID_CE: [u8; 2] = [0x55, 0x1d];
/// id-pe, 1.3.6.1.5.5.7.1.
const ID_PE: [u8; 7] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01];
/// id-ad, 1.3.6.1.5.5.7.48.
const ID_AD: [u8; 7] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30];

/// The poison of a precertificate, 1.3.6.1.4.1.11129.2.4.3.
const POISON: [u8; 10] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x03];
/// The TLS extensions that ask for an OCSP answer: status_request and status_request_v2.
const STATUS_REQUESTS: [&[u8]; 2] = [&[5], &[17]];

/// The number of registeredID among the GeneralNames: an object identifier without its tag.
const REGISTERED_ID: u8 = 8;

const USAGES: [&str; 9] = [
    "digitalSignature",
    super::NON_REPUDIATION,
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    super::KEY_CERT_SIGN,
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

const EXTENDED_USAGES: [(&str, &str); 9] = [
    ("1.3.6.1.5.5.7.3.1", super::SERVER_AUTH),
    ("1.3.6.1.5.5.7.3.2", super::CLIENT_AUTH),
    ("1.3.6.1.5.5.7.3.3", "codeSigning"),
    ("1.3.6.1.5.5.7.3.4", "emailProtection"),
    ("1.3.6.1.5.5.7.3.8", "timeStamping"),
    ("1.3.6.1.5.5.7.3.9", "OCSPSigning"),
    ("1.3.6.1.4.1.311.20.2.2", "smartcardLogon"),
    ("1.3.6.1.4.1.311.10.3.12", "documentSigning"),
    ("2.5.29.37.0", super::ANY_USAGE),
];

/// The names of the bits that are set.
pub(super) fn key_usage_names(bits: Option<u16>) -> Vec<&'static str> {
    let bits = bits.unwrap_or(0);
    let set = USAGES.iter().enumerate().filter(|(bit, _)| bits & (0x8000 >> bit) != 0);
    set.map(|(_, name)| *name).collect()
}

/// Whether the bit with this name is set.
pub(super) fn has_key_usage(bits: u16, wanted: &str) -> bool {
    let bit = USAGES.iter().position(|name| *name == wanted);
    bit.is_some_and(|bit| bits & (0x8000 >> bit) != 0)
}

impl Extensions {
    /// How many usages, addresses and identifiers it keeps.
    pub(super) fn entries(&self) -> usize {
        self.extended_usages.len()
            + self.ca_issuer_urls.len()
            + self.ocsp_urls.len()
            + self.crl_urls.len()
            + self.unknown_critical.len()
    }

    /// Reads the `[3]` field of a certificate that passed the DER gate.
    pub(super) fn read(field: Option<Tlv<'_>>) -> Result<Self, Refusal> {
        let mut read = Self { is_absent: field.is_none(), ..Self::default() };
        let Some(field) = field else { return Ok(read) };
        let list = only(field.value, tag::SEQUENCE).map_err(|_| super::parse::syntax("extensions"))?;
        let mut rest = Reader::new(list.value);
        let mut seen: Vec<&[u8]> = Vec::with_capacity(12);
        while !rest.is_empty() {
            let extension = Extension::read(&mut rest).map_err(|_| super::parse::syntax("extensions"))?;
            seen.push(extension.oid);
            read.take(&extension).map_err(|refusal| in_extension(refusal, extension.oid))?;
        }
        seen.sort_unstable();
        match seen.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(twice) => Err(duplicate(twice[0])),
            None => Ok(read),
        }
    }

    /// Understands one extension, or notes that nobody here does.
    fn take(&mut self, extension: &Extension<'_>) -> Result<(), Refusal> {
        let value = extension.value;
        match extension.known() {
            Known::SubjectAltName => self.names = read_names(checked(value)?)?,
            Known::BasicConstraints => (self.is_ca, self.path_len) = read_basic_constraints(checked(value)?)?,
            Known::KeyUsage => self.key_usage = Some(read_key_usage(checked(value)?)?),
            Known::ExtendedKeyUsage => {
                self.extended_usages = read_extended_usages(checked(value)?)?;
                self.oddities.allows_nothing = self.extended_usages.is_empty();
            }
            Known::SubjectKeyId => self.subject_key_id = Some(only(value, tag::OCTET_STRING)?.value.to_vec()),
            Known::AuthorityKeyId => {
                (self.authority_key_id, self.authority_certificate) = read_authority_key_id(checked(value)?)?;
            }
            Known::NameConstraints => count_subtrees(checked(value)?)?,
            Known::AuthorityAccess => self.read_access(checked(value)?)?,
            Known::CrlPoints => self.crl_urls.extend(read_crl_points(checked(value)?)?),
            Known::TlsFeature => self.oddities.wants_stapling = wants_stapling(checked(value)?),
            Known::Poison if extension.critical => self.oddities.is_precertificate = true,
            Known::Harmless => drop(checked(value)?),
            Known::No if extension.critical => self.unknown_critical.push(oid_to_dotted(extension.oid)?),
            Known::Poison | Known::No => {}
        }
        Ok(())
    }

    /// AuthorityInfoAccessSyntax (RFC 5280, 4.2.2.1).
    fn read_access(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let mut list = Reader::new(only(value, tag::SEQUENCE)?.value);
        while !list.is_empty() {
            let mut access = Reader::new(list.expect(tag::SEQUENCE)?.value);
            let method = access.expect(tag::OID)?.value;
            let location = access.any()?;
            if location.tag != tag::context(6) {
                continue;
            }
            match method.strip_prefix(&ID_AD) {
                Some([1]) => self.ocsp_urls.push(url(location.value)),
                Some([2]) => self.ca_issuer_urls.push(url(location.value)),
                Some(_) | None => {}
            }
        }
        Ok(())
    }
}

struct Extension<'a> {
    oid: &'a [u8],
    critical: bool,
    value: &'a [u8],
}

enum Known {
    SubjectAltName,
    BasicConstraints,
    KeyUsage,
    ExtendedKeyUsage,
    SubjectKeyId,
    AuthorityKeyId,
    NameConstraints,
    AuthorityAccess,
    /// cRLDistributionPoints, and freshestCRL, which is built alike.
    CrlPoints,
    TlsFeature,
    Poison,
    /// Known to clients, and without consequence here even when critical: policies, issuerAltName,
    /// subjectInfoAccess.
    Harmless,
    No,
}

impl<'a> Extension<'a> {
    fn read(list: &mut Reader<'a>) -> Result<Self, Refusal> {
        let mut fields = Reader::new(list.expect(tag::SEQUENCE)?.value);
        let oid = fields.expect(tag::OID)?.value;
        let critical = fields.optional(tag::BOOLEAN)?.is_some_and(|flag| flag.value != [0]);
        let value = fields.expect(tag::OCTET_STRING)?.value;
        fields.end()?;
        Ok(Self { oid, critical, value })
    }

    fn known(&self) -> Known {
        match (self.oid.strip_prefix(&ID_CE), self.oid.strip_prefix(&ID_PE)) {
            (Some([14]), _) => Known::SubjectKeyId,
            (Some([15]), _) => Known::KeyUsage,
            (Some([17]), _) => Known::SubjectAltName,
            (Some([19]), _) => Known::BasicConstraints,
            (Some([30]), _) => Known::NameConstraints,
            (Some([31 | 46]), _) => Known::CrlPoints,
            (Some([35]), _) => Known::AuthorityKeyId,
            (Some([37]), _) => Known::ExtendedKeyUsage,
            (_, Some([1])) => Known::AuthorityAccess,
            (_, Some([24])) => Known::TlsFeature,
            (Some([18 | 32 | 33 | 36 | 54]), _) | (_, Some([11])) => Known::Harmless,
            _ if self.oid == POISON => Known::Poison,
            _ => Known::No,
        }
    }
}

/// The value of an extension is DER of its own, inside an OCTET STRING that the outer gate does not open.
fn checked(value: &[u8]) -> Result<&[u8], Refusal> {
    format::der::check(value).map(|()| value)
}

fn read_names(value: &[u8]) -> Result<Vec<SubjectAltName>, Refusal> {
    let mut list = Reader::new(only(value, tag::SEQUENCE)?.value);
    let mut names = Vec::new();
    while !list.is_empty() {
        if names.len() == MAX_NAMES {
            return Err(Refusal::new(
                "limit.san_count",
                format!("the certificate has more than {MAX_NAMES} alternative names"),
                "Ask the issuer for several certificates with fewer names each.",
            ));
        }
        let name = list.any()?;
        if name.tag == tag::context(REGISTERED_ID) {
            format::der::check_oid(name.value)?;
        }
        names.push(san::read_general_name(name.tag, name.value, name.whole));
    }
    Ok(names)
}

fn read_basic_constraints(value: &[u8]) -> Result<(bool, Option<u32>), Refusal> {
    let mut fields = Reader::new(only(value, tag::SEQUENCE)?.value);
    let is_ca = fields.optional(tag::BOOLEAN)?.is_some_and(|flag| flag.value != [0]);
    let path_len = match fields.optional(tag::INTEGER)?.map(|length| length.value) {
        None => None,
        Some([first, ..]) if first & 0x80 != 0 => return Err(crate::tlv::unexpected()),
        // No chain is longer than this, so longer numbers mean the same.
        Some(octets) if octets.len() > 3 => Some(u32::MAX),
        Some(octets) => Some(octets.iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet))),
    };
    fields.end()?;
    Ok((is_ca, path_len))
}

fn read_key_usage(value: &[u8]) -> Result<u16, Refusal> {
    let bits = only(value, tag::BIT_STRING)?.value;
    let octet = |index: usize| u16::from(bits.get(index).copied().unwrap_or(0));
    Ok(octet(1) << 8 | octet(2))
}

fn read_extended_usages(value: &[u8]) -> Result<Vec<String>, Refusal> {
    let mut list = Reader::new(only(value, tag::SEQUENCE)?.value);
    let mut usages = Vec::new();
    while !list.is_empty() {
        let dotted = oid_to_dotted(list.expect(tag::OID)?.value)?;
        let known = EXTENDED_USAGES.iter().find(|(oid, _)| *oid == dotted);
        usages.push(known.map_or(dotted, |(_, name)| (*name).to_owned()));
    }
    Ok(usages)
}

/// Whether a TLS feature (RFC 7633, 4) demands an OCSP answer; what is none of its lists demands nothing.
fn wants_stapling(value: &[u8]) -> bool {
    let Ok(list) = only(value, tag::SEQUENCE) else { return false };
    let mut features = Reader::new(list.value);
    std::iter::from_fn(|| features.expect(tag::INTEGER).ok())
        .any(|feature| STATUS_REQUESTS.contains(&feature.value))
}

fn read_authority_key_id(value: &[u8]) -> Result<(Option<Vec<u8>>, AuthorityCertificate), Refusal> {
    let mut fields = Reader::new(only(value, tag::SEQUENCE)?.value);
    let id = fields.optional(tag::context(0))?.map(|id| id.value.to_vec());
    let names = fields.optional(tag::constructed(1)).ok().flatten();
    let serial = fields.optional(tag::context(2)).ok().flatten();
    let certificate = AuthorityCertificate {
        issuer: names.and_then(|names| first_directory_name(names.value)),
        serial: serial.map(|serial| serial.value.to_vec()),
    };
    Ok((id, certificate))
}

/// The first directoryName among GeneralNames, in DER.
fn first_directory_name(names: &[u8]) -> Option<Vec<u8>> {
    let mut names = Reader::new(names);
    let found = std::iter::from_fn(|| names.any().ok()).find(|name| name.tag == tag::constructed(4))?;
    Some(found.value.to_vec())
}

/// NameConstraints (RFC 5280, 4.2.1.10): only how many, so that whoever applies them can do so in bounded time.
fn count_subtrees(value: &[u8]) -> Result<(), Refusal> {
    let mut fields = Reader::new(only(value, tag::SEQUENCE)?.value);
    let mut count = 0;
    while !fields.is_empty() {
        let mut subtrees = Reader::new(fields.any()?.value);
        while !subtrees.is_empty() {
            subtrees.any()?;
            count += 1;
        }
    }
    if count <= MAX_SUBTREES {
        return Ok(());
    }
    Err(Refusal::new(
        "limit.name_constraints",
        format!("it has {count} name constraints; at most {MAX_SUBTREES} are taken"),
        "Ask the CA for a certificate with fewer constraints.",
    ))
}

/// CRLDistributionPoints (RFC 5280, 4.2.1.13): the URLs among the full names.
fn read_crl_points(value: &[u8]) -> Result<Vec<String>, Refusal> {
    let mut points = Reader::new(only(value, tag::SEQUENCE)?.value);
    let mut urls = Vec::new();
    while !points.is_empty() {
        let mut point = Reader::new(points.expect(tag::SEQUENCE)?.value);
        let Some(name) = point.optional(tag::constructed(0))? else {
            continue;
        };
        let Some(full) = Reader::new(name.value).optional(tag::constructed(0))? else {
            continue;
        };
        let mut names = Reader::new(full.value);
        while !names.is_empty() {
            let name = names.any()?;
            if name.tag == tag::context(6) {
                urls.push(url(name.value));
            }
        }
    }
    Ok(urls)
}

/// A URL is visible ASCII; anything else in it is written in percent form, which is how it would be sent.
fn url(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for octet in octets {
        match octet {
            0x21..=0x7e => text.push(char::from(*octet)),
            _ => text.push_str(&format!("%{octet:02X}")),
        }
    }
    text
}

fn in_extension(refusal: Refusal, oid: &[u8]) -> Refusal {
    let dotted = oid_to_dotted(oid).unwrap_or_default();
    let place = match refusal.place.as_str() {
        "" => format!("extension {dotted}"),
        inner => format!("extension {dotted}, {inner}"),
    };
    refusal.at(place)
}

fn duplicate(oid: &[u8]) -> Refusal {
    let dotted = oid_to_dotted(oid).unwrap_or_default();
    Refusal::new(
        "cert.ext_duplicate",
        "the certificate has the same extension twice",
        "Ask the issuer for a sound certificate.",
    )
    .at(format!("extension {}", inert(&dotted)))
}
