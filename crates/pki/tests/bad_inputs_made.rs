//! The catalogue of hostile files (`SECURITY.md` 5.2), made here one by one: what `badinputs/` leaves out, and other
//! spellings of what it has. Each gets exactly the answer that the catalogue promises.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests measure that no input takes long, and stop at surprises"
)]

mod maker;

use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use claviger_pki::UnixTime;
use claviger_pki::inspect::{InspectedItem, Inspection, inspect};
use maker::{CRITICAL, ED25519, Fields, bits, ca, dns_names, extension, key, name, pem, seq, spki, tlv};
use num_bigint::BigUint;

/// 2026-11-22T00:00:00Z, the moment at which the answers hold.
const NOW: UnixTime = UnixTime(1_795_305_600);
/// What the worst file may cost, on a slow machine and without optimisation.
const LONGEST: Duration = Duration::from_secs(2);

/// What is promised about a file.
enum Answer {
    /// Import takes it, and nothing is said.
    Clean,
    /// Import takes it, and this is said.
    Noticed(&'static str),
    /// Import does not take it, and this is why.
    Refused(&'static str),
}
use Answer::{Clean, Noticed, Refused};

/// One file of the catalogue.
struct Input {
    name: String,
    bytes: Vec<u8>,
    answer: Answer,
}

fn input(name: impl Into<String>, bytes: impl Into<Vec<u8>>, answer: Answer) -> Input {
    Input { name: name.into(), bytes: bytes.into(), answer }
}

/// Asks about every file, and says all that is not as promised.
#[track_caller]
fn judge(inputs: &[Input]) {
    let mut wrong = Vec::new();
    for Input { name, bytes, answer } in inputs {
        let started = Instant::now();
        let inspection = inspect(bytes, None, NOW);
        let codes: Vec<_> = inspection.findings.iter().map(|finding| finding.code).collect();
        let right = match answer {
            Clean => inspection.accepted && codes.is_empty(),
            Noticed(code) => inspection.accepted && codes.contains(code),
            Refused(code) => !inspection.accepted && codes.first() == Some(code),
        };
        if !right {
            wrong.push(format!("{name}: accepted {}, {codes:?}", inspection.accepted));
        }
        if started.elapsed() > LONGEST {
            wrong.push(format!("{name}: took {:?}", started.elapsed()));
        }
        if let Some(active) = active_text(&inspection) {
            wrong.push(format!("{name}: shows {active:?}"));
        }
        if inspection.findings.iter().any(|one| one.what.is_empty() || one.repair.is_empty()) {
            wrong.push(format!("{name}: a sentence is missing"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A text to show that has a control character or a mark that changes the direction of writing in it.
fn active_text(inspection: &Inspection) -> Option<String> {
    let mut shown: Vec<String> = Vec::new();
    for item in &inspection.items {
        if let InspectedItem::Certificate(one) = item {
            shown.extend([one.display_name(), one.subject().to_string(), one.issuer().to_string()]);
            shown.extend(one.names().iter().map(ToString::to_string));
            shown.extend(one.ca_issuer_urls().iter().chain(one.crl_urls()).cloned());
        }
    }
    for finding in &inspection.findings {
        shown.extend([finding.what.clone(), finding.place.clone(), finding.repair.clone()]);
    }
    let active = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    shown.into_iter().find(|text| text.contains(active))
}

fn leaf() -> Vec<u8> {
    Fields::server().der()
}

fn certificate_pem() -> String {
    pem("CERTIFICATE", &leaf())
}

/// An Ed25519 key as PKCS#8 (RFC 8410, section 7).
fn private_key(number: u8) -> String {
    let octets = tlv(4, &[&tlv(4, &[&[number; 32]])]);
    pem("PRIVATE KEY", &seq(&[&[2, 1, 0], &seq(&[&[6, 3, 0x2b, 0x65, 0x70]]), &octets]))
}

// ---- framing ----

#[test]
fn pem_framing() {
    let block = certificate_pem();
    let edit = |from: &str, to: &str| block.replacen(from, to, 1);
    let noise: Vec<u8> = (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80).collect();
    let around = format!(
        "\u{feff}Bag Attributes\r\n    localKeyID: 01\r\n    friendlyName: \u{202e}x\r\nKey Attributes: <No Attributes>\r\n{}",
        block.replace('\n', "\r\n")
    );
    let des = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-CBC,0011223344556677\n\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END RSA PRIVATE KEY-----\n";
    judge(&[
        input("nothing", "", Refused("input.empty")),
        input("random octets", noise, Refused("input.unrecognised")),
        input("no END", edit("-----END CERTIFICATE-----", ""), Refused("pem.truncated")),
        input("a digit that is none", edit("\nMI", "\n*MI"), Refused("pem.base64")),
        input("NUL in the body", edit("\nMI", "\nM\0I"), Refused("pem.base64")),
        input("labels differ", edit("END CERTIFICATE", "END X509 CRL"), Refused("pem.label")),
        input("40,000 times BEGIN", "-----BEGIN CERTIFICATE-----\n".repeat(40_000), Refused("pem.truncated")),
        input("a megabyte of dashes", "-".repeat(1_000_000), Refused("pem.none")),
        input("everything around the block", around, Clean),
        input("two keys", private_key(1) + &private_key(2), Refused("import.ambiguous_key")),
        input("DES", des, Refused("key.encryption_unsupported")),
        input("a key of another certificate", private_key(9) + &block, Refused("key.mismatch")),
        input("its own key", private_key(1) + &block, Clean),
    ]);
}

#[test]
fn floods_of_pem_take_milliseconds() {
    for text in ["-----BEGIN CERTIFICATE-----\n".repeat(40_000), "-".repeat(1_000_000)] {
        let started = Instant::now();
        assert!(!inspect(text.as_bytes(), None, NOW).accepted);
        // 50 ms are promised of an optimised program; this is none.
        assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    }
}

#[test]
fn der_framing() {
    let sound = leaf();
    let nested = (0..20_000).fold(vec![5, 0], |inner, _| seq(&[&inner]));
    let indefinite = [&[0x30, 0x80][..], &sound[4..], &[0, 0]].concat();
    judge(&[
        input("octets after the end", [&sound[..], b"\n"].concat(), Refused("der.trailing")),
        input("a second certificate after the end", [&sound[..], &sound].concat(), Refused("der.trailing")),
        input(
            "4 GiB",
            [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], &sound[4..]].concat(),
            Refused("der.length"),
        ),
        input(
            "a length of 127 octets",
            [&[0x30, 0xff][..], &[0x7f; 127], &sound].concat(),
            Refused("der.length"),
        ),
        input("indefinite", indefinite, Refused("der.not_der")),
        input("20,000 deep", nested.clone(), Refused("der.depth")),
        input(
            "20,000 deep inside",
            Fields { subject: nested, ..Fields::server() }.der(),
            Refused("der.depth"),
        ),
        input("cut short", &sound[..sound.len() / 2], Refused("der.truncated")),
        input("only the beginning", &sound[..2], Refused("der.truncated")),
    ]);
}

// ---- names that must stay text ----

#[test]
fn names_stay_text() {
    let texts = [
        ("script", "<script>alert(1)</script>"),
        ("svg", "\"><svg/onload=alert(1)>"),
        ("formula", "=HYPERLINK(\"http://evil.example\",\"x\")"),
        ("sum", "@SUM(1+1)*cmd|' /C calc'!A0"),
        ("plus", "+1+1"),
        ("new header", "a\r\nSet-Cookie: x=1"),
        ("new line of a log", "a\n{\"level\":\"error\"}"),
        ("colours", "\u{1b}[2J\u{1b}[31mred"),
        ("right to left", "\u{202e}gpj.exe"),
        ("template", "{{7*7}}${7*7}"),
        ("nginx", "x; } server { listen 80; #"),
        ("path", "../../etc/cron.d/x"),
        ("format", "%n%s%x"),
        ("SQL", "'; DROP TABLE certificates; --"),
        ("LDAP", "*)(uid=*))(|(uid=*"),
        ("NUL", "good.example\0.evil.example"),
        ("shell", "$(reboot)`reboot`|reboot"),
    ];
    let made = |text: &str| Fields { subject: name(text), issuer: name(text), ..Fields::server() }.der();
    let control = |text: &str| text.contains(char::is_control);
    let answer = |text: &str| if control(text) { Noticed("name.control_char") } else { Clean };
    let inputs: Vec<Input> =
        texts.iter().map(|(what, text)| input(*what, made(text), answer(text))).collect();
    assert_eq!(inputs.len(), 17);
    judge(&inputs);
}

#[test]
fn control_characters_in_alternative_names_never_match() {
    for odd in ["a.example\0", "a.example\0.evil.example", "a\r\n.example", "\u{7f}.example"] {
        let der = Fields { extensions: vec![dns_names(&[odd])], ..Fields::server() }.der();
        judge(&[input(odd.escape_debug().to_string(), der.clone(), Noticed("name.control_char"))]);
        let inspection = inspect(&der, None, NOW);
        let [InspectedItem::Certificate(certificate)] = &inspection.items[..] else {
            panic!("one certificate")
        };
        assert!(!certificate.covers_host("a.example") && !certificate.covers_host(odd));
    }
}

// ---- fields of certificates ----

fn with_names(names: &[&str]) -> Vec<u8> {
    Fields { extensions: vec![dns_names(names)], ..Fields::server() }.der()
}

fn with_serial(serial: &[u8]) -> Vec<u8> {
    Fields { serial: serial.to_vec(), ..Fields::server() }.der()
}

fn valid(not_before: &str, not_after: &str) -> Vec<u8> {
    Fields { not_before: not_before.to_owned(), not_after: not_after.to_owned(), ..Fields::server() }.der()
}

#[test]
fn serial_numbers() {
    judge(&[
        input("zero", with_serial(&[0]), Noticed("cert.serial")),
        input("minus one", with_serial(&[0xff]), Noticed("cert.serial")),
        input("negative, long", with_serial(&[0x80; 16]), Noticed("cert.serial")),
        input("30 octets", with_serial(&[0x11; 30]), Noticed("cert.serial")),
        input("21 octets", with_serial(&[0x11; 21]), Noticed("cert.serial")),
        input("20 octets", with_serial(&[0x11; 20]), Clean),
    ]);
}

#[test]
fn alternative_names() {
    let many: Vec<String> = (0..10_000).map(|number| format!("host-{number}.example.org")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let nameless = Fields { subject: seq(&[]), extensions: Vec::new(), ..Fields::server() }.der();
    let only_in_subject = Fields { extensions: Vec::new(), ..Fields::server() }.der();
    judge(&[
        input("10,000", with_names(&many), Refused("limit.san_count")),
        input("*.*", with_names(&["*.*"]), Noticed("san.wildcard")),
        input("*.*.example.org", with_names(&["*.*.example.org"]), Noticed("san.wildcard")),
        input("f*o", with_names(&["f*o.example.org"]), Noticed("san.wildcard")),
        input("f*o alone", with_names(&["f*o"]), Noticed("san.wildcard")),
        input("*", with_names(&["*"]), Noticed("san.wildcard")),
        input("a.*.example.org", with_names(&["a.*.example.org"]), Noticed("san.wildcard")),
        input("**.example.org", with_names(&["**.example.org"]), Noticed("san.wildcard")),
        input("*.org", with_names(&["*.org"]), Noticed("san.wildcard")),
        input("*.example.org", with_names(&["*.example.org"]), Clean),
        input("xn--example-.com", with_names(&["xn--example-.com"]), Refused("san.idna")),
        input("xn-- alone", with_names(&["xn--.example.org"]), Refused("san.idna")),
        input("xn--a", with_names(&["xn--a.example.org"]), Refused("san.idna")),
        input("a homograph", with_names(&["xn--ggle-55da.com"]), Noticed("san.mixed_script")),
        input(
            "a homograph, wholly Cyrillic",
            with_names(&["xn--80ak6aa92e.com"]),
            Noticed("san.mixed_script"),
        ),
        input("an honest umlaut", with_names(&["xn--bcher-kva.example.org"]), Clean),
        input("an empty label", with_names(&["a..example.org"]), Noticed("san.syntax")),
        input("an empty first label", with_names(&[".example.org"]), Noticed("san.syntax")),
        input("a dot at the end", with_names(&["example.org."]), Noticed("san.syntax")),
        input("nothing", with_names(&[""]), Noticed("san.syntax")),
        input("an underscore", with_names(&["a_b.example.org"]), Noticed("san.syntax")),
        input("a blank", with_names(&["a b.example.org"]), Noticed("san.syntax")),
        input("an address as a name", with_names(&["192.0.2.1"]), Noticed("san.syntax")),
        input(
            "64 characters in a label",
            with_names(&[&format!("{}.org", "a".repeat(64))]),
            Noticed("san.syntax"),
        ),
        input("no name at all", nameless, Noticed("cert.no_name")),
        input("only in the common name", only_in_subject, Noticed("cert.no_san")),
    ]);
}

#[test]
fn validity() {
    judge(&[
        input("expired", valid("20260101000000Z", "20260301000000Z"), Noticed("cert.expired")),
        input("since a second", valid("20260101000000Z", "20261121235959Z"), Noticed("cert.expired")),
        input("not yet", valid("20270101000000Z", "20270301000000Z"), Noticed("cert.not_yet_valid")),
        input("9999", valid("20261101000000Z", "99991231235959Z"), Noticed("cert.lifetime")),
        input("inverted", valid("20261201000000Z", "20261130000000Z"), Refused("cert.validity")),
        input("no times", valid("never", "ever"), Refused("cert.validity")),
        // From 2020-09-01, 2026-03-15, 2027-03-15 and 2029-03-15 on; the last second counts.
        input("398 days", valid("20250301000000Z", "20260402235959Z"), Noticed("cert.expired")),
        input("399 days", valid("20260101000000Z", "20270203000000Z"), Noticed("cert.lifetime")),
        input("200 days", valid("20261101000000Z", "20270519235959Z"), Clean),
        input("201 days", valid("20261101000000Z", "20270520000000Z"), Noticed("cert.lifetime")),
        input("101 days of 2027", valid("20270315000000Z", "20270623000000Z"), Noticed("cert.lifetime")),
        input("48 days of 2029", valid("20290315000000Z", "20290501000000Z"), Noticed("cert.lifetime")),
    ]);
}

#[test]
fn extensions() {
    let with =
        |one: Vec<u8>| Fields { extensions: vec![dns_names(&["a.example"]), one], ..Fields::server() }.der();
    let private = |critical: &[u8]| {
        seq(&[&[6, 9, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x7f, 1], critical, &tlv(4, &[&[5, 0]])])
    };
    let giant = seq(&[&tlv(6, &[&[0x2a, 0x81].repeat(30_000), &[1]]), &tlv(4, &[&[5, 0]])]);
    let subtree = |number: usize| seq(&[&tlv(0x82, &[format!("h{number}.example.org").as_bytes()])]);
    let subtrees: Vec<u8> = (0..1000).flat_map(subtree).collect();
    let both = seq(&[&tlv(0xa0, &[&subtrees]), &tlv(0xa1, &[&subtrees])]);
    let constraints =
        Fields { extensions: vec![ca(), extension(30, CRITICAL, &both)], ..Fields::ca("CA", 1, "Root", 100) };
    let client_only = seq(&[&[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2]]);
    judge(&[
        input("the same name twice", with(dns_names(&["a.example"])), Refused("cert.ext_duplicate")),
        input(
            "an unknown one twice",
            with([private(&[]), private(&[])].concat()),
            Refused("cert.ext_duplicate"),
        ),
        input("unknown and critical", with(private(CRITICAL)), Noticed("cert.ext_critical")),
        input("unknown", with(private(&[])), Clean),
        input("an OID of 60,000 octets", with(giant), Refused("der.oid")),
        input("1000 by 1000 constraints", constraints.der(), Refused("limit.name_constraints")),
        input("for clients only", with(extension(37, &[], &client_only)), Noticed("cert.no_server_auth")),
    ]);
}

#[test]
fn addresses_that_are_never_fetched() {
    let blocked = [
        "http://169.254.169.254/latest/meta-data/iam/",
        "http://127.0.0.1:8080/",
        "http://127.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::1]/",
        "http://[::]/",
        "http://0.0.0.0/",
        "http://0x7f.1/",
        "http://0x7f000001/",
        "http://017700000001/",
        "http://2130706433/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://[fd00::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[64:ff9b::a00:1]/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://public.example@127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "ftp://ca.example/ca.cer",
        "ldap:///CN=CA",
    ];
    let mut inputs = Vec::new();
    for url in blocked {
        let [aia, crl] = pointing_to(url);
        inputs.push(input(format!("AIA {url}"), aia, Noticed("net.blocked")));
        inputs.push(input(format!("CRL {url}"), crl, Noticed("net.blocked")));
    }
    for url in ["http://ca.example/ca.cer", "https://192.0.1.1/ca.cer", "http://[2606:4700::1]/"] {
        let [aia, crl] = pointing_to(url);
        inputs.push(input(format!("AIA {url}"), aia, Clean));
        inputs.push(input(format!("CRL {url}"), crl, Clean));
    }
    judge(&inputs);
}

/// A certificate whose issuer is at this address, and one whose CRL is.
fn pointing_to(url: &str) -> [Vec<u8>; 2] {
    let location = tlv(0x86, &[url.as_bytes()]);
    let access = seq(&[&seq(&[&[6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 2], &location])]);
    let aia = seq(&[&[6, 8, 0x2b, 6, 1, 5, 5, 7, 1, 1], &tlv(4, &[&access])]);
    let points = seq(&[&seq(&[&tlv(0xa0, &[&tlv(0xa0, &[&location])])])]);
    [aia, extension(31, &[], &points)]
        .map(|one| Fields { extensions: vec![dns_names(&["a.example"]), one], ..Fields::server() }.der())
}

#[test]
fn signature_algorithms() {
    let rsa = |last: u8| seq(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, last], &[5, 0]]);
    let ecdsa_sha1 = seq(&[&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1]]);
    let signed = |algorithm: Vec<u8>| Fields { algorithm, ..Fields::server() }.der();
    // The outer one is the last SEQUENCE of the certificate.
    let mut differs = leaf();
    let outer = differs.len() - 67 - ED25519.len();
    differs[outer + 6] = 0x71;
    judge(&[
        input("SHA-1 with RSA", signed(rsa(5)), Noticed("sig.sha1")),
        input("SHA-1 with ECDSA", signed(ecdsa_sha1), Noticed("sig.sha1")),
        input("MD5", signed(rsa(4)), Refused("sig.broken")),
        input("MD2", signed(rsa(2)), Refused("sig.broken")),
        input("inner is not outer", differs, Refused("cert.sigalg_mismatch")),
    ]);
}

// ---- keys ----

fn with_key(spki: Vec<u8>) -> Vec<u8> {
    Fields { spki, ..Fields::server() }.der()
}

/// A certificate of an RSA key with these numbers, as unsigned integers.
fn rsa(modulus: &BigUint, exponent: &BigUint) -> Vec<u8> {
    let integer = |number: &BigUint| {
        let octets = number.to_bytes_be();
        let sign: &[u8] = if octets[0] & 0x80 == 0 { &[] } else { &[0] };
        tlv(2, &[sign, &octets])
    };
    const RSA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    with_key(bits(RSA, &seq(&[&integer(modulus), &integer(exponent)])))
}

fn small(number: u32) -> BigUint {
    BigUint::from(number)
}

/// The next number from `start` on, in these steps, that passes Fermat's primality test.
fn prime(start: BigUint, step: &BigUint) -> BigUint {
    let mut candidate = start;
    loop {
        let divisible = (3_u32..2000).step_by(2).any(|divisor| (&candidate % divisor) == BigUint::ZERO);
        if !divisible && small(2).modpow(&(&candidate - 1_u32), &candidate) == small(1) {
            return candidate;
        }
        candidate += step;
    }
}

/// An odd number of so many bits, its two top bits set: arbitrary, and always the same.
fn number(seed: u32, bits: u64) -> BigUint {
    let power = small(seed).pow(12_000);
    let excess = power.bits() - bits;
    (power >> excess) | (small(3) << (bits - 2)) | small(1)
}

fn sound_modulus() -> BigUint {
    prime(number(3, 1024), &small(2)) * prime(number(7, 1024), &small(2))
}

#[test]
fn rsa_keys() {
    let (modulus, usual) = (sound_modulus(), small(65_537));
    let sized = |bits: u64| number(3, bits / 2) * number(5, bits / 2);
    let p = prime(number(11, 1024), &small(2));
    // An odd multiple of 3.
    let threefold = number(3, 2048) / 6_u32 * 6_u32 + 3_u32;
    let close = &p * prime(&p + 2_u32, &small(2));
    judge(&[
        input("sound", rsa(&modulus, &usual), Clean),
        input("e = 1", rsa(&modulus, &small(1)), Refused("key.rsa_exponent")),
        input("e = 2", rsa(&modulus, &small(2)), Refused("key.rsa_exponent")),
        input("e = 0", rsa(&modulus, &small(0)), Refused("key.rsa_exponent")),
        input("e > n", rsa(&modulus, &(&modulus + 2_u32)), Refused("key.rsa_exponent")),
        input("e of 2000 bits", rsa(&modulus, &number(5, 2000)), Refused("key.rsa_exponent")),
        input("e = 3", rsa(&modulus, &small(3)), Noticed("key.rsa_exponent")),
        input("e = 17", rsa(&modulus, &small(17)), Noticed("key.rsa_exponent")),
        input("n even", rsa(&(&modulus - 1_u32), &usual), Refused("key.rsa_modulus")),
        input("n = 0", rsa(&small(0), &usual), Refused("key.rsa_modulus")),
        input("divisible by 3", rsa(&threefold, &usual), Refused("key.rsa_modulus")),
        input(
            "divisible by 751",
            rsa(&(prime(number(3, 2038), &small(2)) * 751_u32), &usual),
            Refused("key.rsa_modulus"),
        ),
        input("close primes", rsa(&close, &usual), Refused("key.weak.close_primes")),
        input("a square", rsa(&(&p * &p), &usual), Refused("key.weak.close_primes")),
        input("512 bits", rsa(&sized(512), &usual), Refused("key.rsa_size")),
        input("1024 bits", rsa(&sized(1024), &usual), Refused("key.rsa_size")),
        input("2047 bits", rsa(&number(3, 2047), &usual), Refused("key.rsa_size")),
        input("2049 bits", rsa(&number(3, 2049), &usual), Refused("key.rsa_size")),
        input("3076 bits", rsa(&number(3, 3076), &usual), Refused("key.rsa_size")),
        input("16,384 bits", rsa(&number(3, 16_384), &usual), Refused("limit.rsa_size")),
    ]);
}

#[test]
fn keys_of_the_faulty_library() {
    let primes = (2_u32..=701).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0));
    let primorial = primes.fold(small(1), |product, prime| product * prime);
    let made = |seed: u32, power: u32| {
        let residue = small(65_537).modpow(&small(power), &primorial);
        prime(number(seed, 1024) / &primorial * &primorial + residue, &primorial)
    };
    let modulus = made(3, 123_457) * made(13, 7_654_321);
    assert_eq!(modulus.bits(), 2048);
    judge(&[input("ROCA", rsa(&modulus, &small(65_537)), Refused("key.weak.roca"))]);
}

#[test]
fn ec_keys() {
    const EC: &[u8] = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    const P192: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1];
    const SECP256K1: &[u8] = &[6, 5, 0x2b, 0x81, 4, 0, 0x0a];
    const BRAINPOOL: &[u8] = &[6, 9, 0x2b, 0x24, 3, 3, 2, 8, 1, 1, 7];
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let sound = pair.public_key().as_ref().to_vec();
    let ec = |curve: &[u8], point: &[u8]| with_key(bits(&[EC, curve].concat(), point));
    let mut off = sound.clone();
    off[64] ^= 1;
    let compressed = [&[2 + (sound[64] & 1)][..], &sound[1..33]].concat();
    let hybrid = [&[6 + (sound[64] & 1)][..], &sound[1..]].concat();
    judge(&[
        input("sound", ec(P256, &sound), Clean),
        input("compressed", ec(P256, &compressed), Clean),
        input("off the curve", ec(P256, &off), Refused("key.ec_point")),
        input("at infinity", ec(P256, &[0]), Refused("key.ec_point")),
        input("zeros", ec(P256, &[&[4][..], &[0; 64]].concat()), Refused("key.ec_point")),
        input("beyond the field", ec(P256, &[&[4][..], &[0xff; 64]].concat()), Refused("key.ec_point")),
        input("short", ec(P256, &sound[..64]), Refused("key.ec_point")),
        input("long", ec(P256, &[&sound[..], &[0]].concat()), Refused("key.ec_point")),
        input("hybrid", ec(P256, &hybrid), Refused("key.ec_point")),
        input("nothing", ec(P256, &[]), Refused("key.ec_point")),
        input("P-192", ec(P192, &[&[4][..], &[7; 48]].concat()), Refused("key.curve")),
        input("secp256k1", ec(SECP256K1, &sound), Refused("key.curve")),
        input("brainpool", ec(BRAINPOOL, &sound), Refused("key.curve")),
        input("an equation", ec(&seq(&[&[2, 1, 1]]), &sound), Refused("key.curve")),
        input("no curve", ec(&[], &sound), Refused("key.curve")),
        input("Ed25519, short", with_key(bits(&[6, 3, 0x2b, 0x65, 0x70], &[1; 31])), Refused("key.ec_point")),
    ]);
}

#[test]
fn private_numbers_that_can_be_guessed() {
    let p256: &[u8] = &[0xa0, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let sec1 = |scalar: &[u8]| seq(&[&[2, 1, 1], &tlv(4, &[scalar]), p256]);
    let number = |number: u64| [&[0; 24][..], &number.to_be_bytes()].concat();
    judge(&[
        input("1", pem("EC PRIVATE KEY", &sec1(&number(1))), Refused("key.weak.small_scalar")),
        input("2^64 - 1", pem("EC PRIVATE KEY", &sec1(&number(u64::MAX))), Refused("key.weak.small_scalar")),
        input("7, cut off", sec1(&[7]), Refused("key.weak.small_scalar")),
        input("0", sec1(&number(0)), Refused("key.weak.small_scalar")),
        input("beyond the group", sec1(&[0xff; 32]), Refused("key.inconsistent")),
    ]);
}

// ---- requests ----

/// A request of Ed25519 key 1 with these attributes, signed by the key `signer`.
fn csr(common_name: &str, extensions: &[Vec<u8>], signer: u8) -> Vec<u8> {
    let wanted = tlv(0x31, &[&seq(&[&extensions.concat()])]);
    let attribute = seq(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14], &wanted]);
    let attributes = if extensions.is_empty() { Vec::new() } else { attribute };
    let content = seq(&[&[2, 1, 0], &name(common_name), &spki(1), &tlv(0xa0, &[&attributes])]);
    let signature = key(signer).sign(&content);
    seq(&[&content, ED25519, &tlv(3, &[&[0], signature.as_ref()])])
}

