//! Two people who change one lineage: nobody overwrites what he has not seen.

use axum::body::Body;
use domain::Role;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::*;

/// A lineage with a certificate; its path in the API.
async fn shop(house: &House, key: &str) -> String {
    let wanted = json!({ "name": "shop", "names": ["shop.example"] });
    let made = house.call("POST", "/api/v1/lineages", key, wanted).await.json();
    format!("/api/v1/lineages/{}", made["id"].as_str().unwrap())
}

async fn get(house: &House, key: &str, path: &str) -> Value {
    house.call("GET", path, key, json!(null)).await.json()
}

#[tokio::test]
async fn a_program_that_says_what_it_saw_overwrites_nothing_else() {
    let house = House::new().await;
    let key = house.key(&[Role::ServiceAdministrator]).await;
    let path = shop(&house, &key).await;
    let seen = get(&house, &key, &path).await["revision"].clone();
    house.fixture.run_due().await.unwrap();
    let renewed = get(&house, &key, &path).await;
    assert!(renewed["current"].is_object());
    assert_eq!(renewed["revision"], seen, "a certificate that came is no change of the rule");
    let patch = async |body: Value| house.call("PATCH", &path, &key, body).await;

    let first = patch(json!({ "owner": "one", "revision": seen })).await;
    assert!(first.status.is_success() && first.json()["revision"] != seen, "{}", first.json());
    let second = patch(json!({ "owner": "two", "revision": seen })).await;
    assert_eq!((second.status.as_u16(), second.code().as_str()), (409, "lineage.changed"));
    assert!(second.json()["detail"].to_string().contains("Look at it again"), "{}", second.json());
    assert_eq!(get(&house, &key, &path).await["owner"], "one");
    let (action, outcome, code) = house.events(1).await.remove(0);
    assert_eq!((action.as_str(), code.as_str()), ("lineage.update", "lineage.changed"), "{outcome}");

    let again = patch(json!({ "owner": "two", "revision": first.json()["revision"] })).await;
    assert_eq!(again.json()["owner"], "two");
    assert_eq!(
        patch(json!({ "owner": "three" })).await.json()["owner"],
        "three",
        "who says nothing is not asked"
    );
    for odd in ["", "x"] {
        let odd = patch(json!({ "owner": "four", "revision": odd })).await;
        assert_eq!((odd.status.as_u16(), odd.code().as_str()), (400, "validation_failure"));
    }
}

/// The form of somebody who changes nothing but these fields.
fn form(browser: &Browser, id: &str, seen: &str, changed: &str) -> Request<Body> {
    let rest = "name=shop&issuer=internal&profile=tls&token=system&algorithm=ec-p256&at_renewal=new_key\
                &exportable=with_passphrase&targets=edge";
    browser
        .request("POST", &format!("/lineages/{id}/edit"), &browser.csrf)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!("revision={seen}&{rest}&{changed}")))
        .unwrap()
}

/// The page, and the revision in its form.
fn page(answer: &Answer) -> (String, String) {
    let html = String::from_utf8(answer.bytes.clone()).unwrap();
    let (_, from) = html.split_once(r#"name="revision" value=""#).unwrap();
    let revision = from.split('"').next().unwrap().to_owned();
    (html, revision)
}

#[tokio::test]
async fn who_was_slower_sees_what_he_typed_beside_what_is_stored_now() {
    let house = House::new().await;
    let (key, browser) = (house.key(&[Role::ServiceAdministrator]).await, house.log_in().await);
    let path = shop(&house, &key).await;
    let id = path.rsplit('/').next().unwrap();
    let opened = browser.request("GET", &format!("/lineages/{id}/edit"), "").body(Body::empty()).unwrap();
    let (_, seen) = page(&house.send(opened).await);
    let faster = form(&browser, id, &seen, "owner=team+one&days=&backend=10.0.0.1:80&proxy_protocol=yes");
    assert_eq!(house.send(faster).await.status.as_u16(), 303);

    // A mistake in the form does not make it younger.
    let mistaken = house.send(form(&browser, id, &seen, "owner=team+two&days=soon&backend=")).await;
    assert_eq!((mistaken.status.as_u16(), page(&mistaken).1), (400, seen.clone()));

    let slower = form(&browser, id, &seen, "owner=team+two&days=&backend=");
    let refused = house.send(slower).await;
    let (html, now) = page(&refused);
    assert_eq!(refused.status.as_u16(), 409, "{html}");
    assert!(html.contains("lineage.changed") && html.contains("Nothing has been stored."), "{html}");
    assert!(html.contains(r#"value="team two""#), "{html}");
    for said in ["Stored now: team one.", "Stored now: 10.0.0.1:80.", "Stored now: yes."] {
        assert!(html.contains(said), "{said} in {html}");
    }
    assert_eq!(html.matches("Stored now:").count(), 3, "{html}");
    assert_eq!(get(&house, &key, &path).await["owner"], "team one");

    assert_ne!(now, seen);
    let knowing = form(&browser, id, &now, "owner=team+two&days=&backend=");
    assert_eq!(house.send(knowing).await.status.as_u16(), 303);
    let stored = get(&house, &key, &path).await;
    assert_eq!((&stored["owner"], stored.get("backend")), (&json!("team two"), None));
}
