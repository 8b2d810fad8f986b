use aws_lc_rs::hmac;

use super::super::pkcs7_write::{content_info, content_type};
use super::*;
use crate::format::pbe::{ID_MAC, Passphrase, Pkcs12Hash, pkcs12_kdf};
use crate::format::pkcs8_write::encrypt_octets;
use crate::format::pkcs12_write::{self, Pkcs12, Salts, Strength};
use crate::format::{self, Contents as Read};
use crate::issue::{self, Purpose, Template};
use crate::name::{Attribute, AttributeType};
use crate::tlv::{sequence, tlv};
use crate::{DistinguishedName, KeyAlgorithm, KeyId, Signer, UnixTime, testing};

const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1];
const PKCS9: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9];

fn code(result: &Result<Read, Refusal>) -> &'static str {
    result.as_ref().err().map_or("", |refusal| refusal.code)
}

fn findings(contents: &Read) -> Vec<&'static str> {
    contents.findings.iter().map(|finding| finding.code).collect()
}

fn octets(content: &[u8]) -> Vec<u8> {
    tlv(tag::OCTET_STRING, &[content])
}

fn oid(parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag::OID, parts)
}

/// A certificate that the key signed for itself.
fn certificate(key: &testing::TestSigner) -> Certificate {
    let name = Attribute::new(AttributeType::CommonName, "a.example");
    let name = DistinguishedName::from_attributes(vec![name]).unwrap();
    let template = Template {
        serial: vec![1],
        issuer: name.clone(),
        subject: name,
        public_key: key.public_key().clone(),
        not_before: UnixTime(1_795_000_000),
        not_after: UnixTime(1_796_000_000),
        names: vec!["a.example".parse().unwrap()],
        purpose: Purpose::TlsServer,
        authority_key_id: None,
        ca_issuers_url: None,
    };
    let to_be_signed = issue::to_be_signed(&template, key.algorithm().certificate_scheme()).unwrap();
    Certificate::parse(&issue::sign(&to_be_signed, key).unwrap()).unwrap()
}

fn any_certificate() -> Certificate {
    certificate(&testing::signer(KeyAlgorithm::Ed25519))
}

fn any_key() -> PrivateKey {
    PrivateKey::from_pkcs8_der(&testing::pkcs8(KeyAlgorithm::Ed25519)).unwrap()
}

fn bag(kind: u8, value: &[u8], attributes: &[u8]) -> Vec<u8> {
    sequence(&[&oid(&[BAG, &[kind]]), &tlv(0xa0, &[value]), attributes])
}

fn named(name: &str) -> Vec<u8> {
    let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let value = tlv(tag::SET, &[&tlv(tag::BMP_STRING, &[&units])]);
    tlv(tag::SET, &[&sequence(&[&oid(&[PKCS9, &[20]]), &value])])
}

fn certificate_bag(certificate: &Certificate) -> Vec<u8> {
    let value = sequence(&[&oid(&[PKCS9, &[22, 1]]), &tlv(0xa0, &[&octets(certificate.der())])]);
    bag(3, &value, &[])
}

/// A part in the open.
fn open(bags: &[Vec<u8>]) -> Vec<u8> {
    content_info(pkcs7::DATA, &octets(&sequence(&[&bags.concat()])))
}

/// A part under the passphrase `p`.
fn sealed(bags: &[Vec<u8>], iterations: u32) -> Vec<u8> {
    let plain = sequence(&[&bags.concat()]);
    let encrypted = encrypt_octets(&plain, "p", iterations.try_into().unwrap(), [1; 16], [2; 16]);
    let info = sequence(&[&content_type(pkcs7::DATA), &encrypted.algorithm, &tlv(0x80, &[&encrypted.data])]);
    content_info(pkcs7::ENCRYPTED_DATA, &sequence(&[&[2, 1, 0], &info]))
}

fn sealed_key(iterations: u32) -> Vec<u8> {
    let key = any_key();
    let encrypted = encrypt_octets(key.pkcs8_der(), "p", iterations.try_into().unwrap(), [3; 16], [4; 16]);
    bag(2, &sequence(&[&encrypted.algorithm, &octets(&encrypted.data)]), &[])
}

