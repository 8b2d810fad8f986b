//! Which of several ways is the chain: the one that holds, whoever asks; and how long a thicket takes.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "the tests stop at surprises, ask openssl, and measure how long a search takes"
)]

mod maker;

use std::time::{Duration, Instant};

use claviger_pki::chain::{self, Chain, Pool, Series};
use claviger_pki::path::{Known, Options, Purpose};
use claviger_pki::{Certificate, UnixTime};
use maker::{CRITICAL, Fields, extension, seq, tlv};

/// 2026-11-22T00:00:00Z.
const NOW: UnixTime = UnixTime(1_795_305_600);

fn read(fields: Fields) -> Certificate {
    Certificate::parse(&fields.der()).unwrap()
}

/// The chain as everybody builds it; they must agree.
fn chain(leaf: &Certificate, known: &[Certificate]) -> Chain {
    let pool = Pool::new(known.iter().cloned());
    let built = chain::build(leaf, &Known::among(&pool), &Options::new(NOW, Purpose::Any));
    let of_series = Series::learning(pool, NOW).chain(leaf);
    let all = [leaf].into_iter().chain(known).cloned().collect();
    let of_file = chain::arrange_for(all, Some(&leaf.key_id()), NOW).chain;
    for other in [&of_series, &of_file] {
        let parts = |chain: &Chain| (chain.served.clone(), chain.root.clone(), chain.verdict.clone());
        assert_eq!(parts(other), parts(&built));
        assert_eq!(cannot(other), cannot(&built));
    }
    built
}

/// What is said about clients that cannot build it.
fn cannot(chain: &Chain) -> Vec<String> {
    let found = chain.findings.iter().filter(|finding| finding.code == "chain.client_cannot_build");
    found.map(|finding| format!("{}: {}", finding.place, finding.what)).collect()
}

/// Two roots that both issued the intermediate; something is wrong on the way to the first, which looks the better one,
/// for it ends later.
struct TwoWays {
    name: &'static str,
    /// What the first way is refused for.
    code: &'static str,
    /// Whether it is told as what nobody can build.
    is_told: bool,
    /// The intermediate and the root of the first way.
    first: [Fields; 2],
}

const LATER: &str = "20270301000000Z";

fn later(fields: Fields, more: Option<Vec<u8>>) -> Fields {
    let extensions = [fields.extensions.clone(), more.into_iter().collect()].concat();
    Fields { not_after: LATER.to_owned(), extensions, ..fields }
}

fn ways() -> Vec<TwoWays> {
    let issuing = || Fields::ca("CA", 100, "First", 101);
    let root = || Fields::ca("First", 101, "First", 101);
    let permitted = seq(&[&tlv(0xa0, &[&seq(&[&tlv(0x82, &[b"b.example"])])])]);
    let none_below = extension(19, CRITICAL, &seq(&[CRITICAL, &[2, 1, 0]]));
    let expired = Fields { not_after: "20261115000000Z".to_owned(), ..issuing() };
    let short = Fields { extensions: vec![none_below], ..later(root(), None) };
    let way = |name, code, is_told, first| TwoWays { name, code, is_told, first };
    vec![
        way("expired", "chain.expired", false, [expired, root()]),
        way(
            "for other names",
            "chain.name_constraints",
            true,
            [later(issuing(), Some(extension(30, CRITICAL, &permitted))), later(root(), None)],
        ),
        way("too long", "chain.path_length", true, [later(issuing(), None), short]),
        way(
            "with something critical that nobody knows",
            "cert.ext_critical",
            true,
            [later(issuing(), Some(extension(99, CRITICAL, &[5, 0]))), later(root(), None)],
        ),
    ]
}

#[test]
fn the_way_that_holds_is_the_chain() {
    let leaf = read(Fields::server());
    let sound = [Fields::ca("CA", 100, "Second", 102), Fields::ca("Second", 102, "Second", 102)].map(read);
    for TwoWays { name, code, is_told, first } in ways() {
        let first = first.map(read);
        let alone = chain(&leaf, &first);
        assert_eq!(alone.served, [leaf.clone(), first[0].clone()], "{name}");
        assert_eq!(alone.verdict.clone().unwrap_err().code, code, "{name}");
        assert_eq!(!cannot(&alone).is_empty(), is_told, "{name}: {:?}", alone.findings);
        for known in [[first.clone(), sound.clone()].concat(), [sound.clone(), first.clone()].concat()] {
            let both = chain(&leaf, &known);
            assert_eq!(both.served, [leaf.clone(), sound[0].clone()], "{name}");
            assert_eq!((both.root.as_ref(), both.verdict.clone()), (Some(&sound[1]), Ok(())), "{name}");
            assert_eq!(cannot(&both), [""; 0], "{name}");
        }
    }
}

#[test]
fn what_is_wrong_with_the_leaf_alone_does_not_choose_the_way() {
    let leaf = read(Fields { not_after: "20261115000000Z".to_owned(), ..Fields::server() });
    let sound = [Fields::ca("CA", 100, "Second", 102), Fields::ca("Second", 102, "Second", 102)].map(read);
    for TwoWays { name, first, .. } in ways() {
        let known = [first.map(read), sound.clone()].concat();
        let chain = chain(&leaf, &known);
        assert_eq!(chain.served, [leaf.clone(), sound[0].clone()], "{name}");
        assert_eq!(chain.verdict.unwrap_err().code, "cert.expired", "{name}");
    }
}

/// Thirty CAs with one name and thirty keys, each certified by each other one.
fn thicket() -> Vec<Certificate> {
    let pairs = (0..30_u8).flat_map(|subject| (0..30_u8).map(move |issuer| (subject, issuer)));
    let others = pairs.filter(|(subject, issuer)| subject != issuer);
    others.map(|(subject, issuer)| read(Fields::ca("CA", 100 + subject, "CA", 100 + issuer))).collect()
}

