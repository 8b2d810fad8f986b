//! The first start: `init` as it is promised, the setup link in a browser's way, and what a server refuses to start on.

mod common;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use common::{
    ADMIN, Api, PASSWORD, PIN, Place, Server, claviger, mode, plain_get, refuse, shown_leaf, succeed,
    wait_for,
};
use serde_json::json;

#[test]
fn init_does_all_of_it_and_only_once() {
    let place = Place::new();
    place.init();
    for file in ["api-key", "recovery", "data/instance.key", "data/claviger.db", "data/recovery.sealed"] {
        assert_eq!(mode(&place.file(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&place.data()), 0o700);
    assert!(place.api_key().starts_with("clv_"));
    let recovery = std::fs::read_to_string(place.file("recovery")).unwrap();
    let said = refuse(&mut place.init_command());
    assert!(said.contains("finished before"), "{said}");
    assert_eq!(std::fs::read_to_string(place.file("recovery")).unwrap(), recovery);

    let server = Server::start(&place);
    assert!(!server.said().contains("/setup#"), "{}", server.said());
    let api = Api::new(&server, &place);
    let roles = api.get("/user")["roles"].as_array().unwrap().len();
    assert_eq!(roles, 5);
    assert_eq!(api.get("/tokens/0")["logged_in"], json!(false));
    let (status, _) = api.ask("PUT", "/tokens/0/login", Some(json!({ "password": PIN })));
    assert_eq!(status, 200);
    server.stop();
}

#[test]
fn init_says_everything_that_is_wrong_at_once_and_leaves_no_installation() {
    let place = Place::new();
    let mut command = claviger();
    command.arg("init").arg("--data").arg(place.data()).args(["--admin", "not a name"]);
    command.arg("--password-file").arg(place.secret("short", "short"));
    command.arg("--pin-file").arg(place.secret("weak", "1234"));
    let said = refuse(&mut command);
    assert!(["admin_name", "admin_password", "pin"].iter().all(|field| said.contains(field)), "{said}");
    place.init();
}

#[test]
fn a_file_with_a_password_loses_only_the_end_of_its_line() {
    let (place, typed) = (Place::new(), " correct horse battery ");
    let mut command = claviger();
    command.arg("init").arg("--data").arg(place.data()).args(["--admin", ADMIN]);
    command.arg("--password-file").arg(place.secret("blanks", &format!("{typed}\r\n")));
    command.arg("--pin-file").arg(place.secret("pin-with-blanks", &format!(" {PIN} \n")));
    command.arg("--api-key-file").arg(place.file("api-key"));
    succeed(command.arg("--recovery-file").arg(place.file("recovery")));
    let server = Server::start(&place);
    let (client, runtime) = (server.client(), tokio::runtime::Runtime::new().unwrap());
    let log_in = |password: &str| {
        let request = client.post(server.url("/api/v1/login")).header("Content-Type", "application/json");
        let request = request.body(json!({ "username": ADMIN, "password": password }).to_string());
        runtime.block_on(async { request.send().await.unwrap().status().as_u16() })
    };
    assert_eq!((log_in(typed.trim()), log_in(typed)), (401, 200));
    let (status, _) =
        Api::new(&server, &place).ask("PUT", "/tokens/0/login", Some(json!({ "password": PIN })));
    assert_eq!(status, 200);
    server.stop();
}

#[test]
fn the_setup_link_leads_to_a_log_in() {
    let place = Place::new();
    let server = Server::start(&place);
    let link = server.wait_until_said("/setup#");
    let code = link.rsplit_once('#').unwrap().1.trim().to_owned();
    assert!(link.contains(&server.url("/setup#")), "{link}");
    let client = server.client();
    let before = shown_leaf(server.addresses.ui, "localhost").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let post = |path: &str, form: Vec<(&str, &str)>| {
        let body = form
            .iter()
            .map(|(name, value)| format!("{name}={}", value.replace(' ', "+")))
            .collect::<Vec<_>>();
        let request = client.post(server.url(path)).body(body.join("&"));
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        runtime.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    };
    let form = |code| {
        vec![
            ("code", code),
            ("admin_name", ADMIN),
            ("admin_password", PASSWORD),
            ("environment", "test"),
            ("instance", ""),
            ("member_class", ""),
            ("member_code", ""),
            ("owner_name", ""),
            ("server_code", ""),
            ("pin", PIN),
            ("pin_again", PIN),
        ]
    };
    let (_, page) = post("/setup", form("00000000000000000000000000000000"));
    assert!(!page.contains("Recovery passphrase"), "a wrong code was taken");
    let (status, page) = post("/setup", form(&code));
    assert!(status == 200 && page.contains("Recovery passphrase"), "{status} {page}");
    // The code works once, and so does the first start.
    let (_, page) = post("/setup", form(&code));
    assert!(!page.contains("Recovery passphrase"), "the first start was done twice");

    // The factory certificate takes over, and the server says its pin.
    let pin = server.wait_until_said("shows a new certificate");
    let after = shown_leaf(server.addresses.ui, "localhost").unwrap();
    assert!(after != before && pin.contains(&after.to_string()), "{pin}");
    server.stop();
    let server = Server::start(&place);
    assert_eq!(shown_leaf(server.addresses.ui, "localhost"), Some(after));
    let client = server.client();
    let status = runtime.block_on(async {
        let body = format!("name={ADMIN}&password={}", PASSWORD.replace(' ', "+"));
        let request = client.post(server.url("/login")).body(body);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.headers().get_all("set-cookie").iter().count())
    });
    assert_eq!(status, (303, 2));
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_repair() {
    let place = Place::new();
    place.init();
    let key = place.data().join("instance.key");
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let said = refuse(claviger().args(["serve", "--data"]).arg(place.data()));
    assert!(said.contains("chmod 0600") && said.contains("instance.key"), "{said}");
    let said = refuse(claviger().args(["doctor", "--data"]).arg(place.data()));
    assert!(said.contains("WRONG") && said.contains("chmod 0600"), "{said}");
}

#[test]
fn a_foreign_key_is_refused() {
    let (place, other) = (Place::new(), Place::new());
    place.init();
    other.init();
    std::fs::copy(other.data().join("instance.key"), place.data().join("instance.key")).unwrap();
    let said = refuse(claviger().args(["serve", "--data"]).arg(place.data()));
    assert!(said.contains("instance key"), "{said}");
}

#[test]
fn one_server_per_directory_but_doctor_and_metrics_beside_it() {
    let place = Place::new();
    place.init();
    let server = Server::start(&place);
    let said = refuse(claviger().args(["serve", "--data"]).arg(place.data()));
    assert!(said.contains("another claviger"), "{said}");
    let said = succeed(claviger().args(["doctor", "--data"]).arg(place.data()));
    assert!(!said.contains("WRONG"), "{said}");
    let metrics = plain_get(server.addresses.metrics, "/metrics").unwrap();
    assert!(metrics.contains("claviger_edge_handshakes_total{result=\"ok\"}"), "{metrics}");
    assert!(plain_get(server.addresses.metrics, "/readyz").unwrap().starts_with("HTTP/1.1 200"));
    // The UI's address speaks TLS only, and the metrics port knows no pages.
    assert!(plain_get(server.addresses.metrics, "/api/v1/user").unwrap().starts_with("HTTP/1.1 404"));
    // The plain HTTP port has CA certificates only, and none before the internal CA is used.
    for path in
        ["/", "/api/v1/user", "/login", "/metrics", "/crl/internal.crl", "/ocsp", "/ca/internal.cer", "/ca/"]
    {
        let answer = plain_get(server.addresses.http, path).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
    server.stop();
    succeed(claviger().args(["migrate", "--data"]).arg(place.data()));
}

#[test]
fn a_cut_or_edited_audit_log_is_found() {
    let place = Place::new();
    place.init();
    let verify = |place: &Place| {
        let mut command = claviger();
        command.args(["audit", "verify", "--json", "--data"]).arg(place.data());
        command
    };
    let intact: serde_json::Value = serde_json::from_str(&succeed(&mut verify(&place))).unwrap();
    assert_eq!(intact["intact"], true);
    let head = place.data().join("audit.head");
    let kept = std::fs::read_to_string(&head).unwrap();
    // As if the last event had been cut off: the file beside the database knows one more.
    let (number, mac) = kept.trim().split_once(' ').unwrap();
    let next = number.parse::<u64>().unwrap() + 1;
    std::fs::write(&head, format!("{next} {mac}\n")).unwrap();
    let said = refuse(&mut verify(&place));
    assert!(said.contains("\"intact\":false"), "{said}");
    // A start in between does not wipe the trace.
    let server = Server::start(&place);
    server.stop();
    assert_eq!(
        std::fs::read_to_string(place.data().join("audit.head.broken")).unwrap(),
        format!("{next} {mac}\n")
    );
    refuse(&mut verify(&place));
    refuse(claviger().args(["doctor", "--data"]).arg(place.data()));
}

/// Without the head nobody can say how many events there must be: whoever cut the log would take it away too.
#[test]
fn a_head_that_was_taken_away_is_found() {
    let place = Place::new();
    place.init();
    let head = place.data().join("audit.head");
    std::fs::remove_file(&head).unwrap();
    let verify = || refuse(claviger().args(["audit", "verify", "--data"]).arg(place.data()));
    assert!(verify().contains("audit.head is missing"), "{}", verify());
    assert!(
        refuse(claviger().args(["doctor", "--data"]).arg(place.data())).contains("audit.head is missing")
    );
    // A start writes a new head, and keeps the finding.
    let server = Server::start(&place);
    server.stop();
    assert!(head.exists());
    let kept = std::fs::read_to_string(place.data().join("audit.head.broken")).unwrap();
    assert!(kept.contains("missing"), "{kept}");
    verify();
}

/// The head is in order, an event long before it is not: found by the walk over the whole log, which no port waits for.
#[test]
fn an_edited_event_is_found_while_the_server_serves() {
    let place = Place::new();
    place.init();
    let head = std::fs::read_to_string(place.data().join("audit.head")).unwrap();
    let edit = "UPDATE audit_event SET object = 'another' WHERE seq = 1";
    succeed(Command::new("sqlite3").arg(place.data().join("claviger.db")).arg(edit));
    let server = Server::start(&place);
    let said = server.wait_until_said("the audit log was changed");
    assert!(said.contains("event 1"), "{said}");
    let kept = place.data().join("audit.head.broken");
    let kept = wait_for("the head is kept", || std::fs::read_to_string(&kept).ok());
    assert_eq!(kept, head);
    assert!(plain_get(server.addresses.metrics, "/readyz").unwrap().starts_with("HTTP/1.1 200"));
    server.stop();
    refuse(claviger().args(["audit", "verify", "--data"]).arg(place.data()));
}