fn mac(digest: &[u8], digest_length: usize, salt: &[u8], iterations: &[u8]) -> Vec<u8> {
    let algorithm = sequence(&[&oid(&[digest]), &[5, 0]]);
    sequence(&[&sequence(&[&algorithm, &octets(&vec![7; digest_length])]), &octets(salt), iterations])
}

fn pfx(authenticated: &[u8], mac: &[u8]) -> Vec<u8> {
    sequence(&[&[2, 1, 3], &content_info(pkcs7::DATA, &octets(authenticated)), mac])
}

/// The whole file, its MAC made with one iteration of this form of a passphrase.
fn file_with(authenticated: &[u8], bmp: &[u8]) -> Vec<u8> {
    let mut secret = [0; 32];
    pkcs12_kdf(Pkcs12Hash::Sha256, bmp, b"salt", 1, ID_MAC, &mut secret);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), authenticated);
    let digest_info = sequence(&[&sequence(&[&oid(&[SHA256])]), &octets(tag.as_ref())]);
    pfx(authenticated, &sequence(&[&digest_info, &octets(b"salt")]))
}

/// The whole file under the passphrase `p`.
fn file(parts: &[Vec<u8>]) -> Vec<u8> {
    file_with(&sequence(&[&parts.concat()]), &[0, b'p', 0, 0])
}

fn read_file(parts: &[Vec<u8>]) -> Result<Read, Refusal> {
    format::read(&file(parts), Some("p"))
}

#[test]
fn everything_that_is_read_comes_out_with_its_name() {
    let signer = testing::signer(KeyAlgorithm::EcP256);
    let certificate = certificate(&signer);
    let key = any_key();
    let parts = [
        sealed(&[certificate_bag(&certificate)], 10),
        open(&[bag(6, &sequence(&[&bag(1, key.pkcs8_der(), &named("kéy 🔑"))]), &[])]),
    ];
    let contents = read_file(&parts).unwrap();
    assert_eq!(contents.format, "pkcs12");
    let [first, second] = contents.items.as_slice() else { panic!("two things") };
    assert!(matches!(&first.object, Object::Certificate(read) if *read == certificate));
    assert_eq!(first.friendly_name, None);
    assert!(matches!(&second.object, Object::PrivateKey(read) if read.id() == key.id()));
    assert_eq!(second.friendly_name.as_deref(), Some("kéy 🔑"));
    assert_eq!(findings(&contents), ["p12.unencrypted"]);
    let inside = read_file(&[sealed(&[bag(1, key.pkcs8_der(), &[])], 10)]).unwrap();
    assert!(findings(&inside).is_empty(), "a key in an encrypted part does not lie open");
}

#[test]
fn a_pair_shares_its_name_and_odd_attributes_are_passed_over() {
    let pkcs8 = testing::pkcs8(KeyAlgorithm::Ed25519);
    let key = PrivateKey::from_pkcs8_der(&pkcs8).unwrap();
    let name = tlv(0x31, &[&sequence(&[&oid(&[PKCS9, &[20]]), &tlv(0x31, &[&octets(b"no BMPString")])])]);
    let contents = read_file(&[open(&[
        bag(1, key.pkcs8_der(), &named("pair")),
        bag(1, key.pkcs8_der(), &name),
        bag(1, any_key().pkcs8_der(), &tlv(0x31, &[&[5, 0]])),
    ])])
    .unwrap();
    let names: Vec<_> = contents.items.iter().map(|item| item.friendly_name.as_deref()).collect();
    assert_eq!(names, [Some("pair"), Some("pair"), None]);
    let long = "x".repeat(100_000);
    let contents = read_file(&[open(&[bag(1, key.pkcs8_der(), &named(&long))])]).unwrap();
    assert_eq!(contents.items[0].friendly_name.as_ref().map(String::len), Some(256));
}

