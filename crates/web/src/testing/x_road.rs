//! X-Road's conformance cases that are due now (`XROAD.md` section 9, 1 and 2: tokens and PIN).

use app::testing::PIN;
use domain::Role;
use http::StatusCode;
use serde_json::{Value, json};

use super::*;

const TOKEN: &str = "/api/v1/tokens/0";

async fn officer(house: &House) -> String {
    house.key(&[Role::SecurityOfficer, Role::SystemAdministrator]).await
}

async fn log_in(house: &House, key: &str, pin: &str) -> Answer {
    house.call("PUT", "/api/v1/tokens/0/login", key, json!({ "password": pin })).await
}

fn actions(token: &Value) -> Vec<&str> {
    token["possible_actions"].as_array().unwrap().iter().map(|action| action.as_str().unwrap()).collect()
}

#[tokio::test]
async fn case_1_only_the_roles_of_the_table_touch_tokens() {
    let house = House::new().await;
    for (role, list, log_in, pin) in [
        (Role::SecurityOfficer, 200, 400, 403),
        (Role::SystemAdministrator, 200, 400, 409),
        (Role::RegistrationOfficer, 200, 403, 403),
        (Role::ServiceAdministrator, 403, 403, 403),
        (Role::Observer, 200, 403, 403),
    ] {
        let key = house.key(&[role]).await;
        assert_eq!(
            house.call("GET", "/api/v1/tokens", &key, json!(null)).await.status.as_u16(),
            list,
            "{role:?}"
        );
        assert_eq!(self::log_in(&house, &key, "").await.status.as_u16(), log_in, "{role:?}");
        let pins = json!({ "old_pin": PIN, "new_pin": "Another5678" });
        assert_eq!(
            house.call("PUT", "/api/v1/tokens/0/pin", &key, pins).await.status.as_u16(),
            pin,
            "{role:?}"
        );
    }
}

#[tokio::test]
async fn tokens_look_as_x_road_shows_them() {
    let house = House::new().await;
    let key = officer(&house).await;
    let tokens = house.call("GET", "/api/v1/tokens", &key, json!(null)).await.json();
    let expected = json!([{
        "id": "0", "name": "softToken-0", "type": "SOFTWARE", "keys": [], "status": "OK", "logged_in": false,
        "available": true, "saved_to_configuration": false, "read_only": false, "token_infos": [],
        "possible_actions": ["LOGIN"],
    }]);
    assert_eq!(tokens, expected);
    // Not only left out of the answer: the keys of `system` may be very many, and are not read for it.
    let see = house.fixture.may(domain::permission::uses::ViewKeys).unwrap();
    let read = app::token::list(&house.fixture.app, &see).await.unwrap();
    assert_eq!(read.iter().map(|view| view.token.id.as_str()).collect::<Vec<_>>(), ["0"]);
    for path in ["/api/v1/tokens/system", "/api/v1/tokens/7", "/api/v1/tokens/No"] {
        let answer = house.call("GET", path, &key, json!(null)).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::NOT_FOUND, "token_not_found"),
            "{path}"
        );
    }
    let named = house.call("PATCH", TOKEN, &key, json!({ "name": "mine" })).await;
    assert_eq!((named.status.as_u16(), named.code().as_str()), (409, "action_not_possible"));
}

