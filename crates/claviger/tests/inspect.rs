//! The offline tools, as programs and people run them: bad inputs get their answers, exit codes hold, and nothing in
//! a file reaches a terminal.

#![expect(clippy::unwrap_used, reason = "tests stop at surprises")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The moment at which the manifest's answers hold.
const AT: &str = "2026-11-22T00:00:00Z";

fn bad_inputs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../badinputs")
}

fn claviger(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
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

/// A root, an intermediate and a leaf, made by openssl; in one file in the wrong order.
fn chain_in_disorder(directory: &Path) -> PathBuf {
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        let output = command.current_dir(directory).args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    };
    std::fs::write(
        directory.join("ca.ext"),
        "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n",
    )
    .unwrap();
    std::fs::write(directory.join("leaf.ext"), "subjectAltName=DNS:shop.example\n").unwrap();
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!(
        "req -x509 {ec} -keyout root.key -out root.pem -days 3650 -subj /CN=Root -addext keyUsage=critical,keyCertSign"
    ));
    for (name, issuer, days, extensions) in
        [("middle", "root", 400, "ca.ext"), ("leaf", "middle", 300, "leaf.ext")]
    {
        openssl(&format!("req -new {ec} -keyout {name}.key -out {name}.csr -subj /CN={name}.example"));
        openssl(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -days {days} -out {name}.pem -extfile {extensions}"
        ));
    }
    let text: String = ["root", "leaf", "middle"]
        .iter()
        .map(|name| std::fs::read_to_string(directory.join(name).with_extension("pem")).unwrap())
        .collect();
    let path = directory.join("all.pem");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_chain_is_put_in_order_and_openssl_takes_what_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let all = chain_in_disorder(directory.path());
    let full = directory.path().join("fullchain.pem");
    let output = claviger(&["chain", "--json", "--write"]).arg(&full).arg(&all).output().unwrap();
    let answer = json(&output);
    assert_eq!(output.status.code(), Some(0), "{answer}");
    let names: Vec<&str> =
        answer["served"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(
        (names, &answer["root"]["name"], &answer["complete"]),
        (vec!["leaf.example", "middle.example"], &"Root".into(), &true.into())
    );
    assert_eq!(answer["findings"][0]["code"], "chain.reordered");
    let verified = Command::new("openssl")
        .current_dir(directory.path())
        .args(["verify", "-CAfile", "root.pem", "-untrusted", "fullchain.pem", "fullchain.pem"])
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");
    // What is there is not written over.
    assert_eq!(claviger(&["chain", "--write"]).arg(&full).arg(&all).output().unwrap().status.code(), Some(1));
    let people = String::from_utf8(claviger(&["chain"]).arg(&all).output().unwrap().stdout).unwrap();
    assert!(people.contains("issued by middle.example (an intermediate, sent after it)"), "{people}");
}

#[test]
fn a_gap_is_an_error_that_names_the_missing_issuer() {
    let directory = tempfile::tempdir().unwrap();
    chain_in_disorder(directory.path());
    let output = claviger(&["chain", "--json"]).arg(directory.path().join("leaf.pem")).output().unwrap();
    let answer = json(&output);
    assert_eq!(answer["complete"], false);
    let finding = &answer["findings"][0];
    assert_eq!(finding["code"], "chain.incomplete", "{answer}");
    assert_eq!(output.status.code(), Some(i32::from(finding["severity"] == "error")));
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
