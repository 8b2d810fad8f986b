//! Bad inputs get the answer that `badinputs/manifest.json` and `SECURITY.md` promise, and nothing worse happens.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read files, stop at surprises, and measure that no input takes long"
)]

mod maker;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::KeyPair;
use claviger_pki::inspect::{InspectedItem, Inspection, inspect};
use claviger_pki::{Fingerprint, UnixTime, format};
use maker::{CRITICAL, Fields, bits, ca, dns_names, extension, name, pem, seq, tlv};

/// 2026-11-22T00:00:00Z, the moment at which the manifest's answers hold.
const NOW: UnixTime = UnixTime(1_795_305_600);

fn look(bytes: &[u8]) -> Inspection {
    inspect(bytes, None, NOW)
}

fn has(inspection: &Inspection, code: &str) -> bool {
    inspection.findings.iter().any(|finding| finding.code == code)
}

#[track_caller]
fn refused(bytes: &[u8], code: &str) {
    let inspection = look(bytes);
    assert!(!inspection.accepted, "was accepted: {:?}", inspection.findings);
    assert_eq!(inspection.findings[0].code, code, "{:?}", inspection.findings);
}

#[track_caller]
fn noticed(bytes: &[u8], code: &str) -> Inspection {
    let inspection = look(bytes);
    assert!(inspection.accepted && has(&inspection, code), "no {code}: {:?}", inspection.findings);
    inspection
}

#[track_caller]
fn clean(bytes: &[u8]) {
    let inspection = look(bytes);
    assert!(inspection.accepted && inspection.findings.is_empty(), "{:?}", inspection.findings);
}

// ---- the manifest ----

#[test]
fn every_file_of_the_manifest_gets_its_answer() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../badinputs"));
    let manifest = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    let entries: Vec<serde_json::Value> = serde_json::from_str(&manifest).unwrap();
    let mut wrong = Vec::new();
    for entry in &entries {
        let text = |field: &str| entry[field].as_str().unwrap_or_default();
        let bytes = std::fs::read(folder.join(text("file"))).unwrap();
        let started = Instant::now();
        let inspection = inspect(&bytes, entry["passphrase"].as_str(), NOW);
        if started.elapsed() > Duration::from_secs(2) {
            wrong.push(format!("{}: took {:?}", text("file"), started.elapsed()));
        }
        if !answers(&inspection, text("expect"), text("code")) {
            let codes: Vec<_> = inspection.findings.iter().map(|finding| finding.code).collect();
            wrong.push(format!("{}: accepted {}, {codes:?}", text("file"), inspection.accepted));
        }
    }
    assert!(entries.len() > 50, "the manifest is gone");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn answers(inspection: &Inspection, expect: &str, code: &str) -> bool {
    let coded = code.is_empty() || code.split('|').any(|code| has(inspection, code));
    match expect {
        "reject" => !inspection.accepted && coded,
        "warn" | "accept" | "accept-inactive" => inspection.accepted && coded,
        "accept+escape" => inspection.accepted && is_inert(inspection),
        "accept|reject" => inspection.accepted || coded,
        _ => false,
    }
}

/// Nothing that is shown has a control character or a mark that changes the direction of writing in it.
fn is_inert(inspection: &Inspection) -> bool {
    let mut shown: Vec<String> = Vec::new();
    for item in &inspection.items {
        if let InspectedItem::Certificate(certificate) = item {
            shown.extend([certificate.display_name(), certificate.subject().to_string()]);
            shown.push(certificate.issuer().to_string());
            shown.extend(certificate.names().iter().map(ToString::to_string));
            for urls in [certificate.ca_issuer_urls(), certificate.ocsp_urls(), certificate.crl_urls()] {
                shown.extend(urls.iter().cloned());
            }
        }
    }
    for finding in &inspection.findings {
        shown.extend([finding.what.clone(), finding.place.clone(), finding.repair.clone()]);
    }
    let active = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    !shown.is_empty() && !shown.iter().any(|text| text.contains(active))
}

// ---- framing ----

