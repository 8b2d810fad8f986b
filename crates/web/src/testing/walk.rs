//! Walks every route of the table: nobody gets in, each role gets where the documents say, every change is recorded.

use std::collections::BTreeSet;

use axum::body::Body;
use domain::Role;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use tower::ServiceExt;

use super::*;
use crate::routes::{Kind, Row, all};

/// Written by hand from `XROAD.md` 1.8 and DESIGN section 7, not from the code: who may come. S security officer,
/// Y system administrator, R registration officer, V service administrator, O observer; `*` strangers too.
const EXPECTED: &str = "
GET    /api/v1/openapi.json                    *
GET    /api/v1/docs                            *
POST   /api/v1/login                           *
POST   /api/v1/logout                          SYRVO
GET    /api/v1/user                            SYRVO
PUT    /api/v1/user/password                   SYRVO
GET    /api/v1/tokens                          SYRO
GET    /api/v1/tokens/{id}                     SYRO
PATCH  /api/v1/tokens/{id}                     SYR
PUT    /api/v1/tokens/{id}/login               SY
PUT    /api/v1/tokens/{id}/logout              SY
GET    /api/v1/tokens/{id}/logout-effects      SY
PUT    /api/v1/tokens/{id}/pin                 Y
PUT    /api/v1/tokens/{id}/unlock              S
GET    /api/v1/api-keys                        YO
POST   /api/v1/api-keys                        Y
GET    /api/v1/api-keys/{id}                   YO
PUT    /api/v1/api-keys/{id}                   Y
DELETE /api/v1/api-keys/{id}                   Y
GET    /api/v1/private-keys                    SYRO
POST   /api/v1/private-keys                    SYV
GET    /api/v1/private-keys/{id}               SYRO
PATCH  /api/v1/private-keys/{id}               SYV
DELETE /api/v1/private-keys/{id}               SYV
POST   /api/v1/private-keys/{id}/restore       S
POST   /api/v1/private-keys/{id}/export        S
GET    /api/v1/csrs                            SYRVO
POST   /api/v1/csrs                            SYV
GET    /api/v1/csrs/{id}                       SYRVO
GET    /api/v1/csrs/{id}/file                  SYRVO
DELETE /api/v1/csrs/{id}                       SYV
GET    /api/v1/certificates                    SYRVO
POST   /api/v1/certificates                    SYV
POST   /api/v1/certificates/preview            SYV
POST   /api/v1/certificates/self-signed        SYV
POST   /api/v1/certificates/export             SYV
GET    /api/v1/certificates/{hash}             SYRVO
GET    /api/v1/certificates/{hash}/file        SYV
POST   /api/v1/certificates/{hash}/export      S
PATCH  /api/v1/certificates/{hash}             SYV
DELETE /api/v1/certificates/{hash}             SYV
PUT    /api/v1/certificates/{hash}/default     SYV
PUT    /api/v1/certificates/{hash}/activate    SYV
POST   /api/v1/certificates/{hash}/complete    SYV
POST   /api/v1/certificates/{hash}/lineage     SYV
GET    /api/v1/lineages                        SYRVO
POST   /api/v1/lineages                        SYV
GET    /api/v1/lineages/{id}                   SYRVO
PATCH  /api/v1/lineages/{id}                   SYV
DELETE /api/v1/lineages/{id}                   SYV
POST   /api/v1/lineages/{id}/renew             SYV
POST   /api/v1/lineages/{id}/rekey             SYV
GET    /api/v1/target-kinds                    SYRVO
GET    /api/v1/targets                         SYRVO
POST   /api/v1/targets                         Y
GET    /api/v1/targets/{id}                    SYRVO
PATCH  /api/v1/targets/{id}                    Y
DELETE /api/v1/targets/{id}                    Y
POST   /api/v1/targets/{id}/deployments        SYV
GET    /api/v1/jobs                            SYRVO
GET    /api/v1/jobs/events                     SYRVO
GET    /api/v1/jobs/{id}                       SYRVO
GET    /api/v1/jobs/{id}/events                SYRVO
GET    /api/v1/issuers                         SYRVO
POST   /api/v1/issuers                         S
GET    /api/v1/issuers/{id}                    SYRVO
PATCH  /api/v1/issuers/{id}                    S
GET    /api/v1/profiles                        SYRVO
GET    /api/v1/users                           Y
POST   /api/v1/users                           Y
GET    /api/v1/users/{id}                      Y
PATCH  /api/v1/users/{id}                      Y
GET    /api/v1/audit-events                    SO
GET    /api/v1/audit-events/verification       SO
GET    /api/v1/settings                        Y
PUT    /api/v1/settings/identity               Y
GET    /api/v1/overview                        SYRVO
GET    /api/v1/support/bundle                  SYV
POST   /api/v1/support/check                   SYV
";

