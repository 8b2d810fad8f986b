//! `chain FILE...`: builds the chain, repairs what is wrong, says why, writes what a server must send.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use outbound::IpNet;
use pki::chain::{Arranged, arrange_with_lists};
use pki::format::pem_write;
use pki::{Blocklist, Certificate, Crl, Finding, KeyId, Severity, UnixTime};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::destination::{Destination, Existing, Mode};
use super::explain::{self, Root, Why};
use super::fetch::{self, Fetched};
use super::input::{Input, Judging};
use super::material::Material;
use super::passphrase::{MayAsk, Passphrases};
use super::report::{self, Page};
use super::together::Locks;
use crate::cli::ink::Ink;
use crate::cli::output;

/// Arranges certificates into a chain and explains it.
#[derive(Debug, Args)]
#[command(after_help = "\
With a private key among the files, the chain is that of the key's certificate.
Revocation lists among the files count. A chain with an error is not written.
Nothing is fetched without --fetch: the finding says where a missing intermediate can be had.
Exit code: 0 nothing is wrong, 1 something was refused or the chain has an error, 2 wrong usage.

Examples:
  claviger chain leaf.pem intermediate.der root.crt
  claviger chain answer-of-the-ca.p7b --write fullchain.pem
  claviger chain leaf.pem --fetch --write fullchain.pem
  claviger chain shop.example:443")]
pub struct Chain {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    judging: Judging,
    /// Fetch missing intermediates from where the certificates say that they can be had; a root is not taken
    #[arg(long)]
    fetch: bool,
    /// A network that is not public and may be asked all the same, like 10.0.0.0/8; repeat it
    #[arg(long, value_name = "NETWORK", requires = "fetch")]
    permit: Vec<IpNet>,
    /// Write what a server sends (the leaf, then the intermediates) to a file, as PEM; - is standard output
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Write the root too, for a device that wants it
    #[arg(long, requires = "write")]
    root: bool,
    /// Write over a file that is there
    #[arg(long, requires = "write")]
    force: bool,
}

impl Chain {
    /// Runs it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let may_ask = if self.judging.json { MayAsk::Never } else { MayAsk::IfSomebodyIsThere };
        let given = Passphrases::new(&self.input.passphrase_file, may_ask);
        let (passphrases, blocklist, sources) = match (given, self.judging.blocklist(), self.input.read()) {
            (Ok(passphrases), Ok(blocklist), Ok(sources)) => (passphrases, blocklist, sources),
            (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => {
                return Ok(output::wrong_usage(&error));
            }
        };
        let existing = Existing::by(self.force);
        let destination =
            self.write.as_deref().map(|path| Destination::new(Some(path), existing)).transpose()?;
        let now = self.judging.moment();
        let material = Material::read(&sources, &passphrases)?;
        let fetched = self.fetched(&material, now)?;
        let built = Built::new(&material, fetched, self.root_wish(), (blocklist.as_ref(), now));
        let is_sound = report::has_no_error(&built.findings);
        let mut sentences = built.sentences.clone();
        sentences.extend(built.outcome(destination.as_ref(), is_sound));
        // What was asked for on standard output must not have a page around it.
        let is_taken = destination.as_ref().is_some_and(Destination::is_standard_output);
        match (is_taken, self.judging.json) {
            (true, _) => eprint!("{}", built.page(&sentences, Ink::for_errors(), now)),
            (false, true) => output::json(&built.json(&sentences))?,
            (false, false) => output::text(&built.page(&sentences, Ink::for_output(), now))?,
        }
        if let Some(destination) = destination.filter(|_| is_sound) {
            destination.write(built.pem().as_bytes(), Mode::Open)?;
        }
        Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// What is missing, where it shall be fetched.
    fn fetched(&self, material: &Material, now: UnixTime) -> anyhow::Result<Fetched> {
        if !self.fetch {
            return Ok(Fetched::default());
        }
        fetch::missing(&self.permit, |more| arranged(material, more, now).chain)
    }

    fn root_wish(&self) -> Root {
        if self.root { Root::Written } else { Root::LeftOut }
    }
}

/// What `chain --json` prints. Its certificates are made one by one while it is written: each takes more memory as JSON
/// than as a certificate.
#[derive(Serialize)]
struct ChainJson<'a> {
    complete: bool,
    served: Certificates<'a>,
    root: Option<Value>,
    unrelated: Certificates<'a>,
    explanation: &'a [String],
    findings: Vec<Value>,
}

