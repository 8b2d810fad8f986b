use super::*;
use crate::extension::{Criticality, extension};
use crate::issue::{self, Purpose, Template, algorithm_identifier, assemble};
use crate::name::{Attribute, AttributeType};
use crate::testing::{self, TestSigner};
use crate::tlv::{self, tag};
use crate::{KeyAlgorithm, PublicKey, Signer};
use const_oid::ObjectIdentifier;

/// 2026-11-22T00:00:00Z.
const NOW: UnixTime = UnixTime(1_795_305_600);
const NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
const BASE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.27");
const SCOPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");
const REASON: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
const CERTIFICATE_ISSUER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.29");

/// A CRL to be made: current at [`NOW`], with the number 7.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) issuer: DistinguishedName,
    /// Whole entries.
    pub(crate) entries: Vec<u8>,
    pub(crate) next_update: &'static str,
    /// Whole extensions.
    pub(crate) extensions: Vec<Vec<u8>>,
}

impl Draft {
    pub(crate) fn new(issuer: &DistinguishedName) -> Self {
        let number = extension(NUMBER, Criticality::NonCritical, &[2, 1, 7]);
        Self {
            issuer: issuer.clone(),
            entries: Vec::new(),
            next_update: "261201000000Z",
            extensions: vec![number],
        }
    }

    /// With this serial number, given as content octets, on it.
    pub(crate) fn with(mut self, serial: &[u8], extensions: &[&[u8]]) -> Self {
        self.entries.extend(entry(serial, extensions));
        self
    }

    pub(crate) fn der(&self, signer: &TestSigner) -> Vec<u8> {
        let scheme = signer.algorithm().certificate_scheme();
        let time = |text: &str| tlv::tlv(tag::UTC_TIME, &[text.as_bytes()]);
        let entries = if self.entries.is_empty() { Vec::new() } else { tlv::sequence(&[&self.entries]) };
        // An empty list of extensions would be malformed.
        let extensions = match self.extensions.concat().as_slice() {
            [] => Vec::new(),
            some => tlv::tlv(tag::constructed(0), &[&tlv::sequence(&[some])]),
        };
        let signed = tlv::sequence(&[
            &[tag::INTEGER, 1, 1],
            &algorithm_identifier(scheme),
            self.issuer.der(),
            &time("261101000000Z"),
            &time(self.next_update),
            &entries,
            &extensions,
        ]);
        assemble(&signed, scheme, &signer.sign(scheme, &signed).unwrap())
    }

    pub(crate) fn crl(&self, signer: &TestSigner) -> Crl {
        Crl::parse(&self.der(signer)).unwrap()
    }
}

fn entry(serial: &[u8], extensions: &[&[u8]]) -> Vec<u8> {
    let at = tlv::tlv(tag::UTC_TIME, &[b"261110000000Z"]);
    let extensions = if extensions.is_empty() { Vec::new() } else { tlv::sequence(&[&extensions.concat()]) };
    tlv::sequence(&[&tlv::tlv(tag::INTEGER, &[serial]), &at, &extensions])
}

fn reason(number: u8) -> Vec<u8> {
    extension(REASON, Criticality::NonCritical, &[0x0a, 1, number])
}

fn about(issuer: &DistinguishedName) -> Vec<u8> {
    let names = tlv::sequence(&[&tlv::tlv(tag::constructed(4), &[issuer.der()])]);
    extension(CERTIFICATE_ISSUER, Criticality::Critical, &names)
}

fn name(common_name: &str) -> DistinguishedName {
    DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, common_name)]).unwrap()
}

