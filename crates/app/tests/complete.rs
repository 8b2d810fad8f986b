//! What is missing in a chain is fetched from a real server: only when asked for, only the true issuers, no root, and
//! from nowhere that data may not lead.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use claviger_app::certificate::{self, CertificateView, Import, ImportFile, Imported};
use claviger_app::filter::{AuditFilter, CertificateFilter};
use claviger_app::state::World;
use claviger_app::testing::Fixture;
use claviger_app::{App, Config, Error, Page, audit, job};
use domain::job::{Job, JobState};
use domain::permission::uses;
use domain::{Authorized, Moment};
use pki::format::{pem_write, pkcs7_write};
use pki::issue::{self, Purpose, Template};
use pki::name::{Attribute, AttributeType};
use pki::{Certificate, DistinguishedName, Fingerprint, Signer, SubjectAltName, UnixTime};
use testkit::{FreshStore, SeededRandom, TestClock, TestSigner, fresh_stores};
use token::InstanceKey;

/// 2026-11-21T12:00:00Z.
const START: Moment = Moment(1_795_262_400_000);
const DAY: i64 = 86_400;

/// A web server on loopback. What it answers can be changed; what was asked is noted.
struct Site {
    address: SocketAddr,
    answers: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let site =
            Self { address: listener.local_addr().unwrap(), answers: Arc::default(), asked: Arc::default() };
        let (answers, asked) = (Arc::clone(&site.answers), Arc::clone(&site.asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                answer(stream, &answers, &asked);
            }
        });
        site
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Puts a document at a path.
    fn put(&self, path: &str, body: &[u8]) {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        self.put_raw(path, [head.as_bytes(), body].concat());
    }

    fn put_raw(&self, path: &str, answer: impl Into<Vec<u8>>) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer.into());
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, answers: &Mutex<HashMap<String, Vec<u8>>>, asked: &Mutex<Vec<String>>) {
    let mut head = [0; 4_096];
    let length = stream.read(&mut head).unwrap_or(0);
    let path = String::from_utf8_lossy(&head[..length]).split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().unwrap().push(path.clone());
    let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
    let answer = answers.lock().unwrap().get(&path).cloned().unwrap_or(missing);
    let _ = stream.write_all(&answer);
}

/// A root, two intermediates, and a leaf; each says where its issuer's certificate is.
struct Ca {
    root: Certificate,
    upper: Certificate,
    lower: Certificate,
    lower_key: TestSigner,
}

impl Ca {
    fn of(site: &Site) -> Self {
        let (top, middle, lower_key) = (TestSigner::ec(), TestSigner::ec(), TestSigner::ec());
        let between = |path_len| Purpose::Intermediate { path_len };
        let root = signed("Root", ("Root", &top), &top, Purpose::Root, None);
        let upper = signed("Upper", ("Root", &top), &middle, between(1), Some(site.url("/root.cer")));
        let lower = signed("Lower", ("Upper", &middle), &lower_key, between(0), Some(site.url("/upper.p7c")));
        Self { root, upper, lower, lower_key }
    }

    fn leaf(&self, name: &str, key: &TestSigner, at: Option<String>) -> Certificate {
        signed(name, ("Lower", &self.lower_key), key, Purpose::TlsServer, at)
    }
}

fn signed(
    subject: &str,
    (issuer, signer): (&str, &TestSigner),
    key: &TestSigner,
    purpose: Purpose,
    ca_issuers_url: Option<String>,
) -> Certificate {
    static SERIAL: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1 << 32);
    let serial = SERIAL.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let is_server = matches!(purpose, Purpose::TlsServer);
    let name = |text: &str| {
        DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, text)]).unwrap()
    };
    let template = Template {
        serial: serial.to_be_bytes()[3..].to_vec(),
        issuer: name(issuer),
        subject: name(subject),
        public_key: key.public_key().clone(),
        not_before: UnixTime(START.unix().0 - 10 * DAY),
        not_after: UnixTime(START.unix().0 + if is_server { 90 } else { 3_000 } * DAY),
        names: is_server.then(|| SubjectAltName::parse(subject).unwrap()).into_iter().collect(),
        purpose,
        authority_key_id: None,
        ca_issuers_url,
    };
    let tbs = issue::to_be_signed(&template, signer.algorithm().certificate_scheme()).unwrap();
    Certificate::parse(&issue::sign(&tbs, signer).unwrap()).unwrap()
}

