//! What is missing in a chain: where it could be had is said, and only a request of somebody who may begins to fetch it.

use axum::body::Body;
use domain::Role;
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use pki::format::pem_write;
use serde_json::json;
use testkit::{Authority, TestSigner};

use super::*;

/// Markup in a path is written in percent form by whoever reads the certificate; a host is none of ours in any case.
const ADDRESS: &str = "http://10.0.0.7:8080/ca/<b>issuer.cer";

fn leaf() -> String {
    let leaf = Authority::new().issue_with_address(&["shop.example.org"], &TestSigner::ec(), ADDRESS);
    pem_write::chain([leaf.der()])
}

async fn page(house: &House, key: &str, path: &str) -> String {
    String::from_utf8(house.call("GET", path, key, json!(null)).await.bytes).unwrap()
}

#[tokio::test]
async fn the_gap_is_said_with_its_address_and_the_job_with_what_happened() {
    let house = House::new().await;
    let key = house.key(&[Role::ServiceAdministrator]).await;
    let files = json!({ "files": [leaf()] });
    let preview = house.call("POST", "/api/v1/certificates/preview", &key, files.clone()).await.json();
    assert_eq!(preview["certificates"][0]["missing_at"], json!([ADDRESS]), "{preview}");
    let imported = house.call("POST", "/api/v1/certificates", &key, files).await.json();
    let shop = &imported["certificates"][0];
    assert_eq!((&shop["missing_at"], imported.get("fetching")), (&json!([ADDRESS]), None), "{imported}");
    let hash = shop["hash"].as_str().unwrap();

    let html = page(&house, &key, &format!("/certificates/{hash}")).await;
    assert!(html.contains("Fetch the missing certificates from 10.0.0.7:8080"), "{html}");
    assert!(html.contains(&format!("action=\"/certificates/{hash}/complete\"")), "{html}");
    assert!(!html.contains("<b>issuer"), "{html}");
    let observer = house.key(&[Role::Observer]).await;
    let seen = page(&house, &observer, &format!("/certificates/{hash}")).await;
    assert!(seen.contains("chain.incomplete") && !seen.contains("/complete"), "{seen}");

    // The same request twice is one job.
    let path = format!("/api/v1/certificates/{hash}/complete");
    let ask = || {
        let head = request("POST", &path).header(AUTHORIZATION, &key).header("idempotency-key", "once");
        house.send(head.body(Body::empty()).unwrap())
    };
    let begun = ask().await;
    assert_eq!((begun.status, &begun.json()["kind"]), (StatusCode::ACCEPTED, &json!("certificate.complete")));
    let before = house.event_count().await;
    assert_eq!(ask().await.json()["id"], begun.json()["id"]);
    assert_eq!(house.event_count().await, before);
    house.fixture.run_due().await.unwrap();
    let ended = house.call("GET", begun.header("location"), &key, json!(null)).await.json();
    assert_eq!(ended["state"], "failed", "{ended}");
    let trouble = ended["trouble"].as_str().unwrap();
    assert!(trouble.contains("10.0.0.7, where data may not send us"), "{trouble}");
    let html = page(&house, &key, &format!("/jobs/{}", ended["id"].as_str().unwrap())).await;
    assert!(
        html.contains(&format!("href=\"/certificates/{hash}\"")) && html.contains("was given up"),
        "{html}"
    );
    assert!(!html.contains("<b>issuer"), "{html}");
}

#[tokio::test]
async fn a_person_presses_the_button_and_comes_to_the_job() {
    let house = House::new().await;
    let key = house.key(&[Role::SystemAdministrator]).await;
    let imported =
        house.call("POST", "/api/v1/certificates", &key, json!({ "files": [leaf()] })).await.json();
    let hash = imported["certificates"][0]["hash"].as_str().unwrap();
    let browser = house.log_in().await;
    let press = |id: &str| {
        let head = browser
            .request("POST", &format!("/certificates/{id}/complete"), "")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        house.send(head.body(Body::from(format!("_csrf={}", browser.csrf))).unwrap())
    };
    let begun = press(hash).await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER);
    assert!(begun.header("location").starts_with("/jobs/job-"), "{}", begun.header("location"));
    // Where nothing is missing there is no button, and who asks all the same is told.
    let all = house.call("GET", "/api/v1/certificates?text=factory", &key, json!(null)).await.json();
    let factory = all["items"][0]["hash"].as_str().unwrap();
    let refused =
        house.call("POST", &format!("/api/v1/certificates/{factory}/complete"), &key, json!(null)).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "chain.whole"));
    let told = press(factory).await;
    assert_eq!(told.header("location"), format!("/certificates/{factory}"));
}

#[tokio::test]
async fn the_preview_page_says_from_where_and_asks_nobody() {
    let house = House::new().await;
    let browser = house.log_in().await;
    let part = |name: &str, value: &str| {
        format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = format!("{}{}--X--\r\n", part("_csrf", &browser.csrf), part("text", &leaf()));
    let head = browser
        .request("POST", "/certificates/import", "")
        .header(CONTENT_TYPE, "multipart/form-data; boundary=X");
    let held = house.send(head.body(Body::from(body)).unwrap()).await;
    let shown = browser.request("GET", held.header("location"), "").body(Body::empty()).unwrap();
    let html = String::from_utf8(house.send(shown).await.bytes).unwrap();
    assert!(html.contains("can be fetched from http://10.0.0.7:8080/ca/&#60;b&#62;issuer.cer"), "{html}");
    assert!(!html.contains("href=\"http://10."), "an address is text, no link: {html}");
}
