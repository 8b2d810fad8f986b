//! Name constraints: whom a CA may speak for (RFC 5280, 4.2.1.10; RFC 9525 for wildcards).
//!
//! A name of a kind that is constrained, and that cannot be understood, is refused: what cannot be compared is not
//! inside anything that is permitted.

use std::net::IpAddr;

use super::search::Budget;
use crate::name::{AttributeType, inert};
use crate::tlv::{Reader, Tlv, only, tag};
use crate::{Certificate, DistinguishedName, Refusal, SubjectAltName};

/// What one CA certificate says.
#[derive(Clone, Debug)]
pub(super) struct NameConstraints {
    permitted: Vec<Subtree>,
    excluded: Vec<Subtree>,
}

/// The base of one GeneralSubtree.
#[derive(Clone, Debug)]
struct Subtree {
    kind: Kind,
    base: Base,
}

/// The kinds of GeneralName, by their tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Dns,
    Email,
    Ip,
    Uri,
    Directory,
    /// A kind that we cannot compare.
    Other(u8),
}

#[derive(Clone, Debug)]
enum Base {
    /// Lower case.
    Dns(String),
    /// One mailbox: the part before the `@` as it stands, the host in lower case.
    Mailbox(String, String),
    /// All mailboxes, or URIs, of this host.
    Host(String),
    /// All mailboxes, or URIs, of hosts that end in this, which begins with a dot.
    Domain(String),
    Network {
        address: Vec<u8>,
        mask: Vec<u8>,
    },
    /// Canonical.
    Directory(Vec<u8>),
    /// Malformed, or of a kind that we cannot compare.
    Opaque,
}