#[test]
fn requests() {
    let certificate_sign = extension(15, CRITICAL, &[3, 2, 2, 4]);
    let list_sign = extension(15, CRITICAL, &[3, 2, 1, 2]);
    let constraints = extension(30, CRITICAL, &seq(&[&tlv(0xa0, &[&seq(&[&tlv(0x82, &[b"a.example"])])])]));
    let names = |names: &[&str]| vec![dns_names(names)];
    judge(&[
        input("sound", csr("a.example", &names(&["a.example"]), 1), Clean),
        input("by another key", csr("a.example", &names(&["a.example"]), 2), Refused("csr.signature")),
        input("CA:TRUE", csr("a.example", &[ca()], 1), Refused("csr.extension")),
        input("keyCertSign", csr("a.example", &[certificate_sign], 1), Refused("csr.extension")),
        input("cRLSign", csr("a.example", &[list_sign], 1), Refused("csr.extension")),
        input("name constraints", csr("a.example", &[constraints], 1), Refused("csr.extension")),
        input("no name at all", csr("", &[], 1), Noticed("cert.no_name")),
        input(
            "the same twice",
            csr("a.example", &[names(&["a"]), names(&["b"])].concat(), 1),
            Refused("csr.extension"),
        ),
        input(
            "the name not among the names",
            csr("b.example", &names(&["a.example"]), 1),
            Noticed("csr.cn_not_in_san"),
        ),
        input(
            "more names than the common one",
            csr("a.example", &names(&["a.example", "b.example"]), 1),
            Clean,
        ),
        input("an A-label that is none", csr("x", &names(&["xn--example-.com"]), 1), Refused("san.idna")),
    ]);
}

