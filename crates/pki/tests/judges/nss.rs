//! NSS: `pk12util` reads into a database of its own and writes out of one. It derives with 600,000 rounds, and cannot be
//! told otherwise.

use claviger_pki::format::pkcs12_write::Strength;
use claviger_pki::format::{self, Item};

use crate::Matrix;
use crate::material::{Inability, Material, PASSPHRASES, Pair, Passphrase};

const UNABLE: &[Inability] =
    &[Inability { what: "ed25519", reason: "NSS before 3.103 imports no Ed25519 keys" }];

/// What `pk12util -c` and `-C` can be, besides the usual AES-256; each with a MAC.
const CIPHERS: [(&str, &str); 6] = [
    ("AES-256-CBC", "SHA-256"),
    ("AES-128-CBC", "SHA-512"),
    ("AES-192-CBC", "SHA-256"),
    ("PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC", "SHA-1"),
    ("PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC", "SHA-1"),
    ("PKCS #12 V2 PBE With SHA-1 And 128 Bit RC2 CBC", "SHA-384"),
];

/// An empty database.
fn new_database(material: &Material) {
    let folder = material.path().join("nss");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir(&folder).unwrap();
    material.text("certutil", &["-N", "-d", "sql:nss", "--empty-password"]);
}

/// Reads a file into the database: the key is there, and its certificate under its name.
fn import(material: &Material, pair: &Pair, file: &str, passphrase: &Passphrase) {
    material.text("pk12util", &["-i", file, "-d", "sql:nss", "-W", passphrase.text]);
    let keys = material.text("certutil", &["-K", "-d", "sql:nss"]);
    assert!(keys.contains("< 0>") && keys.contains(pair.kind), "{keys}");
    let leaf = material.text("certutil", &["-L", "-d", "sql:nss", "-n", pair.kind, "-a"]);
    let read =
        format::read(leaf.as_bytes(), None).unwrap().items.into_iter().find_map(Item::into_certificate);
    assert_eq!(read.as_ref(), Some(&pair.certificates[0]));
}

fn reads<'a>(
    material: &Material,
    pairs: impl Iterator<Item = (&'a Pair, &'static Passphrase)>,
    strength: Strength,
) {
    let mut matrix = Matrix::new("pk12util", UNABLE);
    for (pair, passphrase) in pairs {
        if matrix.takes(pair, passphrase) {
            new_database(material);
            material.write("ours.p12", pair.pkcs12(passphrase, strength));
            import(material, pair, "ours.p12", passphrase);
        }
    }
}

#[test]
fn it_reads_modern_pkcs12_of_ours() {
    let material = Material::new();
    reads(&material, material.some(0).chain(material.some(3)), Strength::Modern);
}

#[test]
fn it_reads_legacy_pkcs12_of_ours() {
    let material = Material::new();
    reads(&material, material.all(), Strength::Legacy);
}

#[test]
fn its_pkcs12_is_read() {
    let material = Material::new();
    let mut matrix = Matrix::new("pk12util", UNABLE);
    let [ascii, ..] = &PASSPHRASES;
    for (index, pair) in material.pairs.iter().enumerate() {
        if !matrix.takes(pair, ascii) {
            continue;
        }
        new_database(&material);
        material.cheap_pkcs12(pair, "one.p12", ascii);
        import(&material, pair, "one.p12", ascii);
        // Each derives for seconds: the ciphers take turns, each passphrase comes at least once.
        for (number, (cipher, mac)) in CIPHERS.iter().enumerate().filter(|(number, _)| number % 3 == index) {
            let passphrase = &PASSPHRASES[number % PASSPHRASES.len()];
            let out = format!("{number}.p12");
            let target = ["-o", &out, "-d", "sql:nss", "-n", pair.kind, "-W", passphrase.text];
            material.text("pk12util", &[&target[..], &["-c", cipher, "-C", cipher, "-M", mac]].concat());
            pair.assert_in(&material.bytes(&out), passphrase, cipher);
        }
    }
}
