use super::*;
use crate::format::jks_write::{aliases, trust_store};
use crate::format::pbe::Passphrase;
use crate::format::{Contents, read as read_file};
use crate::tlv::{oid, oid_from_dotted, sequence, tag, tlv};
use crate::{KeyAlgorithm, KeyId, UnixTime};

const ROOT: &[u8] = include_bytes!("../../../tests/fixtures/root.der");
const SITE_JKS: &[u8] = include_bytes!("../../../tests/fixtures/site.jks");
const MIXED_JCEKS: &[u8] = include_bytes!("../../../tests/fixtures/mixed.jceks");
const KEYPASS_JKS: &[u8] = include_bytes!("../../../tests/fixtures/keypass.jks");
const UNICODE_JKS: &[u8] = include_bytes!("../../../tests/fixtures/unicode.jks");

fn code(bytes: &[u8], passphrase: Option<&str>) -> &'static str {
    read_file(bytes, passphrase).err().map_or("", |refusal| refusal.code)
}

/// The kind of each item with its name.
fn listed(contents: &Contents) -> Vec<(String, Option<&str>)> {
    let kind = |item: &Item| match &item.object {
        Object::PrivateKey(key) => format!("{} key", key.algorithm()),
        Object::Certificate(certificate) => certificate.subject().to_string(),
        Object::Csr(_) | Object::Crl(_) => "something else".to_owned(),
    };
    contents.items.iter().map(|item| (kind(item), item.friendly_name.as_deref())).collect()
}

/// A whole store around what is given, with the digest of this passphrase.
fn store(magic: [u8; 4], version: u32, count: u32, entries: &[u8], passphrase: &str) -> Vec<u8> {
    let head = [magic, version.to_be_bytes(), count.to_be_bytes()].concat();
    let body = [&head, entries].concat();
    let digest = digest(&Passphrase::new(passphrase), &body);
    [&body[..], &digest].concat()
}

fn jks(count: u32, entries: &[u8]) -> Vec<u8> {
    store(store::JKS_MAGIC, 2, count, entries, "x")
}

fn entry(kind: u32, alias: &[u8], rest: &[&[u8]]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &(alias.len() as u16).to_be_bytes(), alias, &[0; 8], &rest.concat()].concat()
}

fn block(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32).to_be_bytes()[..], content].concat()
}

fn certificate(der: &[u8]) -> Vec<u8> {
    [&[0, 5][..], b"X.509", &block(der)].concat()
}

/// A key entry without a chain, under this algorithm.
fn key_entry(dotted: &str, parameters: &[u8], data: &[u8]) -> Vec<u8> {
    let algorithm = sequence(&[&oid(&oid_from_dotted(dotted).unwrap()), parameters]);
    let protected = sequence(&[&algorithm, &tlv(tag::OCTET_STRING, &[data])]);
    entry(1, b"a", &[&block(&protected), &[0; 4]])
}

#[test]
fn a_store_without_anything_in_it_is_refused() {
    assert_eq!(code(&jks(0, &[]), Some("x")), "input.empty");
    assert_eq!(code(&jks(0, &[]), Some("y")), "pass.wrong");
}

#[test]
fn a_jks_store_of_keytool_is_read() {
    let contents = read_file(SITE_JKS, Some("changeit")).unwrap();
    assert_eq!(contents.format, "jks");
    let mut listed = listed(&contents);
    listed.sort();
    let expected = [
        ("CN=Test Root", "juuri ö 😀"),
        ("CN=site.example", "site one"),
        (&format!("{} key", KeyAlgorithm::Rsa2048), "site one"),
    ];
    let mut expected: Vec<_> = expected.map(|(what, name)| (what.to_owned(), Some(name))).into();
    expected.sort();
    assert_eq!(listed, expected);
    assert_eq!(contents.findings.len(), 1);
    assert_eq!(contents.findings[0].code, "key.encryption_weak");
    let of = |kind: fn(Item) -> Option<KeyId>| {
        let items = read_file(SITE_JKS, Some("changeit")).unwrap().items;
        items.into_iter().filter_map(kind).collect::<Vec<_>>()
    };
    let keys = of(|item| item.into_private_key().map(|key| key.id()));
    let certified = of(|item| item.into_certificate().map(|certificate| certificate.key_id()));
    assert!(certified.contains(&keys[0]), "the key is that of its certificate");
}

