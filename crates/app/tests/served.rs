//! What may be served, and by which keys: never that of a CA; no name vanishes unsaid; a lineage keeps its certificate, its
//! key and its order whatever else is imported.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod common;

use std::collections::BTreeSet;

use claviger_app::certificate::{self, Consequences, Import, ImportFile, Imported, Preview, Wishes};
use claviger_app::filter::{CertificateFilter, CsrFilter, KeyFilter, LineageFilter};
use claviger_app::lineage::{self, Adopt, LineageView, NewLineage};
use claviger_app::testing::Fixture;
use claviger_app::{Error, Page, csr, key};
use common::{House, START, houses, wanted};
use domain::certificate::CertificateState;
use domain::clock::{DAY, MINUTE};
use domain::csr::CsrState;
use domain::id::LineageId;
use domain::key::KeyUsage;
use domain::lineage::AtRenewal;
use domain::permission::{Role, uses};
use domain::{Authorized, authorize};
use pki::format::pem_write;
use pki::issue::{self, Purpose, Template};
use pki::name::{Attribute, AttributeType};
use pki::{Certificate, DistinguishedName, Fingerprint, KeyId, PublicKey, Signer, SubjectAltName, UnixTime};
use testkit::TestSigner;

/// Who may manage TLS certificates and nothing above.
fn service_administrator() -> Authorized<uses::ManageTlsCertificates> {
    authorize(&Fixture::actor(&[Role::ServiceAdministrator]), uses::ManageTlsCertificates, "").unwrap()
}

fn see(house: &House) -> Authorized<uses::ViewCertificates> {
    house.fixture.may(uses::ViewCertificates).unwrap()
}

/// A leaf for these names over anybody's public key, by a CA that nobody here knows.
fn leaf(names: &[&str], key: &PublicKey, days: i64) -> Certificate {
    static SERIAL: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1 << 40);
    let ca = TestSigner::ec();
    let named = |name: &str| {
        DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, name)]).unwrap()
    };
    let day = DAY / 1_000;
    let template = Template {
        serial: SERIAL.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_be_bytes()[2..].to_vec(),
        issuer: named("Outside CA"),
        subject: named(names[0]),
        public_key: key.clone(),
        not_before: UnixTime(START.unix().0 - day),
        not_after: UnixTime(START.unix().0 + days * day),
        names: names.iter().map(|name| SubjectAltName::parse(name).unwrap()).collect(),
        purpose: Purpose::TlsServer,
        authority_key_id: None,
        ca_issuers_url: None,
    };
    let tbs = issue::to_be_signed(&template, ca.algorithm().certificate_scheme()).unwrap();
    Certificate::parse(&issue::sign(&tbs, &ca).unwrap()).unwrap()
}

fn input(certificates: &[&Certificate], key: Option<&TestSigner>, lineage: Option<&LineageId>) -> Import {
    let mut files: Vec<ImportFile> =
        certificates.iter().map(|one| ImportFile::from(one.der().to_vec())).collect();
    files.extend(key.map(|key| pem_write::private_key(&key.private_key()).as_bytes().to_vec().into()));
    Import { files, wishes: Wishes { lineage: lineage.cloned(), ..Wishes::default() }, ..Import::default() }
}

async fn import(house: &House, input: Import) -> Result<Imported, Error> {
    let taken = certificate::import(&house.fixture.app, &service_administrator(), input).await?;
    house.clock.advance(MINUTE);
    Ok(taken.into_imported().unwrap())
}

async fn preview(house: &House, input: Import) -> Preview {
    certificate::preview(&house.fixture.app, &service_administrator(), input).await.unwrap()
}

/// A site with a key of its own, served by the edge.
async fn site(house: &House, names: &[&str]) -> (TestSigner, Certificate, LineageId) {
    let key = TestSigner::ec();
    let certificate = leaf(names, key.public_key(), 60);
    let imported = import(house, input(&[&certificate], Some(&key), None)).await.unwrap();
    (key, certificate, imported.became_current[0].clone())
}

async fn found(house: &House, id: &LineageId) -> LineageView {
    lineage::find(&house.fixture.app, &see(house), id).await.unwrap()
}

/// What the edge answers with for a name, by the name itself.
async fn served(house: &House, name: &str) -> Option<Fingerprint> {
    house.fixture.run_due().await.unwrap();
    let snapshot = house.fixture.app.snapshots().borrow().clone();
    let all = snapshot.all();
    let for_it = all.into_iter().find(|one| one.names.contains(&SubjectAltName::parse(name).unwrap()));
    for_it.map(|one| one.fingerprint)
}

