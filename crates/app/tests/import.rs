//! Import: what the preview says is what is done, nothing is stored before, and large collections come as a job.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

use std::sync::Arc;

use claviger_app::certificate::import::{
    Fate, KeyFrom, Offered, Standing, confirm, discard, hold, outcome, show,
};
use claviger_app::certificate::{self, Import, ImportFile, Imported, Preview, PreviewHash, Taken, Wishes};
use claviger_app::csr::{self, KeyChoice, NewCsr};
use claviger_app::filter::{CertificateFilter, KeyFilter};
use claviger_app::testing::Fixture;
use claviger_app::{Error, Page, job, key};
use domain::clock::MINUTE;
use domain::id::{CsrId, LineageId, TokenId};
use domain::job::JobState;
use domain::key::Exportable;
use domain::permission::{Role, uses};
use domain::{Authorized, Moment, authorize};
use pki::format::pkcs12_write::{Pkcs12, Salts, Strength};
use pki::format::{pem_write, pkcs8_write, pkcs12_write};
use pki::issue::{self, Purpose, Template};
use pki::name::{Attribute, AttributeType};
use pki::{Certificate, DistinguishedName, KeyAlgorithm, PublicKey, Signer, SubjectAltName, UnixTime};
use testkit::{FreshStore, SeededRandom, TestClock, TestSigner, fresh_stores};
use token::InstanceKey;
use zeroize::Zeroizing;

/// 2026-11-21T12:00:00Z.
const START: Moment = Moment(1_795_262_400_000);

/// A server with what keeps it alive, and a CA outside of it.
struct Place {
    fixture: Fixture,
    clock: Arc<TestClock>,
    store: FreshStore,
    ca: Ca,
    _data: tempfile::TempDir,
}

async fn places() -> Vec<Place> {
    let mut places = Vec::new();
    for store in fresh_stores().await {
        let (clock, random) = (Arc::new(TestClock::at(START)), Arc::new(SeededRandom::new(1)));
        let data = tempfile::tempdir().unwrap();
        let instance = InstanceKey::generate(&*random);
        let folder = data.path().to_owned();
        let app = Fixture::empty(store.store.clone(), instance, clock.clone(), random, folder);
        let fixture = Fixture::installed(app).await.unwrap();
        places.push(Place { fixture, clock, store, ca: Ca::new(), _data: data });
    }
    places
}

impl Place {
    fn by(&self) -> Authorized<uses::ManageTlsCertificates> {
        self.fixture.may(uses::ManageTlsCertificates).unwrap()
    }

    async fn preview(&self, input: Import) -> Result<Preview, Error> {
        certificate::preview(&self.fixture.app, &self.by(), input).await
    }

    async fn import(&self, input: Import) -> Result<Imported, Error> {
        let taken = certificate::import(&self.fixture.app, &self.by(), input).await?;
        Ok(taken.into_imported().unwrap())
    }

    async fn refusal(&self, input: Import) -> String {
        let before = self.certificates().await;
        let error = certificate::import(&self.fixture.app, &self.by(), input).await.unwrap_err();
        assert_eq!(self.certificates().await, before, "a refusal stores nothing");
        error.code()
    }

    /// How many certificates there are, the factory one and CAs included.
    async fn certificates(&self) -> usize {
        let see = self.fixture.may(uses::ViewCertificates).unwrap();
        let all = CertificateFilter { include_ca: true, ..CertificateFilter::default() };
        certificate::list(&self.fixture.app, &see, all, Page::first(5_000)).await.unwrap().len()
    }

    async fn labels(&self) -> Vec<String> {
        let see = self.fixture.may(uses::ViewKeys).unwrap();
        let keys = key::list(&self.fixture.app, &see, KeyFilter::default(), Page::first(100)).await;
        keys.unwrap().into_iter().map(|view| view.key.label).collect()
    }

    /// Asks for a certificate of a new key, and has the CA answer.
    async fn answered(&self, name: &str) -> (CsrId, Certificate) {
        let wanted = NewCsr {
            friendly_name: format!("request for {name}"),
            key: KeyChoice::New { algorithm: KeyAlgorithm::EcP256, token: TokenId::system() },
            subject: Vec::new(),
            names: vec![SubjectAltName::parse(name).unwrap()],
            lineage: None,
        };
        let made = csr::create(&self.fixture.app, &self.by(), wanted).await.unwrap();
        let request = pki::Csr::parse(&made.entry.der).unwrap();
        (made.entry.id, self.ca.leaf(name, request.public_key(), 90))
    }
}

/// A root, and the intermediate that signs.
struct Ca {
    /// The key of the root.
    above: TestSigner,
    signer: TestSigner,
    intermediate: Certificate,
    root: Certificate,
}

const DAY: i64 = 86_400;

impl Ca {
    fn new() -> Self {
        let (above, signer) = (TestSigner::ec(), TestSigner::ec());
        let root =
            signed(("Outside Root", "Outside Root"), above.public_key(), Purpose::Root, (&[], 5_000), &above);
        let below = Purpose::Intermediate { path_len: 0 };
        let intermediate =
            signed(("Outside CA", "Outside Root"), signer.public_key(), below, (&[], 3_000), &above);
        Self { above, signer, intermediate, root }
    }

