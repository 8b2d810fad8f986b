//! A second walk through the catalogue of hostile files (`SECURITY.md` 5.2): other spellings, other containers, other
//! places, and files that ask for much more memory and time than they have octets.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests make keys of their own, and stop at the first surprise"
)]

mod maker;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use claviger_pki::inspect::{InspectedItem, Inspection, inspect};
use claviger_pki::{Certificate, Severity, UnixTime};
use num_bigint::BigUint;

use maker::{CRITICAL, ED25519, Fields, bits, ca, dns_names, extension, key, name, pem, seq, spki, tlv};

/// 2026-11-22T00:00:00Z, as everywhere in the catalogue.
const NOW: UnixTime = UnixTime(1_795_305_600);

/// What a look at some octets says.
struct Look(Inspection);

fn look(bytes: impl AsRef<[u8]>) -> Look {
    Look(inspect(bytes.as_ref(), None, NOW))
}

impl Look {
    fn codes(&self) -> Vec<&'static str> {
        self.0.findings.iter().map(|finding| finding.code).collect()
    }

    #[track_caller]
    fn is_clean(&self) {
        assert!(self.0.accepted && self.0.findings.is_empty(), "{:?}", self.0.findings);
    }

    #[track_caller]
    fn is_noticed(&self, code: &str) {
        assert!(self.0.accepted && self.codes().contains(&code), "no {code}: {:?}", self.0.findings);
    }

    #[track_caller]
    fn is_refused(&self, code: &str) {
        assert!(!self.0.accepted && self.codes()[0] == code, "no {code}: {:?}", self.0.findings);
    }
}

fn leaf() -> Vec<u8> {
    Fields::server().der()
}

fn with(extensions: Vec<Vec<u8>>) -> Vec<u8> {
    Fields { extensions, ..Fields::server() }.der()
}

fn ed25519_key(number: u8) -> String {
    let octets = tlv(4, &[&tlv(4, &[&[number; 32]])]);
    pem("PRIVATE KEY", &seq(&[&[2, 1, 0], &seq(&[&[6, 3, 0x2b, 0x65, 0x70]]), &octets]))
}

// ---- framing ----

#[test]
fn text_of_windows_is_read() {
    let text = pem("CERTIFICATE", &leaf());
    let units = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(order).collect()
    };
    for bytes in [units(u16::to_le_bytes), units(u16::to_be_bytes)] {
        let seen = look(&bytes);
        seen.is_clean();
        assert!(matches!(&seen.0.items[..], [InspectedItem::Certificate(one)] if one.der() == leaf()));
        // Half a unit, or a letter that is none of base64's.
        look(&bytes[..bytes.len() / 2]).is_refused("pem.truncated");
    }
    let foreign = text.replacen("\nMI", "\n€MI", 1);
    let bytes: Vec<u8> =
        [0xfeff].into_iter().chain(foreign.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    look(bytes).is_refused("pem.base64");
}

#[test]
fn base64_without_its_lines_is_read_and_told_what_it_lacks() {
    let text = pem("CERTIFICATE", &leaf());
    let bare: String = text.lines().filter(|line| !line.starts_with('-')).collect::<Vec<_>>().join("\r\n");
    for bytes in [bare.clone(), bare.replace("\r\n", ""), format!("\n{bare}\n")] {
        let seen = look(&bytes);
        seen.is_clean();
        assert!(matches!(&seen.0.items[..], [InspectedItem::Certificate(one)] if one.der() == leaf()));
        look(format!("{}=", bytes.trim_end())).is_refused("pem.none");
    }
    let half = bare.replace("\r\n", "");
    look(&half[..half.len() / 8 * 4]).is_refused("der.truncated");
    look("hello world").is_refused("input.unrecognised");
}

#[test]
fn an_archive_is_told_to_be_one() {
    let mut tar = vec![0; 1024];
    tar[257..262].copy_from_slice(b"ustar");
    let block = pem("CERTIFICATE", &leaf());
    for (bytes, name) in [
        ([b"PK\x03\x04".as_slice(), &block.as_bytes()[20..]].concat(), "a zip archive"),
        (vec![0x1f, 0x8b, 8, 0, 0, 0], "a gzip archive"),
        (tar, "a tar archive"),
    ] {
        let seen = look(&bytes);
        seen.is_refused("input.unrecognised");
        let refusal = &seen.0.findings[0];
        assert!(refusal.what.contains(name) && refusal.repair.starts_with("Unpack it"), "{}", refusal.what);
    }
}