#[test]
fn what_a_list_says_is_read() {
    let (ca, signer) = (name("CA"), testing::signer(KeyAlgorithm::EcP256));
    let crl = Draft::new(&ca).with(&[5], &[&reason(1)]).with(&[0, 0x80], &[]).crl(&signer);
    assert_eq!((crl.len(), crl.is_empty(), crl.is_delta(), crl.is_indirect()), (2, false, false, false));
    assert_eq!(crl.number_decimal().as_deref(), Some("7"));
    assert_eq!(crl.signature_algorithm(), "SHA256withECDSA");
    assert!(crl.issuer() == &ca && crl.this_update() < NOW && crl.next_update().is_some_and(|end| end > NOW));
    let at = UnixTime(1_794_268_800);
    assert_eq!(crl.revoked(&[5], &ca), Some(Revoked { at, reason: Reason::KeyCompromise }));
    assert_eq!(crl.revoked(&[0, 0x80], &ca), Some(Revoked { at, reason: Reason::Unspecified }));
    assert_eq!(crl.revoked(&[6], &ca), None);
    assert_eq!(crl.revoked(&[5], &name("Another CA")), None);
    assert!(crl.is_usable_at(NOW) && crl.findings(NOW).is_empty());
    assert!(Draft::new(&ca).crl(&signer).is_empty());
}

#[test]
fn an_indirect_list_speaks_of_the_issuer_named_last() {
    let (own, other) = (name("CRL issuer"), name("CA"));
    let draft = Draft::new(&own).with(&[1], &[]).with(&[2], &[&about(&other)]).with(&[3], &[]);
    let crl = draft.with(&[4], &[&about(&own)]).crl(&testing::signer(KeyAlgorithm::Ed25519));
    let found = |serial: u8, issuer: &DistinguishedName| crl.revoked(&[serial], issuer).is_some();
    assert_eq!([1, 2, 3, 4].map(|serial| found(serial, &own)), [true, false, false, true]);
    assert_eq!([1, 2, 3, 4].map(|serial| found(serial, &other)), [false, true, true, false]);
}

#[test]
fn of_many_certificates_it_says_what_it_says_of_each() {
    let (own, other) = (name("CRL issuer"), name("CA"));
    let draft = Draft::new(&own).with(&[1], &[&reason(1)]).with(&[1], &[]).with(&[2], &[&about(&other)]);
    let crl = draft.with(&[3], &[]).with(&[4], &[&about(&own)]).crl(&testing::signer(KeyAlgorithm::Ed25519));
    let issued: Vec<Certificate> = [&own, &other]
        .into_iter()
        .flat_map(|issuer| (1..=5).chain([1]).map(move |serial| certificate(serial, issuer)))
        .collect();
    let each: Vec<_> = issued.iter().map(|one| crl.revoked(one.serial(), one.issuer())).collect();
    assert_eq!(crl.revoked_among(&issued), each);
    assert_eq!(each.iter().flatten().count(), 5, "1 twice and 4 of its own, 2 and 3 of the other");
    assert_eq!(each[0].map(|entry| entry.reason), Some(Reason::KeyCompromise), "the first entry counts");
}

#[test]
fn few_keys_are_tried_on_a_signature() {
    let (ca, signer) = (name("CA"), testing::signer(KeyAlgorithm::Ed25519));
    let crl = Draft::new(&ca).crl(&signer);
    let issuer = |signer: &TestSigner| {
        let template = template(&ca, &ca, signer.public_key());
        let tbs = issue::to_be_signed(&template, signer.algorithm().certificate_scheme()).unwrap();
        Certificate::parse(&issue::sign(&tbs, signer).unwrap()).unwrap()
    };
    let impostor = || issuer(&testing::signer(KeyAlgorithm::Ed25519));
    let right = issuer(&signer);
    let few: Vec<_> = (0..3).map(|_| impostor()).chain([right.clone()]).collect();
    assert!(crl.is_signed_by_any(&few) && !crl.is_signed_by_any(&few[..3]));
    let crowd: Vec<_> = (0..MAX_KEYS_TRIED).map(|_| impostor()).chain([right]).collect();
    assert!(!crl.is_signed_by_any(&crowd));
}

/// A certificate of `issuer` with this serial number.
fn certificate(serial: u8, issuer: &DistinguishedName) -> Certificate {
    let signer = testing::signer(KeyAlgorithm::Ed25519);
    let template = Template { serial: vec![serial], ..template(issuer, &name("leaf"), signer.public_key()) };
    let tbs = issue::to_be_signed(&template, signer.algorithm().certificate_scheme()).unwrap();
    Certificate::parse(&issue::sign(&tbs, &signer).unwrap()).unwrap()
}