#[test]
fn what_is_not_read_is_left_out_and_said() {
    let sdsi = bag(3, &sequence(&[&oid(&[PKCS9, &[22, 2]]), &tlv(0xa0, &[&[5, 0]])]), &[]);
    let bags = [bag(5, &[5, 0], &[]), bag(5, &[5, 0], &[]), bag(9, &[5, 0], &[]), sdsi];
    let enveloped = content_info(pkcs7::ENVELOPED_DATA, &sequence(&[]));
    let parts = [open(&bags), enveloped, open(&[certificate_bag(&any_certificate())])];
    let contents = read_file(&parts).unwrap();
    assert_eq!((contents.items.len(), findings(&contents)), (1, vec!["p12.left_out"; 4]));
    assert!(
        contents
            .findings
            .iter()
            .any(|finding| finding.what.contains("secret") && finding.what.ends_with("(2)"))
    );
    assert_eq!(code(&read_file(&parts[..1])), "p12.content");
    assert_eq!(code(&read_file(&[])), "p12.content");
}

#[test]
fn files_without_content_or_mac_are_refused() {
    let version = [2, 1, 3];
    let sound_mac = mac(SHA256, 32, b"salt", &[2, 1, 1]);
    let auth_safe = |content: &[u8]| {
        let info = sequence(&[&content_type(pkcs7::DATA), content]);
        format::read(&sequence(&[&version, &info, &sound_mac]), Some("p"))
    };
    for content in [&[][..], &[0xa0, 0], &[0xa0, 2, 5, 0], &[0xa0, 2, 4, 0]] {
        assert_eq!(code(&auth_safe(content)), "p12.content", "{content:?}");
    }
    let signed = content_info(pkcs7::SIGNED_DATA, &sequence(&[]));
    assert_eq!(code(&format::read(&sequence(&[&version, &signed]), Some("p"))), "p12.content");
    let without_mac = pfx(&sequence(&[&open(&[certificate_bag(&any_certificate())])]), &[]);
    assert_eq!(code(&format::read(&without_mac, Some("p"))), "p12.no_mac");
    let empty_part = sequence(&[&content_type(pkcs7::DATA)]);
    assert_eq!(code(&read_file(&[empty_part])), "p12.content");
}

#[test]
fn senseless_parameters_of_the_mac_are_refused() {
    let read = |mac: &[u8]| code(&format::read(&pfx(&sequence(&[]), mac), Some("p")));
    let one = &[2, 1, 1][..];
    for iterations in [&[2, 1, 0][..], &[2, 1, 0xff], &[2, 4, 0x80, 0, 0, 0], &[4, 1, 1], &[2, 0]] {
        assert_eq!(read(&mac(SHA256, 32, b"salt", iterations)), "p12.mac_params", "{iterations:?}");
    }
    for iterations in [&[2, 4, 0x7f, 0xff, 0xff, 0xff][..], &[2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(read(&mac(SHA256, 32, b"salt", iterations)), "limit.kdf_cost", "{iterations:?}");
    }
    assert_eq!(read(&mac(SHA256, 31, b"salt", one)), "p12.mac_params");
    assert_eq!(read(&mac(&[0x55, 4, 3], 32, b"salt", one)), "p12.mac_params");
    assert_eq!(read(&mac(SHA256, 32, &[1; 1025], one)), "p12.mac_params");
    assert_eq!(read(&sequence(&[])), "p12.mac_params");
    assert_eq!(read(&mac(SHA256, 32, b"salt", one)), "pass.wrong");
}

const RFC_9579: &[u8] = include_bytes!("../../../tests/vectors/rfc9579_a1.pem");

#[test]
fn pbmac1_is_read_as_its_rfc_shows_it() {
    let contents = format::read(RFC_9579, Some("1234")).unwrap();
    let ids: Vec<KeyId> = contents.items.iter().filter_map(bag::key_id).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "a certificate and its key");
    assert!(findings(&contents).is_empty());
    assert_eq!(code(&format::read(RFC_9579, Some("12345"))), "pass.wrong");
    assert_eq!(code(&format::read(RFC_9579, None)), "pass.needed");
}

