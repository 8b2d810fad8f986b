//! The support bundle, and the look into files before they are sent.

use axum::body::Body;
use domain::Role;
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::json;

use super::*;

/// A key that is nobody's.
fn private_key() -> Vec<u8> {
    testkit::TestSigner::ec().pkcs8().to_vec()
}

#[tokio::test]
async fn a_private_key_offered_for_support_is_refused_with_the_reason() {
    let house = House::new().await;
    let key = house.key(&[Role::ServiceAdministrator]).await;
    let post = async |kind: &str, body: Vec<u8>| {
        let head = request("POST", "/api/v1/support/check").header(AUTHORIZATION, &key);
        house.send(head.header(CONTENT_TYPE, kind).body(Body::from(body)).unwrap()).await
    };
    let form = |bytes: &[u8]| {
        let head = b"--X\r\nContent-Disposition: form-data; name=\"files\"; filename=\"holiday.jpg\"\r\n\r\n";
        [&head[..], bytes, b"\r\n--X--\r\n"].concat()
    };
    let base64 = String::from_utf8(openssl_base64(&private_key())).unwrap();
    let json = json!({ "files": [{ "name": "notes.txt", "content": base64 }] }).to_string().into_bytes();
    for (kind, body, place) in [
        ("application/octet-stream", private_key(), "the file"),
        ("multipart/form-data; boundary=X", form(&private_key()), "holiday.jpg"),
        ("application/json", json, "notes.txt"),
    ] {
        let before = house.event_count().await;
        let refused = post(kind, body).await;
        let said = refused.json();
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (400, "support.private_key"),
            "{said}"
        );
        assert_eq!(said["error"]["metadata"], json!([place]));
        let detail = said["detail"].as_str().unwrap();
        assert!(detail.contains("Do NOT send") && detail.contains("authenticate your server's identity"));
        assert_eq!(house.event_count().await, before + 1);
        let event = &house.events(1).await[0];
        assert_eq!((event.0.as_str(), event.2.as_str()), ("support.check", "support.private_key"));
    }
    let fine = post("application/octet-stream", b"a picture".to_vec()).await;
    assert_eq!((fine.status, fine.json()), (StatusCode::OK, json!({ "files": 1 })));
    assert_eq!(house.events(1).await[0].1, "done");
    assert_eq!(post("application/octet-stream", Vec::new()).await.code(), "input.empty");
}

fn openssl_base64(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut command = Command::new("openssl");
    command.args(["base64", "-A"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap().stdout
}

#[tokio::test]
async fn the_bundle_is_one_click_and_holds_no_key() {
    let house = House::new().await;
    let browser = house.log_in().await;
    let get =
        async |path: &str| house.send(browser.request("GET", path, "").body(Body::empty()).unwrap()).await;
    let page = String::from_utf8(get("/support").await.bytes).unwrap();
    assert!(page.contains("href=\"/support/bundle.zip\"") && page.contains("Do NOT send private key files"));
    let bundle = get("/support/bundle.zip").await;
    assert_eq!((bundle.status, bundle.header("content-type")), (StatusCode::OK, "application/zip"));
    assert_eq!(bundle.header("content-disposition"), "attachment; filename=\"support-2026-11-21.zip\"");
    let offered = app::support::Offered { name: "bundle".to_owned(), bytes: bundle.bytes.clone().into() };
    assert!(app::support::look(&[offered], None).unwrap().files > 1);
    let by_api = house.key(&[Role::SystemAdministrator]).await;
    let same = house.call("GET", "/api/v1/support/bundle", &by_api, json!(null)).await;
    assert_eq!(same.bytes, bundle.bytes);
    let none = format!("/api/v1/support/bundle?certificate={}", "00".repeat(32));
    assert_eq!(house.call("GET", &none, &by_api, json!(null)).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_page_refuses_a_key_with_the_reason_on_top_and_praises_the_rest() {
    let house = House::new().await;
    let browser = house.log_in().await;
    let post = async |bytes: &[u8]| {
        let head = format!(
            "--X\r\nContent-Disposition: form-data; name=\"_csrf\"\r\n\r\n{}\r\n--X\r\nContent-Disposition: \
             form-data; name=\"files\"; filename=\"server.txt\"\r\n\r\n",
            browser.csrf
        );
        let body = [head.as_bytes(), bytes, b"\r\n--X--\r\n"].concat();
        let request = browser.request("POST", "/support/check", "");
        let request = request.header(CONTENT_TYPE, "multipart/form-data; boundary=X");
        house.send(request.body(Body::from(body)).unwrap()).await
    };
    let refused = post(&private_key()).await;
    let html = String::from_utf8(refused.bytes).unwrap();
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(
        html.contains("<strong>server.txt: this holds a private key (PKCS#8).</strong>")
            && html.contains("it allows its owner to authenticate your server"),
        "{html}"
    );
    assert_eq!(post(b"hello").await.status, StatusCode::SEE_OTHER);
}