/// One name in a certificate, ready to be compared.
enum Name<'a> {
    Dns(&'a str),
    Email(&'a str),
    Ip(IpAddr),
    Uri(&'a str),
    /// Canonical.
    Directory(Vec<u8>),
    /// Of a kind that we cannot compare, or malformed.
    Opaque(Kind),
}

impl NameConstraints {
    /// Reads the value of the extension.
    pub(super) fn read(value: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Reader::new(only(value, tag::SEQUENCE)?.value);
        let permitted = fields.optional(tag::constructed(0))?.map_or(Ok(Vec::new()), read_subtrees)?;
        let excluded = fields.optional(tag::constructed(1))?.map_or(Ok(Vec::new()), read_subtrees)?;
        fields.end()?;
        Ok(Self { permitted, excluded })
    }

    /// What is wrong with the extension itself, if anything is.
    pub(super) fn fault(&self) -> Option<&'static str> {
        if self.permitted.is_empty() && self.excluded.is_empty() {
            return Some("the name constraints are empty");
        }
        let is_malformed = |subtree: &&Subtree| match (&subtree.kind, &subtree.base) {
            (Kind::Other(_), _) => false,
            (_, Base::Opaque) => true,
            (Kind::Dns, Base::Dns(base)) => base.starts_with('.'),
            (Kind::Dns | Kind::Email | Kind::Ip | Kind::Uri | Kind::Directory, _) => false,
        };
        let all = self.permitted.iter().chain(&self.excluded);
        let malformed = all.filter(is_malformed).count() > 0;
        malformed.then_some("a name constraint is malformed")
    }

    /// The first name of `certificate` that this forbids, safe to show; `None` when all are allowed, or when the budget
    /// ends, which is noted in it.
    pub(super) fn forbids(&self, certificate: &Certificate, budget: &mut Budget) -> Option<String> {
        let subtrees = self.permitted.len() + self.excluded.len();
        let count = certificate.names().len() + 2;
        if !budget.charge(subtrees.saturating_mul(count)) {
            return None;
        }
        let subject = certificate.subject();
        let whole = (!subject.is_empty()).then(|| Name::Directory(subject.canonical()));
        if whole.is_some_and(|name| !self.allows(&name)) {
            return Some(subject.to_string());
        }
        let mut emails = subject.attributes().filter(|attribute| attribute.kind == AttributeType::Email);
        if let Some(forbidden) = emails.find(|email| !self.allows(&Name::Email(&email.value))) {
            return Some(inert(&forbidden.value).into_owned());
        }
        let forbidden = certificate.names().iter().find(|name| !self.allows(&Name::of(name)));
        forbidden.map(ToString::to_string)
    }

    fn allows(&self, name: &Name<'_>) -> bool {
        let kind = name.kind();
        let mut permitted = self.permitted.iter().filter(|subtree| subtree.kind == kind).peekable();
        let mut excluded = self.excluded.iter().filter(|subtree| subtree.kind == kind);
        let is_inside = permitted.peek().is_none() || permitted.any(|subtree| name.is_within(&subtree.base));
        is_inside && !excluded.any(|subtree| name.may_touch(&subtree.base))
    }
}

impl<'a> Name<'a> {
    fn of(name: &'a SubjectAltName) -> Self {
        match name {
            SubjectAltName::Dns(name) => Self::Dns(name),
            SubjectAltName::Email(address) => Self::Email(address),
            SubjectAltName::Ip(address) => Self::Ip(*address),
            SubjectAltName::Uri(uri) => Self::Uri(uri),
            SubjectAltName::Other { der, .. } => {
                let whole = Reader::new(der).any();
                let Ok(name) = whole else { return Self::Opaque(Kind::Other(0)) };
                match Kind::of_tag(name.tag) {
                    Kind::Directory => DistinguishedName::from_der(name.value)
                        .map_or(Self::Opaque(Kind::Directory), |name| Self::Directory(name.canonical())),
                    kind => Self::Opaque(kind),
                }
            }
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Dns(_) => Kind::Dns,
            Self::Email(_) => Kind::Email,
            Self::Ip(_) => Kind::Ip,
            Self::Uri(_) => Kind::Uri,
            Self::Directory(_) => Kind::Directory,
            Self::Opaque(kind) => *kind,
        }
    }

    /// Whether everything that the name stands for lies within the subtree.
    fn is_within(&self, base: &Base) -> bool {
        match (self, base) {
            (Self::Dns(name), Base::Dns(base)) => is_plain_dns(name) && is_in_domain(name, base),
            (Self::Email(address), _) => is_email_within(address, base).unwrap_or(false),
            (Self::Ip(address), Base::Network { address: network, mask }) => {
                is_in_network(*address, network, mask)
            }
            (Self::Uri(uri), _) => is_uri_within(uri, base).unwrap_or(false),
            (Self::Directory(name), Base::Directory(base)) => name.starts_with(base),
            (Self::Dns(_) | Self::Ip(_) | Self::Directory(_) | Self::Opaque(_), _) => false,
        }
    }

    /// Whether something that the name stands for may lie within the subtree.
    fn may_touch(&self, base: &Base) -> bool {
        match (self, base) {
            (_, Base::Opaque) => true,
            (Self::Dns(name), Base::Dns(base)) => {
                // A wildcard stands for every name with one label more.
                let stands_for = |wild: &str| base.split_once('.').is_some_and(|(_, rest)| rest == wild);
                !is_plain_dns(name)
                    || is_in_domain(name, base)
                    || name.strip_prefix("*.").is_some_and(stands_for)
            }
            (Self::Email(address), _) => is_email_within(address, base).unwrap_or(true),
            (Self::Uri(uri), _) => is_uri_within(uri, base).unwrap_or(true),
            (Self::Opaque(_), _) => true,
            (Self::Dns(_) | Self::Ip(_) | Self::Directory(_), _) => self.is_within(base),
        }
    }
}

impl Kind {
    fn of_tag(tag: u8) -> Self {
        match tag {
            0x81 => Self::Email,
            0x82 => Self::Dns,
            0x86 => Self::Uri,
            0x87 => Self::Ip,
            0xa4 => Self::Directory,
            other => Self::Other(other),
        }
    }
}

fn read_subtrees(list: Tlv<'_>) -> Result<Vec<Subtree>, Refusal> {
    let mut rest = Reader::new(list.value);
    let mut subtrees = Vec::new();
    while !rest.is_empty() {
        let mut subtree = Reader::new(rest.expect(tag::SEQUENCE)?.value);
        let name = subtree.any()?;
        let kind = Kind::of_tag(name.tag);
        // minimum and maximum are not used in RFC 5280; whoever sets them means something that we do not know.
        let base = if subtree.is_empty() { read_base(kind, name) } else { None };
        subtrees.push(Subtree { kind, base: base.unwrap_or(Base::Opaque) });
    }
    Ok(subtrees)
}

/// `None` when it is malformed.
fn read_base(kind: Kind, name: Tlv<'_>) -> Option<Base> {
    let text = || std::str::from_utf8(name.value).ok().filter(|text| text.is_ascii());
    match kind {
        Kind::Dns => {
            let base = text()?.to_ascii_lowercase();
            let labels = base.strip_prefix('.').unwrap_or(&base);
            (base.is_empty() || is_plain_dns(labels) && !labels.contains('*')).then_some(Base::Dns(base))
        }
        Kind::Email => read_email_base(text()?),
        Kind::Uri => read_host_base(text()?),
        Kind::Ip => read_network(name.value),
        Kind::Directory => {
            DistinguishedName::from_der(name.value).ok().map(|name| Base::Directory(name.canonical()))
        }
        Kind::Other(_) => None,
    }
}

fn read_email_base(text: &str) -> Option<Base> {
    match text.split_once('@') {
        Some((local, host)) if !local.is_empty() && is_plain_dns(host) => {
            Some(Base::Mailbox(local.to_owned(), host.to_ascii_lowercase()))
        }
        Some(_) => None,
        None => read_host_base(text),
    }
}

fn read_host_base(text: &str) -> Option<Base> {
    let host = text.to_ascii_lowercase();
    match host.strip_prefix('.') {
        Some(rest) if is_plain_dns(rest) => Some(Base::Domain(host)),
        None if is_plain_dns(&host) => Some(Base::Host(host)),
        Some(_) | None => None,
    }
}

fn read_network(octets: &[u8]) -> Option<Base> {
    let (address, mask) = octets.split_at(octets.len() / 2);
    let bits = mask.iter().fold(0_u128, |bits, octet| bits << 8 | u128::from(*octet));
    let host_bits = bits.trailing_zeros().min(mask.len() as u32 * 8);
    let is_contiguous = bits.count_ones() + host_bits == mask.len() as u32 * 8;
    (matches!(octets.len(), 8 | 32) && is_contiguous)
        .then(|| Base::Network { address: address.to_vec(), mask: mask.to_vec() })
}

/// Labels of host characters, none empty; a wildcard may be the first.
fn is_plain_dns(name: &str) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    let plain = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    name.split('.').all(plain)
}

