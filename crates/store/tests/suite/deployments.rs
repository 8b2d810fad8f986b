//! Targets, deployments, and what was seen from outside.

use domain::Moment;
use domain::id::{DeploymentId, JobId, LineageId, TargetId};
use domain::job::JobKind;
use domain::target::{Deployment, DeploymentState, EndpointSeen};
use pki::Fingerprint;
use store::deployment::{self, DeploymentFilter};
use store::job::NewJob;
use store::{Error, Page, Store, StoreKeys, Tx, certificate, endpoint, job, lineage, target};
use testkit::fresh_stores;

use crate::opening::behind;
use crate::world;

#[tokio::test(flavor = "multi_thread")]
async fn secret_settings_are_sealed_in_their_place() {
    for fresh in fresh_stores().await {
        fresh.store.tx("seed", world::seed).await.expect("the world");
        let read =
            |store: Store| async move { store.read("find", |tx| target::find(tx, &TargetId::edge())).await };
        assert_eq!(read(fresh.store.clone()).await.expect("it opens"), Some(world::target("edge")));
        behind(
            &fresh.database,
            "INSERT INTO target (id, kind, label, settings, sealed, addresses, created)
             SELECT 'thief', kind, 'Thief', settings, sealed, addresses, created FROM target WHERE id = 'edge'",
        )
        .await;
        let thief = fresh.store.read("find", |tx| target::find(tx, &TargetId::of("thief"))).await;
        assert!(matches!(thief, Err(Error::Unsealable { table: "target" })), "a sealed value does not move");
        let others = StoreKeys { audit: [0; 32], field: pki::seal::SealKey::new([0; 32]) };
        let stranger = Store::open(&fresh.database, others).await.expect("it opens");
        assert!(matches!(read(stranger).await, Err(Error::Unsealable { .. })), "nor under another key");
        // In the open column there is nothing secret.
        behind(&fresh.database, "UPDATE target SET sealed = NULL WHERE id = 'edge'").await;
        let open = read(fresh.store.clone()).await.expect("it opens").expect("the target");
        assert_eq!(open.settings.into_keys().collect::<Vec<_>>(), ["folder"]);
    }
}