#[test]
fn blocks_of_others_are_left_out_once_and_whatever_is_in_them() {
    let block = pem("CERTIFICATE", &leaf());
    let signed = "-----BEGIN PGP SIGNATURE-----\nVersion: GnuPG v2\n\niQEzBAABCAAdFiEE\n=abcd\n-----END PGP SIGNATURE-----\n";
    let seen = look(format!("{signed}{block}"));
    assert_eq!(seen.codes(), ["pem.left_out"]);
    assert!(seen.0.accepted);
    look(signed).is_refused("input.unrecognised");
    let parameters = "-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n";
    let seen = look(parameters.repeat(3) + signed + &block);
    assert_eq!(seen.codes(), ["pem.left_out", "pem.left_out"]);
    assert!(seen.0.findings[0].what.contains("(3)"), "{}", seen.0.findings[0].what);
    assert_eq!(seen.0.findings[0].place, "line 1");
    look(parameters.repeat(20_001)).is_refused("input.too_large");
    let labels: String = (0..1000).map(|n| parameters.replace("DH", &format!("X{n}"))).collect();
    assert!(look(labels + &block).codes().len() < 50);
}

#[test]
fn certificates_are_counted_whatever_their_label_is() {
    let der = leaf();
    for label in ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"] {
        look(pem(label, &der).repeat(10_001)).is_refused("limit.cert_count");
    }
    look(pem("PKCS7", &p7(&der.repeat(30))).repeat(334)).is_refused("limit.cert_count");
}

/// PKCS#7 with these certificates.
fn p7(certificates: &[u8]) -> Vec<u8> {
    let data = seq(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1]]);
    let signed = seq(&[&[2, 1, 1], &tlv(0x31, &[]), &data, &tlv(0xa0, &[certificates]), &tlv(0x31, &[])]);
    seq(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2], &tlv(0xa0, &[&signed])])
}

#[test]
fn keys_requests_and_lists_are_counted_too() {
    look(ed25519_key(1).repeat(50)).is_clean();
    look(ed25519_key(1).repeat(51)).is_refused("limit.key_count");
    let csr = pem(
        "CERTIFICATE REQUEST",
        &csr_of(&spki(1), ED25519, |content| key(1).sign(content).as_ref().to_vec()),
    );
    look(csr.repeat(100)).is_clean();
    look(csr.repeat(101)).is_refused("limit.csr_count");
    let time = tlv(0x18, &[b"20261101000000Z"]);
    let next = tlv(0x18, &[b"20261231000000Z"]);
    let content = seq(&[&[2, 1, 1], ED25519, &name("CA"), &time, &next]);
    let crl = seq(&[&content, ED25519, &tlv(3, &[&[0], key(100).sign(&content).as_ref()])]);
    look(pem("X509 CRL", &crl).repeat(100)).is_clean();
    look(pem("X509 CRL", &crl).repeat(101)).is_refused("limit.crl_count");
}

#[test]
fn a_fault_is_found_wherever_it_is() {
    let inverted = Fields { not_before: "20270101000000Z".to_owned(), ..Fields::ca("CA", 100, "Root", 101) };
    let twice = Fields { extensions: vec![ca(), ca()], ..Fields::ca("CA", 100, "Root", 101) };
    let point =
        Fields { spki: bits(&[6, 3, 0x2b, 0x65, 0x70], &[0; 32]), ..Fields::ca("CA", 100, "Root", 101) };
    let root = Fields::ca("Root", 101, "Root", 101).der();
    for (odd, code) in [(inverted, "cert.validity"), (twice, "cert.ext_duplicate"), (point, "key.ec_point")] {
        let odd = odd.der();
        let chain: String = [&leaf(), &odd, &root].map(|der| pem("CERTIFICATE", der)).concat();
        let seen = look(&chain);
        seen.is_refused(code);
        assert!(seen.0.findings[0].place.contains("CERTIFICATE in line"), "{:?}", seen.0.findings);
        let seen = look(p7(&[leaf(), odd, root.clone()].concat()));
        seen.is_refused(code);
        assert!(seen.0.findings[0].place.starts_with("certificate 2"), "{:?}", seen.0.findings);
    }
}

// ---- more out of a file than is in it ----

#[test]
fn a_thousand_faults_of_one_kind_are_told_in_a_few() {
    let odd = vec!["_"; 1000];
    let seen = look(with(vec![dns_names(&odd)]));
    seen.is_noticed("san.syntax");
    assert!(seen.0.findings.len() <= 10, "{}", seen.0.findings.len());
    assert!(seen.0.findings.iter().any(|one| one.what.contains("990 more")), "{:?}", seen.0.findings.last());
    let private = |number: u16| {
        let [high, low] = number.to_be_bytes();
        let oid = [6, 10, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x7f, high & 0x7f | 0x80, low & 0x7f];
        seq(&[&oid, CRITICAL, &tlv(4, &[])])
    };
    let critical: Vec<u8> =
        (1..16).flat_map(|high| (0..100).map(move |low| high * 256 + low)).flat_map(private).collect();
    let seen = look(with(vec![dns_names(&["a.example"]), critical]));
    seen.is_noticed("cert.ext_critical");
    assert!(seen.0.findings.len() <= 10);
}

