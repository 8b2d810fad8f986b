//! What the fuzz targets share: what must be true of everything that comes out of a file, whatever was in it.
//!
//! The targets are in `targets/`, one per parser; `cargo xtask fuzz` builds and runs them. It must not know what the
//! parsers know: files are mended and certificates made here by code of its own.
//!
//! Start reading at [`read_file`].

mod mend;
mod script;

use pki::chain::{self, Arranged};
use pki::format::{
    Contents, Item, KdfBudget, Object, jks_write, pem_write, pkcs7_write, read_within, traditional_write,
};
use pki::inspect::inspect_within;
use pki::{Certificate, Crl, Csr, Finding, PrivateKey, UnixTime};

pub use mend::{with_digest, with_mac};
pub use script::play;

/// 2026-11-22T00:00:00Z, when the bad inputs of the repository are what they are said to be.
pub const NOW: UnixTime = UnixTime(1_795_305_600);
/// The passphrases of the files that the fuzzer begins with.
pub const PASSPHRASES: [&str; 3] = ["pass", "changeit", "pässwörd"];

/// Deriving keys is not what is looked for: so little that a thousand inputs a second remain.
fn budget() -> KdfBudget {
    KdfBudget::limited(3_000, 1 << 20)
}

/// Reads a file in every way that the program knows, and checks what comes out.
pub fn read_file(bytes: &[u8]) {
    let each = PASSPHRASES.iter().map(std::slice::from_ref);
    for passphrases in [&[][..]].into_iter().chain(each).chain([&PASSPHRASES[..]]) {
        let answer = read_within(bytes, passphrases, &mut budget());
        let inspection = inspect_within(bytes, passphrases, NOW, &mut budget());
        inspection.findings.iter().for_each(assert_inert);
        match answer {
            Ok(contents) => {
                assert_eq!(contents.items.len(), inspection.items.len());
                check(&contents);
            }
            Err(refusal) => {
                assert!(!inspection.accepted, "accepted what is refused: {refusal:?}");
                assert_inert(&refusal.into());
            }
        }
    }
}

/// Everything that was taken can be written and read again, and is the same.
pub fn check(contents: &Contents) {
    contents.findings.iter().for_each(assert_inert);
    let mut certificates = Vec::new();
    for item in &contents.items {
        match &item.object {
            Object::Certificate(certificate) => {
                check_certificate(certificate);
                certificates.push(certificate.clone());
            }
            Object::PrivateKey(key) => check_key(key),
            Object::Csr(csr) => check_csr(csr),
            Object::Crl(crl) => check_crl(crl),
        }
    }
    if !certificates.is_empty() {
        check_together(&certificates);
    }
}

/// A certificate is what its DER says, and can be shown.
pub fn check_certificate(certificate: &Certificate) {
    assert_eq!(Certificate::parse(certificate.der()).as_ref(), Ok(certificate));
    let text = pem_write::certificate(certificate.der());
    let read = read_back(text.as_bytes()).into_iter().find_map(Item::into_certificate);
    assert_eq!(read.as_ref(), Some(certificate));
    for text in [certificate.subject().to_string(), certificate.issuer().to_string()] {
        assert_shown(&text);
    }
    assert_shown(&certificate.display_name());
    for name in certificate.names() {
        assert_shown(&name.to_string());
    }
    certificate.findings(NOW).iter().for_each(assert_inert);
    for host in ["a.example", "b.a.example", "", "192.0.2.1", "::1", "*.example", "xn--ls8h.example"] {
        // Whatever the answer: there is one.
        let _ = certificate.covers_host(host);
    }
    let _ = (certificate.is_self_signed(), certificate.role(), certificate.serial_decimal());
    let _ = (certificate.key_usages(), certificate.extended_key_usages(), certificate.signature_algorithm());
}

/// A private key is the same in every form in which we write it.
pub fn check_key(key: &PrivateKey) {
    let forms =
        [Some(pem_write::private_key(key)), traditional_write::pkcs1(key), traditional_write::sec1(key)];
    for text in forms.iter().flatten() {
        let read = read_back(text.as_bytes()).into_iter().find_map(Item::into_private_key);
        assert!(read.is_some_and(|read| read.pkcs8_der() == key.pkcs8_der()), "another key");
    }
    key.public_key().findings().iter().for_each(assert_inert);
}

/// A request is the same when it is read again.
pub fn check_csr(csr: &Csr) {
    let read = read_back(csr.to_pem().as_bytes());
    assert!(read.iter().any(|item| matches!(&item.object, Object::Csr(one) if one.der() == csr.der())));
    show_csr(csr);
}