#[test]
fn a_jceks_store_of_keytool_is_read_and_its_secret_keys_are_left_out() {
    let contents = read_file(MIXED_JCEKS, Some("changeit")).unwrap();
    assert_eq!(contents.format, "jceks");
    let names: Vec<_> = listed(&contents);
    assert!(names.contains(&("CN=Test Root".to_owned(), Some("root"))), "{names:?}");
    assert!(names.contains(&(format!("{} key", KeyAlgorithm::EcP256), Some("site"))), "{names:?}");
    assert!(names.contains(&("CN=site.example".to_owned(), Some("site"))), "{names:?}");
    assert_eq!(names.len(), 3);
    let codes: Vec<_> = contents.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["jks.secret_key", "jks.secret_key", "key.encryption_weak"]);
}

#[test]
fn the_passphrase_must_be_that_of_store_and_key() {
    for bytes in [SITE_JKS, MIXED_JCEKS, KEYPASS_JKS, UNICODE_JKS] {
        assert_eq!(code(bytes, Some("changed")), "pass.wrong");
        assert_eq!(code(bytes, Some("")), "pass.wrong");
        assert_eq!(code(bytes, None), "pass.needed");
    }
    assert_eq!(code(UNICODE_JKS, Some("pässwörd")), "");
    assert_eq!(code(KEYPASS_JKS, Some("changeit")), "pass.wrong");
    assert_eq!(code(KEYPASS_JKS, Some("changeit2")), "pass.wrong");
}

#[test]
fn the_first_version_is_read() {
    let old = store(store::JKS_MAGIC, 1, 1, &entry(2, b"r", &[&block(ROOT)]), "x");
    let contents = read_file(&old, Some("x")).unwrap();
    assert_eq!(listed(&contents), [("CN=Test Root".to_owned(), Some("r"))]);
    assert_eq!(code(&store(store::JKS_MAGIC, 3, 0, &[], "x"), Some("x")), "jks.malformed");
}

#[test]
fn an_alias_comes_out_as_java_meant_it() {
    let named = |alias: &[u8]| {
        let contents = read_file(&jks(1, &entry(2, alias, &[&certificate(ROOT)])), Some("x")).unwrap();
        contents.items[0].friendly_name.clone().unwrap()
    };
    assert_eq!(named(b""), "");
    assert_eq!(named(b"a\xc0\x80b\xc3\xa4\xe2\x82\xac"), "a\0bä€");
    assert_eq!(named(b"\xed\xa0\xbd\xed\xb8\x80"), "😀");
    assert_eq!(named(b"\xff\xe2\x82\xc3"), "\u{fffd}".repeat(4));
}