    fn leaf(&self, name: &str, key: &PublicKey, days: i64) -> Certificate {
        signed(("", "Outside CA"), key, Purpose::TlsServer, (&[name], days), &self.signer)
    }
}

fn signed(
    (subject, issuer): (&str, &str),
    key: &PublicKey,
    purpose: Purpose,
    (names, days): (&[&str], i64),
    signer: &TestSigner,
) -> Certificate {
    static SERIAL: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1 << 32);
    let serial = SERIAL.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let template = Template {
        serial: serial.to_be_bytes()[3..].to_vec(),
        issuer: common_name(issuer),
        subject: common_name(subject),
        public_key: key.clone(),
        not_before: UnixTime(START.unix().0 - 10 * DAY),
        not_after: UnixTime(START.unix().0 + days * DAY),
        names: names.iter().map(|name| SubjectAltName::parse(name).unwrap()).collect(),
        purpose,
        authority_key_id: None,
        ca_issuers_url: None,
    };
    let tbs = issue::to_be_signed(&template, signer.algorithm().certificate_scheme()).unwrap();
    Certificate::parse(&issue::sign(&tbs, signer).unwrap()).unwrap()
}

fn common_name(name: &str) -> DistinguishedName {
    DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, name)]).unwrap()
}

fn pem(certificates: &[&Certificate]) -> ImportFile {
    pem_write::chain(certificates.iter().map(|one| one.der())).into_bytes().into()
}

fn key_pem(key: &TestSigner) -> ImportFile {
    pem_write::private_key(&key.private_key()).as_bytes().to_vec().into()
}

fn p12(key: &TestSigner, certificates: &[Certificate], name: &str, passphrase: &str) -> ImportFile {
    let (private, random) = (key.private_key(), SeededRandom::new(7));
    let contents = Pkcs12 { key: Some(&private), certificates, friendly_name: name };
    let salts = Salts::new(|bytes| domain::Random::fill(&random, bytes));
    pkcs12_write::write(&contents, passphrase, Strength::Legacy, &salts).to_vec().into()
}

fn of(files: Vec<ImportFile>) -> Import {
    Import { files, ..Import::default() }
}

fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

#[tokio::test]
async fn the_preview_stores_nothing_and_says_what_the_import_does() {
    for place in places().await {
        let (request, leaf) = place.answered("shop.example.org").await;
        let Ca { intermediate, root, .. } = &place.ca;
        let files = || vec![pem(&[root, &leaf]), ImportFile::from(intermediate.der().to_vec())];
        let before = place.store.everything().await;
        let preview = place.preview(of(files())).await.unwrap();
        assert!(place.store.everything().await == before, "the preview changed the database");
        assert!(preview.refusal.is_none() && !preview.is_for_job());
        let [shop, ca, anchor] = preview.plan.steps.as_slice() else { panic!("three certificates") };
        assert_eq!((shop.standing, shop.key), (Standing::New, KeyFrom::Here));
        assert_eq!(
            (shop.requests[0].id.clone(), shop.entry.friendly_name.as_str()),
            (request.clone(), "request for shop.example.org")
        );
        assert!(matches!(shop.fate, Fate::Founds), "{:?}", shop.fate);
        assert_eq!(shop.chain.served, [leaf.clone(), intermediate.clone()]);
        assert_eq!((shop.chain.root.as_ref(), shop.findings.as_slice()), (Some(root), &[][..]));
        assert_eq!((&ca.entry.certificate, &anchor.entry.certificate), (intermediate, root));
        assert!(matches!(ca.fate, Fate::ForChains(0)));
        let confirmed = Import { preview: preview.hash, ..of(files()) };
        let done = place.import(confirmed).await.unwrap();
        assert!(place.store.everything().await != before, "everything is compared");
        assert_eq!((done.new, done.fulfilled.as_slice(), done.became_current.len()), (3, &[request][..], 1));
        assert_eq!(done.certificates[0].chain.served, shop.chain.served);
        assert_eq!(done.certificates[0].entry.friendly_name, shop.entry.friendly_name);
        // The same certificate twice is the same row.
        let again = place.preview(of(files())).await.unwrap();
        assert!(again.plan.steps.iter().all(|step| step.standing == Standing::Known));
        let count = place.certificates().await;
        assert_eq!(place.import(of(files())).await.unwrap().new, 0);
        assert_eq!(place.certificates().await, count);
    }
}

