//! A small world that the tests start from.

use std::collections::BTreeMap;

use domain::Moment;
use domain::certificate::{CertificateEntry, CertificateState, Source};
use domain::csr::{CsrEntry, CsrState};
use domain::id::{CsrId, IssuerId, LineageId, ProfileId, TargetId, TokenId};
use domain::issuer::{Issuer, IssuerKind, Profile};
use domain::key::{Born, Durability, Exportable, Key, KeyState, KeyUsage, SealedKey};
use domain::lineage::{AtRenewal, Backend, KeyRule, Lineage};
use domain::target::Target;
use domain::token::{Token, TokenKind};
use pki::name::{Attribute, AttributeType};
use pki::{Certificate, DistinguishedName, Fingerprint, KeyAlgorithm, KeyId, SubjectAltName};
use store::{Error, Tx};

pub const NONCE: [u8; 12] = [3; 12];

pub fn token() -> Token {
    Token {
        id: TokenId::soft(),
        kind: TokenKind::Software,
        label: "softToken-0".to_owned(),
        initialized: false,
        wrong_pins: 0,
        last_wrong: None,
        locked: false,
    }
}

pub fn key(label: &str) -> (Key, SealedKey) {
    let spki = label.as_bytes().to_vec();
    let key = Key {
        id: KeyId::of_spki(&spki),
        token: TokenId::soft(),
        label: label.to_owned(),
        usage: None,
        algorithm: KeyAlgorithm::EcP256,
        spki,
        exportable: Exportable::WithPassphrase,
        born: Born::Generated,
        durability: Durability::ThisNodeOnly,
        state: KeyState::Active,
        created: Moment(100),
        retired: None,
        exported: None,
    };
    let sealed = SealedKey {
        id: key.id,
        token: key.token.clone(),
        exportable: key.exportable,
        algorithm: key.algorithm,
        sealed: vec![1, 0, 255],
    };
    (key, sealed)
}

pub fn root() -> Certificate {
    Certificate::parse(include_bytes!("certificates/root.der")).expect("a certificate")
}

/// Two certificates of one key; the second ends later.
pub fn leaf(number: usize) -> Certificate {
    let der: [&[u8]; 2] =
        [include_bytes!("certificates/leaf1.der"), include_bytes!("certificates/leaf2.der")];
    Certificate::parse(der[number - 1]).expect("a certificate")
}

pub fn entry(certificate: Certificate, name: &str) -> CertificateEntry {
    CertificateEntry {
        certificate,
        friendly_name: name.to_owned(),
        source: Source::Imported,
        lineage: None,
        has_key: false,
        state: CertificateState::Issued,
        created: Moment(200),
    }
}

pub fn csr(id: &str, key: KeyId) -> CsrEntry {
    CsrEntry {
        id: CsrId::of(id),
        key,
        friendly_name: format!("Request {id}"),
        der: id.as_bytes().to_vec(),
        fingerprint: Fingerprint::of_der(id.as_bytes()),
        state: CsrState::Waiting,
        lineage: None,
        created: Moment(300),
    }
}

pub fn lineage(id: &str) -> Lineage {
    let name = vec![Attribute::new(AttributeType::CommonName, "www.example.org")];
    Lineage {
        id: LineageId::of(id),
        name: format!("Site {id}"),
        subject: DistinguishedName::from_attributes(name).expect("a name"),
        names: vec![
            SubjectAltName::Dns("www.example.org".to_owned()),
            SubjectAltName::Ip("192.0.2.1".parse().expect("an address")),
        ],
        usage: KeyUsage::Tls,
        owner: "DEV/COM/1234".to_owned(),
        environment: "production".to_owned(),
        key_rule: KeyRule {
            token: TokenId::soft(),
            algorithm: KeyAlgorithm::Rsa2048,
            at_renewal: AtRenewal::NewKey,
            exportable: Exportable::ToTargets,
        },
        issuer: IssuerId::of("internal"),
        profile: ProfileId::of("tls"),
        lifetime: Some(60),
        targets: vec![TargetId::edge()],
        backend: Some(Backend { address: "127.0.0.1:80".to_owned(), proxy_protocol: true }),
        current: None,
        due: Some(Moment(1_000)),
        failures: 0,
        trouble: String::new(),
        created: Moment(400),
        version: 1,
    }
}

pub fn target(id: &str) -> Target {
    Target {
        id: TargetId::of(id),
        kind: "files".to_owned(),
        label: format!("Target {id}"),
        settings: BTreeMap::from([
            ("folder".to_owned(), "/etc/nginx".to_owned()),
            ("password".to_owned(), "hidden\nin two lines".to_owned()),
        ]),
        addresses: vec!["127.0.0.1:443".to_owned(), "[::1]:443".to_owned()],
        created: Moment(500),
    }
}

pub fn issuer(id: &str) -> Issuer {
    Issuer {
        id: IssuerId::of(id),
        kind: IssuerKind::Internal,
        label: "Our CA".to_owned(),
        withdrawn: false,
        created: Moment(50),
        authority: None,
    }
}

/// Token, issuer, profiles, the target `edge`, a key, and the lineage `lin-1` bound to the edge.
pub fn seed(tx: &Tx) -> Result<(), Error> {
    store::token::insert(tx, &token())?;
    store::issuer::insert(tx, &issuer("internal"))?;
    for profile in Profile::built_in() {
        store::profile::insert(tx, &profile)?;
    }
    store::target::insert(tx, &target("edge"), &["password"], NONCE)?;
    let (key, sealed) = key("first");
    store::key::insert(tx, &key, &sealed)?;
    store::lineage::insert(tx, &lineage("lin-1"))
}