/// A server with what keeps it alive, the CA's web server, and the CA.
struct Place {
    fixture: Fixture,
    site: Site,
    ca: Ca,
    _store: FreshStore,
    _data: tempfile::TempDir,
}

/// One on each engine; `change` sets it up.
async fn places(change: impl Fn(&mut Config)) -> Vec<Place> {
    let mut places = Vec::new();
    for store in fresh_stores().await {
        let (clock, random) = (Arc::new(TestClock::at(START)), Arc::new(SeededRandom::new(1)));
        let data = tempfile::tempdir().unwrap();
        let instance = Arc::new(InstanceKey::generate(&*random));
        let mut config = Config::of_directory(data.path().to_owned());
        config.permitted = vec!["127.0.0.1/32".parse().unwrap()];
        change(&mut config);
        let app = App::new(store.store.clone(), instance, World { clock, random }, config);
        let fixture = Fixture::installed(app).await.unwrap();
        let site = Site::start();
        let ca = Ca::of(&site);
        places.push(Place { fixture, site, ca, _store: store, _data: data });
    }
    places
}

impl Place {
    fn by(&self) -> Authorized<uses::ManageTlsCertificates> {
        self.fixture.may(uses::ManageTlsCertificates).unwrap()
    }

    /// Imports a leaf with its key; it says that its issuer's certificate is at `path`.
    async fn import(&self, name: &str, path: &str) -> Imported {
        let key = TestSigner::ec();
        let leaf = self.ca.leaf(name, &key, Some(self.site.url(path)));
        let files = vec![
            ImportFile::from(pem_write::private_key(&key.private_key()).as_bytes().to_vec()),
            ImportFile::from(leaf.der().to_vec()),
        ];
        self.take(files).await
    }

    async fn take(&self, files: Vec<ImportFile>) -> Imported {
        let input = Import { files, ..Import::default() };
        let taken = certificate::import(&self.fixture.app, &self.by(), input).await.unwrap();
        taken.into_imported().unwrap()
    }

    async fn leaf(&self, name: &str, path: &str) -> Fingerprint {
        self.import(name, path).await.certificates[0].entry.fingerprint()
    }

    /// Asks, lets the job run, and answers how it ended.
    async fn complete(&self, id: &Fingerprint) -> Job {
        let job = certificate::complete(&self.fixture.app, &self.by(), id).await.unwrap();
        self.fixture.run_due().await.unwrap();
        let see = self.fixture.may(uses::ViewCertificates).unwrap();
        job::find(&self.fixture.app, &see, &job.id).await.unwrap()
    }

    async fn refused(&self, id: &Fingerprint) -> String {
        certificate::complete(&self.fixture.app, &self.by(), id).await.err().unwrap().code()
    }

    async fn view(&self, id: &Fingerprint) -> Result<CertificateView, Error> {
        let see = self.fixture.may(uses::ViewCertificates).unwrap();
        certificate::find(&self.fixture.app, &see, id).await
    }

    async fn count(&self) -> usize {
        let see = self.fixture.may(uses::ViewCertificates).unwrap();
        let all = CertificateFilter { include_ca: true, ..CertificateFilter::default() };
        certificate::list(&self.fixture.app, &see, all, Page::first(100)).await.unwrap().len()
    }

    /// The chain that the edge sends for a name, in DER.
    fn served(&self, name: &str) -> Vec<Vec<u8>> {
        let snapshot = self.fixture.app.snapshots().borrow().clone();
        let all = snapshot.all();
        let one = all.iter().find(|one| one.names.iter().any(|held| held.to_string() == name));
        one.map(|one| one.chain.clone()).unwrap_or_default()
    }

    async fn events(&self) -> Vec<(String, String)> {
        let see = self.fixture.may(uses::ViewAuditLog).unwrap();
        let events = audit::list(&self.fixture.app, &see, AuditFilter::default(), None, 10).await.unwrap();
        let of_this = events.into_iter().filter(|event| event.action.starts_with("certificate."));
        of_this.map(|event| (event.action, event.outcome)).collect()
    }
}

fn codes(view: &CertificateView) -> Vec<&'static str> {
    view.findings.iter().map(|finding| finding.code).collect()
}

