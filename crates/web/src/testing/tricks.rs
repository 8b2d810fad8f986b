//! The same tricks on every route there is (`SECURITY.md` 5.3): foreign hosts and origins, other methods, other
//! spellings of a path, and headers that come twice.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use domain::Role;
use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use http::{Method, Request};
use serde_json::json;

use super::*;
use crate::routes::{Kind, all};

const USER: &str = "/api/v1/user";

/// An address for each row: an id where the path has one.
fn addresses() -> Vec<(Method, String)> {
    let fill =
        |path: &str| path.replace("{hash}", &"0".repeat(64)).replace("{id}", "0").replace("{name}", "x");
    all().rows().iter().map(|row| (row.method().clone(), fill(row.path()))).collect()
}

#[tokio::test]
async fn no_route_answers_under_a_foreign_host() {
    let house = House::new().await;
    let key = house.key(&Role::ALL).await;
    let before = house.event_count().await;
    for (method, path) in addresses() {
        for hosts in [
            &["evil.example"][..],
            &["evil.example:4000"],
            &[],
            &["localhost", "evil.example"],
            &["localhost", "localhost"],
        ] {
            let mut head = Request::builder().method(&method).uri(&path).header(AUTHORIZATION, &key);
            head = head.header("x-forwarded-host", "localhost").header("forwarded", "host=localhost");
            head = hosts.iter().fold(head, |head, host| head.header(HOST, *host));
            let answer = house.send(head.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status.as_u16(), 421, "{method} {path} {hosts:?}");
            assert!(!answer.headers.contains_key("location"), "{method} {path} {hosts:?}");
        }
    }
    assert_eq!(house.event_count().await, before, "somebody else's request was recorded as the key's");
}

#[tokio::test]
async fn no_route_takes_a_change_from_a_foreign_page() {
    let house = House::new().await;
    let browser = house.log_in().await;
    for (method, path) in addresses().into_iter().filter(|(method, _)| !method.is_safe()) {
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "https://localhost:4000.evil.example"),
            ("origin", "null"),
            ("origin", ""),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "x"),
        ] {
            let head = browser.request(method.as_str(), &path, &browser.csrf).header(name, value);
            let answer = house.send(head.body(Body::empty()).unwrap()).await;
            let api = Kind::of(&path) == Kind::Api;
            assert_eq!(answer.status.as_u16(), 403, "{method} {path} {name}: {value}");
            assert!(!api || answer.code() == "request.origin", "{method} {path} {name}: {value}");
        }
    }
    // Logged in he still is: neither the log-out nor the log-in of a stranger got through.
    let user = house.send(browser.request("GET", USER, "").body(Body::empty()).unwrap()).await;
    assert_eq!(user.json()["username"], ADMIN);
}

