//! Removing certificates that are served, and those of CAs: what is lost is told, or it is refused.

use axum::body::Body;
use domain::Role;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use pki::format::pem_write;
use serde_json::{Value, json};
use testkit::{Authority, TestSigner};

use super::*;

/// Whoever may manage TLS certificates, and nothing above.
async fn administrator(house: &House) -> String {
    house.key(&[Role::ServiceAdministrator]).await
}

/// A certificate from outside with its key: its lineage renews nobody by itself.
async fn imported(house: &House, key: &str, name: &str) -> Value {
    let signer = TestSigner::ec();
    let certificate = Authority::new().issue(&[name], &signer);
    let mut pem = pem_write::certificate(certificate.der());
    pem.push_str(&pem_write::private_key(&signer.private_key()));
    let head = request("POST", "/api/v1/certificates").header(AUTHORIZATION, key);
    let answer =
        house.send(head.header(CONTENT_TYPE, "application/x-pem-file").body(Body::from(pem)).unwrap());
    let answer = answer.await;
    assert!(answer.status.is_success(), "{}", answer.json());
    answer.json()["certificates"][0].clone()
}

async fn status(house: &House, method: &str, path: &str, key: &str) -> (u16, String) {
    let answer = house.call(method, path, key, json!(null)).await;
    (answer.status.as_u16(), answer.code())
}

async fn page(house: &House, browser: &Browser, certificate: &Value, word: Option<&str>) -> Answer {
    let hash = certificate["hash"].as_str().unwrap();
    let request = match word {
        None => browser.request("GET", &format!("/certificates/remove?id={hash}"), "").body(Body::empty()),
        Some(word) => browser
            .request("POST", "/certificates/remove", &browser.csrf)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("id={hash}&confirm={word}"))),
    };
    house.send(request.unwrap()).await
}

#[tokio::test]
async fn what_is_served_is_removed_with_its_lineage_after_that_was_told() {
    let house = House::new().await;
    let (key, browser) = (administrator(&house).await, house.log_in().await);
    let shop = imported(&house, &key, "shop.example").await;
    let path = format!("/api/v1/certificates/{}", shop["hash"].as_str().unwrap());
    assert_eq!(status(&house, "DELETE", &path, &key).await, (409, "certificate.in_use".to_owned()));
    let asked = String::from_utf8(page(&house, &browser, &shop, None).await.bytes).unwrap();
    assert!(asked.contains("which serves it for shop.example, ends with it"), "{asked}");
    assert!(asked.contains("the edge serves it no longer"), "{asked}");
    let name = shop["friendly_name"].as_str().unwrap();
    assert_eq!(page(&house, &browser, &shop, Some(name)).await.status.as_u16(), 303);
    let lineages = house.call("GET", "/api/v1/lineages", &key, json!(null)).await.json();
    assert_eq!(lineages["items"], json!([]));
}

#[tokio::test]
async fn what_a_ca_of_ours_renews_and_what_chains_need_stays() {
    let house = House::new().await;
    let (key, browser) = (administrator(&house).await, house.log_in().await);
    // What somebody signed himself goes as it came.
    let wanted = json!({ "friendly_name": "box", "names": ["box.example"], "days": 30 });
    let made = house.call("POST", "/api/v1/certificates/self-signed", &key, wanted).await.json();
    let asked = String::from_utf8(page(&house, &browser, &made["certificate"], None).await.bytes).unwrap();
    assert!(asked.contains("nothing is renewed there any more"), "{asked}");
    assert_eq!(page(&house, &browser, &made["certificate"], Some("box")).await.status.as_u16(), 303);
    // A CA of ours: neither default nor removed.
    let wanted = json!({ "name": "site", "names": ["site.example"] });
    house.call("POST", "/api/v1/lineages", &key, wanted).await;
    house.fixture.run_due().await.unwrap();
    let own = house.call("GET", "/api/v1/certificates?text=site.example", &key, json!(null)).await.json();
    let own = own["items"][0].clone();
    let refused = page(&house, &browser, &own, Some(own["friendly_name"].as_str().unwrap())).await;
    let said = String::from_utf8(refused.bytes).unwrap();
    assert!(said.contains("renews it by itself") && said.contains("certificate.in_use"), "{said}");
    let all = house.call("GET", "/api/v1/certificates?include_ca=true", &key, json!(null)).await.json();
    let is_ca = |one: &&Value| one["subject"].to_string().contains("Internal");
    let cas: Vec<&Value> = all["items"].as_array().unwrap().iter().filter(is_ca).collect();
    assert_eq!(cas.len(), 2, "{all}");
    for ca in cas {
        let path = format!("/api/v1/certificates/{}", ca["hash"].as_str().unwrap());
        let default = status(&house, "PUT", &format!("{path}/default"), &key).await;
        assert_eq!(default, (409, "wrong_key_usage".to_owned()));
        let removed = status(&house, "DELETE", &path, &key).await;
        assert_eq!(removed, (409, "certificate.authority".to_owned()));
        let shown = shown(&house, &browser, ca["hash"].as_str().unwrap()).await;
        assert!(!shown.contains("/certificates/remove?id="), "{shown}");
        assert!(shown.contains("it stays for the chains of what that issued"), "{shown}");
    }
    // Nobody's CA, brought for chains, goes as it came.
    let pem = pem_write::certificate(Authority::new().intermediate.der());
    let head = request("POST", "/api/v1/certificates").header(AUTHORIZATION, &key);
    let head = head.header(CONTENT_TYPE, "application/x-pem-file");
    let stranger = house.send(head.body(Body::from(pem)).unwrap()).await.json()["certificates"][0].clone();
    let hash = stranger["hash"].as_str().unwrap();
    assert!(shown(&house, &browser, hash).await.contains(&format!("/certificates/remove?id={hash}")));
    let path = format!("/api/v1/certificates/{hash}");
    assert_eq!(status(&house, "DELETE", &path, &key).await.0, 204);
}

async fn shown(house: &House, browser: &Browser, hash: &str) -> String {
    let page = browser.request("GET", &format!("/certificates/{hash}"), "").body(Body::empty()).unwrap();
    String::from_utf8(house.send(page).await.bytes).unwrap()
}
