//! The demonstration: three sites get new keys while clients in another process keep connecting.

#![expect(clippy::unwrap_used, reason = "a story stops at the first surprise")]

mod common;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use common::{Place, Spoken, claviger, is_valid_for, openssl, refuse, shown_leaf, succeed, wait_for};
use serde_json::Value;

#[test]
fn no_handshake_fails_while_three_sites_get_new_keys() {
    let place = Place::new();
    let text = succeed(claviger().args(["demo", "--exit", "--json", "--data"]).arg(place.data()));
    let report: Value = serde_json::from_str(&text).unwrap();
    check_report(&report);
    assert!(report["seconds_to_last_old"].as_f64().unwrap() >= 0.0);
}

fn check_report(report: &Value) {
    assert_eq!(report["failed"], 0, "{report}");
    let sites = report["sites"].as_array().unwrap();
    assert_eq!(sites.len(), 3);
    let mut sum = 0;
    for site in sites {
        let (old, new) = (site["old"].as_str().unwrap(), site["new"].as_str().unwrap());
        assert_ne!(old, new);
        assert!(old.len() == 64 && new.len() == 64, "{site}");
        assert!(site["handshakes_new"].as_u64().unwrap() >= 200, "{site}");
        // There was something to replace.
        assert!(site["handshakes"].as_u64() > site["handshakes_new"].as_u64(), "{site}");
        sum += site["handshakes"].as_u64().unwrap();
    }
    assert!(sum >= 2_000);
    assert_eq!(report["handshakes"], sum, "every handshake saw the old or the new certificate");
}

/// `openssl s_client` beside the clients sees the same: no failure, and in the end the new certificates.
#[test]
fn openssl_beside_the_demonstration_counts_the_same_failures() {
    let place = Place::new();
    let mut command = claviger();
    command.args(["demo", "--json", "--data"]).arg(place.data()).stderr(Stdio::piped());
    let mut demo = Spoken::start(&mut command);
    let edge = edge_address(&mut demo);
    let root = place.data().join("demo-root.pem");
    wait_for("the internal CA's root", || root.exists().then_some(()));
    let (over, looks, failures) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
    let report = std::thread::scope(|scope| {
        for site in ["shop.example", "pay.example", "api.example"] {
            let (over, looks, failures, root) = (&over, &looks, &failures, &root);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    looks.fetch_add(1, Ordering::Relaxed);
                    if !is_valid_for(edge, site, root) {
                        failures.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let line = demo.line_with("\"handshakes\"");
        over.store(true, Ordering::Relaxed);
        line
    });
    let report: Value = serde_json::from_str(&report).unwrap();
    check_report(&report);
    assert!(looks.load(Ordering::Relaxed) >= 10);
    assert_eq!(u64::from(failures.load(Ordering::Relaxed)), report["failed"].as_u64().unwrap());
    for site in report["sites"].as_array().unwrap() {
        let shown = shown_leaf(edge, site["name"].as_str().unwrap()).unwrap();
        assert_eq!(shown.to_string(), site["new"].as_str().unwrap());
    }
    end(demo);
}

/// The demonstration goes on until Ctrl-C, with a link that logs in once, and then ends well.
fn end(mut demo: Spoken) {
    assert!(demo.line_with("/login#").contains("https://localhost:"));
    succeed(Command::new("kill").args(["-INT", &demo.child.id().to_string()]));
    assert!(demo.child.wait().unwrap().success());
}

fn edge_address(demo: &mut Spoken) -> SocketAddr {
    use std::io::BufRead;
    let mut lines = std::io::BufReader::new(demo.child.stderr.take().unwrap()).lines();
    let said = lines.find_map(|line| {
        let line = line.unwrap();
        line.split_once("serves them on ").map(|(_, address)| address.trim_end_matches('.').to_owned())
    });
    // What follows is read away, so that the demonstration never waits for us.
    std::thread::spawn(move || lines.for_each(drop));
    said.unwrap().parse().unwrap()
}

#[test]
fn a_used_directory_is_left_alone() {
    let place = Place::new();
    place.init();
    let said = refuse(claviger().args(["demo", "--exit", "--data"]).arg(place.data()));
    assert!(said.contains("is in use"), "{said}");
}

/// The clients find what is wrong: that is what makes their zero worth something.
#[test]
fn the_clients_refuse_a_wrong_pair() {
    let place = Place::new();
    let directory = place.file("openssl");
    std::fs::create_dir(&directory).unwrap();
    for (file, name) in [("right", "shop.example"), ("stranger", "shop.example"), ("name", "other.example")] {
        make_pair(&directory, file, name);
    }
    let root = directory.join("right.pem");
    let (code, tally) = clients_of(&directory, "right", &root);
    assert!(code == Some(0) && tally["failed"] == 0 && tally["handshakes"].as_u64() >= Some(20), "{tally}");
    let (code, tally) = clients_of(&directory, "stranger", &root);
    assert!(
        code == Some(1) && tally["handshakes"] == 0 && said(&tally, "invalid peer certificate"),
        "{tally}"
    );
    // Its own root is trusted this time; the name alone is wrong.
    let (code, tally) = clients_of(&directory, "name", &directory.join("name.pem"));
    assert!(code == Some(1) && tally["handshakes"] == 0 && said(&tally, "not valid for name"), "{tally}");
}

fn said(tally: &Value, part: &str) -> bool {
    tally["failures"].as_array().unwrap().iter().all(|failure| failure.as_str().unwrap().contains(part))
}

fn make_pair(directory: &Path, file: &str, name: &str) {
    let (key, certificate) = (format!("{file}.key"), format!("{file}.pem"));
    let (subject, names) = (format!("/CN={name}"), format!("subjectAltName=DNS:{name}"));
    openssl(
        directory,
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            &key,
            "-out",
            &certificate,
            "-subj",
            &subject,
            "-addext",
            &names,
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ],
    );
}

/// Lets the clients connect to an `openssl s_server` with this pair; answers their exit code and their last word.
fn clients_of(directory: &Path, file: &str, root: &Path) -> (Option<i32>, Value) {
    let mut command = Command::new("openssl");
    command.current_dir(directory).args(["s_server", "-accept", "127.0.0.1:0", "-www"]);
    command.args(["-cert", &format!("{file}.pem"), "-key", &format!("{file}.key")]).stdin(Stdio::null());
    let server = Spoken::start(command.stderr(Stdio::null()));
    let address = server.line_with("ACCEPT").replace("ACCEPT", "");
    let mut clients = claviger();
    clients.args(["demo-client", "--site", "shop.example", "--handshakes", "20", "--edge", address.trim()]);
    let output = clients.arg("--root").arg(root).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), serde_json::from_str(text.lines().last().unwrap()).unwrap())
}
