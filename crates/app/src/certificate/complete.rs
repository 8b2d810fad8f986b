//! Fetch what is missing in a chain from where its certificates say that it can be had (AIA, RFC 5280, 4.2.2.1).
//!
//! Only when a person asks for it, or where the configuration says so, and never in a page: a job goes to the network,
//! outside of any transaction. What is kept issued the certificate below it, by name and signature; a root is told and
//! not kept, because a person decides whom to trust.

mod climb;

use std::collections::BTreeSet;

use domain::audit::{Action, Event, Field};
use domain::certificate::CertificateEntry;
use domain::id::JobId;
use domain::job::{Job, JobKind};
use domain::permission::uses;
use domain::{Actor, Authorized, Moment, Random};
use pki::chain::Chain;
use pki::{Certificate, Fingerprint};
use store::Tx;

use self::climb::{Climb, End, Found};
use super::import;
use crate::job::{Done, refuse_lost_lease};
use crate::{App, Error, act, chains, job};

/// Addresses of one certificate that are tried.
const MOST_ADDRESSES: usize = 3;
/// Jobs that one import begins.
const MOST_JOBS: usize = 10;

/// What is missing in a chain, and where it can be had.
#[derive(Clone, Debug)]
pub struct Missing {
    /// The certificate whose issuer's is missing.
    pub below: Certificate,
    /// Where its issuer's can be fetched, safe to show; at least one.
    pub addresses: Vec<String>,
    /// The hosts that would be asked.
    pub hosts: Vec<String>,
}

/// What is missing in a chain, if it can be fetched.
pub fn missing(chain: &Chain) -> Option<Missing> {
    let below = chain.gap()?.clone();
    let (addresses, hosts): (Vec<_>, Vec<_>) = addresses(&below).into_iter().unzip();
    (!addresses.is_empty()).then_some(Missing { below, addresses, hosts })
}

/// The addresses that a certificate gives for its issuer's and that are ever asked, each with its host.
fn addresses(certificate: &Certificate) -> Vec<(String, String)> {
    let mut seen = BTreeSet::new();
    let named = certificate.ca_issuer_urls().iter().filter(|url| seen.insert(url.as_str()));
    named.filter_map(|url| Some((url.clone(), outbound::fetch::host_of(url)?))).take(MOST_ADDRESSES).collect()
}

/// Begins to fetch what is missing in the chain of a certificate; at most one job for each runs.
///
/// # Errors
/// `chain.whole` when nothing is missing, `chain.no_address` when nobody says where it can be had.
pub async fn complete(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &Fingerprint,
) -> Result<Job, Error> {
    act::audited(app, by.actor(), Action::CertificateComplete, &id.to_string(), async {
        let (id, now, job_id) = (*id, app.now(), JobId::new(app.now(), app.random()));
        let actor = by.actor().name();
        let event = Event::done(now, by.actor(), Action::CertificateComplete, id.to_string());
        let job = app
            .commit("certificate.complete", move |tx| {
                let entry =
                    store::certificate::find(tx, &id)?.ok_or_else(|| Error::not_found("certificate", id))?;
                let missing = demand(&chains::of(tx, &entry.certificate, now.unix())?)?;
                let wanted = job::new(job_id.clone(), JobKind::CertificateComplete, id, &actor, now);
                let job = store::job::add(tx, &wanted)?;
                act::record(tx, &event.clone().with(Field::Address, missing.hosts.join(" ")))?;
                store::job::find(tx, &job)?.ok_or_else(|| Error::not_found("job", &job))
            })
            .await?;
        app.wake();
        Ok(job)
    })
    .await
}

/// What is missing, or why nothing can be fetched.
fn demand(chain: &Chain) -> Result<Missing, Error> {
    if let Some(missing) = missing(chain) {
        return Ok(missing);
    }
    match chain.gap() {
        Some(last) => Err(no_address(last)),
        None => {
            let what = "no certificate is missing in this chain that could be fetched";
            Err(Error::conflict("chain.whole", what, "There is nothing to do."))
        }
    }
}

fn no_address(last: &Certificate) -> Error {
    let what = format!(
        "the certificate of {} names no address where its issuer's could be fetched",
        last.display_name()
    );
    Error::conflict("chain.no_address", what, "Get the issuer's certificate from the CA, and import it.")
}

/// Whose chains are completed after an import: of those whose key is here the first for each issuer that is missing, so
/// many at most.
#[derive(Clone, Default)]
pub(super) struct Wanted {
    issuers: BTreeSet<Vec<u8>>,
    leaves: Vec<Fingerprint>,
}

impl Wanted {
    /// Whether no more are taken.
    pub(super) fn is_full(&self) -> bool {
        self.leaves.len() >= MOST_JOBS
    }