#[test]
fn many_certificates_with_many_faults_are_told_in_some_hundreds() {
    let odd: Vec<String> = (0..10).map(|n| format!("_{n}")).collect();
    let odd: Vec<&str> = odd.iter().map(String::as_str).collect();
    let many: String = (0..3000_u16)
        .map(|serial| {
            let [high, low] = serial.to_be_bytes();
            pem(
                "CERTIFICATE",
                &Fields { serial: vec![1, high, low], extensions: vec![dns_names(&odd)], ..Fields::server() }
                    .der(),
            )
        })
        .collect();
    let seen = look(many);
    seen.is_noticed("san.syntax");
    assert!(seen.0.findings.len() < 500, "{}", seen.0.findings.len());
    assert!(seen.0.findings.iter().any(|one| one.what.contains("more like it")));
}

#[test]
fn small_parts_are_counted_over_the_whole_file() {
    let crowded = |extension: Vec<u8>, times: usize| {
        look(pem("CERTIFICATE", &with(vec![dns_names(&["a.example"]), extension])).repeat(times))
    };
    let names = pem("CERTIFICATE", &with(vec![dns_names(&vec!["a"; 1000])]));
    look(names.repeat(251)).is_refused("limit.cert_count");
    let usages = extension(37, &[], &seq(&[&[6, 2, 0x2a, 3].repeat(8000)]));
    crowded(usages, 40).is_refused("limit.cert_count");
    let urls = seq(&[&seq(&[&[6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 2], &[0x86, 2, b'f', b':']]).repeat(2000)]);
    let access = seq(&[&[6, 8, 0x2b, 6, 1, 5, 5, 7, 1, 1], &tlv(4, &[&urls])]);
    crowded(access, 130).is_refused("limit.cert_count");
    let unit = tlv(0x31, &[&seq(&[&[6, 3, 0x55, 4, 11], &tlv(0x0c, &[b"x"])])]).repeat(2000);
    let crowd = Fields { subject: seq(&[&unit]), ..Fields::server() }.der();
    look(pem("CERTIFICATE", &crowd).repeat(130)).is_refused("limit.cert_count");
    // Internationalised names cost ten times as much to look at.
    let readable = vec!["xn--bcher-kva.example"; 500];
    look(pem("CERTIFICATE", &with(vec![dns_names(&readable)])).repeat(55)).is_refused("limit.cert_count");
}

#[test]
fn what_costs_time_to_look_at_counts_more() {
    let parts = |der: &[u8]| Certificate::parse(der).unwrap().parts();
    let usual = parts(&leaf());
    assert_eq!(parts(&with(vec![dns_names(&["a.example", "b.example"])])), usual + 1);
    assert_eq!(parts(&with(vec![dns_names(&["xn--bcher-kva.example"])])), usual + 9);
    // Some number without small factors: nobody looks further in a certificate of others.
    let mut modulus = BigUint::from(3_u32).pow(5168) | BigUint::from(1_u32);
    assert_eq!(modulus.bits(), 8192);
    while (3_u32..800).step_by(2).any(|factor| (&modulus % factor) == BigUint::ZERO) {
        modulus += 2_u32;
    }
    let key = seq(&[&tlv(2, &[&[0], &modulus.to_bytes_be()]), &[2, 3, 1, 0, 1]]);
    let spki = bits(&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0], &key);
    assert_eq!(parts(&Fields { spki, ..Fields::server() }.der()), usual + 100);
}

#[test]
fn what_is_shown_of_a_name_is_short() {
    let seen = look(Fields { subject: name(&"\u{1}".repeat(30_000)), ..Fields::server() }.der());
    seen.is_noticed("name.control_char");
    let [InspectedItem::Certificate(one)] = &seen.0.items[..] else { panic!("one certificate") };
    assert!(one.subject().to_string().len() < 10_000, "{}", one.subject().to_string().len());
    assert!(one.display_name().len() < 2_000, "{}", one.display_name().len());
    assert!(one.subject().to_string().ends_with('…'));
    let seen = look(with(vec![dns_names(&[&"\u{1}".repeat(30_000)])]));
    assert!(seen.0.findings.iter().all(|finding| finding.place.len() < 2_000 && finding.what.len() < 2_000));
}

