//! Export in every form, read by OpenSSL; what is refused, and what is recorded.

use std::io::Write;
use std::process::{Command, Stdio};

use axum::body::Body;
use domain::Role;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use pki::Certificate;
use pki::format::{Item, read};
use serde_json::{Value, json};

use super::*;

const PASSPHRASE: &str = "twelve letters";
const PASS: &str = "pass:twelve letters";

/// A server with one certificate of its own CA.
struct Shop {
    house: House,
    /// Security officer and system administrator.
    key: String,
    /// The leaf's id.
    hash: String,
}

impl Shop {
    async fn new() -> Self {
        let house = House::new().await;
        let key = house.key(&[Role::SecurityOfficer, Role::SystemAdministrator]).await;
        let wanted = json!({ "name": "shop", "names": ["shop.example.org"] });
        let made = house.call("POST", "/api/v1/lineages", &key, wanted).await.json();
        house.fixture.run_due().await.unwrap();
        let lineage = format!("/api/v1/lineages/{}", made["id"].as_str().unwrap());
        let hash = house.call("GET", &lineage, &key, json!(null)).await.json()["current"]["hash"].clone();
        Self { house, key, hash: hash.as_str().unwrap().to_owned() }
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/certificates/{}{rest}", self.hash)
    }

    async fn file(&self, query: &str) -> Answer {
        self.house.call("GET", &self.path(&format!("/file?{query}")), &self.key, json!(null)).await
    }

    async fn bytes(&self, query: &str) -> Vec<u8> {
        let answer = self.file(query).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.json());
        assert_eq!(answer.header("cache-control"), "no-store", "{query}");
        answer.bytes
    }

    async fn export(&self, mut body: Value) -> Answer {
        if body.get("passphrase").is_none() {
            body["passphrase"] = json!(PASSPHRASE);
        }
        self.house.call("POST", &self.path("/export"), &self.key, body).await
    }

    /// The leaf's public key as OpenSSL writes it.
    async fn public_key(&self) -> String {
        openssl(&["x509", "-noout", "-pubkey"], &self.bytes("form=pem").await)
    }

    async fn key_json(&self) -> Value {
        let key = self.house.call("GET", &self.path(""), &self.key, json!(null)).await.json()["key"].clone();
        let path = format!("/api/v1/private-keys/{}", key.as_str().unwrap());
        self.house.call("GET", &path, &self.key, json!(null)).await.json()
    }
}

/// What OpenSSL says of the bytes; they must please it.
fn openssl(arguments: &[&str], input: &[u8]) -> String {
    let mut command = Command::new("openssl");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}", said(&output.stderr));
    said(&output.stdout) + &said(&output.stderr)
}

fn blocks(text: &str) -> usize {
    text.matches("-----BEGIN CERTIFICATE-----").count()
}

fn certificates(bytes: &[u8]) -> Vec<Certificate> {
    read(bytes, None).unwrap().items.into_iter().filter_map(Item::into_certificate).collect()
}

#[tokio::test]
async fn certificates_are_exported_in_every_form_that_holds_no_key() {
    let shop = Shop::new().await;
    let der = shop.bytes("form=der").await;
    assert_eq!(pki::Fingerprint::of_der(&der).to_string(), shop.hash);
    for (query, count) in [
        ("form=pem", 1),
        ("form=pem&members=all", 2),
        ("form=chain", 1),
        ("form=chain&root=true", 2),
        ("form=fullchain", 2),
        ("form=fullchain&members=none", 1),
        ("form=fullchain&root=true", 3),
        ("form=pem&members=all&certificate=false&root=true", 2),
    ] {
        assert_eq!(blocks(&String::from_utf8(shop.bytes(query).await).unwrap()), count, "{query}");
    }
    let listed = ["pkcs7", "-print_certs"];
    let der_form = [&listed[..], &["-inform", "DER"]].concat();
    assert_eq!(blocks(&openssl(&der_form, &shop.bytes("form=p7b").await)), 2);
    assert_eq!(blocks(&openssl(&der_form, &shop.bytes("form=p7b&root=true").await)), 3);
    assert_eq!(blocks(&openssl(&listed, &shop.bytes("form=p7b-pem&members=none").await)), 1);
    // One member alone, by its hash.
    let root = certificates(&shop.bytes("form=chain&root=true").await).pop().unwrap();
    let alone = shop.bytes(&format!("form=chain&members={}", root.fingerprint())).await;
    assert_eq!(certificates(&alone), std::slice::from_ref(&root));
    let trust = shop.bytes("form=p12-trust").await;
    let text = openssl(&["pkcs12", "-nokeys", "-passin", "pass:changeit"], &trust);
    assert_eq!((blocks(&text), text.contains("PRIVATE KEY")), (1, false), "{text}");
    assert!(shop.bytes("form=jks").await.starts_with(&[0xfe, 0xed, 0xfe, 0xed]));
    assert!(shop.key_json().await.get("exported_at").is_none(), "no key left");
}

