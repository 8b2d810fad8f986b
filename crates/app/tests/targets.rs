//! Targets over time: whose directory it is, what was seen of them, and what their lineage says of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use claviger_app::filter::AuditFilter;
use claviger_app::lineage::{self, LineageChange, LineageView, NewLineage};
use claviger_app::overview::{self, Place};
use claviger_app::target::{self, NewTarget, TargetChange, TargetView};
use claviger_app::{Error, audit};
use common::{House, houses, wanted};
use domain::clock::MINUTE;
use domain::id::{LineageId, TargetId};
use domain::permission::uses;
use domain::target::{DeploymentState, EndpointSeen};

fn settings(directory: &Path) -> BTreeMap<String, String> {
    [("directory".to_owned(), directory.to_str().unwrap().to_owned())].into()
}

async fn create(
    house: &House,
    label: &str,
    directory: &Path,
    addresses: &[&str],
) -> Result<TargetView, Error> {
    let wanted = NewTarget {
        label: label.to_owned(),
        kind: "files".to_owned(),
        settings: settings(directory),
        addresses: addresses.iter().map(|one| (*one).to_owned()).collect(),
    };
    target::create(&house.fixture.app, &house.fixture.may(uses::ManageTargets).unwrap(), wanted).await
}

async fn change(house: &House, id: &TargetId, change: TargetChange) -> Result<TargetView, Error> {
    let by = house.fixture.may(uses::ManageTargets).unwrap();
    target::update(&house.fixture.app, &by, id, change).await
}

async fn readdress(house: &House, id: &TargetId, addresses: &[&str]) {
    let addresses = Some(addresses.iter().map(|one| (*one).to_owned()).collect());
    change(house, id, TargetChange { addresses, ..TargetChange::default() }).await.unwrap();
}

/// A lineage with these targets and nothing else.
async fn lineage(house: &House, targets: &[&TargetId]) -> LineageId {
    let targets = targets.iter().map(|id| (*id).clone()).collect();
    let own = NewLineage { targets, ..wanted("shop", "internal") };
    let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
    lineage::create(&house.fixture.app, &by, own).await.unwrap().lineage.id
}

async fn bind(house: &House, id: &LineageId, targets: Vec<TargetId>) {
    let by = house.fixture.may(uses::ManageTlsCertificates).unwrap();
    let change = LineageChange { targets: Some(targets), ..LineageChange::default() };
    lineage::update(&house.fixture.app, &by, id, change).await.unwrap();
}

async fn see(house: &House, id: &LineageId) -> LineageView {
    let by = house.fixture.may(uses::ViewCertificates).unwrap();
    lineage::find(&house.fixture.app, &by, id).await.unwrap()
}

async fn deploy(house: &House, target: &TargetId, lineage: &LineageId) -> DeploymentState {
    house.clock.advance(MINUTE);
    let by = house.fixture.may(uses::Deploy).unwrap();
    target::deploy(&house.fixture.app, &by, target, lineage).await.unwrap();
    house.fixture.run_due().await.unwrap();
    let by = house.fixture.may(uses::ViewCertificates).unwrap();
    let view = target::find(&house.fixture.app, &by, target).await.unwrap();
    view.deployments.iter().find(|one| one.lineage == *lineage).unwrap().state
}

/// What the overview says of endpoints.
async fn endpoints_in_need(house: &House, target: &TargetId) -> usize {
    let by = house.fixture.may(uses::ViewCertificates).unwrap();
    let overview = overview::show(&house.fixture.app, &by).await.unwrap();
    overview.needs.iter().filter(|need| need.place == Place::Target(target.clone())).count()
}

fn addresses(seen: &[EndpointSeen]) -> Vec<&str> {
    seen.iter().map(|one| one.address.as_str()).collect()
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().code()
}

#[tokio::test]
async fn a_directory_is_of_one_target() {
    for house in houses().await {
        let home = tempfile::tempdir().unwrap();
        let (one, two) = (home.path().join("one"), home.path().join("two"));
        let first = create(&house, "one", &one, &[]).await.unwrap().target.id;
        let other = home.path().join("other");
        symlink(home.path(), &other).unwrap();
        // It is not there yet; then it is.
        for _ in 0..2 {
            for same in [&one, &other.join("one"), &home.path().join("one/"), &home.path().join("./one")] {
                let refused = create(&house, "same", same, &[]).await;
                assert_eq!(code(refused), "target.directory_taken", "{}", same.display());
            }
            fs::create_dir_all(&one).unwrap();
        }
        let second = create(&house, "two", &two, &[]).await.unwrap().target.id;
        let to_one = TargetChange { settings: Some(settings(&one)), ..TargetChange::default() };
        assert_eq!(code(change(&house, &second, to_one.clone()).await), "target.directory_taken");
        change(&house, &first, to_one).await.expect("it is its own");
    }
}

