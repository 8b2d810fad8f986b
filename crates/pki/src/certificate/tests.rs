use super::*;
use crate::issue::{self, Purpose, Template};
use crate::name::{Attribute, AttributeType};
use crate::testing::{self, TestSigner};
use crate::{KeyAlgorithm, Severity, Signer};

const NOW: UnixTime = UnixTime(1_795_305_600);
const DAY: i64 = 86_400;

fn name(common_name: &str) -> DistinguishedName {
    DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, common_name)]).unwrap()
}

fn template(subject: &str, names: &[&str], purpose: Purpose, key: &TestSigner) -> Template {
    Template {
        serial: vec![0x80, 1],
        issuer: name("Issuing"),
        subject: name(subject),
        public_key: key.public_key().clone(),
        not_before: NOW.plus(-DAY),
        not_after: NOW.plus(90 * DAY),
        names: names.iter().map(|name| name.parse().unwrap()).collect(),
        purpose,
        authority_key_id: None,
        ca_issuers_url: Some("http://ca.example/issuing.cer".to_owned()),
    }
}

fn issued(template: &Template, issuer: &TestSigner) -> Certificate {
    let scheme = issuer.algorithm().certificate_scheme();
    let to_be_signed = issue::to_be_signed(template, scheme).unwrap();
    Certificate::parse(&issue::sign(&to_be_signed, issuer).unwrap()).unwrap()
}

fn codes(certificate: &Certificate) -> Vec<&'static str> {
    certificate.findings(NOW).iter().map(|finding| finding.code).collect()
}

#[test]
fn every_field_is_read() {
    let (ca, key) = (testing::signer(KeyAlgorithm::EcP384), testing::signer(KeyAlgorithm::EcP256));
    let names = ["a.example", "*.b.example", "192.0.2.7"];
    let template = template("a.example", &names, Purpose::TlsServerAndClient, &key);
    let certificate = issued(&template, &ca);
    assert_eq!(certificate.subject(), &name("a.example"));
    assert_eq!(certificate.issuer(), &name("Issuing"));
    assert_eq!(certificate.serial(), [0, 0x80, 1]);
    assert_eq!(certificate.serial_decimal(), "32769");
    assert_eq!(certificate.not_before(), NOW.plus(-DAY));
    assert_eq!(certificate.not_after(), NOW.plus(90 * DAY));
    assert_eq!(certificate.names(), template.names);
    assert_eq!(certificate.public_key(), key.public_key());
    assert_eq!(certificate.key_id(), key.public_key().id());
    assert_eq!(
        (certificate.role(), certificate.is_ca(), certificate.path_len()),
        (Role::Server, false, None)
    );
    assert_eq!(certificate.key_usages(), ["digitalSignature"]);
    assert_eq!(certificate.extended_key_usages(), ["serverAuth", "clientAuth"]);
    assert_eq!(certificate.signature_algorithm(), "SHA384withECDSA");
    assert_eq!(certificate.ca_issuer_urls(), ["http://ca.example/issuing.cer"]);
    assert_eq!(certificate.subject_key_id(), Some(&*issue::subject_key_id(key.public_key())));
    assert_eq!(certificate.fingerprint(), Fingerprint::of_der(certificate.der()));
    assert_eq!(certificate.display_name(), "a.example");
    assert_eq!(format!("{certificate:?}"), format!("Certificate({})", certificate.fingerprint()));
    assert_eq!(codes(&certificate), [""; 0]);
}

#[test]
fn hosts_are_covered_by_alternative_names_only() {
    let key = testing::signer(KeyAlgorithm::Ed25519);
    let with_names =
        issued(&template("cn.example", &["*.b.example", "192.0.2.7"], Purpose::TlsServer, &key), &key);
    for (host, covered) in [
        ("x.b.example", true),
        ("X.B.Example.", true),
        ("192.0.2.7", true),
        ("b.example", false),
        ("x.y.b.example", false),
        ("cn.example", false),
        ("", false),
    ] {
        assert_eq!(with_names.covers_host(host), covered, "{host}");
    }
}

#[test]
fn issuers_are_told_by_name_key_identifier_and_signature() {
    let (ca, other, key) = (
        testing::signer(KeyAlgorithm::EcP256),
        testing::signer(KeyAlgorithm::EcP256),
        testing::signer(KeyAlgorithm::EcP256),
    );
    let root = |signer: &TestSigner, subject: &str| {
        let wanted = Template { issuer: name(subject), ..template(subject, &[], Purpose::Root, signer) };
        issued(&wanted, signer)
    };
    let leaf = issued(&template("a.example", &["a.example"], Purpose::TlsServer, &key), &ca);
    assert!(leaf.is_signed_by(&root(&ca, "Issuing")));
    assert!(!leaf.is_signed_by(&root(&ca, "Another name")));
    assert!(!leaf.is_signed_by(&root(&other, "Issuing")));
    let wrong_id = Template {
        authority_key_id: Some(issue::subject_key_id(other.public_key())),
        ..template("a.example", &["a.example"], Purpose::TlsServer, &key)
    };
    assert!(!issued(&wrong_id, &ca).is_signed_by(&root(&ca, "Issuing")));
    assert!(root(&ca, "Issuing").is_self_signed());
    assert!(!leaf.is_self_signed());
    let forged =
        issued(&Template { issuer: name("Root"), ..template("Root", &[], Purpose::Root, &ca) }, &other);
    assert!(!forged.is_self_signed());
}