#[tokio::test]
async fn tls_keys_are_not_x_roads_business() {
    let house = House::new().await;
    let key = officer(&house).await;
    house.fixture.log_in_to_token().await.unwrap();
    let made =
        house.call("POST", "/api/v1/private-keys", &key, json!({ "label": "tls", "token": "0" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
    assert_eq!(house.call("GET", TOKEN, &key, json!(null)).await.json()["keys"], json!([]));
    assert_eq!(
        house.call("GET", "/api/v1/private-keys?token=0", &key, json!(null)).await.json()["items"][0]["label"],
        "tls"
    );
}

#[tokio::test]
async fn case_2_log_in_by_pin() {
    let house = House::new().await;
    let key = officer(&house).await;
    let empty = log_in(&house, &key, "").await;
    assert_eq!((empty.status.as_u16(), empty.code().as_str()), (400, "missing_token_password"));
    let wrong = log_in(&house, &key, "Wrong12345").await;
    assert_eq!((wrong.status.as_u16(), wrong.code().as_str()), (400, "pin_incorrect"));
    let (action, outcome, code) = house.events(1).await.remove(0);
    assert_eq!(
        (action.as_str(), outcome.as_str(), code.as_str()),
        ("token.log_in", "refused", "pin_incorrect")
    );
    let token = house.call("GET", TOKEN, &key, json!(null)).await.json();
    assert_eq!((&token["status"], &token["logged_in"]), (&json!("USER_PIN_INCORRECT"), &json!(false)));
    // Ours waits a second after a wrong PIN; X-Road's clients take that for any other refusal.
    assert_eq!(log_in(&house, &key, PIN).await.status, StatusCode::TOO_MANY_REQUESTS);
    house.clock.advance(1_000);
    let right = log_in(&house, &key, &format!(" {PIN}\n")).await;
    assert_eq!(right.status, StatusCode::OK, "{}", right.json());
    let token = right.json();
    assert_eq!((&token["status"], &token["logged_in"]), (&json!("OK"), &json!(true)));
    assert_eq!(actions(&token), ["LOGOUT", "GENERATE_KEY", "TOKEN_CHANGE_PIN"]);
    let again = log_in(&house, &key, PIN).await;
    assert_eq!((again.status.as_u16(), again.code().as_str()), (409, "action_not_possible"));
    let out = house.call("PUT", "/api/v1/tokens/0/logout", &key, json!(null)).await;
    assert_eq!((out.status.as_u16(), &out.json()["logged_in"]), (200, &json!(false)));
    let twice = house.call("PUT", "/api/v1/tokens/0/logout", &key, json!(null)).await;
    assert_eq!((twice.status.as_u16(), twice.code().as_str()), (409, "action_not_possible"));
}

#[tokio::test]
async fn case_2_change_of_pin() {
    let house = House::new().await;
    let key = officer(&house).await;
    assert_eq!(log_in(&house, &key, PIN).await.status, StatusCode::OK);
    let change = async |old: &str, new: &str| {
        house.call("PUT", "/api/v1/tokens/0/pin", &key, json!({ "old_pin": old, "new_pin": new })).await
    };
    let weak = change(PIN, "short1").await;
    assert_eq!((weak.status.as_u16(), weak.code().as_str()), (400, "token_weak_pin"));
    let policy = json!(["pin_min_length", "10", "pin_min_char_classes_count", "3"]);
    assert_eq!(weak.json()["error"]["metadata"], policy);
    let odd = change(PIN, "Sécret12345").await;
    assert_eq!((odd.status.as_u16(), odd.code().as_str()), (400, "invalid_characters_pin"));
    assert!(odd.json()["error"].get("metadata").is_none());
    let wrong = change("Wrong12345", "Another5678").await;
    assert_eq!((wrong.status.as_u16(), wrong.code().as_str()), (400, "pin_incorrect"));
    house.clock.advance(1_000);
    let changed = change(PIN, "Another5678").await;
    assert_eq!((changed.status.as_u16(), changed.bytes.len()), (204, 0));
    assert_eq!(house.call("GET", TOKEN, &key, json!(null)).await.json()["logged_in"], false);
    assert_eq!(log_in(&house, &key, PIN).await.code(), "pin_incorrect");
    house.clock.advance(1_000);
    assert_eq!(log_in(&house, &key, "Another5678").await.status, StatusCode::OK);
    let out = change("Another5678", "x").await;
    assert_eq!(out.code(), "token_weak_pin");
}

#[tokio::test]
async fn api_keys_are_made_from_an_array_of_roles_and_answered_once() {
    let house = House::new().await;
    let admin = house.log_in().await;
    let roles = json!(["XROAD_SYSTEM_ADMINISTRATOR", "XROAD_SECURITYSERVER_OBSERVER"]);
    let made = house.send(super::json(admin.request("POST", "/api/v1/api-keys", &admin.csrf), &roles)).await;
    assert_eq!(made.status, StatusCode::OK);
    let made = made.json();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(key.starts_with(&format!("clv_{id}_")) && made["roles"].as_array().unwrap().len() == 2);
    for header in [
        format!("X-Road-ApiKey token={key}"),
        format!("x-road-apikey token= {key} "),
        format!("Bearer {key}"),
    ] {
        let user = house.call("GET", "/api/v1/user", &header, json!(null)).await.json();
        assert_eq!(user["username"], format!("api-key-{id}"), "{header}");
    }
    let shown =
        house.call("GET", &format!("/api/v1/api-keys/{id}"), &format!("Bearer {key}"), json!(null)).await;
    assert!(shown.status.is_success() && shown.json().get("key").is_none());
    for bad in [json!([]), json!(["XROAD_KING"])] {
        let refused = house.call("POST", "/api/v1/api-keys", &format!("Bearer {key}"), bad).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "invalid_role"));
    }
    let more = house
        .call("POST", "/api/v1/api-keys", &format!("Bearer {key}"), json!(["XROAD_SECURITY_OFFICER"]))
        .await;
    assert_eq!(more.status, StatusCode::FORBIDDEN, "nobody gives what he does not hold");
    let gone =
        house.call("DELETE", &format!("/api/v1/api-keys/{id}"), &format!("Bearer {key}"), json!(null)).await;
    assert_eq!((gone.status.as_u16(), gone.bytes.len()), (200, 0));
    assert_eq!(
        house.call("GET", "/api/v1/user", &format!("Bearer {key}"), json!(null)).await.status.as_u16(),
        401
    );
}

#[tokio::test]
async fn http_basic_counts_for_api_keys_only_and_from_this_machine_only() {
    let house = House::new().await;
    // "admin:correct horse battery"
    let basic = "Basic YWRtaW46Y29ycmVjdCBob3JzZSBiYXR0ZXJ5";
    assert_eq!(house.call("GET", "/api/v1/api-keys", basic, json!(null)).await.status.as_u16(), 200);
    assert_eq!(house.call("GET", "/api/v1/tokens", basic, json!(null)).await.status.as_u16(), 401);
    let wrong = "Basic YWRtaW46d3Jvbmc=";
    assert_eq!(house.call("GET", "/api/v1/api-keys", wrong, json!(null)).await.status.as_u16(), 401);
    let head = request("GET", "/api/v1/api-keys").header(AUTHORIZATION, basic);
    let mut far = super::json(head, &json!(null));
    far.extensions_mut().insert(Peer(SocketAddr::from(([192, 0, 2, 1], 1))));
    assert_eq!(house.send(far).await.status.as_u16(), 401);
}

#[tokio::test]
async fn user_says_name_roles_and_permissions() {
    let house = House::new().await;
    let key = house.key(&[Role::ServiceAdministrator]).await;
    let user = house.call("GET", "/api/v1/user", &key, json!(null)).await.json();
    assert_eq!(user["roles"], json!(["XROAD_SERVICE_ADMINISTRATOR"]));
    let permissions = user["permissions"].as_array().unwrap();
    assert!(
        permissions.contains(&json!("MANAGE_TLS_CERTIFICATES")) && !permissions.contains(&json!("VIEW_KEYS"))
    );
}
