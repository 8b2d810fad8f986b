//! The machine is gone: backup file and recovery passphrase are enough to sign and serve again with the old keys.

#![expect(clippy::unwrap_used, reason = "a story stops at the first surprise")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{
    ADMIN, Api, PASSWORD, PIN, Place, Server, claviger, mode, openssl, refuse, shown_leaf, succeed, wait_for,
};
use serde_json::json;

#[test]
fn the_old_keys_sign_and_serve_after_the_machine_is_lost() {
    let place = Place::new();
    place.init();
    let server = Server::start(&place);
    let api = Api::new(&server, &place);
    let lineage = api.make_lineage("kept.example", None);
    let served = api.wait_until_verified(&lineage);
    let csr = api.post("/csrs", json!({ "friendly_name": "system key", "names": ["a.example"] }));
    log_in(&api);
    let soft =
        api.post("/csrs", json!({ "friendly_name": "soft key", "names": ["b.example"], "token": "0" }));
    let keys = [csr, soft].map(|made| made["csr"]["key"].as_str().unwrap().to_owned());

    // Taken while the server runs.
    let backup = place.file("backup");
    succeed(backup_command(&place).arg("--to").arg(&backup));
    assert_eq!(mode(&backup), 0o600);
    refuse(backup_command(&place).arg("--to").arg(&backup));
    server.kill();
    std::fs::remove_dir_all(place.data()).unwrap();

    refuse_what_is_wrong(&place, &backup);
    succeed(&mut restore_command(&place, &backup, &place.file("recovery")));
    assert_eq!((mode(&place.data()), mode(&place.data().join("instance.key"))), (0o700, 0o600));
    refuse(&mut restore_command(&place, &backup, &place.file("recovery")));
    succeed(claviger().args(["audit", "verify", "--data"]).arg(place.data()));
    succeed(claviger().args(["doctor", "--data"]).arg(place.data()));

    let server = Server::start(&place);
    assert_eq!(shown_leaf(server.addresses.edge, "kept.example"), Some(served));
    let api = Api::new(&server, &place);
    log_in(&api);
    for key in &keys {
        signs(&api, &place, key);
    }
    server.stop();
}

/// The passphrase was lost: a new one opens the backups from then on, the old one those from before.
#[test]
fn a_lost_recovery_passphrase_is_renewed_by_who_may() {
    let place = Place::new();
    place.init();
    let server = Server::start(&place);
    let before = place.file("before");
    succeed(backup_command(&place).arg("--to").arg(&before));
    let renewed = place.file("renewed");
    let renew = |user: &str, password: &Path| {
        let mut command = claviger();
        command.args(["recovery", "renew", "--user", user, "--data"]).arg(place.data());
        command.arg("--password-file").arg(password).arg("--recovery-file").arg(&renewed);
        command
    };
    let (right, wrong) = (place.file("password"), place.secret("wrong-password", "not the password\n"));
    refuse(&mut renew(ADMIN, &wrong));
    let api = Api::new(&server, &place);
    let watcher =
        json!({ "name": "oliver", "password": PASSWORD, "roles": ["XROAD_SECURITYSERVER_OBSERVER"] });
    api.post("/users", watcher);
    let said = refuse(&mut renew("oliver", &right));
    assert!(said.contains("system administrator"), "{said}");
    assert!(!renewed.exists());
    // The name that was tried with a wrong password is free at once: one miss costs nothing.
    succeed(&mut renew(ADMIN, &right));
    assert_eq!(mode(&renewed), 0o600);
    let outcomes: Vec<String> = api.get("/audit-events?action=recovery.renew")["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["outcome"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(outcomes, ["done", "refused"]);

    let after = place.file("after");
    succeed(backup_command(&place).arg("--to").arg(&after));
    server.kill();
    std::fs::remove_dir_all(place.data()).unwrap();
    refuse(&mut restore_command(&place, &after, &place.file("recovery")));
    refuse(&mut restore_command(&place, &before, &renewed));
    succeed(&mut restore_command(&place, &after, &renewed));
    std::fs::remove_dir_all(place.data()).unwrap();
    succeed(&mut restore_command(&place, &before, &place.file("recovery")));
}

/// A cut tail is found by the head file, so it must hold the events of commands too, with a running server and without.
#[test]
fn the_head_of_the_audit_log_follows_what_commands_write() {
    let place = Place::new();
    place.init();
    let head = || std::fs::read_to_string(place.data().join("audit.head")).unwrap();
    let last = || {
        let said = succeed(claviger().args(["audit", "verify", "--json", "--data"]).arg(place.data()));
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        format!("{} {}\n", said["events"], said["head"].as_str().unwrap())
    };
    let renew = |password: &Path| {
        let mut command = claviger();
        command.args(["recovery", "renew", "--user", ADMIN, "--data"]).arg(place.data());
        command.arg("--password-file").arg(password).arg("--recovery-file").arg(place.file("renewed"));
        command
    };
    let before = head();
    succeed(backup_command(&place).arg("--to").arg(place.file("one")));
    assert_ne!(head(), before);
    assert_eq!(head(), last());
    // A refusal is an event as well.
    refuse(&mut renew(&place.secret("wrong-password", "not the password\n")));
    assert_eq!(head(), last());
    succeed(&mut renew(&place.file("password")));
    assert_eq!(head(), last());

    let server = Server::start(&place);
    succeed(backup_command(&place).arg("--to").arg(place.file("two")));
    wait_for("the head file", || (head() == last()).then_some(()));
    server.stop();
    assert_eq!(head(), last());
}

fn log_in(api: &Api) {
    let (status, token) = api.ask("PUT", "/tokens/0/login", Some(json!({ "password": PIN })));
    assert_eq!((status, &token["logged_in"]), (200, &json!(true)), "{token}");
}

/// The key makes a CSR that `openssl` finds well signed.
fn signs(api: &Api, place: &Place, key: &str) {
    let made = api.post(
        "/csrs",
        json!({ "friendly_name": format!("again {key}"), "key": key, "names": ["c.example"] }),
    );
    let file = place.file("again.pem");
    std::fs::write(&file, made["csr"]["pem"].as_str().unwrap()).unwrap();
    openssl(Path::new("."), &["req", "-verify", "-noout", "-in", file.to_str().unwrap()]);
}

/// A wrong passphrase and a file that was edited are refused, and nothing is written.
fn refuse_what_is_wrong(place: &Place, backup: &Path) {
    let wrong = place.secret("wrong", "aaaaa-aaaaa-aaaaa-aaaaa-aaaaa\n");
    let said = refuse(&mut restore_command(place, backup, &wrong));
    assert!(said.contains("passphrase"), "{said}");
    let mut bytes = std::fs::read(backup).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let edited = place.file("edited");
    std::fs::write(&edited, &bytes).unwrap();
    let said = refuse(&mut restore_command(place, &edited, &place.file("recovery")));
    assert!(said.contains("damaged"), "{said}");
    assert!(!place.data().exists());
}

fn backup_command(place: &Place) -> Command {
    let mut command = claviger();
    command.arg("backup").arg("--data").arg(place.data());
    command
}

fn restore_command(place: &Place, from: &Path, passphrase: &Path) -> Command {
    let mut command = claviger();
    command.arg("restore").arg("--data").arg(place.data()).arg("--from").arg(from);
    command.arg("--recovery-file").arg(passphrase);
    command
}
