//! Several certificates in one file, and trust stores under a passphrase of their own, read by OpenSSL and by ourselves.

use axum::body::Body;
use domain::Role;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use pki::Certificate;
use pki::format::{Item, pem_write, read};
use serde_json::{Value, json};
use testkit::{Authority, TestSigner};

use super::*;

const TOGETHER: &str = "/api/v1/certificates/export";

/// A server with certificates of its own CA.
struct Shop {
    house: House,
    key: String,
    hashes: Vec<String>,
}

impl Shop {
    async fn with(names: &[&str]) -> Self {
        let house = House::new().await;
        let key = house.key(&[Role::SystemAdministrator]).await;
        let mut hashes = Vec::new();
        for name in names {
            let wanted = json!({ "name": name, "names": [format!("{name}.example.org")] });
            let made = house.call("POST", "/api/v1/lineages", &key, wanted).await.json();
            house.fixture.run_due().await.unwrap();
            let lineage = format!("/api/v1/lineages/{}", made["id"].as_str().unwrap());
            let shown = house.call("GET", &lineage, &key, json!(null)).await.json();
            hashes.push(shown["current"]["hash"].as_str().unwrap().to_owned());
        }
        Self { house, key, hashes }
    }

    async fn ask(&self, more: Value) -> Answer {
        let mut body = json!({ "certificates": self.hashes });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.house.call("POST", TOGETHER, &self.key, body).await
    }

    async fn certificates(&self, more: Value) -> Vec<Certificate> {
        let passphrase = more["passphrase"].as_str().unwrap_or("changeit").to_owned();
        let said = more.to_string();
        let answer = self.ask(more).await;
        assert_eq!(answer.status, StatusCode::OK, "{said}: {}", answer.json());
        assert_eq!(answer.header("cache-control"), "no-store", "{said}");
        let contents = read(&answer.bytes, Some(&passphrase)).unwrap();
        assert!(contents.items.iter().all(|item| matches!(item.object, pki::format::Object::Certificate(_))));
        contents.items.into_iter().filter_map(Item::into_certificate).collect()
    }
}

/// How many certificates Java's `keytool` finds trusted in a store.
fn trusted_by_java(store: &[u8], passphrase: &str) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trust");
    std::fs::write(&path, store).unwrap();
    let mut command = std::process::Command::new("keytool");
    command.args(["-J-XX:+UseSerialGC", "-list", "-storepass", passphrase, "-keystore"]).arg(&path);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    said.matches("trustedCertEntry").count()
}

fn hashes(certificates: &[Certificate]) -> Vec<String> {
    certificates.iter().map(|one| one.fingerprint().to_string()).collect()
}

#[tokio::test]
async fn several_go_into_one_file_and_what_they_have_in_common_once() {
    let shop = Shop::with(&["shop", "mail"]).await;
    let alone = shop.certificates(json!({})).await;
    assert_eq!(hashes(&alone), shop.hashes, "in the order in which they were named");
    // Each with its chain behind it; the intermediate of both stands behind the first.
    let chains = shop.certificates(json!({ "members": "all" })).await;
    assert_eq!((chains.len(), hashes(&chains)[2].as_str()), (3, shop.hashes[1].as_str()));
    assert!(chains[0].is_signed_by(&chains[1]) && chains[2].is_signed_by(&chains[1]));
    assert_eq!(shop.certificates(json!({ "members": "all", "root": true })).await.len(), 4);
    for (form, count, media_type) in [
        ("p7b", 3, "application/x-pkcs7-certificates"),
        ("p7b-pem", 3, "application/x-pkcs7-certificates"),
        ("auto", 3, "application/x-pkcs7-certificates"),
        ("jks", 1, "application/x-java-keystore"),
        ("p12-trust", 1, "application/x-pkcs12"),
    ] {
        assert_eq!(shop.certificates(json!({ "form": form })).await.len(), count, "{form}");
        assert_eq!(shop.ask(json!({ "form": form })).await.header("content-type"), media_type, "{form}");
    }
    let file = shop.ask(json!({ "form": "p7b" })).await;
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"certificates-3.p7b\"");
    // The same named twice is there once.
    let twice = json!({ "certificates": [shop.hashes[0], shop.hashes[0]] });
    assert_eq!(shop.certificates(twice).await.len(), 1);
}

#[tokio::test]
async fn a_trust_store_opens_with_the_passphrase_that_was_chosen_and_with_no_other() {
    let shop = Shop::with(&["shop"]).await;
    for form in ["jks", "p12-trust"] {
        let roots = shop.certificates(json!({ "form": form, "passphrase": "six by six" })).await;
        assert!(roots.len() == 1 && roots[0].is_self_signed(), "{form}");
        let store = shop.ask(json!({ "form": form, "passphrase": "six by six" })).await.bytes;
        assert_eq!(
            read(&store, Some("changeit")).err().map(|refusal| refusal.code),
            Some("pass.wrong"),
            "{form}"
        );
        assert_eq!(trusted_by_java(&store, "six by six"), 1, "{form}");
        let usual = shop.ask(json!({ "form": form })).await.bytes;
        assert!(read(&usual, Some("changeit")).is_ok(), "{form}");
    }
    let odd = shop.ask(json!({ "form": "p12-trust", "passphrase": "sächsisch" })).await;
    let said: Value = serde_json::from_str(odd.header("claviger-findings")).unwrap();
    assert_eq!(said[0]["code"], "pass.not_ascii");
    let odd = shop.ask(json!({ "form": "jks", "passphrase": "sächsisch" })).await;
    assert_eq!((odd.status, odd.header("claviger-findings")), (StatusCode::OK, ""));
}

