//! What others say about the certificates that we make: pkilint about each of them, OpenSSL about the chains.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod common;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use claviger_issuer::authority::{intermediate_template, root_template};
use claviger_issuer::{Answer, AuthorityCertificates, Wanted, connector};
use common::{Chance, Key, NOW, csr, name, signed};
use domain::issuer::{IssuerKind, Profile};
use domain::key::KeyUsage;
use pki::{Certificate, DistinguishedName, KeyAlgorithm, Signer, SubjectAltName};

/// What is reported and yet right.
const EXPECTED: [(&str, &str); 4] = [
    // RFC 5280 leaves the meaning of wildcards open (4.2.1.6), so that its linter knows none.
    ("lint_pkix_cert", "pkix.invalid_domain_name_syntax: Invalid domain name syntax: \"*.example.org\""),
    // A public CA names one of the CA/B Forum's policies.
    ("lint_cabf_serverauth_cert", "cabf.serverauth.subscriber.certificate_policies_extension_absent"),
    // A public CA says where to ask about revocation; this one has no such address yet.
    ("lint_cabf_serverauth_cert", "cabf.serverauth.subscriber.revocation_information_absent"),
    ("lint_cabf_serverauth_cert", "msft.end_entity.revocation_information_absent"),
];

/// One of each kind: keys of other sizes make certificates of the same form.
const ALGORITHMS: [KeyAlgorithm; 4] =
    [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa2048];

/// One certificate and whose it is.
struct Made {
    what: String,
    profile: Option<Profile>,
    certificate: Certificate,
}

impl Made {
    /// Whether it is what a public CA could have issued: for TLS servers, with a key that browsers take.
    fn is_for_browsers(&self) -> bool {
        let is_tls = self.profile.as_ref().is_some_and(|profile| profile.id.as_str() == "tls");
        let key = self.certificate.public_key().algorithm();
        is_tls && !self.certificate.is_self_signed() && key != Some(KeyAlgorithm::Ed25519)
    }
}

/// Root, intermediate, and one leaf for each profile and algorithm, issued and self-signed.
struct World {
    authority: AuthorityCertificates,
    made: Vec<Made>,
}

impl World {
    fn new(ca_algorithm: KeyAlgorithm) -> Self {
        let (root_key, key, random) = (Key::new(ca_algorithm), Key::new(ca_algorithm), Chance::default());
        let root = root_template("Test", root_key.public_key().clone(), NOW, &random).unwrap();
        let root = signed(&root, &root_key);
        let intermediate =
            intermediate_template("Test", key.public_key().clone(), &root, NOW, &random).unwrap();
        let intermediate = signed(&intermediate, &root_key);
        let ca_issuers_url = Some("http://ca.example.org/intermediate.crt".to_owned());
        let authority = AuthorityCertificates { root, intermediate, ca_issuers_url };
        let mut world = Self { made: Vec::new(), authority };
        for (what, certificate) in
            [("root", &world.authority.root), ("intermediate", &world.authority.intermediate)]
        {
            let what = format!("{what}, {}", ca_algorithm.label());
            world.made.push(Made { what, profile: None, certificate: certificate.clone() });
        }
        for profile in Profile::built_in() {
            for algorithm in ALGORITHMS {
                for (kind, signer) in [(IssuerKind::Internal, Some(&key)), (IssuerKind::SelfSigned, None)] {
                    let made = world.issue(kind, &profile, algorithm, signer);
                    world.made.push(made);
                }
            }
        }
        world
    }

    fn issue(
        &self,
        kind: IssuerKind,
        profile: &Profile,
        algorithm: KeyAlgorithm,
        signer: Option<&Key>,
    ) -> Made {
        let key = Key::of(algorithm);
        let names: &[&str] = match profile.usage {
            KeyUsage::Tls => &["www.example.org", "*.example.org", "xn--bcher-kva.example.org"],
            _ => &[],
        };
        let subject = subject(profile.usage);
        let names: Vec<SubjectAltName> = names.iter().map(|name| name.parse().unwrap()).collect();
        let request = csr(&key, &subject, &names);
        let wanted = Wanted {
            csr: &request,
            subject: &subject,
            names: &names,
            profile,
            lifetime: profile.lifetime,
            now: NOW,
        };
        let issuer = connector(kind);
        let Answer::Prepared(prepared) =
            issuer.prepare(&wanted, Some(&self.authority), &Chance::default()).unwrap()
        else {
            panic!("{kind} waits for a person");
        };
        let signer = signer.unwrap_or(&key);
        let certificate = issuer.finish(&prepared.to_be_signed, Some(&self.authority), signer).unwrap();
        let what = format!("{kind} {}, {}", profile.id, algorithm.label());
        Made { what, profile: Some(profile.clone()), certificate }
    }
}

