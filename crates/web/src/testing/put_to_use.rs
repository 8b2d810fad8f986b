//! What a certificate can be put to: its page offers that and nothing else, and says why not.

use axum::body::Body;
use domain::Role;
use domain::clock::DAY;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use pki::format::pem_write;
use serde_json::{Value, json};
use testkit::{Authority, TestSigner};

use super::*;

const DEFAULT: &str = "Make it the default certificate";
const ACTIVATE: &str = "Use this one for its lineage";
const ADOPT: &str = "Make a lineage from it";

/// What the page of a certificate says.
async fn page(house: &House, certificate: &Value) -> String {
    let browser = house.log_in().await;
    let path = format!("/certificates/{}", certificate["hash"].as_str().unwrap());
    let shown = house.send(browser.request("GET", &path, "").body(Body::empty()).unwrap()).await;
    String::from_utf8(shown.bytes).unwrap()
}

fn offers(page: &str) -> [bool; 3] {
    [DEFAULT, ACTIVATE, ADOPT].map(|words| page.contains(words))
}

async fn refused(
    house: &House,
    certificate: &Value,
    (method, verb): (&str, &str),
    body: Value,
) -> (u16, String) {
    let key = house.key(&[Role::ServiceAdministrator]).await;
    let path = format!("/api/v1/certificates/{}/{verb}", certificate["hash"].as_str().unwrap());
    let answer = house.call(method, &path, &key, body).await;
    (answer.status.as_u16(), answer.code())
}

#[tokio::test]
async fn a_certificate_that_lacks_a_name_of_its_lineage_is_not_offered_for_it() {
    let house = House::new().await;
    let key = house.key(&[Role::ServiceAdministrator]).await;
    let (ca, signer) = (Authority::new(), TestSigner::ec());
    let mut both = pem_write::certificate(ca.issue(&["a.example", "b.example"], &signer).der());
    both.push_str(&pem_write::private_key(&signer.private_key()));
    let head = request("POST", "/api/v1/certificates").header(AUTHORIZATION, &key);
    let head = head.header(CONTENT_TYPE, "application/x-pem-file");
    let both = house.send(head.body(Body::from(both)).unwrap()).await.json()["certificates"][0].clone();
    let fewer = pem_write::certificate(ca.issue(&["a.example"], &signer).der());
    let wanted = json!({ "files": [fewer], "lineage": both["lineage"] });
    let fewer = house.call("POST", "/api/v1/certificates", &key, wanted).await.json();
    let fewer = &fewer["certificates"][0];
    assert_eq!((&fewer["lineage"], both["lineage"].is_string()), (&both["lineage"], true), "{fewer}");

    let shown = page(&house, fewer).await;
    assert_eq!(offers(&shown), [true, false, false], "{shown}");
    assert!(shown.contains("It cannot be used for its lineage: it does not cover b.example."), "{shown}");
    let code = refused(&house, fewer, ("PUT", "activate"), json!(null)).await;
    assert_eq!(code, (409, "lineage.names".to_owned()));
    let shown = page(&house, &both).await;
    assert_eq!(offers(&shown), [true, false, false], "{shown}");
    assert!(!shown.contains("It cannot") && !shown.contains("no further use"), "{shown}");
}

#[tokio::test]
async fn what_has_expired_is_put_to_no_use_and_carried_on_by_no_lineage() {
    let house = House::new().await;
    let key = house.key(&[Role::ServiceAdministrator]).await;
    let wanted = json!({ "friendly_name": "box", "names": ["box.example"], "days": 30 });
    let made = house.call("POST", "/api/v1/certificates/self-signed", &key, wanted).await.json();
    let made = &made["certificate"];
    let lineage = format!("/api/v1/lineages/{}", made["lineage"].as_str().unwrap());
    assert_eq!(house.call("DELETE", &lineage, &key, json!(null)).await.status.as_u16(), 204);
    assert_eq!(offers(&page(&house, made).await), [true, false, true]);

    house.clock.advance(31 * DAY);
    let shown = page(&house, made).await;
    assert_eq!(offers(&shown), [false; 3], "{shown}");
    assert!(shown.contains("It can be put to no further use: it expired on 2026-12-21"), "{shown}");
    let browser = house.log_in().await;
    let list = house.send(browser.request("GET", "/certificates", "").body(Body::empty()).unwrap()).await;
    let radio = format!(r#"name="default" value="{}""#, made["hash"].as_str().unwrap());
    assert!(!String::from_utf8(list.bytes).unwrap().contains(&radio), "a default that would be refused");
    for asked in [("PUT", "default", json!(null)), ("POST", "lineage", json!({}))] {
        let (method, verb, body) = asked;
        let code = refused(&house, made, (method, verb), body).await;
        assert_eq!(code, (409, "cert.expired".to_owned()), "{verb}");
    }
    let key = house.key(&[Role::ServiceAdministrator]).await;
    let lineages = house.call("GET", "/api/v1/lineages", &key, json!(null)).await.json();
    assert_eq!(lineages["items"], json!([]), "nothing half-done");
}