#[test]
fn a_request_signed_with_sha1_is_noticed() {
    // The signature must be right: another algorithm than the one that was used is a wrong signature.
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let ec = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let content =
        seq(&[&[2, 1, 0], &name("Jane Doe"), &bits(ec, pair.public_key().as_ref()), &tlv(0xa0, &[])]);
    let signature = pair.sign(&SystemRandom::new(), &content).unwrap();
    let with = |algorithm: &[u8]| seq(&[&content, &seq(&[algorithm]), &tlv(3, &[&[0], signature.as_ref()])]);
    judge(&[
        input("SHA-256", with(&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]), Clean),
        input(
            "said to be SHA-384",
            with(&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]),
            Refused("csr.signature"),
        ),
        // With ECDSA it is not checked here.
        input(
            "said to be SHA-1",
            with(&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1]),
            Refused("sig.algorithm"),
        ),
    ]);
}

// ---- chains ----

fn file(members: &[&Vec<u8>]) -> Vec<u8> {
    members.iter().map(|der| pem("CERTIFICATE", der)).collect::<String>().into_bytes()
}

#[test]
fn chains() {
    let leaf = leaf();
    let issuing = Fields::ca("CA", 100, "Root", 101).der();
    let root = Fields::ca("Root", 101, "Root", 101).der();
    let stranger = Fields::ca("Other", 102, "Other", 102).der();
    let until = |end: &str| Fields { not_after: end.to_owned(), ..Fields::ca("CA", 100, "Root", 101) }.der();
    let (expired, short) = (until("20261115000000Z"), until("20261201000000Z"));
    let (up, down) = (Fields::ca("CA", 100, "CB", 103).der(), Fields::ca("CB", 103, "CA", 100).der());
    let speaking_for = |host: &str, ca: Fields| {
        let permitted = seq(&[&tlv(0xa0, &[&seq(&[&tlv(0x82, &[host.as_bytes()])])])]);
        Fields { extensions: vec![maker::ca(), extension(30, CRITICAL, &permitted)], ..ca }.der()
    };
    let issuing_for = |host: &str| speaking_for(host, Fields::ca("CA", 100, "Root", 101));
    let root_for = |host: &str| speaking_for(host, Fields::ca("Root", 101, "Root", 101));
    const CANNOT: Answer = Noticed("chain.client_cannot_build");
    judge(&[
        input("a CA for this name", file(&[&leaf, &issuing_for("a.example"), &root]), Clean),
        input("a CA for other names", file(&[&leaf, &issuing_for("b.example"), &root]), CANNOT),
        input("a CA for other names, root unknown", file(&[&leaf, &issuing_for("b.example")]), CANNOT),
        input("a root for other names", file(&[&leaf, &issuing, &root_for("b.example")]), CANNOT),
        input("good", file(&[&leaf, &issuing]), Noticed("chain.root_missing")),
        input("good, with its root", file(&[&leaf, &issuing, &root]), Clean),
        input("reversed", file(&[&root, &issuing, &leaf]), Noticed("chain.reordered")),
        input("the leaf last", file(&[&issuing, &leaf]), Noticed("chain.reordered")),
        input("duplicates", file(&[&leaf, &leaf, &issuing, &root, &issuing]), Noticed("chain.deduplicated")),
        input("the middle missing", file(&[&leaf, &root]), Noticed("chain.incomplete")),
        input("a stranger", file(&[&leaf, &issuing, &root, &stranger]), Noticed("chain.unrelated")),
        input("a loop", file(&[&leaf, &up, &down]), Noticed("chain.loop")),
        input("an expired intermediate", file(&[&leaf, &expired, &root]), Noticed("chain.expired")),
        input("an expired way to nowhere", file(&[&leaf, &expired]), Noticed("chain.client_cannot_build")),
        input(
            "an intermediate that ends first",
            file(&[&leaf, &short, &root]),
            Noticed("chain.expires_before_leaf"),
        ),
    ]);
}