#[tokio::test]
async fn what_differs_from_the_preview_is_not_done() {
    for place in places().await {
        let (_, leaf) = place.answered("shop.example.org").await;
        let preview = place.preview(of(vec![pem(&[&leaf])])).await.unwrap();
        assert_eq!(preview.plan.steps[0].findings[0].code, "chain.incomplete");
        let confirmed = |files: Vec<ImportFile>| Import { preview: preview.hash, ..of(files) };
        let other = confirmed(vec![pem(&[&leaf, &place.ca.intermediate])]);
        assert_eq!(place.refusal(other).await, "import.preview_changed");
        let mut wishes = confirmed(vec![pem(&[&leaf])]);
        wishes.wishes.friendly_name = Some("another name".to_owned());
        assert_eq!(place.refusal(wishes).await, "import.preview_changed");
        let wrong = Import { preview: Some(PreviewHash::of_der(b"")), ..of(vec![pem(&[&leaf])]) };
        assert_eq!(place.refusal(wrong).await, "import.preview_changed");
        // What it depends on changes: the chain would be another.
        place.import(of(vec![pem(&[&place.ca.intermediate, &place.ca.root])])).await.unwrap();
        assert_eq!(place.refusal(confirmed(vec![pem(&[&leaf])])).await, "import.preview_changed");
        let preview = place.preview(of(vec![pem(&[&leaf])])).await.unwrap();
        let done = place.import(Import { preview: preview.hash, ..of(vec![pem(&[&leaf])]) }).await.unwrap();
        assert_eq!(done.became_current.len(), 1);
    }
}

#[tokio::test]
async fn a_renewal_is_told_by_its_later_end_and_an_older_one_is_kept() {
    for place in places().await {
        let key = TestSigner::ec();
        let leaf = |days| place.ca.leaf("pay.example.org", key.public_key(), days);
        let (old, new, older) = (leaf(30), leaf(400), leaf(20));
        let chain = pem(&[&old, &place.ca.intermediate, &place.ca.root]);
        let first = place.import(of(vec![key_pem(&key), chain])).await.unwrap();
        assert_eq!((first.keys.len(), first.new_keys, first.became_current.len()), (1, 1, 1));
        let preview = place.preview(of(vec![pem(&[&older]), pem(&[&new])])).await.unwrap();
        let fates: Vec<_> = preview.plan.steps.iter().map(|step| step.fate.name()).collect();
        assert_eq!(fates, ["kept", "renews"]);
        let renewed = &preview.plan.steps[1];
        assert_eq!(renewed.before.as_ref(), Some(&old));
        assert_eq!(
            renewed.fate.lineage().map(|lineage| lineage.id.clone()),
            Some(first.became_current[0].clone())
        );
        let mut findings = preview.plan.steps.iter().flat_map(|step| &step.findings);
        assert!(findings.all(|finding| finding.code != "key.shared"), "one lineage shares nothing");
        let done = place.import(of(vec![pem(&[&older]), pem(&[&new])])).await.unwrap();
        assert_eq!((done.new, done.became_current), (2, first.became_current));
        assert!(!done.certificates[0].is_current && done.certificates[1].is_current);
    }
}

#[tokio::test]
async fn two_certificates_of_one_new_key_make_one_lineage() {
    for place in places().await {
        let key = TestSigner::ec();
        let leaf = |days| place.ca.leaf("twin.example.org", key.public_key(), days);
        let input = || of(vec![key_pem(&key), pem(&[&leaf(30), &leaf(60)])]);
        let fates: Vec<_> =
            place.preview(input()).await.unwrap().plan.steps.iter().map(|step| step.fate.name()).collect();
        assert_eq!(fates, ["founds", "renews"]);
        let done = place.import(input()).await.unwrap();
        assert_eq!(done.became_current[0], done.became_current[1]);
        let lineages: Vec<_> =
            done.certificates.iter().map(|view| view.lineage.as_ref().map(|lineage| &lineage.id)).collect();
        assert!(lineages[0].is_some() && lineages[0] == lineages[1]);
        assert!(done.certificates[1].is_current && !done.certificates[0].is_current);
    }
}

#[tokio::test]
async fn a_key_that_came_with_a_certificate_fits_one_also_where_that_is_a_ca() {
    for place in places().await {
        let (own, other) = (TestSigner::ec(), TestSigner::ec());
        // As `openssl req -x509` makes it: self-signed, and a CA.
        let itself = signed(("box.example", "box.example"), own.public_key(), Purpose::Root, (&[], 90), &own);
        let brought = |key: &TestSigner| of(vec![pem(&[&itself]), key_pem(key)]);
        assert_eq!(place.refusal(brought(&other)).await, "key.mismatch");
        let preview = place.preview(brought(&other)).await.unwrap();
        assert_eq!(preview.refusal.map(|error| error.code()).as_deref(), Some("key.mismatch"));
        assert_eq!(place.import(brought(&own)).await.unwrap().new, 1);
    }
}

