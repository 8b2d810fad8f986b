use std::io::Write;
use std::process::{Command, Stdio};

use domain::Moment;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
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
    look(&offered("holiday.jpg", bytes), None).err().map_or("", |refusal| refusal.code)
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

/// What another program makes of it; nothing where the program is not here.
fn made_by(program: &str, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, input).unwrap();
    let output = Command::new(program).args(arguments).arg(&file).stderr(Stdio::null()).output().ok()?;
    assert!(output.status.success() && !output.stdout.is_empty(), "{program} {arguments:?}");
    Some(output.stdout)
}

/// Pixels as a picture packs them: a zlib stream in chunks of 64 KiB.
fn png(pixels: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    packer.write_all(pixels).unwrap();
    let mut picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x0f\0\0\0\x08\x70\x08\x02\0\0\0\0\0\0\0".to_vec();
    for chunk in packer.finish().unwrap().chunks(1 << 16) {
        picture.extend(u32::try_from(chunk.len()).unwrap().to_be_bytes());
        picture.extend(b"IDAT");
        picture.extend(chunk);
        picture.extend([1, 2, 3, 4]);
    }
    picture.extend(b"\0\0\0\0IEND\xae\x42\x60\x82");
    picture
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
fn a_private_key_is_found_spelled_out_and_in_dumps() {
    for key in [TestSigner::ec(), TestSigner::rsa()] {
        let pem = pem_write::private_key(&key.private_key());
        let traditional = openssl(&["pkey", "-traditional"], pem.as_bytes());
        let array = key.pkcs8().iter().map(|octet| format!("0x{octet:02x}, ")).collect::<String>();
        let mut forms = vec![
            openssl(&["pkey", "-text", "-noout"], pem.as_bytes()),
            openssl(&["asn1parse"], pem.as_bytes()),
            openssl(&["asn1parse"], &traditional),
            openssl(&["asn1parse"], &encrypted_pem(&key)),
            format!("static const uint8_t logo[] = {{\n{array}}};\n").into_bytes(),
        ];
        let spelled = made_by("certtool", &["--key-info", "--infile"], pem.as_bytes());
        let without_pem = |text: Vec<u8>| {
            let end = text.windows(5).position(|five| five == b"-----").unwrap_or(text.len());
            text[..end].to_vec()
        };
        forms.extend(spelled.map(without_pem));
        forms.extend(made_by("xxd", &[], key.pkcs8()));
        forms.extend(made_by("xxd", &["-i"], key.pkcs8()));
        forms.extend(made_by("xxd", &["-p"], key.pkcs8()));
        forms.extend(made_by("hexdump", &["-C"], key.pkcs8()));
        forms.extend(made_by("hexdump", &[], key.pkcs8()));
        forms.extend(made_by("od", &["-A", "x", "-t", "x1"], key.pkcs8()));
        for (number, form) in forms.iter().enumerate() {
            let text = String::from_utf8_lossy(form);
            assert_eq!(code(form), "support.private_key", "{number} of {}\n{text}", key.public_key().label());
            let wide: Vec<u8> = text.chars().flat_map(|letter| u32::from(letter).to_le_bytes()).collect();
            assert_eq!(code(&wide), "support.private_key", "{number} in UTF-32");
        }
    }
}

fn encrypted_pem(key: &TestSigner) -> Vec<u8> {
    let encrypted = pkcs8_write::encrypt(&key.private_key(), "twelve letters", [1; 16], [2; 16]);
    pem_write::encrypted_key(&encrypted).into_bytes()
}

#[test]
fn a_private_key_in_a_stream_behind_a_picture_is_found() {
    let key = TestSigner::ec();
    let picture = png(&[255; 30_000]);
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    packer.write_all(key.pkcs8()).unwrap();
    let stream = packer.finish().unwrap();
    for bytes in [
        [&picture[..], &gzip(key.pkcs8()), b"and more"].concat(),
        [&picture[..], &tar_gz(&[packed("a", b"hello"), packed("b", key.pkcs8())], AT).unwrap()].concat(),
        [b"%PDF-1.7 stream\n", &stream[..], b"\nendstream"].concat(),
        stream,
    ] {
        assert_eq!(code(&bytes), "support.private_key");
    }
}

#[test]
fn the_instance_key_is_found_by_its_name_its_form_and_its_value() {
    let key = InstanceKey::from_bytes([0xa5; 32]);
    let text = format!("{}\n", "a5".repeat(32));
    let zipped = zip(&[packed("var/lib/claviger/instance.key", b"anything")], AT).unwrap();
    for bytes in [text.clone().into_bytes(), gzip(text.as_bytes()), zipped] {
        assert_eq!(code(&bytes), "support.private_key");
    }
    assert_eq!(look(&offered("instance.key", b"?"), None).unwrap_err().code, "support.private_key");
    for bytes in [
        [b"core dump ", &key.bytes()[..], b" of a server"].concat(),
        format!("the key was {} before", "A5".repeat(32)).into_bytes(),
    ] {
        assert_eq!(code(&bytes), "", "nobody else can tell");
        let refusal = look(&offered("notes", &bytes), Some(&key)).unwrap_err();
        assert_eq!(refusal.code, "support.private_key");
        assert!(refusal.what.contains("instance key"), "{}", refusal.what);
    }
}

#[test]
fn what_is_public_or_a_text_or_a_picture_is_no_false_alarm() {
    let key = TestSigner::rsa();
    let authority = Authority::new();
    let leaf = authority.issue(&["shop.example"], &key);
    let pem = pem_write::certificate(leaf.der());
    let private = pem_write::private_key(&key.private_key());
    let public = openssl(&["pkey", "-pubout"], private.as_bytes());
    let noise: Vec<u8> = (0..300_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let hashes: String = (0..300).map(|at| format!("{:064x}  file {at}\n", u128::MAX / (at + 1))).collect();
    let manual = include_str!("../../../../../docs/manual/import-export.md");
    let readme = include_str!("../../../../../README.md");
    let mut files = vec![
        openssl(&["x509", "-text"], pem.as_bytes()),
        openssl(&["asn1parse"], pem.as_bytes()),
        openssl(&["asn1parse"], &public),
        openssl(&["pkey", "-pubin", "-text"], &public),
        public,
        hashes.into_bytes(),
        manual.as_bytes().to_vec(),
        readme.as_bytes().to_vec(),
        include_bytes!("../../../../../docs/codes.md").to_vec(),
        png(&noise),
        png(&[0; 300_000]),
        png(&[b'A'; 300_000]),
        png(&vec![255; 40 << 20]),
        noise,
    ];
    files.extend(made_by("certtool", &["--certificate-info", "--infile"], pem.as_bytes()));
    files.extend(made_by("xxd", &[], leaf.der()));
    files.extend(made_by("xxd", &["-i"], leaf.der()));
    for (number, bytes) in files.iter().enumerate() {
        let refusal = look(&offered("x", bytes), None).err();
        assert!(
            refusal.is_none(),
            "file {number}: {}",
            refusal.map(|refusal| refusal.what).unwrap_or_default()
        );
    }
}

#[test]
fn what_stands_in_files_as_text_does_not_count_as_files() {
    let text = ["Q".repeat(64), "R".repeat(24)].join("\n");
    let many: Vec<Packed> = (0..9_990).map(|number| packed(&number.to_string(), text.as_bytes())).collect();
    let looked = look(&offered("x", &zip(&many, AT).unwrap()), None).unwrap();
    assert!(looked.files > 2 * 9_990, "{looked:?}");
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
        let refusal = look(&offered("x", &bytes), None).unwrap_err();
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
    let looked = look(&offered("for support.zip", &zip(&all, AT).unwrap()), None).unwrap();
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
    let place = look(&offered("x\r\ny", &zipped), None).unwrap_err().place;
    assert!(!place.contains(['\u{1b}', '\u{202e}', '\r', '\n']), "{place:?}");
}
