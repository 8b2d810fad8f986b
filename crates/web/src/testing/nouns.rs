//! The nouns of our own API, from the request to what comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use domain::Role;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::{Method, StatusCode};
use pki::format::pem_write;
use serde_json::{Value, json};
use testkit::{Authority, TestSigner};

use super::*;

struct Caller<'a> {
    house: &'a House,
    key: String,
}

impl<'a> Caller<'a> {
    async fn officer(house: &'a House) -> Self {
        Self { house, key: house.key(&[Role::SecurityOfficer, Role::SystemAdministrator]).await }
    }

    async fn get(&self, path: &str) -> Answer {
        self.house.call(Method::GET.as_str(), path, &self.key, json!(null)).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.house.call(Method::POST.as_str(), path, &self.key, body).await
    }

    /// Makes something that must be taken.
    async fn make(&self, path: &str, body: Value) -> Value {
        let answer = self.post(path, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.json());
        answer.json()
    }
}

#[tokio::test]
async fn a_csr_is_byte_identical_at_each_download_and_says_what_was_typed() {
    let house = House::new().await;
    let caller = Caller::officer(&house).await;
    let organisation = "Acme, \"Inc\" + Ö";
    let made = caller
        .make(
            "/api/v1/csrs",
            json!({
                "friendly_name": "web shop", "names": ["10.0.0.1"],
                "subject": [{ "type": "C", "value": "FI" }, { "type": "O", "value": organisation },
                            { "type": "CN", "value": "shop.example.org" }],
            }),
        )
        .await;
    assert_eq!(made["added_name"], "shop.example.org");
    let csr = &made["csr"];
    assert_eq!(csr["subject_alternative_names"], json!(["shop.example.org", "10.0.0.1"]));
    assert_eq!(csr["subject_attributes"][1], json!({ "type": "O", "value": organisation }));
    assert_eq!((&csr["state"], &csr["key_algorithm"]), (&json!("waiting"), &json!("EC P-256")));
    let path = format!("/api/v1/csrs/{}", csr["id"].as_str().unwrap());
    let pem = caller.get(&format!("{path}/file")).await;
    assert_eq!(pem.bytes, caller.get(&format!("{path}/file?format=PEM")).await.bytes);
    assert_eq!(String::from_utf8(pem.bytes).unwrap(), csr["pem"].as_str().unwrap());
    let der = caller.get(&format!("{path}/file?format=DER")).await;
    assert_eq!(pki::Fingerprint::of_der(&der.bytes).to_string(), csr["fingerprint"].as_str().unwrap());
    assert_eq!(der.header("content-disposition"), "attachment; filename=\"tls_csr_20261121_web_shop.der\"");
    let list = caller.get("/api/v1/csrs?state=waiting&text=shop").await.json();
    assert_eq!((&list["items"][0]["id"], list.get("next")), (&csr["id"], None));
    let gone = house.call("DELETE", &path, &caller.key, json!(null)).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(caller.get(&path).await.json()["state"], "withdrawn");
}