/// The pages, from the same documents: methods, address, who may come.
const EXPECTED_PAGES: &str = "
GET      /assets/{name}                         *
GET,POST /login                                 *
GET,POST /setup                                 *
POST     /setup/code                            *
POST     /logout                                SYRVO
GET,POST /password                              SYRVO
GET      /                                      SYRVO
GET      /keys                                  SYRO
GET,POST /tokens/{id}/log-in                    SY
GET,POST /tokens/{id}/log-out                   SY
GET,POST /tokens/{id}/pin                       Y
GET,POST /tokens/{id}/unlock                    S
GET,POST /tokens/{id}/name                      SYR
GET,POST /keys/new                              SYV
GET      /keys/{id}                             SYRO
POST     /keys/{id}                             SYV
GET      /keys/{id}/delete                      SY
POST     /keys/{id}/delete                      SYV
POST     /keys/{id}/restore                     S
GET,POST /certificates                          SYRVO
GET,POST /certificates/new                      SYV
GET,POST /certificates/import                   SYV
GET,POST /certificates/import/{id}              SYV
GET,POST /certificates/remove                   SYV
GET,POST /certificates/export                   SYV
GET      /certificates/{id}                     SYRVO
GET,POST /certificates/{id}/export              SYV
GET      /certificates/{id}/certificate.pem     SYV
GET      /certificates/{id}/certificate.cer     SYV
POST     /certificates/{id}/name                SYV
POST     /certificates/{id}/default             SYV
POST     /certificates/{id}/activate            SYV
POST     /certificates/{id}/complete            SYV
GET,POST /certificates/{id}/adopt               SYV
GET      /csrs                                  SYRVO
GET      /csrs/{id}                             SYRVO
GET      /csrs/{id}/request.pem                 SYRVO
GET      /csrs/{id}/request.der                 SYRVO
POST     /csrs/{id}/answer                      SYV
GET,POST /csrs/{id}/withdraw                    SYV
GET      /lineages                              SYRVO
GET,POST /lineages/new                          SYV
GET      /lineages/{id}                         SYRVO
GET,POST /lineages/{id}/edit                    SYV
POST     /lineages/{id}/renew                   SYV
POST     /lineages/{id}/rekey                   SYV
GET,POST /lineages/{id}/retire                  SYV
GET      /jobs/{id}                             SYRVO
GET      /issuers                               SYRVO
GET,POST /issuers/new                           S
GET,POST /issuers/{id}/withdraw                 S
POST     /issuers/{id}/take-up                  S
GET      /targets                               SYRVO
GET,POST /targets/new                           Y
GET      /targets/{id}                          SYRVO
GET,POST /targets/{id}/edit                     Y
GET,POST /targets/{id}/remove                   Y
POST     /targets/{id}/deploy                   SYV
GET      /users                                 Y
POST     /users                                 Y
GET,POST /users/{id}                            Y
GET      /api-keys                              YO
POST     /api-keys                              Y
GET,POST /api-keys/{id}                         Y
GET,POST /api-keys/{id}/revoke                  Y
GET      /audit                                 SO
POST     /audit/verify                          SO
GET      /support                               SYV
GET      /support/bundle.zip                    SYV
POST     /support/check                         SYV
GET      /settings                              Y
POST     /settings                              Y
";

const LETTERS: [(char, Role); 5] = [
    ('S', Role::SecurityOfficer),
    ('Y', Role::SystemAdministrator),
    ('R', Role::RegistrationOfficer),
    ('V', Role::ServiceAdministrator),
    ('O', Role::Observer),
];

/// Method, address, who may come.
fn rows(table: &'static str) -> Vec<(&'static str, &'static str, &'static str)> {
    let rows = table.lines().filter(|line| !line.is_empty()).flat_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words[0].split(',').map(move |method| (method, words[1], words[2])).collect::<Vec<_>>()
    });
    rows.collect()
}

fn expected() -> Vec<(&'static str, &'static str, &'static str)> {
    rows(EXPECTED)
}

/// Every parameter as an id that could be, but is not.
fn address(path: &str) -> String {
    let id = match path.split('/').nth(3) {
        Some("tokens") => "0",
        Some("private-keys") => "0000000000000000000000000000000000000000000000000000000000000000",
        _ if path.starts_with("/tokens/") => "0",
        _ if path.starts_with("/keys/") || path.starts_with("/certificates/") => {
            "0000000000000000000000000000000000000000000000000000000000000000"
        }
        _ => "not-there",
    };
    path.replace("{hash}", &"0".repeat(64)).replace("{id}", id)
}