#[test]
fn pem_is_read_whatever_stands_around_it() {
    let leaf = Fields::server().der();
    let block = pem("CERTIFICATE", &leaf);
    let around = format!(
        "\u{feff}Bag Attributes\r\n    friendlyName: x\r\nsubject=CN = a\r\n{}",
        block.replace('\n', "\r\n")
    );
    let one_line = block.replace('\n', " ");
    let old_mac = block.replace('\n', "\r");
    let unpadded = block.replace('=', "");
    for text in [&block, &around, &one_line, &old_mac, &unpadded] {
        let inspection = look(text.as_bytes());
        assert!(inspection.accepted, "{:?}", inspection.findings);
        assert!(matches!(&inspection.items[..], [InspectedItem::Certificate(one)] if one.der() == leaf));
        assert_eq!(inspection.format, "pem");
    }
}

#[test]
fn broken_pem_is_refused_with_the_reason() {
    let block = pem("CERTIFICATE", &Fields::server().der());
    let edit = |from: &str, to: &str| block.replacen(from, to, 1).into_bytes();
    refused(b"", "input.empty");
    refused(b"hello, world", "input.unrecognised");
    refused(&[0x9c, 1, 2, 3, 0xff, 0x80, 7], "input.unrecognised");
    refused(b"-------------", "pem.none");
    refused(&edit("-----END CERTIFICATE-----", ""), "pem.truncated");
    refused(&edit("-----END CERTIFICATE-----", "-----END CERTIFICATE---"), "pem.truncated");
    refused(&edit("END CERTIFICATE", "END PRIVATE KEY"), "pem.label");
    for bad in ["\0", "!", "-", "_", "=", "ä", "A"] {
        refused(&edit("\nMI", &format!("\n{bad}MI")), "pem.base64");
    }
    refused(b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "pem.base64");
    refused(pem("PRIVATE KEY", &Fields::server().der()).as_bytes(), "pem.label");
    refused(pem("CERTIFICATE", b"not DER at all").as_bytes(), "pem.label");
    refused(pem("PKCS7", &[0x30, 0]).as_bytes(), "pem.label");
    refused(pem("PKCS12", &[0x30, 0]).as_bytes(), "pem.label");
    refused(pem("OPENSSH PRIVATE KEY", b"openssh-key-v1").as_bytes(), "key.algorithm");
}

#[test]
fn old_encryption_is_refused_or_asks_for_its_passphrase() {
    let traditional = |cipher: &str| {
        format!(
            "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: {cipher}\n\nAAAA\n-----END EC PRIVATE KEY-----"
        )
    };
    refused(traditional("AES-256-CBC,00").as_bytes(), "key.kdf_params");
    refused(traditional("DES-CBC,0011223344556677").as_bytes(), "key.encryption_unsupported");
    refused(traditional("DES-EDE3-CBC,0011223344556677").as_bytes(), "pass.needed");
    let wrong = inspect(traditional("DES-EDE3-CBC,0011223344556677").as_bytes(), Some("x"), NOW);
    assert_eq!((wrong.accepted, wrong.findings[0].code), (false, "pass.wrong"));
}

#[test]
fn java_key_stores_that_lie_are_refused_at_once() {
    refused(&[0xfe, 0xed, 0xfe, 0xed], "jks.truncated");
    refused(&[0xce; 40], "jks.malformed");
    // One key, no octets of it, and 4,294,967,295 certificates: 54 octets in all.
    let mut bomb = vec![0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1];
    bomb.extend([0; 14]);
    bomb.extend([0xff; 4]);
    bomb.extend([0; 20]);
    let started = Instant::now();
    refused(&bomb, "jks.truncated");
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

#[test]
fn blocks_that_are_not_read_are_left_out_and_said() {
    let text = pem("CERTIFICATE", &Fields::server().der()) + &pem("DH PARAMETERS", &[0x30, 0]);
    noticed(text.as_bytes(), "pem.left_out");
    let with_parameters = pem("EC PARAMETERS", &[5, 0]) + &pem("CERTIFICATE", &Fields::server().der());
    clean(with_parameters.as_bytes());
}

#[test]
fn floods_cost_nothing() {
    let started = Instant::now();
    refused("-----BEGIN CERTIFICATE-----\n".repeat(40_000).as_bytes(), "pem.truncated");
    refused("-".repeat(1_000_000).as_bytes(), "pem.none");
    refused("-----BEGIN ".repeat(90_000).as_bytes(), "pem.truncated");
    refused(&vec![b'-'; 10_000_001], "input.too_large");
    // 50 ms each in an optimised build.
    assert!(started.elapsed() < Duration::from_millis(2000), "{:?}", started.elapsed());
    let many = pem("CERTIFICATE", &[0x30, 0]).repeat(10_001);
    refused(many.as_bytes(), "limit.cert_count");
}

#[test]
fn broken_der_is_refused_with_the_reason() {
    let leaf = Fields::server().der();
    refused(&[&leaf[..], &[0]].concat(), "der.trailing");
    refused(&leaf[..leaf.len() - 1], "der.truncated");
    refused(&leaf[..3], "der.truncated");
    refused(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0, 0], "der.length");
    refused(&[&[0x30, 0xff][..], &[1; 200]].concat(), "der.length");
    refused(&[0x30, 0x80, 0x30, 0x80, 0, 0, 0, 0], "der.not_der");
    refused(&(0..20_000).fold(vec![5, 0], |inner, _| seq(&[&inner])), "der.depth");
    let deep = (0..20_000).fold(vec![5, 0], |inner, _| seq(&[&inner]));
    refused(&Fields { subject: deep, ..Fields::server() }.der(), "der.depth");
}

