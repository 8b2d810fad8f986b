//! What a person sees first: what needs somebody now, what ends when, what is running.

use domain::Authorized;
use domain::clock::{DAY, Moment};
use domain::csr::CsrState;
use domain::id::{CsrId, LineageId, TargetId, TokenId};
use domain::installation::Identity;
use domain::issuer::IssuerKind;
use domain::job::{Job, JobState};
use domain::permission::uses;
use domain::token::TokenState;
use pki::{Fingerprint, Severity};
use store::certificate::CertificateFilter;
use store::csr::CsrFilter;
use store::job::JobFilter;
use store::lineage::LineageFilter;
use store::{Page, Tx};

use crate::{App, Error, setting, token};

/// Weeks that the plot shows.
const WEEKS: i64 = 40;
const WEEK: i64 = 7 * DAY;
/// A certificate that nobody renews by itself is shown this long before it ends.
const SOON: i64 = 30 * DAY;
/// Most entries of each kind.
const MOST: u32 = 20;

/// The overview.
#[derive(Clone, Debug)]
pub struct Overview {
    /// What this server is.
    pub identity: Identity,
    /// How many lineages there are.
    pub lineages: i64,
    /// How many of them are in trouble.
    pub troubled: i64,
    /// How many certificates there are.
    pub certificates: i64,
    /// How many CSRs wait for an answer.
    pub waiting_csrs: i64,
    /// What needs a person, the worst first.
    pub needs: Vec<Need>,
    /// What ends when.
    pub weeks: Vec<Week>,
    /// Jobs under way.
    pub running: Vec<Job>,
}

/// Something that needs a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, one sentence.
    pub what: String,
    /// What is known about it.
    pub detail: String,
    /// Where it is mended.
    pub place: Place,
}

/// Where something is mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a certificate.
    Certificate(Fingerprint),
    /// At a CSR.
    Csr(CsrId),
    /// At a lineage.
    Lineage(LineageId),
    /// At a target.
    Target(TargetId),
    /// At a token.
    Token(TokenId),
}

/// How many certificates end in one week.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Week {
    /// Its first moment.
    pub start: Moment,
    /// Those that renew by themselves.
    pub by_itself: u32,
    /// Those that need a person.
    pub needs_person: u32,
    /// Those whose lineage is in trouble.
    pub late: u32,
}

/// Shows the overview.
pub async fn show(app: &App, _by: &Authorized<uses::ViewCertificates>) -> Result<Overview, Error> {
    let now = app.now();
    let mut overview = app
        .read("overview.show", move |tx| {
            Ok(Overview {
                identity: setting::identity(tx)?,
                lineages: store::lineage::count(tx)?,
                troubled: store::lineage::trouble_count(tx)?,
                certificates: store::certificate::count(tx)?,
                waiting_csrs: store::csr::count_waiting(tx)?,
                needs: needs(tx, now)?,
                weeks: weeks(tx, now)?,
                running: running(tx)?,
            })
        })
        .await?;
    overview.needs.extend(closed_tokens(app).await?);
    overview.needs.sort_by_key(|need| std::cmp::Reverse(need.severity));
    Ok(overview)
}

fn needs(tx: &Tx<'_>, now: Moment) -> Result<Vec<Need>, Error> {
    let mut needs = Vec::new();
    let waiting = CsrFilter { state: Some(CsrState::Waiting), ..CsrFilter::default() };
    let waiting = store::csr::list(tx, &waiting, &Page::first(MOST))?;
    let troubled = LineageFilter { trouble_only: true, ..LineageFilter::default() };
    for lineage in store::lineage::list(tx, &troubled, &Page::first(MOST))? {
        // A lineage that waits for its CA is named once, at its request, where the answer is imported.
        if lineage.failures == 0 && waiting.iter().any(|csr| csr.lineage.as_ref() == Some(&lineage.id)) {
            continue;
        }
        needs.push(Need {
            severity: if lineage.failures > 0 { Severity::Error } else { Severity::Warning },
            what: format!("“{}” needs a look.", lineage.name),
            detail: lineage.trouble.clone(),
            place: Place::Lineage(lineage.id),
        });
    }
    for seen in store::endpoint::wrong(tx, MOST)? {
        needs.push(Need {
            severity: Severity::Error,
            what: format!("{} does not serve the current certificate of {}.", seen.address, seen.name),
            detail: seen.trouble,
            place: Place::Target(seen.target),
        });
    }
    for csr in waiting {
        let age = days(now.since(csr.created));
        needs.push(Need {
            severity: Severity::Warning,
            what: format!("The request “{}” waits for the answer of its CA.", csr.friendly_name),
            detail: format!("Made {age} ago. Hand the request data to the CA, then import what it answers."),
            place: Place::Csr(csr.id),
        });
    }
    needs.extend(ending(tx, now)?);
    Ok(needs)
}

