//! A PEM bundle of 10,000 certificates: read, chained, stored durably; beside OpenSSL's parse of the same file.
//!
//! `cargo bench --package claviger-app --bench import [-- COUNT]`. Run by hand; the figures stand in
//! `docs/performance.md`.

#![expect(clippy::print_stdout, reason = "it prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on may end")]

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use claviger_app::certificate::{self, Import, Taken};
use claviger_app::job;
use claviger_app::testing::Fixture;
use domain::Moment;
use domain::permission::uses;
use pki::chain::{Chain, Pool, Series};
use pki::format::pem_write;
use pki::issue::{self, Purpose, Template};
use pki::name::{Attribute, AttributeType};
use pki::{Certificate, DistinguishedName, PublicKey, Signer, SubjectAltName, UnixTime};
use testkit::{SeededRandom, TestClock, TestSigner, fresh_store};
use token::InstanceKey;

/// 2026-11-21T12:00:00Z.
const START: Moment = Moment(1_795_262_400_000);
const DAY: i64 = 86_400;
/// Issuing CAs below the one root.
const ISSUERS: usize = 10;

fn main() {
    let count = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(10_000);
    for (kind, make) in [("RSA 2048", TestSigner::rsa as fn() -> TestSigner), ("EC P-256", TestSigner::ec)] {
        let pem = bundle(count, make, &|| TestSigner::ec().public_key().clone());
        println!("{count} certificates of P-256 keys, signed by {kind}, {} KB of PEM", pem.len() / 1024);
        parse_and_chain(pem.as_bytes(), count);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(store(pem.as_bytes(), count));
        openssl(pem.as_bytes(), count);
        go(pem.as_bytes());
    }
    let key = TestSigner::ec().public_key().clone();
    let pem = bundle(count, TestSigner::ec, &|| key.clone());
    println!("{count} certificates of one P-256 key, signed by EC P-256");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(store(pem.as_bytes(), count));
    println!("largest memory of this process: {} MB", peak_memory() / 1024);
}

/// Leaves of ten issuers in turn, then the issuers, then the root.
fn bundle(count: usize, make: fn() -> TestSigner, key: &dyn Fn() -> PublicKey) -> String {
    let above = make();
    let root = signed(0, ("Bench Root", "Bench Root"), (above.public_key(), Purpose::Root), &above, None);
    let issuers: Vec<(String, TestSigner)> =
        (0..ISSUERS).map(|number| (format!("Bench CA {number}"), make())).collect();
    let below = Purpose::Intermediate { path_len: 0 };
    let intermediates: Vec<Certificate> = issuers
        .iter()
        .enumerate()
        .map(|(number, (name, signer))| {
            signed(number + 1, (name, "Bench Root"), (signer.public_key(), below), &above, None)
        })
        .collect();
    let leaves: Vec<Certificate> = (0..count - ISSUERS - 1)
        .map(|number| {
            let (name, signer) = &issuers[number % ISSUERS];
            let key = key();
            let host = format!("site-{number:05}.example.org");
            signed(1_000 + number, ("", name), (&key, Purpose::TlsServer), signer, Some(&host))
        })
        .collect();
    let all = leaves.iter().chain(&intermediates).chain([&root]);
    pem_write::chain(all.map(Certificate::der))
}

fn signed(
    serial: usize,
    (subject, issuer): (&str, &str),
    (key, purpose): (&PublicKey, Purpose),
    signer: &TestSigner,
    host: Option<&str>,
) -> Certificate {
    let template = Template {
        serial: (serial as u64 + (1 << 40)).to_be_bytes()[2..].to_vec(),
        issuer: common_name(issuer),
        subject: common_name(subject),
        public_key: key.clone(),
        not_before: UnixTime(START.unix().0 - 10 * DAY),
        not_after: UnixTime(START.unix().0 + if host.is_some() { 60 } else { 3_000 } * DAY),
        names: host.iter().map(|host| SubjectAltName::parse(host).unwrap()).collect(),
        purpose,
        authority_key_id: None,
        ca_issuers_url: None,
    };
    let tbs = issue::to_be_signed(&template, signer.algorithm().certificate_scheme()).unwrap();
    Certificate::parse(&issue::sign(&tbs, signer).unwrap()).unwrap()
}

fn common_name(name: &str) -> DistinguishedName {
    DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, name)]).unwrap()
}

/// What each part took, of one core.
#[derive(Clone, Copy)]
struct Spent {
    parsed: Duration,
    chained: Duration,
}

/// On this one thread: CPU time is that of one core. Chained as import does it: every chain to its root, every signature
/// checked, every chain validated, every finding told.
fn parse_and_chain(pem: &[u8], count: usize) {
    let best = (0..5).map(|_| spent(pem, count)).min_by_key(|spent| spent.parsed + spent.chained).unwrap();
    let signatures = (0..5).map(|_| signatures(pem)).min().unwrap();
    let rate = |time: Duration| count as f64 / time.as_secs_f64();
    let rest = best.chained.saturating_sub(signatures);
    println!("  parsed:                     {:9.0} per second of one core", rate(best.parsed));
    println!("  signatures checked:         {:9.0} per second of one core", rate(signatures));
    println!("  search, rules and findings: {:9.0} per second of one core", rate(rest));
    let both = rate(best.parsed + best.chained);
    println!("  parsed and chained:         {both:9.0} per second of one core (goal 20,000)");
}

