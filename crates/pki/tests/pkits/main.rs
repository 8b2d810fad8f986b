//! NIST's PKITS judges path validation by RFC 5280, with policies, name constraints and revocation lists: every test goes
//! through [`claviger_pki::chain::build`], as import and serving do.
//!
//! The certificates and lists are those of the Python package `cryptography-vectors`, which `cargo xtask tools` installs;
//! `CLAVIGER_TOOLS` names the folder if it is not `.tools`. Each test knows all of them, as from a directory: finding the
//! right ones is part of the task. What is expected stands in [`mod@tests`].

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the test reads files and stops at surprises"
)]

mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use claviger_pki::chain::{self, Pool};
use claviger_pki::path::{Anchors, Known, Options, Policies, Purpose, Revocation};
use claviger_pki::{Certificate, Crl, UnixTime};

/// 2026-11-22T00:00:00Z; the suite is valid from 2010 to 2030.
const NOW: UnixTime = UnixTime(1_795_305_600);
/// The suite's own policies are numbered below this arc.
const POLICY_ARC: &str = "2.16.840.1.101.3.2.1.48";

/// One test.
struct Test {
    number: &'static str,
    leaf: &'static str,
    inputs: &'static [Input],
    is_valid: bool,
}

/// Inputs to path validation (RFC 5280, 6.1.1) that differ from the default.
#[derive(Clone, Copy)]
enum Input {
    /// initial-explicit-policy.
    Explicit,
    /// initial-policy-mapping-inhibit.
    NoMapping,
    /// initial-any-policy-inhibit.
    NoAny,
    /// One of the user-initial-policy-set.
    Policy(u32),
}

#[test]
fn every_test_of_pkits_gets_its_answer() {
    let folder = folder();
    let certificates = files(&folder.join("certs"));
    let read = certificates.iter().filter_map(|file| Certificate::parse(&std::fs::read(file).unwrap()).ok());
    let intermediates = Pool::new(read);
    let crls: Vec<Crl> = files(&folder.join("crls"))
        .iter()
        .filter_map(|file| Crl::parse(&std::fs::read(file).unwrap()).ok())
        .collect();
    let root = std::fs::read(folder.join("certs/TrustAnchorRootCertificate.crt")).unwrap();
    let anchors = Pool::new([Certificate::parse(&root).unwrap()]);
    let known = Known { intermediates: &intermediates, anchors: Anchors::Only(&anchors), crls: &crls };

    let (mut differences, mut false_accepts, mut wrong_files) = (Vec::new(), 0, BTreeSet::new());
    for test in &tests::TESTS {
        let answer = judge(test, &folder, &known);
        if answer.is_ok() != test.is_valid {
            let ours = answer.err().unwrap_or_else(|| "accepted".to_owned());
            let expected = if test.is_valid { "valid" } else { "invalid" };
            false_accepts += usize::from(!test.is_valid);
            wrong_files.insert(test.leaf);
            differences.push(format!("{} {} | {expected} | {ours}", test.number, test.leaf));
        }
    }
    let all: BTreeSet<&str> = tests::TESTS.iter().map(|test| test.leaf).collect();
    let (said, agreed) = (tests::TESTS.len(), tests::TESTS.len() - differences.len());
    println!("PKITS: {agreed} of {said} as expected, {false_accepts} false accepts");
    println!(
        "PKITS: {} of {} end entities right under all their inputs",
        all.len() - wrong_files.len(),
        all.len()
    );
    let titled: Vec<&&str> =
        all.iter().filter(|leaf| leaf.starts_with("Valid") || leaf.starts_with("Invalid")).collect();
    let right = titled.iter().filter(|leaf| !wrong_files.contains(**leaf)).count();
    println!("PKITS: {right} of {} end entities whose names say what is expected", titled.len());
    println!("test | suite | here\n{}", differences.join("\n"));
    assert_eq!(false_accepts, 0, "{differences:#?}");
    assert!(right >= 201 && titled.len() == 203, "{differences:#?}");
    assert_eq!(wrong_files, BTreeSet::from(DSA), "{differences:#?}");
}

/// Valid in the suite, and refused here: DSA is not taken (`docs/decisions/path-validation.md`).
const DSA: [&str; 2] = ["ValidDSAParameterInheritanceTest5", "ValidDSASignaturesTest4"];

fn judge(test: &Test, folder: &Path, known: &Known<'_>) -> Result<(), String> {
    let file = folder.join(format!("certs/{}EE.crt", test.leaf));
    let leaf = Certificate::parse(&std::fs::read(file).unwrap()).map_err(|refusal| refusal.to_string())?;
    let mut policies = Policies::default();
    for input in test.inputs {
        match input {
            Input::Explicit => policies.require_explicit = true,
            Input::NoMapping => policies.inhibit_mapping = true,
            Input::NoAny => policies.inhibit_any = true,
            Input::Policy(number) => policies.wanted.push(format!("{POLICY_ARC}.{number}")),
        }
    }
    let options = Options { policies, revocation: Revocation::Required, ..Options::new(NOW, Purpose::Any) };
    chain::build(&leaf, known, &options).verdict.map_err(|refusal| format!("{refusal} at {}", refusal.place))
}

fn folder() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools");
    let tools = std::env::var_os("CLAVIGER_TOOLS").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let libraries = std::fs::read_dir(tools.join("venv/lib")).into_iter().flatten().flatten();
    let vectors = "site-packages/cryptography_vectors/x509/PKITS_data";
    let mut found = libraries.map(|entry| entry.path().join(vectors)).filter(|folder| folder.is_dir());
    found.next().expect("PKITS is not there: cargo xtask tools installs it")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