#[test]
fn a_thicket_costs_little_and_is_told() {
    let (leaf, thicket) = (read(Fields::server()), thicket());
    let pool = Pool::new(thicket.iter().cloned());
    let mut series = Series::learning(pool, NOW);
    let started = Instant::now();
    for _ in 0..10 {
        let chain = series.chain(&leaf);
        assert_eq!(chain.verdict.unwrap_err().code, "chain.budget");
        assert!(chain.findings.iter().any(|finding| finding.code == "chain.budget"), "{:?}", chain.findings);
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    // A file with so many is nothing that anybody means.
    let all = [vec![leaf.clone()], thicket.clone()].concat();
    assert_eq!(chain::refuse_crowd(&all).unwrap_err().code, "chain.budget");
    assert_eq!(chain::arrange(all, NOW).chain.verdict.unwrap_err().code, "chain.budget");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn a_root_is_found_beside_a_thicket() {
    // The leaf says which of the thirty keys signed it, and that one has a root of its own.
    let key_id = |number: u8| tlv(0x80, &[&[number]]);
    let leaf = Fields {
        extensions: [Fields::server().extensions, vec![extension(35, &[], &seq(&[&key_id(7)]))]].concat(),
        ..Fields::server()
    };
    let named = Fields {
        extensions: vec![maker::ca(), extension(14, &[], &tlv(4, &[&[7]]))],
        ..Fields::ca("CA", 100, "Root", 200)
    };
    let (leaf, named, root) = (read(leaf), read(named), read(Fields::ca("Root", 200, "Root", 200)));
    let others = thicket().into_iter().filter(|one| one.key_id() != named.key_id());
    let pool = Pool::new(others.chain([named.clone(), root.clone()]));
    let chain = Series::learning(pool, NOW).chain(&leaf);
    assert_eq!((chain.served, chain.root, chain.verdict), (vec![leaf, named], Some(root), Ok(())));
}

#[test]
fn only_an_address_that_can_be_asked_is_recommended() {
    let repair = |addresses: &[&str]| {
        let method = [6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 2];
        let one = |address: &&str| seq(&[&method, &tlv(0x86, &[address.as_bytes()])]);
        let list = seq(&[&addresses.iter().flat_map(one).collect::<Vec<_>>()]);
        let access = seq(&[&[6, 8, 0x2b, 6, 1, 5, 5, 7, 1, 1], &tlv(4, &[&list])]);
        let fields = Fields::server();
        let extensions = [fields.extensions.clone(), vec![access]].concat();
        let found = chain(&read(Fields { extensions, ..fields }), &[]).findings;
        assert_eq!(found[0].code, "chain.incomplete");
        found[0].repair.clone()
    };
    let (file, ldap, web) = ("file:///etc/passwd", "ldap://dc.example/cn=CA", "HTTP://ca.example/ca.cer");
    assert!(repair(&[file, ldap, web]).ends_with(&format!("at {web}.")));
    for nothing in [repair(&[file, ldap]), repair(&[])] {
        assert!(!nothing.contains("://") && nothing.contains("Import the intermediate"), "{nothing}");
    }
}

/// AuthorityKeyIdentifier with nothing but the issuer of the issuer's certificate and its serial number.
fn authority(issuer: &str, serial: &[u8]) -> Vec<u8> {
    let names = tlv(0xa1, &[&tlv(0xa4, &[&maker::name(issuer)])]);
    extension(35, &[], &seq(&[&names, &tlv(0x82, &[serial])]))
}

/// What OpenSSL says about the chain, judged as of now here; none where it accepts it.
fn openssl_refuses(leaf: &Certificate, middle: &Certificate, root: &Certificate) -> Option<String> {
    let place = tempfile::tempdir().unwrap();
    for (name, certificate) in [("leaf", leaf), ("middle", middle), ("root", root)] {
        std::fs::write(place.path().join(name), maker::pem("CERTIFICATE", certificate.der())).unwrap();
    }
    let time = NOW.0.to_string();
    let arguments = ["verify", "-attime", &time, "-CAfile", "root", "-untrusted", "middle", "leaf"];
    let run = std::process::Command::new("openssl").args(arguments).current_dir(place.path()).output();
    let run = run.unwrap();
    (!run.status.success()).then(|| String::from_utf8_lossy(&run.stderr).into_owned())
}

#[test]
fn who_names_another_certificate_of_its_ca_cannot_be_checked_by_openssl_and_that_is_told() {
    let root = read(Fields::ca("Root", 101, "Root", 101));
    let middle = read(Fields { serial: vec![0, 0x90], ..Fields::ca("CA", 100, "Root", 101) });
    let cases = [
        ("Root", &[0, 0x90][..], true),
        // In other letters it is the same name.
        ("ROOT", &[0, 0x90], true),
        ("Root", &[0x10], false),
        ("Another root", &[0, 0x90], false),
    ];
    for (issuer, serial, fits) in cases {
        let mut fields = Fields::server();
        fields.extensions.push(authority(issuer, serial));
        let leaf = read(fields);
        let built = chain(&leaf, &[middle.clone(), root.clone()]);
        assert_eq!((built.served.len(), built.verdict.is_ok()), (2, true), "no verdict is changed by it");
        let told = cannot(&built);
        let refused = openssl_refuses(&leaf, &middle, &root);
        assert_eq!((told.is_empty(), refused.is_none()), (fits, fits), "{issuer}: {told:?} {refused:?}");
        assert!(told.iter().all(|one| one.contains("OpenSSL, and what is built on it, cannot")), "{told:?}");
    }
}