/// The same octets with `from`, which is there once, exchanged.
fn exchanged(der: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = (0..der.len()).filter(|place| der[*place..].starts_with(from)).collect();
    assert_eq!((places.len(), from.len()), (1, to.len()));
    let mut changed = der.to_vec();
    changed[places[0]..places[0] + to.len()].copy_from_slice(to);
    changed
}

/// Found by the fuzzer: a certificate that was taken alone and refused within PKCS#7.
#[test]
fn an_element_without_a_tag_is_refused_everywhere() {
    let leaf = Fields::server().der();
    let version = [0xa0, 3, 2, 1, 2];
    refused(&exchanged(&leaf, &version, &[0xa0, 3, 0, 1, 2]), "der.not_der");
    refused(&exchanged(&leaf, &version, &[0xa0, 3, 1, 1, 0]), "cert.syntax");
}

/// Found by the fuzzer: a certificate that got another fingerprint by a way through PKCS#7.
#[test]
fn a_string_in_pieces_is_refused() {
    for pieces in [&[0x3a, 0][..], &[0x24, 3, 4, 1, 7]] {
        let algorithm = seq(&[&[6, 3, 0x2b, 0x65, 0x70], pieces]);
        refused(&Fields { algorithm, ..Fields::server() }.der(), "der.not_der");
    }
}

// ---- fields of certificates ----

#[test]
fn a_sound_certificate_is_clean() {
    clean(&Fields::server().der());
}

#[test]
fn odd_serial_numbers_are_noticed() {
    for serial in [&[0][..], &[0x80], &[0xff], &[0x7f; 30], &[0x7f; 21]] {
        noticed(&Fields { serial: serial.to_vec(), ..Fields::server() }.der(), "cert.serial");
    }
    clean(&Fields { serial: vec![0x7f; 20], ..Fields::server() }.der());
}

#[test]
fn odd_validity_is_refused_or_noticed() {
    let valid = |not_before: &str, not_after: &str| {
        Fields { not_before: not_before.to_owned(), not_after: not_after.to_owned(), ..Fields::server() }
            .der()
    };
    refused(&valid("20261201000000Z", "20261101000000Z"), "cert.validity");
    refused(&valid("20261301000000Z", "20271101000000Z"), "cert.validity");
    refused(&valid("20260229000000Z", "20271101000000Z"), "cert.validity");
    refused(&valid("2026110100000Z", "20271101000000Z"), "cert.validity");
    refused(&valid("20261101000000+0200", "20271101000000Z"), "cert.validity");
    noticed(&valid("20260101000000Z", "20261121235959Z"), "cert.expired");
    noticed(&valid("20261122000001Z", "20261221235959Z"), "cert.not_yet_valid");
    clean(&valid("20261122000000Z", "20261122000000Z"));
    noticed(&valid("20261101000000Z", "99991231235959Z"), "cert.lifetime");
}

#[test]
fn names_are_shown_inert_and_odd_ones_noticed() {
    let nasty = [
        "<script>alert(1)</script>",
        "<svg onerror=x>",
        "=HYPERLINK(\"x\")",
        "@SUM(1)",
        "a\r\nSet-Cookie: x",
        "\u{1b}[31mred",
        "\u{202e}moc.elpmaxe",
        "{{7*7}}",
        "x;} server {",
        "../../etc/passwd",
        "%n%s",
        "'; DROP TABLE x; --",
        "*)(uid=*",
        "good.example\0.evil.example",
    ];
    for text in nasty {
        let der = Fields { subject: name(text), issuer: name(text), ..Fields::server() }.der();
        let inspection = look(&der);
        assert!(inspection.accepted && is_inert(&inspection), "{text:?}");
        assert_eq!(has(&inspection, "name.control_char"), text.contains(char::is_control), "{text:?}");
    }
}

