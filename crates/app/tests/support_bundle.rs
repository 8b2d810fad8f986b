//! What is in a support bundle, on each engine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod common;

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use claviger_app::certificate::NewSelfSigned;
use claviger_app::csr::KeyChoice;
use claviger_app::{Error, certificate, lineage, support};
use common::{House, START, houses, wanted};
use domain::clock::DAY;
use domain::id::TokenId;
use domain::permission::uses;
use pki::{Certificate, Fingerprint, KeyAlgorithm, SubjectAltName};

/// The files of a zip archive by their names.
fn unpacked(bytes: Vec<u8>) -> BTreeMap<String, String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        let name = entry.name().unwrap().into_owned();
        files.insert(name, text);
    }
    files
}

async fn bundle(house: &House, of: Option<Fingerprint>) -> Result<certificate::File, Error> {
    let by = house.fixture.may(uses::ExportCertificate).unwrap();
    support::bundle(&house.fixture.app, &by, of).await
}

async fn self_signed(house: &House, name: &str) -> Certificate {
    let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
    let wanted = NewSelfSigned {
        friendly_name: name.to_owned(),
        key: KeyChoice::New { algorithm: KeyAlgorithm::EcP256, token: TokenId::system() },
        subject: Vec::new(),
        names: vec![SubjectAltName::parse("own.example.org").unwrap()],
        days: 90,
    };
    certificate::self_sign(&house.fixture.app, &by, wanted).await.unwrap().view.entry.certificate
}

#[tokio::test]
async fn it_holds_every_certificate_every_chain_and_their_state() {
    for house in houses().await {
        let app = &house.fixture.app;
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let made = lineage::create(app, &by, wanted("shop", "internal")).await.unwrap();
        house.fixture.run_due().await.unwrap();
        let see = house.fixture.may(uses::ViewCertificates).unwrap();
        let leaf = lineage::find(app, &see, &made.lineage.id).await.unwrap().lineage.current.unwrap();
        let view = certificate::find(app, &see, &leaf).await.unwrap();
        let short = |one: &Fingerprint| one.to_string()[..16].to_owned();

        let file = bundle(&house, Some(leaf)).await.unwrap();
        assert_eq!(file.name, format!("support-{}.zip", &START.to_string()[..10]));
        let files = unpacked(file.bytes);
        let chain = &files[&format!("chains/{}.pem", short(&leaf))];
        assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 3, "the root too");
        for one in std::iter::once(&view.entry.certificate).chain(&view.above()) {
            assert!(files.contains_key(&format!("certificates/{}.pem", short(&one.fingerprint()))));
        }
        assert_eq!(files.len(), 5, "{:?}", files.keys());
        let status = &files["status.txt"];
        for words in ["Friendly Name: shop", "Private Key?: Yes", "Server: DEV", &leaf.to_string()] {
            assert!(status.contains(words), "{words} in {status}");
        }

        house.clock.advance(DAY);
        let own = self_signed(&house, "own").await;
        let file = bundle(&house, None).await.unwrap();
        assert_ne!(file.name, format!("support-{}.zip", &START.to_string()[..10]));
        let files = unpacked(file.bytes);
        assert!(files.contains_key(&format!("certificates/{}.pem", short(&own.fingerprint()))));
        assert!(files.values().all(|text| !text.contains("PRIVATE KEY")), "{:?}", files.keys());
    }
}

#[tokio::test]
async fn a_key_that_somebody_wrote_into_a_name_does_not_go_along() {
    for house in houses().await {
        self_signed(&house, "-----BEGIN PRIVATE KEY----- MC4CAQAwBQYDK2VwBCIEIA").await;
        let refused = bundle(&house, None).await.unwrap_err();
        assert!(matches!(&refused, Error::Refused(refusal) if refusal.code == "support.private_key"));
    }
}