// ---- fields of certificates ----

#[test]
fn addresses_in_disguise_are_never_fetched() {
    for url in [
        "http://%31%32%37.0.0.1/",
        "http://127.0.0.1%00.example/",
        "http://127.0.0.1\t/",
        "http://127。0。0。1/",
        "http://①②⑦.0.0.1/",
        "http://ca_example|/x",
        "\\\\10.0.0.1\\share\\ca.cer",
        "///127.0.0.1/",
        "127.0.0.1",
        "ca.cer",
        "",
        "http://[2001::1]/",
        "http://203.0.113.9/",
        "http://198.51.100.9/",
        "http://192.88.99.1/",
        "http://[3fff::1]/",
    ] {
        let location = tlv(0x86, &[url.as_bytes()]);
        let access = seq(&[&seq(&[&[6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 2], &location])]);
        let aia = seq(&[&[6, 8, 0x2b, 6, 1, 5, 5, 7, 1, 1], &tlv(4, &[&access])]);
        look(with(vec![dns_names(&["a.example"]), aia])).is_noticed("net.blocked");
    }
}

#[test]
fn names_of_every_kind_are_looked_at() {
    let of = |tag: u8, value: &[u8]| {
        look(with(vec![extension(17, &[], &seq(&[&tlv(0x82, &[b"a.example"]), &tlv(tag, &[value])]))]))
    };
    for address in ["a@b@c.example", "@b.example", "a@", "a b@c.example", "a@b..example"] {
        of(0x81, address.as_bytes()).is_noticed("san.syntax");
    }
    of(0x81, b"post+x@b.example").is_clean();
    for uri in ["https://a.example/ x", "https://a.example/<x>", "https://a.example/%zz"] {
        of(0x86, uri.as_bytes()).is_noticed("san.syntax");
    }
    of(0x86, b"https://a.example/%20x?y#z").is_clean();
    of(0x86, b"urn:uuid:00000000-0000-0000-0000-000000000000").is_clean();
    of(0x89, b"x").is_noticed("san.syntax");
    of(0x0c, b"a.example").is_noticed("san.syntax");
    of(0x81, b"a@xn--abc-.example").is_refused("san.idna");
    of(0x86, b"https://x@xn--abc-.example:443/").is_refused("san.idna");
}

#[test]
fn a_blank_name_is_no_name() {
    for blank in ["", "  "] {
        let der = Fields { subject: name(blank), extensions: vec![], ..Fields::server() }.der();
        look(der).is_noticed("cert.no_name");
    }
}

#[test]
fn an_address_is_a_host_too() {
    let address = extension(17, &[], &seq(&[&tlv(0x87, &[&[10, 0, 0, 1]])]));
    let code_signing = extension(37, &[], &seq(&[&[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 3]]));
    look(with(vec![address, code_signing])).is_noticed("cert.no_server_auth");
}

/// An extension below 1.3.6.1 whose identifier ends so.
fn elsewhere(oid: &[u8], critical: &[u8], value: &[u8]) -> Vec<u8> {
    seq(&[&tlv(6, &[&[0x2b, 6, 1], oid]), critical, &tlv(4, &[value])])
}

/// An extended key usage with these purposes below id-kp.
fn purposes(numbers: &[u8]) -> Vec<u8> {
    let purposes: Vec<u8> = numbers.iter().flat_map(|one| [6, 8, 0x2b, 6, 1, 5, 5, 7, 3, *one]).collect();
    extension(37, &[], &seq(&[&purposes]))
}

const PRECERTIFICATE: &[u8] = &[4, 1, 0xd6, 0x79, 2, 4, 3];
const TIMESTAMPS: &[u8] = &[4, 1, 0xd6, 0x79, 2, 4, 2];
const TLS_FEATURE: &[u8] = &[5, 5, 7, 1, 24];

impl Look {
    /// One finding and no other, that says this and is so bad.
    #[track_caller]
    fn says(&self, code: &str, severity: Severity, words: &[&str]) {
        let [found] = &self.0.findings[..] else { panic!("{:?}", self.0.findings) };
        assert_eq!((found.code, found.severity), (code, severity), "{found:?}");
        assert!(words.iter().all(|word| found.what.contains(word)) && !found.repair.is_empty(), "{found:?}");
    }
}