    /// Takes one, if something is missing in its chain that can be fetched.
    pub(super) fn consider(&mut self, entry: &CertificateEntry, chain: &Chain) {
        let missing = missing(chain).filter(|_| entry.has_key && !self.is_full());
        if missing.is_some_and(|missing| self.issuers.insert(missing.below.issuer().der().to_vec())) {
            self.leaves.push(entry.fingerprint());
        }
    }

    /// Writes the jobs. `by` is the actor's name and the source of ids.
    pub(super) fn begin(
        &self,
        tx: &Tx<'_>,
        now: Moment,
        (actor, random): (&str, &dyn Random),
    ) -> Result<Vec<JobId>, Error> {
        let mut jobs = Vec::with_capacity(self.leaves.len());
        for leaf in &self.leaves {
            let wanted = job::new(JobId::new(now, random), JobKind::CertificateComplete, leaf, actor, now);
            jobs.push(store::job::add(tx, &wanted)?);
        }
        Ok(jobs)
    }
}

/// Fetches, and stores what was found. Killed at any point and run again, it asks again: the same certificates are the
/// same rows.
pub(crate) async fn run(app: &App, job: &Job) -> Result<Done, Error> {
    let id: Fingerprint = job.subject.parse().map_err(|_| Error::not_found("certificate", &job.subject))?;
    let leaf = app
        .read("certificate.complete.find", move |tx| {
            store::certificate::find(tx, &id)?.ok_or_else(|| Error::not_found("certificate", id))
        })
        .await?
        .certificate;
    let mut climb = Climb::new(app, job, leaf);
    let end = climb.run().await?;
    let kept = climb.kept();
    if !kept.is_empty() {
        keep(app, job, &kept).await?;
    }
    conclude(&kept, &climb.left_out(), end)
}

async fn keep(app: &App, job: &Job, kept: &[Found]) -> Result<(), Error> {
    let certificates: Vec<Certificate> = kept.iter().map(|found| found.certificate.clone()).collect();
    let from: Vec<&str> = kept.iter().map(|found| found.address.as_str()).collect();
    let (now, random, held) = (app.now(), app.random_source(), job.clone());
    let mut event = Event::done(now, &Actor::Scheduler, Action::CertificateFetch, job.subject.as_str())
        .with(Field::Count, certificates.len())
        .with(Field::Address, from.join(" "));
    event.actor.clone_from(&job.actor);
    app.commit("certificate.complete.store", move |tx| {
        refuse_lost_lease(tx, &held)?;
        import::store_fetched(tx, &certificates, now, (&held.actor, &*random))?;
        act::record(tx, &event)
    })
    .await?;
    app.served_changed();
    app.wake();
    Ok(())
}

/// What came of it: said where the chain is as whole as it can be, refused where a link is still missing.
fn conclude(kept: &[Found], left_out: &[String], end: End) -> Result<Done, Error> {
    let mut said = fetched(kept);
    if !left_out.is_empty() {
        said.push_str(&format!(" Left out, because it is no part of the chain: {}.", left_out.join(", ")));
    }
    let refused = |what: String, repair: &str| {
        let what = format!("{what}. {said}").trim_end_matches(['.', ' ']).to_owned();
        Err(Error::conflict("chain.not_fetched", what, repair))
    };
    match end {
        End::Whole(root) => said.push_str(&format!(" The chain ends at the root “{root}”, which is here.")),
        End::ForeignRoot(root) => said.push_str(&format!(
            " The chain ends at the root “{}”, which {} shows and which was not stored: a person decides whom to \
             trust. Import it if its SHA-256 is the one that the CA tells: {}.",
            root.certificate.display_name(),
            root.address,
            root.certificate.fingerprint()
        )),
        End::NoAddress(last) if !kept.is_empty() => said.push_str(&format!(
            " “{last}” names no address for its issuer: mostly that is the root, which clients have."
        )),
        End::NoAddress(last) => {
            let what = format!("the certificate of “{last}” names no address for its issuer's");
            return refused(what, "Get the issuer's certificate from the CA, and import it.");
        }
        End::NotFetched { below, reasons, is_blocked } => {
            let what = format!("the issuer of “{below}” was not fetched: {}", reasons.join("; "));
            return refused(what, if is_blocked { PERMIT } else { BY_HAND });
        }
        End::Endless => {
            return refused("the certificates lead on and on, or to each other".to_owned(), BY_HAND);
        }
    }
    Ok(Done::said(said.trim()))
}

const BY_HAND: &str = "Get the issuer's certificate from the CA, and import it.";
const PERMIT: &str = "If the CA is inside your own network, permit that network in the configuration ([outbound] permitted). \
                      Else get the issuer's certificate from the CA, and import it.";

fn fetched(kept: &[Found]) -> String {
    let each: Vec<String> = kept
        .iter()
        .map(|found| format!("“{}” from {}", found.certificate.display_name(), found.address))
        .collect();
    match each.len() {
        0 => String::new(),
        1 => format!("1 certificate was fetched: {}.", each.join("")),
        count => format!("{count} certificates were fetched: {}.", each.join(", ")),
    }
}