#[test]
fn roles_follow_from_the_fields() {
    let key = testing::signer(KeyAlgorithm::EcP256);
    for (purpose, role) in [
        (Purpose::TlsServer, Role::Server),
        (Purpose::TlsServerAndClient, Role::Server),
        (Purpose::Auth, Role::Server),
        (Purpose::Sign, Role::Sign),
        (Purpose::Intermediate { path_len: 0 }, Role::Intermediate),
    ] {
        assert_eq!(
            issued(&template("a.example", &["a.example"], purpose, &key), &key).role(),
            role,
            "{purpose:?}"
        );
    }
    let root = issued(&Template { issuer: name("Root"), ..template("Root", &[], Purpose::Root, &key) }, &key);
    assert_eq!((root.role(), root.may_issue(), root.role().name()), (Role::Root, true, "root"));
    let intermediate = issued(&template("I", &[], Purpose::Intermediate { path_len: 3 }, &key), &key);
    assert_eq!(intermediate.path_len(), Some(3));
    assert_eq!(intermediate.key_usages(), ["keyCertSign", "cRLSign"]);
}

#[test]
fn a_name_to_show_is_always_found() {
    let key = testing::signer(KeyAlgorithm::Ed25519);
    let nameless = Template {
        subject: DistinguishedName::from_attributes(Vec::new()).unwrap(),
        ..template("", &["b.example"], Purpose::TlsServer, &key)
    };
    assert_eq!(issued(&nameless, &key).display_name(), "b.example");
    let organisation = Attribute::new(AttributeType::Organization, "Acme");
    let subject = DistinguishedName::from_attributes(vec![organisation]).unwrap();
    let unnamed = Template { subject, ..template("", &[], Purpose::Sign, &key) };
    assert_eq!(issued(&unnamed, &key).display_name(), "O=Acme");
}

#[test]
fn time_decides_what_is_said_about_validity() {
    let key = testing::signer(KeyAlgorithm::Ed25519);
    let certificate = issued(&template("a.example", &["a.example"], Purpose::TlsServer, &key), &key);
    let said =
        |now: UnixTime| certificate.findings(now).first().map(|finding| (finding.code, finding.severity));
    assert_eq!(said(certificate.not_before()), None);
    assert_eq!(said(certificate.not_before().plus(-1)), Some(("cert.not_yet_valid", Severity::Error)));
    assert_eq!(said(certificate.not_after()), None);
    assert_eq!(said(certificate.not_after().plus(1)), Some(("cert.expired", Severity::Error)));
}

#[test]
fn a_lifetime_is_measured_by_the_rule_of_its_first_day() {
    let key = testing::signer(KeyAlgorithm::Ed25519);
    let lifetime = |from: i64, days: i64, purpose: Purpose| {
        let not_before = UnixTime(from);
        let not_after = not_before.plus(days * DAY - 1);
        let wanted =
            Template { not_before, not_after, ..template("a.example", &["a.example"], purpose, &key) };
        issued(&wanted, &key).findings(not_before).iter().any(|finding| finding.code == "cert.lifetime")
    };
    for (from, days) in [
        (1_868_227_200, 47),
        (1_868_227_199, 100),
        (1_805_068_800, 100),
        (1_805_068_799, 200),
        (1_773_532_800, 200),
        (1_773_532_799, 398),
        (1_598_918_400, 398),
        (1_598_918_399, 825),
    ] {
        assert!(!lifetime(from, days, Purpose::TlsServer), "{days} days from {from}");
        assert!(lifetime(from, days + 1, Purpose::TlsServer), "{days} days and one from {from}");
        assert!(!lifetime(from, days + 1, Purpose::Intermediate { path_len: 0 }));
        assert!(!lifetime(from, days + 1, Purpose::Sign));
    }
}

#[test]
fn what_was_let_in_before_is_not_searched_for_weaknesses_again() {
    let weak = include_bytes!("../../../../badinputs/rsa_roca.der");
    assert_eq!(Certificate::parse(weak).unwrap_err().code, "key.weak.roca");
    assert_eq!(Certificate::parse_again(weak).unwrap().der(), weak);
    assert!(Certificate::parse_again(&weak[..weak.len() - 1]).is_err());
}
