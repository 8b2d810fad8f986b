//! `backup`: everything in one file, as of one moment.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use domain::permission::uses;
use domain::{Actor, authorize};

use super::init::explain;
use super::installation::{At, Expect, OlderTables};
use crate::cli::output;

/// Takes a backup into a new file; the server may be running.
///
/// The file holds the database and the instance key, sealed to the recovery passphrase: file and passphrase are enough
/// to sign again on an empty machine.
#[derive(Debug, Args)]
pub struct Backup {
    #[command(flatten)]
    at: At,
    /// The file to make
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

impl Backup {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let installation = self.at.read(Expect::Installation)?;
        let store = installation.open_store(OlderTables::Refuse).await?;
        let app = installation.open_app(store, installation.app_config()).await?;
        let by = authorize(&Actor::Installer, uses::ManageSettings, "")?;
        let taken = app::backup::take(&app, &by, self.to.clone()).await.map_err(explain);
        let settled = app::audit::settle_head(&app).await;
        app.store().close().await;
        taken?;
        settled?;
        output::line(format!(
            "{} holds everything; keep it apart from the recovery passphrase",
            self.to.display()
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
