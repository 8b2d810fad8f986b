//! What TLS clients demand of the form of certificates beyond the validation of RFC 5280, 6: the profile in its
//! section 4 and the CA/B Baseline Requirements, as far as no sound certificate is refused by them.
//!
//! Not asked: an extended key usage in the leaf, critical name constraints, a leaf that is no CA. RFC 5280 allows
//! their absence, the Baseline Requirements do not, and private CAs live by the first.

use super::facts::Facts;
use super::peer;
use super::validate::{Link, Place};
use super::{Purpose, fault};
use crate::public_key::PublicKeyKind;
use crate::{Certificate, Refusal, SubjectAltName, san};

const KEY_CERT_SIGN: &str = "keyCertSign";
const ANY_USAGE: &str = "anyExtendedKeyUsage";

/// The first rule that this certificate breaks at its place in the path.
pub(super) fn check(link: &Link<'_>, place: Place, purpose: Purpose) -> Result<(), Refusal> {
    let rules = common(link).or_else(|| match place {
        Place::Anchor => authority(link).or_else(|| anchor(link, purpose)),
        Place::Intermediate => issued(link).or_else(|| authority(link)),
        Place::Leaf => issued(link).or_else(|| leaf(link, purpose)),
        Place::Alone => leaf(link, purpose),
    });
    match rules {
        None => Ok(()),
        Some((code, what)) => {
            let repair =
                "Ask the issuer for a sound certificate; clients differ in whether they take this one.";
            Err(fault(code, what, link.certificate, repair))
        }
    }
}

/// A code and what is wrong.
type Broken = Option<(&'static str, &'static str)>;

const PROFILE: &str = "cert.profile";

fn broken(is_broken: bool, what: &'static str) -> Broken {
    is_broken.then_some((PROFILE, what))
}

/// Of every certificate.
fn common(link: &Link<'_>) -> Broken {
    let facts = &*link.facts;
    broken(facts.version != 2, "it is not an X.509 certificate of version 3")
        .or_else(|| broken(link.certificate.issuer().is_empty(), "it does not name its issuer"))
        .or_else(|| {
            let is_other = matches!(link.certificate.public_key().kind(), PublicKeyKind::Other(_));
            is_other.then_some(("key.algorithm", "its key is of a kind that TLS clients do not take"))
        })
        .or_else(|| {
            let aki = facts.authority_key_id.as_ref().is_some_and(|one| one.critical);
            let ski = facts.subject_key_id.as_ref().is_some_and(|one| one.critical);
            broken(aki || ski, "a key identifier is marked critical")
        })
        .or_else(|| {
            let access = facts.authority_access.as_ref();
            let is_bad = access.is_some_and(|access| access.critical || access.value == 0);
            broken(is_bad, "the authority information access is critical or empty")
        })
        .or_else(|| {
            let usages = facts.extended_usage.as_ref();
            broken(usages.is_some_and(|usages| usages.value == 0), "the extended key usage is empty")
        })
}

/// Of everything that somebody issued to somebody else.
fn issued(link: &Link<'_>) -> Broken {
    let serial = link.certificate.serial();
    let is_positive = serial.first().is_some_and(|top| top & 0x80 == 0) && serial != [0];
    if !is_positive || serial.len() > 20 {
        return Some(("cert.serial", "its serial number is zero, negative or over 20 octets"));
    }
    let has_key_id = link.facts.authority_key_id.as_ref().is_some_and(|one| one.value.has_key_id);
    broken(!has_key_id, "it does not identify its issuer's key")
}

/// Of every CA, roots included.
fn authority(link: &Link<'_>) -> Broken {
    let facts = &*link.facts;
    let is_marked = facts.basic_constraints.as_ref().is_some_and(|one| one.critical);
    broken(!is_marked, "the basic constraints of a CA are missing or not critical")
        .or_else(|| broken(facts.subject_key_id.is_none(), "a CA does not identify its key"))
        .or_else(|| broken(link.certificate.subject().is_empty(), "a CA has no name"))
        .or_else(|| {
            let constraints = facts.policy_constraints.as_ref();
            broken(constraints.is_some_and(|one| !one.critical), "the policy constraints are not critical")
        })
        .or_else(|| {
            let constraints = facts.name_constraints.as_ref()?;
            constraints.value.fault().map(|what| (PROFILE, what))
        })
}

