//! OpenSSL 3, with its legacy provider where that is meant.

use claviger_pki::format::pkcs12_write::Strength;
use claviger_pki::format::{self, pem_write, pkcs7_write, pkcs12_write, traditional_write};

use crate::Matrix;
use crate::material::{Inability, Material, Pair, Passphrase, salts};

/// What `pkcs12 -export` can do; the first is what it does unasked.
const PKCS12: [&str; 9] = [
    "-macalg SHA256",
    "-legacy",
    "-certpbe AES-128-CBC -keypbe AES-192-CBC -macalg SHA512",
    "-certpbe DES-EDE3-CBC -keypbe DES-EDE3-CBC -macalg SHA384",
    "-certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg SHA1",
    "-legacy -certpbe PBE-SHA1-RC2-128 -keypbe PBE-SHA1-2DES",
    "-legacy -certpbe PBE-SHA1-RC2-40 -keypbe PBE-SHA1-RC2-40",
    "-certpbe NONE -keypbe NONE",
    "-macalg SHA224",
];

const CIPHERS: [&str; 4] = ["aes-128-cbc", "aes-192-cbc", "aes-256-cbc", "des3"];
const PSEUDO_RANDOM: [&str; 5] =
    ["hmacWithSHA1", "hmacWithSHA224", "hmacWithSHA256", "hmacWithSHA384", "hmacWithSHA512"];

/// The schemes before PBES2.
const OLD_SCHEMES: [&str; 8] = [
    "PBE-MD5-DES",
    "PBE-MD5-RC2-64",
    "PBE-SHA1-DES",
    "PBE-SHA1-RC2-64",
    "PBE-SHA1-3DES",
    "PBE-SHA1-2DES",
    "PBE-SHA1-RC2-128",
    "PBE-SHA1-RC2-40",
];

/// What OpenSSL offers and we do not take: ciphers that nobody meets, and those that a schoolchild breaks.
const NOT_TAKEN: [&str; 7] = [
    "-v1 PBE-SHA1-RC4-128",
    "-v1 PBE-SHA1-RC4-40",
    "-v2 des-cbc",
    "-v2 rc2-cbc",
    "-v2 camellia-256-cbc",
    "-v2 aria-256-cbc",
    "-v2 sm4-cbc",
];

const TRADITIONAL: [&str; 4] = ["-aes128", "-aes192", "-aes256", "-des3"];
const NO_EMPTY_PEM: &[Inability] = &[Inability {
    what: "empty",
    reason: "OpenSSL writes no traditional PEM under less than four characters",
}];

/// An OpenSSL command with a passphrase for one of its options.
#[track_caller]
fn openssl(material: &Material, arguments: &str, option: &str, passphrase: &Passphrase) -> String {
    let passphrase = format!("pass:{}", passphrase.text);
    let arguments: Vec<&str> = arguments.split(' ').chain([option, &passphrase]).collect();
    material.text("openssl", &arguments)
}

#[test]
fn it_reads_pkcs12_and_encrypted_keys_of_ours() {
    let material = Material::new();
    let modern = material.some(0).chain(material.some(2)).map(|one| (one, Strength::Modern, ""));
    let legacy = material.all().map(|one| (one, Strength::Legacy, " -legacy"));
    for ((pair, passphrase), strength, options) in modern.chain(legacy) {
        material.write("ours.p12", pair.pkcs12(passphrase, strength));
        let text = openssl(&material, &format!("pkcs12 -in ours.p12 -noenc{options}"), "-passin", passphrase);
        pair.assert_printed(&text, "PKCS#12");
    }
    for (pair, passphrase) in material.some(0).chain(material.some(1)) {
        material.write("ours.key", pair.encrypted_key(passphrase));
        let text = openssl(&material, "pkey -in ours.key", "-passin", passphrase);
        pair.assert_key_printed(&text, "PKCS#8");
    }
}

#[test]
fn it_reads_what_of_ours_has_no_passphrase() {
    let material = Material::new();
    for pair in &material.pairs {
        let keys = [
            Some(pem_write::private_key(&pair.key)),
            traditional_write::pkcs1(&pair.key),
            traditional_write::sec1(&pair.key),
        ];
        for key in keys.iter().flatten() {
            material.write("ours.key", key.as_str());
            pair.assert_key_printed(&material.openssl("pkey -in ours.key"), "an open key");
        }
        material.write("ours.p7b", pkcs7_write::write(pair.ders()));
        let text = material.openssl("pkcs7 -inform DER -in ours.p7b -print_certs");
        pair.assert_certificates_printed(&text, "PKCS#7");
        material.write("ours.pem", pem_write::pkcs7(&pkcs7_write::write(pair.ders())));
        pair.assert_certificates_printed(
            &material.openssl("pkcs7 -in ours.pem -print_certs"),
            "PKCS#7 in PEM",
        );
        material.write("ours.pem", pem_write::chain(pair.ders()));
        let text = material.openssl("crl2pkcs7 -nocrl -certfile ours.pem");
        pair.assert_certificates_printed(&text, "a chain");
    }
}