#[tokio::test]
async fn two_links_are_fetched_one_in_der_one_in_a_collection_and_the_edge_serves_them() {
    for place in places(|_| ()).await {
        let Ca { root, upper, lower, .. } = &place.ca;
        let stranger =
            signed("Stranger", ("Root", &TestSigner::ec()), &TestSigner::ec(), Purpose::Root, None);
        place.site.put("/lower.cer", lower.der());
        place.site.put("/upper.p7c", &pkcs7_write::write([stranger.der(), upper.der()]));
        place.site.put("/root.cer", root.der());
        let id = place.leaf("shop.example.org", "/lower.cer").await;
        place.fixture.run_due().await.unwrap();
        assert!(place.site.asked().is_empty(), "nobody asked for it: {:?}", place.site.asked());
        assert_eq!(place.served("shop.example.org").len(), 1);
        let missing = certificate::missing(&place.view(&id).await.unwrap().chain).unwrap();
        assert_eq!(missing.addresses, [place.site.url("/lower.cer")]);
        assert_eq!(missing.hosts, [place.site.address.to_string()]);

        let before = place.count().await;
        let ended = place.complete(&id).await;
        assert_eq!(ended.state, JobState::Done, "{ended:?}");
        assert_eq!(place.site.asked(), ["/lower.cer", "/upper.p7c", "/root.cer"]);
        assert_eq!(place.count().await, before + 2, "two intermediates; neither the root nor the stranger");
        for part in ["2 certificates were fetched", "“Lower”", "“Upper”", "no part of the chain: Stranger"]
        {
            assert!(ended.progress.contains(part), "{}", ended.progress);
        }
        assert!(ended.progress.contains(&root.fingerprint().to_string()), "{}", ended.progress);
        let view = place.view(&id).await.unwrap();
        assert_eq!((view.chain.served.len(), &view.chain.root), (3, &None));
        assert!(codes(&view).contains(&"chain.root_missing"), "a root that came is not believed");
        let chain = place.served("shop.example.org");
        assert_eq!(chain[1..], [lower.der().to_vec(), upper.der().to_vec()]);
        let done = |action: &str| (action.to_owned(), "done".to_owned());
        assert_eq!(place.events().await[..2], [done("certificate.fetch"), done("certificate.complete")]);

        // Once more is no harm: the root is all that is missing, and it is not taken.
        assert_eq!(place.complete(&id).await.state, JobState::Done);
        assert_eq!(place.count().await, before + 2);
        // A person imports it: nothing is missing any more.
        place.take(vec![ImportFile::from(root.der().to_vec())]).await;
        assert_eq!(place.refused(&id).await, "chain.whole");
    }
}

#[tokio::test]
async fn an_upper_link_that_is_here_already_is_not_asked_for() {
    for place in places(|_| ()).await {
        let Ca { root, upper, lower, .. } = &place.ca;
        place.take([root, upper].map(|known| ImportFile::from(known.der().to_vec())).into()).await;
        place.site.put("/lower.cer", pem_write::chain([lower.der()]).as_bytes());
        let id = place.leaf("shop.example.org", "/lower.cer").await;
        let ended = place.complete(&id).await;
        assert!(ended.progress.contains("ends at the root “Root”, which is here"), "{ended:?}");
        assert_eq!(place.site.asked(), ["/lower.cer"]);
        assert!(place.view(&id).await.unwrap().chain.is_complete());
    }
}