#[test]
fn loops_and_crowds_of_cas_take_milliseconds() {
    let leaf = leaf();
    let (up, down) = (Fields::ca("CA", 100, "CB", 103).der(), Fields::ca("CB", 103, "CA", 100).der());
    let crowd: Vec<Vec<u8>> = (0..60)
        .map(|serial| Fields { serial: vec![serial + 1], ..Fields::ca("CA", 100, "CA", 100) }.der())
        .collect();
    // Sixty keys under one name, each vouched for by the next.
    let ring: Vec<Vec<u8>> =
        (0..60).map(|number| Fields::ca("CA", 100 + number, "CA", 100 + (number + 1) % 60).der()).collect();
    // Fourteen CAs, the last of which was issued by the first: more than a chain can have.
    let ca_name = |number: u8| if number.is_multiple_of(14) { "CA".to_owned() } else { format!("C{number}") };
    let long: Vec<Vec<u8>> = (0..14)
        .map(|n| Fields::ca(&ca_name(n), 100 + n, &ca_name(n + 1), 100 + (n + 1) % 14).der())
        .collect();
    let sets = [
        (vec![up, down], "chain.loop"),
        (long, "chain.loop"),
        (crowd, "chain.budget"),
        (ring, "chain.budget"),
    ];
    for (members, code) in sets {
        let all: Vec<&Vec<u8>> = std::iter::once(&leaf).chain(&members).collect();
        let (bytes, started) = (file(&all), Instant::now());
        let inspection = inspect(&bytes, None, NOW);
        assert!(inspection.findings.iter().any(|finding| finding.code == code), "{code}");
        assert_eq!(inspection.accepted, code == "chain.loop");
        // 50 ms are promised of an optimised program; this is none.
        assert!(started.elapsed() < Duration::from_millis(500), "{code}: {:?}", started.elapsed());
    }
}

#[test]
fn an_rsa_key_of_one_s_own_is_looked_at_more_closely() {
    // 31337 is too large to be tried on every certificate that comes along, and small enough to be tried on a key that
    // somebody wants to use: a request for it is refused before its signature is looked at.
    let modulus = prime(number(3, 2033), &small(2)) * 31_337_u32;
    assert_eq!(modulus.bits() % 8, 0);
    let certificate = rsa(&modulus, &small(65_537));
    let inspection = inspect(&certificate, None, NOW);
    let [InspectedItem::Certificate(read)] = &inspection.items[..] else { panic!("one certificate") };
    let spki = read.public_key().spki_der();
    let content = seq(&[&[2, 1, 0], &name("x"), spki, &tlv(0xa0, &[])]);
    let sha256_rsa = seq(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11], &[5, 0]]);
    let request = seq(&[&content, &sha256_rsa, &tlv(3, &[&[0; 257]])]);
    judge(&[input("31337", request, Refused("key.rsa_modulus"))]);
}
