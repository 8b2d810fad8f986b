//! Keys on the operator's list are not used, though they are here already: the list came later.

use std::sync::Arc;

use claviger_app::csr::{self, KeyChoice, NewCsr};
use claviger_app::key::{self, NewKey};
use claviger_app::state::World;
use claviger_app::testing::{Fixture, InstanceKey};
use claviger_app::{App, Config, token};
use domain::Moment;
use domain::id::TokenId;
use domain::key::Key;
use domain::permission::uses;
use pki::name::{Attribute, AttributeType};
use pki::{Blocklist, KeyAlgorithm};
use testkit::{SeededRandom, TestClock, fresh_store};

fn request(key: &Key) -> NewCsr {
    NewCsr {
        friendly_name: format!("shop of {}", key.label),
        key: KeyChoice::Existing(key.id),
        subject: vec![Attribute::new(AttributeType::CommonName, "shop.example.org")],
        names: Vec::new(),
        lineage: None,
    }
}

#[tokio::test]
async fn a_key_on_the_list_signs_no_request() {
    let fresh = fresh_store().await;
    let (clock, random) =
        (Arc::new(TestClock::at(Moment(1_795_262_400_000))), Arc::new(SeededRandom::new(1)));
    let data = tempfile::tempdir().unwrap();
    let instance = Arc::new(InstanceKey::generate(&*random));
    let with = |blocklist: Option<Blocklist>| {
        let config =
            Config { blocklist: blocklist.map(Arc::new), ..Config::of_directory(data.path().to_owned()) };
        let world = World { clock: clock.clone(), random: random.clone() };
        App::new(fresh.store.clone(), Arc::clone(&instance), world, config)
    };
    let fixture = Fixture::installed(with(None)).await.unwrap();
    let by = fixture.may(uses::ManageTlsCertificates).unwrap();
    let mut keys = Vec::new();
    for label in ["listed", "sound"] {
        let wanted = NewKey {
            label: label.to_owned(),
            token: TokenId::system(),
            algorithm: KeyAlgorithm::EcP256,
            exportable: None,
        };
        keys.push(key::generate(&fixture.app, &by, wanted).await.unwrap());
    }
    assert!(csr::create(&fixture.app, &by, request(&keys[0])).await.is_ok());

    let list = Blocklist::parse(format!("{}  # known to everybody\n", keys[0].id).as_bytes()).unwrap();
    let app = with(Some(list));
    token::open_system(&app).await.unwrap();
    let refused = csr::create(&app, &by, request(&keys[0])).await.unwrap_err();
    assert_eq!(refused.code(), "key.weak.blocklist");
    assert!(csr::create(&app, &by, request(&keys[1])).await.is_ok());
}
