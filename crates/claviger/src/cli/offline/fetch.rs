//! `chain --fetch`: what is missing in a chain is fetched from where its certificates say that it can be had.
//!
//! Through `outbound`, as everywhere: the addresses were written by others, so they must be public, or in a network that
//! is permitted on the command line. A root is told and not taken.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Context;
use outbound::fetch::host_of;
use outbound::{Dialer, FetchLimits, IpNet};
use pki::chain::published;
use pki::name::inert;
use pki::{Certificate, Finding, Severity};
use tokio::runtime::Runtime;

/// Issuers that are asked for, one above the other.
const MOST_STEPS: usize = 8;
/// Addresses of one certificate that are tried.
const MOST_ADDRESSES: usize = 3;
/// For all of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of it.
#[derive(Default)]
pub struct Fetched {
    /// The certificates that stand in the chain; no root.
    pub certificates: Vec<Certificate>,
    /// What was done, whole sentences, safe to show.
    pub sentences: Vec<String>,
    /// Why a link is still missing.
    pub findings: Vec<Finding>,
}

impl Fetched {
    /// Says that nobody could be asked: loudly where clients will miss what is missing.
    fn note_no_address(&mut self, last: &Certificate, chain: &pki::chain::Chain) {
        let what =
            "nothing was fetched: it names no address (http or https) for the certificate of its issuer";
        if chain.findings.iter().any(|finding| finding.code == "chain.incomplete") {
            self.findings.push(Finding {
                code: "chain.no_address",
                severity: Severity::Warning,
                what: what.to_owned(),
                place: last.display_name(),
                repair: "Get it from the CA, and give its file.".to_owned(),
            });
        } else {
            self.sentences.push(format!("Above {}, {what}.", last.display_name()));
        }
    }
}

/// Fetches what is missing. `build` answers the chain of what was given and this, as far as it is known.
///
/// # Errors
/// When this machine has no means to ask anybody.
pub fn missing(
    permitted: &[IpNet],
    build: impl Fn(&[Certificate]) -> pki::chain::Chain,
) -> anyhow::Result<Fetched> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let way = Way {
        runtime: runtime.context("cannot begin to fetch")?,
        dialer: Dialer::default().permitting(permitted.iter().copied()),
        until: Instant::now() + PATIENCE,
    };
    let mut fetched = Fetched::default();
    let mut known: Vec<Certificate> = Vec::new();
    let mut asked = HashSet::new();
    for _ in 0..MOST_STEPS {
        let chain = build(&known);
        let Some(last) = chain.gap().filter(|last| asked.insert(last.fingerprint())) else { break };
        match way.ask_all(last) {
            Some(Ok(Answer { found, address })) => {
                let (roots, others): (Vec<_>, Vec<_>) =
                    found.into_iter().partition(Certificate::is_self_signed);
                let root = roots.iter().find(|root| last.is_signed_by(root));
                if let Some(root) = root.filter(|_| !others.iter().any(|one| last.is_signed_by(one))) {
                    fetched.sentences.push(untaken(root, &address));
                    break;
                }
                known.extend(others);
            }
            Some(Err(reasons)) => {
                fetched.findings.push(not_fetched(last, &reasons));
                break;
            }
            None => {
                fetched.note_no_address(last, &chain);
                break;
            }
        }
    }
    let members = build(&known).served;
    fetched.certificates = known.into_iter().filter(|one| members.contains(one)).collect();
    let names = fetched.certificates.iter().map(|one| format!("{} was fetched.", one.display_name()));
    fetched.sentences = names.chain(std::mem::take(&mut fetched.sentences)).collect();
    // A name service that does not answer must not keep the program.
    way.runtime.shutdown_background();
    Ok(fetched)
}

struct Way {
    runtime: Runtime,
    dialer: Dialer,
    until: Instant,
}

/// What was at an address, the issuer among it.
struct Answer {
    found: Vec<Certificate>,
    address: String,
}

impl Way {
    /// Asks at each address that `last` names, until one gives its issuer's certificate: that and what came with it, and
    /// where it was; or why none does. Nothing when it names no address.
    fn ask_all(&self, last: &Certificate) -> Option<Result<Answer, Vec<String>>> {
        let mut reasons = Vec::new();
        let addresses = last.ca_issuer_urls().iter().filter(|address| host_of(address).is_some());
        for address in addresses.take(MOST_ADDRESSES) {
            match self.ask(last, address) {
                Ok(found) => return Some(Ok(Answer { found, address: address.clone() })),
                Err(reason) => reasons.push(inert(&reason).into_owned()),
            }
        }
        (!reasons.is_empty()).then_some(Err(reasons))
    }

    fn ask(&self, last: &Certificate, address: &str) -> Result<Vec<Certificate>, String> {
        let limits = FetchLimits::default();
        let left = self.until.saturating_duration_since(Instant::now());
        let limits = FetchLimits { total: limits.total.min(left), ..limits };
        let fetched = self.runtime.block_on(self.dialer.fetch(address, &limits));
        let fetched = fetched.map_err(|error| error.chain())?;
        published(&fetched.body, last).map_err(|refusal| format!("{}: {}", fetched.address, refusal.what))
    }
}

fn untaken(root: &Certificate, address: &str) -> String {
    format!(
        "{address} shows the root {}, SHA-256 {}. It was not taken: you decide whom to trust.",
        root.display_name(),
        root.fingerprint()
    )
}

fn not_fetched(last: &Certificate, reasons: &[String]) -> Finding {
    Finding {
        code: "chain.not_fetched",
        severity: Severity::Error,
        what: format!("the certificate of its issuer was not fetched: {}", reasons.join("; ")),
        place: last.display_name(),
        repair: "Get it from the CA, and give its file. For a CA in your own network: --permit".to_owned(),
    }
}
