//! `inspect FILE...`: what is in a file or shown by a TLS server, and what is wrong with it.

use std::cell::Cell;
use std::collections::HashMap;
use std::process::ExitCode;

use clap::Args;
use outbound::Possession;
use pki::inspect::{InspectedItem, Inspection};
use pki::{Finding, KeyId, PublicKey, Severity, UnixTime};

use super::input::{Content, Input, Judging, Source};
use super::look::{Served, Shown};
use super::passphrase::{MayAsk, Opened, Passphrases, budget};
use super::report::{self, Beside, InspectionJson, Page};
use super::{served, together};
use crate::cli::ink::Ink;
use crate::cli::output;

/// Says what is in files or shown by TLS servers, and what is wrong with it.
#[derive(Debug, Args)]
#[command(after_help = "\
A server is looked at with real handshakes: by its name, without one, and as RSA and ECDSA clients.
Any address that you name is looked at, a private one too; nothing in a certificate is fetched.
A file that is called like a server goes before it.
Exit code: 0 nothing is wrong, 1 something was refused or has an error, 2 wrong usage.

Examples:
  claviger inspect fullchain.pem shop.key
  claviger inspect shop.p12 --passphrase-file pass
  claviger inspect shop.example:443
  claviger inspect 192.0.2.7:8443 --servername shop.example
  claviger inspect --blocklist blocklist.dat shop.example:443
  claviger inspect --json --at 2027-01-01T00:00:00Z - <server.crt")]
pub struct Inspect {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    judging: Judging,
}

/// One of the things that were asked about.
pub struct Looked<'a> {
    /// What it is called, safe to show.
    pub name: &'a str,
    /// What is in it.
    pub inspection: Inspection,
    /// How it was met, if it is a server.
    served: Option<&'a Served>,
}