#[tokio::test]
async fn what_does_not_hold_several_is_refused_and_a_repetition_is_answered_anew() {
    let shop = Shop::with(&["shop"]).await;
    let none = "00".repeat(32);
    for (more, status, code) in [
        (json!({ "certificates": [] }), 400, "export.nothing"),
        (json!({ "certificates": vec![&none; 101] }), 400, "limit.cert_count"),
        (json!({ "certificates": [none] }), 404, "certificate_not_found"),
        (json!({ "certificates": ["shop"] }), 400, "validation_failure"),
        (json!({ "form": "p12" }), 400, "export.form"),
        (json!({ "form": "der" }), 400, "export.form"),
        (json!({ "members": none }), 400, "validation_failure"),
        (json!({ "form": "jks", "passphrase": "short" }), 400, "validation_failure"),
        (json!({ "form": "pem", "passphrase": "long enough" }), 400, "validation_failure"),
        (json!({ "key": true }), 400, "input.field"),
    ] {
        let answer = shop.ask(more.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{more}");
    }
    let before = shop.house.event_count().await;
    let ask = || {
        let head = request("POST", TOGETHER)
            .header(http::header::AUTHORIZATION, &shop.key)
            .header(crate::idempotency::HEADER, "once");
        shop.house.send(json(head, &json!({ "certificates": shop.hashes })))
    };
    let (first, second) = (ask().await, ask().await);
    assert_eq!((first.status, &first.bytes), (StatusCode::OK, &second.bytes));
    assert_eq!(second.header("content-type"), "application/x-pem-file");
    assert_eq!(shop.house.event_count().await, before, "nothing was changed");
}

#[tokio::test]
async fn without_a_root_there_is_no_trust_store_and_the_page_says_whose_it_is() {
    let house = House::new().await;
    let authority = Authority::new();
    let leaf = authority.issue(&["far.example.org"], &TestSigner::ec());
    let key = house.key(&[Role::SystemAdministrator]).await;
    let text = pem_write::chain([leaf.der(), authority.intermediate.der()]);
    house.call("POST", "/api/v1/certificates", &key, json!({ "files": [text] })).await;
    let hashes = vec![leaf.fingerprint().to_string()];
    let shop = Shop { house, key, hashes };
    let refused = shop.ask(json!({ "form": "jks" })).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "chain.root_missing"));
    assert!(refused.json()["detail"].as_str().unwrap().contains("far.example.org"), "{}", refused.json());
}

#[tokio::test]
async fn what_is_ticked_in_the_list_comes_with_ticks_and_goes_into_the_file() {
    let shop = Shop::with(&["shop", "mail"]).await;
    let browser = shop.house.log_in().await;
    let post = async |path: &str, fields: &str| {
        let head =
            browser.request("POST", path, "").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let body = format!("_csrf={}&{fields}", browser.csrf);
        shop.house.send(head.body(Body::from(body)).unwrap()).await
    };
    let named = |name: &str| shop.hashes.iter().map(|hash| format!("&{name}={hash}")).collect::<String>();
    let led = post("/certificates", &format!("do=apply&action=export{}", named("selected"))).await;
    let path = led.header("location").to_owned();
    assert_eq!(path, format!("/certificates/export?{}", named("id").trim_start_matches('&')));
    let page = shop.house.send(browser.request("GET", &path, "").body(Body::empty()).unwrap()).await;
    let html = String::from_utf8(page.bytes).unwrap();
    for hash in &shop.hashes {
        let tick =
            html.split("<input").find(|tag| tag.contains(hash) && tag.contains("name=\"id\"")).unwrap();
        assert!(tick.contains(" checked"), "{tick}");
    }
    let path = "/certificates/export";
    let file = post(path, &format!("form=pem&chain=yes{}", named("id"))).await;
    let contents = read(&file.bytes, None).unwrap();
    assert_eq!((file.status, contents.items.len()), (StatusCode::OK, 3));
    let store = post(path, &format!("form=p12-trust&trust_passphrase=six+by+six{}", named("id"))).await;
    assert!(read(&store.bytes, Some("six by six")).is_ok());
    for (fields, words) in [
        (format!("form=pem{}", named("offered")), "Nothing is ticked"),
        (format!("form=p12{0}{1}", named("offered"), named("id")), "does not hold several"),
        (format!("form=jks&trust_passphrase=short{0}{1}", named("offered"), named("id")), "fewer than 6"),
        (
            format!("form=p12-trust&trust_passphrase=s%C3%A4chsisch{0}{1}", named("offered"), named("id")),
            "JKS",
        ),
    ] {
        let before = shop.house.event_count().await;
        let refused = post(path, &fields).await;
        let html = String::from_utf8(refused.bytes).unwrap();
        assert!(refused.status == StatusCode::BAD_REQUEST && html.contains(words), "{fields}: {html}");
        assert!(shop.hashes.iter().all(|hash| html.contains(hash)), "they are still there: {html}");
        assert!(!html.contains("chsisch") && !html.contains("value=\"short\""), "never filled in again");
        assert_eq!(shop.house.event_count().await, before + 1, "{fields}");
    }
}
