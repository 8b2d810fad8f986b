//! Import by the API and by the pages: previewed first, confirmed by the hash of what was shown.

use axum::body::Body;
use domain::Role;
use domain::clock::MINUTE;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use pki::format::pem_write;
use serde_json::{Value, json};
use testkit::{Authority, TestSigner};

use super::*;

const PREVIEW: &str = "/api/v1/certificates/preview";
const IMPORT: &str = "/api/v1/certificates";

/// A key, its certificate and the intermediate above, as one text.
fn pair(authority: &Authority, name: &str) -> (TestSigner, String) {
    let key = TestSigner::ec();
    let leaf = authority.issue(&[name], &key);
    let chain = pem_write::chain([leaf.der(), authority.intermediate.der()]);
    let text = format!("{}{chain}", *pem_write::private_key(&key.private_key()));
    (key, text)
}

#[tokio::test]
async fn a_program_previews_and_confirms_by_the_hash() {
    let house = House::new().await;
    let key = house.key(&[Role::SystemAdministrator]).await;
    let (_, text) = pair(&Authority::new(), "shop.example.org");
    let body = |more: Value| {
        let mut body = json!({ "files": [text] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let previewed = house.call("POST", PREVIEW, &key, body(json!({}))).await;
    let preview = previewed.json();
    assert_eq!(previewed.status, StatusCode::OK, "{preview}");
    let shop = &preview["certificates"][0];
    assert_eq!(
        (&shop["role"], &shop["standing"], &shop["private_key"]),
        (&json!("server"), &json!("new"), &json!("files"))
    );
    assert_eq!((&shop["fate"], shop["chain"].as_array().unwrap().len()), (&json!("founds"), 2));
    let findings = shop["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["code"] == "chain.root_missing"), "{findings:?}");
    assert_eq!((&preview["keys"][0]["fits"][0], &preview["as_job"]), (&shop["hash"], &json!(false)));
    assert_eq!(
        house.call("GET", "/api/v1/certificates?text=shop", &key, json!(null)).await.json()["items"],
        json!([])
    );
    let changed = body(json!({ "preview": preview["hash"], "friendly_name": "other" }));
    let refused = house.call("POST", IMPORT, &key, changed).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "import.preview_changed"));
    let confirmed = body(json!({ "preview": preview["hash"] }));
    let done = house.call("POST", IMPORT, &key, confirmed.clone()).await;
    assert_eq!((done.status, &done.json()["new"]), (StatusCode::CREATED, &json!(2)), "{}", done.json());
    // Now it is here, so that the same would do something else.
    assert_eq!(house.call("POST", IMPORT, &key, confirmed).await.code(), "import.preview_changed");
    let again = house.call("POST", IMPORT, &key, body(json!({ "passphrases": ["not needed"] }))).await;
    assert_eq!((again.status, &again.json()["new"]), (StatusCode::OK, &json!(0)));
}

#[tokio::test]
async fn a_preview_says_why_it_would_be_refused_and_how_to_choose() {
    let house = House::new().await;
    let key = house.key(&[Role::SystemAdministrator]).await;
    let authority = Authority::new();
    let ((one, first), (_, second)) =
        (pair(&authority, "one.example.org"), pair(&authority, "two.example.org"));
    let files = json!([first, second]);
    let preview = house.call("POST", PREVIEW, &key, json!({ "files": files })).await.json();
    assert_eq!((&preview["refusal"]["code"], preview.get("hash")), (&json!("import.ambiguous_key"), None));
    assert_eq!(preview["keys"].as_array().unwrap().len(), 2);
    let refused = house.call("POST", IMPORT, &key, json!({ "files": files })).await;
    assert_eq!(refused.code(), "import.ambiguous_key");
    let chosen = json!({ "files": files, "key": one.public_key_id() });
    let done = house.call("POST", IMPORT, &key, chosen).await;
    assert_eq!(done.json()["keys"], json!([one.public_key_id()]), "{}", done.json());
    let garbage = house.call("POST", PREVIEW, &key, json!({ "files": ["Z2FyYmFnZQ=="] })).await;
    assert_eq!((garbage.status.as_u16(), garbage.code().as_str()), (400, "input.unrecognised"));
}

/// The id of a key, as the API says it.
trait Named {
    fn public_key_id(&self) -> String;
}

impl Named for TestSigner {
    fn public_key_id(&self) -> String {
        pki::Signer::public_key(self).id().to_string()
    }
}

#[tokio::test]
async fn a_large_collection_is_answered_by_a_job() {
    let house = House::new().await;
    let key = house.key(&[Role::SystemAdministrator]).await;
    let authority = Authority::new();
    let leaves: Vec<_> = (0..60)
        .map(|number| authority.issue(&[&format!("site-{number}.example.org")], &TestSigner::ec()))
        .collect();
    let text = pem_write::chain(leaves.iter().map(|leaf| leaf.der()));
    let preview = house.call("POST", PREVIEW, &key, json!({ "files": [text] })).await.json();
    assert_eq!(
        (&preview["as_job"], &preview["certificate_count"], &preview["new"]),
        (&json!(true), &json!(60), &json!(60))
    );
    assert_eq!(preview["certificates"].as_array().unwrap().len(), 50);
    let begun =
        house.call("POST", IMPORT, &key, json!({ "files": [text], "preview": preview["hash"] })).await;
    assert_eq!((begun.status, &begun.json()["kind"]), (StatusCode::ACCEPTED, &json!("certificate.import")));
    let job = begun.header("location").to_owned();
    house.fixture.run_due().await.unwrap();
    let ended = house.call("GET", &job, &key, json!(null)).await.json();
    assert_eq!(ended["state"], "done", "{ended}");
    assert!(ended["progress"].as_str().unwrap().starts_with("60 certificates are stored: 60 new"), "{ended}");
}

/// Uploads a text on the import page; answers where it leads.
async fn upload(house: &House, browser: &Browser, text: &str) -> Answer {
    let part = |name: &str, value: &str| {
        format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = format!("{}{}--X--\r\n", part("_csrf", &browser.csrf), part("text", text));
    let head = browser
        .request("POST", "/certificates/import", "")
        .header(CONTENT_TYPE, "multipart/form-data; boundary=X");
    house.send(head.body(Body::from(body)).unwrap()).await
}

async fn page(house: &House, browser: &Browser, path: &str) -> (StatusCode, String) {
    let answer = house.send(browser.request("GET", path, "").body(Body::empty()).unwrap()).await;
    (answer.status, String::from_utf8(answer.bytes).unwrap())
}

/// The value of a hidden field.
fn hidden<'a>(html: &'a str, name: &str) -> &'a str {
    let mark = format!("name=\"{name}\" value=\"");
    let start = html.find(&mark).unwrap() + mark.len();
    &html[start..start + html[start..].find('"').unwrap()]
}

#[tokio::test]
async fn a_person_sees_what_was_found_and_confirms_it() {
    let house = House::new().await;
    let browser = house.log_in().await;
    let (_, text) = pair(&Authority::new(), "shop.example.org");
    let refused = upload(&house, &browser, "-----BEGIN CERTIFICATE-----").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(String::from_utf8(refused.bytes).unwrap().contains("othing has been stored"));
    let held = upload(&house, &browser, &text).await;
    let path = held.header("location").to_owned();
    assert!(held.status == StatusCode::SEE_OTHER && path.starts_with("/certificates/import/imp-"), "{path}");
    let (status, html) = page(&house, &browser, &path).await;
    assert_eq!(status, StatusCode::OK);
    for words in [
        "Server certificate",
        "Intermediate certificate",
        "Issued To",
        "Expiration",
        "It fits the certificate of shop.example.org",
        "Nothing is stored yet",
    ] {
        assert!(html.contains(words), "{words} in {html}");
    }
    assert!(!html.contains("PRIVATE KEY"));
    // Another person does not see it.
    let key = house.key(&[Role::SystemAdministrator]).await;
    let other = house.call("GET", &path, &key, json!(null)).await;
    assert_eq!((other.status, other.header("location")), (StatusCode::SEE_OTHER, "/certificates/import"));
    let (_, named) = page(&house, &browser, &format!("{path}?friendly_name=%3Cb%3Ebold")).await;
    assert!(named.contains("&#60;b&#62;bold") && !named.contains("<b>bold"), "{named}");
    let confirm = |hash: &str, name: &str| {
        let form = format!("_csrf={}&preview={hash}&friendly_name={name}&do=confirm", browser.csrf);
        let head =
            browser.request("POST", &path, "").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        house.send(head.body(Body::from(form)).unwrap())
    };
    // What was shown without the name is not what would be done with it.
    let differs = confirm(hidden(&html, "preview"), "bold").await;
    assert_eq!(differs.status, StatusCode::BAD_REQUEST);
    assert!(String::from_utf8(differs.bytes).unwrap().contains("import.preview_changed"));
    let done = confirm(hidden(&named, "preview"), "%3Cb%3Ebold").await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, "/certificates"));
    let (_, list) = page(&house, &browser, "/certificates").await;
    assert!(list.contains("&#60;b&#62;bold"));
    // A second click, and the way back, lead to what came of the first.
    let again = confirm(hidden(&named, "preview"), "%3Cb%3Ebold").await;
    assert_eq!((again.status, again.header("location")), (StatusCode::SEE_OTHER, "/certificates"));
    let said = house.send(browser.request("GET", &path, "").body(Body::empty()).unwrap()).await;
    assert_eq!((said.status, said.header("location")), (StatusCode::SEE_OTHER, "/certificates"));
    let form = format!("_csrf={}&do=discard", browser.csrf);
    let head = browser.request("POST", &path, "").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let forgotten = house.send(head.body(Body::from(form)).unwrap()).await;
    assert_eq!(forgotten.header("location"), "/certificates", "what was stored is not forgotten");
}