struct Certificates<'a>(&'a [Certificate]);

impl Serialize for Certificates<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(report::certificate_json))
    }
}

/// The chain, and what is to be said about it.
struct Built {
    arranged: Arranged,
    root: Root,
    findings: Vec<Finding>,
    sentences: Vec<String>,
}

impl Built {
    fn new(
        material: &Material,
        fetched: Fetched,
        root: Root,
        (blocklist, now): (Option<&Blocklist>, UnixTime),
    ) -> Self {
        let why = Why::of(&material.all_certificates(), key_with_certificate(material).as_ref());
        let arranged = arranged(material, &fetched.certificates, now);
        let mut findings: Vec<Finding> = material.refusals.iter().cloned().map(Finding::from).collect();
        findings.extend(fetched.findings);
        if arranged.leaf.is_none() && findings.is_empty() {
            findings.push(nothing());
        }
        // Of the leaf only what stops it; the rest is what `inspect` is for.
        let of_leaf = arranged.leaf.iter().flat_map(|leaf| leaf.findings(now));
        findings.extend(of_leaf.filter(|finding| finding.severity == Severity::Error));
        findings.extend(mismatches(material));
        findings.extend(blocklist.iter().flat_map(|list| known_keys(list, &arranged, material)));
        // Where no root is known, nobody can say.
        let verdict = arranged.chain.is_complete().then(|| arranged.chain.verdict.clone());
        let refused = verdict.iter().filter_map(|verdict| verdict.clone().err()).map(Finding::from);
        for finding in arranged.chain.findings.iter().cloned().chain(refused) {
            // The builder, the leaf and the validation may each have seen the same.
            if !findings.iter().any(|known| known.code == finding.code && known.place == finding.place) {
                findings.push(finding);
            }
        }
        let mut sentences = fetched.sentences;
        sentences.extend(explain::sentences(&arranged, why, root));
        sentences.extend(explain::verdict_sentence(&arranged, verdict.as_ref(), material.crls.len()));
        Self { arranged, root, findings, sentences }
    }

    /// What goes into the file.
    fn written(&self) -> impl Iterator<Item = &Certificate> {
        let chain = &self.arranged.chain;
        let root =
            chain.root.iter().filter(|root| self.root == Root::Written && !chain.served.contains(root));
        chain.served.iter().chain(root)
    }

    fn pem(&self) -> String {
        pem_write::chain(self.written().map(Certificate::der))
    }

    fn outcome(&self, destination: Option<&Destination>, is_sound: bool) -> Option<String> {
        let destination = destination?;
        let written: Vec<String> = self.written().map(Certificate::display_name).collect();
        Some(if is_sound {
            format!("To {destination}: {}.", written.join(", "))
        } else {
            format!("Nothing was written to {destination}, because of the error.")
        })
    }

    fn json<'a>(&'a self, explanation: &'a [String]) -> ChainJson<'a> {
        let chain = &self.arranged.chain;
        ChainJson {
            complete: chain.is_complete(),
            served: Certificates(&chain.served),
            root: chain.root.as_ref().map(report::certificate_json),
            unrelated: Certificates(&self.arranged.unrelated),
            explanation,
            findings: report::findings_json(&self.findings),
        }
    }

