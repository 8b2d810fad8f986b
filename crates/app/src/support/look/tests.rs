use std::io::Write;
use std::process::{Command, Stdio};

use domain::Moment;
use flate2::Compression;
use flate2::write::GzEncoder;
use pki::format::pkcs12_write::{self, Pkcs12, Salts, Strength};
use pki::format::{jks_write, pem_write, pkcs7_write, pkcs8_write};
use pki::{Certificate, Signer};
use testkit::{Authority, TestSigner};

use super::*;
use crate::archive::{Packed, tar_gz, zip};

const AT: Moment = Moment(1_795_262_400_000);

fn offered(name: &str, bytes: &[u8]) -> Vec<Offered> {
    vec![Offered { name: name.to_owned(), bytes: bytes.to_vec().into() }]
}

fn code(bytes: &[u8]) -> &'static str {
    look(&offered("holiday.jpg", bytes)).err().map_or("", |refusal| refusal.code)
}

fn packed(name: &str, bytes: &[u8]) -> Packed {
    Packed::open(name, bytes)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// What OpenSSL makes of a key.
fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && !output.stdout.is_empty(), "{arguments:?}");
    output.stdout
}

fn pkcs12(key: Option<&TestSigner>, certificate: &Certificate, strength: Strength) -> Vec<u8> {
    let private = key.map(TestSigner::private_key);
    let contents = Pkcs12 {
        key: private.as_ref(),
        certificates: std::slice::from_ref(certificate),
        friendly_name: "shop",
    };
    pkcs12_write::write(&contents, "twelve letters", strength, &Salts::new(|bytes| bytes.fill(7))).to_vec()
}

/// The private key in every form that is written here or by OpenSSL.
fn every_form(key: &TestSigner) -> Vec<Vec<u8>> {
    let certificate = Authority::new().issue(&["shop.example"], key);
    let encrypted = pkcs8_write::encrypt(&key.private_key(), "twelve letters", [1; 16], [2; 16]).to_vec();
    let pem = pem_write::private_key(&key.private_key());
    let traditional = ["pkey", "-traditional"];
    let legacy = ["pkcs8", "-topk8", "-outform", "DER", "-v1", "PBE-SHA1-3DES", "-passout", "pass:x"];
    vec![
        key.pkcs8().to_vec(),
        encrypted.clone(),
        pem_write::encrypted_key(&encrypted).into_bytes(),
        pem.as_bytes().to_vec(),
        pkcs12(Some(key), &certificate, Strength::Modern),
        pkcs12(Some(key), &certificate, Strength::Legacy),
        openssl(&traditional, pem.as_bytes()),
        openssl(&[&traditional[..], &["-outform", "DER"]].concat(), pem.as_bytes()),
        openssl(&[&traditional[..], &["-aes128", "-passout", "pass:x"]].concat(), pem.as_bytes()),
        openssl(&legacy, pem.as_bytes()),
    ]
}

#[test]
fn a_private_key_is_found_in_every_form_without_a_passphrase() {
    for key in [TestSigner::ec(), TestSigner::rsa()] {
        for (number, bytes) in every_form(&key).into_iter().enumerate() {
            assert_eq!(code(&bytes), "support.private_key", "form {number} of {}", key.public_key().label());
            let hidden = [&b"\xff\xd8\xff\xe0 a picture, it seems "[..], &bytes, b" and more of it"].concat();
            assert_eq!(code(&hidden), "support.private_key", "form {number} in a picture");
        }
    }
}

#[test]
fn a_private_key_is_found_renamed_packed_and_packed_again() {
    let key = TestSigner::ec();
    let der = key.pkcs8();
    let zipped = zip(&[packed("a.txt", b"hello"), packed("pictures/holiday.jpg", der)], AT).unwrap();
    let tarred = tar_gz(&[packed("holiday.zip", &zipped)], AT).unwrap();
    let mail = openssl(&["base64"], &tarred);
    for (bytes, place) in [
        (zipped.clone(), "x > pictures/holiday.jpg"),
        (gzip(der), "x > unpacked"),
        (tarred.clone(), "x > unpacked > holiday.zip > pictures/holiday.jpg"),
        (mail, "x > base64 > unpacked > holiday.zip > pictures/holiday.jpg"),
        ([b"self-extracting".as_slice(), &zipped].concat(), "x > pictures/holiday.jpg"),
        (openssl(&["base64", "-A"], der), "x > base64"),
    ] {
        let refusal = look(&offered("x", &bytes)).unwrap_err();
        assert_eq!((refusal.code, refusal.place.as_str()), ("support.private_key", place));
        assert!(refusal.repair.contains("authenticate your server's identity"));
    }
}