fn template(issuer: &DistinguishedName, subject: &DistinguishedName, key: &PublicKey) -> Template {
    Template {
        serial: vec![1],
        issuer: issuer.clone(),
        subject: subject.clone(),
        public_key: key.clone(),
        not_before: NOW.plus(-86_400),
        not_after: NOW.plus(86_400),
        names: Vec::new(),
        purpose: Purpose::Root,
        authority_key_id: None,
        ca_issuers_url: None,
    }
}

#[test]
fn a_list_that_cannot_be_relied_upon_is_told() {
    let (ca, signer) = (name("CA"), testing::signer(KeyAlgorithm::Ed25519));
    let codes = |crl: &Crl| crl.findings(NOW).iter().map(|finding| finding.code).collect::<Vec<_>>();
    let old = Draft { next_update: "261110000000Z", ..Draft::new(&ca) }.crl(&signer);
    assert_eq!((codes(&old), old.is_usable_at(NOW)), (vec!["crl.expired"], false));
    let early = Draft::new(&ca).crl(&signer);
    assert_eq!(early.findings(UnixTime(0))[0].code, "crl.not_yet_valid");
    let odd = ObjectIdentifier::new_unwrap("1.2.3");
    let unknown = |criticality| extension(odd, criticality, &[5, 0]);
    let mut draft = Draft::new(&ca);
    draft.extensions.push(unknown(Criticality::Critical));
    assert_eq!(
        (codes(&draft.crl(&signer)), draft.crl(&signer).is_usable_at(NOW)),
        (vec!["cert.ext_critical"], false)
    );
    let entry = |criticality| Draft::new(&ca).with(&[1], &[&unknown(criticality)]).crl(&signer);
    assert!(
        !entry(Criticality::Critical).is_usable_at(NOW) && entry(Criticality::NonCritical).is_usable_at(NOW)
    );
    let unnumbered = Draft { extensions: Vec::new(), ..Draft::new(&ca) };
    assert!(unnumbered.crl(&signer).is_usable_at(NOW) && unnumbered.crl(&signer).number().is_none());
    let critical = vec![extension(NUMBER, Criticality::Critical, &[2, 1, 7])];
    assert!(!Draft { extensions: critical, ..Draft::new(&ca) }.crl(&signer).is_usable_at(NOW));
}

#[test]
fn deltas_and_scopes_are_read() {
    let (ca, signer) = (name("CA"), testing::signer(KeyAlgorithm::Ed25519));
    let mut draft = Draft::new(&ca);
    draft.extensions.push(extension(BASE, Criticality::Critical, &[2, 1, 3]));
    let url = tlv::tlv(tag::context(6), &[b"http://ca.example/1.crl"]);
    let point = tlv::tlv(tag::constructed(0), &[&tlv::tlv(tag::constructed(0), &[&url])]);
    let scope = tlv::sequence(&[&point, &[0x82, 1, 0xff], &[0x83, 2, 6, 0x40], &[0x84, 1, 0xff]]);
    draft.extensions.push(extension(SCOPE, Criticality::Critical, &scope));
    let crl = draft.crl(&signer);
    assert!(crl.is_delta() && crl.is_indirect() && crl.base() == Some(&[3]));
    let scope = crl.scope();
    assert!(scope.only_cas && !scope.only_users && !scope.only_attributes);
    assert_eq!((scope.reasons, scope.point.clone()), (Some(0x4000), Some(PointName::Full(vec![url]))));
}

#[test]
fn only_its_issuer_signed_it() {
    let (key, other) = (testing::signer(KeyAlgorithm::EcP256), testing::signer(KeyAlgorithm::EcP256));
    let (ca, purpose) = (name("CA"), crate::issue::Purpose::Root);
    let certificate = |subject: &DistinguishedName, key: &TestSigner| testing_ca(subject, key, purpose);
    let crl = Draft::new(&ca).crl(&key);
    assert!(crl.is_signed_by(&certificate(&ca, &key)));
    assert!(!crl.is_signed_by(&certificate(&ca, &other)));
    assert!(!crl.is_signed_by(&certificate(&name("Another"), &key)));
    assert!(
        !crl.is_signed_by(&testing_ca(&ca, &key, crate::issue::Purpose::TlsServer)),
        "no right to sign lists"
    );
}

