//! PostgreSQL: a database of its own from `init` to the restart, with a lineage that is issued, served and rekeyed.

#![expect(clippy::unwrap_used, reason = "a story stops at the first surprise")]

#[expect(dead_code, reason = "this story uses a part")]
#[path = "common/cli.rs"]
mod cli;
mod common;

use std::path::PathBuf;
use std::process::Command;

use cli::Cli;
use common::{Api, Place, Server, claviger, is_valid_for, shown_leaf, succeed, wait_for};
use serde_json::json;

const NAME: &str = "kept.example";

/// A database on the server that the test command started; dropped at the end.
struct Database {
    server: String,
    name: String,
}

impl Database {
    fn new() -> Self {
        let server = std::env::var("CLAVIGER_TEST_POSTGRES").unwrap_or_else(|_| {
            panic!(
                "CLAVIGER_TEST_POSTGRES is not set; `cargo xtask test` starts a PostgreSQL server and sets it"
            )
        });
        let database = Self { server, name: format!("claviger_story_{}", std::process::id()) };
        database.say(&format!("CREATE DATABASE {}", database.name));
        database
    }

    fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').unwrap();
        format!("{server}/{}", self.name)
    }

    fn say(&self, sql: &str) -> String {
        psql(&self.server, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A server that still holds it must not keep it.
        let _ = psql_command(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).output();
    }
}

fn psql_command(url: &str, sql: &str) -> Command {
    let mut command = Command::new("psql");
    command.args(["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
    command.args(["--dbname", url, "--command", sql]);
    command
}

fn psql(url: &str, sql: &str) -> String {
    succeed(&mut psql_command(url, sql)).trim().to_owned()
}

fn start(place: &Place, url: &str) -> Server {
    let started = Server::start_with(place, |command| {
        command.args(["--database", url]);
    });
    started.unwrap_or_else(|said| panic!("serve ended\n{said}"))
}

#[test]
fn a_lineage_is_issued_served_rekeyed_and_outlives_a_restart() {
    let (place, database) = (Place::new(), Database::new());
    let url = database.url();
    succeed(place.init_command().args(["--database", &url]));
    assert!(!place.data().join("claviger.db").exists(), "a SQLite file was made");

    let server = start(&place, &url);
    let api = Api::new(&server, &place);
    let lineage = api.make_lineage(NAME, None);
    let first = api.wait_until_verified(&lineage);
    let edge = server.addresses.edge;
    assert_eq!(shown_leaf(edge, NAME), Some(first));
    let root = root_of(&Cli::new(&server, &place), &place);
    assert!(is_valid_for(edge, NAME, &root));

    let job = api.post(&format!("/lineages/{lineage}/rekey"), json!({}));
    assert!(job["id"].is_string(), "{job}");
    let second = wait_for("the new key is served", || shown_leaf(edge, NAME).filter(|shown| *shown != first));
    assert_eq!(
        wait_for("it is verified", || Some(api.wait_until_verified(&lineage)).filter(|seen| *seen != first)),
        second
    );
    let keys: Vec<String> = [first, second]
        .iter()
        .map(|hash| api.get(&format!("/certificates/{hash}"))["key"].as_str().unwrap().to_owned())
        .collect();
    assert_ne!(keys[0], keys[1], "the certificate was renewed with the old key");
    server.stop();

    let server = start(&place, &url);
    assert_eq!(shown_leaf(server.addresses.edge, NAME), Some(second));
    assert!(is_valid_for(server.addresses.edge, NAME, &root));
    // Beside the running server, and after it.
    check(&place, &url);
    // A power failure loses nothing that was acknowledged.
    let api = Api::new(&server, &place);
    let late = api.make_lineage("late.example", None);
    let served = api.wait_until_verified(&late);
    server.kill();
    let server = start(&place, &url);
    assert_eq!(shown_leaf(server.addresses.edge, "late.example"), Some(served));
    server.stop();
    check(&place, &url);
    // It is really this database that holds everything.
    let named = psql(&url, &format!("SELECT count(*) FROM lineage WHERE id IN ('{lineage}', '{late}')"));
    assert_eq!(named, "2");
}

/// The file of the internal CA's root.
fn root_of(cli: &Cli<'_>, place: &Place) -> PathBuf {
    let internal = cli.json(&["issuer", "show", "internal"]);
    cli.say(&["cert", "export", internal["root"]["hash"].as_str().unwrap(), "--out", "root.pem"]);
    place.file("root.pem")
}

fn check(place: &Place, url: &str) {
    let with = |arguments: &[&str]| {
        succeed(claviger().args(arguments).arg("--data").arg(place.data()).args(["--database", url]))
    };
    let audit: serde_json::Value = serde_json::from_str(&with(&["audit", "verify", "--json"])).unwrap();
    assert_eq!(audit["intact"], json!(true), "{audit}");
    let said = with(&["doctor"]);
    assert!(!said.contains("WRONG"), "{said}");
}