#[tokio::test]
async fn what_is_no_issuer_or_lies_where_data_may_not_lead_is_said_and_nothing_is_kept() {
    for place in places(|_| ()).await {
        // The right name, the wrong key: the leaf is not signed by it.
        let impostor = signed("Lower", ("Upper", &TestSigner::ec()), &TestSigner::ec(), Purpose::Root, None);
        let other = signed("Other", ("Root", &TestSigner::ec()), &TestSigner::ec(), Purpose::Root, None);
        let redirect =
            |to: &str| format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        let site = &place.site;
        site.put("/html", b"<html><script>alert(1)</script></html>");
        site.put("/empty", b"");
        site.put("/impostor", impostor.der());
        site.put("/others", &pkcs7_write::write([impostor.der(), other.der()]));
        site.put("/large", &vec![b'0'; 2_000_000]);
        site.put_raw("/loopback", redirect("http://127.0.0.2/lower.cer"));
        site.put_raw("/private", redirect("http://10.0.0.7/lower.cer"));
        site.put_raw("/metadata", redirect("http://169.254.169.254/latest/meta-data/"));
        site.put_raw("/file", redirect("file:///etc/passwd"));
        for (index, (path, part)) in [
            ("/html", "is no certificate that is taken"),
            ("/empty", "is no certificate that is taken"),
            ("/impostor", "the certificate there, of “Lower”, did not issue it"),
            ("/others", "none of the 2 certificates there issued it"),
            ("/large", "longer than 1048576 bytes"),
            ("/gone", "status 404"),
            ("/loopback", "leads to 127.0.0.2, where data may not send us. If the CA is inside"),
            ("/private", "leads to 10.0.0.7"),
            ("/metadata", "leads to 169.254.169.254"),
            ("/file", "only http and https"),
        ]
        .into_iter()
        .enumerate()
        {
            let id = place.leaf(&format!("site-{index}.example.org"), path).await;
            let before = place.count().await;
            let ended = place.complete(&id).await;
            assert_eq!(ended.state, JobState::Failed, "{path}: {ended:?}");
            assert!(ended.trouble.contains(part), "{path}: {}", ended.trouble);
            assert!(ended.trouble.contains(&site.url(path)), "{path}: {}", ended.trouble);
            assert_eq!(place.count().await, before, "{path}");
            let failed = ("certificate.fetch".to_owned(), "failed".to_owned());
            assert_eq!(place.events().await[0], failed, "{path}");
        }
    }
}

#[tokio::test]
async fn a_link_that_was_fetched_stays_also_where_the_next_is_not_to_be_had() {
    for place in places(|_| ()).await {
        place.site.put("/lower.cer", place.ca.lower.der());
        let id = place.leaf("shop.example.org", "/lower.cer").await;
        let ended = place.complete(&id).await;
        assert_eq!(ended.state, JobState::Failed);
        let said = &ended.trouble;
        assert!(said.contains("1 certificate was fetched: “Lower”"), "{said}");
        assert!(said.contains("the issuer of “Lower” was not fetched") && said.contains("404"), "{said}");
        assert_eq!(place.served("shop.example.org").len(), 2);
        // Repaired there, it goes on from where it was.
        place.site.put("/upper.p7c", &pkcs7_write::write([place.ca.upper.der()]));
        place.site.put("/root.cer", place.ca.root.der());
        assert_eq!(place.complete(&id).await.state, JobState::Done);
        assert_eq!(place.served("shop.example.org").len(), 3);
        assert_eq!(place.site.asked(), ["/lower.cer", "/upper.p7c", "/upper.p7c", "/root.cer"]);
    }
}

#[tokio::test]
async fn only_what_the_operator_permits_is_asked() {
    for place in places(|config| config.permitted.clear()).await {
        place.site.put("/lower.cer", place.ca.lower.der());
        let id = place.leaf("shop.example.org", "/lower.cer").await;
        let ended = place.complete(&id).await;
        assert_eq!(ended.state, JobState::Failed);
        assert!(ended.trouble.contains("127.0.0.1, where data may not send us"), "{}", ended.trouble);
        assert!(ended.trouble.contains("[outbound] permitted"), "{}", ended.trouble);
        assert!(place.site.asked().is_empty());
    }
}

#[tokio::test]
async fn nothing_is_begun_where_nothing_can_be_fetched() {
    for place in places(|_| ()).await {
        let key = TestSigner::ec();
        for (name, at) in [("none.example.org", None), ("ldap.example.org", Some("ldap://127.0.0.1/cn=x"))] {
            let leaf = place.ca.leaf(name, &key, at.map(str::to_owned));
            place.take(vec![ImportFile::from(leaf.der().to_vec())]).await;
            assert_eq!(place.refused(&leaf.fingerprint()).await, "chain.no_address", "{name}");
        }
        assert_eq!(place.refused(&Fingerprint([7; 32])).await, "certificate_not_found");
        // Two who ask at once share a job.
        let id = place.leaf("shop.example.org", "/lower.cer").await;
        let by = place.by();
        let (one, two) = tokio::join!(
            certificate::complete(&place.fixture.app, &by, &id),
            certificate::complete(&place.fixture.app, &by, &id)
        );
        assert_eq!(one.unwrap().id, two.unwrap().id);
    }
}