#[tokio::test]
async fn files_that_are_small_enough_alone_may_be_too_much_together() {
    for place in places().await {
        let names: Vec<String> = (0..100).map(|number| format!("h{number}.example.org")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let key = TestSigner::ec();
        let crowded =
            signed(("", "Outside CA"), key.public_key(), Purpose::TlsServer, (&names, 60), &place.ca.signer);
        let file = || pem(&vec![&crowded; 1_300]);
        assert_eq!(place.refusal(of(vec![file(), file()])).await, "limit.cert_count");
        let keys = || -> ImportFile { key_pem(&key).bytes.repeat(30).into() };
        assert_eq!(place.import(of(vec![keys()])).await.unwrap().new_keys, 1);
        assert_eq!(place.refusal(of(vec![keys(), keys()])).await, "limit.key_count");
    }
}

#[tokio::test]
async fn of_several_keys_a_person_chooses_one_and_a_program_names_it() {
    for place in places().await {
        let (one, other) = (TestSigner::ec(), TestSigner::ec());
        let leaf = place.ca.leaf("one.example.org", one.public_key(), 60);
        let files = || vec![key_pem(&other), pem(&[&leaf]), key_pem(&one)];
        assert_eq!(place.refusal(of(files())).await, "import.ambiguous_key");
        let preview = place.preview(of(files())).await.unwrap();
        assert_eq!(preview.refusal.map(|error| error.code()).as_deref(), Some("import.ambiguous_key"));
        assert_eq!((preview.hash, preview.keys.len(), preview.chosen), (None, 2, None));
        assert_eq!(
            (preview.keys[0].fits.len(), preview.keys[1].fits.as_slice()),
            (0, &[leaf.fingerprint()][..])
        );
        let chosen = |key: &TestSigner| Import {
            wishes: Wishes { key: Some(key.public_key().id()), ..Wishes::default() },
            ..of(files())
        };
        assert_eq!(place.refusal(chosen(&other)).await, "key.mismatch");
        assert_eq!(place.refusal(chosen(&TestSigner::ec())).await, "import.ambiguous_key");
        // Nobody is told to look for a key that is in the files.
        let two = place.ca.leaf("two.example.org", other.public_key(), 60);
        let both = |key| Import {
            wishes: Wishes { key, ..Wishes::default() },
            ..of(vec![key_pem(&other), pem(&[&leaf, &two]), key_pem(&one)])
        };
        for (key, one_from, why) in [
            (None, KeyFrom::NotTaken, "not chosen yet"),
            (Some(one.public_key().id()), KeyFrom::Files, "not the one"),
        ] {
            let preview = place.preview(both(key)).await.unwrap();
            let [first, second] = preview.plan.steps.as_slice() else { panic!("two certificates") };
            assert_eq!((first.key, second.key), (one_from, KeyFrom::NotTaken));
            assert!(
                second.findings.iter().all(|finding| finding.code != "key.missing"),
                "{:?}",
                second.findings
            );
            assert!(second.fate.why().unwrap().contains(why), "{:?}", second.fate);
        }
        let preview = place.preview(chosen(&one)).await.unwrap();
        assert_eq!((preview.chosen, preview.refusal.is_none()), (Some(one.public_key().id()), true));
        let done = place.import(chosen(&one)).await.unwrap();
        assert_eq!((done.keys[0].id, done.keys.len()), (one.public_key().id(), 1));
        assert_eq!(place.labels().await.iter().filter(|label| label.contains("one.example.org")).count(), 1);
    }
}

#[tokio::test]
async fn names_out_of_files_are_kept_inert_and_made_unique() {
    for place in places().await {
        for wanted in ["<b>pay</b> gro.elpmaxe", "<b>pay</b> gro.elpmaxe (2)"] {
            let key = TestSigner::ec();
            let leaf = place.ca.leaf("pay.example.org", key.public_key(), 60);
            let chain = [leaf, place.ca.intermediate.clone()];
            let file = || p12(&key, &chain, "<b>pay</b>\u{202e} gro.elpmaxe", "secret");
            assert_eq!(place.refusal(of(vec![file()])).await, "pass.needed");
            let input =
                |passphrase: &str| Import { passphrases: vec![secret(passphrase)], ..of(vec![file()]) };
            assert_eq!(place.refusal(input("wrong")).await, "pass.wrong");
            let done = place.import(input("secret")).await.unwrap();
            assert_eq!(done.keys[0].label, wanted);
            assert_eq!(done.certificates[0].entry.friendly_name, "<b>pay</b> gro.elpmaxe");
            assert_eq!(done.certificates[0].chain.served.len(), 2);
        }
    }
}

#[tokio::test]
async fn files_with_different_passphrases_are_opened_together() {
    for place in places().await {
        let (one, other) = (TestSigner::ec(), TestSigner::ec());
        let leaf = |key: &TestSigner, name| vec![place.ca.leaf(name, key.public_key(), 60)];
        let files = vec![
            p12(&one, &leaf(&one, "one.example.org"), "one", "first secret"),
            p12(&other, &leaf(&other, "other.example.org"), "other", "second secret"),
        ];
        let input = Import {
            passphrases: vec![secret("second secret"), secret("first secret")],
            wishes: Wishes { key: Some(one.public_key().id()), ..Wishes::default() },
            ..of(files)
        };
        let done = place.import(input).await.unwrap();
        assert_eq!((done.new, done.keys[0].label.as_str()), (2, "one"));
    }
}

#[tokio::test]
async fn keys_in_one_file_may_have_different_passphrases() {
    for place in places().await {
        let (one, other) = (TestSigner::ec(), TestSigner::ec());
        let certificates = [("one.example.org", &one), ("other.example.org", &other)]
            .map(|(name, key)| place.ca.leaf(name, key.public_key(), 60));
        let locked = |key: &TestSigner, passphrase: &str| {
            let der = pkcs8_write::encrypt(&key.private_key(), passphrase, [1; 16], [2; 16]);
            pem_write::encrypted_key(&der)
        };
        let text = [
            pem_write::chain(certificates.iter().map(Certificate::der)),
            locked(&one, "first secret"),
            locked(&other, "second secret"),
        ];
        let input = |passphrases: &[&str]| Import {
            passphrases: passphrases.iter().map(|text| secret(text)).collect(),
            wishes: Wishes { key: Some(other.public_key().id()), ..Wishes::default() },
            ..of(vec![text.concat().into_bytes().into()])
        };
        assert_eq!(place.refusal(input(&[])).await, "pass.needed");
        assert_eq!(place.refusal(input(&["second secret"])).await, "pass.wrong");
        let done = place.import(input(&["second secret", "first secret"])).await.unwrap();
        assert_eq!((done.new, done.keys.len()), (2, 1));
    }
}

#[tokio::test]
async fn a_request_is_shown_and_not_stored() {
    for place in places().await {
        let (_, leaf) = place.answered("shop.example.org").await;
        let see = place.fixture.may(uses::ViewCertificates).unwrap();
        let csrs = csr::list(&place.fixture.app, &see, Default::default(), Page::first(10)).await.unwrap();
        let request = || ImportFile::from(csrs[0].entry.der.clone());
        assert_eq!(place.refusal(of(vec![request()])).await, "import.csr");
        let preview = place.preview(of(vec![request()])).await.unwrap();
        assert_eq!((preview.brought.csrs.len(), preview.hash), (1, None));
        assert_eq!(preview.refusal.unwrap().code(), "import.csr");
        let both = place.import(of(vec![request(), pem(&[&leaf])])).await.unwrap();
        assert_eq!(both.new, 1, "the certificate is taken, the request beside it is not");
    }
}

#[tokio::test]
async fn a_key_in_two_hands_is_said() {
    for place in places().await {
        let key = TestSigner::ec();
        let mine = place.ca.leaf("mine.example.org", key.public_key(), 60);
        let theirs = place.ca.leaf("theirs.example.org", key.public_key(), 60);
        place.import(of(vec![key_pem(&key), pem(&[&mine])])).await.unwrap();
        let preview = place.preview(of(vec![pem(&[&theirs])])).await.unwrap();
        let codes: Vec<_> = preview.plan.steps[0].findings.iter().map(|finding| finding.code).collect();
        assert!(codes.contains(&"key.shared"), "{codes:?}");
        place.import(of(vec![pem(&[&theirs])])).await.unwrap();
        let see = place.fixture.may(uses::ViewCertificates).unwrap();
        for one in [&mine, &theirs] {
            let view = certificate::find(&place.fixture.app, &see, &one.fingerprint()).await.unwrap();
            assert!(view.findings.iter().any(|finding| finding.code == "key.shared"), "{:?}", view.findings);
        }
    }
}

#[tokio::test]
async fn what_was_uploaded_waits_for_its_own_actor_and_not_for_long() {
    for place in places().await {
        let (app, by) = (&place.fixture.app, place.by());
        let (request, leaf) = place.answered("shop.example.org").await;
        let offered = Offered { csr: Some((request, leaf.key_id())), lineage: None };
        let put = || hold(app, &by, vec![pem(&[&leaf])], Vec::new(), offered.clone());
        let id = put().await.unwrap();
        let stranger = Fixture::actor(&[Role::SystemAdministrator]);
        let other = authorize(&stranger, uses::ManageTlsCertificates, "").unwrap();
        let gone = |error: Option<Error>| assert_eq!(error.unwrap().code(), "import.preview_gone");
        gone(show(app, &other, &id, Wishes::default()).await.err());
        let shown = show(app, &by, &id, Wishes::default()).await.unwrap();
        assert_eq!(shown.offered, offered);
        let hash = shown.preview.hash.unwrap();
        gone(confirm(app, &other, &id, Wishes::default(), hash).await.err());
        // Of one actor only so many wait: the oldest makes room.
        let mut later = Vec::new();
        for _ in 0..4 {
            place.clock.advance(1);
            later.push(put().await.unwrap());
        }
        gone(show(app, &by, &id, Wishes::default()).await.err());
        discard(app, &by, &later[0]);
        gone(show(app, &by, &later[0], Wishes::default()).await.err());
        let done = confirm(app, &by, &later[1], Wishes::default(), hash).await.unwrap();
        assert_eq!(done.taken.into_imported().unwrap().new, 1);
        // Who confirms twice is told what came of the first time.
        gone(show(app, &by, &later[1], Wishes::default()).await.err());
        let again = confirm(app, &by, &later[1], Wishes::default(), hash).await.unwrap();
        assert_eq!((again.taken.into_imported().unwrap().new, again.offered), (1, offered.clone()));
        assert!(outcome(app, &by, &later[1]).is_some() && outcome(app, &other, &later[1]).is_none());
        assert!(outcome(app, &by, &later[2]).is_none(), "it waits");
        place.clock.advance(10 * MINUTE);
        gone(show(app, &by, &later[2], Wishes::default()).await.err());
        gone(confirm(app, &by, &later[1], Wishes::default(), hash).await.err());
    }
}

#[tokio::test]
async fn of_four_confirmations_at_once_one_imports_and_all_are_told() {
    for place in places().await {
        let (app, by) = (&place.fixture.app, place.by());
        let (_, leaf) = place.answered("shop.example.org").await;
        let id = hold(app, &by, vec![pem(&[&leaf])], Vec::new(), Offered::default()).await.unwrap();
        let hash = show(app, &by, &id, Wishes::default()).await.unwrap().preview.hash.unwrap();
        let before = place.certificates().await;
        let one = || confirm(app, &by, &id, Wishes::default(), hash);
        let (first, second, third, fourth) = tokio::join!(one(), one(), one(), one());
        for confirmed in [first, second, third, fourth] {
            assert_eq!(confirmed.unwrap().taken.into_imported().unwrap().new, 1);
        }
        assert_eq!(place.certificates().await, before + 1);
        // What is done makes room for what waits.
        for _ in 0..4 {
            place.clock.advance(1);
            hold(app, &by, vec![pem(&[&leaf])], Vec::new(), Offered::default()).await.unwrap();
        }
        assert!(outcome(app, &by, &id).is_none());
    }
}

#[tokio::test]
async fn a_confirmation_on_another_node_is_told_to_upload_again_and_stores_nothing() {
    for place in places().await {
        let by = place.by();
        let (_, leaf) = place.answered("shop.example.org").await;
        let id =
            hold(&place.fixture.app, &by, vec![pem(&[&leaf])], Vec::new(), Offered::default()).await.unwrap();
        let hash = show(&place.fixture.app, &by, &id, Wishes::default()).await.unwrap().preview.hash.unwrap();
        // The same store and the same instance key, as every node has them.
        let (random, data) = (Arc::new(SeededRandom::new(1)), tempfile::tempdir().unwrap());
        let instance = InstanceKey::generate(&*random);
        let (store, clock) = (place.store.store.clone(), place.clock.clone());
        let other = Fixture::empty(store, instance, clock, random, data.path().to_owned());
        let before = place.certificates().await;
        let refused = [
            show(&other, &by, &id, Wishes::default()).await.err(),
            confirm(&other, &by, &id, Wishes::default(), hash).await.err(),
        ];
        for error in refused {
            let Some(Error::Conflict(refusal)) = error else { panic!("{error:?}") };
            assert_eq!(refusal.code, "import.preview_gone");
            assert!(refusal.what.contains("only on the node that took it"), "{}", refusal.what);
            assert!(refusal.repair.ends_with("Nothing was stored now."), "{}", refusal.repair);
        }
        assert_eq!(place.certificates().await, before);
        // Where it was uploaded it still waits.
        let done = confirm(&place.fixture.app, &by, &id, Wishes::default(), hash).await.unwrap();
        assert_eq!(done.taken.into_imported().unwrap().new, 1);
    }
}

/// A collection of this many certificates without keys, a chain among them.
fn collection(ca: &Ca, leaves: usize) -> ImportFile {
    let leaves: Vec<Certificate> = (0..leaves)
        .map(|number| ca.leaf(&format!("site-{number}.example.org"), TestSigner::ec().public_key(), 60))
        .collect();
    let all: Vec<&Certificate> = leaves.iter().chain([&ca.intermediate, &ca.root]).collect();
    pem(&all)
}

async fn begun(place: &Place, input: Import) -> domain::job::Job {
    match certificate::import(&place.fixture.app, &place.by(), input).await.unwrap() {
        Taken::AsJob(job) => *job,
        Taken::Now(_) => panic!("so many come as a job"),
    }
}

async fn ended(place: &Place, job: &domain::job::Job) -> domain::job::Job {
    let see = place.fixture.may(uses::ViewCertificates).unwrap();
    job::find(&place.fixture.app, &see, &job.id).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_collection_is_stored_by_a_job_that_may_be_killed() {
    for place in places().await {
        let app = &place.fixture.app;
        let (_, answer) = place.answered("asked.example.org").await;
        let file = collection(&place.ca, 557);
        let files = || vec![ImportFile { name: None, bytes: file.bytes.clone() }, pem(&[&answer])];
        let before = (place.certificates().await, place.store.everything().await);
        let preview = place.preview(of(files())).await.unwrap();
        assert!(preview.is_for_job() && preview.plan.steps.len() == 560);
        assert!(place.store.everything().await == before.1, "the preview changed the database");
        let wrong = Import { preview: Some(PreviewHash::of_der(b"")), ..of(files()) };
        assert_eq!(place.refusal(wrong).await, "import.preview_changed");
        let job = begun(&place, Import { preview: preview.hash, ..of(files()) }).await;
        assert_eq!(place.certificates().await, before.0, "nothing is stored before the job runs");
        // Killed after the first part.
        let mut progress = app.progress();
        let run = {
            let app = Arc::clone(app);
            tokio::spawn(async move { job::run_due(&app).await })
        };
        loop {
            let told = progress.recv().await.unwrap();
            if told.text.starts_with("500 of 560") {
                break;
            }
        }
        run.abort();
        assert!(run.await.is_err() || ended(&place, &job).await.state == JobState::Done);
        // What its last transaction began is committed or lost after this one.
        let id = job.id.clone();
        place.store.store.tx("wait", move |tx| store::job::holds(tx, &id, 1)).await.unwrap();
        place.clock.advance(3 * MINUTE);
        place.fixture.run_due().await.unwrap();
        let job = ended(&place, &job).await;
        assert_eq!(job.state, JobState::Done, "{job:?}");
        let said = "560 certificates are stored: 560 new, 0 known before; 1 requests answered; current certificate of 1 lineages now";
        assert_eq!(job.progress, said);
        assert_eq!(place.certificates().await, before.0 + 560);
        // The same again: every row is there, and the job says so.
        let again = begun(&place, of(files())).await;
        place.fixture.run_due().await.unwrap();
        assert!(ended(&place, &again).await.progress.contains("0 new, 560 known before"));
        let audit = place.fixture.may(uses::ViewAuditLog).unwrap();
        claviger_app::audit::verify(app, &audit).await.unwrap();
    }
}

#[tokio::test]
async fn what_the_chains_of_a_large_collection_may_cost_is_bounded_over_all_its_parts() {
    let place = places().await.remove(0);
    let key = place.answered("asked.example.org").await.1.public_key().clone();
    // Thirty-two bear the name of the issuer, and none of them signed.
    let (signer, impostors) = (Ca::new(), (0..32).map(|_| Ca::new()).collect::<Vec<_>>());
    let leaves: Vec<Certificate> =
        (0..528).map(|number| signer.leaf(&format!("site-{number}.example.org"), &key, 60)).collect();
    let all: Vec<&Certificate> =
        leaves.iter().chain(impostors.iter().map(|impostor| &impostor.intermediate)).collect();
    let job = begun(&place, of(vec![pem(&all)])).await;
    place.fixture.run_due().await.unwrap();
    let said = ended(&place, &job).await.progress;
    let became: usize = said
        .split("current certificate of ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next()?.parse().ok())
        .unwrap();
    // Each leaf costs 32 checks with P-256 of 80 units; a million are allowed. Whose chain is not judged is only kept.
    assert!((380..=391).contains(&became), "{said}");
    let once = "560 certificates are stored: 560 new, 0 known before; 1 requests answered; ";
    assert!(said.starts_with(once), "{said}");
}

#[tokio::test]
async fn a_large_collection_has_no_key_and_a_lineage_that_is_there() {
    for place in places().await {
        let file = collection(&place.ca, 60);
        let files = || vec![ImportFile { name: None, bytes: file.bytes.clone() }];
        let key = TestSigner::ec();
        let leaf = place.ca.leaf("keyed.example.org", key.public_key(), 60);
        let with_key = files().into_iter().chain([key_pem(&key), pem(&[&leaf])]).collect();
        assert_eq!(place.refusal(of(with_key)).await, "limit.cert_count");
        let preview = place.preview(of(files())).await.unwrap();
        let nowhere = Wishes { lineage: Some(LineageId::of("lin-nowhere")), ..Wishes::default() };
        let input = Import { wishes: nowhere, preview: preview.hash, ..of(files()) };
        let refused = certificate::import(&place.fixture.app, &place.by(), input).await.err().unwrap();
        assert!(matches!(refused, Error::NotFound { kind: "lineage", .. }), "{refused:?}");
    }
}

/// One part of DER: its tag, its length, what is in it.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = match content.len() {
        short @ 0..=127 => vec![short as u8],
        middle @ 128..=255 => vec![0x81, middle as u8],
        long => [&[0x82][..], &(long as u16).to_be_bytes()].concat(),
    };
    [&[tag][..], &length, &content].concat()
}

/// The list of a CA that revokes one certificate since yesterday, signed with P-256.
fn revoking(certificate: &Certificate, issuer: &Certificate, signer: &TestSigner) -> ImportFile {
    let algorithm =
        [&[0x30, 0x0a, 0x06, 0x08][..], &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]].concat();
    let (yesterday, next) = (tlv(0x17, &[b"261120120000Z"]), tlv(0x17, &[b"270120120000Z"]));
    let entry = tlv(0x30, &[&tlv(0x02, &[certificate.serial()]), &yesterday]);
    let (version, entries) = (tlv(0x02, &[&[1]]), tlv(0x30, &[&entry]));
    let name = issuer.subject().der();
    let signed = tlv(0x30, &[&version, &algorithm, name, &yesterday, &next, &entries]);
    let signature = signer.sign(signer.algorithm().certificate_scheme(), &signed).unwrap();
    tlv(0x30, &[&signed, &algorithm, &tlv(0x03, &[&[0], &signature])]).into()
}