#[test]
fn senseless_parameters_of_pbmac1_are_refused() {
    let pkcs5 = |last: u8| oid(&[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, last]]);
    let hmac_sha256 = sequence(&[&oid(&[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9]]), &[5, 0]]);
    let read = |numbers: &[u8], prf: &[u8], kdf: u8| {
        let parameters = sequence(&[&octets(b"saltsalt"), numbers, prf]);
        let derivation = sequence(&[&pkcs5(kdf), &parameters]);
        let algorithm = sequence(&[&pkcs5(14), &sequence(&[&derivation, &hmac_sha256])]);
        let mac = sequence(&[&sequence(&[&algorithm, &octets(&[7; 32])]), &octets(b"unused"), &[2, 1, 1]]);
        code(&format::read(&pfx(&sequence(&[]), &mac), Some("p")))
    };
    assert_eq!(read(&[2, 1, 9, 2, 1, 32], &hmac_sha256, 12), "pass.wrong", "sound");
    for numbers in [&[2, 1, 9, 2, 1, 1][..], &[2, 1, 9], &[2, 1, 0, 2, 1, 32], &[2, 1, 9, 2, 2, 1, 0], &[]] {
        assert_eq!(read(numbers, &hmac_sha256, 12), "p12.mac_params", "{numbers:?}");
    }
    assert_eq!(read(&[2, 4, 0x7f, 0xff, 0xff, 0xff, 2, 1, 32], &hmac_sha256, 12), "limit.kdf_cost");
    assert_eq!(read(&[2, 1, 9, 2, 1, 32], &hmac_sha256, 13), "p12.mac_params");
    let unknown = sequence(&[&oid(&[&[0x55, 4, 3]])]);
    assert_eq!(read(&[2, 1, 9, 2, 1, 32], &unknown, 12), "p12.mac_params");
}

#[test]
fn an_empty_passphrase_has_two_forms_and_none_typed_is_tried_as_empty() {
    let parts = sequence(&[&open(&[certificate_bag(&any_certificate())])]);
    for form in [&[0, 0][..], &[]] {
        let bytes = file_with(&parts, form);
        assert_eq!(code(&format::read(&bytes, Some(""))), "");
        assert_eq!(code(&format::read(&bytes, None)), "");
        // One that another thing needs stands in the way of nothing.
        assert_eq!(code(&format::read(&bytes, Some("p"))), "");
    }
    let bytes = file_with(&parts, &[0, b'p', 0, 0]);
    assert_eq!(code(&format::read(&bytes, Some(""))), "pass.wrong");
    assert_eq!(code(&format::read(&bytes, None)), "pass.needed");
}

#[test]
fn damage_and_a_wrong_passphrase_look_the_same() {
    let bytes = file(&[sealed(&[certificate_bag(&any_certificate())], 10)]);
    let wrong = format::read(&bytes, Some("q")).err();
    assert_eq!(wrong.as_ref().map(|refusal| refusal.code), Some("pass.wrong"));
    let mut damaged = bytes;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    assert_eq!(format::read(&damaged, Some("p")).err(), wrong);
    // A part under another passphrase than the MAC.
    let other = file_with(
        &sequence(&[&sealed(&[certificate_bag(&any_certificate())], 10)]),
        Passphrase::new("q").bmp(),
    );
    let refusal = format::read(&other, Some("q")).err().unwrap();
    assert_eq!((refusal.code, refusal.place.as_str()), ("pass.wrong", "part 1"));
}

#[test]
fn keys_and_parts_may_have_other_passphrases_than_the_file() {
    let parts = sequence(&[&open(&[sealed_key(1)]), &sealed(&[certificate_bag(&any_certificate())], 10)]);
    let with_mac = |passphrase: &str| file_with(&parts, Passphrase::new(passphrase).bmp());
    let read = |bytes: &[u8], given: &[&str]| format::read_within(bytes, given, &mut KdfBudget::new());
    for (mac, given) in [("q", ["p", "q"]), ("q", ["q", "p"]), ("ö", ["p", "ö"])] {
        assert_eq!(read(&with_mac(mac), &given).unwrap().items.len(), 2, "{given:?}");
    }
    let refusal = read(&with_mac("q"), &["q"]).err().unwrap();
    assert_eq!((refusal.code, refusal.place.as_str()), ("pass.wrong", "private key 1"));
    assert!(refusal.what.contains("opens the PKCS#12 file") && refusal.repair.contains("too"), "{refusal:?}");
    let refusal = read(&with_mac("q"), &["p"]).err().unwrap();
    assert_eq!((refusal.code, refusal.place.as_str()), ("pass.wrong", ""));
    // The file has an empty passphrase, which nobody needs to give.
    let refusal = read(&with_mac(""), &[]).err().unwrap();
    assert_eq!((refusal.code, refusal.place.as_str()), ("pass.needed", "private key 1"));
    assert_eq!(read(&with_mac(""), &["p"]).unwrap().items.len(), 2);
    // What opens is told from what does not.
    let parts = sequence(&[&open(&[sealed_key(1), certificate_bag(&any_certificate())])]);
    let bytes = file_with(&parts, Passphrase::new("q").bmp());
    let (contents, faults) = format::read_usable(&bytes, &["q"], &mut KdfBudget::new()).unwrap();
    assert_eq!((contents.items.len(), faults.len(), faults[0].code), (1, 1, "pass.wrong"));
}