#[test]
fn odd_alternative_names_are_noticed_and_never_match() {
    let named = |names: &[&str]| Fields { extensions: vec![dns_names(names)], ..Fields::server() }.der();
    for (odd, code) in [
        ("*.*", "san.wildcard"),
        ("f*o.example", "san.wildcard"),
        ("*", "san.wildcard"),
        ("a..example", "san.syntax"),
        ("a_b.example", "san.syntax"),
        ("xn--ggle-55da.example", "san.mixed_script"),
        ("a\0.example", "name.control_char"),
    ] {
        let inspection = noticed(&named(&[odd]), code);
        let [InspectedItem::Certificate(certificate)] = &inspection.items[..] else {
            panic!("one certificate")
        };
        for host in ["a.b", "foo.example", "foo", "a.example", "a..example", "google.example"] {
            assert!(!certificate.covers_host(host), "{odd} covers {host}");
        }
    }
    refused(&named(&["xn--example-.com"]), "san.idna");
    noticed(&Fields { extensions: Vec::new(), subject: seq(&[]), ..Fields::server() }.der(), "cert.no_name");
}

#[test]
fn counts_are_limited() {
    let hosts: Vec<String> = (0..10_000).map(|number| format!("a{number}.example")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    refused(&Fields { extensions: vec![dns_names(&hosts)], ..Fields::server() }.der(), "limit.san_count");
    let subtree = seq(&[&tlv(0x82, &[b"a.example"])]);
    let constraints = |count: usize| {
        let subtrees = subtree.repeat(count);
        let value = seq(&[&tlv(0xa0, &[&subtrees]), &tlv(0xa1, &[&subtrees])]);
        Fields { extensions: vec![ca(), extension(30, CRITICAL, &value)], ..Fields::server() }.der()
    };
    refused(&constraints(1000), "limit.name_constraints");
    refused(&constraints(10_000), "limit.name_constraints");
    assert!(look(&constraints(125)).accepted);
    let padding = extension(99, &[], &[7; 40_000]);
    refused(&Fields { extensions: vec![padding], ..Fields::server() }.der(), "input.too_large");
}

#[test]
fn extensions_are_checked() {
    let with = |extension: Vec<u8>| {
        Fields { extensions: vec![dns_names(&["a.example"]), extension], ..Fields::server() }.der()
    };
    refused(&with(dns_names(&["b.example"])), "cert.ext_duplicate");
    noticed(&with(extension(99, CRITICAL, &[5, 0])), "cert.ext_critical");
    clean(&with(extension(99, &[], &[5, 0])));
    let giant = seq(&[&tlv(6, &[&[0x2a; 60_000]]), &tlv(4, &[&[5, 0]])]);
    refused(&with(giant), "der.oid");
    refused(&with(extension(19, CRITICAL, &[0x30, 3, 1, 1, 1])), "der.not_der");
    refused(&with(extension(37, &[], &[0x30, 5, 6, 3])), "der.truncated");
    let client_only = seq(&[&[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2]]);
    noticed(&with(extension(37, &[], &client_only)), "cert.no_server_auth");
}

#[test]
fn algorithms_are_checked() {
    let signed = |oid: &[u8]| {
        let algorithm = seq(&[&tlv(6, &[oid]), &[5, 0]]);
        Fields { algorithm, ..Fields::server() }.der()
    };
    noticed(&signed(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5]), "sig.sha1");
    refused(&signed(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4]), "sig.broken");
    refused(&signed(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 2]), "sig.broken");
}

#[test]
fn addresses_inside_are_noticed() {
    for url in ["http://10.1.2.3/ca.cer", "http://[::ffff:127.0.0.1]/", "file:///etc/passwd", "gopher://x/"] {
        let location = tlv(0x86, &[url.as_bytes()]);
        let access = seq(&[&seq(&[&[6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 2], &location])]);
        let aia = seq(&[&[6, 8, 0x2b, 6, 1, 5, 5, 7, 1, 1], &tlv(4, &[&access])]);
        let points = seq(&[&seq(&[&tlv(0xa0, &[&tlv(0xa0, &[&location])])])]);
        for extension in [aia, extension(31, &[], &points)] {
            let extensions = vec![dns_names(&["a.example"]), extension];
            noticed(&Fields { extensions, ..Fields::server() }.der(), "net.blocked");
        }
    }
}

