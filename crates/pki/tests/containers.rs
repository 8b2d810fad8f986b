//! PKCS#7 and PKCS#12 there and back: what OpenSSL writes is read here, what is written here OpenSSL reads.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests call OpenSSL, give it files, and stop at surprises"
)]

use std::path::Path;
use std::process::Command;

use claviger_pki::format::pkcs12_write::{self, Pkcs12, Salts, Strength};
use claviger_pki::format::{Contents, Object, pem_write, pkcs7_write, read};
use claviger_pki::{Certificate, PrivateKey, Refusal};
use tempfile::TempDir;

/// A folder with `root.pem`, `leaf.pem`, `leaf.key` and `root.crl`, made by OpenSSL.
struct Pair {
    folder: TempDir,
}

impl Pair {
    fn new() -> Self {
        let pair = Self { folder: TempDir::new().unwrap() };
        pair.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=Root -days 30 -keyout root.key -out root.pem");
        pair.openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=www.example -addext subjectAltName=DNS:www.example -keyout leaf.key -out leaf.csr");
        pair.openssl("x509 -req -in leaf.csr -CA root.pem -CAkey root.key -days 20 -copy_extensions copy -out leaf.pem");
        pair
    }

    /// Runs OpenSSL in the folder; arguments have no spaces in them, and `''` is an empty one.
    #[track_caller]
    fn openssl(&self, arguments: &str) -> String {
        let arguments = arguments.split(' ').map(|argument| if argument == "''" { "" } else { argument });
        let out = Command::new("openssl").current_dir(self.path()).args(arguments).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn bytes(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.path().join(file)).unwrap()
    }

    fn read(&self, file: &str, passphrase: Option<&str>) -> Result<Contents, Refusal> {
        read(&self.bytes(file), passphrase)
    }

    fn certificate(&self, file: &str) -> Certificate {
        self.read(file, None).unwrap().items.pop().unwrap().into_certificate().unwrap()
    }

    fn key(&self) -> PrivateKey {
        self.read("leaf.key", None).unwrap().items.pop().unwrap().into_private_key().unwrap()
    }

    /// The leaf and its key, and the root if it is to be there.
    #[track_caller]
    fn assert_holds_pair(&self, contents: &Contents, certificates: usize) {
        let (mut found, mut keys) = (Vec::new(), Vec::new());
        for item in &contents.items {
            match &item.object {
                Object::Certificate(certificate) => found.push(certificate.fingerprint()),
                Object::PrivateKey(key) => keys.push(key.id()),
                Object::Csr(_) | Object::Crl(_) => panic!("neither request nor revocation list"),
            }
        }
        assert_eq!(keys, [self.key().id()]);
        assert_eq!(found.len(), certificates);
        assert!(found.contains(&self.certificate("leaf.pem").fingerprint()));
    }
}

fn code(result: &Result<Contents, Refusal>) -> &'static str {
    result.as_ref().err().map_or("", |refusal| refusal.code)
}

