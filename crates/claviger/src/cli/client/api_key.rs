//! `api-key`: how programs log in.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::api::text;
use super::connection::Connection;
use super::material::put;
use super::session::{Output, Session};
use super::table::{Column, moment, plain};
use crate::cli::{file, output};

/// API keys are how programs log in.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: claviger api-key create --role XROAD_SERVICE_ADMINISTRATOR --label deploy --out deploy.key"
)]
pub struct ApiKey {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List API keys
    #[command(after_help = "Example: claviger api-key list")]
    List,
    /// Make an API key; it is shown this once
    #[command(
        after_help = "Example: claviger api-key create --role XROAD_SECURITYSERVER_OBSERVER --days 30 --out watch.key"
    )]
    Create(Create),
    /// Show the roles that there are, or give an API key other ones
    #[command(after_help = "Example: claviger api-key roles ab12 --role XROAD_SECURITYSERVER_OBSERVER")]
    Roles {
        /// The API key's id
        #[arg(requires = "role")]
        api_key: Option<String>,
        /// A role; repeat it: these are all the roles afterwards
        #[arg(long, value_name = "ROLE", requires = "api_key")]
        role: Vec<String>,
    },
    /// Revoke an API key
    #[command(after_help = "Example: claviger api-key revoke ab12")]
    Revoke {
        /// The API key's id
        api_key: String,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// A role that it gets; repeat it
    #[arg(long, value_name = "ROLE", required = true)]
    role: Vec<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Days until it ends; 90 if left out
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    /// Write it into a new file that only its owner may read, instead of showing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const COLUMNS: [Column; 5] = [
    plain("ID", "/id"),
    plain("FOR", "/label"),
    plain("ROLES", "/roles"),
    moment("ENDS (UTC)", "/expires_at"),
    moment("LAST USED (UTC)", "/last_used_at"),
];

impl ApiKey {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        if let Verb::Roles { api_key: None, .. } = self.verb {
            for role in domain::Role::ALL {
                output::line(format_args!("{:<31}{}", role.name(), role.label()))?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        self.connection.run(async |on| self.verb.run(on).await).await
    }
}

impl Verb {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        match self {
            Self::List => on.list(&on.api.get(&["api-keys"], &[]).await?, &COLUMNS),
            Self::Create(wanted) => wanted.run(on).await,
            Self::Roles { api_key, role } => {
                let id = api_key.unwrap_or_default();
                let answer = on.api.send(Method::PUT, &["api-keys", &id], &json!(role)).await?;
                on.done(&answer, "The API key has these roles now.")
            }
            Self::Revoke { api_key } => {
                let answer = on.api.call(Method::DELETE, &["api-keys", &api_key]).await?;
                on.done(&answer, "The API key is revoked.")
            }
        }
    }
}

impl Create {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        if let Some(out) = &self.out {
            file::check_new(out)?;
        }
        let mut body = Map::from_iter([("roles".to_owned(), json!(self.role))]);
        put(&mut body, [("label", self.label)]);
        if let Some(days) = self.days {
            body.insert("days".to_owned(), Value::from(days));
        }
        let answer = on.api.send(Method::POST, &["api-keys"], &body.into()).await?;
        let (id, key) = (text(&answer.value, "id"), text(&answer.value, "key"));
        match (&self.out, on.output) {
            (Some(out), _) => {
                file::write_secret(out, format!("{key}\n").as_bytes())?;
                on.wrote(out)
            }
            (None, Output::Json) => Ok(output::line(&answer.text)?),
            (None, Output::People) => Ok(output::line(format_args!(
                "{key}\nThis is API key {id}. It is shown this once and kept nowhere."
            ))?),
        }
    }
}