fn code<T>(result: Result<T, Error>) -> String {
    result.map(drop).unwrap_err().code()
}

/// The keys of our CAs: made with the first certificate that they issue.
async fn authority(house: &House) -> (Vec<PublicKey>, Vec<Fingerprint>, LineageId) {
    let app = &house.fixture.app;
    let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
    let shop = lineage::create(app, &by, wanted("shop", "internal")).await.unwrap().lineage.id;
    house.fixture.run_due().await.unwrap();
    house.clock.advance(MINUTE);
    let filter = KeyFilter { usage: Some(KeyUsage::Ca), ..KeyFilter::default() };
    let may = house.fixture.may(uses::ViewKeys).unwrap();
    let keys = key::list(app, &may, filter, Page::first(10)).await.unwrap();
    let keys: Vec<_> = keys.iter().map(|view| PublicKey::from_spki_der(&view.key.spki).unwrap()).collect();
    let all = CertificateFilter { include_ca: true, ..CertificateFilter::default() };
    let all = certificate::list(app, &see(house), all, Page::first(50)).await.unwrap();
    let cas = all.iter().map(|view| &view.entry).filter(|entry| entry.certificate.is_ca());
    let cas: Vec<_> = cas.map(|entry| entry.fingerprint()).collect();
    assert_eq!((keys.len(), cas.len()), (2, 2));
    (keys, cas, shop)
}

#[tokio::test]
async fn the_key_of_a_ca_is_served_to_nobody() {
    for house in houses().await {
        let (app, by) = (&house.fixture.app, service_administrator());
        let (keys, cas, shop) = authority(&house).await;
        for ca in &cas {
            assert_eq!(code(certificate::set_default(app, &by, ca).await), "wrong_key_usage");
            assert_eq!(code(lineage::adopt(app, &by, ca, Adopt::default()).await), "wrong_key_usage");
            for consequences in [Consequences::Refuse, Consequences::Accept] {
                let removed = certificate::retire(app, &by, ca, consequences).await;
                assert_eq!(code(removed), "certificate.authority");
            }
        }
        for key in &keys {
            let evil = leaf(&["evil.example"], key, 60);
            let imported = import(&house, input(&[&evil], None, None)).await.unwrap();
            assert_eq!((imported.new, imported.became_current.len()), (1, 0));
            assert!(imported.certificates[0].lineage.is_none());
            let known = preview(&house, input(&[&evil], None, None)).await;
            assert_eq!(known.plan.steps[0].fate.name(), "alone");
            assert_eq!(known.plan.steps[0].fate.why().unwrap(), "its private key is for ca, not for TLS");
            // Nor by its place in a lineage that has the name.
            let near = leaf(&["shop.example.org", "evil.example"], key, 900);
            assert_eq!(code(import(&house, input(&[&near], None, Some(&shop))).await), "import.lineage");
            let id = evil.fingerprint();
            assert_eq!(code(certificate::activate(app, &by, &id).await), "lineage.none");
            assert_eq!(code(certificate::set_default(app, &by, &id).await), "wrong_key_usage");
            assert_eq!(code(lineage::adopt(app, &by, &id, Adopt::default()).await), "wrong_key_usage");
        }
        assert_eq!(served(&house, "evil.example").await, None);
        assert!(served(&house, "shop.example.org").await.is_some());
    }
}