#[test]
fn it_reads_trust_stores_of_ours() {
    let material = Material::new();
    let pair = &material.pairs[0];
    let anchors: Vec<_> = pair.certificates.iter().map(|one| (one.display_name(), one.clone())).collect();
    for passphrase in &crate::material::PASSPHRASES {
        material.write("ours.p12", pkcs12_write::trust_store(&anchors, passphrase.text, &salts()));
        let text = openssl(&material, "pkcs12 -in ours.p12 -nokeys", "-passin", passphrase);
        pair.assert_certificates_printed(&text, "a trust store");
    }
}

#[test]
fn every_pkcs12_of_it_is_read() {
    let material = Material::new();
    for (pair, passphrase) in material.all() {
        let Pair { kind, .. } = pair;
        for options in PKCS12 {
            let export = format!(
                "pkcs12 -export -in {kind}.pem -inkey {kind}.key -certfile root.pem -name {kind} {options} -out it.p12"
            );
            openssl(&material, &export, "-passout", passphrase);
            let contents = pair.assert_in(&material.bytes("it.p12"), passphrase, options);
            let named = contents.items.iter().filter(|item| item.friendly_name.as_deref() == Some(*kind));
            assert_eq!(named.count(), 2, "the key and its certificate");
        }
    }
}

#[test]
fn every_encrypted_key_of_it_is_read() {
    let material = Material::new();
    let mut options: Vec<String> = CIPHERS
        .iter()
        .flat_map(|cipher| PSEUDO_RANDOM.iter().map(move |hash| format!("-v2 {cipher} -v2prf {hash}")))
        .collect();
    options.extend(CIPHERS.iter().map(|cipher| format!("-v2 {cipher} -scrypt -scrypt_N 1024")));
    options
        .extend(OLD_SCHEMES.iter().map(|scheme| format!("-provider legacy -provider default -v1 {scheme}")));
    for (pair, passphrase) in material.all() {
        let Pair { kind, .. } = pair;
        for option in &options {
            let convert = format!("pkcs8 -topk8 -in {kind}.key {option}");
            let text = openssl(&material, &convert, "-passout", passphrase);
            pair.assert_key_in(text.as_bytes(), passphrase, option);
        }
    }
}

#[test]
fn what_of_it_is_not_taken_is_refused_with_the_reason() {
    let material = Material::new();
    for option in NOT_TAKEN {
        let convert = format!("pkcs8 -topk8 -in rsa.key -provider legacy -provider default {option}");
        let text = openssl(&material, &convert, "-passout", &Passphrase { name: "ascii", text: "pass" });
        let refusal = format::read(text.as_bytes(), Some("pass")).err().map(|refusal| refusal.code);
        assert_eq!(refusal, Some("key.encryption_unsupported"), "{option}");
    }
}

#[test]
fn every_traditional_pem_of_it_is_read() {
    let material = Material::new();
    let mut matrix = Matrix::new("openssl", NO_EMPTY_PEM);
    for (pair, passphrase) in material.all().filter(|(pair, _)| pair.kind != "ed25519") {
        if !matrix.takes(pair, passphrase) {
            continue;
        }
        let command = if pair.kind == "rsa" { "rsa -traditional" } else { "ec" };
        for cipher in TRADITIONAL {
            let convert = format!("{command} -in {}.key {cipher}", pair.kind);
            let text = openssl(&material, &convert, "-passout", passphrase);
            assert!(text.contains("DEK-Info"), "{text}");
            pair.assert_key_in(text.as_bytes(), passphrase, cipher);
        }
    }
}

#[test]
fn its_pkcs7_is_read() {
    let material = Material::new();
    for pair in &material.pairs {
        let collect = format!("crl2pkcs7 -nocrl -certfile {}.pem -certfile root.pem", pair.kind);
        pair.assert_certificates_printed(&material.openssl(&collect), "PKCS#7 in PEM");
        material.openssl(&format!("{collect} -outform DER -out it.p7b"));
        let contents = format::read(&material.bytes("it.p7b"), None).unwrap();
        assert_eq!((contents.format, contents.items.len()), ("pkcs7", 2));
    }
}
