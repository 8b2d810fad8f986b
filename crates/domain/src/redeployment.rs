//! Whether a target gets a certificate again that it has already, because the chain of it became another: an intermediate
//! came that was missing, or shows a better way.

use pki::Fingerprint;

use crate::clock::SECOND;
use crate::job::JobState;
use crate::target::{ChainHash, Deployment, DeploymentState};

/// What is done, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeployment {
    /// Nothing.
    Nothing {
        /// Why not.
        reason: &'static str,
    },
    /// It is looked at again in a moment.
    Wait {
        /// For what.
        reason: &'static str,
    },
    /// The certificate is deployed again, with the chain as it is now.
    Deploy {
        /// Why.
        reason: &'static str,
    },
}

/// Decides for one lineage on one target. `latest` is its newest deployment there and `job` where the job of that is, if it
/// has not ended; `current` is the lineage's certificate, whose chain is `chain` now.
///
/// What was tried with this very chain is not tried again, however it ended: so it is said twice and done once, and what
/// failed waits for a person.
pub fn plan_redeployment(
    latest: Option<&Deployment>,
    job: Option<JobState>,
    current: &Fingerprint,
    chain: &ChainHash,
) -> Redeployment {
    let nothing = |reason| Redeployment::Nothing { reason };
    let deploy = |reason| Redeployment::Deploy { reason };
    let Some(latest) = latest else { return nothing("nothing was deployed there") };
    if latest.certificate != *current {
        return nothing("another certificate was deployed there last");
    }
    if latest.chain == Some(*chain) {
        return nothing("it was deployed with this chain");
    }
    match (latest.state, job) {
        (_, Some(JobState::Running)) => {
            Redeployment::Wait { reason: "it is being installed, perhaps with the chain as it was before" }
        }
        (_, Some(JobState::Waiting)) => nothing("it waits to be installed, with the chain of that moment"),
        (DeploymentState::Planned, Some(JobState::Done | JobState::Failed) | None) => {
            nothing("its deployment was given up before it was tried")
        }
        (DeploymentState::Installed | DeploymentState::Verified, _) if latest.chain.is_none() => {
            deploy("it is not known with which chain it was installed")
        }
        (DeploymentState::Installed | DeploymentState::Verified, _) => {
            deploy("it is installed with another chain than is served now")
        }
        (DeploymentState::Failed | DeploymentState::RolledBack, _) if latest.chain.is_none() => {
            nothing("it was not installed there")
        }
        (DeploymentState::Failed | DeploymentState::RolledBack, _) => {
            deploy("it was tried with another chain than is served now")
        }
    }
}

/// For how long is waited before it is looked at again.
pub const PAUSE: i64 = 5 * SECOND;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::id::{DeploymentId, LineageId, TargetId};
    use crate::target::DeploymentState::{Failed, Installed, Planned, RolledBack, Verified};

    const CURRENT: Fingerprint = Fingerprint([1; 32]);
    const NOW: ChainHash = Fingerprint([2; 32]);
    const BEFORE: ChainHash = Fingerprint([3; 32]);
    const JOBS: [Option<JobState>; 3] = [None, Some(JobState::Waiting), Some(JobState::Running)];

    fn plan(
        state: DeploymentState,
        certificate: Fingerprint,
        chain: Option<ChainHash>,
        job: Option<JobState>,
    ) -> Redeployment {
        let latest = Deployment {
            id: DeploymentId::of("deployment-1"),
            lineage: LineageId::of("lineage-1"),
            target: TargetId::of("target-1"),
            certificate,
            state,
            chain,
            trouble: String::new(),
            created: Moment(0),
            changed: Moment(0),
        };
        plan_redeployment(Some(&latest), job, &CURRENT, &NOW)
    }

    fn is_deployed(
        state: DeploymentState,
        certificate: Fingerprint,
        chain: Option<ChainHash>,
        job: Option<JobState>,
    ) -> bool {
        matches!(plan(state, certificate, chain, job), Redeployment::Deploy { .. })
    }

    #[test]
    fn what_is_there_with_another_chain_is_deployed_once() {
        for state in [Installed, Verified, Failed, RolledBack] {
            assert!(is_deployed(state, CURRENT, Some(BEFORE), None), "{state}");
        }
        for job in JOBS {
            for state in [Planned, Installed, Verified, Failed, RolledBack] {
                assert!(
                    !is_deployed(state, CURRENT, Some(NOW), job),
                    "{state} {job:?}: tried with this chain"
                );
                assert!(!is_deployed(state, Fingerprint([9; 32]), Some(BEFORE), job), "{state} {job:?}");
            }
        }
    }

    #[test]
    fn one_that_waits_takes_the_chain_of_its_moment_and_one_under_way_may_have_missed_it() {
        assert!(!is_deployed(Planned, CURRENT, None, Some(JobState::Waiting)));
        assert!(!is_deployed(Installed, CURRENT, Some(BEFORE), Some(JobState::Waiting)));
        for (state, chain) in [(Planned, None), (Installed, Some(BEFORE))] {
            let planned = plan(state, CURRENT, chain, Some(JobState::Running));
            assert!(matches!(planned, Redeployment::Wait { .. }), "{state} {planned:?}");
        }
    }

    #[test]
    fn what_was_never_installed_is_left_alone_and_what_nobody_noted_is_deployed() {
        assert!(matches!(plan_redeployment(None, None, &CURRENT, &NOW), Redeployment::Nothing { .. }));
        for state in [Planned, Failed, RolledBack] {
            assert!(!is_deployed(state, CURRENT, None, None), "{state}");
        }
        assert!(is_deployed(Verified, CURRENT, None, None));
        assert!(is_deployed(Installed, CURRENT, None, None));
    }
}