fn findings(contents: &Contents) -> Vec<&'static str> {
    contents.findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn pkcs12_of_openssl_is_read_in_every_strength() {
    let pair = Pair::new();
    let export = "pkcs12 -export -in leaf.pem -inkey leaf.key -certfile root.pem -name www -out it.p12";
    for (options, expected) in [
        ("", &[][..]),
        (" -legacy", &["p12.legacy"]),
        (" -legacy -certpbe PBE-SHA1-RC2-128 -keypbe PBE-SHA1-2DES", &["p12.legacy"]),
        (" -certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg SHA1", &["p12.legacy"]),
        (" -certpbe AES-128-CBC -keypbe AES-192-CBC -macalg SHA512", &[]),
        (" -certpbe DES-EDE3-CBC -keypbe DES-EDE3-CBC -macalg SHA384", &[]),
        (" -macalg SHA224 -iter 1", &[]),
        (" -nomaciter", &[]),
        (" -certpbe NONE", &[]),
        (" -certpbe NONE -keypbe NONE", &["p12.unencrypted"]),
    ] {
        for (typed, passphrase) in [("pass", "pass"), ("pässwörd-€", "pässwörd-€"), ("", "")] {
            pair.openssl(&format!("{export}{options} -passout pass:{typed}"));
            let contents = pair.read("it.p12", Some(passphrase)).unwrap();
            assert_eq!(contents.format, "pkcs12");
            pair.assert_holds_pair(&contents, 2);
            assert_eq!(findings(&contents), expected, "{options}");
            let names = contents.items.iter().filter(|item| item.friendly_name.as_deref() == Some("www"));
            assert_eq!(names.count(), 2, "the key and its certificate");
            // A passphrase that something else needs stands in the way of nothing.
            let (wrong, untyped) =
                if passphrase.is_empty() { ("", "") } else { ("pass.wrong", "pass.needed") };
            assert_eq!(code(&pair.read("it.p12", Some("nope"))), wrong, "{options}");
            assert_eq!(code(&pair.read("it.p12", None)), untyped, "{options}");
        }
    }
    pair.openssl(&format!("{export} -nomac -passout pass:pass"));
    assert_eq!(code(&pair.read("it.p12", Some("pass"))), "p12.no_mac");
    pair.openssl("pkcs12 -export -in leaf.pem -nokeys -passout pass:pass -out certs.p12");
    assert_eq!(pair.read("certs.p12", Some("pass")).unwrap().items.len(), 1);
}

#[test]
fn pkcs12_written_here_is_read_by_openssl() {
    let pair = Pair::new();
    let key = pair.key();
    let certificates = [pair.certificate("leaf.pem"), pair.certificate("root.pem")];
    let salts = Salts::new(|octets| octets.fill(0x5a));
    for (strength, options) in [(Strength::Modern, ""), (Strength::Legacy, " -legacy")] {
        for passphrase in ["pässwörd-€", ""] {
            let contents = Pkcs12 { key: Some(&key), certificates: &certificates, friendly_name: "www" };
            let bytes = pkcs12_write::write(&contents, passphrase, strength, &salts);
            pair.assert_holds_pair(&read(&bytes, Some(passphrase)).unwrap(), 2);
            std::fs::write(pair.path().join("ours.p12"), &*bytes).unwrap();
            let text =
                pair.openssl(&format!("pkcs12 -in ours.p12{options} -noenc -passin pass:{passphrase}"));
            // As in PEM with bag attributes around the blocks, which is read here, too.
            let back = read(text.as_bytes(), None).unwrap();
            pair.assert_holds_pair(&back, 2);
            assert_eq!(text.matches("friendlyName: www").count(), 2);
            assert_eq!(text.matches("localKeyID").count(), 2);
        }
    }
}

#[test]
fn a_trust_store_is_read_by_openssl() {
    let pair = Pair::new();
    let anchors = [("Our Root".to_owned(), pair.certificate("root.pem"))];
    let bytes = pkcs12_write::trust_store(&anchors, "changeit", &Salts::new(|octets| octets.fill(7)));
    std::fs::write(pair.path().join("trust.p12"), bytes).unwrap();
    let text = pair.openssl("pkcs12 -in trust.p12 -nokeys -passin pass:changeit");
    assert!(
        text.contains("friendlyName: Our Root") && text.contains("2.16.840.1.113894.746875.1.1"),
        "{text}"
    );
}