#[tokio::test]
async fn the_edge_takes_no_key_of_a_ca_whatever_the_rows_say() {
    for house in houses().await {
        let app = &house.fixture.app;
        let (keys, cas, shop) = authority(&house).await;
        let evil = leaf(&["evil.example"], &keys[0], 60);
        import(&house, input(&[&evil], None, None)).await.unwrap();
        let (root, id, lineage) = (cas[0].to_string(), evil.fingerprint(), shop.clone());
        let row = app.store().tx("test", move |tx| {
            store::setting::put(tx, claviger_app::setting::DEFAULT_CERTIFICATE, &root)?;
            store::lineage::set_current(tx, &lineage, &id, None)
        });
        row.await.unwrap();
        assert_eq!(served(&house, "evil.example").await, None);
        let snapshot = app.snapshots().borrow().clone();
        let authorities: BTreeSet<KeyId> = keys.iter().map(PublicKey::id).collect();
        let default = snapshot.default.clone().unwrap();
        assert!(!authorities.contains(&default.key), "the factory certificate instead");
        assert!(snapshot.all().iter().all(|one| !authorities.contains(&one.key)));
        assert!(authorities.iter().all(|key| app.signers().signer(key).is_none()));
        assert!(app.signers().signer(&default.key).is_some());
        // A renewal that keeps the key makes a new one instead of signing with the CA's.
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let change = lineage::LineageChange { at_renewal: Some(AtRenewal::KeepKey), ..Default::default() };
        lineage::update(app, &by, &shop, change).await.unwrap();
        lineage::renew(app, &by, &shop).await.unwrap();
        house.fixture.run_due().await.unwrap();
        let current = found(&house, &shop).await.current.unwrap();
        assert!(current.fingerprint() != id && !authorities.contains(&current.key()));
    }
}

#[tokio::test]
async fn an_import_takes_no_certificate_from_the_lineage_that_serves_it() {
    for house in houses().await {
        let (app, by) = (&house.fixture.app, service_administrator());
        let (_, b, in_b) = site(&house, &["site-b.example"]).await;
        let (key, c, in_c) = site(&house, &["site-c.example"]).await;
        let stolen = || input(&[&c], None, Some(&in_b));
        let said = preview(&house, stolen()).await.refusal.unwrap();
        assert_eq!(said.code(), "import.lineage");
        assert!(said.to_string().contains("site-c"), "{said}");
        assert_eq!(code(import(&house, stolen()).await), "import.lineage");
        assert_eq!(code(key::retire(app, &by, &c.key_id()).await), "key.in_use");
        let kept = certificate::retire(app, &by, &c.fingerprint(), Consequences::Refuse).await;
        assert_eq!(code(kept), "certificate.in_use");
        // Of several, only what is for the named lineage comes into it.
        let more = leaf(&["site-b.example"], &by_signer(&key), 20);
        let other = leaf(&["other.example"], &by_signer(&key), 20);
        let taken = import(&house, input(&[&c, &more, &other], None, Some(&in_b))).await.unwrap();
        let lineages: Vec<_> =
            taken.certificates.iter().map(|view| view.lineage.clone().map(|lineage| lineage.id)).collect();
        assert_eq!(lineages[..2], [Some(in_c.clone()), Some(in_b.clone())]);
        assert!(lineages[2] != Some(in_b.clone()));
        assert_eq!(found(&house, &in_b).await.current.unwrap().certificate, b);
        assert_eq!(found(&house, &in_c).await.history.len(), 1);
        // Whatever its row says: it is asked who serves it.
        let (id, lineage) = (c.fingerprint(), in_b.clone());
        let row = app.store().tx("test", move |tx| store::certificate::set_lineage(tx, &id, Some(&lineage)));
        row.await.unwrap();
        assert_eq!(code(key::retire(app, &by, &c.key_id()).await), "key.in_use");
        let kept = certificate::retire(app, &by, &c.fingerprint(), Consequences::Refuse).await;
        assert_eq!(code(kept), "certificate.in_use");
        assert!(certificate::find(app, &see(&house), &c.fingerprint()).await.unwrap().is_current);
    }
}

fn by_signer(key: &TestSigner) -> PublicKey {
    key.public_key().clone()
}

/// A lineage whose CA is asked by hand, with a certificate, and with an order that waits for the next one.
async fn asked(house: &House) -> (LineageId, Certificate, PublicKey) {
    let app = &house.fixture.app;
    let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
    let names = ["paper.example.org", "www.paper.example.org"];
    let new = NewLineage {
        at_renewal: AtRenewal::KeepKey,
        names: names.iter().map(|name| SubjectAltName::parse(name).unwrap()).collect(),
        ..wanted("paper", "manual")
    };
    let id = lineage::create(app, &by, new).await.unwrap().lineage.id;
    house.fixture.run_due().await.unwrap();
    house.clock.advance(MINUTE);
    let key = waiting(house).await.remove(0).csr.public_key().clone();
    let first = leaf(&names, &key, 60);
    let imported = import(house, input(&[&first], None, None)).await.unwrap();
    assert_eq!((imported.fulfilled.len(), imported.became_current.as_slice()), (1, &[id.clone()][..]));
    assert!(waiting(house).await.is_empty() && found(house, &id).await.order.is_none());
    renewed(house, &id).await;
    (id, first, key)
}

