//! `migrate`: brings the database to this version's schema.

use std::process::ExitCode;

use clap::Args;

use super::installation::{At, Expect, OlderTables, describe};
use crate::cli::output;

/// Brings the database to this version's schema. `serve` does it by itself when it starts.
#[derive(Debug, Args)]
pub struct Migrate {
    #[command(flatten)]
    at: At,
}

impl Migrate {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let installation = self.at.read(Expect::Installation)?;
        let store = installation.open_store(OlderTables::Migrate).await?;
        let schema = store.check().await?.schema;
        store.close().await;
        output::line(format!("{} has schema version {schema}", describe(&installation.database)))?;
        Ok(ExitCode::SUCCESS)
    }
}
