//! x509-limbo judges chains: every case of its file goes through [`claviger_pki::chain::build`], which import, what is
//! served, export and `claviger chain` build theirs with; with the same demands for all cases of one kind.
//!
//! The file is not part of this repository. It is looked for at `CLAVIGER_LIMBO`, else at `../shared/limbo/limbo.json`
//! beside the checkout; without it, nothing is claimed. What differs is explained in
//! `docs/decisions/path-validation.md`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the test reads a file, says when it is not there, stops at surprises, and measures how long each case takes"
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use claviger_pki::chain::{self, Pool};
use claviger_pki::format::{self, Object};
use claviger_pki::path::{Anchors, Known, Options, Purpose};
use claviger_pki::{Certificate, Crl, SubjectAltName, UnixTime};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// 2026-11-22T00:00:00Z, for the cases that give no moment.
const NOW: UnixTime = UnixTime(1_795_305_600);
/// Judged as limbo does, at least; the file as it was tried has 194 cases.
const AT_LEAST: usize = 191;
/// In a test build, which is slow; the goal is 50 ms in a release build.
const SLOWEST: Duration = Duration::from_millis(1500);

/// How a case ended: the code of the refusal, if it was refused.
type Answer = Result<(), String>;

#[test]
fn every_case_of_limbo_gets_its_answer() {
    let Some(cases) = cases() else { return };
    let (mut differences, mut false_rejects, mut slow) = (Vec::new(), 0, Vec::new());
    for case in &cases {
        let started = Instant::now();
        let answer = judge(case);
        if started.elapsed() > SLOWEST {
            slow.push(format!("{}: {:?}", text(&case["id"]), started.elapsed()));
        }
        let expected = text(&case["expected_result"]) == "SUCCESS";
        if answer.is_ok() != expected {
            let ours = answer.err().unwrap_or_else(|| "accepted".to_owned());
            false_rejects += usize::from(expected);
            differences.push(format!("{} | {} | {ours}", text(&case["id"]), text(&case["expected_result"])));
        }
    }
    let agreed = cases.len() - differences.len();
    println!("x509-limbo: {agreed} of {} as expected, {false_rejects} false rejects", cases.len());
    println!("case | limbo | here\n{}", differences.join("\n"));
    assert_eq!(false_rejects, 0, "{differences:#?}");
    // Another edition of the suite may have more cases: then as many differences as here.
    assert!(agreed + (194 - AT_LEAST) >= cases.len(), "{differences:#?}");
    assert!(slow.is_empty(), "{slow:#?}");
}

fn cases() -> Option<Vec<Value>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/limbo/limbo.json");
    let file = std::env::var_os("CLAVIGER_LIMBO").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if !file.exists() {
        println!("x509-limbo was NOT run: there is no {}; set CLAVIGER_LIMBO", file.display());
        return None;
    }
    let mut suite: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    match suite["testcases"].take() {
        Value::Array(cases) if !cases.is_empty() => Some(cases),
        other => panic!("{} has no cases: {other}", file.display()),
    }
}

fn judge(case: &Value) -> Answer {
    let leaf = certificate(text(&case["peer_certificate"]))?;
    let anchors = pool(&case["trusted_certs"]);
    let intermediates = pool(&case["untrusted_intermediates"]);
    let crls: Vec<Crl> = pems(&case["crls"]).filter_map(crl).collect();
    let purpose = match text(&case["validation_kind"]) {
        "SERVER" => Purpose::Server,
        "CLIENT" => Purpose::Client,
        other => panic!("a new kind: {other}"),
    };
    let alone = [case["expected_peer_name"].clone()];
    let several = case["expected_peer_names"].as_array().map_or(&[][..], Vec::as_slice);
    let peers: Vec<SubjectAltName> = alone.iter().chain(several).filter_map(peer).collect();
    let options = Options {
        peers: &peers,
        max_intermediates: case["max_chain_depth"].as_u64().map(|depth| usize::try_from(depth).unwrap()),
        ..Options::new(moment(&case["validation_time"]), purpose)
    };
    let known = Known { intermediates: &intermediates, anchors: Anchors::Only(&anchors), crls: &crls };
    chain::build(&leaf, &known, &options).verdict.map_err(|refusal| refusal.to_string())
}

fn moment(value: &Value) -> UnixTime {
    let parse = |text| UnixTime(OffsetDateTime::parse(text, &Rfc3339).unwrap().unix_timestamp());
    value.as_str().map_or(NOW, parse)
}

fn peer(value: &Value) -> Option<SubjectAltName> {
    let name = value["value"].as_str()?;
    Some(match text(&value["kind"]) {
        "DNS" => SubjectAltName::Dns(name.to_owned()),
        "IP" => SubjectAltName::Ip(name.parse().unwrap()),
        "RFC822" => SubjectAltName::Email(name.to_owned()),
        other => panic!("a new kind of name: {other}"),
    })
}

/// What cannot be read is not known.
fn pool(list: &Value) -> Pool {
    Pool::new(pems(list).filter_map(|pem| certificate(pem).ok()))
}

fn pems(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().map(text)
}

fn certificate(pem: &str) -> Result<Certificate, String> {
    let contents = format::read(pem.as_bytes(), None).map_err(|refusal| refusal.to_string())?;
    contents
        .items
        .into_iter()
        .find_map(format::Item::into_certificate)
        .ok_or_else(|| "no certificate".to_owned())
}

fn crl(pem: &str) -> Option<Crl> {
    let items = format::read(pem.as_bytes(), None).ok()?.items;
    items.into_iter().find_map(|item| match item.object {
        Object::Crl(crl) => Some(crl),
        Object::Certificate(_) | Object::PrivateKey(_) | Object::Csr(_) => None,
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
