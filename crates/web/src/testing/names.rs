//! What has a name is called by it, in the API and on the pages; the id stands beside it for programs.

use axum::body::Body;
use domain::Role;
use serde_json::json;

use super::*;

#[tokio::test]
async fn things_are_called_by_their_names_with_the_id_beside_them() {
    let house = House::new().await;
    let key = house.key(&[Role::SystemAdministrator]).await;
    let get = async |path: &str| house.call("GET", path, &key, json!(null)).await.json();
    let wanted = json!({ "name": "shop", "names": ["shop.example"] });
    let made = house.call("POST", "/api/v1/lineages", &key, wanted).await.json();
    house.fixture.run_due().await.unwrap();
    let lineage = get(&format!("/api/v1/lineages/{}", made["id"].as_str().unwrap())).await;
    let label = get("/api/v1/targets/edge").await["label"].clone();
    assert_eq!((&lineage["targets"], &lineage["target_labels"]), (&json!(["edge"]), &json!([label])));
    let deployment = &lineage["deployments"][0];
    assert_eq!((&deployment["target"], &deployment["target_label"]), (&json!("edge"), &label));
    let of_target = get("/api/v1/targets/edge").await["deployments"][0].clone();
    assert_eq!((&of_target["lineage"], &of_target["lineage_name"]), (&made["id"], &json!("shop")));
    let hash = lineage["current"]["hash"].as_str().unwrap();
    assert_eq!(get(&format!("/api/v1/certificates/{hash}")).await["lineage_name"], "shop");

    let browser = house.log_in().await;
    for (subject, name) in [
        (&made["id"], "shop".to_owned()),
        (&deployment["id"], format!("shop on {}", label.as_str().unwrap())),
    ] {
        let subject = subject.as_str().unwrap();
        let jobs = get(&format!("/api/v1/jobs?subject={subject}")).await;
        let job = jobs["items"][0].clone();
        assert_eq!((&job["subject"], &job["subject_name"]), (&json!(subject), &json!(name)));
        let path = format!("/jobs/{}", job["id"].as_str().unwrap());
        assert_eq!(get(&format!("/api/v1{path}")).await["subject_name"], name);
        let page = house.send(browser.request("GET", &path, "").body(Body::empty()).unwrap()).await;
        let page = String::from_utf8(page.bytes).unwrap();
        assert!(
            page.contains(&format!("<bdi>{name}</bdi>")) && !page.contains(&format!(">{subject}<")),
            "{page}"
        );
    }
}

#[tokio::test]
async fn a_certificate_is_called_as_somebody_wants() {
    let house = House::new().await;
    let key = house.key(&[Role::ServiceAdministrator]).await;
    let wanted = json!({ "friendly_name": "box", "names": ["box.example"], "days": 30 });
    let made = house.call("POST", "/api/v1/certificates/self-signed", &key, wanted).await.json();
    let hash = made["certificate"]["hash"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/certificates/{hash}");
    let rename = async |name: &str| house.call("PATCH", &path, &key, json!({ "friendly_name": name })).await;
    let renamed = rename(" the old box ").await;
    assert_eq!((renamed.status.as_u16(), &renamed.json()["friendly_name"]), (200, &json!("the old box")));
    for (name, code) in
        [("", "name.empty"), ("a\nb", "name.control_char"), (&"a".repeat(101), "name.too_long")]
    {
        assert_eq!(rename(name).await.code(), code);
    }
    let unknown = format!("/api/v1/certificates/{}", "0".repeat(64));
    let answer = house.call("PATCH", &unknown, &key, json!({ "friendly_name": "x" })).await;
    assert_eq!(answer.status.as_u16(), 404);

    let browser = house.log_in().await;
    let post = async |name: &str| {
        let form = format!("_csrf={}&name={name}", browser.csrf);
        let head = browser.request("POST", &format!("/certificates/{hash}/name"), "");
        let head = head.header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        house.send(head.body(Body::from(form)).unwrap()).await
    };
    let refused = post("+").await;
    assert_eq!(refused.status.as_u16(), 400, "{}", String::from_utf8_lossy(&refused.bytes));
    let done = post("%3Cb%3Ebox").await;
    assert_eq!(
        (done.status.as_u16(), done.header("location")),
        (303, format!("/certificates/{hash}").as_str())
    );
    let list = house.send(browser.request("GET", "/certificates", "").body(Body::empty()).unwrap()).await;
    assert!(String::from_utf8(list.bytes).unwrap().contains("&#60;b&#62;box"));
    assert_eq!(house.call("GET", &path, &key, json!(null)).await.json()["friendly_name"], "<b>box");
}