#[test]
fn all_derivations_are_paid_from_one_budget() {
    // Seen from outside: refused before the passphrase is even asked for.
    let keys: Vec<Vec<u8>> = (0..3).map(|_| sealed_key(1)).collect();
    let dear = |bag: &[u8]| replace(bag, &[2, 1, 1], &[2, 3, 0x0f, 0x42, 0x40]);
    let bags: Vec<Vec<u8>> = keys.iter().map(|bag| dear(bag)).collect();
    assert_eq!(code(&format::read(&file(&[open(&bags)]), None)), "limit.kdf_cost");
    assert_eq!(code(&format::read(&file(&[open(&bags[..1])]), None)), "pass.needed");
    // Within an encrypted part: paid when it is found, and nothing is derived for the one that is too much.
    let all_of_it = replace(&keys[0], &[2, 1, 1], &[2, 3, 0x1e, 0x84, 0x80]);
    assert_eq!(code(&read_file(&[sealed(&[sealed_key(1), all_of_it], 1)])), "limit.kdf_cost");
}

/// Exchanges the number of iterations of a bag, and mends the lengths around it, which all have one octet or three.
fn replace(bag: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    fn rebuilt(der: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut reader = Reader::new(der);
        while !reader.is_empty() {
            let element = reader.any().unwrap();
            if element.whole == from {
                out.extend_from_slice(to);
            } else if element.tag & 0x20 != 0 {
                out.extend(tlv(element.tag, &[&rebuilt(element.value, from, to)]));
            } else {
                out.extend_from_slice(element.whole);
            }
        }
        out
    }
    rebuilt(bag, from, to)
}

#[test]
fn counts_and_depth_are_limited() {
    let certificate = certificate_bag(&any_certificate());
    // A trust store as Java's own; beside a key they are fewer, wherever in the file it stands.
    assert_eq!(code(&read_file(&[open(&vec![certificate.clone(); 1000])])), "");
    assert_eq!(code(&read_file(&[open(&vec![certificate.clone(); 1001])])), "limit.cert_count");
    let key = bag(1, any_key().pkcs8_der(), &[]);
    let beside = |before: usize, after: usize| {
        let bags = [vec![certificate.clone(); before], vec![key.clone()], vec![certificate.clone(); after]];
        code(&read_file(&[open(&bags.concat())]))
    };
    assert_eq!(beside(30, 20), "");
    for (before, after) in [(51, 0), (0, 51), (30, 21)] {
        assert_eq!(beside(before, after), "limit.cert_count");
    }
    assert_eq!(code(&read_file(&[open(&vec![key.clone(); 50])])), "");
    assert_eq!(code(&read_file(&[open(&vec![key; 51])])), "limit.key_count");
    let nested =
        |depth: usize| (0..depth).fold(certificate.clone(), |inner, _| bag(6, &sequence(&[&inner]), &[]));
    assert_eq!(code(&read_file(&[open(&[nested(5)])])), "");
    assert_eq!(code(&read_file(&[open(&[nested(1000)])])), "der.depth");
    let large = file(&[open(&[bag(5, &octets(&vec![0; MAX_FILE]), &[])])]);
    assert_eq!(code(&format::read(&large, Some("p"))), "input.too_large");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = file(&[sealed(&[certificate_bag(&any_certificate())], 1), open(&[sealed_key(1)])]);
    for length in 1..bytes.len() {
        let code = code(&format::read(&bytes[..length], Some("p")));
        let short = length < 10;
        assert!(code == "der.truncated" || short && code == "input.unrecognised", "{length}: {code}");
    }
}

