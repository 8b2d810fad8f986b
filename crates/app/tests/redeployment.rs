//! A chain that becomes another goes to the targets that have the certificate already: once, whoever brought how much, and
//! without anybody's click.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use claviger_app::certificate::{self, Import, ImportFile};
use claviger_app::filter::{AuditFilter, JobFilter};
use claviger_app::lineage::{self, Adopt, LineageChange, NewLineage};
use claviger_app::target::{self, NewTarget};
use claviger_app::{Error, Page, audit, job};
use common::{House, START, houses, wanted};
use domain::Authorized;
use domain::clock::{DAY, MINUTE};
use domain::id::{LineageId, TargetId};
use domain::job::{Job, JobKind, JobState};
use domain::permission::uses;
use domain::target::{Deployment, DeploymentState};
use pki::format::pem_write;
use pki::issue::{self, Purpose, Template};
use pki::name::{Attribute, AttributeType};
use pki::{Certificate, DistinguishedName, Signer, SubjectAltName, UnixTime};
use testkit::TestSigner;

/// A root, two intermediates below it, and a leaf with its key.
struct Ca {
    root: Certificate,
    upper: Certificate,
    lower: Certificate,
    leaf: Certificate,
    leaf_key: TestSigner,
}

const BELOW: Purpose = Purpose::Intermediate { path_len: 3 };

impl Ca {
    fn new() -> Self {
        let (top, middle, low, leaf_key) =
            (TestSigner::ec(), TestSigner::ec(), TestSigner::ec(), TestSigner::ec());
        Self {
            root: signed("Root", &top, ("Root", &top), Purpose::Root),
            upper: signed("Upper", &middle, ("Root", &top), BELOW),
            lower: signed("Lower", &low, ("Upper", &middle), BELOW),
            leaf: signed("shop.example.org", &leaf_key, ("Lower", &low), Purpose::TlsServer),
            leaf_key,
        }
    }
}

fn signed(
    subject: &str,
    key: &TestSigner,
    (issuer, by): (&str, &TestSigner),
    purpose: Purpose,
) -> Certificate {
    let is_leaf = purpose == Purpose::TlsServer;
    let name = |text: &str| {
        DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, text)]).unwrap()
    };
    let days = DAY / 1_000;
    let template = Template {
        serial: key.public_key().id().0[..8].to_vec(),
        issuer: name(issuer),
        subject: name(subject),
        public_key: key.public_key().clone(),
        not_before: UnixTime(START.unix().0 - days),
        not_after: UnixTime(START.unix().0 + if is_leaf { 60 } else { 600 } * days),
        names: is_leaf.then(|| SubjectAltName::parse(subject).unwrap()).into_iter().collect(),
        purpose,
        authority_key_id: None,
        ca_issuers_url: None,
    };
    let tbs = issue::to_be_signed(&template, by.algorithm().certificate_scheme()).unwrap();
    Certificate::parse(&issue::sign(&tbs, by).unwrap()).unwrap()
}

/// A lineage on the edge and on targets that are directories, with the leaf alone.
struct Shop<'a> {
    house: &'a House,
    ca: Ca,
    home: tempfile::TempDir,
    lineage: LineageId,
    targets: Vec<TargetId>,
}

impl<'a> Shop<'a> {
    async fn open(house: &'a House, directories: &[&str]) -> Self {
        let (ca, home, app) = (Ca::new(), tempfile::tempdir().unwrap(), &house.fixture.app);
        let mut targets = Vec::new();
        for directory in directories {
            targets.push(new_target(house, &home.path().join(directory)).await);
        }
        let key = pem_write::private_key(&ca.leaf_key.private_key()).as_bytes().to_vec();
        take(house, vec![key, ca.leaf.der().to_vec()]).await;
        let all = targets.iter().cloned().chain([TargetId::edge()]).collect();
        let change = LineageChange { targets: Some(all), ..LineageChange::default() };
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let adopted = Adopt { name: None, change };
        let view = lineage::adopt(app, &by, &ca.leaf.fingerprint(), adopted).await.unwrap();
        Self { house, ca, home, lineage: view.lineage.id, targets }
    }