#[tokio::test]
async fn what_fits_is_der_for_one_and_pkcs7_for_several() {
    let shop = Shop::new().await;
    let one = shop.file("form=auto&members=none").await;
    assert_eq!(one.header("content-type"), "application/pkix-cert");
    let several = shop.file("form=auto").await;
    assert_eq!(several.header("content-type"), "application/x-pkcs7-certificates");
    let short = &shop.hash[..16];
    let plain = format!("certificates-{short}.p7b");
    let name = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''shop-{plain}");
    assert_eq!(several.header("content-disposition"), name);
}

#[tokio::test]
async fn a_private_key_leaves_encrypted_and_openssl_opens_it_with_the_passphrase_alone() {
    let shop = Shop::new().await;
    let public_key = shop.public_key().await;
    let p12 = shop.export(json!({})).await;
    assert_eq!(p12.status, StatusCode::OK, "{}", p12.json());
    assert_eq!(
        (p12.header("content-type"), p12.header("cache-control")),
        ("application/x-pkcs12", "no-store")
    );
    assert_eq!(p12.header("claviger-findings"), "");
    let text = openssl(&["pkcs12", "-info", "-nodes", "-passin", PASS], &p12.bytes);
    assert_eq!(blocks(&text), 2, "the leaf and its intermediate, not the root: {text}");
    assert!(text.contains("AES-256-CBC") && text.contains("sha256") && !text.contains("3DES"), "{text}");
    let key = text.split_once("-----BEGIN PRIVATE KEY-----").unwrap().1;
    let key = format!("-----BEGIN PRIVATE KEY-----{key}");
    assert_eq!(openssl(&["pkey", "-pubout"], key.as_bytes()), public_key);
    let alone = shop.export(json!({ "members": [] })).await.bytes;
    assert_eq!(blocks(&openssl(&["pkcs12", "-nokeys", "-passin", PASS], &alone)), 1);
    let whole = shop.export(json!({ "root": true })).await.bytes;
    assert_eq!(blocks(&openssl(&["pkcs12", "-nokeys", "-passin", PASS], &whole)), 3);
    for (form, arguments) in [("pkcs8", &["-inform", "DER"][..]), ("key", &[]), ("pem", &[])] {
        let file = shop.export(json!({ "form": form })).await;
        let arguments = [&["pkey", "-pubout", "-passin", PASS], arguments].concat();
        assert_eq!(openssl(&arguments, &file.bytes), public_key, "{form}");
    }
    let pem = String::from_utf8(shop.export(json!({ "form": "pem" })).await.bytes).unwrap();
    assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----") && blocks(&pem) == 2);
    assert!(shop.key_json().await["exported_at"].is_string());
    let events = shop.house.events(2).await;
    assert!(
        events.iter().all(|(action, outcome, _)| action == "key.export" && outcome == "done"),
        "{events:?}"
    );
}

