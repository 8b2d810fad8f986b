//! `badkeys`, which knows more ways to make weak keys than anybody, and its own samples: what it calls weak we refuse.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests read files, run programs, and stop at surprises"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use claviger_pki::inspect::{InspectedItem, inspect};
use claviger_pki::{Blocklist, PublicKey, Refusal, UnixTime, identity};
use serde_json::Value;

/// Names under which `badkeys` calls a key weak. Of its checks those that warn about sizes are not asked.
const WEAK: [&str; 8] =
    ["fermat", "roca", "rsainvalid", "rsapoly", "sharedprimes", "smalld", "smallfactors", "blocklist"];

/// Published or broken keys among the samples. That is nothing that can be seen from a key, so it takes a list.
/// The last one shares a prime with another key, for which `badkeys` has a list of primes.
const LISTED: [&str; 4] =
    ["rsa-debianweak.key", "ec-p256-rfc-example.key", "ed25519-rfc-example.key", "rsa-sharedprimes.key"];

/// What we refuse and `badkeys` lets pass, and why.
const STRICTER: [(&str, &str); 5] = [
    // Only keys that name their curve are taken.
    ("ecdsa-explicit-pub.key", "key.curve"),
    // Exponents over 33 bits: AWS-LC and Windows cannot use them.
    ("rsa-large-e.key", "key.rsa_exponent"),
    // An equation again, in a certificate.
    ("rsa-fido.crt", "key.curve"),
    // Signed with MD5.
    ("rootagency.crt", "sig.broken"),
    // Of a version that does not exist: Go and webpki read no such certificate.
    ("invalidver.crt", "cert.syntax"),
];

fn tools() -> PathBuf {
    PathBuf::from(std::env::var_os("CLAVIGER_TOOLS").expect("cargo sets CLAVIGER_TOOLS"))
}