#[test]
fn pkcs7_of_openssl_is_read_in_every_form() {
    let pair = Pair::new();
    pair.openssl("crl2pkcs7 -nocrl -certfile leaf.pem -certfile root.pem -out it.p7.pem");
    pair.openssl("crl2pkcs7 -nocrl -certfile leaf.pem -certfile root.pem -outform DER -out it.p7b");
    let pem = String::from_utf8(pair.bytes("it.p7.pem")).unwrap();
    let disguised = pem.replace("PKCS7", "CERTIFICATE");
    let cms = pem.replace("PKCS7", "CMS");
    for (bytes, format) in [
        (pem.as_bytes(), "pem"),
        (disguised.as_bytes(), "pem"),
        (cms.as_bytes(), "pem"),
        (&pair.bytes("it.p7b"), "pkcs7"),
    ] {
        let contents = read(bytes, None).unwrap();
        assert_eq!((contents.format, contents.items.len(), findings(&contents)), (format, 2, vec![]));
    }
    std::fs::write(pair.path().join("mail.txt"), "hello").unwrap();
    // Streamed: lengths left open, the content in pieces.
    for out in ["signed.der -outform DER", "signed.pem -outform PEM"] {
        let (file, _) = out.split_once(' ').unwrap();
        pair.openssl(&format!(
            "cms -sign -stream -nodetach -in mail.txt -signer leaf.pem -inkey leaf.key -certfile root.pem -out {out}"
        ));
        let contents = pair.read(file, None).unwrap();
        assert_eq!((contents.items.len(), findings(&contents)), (2, vec!["p7.signed"]), "{file}");
    }
    assert_eq!(pair.bytes("signed.der")[..2], [0x30, 0x80], "it is BER");
    pair.openssl("cms -encrypt -in mail.txt -outform DER -out sealed.der leaf.pem");
    assert_eq!(code(&pair.read("sealed.der", None)), "p7.type");
    pair.openssl("cms -data_create -in mail.txt -outform DER -out data.der");
    assert_eq!(code(&pair.read("data.der", None)), "p7.type");
    assert_eq!(code(&read(&pkcs7_write::write([]), None)), "p7.no_certificates");
}

#[test]
fn pkcs7_written_here_is_read_by_openssl_in_its_order() {
    let pair = Pair::new();
    let (leaf, root) = (pair.certificate("leaf.pem"), pair.certificate("root.pem"));
    let der = pkcs7_write::write([leaf.der(), root.der()]);
    std::fs::write(pair.path().join("ours.p7b"), &der).unwrap();
    let text = pair.openssl("pkcs7 -inform DER -in ours.p7b -print_certs");
    let printed = read(text.as_bytes(), None).unwrap();
    let read_back = read(pem_write::pkcs7(&der).as_bytes(), None).unwrap();
    for contents in [printed, read_back] {
        let found: Vec<Certificate> =
            contents.items.into_iter().filter_map(claviger_pki::format::Item::into_certificate).collect();
        assert_eq!(found, [leaf.clone(), root.clone()]);
    }
}

#[test]
fn revocation_lists_come_out_of_pkcs7() {
    let pair = Pair::new();
    std::fs::write(pair.path().join("index.txt"), "").unwrap();
    let settings = "[ca]\ndefault_ca=x\n[x]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=9\n";
    std::fs::write(pair.path().join("ca.cnf"), settings).unwrap();
    pair.openssl("ca -config ca.cnf -gencrl -cert root.pem -keyfile root.key -out root.crl");
    pair.openssl("crl2pkcs7 -in root.crl -certfile root.pem -outform DER -out both.p7b");
    let contents = pair.read("both.p7b", None).unwrap();
    assert!(matches!(&contents.items[0].object, Object::Certificate(_)));
    assert!(matches!(&contents.items[1].object, Object::Crl(_)));
    assert_eq!((contents.items.len(), findings(&contents)), (2, vec![]));
}

#[test]
fn trusted_certificates_of_openssl_are_certificates() {
    let pair = Pair::new();
    pair.openssl("x509 -in root.pem -trustout -addtrust serverAuth -setalias root -out trusted.pem");
    assert!(pair.bytes("trusted.pem").starts_with(b"-----BEGIN TRUSTED CERTIFICATE"));
    assert_eq!(pair.certificate("trusted.pem"), pair.certificate("root.pem"));
}
