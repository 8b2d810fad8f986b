//! The machine is gone: backup file and recovery passphrase are enough to sign and serve again with the old keys.

#![expect(clippy::unwrap_used, reason = "a story stops at the first surprise")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{Api, PIN, Place, Server, claviger, mode, openssl, refuse, shown_leaf, succeed};
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
