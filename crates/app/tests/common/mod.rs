//! A server that was set up, on each engine, with a clock that the test moves.

use std::sync::Arc;

use claviger_app::lineage::NewLineage;
use claviger_app::testing::Fixture;
use domain::Moment;
use domain::id::{IssuerId, ProfileId, TargetId, TokenId};
use domain::lineage::AtRenewal;
use pki::KeyAlgorithm;
use pki::name::{Attribute, AttributeType};
use testkit::{FreshStore, SeededRandom, TestClock, fresh_stores};
use token::InstanceKey;

/// 2026-11-21T12:00:00Z.
pub const START: Moment = Moment(1_795_262_400_000);

/// A server with what keeps it alive.
pub struct House {
    pub fixture: Fixture,
    pub clock: Arc<TestClock>,
    _store: FreshStore,
    _data: tempfile::TempDir,
}

/// One house on each engine that is there.
pub async fn houses() -> Vec<House> {
    let mut houses = Vec::new();
    for fresh in fresh_stores().await {
        houses.push(house(fresh).await);
    }
    houses
}

async fn house(fresh: FreshStore) -> House {
    let (clock, random) = (Arc::new(TestClock::at(START)), Arc::new(SeededRandom::new(1)));
    let data = tempfile::tempdir().expect("a folder for temporary files");
    let instance = InstanceKey::generate(&*random);
    let app = Fixture::empty(fresh.store.clone(), instance, clock.clone(), random, data.path().to_owned());
    let fixture = Fixture::installed(app).await.expect("the first start");
    House { fixture, clock, _store: fresh, _data: data }
}

/// A lineage on the edge.
pub fn wanted(name: &str, issuer: &str) -> NewLineage {
    NewLineage {
        name: name.to_owned(),
        subject: vec![Attribute::new(AttributeType::CommonName, format!("{name}.example.org"))],
        names: Vec::new(),
        owner: "DEV:COM:1234".to_owned(),
        token: TokenId::system(),
        algorithm: KeyAlgorithm::EcP256,
        at_renewal: AtRenewal::NewKey,
        exportable: None,
        issuer: IssuerId::of(issuer),
        profile: ProfileId::of("tls"),
        lifetime: None,
        targets: vec![TargetId::edge()],
        backend: None,
    }
}
