//! Nobody is there: a lineage whose certificates live for a minute is renewed three times by the clock alone.

#![expect(clippy::unwrap_used, reason = "a story stops at the first surprise")]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Api, Place, Server, shown_chain, wait_within};

#[test]
fn a_certificate_of_a_minute_is_renewed_three_times() {
    let place = Place::new();
    place.init();
    let server = Server::start(&place);
    let api = Api::new(&server, &place);
    let lineage = api.make_lineage("minute.example", Some(60));
    let first = api.wait_until_verified(&lineage);
    let (mut seen, mut keys) = (BTreeSet::from([first]), BTreeSet::new());
    while seen.len() < 4 {
        // Half a minute each, and the time to order, install and verify.
        let new = wait_within(Duration::from_secs(45), "a renewed certificate", || {
            let chain = shown_chain(server.addresses.edge, "minute.example")?;
            let leaf = &chain[0];
            let now = pki::UnixTime(now());
            assert!(leaf.is_valid_at(now), "what is served has ended");
            assert!(leaf.covers_host("minute.example"), "the default certificate is served");
            keys.insert(leaf.key_id());
            (!seen.contains(&leaf.fingerprint())).then(|| leaf.fingerprint())
        });
        seen.insert(new);
    }
    assert_eq!(keys.len(), 4, "each renewal made a new key");
    let view = api.get(&format!("/lineages/{lineage}"));
    let history: BTreeSet<String> = view["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["hash"].as_str().unwrap().to_owned())
        .collect();
    assert!(seen.iter().all(|one| history.contains(&one.to_string())), "{history:?}");
    assert_eq!(view["failures"], 0);
    server.stop();
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}