fn spent(pem: &[u8], count: usize) -> Spent {
    let start = cpu();
    let all = parsed(pem);
    let parsed = cpu() - start;
    let pool = Pool::new(all.iter().filter(|one| one.is_ca()).cloned());
    let mut series = Series::learning(pool, START.unix());
    let sound = all.iter().filter(|one| is_sound(&series.chain(one))).count();
    assert_eq!(sound, count);
    Spent { parsed, chained: cpu() - start - parsed }
}

fn is_sound(chain: &Chain) -> bool {
    chain.is_complete() && chain.verdict.is_ok()
}

/// Nothing but the checks: each certificate's signature by its issuer, who is known.
fn signatures(pem: &[u8]) -> Duration {
    let all = parsed(pem);
    let issuers: HashMap<&[u8], &Certificate> =
        all.iter().filter(|one| one.is_ca()).map(|one| (one.subject().der(), one)).collect();
    let start = cpu();
    assert!(all.iter().all(|one| one.is_signed_by(issuers[one.issuer().der()])));
    cpu() - start
}

fn parsed(pem: &[u8]) -> Vec<Certificate> {
    let contents = pki::format::read(pem, None).unwrap();
    contents.items.into_iter().filter_map(pki::format::Item::into_certificate).collect()
}

/// The whole way: read, checked, kept, stored in parts by the job, all durable.
async fn store(pem: &[u8], count: usize) {
    let fresh = fresh_store().await;
    let (clock, random) = (Arc::new(TestClock::at(START)), Arc::new(SeededRandom::new(1)));
    let data = tempfile::tempdir().unwrap();
    let instance = InstanceKey::generate(&*random);
    let app = Fixture::empty(fresh.store.clone(), instance, clock, random, data.path().to_owned());
    let fixture = Fixture::installed(app).await.unwrap();
    let by = fixture.may(uses::ManageTlsCertificates).unwrap();
    let before = peak_memory();
    let start = Instant::now();
    let input = Import { files: vec![pem.to_vec().into()], ..Import::default() };
    let taken = certificate::import(&fixture.app, &by, input).await.unwrap();
    let answered = start.elapsed();
    let Taken::AsJob(begun) = taken else { panic!("so many come as a job") };
    job::run_due(&fixture.app).await.unwrap();
    let stored = start.elapsed();
    let see = fixture.may(uses::ViewCertificates).unwrap();
    let ended = job::find(&fixture.app, &see, &begun.id).await.unwrap();
    assert!(
        ended.progress.starts_with(&format!("{count} certificates are stored: {count} new")),
        "{ended:?}"
    );
    println!("  answered with a job after {answered:.2?}, durable after {stored:.2?} (goal 3 s)");
    println!("  memory grew by {} MB at most", peak_memory().saturating_sub(before) / 1024);
}

/// OpenSSL's own readers of such a file; the programs' start is counted, and is a few milliseconds.
fn openssl(pem: &[u8], count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.pem");
    std::fs::write(&file, pem).unwrap();
    let ways: [(&str, &[&str]); 2] = [
        ("crl2pkcs7 -nocrl", &["crl2pkcs7", "-nocrl", "-outform", "DER", "-out", "/dev/null", "-certfile"]),
        ("storeutl -noout", &["storeutl", "-noout", "-certs"]),
    ];
    for (name, arguments) in ways {
        let best = (0..3).map(|_| timed(arguments, &file)).min().unwrap_or_default();
        let rate = count as f64 / best.as_secs_f64();
        println!("  openssl {name:19} {rate:9.0} per second, parsed only");
    }
}

fn timed(arguments: &[&str], file: &Path) -> Duration {
    let start = Instant::now();
    let ended = Command::new("openssl").args(arguments).arg(file).stdout(Stdio::null()).status();
    assert!(ended.unwrap().success());
    start.elapsed()
}

/// Go's readers, where Go is installed: parsed only, as its program says itself.
fn go(pem: &[u8]) {
    const PROGRAM: &str = r#"
package main

import ("crypto/x509"; "encoding/pem"; "fmt"; "os"; "time")

func main() {
	rest, _ := os.ReadFile(os.Args[1])
	count, start := 0, time.Now()
	for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); err != nil { panic(err) }
		count++
	}
	fmt.Printf("  go x509.ParseCertificate   %9.0f per second, parsed only\n", float64(count)/time.Since(start).Seconds())
}
"#;
    let folder = tempfile::tempdir().unwrap();
    let (program, file) = (folder.path().join("parse.go"), folder.path().join("bundle.pem"));
    std::fs::write(&program, PROGRAM).unwrap();
    std::fs::write(&file, pem).unwrap();
    // Go keeps what it compiled below the home folder, unless told otherwise.
    let cache = folder.path().join("cache");
    let ran = Command::new("go").arg("run").arg(&program).arg(&file).env("GOCACHE", cache).output();
    match ran {
        Ok(ran) if ran.status.success() => print!("{}", String::from_utf8_lossy(&ran.stdout)),
        Ok(ran) => println!("  go failed: {}", String::from_utf8_lossy(&ran.stderr)),
        Err(_) => println!("  go is not installed, and was not asked"),
    }
}

/// CPU of this thread so far, from `/proc/thread-self/schedstat`.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0))
}

/// The most memory that this process had, in KB.
fn peak_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