#[test]
fn a_file_that_the_directory_of_an_archive_hides_is_found() {
    let key = TestSigner::ec();
    let mut zipped = zip(&[packed("a", b"hello"), packed("b", key.pkcs8())], AT).unwrap();
    // The directory at the end is gone, as far as programs can tell.
    let directory = zipped.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    zipped.truncate(directory);
    assert_eq!(code(&zipped), "support.private_key");
}

#[test]
fn certificates_chains_stores_of_trust_and_pictures_go_through() {
    let key = TestSigner::ec();
    let authority = Authority::new();
    let leaf = authority.issue(&["shop.example"], &key);
    let chain = [leaf.der(), authority.intermediate.der()];
    let anchors = [("root".to_owned(), authority.intermediate.clone())];
    let files = [
        pem_write::chain(chain).into_bytes(),
        leaf.der().to_vec(),
        pkcs7_write::write(chain),
        jks_write::trust_store(&anchors, "changeit", AT.unix()),
        b"\x89PNG\r\n\x1a\n screenshot of Status > Basics, no private key in it".to_vec(),
    ];
    for (number, bytes) in files.iter().enumerate() {
        assert_eq!(code(bytes), "", "file {number}");
    }
    let all: Vec<Packed> =
        files.iter().enumerate().map(|(at, bytes)| packed(&at.to_string(), bytes)).collect();
    let looked = look(&offered("for support.zip", &zip(&all, AT).unwrap())).unwrap();
    assert!(looked.files > files.len(), "{looked:?}");
}

#[test]
fn a_pkcs12_without_a_key_is_not_let_through_either_for_nobody_can_tell() {
    let key = TestSigner::ec();
    let leaf = Authority::new().issue(&["shop.example"], &key);
    assert_eq!(code(&pkcs12(None, &leaf, Strength::Modern)), "support.private_key");
}

#[test]
fn bombs_and_endless_nesting_end_soon() {
    let zeros = vec![0; 8 << 20];
    assert_eq!(code(&gzip(&zeros)), "limit.archive");
    assert_eq!(code(&zip(&[packed("zeros", &zeros)], AT).unwrap()), "limit.archive");
    let mut nested = b"nothing".to_vec();
    for _ in 0..20 {
        nested = gzip(&nested);
    }
    assert_eq!(code(&nested), "limit.archive");
    let many: Vec<Packed> = (0..11_000).map(|number| packed(&number.to_string(), b"")).collect();
    assert_eq!(code(&tar_gz(&many, AT).unwrap()), "limit.archive");
}

#[test]
fn what_cannot_be_looked_into_is_not_let_through() {
    let zipped = zip(&[packed("a", b"hello")], AT).unwrap();
    let changed = |at: usize, octet: u8| {
        let mut bytes = zipped.clone();
        bytes[at] = octet;
        bytes
    };
    assert_eq!(code(&changed(6, 1)), "support.unreadable", "encrypted");
    assert_eq!(code(&changed(8, 14)), "support.unreadable", "LZMA");
    assert_eq!(code(&zipped[..20]), "support.unreadable", "cut off");
    assert_eq!(code(b"7z\xbc\xaf\x27\x1c rest"), "support.unreadable");
    let mut gzipped = gzip(b"hello");
    gzipped.truncate(gzipped.len() - 6);
    assert_eq!(code(&gzipped), "support.unreadable");
}

#[test]
fn names_of_files_do_nothing_where_they_are_shown() {
    let zipped = zip(&[packed("a\u{1b}[2J\u{202e}", TestSigner::ec().pkcs8())], AT).unwrap();
    let place = look(&offered("x\r\ny", &zipped)).unwrap_err().place;
    assert!(!place.contains(['\u{1b}', '\u{202e}', '\r', '\n']), "{place:?}");
}