    fn page(&self, sentences: &[String], ink: Ink, now: UnixTime) -> String {
        let mut page = Page::new(ink);
        let chain = &self.arranged.chain;
        if let Some(leaf) = &self.arranged.leaf {
            let state =
                if chain.is_complete() { "the chain reaches a root" } else { "the chain reaches no root" };
            page.title(&leaf.display_name(), state);
            page.line("");
            let root = chain.root.iter().filter(|root| !chain.served.contains(root));
            for (depth, certificate) in chain.served.iter().chain(root).enumerate() {
                let part = self.part(depth, chain.served.get(depth).is_some());
                page.line(&link(depth, certificate, part, ink, now));
            }
            page.line("");
        }
        for sentence in sentences {
            page.line(&format!("  {sentence}"));
        }
        page.findings(&self.findings);
        page.into_text()
    }

    fn part(&self, depth: usize, is_served: bool) -> &'static str {
        match (depth, is_served, self.root) {
            (0, ..) => "the leaf",
            (_, true, _) => "an intermediate, sent after it",
            (_, false, Root::LeftOut) => "the root, which clients have: not sent",
            (_, false, Root::Written) => "the root, which was asked for",
        }
    }
}

/// The chain of what was given and of these certificates more.
fn arranged(material: &Material, more: &[Certificate], now: UnixTime) -> Arranged {
    let certificates = material.all_certificates().into_iter().chain(more.iter().cloned()).collect();
    let crls: Vec<Crl> = material.crls.iter().map(|found| found.object.clone()).collect();
    arrange_with_lists(certificates, key_with_certificate(material).as_ref(), &crls, now)
}

/// The keys that everybody has, among those of the chain and the private ones.
fn known_keys(list: &Blocklist, arranged: &Arranged, material: &Material) -> Vec<Finding> {
    let chain = arranged.chain.served.iter().chain(&arranged.chain.root).map(Certificate::public_key);
    let private = material.keys.iter().map(|found| found.object.public_key());
    let mut known: Vec<Finding> = Vec::new();
    for refusal in chain.chain(private).filter_map(|key| list.refuse(key).err()) {
        let finding = Finding::from(refusal);
        if !known.contains(&finding) {
            known.push(finding);
        }
    }
    known
}

/// The keys that fit nothing which was given: whoever installs them with the chain has a server that does not start.
fn mismatches(material: &Material) -> Vec<Finding> {
    let certificates: Vec<&Certificate> = material.certificates.iter().map(|found| &found.object).collect();
    let requested = material.csrs.iter().map(|found| found.object.public_key().id());
    let locks = Locks::new(&certificates, requested);
    let keys = material.keys.iter();
    keys.filter_map(|found| locks.refuse(found.object.public_key(), &found.place)).collect()
}

/// The first key whose certificate is there, else the first key.
fn key_with_certificate(material: &Material) -> Option<KeyId> {
    let has_certificate =
        |key: &KeyId| material.certificates.iter().any(|found| found.object.key_id() == *key);
    let mut keys = material.keys.iter().map(|found| found.object.id());
    keys.clone().find(has_certificate).or_else(|| keys.next())
}

fn nothing() -> Finding {
    Finding {
        code: "chain.nothing",
        severity: Severity::Error,
        what: "there is no certificate in what was given".to_owned(),
        place: String::new(),
        repair: "Give the leaf's file, and those of its issuers.".to_owned(),
    }
}

/// One step of the chain; each but the first issued the one above it: name, key identifier and signature fit.
fn link(depth: usize, certificate: &Certificate, part: &str, ink: Ink, now: UnixTime) -> String {
    let indent = " ".repeat(2 + 3 * depth.saturating_sub(1));
    let arrow = if depth == 0 { "" } else { "└─ issued by " };
    let mut text = format!("{indent}{arrow}{} ({part})", ink.strong(certificate.display_name()));
    let under = " ".repeat(2 + 3 * depth);
    // Writing into a String cannot fail.
    let _ = write!(text, "\n{under}{}", ink.faint(report::validity(certificate, now)));
    text
}