#[tokio::test]
async fn what_a_list_beside_it_revokes_is_not_served() {
    for place in places().await {
        let Ca { intermediate, root, signer, .. } = &place.ca;
        let (_, leaf) = place.answered("shop.example.org").await;
        let files = |list| vec![pem(&[&leaf, intermediate, root]), list];
        let found = |preview: &Preview| {
            let findings =
                preview.plan.steps[0].findings.iter().filter(|finding| finding.code == "cert.revoked");
            findings.map(|finding| finding.severity).collect::<Vec<_>>()
        };
        // Anybody can write a list in the CA's name.
        let forged = || revoking(&leaf, intermediate, &TestSigner::ec());
        let preview = place.preview(of(files(forged()))).await.unwrap();
        assert_eq!(found(&preview), [pki::Severity::Warning]);
        assert!(matches!(preview.plan.steps[0].fate, Fate::Founds));
        // Each signature is another one: the list that is confirmed is the one that was previewed.
        let taken_back = revoking(&leaf, intermediate, signer).bytes;
        let list = || ImportFile { name: None, bytes: taken_back.clone() };
        let preview = place.preview(of(files(list()))).await.unwrap();
        let [shop, above, ..] = preview.plan.steps.as_slice() else { panic!("three certificates") };
        assert_eq!((found(&preview), above.findings.as_slice()), (vec![pki::Severity::Error], &[][..]));
        assert!(shop.fate.why().unwrap().contains("the CA revoked this certificate"), "{:?}", shop.fate);
        // What would be served over a CA that was taken back is not served, either.
        let own = || revoking(intermediate, root, &place.ca.above);
        let preview = place.preview(of(files(own()))).await.unwrap();
        assert_eq!(found(&preview), [pki::Severity::Error]);
        assert!(!matches!(preview.plan.steps[0].fate, Fate::Founds));
        // The CA that signed the list may be here already.
        place.import(of(vec![pem(&[intermediate, root])])).await.unwrap();
        let preview = place.preview(of(vec![pem(&[&leaf]), list()])).await.unwrap();
        assert_eq!(found(&preview), [pki::Severity::Error]);
        let confirmed = Import { preview: preview.hash, ..of(vec![pem(&[&leaf]), list()]) };
        let done = place.import(confirmed).await.unwrap();
        assert_eq!((done.new, done.became_current.len(), done.fulfilled.len()), (1, 0, 1));
    }
}