#[test]
fn what_public_cas_issue_is_clean() {
    look(with(vec![
        extension(15, CRITICAL, &[3, 2, 7, 0x80]),
        purposes(&[1]),
        extension(19, CRITICAL, &seq(&[])),
        dns_names(&["a.example", "www.a.example"]),
        elsewhere(TIMESTAMPS, &[], &tlv(4, &[&[0; 100]])),
        extension(32, &[], &seq(&[&seq(&[&[6, 6, 0x67, 0x81, 0x0c, 1, 2, 1]])])),
    ]))
    .is_clean();
}

#[test]
fn a_server_that_may_not_sign_is_told_with_the_clients_that_refuse_it() {
    let usage =
        |bits: &[u8]| look(with(vec![dns_names(&["a.example"]), extension(15, CRITICAL, &tlv(3, &[bits]))]));
    for sound in [&[7, 0x80][..], &[5, 0xa0], &[6, 0xc0]] {
        usage(sound).is_clean();
    }
    // keyEncipherment, keyAgreement: browsers differ. keyCertSign, nothing at all: nearly nobody takes it.
    for old in [&[5, 0x20][..], &[3, 0x08]] {
        usage(old).says("cert.purpose", Severity::Warning, &["digitalSignature", "GnuTLS", "Java"]);
    }
    for none in [&[2, 0x04][..], &[0], &[7, 0]] {
        usage(none).says("cert.purpose", Severity::Warning, &["digitalSignature", "OpenSSL", "Firefox"]);
    }
    let client = [dns_names(&["a.example"]), purposes(&[2]), extension(15, CRITICAL, &[3, 2, 5, 0x20])];
    assert!(!look(with(client.to_vec())).codes().contains(&"cert.purpose"), "it serves nobody");
}

#[test]
fn an_empty_extended_key_usage_allows_nothing() {
    let names = dns_names(&["a.example"]);
    look(with(vec![names.clone(), purposes(&[])])).says("cert.no_server_auth", Severity::Warning, &[]);
    let leaf = with(vec![names, purposes(&[])]);
    let root = Fields::ca("CA", 100, "CA", 100).der();
    let together = look(pem("CERTIFICATE", &leaf) + &pem("CERTIFICATE", &root));
    together.is_noticed("chain.client_cannot_build");
}

#[test]
fn must_staple_is_told_because_nothing_is_stapled() {
    let feature =
        |value: &[u8]| look(with(vec![dns_names(&["a.example"]), elsewhere(TLS_FEATURE, &[], value)]));
    for stapling in [&[2, 1, 5][..], &[2, 1, 17], &[2, 1, 23, 2, 1, 5]] {
        feature(&seq(&[stapling])).says("cert.must_staple", Severity::Warning, &["GnuTLS", "Firefox"]);
    }
    for other in [seq(&[&[2, 1, 23]]), seq(&[]), vec![5, 0]] {
        feature(&other).is_clean();
    }
}

#[test]
fn extensions_in_an_old_version_are_told() {
    for version in [0, 1] {
        let mut der = leaf();
        let place = der.windows(5).position(|five| five == [0xa0, 3, 2, 1, 2]).unwrap();
        der[place + 4] = version;
        look(der).says("cert.profile", Severity::Warning, &["Java", &format!("version {}", version + 1)]);
    }
}

#[test]
fn a_precertificate_is_none() {
    let poison =
        |critical| look(with(vec![dns_names(&["a.example"]), elsewhere(PRECERTIFICATE, critical, &[5, 0])]));
    poison(CRITICAL).says("cert.precertificate", Severity::Error, &["every client"]);
    poison(&[]).is_clean();
}

#[test]
fn a_server_without_any_host_is_told() {
    let of = |subject: &str, extensions: Vec<Vec<u8>>| {
        look(Fields { subject: name(subject), extensions, ..Fields::server() }.der())
    };
    let email = extension(17, &[], &seq(&[&tlv(0x81, &[b"a@b.example"])]));
    for (subject, extensions) in
        [("../../etc/x", vec![purposes(&[1])]), ("Printer", vec![purposes(&[1]), email.clone()])]
    {
        of(subject, extensions).says("cert.no_san", Severity::Warning, &["neither a host nor an address"]);
    }
    of("", vec![purposes(&[1])]).says("cert.no_name", Severity::Warning, &[]);
    // Others may know it by its subject: clients, and both sides of X-Road.
    for extensions in [vec![purposes(&[1, 2])], vec![purposes(&[4]), email], vec![]] {
        of("SS1", extensions).is_clean();
    }
}

