//! The story of a CA outside: key and CSR by the command line, signed by OpenSSL, imported, served by the edge, and
//! seen by `openssl s_client` and `curl`; then renewed without a new request.

#![expect(clippy::unwrap_used, reason = "tests stop at surprises")]

#[path = "common/cli.rs"]
mod cli;
mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use cli::Cli;
use common::{Place, Server, is_valid_for, openssl, shown_chain, shown_leaf, succeed, wait_for};
use pki::Certificate;
use serde_json::Value;

const NAME: &str = "shop.example";

/// A root and an intermediate of OpenSSL, in a directory.
struct Ca<'a> {
    directory: &'a Path,
}

impl<'a> Ca<'a> {
    fn new(directory: &'a Path) -> Self {
        let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let root = [
            "req",
            "-x509",
            "-keyout",
            "root.key",
            "-out",
            "root.pem",
            "-days",
            "3650",
            "-subj",
            "/CN=Outside root",
        ];
        openssl(directory, &[&root[..], &ec, &["-addext", "keyUsage=critical,keyCertSign,cRLSign"]].concat());
        let request =
            ["req", "-new", "-keyout", "middle.key", "-out", "middle.csr", "-subj", "/CN=Outside issuing CA"];
        openssl(directory, &[&request[..], &ec].concat());
        fs::write(
            directory.join("middle.ext"),
            "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n",
        )
        .unwrap();
        let ca = Self { directory };
        ca.sign("middle", "root", 1_000, "middle");
        ca
    }

