//! Jobs: work that is done later, also after a crash, and how long it waits after a failure.

use crate::clock::{HOUR, MINUTE, Moment};
use crate::id::JobId;
use crate::names;

names! {
    /// What a job does.
    JobKind {
        /// Renews the lineage that is its subject, with a new key if the rule says so.
        LineageRenew "lineage.renew",
        /// Renews the lineage that is its subject, with a new key in any case.
        LineageRekey "lineage.rekey",
        /// Installs and verifies the deployment that is its subject.
        DeploymentRun "deployment.run",
        /// Plans deployments for the targets that would get another chain now than they have.
        DeploymentPlan "deployment.plan",
        /// Stores the certificates of the import that is its subject.
        CertificateImport "certificate.import",
        /// Fetches what is missing in the chain of the certificate that is its subject.
        CertificateComplete "certificate.complete",
    }
}

names! {
    /// Where a job is.
    JobState {
        /// It waits for its time.
        Waiting "waiting",
        /// Somebody works on it, under a lease.
        Running "running",
        /// It is done.
        Done "done",
        /// It was given up; a person must look.
        Failed "failed",
    }
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// To what: a lineage's, deployment's or import's id, or a certificate's fingerprint; `chains` where it is about all.
    pub subject: String,
    /// Where it is.
    pub state: JobState,
    /// When it may start.
    pub due: Moment,
    /// How often it was tried.
    pub attempts: u32,
    /// Grows with each claim: who holds an older number writes no more.
    pub fence: i64,
    /// What it does now, one sentence.
    pub progress: String,
    /// Why the last try failed; empty when none did.
    pub trouble: String,
    /// Who wanted it.
    pub actor: String,
    /// When it was made.
    pub created: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
}

/// How long a job's lease holds. A job that takes longer extends it.
pub const LEASE: i64 = 2 * MINUTE;

/// How long to wait after so many failures: 1 minute doubling to 24 hours, with up to a tenth of jitter
/// (`spread` is any number, the job's hash say). Saturates: it never overflows back to nothing.
pub fn back_off(failures: u32, spread: u64) -> i64 {
    let longest = 24 * HOUR;
    let base = MINUTE.saturating_mul(1_i64 << failures.saturating_sub(1).min(20)).min(longest);
    let jitter = i64::try_from(spread % 1_000).unwrap_or(0) * base / 10_000;
    (base + jitter).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_failures_never_wait_less_than_a_minute_nor_more_than_a_day() {
        let mut before = 0;
        for failures in 1..10_000 {
            let wait = back_off(failures, 0);
            assert!((MINUTE..=24 * HOUR).contains(&wait) && wait >= before, "{failures}: {wait}");
            assert!((MINUTE..=24 * HOUR).contains(&back_off(failures, u64::from(failures) * 7_919)));
            before = wait;
        }
    }
}
