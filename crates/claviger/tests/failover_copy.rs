//! The story of the appliance's guide: "Copy the certificate to failover appliances". A exports its certificate with
//! private key and chain, B imports the file with its passphrase and serves the same certificate. And: what is ready
//! for a server is read by that server.

#![expect(clippy::unwrap_used, reason = "tests stop at surprises")]

#[path = "common/cli.rs"]
mod cli;
mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use cli::Cli;
use common::{Api, Place, Server, is_valid_for, mode, openssl, shown_chain, shown_leaf, succeed, wait_for};

const NAME: &str = "shop.example";
const PASSPHRASE: &str = "a long enough passphrase\n";

#[test]
fn a_failover_serves_the_certificate_that_the_primary_exported() {
    let (first, second) = (Place::new(), Place::new());
    first.init();
    second.init();
    let primary = Server::start(&first);
    let api = Api::new(&primary, &first);
    let lineage = api.make_lineage(NAME, None);
    let served = api.wait_until_verified(&lineage);

    // On the primary: certificate, private key and chain, the root included, for the failover does not have it.
    let home = first.file(".");
    first.secret("pass", PASSPHRASE);
    let cli = Cli::new(&primary, &first);
    let hash = served.to_string();
    let export = [
        "cert",
        "export",
        &hash,
        "--form",
        "p12",
        "--root",
        "--passphrase-file",
        "pass",
        "--out",
        "shop.p12",
    ];
    assert!(cli.say(&export).contains("shop.p12"));
    assert_eq!(mode(&home.join("shop.p12")), 0o600);
    let inside = openssl(&home, &["pkcs12", "-in", "shop.p12", "-nokeys", "-passin", "file:pass"]);
    assert_eq!(inside.matches("BEGIN CERTIFICATE").count(), 3);
    let key = cli.json(&["cert", "show", &hash])["key"].as_str().unwrap().to_owned();
    assert!(cli.json(&["key", "show", &key])["exported_at"].is_string(), "recorded for ever");
    assert!(cli.refused(&export).contains("is there already"));

    // It is nothing for support.
    let refused = cli.refused(&["support", "check", "shop.p12"]);
    assert!(refused.contains("PKCS#12") && refused.contains("Do NOT send private key files"), "{refused}");
    cli.say(&["support", "bundle", "--certificate", &hash, "--out", "support.zip"]);
    assert!(cli.say(&["support", "check", "support.zip"]).contains("No private key was found"));

    // On the failover: import with the passphrase.
    fs::copy(home.join("shop.p12"), second.file("shop.p12")).unwrap();
    second.secret("pass", PASSPHRASE);
    let failover = Server::start(&second);
    let copy = Cli::new(&failover, &second);
    let imported = copy.json(&["cert", "import", "shop.p12", "--passphrase-file", "pass"]);
    assert_eq!(imported["certificates"][0]["hash"], hash.as_str(), "{imported}");
    assert_eq!(imported["keys"].as_array().unwrap().len(), 1, "{imported}");
    wait_for("the failover serves the same certificate", || {
        shown_leaf(failover.addresses.edge, NAME).filter(|shown| *shown == served)
    });
    let (there, here) =
        (shown_chain(primary.addresses.edge, NAME), shown_chain(failover.addresses.edge, NAME));
    assert_eq!(there, here, "with the same chain");
    let root = openssl(&home, &["pkcs12", "-in", "shop.p12", "-cacerts", "-nokeys", "-passin", "file:pass"]);
    fs::write(second.file("root.pem"), root).unwrap();
    assert!(is_valid_for(failover.addresses.edge, NAME, &second.file("root.pem")));
    // A wrong passphrase imports nothing.
    second.secret("wrong", "another long passphrase\n");
    let refused = copy.refused(&["cert", "import", "shop.p12", "--passphrase-file", "wrong"]);
    assert!(refused.contains("pass.wrong"), "{refused}");
    primary.stop();
    failover.stop();
}

/// Exports a bundle with the key and unpacks it.
fn unpacked(cli: &Cli<'_>, home: &Path, form: &str) -> std::path::PathBuf {
    let (archive, to) = (format!("{form}.tar.gz"), home.join(form));
    cli.say(&[
        "cert",
        "export",
        NAME,
        "--form",
        form,
        "--key",
        "--passphrase-file",
        "pass",
        "--out",
        &archive,
    ]);
    fs::create_dir(&to).unwrap();
    succeed(Command::new("tar").arg("-xzf").arg(home.join(&archive)).arg("-C").arg(&to));
    assert_eq!(mode(&to.join("key.pem")), 0o600);
    let key = fs::read_to_string(to.join("key.pem")).unwrap();
    assert!(key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "never in the open");
    to
}

