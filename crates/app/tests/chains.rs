//! Chains of what is known here: the preview, the certificate and the list agree, also where names are spelled otherwise
//! and where somebody brought a crowd of CAs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

use std::sync::Arc;

use claviger_app::certificate::{self, Import, ImportFile};
use claviger_app::filter::CertificateFilter;
use claviger_app::testing::Fixture;
use claviger_app::{Error, Page};
use domain::permission::uses;
use domain::{Authorized, Moment};
use pki::chain::Chain;
use pki::format::pem_write;
use pki::issue::{self, Purpose, Template};
use pki::name::{Attribute, AttributeType};
use pki::{Certificate, DistinguishedName, Signer, UnixTime};
use testkit::{FreshStore, SeededRandom, TestClock, TestSigner, fresh_stores};
use token::InstanceKey;

/// 2026-11-21T12:00:00Z.
const START: Moment = Moment(1_795_262_400_000);
const DAY: i64 = 86_400;

struct Place {
    fixture: Fixture,
    _store: FreshStore,
    _data: tempfile::TempDir,
}

async fn places() -> Vec<Place> {
    let mut places = Vec::new();
    for store in fresh_stores().await {
        let (clock, random) = (Arc::new(TestClock::at(START)), Arc::new(SeededRandom::new(1)));
        let data = tempfile::tempdir().unwrap();
        let instance = InstanceKey::generate(&*random);
        let app = Fixture::empty(store.store.clone(), instance, clock, random, data.path().to_owned());
        let fixture = Fixture::installed(app).await.unwrap();
        places.push(Place { fixture, _store: store, _data: data });
    }
    places
}

fn file(all: &[&Certificate]) -> Import {
    let text = pem_write::chain(all.iter().map(|one| one.der()));
    Import { files: vec![ImportFile::from(text.into_bytes())], ..Import::default() }
}

impl Place {
    fn by(&self) -> Authorized<uses::ManageTlsCertificates> {
        self.fixture.may(uses::ManageTlsCertificates).unwrap()
    }

    async fn import(&self, all: &[&Certificate]) -> Result<(), Error> {
        certificate::import(&self.fixture.app, &self.by(), file(all)).await.map(drop)
    }

    /// The chain that a preview of these shows for the first of them.
    async fn previewed(&self, all: &[&Certificate]) -> Chain {
        let preview = certificate::preview(&self.fixture.app, &self.by(), file(all)).await.unwrap();
        let mut steps = preview.plan.steps.into_iter();
        steps.find(|step| step.entry.certificate == *all[0]).unwrap().chain
    }

    /// The chain of one that is stored, by its page and in the list.
    async fn shown(&self, leaf: &Certificate) -> Chain {
        let see = self.fixture.may(uses::ViewCertificates).unwrap();
        let found = certificate::find(&self.fixture.app, &see, &leaf.fingerprint()).await.unwrap().chain;
        let all = CertificateFilter { include_ca: true, ..CertificateFilter::default() };
        let list = certificate::list(&self.fixture.app, &see, all, Page::first(1_000)).await.unwrap();
        let row = list.into_iter().find(|view| view.entry.certificate == *leaf).unwrap();
        assert_eq!(told(&row.chain), told(&found));
        found
    }
}

/// All that is said of a chain.
fn told(chain: &Chain) -> String {
    format!("{chain:?}")
}

fn name(text: &str) -> DistinguishedName {
    DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, text)]).unwrap()
}

fn signed(
    (subject, issuer): (&str, &str),
    of: &TestSigner,
    purpose: Purpose,
    by: &TestSigner,
) -> Certificate {
    let is_leaf = purpose == Purpose::TlsServer;
    let template = Template {
        serial: vec![7],
        issuer: name(issuer),
        subject: name(subject),
        public_key: of.public_key().clone(),
        not_before: UnixTime(START.unix().0 - DAY),
        not_after: UnixTime(START.unix().0 + if is_leaf { 60 } else { 600 } * DAY),
        names: if is_leaf { vec![subject.parse().unwrap()] } else { Vec::new() },
        purpose,
        authority_key_id: Some(issue::subject_key_id(by.public_key())),
        ca_issuers_url: None,
    };
    let tbs = issue::to_be_signed(&template, by.algorithm().certificate_scheme()).unwrap();
    Certificate::parse(&issue::sign(&tbs, by).unwrap()).unwrap()
}