#[test]
fn counts_and_lengths_that_lie_are_refused_and_nothing_is_allocated() {
    let huge = u32::MAX.to_be_bytes();
    // 41 octets that made another library reserve gigabytes.
    assert_eq!(code(&jks(1, &entry(1, b"", &[&block(&[]), &huge])), Some("x")), "jks.truncated");
    assert_eq!(code(&jks(u32::MAX, &[]), Some("x")), "jks.truncated");
    assert_eq!(code(&jks(1, &entry(1, b"a", &[&huge])), Some("x")), "jks.truncated");
    assert_eq!(code(&jks(1, &entry(2, b"a", &[&[0, 5], b"X.509", &huge])), Some("x")), "jks.truncated");
    assert_eq!(code(&jks(1, &[0, 0, 0, 2, 0xff, 0xff]), Some("x")), "jks.truncated");
    assert_eq!(code(&jks(1, &entry(9, b"a", &[])), Some("x")), "jks.malformed");
    assert_eq!(code(&jks(1, &entry(2, b"a", &[&[0, 3], b"PGP", &block(ROOT)])), Some("x")), "jks.malformed");
    assert_eq!(code(&jks(0, &[0]), Some("x")), "jks.malformed");
    let anchor = entry(2, b"a", &[&certificate(ROOT)]);
    // A trust store as Java's own; beside a key they are fewer, wherever in the file it stands.
    assert_eq!(code(&jks(1000, &anchor.repeat(1000)), Some("x")), "");
    assert_eq!(code(&jks(1001, &anchor.repeat(1001)), Some("x")), "limit.cert_count");
    let key = entry(1, b"", &[&block(&[]), &[0; 4]]);
    let beside =
        |before: usize, after: usize| [anchor.repeat(before), key.clone(), anchor.repeat(after)].concat();
    for (before, after) in [(51, 0), (0, 51), (30, 21)] {
        assert_eq!(code(&jks(52, &beside(before, after)), Some("x")), "limit.cert_count");
    }
    assert_ne!(code(&jks(51, &beside(30, 20)), Some("x")), "limit.cert_count");
    let empty_key = entry(1, b"a", &[&block(&[]), &[0; 4]]);
    assert_eq!(code(&jks(1001, &empty_key.repeat(1001)), Some("x")), "limit.cert_count");
    for length in 0..SITE_JKS.len().min(600) {
        assert_ne!(code(&SITE_JKS[..length], Some("changeit")), "");
    }
}

#[test]
fn parameters_of_keys_are_checked_before_anything_is_derived() {
    let triple_des = |salt: &[u8], iterations: &[u8]| {
        let parameters = sequence(&[&tlv(tag::OCTET_STRING, &[salt]), &tlv(tag::INTEGER, &[iterations])]);
        key_entry("1.3.6.1.4.1.42.2.19.1", &parameters, &[0; 16])
    };
    let jceks = |count, entries: &[u8]| code(&store(store::JCEKS_MAGIC, 2, count, entries, "x"), Some("x"));
    assert_eq!(jceks(1, &triple_des(b"saltsalt", &[1])), "pass.wrong");
    assert_eq!(jceks(1, &triple_des(b"saltsalt", &[0])), "key.kdf_params");
    assert_eq!(jceks(1, &triple_des(b"salt", &[1])), "key.kdf_params");
    assert_eq!(jceks(1, &triple_des(b"saltsalt", &[0x7f, 0xff, 0xff, 0xff])), "limit.kdf_cost");
    // Each of them is cheap enough, all together are not: 20 times 200,000.
    assert_eq!(jceks(20, &triple_des(b"saltsalt", &[3, 0x0d, 0x40]).repeat(20)), "limit.kdf_cost");
    let stream = |data: &[u8]| jceks(1, &key_entry("1.3.6.1.4.1.42.2.17.1.1", &[5, 0], data));
    assert_eq!(stream(&[0; 39]), "key.kdf_params");
    assert_eq!(stream(&[0; 40]), "pass.wrong");
    let pbes2 = key_entry("1.2.840.113549.1.5.13", &[5, 0], &[0; 40]);
    assert_eq!(jceks(1, &pbes2), "key.encryption_unsupported");
    assert_eq!(jceks(1, &entry(1, b"a", &[&block(b"junk"), &[0; 4]])), "der.truncated");
}

#[test]
fn a_long_passphrase_costs_what_it_takes() {
    let parameters = sequence(&[&tlv(tag::OCTET_STRING, &[b"saltsalt"]), &[2, 3, 0x0f, 0x42, 0x40]]);
    let million = key_entry("1.3.6.1.4.1.42.2.19.1", &parameters, &[0; 16]);
    let long = "x".repeat(500);
    let file = store(store::JCEKS_MAGIC, 2, 1, &million, &long);
    assert_eq!(code(&file, Some(&long)), "limit.kdf_cost");
}