#[tokio::test]
async fn what_is_not_looked_at_any_more_is_forgotten() {
    for house in houses().await {
        let home = tempfile::tempdir().unwrap();
        let one = create(&house, "one", &home.path().join("one"), &["127.0.0.1:1"]).await.unwrap().target.id;
        let shop = lineage(&house, &[&one]).await;
        house.fixture.run_due().await.unwrap();
        assert_eq!(addresses(&see(&house, &shop).await.endpoints), ["127.0.0.1:1"]);
        assert_eq!(endpoints_in_need(&house, &one).await, 1);

        // Another address: what was seen at the one before says nothing.
        readdress(&house, &one, &["127.0.0.1:2"]).await;
        assert_eq!(endpoints_in_need(&house, &one).await, 0);
        assert_eq!(deploy(&house, &one, &shop).await, DeploymentState::RolledBack);
        assert_eq!(addresses(&see(&house, &shop).await.endpoints), ["127.0.0.1:2"]);

        // Off the lineage, and on it again.
        bind(&house, &shop, vec![TargetId::edge()]).await;
        assert_eq!(endpoints_in_need(&house, &one).await, 0);
        let view = see(&house, &shop).await;
        assert!(view.endpoints.is_empty(), "{:?}", view.endpoints);
        assert_eq!(view.lineage.trouble, "", "it was the target's");
        bind(&house, &shop, vec![one.clone()]).await;
        house.fixture.run_due().await.unwrap();
        assert_eq!(endpoints_in_need(&house, &one).await, 1);

        // Nobody can look at all.
        readdress(&house, &one, &[]).await;
        assert_eq!(deploy(&house, &one, &shop).await, DeploymentState::Installed);
        assert!(see(&house, &shop).await.endpoints.is_empty());
    }
}

#[tokio::test]
async fn a_trouble_is_over_when_the_target_takes_it() {
    for house in houses().await {
        let home = tempfile::tempdir().unwrap();
        let (missing, there) = (home.path().join("not/there"), home.path().join("there"));
        let bad = create(&house, "bad", &missing, &[]).await.unwrap().target.id;
        let good = create(&house, "good", &there, &[]).await.unwrap().target.id;
        let shop = lineage(&house, &[&bad, &good]).await;
        house.fixture.run_due().await.unwrap();
        let trouble = see(&house, &shop).await.lineage.trouble;
        assert!(trouble.starts_with("on “bad”: "), "{trouble}");
        assert_eq!(deploy(&house, &good, &shop).await, DeploymentState::Installed);
        assert_eq!(see(&house, &shop).await.lineage.trouble, trouble, "the other one is in trouble still");
        fs::create_dir(home.path().join("not")).unwrap();
        assert_eq!(deploy(&house, &bad, &shop).await, DeploymentState::Installed);
        assert_eq!(see(&house, &shop).await.lineage.trouble, "");
    }
}

#[tokio::test]
async fn whatever_becomes_of_a_deployment_is_in_the_audit_log() {
    for house in houses().await {
        let home = tempfile::tempdir().unwrap();
        let one = create(&house, "one", &home.path().join("one"), &[]).await.unwrap().target.id;
        let shop = lineage(&house, &[&TargetId::edge()]).await;
        house.fixture.run_due().await.unwrap();
        bind(&house, &shop, vec![one.clone()]).await;
        bind(&house, &shop, vec![TargetId::edge()]).await;
        house.fixture.run_due().await.unwrap();
        let (app, id) = (&house.fixture.app, one.clone());
        let read = app.store().read("test", move |tx| Ok::<_, Error>(store::deployment::of_target(tx, &id)?));
        let deployments = read.await.unwrap();
        assert_eq!(deployments.len(), 1);
        assert_eq!(deployments[0].state, DeploymentState::Failed);
        let by = house.fixture.may(uses::ViewAuditLog).unwrap();
        let events = audit::list(app, &by, AuditFilter::default(), None, 200).await.unwrap();
        let of_it = events.iter().filter(|event| event.object == deployments[0].id.as_str());
        assert_eq!(of_it.map(|event| event.action.as_str()).collect::<Vec<_>>(), ["deployment.fail"]);
    }
}