/// Of the one that is trusted: its own identifiers, if it signed itself, name itself.
fn anchor(link: &Link<'_>, purpose: Purpose) -> Broken {
    let certificate = link.certificate;
    let identifier = link.facts.authority_key_id.as_ref();
    if !certificate.is_self_issued() {
        // RFC 5280, 4.2.1.1: it may be left out where the own key signed.
        let is_missing = identifier.is_none() && !link.facts.is_own_work(certificate);
        return broken(is_missing, "a cross-signed root does not identify its issuer's key");
    }
    let names_itself = identifier.is_none_or(|one| {
        let is_plain = one.value.has_key_id && !one.value.names_certificate;
        is_plain && certificate.authority_key_id() == certificate.subject_key_id()
    });
    let is_limited = purpose == Purpose::Server && link.facts.extended_usage.is_some();
    broken(!names_itself, "a root's authority key identifier is not its own")
        .or_else(|| broken(is_limited, "a root limits its own extended key usage"))
}

fn leaf(link: &Link<'_>, purpose: Purpose) -> Broken {
    let (certificate, facts) = (link.certificate, &*link.facts);
    let may_issue = certificate.key_usages().contains(&KEY_CERT_SIGN);
    let contradicts = facts.has_key_usage && certificate.is_ca() != may_issue;
    broken(contradicts, "basic constraints and key usage contradict each other")
        .or_else(|| {
            broken(
                facts.name_constraints.is_some(),
                "name constraints stand in a certificate of no CA in this path",
            )
        })
        .or_else(|| alternative_names(certificate, facts))
        .or_else(|| match purpose {
            Purpose::Server => server(certificate, facts),
            Purpose::Client | Purpose::Any => None,
        })
}

/// Of a leaf that serves TLS; clients may be known by their subject, and may be used for anything.
fn server(certificate: &Certificate, facts: &Facts) -> Broken {
    let has_any = certificate.extended_key_usages().iter().any(|usage| usage == ANY_USAGE);
    let is_critical = facts.extended_usage.as_ref().is_some_and(|usages| usages.critical);
    broken(is_critical || has_any, "the extended key usage is critical or allows everything")
        .or_else(|| broken(facts.alternative_names.is_none(), "it has no alternative names"))
        .or_else(|| common_name(certificate))
}

/// RFC 5280, 4.2.1.6: critical exactly when there is no other name; every name in its proper form.
fn alternative_names(certificate: &Certificate, facts: &Facts) -> Broken {
    let is_nameless = certificate.subject().is_empty();
    let is_right =
        facts.alternative_names.as_ref().map_or(!is_nameless, |names| names.critical == is_nameless);
    if !is_right {
        return broken(true, "the alternative names are not critical exactly when they are the only names");
    }
    let is_malformed = certificate.names().iter().any(|name| !peer::is_well_formed(name));
    is_malformed.then_some(("san.syntax", "an alternative name is malformed"))
}

/// CA/B Baseline Requirements, 7.1.4.3: a common name that is a host or an address is a copy of an alternative name.
/// The domain that the host names are in is let pass.
fn common_name(certificate: &Certificate) -> Broken {
    let names = certificate.names();
    let subject = certificate.subject().attributes();
    let mut common = subject.filter(|one| one.kind == crate::name::AttributeType::CommonName);
    let is_bad = common.any(|name| !is_copy(&name.value, names));
    broken(is_bad, "the common name is a host or an address, and no copy of an alternative name")
}

fn is_copy(common_name: &str, names: &[SubjectAltName]) -> bool {
    if looks_like_address(common_name) {
        let is_it =
            |name: &SubjectAltName| matches!(name, SubjectAltName::Ip(ip) if ip.to_string() == common_name);
        return names.iter().any(is_it);
    }
    let mut hosts = names.iter().filter_map(SubjectAltName::dns).peekable();
    let is_host = common_name.contains('.') && !common_name.contains([' ', '/', '@']);
    if !is_host || hosts.peek().is_none() {
        return true;
    }
    let ending = format!(".{common_name}");
    hosts.any(|host| host == common_name || host.ends_with(&ending))
}

