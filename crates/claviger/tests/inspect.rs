//! The offline tools, as programs and people run them: bad inputs get their answers, exit codes hold, and nothing in
//! a file reaches a terminal.

#![expect(clippy::unwrap_used, reason = "tests stop at surprises")]

#[path = "common/workshop.rs"]
mod workshop;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use workshop::{Workshop, bad_inputs, codes, json, said};

/// The moment at which the manifest's answers hold.
const AT: &str = "2026-11-22T00:00:00Z";

fn claviger(arguments: &[&str]) -> Command {
    let mut command = workshop::claviger();
    command.args(arguments);
    command
}

#[test]
fn every_file_of_the_manifest_gets_its_answer_and_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = std::fs::read(bad_inputs().join("manifest.json")).unwrap();
    let entries: Vec<Value> = serde_json::from_slice(&manifest).unwrap();
    let mut wrong = Vec::new();
    let mut looked = 0;
    for entry in &entries {
        let text = |field: &str| entry[field].as_str().unwrap_or_default();
        if !["pem", "der", "cert", "csr", "key", "chain"].contains(&text("kind")) {
            continue;
        }
        looked += 1;
        let mut command = claviger(&["inspect", "--json", "--at", AT]);
        if let Some(passphrase) = entry["passphrase"].as_str() {
            let file = directory.path().join("passphrase");
            std::fs::write(&file, passphrase).unwrap();
            command.arg("--passphrase-file").arg(file);
        }
        let output = command.arg(bad_inputs().join(text("file"))).output().unwrap();
        let answer = json(&output);
        if !is_expected(&answer, text("expect"), text("code"))
            || output.status.code() != Some(exit_code(&answer))
        {
            wrong.push(format!("{}: {:?} {answer}", text("file"), output.status));
        }
    }
    assert!(looked > 40, "the manifest is gone");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_expected(answer: &Value, expect: &str, code: &str) -> bool {
    let accepted = answer["accepted"].as_bool().unwrap();
    let has =
        |code: &str| answer["findings"].as_array().unwrap().iter().any(|finding| finding["code"] == code);
    let coded = code.is_empty() || code.split('|').any(has);
    match expect {
        "reject" => !accepted && coded,
        "warn" | "accept" | "accept-inactive" => accepted && coded,
        "accept+escape" => accepted && is_inert(answer),
        "accept|reject" => accepted || coded,
        _ => false,
    }
}

/// What DESIGN section 12 promises: 1 for a refusal or an error among the findings.
fn exit_code(answer: &Value) -> i32 {
    let is_error = |finding: &Value| finding["severity"] == "error";
    let bad = answer["accepted"] == false || answer["findings"].as_array().unwrap().iter().any(is_error);
    i32::from(bad)
}