fn subject(usage: KeyUsage) -> DistinguishedName {
    match usage {
        KeyUsage::Tls => name(&[("CN", "www.example.org")]),
        _ => name(&[("C", "EE"), ("O", "Acme, \"Inc.\" Ü"), ("CN", "DEV/COM/1234"), ("serialNumber", "A-1")]),
    }
}

/// Writes a certificate where programs can read it.
fn write(directory: &Path, file: &str, certificate: &Certificate) -> String {
    let path = directory.join(file);
    std::fs::write(&path, certificate.der()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The findings of each job.
fn lint(jobs: &[Vec<String>]) -> Vec<Vec<String>> {
    let python = PathBuf::from(std::env::var_os("CLAVIGER_TOOLS").expect("cargo sets CLAVIGER_TOOLS"))
        .join("venv/bin/python");
    let mut linter = Command::new(&python)
        .args(["-c", include_str!("lint.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask tools` installs it", python.display()));
    linter.stdin.take().unwrap().write_all(serde_json::to_string(jobs).unwrap().as_bytes()).unwrap();
    let output = linter.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn job(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

#[test]
fn pkilint_finds_nothing_in_what_we_make() {
    let directory = tempfile::tempdir().unwrap();
    let (mut jobs, mut about) = (Vec::new(), Vec::new());
    for algorithm in [KeyAlgorithm::EcP256, KeyAlgorithm::Rsa2048] {
        let world = World::new(algorithm);
        let at =
            |file: &str, certificate| write(directory.path(), &format!("{algorithm:?}-{file}"), certificate);
        let root = at("root", &world.authority.root);
        let intermediate = at("intermediate", &world.authority.intermediate);
        for (index, made) in world.made.iter().enumerate() {
            let file = at(&index.to_string(), &made.certificate);
            let mut add = |parts: &[&str]| {
                jobs.push(job(parts));
                about.push(format!("{}, by {}: {}", parts[0], algorithm.label(), made.what));
            };
            add(&["lint_pkix_cert", "WARNING", &file]);
            let issuer = match made.certificate.role() {
                _ if made.certificate.is_self_signed() => &file,
                pki::Role::Intermediate => &root,
                _ => &intermediate,
            };
            add(&["lint_pkix_signer_signee_cert_chain", "WARNING", issuer, &file]);
            if made.is_for_browsers() {
                add(&["lint_cabf_serverauth_cert", "ERROR", "-t", "DV-FINAL-CERTIFICATE", &file]);
            }
        }
    }
    let found: BTreeSet<String> = std::iter::zip(about, lint(&jobs))
        .flat_map(|(about, findings)| findings.into_iter().map(move |finding| format!("{about}: {finding}")))
        .filter(|finding| {
            !EXPECTED.iter().any(|(program, code)| finding.starts_with(program) && finding.contains(code))
        })
        .collect();
    assert!(jobs.len() > 100, "{} jobs", jobs.len());
    assert!(found.is_empty(), "{}", found.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn openssl_takes_our_chains_by_the_letter() {
    let directory = tempfile::tempdir().unwrap();
    for algorithm in [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::Rsa2048] {
        let world = World::new(algorithm);
        let pem = |file: &str, certificate: &Certificate| {
            let path = directory.path().join(format!("{algorithm:?}-{file}.pem"));
            std::fs::write(&path, pki::format::pem_write::certificate(certificate.der())).unwrap();
            path
        };
        let root = pem("root", &world.authority.root);
        let intermediate = pem("intermediate", &world.authority.intermediate);
        for (index, made) in world.made.iter().enumerate() {
            let file = pem(&index.to_string(), &made.certificate);
            let anchor = if made.certificate.is_self_signed() { &file } else { &root };
            let mut openssl = Command::new("openssl");
            openssl.args(["verify", "-x509_strict", "-check_ss_sig", "-attime"]);
            openssl.arg((NOW.unix().0 + 60).to_string());
            openssl.arg("-CAfile").arg(anchor).arg("-untrusted").arg(&intermediate);
            if made.profile.as_ref().is_some_and(|profile| profile.usage == KeyUsage::Tls) {
                openssl.args(["-purpose", "sslserver", "-verify_hostname", "a.example.org"]);
            }
            let output = openssl.arg(&file).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{} under {}: {said}", made.what, algorithm.label());
        }
    }
}
