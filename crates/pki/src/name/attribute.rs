//! The kinds of attributes: names, object identifiers, limits and encodings, one row each.

use std::fmt;
use std::str::FromStr;

use super::inert;
use crate::{Refusal, tlv};

/// What an attribute says. Each but the last has a row with its object identifier, names and limits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AttributeType {
    /// Two-letter code of a country (ISO 3166).
    Country,
    /// State or province, in full.
    State,
    /// Town.
    Locality,
    /// Organisation.
    Organization,
    /// Unit of the organisation.
    OrganizationalUnit,
    /// Common name: what people call it; often a host name.
    CommonName,
    /// Serial number of the subject (a register code, a device), not of the certificate.
    SerialNumber,
    /// E-mail address, an old habit; new ones belong among the alternative names.
    Email,
    /// One label of a domain name.
    DomainComponent,
    /// First name.
    GivenName,
    /// Family name.
    Surname,
    /// Title.
    Title,
    /// Kind of business (EV certificates; X-Road's member class).
    BusinessCategory,
    /// Identifier of the organisation (ETSI EN 319 412-1).
    OrganizationIdentifier,
    /// Any other, by dotted object identifier.
    Other(String),
}

/// How values of a kind are encoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Printable,
    Ia5,
    Utf8,
}

pub(super) struct Row {
    pub(super) kind: AttributeType,
    pub(super) oid: &'static str,
    pub(super) short: &'static str,
    pub(super) long: &'static str,
    /// Upper bound in characters (RFC 5280, appendix A.1; X.520).
    pub(super) max: usize,
    pub(super) encoding: Encoding,
}

const fn row(
    kind: AttributeType,
    oid: &'static str,
    names: (&'static str, &'static str),
    max: usize,
    encoding: Encoding,
) -> Row {
    Row { kind, oid, short: names.0, long: names.1, max, encoding }
}

pub(super) static ROWS: [Row; 14] = {
    use AttributeType as A;
    use Encoding::{Ia5, Printable, Utf8};
    [
        row(A::Country, "2.5.4.6", ("C", "countryName"), 2, Printable),
        row(A::State, "2.5.4.8", ("ST", "stateOrProvinceName"), 128, Utf8),
        row(A::Locality, "2.5.4.7", ("L", "localityName"), 128, Utf8),
        row(A::Organization, "2.5.4.10", ("O", "organizationName"), 64, Utf8),
        row(A::OrganizationalUnit, "2.5.4.11", ("OU", "organizationalUnitName"), 64, Utf8),
        row(A::CommonName, "2.5.4.3", ("CN", "commonName"), 64, Utf8),
        row(A::SerialNumber, "2.5.4.5", ("serialNumber", "serialNumber"), 64, Printable),
        row(A::Email, "1.2.840.113549.1.9.1", ("emailAddress", "email"), 255, Ia5),
        row(A::DomainComponent, "0.9.2342.19200300.100.1.25", ("DC", "domainComponent"), 63, Ia5),
        row(A::GivenName, "2.5.4.42", ("GN", "givenName"), 64, Utf8),
        row(A::Surname, "2.5.4.4", ("SN", "surname"), 64, Utf8),
        row(A::Title, "2.5.4.12", ("title", "title"), 64, Utf8),
        row(A::BusinessCategory, "2.5.4.15", ("businessCategory", "businessCategory"), 128, Utf8),
        row(
            A::OrganizationIdentifier,
            "2.5.4.97",
            ("organizationIdentifier", "organizationIdentifier"),
            256,
            Utf8,
        ),
    ]
};

/// The bound for kinds that we know nothing about (RFC 5280's `ub-name` is 32768; nobody means that).
pub(super) const MAX_OTHER: usize = 1024;

impl AttributeType {
    /// The dotted object identifier.
    pub fn oid(&self) -> &str {
        match self {
            Self::Other(dotted) => dotted,
            known => known.row().map_or("", |row| row.oid),
        }
    }

    /// The usual short name (`CN`, `O`, `serialNumber`), or the dotted object identifier.
    pub fn short_name(&self) -> &str {
        match self {
            Self::Other(dotted) => dotted,
            known => known.row().map_or("", |row| row.short),
        }
    }

    /// The kind with this dotted object identifier.
    pub(super) fn of_oid(dotted: String) -> Self {
        let row = ROWS.iter().find(|row| row.oid == dotted);
        row.map_or(Self::Other(dotted), |row| row.kind.clone())
    }

    pub(super) fn row(&self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.kind == *self)
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short_name())
    }
}

impl FromStr for AttributeType {
    type Err = Refusal;

    /// Takes a short or long name in any case, or a dotted object identifier (also as `OID.1.2.3`).
    /// Refuses anything else: `name.attribute`.
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let name = text.trim();
        let named = |row: &&Row| row.short.eq_ignore_ascii_case(name) || row.long.eq_ignore_ascii_case(name);
        if let Some(row) = ROWS.iter().find(named) {
            return Ok(row.kind.clone());
        }
        if name.eq_ignore_ascii_case("S") {
            return Ok(Self::State);
        }
        let bare = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("OID."));
        let dotted = if bare { &name[4..] } else { name };
        match tlv::oid_from_dotted(dotted) {
            Some(_) => Ok(Self::of_oid(dotted.to_owned())),
            None => Err(Refusal::new(
                "name.attribute",
                format!("{} is not a part of a name that we know", inert(name)),
                "Use C, ST, L, O, OU, CN, serialNumber, emailAddress, DC or a dotted object identifier.",
            )),
        }
    }
}
