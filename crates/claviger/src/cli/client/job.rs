//! `job`: work that the server does by itself.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::connection::Connection;
use super::detail::Detail;
use super::list::Page;
use super::session::Session;
use super::table::{Column, moment, named, plain};

/// Jobs: work that the server does by itself, also after a crash.
#[derive(Debug, Args)]
#[command(after_help = "Example: claviger job list --state failed")]
pub struct Job {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List jobs, the newest first
    #[command(after_help = "Example: claviger job list --state waiting")]
    List {
        /// Only these: waiting, running, done or failed
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// Only jobs of the lineage or deployment with this id
        #[arg(long, value_name = "ID")]
        subject: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Show a job
    #[command(after_help = "Example: claviger job show job-7x3k")]
    Show {
        /// The job's id
        job: String,
    },
    /// Follow a job to its end, however often it is tried; exit code 1 when it fails
    #[command(after_help = "Example: claviger job watch job-7x3k")]
    Watch {
        /// The job's id
        job: String,
    },
}

const COLUMNS: [Column; 6] = [
    plain("ID", "/id"),
    plain("KIND", "/kind"),
    named("OF", "/subject_name", "/subject"),
    plain("STATE", "/state"),
    moment("MADE (UTC)", "/created_at"),
    plain("PROGRESS", "/progress"),
];
const DETAIL: Detail = Detail {
    fields: &[
        plain("Id", "/id"),
        plain("Kind", "/kind"),
        named("Of", "/subject_name", "/subject"),
        plain("State", "/state"),
        plain("Progress", "/progress"),
        plain("Trouble", "/trouble"),
        plain("Tries", "/attempts"),
        moment("Due", "/due_at"),
        plain("Wanted by", "/actor"),
        moment("Made", "/created_at"),
        moment("Ended", "/ended_at"),
    ],
    tables: &[],
    copy: None,
};

impl Job {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.connection.run(async |on| self.verb.run(on).await).await
    }
}

impl Verb {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        match self {
            Self::List { state, subject, page } => {
                let query = page.with([("state", state), ("subject", subject)]);
                on.list(&on.api.get(&["jobs"], &query).await?, &COLUMNS)
            }
            Self::Show { job } => on.detail(&on.api.get(&["jobs", &job], &[]).await?, &DETAIL),
            Self::Watch { job } => on.watch(&job).await,
        }
    }
}