#[tokio::test]
async fn a_path_has_the_methods_of_the_table_and_no_other() {
    let house = House::new().await;
    let key = house.key(&Role::ALL).await;
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (method, path) in addresses() {
        known.entry(path).or_default().insert(method.to_string());
    }
    for (path, methods) in known {
        for method in
            ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"]
        {
            if methods.contains(method) {
                continue;
            }
            let answer = house
                .send(request(method, &path).header(AUTHORIZATION, &key).body(Body::empty()).unwrap())
                .await;
            // Some words are another address of the same form: there is nothing of that name.
            let is_none = answer.status == 405 || (answer.status == 404 && method != "TRACE");
            assert!(is_none, "{method} {path}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn a_path_has_one_spelling() {
    let house = House::new().await;
    let key = house.key(&Role::ALL).await;
    let get = async |path: &str| {
        let uri: Result<http::Uri, _> = path.parse();
        let Ok(uri) = uri else { return 400 };
        let head = Request::builder().uri(uri).header(HOST, "localhost:4000").header(AUTHORIZATION, &key);
        house.send(head.body(Body::empty()).unwrap()).await.status.as_u16()
    };
    let mut fixed: Vec<&str> = vec!["/api/v1/tokens/0", "/assets/claviger.css", "/assets/claviger.js"];
    let routes = all();
    let rows = routes.rows().iter().filter(|row| *row.method() == Method::GET && !row.path().contains('{'));
    // Streams of events never end.
    fixed.extend(rows.map(|row| row.path()).filter(|path| !path.ends_with("/events")));
    let mut answered = 0;
    for path in fixed {
        // Some want to know more, or lead away.
        if get(path).await != 200 {
            continue;
        }
        answered += 1;
        let rest = path.trim_start_matches('/');
        for odd in [
            format!("/{path}"),
            format!("//{rest}"),
            format!("/./{rest}"),
            format!("/x/../{rest}"),
            format!("/x/%2e%2e/{rest}"),
            format!("/%2E/{rest}"),
            format!("{path}/"),
            format!("{path}//"),
            format!("{path}/."),
            format!("{path}%2f"),
            format!("{path}%00"),
            format!("{path}%20"),
            format!("{path};a=b"),
            format!("{path}\\"),
            format!("{path}%5c"),
            format!("{path}.json"),
            path.to_ascii_uppercase(),
            rest.replacen('/', "//", 1).as_str().to_owned(),
        ] {
            if odd == path || odd.trim_start_matches('/') == rest && !odd.starts_with("//") {
                continue;
            }
            let status = get(&odd).await;
            assert!(matches!(status, 400 | 404 | 421), "{odd:?} is taken for {path:?}: {status}");
        }
    }
    assert!(answered > 25, "{answered}");
    // Ids are compared as they are written.
    for id in ["00", "01", "-0", "+0", "0.0", "0x0", "%200", "0%20", "٠", "%D9%A0"] {
        assert!(matches!(get(&format!("/api/v1/tokens/{id}")).await, 400 | 404), "{id}");
    }
}

#[tokio::test]
async fn who_comes_with_two_proofs_comes_with_none() {
    let house = House::new().await;
    let key = house.key(&[Role::Observer]).await;
    let (one, other) = (house.log_in().await, house.log_in().await);
    let session = |browser: &Browser| format!("__Host-claviger={}", browser.cookie);
    let ask = async |headers: &[(http::HeaderName, String)]| {
        let head = headers.iter().fold(request("GET", USER), |head, (name, value)| head.header(name, value));
        house.send(head.body(Body::empty()).unwrap()).await.status.as_u16()
    };
    for (cookies, status) in [
        (vec![session(&one)], 200),
        (vec![format!("{0}; {0}", session(&one))], 200),
        (vec![format!("a=b; {}; XSRF-TOKEN=x", session(&one))], 200),
        (vec![session(&one), session(&one)], 200),
        (vec![format!("{}; {}", session(&one), session(&other))], 401),
        (vec![session(&one), session(&other)], 401),
        (vec![session(&one), "__Host-claviger=".to_owned()], 401),
        (vec!["__Host-claviger=planted".to_owned(), session(&one)], 401),
        (vec![format!("__host-claviger={}", one.cookie)], 401),
        (vec![format!("x__Host-claviger={}", one.cookie)], 401),
    ] {
        let headers: Vec<_> = cookies.iter().map(|cookie| (COOKIE, cookie.clone())).collect();
        assert_eq!(ask(&headers).await, status, "{cookies:?}");
    }
    for (keys, status) in [
        (vec![key.clone()], 200),
        (vec![key.clone(), key.clone()], 401),
        (vec![key.clone(), "Bearer clv_a_b".to_owned()], 401),
        (vec!["Bearer clv_a_b".to_owned(), key.clone()], 401),
    ] {
        let headers: Vec<_> = keys.iter().map(|key| (AUTHORIZATION, key.clone())).collect();
        assert_eq!(ask(&headers).await, status, "{keys:?}");
    }
    // A token against forged requests, or an origin, that comes twice is none either.
    let change = async |twice: (&str, &str), origins: &[&str]| {
        let head = one.request("POST", "/api/v1/private-keys", "").header("x-xsrf-token", twice.0);
        let head = if twice.1.is_empty() { head } else { head.header("x-xsrf-token", twice.1) };
        let head = origins.iter().fold(head, |head, origin| head.header(ORIGIN, *origin));
        house.send(super::json(head, &json!({ "label": "a" }))).await.status.as_u16()
    };
    let ours = "https://localhost:4000";
    assert_eq!(change((&one.csrf, "00"), &[]).await, 403);
    assert_eq!(change(("00", &one.csrf), &[]).await, 403);
    assert_eq!(change((&one.csrf, ""), &[ours, "https://evil.example"]).await, 403);
    assert_eq!(change((&one.csrf, ""), &["https://evil.example", ours]).await, 403);
    assert_eq!(change((&one.csrf, ""), &[ours]).await, 201);
}