#[tokio::test]
async fn a_friendly_name_stands_for_one_request_and_one_certificate_whatever_their_key() {
    let house = House::new().await;
    let caller = Caller::officer(&house).await;
    let key = caller.make("/api/v1/private-keys", json!({ "label": "one key" })).await;
    let wanted = |name: &str| json!({ "friendly_name": name, "key": key["id"], "names": ["a.example"] });
    let first = caller.make("/api/v1/csrs", wanted("spring")).await;
    let again = caller.post("/api/v1/csrs", wanted("spring")).await;
    assert_eq!((again.status.as_u16(), again.code().as_str()), (409, "csr.name_taken"));
    caller.make("/api/v1/csrs", wanted("autumn")).await;
    let path = format!("/api/v1/csrs/{}", first["csr"]["id"].as_str().unwrap());
    assert_eq!(house.call("DELETE", &path, &caller.key, json!(null)).await.status, StatusCode::NO_CONTENT);
    caller.make("/api/v1/csrs", wanted("spring")).await;

    let path = "/api/v1/certificates/self-signed";
    let wanted =
        |days: u32| json!({ "friendly_name": "own", "key": key["id"], "names": ["a.example"], "days": days });
    caller.make(path, wanted(30)).await;
    let again = caller.post(path, wanted(40)).await;
    assert_eq!((again.status.as_u16(), again.code().as_str()), (409, "lineage.name_taken"));
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_csr_is_said_at_once_by_field() {
    let house = House::new().await;
    let caller = Caller::officer(&house).await;
    let wrong = caller
        .post("/api/v1/csrs", json!({ "friendly_name": "x", "names": ["a.org", "b..org", "*.*.org"] }))
        .await;
    let errors = &wrong.json()["error"]["validation_errors"];
    assert_eq!((wrong.status.as_u16(), wrong.code().as_str()), (400, "validation_failure"));
    assert!(
        errors.get("names[1]").is_some()
            && errors.get("names[2]").is_some()
            && errors.get("names[0]").is_none()
    );
    assert_eq!(caller.get("/api/v1/private-keys?usage=tls&text=x").await.json()["items"], json!([]));
}

#[tokio::test]
async fn lists_are_paged_by_cursor() {
    let house = House::new().await;
    let caller = Caller::officer(&house).await;
    for name in ["page-a", "page-b", "page-c"] {
        caller.make("/api/v1/private-keys", json!({ "label": name })).await;
    }
    let odd = caller.get("/api/v1/csrs?state=bogus").await;
    let said = odd.json()["detail"].to_string();
    assert!(odd.status == 400 && said.contains("none of waiting, fulfilled, withdrawn"), "{said}");
    let first = caller.get("/api/v1/private-keys?text=page-&limit=2").await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap();
    let second = caller.get(&format!("/api/v1/private-keys?text=page-&limit=2&after={next}")).await.json();
    assert_eq!((&second["items"][0]["label"], second.get("next")), (&json!("page-c"), None));
}

#[tokio::test]
async fn a_key_can_be_retired_brought_back_and_exported_under_a_passphrase() {
    let house = House::new().await;
    let caller = Caller::officer(&house).await;
    let made = caller.make("/api/v1/private-keys", json!({ "label": "k", "algorithm": "ec-p384" })).await;
    let path = format!("/api/v1/private-keys/{}", made["id"].as_str().unwrap());
    let short = caller.post(&format!("{path}/export"), json!({ "passphrase": "short" })).await;
    assert_eq!((short.status.as_u16(), short.code().as_str()), (400, "pass.short"));
    let file = caller.post(&format!("{path}/export"), json!({ "passphrase": "twelve letters" })).await;
    assert!(file.bytes.starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    assert!(caller.get(&path).await.json()["exported_at"].is_string());
    let lowered = house.call("PATCH", &path, &caller.key, json!({ "exportable": "never" })).await;
    assert_eq!(lowered.json()["exportable"], "never", "{}", lowered.json());
    let refused = caller.post(&format!("{path}/export"), json!({ "passphrase": "twelve letters" })).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(house.call("DELETE", &path, &caller.key, json!(null)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(caller.get(&path).await.json()["state"], "retired");
    // It is hidden, and found by whoever looks for it.
    let link = format!("href=\"/keys/{}\"", made["id"].as_str().unwrap());
    for (address, is_shown) in [("/keys", false), ("/keys?state=retired", true), ("/keys?state=all", true)] {
        let page = caller.get(address).await.bytes;
        assert_eq!(String::from_utf8_lossy(&page).contains(&link), is_shown, "{address}");
    }
    assert_eq!(caller.post(&format!("{path}/restore"), json!(null)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(caller.get(&path).await.json()["state"], "active");
}

#[tokio::test]
async fn a_certificate_is_imported_from_a_raw_file_a_form_and_json() {
    let house = House::new().await;
    let caller = Caller::officer(&house).await;
    let made = caller
        .make(
            "/api/v1/certificates/self-signed",
            json!({ "friendly_name": "own", "days": 30, "subject": [{ "type": "CN", "value": "own.example.org" }] }),
        )
        .await;
    let hash = made["certificate"]["hash"].as_str().unwrap();
    let file = |form: &str| format!("/api/v1/certificates/{hash}/file?form={form}");
    let (pem, der) = (caller.get(&file("pem")).await, caller.get(&file("der")).await);
    assert_eq!(pki::Fingerprint::of_der(&der.bytes).to_string(), hash);
    let raw = async |kind: &str, body: Vec<u8>| {
        let head = request("POST", "/api/v1/certificates").header(AUTHORIZATION, &caller.key);
        house.send(head.header(CONTENT_TYPE, kind).body(Body::from(body)).unwrap()).await
    };
    let multipart = [
        b"--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n",
        &der.bytes[..],
        b"\r\n--X--\r\n",
    ];
    for answer in [
        raw("application/octet-stream", der.bytes.clone()).await,
        raw("application/x-pem-file", pem.bytes.clone()).await,
        raw("multipart/form-data; boundary=X", multipart.concat()).await,
        caller
            .post("/api/v1/certificates", json!({ "files": [String::from_utf8(pem.bytes.clone()).unwrap()] }))
            .await,
    ] {
        // It is here already: the same certificate twice is the same row.
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.json());
        let said = answer.json();
        assert_eq!((&said["certificates"][0]["hash"], &said["new"]), (&json!(hash), &json!(0)));
    }
    let garbage = raw("application/octet-stream", b"garbage".to_vec()).await;
    assert_eq!((garbage.status.as_u16(), garbage.code().as_str()), (400, "input.unrecognised"));
    assert_eq!(raw("text/html", pem.bytes.clone()).await.code(), "input.content_type");
    let neither = caller.post("/api/v1/certificates", json!({ "files": ["?"] })).await;
    assert_eq!(neither.code(), "validation_failure");
}

#[tokio::test]
async fn an_upload_over_ten_megabytes_is_cut_off() {
    let house = House::new().await;
    let caller = Caller::officer(&house).await;
    let head = request("POST", "/api/v1/certificates").header(AUTHORIZATION, &caller.key);
    let body = Body::from(vec![b'a'; 10 * 1024 * 1024 + 1]);
    let answer = house.send(head.header(CONTENT_TYPE, "application/octet-stream").body(body).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.header("connection")), (413, "close"));
    assert!(
        answer.json()["detail"].as_str().unwrap().contains("more than 10 MB in all"),
        "{}",
        answer.json()
    );
}

#[tokio::test]
async fn what_is_too_much_is_read_away_so_that_its_sender_hears_why() {
    let house = House::new().await;
    let caller = Caller::officer(&house).await;
    for (announced, asks_first, wanted) in [(true, false, 50), (false, false, 50), (true, true, 0)] {
        let taken = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&taken);
        let chunks = (0..50).map(move |_| {
            counting.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::convert::Infallible>(vec![b'a'; 1024 * 1024])
        });
        let chunks = futures_util::stream::iter(chunks);
        let mut head = request("POST", "/api/v1/certificates").header(AUTHORIZATION, &caller.key);
        if announced {
            head = head.header(CONTENT_LENGTH, 50 * 1024 * 1024);
        }
        if asks_first {
            head = head.header(EXPECT, "100-continue");
        }
        let head = head.header(CONTENT_TYPE, "application/octet-stream");
        let answer = house.send(head.body(Body::from_stream(chunks)).unwrap()).await;
        assert_eq!((answer.status.as_u16(), taken.load(Ordering::Relaxed)), (413, wanted));
    }
}

#[tokio::test]
async fn of_a_key_with_many_certificates_the_newest_are_shown_and_the_others_counted() {
    let house = House::new().await;
    let (caller, browser) = (Caller::officer(&house).await, house.log_in().await);
    let (signer, authority) = (TestSigner::ec(), Authority::new());
    let certificates = |range: std::ops::Range<usize>| -> String {
        let issue = |number| authority.issue(&[&format!("host-{number}.example")], &signer);
        range.map(|number| pem_write::certificate(issue(number).der())).collect()
    };
    let key = pem_write::private_key(&signer.private_key());
    let first = json!({ "files": [certificates(0..1), key.as_str()] });
    let first = caller.make("/api/v1/certificates", first).await;
    caller.make("/api/v1/certificates", json!({ "files": [certificates(1..103)] })).await;
    house.fixture.run_due().await.unwrap();
    let id = first["keys"][0].as_str().unwrap();
    let shown = caller.get(&format!("/api/v1/private-keys/{id}")).await.json();
    assert_eq!(
        (shown["certificates"].as_array().unwrap().len(), &shown["more_certificates"]),
        (100, &json!(3))
    );
    let page = browser.request("GET", &format!("/keys/{id}"), "").body(Body::empty()).unwrap();
    let page = String::from_utf8(house.send(page).await.bytes).unwrap();
    assert!(page.contains("3 certificates more, which end earlier."), "{page}");
}

#[tokio::test]
async fn a_form_with_too_many_files_is_told_so() {
    let house = House::new().await;
    let caller = Caller::officer(&house).await;
    let part = "--X\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a\"\r\n\r\nx\r\n";
    let head = request("POST", "/api/v1/certificates").header(AUTHORIZATION, &caller.key);
    let head = head.header(CONTENT_TYPE, "multipart/form-data; boundary=X");
    let answer = house.send(head.body(Body::from(part.repeat(201) + "--X--\r\n")).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (413, "input.too_large"));
    assert!(answer.json()["detail"].as_str().unwrap().contains("200 files"), "{}", answer.json());
}

#[tokio::test]
async fn a_lineage_is_issued_followed_and_renewed_as_jobs() {
    let house = House::new().await;
    let caller = Caller::officer(&house).await;
    let made =
        caller.make("/api/v1/lineages", json!({ "name": "shop", "names": ["shop.example.org"] })).await;
    assert_eq!(
        (&made["issuer"], &made["profile"], &made["targets"]),
        (&json!("internal"), &json!("tls"), &json!(["edge"]))
    );
    house.fixture.run_due().await.unwrap();
    let path = format!("/api/v1/lineages/{}", made["id"].as_str().unwrap());
    let first = caller.get(&path).await.json()["current"]["hash"].clone();
    assert!(first.is_string(), "{}", caller.get(&path).await.json());
    let asked = caller.post(&format!("{path}/rekey"), json!(null)).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED);
    let job = asked.header("location").to_owned();
    house.fixture.run_due().await.unwrap();
    let ended = caller.get(&job).await.json();
    assert_eq!(ended["state"], "done", "{ended}");
    assert_ne!(caller.get(&path).await.json()["current"]["hash"], first);
    // The job is over, so its stream of events ends by itself.
    let events = caller.get(&format!("{job}/events")).await;
    assert_eq!(events.header("content-type"), "text/event-stream");
    let text = String::from_utf8(events.bytes).unwrap();
    assert!(text.starts_with("event: progress\n") && text.contains("event: end\n"), "{text}");
    let changed =
        house.call("PATCH", &path, &caller.key, json!({ "backend": { "address": "127.0.0.1:80" } })).await;
    assert_eq!(changed.json()["backend"]["address"], "127.0.0.1:80", "{}", changed.json());
    let cleared = house.call("PATCH", &path, &caller.key, json!({ "backend": null })).await;
    assert!(cleared.status.is_success() && cleared.json().get("backend").is_none());
}

#[tokio::test]
async fn the_overview_settings_audit_log_and_kinds_are_there() {
    let house = House::new().await;
    let caller = Caller::officer(&house).await;
    assert_eq!(caller.get("/api/v1/overview").await.json()["title"], "DEV : COM : 1234 : SS0");
    assert_eq!(caller.get("/api/v1/settings").await.json()["identity"]["environment"], "test");
    let kinds = caller.get("/api/v1/target-kinds").await.json();
    let files = kinds.as_array().unwrap().iter().find(|kind| kind["kind"] == "files").unwrap();
    assert!(files["fields"].as_array().unwrap().iter().all(|field| field["label"].is_string()));
    let events = caller.get("/api/v1/audit-events?limit=1").await.json();
    let last = events["items"][0]["seq"].as_i64().unwrap();
    assert_eq!(events["next"], last.to_string());
    assert_eq!(caller.get("/api/v1/audit-events/verification").await.json()["events"], last);
    let older = caller.get(&format!("/api/v1/audit-events?limit=1&after={last}")).await.json();
    assert_eq!(older["items"][0]["seq"], last - 1);
}