#[test]
fn characters_that_cannot_be_seen_are_shown() {
    for unseen in
        ['\u{ad}', '\u{34f}', '\u{115f}', '\u{180e}', '\u{3164}', '\u{ffa0}', '\u{e0041}', '\u{1d173}']
    {
        let der = Fields { subject: name(&format!("pay{unseen}pal")), ..Fields::server() }.der();
        let seen = look(der);
        let [InspectedItem::Certificate(one)] = &seen.0.items[..] else { panic!("one certificate") };
        assert!(!one.subject().to_string().contains(unseen), "{}", unseen.escape_unicode());
        assert!(!one.display_name().contains(unseen), "{}", unseen.escape_unicode());
    }
}

#[test]
fn versions_are_those_that_exist() {
    for version in [&[2, 1, 3][..], &[2, 1, 99], &[2, 1, 0xff]] {
        let mut der = leaf();
        let place = der.windows(5).position(|five| five == [0xa0, 3, 2, 1, 2]).unwrap();
        der[place + 2..place + 5].copy_from_slice(version);
        look(der).is_refused("cert.syntax");
    }
}

#[test]
fn signatures_that_nobody_here_can_check_are_told() {
    let signed = |algorithm: Vec<u8>| look(Fields { algorithm, ..Fields::server() }.der());
    let of = |oid: &[u8]| seq(&[&tlv(6, &[oid])]);
    // Two identifiers of the OIW: MD5 and SHA-1 with DSA.
    signed(of(&[0x2b, 0x0e, 3, 2, 3])).is_refused("sig.broken");
    signed(of(&[0x2b, 0x0e, 3, 2, 27])).is_noticed("sig.sha1");
    // Ed448, ML-DSA-65, something new, SHA-224, PSS with a salt of 20 octets.
    signed(of(&[0x2b, 0x65, 0x71])).is_noticed("sig.algorithm");
    signed(of(&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 18])).is_noticed("sig.algorithm");
    signed(of(&[0x2a, 3, 4])).is_noticed("sig.algorithm");
    signed(of(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 14])).is_noticed("sig.algorithm");
    let sha256 = seq(&[&[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]]);
    let mask = seq(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8], &sha256]);
    let pss = |salt: u8| {
        let salt = tlv(0xa2, &[&[2, 1, salt]]);
        let parameters = seq(&[&tlv(0xa0, &[&sha256]), &tlv(0xa1, &[&mask]), &salt]);
        seq(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10], &parameters])
    };
    signed(pss(20)).is_noticed("sig.algorithm");
    signed(pss(32)).is_clean();
}

// ---- keys ----

#[test]
fn ed25519_points_of_small_order_and_off_the_curve_are_refused() {
    let of = |point: &[u8; 32]| {
        look(Fields { spki: bits(&[6, 3, 0x2b, 0x65, 0x70], point), ..Fields::server() }.der())
    };
    let mut one = [0; 32];
    one[0] = 1;
    let order_eight = [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ];
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    // The field's prime, which is zero in another spelling.
    let mut prime = minus_one;
    prime[0] = 0xed;
    for mut point in [[0; 32], one, order_eight, minus_one, prime] {
        of(&point).is_refused("key.ec_point");
        point[31] |= 0x80;
        of(&point).is_refused("key.ec_point");
    }
    // y = 2 is on no point; y = 3 is on one.
    let mut two = [0; 32];
    two[0] = 2;
    of(&two).is_refused("key.ec_point");
    two[0] = 3;
    of(&two).is_clean();
    for number in 0..50 {
        let der = Fields { spki: spki(number), ..Fields::server() }.der();
        look(der).is_clean();
    }
}

/// An EC key on P-256: its private number and its point.
fn p256() -> (Vec<u8>, Vec<u8>) {
    use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let number = AsBigEndian::<EcPrivateKeyBin<'_>>::as_be_bytes(&pair.private_key()).unwrap();
    (number.as_ref().to_vec(), pair.public_key().as_ref().to_vec())
}

const EC_P256: &[u8] =
    &[0x30, 19, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

#[test]
fn a_public_half_beside_a_private_one_must_be_its_own() {
    let (number, point) = p256();
    let (_, other) = p256();
    let sec1 = seq(&[&[2, 1, 1], &tlv(4, &[&number])]);
    let version_two =
        |point: &[u8]| seq(&[&[2, 1, 1], EC_P256, &tlv(4, &[&sec1]), &tlv(0x81, &[&[0], point])]);
    look(version_two(&point)).is_clean();
    look(version_two(&other)).is_refused("key.inconsistent");
    let (rsa, spki) = rsa_key();
    let rsa_identifier = seq(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0]]);
    let version_two =
        |public: &[u8]| seq(&[&[2, 1, 1], &rsa_identifier, &tlv(4, &[&rsa]), &tlv(0x81, &[&[0], public])]);
    look(version_two(&spki)).is_clean();
    look(version_two(&point)).is_refused("key.inconsistent");
}

