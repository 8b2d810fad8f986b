//! `claviger convert` as people and programs run it: from each form into each other, with `openssl` and `keytool` as
//! the judges of what is written.

#[path = "common/workshop.rs"]
mod workshop;

use std::io::Write;
use std::process::{Command, Stdio};

use workshop::{OUT, Workshop, claviger, json, said};

const RSA: &str = "-newkey rsa:2048";

/// The public key of a private key's file, as openssl reads it.
fn public_key(shop: &Workshop, arguments: &str) -> String {
    shop.openssl(&format!("pkey {arguments} -pubout"))
}

#[test]
fn pkcs12_is_read_by_openssl_with_key_chain_and_name() {
    let shop = Workshop::with_leaf_key(RSA);
    let mut command = claviger();
    command.args(["convert", "root.pem", "leaf.key", "middle.pem", "leaf.pem", "--to", "p12"]);
    command.args(["--out", "shop.p12", "--out-passphrase-file", "out", "--name", "Web shöp"]);
    let output = shop.run(&mut command);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("Root, the root: clients have it"), "{}", said(&output));
    assert_eq!(shop.mode("shop.p12"), 0o600);
    let text = shop.openssl("pkcs12 -in shop.p12 -passin file:out -nodes");
    // What openssl makes of the rest depends on its locale.
    assert!(text.contains("friendlyName: Web sh"), "{text}");
    assert_eq!(
        (text.matches("BEGIN CERTIFICATE").count(), text.matches("BEGIN PRIVATE KEY").count()),
        (2, 1)
    );
    shop.write("read.pem", &text);
    assert_eq!(public_key(&shop, "-in read.pem"), public_key(&shop, "-in leaf.key"));
    assert_eq!(shop.fingerprint("read.pem"), shop.fingerprint("leaf.pem"));
    let refused =
        shop.run(Command::new("openssl").args(["pkcs12", "-in", "shop.p12", "-passin", "pass:wrong"]));
    assert!(!refused.status.success());
}

#[test]
fn legacy_is_what_old_devices_read_and_is_warned_of() {
    let shop = Workshop::new();
    let files = "leaf.pem leaf.key middle.pem root.pem";
    let output = shop.succeed(&format!(
        "convert {files} --with-root --to p12 --legacy --out old.pfx --out-passphrase-file out"
    ));
    assert!(said(&output).contains("3DES and SHA-1 are for devices"), "{}", said(&output));
    let info = shop.run(
        Command::new("openssl").args("pkcs12 -info -in old.pfx -passin file:out -nodes -legacy".split(' ')),
    );
    let text = said(&info);
    assert!(info.status.success() && text.contains("pbeWithSHA1And3-KeyTripleDES-CBC"), "{text}");
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 3);
    shop.refuse(2, &format!("convert {files} --to pem --legacy --no-key"), "--to p12");
}

#[test]
fn pkcs7_and_der_hold_certificates_and_never_a_key() {
    let shop = Workshop::new();
    let files = "leaf.key middle.pem leaf.pem root.pem";
    for (form, kind) in [("p7b", "der"), ("p7b-pem", "pem")] {
        let output = shop.succeed(&format!("convert {files} --to {form} --out chain.{form}"));
        assert!(said(&output).contains("no key goes along"), "{}", said(&output));
        let text = shop.openssl(&format!("pkcs7 -inform {kind} -in chain.{form} -print_certs"));
        let subjects: Vec<&str> = text.lines().filter(|line| line.starts_with("subject=")).collect();
        assert_eq!(subjects, ["subject=CN = shop.example", "subject=CN = Middle"]);
        assert_eq!(shop.mode(&format!("chain.{form}")), 0o644);
    }
    shop.succeed(&format!("convert {files} --to der --out leaf.der"));
    let text = shop.openssl("x509 -inform der -in leaf.der -noout -subject");
    assert_eq!(text.trim(), "subject=CN = shop.example");
}

