//! Java's `keytool`. It starts slowly: few calls, each for as much as possible.

use claviger_pki::format::pkcs12_write::{self, Strength};
use claviger_pki::format::{self, KdfBudget, Object, jks_write, pkcs7_write};
use claviger_pki::{Certificate, UnixTime};

use crate::Matrix;
use crate::material::{Inability, Material, PASSPHRASES, Pair, Passphrase, certificates, keys, salts};

const UNABLE: &[Inability] = &[
    Inability { what: "utf8", reason: "its PKCS#12 takes ASCII passphrases only" },
    Inability { what: "empty", reason: "it asks for six characters" },
];
const UNABLE_JKS: &[Inability] = &[Inability { what: "empty", reason: "it asks for six characters" }];

#[track_caller]
fn keytool(material: &Material, arguments: &[&str]) -> String {
    let mut all = vec!["-J-XX:+UseSerialGC"];
    all.extend(arguments);
    material.text("keytool", &all)
}

/// It makes a request with the key of ours, so that it must have opened it.
fn opens(material: &Material, pair: &Pair, passphrase: &Passphrase, strength: Strength) {
    material.write("ours.p12", pair.pkcs12(passphrase, strength));
    let store = ["-alias", pair.kind, "-keystore", "ours.p12", "-storepass", passphrase.text];
    let text = keytool(material, &[&["-certreq"], &store[..]].concat());
    let contents = format::read(text.as_bytes(), None).unwrap();
    let Object::Csr(csr) = &contents.items[0].object else { panic!("keytool made no request: {text}") };
    assert_eq!(csr.public_key().id(), pair.key.id());
}

#[test]
fn it_reads_legacy_pkcs12_of_ours() {
    let material = Material::new();
    let mut matrix = Matrix::new("keytool", UNABLE);
    for (pair, passphrase) in material.all() {
        if matrix.takes(pair, passphrase) {
            opens(&material, pair, passphrase, Strength::Legacy);
        }
    }
}

#[test]
fn it_reads_modern_pkcs12_of_ours() {
    let material = Material::new();
    let mut matrix = Matrix::new("keytool", UNABLE);
    for (index, (pair, passphrase)) in material.all().enumerate() {
        // It needs three seconds for each: every kind of key, every passphrase.
        if matrix.takes(pair, passphrase)
            && (index / PASSPHRASES.len()).is_multiple_of(2) == (passphrase.name == "ascii")
        {
            opens(&material, pair, passphrase, Strength::Modern);
        }
    }
}

#[test]
fn it_lists_trust_stores_and_pkcs7_of_ours() {
    let material = Material::new();
    let pair = &material.pairs[1];
    let anchors: Vec<(String, Certificate)> =
        pair.certificates.iter().map(|one| (one.display_name(), one.clone())).collect();
    let created = UnixTime(1_795_305_600);
    let [ascii, utf8, _, long] = &PASSPHRASES;
    let stores = [
        ("pkcs12", ascii, pkcs12_write::trust_store(&anchors, ascii.text, &salts())),
        ("pkcs12", long, pkcs12_write::trust_store(&anchors, long.text, &salts())),
        ("jks", ascii, jks_write::trust_store(&anchors, ascii.text, created)),
        ("jks", utf8, jks_write::trust_store(&anchors, utf8.text, created)),
        ("jks", long, jks_write::trust_store(&anchors, long.text, created)),
    ];
    for (kind, passphrase, bytes) in stores {
        material.write("trust", bytes);
        let store = ["-list", "-keystore", "trust", "-storetype", kind, "-storepass", passphrase.text];
        let text = keytool(&material, &store);
        assert_eq!(text.matches("trustedCertEntry").count(), 2, "{text}");
        let text = keytool(&material, &[&store[..], &["-rfc"]].concat());
        pair.assert_certificates_printed(&text, kind);
    }
    material.write("ours.p7b", pkcs7_write::write(pair.ders()));
    let text = keytool(&material, &["-printcert", "-rfc", "-file", "ours.p7b"]);
    pair.assert_certificates_printed(&text, "PKCS#7");
}

/// A store of it with every key, made of cheap files of OpenSSL.
fn store_with_all(material: &Material, passphrase: &Passphrase) {
    for pair in &material.pairs {
        material.cheap_pkcs12(pair, "one.p12", passphrase);
        convert(material, "one.p12", ("all.p12", "pkcs12"), (passphrase, passphrase), &[]);
    }
}

fn convert(
    material: &Material,
    from: &str,
    (to, kind): (&str, &str),
    (source, target): (&Passphrase, &Passphrase),
    options: &[&str],
) {
    let arguments = [
        "-importkeystore",
        "-noprompt",
        "-srckeystore",
        from,
        "-srcstoretype",
        "pkcs12",
        "-srcstorepass",
        source.text,
        "-destkeystore",
        to,
        "-deststoretype",
        kind,
        "-deststorepass",
        target.text,
    ];
    keytool(material, &[&arguments[..], options].concat());
}