// ---- keys ----

const RSA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];

fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = bits(RSA, &seq(&[&tlv(2, &[modulus]), &tlv(2, &[exponent])]));
    Fields { spki: key, ..Fields::server() }.der()
}

/// A modulus of 2048 bits with a zero octet in front.
fn sound_modulus() -> Vec<u8> {
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    // RSAPublicKey in DER: eight octets of headers, then a zero and the 256 octets of the modulus.
    pair.public_key().as_ref()[8..265].to_vec()
}

#[test]
fn bad_rsa_keys_are_refused() {
    let sound = sound_modulus();
    clean(&rsa(&sound, &[1, 0, 1]));
    noticed(&rsa(&sound, &[3]), "key.rsa_exponent");
    for exponent in [&[1][..], &[2], &[0], &[0xff], &[4, 0, 0, 0, 1], &[0x7f; 300]] {
        refused(&rsa(&sound, exponent), "key.rsa_exponent");
    }
    let mut even = sound.clone();
    even[256] &= 0xfe;
    refused(&rsa(&even, &[1, 0, 1]), "key.rsa_modulus");
    refused(&rsa(&[0], &[1, 0, 1]), "key.rsa_modulus");
    refused(&rsa(&sound[1..], &[1, 0, 1]), "key.rsa_modulus");
    // 2^2047 + 1 is divisible by 3.
    let mut small_factor = vec![0; 257];
    (small_factor[1], small_factor[256]) = (0x80, 1);
    refused(&rsa(&small_factor, &[1, 0, 1]), "key.rsa_modulus");
    for octets in [64, 128, 255] {
        refused(&rsa(&vec![0x7f; octets], &[1, 0, 1]), "key.rsa_size");
    }
    refused(&rsa(&vec![0x7f; 2048], &[1, 0, 1]), "limit.rsa_size");
}

#[test]
fn bad_ec_keys_are_refused() {
    const P256: &[u8] =
        &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    const SECP256K1: &[u8] = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 0x0a];
    const EXPLICIT: &[u8] = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x30, 0];
    let ec =
        |algorithm: &[u8], point: &[u8]| Fields { spki: bits(algorithm, point), ..Fields::server() }.der();
    let mut off = vec![4];
    off.extend([7; 64]);
    refused(&ec(P256, &off), "key.ec_point");
    refused(&ec(P256, &[0]), "key.ec_point");
    refused(&ec(P256, &off[..33]), "key.ec_point");
    refused(&ec(P256, &[0xff; 65][..]), "key.ec_point");
    refused(&ec(SECP256K1, &off), "key.curve");
    refused(&ec(EXPLICIT, &off), "key.curve");
    refused(&ec(&P256[..9], &off), "key.curve");
    let short = bits(&[6, 3, 0x2b, 0x65, 0x70], &[7; 31]);
    refused(&Fields { spki: short, ..Fields::server() }.der(), "key.ec_point");
}

// ---- encrypted keys ----

/// An EncryptedPrivateKeyInfo under PBKDF2 with these DER integers for iterations and key length.
fn pbkdf2(iterations: &[u8], key_length: &[u8]) -> Vec<u8> {
    let sha256 = seq(&[&[6, 8, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9, 5, 0]]);
    let parameters = seq(&[&tlv(4, &[b"saltsalt"]), iterations, key_length, &sha256]);
    encrypted(&seq(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12], &parameters]), 16)
}

fn scrypt(numbers: &[u8]) -> Vec<u8> {
    let parameters = seq(&[&tlv(4, &[b"saltsalt"]), numbers]);
    encrypted(&seq(&[&[6, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 4, 11], &parameters]), 16)
}

fn encrypted(derivation: &[u8], vector: usize) -> Vec<u8> {
    let aes = seq(&[&[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 0x2a], &tlv(4, &[&vec![0; vector]])]);
    let pbes2 = seq(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13], &seq(&[derivation, &aes])]);
    seq(&[&pbes2, &tlv(4, &[&[7; 160]])])
}

