use super::*;
use crate::format::{Contents, KdfBudget, MAX_PASSPHRASE, pem_write, pkcs8_write, read_usable, read_within};
use crate::inspect::inspect_within;
use crate::tlv::{sequence, tag, tlv};
use crate::{KeyAlgorithm, UnixTime, testing};

const KEYPASS_JKS: &[u8] = include_bytes!("../../../tests/fixtures/keypass.jks");

fn code(read: Result<Contents, Refusal>) -> &'static str {
    read.err().map_or("", |refusal| refusal.code)
}

/// A key in PEM under a passphrase.
fn key(passphrase: &str, iterations: u32) -> String {
    let pkcs8 = testing::pkcs8(KeyAlgorithm::EcP256);
    let iterations = iterations.try_into().unwrap();
    let encrypted = pkcs8_write::encrypt_octets(&pkcs8, passphrase, iterations, [1; 16], [2; 16]);
    let der = sequence(&[&encrypted.algorithm, &tlv(tag::OCTET_STRING, &[&encrypted.data])]);
    pem_write::encrypted_key(&der)
}

fn pem(passphrases: &[&str]) -> Vec<u8> {
    passphrases.iter().map(|passphrase| key(passphrase, 1000)).collect::<String>().into_bytes()
}

fn read(bytes: &[u8], passphrases: &[&str]) -> Result<Contents, Refusal> {
    read_within(bytes, passphrases, &mut KdfBudget::new())
}

#[test]
fn keys_in_one_file_may_have_passphrases_of_their_own() {
    let file = pem(&["one", "two", "one", ""]);
    for given in [&["one", "two", ""][..], &["", "two", "one"], &["no", "two", "no", "one", ""]] {
        assert_eq!(read(&file, given).unwrap().items.len(), 4, "{given:?}");
    }
    let refusal = read(&file, &["one", ""]).err().unwrap();
    assert_eq!((refusal.code, refusal.place.as_str()), ("pass.wrong", "ENCRYPTED PRIVATE KEY in line 9"));
    assert!(refusal.repair.contains("too"), "{refusal:?}");
    assert_eq!(code(read(&file, &["no", "nor this"])), "pass.wrong");
    assert_eq!(code(read(&file, &[])), "pass.needed");
}

#[test]
fn the_passphrase_that_opened_the_last_thing_is_tried_first() {
    let file = pem(&["two"; 4]);
    let read = |iterations| code(read_within(&file, &["one", "two"], &mut KdfBudget::limited(iterations, 0)));
    // The wrong one once, the right one four times.
    assert_eq!(read(5000), "");
    assert_eq!(read(4999), "limit.kdf_cost");
}

#[test]
fn no_try_is_made_that_is_not_paid() {
    let file = pem(&["four"]);
    let given = ["one", "two", "three", "four"];
    assert_eq!(code(read_within(&file, &given, &mut KdfBudget::limited(4000, 0))), "");
    let mut budget = KdfBudget::limited(3000, 0);
    let refusal = read_within(&file, &given, &mut budget).err().unwrap();
    assert_eq!(refusal.code, "limit.kdf_cost");
    assert!(refusal.what.contains("not all were tried"));
    assert_eq!(code(read_within(&file, &["four"], &mut budget)), "limit.kdf_cost", "nothing is left");
    // What fits with one passphrase fits with several, where the caller pays for them.
    let dear = key("two", 1_100_000).into_bytes();
    assert_eq!(code(read_within(&dear, &["one", "two"], &mut KdfBudget::new())), "limit.kdf_cost");
    assert_eq!(code(read_within(&dear, &["one", "two"], &mut KdfBudget::times(2))), "");
    // But no file gets more for a single pass.
    let two = [dear.as_slice(), &dear].concat();
    assert_eq!(code(read_within(&two, &["one", "two"], &mut KdfBudget::times(5))), "limit.kdf_cost");
}

#[test]
fn passphrases_are_limited_in_number_and_length() {
    let file = pem(&["x"]);
    let numbers: Vec<String> = (0..=MAX_PASSPHRASES).map(|number| number.to_string()).collect();
    let mut given: Vec<&str> = numbers.iter().map(String::as_str).collect();
    assert_eq!(code(read(&file, &given)), "limit.kdf_cost");
    given.truncate(MAX_PASSPHRASES);
    assert_eq!(code(read(&file, &given)), "pass.wrong");
    let long = "x".repeat(MAX_PASSPHRASE + 1);
    assert_eq!(code(read(&file, &["x", &long])), "input.too_large");
    // The same one again is tried once.
    let twice = read_within(&file, &["y", "y", "x"], &mut KdfBudget::limited(2000, 0));
    assert_eq!(code(twice), "");
}

#[test]
fn a_java_key_store_opens_whose_key_has_another_passphrase() {
    for given in [["changeit", "changeit2"], ["changeit2", "changeit"]] {
        let read = read(KEYPASS_JKS, &given);
        assert_eq!(read.unwrap_or_else(|refusal| panic!("{refusal:?}")).items.len(), 2);
    }
    let refusal = read(KEYPASS_JKS, &["changeit"]).err().unwrap();
    assert_eq!((refusal.code, refusal.place.as_str()), ("pass.wrong", "entry 1"));
    assert!(refusal.what.contains("its key “"), "{refusal:?}");
    assert!(refusal.repair.contains("--passphrase-file once more"), "{refusal:?}");
    let refusal = read(KEYPASS_JKS, &["changeit2"]).err().unwrap();
    assert_eq!((refusal.code, refusal.place.as_str()), ("pass.wrong", ""));
}

#[test]
fn what_can_be_used_of_a_file_is_told_from_what_cannot() {
    let (contents, faults) = read_usable(KEYPASS_JKS, &["changeit"], &mut KdfBudget::new()).unwrap();
    assert_eq!((contents.items.len(), faults.len(), faults[0].code), (1, 1, "pass.wrong"));
    let (contents, faults) = read_usable(&pem(&["a", "b"]), &["b"], &mut KdfBudget::new()).unwrap();
    assert_eq!((contents.items.len(), faults.len()), (1, 1));
    // Nothing can be used, or nobody looked through all of it.
    let refused = |bytes: &[u8], given: &[&str]| {
        read_usable(bytes, given, &mut KdfBudget::new()).map(|(contents, _)| contents)
    };
    assert_eq!(code(refused(KEYPASS_JKS, &["wrong"])), "pass.wrong");
    assert_eq!(code(refused(&pem(&["a", "b"]), &["c"])), "pass.wrong");
    let endless = [pem(&["b"]), pem(&["a"; 52])].concat();
    assert_eq!(code(refused(&endless, &["b"])), "pass.wrong");
}

#[test]
fn what_is_shown_of_a_file_with_a_closed_key_is_the_rest() {
    let look =
        |given: &[&str]| inspect_within(KEYPASS_JKS, given, UnixTime(1_795_305_600), &mut KdfBudget::new());
    let closed = look(&["changeit"]);
    assert!(!closed.accepted && closed.items.len() == 1 && closed.findings[0].code == "pass.wrong");
    let open = look(&["changeit", "changeit2"]);
    assert!(open.accepted && open.items.len() == 2, "{:?}", open.findings);
}
