//! The entries of a CRL, read one after the other (RFC 5280, 5.3).

use std::collections::HashMap;

use super::scope::directory_name;
use crate::certificate::parse_time;
use crate::tlv::{Reader, Tlv, only, tag, unexpected};
use crate::{Certificate, DistinguishedName, Finding, Refusal, Severity, UnixTime};

/// ENUMERATED.
const ENUMERATED: u8 = 0x0a;
/// id-ce, 2.5.29.
const ID_CE: [u8; 2] = [0x55, 0x1d];

/// What a CRL says about a certificate that is on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Since when.
    pub at: UnixTime,
    /// Why.
    pub reason: Reason,
}

impl Revoked {
    /// `cert.revoked`, by a list whose signature is good.
    pub(super) fn finding(self, certificate: &Certificate) -> Finding {
        revoked(
            certificate,
            format!("the CA revoked this certificate on {} ({})", self.at, self.reason.name()),
        )
    }

    /// The same by a list that anybody may have written.
    pub(super) fn unchecked(self, certificate: &Certificate) -> Finding {
        let what = format!(
            "a revocation list names this certificate since {} ({}); its signature was not checked",
            self.at,
            self.reason.name()
        );
        let repair = "Give the certificate of the list's issuer too.".to_owned();
        Finding { severity: Severity::Warning, repair, ..revoked(certificate, what) }
    }
}

/// The error `cert.revoked`; `what` says by whom, when and why, as [`Crl::findings_about`](super::Crl::findings_about) did.
pub fn revoked(certificate: &Certificate, what: String) -> Finding {
    let repair = "Put another certificate in its place; rekey if the key may be known to others.".to_owned();
    let place = certificate.display_name();
    Finding { code: "cert.revoked", severity: Severity::Error, what, place, repair }
}

/// Why a certificate was revoked (RFC 5280, 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The issuer does not say.
    Unspecified,
    /// Somebody else may have the private key.
    KeyCompromise,
    /// Somebody else may have the CA's private key.
    CaCompromise,
    /// The subject's name or other words in the certificate changed.
    AffiliationChanged,
    /// There is a newer certificate.
    Superseded,
    /// It is no longer needed.
    CessationOfOperation,
    /// For the time being.
    CertificateHold,
    /// On a delta CRL: it is valid again.
    RemoveFromCrl,
    /// A right that it spoke of was withdrawn.
    PrivilegeWithdrawn,
    /// Somebody else may have the attribute authority's private key.
    AaCompromise,
}

impl Reason {
    /// The name in RFC 5280.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::RemoveFromCrl => "removeFromCRL",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        }
    }

    fn of_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Unspecified,
            1 => Self::KeyCompromise,
            2 => Self::CaCompromise,
            3 => Self::AffiliationChanged,
            4 => Self::Superseded,
            5 => Self::CessationOfOperation,
            6 => Self::CertificateHold,
            8 => Self::RemoveFromCrl,
            9 => Self::PrivilegeWithdrawn,
            10 => Self::AaCompromise,
            _ => return None,
        })
    }
}

/// Walks over the entries; borrows, and allocates nothing.
pub(super) struct Entries<'a> {
    rest: Reader<'a>,
}

/// One entry, its extensions not yet read.
struct Raw<'a> {
    serial: &'a [u8],
    at: UnixTime,
    extensions: Option<Tlv<'a>>,
}

/// What the extensions of an entry say.
struct Extensions<'a> {
    reason: Reason,
    /// GeneralNames: from here on, entries are about certificates of this issuer.
    issuer: Option<&'a [u8]>,
    has_unknown_critical: bool,
}

/// What one pass over all entries found.
pub(super) struct Summary {
    pub(super) count: usize,
    pub(super) has_unknown_critical: bool,
}

impl<'a> Entries<'a> {
    /// Begins at the first entry of the content of `revokedCertificates`.
    pub(super) fn new(content: &'a [u8]) -> Self {
        Self { rest: Reader::new(content) }
    }

    /// Checks every entry.
    pub(super) fn summary(mut self) -> Result<Summary, Refusal> {
        let mut summary = Summary { count: 0, has_unknown_critical: false };
        while let Some(raw) = self.next()? {
            let extensions = Extensions::read(raw.extensions)?;
            if let Some(names) = extensions.issuer {
                named_issuer(names)?;
            }
            summary.count += 1;
            summary.has_unknown_critical |= extensions.has_unknown_critical;
        }
        Ok(summary)
    }

    /// Finds the entry for a certificate; entries without certificateIssuer are about the issuer that was named last,
    /// at first the list's own (RFC 5280, 5.3.3).
    pub(super) fn find(
        mut self,
        serial: &[u8],
        issuer: &DistinguishedName,
        own_issuer: &DistinguishedName,
    ) -> Option<Revoked> {
        let mut is_about_issuer = issuer.matches(own_issuer);
        let wanted = issuer.canonical();
        // All were read without a fault when the list was parsed.
        while let Ok(Some(raw)) = self.next() {
            let extensions = Extensions::read(raw.extensions).ok()?;
            if let Some(names) = extensions.issuer {
                is_about_issuer = named_issuer(names).is_ok_and(|named| named.contains(&wanted));
            }
            if is_about_issuer && raw.serial == serial {
                return Some(Revoked { at: raw.at, reason: extensions.reason });
            }
        }
        None
    }