async fn renewed(house: &House, id: &LineageId) {
    lineage::renew(&house.fixture.app, &service_administrator(), id).await.unwrap();
    house.fixture.run_due().await.unwrap();
    house.clock.advance(MINUTE);
    assert_eq!(waiting(house).await.len(), 1);
}

async fn waiting(house: &House) -> Vec<csr::CsrView> {
    let filter = CsrFilter { state: Some(CsrState::Waiting), ..CsrFilter::default() };
    csr::list(&house.fixture.app, &see(house), filter, Page::first(10)).await.unwrap()
}

#[tokio::test]
async fn only_its_answer_ends_an_order() {
    for house in houses().await {
        let (app, by) = (&house.fixture.app, service_administrator());
        let (id, first, key) = asked(&house).await;
        // The certificate that is there already, and an answer that lacks a name.
        let short = leaf(&["paper.example.org"], &key, 400);
        let earlier = leaf(&["paper.example.org", "www.paper.example.org"], &key, 20);
        for (certificate, lineage) in [(&first, None), (&short, None), (&short, Some(&id)), (&earlier, None)]
        {
            let imported = import(&house, input(&[certificate], None, lineage)).await.unwrap();
            assert_eq!((imported.fulfilled.len(), imported.became_current.len()), (0, 0));
            assert_eq!(imported.certificates[0].lineage.as_ref().unwrap().id, id, "it is kept there");
            assert_eq!(waiting(&house).await.len(), 1);
            assert_eq!(found(&house, &id).await.current.unwrap().certificate, first);
        }
        // It can be given up, and repeated.
        let request = waiting(&house).await.remove(0).entry.id;
        csr::withdraw(app, &by, &request).await.unwrap();
        assert!(found(&house, &id).await.order.is_none());
        renewed(&house, &id).await;
        // Its answer ends it.
        let answer = leaf(&["paper.example.org", "www.paper.example.org"], &key, 400);
        let imported = import(&house, input(&[&answer], None, None)).await.unwrap();
        assert_eq!((imported.fulfilled.len(), imported.became_current.as_slice()), (1, &[id.clone()][..]));
        assert!(found(&house, &id).await.order.is_none() && waiting(&house).await.is_empty());
    }
}

#[tokio::test]
async fn an_answer_that_a_person_makes_current_ends_the_order_and_an_older_certificate_does_not() {
    for house in houses().await {
        let (app, by) = (&house.fixture.app, service_administrator());
        let (id, first, key) = asked(&house).await;
        certificate::activate(app, &by, &first.fingerprint()).await.unwrap();
        assert!(found(&house, &id).await.order.is_some(), "it came before its request");
        let answer = leaf(&["paper.example.org", "www.paper.example.org"], &key, 20);
        assert_eq!(import(&house, input(&[&answer], None, None)).await.unwrap().fulfilled, []);
        certificate::activate(app, &by, &answer.fingerprint()).await.unwrap();
        let view = found(&house, &id).await;
        assert_eq!((view.order, view.current.unwrap().certificate), (None, answer));
        assert!(waiting(&house).await.is_empty());
    }
}

#[tokio::test]
async fn a_request_that_was_marked_can_be_given_up_while_its_order_is_under_way() {
    for house in houses().await {
        let (app, by) = (&house.fixture.app, service_administrator());
        let (id, ..) = asked(&house).await;
        let request = waiting(&house).await.remove(0).entry.id;
        let marked = request.clone();
        let row = app.store().tx("test", move |tx| store::csr::set_state(tx, &marked, CsrState::Fulfilled));
        row.await.unwrap();
        csr::withdraw(app, &by, &request).await.unwrap();
        assert!(found(&house, &id).await.order.is_none());
        renewed(&house, &id).await;
        assert_eq!(code(csr::withdraw(app, &by, &request).await), "csr.state");
    }
}