#[tokio::test]
async fn a_large_collection_knows_what_a_list_beside_it_revokes_too() {
    for place in places().await {
        let (_, leaf) = place.answered("shop.example.org").await;
        let list = || revoking(&leaf, &place.ca.intermediate, &place.ca.signer);
        let job = begun(&place, of(vec![collection(&place.ca, 60), pem(&[&leaf]), list()])).await;
        place.fixture.run_due().await.unwrap();
        let said = ended(&place, &job).await.progress;
        assert!(
            said.starts_with("63 certificates are stored: 63 new") && !said.contains("lineages"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_key_with_certificates_of_cas_completes_the_certificate_that_waits_here() {
    for place in places().await {
        let (key, other) = (TestSigner::ec(), TestSigner::ec());
        let leaf = place.ca.leaf("shop.example.org", key.public_key(), 60);
        assert_eq!(place.import(of(vec![pem(&[&leaf])])).await.unwrap().became_current.len(), 0);
        let with = |key: &TestSigner| of(vec![key_pem(key), pem(&[&place.ca.intermediate])]);
        assert_eq!(place.refusal(with(&other)).await, "key.mismatch");
        let preview = place.preview(with(&key)).await.unwrap();
        assert!(preview.refusal.is_none() && preview.hash.is_some());
        assert_eq!(preview.keys[0].fits_here[0].0, leaf.fingerprint());
        assert_eq!(place.import(with(&key)).await.unwrap().new_keys, 1);
        // Beside a certificate of somebody else it is still the wrong key.
        let theirs = place.ca.leaf("theirs.example.org", other.public_key(), 60);
        assert_eq!(place.refusal(of(vec![key_pem(&key), pem(&[&theirs])])).await, "key.mismatch");
    }
}

#[tokio::test]
async fn a_wish_for_what_is_here_already_is_said_to_have_no_effect() {
    for place in places().await {
        let key = TestSigner::ec();
        let leaf = place.ca.leaf("shop.example.org", key.public_key(), 60);
        let input = |wishes: Wishes| Import { wishes, ..of(vec![key_pem(&key), pem(&[&leaf])]) };
        let first = Wishes { friendly_name: Some("shop".to_owned()), ..Wishes::default() };
        assert!(place.import(input(first.clone())).await.unwrap().findings.is_empty());
        // The same wishes again are fulfilled.
        assert!(place.import(input(first)).await.unwrap().findings.is_empty());
        let wishes = Wishes {
            friendly_name: Some("other".to_owned()),
            exportable: Some(Exportable::Never),
            token: TokenId::of("0"),
            ..Wishes::default()
        };
        let preview = place.preview(input(wishes.clone())).await.unwrap();
        assert!(preview.plan.findings.iter().all(|finding| finding.code == "import.no_effect"));
        let said: Vec<&str> = preview.plan.findings.iter().map(|finding| finding.what.as_str()).collect();
        let expected = [
            "not “never”",
            "private key is here already under the name “shop”",
            "in token system",
            "certificate is here already under the name “shop”",
        ];
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.contains(expected), "{expected}: {said}");
        }
        assert!(preview.plan.findings[0].repair.contains("claviger key lower"));
        assert_eq!(place.import(input(wishes)).await.unwrap().findings, preview.plan.findings);
    }
}