#[test]
fn costly_key_derivation_is_refused_before_it_begins() {
    let started = Instant::now();
    for iterations in [
        &[2, 4, 0x7f, 0xff, 0xff, 0xff][..],
        &[2, 8, 0x7f, 255, 255, 255, 255, 255, 255, 255],
        &[2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0],
    ] {
        refused(&pbkdf2(iterations, &[]), "limit.kdf_cost");
    }
    refused(&pbkdf2(&[2, 2, 3, 0xe8], &[2, 5, 0, 0x80, 0, 0, 0]), "limit.kdf_cost");
    refused(&scrypt(&[2, 6, 1, 0, 0, 0, 0, 0, 2, 1, 8, 2, 1, 1]), "limit.kdf_cost");
    refused(&scrypt(&[2, 2, 0x40, 0, 2, 1, 8, 2, 1, 100]), "limit.kdf_cost");
    // Each of them alone is within the limit; the file is not.
    let one = pem("ENCRYPTED PRIVATE KEY", &pbkdf2(&[2, 3, 0x0f, 0x42, 0x40], &[]));
    refused(one.repeat(3).as_bytes(), "limit.kdf_cost");
    refused(one.repeat(2).as_bytes(), "pass.needed");
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

/// Without the name of a hash it is SHA-1, with 20 octets: a key of AES-256 takes all iterations twice.
#[test]
fn a_key_longer_than_the_hash_costs_twice() {
    let iterations =
        |number: u32| tlv(2, &[&number.to_be_bytes()[u32::leading_zeros(number + 1) as usize / 8..]]);
    let of_sha1 = |number: u32| {
        let parameters = seq(&[&tlv(4, &[b"saltsalt"]), &iterations(number)]);
        encrypted(&seq(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12], &parameters]), 16)
    };
    refused(&of_sha1(1_000_001), "limit.kdf_cost");
    refused(&of_sha1(1_000_000), "pass.needed");
    refused(&pbkdf2(&iterations(2_000_001), &[]), "limit.kdf_cost");
    refused(&pbkdf2(&iterations(2_000_000), &[]), "pass.needed");
}

#[test]
fn senseless_key_derivation_is_refused() {
    for iterations in [&[2, 1, 0][..], &[2, 1, 0xff], &[2, 4, 0x80, 0, 0, 0]] {
        refused(&pbkdf2(iterations, &[]), "key.kdf_params");
    }
    for length in [&[2, 1, 1][..], &[2, 1, 0], &[2, 1, 0xe0], &[2, 1, 16]] {
        refused(&pbkdf2(&[2, 2, 3, 0xe8], length), "key.kdf_params");
    }
    refused(&scrypt(&[2, 2, 0x40, 1, 2, 1, 8, 2, 1, 1]), "key.kdf_params");
    refused(&scrypt(&[2, 2, 0x40, 0, 2, 1, 0, 2, 1, 1]), "key.kdf_params");
    let sound = pbkdf2(&[2, 2, 3, 0xe8], &[2, 1, 32]);
    refused(&sound, "pass.needed");
    let inspection = inspect(&sound, Some("nope"), NOW);
    assert!(!inspection.accepted && has(&inspection, "pass.wrong"), "{:?}", inspection.findings);
    let pbes1 =
        seq(&[&seq(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 3], &seq(&[])]), &tlv(4, &[&[7; 8]])]);
    refused(&pbes1, "key.kdf_params");
}

#[test]
fn short_initialisation_vectors_do_not_reach_the_cipher() {
    let derivation = seq(&[&[6, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 4, 11], &seq(&[])]);
    refused(&encrypted(&derivation, 3), "key.kdf_params");
    refused(&encrypted(&derivation, 0), "key.kdf_params");
}

// ---- several things in one file ----

/// An Ed25519 key as PKCS#8 (RFC 8410, section 7).
fn private_key(number: u8) -> String {
    let der = seq(&[&[2, 1, 0], &seq(&[&[6, 3, 0x2b, 0x65, 0x70]]), &tlv(4, &[&tlv(4, &[&[number; 32]])])]);
    pem("PRIVATE KEY", &der)
}

#[test]
fn keys_must_fit_and_be_one() {
    let leaf = pem("CERTIFICATE", &Fields::server().der());
    clean((private_key(1) + &leaf).as_bytes());
    clean((private_key(1) + &leaf + &private_key(1)).as_bytes());
    refused((private_key(2) + &leaf).as_bytes(), "key.mismatch");
    refused((private_key(1) + &leaf + &private_key(2)).as_bytes(), "import.ambiguous_key");
}