#[test]
fn pkcs12_without_a_key_says_so() {
    let shop = Workshop::new();
    let alone =
        said(&shop.succeed("convert leaf.pem middle.pem --to p12 --out a.p12 --out-passphrase-file out"));
    assert!(alone.contains("no private key is in it: there was none"), "{alone}");
    let without = said(
        &shop.succeed("convert leaf.pem leaf.key --no-key --to p12 --out b.p12 --out-passphrase-file out"),
    );
    assert!(without.contains("no private key is in it: it was left out"), "{without}");
}

#[test]
fn a_key_leaves_encrypted_unless_its_owner_says_otherwise() {
    let shop = Workshop::new();
    let there = public_key(&shop, "-in leaf.key");
    for (form, read) in
        [("pkcs8-der", "-inform der -in k -passin file:out"), ("pem", "-in k -passin file:out")]
    {
        shop.succeed(&format!(
            "convert leaf.key leaf.pem --to {form} --out k --force --out-passphrase-file out"
        ));
        assert_eq!((public_key(&shop, read), shop.mode("k")), (there.clone(), 0o600), "{form}");
        let without = shop.run(Command::new("openssl").args(["pkey", "-passin", "pass:", "-in", "k"]));
        assert!(!without.status.success(), "{form} is open");
    }
    assert_eq!(shop.text("k").matches("BEGIN ENCRYPTED PRIVATE KEY").count(), 1);
    for form in ["pkcs8", "pem", "sec1"] {
        shop.succeed(&format!("convert leaf.key leaf.pem --to {form} --out open --force --open-key"));
        assert_eq!((public_key(&shop, "-in open"), shop.mode("open")), (there.clone(), 0o600), "{form}");
    }
    assert!(shop.text("open").starts_with("-----BEGIN EC PRIVATE KEY-----"));
    // A program that says neither gets told what it can say, and nothing is written.
    let said = shop.refuse(2, "convert leaf.key leaf.pem --to pem --out new", "--out-passphrase-file");
    assert!(said.contains("--open-key") && said.contains("--no-key") && !shop.path("new").exists());
    shop.refuse(2, "convert leaf.key --to sec1 --out new", "--open-key");
    shop.refuse(2, "convert leaf.key leaf.pem --to p12 --out new --open-key", "--open-key");
    shop.refuse(1, "convert leaf.key --to pkcs1 --out new --open-key", "convert.key_form");
    shop.succeed("convert leaf.key leaf.pem --to pem --out certificates --no-key");
    assert_eq!(shop.text("certificates"), shop.text("leaf.pem"));
}

