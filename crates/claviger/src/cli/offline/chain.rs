//! `chain FILE...`: puts certificates in order, says what is missing, writes what a server must send.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use pki::chain::{Arranged, arrange_for};
use pki::format::{self, Item, pem_write};
use pki::{Certificate, Finding, KeyId, Severity, UnixTime};
use serde_json::{Value, json};

use super::input::{Input, Source};
use super::report::{self, Page};
use crate::cli::ink::Ink;
use crate::cli::{file, output};

/// Arranges certificates into a chain and explains it.
#[derive(Debug, Args)]
#[command(after_help = "\
With a private key among the files, the chain is that of the key's certificate.
Exit code: 0 nothing is wrong, 1 a file was refused or the chain has an error, 2 wrong usage.

Examples:
  claviger chain leaf.pem intermediate.der root.crt
  claviger chain answer-of-the-ca.pem --write fullchain.pem")]
pub struct Chain {
    #[command(flatten)]
    input: Input,
    /// Write what a server sends (the leaf, then the intermediates, no root) to a new file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// What the files held.
#[derive(Default)]
struct Found {
    certificates: Vec<Certificate>,
    key: Option<KeyId>,
    refusals: Vec<Finding>,
}

impl Chain {
    /// Runs it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (sources, passphrase) = match (self.input.read(), self.input.passphrase()) {
            (Ok(sources), Ok(passphrase)) => (sources, passphrase),
            (Err(error), _) | (_, Err(error)) => return Ok(output::wrong_usage(&error)),
        };
        let now = self.input.moment();
        let found = Found::read(&sources, passphrase.as_ref().map(|secret| secret.as_str()));
        let arranged = arrange_for(found.certificates, found.key.as_ref(), now);
        let findings = [found.refusals, arranged.chain.findings.clone()].concat();
        if self.input.json {
            output::json(&as_json(&arranged, &findings))?;
        } else {
            output::text(&page(&arranged, &findings, now))?;
        }
        let sound = report::has_no_error(&findings);
        if let Some(path) = self.write.as_deref().filter(|_| arranged.leaf.is_some()) {
            let served = arranged.chain.served.iter().map(Certificate::der);
            file::write(path, pem_write::chain(served).as_bytes())?;
        }
        Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Found {
    /// Takes every file; one that is refused becomes a finding with its name.
    fn read(sources: &[Source], passphrase: Option<&str>) -> Self {
        let mut found = Self::default();
        for source in sources {
            match format::read(&source.bytes, passphrase) {
                Ok(contents) => contents.items.into_iter().for_each(|item| found.add(item)),
                Err(refusal) => {
                    let place = match refusal.place.as_str() {
                        "" => source.name.clone(),
                        place => format!("{}, {place}", source.name),
                    };
                    found.refusals.push(refusal.at(place).into());
                }
            }
        }
        if found.certificates.is_empty() && found.refusals.is_empty() {
            found.refusals.push(Finding {
                code: "chain.nothing",
                severity: Severity::Error,
                what: "there is no certificate in what was given".to_owned(),
                place: String::new(),
                repair: "Give the leaf's file, and those of its issuers.".to_owned(),
            });
        }
        found
    }

    fn add(&mut self, item: Item) {
        match item {
            Item::Certificate(certificate) => self.certificates.push(certificate),
            Item::PrivateKey(key) => self.key = Some(key.id()),
            Item::Csr(_) => {}
        }
    }
}

fn as_json(arranged: &Arranged, findings: &[Finding]) -> Value {
    let all = |certificates: &[Certificate]| -> Vec<Value> {
        certificates.iter().map(report::certificate_json).collect()
    };
    json!({
        "complete": arranged.chain.is_complete(),
        "served": all(&arranged.chain.served),
        "root": arranged.chain.root.as_ref().map(report::certificate_json),
        "unrelated": all(&arranged.unrelated),
        "findings": report::findings_json(findings),
    })
}

fn page(arranged: &Arranged, findings: &[Finding], now: UnixTime) -> String {
    let ink = Ink::for_output();
    let mut page = Page::new(ink);
    let chain = &arranged.chain;
    if let Some(leaf) = &arranged.leaf {
        let state =
            if chain.is_complete() { "the chain reaches a root" } else { "the chain reaches no root" };
        page.title(&leaf.display_name(), state);
        page.line("");
        let root = chain.root.iter().filter(|root| !chain.served.contains(root));
        for (depth, certificate) in chain.served.iter().chain(root).enumerate() {
            let part = part(depth, chain.served.get(depth).is_some());
            page.line(&link(depth, certificate, part, ink, now));
        }
    }
    for stranger in &arranged.unrelated {
        page.line(&format!("  not a part of it: {}", stranger.display_name()));
    }
    page.findings(findings);
    page.into_text()
}

fn part(depth: usize, is_served: bool) -> &'static str {
    match (depth, is_served) {
        (0, _) => "the leaf",
        (_, true) => "an intermediate, sent after it",
        (_, false) => "the root, which clients have: not sent",
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
