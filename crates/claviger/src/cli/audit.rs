//! `audit`: the audit log.

use std::process::ExitCode;

use clap::Subcommand;

use super::client::audit::{Check, List};
use crate::server;

/// What can be done with the audit log.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List events of a server, the newest first.
    List(List),
    /// Have a server verify its chain of events.
    Check(Check),
    /// Verify the chain of events in a data directory: changed, missing, reordered or cut-off events are found.
    Verify(server::audit::Verify),
}

impl Audit {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(list) => list.run().await,
            Self::Check(check) => check.run().await,
            Self::Verify(verify) => verify.run().await,
        }
    }
}