    /// As [`Self::find`], for all that are wanted, in one pass.
    pub(super) fn find_all(mut self, wanted: &mut Wanted<'_>, own_issuer: &DistinguishedName) {
        let mut about = wanted.of(&[own_issuer.canonical()]);
        // All were read without a fault when the list was parsed.
        while let Ok(Some(raw)) = self.next() {
            let Ok(extensions) = Extensions::read(raw.extensions) else { return };
            if let Some(names) = extensions.issuer {
                about = wanted.of(&named_issuer(names).unwrap_or_default());
            }
            wanted.found(&about, raw.serial, Revoked { at: raw.at, reason: extensions.reason });
        }
    }

    fn next(&mut self) -> Result<Option<Raw<'a>>, Refusal> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut fields = Reader::new(self.rest.expect(tag::SEQUENCE)?.value);
        let serial = fields.expect(tag::INTEGER)?.value;
        let at = parse_time(fields.any()?).ok_or_else(unexpected)?;
        let extensions = fields.optional(tag::SEQUENCE)?;
        fields.end()?;
        Ok(Some(Raw { serial, at, extensions }))
    }
}

/// Certificates that are looked for among the entries, by issuer and serial number: however many there are of each, no
/// entry costs more than a look-up.
pub(super) struct Wanted<'c> {
    /// The number of each issuer, by its canonical name.
    issuers: HashMap<Vec<u8>, usize>,
    /// For each issuer the places of its certificates, by their serial numbers.
    places: Vec<HashMap<&'c [u8], Vec<usize>>>,
    /// What was found, by the place of the certificate.
    pub(super) answers: Vec<Option<Revoked>>,
}

impl<'c> Wanted<'c> {
    /// Begins with the certificates to look for.
    pub(super) fn new(certificates: impl IntoIterator<Item = &'c Certificate>) -> Self {
        let mut wanted = Self { issuers: HashMap::new(), places: Vec::new(), answers: Vec::new() };
        for certificate in certificates {
            let next = wanted.places.len();
            let issuer = *wanted.issuers.entry(certificate.issuer().canonical()).or_insert(next);
            if issuer == next {
                wanted.places.push(HashMap::new());
            }
            wanted.places[issuer].entry(certificate.serial()).or_default().push(wanted.answers.len());
            wanted.answers.push(None);
        }
        wanted
    }

    /// The numbers of the issuers with these names.
    fn of(&self, names: &[Vec<u8>]) -> Vec<usize> {
        names.iter().filter_map(|name| self.issuers.get(name).copied()).collect()
    }

    /// The first entry about a certificate counts.
    fn found(&mut self, issuers: &[usize], serial: &[u8], revoked: Revoked) {
        for issuer in issuers {
            for place in self.places[*issuer].remove(serial).into_iter().flatten() {
                self.answers[place] = Some(revoked);
            }
        }
    }
}

impl<'a> Extensions<'a> {
    fn read(field: Option<Tlv<'a>>) -> Result<Self, Refusal> {
        let mut read = Self { reason: Reason::Unspecified, issuer: None, has_unknown_critical: false };
        let mut list = Reader::new(field.map_or(&[][..], |field| field.value));
        while !list.is_empty() {
            let mut fields = Reader::new(list.expect(tag::SEQUENCE)?.value);
            let oid = fields.expect(tag::OID)?.value;
            let critical = fields.optional(tag::BOOLEAN)?.is_some_and(|flag| flag.value != [0]);
            let value = fields.expect(tag::OCTET_STRING)?.value;
            fields.end()?;
            match oid.strip_prefix(&ID_CE) {
                Some([21]) => read.reason = reason(value)?,
                Some([29]) => read.issuer = Some(value),
                // holdInstructionCode and invalidityDate change nothing about the state.
                Some([23 | 24]) => {}
                Some(_) | None => read.has_unknown_critical |= critical,
            }
        }
        Ok(read)
    }
}

fn reason(value: &[u8]) -> Result<Reason, Refusal> {
    match only(value, ENUMERATED)?.value {
        [number] => Reason::of_number(*number).ok_or_else(unexpected),
        _ => Err(unexpected()),
    }
}

/// The directory names among GeneralNames, in canonical form.
fn named_issuer(general_names: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    let mut names = Reader::new(only(general_names, tag::SEQUENCE)?.value);
    let mut found = Vec::with_capacity(1);
    while !names.is_empty() {
        found.extend(directory_name(names.any()?)?);
    }
    Ok(found)
}