    /// The same, installed a minute ago.
    async fn installed(house: &'a House, directories: &[&str]) -> Self {
        let shop = Self::open(house, directories).await;
        shop.run().await;
        for directory in directories {
            assert_eq!(shop.full_chain(directory), std::slice::from_ref(&shop.ca.leaf));
        }
        house.clock.advance(MINUTE);
        shop
    }

    async fn run(&self) {
        self.house.fixture.run_due().await.unwrap();
    }

    async fn import(&self, certificates: &[&Certificate]) {
        take(self.house, vec![pem_write::chain(certificates.iter().map(|one| one.der())).into_bytes()]).await;
    }

    fn file(&self, directory: &str, name: &str) -> PathBuf {
        self.home.path().join(directory).join(name)
    }

    fn read(&self, directory: &str, name: &str) -> Vec<Certificate> {
        let contents = pki::format::read(&fs::read(self.file(directory, name)).unwrap(), None).unwrap();
        contents.items.into_iter().filter_map(pki::format::Item::into_certificate).collect()
    }

    fn full_chain(&self, directory: &str) -> Vec<Certificate> {
        self.read(directory, "fullchain.pem")
    }

    fn whole(&self) -> Vec<Certificate> {
        [&self.ca.leaf, &self.ca.lower, &self.ca.upper].map(Clone::clone).into()
    }

    async fn deployments(&self, target: &TargetId) -> Vec<Deployment> {
        let target = target.clone();
        let read = self
            .house
            .fixture
            .app
            .store()
            .read("test", move |tx| Ok::<_, Error>(store::deployment::of_target(tx, &target)?));
        read.await.unwrap()
    }

    async fn plans(&self) -> Vec<Job> {
        plans(self.house).await
    }

    /// The events of this action, the newest first: actor and object.
    async fn events(&self, action: &str) -> Vec<(String, String)> {
        let app = &self.house.fixture.app;
        let see = self.house.fixture.may(uses::ViewAuditLog).unwrap();
        audit::verify(app, &see).await.unwrap();
        let events = audit::list(app, &see, AuditFilter::default(), None, 200).await.unwrap();
        let of_this = events.into_iter().filter(|event| event.action == action);
        of_this.map(|event| (event.actor, event.object)).collect()
    }
}

/// The jobs that look for targets whose chain became another, the newest first.
async fn plans(house: &House) -> Vec<Job> {
    let see = house.fixture.may(uses::ViewCertificates).unwrap();
    let all = job::list(&house.fixture.app, &see, JobFilter::default(), Page::first(500)).await.unwrap();
    all.into_iter().filter(|job| job.kind == JobKind::DeploymentPlan).collect()
}

/// A directory as a target; nobody can look at it from outside.
async fn new_target(house: &House, directory: &Path) -> TargetId {
    let wanted = NewTarget {
        label: directory.file_name().unwrap().to_str().unwrap().to_owned(),
        kind: "files".to_owned(),
        settings: [("directory".to_owned(), directory.to_str().unwrap().to_owned())].into(),
        addresses: Vec::new(),
    };
    let by = house.fixture.may(uses::ManageTargets).unwrap();
    target::create(&house.fixture.app, &by, wanted).await.unwrap().target.id
}

async fn take(house: &House, files: Vec<Vec<u8>>) {
    let by: Authorized<uses::ManageTlsCertificates> = house.fixture.may(uses::ManageTlsCertificates).unwrap();
    let input = Import { files: files.into_iter().map(ImportFile::from).collect(), ..Import::default() };
    certificate::import(&house.fixture.app, &by, input).await.unwrap();
}

/// Intermediates that have nothing to do with anybody.
fn strangers(count: usize) -> Vec<Certificate> {
    let top = TestSigner::ec();
    (0..count).map(|n| signed(&format!("Stranger {n}"), &TestSigner::ec(), ("Nobody", &top), BELOW)).collect()
}

