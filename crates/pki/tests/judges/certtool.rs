//! GnuTLS' `certtool`. It derives with 600,000 rounds, and cannot be told otherwise.

use claviger_pki::format::pkcs12_write::{self, Strength};
use claviger_pki::format::{self, pkcs7_write};

use crate::material::{Material, PASSPHRASES, Pair, Passphrase, salts};

/// What `--pkcs-cipher` can be; the first is the usual one.
const CIPHERS: [&str; 6] = ["aes-256", "aes-128", "aes-192", "3des", "3des-pkcs12", "rc2-40"];
/// RC4 is not read here; without a cipher it writes an open key where an encrypted one should be, which OpenSSL does not
/// read either.
const NOT_TAKEN: [(&str, &str); 2] = [("arcfour", "key.encryption_unsupported"), ("none", "der.not_der")];

/// How an empty passphrase is typed differs from command to command.
fn typed(passphrase: &Passphrase) -> Vec<&str> {
    if passphrase.text.is_empty() { vec!["--empty-password"] } else { vec!["--password", passphrase.text] }
}

/// It shows the key of a PKCS#12 file as it lies there, still encrypted: it is asked to open that, too.
fn opens(material: &Material, pair: &Pair, passphrase: &Passphrase, strength: Strength) {
    material.write("ours.p12", pair.pkcs12(passphrase, strength));
    let show = ["--p12-info", "--inder", "--infile", "ours.p12", "--password", passphrase.text];
    let text = material.text("certtool", &show);
    let (before, key) = text.split_once("-----BEGIN ENCRYPTED PRIVATE KEY").expect(&text);
    pair.assert_certificates_printed(before, "PKCS#12");
    material.write("ours.key", format!("-----BEGIN ENCRYPTED PRIVATE KEY{key}"));
    opens_key(material, pair, passphrase);
}

/// `ours.key`, encrypted.
fn opens_key(material: &Material, pair: &Pair, passphrase: &Passphrase) {
    let mut show = vec!["--key-info", "--pkcs8", "--infile", "ours.key"];
    show.extend(typed(passphrase));
    let text = material.text("certtool", &show);
    if pair.kind == "ed25519" {
        // Such keys it encrypts again before it prints them.
        return pair.assert_key_in(text.as_bytes(), passphrase, "PKCS#8");
    }
    // EC keys it prints without their curve, and nobody reads those; but it says the name of the key, too.
    assert!(text.contains(&format!("sha256:{}", pair.key.id())), "{}: {text}", pair.kind);
}

#[test]
fn it_reads_modern_pkcs12_of_ours() {
    let material = Material::new();
    for (pair, passphrase) in material.some(0) {
        opens(&material, pair, passphrase, Strength::Modern);
    }
}

#[test]
fn it_reads_legacy_pkcs12_and_encrypted_keys_of_ours() {
    let material = Material::new();
    for (pair, passphrase) in material.all() {
        opens(&material, pair, passphrase, Strength::Legacy);
    }
    for (pair, passphrase) in material.some(1) {
        material.write("ours.key", pair.encrypted_key(passphrase));
        opens_key(&material, pair, passphrase);
    }
}

#[test]
fn it_reads_trust_stores_and_pkcs7_of_ours() {
    let material = Material::new();
    for pair in &material.pairs {
        material.write("ours.p7b", pkcs7_write::write(pair.ders()));
        let text = material.text("certtool", &["--p7-info", "--inder", "--infile", "ours.p7b"]);
        // After the certificates it prints the whole once more.
        let (certificates, _) = text.split_once("-----BEGIN PKCS7").expect(&text);
        pair.assert_certificates_printed(certificates, "PKCS#7");
    }
    let pair = &material.pairs[0];
    let anchors: Vec<_> = pair.certificates.iter().map(|one| (one.display_name(), one.clone())).collect();
    for passphrase in &PASSPHRASES {
        material.write("ours.p12", pkcs12_write::trust_store(&anchors, passphrase.text, &salts()));
        let show = ["--p12-info", "--inder", "--infile", "ours.p12", "--password", passphrase.text];
        pair.assert_certificates_printed(&material.text("certtool", &show), "a trust store");
    }
}

/// A file of it with a key and, if there is room for them, its certificates.
fn make(material: &Material, pair: &Pair, passphrase: &Passphrase, what: &[&str]) -> Vec<u8> {
    let key = format!("{}.key", pair.kind);
    let mut arguments = vec!["--load-privkey", &key, "--outfile", "it"];
    arguments.extend(what);
    arguments.extend(typed(passphrase));
    material.text("certtool", &arguments);
    material.bytes("it")
}

/// Everything with the usual cipher, and each of the others once.
fn ciphers(material: &Material) -> impl Iterator<Item = (&'static str, &Pair, &'static Passphrase)> {
    let usual = material.some(2).map(|(pair, passphrase)| (CIPHERS[0], pair, passphrase));
    let others = CIPHERS.iter().enumerate().skip(1);
    let others = others.filter_map(|(number, cipher)| {
        material.some(number / 4).nth(number % 4).map(|(pair, passphrase)| (*cipher, pair, passphrase))
    });
    usual.chain(others)
}

#[test]
fn its_pkcs12_is_read() {
    let material = Material::new();
    for (cipher, pair, passphrase) in ciphers(&material) {
        let leaf = format!("{}.pem", pair.kind);
        let name = ["--to-p12", "--outder", "--p12-name", pair.kind];
        let content = ["--load-certificate", &leaf, "--pkcs-cipher", cipher];
        let what = [&name[..], &content].concat();
        // Each certificate costs a second more.
        if cipher == CIPHERS[0] && passphrase.name == "ascii" {
            let with_root = [&what[..], &["--load-ca-certificate", "root.pem"]].concat();
            pair.assert_in(&make(&material, pair, passphrase, &with_root), passphrase, cipher);
        } else {
            pair.assert_key_in(&make(&material, pair, passphrase, &what), passphrase, cipher);
        }
    }
}

#[test]
fn its_encrypted_keys_are_read() {
    let material = Material::new();
    for (cipher, pair, passphrase) in ciphers(&material) {
        let bytes = make(&material, pair, passphrase, &["--to-p8", "--pkcs-cipher", cipher]);
        assert!(bytes.starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY"));
        pair.assert_key_in(&bytes, passphrase, cipher);
    }
}

#[test]
fn what_of_it_is_not_taken_is_refused_with_the_reason() {
    let material = Material::new();
    let ([ascii, ..], pair) = (&PASSPHRASES, &material.pairs[0]);
    let code = |bytes: &[u8]| format::read(bytes, Some(ascii.text)).err().map(|refusal| refusal.code);
    for (cipher, expected) in NOT_TAKEN {
        let what = ["--to-p12", "--outder", "--p12-name", "x", "--load-certificate", "rsa.pem"];
        let bytes = make(&material, pair, ascii, &[&what[..], &["--pkcs-cipher", cipher]].concat());
        assert_eq!(code(&bytes), Some(expected), "{cipher}");
    }
    // It puts every certificate into a part of its own: with three of them it is more than two seconds of work.
    let chain = ["rsa.pem", "root.pem", "p256.pem"].map(|file| material.bytes(file)).concat();
    material.write("chain.pem", chain);
    let what = ["--to-p12", "--outder", "--p12-name", "x", "--load-certificate", "chain.pem"];
    let bytes = make(&material, pair, ascii, &[&what[..], &["--pkcs-cipher", "aes-256"]].concat());
    assert_eq!(code(&bytes), Some("limit.kdf_cost"));
}