fn is_inert(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains(is_active),
        Value::Array(items) => items.iter().all(is_inert),
        Value::Object(fields) => fields.values().all(is_inert),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

fn is_active(c: char) -> bool {
    let direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\n') || direction
}

#[test]
fn what_people_read_moves_no_cursor_either() {
    for file in std::fs::read_dir(bad_inputs()).unwrap() {
        let path = file.unwrap().path();
        for tool in ["inspect", "chain"] {
            let output = claviger(&[tool, "--at", AT]).arg(&path).output().unwrap();
            let (out, err) =
                (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
            assert!(
                !out.contains(is_active) && !err.contains(is_active),
                "{tool} {}: {out}{err}",
                path.display()
            );
            assert!(
                matches!(output.status.code(), Some(0 | 1)),
                "{tool} {}: {:?} {err}",
                path.display(),
                output.status
            );
        }
    }
}

#[test]
fn the_answer_has_exactly_the_promised_fields() {
    let file = bad_inputs().join("serial_zero.der");
    let answer = json(&claviger(&["inspect", "--json", "--at", AT]).arg(&file).output().unwrap());
    let fields: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["accepted", "findings", "format", "items"]);
    let finding: Vec<&String> = answer["findings"][0].as_object().unwrap().keys().collect();
    assert_eq!(finding, ["code", "repair", "severity", "what", "where"]);
    assert_eq!(
        (answer["format"].as_str(), answer["items"][0]["type"].as_str()),
        (Some("der-certificate"), Some("certificate"))
    );
}

#[test]
fn standard_input_is_read_and_wrong_usage_is_two() {
    let bytes = std::fs::read(bad_inputs().join("serial_zero.der")).unwrap();
    let mut child = claviger(&["inspect", "--json", "--at", AT, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    assert_eq!(json(&child.wait_with_output().unwrap())["accepted"], true);
    for arguments in [
        &["inspect"][..],
        &["inspect", "no-such-file"],
        &["inspect", "--at", "today", "-"],
        &["chain", "no-such-file"],
    ] {
        let output = claviger(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn several_files_are_told_apart() {
    let files = ["serial_zero.der", "empty.pem"].map(|name| bad_inputs().join(name));
    let output = claviger(&["inspect", "--json", "--at", AT]).args(&files).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 2);
    for (answer, file) in answers.iter().zip(&files) {
        assert_eq!(answer["file"], file.to_str().unwrap());
    }
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_is_in_a_file_is_said_in_the_words_of_its_users() {
    let shop = Workshop::new();
    shop.join(&["leaf.pem", "middle.pem", "root.pem"], "all.pem");
    let page = said(&shop.succeed("inspect all.pem leaf.key"));
    for line in [
        "all.pem: pem, 3 certificates",
        "Server certificate  shop.example",
        "    Issued To            CN=shop.example",
        "    Issued By            CN=Middle",
        "    Alternative Name(s)  shop.example, www.shop.example",
        "    Expiration           ",
        "    Private Key?         Yes, in leaf.key",
        "    Role                 intermediate: a CA, and Issued To and Issued By are different",
        "    Role                 root: a CA, and Issued To and Issued By are the same",
        "leaf.key: pem, 1 private key",
        "The private key in leaf.key belongs to shop.example in all.pem.",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    let alone = said(&shop.claviger("inspect middle.key leaf.pem"));
    assert!(alone.contains("The private key in middle.key belongs to none of the certificates."), "{alone}");
}

#[test]
fn a_key_that_fits_no_certificate_is_an_error_in_its_own_file() {
    let shop = Workshop::new();
    let output = shop.claviger("inspect --json leaf.pem middle.key root.pem");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(codes(&answers[1]), ["key.mismatch"], "{text}");
    let mismatch = finding(&answers[1], "key.mismatch");
    assert_eq!((&mismatch["severity"], &mismatch["where"]), (&"error".into(), &"middle.key".into()));
    let others = [&answers[0], &answers[2]];
    assert!(others.iter().all(|answer| !codes(answer).contains(&"key.mismatch")), "{text}");
    assert_eq!(output.status.code(), Some(1));
    // What belongs together, a key beside its own request, and a key beside CAs alone are no mismatch.
    shop.succeed("inspect leaf.pem middle.pem leaf.key middle.key");
    shop.succeed("inspect leaf.pem middle.key middle.csr");
    shop.succeed("inspect middle.pem root.pem leaf.key");
}

#[test]
fn a_key_whose_certificate_binds_it_to_pss_belongs_to_it_and_cannot_be_used() {
    let shop = Workshop::new();
    shop.openssl("genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.key");
    shop.openssl("req -new -key pss.key -out pss.csr -subj /CN=shop.example");
    shop.certify("pss", "middle", 90, "leaf.ext");
    let page = said(&shop.claviger("inspect pss.pem pss.key"));
    assert!(page.contains("The private key in pss.key belongs to shop.example in pss.pem."), "{page}");
    assert!(page.contains("binds its key to RSASSA-PSS") && !page.contains("key.mismatch"), "{page}");
    assert!(page.contains("key.pss_mark"), "{page}");
    assert_eq!(shop.claviger("inspect pss.pem pss.key").status.code(), Some(1));
}

#[test]
fn a_refused_certificate_is_shown_as_far_as_it_can_be_read_and_hides_no_other() {
    let shop = Workshop::new();
    shop.openssl("req -x509 -newkey rsa:1024 -nodes -keyout weak.key -out weak.pem -days 90 -subj /CN=Weak");
    shop.join(&["leaf.pem", "weak.pem", "middle.pem"], "bundle.pem");
    let output = shop.claviger("inspect --json bundle.pem");
    let answer = json(&output);
    assert_eq!((output.status.code(), &answer["accepted"]), (Some(1), &false.into()), "{answer}");
    let kinds: Vec<&Value> = answer["items"].as_array().unwrap().iter().map(|item| &item["type"]).collect();
    assert_eq!(kinds, ["certificate", "refused_certificate", "certificate"]);
    assert_eq!(codes(&answer), ["key.rsa_size"]);
    let weak = &answer["items"][1];
    assert_eq!((&weak["subject"], &weak["issuer"]), (&"CN=Weak".into(), &"CN=Weak".into()));
    assert_eq!(weak["fingerprint"], Value::from(shop.fingerprint("weak.pem")));
    assert!(weak["not_after"].is_string(), "{weak}");
    let page = said(&shop.claviger("inspect weak.pem"));
    for line in [
        "weak.pem: pem, 1 refused certificate, refused",
        "  Refused certificate  CN=Weak",
        "    Issued By            CN=Weak",
        "    Expiration           ",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
}

#[test]
fn usages_addresses_and_the_serial_number_are_shown_and_nothing_is_left_blank() {
    let shown =
        |file: &str| said(&claviger(&["inspect", "--at", AT]).arg(bad_inputs().join(file)).output().unwrap());
    let page = shown("aia_ssrf.der");
    for line in [
        "    Extended key usage   serverAuth",
        "    Serial               36:8c:49:42:00:43:72:1d:b3:61:6b:36:a0:3c:e7:5e:a4:e3:5b:93",
        "    Issuer at            http://169.254.169.254/",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    let nameless = shown("san_empty_no_cn.der");
    assert!(nameless.contains("    Issued To            (no subject)"), "{nameless}");
    assert!(!nameless.contains("its Alternative Names are those of a server"), "{nameless}");
}

#[test]
fn what_is_refused_is_said_to_be_that_and_how_a_passphrase_is_given() {
    let shown =
        |file: &str| said(&claviger(&["inspect", "--at", AT]).arg(bad_inputs().join(file)).output().unwrap());
    assert!(shown("empty.pem").contains("empty.pem: refused\n"));
    let locked = shown("p12_fn_traversal.p12");
    assert!(
        locked.contains(": needs its passphrase\n") && locked.contains("--passphrase-file FILE"),
        "{locked}"
    );
    let label = shown("san_alabel_ascii.der");
    assert!(label.contains("xn--example-") && !label.contains("Xn--"), "{label}");
    let missing = said(&claviger(&["inspect", "nowhere.pem"]).output().unwrap());
    assert_eq!(missing, "claviger: there is no file nowhere.pem\n");
    let host = said(&claviger(&["inspect", "nowhere.example"]).output().unwrap());
    assert!(host.contains("write nowhere.example:443"), "{host}");
}

#[test]
fn the_renewed_certificate_is_identified_by_its_expiration() {
    let shop = Workshop::new();
    std::fs::rename(shop.path("leaf.pem"), shop.path("old.pem")).unwrap();
    shop.certify("leaf", "middle", 200, "leaf.ext");
    let page = said(&shop.succeed("inspect old.pem leaf.pem"));
    let line = page.lines().find(|line| line.contains("identified by its Expiration")).unwrap();
    assert!(
        line.starts_with("2 certificates are issued to shop.example. The newest (in leaf.pem)"),
        "{line}"
    );
}

#[test]
fn a_friendly_name_and_a_passphrase_from_a_file() {
    let shop = Workshop::new();
    shop.openssl("pkcs12 -export -in leaf.pem -inkey leaf.key -name Shop -passout file:in -out a.p12");
    let page = said(&shop.succeed("inspect a.p12 --passphrase-file in"));
    assert!(page.contains("    Friendly Name        Shop"), "{page}");
    assert!(page.contains("a.p12: pkcs12, 1 certificate and 1 private key"), "{page}");
    for (arguments, code) in [
        ("inspect --json a.p12", "pass.needed"),
        ("inspect --json a.p12 --passphrase-file out", "pass.wrong"),
    ] {
        let output = shop.claviger(arguments);
        assert_eq!((codes(&json(&output)), output.status.code()), (vec![code], Some(1)));
    }
}

#[test]
fn a_private_key_that_others_may_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let shop = Workshop::new();
    let set = |mode| {
        std::fs::set_permissions(shop.path("leaf.key"), std::fs::Permissions::from_mode(mode)).unwrap()
    };
    set(0o644);
    let answer = json(&shop.succeed("inspect --json leaf.key"));
    assert_eq!(codes(&answer), ["key.file_mode"], "{answer}");
    // A passphrase that another file needs locks nothing.
    let answer = json(&shop.succeed("inspect --json leaf.key --passphrase-file in"));
    assert_eq!(codes(&answer), ["key.file_mode"], "{answer}");
    set(0o600);
    assert!(codes(&json(&shop.succeed("inspect --json leaf.key"))).is_empty());
}

#[test]
fn a_revocation_list_is_shown_and_what_is_on_it_is_an_error() {
    let shop = Workshop::new();
    shop.revoke_leaf("middle.crl");
    let page = said(&shop.succeed("inspect middle.crl"));
    assert!(
        page.contains("Revocation list  CN=Middle")
            && page.contains("    Revoked              1 certificate"),
        "{page}"
    );
    let output = shop.claviger("inspect middle.crl leaf.pem middle.pem");
    let page = said(&output);
    assert!(page.contains("The CA revoked this certificate on ") && page.contains("keyCompromise"), "{page}");
    assert_eq!(output.status.code(), Some(1));
    let unsigned = shop.succeed("inspect middle.crl leaf.pem");
    assert!(said(&unsigned).contains("its signature was not checked"), "{}", said(&unsigned));
}

/// `openssl s_server` on a free port of this machine.
struct TlsServer {
    child: Child,
    port: u16,
}

impl TlsServer {
    fn start(shop: &Workshop, arguments: &str) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0"]).args(arguments.split(' '));
        command
            .current_dir(shop.path("."))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut port = None;
        let mut lines = lines.lines();
        while port.is_none() {
            let line = lines.next().expect("the server says where it listens").unwrap();
            port = line.strip_prefix("ACCEPT 127.0.0.1:").map(|port| port.trim().parse().unwrap());
        }
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port: port.unwrap() }
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, trusting the workshop's root.
fn look(shop: &Workshop, arguments: &str) -> Output {
    let mut command = workshop::claviger();
    command.env("SSL_CERT_FILE", shop.path("root.pem"));
    shop.run(command.args(arguments.split(' ')))
}

#[test]
fn a_tls_server_is_looked_at_as_its_clients_see_it() {
    let shop = Workshop::new();
    // The same name again with an RSA key, and another certificate for those who send no name.
    shop.openssl("req -new -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.csr -subj /CN=shop.example");
    shop.certify("rsa", "middle", 90, "leaf.ext");
    let server = TlsServer::start(
        &shop,
        "-cert leaf.pem -key leaf.key -cert_chain middle.pem -dcert rsa.pem -dkey rsa.key -dcert_chain middle.pem",
    );
    let target = format!("127.0.0.1:{}", server.port);
    let output = look(&shop, &format!("inspect --json {target} --servername shop.example"));
    let answer = json(&output);
    assert_eq!(output.status.code(), Some(0), "{answer}");
    assert_eq!((&answer["accepted"], &answer["format"]), (&true.into(), &"tls".into()));
    let served = &answer["served"];
    assert_eq!((&served["protocol"], &served["server_name"]), (&"TLS 1.3".into(), &"shop.example".into()));
    let (leaf, rsa, middle) =
        (shop.fingerprint("leaf.pem"), shop.fingerprint("rsa.pem"), shop.fingerprint("middle.pem"));
    let chains: Vec<&Value> = std::iter::once(&served["chain"])
        .chain(served["other_clients"].as_array().unwrap().iter().map(|other| &other["chain"]))
        .collect();
    assert!(chains.contains(&&json!([leaf, middle])) && chains.contains(&&json!([rsa, middle])), "{answer}");
    assert_eq!(answer["items"].as_array().unwrap().len(), 3, "{answer}");
    assert!(
        !codes(&answer).iter().any(|code| code.starts_with("look.") || code.starts_with("chain.")),
        "{answer}"
    );
    let page = said(&look(&shop, &format!("inspect {target} --servername shop.example")));
    assert!(
        page.contains("    Asked for            shop.example\n    Address              127.0.0.1:"),
        "{page}"
    );
    assert!(
        page.contains("    RSA only             another one: shop.example, then Middle (TLS 1.3"),
        "{page}"
    );
    assert!(page.contains("    Ed25519 only         nothing: "), "{page}");
    let proven = "    Private Key?         Yes: the server proved that it has it\n";
    assert_eq!(page.matches(proven).count(), 2, "the leaf and its sibling: {page}");
    // Siblings are no renewal of each other.
    assert!(!page.contains("identified by"), "{page}");
}

#[test]
fn what_is_wrong_with_what_is_served_is_told() {
    let shop = Workshop::new();
    shop.join(&["root.pem", "middle.pem"], "disorder.pem");
    let server = TlsServer::start(&shop, "-cert leaf.pem -key leaf.key -cert_chain disorder.pem -tls1_2");
    let ask = |options: &str| look(&shop, &format!("inspect {options} 127.0.0.1:{}", server.port));
    let output = ask("--json --servername other.example");
    let answer = json(&output);
    for code in ["cert.name_mismatch", "look.root_sent", "chain.reordered"] {
        assert!(codes(&answer).contains(&code), "{code}: {answer}");
    }
    assert_eq!((output.status.code(), &answer["served"]["protocol"]), (Some(1), &"TLS 1.2".into()));
    // Who dials an address may well mean the name behind it.
    let by_address = ask("--json");
    let answer = json(&by_address);
    let finding = answer["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["code"] == "cert.name_mismatch")
        .unwrap();
    assert_eq!((&finding["severity"], &answer["served"]["server_name"]), (&"warning".into(), &Value::Null));
    assert_eq!(by_address.status.code(), Some(0), "{answer}");
}

#[test]
fn a_server_without_its_intermediate_and_a_root_that_nobody_trusts() {
    let shop = Workshop::new();
    let short = TlsServer::start(&shop, "-cert leaf.pem -key leaf.key");
    let answer =
        json(&look(&shop, &format!("inspect --json 127.0.0.1:{} --servername shop.example", short.port)));
    assert!(codes(&answer).contains(&"chain.incomplete"), "{answer}");
    let whole = TlsServer::start(&shop, "-cert leaf.pem -key leaf.key -cert_chain middle.pem");
    let target = format!("127.0.0.1:{}", whole.port);
    let answer = json(&shop.claviger(&format!("inspect --json {target} --servername shop.example")));
    assert!(codes(&answer).contains(&"chain.root_missing"), "{answer}");
    // The other tools take a server where they take a file.
    shop.succeed(&format!("convert {target} --to pem --out served.pem"));
    assert_eq!(shop.text("served.pem"), shop.text("leaf.pem") + &shop.text("middle.pem"));
    let page = said(&shop.claviger(&format!("chain {target} root.pem")));
    assert!(page.contains("shop.example: the chain reaches a root"), "{page}");
}

/// A finding by its code.
fn finding<'a>(answer: &'a Value, code: &str) -> &'a Value {
    let findings = answer["findings"].as_array().unwrap();
    findings.iter().find(|one| one["code"] == code).unwrap_or_else(|| panic!("no {code}: {answer}"))
}

#[test]
fn a_certificate_that_tls_clients_refuse_is_shown_with_its_findings() {
    let shop = Workshop::new();
    // Version 1: no extensions at all.
    shop.openssl("x509 -req -in leaf.csr -CA middle.pem -CAkey middle.key -days 90 -out old.pem");
    assert!(shop.openssl("x509 -in old.pem -noout -text").contains("Version: 1"));
    let server = TlsServer::start(&shop, "-cert old.pem -key leaf.key -cert_chain middle.pem");
    let output = look(&shop, &format!("inspect --json 127.0.0.1:{} --servername shop.example", server.port));
    let answer = json(&output);
    assert_eq!(output.status.code(), Some(1), "{answer}");
    assert_eq!(answer["served"]["chain"][0], Value::from(shop.fingerprint("old.pem")));
    assert_eq!(answer["served"]["private_key"], "proven", "{answer}");
    assert_eq!(answer["items"][0]["name"], "shop.example");
    assert_eq!(finding(&answer, "look.certificate_refused")["severity"], "error");
    // What is wrong with the certificate is said too.
    assert!(codes(&answer).contains(&"cert.no_san"), "{answer}");
    let page = said(&look(&shop, &format!("inspect 127.0.0.1:{} --servername shop.example", server.port)));
    assert!(page.contains("There are TLS clients that refuse the certificate: "), "{page}");
}

#[test]
fn a_key_that_is_too_small_to_be_proven_is_told_instead_of_hidden() {
    let shop = Workshop::with_leaf_key("-newkey rsa:1024");
    let server = TlsServer::start(&shop, "-cert leaf.pem -key leaf.key -cipher DEFAULT@SECLEVEL=0");
    let output = look(&shop, &format!("inspect --json 127.0.0.1:{} --servername shop.example", server.port));
    let answer = json(&output);
    assert_eq!((output.status.code(), &answer["served"]["private_key"]), (Some(1), &"unchecked".into()));
    let doubt = finding(&answer, "look.unproven");
    assert!(doubt["what"].as_str().unwrap().contains("an RSA key of 1024 bits"), "{answer}");
    assert_eq!(finding(&answer, "key.rsa_size")["where"], "certificate 1 of 1, public key");
}

#[test]
fn a_server_that_wants_a_certificate_of_its_clients_shows_its_own() {
    let shop = Workshop::new();
    let server = TlsServer::start(
        &shop,
        "-cert leaf.pem -key leaf.key -cert_chain middle.pem -Verify 1 -CAfile root.pem -tls1_2",
    );
    let output = look(&shop, &format!("inspect --json 127.0.0.1:{} --servername shop.example", server.port));
    let answer = json(&output);
    assert_eq!(
        (output.status.code(), &answer["served"]["private_key"]),
        (Some(0), &"proven".into()),
        "{answer}"
    );
    assert_eq!(answer["served"]["chain"][0], Value::from(shop.fingerprint("leaf.pem")));
    assert_eq!(finding(&answer, "look.unfinished")["severity"], "warning");
}

#[test]
fn a_key_on_the_list_is_refused_in_a_file_and_on_a_server() {
    let shop = Workshop::new();
    let answer = json(&shop.succeed("inspect --json leaf.pem"));
    let key_id = answer["items"][0]["key_id"].as_str().unwrap().to_owned();
    shop.write("list.txt", format!("# ours\n{key_id} ; leaked\n"));
    for subject in ["leaf.pem", "leaf.csr", "leaf.key"] {
        let output = shop.claviger(&format!("inspect --json --blocklist list.txt {subject}"));
        let answer = json(&output);
        assert_eq!((output.status.code(), &answer["accepted"]), (Some(1), &false.into()), "{answer}");
        assert_eq!(answer["findings"][0]["code"], "key.weak.blocklist", "{answer}");
    }
    assert_eq!(json(&shop.succeed("inspect --json --blocklist list.txt middle.pem"))["accepted"], true);
    let server = TlsServer::start(&shop, "-cert leaf.pem -key leaf.key -cert_chain middle.pem");
    let target = format!("127.0.0.1:{} --servername shop.example", server.port);
    let output = look(&shop, &format!("inspect --json --blocklist list.txt {target}"));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json(&output)["findings"][0]["code"], "key.weak.blocklist");
    // A list that cannot be read is not passed over.
    shop.write("broken.txt", "no hash\n");
    for list in ["broken.txt", "no-such-list"] {
        shop.refuse(
            2,
            &format!("inspect --blocklist {list} leaf.pem"),
            "the list of known keys cannot be used",
        );
    }
}

#[test]
fn a_server_that_shows_nothing_is_an_answer_too() {
    let shop = Workshop::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts: the connection is taken by the system, and no answer comes.
    let silent = shop.claviger(&format!("inspect --json --timeout 1 {address}"));
    assert_eq!((codes(&json(&silent)), silent.status.code()), (vec!["look.unreachable"], Some(1)));
    let plain = std::thread::spawn(move || {
        // The silent one's connection waits in the queue before ours.
        for connection in listener.incoming().take(2) {
            let _ = connection.unwrap().write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n\x1b[2J");
        }
    });
    let output = shop.claviger(&format!("inspect --json {address}"));
    plain.join().unwrap();
    assert_eq!((codes(&json(&output)), output.status.code()), (vec!["look.handshake"], Some(1)));
    assert!(said(&output).contains("what answers there does not speak TLS"), "{}", said(&output));
    // The port is free again now.
    let gone = shop.claviger(&format!("inspect --json {address}"));
    assert_eq!((codes(&json(&gone)), gone.status.code()), (vec!["look.unreachable"], Some(1)));
    shop.refuse(2, "inspect shop.invalid", "write shop.invalid:443");
}

#[test]
fn a_file_goes_before_a_server_of_its_name() {
    let shop = Workshop::new();
    std::fs::copy(shop.path("leaf.pem"), shop.path("localhost:1")).unwrap();
    assert_eq!(json(&shop.succeed("inspect --json localhost:1"))["format"], "pem");
}

#[test]
fn the_console_helper_makes_a_csr_that_openssl_verifies() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("pass"), "correct horse\n").unwrap();
    for (usage, algorithm, shown) in [
        ("tls", "rsa-2048", "TLS Web Server Authentication"),
        ("sign", "ec-p256", "Non Repudiation"),
        ("auth", "ec-p384", "Digital Signature, Key Encipherment, Data Encipherment"),
    ] {
        let (key, csr) = (format!("{usage}.key"), format!("{usage}.csr"));
        let mut command =
            claviger(&["csr", "new", "--passphrase-file", "pass", "--key-out", &key, "--csr-out", &csr]);
        command.args([
            "--usage",
            usage,
            "--algorithm",
            algorithm,
            "--subject",
            "O=Acme, \"Inc.\"",
            "--subject",
            "CN=shop.example",
        ]);
        let output = command.current_dir(directory.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let openssl = |arguments: &[&str]| {
            let output =
                Command::new("openssl").current_dir(directory.path()).args(arguments).output().unwrap();
            assert!(output.status.success(), "{arguments:?} {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let text = openssl(&["req", "-in", &csr, "-verify", "-noout", "-text", "-nameopt", "RFC2253,utf8"]);
        assert!(text.contains(shown) && text.contains("O=Acme\\, \\\"Inc.\\\""), "{text}");
        assert_eq!(text.contains("DNS:shop.example"), usage == "tls");
        let of_key = openssl(&["pkey", "-in", &key, "-passin", "file:pass", "-pubout"]);
        assert_eq!(of_key, openssl(&["req", "-in", &csr, "-noout", "-pubkey"]));
    }
}