#[test]
fn changed_octets_never_crash_it() {
    // Opening a key of the JCEKS store takes ten thousand hashes: only some of its octets then.
    for (bytes, passphrase, step) in [(UNICODE_JKS, "pässwörd", 1), (MIXED_JCEKS, "changeit", 61)] {
        let body = &bytes[..bytes.len() - 20];
        for index in 0..body.len() {
            let mut changed = bytes.to_vec();
            changed[index] ^= 0xff;
            assert_ne!(code(&changed, Some(passphrase)), "", "octet {index}");
            if index % step == 0 {
                changed.truncate(body.len());
                let mark = digest(&Passphrase::new(passphrase), &changed);
                changed.extend_from_slice(&mark);
                // Whatever the answer: there is one.
                let _ = read_file(&changed, Some(passphrase));
            }
        }
    }
}

#[test]
fn a_secret_key_that_is_no_sealed_object_is_refused() {
    let sealed = |object: &[u8]| {
        let entries = entry(3, b"s", &[object]);
        code(&store(store::JCEKS_MAGIC, 2, 1, &entries, "x"), Some("x"))
    };
    let class =
        |fields: &[u8]| [&[0xac, 0xed, 0, 5, 0x73, 0x72, 0, 1, b'A'][..], &[0; 8], &[2], fields].concat();
    assert_eq!(sealed(&class(&[0, 0, 0x78, 0x70])), "input.empty", "a class without fields");
    assert_eq!(
        sealed(&class(&[0, 1, b'I', 0, 1, b'n', 0x78, 0x70, 0, 0, 0, 7])),
        "input.empty",
        "one number"
    );
    assert_eq!(sealed(b"junk"), "jks.malformed");
    assert_eq!(sealed(&class(&[0xff, 0xff])), "jks.malformed");
    assert_eq!(sealed(&class(&[0, 1, b'I', 0, 1, b'n', 0x78, 0x70])), "jks.truncated");
    assert_eq!(sealed(&class(&[0, 1, b'?', 0, 1, b'n', 0x78, 0x70])), "jks.malformed");
    let above = [&[0x72, 0, 1, b'A'][..], &[0; 8], &[2, 0, 0, 0x78]].concat();
    let tower = [&class(&[0, 0, 0x78])[..], &above.repeat(100), &[0x70]].concat();
    assert_eq!(sealed(&tower), "jks.malformed");
}

#[test]
fn a_trust_store_that_is_written_is_read() {
    let root = || Certificate::parse(ROOT).unwrap();
    let anchors =
        [("Test Root".to_owned(), root()), ("Ö/../x".to_owned(), root()), ("TEST ROOT".to_owned(), root())];
    let bytes = trust_store(&anchors, "pass wörd", UnixTime(1_795_305_600));
    let contents = read_file(&bytes, Some("pass wörd")).unwrap();
    let names: Vec<_> = contents.items.iter().map(|item| item.friendly_name.as_deref().unwrap()).collect();
    assert_eq!(names, ["test-root", "..-x", "test-root-2"]);
    assert!(contents.findings.is_empty());
    for item in contents.items {
        assert_eq!(item.into_certificate().unwrap().der(), ROOT);
    }
    assert_eq!(code(&bytes, Some("another")), "pass.wrong");
}

#[test]
fn aliases_are_plain_and_each_is_there_once() {
    let long = "a".repeat(100);
    assert_eq!(
        aliases(&["A", "a", "a-2", "a", "", "€", " x  y ", &long]),
        ["a", "a-2", "a-2-2", "a-3", "anchor", "anchor-2", "x-y", &long[..64]]
    );
    let many = vec!["same"; 20_000];
    assert_eq!(aliases(&many).last().unwrap(), "same-20000");
}