#[tokio::test]
async fn an_upload_is_forgotten_after_ten_minutes_or_at_once_when_asked() {
    let house = House::new().await;
    let browser = house.log_in().await;
    let (_, text) = pair(&Authority::new(), "shop.example.org");
    let path = upload(&house, &browser, &text).await.header("location").to_owned();
    let form = format!("_csrf={}&do=discard", browser.csrf);
    let head = browser.request("POST", &path, "").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let forgotten = house.send(head.body(Body::from(form)).unwrap()).await;
    assert_eq!(forgotten.header("location"), "/certificates/import");
    assert_eq!(page(&house, &browser, &path).await.0, StatusCode::SEE_OTHER);
    let path = upload(&house, &browser, &text).await.header("location").to_owned();
    house.clock.advance(9 * MINUTE);
    assert_eq!(page(&house, &browser, &path).await.0, StatusCode::OK);
    house.clock.advance(2 * MINUTE);
    assert_eq!(page(&house, &browser, &path).await.0, StatusCode::SEE_OTHER);
}

/// A form of fields and one file, as `curl -F` sends it to the API.
async fn send_form(house: &House, path: &str, key: &str, (fields, file): (&[(&str, &str)], &str)) -> Answer {
    let mut body = String::new();
    for (name, value) in fields {
        body.push_str(&format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    }
    body.push_str(&format!(
        "--X\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.pem\"\r\n\r\n{file}\r\n--X--\r\n"
    ));
    let head = request("POST", path)
        .header(http::header::AUTHORIZATION, key)
        .header(CONTENT_TYPE, "multipart/form-data; boundary=X");
    house.send(head.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn what_would_not_count_beside_a_form_or_json_is_refused() {
    let house = House::new().await;
    let key = house.key(&[Role::SystemAdministrator]).await;
    let (_, text) = pair(&Authority::new(), "shop.example.org");
    let wrong = "0".repeat(64);
    let said = [("preview", wrong.as_str()), ("exportable", "never"), ("token", "0"), ("lineage", "lin-1")];
    let said = said.into_iter().chain([("key", wrong.as_str()), ("friendly_name", "shop"), ("key", "")]);
    for (name, value) in said {
        for base in [IMPORT, PREVIEW] {
            let path = format!("{base}?{name}={value}");
            let json = house.call("POST", &path, &key, json!({ "files": [text] })).await;
            let form = send_form(&house, &path, &key, (&[], &text)).await;
            for refused in [json, form] {
                assert_eq!(
                    (refused.status.as_u16(), refused.code().as_str()),
                    (400, "input.query"),
                    "{path}"
                );
                assert!(refused.json()["detail"].as_str().unwrap().contains("into the body"), "{path}");
            }
        }
    }
    for fields in [&[("foo", "bar")][..], &[("files", &text)], &[("token", "0"), ("token", "system")]] {
        let refused = send_form(&house, IMPORT, &key, (fields, &text)).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "input.field"), "{fields:?}");
    }
    let refused = send_form(&house, IMPORT, &key, (&[("preview", &wrong)], &text)).await;
    assert_eq!(refused.code(), "import.preview_changed");
    let fields = [("friendly_name", "shop"), ("passphrase", "one"), ("passphrase", "two"), ("token", "")];
    let done = send_form(&house, IMPORT, &key, (&fields, &text)).await;
    assert_eq!((done.status, &done.json()["new"]), (StatusCode::CREATED, &json!(2)), "{}", done.json());
}

#[tokio::test]
async fn the_description_says_that_a_form_is_taken() {
    let house = House::new().await;
    let key = house.key(&[Role::Observer]).await;
    let document = house.call("GET", "/api/v1/openapi.json", &key, json!(null)).await.json();
    for path in [IMPORT, PREVIEW] {
        let content = &document["paths"][path]["post"]["requestBody"]["content"];
        let form = &content["multipart/form-data"]["schema"]["properties"];
        assert_eq!(form["files"]["type"], "array", "{content}");
        for field in
            ["passphrase", "pasted", "friendly_name", "token", "lineage", "exportable", "key", "preview"]
        {
            assert!(form.get(field).is_some(), "{field} in {form}");
        }
        assert!(
            content.get("application/json").is_some() && content.get("application/octet-stream").is_some()
        );
    }
}
