//! `recovery renew`: a new recovery passphrase, by a person with the role who has the instance at hand.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use app::App;
use clap::Args;
use domain::audit::Action;
use domain::permission::uses;
use domain::{Authorized, authorize};
use zeroize::Zeroizing;

use super::init::{explain, hand_over_recovery};
use super::installation::{At, Expect, OlderTables};
use crate::cli::{output, secret};

/// Makes a new recovery passphrase in place of one that was lost; it is shown once.
///
/// It takes the data directory and the password of a user who may change settings. The server may be running. Backups
/// that were taken before keep the passphrase of their time: take a new one afterwards.
#[derive(Debug, Args)]
pub struct Renew {
    #[command(flatten)]
    at: At,
    /// Who asks for it: a system administrator
    #[arg(long, value_name = "NAME")]
    user: String,
    /// A file that holds the user's password; it is asked for if left out
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Write the recovery passphrase to this file instead of printing it
    #[arg(long, value_name = "FILE")]
    recovery_file: Option<PathBuf>,
}

impl Renew {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let prompt = format!("Password of {}", self.user);
        let password = secret::wanted(self.password_file.as_deref(), &prompt, "--password-file")?;
        let installation = self.at.read(Expect::Installation)?;
        let store = installation.open_store(OlderTables::Refuse).await?;
        let app = installation.open_app(store, installation.app_config()).await?;
        let renewed = self.renew(&app, &password).await;
        let settled = app::audit::settle_head(&app).await;
        app.store().close().await;
        hand_over_recovery(&renewed?, self.recovery_file.as_deref())?;
        settled?;
        output::line(
            "Backups from now on open with it; those from before keep theirs. Take a new backup now.",
        )?;
        Ok(ExitCode::SUCCESS)
    }

    async fn renew(&self, app: &App, password: &str) -> anyhow::Result<Zeroizing<String>> {
        let by = self.authorized(app, password).await?;
        app::backup::renew_recovery(app, &by).await.map_err(explain)
    }

    /// The user, if the password is right and the role is there. A refusal is in the audit log.
    async fn authorized(
        &self,
        app: &App,
        password: &str,
    ) -> anyhow::Result<Authorized<uses::ManageSettings>> {
        let actor = app::access::basic(app, &self.user, password, "").await.map_err(explain)?;
        match authorize(&actor, uses::ManageSettings, "") {
            Ok(by) => Ok(by),
            Err(refused) => {
                let (action, permission) = (Action::RecoveryRenew, Some(refused.permission));
                app::audit::refused(app, &actor, action, "", "forbidden", permission).await?;
                Err(refused).context("this takes a system administrator")
            }
        }
    }
}
