//! `inspect FILE...`: what is in a file, and what is wrong with it.

use std::process::ExitCode;

use clap::Args;
use pki::UnixTime;
use pki::inspect::Inspection;

use super::input::{Input, Source};
use super::report::{self, Page};
use crate::cli::ink::Ink;
use crate::cli::{output, secret};

/// Says what is in files, and what is wrong with it.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code: 0 nothing is wrong, 1 a file was refused or has an error, 2 wrong usage.

Examples:
  claviger inspect fullchain.pem
  openssl s_client -connect shop.example:443 </dev/null | claviger inspect -
  claviger inspect --json --at 2027-01-01T00:00:00Z server.crt")]
pub struct Inspect {
    #[command(flatten)]
    input: Input,
}

impl Inspect {
    /// Runs it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (sources, passphrase) = match (self.input.read(), self.input.passphrase()) {
            (Ok(sources), Ok(passphrase)) => (sources, passphrase),
            (Err(error), _) | (_, Err(error)) => return Ok(output::wrong_usage(&error)),
        };
        let now = self.input.moment();
        let mut sound = true;
        for source in &sources {
            let passphrase = passphrase.as_ref().map(|secret| secret.as_str());
            let mut inspection = pki::inspect::inspect(&source.bytes, passphrase, now);
            if passphrase.is_none() && !self.input.json {
                inspection = ask_and_look_again(source, inspection, now)?;
            }
            sound &= inspection.accepted && report::has_no_error(&inspection.findings);
            if self.input.json {
                let file = (sources.len() > 1).then_some(source.name.as_str());
                output::json(&report::inspection_json(&inspection, file))?;
            } else {
                output::text(&page(source, &inspection, now))?;
            }
        }
        Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Asks for the passphrase when only that is missing, and somebody is there to ask.
fn ask_and_look_again(source: &Source, inspection: Inspection, now: UnixTime) -> anyhow::Result<Inspection> {
    let is_missing = inspection.findings.iter().any(|finding| finding.code == "pass.needed");
    if !is_missing || !secret::can_ask() {
        return Ok(inspection);
    }
    let passphrase = secret::ask(&format!("Passphrase of {}", source.name))?;
    Ok(pki::inspect::inspect(&source.bytes, Some(&passphrase), now))
}

fn page(source: &Source, inspection: &Inspection, now: UnixTime) -> String {
    let mut page = Page::new(Ink::for_output());
    page.title(&source.name, &headline(inspection));
    for item in &inspection.items {
        page.item(item, now);
    }
    page.findings(&inspection.findings);
    page.into_text()
}

fn headline(inspection: &Inspection) -> String {
    if inspection.format.is_empty() {
        return "cannot be read".to_owned();
    }
    let things = match inspection.items.len() {
        1 => "1 thing".to_owned(),
        count => format!("{count} things"),
    };
    let refused = if inspection.accepted { "" } else { ", refused" };
    format!("{}, {things}{refused}", inspection.format)
}
