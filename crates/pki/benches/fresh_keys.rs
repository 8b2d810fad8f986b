//! Fresh keys, none of which may be called weak; and what the checks cost.
//!
//! `cargo bench --package claviger-pki --bench fresh_keys [-- EC_KEYS RSA_KEYS]`. Run by hand; the figures stand in
//! `docs/performance.md`. An RSA key takes a tenth of a second to make, so there are fewer of them.

#![expect(clippy::print_stdout, reason = "it prints its figures")]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a bench makes keys and measures time, and one that cannot go on may end"
)]

use std::time::{Duration, Instant};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use claviger_pki::{Blocklist, PublicKey};

/// Rows of the list that every key is looked up in, as many as `badkeys` has.
const LISTED: u32 = 3_900_000;

/// Makes a key and gives its SubjectPublicKeyInfo.
type Make = fn() -> Vec<u8>;

fn main() {
    let mut counts = std::env::args().filter_map(|arg| arg.parse::<usize>().ok());
    let (ec, rsa) = (counts.next().unwrap_or(100_000), counts.next().unwrap_or(500));
    let rows = rows();
    let started = Instant::now();
    let list = Blocklist::parse(rows.as_flattened()).unwrap();
    println!("a list of {} keys: read in {:.2} s", list.len(), started.elapsed().as_secs_f64());
    let kinds: [(&str, usize, Make); 4] = [
        ("EC P-256", ec * 8 / 10, || {
            spki(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap().public_key())
        }),
        ("EC P-384", ec / 10, || {
            spki(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap().public_key())
        }),
        ("Ed25519", ec / 10, || spki(Ed25519KeyPair::generate().unwrap().public_key())),
        ("RSA 2048", rsa, || spki(RsaKeyPair::generate(KeySize::Rsa2048).unwrap().public_key())),
    ];
    let mut alarms = 0;
    for (kind, count, make) in kinds {
        alarms += check(kind, count, make, &list);
    }
    println!("false alarms: {alarms}");
    assert_eq!(alarms, 0);
}

/// Makes the keys and checks each; says how long that took, and returns how many were called weak.
fn check(kind: &str, count: usize, make: Make, list: &Blocklist) -> usize {
    let (mut checked, mut looked_up, mut alarms) = (Duration::ZERO, Duration::ZERO, 0);
    for _ in 0..count {
        let der = make();
        let started = Instant::now();
        let key = PublicKey::from_spki_der(&der);
        checked += started.elapsed();
        let started = Instant::now();
        alarms += usize::from(key.map_or(true, |key| list.contains(&key)));
        looked_up += started.elapsed();
    }
    let each = |total: Duration| total.as_secs_f64() * 1e6 / count.max(1) as f64;
    println!(
        "{count:>7} keys {kind}: {:.1} us each for the checks, {:.1} us for the list, {alarms} false alarms",
        each(checked),
        each(looked_up)
    );
    alarms
}

fn spki(key: &impl AsDer<PublicKeyX509Der<'static>>) -> Vec<u8> {
    key.as_der().unwrap().as_ref().to_vec()
}

/// A list in the binary form, of hashes that belong to no key.
fn rows() -> Vec<[u8; 16]> {
    let hash = |number: u32| claviger_pki::identity::sha256(&number.to_be_bytes());
    let mut rows: Vec<[u8; 16]> =
        (0..LISTED).filter_map(|number| hash(number)[..16].try_into().ok()).collect();
    rows.sort_unstable();
    rows
}