#[tokio::test]
async fn no_lineage_is_founded_on_what_has_expired() {
    for house in houses().await {
        let (app, by) = (&house.fixture.app, service_administrator());
        let key = TestSigner::ec();
        let old = leaf(&["old.example"], key.public_key(), 0);
        house.clock.advance(DAY);
        let imported = import(&house, input(&[&old], Some(&key), None)).await.unwrap();
        assert!(imported.became_current.is_empty() && imported.certificates[0].lineage.is_none());
        let wishes = Adopt { name: Some("old".to_owned()), ..Adopt::default() };
        let refused = lineage::adopt(app, &by, &old.fingerprint(), wishes).await.unwrap_err();
        assert_eq!(refused.code(), "cert.expired");
        let Error::Conflict(refusal) = refused else { panic!("{refused:?}") };
        assert!(refusal.repair.contains("new lineage"), "{refusal:?}");
        assert!(served(&house, "old.example").await.is_none());
        let page = lineage::list(app, &see(&house), LineageFilter::default(), Page::first(10)).await.unwrap();
        assert!(page.is_empty(), "nothing half-done");
    }
}

#[tokio::test]
async fn another_certificate_loses_no_name_unsaid_and_a_revoked_one_is_not_served() {
    for house in houses().await {
        let (app, by) = (&house.fixture.app, service_administrator());
        let (key, current, id) = site(&house, &["a.example", "b.example", "z.example"]).await;
        let fewer = leaf(&["z.example"], key.public_key(), 400);
        import(&house, input(&[&fewer], None, Some(&id))).await.unwrap();
        let refused = certificate::activate(app, &by, &fewer.fingerprint()).await.unwrap_err();
        assert_eq!(refused.code(), "lineage.names");
        assert!(refused.to_string().contains("a.example, b.example"), "{refused}");
        assert_eq!(served(&house, "b.example").await, Some(current.fingerprint()));

        let taken_back = leaf(&["a.example", "b.example", "z.example"], key.public_key(), 30);
        import(&house, input(&[&taken_back], None, None)).await.unwrap();
        let revoked = taken_back.fingerprint();
        let row = app
            .store()
            .tx("test", move |tx| store::certificate::set_state(tx, &revoked, CertificateState::Revoked));
        row.await.unwrap();
        assert_eq!(code(certificate::activate(app, &by, &revoked).await), "certificate.revoked");
        assert_eq!(code(certificate::set_default(app, &by, &revoked).await), "certificate.revoked");
        let again = preview(&house, input(&[&taken_back], None, None)).await;
        assert_eq!(again.plan.steps[0].fate.why().unwrap(), "it was revoked");
    }
}

#[tokio::test]
async fn a_default_has_a_key_that_stays_and_is_not_hidden() {
    for house in houses().await {
        let (app, by) = (&house.fixture.app, service_administrator());
        let (_, certificate, id) = site(&house, &["a.example"]).await;
        lineage::retire(app, &by, &id).await.unwrap();
        let hash = certificate.fingerprint();
        certificate::retire(app, &by, &hash, Consequences::Refuse).await.unwrap();
        key::retire(app, &by, &certificate.key_id()).await.unwrap();
        assert_eq!(code(certificate::set_default(app, &by, &hash).await), "key.missing");
        let officer = house.fixture.may(uses::RestoreKey).unwrap();
        key::restore(app, &officer, &certificate.key_id()).await.unwrap();
        certificate::set_default(app, &by, &hash).await.unwrap();
        let view = certificate::find(app, &see(&house), &hash).await.unwrap();
        assert_eq!((view.is_default, view.entry.state), (true, CertificateState::Issued));
    }
}

#[tokio::test]
async fn a_lineage_ends_with_its_only_certificate_where_that_was_accepted_and_nobody_renews_it() {
    for house in houses().await {
        let (app, by) = (&house.fixture.app, service_administrator());
        let (key, first, id) = site(&house, &["a.example"]).await;
        let second = leaf(&["a.example"], key.public_key(), 90);
        import(&house, input(&[&second], None, None)).await.unwrap();
        let remove = async |one: &Certificate, consequences| {
            certificate::retire(app, &by, &one.fingerprint(), consequences).await
        };
        for consequences in [Consequences::Refuse, Consequences::Accept] {
            assert_eq!(code(remove(&second, consequences).await), "certificate.in_use");
        }
        remove(&first, Consequences::Refuse).await.unwrap();
        assert_eq!(code(remove(&second, Consequences::Refuse).await), "certificate.in_use");
        assert_eq!(served(&house, "a.example").await, Some(second.fingerprint()));
        remove(&second, Consequences::Accept).await.unwrap();
        assert!(lineage::find(app, &see(&house), &id).await.is_err());
        assert_eq!(served(&house, "a.example").await, None);
    }
}