/// Only the head is looked at: streams of events never end.
async fn status(house: &House, method: &str, path: &str, key: &str) -> StatusCode {
    let mut head = request(method, &address(path)).header(CONTENT_TYPE, "application/json");
    if !key.is_empty() {
        head = head.header(AUTHORIZATION, key);
    }
    let mut request: Request<Body> = head.body(Body::from("{}")).unwrap();
    request.extensions_mut().insert(Peer(SocketAddr::from(([127, 0, 0, 1], 50_000))));
    house.router.clone().oneshot(request).await.unwrap().status()
}

#[test]
fn the_tables_of_the_documents_name_every_route() {
    let routes = all();
    let said = |row: &Row| format!("{} {}", row.method(), row.path());
    for (kind, table) in [(Kind::Api, EXPECTED), (Kind::Page, EXPECTED_PAGES)] {
        let there: BTreeSet<String> =
            routes.rows().iter().filter(|row| row.kind() == kind).map(said).collect();
        let expected = rows(table).into_iter().map(|(method, path, _)| format!("{method} {path}"));
        let expected: BTreeSet<String> = expected.collect();
        let (more, less): (Vec<_>, Vec<_>) =
            (there.difference(&expected).collect(), expected.difference(&there).collect());
        assert!(
            more.is_empty() && less.is_empty(),
            "not in the documents: {more:?}; not in the code: {less:?}"
        );
    }
}

#[tokio::test]
async fn nobody_gets_in() {
    let house = House::new().await;
    let before = house.event_count().await;
    for (method, path, who) in expected().into_iter().filter(|(_, _, who)| *who != "*") {
        let status = status(&house, method, path, "").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path} {who}");
        let wrong = self::status(&house, method, path, "Bearer clv_abc_def").await;
        assert_eq!(wrong, StatusCode::UNAUTHORIZED, "{method} {path} with a wrong key");
    }
    assert_eq!(house.event_count().await, before, "a stranger makes us write");
}

#[tokio::test]
async fn each_role_gets_where_the_documents_say_and_every_try_to_change_is_recorded_once() {
    let house = House::new().await;
    for (letter, role) in LETTERS {
        let key = house.key(&[role]).await;
        // Using a key for the first time in a minute is noted, but is no event.
        for (method, path, who) in expected().into_iter().filter(|(_, _, who)| *who != "*") {
            let before = house.event_count().await;
            let status = status(&house, method, path, &key).await;
            let events = house.event_count().await - before;
            let name = format!("{role:?} {method} {path}: {status}");
            assert_eq!(status == StatusCode::FORBIDDEN, !who.contains(letter), "{name}");
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{name}");
            assert!(!status.is_server_error(), "{name}");
            // Logging out without a session does nothing.
            let is_change = method != "GET" && path != "/api/v1/logout";
            let is_refused = !who.contains(letter);
            assert_eq!(events, i64::from(is_change || is_refused), "{name}");
        }
    }
}

#[tokio::test]
async fn each_role_sees_the_pages_that_the_documents_say() {
    let house = House::new().await;
    let mut wrong = Vec::new();
    for (letter, role) in LETTERS {
        let key = house.key(&[role]).await;
        for (method, path, who) in rows(EXPECTED_PAGES).into_iter().filter(|(_, _, who)| *who != "*") {
            let before = house.event_count().await;
            let status = status(&house, method, path, &key).await;
            let events = house.event_count().await - before;
            let name = format!("{role:?} {method} {path}: {status}");
            let is_refused = status == StatusCode::FORBIDDEN;
            if is_refused == who.contains(letter) || status.is_server_error() || (is_refused && events != 1) {
                wrong.push(format!("{name}, {events} events"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn pages_ask_strangers_to_log_in_and_forms_need_their_token() {
    let house = House::new().await;
    let browser = house.log_in().await;
    let routes = all();
    let rows = routes.rows().iter().filter(|row| row.kind() == Kind::Page && row.permission().is_some());
    for row in rows {
        let path = address(row.path());
        let name = format!("{} {path}", row.method());
        let stranger = house.send(request(row.method().as_str(), &path).body(Body::empty()).unwrap()).await;
        assert_eq!(stranger.status, StatusCode::SEE_OTHER, "{name}");
        if *row.method() == Method::GET {
            continue;
        }
        for (kind, body) in [
            ("application/x-www-form-urlencoded", "a=b"),
            ("application/x-www-form-urlencoded", "_csrf=00"),
            ("multipart/form-data; boundary=X", "--X--\r\n"),
            ("text/plain", "a=b"),
        ] {
            let head = browser.request(row.method().as_str(), &path, "").header(CONTENT_TYPE, kind);
            let forged = house.send(head.body(Body::from(body)).unwrap()).await;
            let refused = [StatusCode::FORBIDDEN, StatusCode::UNSUPPORTED_MEDIA_TYPE, StatusCode::NOT_FOUND];
            assert!(refused.contains(&forged.status), "{name} {kind}: {}", forged.status);
        }
    }
}