fn testing_ca(subject: &DistinguishedName, key: &TestSigner, purpose: crate::issue::Purpose) -> Certificate {
    let template = crate::issue::Template {
        serial: vec![1],
        issuer: subject.clone(),
        subject: subject.clone(),
        public_key: key.public_key().clone(),
        not_before: NOW.plus(-86_400),
        not_after: NOW.plus(86_400),
        names: Vec::new(),
        purpose,
        authority_key_id: None,
        ca_issuers_url: None,
    };
    let signed = crate::issue::to_be_signed(&template, key.algorithm().certificate_scheme()).unwrap();
    Certificate::parse(&crate::issue::sign(&signed, key).unwrap()).unwrap()
}

#[test]
fn what_is_no_list_is_refused() {
    let (ca, signer) = (name("CA"), testing::signer(KeyAlgorithm::Ed25519));
    let code = |der: &[u8]| Crl::parse(der).unwrap_err().code;
    let der = Draft::new(&ca).with(&[1], &[]).der(&signer);
    assert_eq!(code(&der[..der.len() - 1]), "der.truncated");
    assert_eq!(code(&[&der[..], &[0]].concat()), "der.trailing");
    assert_eq!(code(&tlv::sequence(&[])), "crl.syntax");
    let bad = |entries: Vec<u8>| code(&Draft { entries, ..Draft::new(&ca) }.der(&signer));
    assert_eq!(bad(tlv::sequence(&[&[2, 1, 5]])), "crl.syntax", "no date");
    assert_eq!(bad(entry(&[1], &[&reason(7)])), "crl.syntax", "a reason that is not used");
    assert_eq!(bad(entry(&[1], &[&[0x30, 2, 5, 0]])), "crl.syntax", "an extension that is none");
    let twice = Draft {
        extensions: [Draft::new(&ca).extensions, Draft::new(&ca).extensions].concat(),
        ..Draft::new(&ca)
    };
    assert_eq!(code(&twice.der(&signer)), "crl.syntax");
    let negative = vec![extension(NUMBER, Criticality::NonCritical, &[2, 1, 0xff])];
    assert_eq!(code(&Draft { extensions: negative, ..Draft::new(&ca) }.der(&signer)), "crl.syntax");
}

#[test]
fn a_long_list_is_read_where_it_lies() {
    let (ca, signer) = (name("CA"), testing::signer(KeyAlgorithm::Ed25519));
    let count = 20_000_u32;
    let entries =
        (1..=count).flat_map(|serial| entry(&[&[1], &serial.to_be_bytes()[..]].concat(), &[])).collect();
    let crl = Draft { entries, ..Draft::new(&ca) }.crl(&signer);
    assert_eq!(crl.len(), count as usize);
    assert!(crl.revoked(&[1, 0, 0, 0x4e, 0x20], &ca).is_some());
    assert!(crl.revoked(&[2, 0, 0, 0, 1], &ca).is_none());
}

#[test]
fn a_list_comes_in_as_der_and_as_pem_and_is_shown() {
    let der = Draft::new(&name("CA")).with(&[5], &[]).der(&testing::signer(KeyAlgorithm::Ed25519));
    let pem = crate::format::pem_write::crl(&der);
    for pem in [pem.replace("X509 CRL", "CRL"), pem] {
        let contents = crate::format::read(pem.as_bytes(), None).unwrap();
        assert_eq!(contents.format, "pem");
        assert!(matches!(&contents.items[0].object, crate::format::Object::Crl(crl) if crl.der() == der));
    }
    let shown = crate::inspect::inspect(&der, None, NOW);
    assert!(shown.accepted && shown.format == "der-crl", "{:?}", shown.findings);
    assert!(matches!(&shown.items[..], [crate::inspect::InspectedItem::Crl(crl)] if crl.len() == 1));
}
