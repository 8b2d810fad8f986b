//! `cert import` and `lineage update` as people and programs use them: files travel as they are and keep their names,
//! keys are named by a few digits, and what is refused is told in the server's words.

#![expect(clippy::unwrap_used, reason = "tests stop at surprises")]

#[path = "common/cli.rs"]
mod cli;
mod common;

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use cli::Cli;
use common::{Api, Place, Server, openssl, refuse, succeed};
use serde_json::Value;

/// A self-signed certificate with its key in `name.pem`, and both in DER.
fn site(home: &Path, name: &str) {
    let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
    let subject = format!("/CN={name}");
    let names = format!("subjectAltName=DNS:{name}");
    let made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout"];
    openssl(home, &[&made[..], &[&key, "-out", &pem, "-subj", &subject, "-addext", &names]].concat());
    openssl(home, &["x509", "-in", &pem, "-outform", "DER", "-out", &format!("{name}.der")]);
}

fn keys(preview: &Value) -> Vec<(String, bool)> {
    let keys = preview["keys"].as_array().unwrap().iter();
    keys.map(|key| (key["id"].as_str().unwrap().to_owned(), key["chosen"] == true)).collect()
}

#[test]
fn files_keep_their_names_and_what_is_refused_says_which_and_why() {
    let place = Place::new();
    let home = place.file(".");
    place.init();
    let server = Server::start(&place);
    let cli = Cli::new(&server, &place);
    site(&home, "a.example");
    site(&home, "b.example");

    // The bad one of three is told by its name, whatever is in that.
    fs::write(home.join("tõend \";\r\n.cer"), [0xff, 0xfe, 0x00]).unwrap();
    let refused = cli.refused(&["cert", "import", "a.example.der", "b.example.der", "tõend \";\r\n.cer"]);
    assert!(refused.contains("tõend \";") && !refused.contains("file 3"), "{refused}");
    fs::write(home.join("empty.pem"), "").unwrap();
    let refused = cli.refused(&["cert", "import", "a.example.der", "empty.pem"]);
    assert!(refused.contains("nothing in empty.pem"), "{refused}");

    // Standard input is a file like others.
    let piped = |file: &str| {
        let mut command = cli.command(&["cert", "import", "b.example.der", "-", "--preview"]);
        command.stdin(Stdio::from(File::open(home.join(file)).unwrap()));
        command
    };
    assert!(succeed(&mut piped("a.example.pem")).contains("a.example"));
    fs::write(home.join("garbage"), "garbage").unwrap();
    let refused = refuse(&mut piped("garbage"));
    assert!(refused.contains("standard input"), "{refused}");

    // Of two keys one is named by its first digits; otherwise the two are told.
    let both = ["cert", "import", "a.example.key", "b.example.key", "a.example.pem", "b.example.pem"];
    let asked = |key: &str| cli.json(&[&both[..], &["--preview", "--key", key]].concat());
    let id = openssl_key_id(&home, "a.example");
    assert_eq!(keys(&asked(&id[..12])).into_iter().filter(|(_, chosen)| *chosen).count(), 1);
    assert!(keys(&asked(&id.to_uppercase()[..12])).contains(&(id.clone(), true)));
    let refused = cli.refused(&[&both[..], &["--key", "abc"]].concat());
    assert!(refused.contains("no private key in the files is called") && refused.contains(&id), "{refused}");

    // A token that is not there is not one that somebody could log in to.
    let refused = cli.refused(&["cert", "import", "a.example.key", "a.example.pem", "--token", "7"]);
    assert!(refused.contains("token_not_found"), "{refused}");
    server.stop();
}

/// SHA-256 of the public half, as OpenSSL says it.
fn openssl_key_id(home: &Path, name: &str) -> String {
    let key = format!("{name}.key");
    openssl(home, &["pkey", "-in", &key, "-pubout", "-outform", "DER", "-out", "public.der"]);
    let digest = openssl(home, &["dgst", "-sha256", "-r", "public.der"]);
    digest.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_large_file_travels_whole_and_several_are_refused_with_the_bound() {
    let place = Place::new();
    let home = place.file(".");
    place.init();
    let server = Server::start(&place);
    let cli = Cli::new(&server, &place);
    // Nearly as much as may be, and no text: it is read, and refused for what it is.
    fs::write(home.join("large.der"), vec![0xff; 9_900_000]).unwrap();
    let refused = cli.refused(&["cert", "import", "large.der"]);
    assert!(refused.contains("input.unrecognised"), "{refused}");
    let refused =
        cli.refused(&["cert", "import", "large.der", "large.der", "large.der", "large.der", "large.der"]);
    assert!(refused.contains("more than 10 MB in all") && refused.contains("input.too_large"), "{refused}");
    server.stop();
}

#[test]
fn a_lineage_is_changed_only_as_it_was_seen() {
    let place = Place::new();
    place.init();
    let server = Server::start(&place);
    let cli = Cli::new(&server, &place);
    Api::new(&server, &place).make_lineage("shop", None);
    let seen = cli.json(&["lineage", "show", "shop"])["revision"].as_str().unwrap().to_owned();
    assert!(cli.say(&["lineage", "show", "shop"]).contains(&seen));
    let change = |owner| ["lineage", "update", "shop", "--owner", owner, "--revision", &seen];
    assert_eq!(cli.json(&change("Ann"))["owner"], "Ann");
    let refused = cli.refused(&change("Bob"));
    assert!(refused.contains("lineage.changed"), "{refused}");
    server.stop();
}