#[tokio::test]
async fn fifty_intermediates_make_one_deployment_at_each_target_and_the_version_before_is_kept() {
    for house in houses().await {
        let shop = Shop::installed(&house, &["one", "two"]).await;
        let strangers = strangers(48);
        let mut all: Vec<&Certificate> = strangers.iter().collect();
        all.extend([&shop.ca.upper, &shop.ca.lower]);
        shop.import(&all).await;
        shop.run().await;
        for (directory, target) in ["one", "two"].into_iter().zip(&shop.targets) {
            assert_eq!(shop.full_chain(directory), shop.whole());
            assert_eq!(shop.read(directory, "chain.pem"), shop.whole()[1..]);
            let before = shop.read(directory, "fullchain.pem.previous");
            assert_eq!(before, std::slice::from_ref(&shop.ca.leaf), "what was served before is kept");
            let deployments = shop.deployments(target).await;
            assert_eq!(deployments.len(), 2, "{deployments:?}");
            assert!(deployments.iter().all(|one| one.state == DeploymentState::Installed));
        }
        let by = (house.fixture.admin.name(), shop.lineage.to_string());
        assert_eq!(
            shop.events("deployment.plan").await,
            [by],
            "one event for the lineage, in his name who brought it"
        );
        let plans = shop.plans().await;
        assert_eq!(plans.len(), 1, "{plans:?}");
        assert_eq!(plans[0].progress, "2 targets get the chain as it is now");

        // The same again, and the root, change nothing of what is sent.
        house.clock.advance(MINUTE);
        shop.import(&all).await;
        assert_eq!(shop.plans().await.len(), 1, "nothing came, so nobody looks");
        shop.import(&[&shop.ca.root]).await;
        shop.run().await;
        let plans = shop.plans().await;
        assert_eq!((plans.len(), plans[0].progress.as_str()), (2, "no target needs another chain"));
        for target in &shop.targets {
            assert_eq!(shop.deployments(target).await.len(), 2);
        }
        assert_eq!(shop.events("deployment.plan").await.len(), 1);
    }
}

#[tokio::test]
async fn a_large_collection_reaches_the_targets_too() {
    for house in houses().await {
        let shop = Shop::installed(&house, &["one"]).await;
        let strangers = strangers(60);
        let all: Vec<&Certificate> = strangers.iter().chain([&shop.ca.lower, &shop.ca.upper]).collect();
        shop.import(&all).await;
        shop.run().await;
        assert_eq!(shop.full_chain("one"), shop.whole());
        assert_eq!(shop.deployments(&shop.targets[0]).await.len(), 2);
    }
}

#[tokio::test]
async fn where_only_the_edge_serves_nobody_looks() {
    for house in houses().await {
        let shop = Shop::open(&house, &[]).await;
        shop.run().await;
        shop.import(&[&shop.ca.lower, &shop.ca.upper]).await;
        shop.run().await;
        assert!(shop.plans().await.is_empty());
        let served = house.fixture.app.snapshots().borrow().all()[0].chain.len();
        assert_eq!(served, 3);
    }
}

