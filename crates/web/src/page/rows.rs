//! Lines about certificates, requests, endpoints and jobs, as several pages show them.

use domain::Moment;
use domain::certificate::{CertificateEntry, CertificateState};
use domain::csr::{CsrEntry, CsrState};
use domain::job::{Job, JobKind, JobState};
use domain::key::{Durability, Exportable, KeyState, KeyUsage};
use domain::target::{Deployment, DeploymentState, EndpointSeen};
use pki::Fingerprint;

use crate::page::When;
use crate::page::finding::Badge;
use crate::page::words::{Dotted, safe, short, title};

/// A named fact with one or more lines.
pub struct Fact {
    /// What it is.
    pub name: String,
    /// What it says.
    pub lines: Vec<String>,
    /// Whether it is shown in the face for fingerprints.
    pub mono: bool,
}

impl Fact {
    /// A fact with one line.
    pub fn new(name: impl Into<String>, line: impl Into<String>) -> Self {
        Self { name: name.into(), lines: vec![line.into()], mono: false }
    }

    /// A fact with several lines.
    pub fn lines(name: impl Into<String>, lines: Vec<String>) -> Self {
        Self { name: name.into(), lines, mono: false }
    }

    /// A fingerprint or serial.
    pub fn mono(name: impl Into<String>, line: impl Into<String>) -> Self {
        Self { mono: true, ..Self::new(name, line) }
    }
}

/// A certificate in a list.
pub struct CertificateLine {
    /// Its fingerprint.
    pub id: String,
    /// Its friendly name.
    pub name: String,
    /// Who issued it.
    pub issuer: String,
    /// When it ends.
    pub ends: When,
    /// Where it is in its life.
    pub badge: Badge,
    /// The first octets of its fingerprint.
    pub short: String,
}

impl CertificateLine {
    /// The line of an entry.
    pub fn new(entry: &CertificateEntry, now: Moment) -> Self {
        Self {
            id: entry.fingerprint().to_string(),
            name: name_of(entry),
            issuer: title(entry.certificate.issuer()),
            ends: When::unix(entry.certificate.not_after(), now),
            badge: certificate_badge(entry, now),
            short: short(&entry.fingerprint()),
        }
    }
}

/// The friendly name, or the common name where there is none.
pub fn name_of(entry: &CertificateEntry) -> String {
    if entry.friendly_name.is_empty() {
        safe(&entry.certificate.display_name())
    } else {
        safe(&entry.friendly_name)
    }
}

/// Where a certificate is in its life; that it has ended comes first.
pub fn certificate_badge(entry: &CertificateEntry, now: Moment) -> Badge {
    if entry.certificate.not_after() < now.unix() {
        return Badge::bad("expired");
    }
    match entry.state {
        CertificateState::Issued => Badge::plain("issued"),
        CertificateState::Installed => Badge::plain("installed"),
        CertificateState::Verified => Badge::good("seen from outside"),
        CertificateState::Superseded => Badge::plain("superseded"),
        CertificateState::Retired => Badge::plain("removed"),
        CertificateState::Revoked => Badge::bad("revoked"),
    }
}

/// A request in a list.
pub struct CsrLine {
    /// Its id.
    pub id: String,
    /// Its friendly name.
    pub name: String,
    /// When it was made.
    pub made: When,
    /// What became of it.
    pub badge: Badge,
    /// Whether it waits for the answer.
    pub waits: bool,
}

impl CsrLine {
    /// The line of an entry.
    pub fn new(entry: &CsrEntry, now: Moment) -> Self {
        Self {
            id: entry.id.to_string(),
            name: safe(&entry.friendly_name),
            made: When::new(entry.created, now),
            badge: csr_badge(entry.state),
            waits: entry.state == CsrState::Waiting,
        }
    }
}

/// What became of a request.
pub fn csr_badge(state: CsrState) -> Badge {
    match state {
        CsrState::Waiting => Badge::warn("waits for the CA"),
        CsrState::Fulfilled => Badge::good("answered"),
        CsrState::Withdrawn => Badge::plain("withdrawn"),
    }
}

/// What one endpoint served.
pub struct EndpointLine {
    /// `host:port`.
    pub address: String,
    /// The target's id.
    pub target: String,
    /// The target's friendly name, where the page knows it; else its id.
    pub label: String,
    /// The name that was asked for.
    pub name: Dotted,
    /// Whether it was the right certificate.
    pub badge: Badge,
    /// What went wrong.
    pub trouble: String,
    /// When it was seen.
    pub at: When,
}

impl EndpointLine {
    /// The line of a look from outside, compared with the certificate that should be served.
    pub fn new(seen: &EndpointSeen, wanted: Option<&Fingerprint>, now: Moment) -> Self {
        let badge = match (&seen.certificate, wanted) {
            (Some(served), Some(wanted)) if served == wanted => Badge::good("this certificate"),
            (Some(served), _) => Badge::bad(format!("another: {}", short(served))),
            (None, _) => Badge::bad("no handshake"),
        };
        Self {
            address: safe(&seen.address),
            target: seen.target.to_string(),
            label: seen.target.to_string(),
            name: Dotted::new(&asked_name(&seen.name)),
            badge,
            trouble: safe(&seen.trouble),
            at: When::new(seen.at, now),
        }
    }
}

