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