fn targets(tx: &Tx) -> Result<(), Error> {
    world::seed(tx)?;
    let mut other = world::target("nginx");
    target::insert(tx, &other, &[], world::NONCE)?;
    other.label = "Web".to_owned();
    other.settings.insert("password".to_owned(), "new".to_owned());
    other.addresses.clear();
    target::update(tx, &other, &["password"], [4; 12])?;
    assert_eq!(target::all(tx)?, [world::target("edge"), other.clone()]);
    let again = domain::target::Target { label: "Web".to_owned(), ..world::target("third") };
    let refused = tx.attempt(|tx| target::insert(tx, &again, &[], world::NONCE));
    assert!(matches!(refused, Err(Error::Conflict { what }) if what == "target.label"));
    target::remove(tx, &other.id)?;
    let bound = lineage::of_target(tx, &TargetId::edge())?.remove(0);
    target::remove(tx, &TargetId::edge())?;
    assert!(!lineage::is_as_read(tx, &bound)?, "it has one target less");
    assert!(target::all(tx)?.is_empty() && lineage::of_target(tx, &TargetId::edge())?.is_empty());
    assert!(matches!(target::remove(tx, &other.id), Err(Error::Missing { what: "target" })));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_come_and_go() {
    for fresh in fresh_stores().await {
        fresh.store.tx("targets", targets).await.expect("all holds");
    }
}

fn planned(number: i64) -> Deployment {
    Deployment {
        id: DeploymentId::of(format!("dep-{number}")),
        lineage: LineageId::of("lin-1"),
        target: TargetId::edge(),
        certificate: world::leaf(1).fingerprint(),
        state: DeploymentState::Planned,
        chain: None,
        trouble: String::new(),
        created: Moment(number),
        changed: Moment(number),
    }
}

fn deployments(tx: &Tx) -> Result<(), Error> {
    world::seed(tx)?;
    let (lineage, edge) = (LineageId::of("lin-1"), TargetId::edge());
    assert!(matches!(tx.attempt(|tx| deployment::insert(tx, &planned(1))), Err(Error::Reference)));
    certificate::insert(tx, &world::entry(world::leaf(1), "one"))?;
    for number in 1..=3 {
        deployment::insert(tx, &planned(number))?;
    }
    deployment::set_state(tx, &planned(1).id, DeploymentState::Verified, "", Moment(10))?;
    deployment::set_state(tx, &planned(3).id, DeploymentState::Failed, "nginx: no", Moment(11))?;
    let found = deployment::find(tx, &planned(3).id)?.expect("the deployment");
    assert_eq!(
        (found.state, found.trouble.as_str(), found.changed),
        (DeploymentState::Failed, "nginx: no", Moment(11))
    );
    let id = |found: Option<Deployment>| found.map(|one| one.id.to_string()).unwrap_or_default();
    assert_eq!(id(deployment::latest(tx, &lineage, &edge)?), "dep-3");
    assert_eq!(id(deployment::open_of(tx, &lineage, &edge)?), "dep-2");
    assert_eq!(id(deployment::verified_of(tx, &lineage, &edge)?), "dep-1");
    assert_eq!(
        (deployment::of_lineage(tx, &lineage)?.len(), deployment::of_target(tx, &edge)?.len()),
        (3, 3)
    );
    let first = deployment::list(tx, &DeploymentFilter::default(), &Page::first(1))?;
    let rest = Page { after: Some(deployment::cursor(&first[0])), limit: 9 };
    assert_eq!(deployment::list(tx, &DeploymentFilter::default(), &rest)?.len(), 2);
    let narrow = DeploymentFilter {
        state: Some(DeploymentState::Planned),
        lineage: Some(lineage),
        target: Some(edge),
    };
    assert_eq!(deployment::list(tx, &narrow, &Page::first(9))?, [planned(2)]);
    let chain = Fingerprint([7; 32]);
    deployment::set_chain(tx, &planned(2).id, &chain)?;
    let found = deployment::find(tx, &planned(2).id)?;
    assert_eq!(found, Some(Deployment { chain: Some(chain), ..planned(2) }));
    in_use(tx)
}

/// Seen from outside, or installed by a job that has ended; never by itself.
fn in_use(tx: &Tx) -> Result<(), Error> {
    let was_in_use = |number| deployment::was_in_use(tx, &planned(number));
    assert!(was_in_use(2)? && was_in_use(3)? && !was_in_use(1)?, "only the first was seen");
    let at = Moment(12);
    deployment::set_state(tx, &planned(2).id, DeploymentState::Installed, "", at)?;
    let job = NewJob {
        id: JobId::of("job-2"),
        kind: JobKind::DeploymentRun,
        subject: "dep-2".to_owned(),
        due: at,
        actor: "scheduler".to_owned(),
        created: at,
    };
    job::add(tx, &job)?;
    assert!(!was_in_use(1)?, "somebody is still looking");
    let claimed = job::claim(tx, at, Moment(100), 1)?;
    assert!(!was_in_use(1)?);
    assert!(job::finish(tx, &job.id, claimed[0].fence, "nobody can look", at)?);
    assert!(was_in_use(1)?);
    let other = Deployment { certificate: Fingerprint([9; 32]), ..planned(1) };
    assert!(!deployment::was_in_use(tx, &other)?, "another certificate says nothing");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn deployments_of_a_pair() {
    for fresh in fresh_stores().await {
        fresh.store.tx("deployments", deployments).await.expect("all holds");
    }
}

fn seen(tx: &Tx) -> Result<(), Error> {
    world::seed(tx)?;
    let (id, edge) = (LineageId::of("lin-1"), TargetId::edge());
    certificate::insert(tx, &world::entry(world::leaf(1), "one"))?;
    lineage::set_current(tx, &id, &world::leaf(1).fingerprint(), None)?;
    let mut seen = EndpointSeen {
        target: edge.clone(),
        lineage: id.clone(),
        address: "127.0.0.1:443".to_owned(),
        name: "www.example.org".to_owned(),
        certificate: None,
        trouble: "refused".to_owned(),
        at: Moment(1),
    };
    endpoint::record(tx, &seen)?;
    assert_eq!(endpoint::wrong(tx, 5)?, [seen.clone()]);
    seen.certificate = Some(world::leaf(2).fingerprint());
    endpoint::record(tx, &seen)?;
    assert_eq!(endpoint::wrong(tx, 5)?, [seen.clone()]);
    seen.certificate = Some(world::leaf(1).fingerprint());
    seen.trouble.clear();
    endpoint::record(tx, &seen)?;
    assert_eq!(endpoint::wrong(tx, 5)?, []);
    assert_eq!(endpoint::of_lineage(tx, &id)?, [seen.clone()]);
    assert_eq!(endpoint::of_target(tx, &edge)?, [seen]);
    endpoint::remove_of(tx, &id, &edge)?;
    assert_eq!(endpoint::of_lineage(tx, &id)?, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_wrongly_is_found() {
    for fresh in fresh_stores().await {
        fresh.store.tx("endpoints", seen).await.expect("all holds");
    }
}