impl Inspect {
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
        let now = self.judging.moment();
        let mut looked: Vec<Looked<'_>> =
            sources.iter().map(|source| Looked::at(source, &passphrases, now)).collect::<Result<_, _>>()?;
        together::find_revoked(&mut looked);
        together::find_mismatches(&mut looked);
        if let Some(list) = &blocklist {
            looked.iter_mut().for_each(|one| one.inspection.refuse_known_keys(list));
        }
        if self.judging.json {
            print_json(&looked)?;
        } else {
            output::text(&pages(&looked, now))?;
        }
        let is_sound =
            |one: &Looked<'_>| one.inspection.accepted && report::has_no_error(&one.inspection.findings);
        Ok(if looked.iter().all(is_sound) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl<'a> Looked<'a> {
    fn at(source: &'a Source, passphrases: &Passphrases, now: UnixTime) -> anyhow::Result<Self> {
        let name = source.name.as_str();
        Ok(match &source.content {
            Content::File { bytes, is_open_to_others } => {
                let was_open = Cell::new(false);
                let attempt = |passphrases: &[&str]| {
                    was_open.set(passphrases.is_empty());
                    pki::inspect::inspect_within(bytes, passphrases, now, &mut budget(passphrases))
                };
                let mut inspection = passphrases.open(name, attempt, state)?;
                if *is_open_to_others && was_open.get() && keys(&inspection).next().is_some() {
                    inspection.findings.push(file_mode(name));
                }
                Self { name, inspection, served: None }
            }
            Content::Server(Ok(served)) => {
                Self { name, inspection: served::inspect(served, now), served: Some(served) }
            }
            Content::Server(Err(refusal)) => {
                let inspection = Inspection {
                    accepted: false,
                    format: served::FORMAT.to_owned(),
                    items: Vec::new(),
                    friendly_names: Vec::new(),
                    findings: vec![refusal.clone().into()],
                };
                Self { name, inspection, served: None }
            }
        })
    }
}

fn state(inspection: &Inspection) -> Opened {
    // Beside what is locked, something else may be refused.
    let findings = inspection.findings.iter().filter(|_| !inspection.accepted);
    let mut states = findings.map(|finding| Opened::by(finding.code, &finding.place));
    states.find(|state| *state != Opened::Settled).unwrap_or(Opened::Settled)
}

/// The private keys among the items, by their public halves.
pub fn keys(inspection: &Inspection) -> impl Iterator<Item = &PublicKey> {
    inspection.items.iter().filter_map(|item| match item {
        InspectedItem::PrivateKey(key) => Some(key),
        InspectedItem::Certificate(_)
        | InspectedItem::Csr(_)
        | InspectedItem::Crl(_)
        | InspectedItem::Refused(_) => None,
    })
}

fn file_mode(name: &str) -> Finding {
    Finding {
        code: "key.file_mode",
        severity: Severity::Warning,
        what: "other users of this machine may read the file, and the private key in it is not encrypted"
            .to_owned(),
        place: name.to_owned(),
        repair: format!("Close it: chmod 600 {name}"),
    }
}

fn print_json(looked: &[Looked<'_>]) -> anyhow::Result<()> {
    for one in looked {
        let file = (looked.len() > 1).then_some(one.name);
        output::json(&InspectionJson { inspection: &one.inspection, file, served: one.served })?;
    }
    Ok(())
}

fn pages(looked: &[Looked<'_>], now: UnixTime) -> String {
    let mut page = Page::new(Ink::for_output());
    let places: HashMap<KeyId, &str> =
        looked.iter().flat_map(|one| keys(&one.inspection).map(|key| (key.id(), one.name))).collect();
    for one in looked {
        page.title(one.name, &headline(&one.inspection));
        if let Some(served) = one.served {
            page.served(served);
        }
        for (item, friendly_name) in one.inspection.items.iter().zip(&one.inspection.friendly_names) {
            let key_in = item.public_key().and_then(|key| places.get(&key.id()));
            let private_key = match key_in {
                Some(place) => format!("Yes, in {place}"),
                None => one.served.map_or("No", |served| shown_key(served, item)).to_owned(),
            };
            page.item(item, &Beside { friendly_name: friendly_name.as_deref(), private_key, now });
        }
        page.findings(&one.inspection.findings);
    }
    for line in together::sentences(looked) {
        page.line(&format!("{line}\n"));
    }
    page.into_text()
}

/// Whether the server has the private key of what it showed; that of an issuer's certificate nobody asks it for.
fn shown_key(served: &Served, item: &InspectedItem) -> &'static str {
    let others = served.others.iter().filter_map(|(_, seen)| seen.as_ref().ok());
    let is_leaf = |shown: &&Shown| match item {
        InspectedItem::Certificate(certificate) => shown.chain.first() == Some(certificate),
        InspectedItem::PrivateKey(_)
        | InspectedItem::Csr(_)
        | InspectedItem::Crl(_)
        | InspectedItem::Refused(_) => false,
    };
    match std::iter::once(&served.shown).chain(others).find(is_leaf).map(|shown| &shown.possession) {
        Some(Possession::Proven) => "Yes: the server proved that it has it",
        Some(Possession::Disproven) => "No: the server does not have it",
        Some(Possession::Unchecked(_)) => "Unknown: the server was not asked to prove it",
        None => "No",
    }
}

/// Of what nothing is shown: whether a passphrase is missing, or something is wrong with it.
fn refused_words(inspection: &Inspection) -> &'static str {
    match inspection.findings.first().map(|finding| finding.code) {
        Some("pass.needed") => "needs its passphrase",
        Some("pass.wrong") => "the passphrase does not open it",
        Some(_) | None => "refused",
    }
}

fn headline(inspection: &Inspection) -> String {
    if inspection.format.is_empty() {
        return refused_words(inspection).to_owned();
    }
    let count =
        |wanted: fn(&InspectedItem) -> bool| inspection.items.iter().filter(|one| wanted(one)).count();
    let counts = [
        (count(|item| matches!(item, InspectedItem::Certificate(_))), "certificate"),
        (count(|item| matches!(item, InspectedItem::PrivateKey(_))), "private key"),
        (count(|item| matches!(item, InspectedItem::Csr(_))), "certificate request"),
        (count(|item| matches!(item, InspectedItem::Crl(_))), "revocation list"),
        (count(|item| matches!(item, InspectedItem::Refused(_))), "refused certificate"),
    ];
    let there = counts.iter().filter(|(count, _)| *count > 0);
    let things: Vec<String> = there.map(|(count, what)| report::counted(*count, what)).collect();
    if things.is_empty() && inspection.format == served::FORMAT {
        return "nothing was shown".to_owned();
    }
    let things = if things.is_empty() { "nothing in it".to_owned() } else { things.join(" and ") };
    let refused = if inspection.accepted { "" } else { ", refused" };
    format!("{}, {things}{refused}", inspection.format)
}