fn days(milliseconds: i64) -> String {
    match milliseconds / DAY {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// Current certificates that end soon and that nobody renews by itself.
fn ending(tx: &Tx<'_>, now: Moment) -> Result<Vec<Need>, Error> {
    let soon = CertificateFilter {
        expires_before: Some(now.plus(SOON)),
        has_key: Some(true),
        ..CertificateFilter::default()
    };
    let mut needs = Vec::new();
    for entry in store::certificate::list(tx, &soon, &Page::first(100))? {
        let Some(lineage) = store::lineage::of_current(tx, &entry.fingerprint())? else {
            continue;
        };
        let by_itself = store::issuer::find(tx, &lineage.issuer)?
            .is_some_and(|issuer| domain::renewal::answers_by_itself(issuer.kind) && !issuer.withdrawn);
        let left = Moment::from(entry.certificate.not_after()).since(now);
        if by_itself && left > 0 {
            continue;
        }
        let (severity, what) = match left {
            left if left < 0 => (Severity::Error, format!("“{}” has expired.", entry.friendly_name)),
            left => (Severity::Warning, format!("“{}” ends in {}.", entry.friendly_name, days(left))),
        };
        let detail = "It is not renewed by itself: ask its CA for a new one, and import it.".to_owned();
        needs.push(Need { severity, what, detail, place: Place::Certificate(entry.fingerprint()) });
    }
    Ok(needs)
}

fn weeks(tx: &Tx<'_>, now: Moment) -> Result<Vec<Week>, Error> {
    let from = now.plus(-now.0.rem_euclid(WEEK));
    let mut weeks: Vec<Week> =
        (0..WEEKS).map(|number| Week { start: from.plus(number * WEEK), ..Week::default() }).collect();
    for row in store::certificate::expiries(tx, from, from.plus(WEEKS * WEEK))? {
        let index = usize::try_from(row.week.since(from) / WEEK).unwrap_or(0);
        let Some(week) = weeks.get_mut(index) else {
            continue;
        };
        let count = u32::try_from(row.count).unwrap_or(u32::MAX);
        let place = match (row.troubled, row.issuer) {
            (true, _) => &mut week.late,
            (false, Some(IssuerKind::Internal | IssuerKind::SelfSigned)) => &mut week.by_itself,
            (false, Some(IssuerKind::Manual) | None) => &mut week.needs_person,
        };
        *place = place.saturating_add(count);
    }
    Ok(weeks)
}

fn running(tx: &Tx<'_>) -> Result<Vec<Job>, Error> {
    let mut jobs = Vec::new();
    for state in [JobState::Running, JobState::Waiting] {
        let filter = JobFilter { state: Some(state), ..JobFilter::default() };
        jobs.extend(store::job::list(tx, &filter, &Page::first(MOST))?);
    }
    Ok(jobs)
}

/// Tokens that hold keys and are not open.
async fn closed_tokens(app: &App) -> Result<Vec<Need>, Error> {
    let tokens = app
        .read("overview.tokens", |tx| {
            let with_count = |token: domain::token::Token| {
                let keys = store::key::count_in_token(tx, &token.id)?;
                Ok::<_, Error>((token, keys))
            };
            store::token::all(tx)?.into_iter().map(with_count).collect::<Result<Vec<_>, _>>()
        })
        .await?;
    let needs = tokens.into_iter().filter_map(|(held, keys)| {
        let (severity, what) = match token::state(app, &held) {
            TokenState::Locked => {
                (Severity::Error, format!("Token {} is locked after wrong PINs.", held.label))
            }
            TokenState::LoggedOut if keys > 0 => (
                Severity::Warning,
                format!("Token {} is logged out: its {keys} keys do not sign.", held.label),
            ),
            TokenState::LoggedIn
            | TokenState::LoggedOut
            | TokenState::Unavailable
            | TokenState::NotInitialized => return None,
        };
        let detail = "Log in to it at Keys and certificates.".to_owned();
        Some(Need { severity, what, detail, place: Place::Token(held.id) })
    });
    Ok(needs.collect())
}