const BELOW: Purpose = Purpose::Intermediate { path_len: 0 };

#[tokio::test]
async fn a_name_that_is_spelled_otherwise_is_the_same() {
    for place in places().await {
        let (above, below, key) = (TestSigner::ec(), TestSigner::ec(), TestSigner::ec());
        let root = signed(("Outside Root", "Outside Root"), &above, Purpose::Root, &above);
        let issuing = signed(("Outside CA", "OUTSIDE ROOT"), &below, BELOW, &above);
        let leaf = signed(("a.example.org", "outside  ca"), &key, Purpose::TlsServer, &below);
        let expected = (vec![leaf.clone(), issuing.clone()], Some(root.clone()), Ok(()));
        let parts = |chain: Chain| (chain.served, chain.root, chain.verdict);
        // The root is known, then the intermediate comes along, then everything is stored.
        place.import(&[&root]).await.unwrap();
        assert_eq!(parts(place.previewed(&[&leaf, &issuing]).await), expected);
        place.import(&[&issuing]).await.unwrap();
        let previewed = place.previewed(&[&leaf]).await;
        assert_eq!(parts(previewed.clone()), expected);
        place.import(&[&leaf]).await.unwrap();
        assert_eq!(told(&place.shown(&leaf).await), told(&previewed));
    }
}

#[tokio::test]
async fn a_crowd_of_one_name_is_refused_and_hides_nobody() {
    for place in places().await {
        let (above, below, key) = (TestSigner::ec(), TestSigner::ec(), TestSigner::ec());
        let root = signed(("Outside Root", "Outside Root"), &above, Purpose::Root, &above);
        let issuing = signed(("Outside CA", "Outside Root"), &below, BELOW, &above);
        let leaf = signed(("a.example.org", "Outside CA"), &key, Purpose::TlsServer, &below);
        let impostors: Vec<Certificate> = (0..40)
            .map(|_| TestSigner::ec())
            .map(|own| signed(("Outside CA", "Outside CA"), &own, Purpose::Root, &own))
            .collect();
        let crowd: Vec<&Certificate> = [&leaf].into_iter().chain(&impostors).collect();
        assert_eq!(place.import(&crowd).await.unwrap_err().code(), "chain.budget");
        for some in impostors.chunks(20) {
            place.import(&some.iter().collect::<Vec<_>>()).await.unwrap();
        }
        place.import(&[&leaf, &issuing, &root]).await.unwrap();
        let chain = place.shown(&leaf).await;
        assert_eq!((chain.served, chain.root), (vec![leaf, issuing], Some(root)));
        assert_eq!((chain.verdict, chain.findings.as_slice()), (Ok(()), [].as_slice()));
    }
}

#[tokio::test]
async fn an_issuer_that_is_here_and_is_no_ca_is_named_until_its_right_certificate_comes() {
    for place in places().await {
        let (above, below, key) = (TestSigner::ec(), TestSigner::ec(), TestSigner::ec());
        let root = signed(("Outside Root", "Outside Root"), &above, Purpose::Root, &above);
        let powerless = signed(("ca.example.org", "Outside Root"), &below, Purpose::TlsServer, &above);
        let leaf = signed(("a.example.org", "ca.example.org"), &key, Purpose::TlsServer, &below);
        place.import(&[&root, &powerless]).await.unwrap();
        // The same before it is stored, when it is, and where everything comes at once.
        for _ in 0..2 {
            for chain in [place.previewed(&[&leaf]).await, place.previewed(&[&leaf, &powerless]).await] {
                let finding = &chain.findings[0];
                assert_eq!((finding.code, finding.place.as_str()), ("chain.not_ca", "ca.example.org"));
            }
            place.import(&[&leaf]).await.unwrap();
        }
        assert_eq!(place.shown(&leaf).await.findings[0].code, "chain.not_ca");
        let right = signed(("ca.example.org", "Outside Root"), &below, BELOW, &above);
        place.import(&[&right]).await.unwrap();
        let chain = place.shown(&leaf).await;
        assert_eq!((chain.served, chain.findings.as_slice()), (vec![leaf, right], [].as_slice()));
    }
}