/// An RSA key: PKCS#1, private and public.
fn rsa_key() -> (Vec<u8>, Vec<u8>) {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    // SEQUENCE { 0, identifier, OCTET STRING }, all lengths but the identifier's of two octets.
    let private = pkcs8.as_ref()[4 + 3 + 15 + 4..].to_vec();
    (private, pair.public_key().as_ref().to_vec())
}

#[test]
fn numbers_just_below_the_order_are_as_easy_to_guess_as_small_ones() {
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let key_of = |number: &[u8]| {
        look(seq(&[&[2, 1, 0], EC_P256, &tlv(4, &[&seq(&[&[2, 1, 1], &tlv(4, &[number])])])]))
    };
    for back in [1_u8, 2, 200] {
        let mut number: [u8; 32] = order;
        let (low, borrowed) = number[31].overflowing_sub(back);
        number[31] = low;
        number[30] -= u8::from(borrowed);
        key_of(&number).is_refused("key.weak.small_scalar");
    }
    let mut far = order;
    far[20] -= 1;
    key_of(&far).is_clean();
}

#[test]
fn a_dsa_key_is_not_called_a_bad_rsa_key() {
    let number = |low: u8| tlv(2, &[&[0x70; 200], &[low]]);
    let dsa = seq(&[&[2, 1, 0], &number(1), &number(3), &number(5), &number(7), &number(9)]);
    look(dsa).is_refused("input.unrecognised");
}

// ---- requests ----

fn csr_of(spki: &[u8], algorithm: &[u8], sign: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let content = seq(&[&[2, 1, 0], &name("Jane Doe"), spki, &tlv(0xa0, &[])]);
    seq(&[&content, algorithm, &tlv(3, &[&[0], &sign(&content)])])
}

#[test]
fn a_request_whose_signature_cannot_be_checked_is_not_called_forged() {
    let of = |spki: &[u8], oid: &[u8]| look(csr_of(spki, &seq(&[&tlv(6, &[oid])]), |_| vec![7; 64]));
    let (_, point) = p256();
    let ec = seq(&[EC_P256, &tlv(3, &[&[0], &point])]);
    let ed448 = bits(&[6, 3, 0x2b, 0x65, 0x71], &[7; 57]);
    of(&ed448, &[0x2b, 0x65, 0x71]).is_refused("key.algorithm");
    let (_, public) = rsa_key();
    let rsa = bits(&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0], &public);
    // SHA-224, SHA3-256 and MD5 with RSA; SHA-1 with ECDSA.
    of(&rsa, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 14]).is_refused("sig.algorithm");
    of(&rsa, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 14]).is_refused("sig.algorithm");
    of(&rsa, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4]).is_refused("sig.broken");
    of(&ec, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1]).is_refused("sig.algorithm");
    // An algorithm that does not go with the key proves nothing.
    of(&ec, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]).is_refused("csr.signature");
    let right = seq(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0]]);
    let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let spki = bits(&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0], pair.public_key().as_ref());
    let sign = |content: &[u8]| {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), content, &mut signature).unwrap();
        signature
    };
    look(csr_of(&spki, &right, sign)).is_clean();
}

// ---- what people really have ----

#[test]
fn text_of_programs_is_read() {
    let text = pem("CERTIFICATE", &leaf());
    // Without the mark in front, and as a string in JSON.
    let utf16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> { text.encode_utf16().flat_map(order).collect() };
    look(utf16(u16::to_le_bytes)).is_clean();
    look(utf16(u16::to_be_bytes)).is_clean();
    look(format!("{{\"certificate\":\"{}\"}}", text.replace('\n', "\\n"))).is_clean();
    look(text.replace('\n', "\\r\\n")).is_clean();
    look(text.replacen('\n', "\\x", 1)).is_refused("pem.base64");
    look(text.replacen("MI", "M\\I", 1)).is_refused("pem.base64");
    look(pem("PKCS #7 SIGNED DATA", &p7(&leaf()))).is_clean();
}

#[test]
fn a_key_that_is_bound_to_another_padding_is_not_called_a_stranger() {
    let (private, public) = rsa_key();
    let spki = bits(&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10], &public);
    let certificate = Fields { spki, ..Fields::server() }.der();
    look(&certificate).is_clean();
    let together = pem("RSA PRIVATE KEY", &private) + &pem("CERTIFICATE", &certificate);
    look(together).is_refused("key.algorithm");
    let stranger = pem("RSA PRIVATE KEY", &rsa_key().0) + &pem("CERTIFICATE", &certificate);
    look(stranger).is_refused("key.mismatch");
}