#[tokio::test]
async fn old_encryption_is_written_only_when_asked_for_and_said() {
    let shop = Shop::new().await;
    let file = shop.export(json!({ "legacy": true })).await;
    let said: Value = serde_json::from_str(file.header("claviger-findings")).unwrap();
    assert_eq!((&said[0]["code"], &said[0]["severity"]), (&json!("export.legacy"), &json!("warning")));
    let text = openssl(&["pkcs12", "-legacy", "-info", "-noout", "-passin", PASS], &file.bytes);
    assert!(text.contains("pbeWithSHA1And3-KeyTripleDES-CBC") && text.contains("MAC: sha1"), "{text}");
    let odd = shop.export(json!({ "passphrase": "zwölf Buchstaben" })).await;
    let said: Value = serde_json::from_str(odd.header("claviger-findings")).unwrap();
    assert_eq!(said[0]["code"], "pass.not_ascii");
    let text = openssl(&["pkcs12", "-noout", "-passin", "pass:zwölf Buchstaben"], &odd.bytes);
    assert!(!text.contains("rror"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused_by_its_reason_and_no_key_leaves() {
    let shop = Shop::new().await;
    for (body, status, code) in [
        (json!({ "passphrase": "short" }), 400, "pass.short"),
        (json!({ "form": "der" }), 400, "export.form"),
        (json!({ "form": "jks" }), 400, "export.form"),
        (json!({ "form": "word" }), 400, "validation_failure"),
        (json!({ "members": ["00".repeat(32)] }), 400, "export.member"),
        (json!({ "members": [], "root": true, "form": "auto", "certificate": false }), 200, ""),
    ] {
        let answer = shop.export(body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{body}");
        let events = shop.house.events(1).await;
        let outcome = if status == 200 { "done" } else { "refused" };
        assert_eq!(events[0], ("key.export".to_owned(), outcome.to_owned(), code.to_owned()));
        if status != 200 {
            assert!(shop.key_json().await.get("exported_at").is_none(), "{body}");
        }
    }
    for (query, code) in [
        ("form=p12", "export.form"),
        ("form=pem&certificate=false", "export.nothing"),
        ("form=p7b&members=zz", "validation_failure"),
        ("form=chain&members=none", "export.nothing"),
        ("passphrase=x", "input.query"),
    ] {
        assert_eq!(shop.file(query).await.code(), code, "{query}");
    }
    let service = shop.house.key(&[Role::ServiceAdministrator]).await;
    let body = json!({ "passphrase": PASSPHRASE });
    let denied = shop.house.call("POST", &shop.path("/export"), &service, body).await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
    // Lowered, it stays for ever.
    let id = shop.key_json().await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/private-keys/{id}");
    shop.house.call("PATCH", &path, &shop.key, json!({ "exportable": "to_targets" })).await;
    let stays = shop.export(json!({})).await;
    assert_eq!((stays.status.as_u16(), stays.code().as_str()), (409, "key.not_exportable"));
}

#[tokio::test]
async fn a_self_signed_certificate_has_no_chain_and_its_name_does_nothing_in_a_header() {
    let shop = Shop::new().await;
    let subject = json!([{ "type": "CN", "value": "own.example.org" }]);
    let wanted = json!({ "friendly_name": "own \"; x=/..", "days": 30, "subject": subject });
    let made = shop.house.call("POST", "/api/v1/certificates/self-signed", &shop.key, wanted).await;
    let hash = made.json()["certificate"]["hash"].as_str().unwrap().to_owned();
    let file = |form: &str| format!("/api/v1/certificates/{hash}/file?form={form}");
    let get = async |form: &str| shop.house.call("GET", &file(form), &shop.key, json!(null)).await;
    assert_eq!(get("chain").await.code(), "chain.incomplete");
    let said = get("pem").await.header("content-disposition").to_owned();
    let plain = format!("attachment; filename=\"certificate-{}.pem\"", &hash[..16]);
    assert!(said.starts_with(&plain) && said.matches('"').count() == 2 && !said.contains('/'), "{said}");
}

#[tokio::test]
async fn the_page_lists_the_chain_with_ticks_and_exports_what_is_ticked() {
    let shop = Shop::new().await;
    let browser = shop.house.log_in().await;
    let path = format!("/certificates/{}/export", shop.hash);
    let page = shop.house.send(browser.request("GET", &path, "").body(Body::empty()).unwrap()).await;
    let html = String::from_utf8(page.bytes).unwrap();
    for words in [
        "Include Certificate<",
        "Include Private Key",
        "Passphrase",
        "Include Certificate Chain",
        "The root certificate",
    ] {
        assert!(html.contains(words), "{words}");
    }
    let chain = certificates(&shop.bytes("form=chain&root=true").await);
    let ticked = |one: &Certificate| {
        let id = one.fingerprint().to_string();
        let tick =
            html.split("<input").find(|tag| tag.contains(&id) && tag.contains("name=\"member\"")).unwrap();
        tick.contains(" checked")
    };
    assert_eq!(chain.iter().map(ticked).collect::<Vec<_>>(), [true, false], "the root's is off");
    let post = async |fields: &str| {
        let head =
            browser.request("POST", &path, "").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let body = format!("_csrf={}&{fields}", browser.csrf);
        shop.house.send(head.body(Body::from(body)).unwrap()).await
    };
    let members = chain.iter().map(|one| format!("&member={}", one.fingerprint())).collect::<String>();
    let all =
        post(&format!("certificate=yes&chain=yes&form=auto&key=yes&passphrase=twelve+letters{members}"))
            .await;
    assert_eq!(all.status, StatusCode::OK);
    assert_eq!(blocks(&openssl(&["pkcs12", "-nokeys", "-passin", PASS], &all.bytes)), 3);
    let public = post("certificate=yes&form=auto&passphrase=").await;
    assert_eq!(pki::Fingerprint::of_der(&public.bytes).to_string(), shop.hash);
    let before = shop.house.event_count().await;
    let odd = post("certificate=yes&form=auto&key=yes&passphrase=zw%C3%B6lf+Buchstaben").await;
    let html = String::from_utf8(odd.bytes).unwrap();
    assert!(odd.status == StatusCode::BAD_REQUEST && html.contains("name=\"known\""), "{html}");
    assert!(!html.contains("Buchstaben"), "a passphrase is never filled in again");
    assert_eq!(shop.house.event_count().await, before + 1);
    let odd = post("certificate=yes&form=auto&key=yes&known=yes&passphrase=zw%C3%B6lf+Buchstaben").await;
    assert_eq!(odd.status, StatusCode::OK);
    for (fields, words) in [
        ("form=auto", "Nothing is ticked"),
        (
            "form=der&certificate=yes&key=yes&passphrase=twelve+letters",
            "holds certificates, not private keys",
        ),
        ("form=p12&certificate=yes", "is for the private key"),
        ("form=auto&key=yes&certificate=yes&passphrase=short", "fewer than 12 characters"),
    ] {
        let before = shop.house.event_count().await;
        let refused = post(fields).await;
        let html = String::from_utf8(refused.bytes).unwrap();
        assert!(refused.status == StatusCode::BAD_REQUEST && html.contains(words), "{fields}: {html}");
        assert_eq!(shop.house.event_count().await, before + 1, "{fields}");
    }
}