/// What is shown of a request.
pub fn show_csr(csr: &Csr) {
    assert_shown(&csr.subject().to_string());
    for name in csr.names() {
        assert_shown(&name.to_string());
    }
    csr.findings().iter().for_each(assert_inert);
    let _ = (csr.fingerprint(), csr.extended_key_usages());
}

/// A revocation list is the same when it is read again, and answers.
pub fn check_crl(crl: &Crl) {
    let read = read_back(pem_write::crl(crl.der()).as_bytes());
    assert!(read.iter().any(|item| matches!(&item.object, Object::Crl(one) if one == crl)));
    assert_shown(&crl.issuer().to_string());
    crl.findings(NOW).iter().for_each(assert_inert);
    if crl.is_empty() {
        assert_eq!(crl.revoked(&[1], crl.issuer()), None, "nobody is on it");
    }
    for serial in [&[][..], &[0], &[1], &[0x7f; 20]] {
        let _ = crl.revoked(serial, crl.issuer());
    }
    let _ = (crl.number_decimal(), crl.is_delta(), crl.is_indirect(), crl.signature_algorithm());
}

/// Several certificates go through the formats that hold several, and make a chain.
fn check_together(certificates: &[Certificate]) {
    let pkcs7 = pkcs7_write::write(certificates.iter().map(Certificate::der));
    match read_within(&pkcs7, &[], &mut budget()) {
        Ok(contents) => assert_eq!(only_certificates(contents.items), certificates),
        // What is just within the limit alone is beyond it with four levels around it.
        Err(refusal) => assert_eq!(refusal.code, "der.depth", "{refusal:?}"),
    }
    if certificates.len() <= 50 {
        let anchors: Vec<_> = certificates.iter().map(|one| (one.display_name(), one.clone())).collect();
        let store = jks_write::trust_store(&anchors, "pass", NOW);
        let read = read_within(&store, &["pass"], &mut budget()).map(|contents| contents.items);
        let read = read.unwrap_or_else(|refusal| panic!("our own trust store is refused: {refusal:?}"));
        let names: Vec<_> = anchors.iter().map(|(name, _)| name.as_str()).collect();
        let aliases: Vec<_> = read.iter().filter_map(|item| item.friendly_name.clone()).collect();
        assert_eq!(aliases, jks_write::aliases(&names));
        assert_eq!(only_certificates(read), certificates);
    }
    check_arranged(certificates, &chain::arrange(certificates.to_vec(), NOW));
}

/// The promises of [`chain::arrange`].
pub fn check_arranged(certificates: &[Certificate], arranged: &Arranged) {
    let chain = &arranged.chain;
    assert_eq!(arranged.leaf.is_some(), !certificates.is_empty());
    assert_eq!(arranged.leaf.as_ref(), chain.served.first());
    assert!(chain.served.len() <= chain::MAX_LENGTH);
    for pair in chain.served.windows(2) {
        assert!(pair[0].is_signed_by(&pair[1]), "a chain with a gap");
    }
    if let (Some(root), Some(last)) = (&chain.root, chain.served.last()) {
        // A leaf that signed itself is its own root, and need not be a CA.
        assert!(root.is_self_signed() && (last == root || last.is_signed_by(root)), "a root that is none");
        assert!(chain.served.len() == 1 || !chain.served.contains(root), "a root that is served");
    }
    for stranger in &arranged.unrelated {
        assert!(!chain.served.contains(stranger) && chain.root.as_ref() != Some(stranger));
        assert!(certificates.contains(stranger));
    }
    chain.findings.iter().for_each(assert_inert);
}

/// Reads what we wrote ourselves.
fn read_back(bytes: &[u8]) -> Vec<Item> {
    let read = read_within(bytes, &[], &mut budget());
    read.unwrap_or_else(|refusal| panic!("what was written here is refused: {refusal:?}")).items
}

fn only_certificates(items: Vec<Item>) -> Vec<Certificate> {
    items.into_iter().filter_map(Item::into_certificate).collect()
}

/// Every sentence that a person or a program sees is one inert line.
fn assert_inert(finding: &Finding) {
    assert!(
        finding.code.contains('.') && !finding.what.is_empty() && !finding.repair.is_empty(),
        "{finding:?}"
    );
    for text in [&finding.what, &finding.place, &finding.repair] {
        assert_shown(text);
    }
}

/// No control character, and no mark that changes the direction of writing.
fn assert_shown(text: &str) {
    let active = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(active), "not inert: {text:?}");
}
