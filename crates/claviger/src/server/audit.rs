//! `audit verify`: the chain of events in a data directory, without a server.

use std::process::ExitCode;

use app::audit::{BROKEN_HEAD_FILE, Verified};
use clap::Args;

use super::init::explain;
use super::installation::{At, Expect, Installation, OlderTables};
use crate::cli::output;

/// Verifies the audit log: every event is there, unchanged and in its order, and none is cut off at the end.
///
/// The server may be running. Exit code 1 when something is wrong.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    at: At,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let installation = self.at.read(Expect::Installation)?;
        let verified = verify(&installation).await;
        match (&verified, self.json) {
            (Ok(verified), true) => {
                output::json(&serde_json::json!({
                    "intact": true, "events": verified.events, "head": verified.head,
                }))?;
            }
            (Ok(verified), false) => {
                output::line(format!(
                    "{} events, all in place; the last is {}",
                    verified.events, verified.head
                ))?;
            }
            (Err(error), true) => {
                output::json(&serde_json::json!({ "intact": false, "what": error.to_string() }))?;
            }
            (Err(error), false) => eprintln!("{error:#}"),
        }
        Ok(if verified.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

async fn verify(installation: &Installation) -> anyhow::Result<Verified> {
    let store = installation.open_store(OlderTables::Refuse).await?;
    let app = installation
        .open_app(store, installation.app_config())
        .await
        .map_err(|error| error.context("the log cannot be judged"))?;
    let verified = app::audit::check(&app).await.map_err(explain);
    app.store().close().await;
    let kept = installation.directory.path().join(BROKEN_HEAD_FILE);
    if verified.is_ok() && kept.exists() {
        anyhow::bail!(
            "the log was found cut or changed at an earlier start: {} is the head it had before; compare it with a \
             backup, then remove the file",
            kept.display()
        );
    }
    verified
}