#[test]
fn of_a_refused_file_is_shown_what_can_be_read() {
    let inverted = Fields { not_before: "20270101000000Z".to_owned(), ..Fields::server() }.der();
    let seen = look(pem("CERTIFICATE", &leaf()) + &pem("CERTIFICATE", &inverted));
    seen.is_refused("cert.validity");
    let [InspectedItem::Certificate(one), InspectedItem::Refused(other)] = &seen.0.items[..] else {
        panic!("a certificate and a refused one: {:?}", seen.0.items)
    };
    assert!(one.der() == leaf() && other.not_before > other.not_after);
    assert_eq!((seen.0.format.as_str(), seen.0.friendly_names.len()), ("pem", 2));
    let crowd = look(ed25519_key(1).repeat(51));
    assert!(crowd.0.items.is_empty() && crowd.0.format.is_empty(), "too much is not shown");
}

#[test]
fn parts_that_nobody_reads_are_der_all_the_same() {
    let long_oid = tlv(6, &[&[0x2a], &[0x83; 63], &[3]]);
    let deep = (0..100).fold(vec![5, 0], |inner, _| seq(&[&inner]));
    let names = dns_names(&["a.example"]);
    // issuerAltName, policies, mappings, constraints of policies, inhibitAnyPolicy.
    for number in [18, 32, 33, 36, 54] {
        look(with(vec![names.clone(), extension(number, &[], &seq(&[&seq(&[&long_oid])]))]))
            .is_refused("der.oid");
        look(with(vec![names.clone(), extension(number, &[], &deep)])).is_refused("der.depth");
    }
    let registered =
        |octets: &[u8]| extension(17, &[], &seq(&[&tlv(0x82, &[b"a.example"]), &tlv(0x88, &[octets])]));
    look(with(vec![registered(&long_oid[2..])])).is_refused("der.oid");
    look(with(vec![registered(&[0x2a, 3, 4])])).is_clean();
}

#[test]
fn addresses_of_the_freshest_lists_are_judged_too() {
    let point = |url: &[u8]| seq(&[&seq(&[&tlv(0xa0, &[&tlv(0xa0, &[&tlv(0x86, &[url])])])])]);
    let freshest = |url: &[u8]| look(with(vec![dns_names(&["a.example"]), extension(46, &[], &point(url))]));
    freshest(b"http://169.254.169.254/").is_noticed("net.blocked");
    freshest(b"http://crl.example/delta.crl").is_clean();
}

#[test]
fn control_characters_are_found_in_names_within_names() {
    let directory = tlv(0xa4, &[&name("a\u{0}b")]);
    let names = extension(17, &[], &seq(&[&tlv(0x82, &[b"a.example"]), &directory]));
    look(with(vec![names])).is_noticed("name.control_char");
    let times = [&b"20261101000000Z"[..], b"20261231000000Z"].map(|time| tlv(0x18, &[time]));
    let list = |issuer: &str, extensions: &[u8]| {
        let content = seq(&[&[2, 1, 1], ED25519, &name(issuer), &times.concat(), extensions]);
        seq(&[&content, ED25519, &tlv(3, &[&[0], key(100).sign(&content).as_ref()])])
    };
    look(list("CA", &[])).is_clean();
    look(list("C\u{0}A", &[])).is_noticed("name.control_char");
    let deep = (0..100).fold(vec![5, 0], |inner, _| seq(&[&inner]));
    look(list("CA", &tlv(0xa0, &[&seq(&[&extension(28, CRITICAL, &deep)])]))).is_refused("der.depth");
}

#[test]
fn a_list_of_roots_is_judged_as_import_does() {
    let root = |number: u8| Fields::ca("Root", number, "Root", number).der();
    let file = |numbers: &[u8]| -> String {
        numbers.iter().map(|number| pem("CERTIFICATE", &root(*number))).collect()
    };
    look(file(&[1, 2, 3])).is_clean();
    look(file(&[1, 2, 1])).is_noticed("chain.deduplicated");
    look(file(&(1..=60).collect::<Vec<_>>())).is_refused("chain.budget");
}

#[test]
fn what_is_noticed_later_is_told_in_some_hundreds_too() {
    let Look(mut seen) = look(leaf());
    let of_kind =
        |code| look(with(vec![dns_names(&["_"])])).0.findings.into_iter().find(|one| one.code == code);
    let one = of_kind("san.syntax").unwrap();
    seen.notice(vec![one; 1000]);
    assert_eq!(seen.findings.len(), 200);
    assert!(seen.findings[199].what.contains("800 more"), "{}", seen.findings[199].what);
}
