//! `recovery`: the recovery passphrase.

use std::process::ExitCode;

use clap::Subcommand;

use crate::server;

/// What can be done with the recovery passphrase.
#[derive(Debug, Subcommand)]
pub enum Recovery {
    /// Make a new recovery passphrase in place of one that was lost; it is shown once.
    Renew(server::recovery::Renew),
}

impl Recovery {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Renew(renew) => renew.run().await,
        }
    }
}
