//! Passwords and passphrases are what was typed, blanks at their ends and NUL included; PINs as X-Road has them.

use app::testing::PIN;
use axum::body::Body;
use domain::Role;
use http::header::CONTENT_TYPE;
use serde_json::json;

use super::*;

/// With a blank at both ends.
const TYPED: &str = " twelve letters\t";
/// The same for what leaves, where no control character is taken.
const PASSPHRASE: &str = " twelve letters ";
const FORM: &str = "application/x-www-form-urlencoded";

async fn officer(house: &House) -> String {
    house.key(&Role::ALL).await
}

async fn json_log_in(house: &House, name: &str, password: &str) -> u16 {
    let body = json!({ "username": format!(" {name} "), "password": password });
    house.send(json(request("POST", "/api/v1/login"), &body)).await.status.as_u16()
}

async fn form(house: &House, path: &str, body: String) -> Answer {
    house.send(request("POST", path).header(CONTENT_TYPE, FORM).body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn a_password_is_what_was_typed_at_every_door() {
    let house = House::new().await;
    let key = officer(&house).await;
    let anna = json!({ "name": " anna ", "password": TYPED, "roles": ["XROAD_SECURITYSERVER_OBSERVER"] });
    let made = house.call("POST", "/api/v1/users", &key, anna).await;
    assert_eq!((made.status.as_u16(), &made.json()["name"]), (201, &json!("anna")), "{}", made.json());
    assert_eq!(json_log_in(&house, "anna", TYPED).await, 200);
    assert_eq!(json_log_in(&house, "anna", TYPED.trim()).await, 401);
    let typed = "+twelve+letters%09";
    assert_eq!(form(&house, "/api/v1/login", format!("username=anna&password={typed}")).await.status, 200);
    assert_eq!(form(&house, "/login", format!("name=anna&password={typed}")).await.status, 303);

    // And changed at a page: by herself, then by an administrator.
    let browser = house.log_in_as("anna", TYPED).await;
    let fields = format!("_csrf={}&old={typed}&new=+{typed}&again=+{typed}", browser.csrf);
    let head = browser.request("POST", "/password", "").header(CONTENT_TYPE, FORM);
    assert_eq!(house.send(head.body(Body::from(fields)).unwrap()).await.header("location"), "/login");
    assert_eq!(json_log_in(&house, "anna", &format!(" {TYPED}")).await, 200);
    let (admin, user) = (house.log_in().await, made.json()["id"].as_str().unwrap().to_owned());
    let fields = format!("_csrf={}&disabled=no&roles=observer&password={typed}", admin.csrf);
    let head = admin.request("POST", &format!("/users/{user}"), "").header(CONTENT_TYPE, FORM);
    assert_eq!(house.send(head.body(Body::from(fields)).unwrap()).await.header("location"), "/users");
    assert_eq!(json_log_in(&house, "anna", TYPED).await, 200);
}

#[tokio::test]
async fn nul_in_a_password_is_taken_or_refused_and_breaks_nothing() {
    let house = House::new().await;
    let key = officer(&house).await;
    let nul = "twelve\0letters";
    let anna = json!({ "name": "anna", "password": nul, "roles": ["XROAD_SECURITYSERVER_OBSERVER"] });
    assert_eq!(house.call("POST", "/api/v1/users", &key, anna).await.status, 201);
    assert_eq!(json_log_in(&house, "anna", nul).await, 200);
    assert_eq!(json_log_in(&house, "anna", "twelve").await, 401);
    assert_eq!(json_log_in(&house, "an\0na", nul).await, 401);
    assert_eq!(form(&house, "/api/v1/login", "username=anna&password=a%00b".to_owned()).await.status, 400);
    let pin = |pin: &str| json!({ "password": pin });
    assert_eq!(
        house.call("PUT", "/api/v1/tokens/0/login", &key, pin("Secret\x00001234")).await.code(),
        "pin_incorrect"
    );
    house.clock.advance(1_000);
    assert_eq!(house.call("PUT", "/api/v1/tokens/0/login", &key, pin(PIN)).await.status, 200);
    let change = json!({ "old_pin": PIN, "new_pin": "Another\x00005678" });
    assert_eq!(
        house.call("PUT", "/api/v1/tokens/0/pin", &key, change).await.code(),
        "invalid_characters_pin"
    );
}

#[tokio::test]
async fn a_pin_is_the_same_with_blanks_around_it_at_every_door() {
    let house = House::new().await;
    let (key, browser) = (officer(&house).await, house.log_in().await);
    let page = async |path: &str, fields: &str| {
        let body = format!("_csrf={}&{fields}", browser.csrf);
        let head = browser.request("POST", path, "").header(CONTENT_TYPE, FORM);
        house.send(head.body(Body::from(body)).unwrap()).await.header("location").to_owned()
    };
    assert_eq!(page("/tokens/0/log-in", &format!("pin=+{PIN}%09")).await, "/keys");
    let changed = format!("old_pin={PIN}+&new_pin=+Another5678+&new_pin_again=+Another5678+");
    assert_eq!(page("/tokens/0/pin", &changed).await, "/keys");
    let pin = json!({ "password": "Another5678\n" });
    assert_eq!(house.call("PUT", "/api/v1/tokens/0/login", &key, pin).await.status, 200);
}

#[tokio::test]
async fn a_passphrase_opens_what_was_exported_under_it_and_no_other_does() {
    let house = House::new().await;
    let key = officer(&house).await;
    let wanted = json!({
        "friendly_name": "own", "days": 30, "subject": [{ "type": "CN", "value": "own.example.org" }],
    });
    let made = house.call("POST", "/api/v1/certificates/self-signed", &key, wanted).await.json();
    let path = format!("/api/v1/certificates/{}/export", made["certificate"]["hash"].as_str().unwrap());
    let export = async |form: &str| {
        let answer = house.call("POST", &path, &key, json!({ "form": form, "passphrase": PASSPHRASE })).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.bytes
    };
    let opens = |bytes: &[u8], passphrase: &str| pki::format::read(bytes, Some(passphrase)).is_ok();
    let p12 = export("p12").await;
    assert!(opens(&p12, PASSPHRASE) && !opens(&p12, PASSPHRASE.trim()));
    let pem = export("pem").await;
    assert!(opens(&pem, PASSPHRASE) && !opens(&pem, PASSPHRASE.trim()));

    let other = House::new().await;
    let key = officer(&other).await;
    let import = async |more: serde_json::Value| {
        let mut body = json!({ "files": [format!("\n{}\n", String::from_utf8_lossy(&pem))] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        other.call("POST", "/api/v1/certificates/preview", &key, body).await
    };
    assert_eq!(import(json!({ "passphrase": PASSPHRASE.trim() })).await.code(), "pass.wrong");
    for given in [json!({ "passphrase": PASSPHRASE }), json!({ "passphrases": ["another", PASSPHRASE] })] {
        let answer = import(given).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
    }
    let upload = async |passphrase: &str| {
        let body = [
            b"--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.p12\"\r\n\r\n",
            &p12[..],
            b"\r\n--X\r\nContent-Disposition: form-data; name=\"passphrase\"\r\n\r\n",
            passphrase.as_bytes(),
            b"\r\n--X--\r\n",
        ];
        let head = request("POST", "/api/v1/certificates").header(http::header::AUTHORIZATION, &key);
        let head = head.header(CONTENT_TYPE, "multipart/form-data; boundary=X");
        other.send(head.body(Body::from(body.concat())).unwrap()).await
    };
    assert_eq!(upload(PASSPHRASE.trim()).await.code(), "pass.wrong");
    let done = upload(PASSPHRASE).await;
    assert_eq!(done.status, 201, "{}", done.json());
}