#[test]
fn one_refused_block_hides_no_other() {
    let weak = include_bytes!("../../../badinputs/rsa_1024.der");
    let leaf = pem("CERTIFICATE", &Fields::server().der());
    let broken = "-----BEGIN CERTIFICATE-----\n****\n-----END CERTIFICATE-----\n";
    let text = [&leaf, &pem("CERTIFICATE", weak), broken, &private_key(1), &leaf].concat();
    let inspection = look(text.as_bytes());
    assert!(!inspection.accepted && format::read(text.as_bytes(), None).is_err());
    let codes: Vec<&str> = inspection.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["pem.base64", "key.rsa_size"]);
    let [
        InspectedItem::Certificate(first),
        InspectedItem::Refused(outline),
        InspectedItem::PrivateKey(_),
        InspectedItem::Certificate(last),
    ] = &inspection.items[..]
    else {
        panic!("{:?}", inspection.items)
    };
    assert!(first == last && inspection.friendly_names.len() == 4 && inspection.format == "pem");
    assert_eq!(outline.fingerprint, Fingerprint::of_der(weak));
    // A refused key costs as much as a sound one: after as many as there may be, the rest is not read.
    let x25519 = seq(&[&[2, 1, 0], &seq(&[&[6, 3, 0x2b, 0x65, 0x6e]]), &tlv(4, &[&[4, 1, 0]])]);
    let many = [pem("PRIVATE KEY", &x25519).repeat(51), private_key(1)].concat();
    let many = look(many.as_bytes());
    assert!(many.items.is_empty() && !many.accepted, "{:?}", many.findings);
}

fn chain(ders: &[Vec<u8>]) -> Vec<u8> {
    ders.iter().map(|der| pem("CERTIFICATE", der)).collect::<String>().into_bytes()
}

#[test]
fn chains_are_repaired_and_it_is_said() {
    let leaf = Fields::server().der();
    let issuing = Fields::ca("CA", 100, "Root", 101).der();
    let root = Fields::ca("Root", 101, "Root", 101).der();
    let stranger = Fields::ca("Other", 102, "Other", 102).der();
    clean(&chain(&[leaf.clone(), issuing.clone(), root.clone()]));
    noticed(&chain(&[root.clone(), issuing.clone(), leaf.clone()]), "chain.reordered");
    noticed(&chain(&[leaf.clone(), issuing.clone(), issuing.clone(), root.clone()]), "chain.deduplicated");
    let inspection = noticed(&chain(&[leaf.clone(), root.clone()]), "chain.incomplete");
    assert!(!has(&inspection, "chain.root_missing"));
    noticed(&chain(&[leaf.clone(), issuing.clone()]), "chain.root_missing");
    noticed(&chain(&[leaf.clone(), issuing.clone(), root.clone(), stranger.clone()]), "chain.unrelated");
    clean(&chain(&[root, stranger]));
    let shorter =
        Fields { not_after: "20261130000000Z".to_owned(), ..Fields::ca("CA", 100, "CA", 100) }.der();
    noticed(&chain(&[leaf.clone(), shorter]), "chain.expires_before_leaf");
    let expired =
        Fields { not_after: "20261115000000Z".to_owned(), ..Fields::ca("CA", 100, "CA", 100) }.der();
    noticed(&chain(&[leaf, expired]), "chain.expired");
}

#[test]
fn loops_and_crowds_end_quickly() {
    let started = Instant::now();
    let leaf = Fields::server().der();
    let up = Fields::ca("CA", 100, "CB", 101).der();
    let down = Fields::ca("CB", 101, "CA", 100).der();
    noticed(&chain(&[leaf.clone(), up, down]), "chain.loop");
    // Sixty CAs of one name and one key, all issued by it: every path leads to every other.
    let crowd =
        (0..60).map(|serial| Fields { serial: vec![serial + 1], ..Fields::ca("CA", 100, "CA", 100) }.der());
    refused(&chain(&std::iter::once(leaf.clone()).chain(crowd).collect::<Vec<_>>()), "chain.budget");
    // Sixty CAs of one name with sixty keys that issued each other.
    let ring = (0..60).map(|number| Fields::ca("CA", 100 + number, "CA", 100 + (number + 1) % 60).der());
    refused(&chain(&std::iter::once(leaf).chain(ring).collect::<Vec<_>>()), "chain.budget");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}
