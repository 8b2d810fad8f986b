//! The way up from a leaf: build the chain, ask for the issuer of its last certificate, build it again.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use domain::Moment;
use domain::job::{Job, JobState};
use outbound::{FetchError, FetchLimits, NotFetched, OutboundError};
use pki::chain::{Chain, published};
use pki::name::inert;
use pki::{Certificate, Fingerprint};

use super::addresses;
use crate::job::Progress;
use crate::{App, Error, chains, key};

/// Issuers that are asked for, one above the other.
const MOST_STEPS: usize = 8;
/// Strangers that are named.
const MOST_NAMED: usize = 5;
/// For all of it; a job's lease is longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A certificate that was fetched.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) certificate: Certificate,
    /// Where it was in the end.
    pub(super) address: String,
}

/// Where it ended.
pub(super) enum End {
    /// At a root that is known here: its name.
    Whole(String),
    /// At a root that was fetched.
    ForeignRoot(Box<Found>),
    /// At a certificate that says nothing about where its issuer's is: its name.
    NoAddress(String),
    /// At a certificate whose issuer's could not be had.
    NotFetched {
        /// The name of that certificate.
        below: String,
        /// Why, for each address.
        reasons: Vec<String>,
        /// Whether an address led where data may not send us.
        is_blocked: bool,
    },
    /// It does not end.
    Endless,
}

/// Why an address gave no issuer.
struct Useless {
    why: String,
    is_blocked: bool,
}

/// The way up, as far as it is known.
pub(super) struct Climb<'a> {
    app: &'a App,
    job: &'a Job,
    leaf: Certificate,
    now: Moment,
    until: Instant,
    found: Vec<Found>,
    chain: Option<Chain>,
    asked: HashSet<Fingerprint>,
}

impl<'a> Climb<'a> {
    pub(super) fn new(app: &'a App, job: &'a Job, leaf: Certificate) -> Self {
        Self {
            app,
            job,
            leaf,
            now: app.now(),
            until: Instant::now() + PATIENCE,
            found: Vec::new(),
            chain: None,
            asked: HashSet::new(),
        }
    }

    /// Climbs until there is nothing more to ask for.
    pub(super) async fn run(&mut self) -> Result<End, Error> {
        for _ in 0..MOST_STEPS {
            let chain = self.build().await?;
            let last = chain.gap().cloned();
            let end = top(&chain, &self.found);
            self.chain = Some(chain);
            let Some(last) = last else { return Ok(end) };
            let addresses = addresses(&last);
            if addresses.is_empty() {
                return Ok(End::NoAddress(last.display_name()));
            }
            if !self.asked.insert(last.fingerprint()) {
                return Ok(End::Endless);
            }
            if let Some(end) = self.ask_all(&last, &addresses).await? {
                return Ok(end);
            }
        }
        self.chain = Some(self.build().await?);
        Ok(End::Endless)
    }

    /// What was fetched and stands in the chain; no root.
    pub(super) fn kept(&self) -> Vec<Found> {
        let members = self.chain.iter().flat_map(|chain| chain.served.iter().skip(1));
        let found = |member: &Certificate| self.found.iter().find(|found| found.certificate == *member);
        members.filter_map(found).cloned().collect()
    }

    /// The names of those that came along and are no part of the chain.
    pub(super) fn left_out(&self) -> Vec<String> {
        let is_part = |one: &Certificate| {
            self.chain.iter().any(|chain| chain.served.contains(one) || chain.root.as_ref() == Some(one))
        };
        let others = self.found.iter().map(|found| &found.certificate).filter(|one| !is_part(one));
        others.take(MOST_NAMED).map(Certificate::display_name).collect()
    }

    async fn build(&self) -> Result<Chain, Error> {
        let (leaf, now) = (self.leaf.clone(), self.now.unix());
        let along: Vec<Certificate> = self.found.iter().map(|found| found.certificate.clone()).collect();
        self.app.read("certificate.complete.chain", move |tx| chains::with(tx, &leaf, &along, now)).await
    }

    /// Asks at each address until one gives the issuer; answers the end where none does.
    async fn ask_all(
        &mut self,
        last: &Certificate,
        addresses: &[(String, String)],
    ) -> Result<Option<End>, Error> {
        let (mut reasons, mut is_blocked) = (Vec::new(), false);
        for (address, host) in addresses {
            self.tell(&format!("asking {host} for the issuer of “{}”", last.display_name()));
            match self.ask(last, address).await? {
                Ok(()) => return Ok(None),
                Err(useless) => {
                    is_blocked |= useless.is_blocked;
                    reasons.push(inert(&useless.why).into_owned());
                }
            }
        }
        Ok(Some(End::NotFetched { below: last.display_name(), reasons, is_blocked }))
    }

    /// Asks at one address. What is found there and leads up from `last` is kept in mind.
    async fn ask(&mut self, last: &Certificate, address: &str) -> Result<Result<(), Useless>, Error> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Err(Useless::at(address, "it was not asked, because the others took all the time")));
        }
        let limits = FetchLimits::default();
        let limits = FetchLimits { total: limits.total.min(left), ..limits };
        let fetched = match self.app.dialer().fetch(address, &limits).await {
            Ok(fetched) => fetched,
            Err(error) => return Ok(Err(error.into())),
        };
        let below = last.clone();
        let read = self.app.blocking(move || published(&fetched.body, &below)).await?;
        let certificates = match read {
            Ok(read) => read,
            Err(refusal) => return Ok(Err(Useless::at(&fetched.address, &refusal.what))),
        };
        for certificate in &certificates {
            if let Err(refusal) = key::refuse_known_bad(self.app, certificate.public_key()) {
                return Ok(Err(Useless::at(&fetched.address, &refusal.to_string())));
            }
        }
        let came = certificates.into_iter();
        self.found.extend(came.map(|certificate| Found { certificate, address: fetched.address.clone() }));
        Ok(Ok(()))
    }

    fn tell(&self, text: &str) {
        let text = text.to_owned();
        self.app.tell(Progress { job: self.job.id.clone(), state: JobState::Running, text });
    }
}

/// Where a chain without a gap ends.
fn top(chain: &Chain, found: &[Found]) -> End {
    let Some(root) = &chain.root else { return End::Endless };
    match found.iter().find(|found| found.certificate == *root) {
        Some(fetched) => End::ForeignRoot(Box::new(fetched.clone())),
        None => End::Whole(root.display_name()),
    }
}

impl Useless {
    fn at(address: &str, why: &str) -> Self {
        Self { why: format!("{address}: {why}"), is_blocked: false }
    }
}

impl From<NotFetched> for Useless {
    fn from(error: NotFetched) -> Self {
        let is_blocked = matches!(
            &error.why,
            FetchError::Reach(OutboundError::Blocked(_) | OutboundError::BlockedPort(_))
        );
        Self { why: error.chain(), is_blocked }
    }
}