#[tokio::test]
async fn a_deployment_that_waits_takes_the_chain_along_and_one_under_way_is_waited_for() {
    for house in houses().await {
        let shop = Shop::open(&house, &["one"]).await;
        // It waits, and will find the lower intermediate when it begins.
        shop.import(&[&shop.ca.lower]).await;
        let app = &house.fixture.app;
        let now = app.now();
        // Somebody works on everything; his deployment may have been read before the upper one came.
        let claim = app
            .store()
            .tx("test", move |tx| Ok::<_, Error>(store::job::claim(tx, now, now.plus(MINUTE), 100)?));
        let claimed = claim.await.unwrap();
        assert!(claimed.iter().any(|job| job.kind == JobKind::DeploymentPlan), "{claimed:?}");
        shop.import(&[&shop.ca.upper]).await;
        let plans = shop.plans().await;
        assert_eq!(plans.len(), 1, "one job, however many came");
        let before = claimed.iter().find(|job| job.id == plans[0].id).unwrap();
        assert_eq!((plans[0].state, plans[0].fence), (JobState::Waiting, before.fence + 1), "it begins anew");
        shop.run().await;
        let plans = shop.plans().await;
        assert_eq!(plans.len(), 2, "{plans:?}");
        assert!(plans.iter().any(|job| job.progress.contains("looked at again in a moment")), "{plans:?}");
        assert!(!shop.file("one", "fullchain.pem").exists(), "he who claimed it has not done it");

        // He was killed; what he did is taken up, and then nothing is left to do.
        house.clock.advance(2 * MINUTE);
        shop.run().await;
        house.clock.advance(MINUTE);
        shop.run().await;
        assert_eq!(shop.full_chain("one"), shop.whole());
        assert_eq!(shop.deployments(&shop.targets[0]).await.len(), 1, "nothing was deployed twice");
        assert!(shop.plans().await.iter().all(|job| job.state == JobState::Done));
        assert!(shop.events("deployment.plan").await.is_empty());
    }
}

#[tokio::test]
async fn one_that_was_installed_in_between_gets_the_rest() {
    for house in houses().await {
        let shop = Shop::installed(&house, &["one"]).await;
        for (minute, intermediate) in [&shop.ca.lower, &shop.ca.upper].into_iter().enumerate() {
            shop.import(&[intermediate]).await;
            shop.run().await;
            house.clock.advance(MINUTE);
            assert_eq!(shop.full_chain("one").len(), 2 + minute);
        }
        assert_eq!(shop.deployments(&shop.targets[0]).await.len(), 3);
        assert_eq!(shop.full_chain("one"), shop.whole());
        assert_eq!(shop.read("one", "fullchain.pem.previous"), shop.whole()[..2]);
    }
}

#[tokio::test]
async fn a_target_that_refuses_is_not_tried_again_with_the_same_chain() {
    for house in houses().await {
        let shop = Shop::installed(&house, &["one"]).await;
        // Something in the way: no file is replaced.
        let previous = shop.file("one", "fullchain.pem.previous");
        fs::create_dir(&previous).unwrap();
        shop.import(&[&shop.ca.lower]).await;
        shop.run().await;
        assert_eq!(shop.deployments(&shop.targets[0]).await[0].state, DeploymentState::Failed);
        assert_eq!(shop.full_chain("one"), std::slice::from_ref(&shop.ca.leaf), "what was there is there");
        fs::remove_dir(&previous).unwrap();
        house.clock.advance(MINUTE);
        shop.import(&[&strangers(1)[0]]).await;
        shop.run().await;
        assert_eq!(shop.deployments(&shop.targets[0]).await.len(), 2, "a person must look");
        // A better chain is tried.
        shop.import(&[&shop.ca.upper]).await;
        shop.run().await;
        assert_eq!(shop.full_chain("one"), shop.whole());
    }
}

#[tokio::test]
async fn whose_chain_stays_is_left_alone() {
    for house in houses().await {
        let shop = Shop::installed(&house, &["one"]).await;
        let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
        let target = new_target(&house, &shop.home.path().join("internal")).await;
        let own = NewLineage { targets: vec![target.clone()], ..wanted("own", "internal") };
        lineage::create(&house.fixture.app, &by, own).await.unwrap();
        shop.run().await;
        assert_eq!(shop.full_chain("internal").len(), 2);
        house.clock.advance(MINUTE);
        shop.import(&[&shop.ca.lower, &shop.ca.upper]).await;
        shop.run().await;
        assert_eq!(shop.deployments(&shop.targets[0]).await.len(), 2);
        assert_eq!(shop.deployments(&target).await.len(), 1, "its chain was whole from the beginning");
    }
}
