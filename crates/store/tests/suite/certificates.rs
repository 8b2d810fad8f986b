//! Certificates: stored once, found by everything that they are looked for by.

use domain::Moment;
use domain::certificate::CertificateState;
use domain::clock::DAY;
use domain::issuer::IssuerKind;
use store::certificate::{self, CertificateFilter, CertificateOrder};
use store::{Error, Page, Tx, lineage};
use testkit::fresh_stores;

use crate::world;

fn stored(tx: &Tx) -> Result<(), Error> {
    world::seed(tx)?;
    let (one, two) = (world::entry(world::leaf(1), "zeta"), world::entry(world::leaf(2), "Alpha"));
    let root = world::entry(world::root(), "Root");
    for entry in [&one, &two, &root] {
        assert!(certificate::insert(tx, entry)?);
    }
    assert!(!certificate::insert(tx, &world::entry(world::leaf(1), "again"))?, "it is there already");
    assert_eq!(certificate::find(tx, &one.fingerprint())?, Some(one.clone()));
    assert_eq!(certificate::by_key(tx, &one.key())?, [two.clone(), one.clone()]);
    assert_eq!(
        (certificate::count_by_key(tx, &one.key())?, certificate::count_by_key(tx, &root.key())?),
        (2, 1)
    );
    assert_eq!(certificate::issuers_named(tx, one.certificate.issuer().der())?, [world::root()]);
    assert_eq!(certificate::issuers_named(tx, one.certificate.subject().der())?, [], "leaves issue nothing");
    assert_eq!(certificate::others_named(tx, one.certificate.subject().der())?.len(), 2);
    assert_eq!(certificate::others_named(tx, one.certificate.issuer().der())?, [], "a CA is none of them");
    assert_eq!(certificate::authorities(tx, 2)?, [world::root()]);
    assert_eq!(certificate::authorities(tx, 0)?, []);
    assert_eq!(certificate::count(tx)?, 2);
    assert_eq!(certificate::count_issued_by(tx, world::root().subject().der())?, 2);
    assert_eq!(certificate::set_has_key(tx, &one.key())?, 2);
    assert_eq!(certificate::set_has_key(tx, &one.key())?, 0);
    certificate::set_friendly_name(tx, &one.fingerprint(), "Renamed")?;
    let id = world::lineage("lin-1").id;
    assert_eq!(certificate::lineages_of_key(tx, &one.key(), 9)?, []);
    certificate::set_lineage(tx, &one.fingerprint(), Some(&id))?;
    assert_eq!(
        certificate::lineages_of_key(tx, &two.key(), 9)?,
        std::slice::from_ref(&id),
        "both have one key"
    );
    assert_eq!(certificate::lineages_of_key(tx, &two.key(), 0)?, []);
    certificate::set_state(tx, &one.fingerprint(), CertificateState::Verified)?;
    let of_lineage = certificate::of_lineage(tx, &id)?;
    assert_eq!(of_lineage.len(), 1);
    let found = &of_lineage[0];
    assert_eq!((found.friendly_name.as_str(), found.state), ("Renamed", CertificateState::Verified));
    assert!(found.has_key && found.lineage == Some(id));
    certificate::remove(tx, &one.fingerprint())?;
    assert_eq!(certificate::count(tx)?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_stored_once() {
    for fresh in fresh_stores().await {
        fresh.store.tx("certificates", stored).await.expect("all holds");
    }
}

fn three(tx: &Tx) -> Result<(), Error> {
    world::seed(tx)?;
    certificate::insert(tx, &world::entry(world::leaf(1), "zeta"))?;
    certificate::insert(tx, &world::entry(world::leaf(2), "Alpha"))?;
    certificate::insert(tx, &world::entry(world::root(), "Root"))?;
    Ok(())
}

fn names(tx: &Tx, filter: &CertificateFilter, page: &Page) -> Result<Vec<String>, Error> {
    let list = certificate::list(tx, filter, page)?;
    Ok(list.into_iter().map(|entry| entry.friendly_name).collect())
}

fn listed(tx: &Tx) -> Result<(), Error> {
    three(tx)?;
    let all = Page::first(9);
    let by_end = CertificateFilter { include_ca: true, ..CertificateFilter::default() };
    let by_name = CertificateFilter { order: CertificateOrder::FriendlyName, ..by_end.clone() };
    assert_eq!(names(tx, &by_end, &all)?, ["zeta", "Alpha", "Root"]);
    assert_eq!(names(tx, &by_name, &all)?, ["Alpha", "Root", "zeta"]);
    for filter in [&by_end, &by_name] {
        let whole = certificate::list(tx, filter, &all)?;
        let mut page = Page::first(1);
        for entry in &whole {
            assert_eq!(certificate::list(tx, filter, &page)?, std::slice::from_ref(entry));
            page.after = Some(certificate::cursor(entry, filter.order));
        }
        assert!(certificate::list(tx, filter, &page)?.is_empty());
    }
    Ok(())
}

fn filtered(tx: &Tx) -> Result<(), Error> {
    three(tx)?;
    let all = Page::first(9);
    let search = |text: &str| {
        let filter = CertificateFilter { text: Some(text.to_owned()), ..CertificateFilter::default() };
        Ok::<_, Error>(names(tx, &filter, &all)?.len())
    };
    let serial = pki::identity::hex(world::leaf(1).serial());
    assert_eq!(
        (search("übung")?, search("suite ROOT")?, search("*.api.")?, search("192.0.2.1")?),
        (2, 2, 2, 2)
    );
    assert_eq!((search(&serial)?, search("ZET")?, search("nothing")?), (1, 1, 0));
    let end = Moment::from(world::leaf(1).not_after());
    let none = CertificateFilter::default();
    assert_eq!(names(tx, &CertificateFilter { expires_before: Some(end), ..none.clone() }, &all)?.len(), 0);
    assert_eq!(
        names(tx, &CertificateFilter { expires_before: Some(end.plus(1)), ..none.clone() }, &all)?,
        ["zeta"]
    );
    assert!(names(tx, &CertificateFilter { has_key: Some(true), ..none.clone() }, &all)?.is_empty());
    let id = world::lineage("lin-1").id;
    certificate::set_lineage(tx, &world::leaf(2).fingerprint(), Some(&id))?;
    assert_eq!(names(tx, &CertificateFilter { lineage: Some(id), ..none.clone() }, &all)?, ["Alpha"]);
    let environment = |name: &str| CertificateFilter { environment: Some(name.to_owned()), ..none.clone() };
    assert_eq!(names(tx, &environment("production"), &all)?, ["Alpha"]);
    assert!(names(tx, &environment("test"), &all)?.is_empty());
    certificate::remove(tx, &world::leaf(1).fingerprint())?;
    assert_eq!(names(tx, &none, &all)?, ["Alpha"]);
    let retired = CertificateFilter { state: Some(CertificateState::Retired), ..none };
    assert_eq!(names(tx, &retired, &all)?, ["zeta"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_listed_in_pages() {
    for fresh in fresh_stores().await {
        fresh.store.tx("lists", listed).await.expect("all holds");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_found_by_what_is_said_of_them() {
    for fresh in fresh_stores().await {
        fresh.store.tx("filters", filtered).await.expect("all holds");
    }
}

fn counted(tx: &Tx) -> Result<(), Error> {
    world::seed(tx)?;
    for (number, name) in [(1, "one"), (2, "two")] {
        certificate::insert(tx, &world::entry(world::leaf(number), name))?;
    }
    let id = world::lineage("lin-1").id;
    certificate::set_lineage(tx, &world::leaf(2).fingerprint(), Some(&id))?;
    lineage::set_trouble(tx, &id, 1, "the CA was away")?;
    let end = Moment::from(world::leaf(1).not_after());
    let from = end.plus(-10 * DAY);
    let weeks = certificate::expiries(tx, from, end.plus(365 * DAY))?;
    assert_eq!(weeks.len(), 2);
    assert_eq!((weeks[0].week, weeks[0].issuer, weeks[0].count), (from.plus(7 * DAY), None, 1));
    assert_eq!((weeks[0].environment.as_str(), weeks[0].troubled), ("", false));
    assert_eq!((weeks[1].environment.as_str(), weeks[1].troubled), ("production", true));
    assert_eq!(weeks[1].issuer, Some(IssuerKind::Internal));
    certificate::set_state(tx, &world::leaf(1).fingerprint(), CertificateState::Superseded)?;
    assert_eq!(certificate::expiries(tx, from, end.plus(1))?, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn expiries_are_counted_by_week() {
    for fresh in fresh_stores().await {
        fresh.store.tx("weeks", counted).await.expect("all holds");
    }
}