#[test]
fn ber_in_pieces_is_read_and_the_mac_is_over_the_pieces_joined() {
    let sealed = sealed(&[certificate_bag(&any_certificate())], 1);
    // The encrypted octets in two pieces under the implicit tag, and every length left open.
    let in_pieces = {
        let parts = sequence(&[&sealed]);
        let safes = bag::safes(&parts).unwrap();
        let Safe::Sealed { algorithm, data } = &safes[0] else { panic!("it is sealed") };
        let (one, two) = data.split_at(20);
        let data = [&[0xa0, 0x80][..], &octets(one), &octets(two), &[0, 0]].concat();
        let info = left_open(0x30, &[&content_type(pkcs7::DATA), algorithm.whole, &data]);
        let encrypted = left_open(0x30, &[&[2, 1, 0], &info]);
        left_open(0x30, &[&content_type(pkcs7::ENCRYPTED_DATA), &left_open(0xa0, &[&encrypted])])
    };
    let authenticated = left_open(0x30, &[&in_pieces]);
    let sound = file_with(&authenticated, &[0, b'p', 0, 0]);
    let mut fields = Reader::new(tlv::only(&sound, tag::SEQUENCE).unwrap().value);
    let (version, _, mac) = (fields.any().unwrap(), fields.any().unwrap(), fields.any().unwrap());
    let (one, two) = authenticated.split_at(100);
    let joined = left_open(0x24, &[&octets(one), &left_open(0x24, &[&octets(two)])]);
    let info = left_open(0x30, &[&content_type(pkcs7::DATA), &left_open(0xa0, &[&joined])]);
    let ber = left_open(0x30, &[version.whole, &info, mac.whole]);
    assert_eq!(format::read(&ber, Some("p")).unwrap().items.len(), 1);
    assert_eq!(code(&format::read(&ber, Some("q"))), "pass.wrong");
}

fn left_open(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    [&[tag, 0x80], parts.concat().as_slice(), &[0, 0]].concat()
}

#[test]
fn what_we_write_we_read() {
    let pkcs8 = testing::pkcs8(KeyAlgorithm::EcP256);
    let key = PrivateKey::from_pkcs8_der(&pkcs8).unwrap();
    let certificates = [any_certificate(), any_certificate()];
    let salts = Salts::new(|octets| octets.fill(octets.len() as u8));
    for (strength, passphrase) in
        [(Strength::Modern, "pass wörd €"), (Strength::Legacy, ""), (Strength::Legacy, &"x".repeat(100))]
    {
        let contents = Pkcs12 { key: Some(&key), certificates: &certificates, friendly_name: "www 🔑" };
        let bytes = pkcs12_write::write(&contents, passphrase, strength, &salts);
        let read = format::read(&bytes, Some(passphrase)).unwrap();
        assert_eq!(read.items.len(), 3);
        let named: Vec<bool> = read.items.iter().map(|item| item.friendly_name.is_some()).collect();
        assert_eq!(named, [true, false, true], "leaf and key have the name");
        assert!(matches!(&read.items[2].object, Object::PrivateKey(one) if one.id() == key.id()));
        let expected: &[&str] = if strength == Strength::Legacy { &["p12.legacy"] } else { &[] };
        assert_eq!(findings(&read), expected);
        format::der::check(&bytes).unwrap();
    }
}

#[test]
fn a_trust_store_is_read_back_with_distinct_aliases() {
    let anchors = ["Root", "root", "", "ROOT"].map(|alias| (alias.to_owned(), any_certificate()));
    let salts = Salts::new(|octets| octets.fill(9));
    let read =
        format::read(&pkcs12_write::trust_store(&anchors, "changeit", &salts), Some("changeit")).unwrap();
    let names: Vec<_> = read.items.iter().filter_map(|item| item.friendly_name.as_deref()).collect();
    assert_eq!(names, ["Root", "root 2", "trusted", "ROOT 3"]);
}