/// The files of badkeys' own tests that hold an RSA or EC key, a certificate or a request.
fn samples() -> Vec<PathBuf> {
    let folder = tools().join("badkeys/tests/data");
    let mut files = Vec::new();
    for folder in [folder.clone(), folder.join("fallback")] {
        let found = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask tools` fetches it", folder.display()));
        files.extend(found.map(|entry| entry.unwrap().path()));
    }
    files.retain(|file| {
        file.extension().is_some_and(|kind| ["key", "crt", "csr"].iter().any(|one| kind == *one))
    });
    files.sort();
    files
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap()
}

/// What we say about the key in a file: its public half, or why it is refused.
fn ours(path: &Path) -> Result<PublicKey, Refusal> {
    let bytes = std::fs::read(path).unwrap();
    let block = pem::parse(&bytes).ok();
    match block.as_ref().map(pem::Pem::tag) {
        Some("PUBLIC KEY") => PublicKey::from_spki_der(block.unwrap().contents()),
        Some("RSA PUBLIC KEY") => PublicKey::from_spki_der(&rsa_spki(block.unwrap().contents())),
        _ => inspected(&bytes),
    }
}

/// An RSAPublicKey as SubjectPublicKeyInfo.
fn rsa_spki(key: &[u8]) -> Vec<u8> {
    let element = |tag: u8, parts: &[&[u8]]| {
        let content = parts.concat();
        let length = content.len();
        let header = match length {
            0..=0x7f => vec![tag, length as u8],
            0x80..=0xff => vec![tag, 0x81, length as u8],
            _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
        };
        [header, content].concat()
    };
    let algorithm = element(0x30, &[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0]]);
    element(0x30, &[&algorithm, &element(3, &[&[0], key])])
}

/// The same for what import would take.
fn inspected(bytes: &[u8]) -> Result<PublicKey, Refusal> {
    let inspection = inspect(bytes, None, UnixTime(1_795_305_600));
    if !inspection.accepted {
        let first = inspection.findings.into_iter().next().unwrap();
        return Err(Refusal::new(first.code, first.what, first.repair));
    }
    match inspection.items.into_iter().next() {
        Some(InspectedItem::Certificate(one)) => Ok(one.public_key().clone()),
        Some(InspectedItem::Csr(one)) => Ok(one.public_key().clone()),
        _ => panic!("neither a certificate nor a request"),
    }
}

/// A list in badkeys' binary form: of the SHA-256 of each number 15 octets, and who collected it.
fn list_of(keys: &[PublicKey]) -> Vec<u8> {
    let mut rows: Vec<[u8; 16]> = keys.iter().map(row).collect();
    rows.sort_unstable();
    rows.concat()
}

fn row(key: &PublicKey) -> [u8; 16] {
    let bits = key.key_bits();
    let number = match key.label().as_str() {
        // SEQUENCE and INTEGER with lengths of two octets, and a zero before the modulus.
        label if label.starts_with("RSA") => &bits[9..9 + 256],
        "EC P-256" => &bits[1..33],
        _ => bits,
    };
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    let mut row = [7; 16];
    row[..15].copy_from_slice(&identity::sha256(&number[zeros..])[..15]);
    row
}

/// What `badkeys` says about each file.
fn theirs(list: &Path, files: &[PathBuf]) -> Vec<Value> {
    let python = tools().join("venv/bin/python");
    let output = Command::new(&python)
        .args(["-c", include_str!("badkeys.py")])
        .arg(list)
        .args(files)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask tools` installs it", python.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn badkeys_agrees_on_its_own_samples() {
    let files = samples();
    assert!(files.len() >= 30, "{} samples", files.len());
    let listed: Vec<PublicKey> = files
        .iter()
        .filter(|file| LISTED.contains(&file_name(file)))
        .map(|file| ours(file).unwrap())
        .collect();
    assert_eq!(listed.len(), LISTED.len());
    let list = list_of(&listed);
    let blocklist = Blocklist::parse(&list).unwrap();
    let list_file = std::env::temp_dir().join(format!("claviger-blocklist-{}", std::process::id()));
    std::fs::write(&list_file, &list).unwrap();
    let answers = theirs(&list_file, &files);
    std::fs::remove_file(&list_file).unwrap();

    let (mut wrong, mut weak) = (Vec::new(), 0);
    for (file, theirs) in files.iter().zip(answers) {
        if ["dsa", "dh", "mldsa44", "mldsa65", "mlkem768"].iter().any(|kind| theirs["type"] == *kind) {
            continue;
        }
        let ours = ours(file).and_then(|key| blocklist.refuse(&key).map(|()| key));
        let found: Vec<&str> = theirs["found"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let is_weak = found.iter().any(|check| WEAK.contains(check)) || is_broken(file, &theirs);
        weak += usize::from(is_weak);
        let code = ours.as_ref().err().map(|refusal| refusal.code);
        let stricter = STRICTER.iter().any(|(name, why)| *name == file_name(file) && code == Some(*why));
        if is_weak != code.is_some() && !stricter {
            wrong.push(format!("{}: they {theirs}, we {code:?}", file_name(file)));
        }
    }
    assert!(weak >= 15, "{weak} weak keys");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `badkeys` calls keys that its library cannot even load "unparseable": even, zero or oversized numbers.
fn is_broken(file: &Path, theirs: &Value) -> bool {
    theirs["type"] == "unparseable" && file_name(file).starts_with("rsa")
}

#[test]
fn the_weakness_is_called_by_its_name() {
    let folder = tools().join("badkeys/tests/data");
    for (file, code) in [
        ("rsa-fermat-pkcs1.key", "key.weak.close_primes"),
        ("rsa-fermat-pkcs8.key", "key.weak.close_primes"),
        ("rsa-fermat.crt", "key.weak.close_primes"),
        ("rsa-fermat.csr", "key.weak.close_primes"),
        ("rsa-roca.key", "key.weak.roca"),
        ("rsa-smallfactors-corrupt.key", "key.rsa_modulus"),
        ("rsa-smallfactors-valid.key", "key.rsa_modulus"),
        ("rsapoly128.key", "key.weak.sparse"),
        ("rsa-pattern.key", "key.weak.sparse"),
        ("rsa-small-d.key", "key.rsa_exponent"),
        ("rsa-e1.key", "key.rsa_exponent"),
        ("rsanzero.key", "key.rsa_modulus"),
    ] {
        assert_eq!(ours(&folder.join(file)).err().map(|refusal| refusal.code), Some(code), "{file}");
    }
    // A number whose first digits somebody chose is no weakness.
    assert!(ours(&folder.join("rsa-vanity.key")).is_ok());
    assert!(ours(&folder.join("rsa-ok.key")).is_ok());
}
