//! Lists: pages, and what is asked for beside them.

use axum::body::Body;
use domain::Role;
use http::StatusCode;
use serde_json::json;

use super::*;

const LISTS: [&str; 6] = [
    "/api/v1/audit-events",
    "/api/v1/certificates",
    "/api/v1/csrs",
    "/api/v1/jobs",
    "/api/v1/lineages",
    "/api/v1/private-keys",
];

/// Parameters that nobody can mean, each for the lists that have it.
const ODD: [&str; 9] = [
    "after=x",
    "after=%C3%99%EA%90%BD",
    "after=%00:1",
    "after=a%00:1",
    "text=%00",
    "subject=%00",
    "actor=%00",
    "limit=",
    "limit=-1",
];

#[tokio::test]
async fn what_is_no_place_in_a_list_is_refused_as_such() {
    let house = House::new().await;
    let key = house.key(&Role::ALL).await;
    for list in LISTS {
        let first = house.call("GET", &format!("{list}?after="), &key, json!(null)).await;
        assert_eq!(first.status, StatusCode::OK, "{list}: an empty place is none");
        for odd in ODD {
            let path = format!("{list}?{odd}");
            let answer = house.call("GET", &path, &key, json!(null)).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        }
    }
}

#[tokio::test]
async fn a_page_that_begins_nowhere_is_no_fault_of_the_server() {
    let house = House::new().await;
    let browser = house.log_in().await;
    for list in ["/certificates", "/csrs", "/lineages", "/audit", "/keys"] {
        for odd in ODD {
            let path = format!("{list}?{odd}");
            let answer = house.send(browser.request("GET", &path, "").body(Body::empty()).unwrap()).await;
            assert!(!answer.status.is_server_error(), "{path}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn a_nul_in_a_text_is_no_fault_of_the_server() {
    let house = House::new().await;
    let key = house.key(&Role::ALL).await;
    let nul = "a\0b";
    let bodies = [
        ("POST", "/api/v1/users", json!({ "name": nul, "password": "long enough for this" })),
        ("POST", "/api/v1/issuers", json!({ "id": "other", "label": nul, "kind": "manual" })),
        ("POST", "/api/v1/private-keys", json!({ "label": nul })),
        ("POST", "/api/v1/csrs", json!({ "friendly_name": nul, "names": ["a.example"] })),
        ("POST", "/api/v1/csrs", json!({ "friendly_name": "a", "names": [nul] })),
        ("POST", "/api/v1/lineages", json!({ "name": nul, "names": ["a.example"] })),
        ("POST", "/api/v1/lineages", json!({ "name": "a", "names": ["a.example"], "owner": nul })),
        ("POST", "/api/v1/lineages", json!({ "name": "a", "names": ["a.example"], "issuer": nul })),
        ("POST", "/api/v1/lineages", json!({ "name": "b", "names": ["b.example"], "profile": nul })),
        ("POST", "/api/v1/lineages", json!({ "name": "c", "names": ["c.example"], "targets": [nul] })),
        (
            "POST",
            "/api/v1/targets",
            json!({ "label": nul, "kind": "files", "settings": { "directory": "/tmp" } }),
        ),
        (
            "POST",
            "/api/v1/targets",
            json!({ "label": "a", "kind": "files", "settings": { "directory": nul } }),
        ),
        ("POST", "/api/v1/targets", json!({ "label": "a", "kind": "files", "addresses": [nul] })),
        ("PUT", "/api/v1/settings/identity", json!({ "environment": "test", "owner_name": nul })),
        ("POST", "/api/v1/certificates", json!({ "files": [{ "name": nul, "text": nul }] })),
        ("PATCH", "/api/v1/tokens/0", json!({ "name": nul })),
    ];
    for (method, path, body) in bodies {
        let answer = house.call(method, path, &key, body.clone()).await;
        assert!(!answer.status.is_server_error(), "{method} {path} {body}: {}", answer.json());
    }
}