#[test]
fn what_is_ready_for_a_server_is_read_by_that_server() {
    let place = Place::new();
    place.init();
    let server = Server::start(&place);
    let api = Api::new(&server, &place);
    let lineage = api.make_lineage(NAME, None);
    api.wait_until_verified(&lineage);
    let home = place.file(".");
    place.secret("pass", PASSPHRASE);
    let cli = Cli::new(&server, &place);

    // nginx takes files, lines and passphrase as they are, but for the directory.
    let to = unpacked(&cli, &home, "nginx");
    fs::copy(home.join("pass"), to.join("passphrase")).unwrap();
    let lines = fs::read_to_string(to.join("nginx.conf")).unwrap();
    let here = lines.replace(&format!("/etc/nginx/tls/{NAME}"), to.to_str().unwrap());
    assert_ne!(lines, here);
    let configuration = format!(
        "pid {0}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{ access_log off; server {{ listen 127.0.0.1:8 ssl;\n{here} }} }}\n",
        to.display()
    );
    fs::write(to.join("whole.conf"), configuration).unwrap();
    let nginx = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
    succeed(Command::new(nginx).arg("-t").arg("-p").arg(&to).arg("-c").arg(to.join("whole.conf")));

    // HAProxy's one file is joined on the machine.
    let to = unpacked(&cli, &home, "haproxy");
    let joined = to.join("shop.pem");
    let passphrase = format!("file:{}", home.join("pass").display());
    succeed(Command::new(to.join("join.sh")).arg(&joined).env("PASSIN", &passphrase));
    assert_eq!(mode(&joined), 0o600);
    let public = openssl(&to, &["x509", "-in", "shop.pem", "-noout", "-pubkey"]);
    assert_eq!(openssl(&to, &["pkey", "-in", "shop.pem", "-pubout"]), public);
    let wrong =
        Command::new(to.join("join.sh")).arg(to.join("none.pem")).env("PASSIN", "pass:wrong").output();
    assert!(!wrong.unwrap().status.success() && !to.join("none.pem").exists());

    // Apache's program answers the passphrase.
    let to = unpacked(&cli, &home, "apache");
    fs::copy(home.join("pass"), to.join("passphrase")).unwrap();
    assert_eq!(succeed(&mut Command::new(to.join("passphrase.sh"))), PASSPHRASE);

    // X-Road's archive, as its own tools write it.
    cli.say(&["cert", "export", NAME, "--form", "xroad", "--out", "certs.tar.gz"]);
    let names = succeed(Command::new("tar").arg("-tzf").arg(home.join("certs.tar.gz")));
    assert_eq!(names, "./cert.pem\n./cert.cer\n");
    server.stop();
}

#[test]
fn several_certificates_go_into_one_file_and_never_a_key() {
    const OTHER: &str = "mail.example";
    let place = Place::new();
    place.init();
    let server = Server::start(&place);
    let api = Api::new(&server, &place);
    let lineages = [NAME, OTHER].map(|name| api.make_lineage(name, None));
    for lineage in &lineages {
        api.wait_until_verified(lineage);
    }
    let home = place.file(".");
    place.secret("six", "six by six\n");
    let cli = Cli::new(&server, &place);

    let both = ["cert", "export", NAME, OTHER];
    let export = |more: &[&str]| cli.say(&[&both[..], more].concat());
    export(&["--members", "all", "--out", "both.pem"]);
    let text = fs::read_to_string(home.join("both.pem")).unwrap();
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 3, "the intermediate is there once");
    let trust = ["--form", "p12-trust", "--passphrase-file", "six", "--out", "trust.p12"];
    export(&trust);
    let inside = openssl(&home, &["pkcs12", "-in", "trust.p12", "-nokeys", "-passin", "file:six"]);
    assert_eq!(inside.matches("BEGIN CERTIFICATE").count(), 1, "the root of both");
    cli.say(&["cert", "export", NAME, "--form", "jks", "--passphrase-file", "six", "--out", "trust.jks"]);
    let store = pki::format::read(&fs::read(home.join("trust.jks")).unwrap(), Some("six by six")).unwrap();
    assert_eq!((store.format, store.items.len()), ("jks", 1));

    for (more, words) in [
        (&["--key", "--passphrase-file", "six", "--out", "keys.pem"][..], "one by one"),
        (&["--form", "p12", "--passphrase-file", "six", "--out", "keys.p12"], "one by one"),
        (&["--form", "der", "--out", "one.der"], "does not hold several"),
        (&["--passphrase-file", "six", "--out", "plain.pem"], "nothing to encrypt"),
        (&trust, "is there already"),
    ] {
        let refused = cli.refused(&[&both[..], more].concat());
        assert!(refused.contains(words), "{more:?}: {refused}");
    }
    assert!(!home.join("keys.pem").exists() && !home.join("keys.p12").exists());
    server.stop();
}