    /// Signs a CSR with the extensions of a file; `name.pem` is the answer.
    fn sign(&self, csr: &str, issuer: &str, days: u32, name: &str) {
        let files = ["in", "CA", "CAkey", "extfile", "out"];
        let of = [
            format!("{csr}.csr"),
            format!("{issuer}.pem"),
            format!("{issuer}.key"),
            format!("{csr}.ext"),
            format!("{name}.pem"),
        ];
        let mut arguments = vec!["x509".to_owned(), "-req".to_owned(), "-days".to_owned(), days.to_string()];
        for (option, file) in files.iter().zip(of) {
            arguments.extend([format!("-{option}"), file]);
        }
        openssl(self.directory, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

fn certificate(path: &Path) -> Certificate {
    let contents = pki::format::read(&fs::read(path).unwrap(), None).unwrap();
    contents.items.into_iter().find_map(pki::format::Item::into_certificate).unwrap()
}

fn codes(certificate: &Value) -> Vec<&str> {
    certificate["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["code"].as_str().unwrap())
        .collect()
}

#[test]
fn a_certificate_of_an_outside_ca_from_key_to_renewal() {
    let place = Place::new();
    let home = place.file(".");
    place.init();
    let server = Server::start(&place);
    let cli = Cli::new(&server, &place);
    let edge = server.addresses.edge;

    request_that_openssl_verifies(&cli, &home);

    // The CA's answer, the leaf only: the gap is said, and what to do.
    let ca = Ca::new(&home);
    fs::write(
        home.join("shop.ext"),
        "subjectAltName=DNS:shop.example,DNS:www.shop.example\nextendedKeyUsage=serverAuth\n",
    )
    .unwrap();
    ca.sign("shop", "middle", 90, "leaf");
    let imported = cli.json(&["cert", "import", "leaf.pem"]);
    let leaf = certificate(&home.join("leaf.pem"));
    assert_eq!(imported["certificates"][0]["hash"], leaf.fingerprint().to_string());
    assert!(codes(&imported["certificates"][0]).contains(&"chain.incomplete"), "{imported}");
    let waiting = cli.json(&["csr", "show", "shop 2027"]);
    assert_eq!((&waiting["state"], &waiting["id"]), (&"fulfilled".into(), &imported["fulfilled"][0]));

    // Then the intermediate, in DER: the gap is closed.
    openssl(&home, &["x509", "-in", "middle.pem", "-outform", "DER", "-out", "middle.der"]);
    let said = cli.say(&["cert", "import", "middle.der"]);
    assert!(said.contains("Outside issuing CA"), "{said}");
    let shown = cli.json(&["cert", "show", &leaf.fingerprint().to_string()]);
    assert!(!codes(&shown).contains(&"chain.incomplete"), "{shown}");
    assert_eq!(shown["chain"].as_array().unwrap().len(), 2);

    // Served at once, with the full chain.
    wait_for("the edge sends the intermediate", || {
        shown_chain(edge, NAME).filter(|chain| chain.len() == 2 && chain[0] == leaf)
    });
    assert!(is_valid_for(edge, NAME, &home.join("root.pem")));
    assert!(is_valid_for(edge, "www.shop.example", &home.join("root.pem")));
    curl(&server, &home, NAME);
    // Another name gets the default certificate.
    let all = cli.json(&["cert", "list", "--limit", "1000"]);
    let default =
        all["items"].as_array().unwrap().iter().find(|one| one["is_default"] == true).unwrap().clone();
    assert_eq!(shown_leaf(edge, "other.example").unwrap().to_string(), default["hash"].as_str().unwrap());
    assert_ne!(default["hash"], leaf.fingerprint().to_string());

    // Renewed without a request: the CA signed the same old key again.
    ca.sign("shop", "middle", 120, "second");
    let second = certificate(&home.join("second.pem"));
    let imported = cli.json(&["cert", "import", "second.pem"]);
    assert_eq!(imported["became_current"].as_array().unwrap().len(), 1, "{imported}");
    wait_for("the edge serves the second", || {
        shown_leaf(edge, NAME).filter(|shown| *shown == second.fingerprint())
    });
    assert!(is_valid_for(edge, NAME, &home.join("root.pem")));
    full_chain_of_export(&cli, &home, &second);
    server.stop();
}

fn request_that_openssl_verifies(cli: &Cli<'_>, home: &Path) {
    let key = cli.json(&["key", "generate", "shop key", "--algorithm", "rsa-2048"]);
    assert_eq!((&key["algorithm"], &key["state"]), (&"rsa-2048".into(), &"active".into()));
    let subject = ["--subject", "C=FI", "--subject", "O=Acme, \"Inc.\" Ky", "--subject", "CN=shop.example"];
    let create = [
        "csr",
        "create",
        "shop 2027",
        "--key",
        "shop key",
        "--name",
        "www.shop.example",
        "--out",
        "shop.csr",
    ];
    let made = cli.json(&[&create[..], &subject].concat());
    assert_eq!((&made["added_name"], &made["csr"]["key"]), (&NAME.into(), &key["id"]));
    let text =
        openssl(home, &["req", "-in", "shop.csr", "-verify", "-noout", "-text", "-nameopt", "RFC2253,utf8"]);
    assert!(text.contains("CN=shop.example,O=Acme\\, \\\"Inc.\\\" Ky,C=FI"), "{text}");
    assert!(text.contains("DNS:shop.example, DNS:www.shop.example"), "{text}");
    // The same bytes each time, as PEM and DER.
    cli.say(&["csr", "file", "shop 2027", "--out", "again.csr"]);
    cli.say(&["csr", "file", "shop 2027", "--der", "--out", "csr.der"]);
    let pem = fs::read(home.join("shop.csr")).unwrap();
    assert_eq!(pem, fs::read(home.join("again.csr")).unwrap());
    openssl(home, &["req", "-in", "shop.csr", "-outform", "DER", "-out", "openssl.der"]);
    assert_eq!(fs::read(home.join("csr.der")).unwrap(), fs::read(home.join("openssl.der")).unwrap());
}

/// The status page, by a client that trusts the outside root only.
fn curl(server: &Server, home: &Path, name: &str) {
    let port = server.addresses.edge.port();
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--noproxy", "*", "--cacert"]).arg(home.join("root.pem"));
    command.args(["--output", "/dev/null", "--write-out", "%{ssl_verify_result}"]);
    command.args(["--resolve", &format!("{name}:{port}:127.0.0.1"), &format!("https://{name}:{port}/")]);
    assert_eq!(succeed(&mut command), "0");
}

fn full_chain_of_export(cli: &Cli<'_>, home: &Path, leaf: &Certificate) {
    let hash = leaf.fingerprint().to_string();
    cli.say(&["cert", "export", &hash[..16], "--form", "fullchain", "--out", "fullchain.pem"]);
    openssl(home, &["verify", "-CAfile", "root.pem", "-untrusted", "fullchain.pem", "fullchain.pem"]);
    fs::write(home.join("export-pass"), "a long enough passphrase\n").unwrap();
    let export = ["key", "export", "shop key", "--passphrase-file", "export-pass", "--out", "exported.key"];
    cli.say(&export);
    assert_eq!(common::mode(&home.join("exported.key")), 0o600);
    let public = openssl(home, &["pkey", "-in", "exported.key", "-passin", "file:export-pass", "-pubout"]);
    assert_eq!(public, openssl(home, &["x509", "-in", "second.pem", "-noout", "-pubkey"]));
    // What is there is not written over, and the key does not leave a second time for it.
    assert!(cli.refused(&export).contains("is there already"));
}

#[test]
fn a_server_is_recognised_or_nothing_is_sent() {
    let place = Place::new();
    place.init();
    let server = Server::start(&place);
    let cli = Cli::new(&server, &place);
    let pin = shown_leaf(server.addresses.ui, "localhost").unwrap().to_string();

    // Nobody is there to ask: the pin is said, and how to give it.
    let said = common::refuse(&mut cli.stranger(&["token", "list"]));
    assert!(said.contains(&format!("--server-pin {pin}")), "{said}");
    let said = common::refuse(cli.stranger(&["token", "list"]).args(["--server-pin", &"ab".repeat(32)]));
    assert!(said.contains("another certificate") && said.contains(&pin), "{said}");

    // A profile keeps the pin and the API key's file.
    let folder = place.file("config/claviger");
    fs::create_dir_all(&folder).unwrap();
    let (url, key) = (server.url(""), place.file("api-key"));
    fs::write(
        folder.join("profiles.toml"),
        format!("[lab]\nserver = \"{url}\"\nserver_pin = \"{pin}\"\napi_key_file = \"{}\"\n", key.display()),
    )
    .unwrap();
    let mut command = common::claviger();
    command.args(["token", "list", "--profile", "lab"]).env("XDG_CONFIG_HOME", place.file("config"));
    assert!(succeed(command.env_remove("CLAVIGER_API_KEY")).contains("LOGGED IN"));

    // A person is asked, and is asked once.
    let (folder, mut command) = (place.file("person"), cli.stranger(&["issuer", "list"]));
    let said = on_a_terminal(command.env("XDG_CONFIG_HOME", &folder), "no\n");
    assert!(said.contains("nothing was sent") && !folder.exists(), "{said}");
    let said = on_a_terminal(&mut command, "yes\n");
    assert!(said.contains(&shown_pin(&pin)) && said.contains("self-signed"), "{said}");
    assert!(succeed(&mut command).contains("self-signed"));

    // A CA file does it too, when the name is right: the factory certificate is its own CA.
    let shown = shown_chain(server.addresses.ui, "localhost").unwrap();
    fs::write(place.file("ui.pem"), pki::format::pem_write::certificate(shown[0].der())).unwrap();
    succeed(cli.stranger(&["issuer", "list"]).args(["--ca-file", "ui.pem"]));

    // A refusal is said with its code, to programs in JSON; a wrong API key is one.
    let said = cli.refused(&["key", "show", &"ab".repeat(32)]);
    assert!(said.contains("key_not_found"), "{said}");
    let output =
        cli.command(&["token", "list", "--json"]).env("CLAVIGER_API_KEY", "clv_x_y").output().unwrap();
    let problem: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &problem["status"]), (Some(1), &401.into()));
    server.stop();
}

/// The form in which people compare a pin.
fn shown_pin(pin: &str) -> String {
    pin.parse::<pki::Fingerprint>().unwrap().to_colons()
}

/// Runs a command on a terminal of its own, with somebody who types; answers what stood on it.
fn on_a_terminal(command: &mut Command, typed: &str) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let line: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line.join(" "), "/dev/null"]);
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.current_dir(command.get_current_dir().unwrap());
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn tokens_users_and_api_keys_by_the_command_line() {
    let place = Place::new();
    place.init();
    let server = Server::start(&place);
    let cli = Cli::new(&server, &place);
    assert_eq!(cli.json(&["token", "show", "0"])["logged_in"], false);
    place.secret("wrong", "Wrong-1234\n");
    assert!(cli.refused(&["token", "login", "0", "--pin-file", "wrong"]).contains("pin_incorrect"));
    // A wrong PIN costs a moment before the next one is looked at.
    let login = ["token", "login", "0", "--pin-file", "pin"];
    wait_for("the token is logged in", || {
        cli.command(&login).output().unwrap().status.success().then_some(())
    });
    assert_eq!(cli.json(&["token", "show", "0"])["logged_in"], true);
    assert!(cli.say(&["token", "logout", "0"]).contains("logged out"));

    place.secret("maria", "maria's long password\n");
    let made = cli.json(&[
        "user",
        "create",
        "maria",
        "--role",
        "XROAD_SECURITYSERVER_OBSERVER",
        "--password-file",
        "maria",
    ]);
    assert_eq!(made["name"], "maria");
    assert_eq!(cli.json(&["user", "update", "maria", "--disable"])["disabled"], true);
    assert!(cli.say(&["user", "list"]).contains("maria"));

    cli.say(&[
        "api-key",
        "create",
        "--role",
        "XROAD_SECURITYSERVER_OBSERVER",
        "--label",
        "watch",
        "--out",
        "watch.key",
    ]);
    let watch = fs::read_to_string(place.file("watch.key")).unwrap();
    let mut command = cli.command(&["key", "generate", "forbidden"]);
    assert!(common::refuse(command.env("CLAVIGER_API_KEY", watch.trim())).contains("forbidden"));
    let listed = cli.json(&["api-key", "list"]);
    let id = listed.as_array().unwrap().iter().find(|key| key["label"] == "watch").unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    cli.say(&["api-key", "revoke", &id]);
    let mut command = cli.command(&["token", "list"]);
    assert!(common::refuse(command.env("CLAVIGER_API_KEY", watch.trim())).contains("unauthorized"));

    let events = cli.json(&["audit", "list", "--action", "user.create"]);
    assert_eq!(events["items"][0]["outcome"], "done");
    assert!(cli.say(&["audit", "check"]).contains("all in place"));
    server.stop();
}
