//! What is refused before anything is done (`SECURITY.md` 5.3).

use app::strangers::Refused;
use axum::body::Body;
use domain::Role;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use http::{Request, StatusCode};
use serde_json::json;

use super::*;

const KEYS: &str = "/api/v1/private-keys";

#[tokio::test]
async fn the_permission_is_checked_before_the_body_is_read() {
    let house = House::new().await;
    let observer = house.key(&[Role::Observer]).await;
    let garbage =
        request("POST", KEYS).header(AUTHORIZATION, observer).body(Body::from("no json at all")).unwrap();
    let answer = house.send(garbage).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "forbidden".to_owned()));
    let stranger = request("POST", KEYS).body(Body::from("no json at all")).unwrap();
    assert_eq!(house.send(stranger).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn bodies_that_are_refused_store_nothing_and_are_recorded_once() {
    let house = House::new().await;
    let key = house.key(&[Role::ServiceAdministrator]).await;
    let deep = format!("{{\"label\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let big = format!("{{\"label\":\"{}\"}}", "x".repeat(60 * 1024));
    let cases: [(&str, &[u8], u16, &str); 9] = [
        ("application/json", b"{", 400, "input.json"),
        ("application/json", deep.as_bytes(), 400, "input.json"),
        ("application/json", b"{\"label\":\"a\",\"label\":\"b\"}", 400, "input.json"),
        ("application/json", b"{\"label\":\"\xff\"}", 400, "input.json"),
        ("application/json", b"{\"label\":\"a\",\"owner\":\"me\"}", 400, "input.field"),
        ("application/json", b"{\"label\":\"a\",\"exportable\":\"always\"}", 400, "validation_failure"),
        ("application/json", big.as_bytes(), 413, "input.too_large"),
        ("text/plain", b"{\"label\":\"a\"}", 415, "input.content_type"),
        ("application/x-www-form-urlencoded", b"label=a", 415, "input.content_type"),
    ];
    for (kind, body, status, code) in cases {
        let before = house.event_count().await;
        let head = request("POST", KEYS).header(AUTHORIZATION, &key).header(CONTENT_TYPE, kind);
        let answer = house.send(head.body(Body::from(body.to_vec())).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code));
        assert!(!answer.json()["detail"].as_str().unwrap().is_empty());
        let events = house.events(1).await;
        assert_eq!(events[0], ("key.generate".to_owned(), "refused".to_owned(), code.to_owned()));
        assert_eq!(house.event_count().await, before + 1, "{code}");
    }
    let keys = house.call("GET", KEYS, &key, json!(null)).await;
    assert_eq!(keys.status, StatusCode::FORBIDDEN, "a service administrator sees no keys (XROAD.md 1.8)");
}

#[tokio::test]
async fn a_form_that_is_refused_is_recorded_once_whoever_refused_it() {
    let house = House::new().await;
    let browser = house.log_in().await;
    for (path, form, action, code) in [
        // What the page itself finds wrong.
        ("/password", "old=a&new=b&again=c", "user.update", "again.differs"),
        ("/tokens/0/pin", "old_pin=a&new_pin=b&new_pin_again=c", "token.pin_change", "again.differs"),
        ("/certificates", "action=export", "request", "input.choice"),
        ("/certificates", "action=dance&selected=00", "request", "input.choice"),
        ("/certificates", "do=default", "request", "input.choice"),
        (
            "/certificates/new",
            "friendly_name=a&key=ec-p256&token=system&days=many&do=self_signed",
            "csr.create",
            "cert.lifetime",
        ),
        ("/lineages/new", "name=a&names=a..b&issuer=internal", "lineage.create", "san.syntax"),
        ("/issuers/internal/withdraw", "confirm=another", "issuer.update", "confirm.name"),
        // What `app` finds wrong.
        ("/password", "old=wrong&new=b&again=b", "user.update", "login_failed"),
        ("/tokens/0/log-in", "pin=wrong", "token.log_in", "pin_incorrect"),
    ] {
        let before = house.event_count().await;
        let kind = "application/x-www-form-urlencoded";
        let head = browser.request("POST", path, &browser.csrf).header(CONTENT_TYPE, kind);
        let answer = house.send(head.body(Body::from(form)).unwrap()).await;
        assert!(matches!(answer.status.as_u16(), 400 | 303), "{path} {form}: {}", answer.status);
        let newest = house.events(1).await.remove(0);
        assert_eq!(newest, (action.to_owned(), "refused".to_owned(), code.to_owned()), "{path} {form}");
        assert_eq!(house.event_count().await, before + 1, "{path} {form}");
    }
}

#[tokio::test]
async fn who_makes_a_key_and_may_not_see_all_is_led_to_its_request() {
    let house = House::new().await;
    for (roles, next) in
        [(Role::ServiceAdministrator, "/certificates/new?key="), (Role::SecurityOfficer, "/keys")]
    {
        let key = house.key(&[roles]).await;
        let head = request("POST", "/keys/new?token=system").header(AUTHORIZATION, &key);
        let head = head.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let form = format!("label=of+{roles:?}&algorithm=ec-p256");
        let answer = house.send(head.body(Body::from(form)).unwrap()).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert!(answer.header("location").starts_with(next), "{}", answer.header("location"));
        let asked = request("GET", answer.header("location")).header(AUTHORIZATION, &key);
        assert_eq!(house.send(asked.body(Body::empty()).unwrap()).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_stranger_who_guesses_in_a_form_is_counted_as_one() {
    let house = House::new().await;
    let count = |kind| house.fixture.app.strangers().total(kind);
    let before = (house.event_count().await, count(Refused::Guess));
    let head = request("POST", "/login").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    house.send(head.body(Body::from("name=nobody&password=guess&code=")).unwrap()).await;
    assert_eq!((house.event_count().await, count(Refused::Guess)), (before.0, before.1 + 1));
}

#[tokio::test]
async fn only_our_own_host_is_answered() {
    let house = House::new().await;
    let ask = async |host: &str, forwarded: &str| {
        let head = Request::builder().uri("/api/v1/openapi.json").header("x-forwarded-host", forwarded);
        let head = if host.is_empty() { head } else { head.header(HOST, host) };
        house.send(head.body(Body::empty()).unwrap()).await.status.as_u16()
    };
    for (host, forwarded, status) in [
        ("localhost:4000", "", 200),
        ("LOCALHOST", "evil.example", 200),
        ("evil.example", "localhost", 421),
        ("localhost.evil.example", "", 421),
        ("localhost@evil.example", "", 421),
        ("", "localhost", 421),
    ] {
        assert_eq!(ask(host, forwarded).await, status, "{host:?}");
    }
}

#[tokio::test]
async fn changes_from_another_sites_page_are_refused() {
    let house = House::new().await;
    let browser = house.log_in().await;
    let cases = [
        (None, None, 201),
        (Some("https://localhost:4000"), Some("same-origin"), 201),
        (Some("null"), Some("same-origin"), 201),
        (Some("https://evil.example"), None, 403),
        (Some("http://localhost:4000"), None, 403),
        (Some("https://localhost:4001"), None, 403),
        (Some("null"), None, 403),
        (Some("https://localhost:4000"), Some("cross-site"), 403),
        (None, Some("same-site"), 403),
    ];
    for (number, (origin, site, status)) in cases.into_iter().enumerate() {
        let mut head = browser.request("POST", KEYS, &browser.csrf);
        head = origin.into_iter().fold(head, |head, origin| head.header(ORIGIN, origin));
        head = site.into_iter().fold(head, |head, site| head.header("sec-fetch-site", site));
        let answer = house.send(json(head, &json!({ "label": format!("key {number}") }))).await;
        assert_eq!(answer.status.as_u16(), status, "{origin:?} {site:?}");
    }
}

#[tokio::test]
async fn a_session_needs_its_token_for_every_change() {
    let house = House::new().await;
    let (one, other) = (house.log_in().await, house.log_in().await);
    for csrf in ["", "00", other.csrf.as_str()] {
        let answer = house.send(json(one.request("POST", KEYS, csrf), &json!({ "label": "a" }))).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "request.csrf"), "{csrf}");
    }
    let done = house.send(json(one.request("POST", KEYS, &one.csrf), &json!({ "label": "a" }))).await;
    assert_eq!(done.status, StatusCode::CREATED);
    // A form cannot bring the token to the API in its body.
    let form = format!("label=b&_csrf={}", one.csrf);
    let head = one.request("POST", KEYS, "").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_eq!(house.send(head.body(Body::from(form)).unwrap()).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_session_is_new_at_log_in_and_gone_after_log_out() {
    let house = House::new().await;
    let form = || {
        let body = format!("username={ADMIN}&password={}", PASSWORD.replace(' ', "+"));
        let head = request("POST", "/api/v1/login").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        head.header(COOKIE, "__Host-claviger=planted").body(Body::from(body)).unwrap()
    };
    let answer = house.send(form()).await;
    let secret = cookie(&answer, "__Host-claviger");
    assert!(secret.len() >= 32 && secret != "planted");
    let lines: Vec<&str> =
        answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
    let session = lines.iter().find(|line| line.starts_with("__Host-claviger=")).unwrap();
    for part in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(session.contains(part), "{session}");
    }
    let browser = house.log_in().await;
    assert_ne!(browser.cookie, secret);
    let user = async || house.send(json(browser.request("GET", "/api/v1/user", ""), &json!(null))).await;
    assert_eq!(user().await.json()["username"], ADMIN);
    let out = house.send(json(browser.request("POST", "/api/v1/logout", &browser.csrf), &json!(null))).await;
    assert_eq!((out.status, cookie(&out, "__Host-claviger").as_str()), (StatusCode::OK, ""));
    assert_eq!(user().await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ends_after_fifteen_idle_minutes() {
    let house = House::new().await;
    let browser = house.log_in().await;
    let user =
        async || house.send(json(browser.request("GET", "/api/v1/user", ""), &json!(null))).await.status;
    house.clock.advance(14 * domain::clock::MINUTE);
    assert_eq!(user().await, StatusCode::OK);
    house.clock.advance(14 * domain::clock::MINUTE);
    assert_eq!(user().await, StatusCode::OK);
    house.clock.advance(15 * domain::clock::MINUTE);
    assert_eq!(user().await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn who_is_disabled_or_gets_another_password_is_out_at_once() {
    let house = House::new().await;
    let key = house.key(&Role::ALL).await;
    let password = "only looks, never touches";
    let wanted =
        json!({ "name": "oliver", "password": password, "roles": ["XROAD_SECURITYSERVER_OBSERVER"] });
    let made = house.call("POST", "/api/v1/users", &key, wanted).await.json();
    let user = format!("/api/v1/users/{}", made["id"].as_str().unwrap());
    for change in [json!({ "password": "another long password" }), json!({ "disabled": true })] {
        let password = if change["disabled"].is_null() { password } else { "another long password" };
        let oliver = house.log_in_as("oliver", password).await;
        let look =
            async || house.send(json(oliver.request("GET", "/api/v1/user", ""), &json!(null))).await.status;
        assert_eq!(look().await, StatusCode::OK);
        assert_eq!(house.call("PATCH", &user, &key, change.clone()).await.status, StatusCode::OK);
        assert_eq!(look().await, StatusCode::UNAUTHORIZED, "{change}");
    }
    let again = json!({ "username": "oliver", "password": "another long password" });
    let refused = house.send(json(request("POST", "/api/v1/login"), &again)).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn spellings_of_one_name_share_one_count() {
    let house = House::new().await;
    let guess = async |name: &str| {
        let body = json!({ "username": name, "password": "wrong" });
        house.send(json(request("POST", "/api/v1/login"), &body)).await.code()
    };
    for name in [ADMIN, "ADMIN", " Admin ", "aDmIn"] {
        assert_eq!(guess(name).await, "login_failed", "{name:?}");
    }
    for name in ["\tADMIN\n", "admiN", ADMIN] {
        assert_eq!(guess(name).await, "throttled", "{name:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_name_read_the_same() {
    let house = House::new().await;
    let try_it = async |name: &str, password: &str| {
        let head = request("POST", "/api/v1/login");
        let answer = house.send(json(head, &json!({ "username": name, "password": password }))).await;
        (answer.status, answer.json()["detail"].clone(), answer.headers.contains_key("set-cookie"))
    };
    let (wrong_password, wrong_name) = (try_it(ADMIN, "wrong").await, try_it("nobody", PASSWORD).await);
    assert_eq!(wrong_password, wrong_name);
    assert_eq!((wrong_name.0, wrong_name.2), (StatusCode::UNAUTHORIZED, false));
}

#[tokio::test]
async fn odd_methods_and_paths_find_nothing() {
    let house = House::new().await;
    let key = house.key(&Role::ALL).await;
    for (method, path, status) in [
        ("TRACE", KEYS, 405),
        ("CONNECT", "localhost:4000", 405),
        ("BREW", KEYS, 405),
        ("PUT", KEYS, 405),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/../../etc/passwd", 404),
        ("GET", "/api/v1/%2e%2e/x", 404),
        ("GET", "/api/v1/csrs/..%2fx", 404),
        ("GET", "//api/v1/csrs", 404),
        ("GET", "/api/v1/csrs/%00", 404),
        ("GET", "/api/v1/csrs/ABC", 404),
        ("GET", "/api/v1/csrs/%ff", 404),
        ("GET", "/api/v1/certificates/00", 404),
    ] {
        let answer =
            house.send(request(method, path).header(AUTHORIZATION, &key).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
    }
    let long = format!("/api/v1/csrs/{}", "a".repeat(9_000));
    assert_eq!(house.call("GET", &long, &key, json!(null)).await.status, StatusCode::NOT_FOUND);
    let answer = house.call("PUT", KEYS, &key, json!(null)).await;
    assert_eq!(answer.code(), "method_not_allowed");
    assert_eq!(house.call("GET", "/api/v1/csrs?limt=1", &key, json!(null)).await.code(), "input.query");
}

#[tokio::test]
async fn every_answer_has_the_headers() {
    let house = House::new().await;
    for path in ["/api/v1/openapi.json", "/api/v1/user", "/api/v1/nothing", "/nothing"] {
        let answer = house.send(request("GET", path).body(Body::empty()).unwrap()).await;
        let csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                   form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'";
        assert_eq!(answer.header("content-security-policy"), csp, "{path}");
        assert_eq!(answer.header("x-road-ui-correlation-id").len(), 16);
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    }
}

#[tokio::test]
async fn pages_send_strangers_to_the_log_in() {
    let house = House::new().await;
    let answer = house.send(request("GET", "/keys?q=a").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/login?next=/keys%3Fq%3Da"));
}

#[tokio::test]
async fn too_many_requests_from_one_address_wait() {
    let house = House::new().await;
    let ask = async || {
        let mut request = request("GET", "/api/v1/user").body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer(SocketAddr::from(([192, 0, 2, 7], 1))));
        house.send(request).await
    };
    for _ in 0..20 {
        assert_eq!(ask().await.status, StatusCode::UNAUTHORIZED);
    }
    let refused = ask().await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "too_many_requests"));
    assert_eq!(refused.header("retry-after"), "1");
    house.clock.advance(1_000);
    assert_eq!(ask().await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn forms_from_one_address_wait_too_and_pages_do_not() {
    let house = House::new().await;
    let send = async |method: &str, path: &str| {
        let head = request(method, path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let mut request = head.body(Body::from("name=nobody&password=guess&code=")).unwrap();
        request.extensions_mut().insert(Peer(SocketAddr::from(([192, 0, 2, 7], 1))));
        house.send(request).await
    };
    for path in ["/login", "/setup/code", "/setup", "/keys/new"].into_iter().cycle().take(20) {
        assert_ne!(send("POST", path).await.status, StatusCode::TOO_MANY_REQUESTS);
    }
    for path in ["/login", "/setup/code", "/setup", "/keys/new", "/api/v1/login"] {
        let refused = send("POST", path).await;
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "1"), "{path}");
        let kind =
            if path.starts_with("/api") { "application/problem+json" } else { "text/html; charset=utf-8" };
        assert_eq!(refused.header("content-type"), kind, "{path}");
    }
    assert_eq!(send("GET", "/login").await.status, StatusCode::OK);
    house.clock.advance(1_000);
    assert_ne!(send("POST", "/login").await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn who_guesses_passwords_is_told_when_to_come_again() {
    let house = House::new().await;
    let guess = async || {
        let body = json!({ "username": ADMIN, "password": "wrong" });
        house.send(json(request("POST", "/api/v1/login"), &body)).await
    };
    let mut refused = guess().await;
    for _ in 0..20 {
        if refused.status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        refused = guess().await;
    }
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "throttled"));
    let seconds: i64 = refused.header("retry-after").parse().unwrap();
    assert!(seconds > 0);
    house.clock.advance(seconds * 1_000);
    assert_eq!(guess().await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_action_goes_on_when_its_caller_hangs_up() {
    let house = House::new().await;
    let key = house.key(&Role::ALL).await;
    let mut begun = json(request("POST", KEYS).header(AUTHORIZATION, &key), &json!({ "label": "begun" }));
    begun.extensions_mut().insert(Peer(SocketAddr::from(([127, 0, 0, 1], 50_000))));
    let mut answer = Box::pin(house.router.clone().oneshot(begun));
    assert!(futures_util::FutureExt::now_or_never(answer.as_mut()).is_none());
    drop(answer);
    let is_made = async || {
        let keys = house.call("GET", KEYS, &key, json!(null)).await.json();
        keys["items"].as_array().unwrap().iter().any(|held| held["label"] == "begun")
    };
    let made = tokio::time::timeout(std::time::Duration::from_secs(30), async { while !is_made().await {} });
    made.await.expect("the key is made");
    assert_eq!(house.events(1).await[0].0, "key.generate");
}

#[tokio::test]
async fn who_cannot_read_json_is_told_so_before_anything_is_done() {
    let house = House::new().await;
    let key = house.key(&Role::ALL).await;
    let ask = async |method: &str, path: &str, accept: &str| {
        let head = request(method, path).header(AUTHORIZATION, &key).header("accept", accept);
        let body = if method == "GET" { json!(null) } else { json!({ "label": "a" }) };
        house.send(json(head, &body)).await
    };
    for (method, path, accept, status) in [
        ("GET", KEYS, "image/png", 406),
        ("GET", KEYS, "image/png, */*;q=0.1", 200),
        ("GET", KEYS, "application/*", 200),
        ("POST", KEYS, "image/png", 406),
        ("POST", KEYS, "application/json", 201),
        ("GET", "/api/v1/openapi.json", "image/png", 200),
    ] {
        let answer = ask(method, path, accept).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {accept}");
        assert!(status != 406 || answer.code() == "request.accept");
    }
    assert_eq!(
        house
            .send(request("GET", KEYS).header("accept", "image/png").body(Body::empty()).unwrap())
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_secret_of_the_wrong_type_is_not_sent_back() {
    let house = House::new().await;
    let key = house.key(&Role::ALL).await;
    for (path, body, field) in [
        ("/api/v1/login", json!({ "username": "a", "password": 987_654 }), "password"),
        ("/api/v1/user/password", json!({ "old_password": [987_654], "new_password": "a" }), "old_password"),
        ("/api/v1/tokens/soft/login", json!({ "password": { "987654": 987_654 } }), "password"),
    ] {
        let method = if path.ends_with("user/password") || path.contains("tokens") { "PUT" } else { "POST" };
        let answer = house.call(method, path, &key, body).await;
        let said = answer.json()["detail"].to_string();
        assert_eq!(answer.code(), "input.field", "{path} {said}");
        assert!(said.contains(&format!("{field}: expected a string")) && !said.contains("987"), "{said}");
    }
}

#[tokio::test]
async fn the_same_request_twice_is_done_once() {
    let house = House::new().await;
    let key = house.key(&Role::ALL).await;
    let post = async |path: &str, name: &str, body: serde_json::Value| {
        let head = request("POST", path).header(AUTHORIZATION, &key).header("idempotency-key", name);
        house.send(json(head, &body)).await
    };
    let first = post(KEYS, "one", json!({ "label": "a" })).await;
    let again = post(KEYS, "one", json!({ "label": "a" })).await;
    assert_eq!((first.status, &first.bytes), (StatusCode::CREATED, &again.bytes));
    assert_eq!((again.status, again.header("location")), (StatusCode::CREATED, first.header("location")));
    assert_eq!(again.header("content-type"), "application/json");
    let other = post(KEYS, "one", json!({ "label": "b" })).await;
    assert_eq!((other.status.as_u16(), other.code().as_str()), (422, "idempotency.mismatch"));
    let keys = house.call("GET", KEYS, &key, json!(null)).await.json();
    let labels = keys["items"].as_array().unwrap().iter().filter(|held| held["label"] == "a").count();
    assert_eq!(labels, 1);
    // A refusal is not remembered: it may be mended and tried again under the same key.
    assert_eq!(post(KEYS, "two", json!({ "label": "a" })).await.status, StatusCode::CONFLICT);
    assert_eq!(post(KEYS, "two", json!({ "label": "c" })).await.status, StatusCode::CREATED);
    // An answer that showed a secret is not kept.
    let made = post("/api/v1/api-keys", "three", json!(["XROAD_SECURITYSERVER_OBSERVER"])).await;
    assert_eq!(made.status, StatusCode::OK);
    let again = post("/api/v1/api-keys", "three", json!(["XROAD_SECURITYSERVER_OBSERVER"])).await;
    assert_eq!(again.code(), "idempotency.shown_once");
}

#[tokio::test]
async fn the_api_keys_of_who_is_disabled_rest_until_he_is_not() {
    let house = House::new().await;
    let key = house.key(&Role::ALL).await;
    let password = "makes a key and leaves";
    let wanted = json!({ "name": "mallory", "password": password, "roles": Role::ALL.map(Role::name) });
    let made = house.call("POST", "/api/v1/users", &key, wanted).await.json();
    let user = format!("/api/v1/users/{}", made["id"].as_str().unwrap());
    let mallory = house.log_in_as("mallory", password).await;
    let wanted =
        json(mallory.request("POST", "/api/v1/api-keys", &mallory.csrf), &json!(["XROAD_SECURITY_OFFICER"]));
    let kept = house.send(wanted).await.json();
    let kept = format!("X-Road-ApiKey token={}", kept["key"].as_str().unwrap());
    let look = async || house.call("GET", "/api/v1/user", &kept, json!(null)).await.status;
    assert_eq!(look().await, StatusCode::OK);
    for (disabled, status) in [(true, StatusCode::UNAUTHORIZED), (false, StatusCode::OK)] {
        let change = json!({ "disabled": disabled });
        assert_eq!(house.call("PATCH", &user, &key, change).await.status, StatusCode::OK);
        assert_eq!(look().await, status, "disabled: {disabled}");
    }
}