/// Every pair of a store is read, each key with its alias.
fn assert_all_in(material: &Material, file: &str, passphrase: &Passphrase) {
    let contents = format::read(&material.bytes(file), Some(passphrase.text));
    let contents = contents.unwrap_or_else(|refusal| panic!("{file}, {}: {refusal:?}", passphrase.name));
    let found = keys(&contents);
    for pair in &material.pairs {
        assert!(found.contains(&pair.key.id()), "{file}: {}", pair.kind);
        assert!(
            pair.certificates.iter().all(|one| certificates(&contents).any(|other| other == one)),
            "{file}"
        );
        let named = contents.items.iter().filter(|item| item.friendly_name.as_deref() == Some(pair.kind));
        assert!(named.count() >= 2, "{file}: the key and its certificate");
    }
    assert_eq!(found.len(), material.pairs.len());
}

#[test]
fn its_pkcs12_is_read() {
    let material = Material::new();
    let [ascii, _, _, long] = &PASSPHRASES;
    store_with_all(&material, ascii);
    assert_all_in(&material, "all.p12", ascii);
    let legacy = ["-J-Dkeystore.pkcs12.legacy"];
    for (file, passphrase, options) in
        [("long.p12", long, &[][..]), ("legacy.p12", ascii, &legacy), ("legacy-long.p12", long, &legacy)]
    {
        convert(&material, "all.p12", (file, "pkcs12"), (ascii, passphrase), options);
        assert_all_in(&material, file, passphrase);
    }
}

#[test]
fn its_own_key_stores_are_read() {
    let material = Material::new();
    let [ascii, _, _, long] = &PASSPHRASES;
    store_with_all(&material, ascii);
    let mut matrix = Matrix::new("keytool", UNABLE_JKS);
    for passphrase in &PASSPHRASES {
        if matrix.takes(&material.pairs[0], passphrase) {
            let file = format!("{}.jks", passphrase.name);
            convert_each(&material, (&file, "jks"), (ascii, passphrase));
            assert_all_in(&material, &file, passphrase);
        }
    }
    convert(&material, "all.p12", ("it.jceks", "jceks"), (ascii, ascii), &[]);
    assert_all_in(&material, "it.jceks", ascii);
    // 200,000 rounds for each key, each of several blocks with a long passphrase: one key to a store.
    let alone = ["-srcalias", "rsa", "-destkeypass", long.text];
    convert(&material, "all.p12", ("rsa.jceks", "jceks"), (ascii, long), &alone);
    material.pairs[0].assert_in(&material.bytes("rsa.jceks"), long, "JCEKS");
}

#[test]
fn its_key_stores_whose_keys_have_passphrases_of_their_own_are_read() {
    let material = Material::new();
    let [ascii, ..] = &PASSPHRASES;
    let own = ["secret of the first", "secret of the second"];
    for kind in ["jks", "jceks"] {
        let file = format!("two.{kind}");
        let pairs = &material.pairs[..own.len()];
        for (pair, own) in pairs.iter().zip(own) {
            material.cheap_pkcs12(pair, "one.p12", ascii);
            let options = ["-srcalias", pair.kind, "-destkeypass", own];
            convert(&material, "one.p12", (&file, kind), (ascii, ascii), &options);
        }
        let bytes = material.bytes(&file);
        let read = |given: &[&str]| format::read_within(&bytes, given, &mut KdfBudget::times(5));
        for given in [[ascii.text, own[0], own[1]], [own[1], own[0], ascii.text]] {
            let contents = read(&given).unwrap_or_else(|refusal| panic!("{kind}: {refusal:?}"));
            assert_eq!(keys(&contents).len(), 2, "{kind}");
            assert!(pairs.iter().all(|pair| keys(&contents).contains(&pair.key.id())), "{kind}");
        }
        let refusal = read(&[ascii.text, own[0]]).err().unwrap();
        let of_second = format!("“{}”", pairs[1].kind);
        assert!(refusal.code == "pass.wrong" && refusal.what.contains(&of_second), "{kind}: {refusal:?}");
        assert_eq!(read(&own).err().unwrap().place, "", "{kind}: the store itself");
    }
}

/// Key by key: with all at once, the keys would keep the passphrase that they have.
fn convert_each(material: &Material, to: (&str, &str), passphrases: (&Passphrase, &Passphrase)) {
    for pair in &material.pairs {
        let options = ["-srcalias", pair.kind, "-destkeypass", passphrases.1.text];
        convert(material, "all.p12", to, passphrases, &options);
    }
}