/// The name that was asked for. One label is made up to look for a wildcard: the wildcard stands in front.
fn asked_name(name: &str) -> String {
    match name.strip_prefix("claviger-check.") {
        Some(rest) => format!("*.{} (asked as {})", safe(rest), safe(name)),
        None => safe(name),
    }
}

/// Where a deployment is.
pub fn deployment_badge(deployment: &Deployment) -> Badge {
    match deployment.state {
        DeploymentState::Planned => Badge::plain("planned"),
        DeploymentState::Installed => Badge::warn("installed, not yet seen from outside"),
        DeploymentState::Verified => Badge::good("seen from outside"),
        DeploymentState::Failed => Badge::bad("failed, the one before is served"),
        DeploymentState::RolledBack => Badge::bad("the one before was put back"),
    }
}

/// A job in a list.
pub struct JobLine {
    /// Its id.
    pub id: String,
    /// What it does.
    pub what: &'static str,
    /// What it is about, as people call it; empty where that has no name.
    pub subject: String,
    /// Where it is.
    pub badge: Badge,
    /// What it does now, or why it failed.
    pub progress: String,
    /// When it was made.
    pub at: When,
}

impl JobLine {
    /// The line of a job whose subject is called so.
    pub fn new(job: &Job, subject: Option<String>, now: Moment) -> Self {
        let progress = if job.trouble.is_empty() { &job.progress } else { &job.trouble };
        Self {
            id: job.id.to_string(),
            what: job_words(job.kind),
            subject: subject.as_deref().map(safe).unwrap_or_default(),
            badge: job_badge(job),
            progress: safe(progress),
            at: When::new(job.created, now),
        }
    }
}

/// What a job does.
pub fn job_words(kind: JobKind) -> &'static str {
    match kind {
        JobKind::LineageRenew => "Renew a lineage",
        JobKind::LineageRekey => "Rekey a lineage",
        JobKind::DeploymentRun => "Install a certificate and look from outside",
        JobKind::DeploymentPlan => "Look which targets need another chain",
        JobKind::CertificateImport => "Store imported certificates",
        JobKind::CertificateComplete => "Fetch the missing certificates of a chain",
    }
}

/// Where a job is. An installation that was refused has ended too, so only its words say how.
pub fn job_badge(job: &Job) -> Badge {
    match job.state {
        JobState::Waiting if !job.trouble.is_empty() => Badge::warn("will be tried again"),
        JobState::Waiting => Badge::plain("waits"),
        JobState::Running => Badge::plain("running"),
        JobState::Done if job.kind == JobKind::DeploymentRun => Badge::plain("ended"),
        JobState::Done => Badge::good("done"),
        JobState::Failed => Badge::bad("failed"),
    }
}

/// Whether something of the job can still change.
pub fn is_open(job: &Job) -> bool {
    match job.state {
        JobState::Waiting | JobState::Running => true,
        JobState::Done | JobState::Failed => false,
    }
}

/// The ids of the jobs that can still change, as the script follows them.
pub fn open_ids(jobs: &[Job]) -> String {
    let open = jobs.iter().filter(|job| is_open(job)).map(|job| job.id.to_string());
    open.collect::<Vec<_>>().join(" ")
}

/// What a key is for.
pub fn usage_words(usage: Option<KeyUsage>) -> &'static str {
    match usage {
        None => "none yet",
        Some(KeyUsage::Tls) => "TLS",
        Some(KeyUsage::Sign) => "SIGN",
        Some(KeyUsage::Auth) => "AUTH",
        Some(KeyUsage::Ca) => "CA",
        Some(KeyUsage::Account) => "ACME account",
        Some(KeyUsage::Node) => "node",
    }
}

/// When a key may leave its token.
pub fn exportable_words(exportable: Exportable) -> &'static str {
    match exportable {
        Exportable::Never => "never",
        Exportable::ToTargets => "to the targets of its lineage",
        Exportable::WithPassphrase => "to targets, and to a person under a passphrase",
    }
}

/// What survives the loss of this machine.
pub fn durability_words(durability: Durability) -> &'static str {
    match durability {
        Durability::BackedUp => "yes, a backup has it",
        Durability::ThisNodeOnly => "no, not before the next backup",
        Durability::Hsm => "yes, the hardware keeps it",
    }
}

/// Where a key is in its life.
pub fn key_badge(state: KeyState) -> Badge {
    match state {
        KeyState::Active => Badge::good("active"),
        KeyState::Retired => Badge::warn("deleted, can be brought back"),
        KeyState::Compromised => Badge::bad("compromised"),
        KeyState::Destroyed => Badge::plain("destroyed"),
    }
}