/// Whether `name` is `base` or has further labels in front of it. Both are in lower case.
fn is_in_domain(name: &str, base: &str) -> bool {
    match name.strip_suffix(base) {
        Some(front) => front.is_empty() || base.is_empty() || base.starts_with('.') || front.ends_with('.'),
        None => false,
    }
}

fn is_in_network(address: IpAddr, network: &[u8], mask: &[u8]) -> bool {
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let mut triples = octets.iter().zip(network).zip(mask);
    octets.len() == network.len() && triples.all(|((octet, network), mask)| octet & mask == network & mask)
}

/// `None` when the address or the constraint is not understood.
fn is_email_within(address: &str, base: &Base) -> Option<bool> {
    let (local, host) = address.split_once('@')?;
    if local.is_empty() || !is_plain_dns(host) {
        return None;
    }
    let host = host.to_ascii_lowercase();
    match base {
        Base::Mailbox(wanted, domain) => Some(local == wanted && host == *domain),
        Base::Host(wanted) => Some(host == *wanted),
        Base::Domain(end) => Some(host.ends_with(end.as_str())),
        Base::Dns(_) | Base::Network { .. } | Base::Directory(_) | Base::Opaque => None,
    }
}

/// `None` when the URI has no host name (RFC 5280 then has it refused) or the constraint is not understood.
fn is_uri_within(uri: &str, base: &Base) -> Option<bool> {
    let authority = uri.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host_and_port.split(':').next()?.to_ascii_lowercase();
    if !is_plain_dns(&host) || host.parse::<IpAddr>().is_ok() {
        return None;
    }
    match base {
        Base::Host(wanted) => Some(host == *wanted),
        Base::Domain(end) => Some(host.ends_with(end.as_str())),
        Base::Mailbox(..) | Base::Dns(_) | Base::Network { .. } | Base::Directory(_) | Base::Opaque => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Attribute;
    use crate::tlv::{sequence, tlv};

    fn subtree(tag: u8, value: &[u8]) -> Vec<u8> {
        sequence(&[&tlv(tag, &[value])])
    }

    fn constraints(permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> NameConstraints {
        let list = |number, subtrees: &[Vec<u8>]| {
            if subtrees.is_empty() {
                Vec::new()
            } else {
                tlv(tag::constructed(number), &[&subtrees.concat()])
            }
        };
        NameConstraints::read(&sequence(&[&list(0, permitted), &list(1, excluded)])).unwrap()
    }

    /// Whether names are allowed where only, or all but, this subtree is.
    #[track_caller]
    fn assert_cut(tag: u8, base: &str, inside: &[&str], outside: &[&str]) {
        let base = subtree(tag, base.as_bytes());
        let (only, all_but) = (constraints(std::slice::from_ref(&base), &[]), constraints(&[], &[base]));
        for text in inside {
            let name = crate::san::read_general_name(tag, text.as_bytes(), &tlv(tag, &[text.as_bytes()]));
            assert!(only.allows(&Name::of(&name)) && !all_but.allows(&Name::of(&name)), "{text} is inside");
        }
        for text in outside {
            let name = crate::san::read_general_name(tag, text.as_bytes(), &tlv(tag, &[text.as_bytes()]));
            assert!(!only.allows(&Name::of(&name)) && all_but.allows(&Name::of(&name)), "{text} is outside");
        }
    }

    #[test]
    fn host_names_lie_within_their_domain() {
        let outside = ["example.org", "badexample.com", "com", "*.com.example"];
        assert_cut(
            0x82,
            "Example.com",
            &["example.com", "a.EXAMPLE.com", "*.example.com", "a.b.example.com"],
            &outside,
        );
        assert_cut(
            0x82,
            ".example.com",
            &["a.example.com", "*.example.com"],
            &["example.com", "a.example.org"],
        );
        assert_cut(0x82, "", &["example.com", "*.a"], &[]);
    }

    #[test]
    fn a_wildcard_is_neither_permitted_by_a_part_nor_saved_from_an_exclusion() {
        let base = subtree(0x82, b"a.example.com");
        let wild = SubjectAltName::Dns("*.example.com".to_owned());
        assert!(!constraints(std::slice::from_ref(&base), &[]).allows(&Name::of(&wild)));
        assert!(!constraints(&[], &[base]).allows(&Name::of(&wild)));
        assert!(constraints(&[], &[subtree(0x82, b"b.a.example.com")]).allows(&Name::of(&wild)));
    }

    #[test]
    fn mailboxes_hosts_and_domains_are_told_apart() {
        assert_cut(
            0x81,
            "u@example.com",
            &["u@example.com", "u@EXAMPLE.com"],
            &["U@example.com", "v@example.com"],
        );
        assert_cut(0x81, "*@example.com", &["*@example.com"], &["u@example.com", "*@a.example.com"]);
        assert_cut(0x81, "example.com", &["u@example.com"], &["u@a.example.com", "u@example.org"]);
        assert_cut(0x81, ".example.com", &["u@a.example.com"], &["u@example.com", "u@badexample.com"]);
        assert_cut(
            0x86,
            "example.com",
            &["http://example.com/x", "ldap://u@example.com:1?a"],
            &["http://a.example.com"],
        );
        assert_cut(0x86, ".example.com", &["http://a.example.com/"], &["http://example.com/.a.example.com"]);
    }

    #[test]
    fn networks_and_directories_have_their_subtrees() {
        let network = subtree(0x87, &[192, 0, 2, 0, 255, 255, 255, 0]);
        let (only, all_but) =
            (constraints(std::slice::from_ref(&network), &[]), constraints(&[], &[network]));
        for (address, inside) in [("192.0.2.7", true), ("192.0.3.7", false)] {
            let name = Name::Ip(address.parse().unwrap());
            assert!(only.allows(&name) == inside && all_but.allows(&name) != inside, "{address}");
        }
        assert!(!only.allows(&Name::Ip("::1".parse().unwrap())), "another family is not inside");
        let name = |attributes: &[(AttributeType, &str)]| {
            let attributes =
                attributes.iter().map(|(kind, value)| Attribute::new(kind.clone(), *value)).collect();
            DistinguishedName::from_attributes(attributes).unwrap()
        };
        let base = name(&[(AttributeType::Country, "FI"), (AttributeType::Organization, "acme")]);
        let only = constraints(&[subtree(0xa4, base.der())], &[]);
        let inside = name(&[
            (AttributeType::Country, "FI"),
            (AttributeType::Organization, " ACME"),
            (AttributeType::CommonName, "x"),
        ]);
        assert!(only.allows(&Name::Directory(inside.canonical())));
        assert!(!only.allows(&Name::Directory(name(&[(AttributeType::Country, "FI")]).canonical())));
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let only = constraints(&[subtree(0x82, b"example.com"), subtree(0x81, b"example.com")], &[]);
        for name in [
            SubjectAltName::Dns(".example.com".to_owned()),
            SubjectAltName::Email("a@b@example.com".to_owned()),
        ] {
            assert!(!only.allows(&Name::of(&name)), "{name:?}");
        }
        let other_kind = Name::Uri("urn:x");
        assert!(only.allows(&other_kind), "not constrained");
        assert!(!constraints(&[], &[subtree(0x86, b"example.com")]).allows(&other_kind));
        let other_name = SubjectAltName::Other { kind: "otherName", der: tlv(0xa0, &[&[6, 1, 42]]) };
        assert!(!constraints(&[], &[subtree(0xa0, &[6, 1, 42])]).allows(&Name::of(&other_name)));
        assert!(only.allows(&Name::of(&other_name)));
        let sound = |tag, value: &[u8]| constraints(&[subtree(tag, value)], &[]).fault().is_none();
        assert!(
            sound(0x82, b"example.com")
                && sound(0x87, &[10, 0, 0, 0, 255, 0, 0, 0])
                && sound(0xa0, &[6, 1, 42])
        );
        for (tag, value) in [
            (0x82, &b"*.example.com"[..]),
            (0x82, b".example.com"),
            (0x81, b"a@b@c"),
            (0x87, &[10, 0, 0, 0]),
            (0x87, &[10, 0, 0, 0, 255, 0, 255, 0]),
        ] {
            assert!(!sound(tag, value), "{value:?}");
        }
        assert!(constraints(&[], &[]).fault().is_some());
    }
}
