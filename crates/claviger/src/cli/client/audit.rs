//! `audit`: who did what.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::api::text;
use super::connection::Connection;
use super::list::Page;
use super::session::Session;
use super::table::{Column, moment, plain};

/// Lists audit events, the newest first.
#[derive(Debug, Args)]
#[command(after_help = "Example: claviger audit list --action key.export --from 2027-01-01T00:00:00Z")]
pub struct List {
    #[command(flatten)]
    connection: Connection,
    /// Only events of this actor, user:NAME or api-key:ID
    #[arg(long, value_name = "ACTOR")]
    actor: Option<String>,
    /// Only this action, like key.export
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only events of the object with this id
    #[arg(long, value_name = "ID")]
    object: Option<String>,
    /// Only those that ended so: done, refused or failed
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// From this moment on
    #[arg(long, value_name = "RFC3339")]
    from: Option<String>,
    /// Before this moment
    #[arg(long, value_name = "RFC3339")]
    until: Option<String>,
    #[command(flatten)]
    page: Page,
}

/// Has the server verify its audit log.
#[derive(Debug, Args)]
#[command(after_help = "Example: claviger audit check")]
pub struct Check {
    #[command(flatten)]
    connection: Connection,
}

const COLUMNS: [Column; 7] = [
    plain("NO", "/seq"),
    moment("AT (UTC)", "/at"),
    plain("WHO", "/actor"),
    plain("WHAT", "/action"),
    plain("TO", "/object"),
    plain("OUTCOME", "/outcome"),
    plain("CODE", "/code"),
];

impl List {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let filters = [
            ("actor", self.actor),
            ("action", self.action),
            ("object", self.object),
            ("outcome", self.outcome),
            ("from", self.from),
            ("until", self.until),
        ];
        let query = self.page.with(filters);
        self.connection.run(async |on| list(on, &query).await).await
    }
}

async fn list(on: &Session, query: &[(&str, String)]) -> anyhow::Result<()> {
    on.list(&on.api.get(&["audit-events"], query).await?, &COLUMNS)
}

impl Check {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.connection.run(check).await
    }
}

async fn check(on: &Session) -> anyhow::Result<()> {
    let answer = on.api.get(&["audit-events", "verification"], &[]).await?;
    let events = answer.value.get("events").and_then(Value::as_i64).unwrap_or_default();
    on.done(&answer, &format!("{events} events, all in place; the last is {}", text(&answer.value, "head")))
}
