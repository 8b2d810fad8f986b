//! Key, CSR, internal issue, stored durably: 10,000 lineages in one batch, beside a shell loop of OpenSSL.
//!
//! `cargo bench --package claviger-app --bench issue [-- COUNT]`. Run by hand; the figures stand in
//! `docs/performance.md`.

#![expect(clippy::print_stdout, reason = "it prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on may end")]

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use claviger_app::lineage::{self, NewLineage};
use claviger_app::testing::Fixture;
use claviger_app::{Page, schedule};
use domain::id::{IssuerId, ProfileId, TokenId};
use domain::lineage::AtRenewal;
use domain::permission::uses;
use domain::{Clock, Moment};
use pki::{KeyAlgorithm, SubjectAltName};
use testkit::{SeededRandom, fresh_store};
use token::InstanceKey;

/// The real time: ids and rows are ordered by it, as they are on a server.
struct Wall;

impl Clock for Wall {
    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Moment(i64::try_from(since.as_millis()).unwrap())
    }
}

fn main() {
    let count = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(10_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (ours, tick) = runtime.block_on(ours(count));
    let openssl = openssl(40);
    println!("claviger: {ours:8.0} per second, {count} of them");
    println!("openssl:  {openssl:8.0} per second, a loop of genpkey, req, x509 -req");
    println!("ratio:    {:8.0}", ours / openssl);
    println!("one scheduler tick over {count} lineages, nothing due: {tick:?} of CPU");
}

async fn ours(count: usize) -> (f64, Duration) {
    let fresh = fresh_store().await;
    let (clock, random) = (Arc::new(Wall), Arc::new(SeededRandom::new(1)));
    let data = tempfile::tempdir().unwrap();
    let instance = InstanceKey::generate(&*random);
    let app = Fixture::empty(fresh.store.clone(), instance, clock, random, data.path().to_owned());
    let fixture = Fixture::installed(app).await.unwrap();
    create(&fixture, count).await;
    let (start, cpu) = (Instant::now(), cpu());
    fixture.run_due().await.unwrap();
    let rate = count as f64 / start.elapsed().as_secs_f64();
    println!("         {:8.3} ms of CPU each", (self::cpu() - cpu).as_secs_f64() * 1_000.0 / count as f64);
    check(&fixture, count).await;
    (rate, idle_tick(&fixture).await)
}

async fn create(fixture: &Fixture, count: usize) {
    let by = fixture.may(uses::ManageTlsCertificates).unwrap();
    for number in 0..count {
        let wanted = NewLineage {
            name: format!("site-{number:05}"),
            subject: Vec::new(),
            names: vec![SubjectAltName::parse(&format!("site-{number:05}.example.org")).unwrap()],
            owner: String::new(),
            token: TokenId::system(),
            algorithm: KeyAlgorithm::EcP256,
            at_renewal: AtRenewal::NewKey,
            exportable: None,
            issuer: IssuerId::of("internal"),
            profile: ProfileId::of("tls"),
            lifetime: None,
            targets: Vec::new(),
            backend: None,
        };
        lineage::create(&fixture.app, &by, wanted).await.unwrap();
    }
}

async fn check(fixture: &Fixture, count: usize) {
    let see = fixture.may(uses::ViewCertificates).unwrap();
    let (mut page, mut seen) = (Page::first(500), 0);
    loop {
        let views = lineage::list(&fixture.app, &see, Default::default(), page.clone()).await.unwrap();
        let Some(last) = views.last() else { break };
        page.after = Some(store::lineage::cursor(&last.lineage));
        seen += views.iter().filter(|view| view.current.is_some()).count();
    }
    assert_eq!(seen, count, "every lineage has its certificate");
}

/// CPU of one tick when nothing is due; the median of many.
async fn idle_tick(fixture: &Fixture) -> Duration {
    let mut costs = Vec::new();
    for _ in 0..101 {
        let before = cpu();
        schedule::tick(&fixture.app).await.unwrap();
        costs.push(cpu() - before);
    }
    costs.sort();
    costs[50]
}

/// CPU of this process so far, user and system, from `/proc/self/stat` in ticks of 10 ms; finer from schedstat.
fn cpu() -> Duration {
    let mut all = Duration::ZERO;
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let nanoseconds = text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0);
        all += Duration::from_nanos(nanoseconds);
    }
    all
}

fn openssl(count: u32) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let script = "set -e
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 9 2>/dev/null
        i=0; while [ $i -lt $COUNT ]; do i=$((i+1))
          openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $i.key
          openssl req -new -key $i.key -subj /CN=site-$i -out $i.csr
          openssl x509 -req -in $i.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $i.pem -days 9 2>/dev/null
        done";
    let start = Instant::now();
    let ended =
        Command::new("sh").args(["-c", script]).env("COUNT", count.to_string()).current_dir(&folder).status();
    assert!(ended.unwrap().success());
    f64::from(count) / start.elapsed().as_secs_f64()
}