/// An IPv4 or IPv6 address in any of the forms that some program takes for one.
fn looks_like_address(text: &str) -> bool {
    let has_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_hexadecimal = |text: &str| {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let is_ip = matches!(san::host_name(text), Some(SubjectAltName::Ip(_)));
    is_ip
        || is_hexadecimal(text)
        || text.contains('.') && text.split('.').all(|part| has_digits(part) || is_hexadecimal(part))
}

#[cfg(test)]
mod tests {
    use const_oid::ObjectIdentifier;

    use crate::chain::{self, Pool};
    use crate::extension::{self, Criticality, extension, usage};
    use crate::issue::{algorithm_identifier, assemble, subject_key_id};
    use crate::name::{Attribute, AttributeType};
    use crate::path::{Anchors, Known, Options, Purpose};
    use crate::testing::{self, TestSigner};
    use crate::tlv::{self, tag};
    use crate::{Certificate, DistinguishedName, KeyAlgorithm, Signer, UnixTime};

    use Criticality::{Critical, NonCritical};

    const NOW: UnixTime = UnixTime(1_795_305_600);
    const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
    const POLICY_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.36");
    const UNKNOWN: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.3.4");

    /// A certificate to be made, sound as it comes.
    struct Draft {
        version: u8,
        serial: Vec<u8>,
        subject: DistinguishedName,
        extensions: Vec<(ObjectIdentifier, Criticality, Vec<u8>)>,
    }

    impl Draft {
        fn set(&mut self, oid: ObjectIdentifier, criticality: Criticality, value: Vec<u8>) {
            self.extensions.retain(|(known, ..)| *known != oid);
            self.extensions.push((oid, criticality, value));
        }

        /// Without the extension.
        fn cut(&mut self, oid: ObjectIdentifier) {
            self.extensions.retain(|(known, ..)| *known != oid);
        }

        /// The extension with the other criticality.
        fn turn(&mut self, oid: ObjectIdentifier) {
            for (_, criticality, _) in self.extensions.iter_mut().filter(|(known, ..)| *known == oid) {
                *criticality = if *criticality == Critical { NonCritical } else { Critical };
            }
        }

        fn sign(&self, key: &TestSigner, signer: &TestSigner) -> Certificate {
            let scheme = signer.algorithm().certificate_scheme();
            let time = |text: &str| tlv::tlv(tag::UTC_TIME, &[text.as_bytes()]);
            let written =
                self.extensions.iter().map(|(oid, critical, value)| extension(*oid, *critical, value));
            let extensions = tlv::sequence(&[&written.collect::<Vec<_>>().concat()]);
            let signed = tlv::sequence(&[
                &tlv::tlv(tag::constructed(0), &[&[tag::INTEGER, 1, self.version]]),
                &tlv::tlv(tag::INTEGER, &[&self.serial]),
                &algorithm_identifier(scheme),
                name("Root").der(),
                &tlv::sequence(&[&time("261101000000Z"), &time("261201000000Z")]),
                self.subject.der(),
                key.public_key().spki_der(),
                &tlv::tlv(tag::constructed(3), &[&extensions]),
            ]);
            Certificate::parse(&assemble(&signed, scheme, &signer.sign(scheme, &signed).unwrap())).unwrap()
        }
    }

    fn name(common_name: &str) -> DistinguishedName {
        DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, common_name)])
            .unwrap()
    }

    fn key_id(key: &TestSigner) -> Vec<u8> {
        tlv::tlv(tag::OCTET_STRING, &[&subject_key_id(key.public_key())])
    }

    fn issuer_key_id(key: &TestSigner) -> Vec<u8> {
        tlv::sequence(&[&tlv::tlv(tag::context(0), &[&subject_key_id(key.public_key())])])
    }

    fn hosts(names: &[&str]) -> Vec<u8> {
        let names = names.iter().flat_map(|name| tlv::tlv(tag::context(2), &[name.as_bytes()]));
        tlv::sequence(&[&names.collect::<Vec<_>>()])
    }

    fn usages(dotted: &[&str]) -> Vec<u8> {
        let written = dotted.iter().flat_map(|oid| tlv::oid(&tlv::oid_from_dotted(oid).unwrap()));
        tlv::sequence(&[&written.collect::<Vec<_>>()])
    }

    fn server(root: &TestSigner) -> Draft {
        let extensions = vec![
            (extension::AUTHORITY_KEY_ID, NonCritical, issuer_key_id(root)),
            (extension::KEY_USAGE, Critical, tlv::named_bits(usage::DIGITAL_SIGNATURE)),
            (extension::EXTENDED_KEY_USAGE, NonCritical, usages(&["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"])),
            (extension::SUBJECT_ALT_NAME, NonCritical, hosts(&["a.example", "b.a.example"])),
        ];
        Draft { version: 2, serial: vec![9], subject: name("a.example"), extensions }
    }

    fn root(key: &TestSigner) -> Draft {
        let extensions = vec![
            (extension::SUBJECT_KEY_ID, NonCritical, key_id(key)),
            (extension::BASIC_CONSTRAINTS, Critical, tlv::sequence(&[&[tag::BOOLEAN, 1, 0xff]])),
            (extension::KEY_USAGE, Critical, tlv::named_bits(usage::KEY_CERT_SIGN)),
        ];
        Draft { version: 2, serial: vec![9], subject: name("Root"), extensions }
    }

    /// The code for this purpose, after both drafts were changed.
    fn code(
        purpose: Purpose,
        change_leaf: impl Fn(&mut Draft),
        change_root: impl Fn(&mut Draft),
    ) -> Option<&'static str> {
        let (root_key, key) =
            (testing::signer(KeyAlgorithm::Ed25519), testing::signer(KeyAlgorithm::Ed25519));
        let (mut leaf, mut anchor) = (server(&root_key), root(&root_key));
        change_leaf(&mut leaf);
        change_root(&mut anchor);
        let anchors = Pool::new([anchor.sign(&root_key, &root_key)]);
        let pool = Pool::default();
        let known = Known { intermediates: &pool, anchors: Anchors::Only(&anchors), crls: &[] };
        let chain = chain::build(&leaf.sign(&key, &root_key), &known, &Options::new(NOW, purpose));
        chain.verdict.err().map(|refusal| refusal.code)
    }

    /// Broken for a server and sound by the validation of RFC 5280 alone.
    #[track_caller]
    fn leaf_breaks(wanted: &str, change: impl Fn(&mut Draft)) {
        assert_eq!(code(Purpose::Server, &change, |_| {}), Some(wanted));
        assert_eq!(code(Purpose::Any, &change, |_| {}), None);
    }

    #[track_caller]
    fn root_breaks(wanted: &str, change: impl Fn(&mut Draft)) {
        assert_eq!(code(Purpose::Server, |_| {}, &change), Some(wanted));
        assert_eq!(code(Purpose::Any, |_| {}, &change), None);
    }

    #[test]
    fn sound_ones_hold_for_everything() {
        for purpose in [Purpose::Server, Purpose::Client, Purpose::Any] {
            assert_eq!(code(purpose, |_| {}, |_| {}), None, "{purpose:?}");
        }
        let without_usages = |leaf: &mut Draft| {
            leaf.cut(extension::EXTENDED_KEY_USAGE);
            leaf.cut(extension::KEY_USAGE);
        };
        assert_eq!(code(Purpose::Server, without_usages, |_| {}), None);
        let nameless = |leaf: &mut Draft| {
            leaf.subject = DistinguishedName::from_attributes(Vec::new()).unwrap();
            leaf.turn(extension::SUBJECT_ALT_NAME);
        };
        assert_eq!(code(Purpose::Server, nameless, |_| {}), None);
        assert_eq!(code(Purpose::Client, |leaf| leaf.cut(extension::SUBJECT_ALT_NAME), |_| {}), None);
        let constrained = |root: &mut Draft| {
            let base = tlv::sequence(&[&tlv::tlv(tag::context(2), &[b"example"])]);
            let permitted = tlv::tlv(tag::constructed(0), &[&base]);
            root.set(NAME_CONSTRAINTS, NonCritical, tlv::sequence(&[&permitted]));
        };
        assert_eq!(code(Purpose::Server, |_| {}, constrained), None);
        let elsewhere =
            |leaf: &mut Draft| leaf.set(extension::SUBJECT_ALT_NAME, NonCritical, hosts(&["a.test"]));
        assert_eq!(code(Purpose::Any, elsewhere, constrained), Some("chain.name_constraints"));
    }

    #[test]
    fn the_form_of_a_leaf_is_asked() {
        leaf_breaks("cert.profile", |leaf| leaf.version = 1);
        leaf_breaks("cert.serial", |leaf| leaf.serial = vec![0]);
        leaf_breaks("cert.serial", |leaf| leaf.serial = vec![0xfe]);
        leaf_breaks("cert.serial", |leaf| leaf.serial = vec![1; 21]);
        leaf_breaks("cert.profile", |leaf| leaf.cut(extension::AUTHORITY_KEY_ID));
        leaf_breaks("cert.profile", |leaf| leaf.turn(extension::AUTHORITY_KEY_ID));
        leaf_breaks("cert.profile", |leaf| leaf.cut(extension::SUBJECT_ALT_NAME));
        leaf_breaks("cert.profile", |leaf| leaf.turn(extension::SUBJECT_ALT_NAME));
        leaf_breaks("cert.profile", |leaf| leaf.turn(extension::EXTENDED_KEY_USAGE));
        leaf_breaks("cert.profile", |leaf| {
            leaf.set(extension::EXTENDED_KEY_USAGE, NonCritical, usages(&["2.5.29.37.0"]));
        });
        leaf_breaks("cert.purpose", |leaf| {
            leaf.set(extension::EXTENDED_KEY_USAGE, NonCritical, usages(&["1.3.6.1.5.5.7.3.2"]));
        });
        leaf_breaks("cert.profile", |leaf| {
            leaf.set(extension::KEY_USAGE, Critical, tlv::named_bits(usage::KEY_CERT_SIGN));
        });
        leaf_breaks("cert.purpose", |leaf| {
            leaf.set(extension::KEY_USAGE, Critical, tlv::named_bits(usage::NON_REPUDIATION));
        });
        leaf_breaks("cert.profile", |leaf| {
            let base = tlv::sequence(&[&tlv::tlv(tag::context(2), &[b"example"])]);
            let permitted = tlv::tlv(tag::constructed(0), &[&base]);
            leaf.set(NAME_CONSTRAINTS, Critical, tlv::sequence(&[&permitted]));
        });
        for bad in ["a_b.example", "192.0.2.1", "", "a..example", "*.*.example"] {
            leaf_breaks("san.syntax", |leaf| {
                leaf.set(extension::SUBJECT_ALT_NAME, NonCritical, hosts(&["a.example", bad]));
            });
        }
        let unknown = |leaf: &mut Draft| leaf.set(UNKNOWN, Critical, vec![5, 0]);
        assert_eq!(code(Purpose::Any, unknown, |_| {}), Some("cert.ext_critical"));
    }

    #[test]
    fn a_common_name_is_a_copy_or_no_host() {
        for copy in ["a.example", "example", "Acme Web", "v1.2 (test)"] {
            assert_eq!(code(Purpose::Server, |leaf| leaf.subject = name(copy), |_| {}), None, "{copy}");
        }
        for other in [
            "A.example",
            "c.example",
            "192.0.2.1",
            "0xC0A80101",
            "192.168.001.001",
            "2001:db8::1",
            "täst.example",
        ] {
            leaf_breaks("cert.profile", |leaf| leaf.subject = name(other));
        }
    }

    #[test]
    fn the_form_of_a_root_is_asked() {
        root_breaks("cert.profile", |root| root.cut(extension::SUBJECT_KEY_ID));
        root_breaks("cert.profile", |root| root.turn(extension::SUBJECT_KEY_ID));
        root_breaks("cert.profile", |root| root.turn(extension::BASIC_CONSTRAINTS));
        root_breaks("cert.profile", |root| {
            root.set(extension::EXTENDED_KEY_USAGE, NonCritical, usages(&["1.3.6.1.5.5.7.3.1"]));
        });
        root_breaks("cert.profile", |root| root.set(extension::AUTHORITY_KEY_ID, NonCritical, vec![0x30, 0]));
        root_breaks("cert.profile", |root| {
            let other = tlv::sequence(&[&tlv::tlv(tag::context(0), &[b"other"])]);
            root.set(extension::AUTHORITY_KEY_ID, NonCritical, other);
        });
        root_breaks("cert.profile", |root| root.set(NAME_CONSTRAINTS, Critical, vec![0x30, 0]));
        root_breaks("cert.profile", |root| {
            root.set(POLICY_CONSTRAINTS, NonCritical, tlv::sequence(&[&[0x81, 1, 0]]));
        });
    }
}