#[test]
fn pkcs1_is_for_rsa() {
    let shop = Workshop::with_leaf_key(RSA);
    shop.succeed("convert leaf.key --to pkcs1 --out k --open-key");
    assert!(shop.text("k").starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    shop.openssl("rsa -in k -check -noout");
    shop.refuse(1, "convert leaf.key --to sec1 --out new --open-key", "convert.key_form");
}

#[test]
fn trust_stores_hold_the_roots_and_keytool_lists_them() {
    let shop = Workshop::new();
    for form in ["jks-trust", "p12-trust"] {
        let output = shop.succeed(&format!(
            "convert leaf.pem leaf.key root.pem middle.pem --to {form} --out trust --force --out-passphrase-file out"
        ));
        assert!(said(&output).contains("no root: only roots are trusted"), "{}", said(&output));
        let mut keytool = Command::new("keytool");
        keytool.args(["-J-Xshare:auto", "-list", "-keystore", "trust", "-storepass", OUT]);
        let listed = shop.run(&mut keytool);
        let text = said(&listed);
        assert!(listed.status.success() && text.contains("root,"), "{form}: {text}");
        assert_eq!(text.matches("trustedCertEntry").count(), 1, "{form}: {text}");
    }
    let trust = "--to jks-trust --out new --out-passphrase-file out";
    shop.refuse(1, &format!("convert leaf.pem middle.pem {trust}"), "convert.nothing");
}

#[test]
fn from_every_form_into_every_other_it_stays_the_same() {
    let shop = Workshop::new();
    let pass = "--passphrase-file in";
    shop.openssl("pkcs12 -export -in leaf.pem -inkey leaf.key -certfile middle.pem -name Shop -passout file:in -out a.p12");
    shop.openssl(
        "pkcs12 -export -legacy -in leaf.pem -inkey leaf.key -certfile middle.pem -name Shop -passout file:in -out a.pfx",
    );
    shop.openssl("pkcs8 -topk8 -in leaf.key -passout file:in -out leaf.enc");
    shop.join(&["leaf.enc", "middle.pem", "leaf.pem"], "a.pem");
    shop.openssl("crl2pkcs7 -nocrl -certfile middle.pem -certfile leaf.pem -outform der -out a.p7b");
    shop.openssl("pkcs8 -topk8 -nocrypt -in leaf.key -out leaf.open");
    let expected = shop.text("leaf.pem") + &shop.text("middle.pem") + &shop.text("leaf.open");
    let holds_everything = |file: &str| {
        let answer = json(&shop.succeed(&format!("inspect --json --passphrase-file out {file}")));
        let items = answer["items"].as_array().unwrap();
        let fingerprint = |item: &serde_json::Value| item["fingerprint"].as_str().map(str::to_owned);
        let found: Vec<String> = items.iter().filter_map(fingerprint).collect();
        assert_eq!(found, [shop.fingerprint("leaf.pem"), shop.fingerprint("middle.pem")], "{file} {answer}");
        assert!(items.iter().any(|item| item["type"] == "private_key"), "{file} {answer}");
    };
    for source in ["a.p12", "a.pfx", "a.pem", "a.p7b leaf.enc"] {
        shop.succeed(&format!("convert {source} {pass} --to pem --out b.pem --open-key --force"));
        assert_eq!(shop.text("b.pem"), expected, "{source}");
        shop.succeed(&format!(
            "convert {source} {pass} --to p12 --legacy --out b.p12 --out-passphrase-file out --force"
        ));
        holds_everything("b.p12");
    }
    // The name that a file gave it stays.
    shop.succeed(&format!("convert a.pfx {pass} --to p12 --out c.p12 --out-passphrase-file out"));
    holds_everything("c.p12");
    assert!(shop.openssl("pkcs12 -in c.p12 -passin file:out -nodes").contains("friendlyName: Shop"));
}

#[test]
fn requests_and_revocation_lists_change_their_form_too() {
    let shop = Workshop::new();
    shop.succeed("convert leaf.csr --to der --out leaf.csr.der");
    shop.openssl("req -inform der -in leaf.csr.der -noout -verify");
    shop.succeed("convert leaf.csr.der --to pem --out back.csr");
    assert_eq!(shop.text("back.csr"), shop.text("leaf.csr"));
    shop.refuse(1, "convert leaf.csr middle.csr --to der --out new", "convert.nothing");
    shop.refuse(1, "convert leaf.csr --to p7b --out new", "convert.nothing");
}

#[test]
fn of_several_keys_one_is_chosen_by_name_and_a_program_must_choose() {
    let shop = Workshop::new();
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    shop.openssl(&format!(
        "req -x509 {ec} -keyout other.key -out other.pem -days 90 -subj /CN=other.example"
    ));
    let files = "leaf.pem leaf.key other.pem other.key middle.pem";
    let to = "--to p12 --legacy --out k.p12 --force --out-passphrase-file out";
    let said = shop.refuse(1, &format!("convert {files} {to}"), "import.ambiguous_key");
    assert!(
        said.contains("“shop.example”") && said.contains("“other.example”") && said.contains("--key"),
        "{said}"
    );
    let id = json(&shop.claviger("inspect --json other.key"))["items"][0]["key_id"].as_str().unwrap()[..12]
        .to_owned();
    for (choice, file) in [("shop.example", "leaf.key"), ("OTHER.example", "other.key"), (&id, "other.key")] {
        shop.succeed(&format!("convert {files} {to} --key {choice}"));
        shop.write("read.pem", shop.openssl("pkcs12 -legacy -in k.p12 -passin file:out -nodes"));
        assert_eq!(public_key(&shop, "-in read.pem"), public_key(&shop, &format!("-in {file}")), "{choice}");
    }
    shop.refuse(1, &format!("convert {files} {to} --key nobody"), "convert.key");
    shop.succeed(&format!("convert {files} --to pem --all --no-key --out all.pem"));
    assert_eq!(shop.text("all.pem").matches("BEGIN CERTIFICATE").count(), 3);
}

/// Two pairs in one file, each key under a passphrase of its own.
fn two_locks(shop: &Workshop) {
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    shop.openssl(&format!(
        "req -x509 {ec} -keyout other.key -out other.pem -days 90 -subj /CN=other.example"
    ));
    shop.openssl("pkcs8 -topk8 -in leaf.key -passout file:in -out a.key");
    shop.openssl("pkcs8 -topk8 -in other.key -passout file:out -out b.key");
    shop.join(&["leaf.pem", "a.key", "other.pem", "b.key", "middle.pem"], "both.pem");
}

#[test]
fn one_file_may_need_several_passphrases() {
    let shop = Workshop::new();
    two_locks(&shop);
    let to = "--to pkcs8 --open-key --out k --force";
    for (given, key, file) in [
        ("--passphrase-file in --passphrase-file out", "shop.example", "leaf.key"),
        ("--passphrase-file out --passphrase-file in", "other.example", "other.key"),
    ] {
        let output = shop.succeed(&format!("convert both.pem {given} {to} --key {key}"));
        assert!(said(&output).contains("another was chosen"), "{}", said(&output));
        assert_eq!(public_key(&shop, "-in k"), public_key(&shop, &format!("-in {file}")));
        let answer = json(&shop.claviger(&format!("inspect --json both.pem {given}")));
        assert_eq!(answer["items"].as_array().unwrap().len(), 5, "{answer}");
    }
    let many = "--passphrase-file in ".repeat(11);
    shop.refuse(2, &format!("convert both.pem {many}--to pkcs8 --open-key --out new"), "more than 10");
}

#[test]
fn what_cannot_be_used_beside_the_chosen_key_is_left_out_and_said() {
    let shop = Workshop::new();
    two_locks(&shop);
    let to = "--to pkcs8 --open-key --out k --force";
    let output = shop.succeed(&format!("convert both.pem --passphrase-file in {to} --key shop.example"));
    let told = said(&output);
    assert!(told.contains("Left out: both.pem, ENCRYPTED PRIVATE KEY in line "), "{told}");
    assert_eq!(public_key(&shop, "-in k"), public_key(&shop, "-in leaf.key"));
    let one = "convert both.pem --passphrase-file in --open-key --to pkcs8 --out new";
    for chosen in ["", " --key other.example", " --key nobody"] {
        let told = shop.refuse(1, &format!("{one}{chosen}"), "pass.wrong");
        assert!(told.contains("--passphrase-file once more"), "{told}");
    }
    // Nor is it written without its key.
    let to = "--to p12 --out new --out-passphrase-file out";
    shop.refuse(1, &format!("convert both.pem --passphrase-file in {to} --key other.example"), "pass.wrong");
    shop.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out odd.key");
    shop.join(&["odd.key", "leaf.pem", "leaf.key", "middle.pem"], "odd.pem");
    shop.refuse(1, "convert odd.pem --to pkcs8 --open-key --out new", "key.");
    let output = shop.succeed("convert odd.pem --to pkcs8 --open-key --out k --force --key shop.example");
    assert!(said(&output).contains("Left out: odd.pem, PRIVATE KEY in line 1: "), "{}", said(&output));
    assert!(!shop.path("new").exists());
}

#[test]
fn what_cannot_be_done_is_refused_with_its_code_and_nothing_is_written() {
    let shop = Workshop::new();
    shop.write("kept", "mine");
    shop.openssl("pkcs12 -export -in leaf.pem -inkey leaf.key -passout file:in -out a.p12");
    shop.refuse(1, "convert leaf.pem --to der --out kept", "--force");
    assert_eq!(shop.text("kept"), "mine");
    let to = "--to pem --out new --out-passphrase-file out";
    shop.refuse(1, &format!("convert a.p12 {to} --passphrase-file out"), "pass.wrong");
    shop.refuse(1, &format!("convert a.p12 {to}"), "pass.needed");
    shop.refuse(1, &format!("convert leaf.pem middle.key {to}"), "key.mismatch");
    shop.refuse(1, "convert leaf.pem --to pkcs8 --out new --open-key", "convert.nothing");
    shop.refuse(2, "convert no-such-file --to der --out new", "no-such-file");
    shop.refuse(2, "convert leaf.pem --to nothing --out new", "possible values");
    shop.refuse(2, "convert leaf.key --to pkcs8 --no-key --out new", "--no-key");
    shop.refuse(2, "convert leaf.pem --to der --out new --out-passphrase-file out", "--out-passphrase-file");
    assert!(!shop.path("new").exists());
}

#[test]
fn a_pipe_takes_text_and_bytes() {
    let shop = Workshop::new();
    let mut child = claviger();
    child
        .args(["convert", "-", "--to", "der"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = child.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&shop.read("leaf.pem")).unwrap();
    let output = child.wait_with_output().unwrap();
    shop.write("leaf.der", output.stdout);
    assert_eq!(shop.text("leaf.pem"), shop.openssl("x509 -inform der -in leaf.der"));
}

#[test]
fn a_terminal_gets_no_open_key_and_no_bytes() {
    let shop = Workshop::new();
    let program = env!("CARGO_BIN_EXE_claviger");
    let on_terminal = |arguments: &str| {
        let mut script = Command::new("script");
        script.args(["-qec", &format!("{program} convert {arguments}"), "/dev/null"]).stdin(Stdio::null());
        shop.run(&mut script)
    };
    for arguments in
        ["leaf.key --to pkcs8 --open-key", "leaf.pem --to der", "leaf.key leaf.pem --to pem --open-key"]
    {
        let output = on_terminal(arguments);
        let said = said(&output);
        assert!(output.status.code() == Some(2) && said.contains("--out FILE"), "{arguments}: {said}");
        assert!(!said.contains("BEGIN"), "{arguments}: {said}");
    }
    assert!(said(&on_terminal("leaf.pem --to pem")).contains("BEGIN CERTIFICATE"));
}

#[test]
fn a_hostile_friendly_name_moves_no_cursor_and_stays_what_it_was() {
    let shop = Workshop::new();
    let name = "a\u{1b}[2Jb\u{202e}c";
    let mut export = Command::new("openssl");
    export
        .args("pkcs12 -export -in leaf.pem -inkey leaf.key -passout file:in -out a.p12 -name".split(' '))
        .arg(name);
    assert!(shop.run(&mut export).status.success());
    let output = shop.succeed(
        "convert a.p12 --passphrase-file in --to p12 --legacy --out b.p12 --out-passphrase-file out",
    );
    assert!(!said(&output).contains(['\u{1b}', '\u{202e}']), "{}", said(&output));
    for (file, passphrase) in [("a.p12", "in"), ("b.p12", "out")] {
        let output = shop.succeed(&format!("inspect --json {file} --passphrase-file {passphrase}"));
        let shown = json(&output)["items"][0]["friendly_name"].as_str().map(str::to_owned);
        assert_eq!(shown.as_deref(), Some("a\\u{1b}[2Jb\\u{202e}c"), "{file}");
    }
}
