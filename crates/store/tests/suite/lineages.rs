//! Lineages and orders.

use domain::Moment;
use domain::id::{IssuerId, LineageId, OrderId, TargetId};
use domain::key::{Key, SealedKey};
use domain::lineage::Lineage;
use domain::order::{Order, OrderState};
use store::lineage::{self, LineageFilter, ServedLineage};
use store::{Error, Page, Tx, certificate, csr, key, order, target};
use testkit::fresh_stores;

use crate::world;

fn changed(tx: &Tx) -> Result<(), Error> {
    world::seed(tx)?;
    target::insert(tx, &world::target("nginx"), &[], world::NONCE)?;
    let mut read = lineage::find(tx, &LineageId::of("lin-1"))?.expect("the lineage");
    assert_eq!(read, world::lineage("lin-1"));
    assert_eq!(lineage::by_name(tx, "Site lin-1")?, Some(read.clone()));
    read.targets.push(TargetId::of("nginx"));
    read.backend = None;
    read.owner = "somebody else".to_owned();
    assert!(lineage::update(tx, &read)?);
    assert!(!lineage::update(tx, &read)?, "a stale writer is refused");
    read.version += 1;
    assert_eq!(lineage::find(tx, &read.id)?, Some(read.clone()));
    certificate::insert(tx, &world::entry(world::leaf(1), "one"))?;
    let current = world::leaf(1).fingerprint();
    lineage::set_trouble(tx, &read.id, 2, "the CA said no\0")?;
    lineage::set_due(tx, &read.id, Some(Moment(5)))?;
    assert_eq!(lineage::trouble_count(tx)?, 1);
    lineage::set_current(tx, &read.id, &current, Some(Moment(2_000)))?;
    let found = lineage::of_current(tx, &current)?.expect("the lineage");
    assert_eq!((found.failures, found.trouble.as_str(), found.due), (0, "", Some(Moment(2_000))));
    lineage::set_due(tx, &read.id, None)?;
    assert!(!lineage::is_as_read(tx, &read)?, "it has a due time, and had another certificate");
    let now = lineage::find(tx, &read.id)?.expect("the lineage");
    assert!(lineage::is_as_read(tx, &now)?);
    assert!(lineage::update(tx, &Lineage { targets: vec![TargetId::of("nginx")], ..now.clone() })?);
    assert!(!lineage::is_as_read(tx, &now)?);
    assert_eq!(lineage::of_target(tx, &TargetId::edge())?, []);
    assert_eq!(lineage::of_target(tx, &TargetId::of("nginx"))?.len(), 1);
    let beside = |target: &str, after: &str| -> Result<usize, Error> {
        Ok(lineage::with_targets_beside(tx, &TargetId::of(target), &LineageId::of(after), 9)?.len())
    };
    assert_eq!((beside("edge", "")?, beside("nginx", "")?, beside("edge", "lin-1")?), (1, 0, 0));
    let served = |tx: &Tx<'_>| lineage::served(tx, &TargetId::of("nginx"));
    assert_eq!(served(tx)?, [], "nobody signs for it here");
    let (leaf_key, sealed) = world::key("of the leaf");
    let id = world::leaf(1).key_id();
    key::insert(tx, &Key { id, ..leaf_key }, &SealedKey { id, ..sealed })?;
    let backend = read.backend.clone();
    assert_eq!(
        served(tx)?,
        [ServedLineage { lineage: read.id.clone(), certificate: current, key: id, backend }]
    );
    key::destroy(tx, &id)?;
    assert_eq!(served(tx)?, []);
    assert_eq!((lineage::count(tx)?, lineage::of_issuer_count(tx, &IssuerId::of("internal"))?), (1, 1));
    lineage::retire(tx, &read.id, Moment(3))?;
    assert_eq!((lineage::find(tx, &read.id)?, lineage::count(tx)?), (None, 0));
    let again = Lineage { id: LineageId::of("lin-2"), ..world::lineage("lin-1") };
    lineage::insert(tx, &again)?;
    let third = Lineage { id: LineageId::of("lin-3"), ..again };
    let refused = tx.attempt(|tx| lineage::insert(tx, &third));
    assert!(matches!(refused, Err(Error::Conflict { what }) if what == "lineage.name"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lineages_change_by_version() {
    for fresh in fresh_stores().await {
        fresh.store.tx("lineages", changed).await.expect("all holds");
    }
}

fn due(tx: &Tx) -> Result<(), Error> {
    world::seed(tx)?;
    for number in 2..=9 {
        let mut one = world::lineage(&format!("lin-{number}"));
        one.due = (number != 5).then_some(Moment(if number < 7 { 10 } else { 1_000 + number }));
        lineage::insert(tx, &one)?;
    }
    let mut seen = Vec::new();
    let mut after = (Moment(i64::MIN), LineageId::of(""));
    loop {
        let page = lineage::due(tx, Moment(1_007), (after.0, &after.1), 2)?;
        let Some(last) = page.last() else { break };
        after = (last.due.expect("it is due"), last.id.clone());
        seen.extend(page.into_iter().map(|one| one.id.to_string()));
    }
    assert_eq!(seen, ["lin-2", "lin-3", "lin-4", "lin-6", "lin-1", "lin-7"]);
    let all = Page::first(20);
    assert_eq!(lineage::list(tx, &LineageFilter::default(), &all)?.len(), 9);
    let before = LineageFilter { due_before: Some(Moment(11)), ..LineageFilter::default() };
    assert_eq!(lineage::list(tx, &before, &all)?.len(), 4);
    lineage::set_trouble(tx, &LineageId::of("lin-3"), 1, "no")?;
    let narrow = LineageFilter {
        text: Some("SITE LIN".to_owned()),
        issuer: Some(IssuerId::of("internal")),
        environment: Some("production".to_owned()),
        due_before: None,
        trouble_only: true,
    };
    let list = lineage::list(tx, &narrow, &all)?;
    assert_eq!(list.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["lin-3"]);
    let page = Page { after: Some(lineage::cursor(&list[0])), limit: 20 };
    assert_eq!(lineage::list(tx, &LineageFilter::default(), &page)?.len(), 6);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_found_in_order() {
    for fresh in fresh_stores().await {
        fresh.store.tx("due", due).await.expect("all holds");
    }
}

fn new_order(id: &str) -> Order {
    Order {
        id: OrderId::of(id),
        lineage: LineageId::of("lin-1"),
        issuer: IssuerId::of("internal"),
        key: world::key("first").0.id,
        csr: world::csr("csr-1", world::key("first").0.id).id,
        state: OrderState::Ready,
        reason: "due".to_owned(),
        intent: None,
        certificate: None,
        created: Moment(600),
    }
}

fn orders(tx: &Tx) -> Result<(), Error> {
    world::seed(tx)?;
    csr::insert(tx, &world::csr("csr-1", world::key("first").0.id))?;
    let first = new_order("ord-1");
    order::insert(tx, &first)?;
    let refused = tx.attempt(|tx| order::insert(tx, &new_order("ord-2")));
    assert!(matches!(refused, Err(Error::Conflict { what }) if what == "order.lineage"));
    assert_eq!(order::active(tx, &first.lineage)?, Some(first.clone()));
    order::set_intent(tx, &first.id, &[1, 2])?;
    let found = order::find(tx, &first.id)?.expect("the order");
    assert_eq!((found.state, found.intent.as_deref()), (OrderState::Processing, Some(&[1, 2][..])));
    certificate::insert(tx, &world::entry(world::leaf(1), "one"))?;
    assert!(order::complete(tx, &first.id, &world::leaf(1).fingerprint())?);
    assert!(!order::complete(tx, &first.id, &world::leaf(1).fingerprint())?, "it is complete");
    assert_eq!(order::active(tx, &first.lineage)?, None);
    order::insert(tx, &new_order("ord-2"))?;
    order::set_state(tx, &OrderId::of("ord-2"), OrderState::Invalid)?;
    let ids = |orders: Vec<Order>| orders.into_iter().map(|order| order.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(order::of_lineage(tx, &first.lineage)?), ["ord-2", "ord-1"]);
    assert_eq!(ids(order::by_key(tx, &first.key)?), ["ord-2", "ord-1"]);
    assert_eq!(order::by_csr(tx, &first.csr)?.map(|order| order.id), Some(OrderId::of("ord-2")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lineage_has_one_active_order() {
    for fresh in fresh_stores().await {
        fresh.store.tx("orders", orders).await.expect("all holds");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_order_at_once_one_gets_it() {
    for fresh in fresh_stores().await {
        let seeded: Result<(), Error> = fresh
            .store
            .tx("seed", |tx| {
                world::seed(tx)?;
                csr::insert(tx, &world::csr("csr-1", world::key("first").0.id))
            })
            .await;
        seeded.expect("the world");
        let orders: Vec<_> = (0..12)
            .map(|number| {
                let store = fresh.store.clone();
                let one = new_order(&format!("ord-{number}"));
                tokio::spawn(async move { store.tx("order", move |tx| order::insert(tx, &one)).await })
            })
            .collect();
        let mut taken = 0;
        for one in orders {
            match one.await.expect("no panic") {
                Ok(()) => taken += 1,
                Err(error) => assert!(matches!(error, Error::Conflict { .. }), "{error:?}"),
            }
        }
        assert_eq!(taken, 1);
    }
}