#[tokio::test]
async fn an_import_fetches_by_itself_only_where_the_configuration_says_so() {
    for place in places(|config| config.fetch_missing = true).await {
        let Ca { root, upper, lower, .. } = &place.ca;
        place.site.put("/lower.cer", lower.der());
        place.site.put("/upper.p7c", &pkcs7_write::write([upper.der()]));
        place.site.put("/root.cer", root.der());
        let imported = place.import("shop.example.org", "/lower.cer").await;
        assert_eq!(imported.fetching.len(), 1);
        assert!(place.site.asked().is_empty(), "an import does not wait for the network");
        place.fixture.run_due().await.unwrap();
        assert_eq!(place.served("shop.example.org").len(), 3);
        // A person imports the root: the next one's chain is whole at once, and nobody is asked.
        place.take(vec![ImportFile::from(root.der().to_vec())]).await;
        let asked = place.site.asked().len();
        assert!(place.import("two.example.org", "/lower.cer").await.fetching.is_empty());
        place.fixture.run_due().await.unwrap();
        assert_eq!((place.site.asked().len(), place.served("two.example.org").len()), (asked, 3));
    }
}

#[tokio::test]
async fn a_large_collection_fetches_too_once_for_each_issuer_and_not_for_everybody() {
    for place in places(|config| config.fetch_missing = true).await {
        let Ca { root, upper, lower, .. } = &place.ca;
        place.site.put("/lower.cer", lower.der());
        place.site.put("/upper.p7c", &pkcs7_write::write([upper.der()]));
        place.site.put("/root.cer", root.der());
        let keys = [(); 13].map(|()| TestSigner::ec());
        let pem = |key: &TestSigner| {
            ImportFile::from(pem_write::private_key(&key.private_key()).as_bytes().to_vec())
        };
        for key in &keys {
            place.take(vec![pem(key)]).await;
        }
        let mut all = Vec::new();
        // Two of one issuer whose keys are here; eleven of others; and many without a key, of yet another.
        for (number, key) in keys.iter().enumerate() {
            let name = format!("own-{number}.example.org");
            all.push(match number {
                0 | 1 => place.ca.leaf(&name, key, Some(place.site.url("/lower.cer"))),
                _ => {
                    let by = TestSigner::ec();
                    let at = Some(place.site.url(&format!("/gone-{number}")));
                    signed(&name, (&format!("CA {number}"), &by), key, Purpose::TlsServer, at)
                }
            });
        }
        let (by, key) = (TestSigner::ec(), TestSigner::ec());
        for number in 0..50 {
            let at = Some(place.site.url("/not-mine"));
            all.push(signed(
                &format!("other-{number}.example.org"),
                ("Other", &by),
                &key,
                Purpose::TlsServer,
                at,
            ));
        }
        let text = pem_write::chain(all.iter().map(Certificate::der));
        let input = Import { files: vec![ImportFile::from(text.into_bytes())], ..Import::default() };
        let taken = certificate::import(&place.fixture.app, &place.by(), input).await.unwrap();
        let certificate::Taken::AsJob(import) = taken else { panic!("so many come as a job") };
        assert!(place.site.asked().is_empty());
        place.fixture.run_due().await.unwrap();
        let see = place.fixture.may(uses::ViewCertificates).unwrap();
        let import = job::find(&place.fixture.app, &see, &import.id).await.unwrap();
        assert_eq!(import.state, JobState::Done);
        assert!(
            import.progress.ends_with("; 10 jobs fetch what is missing in chains"),
            "{}",
            import.progress
        );
        let asked = place.site.asked();
        assert_eq!(asked.iter().filter(|path| *path == "/lower.cer").count(), 1, "{asked:?}");
        assert!(asked.iter().all(|path| path != "/not-mine"), "{asked:?}");
        assert_eq!(asked.iter().filter(|path| path.starts_with("/gone")).count(), 9, "{asked:?}");
        for name in ["own-0.example.org", "own-1.example.org"] {
            assert_eq!(place.served(name).len(), 3, "{name}");
        }
    }
}
