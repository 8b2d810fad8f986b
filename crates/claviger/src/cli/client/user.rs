//! `user`: people who may log in.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::connection::Connection;
use super::detail::Detail;
use super::list;
use super::session::Session;
use super::table::{Column, moment, plain};
use crate::cli::secret;

/// People who may log in. One is named by the log-in name or id.
#[derive(Debug, Args)]
#[command(after_help = "Example: claviger user create maria --role XROAD_SERVICE_ADMINISTRATOR")]
pub struct User {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List users
    #[command(after_help = "Example: claviger user list")]
    List,
    /// Add a user
    #[command(after_help = "Example: claviger user create maria --role XROAD_SECURITY_OFFICER")]
    Create {
        /// The log-in name
        name: String,
        /// A role, as `claviger api-key roles` lists it; repeat it
        #[arg(long, value_name = "ROLE")]
        role: Vec<String>,
        /// A file with the first password, 12 or more characters; it is asked for if left out
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Change a user's roles or password, or whether log-in is refused
    #[command(after_help = "Example: claviger user update maria --disable")]
    Update(Update),
}

#[derive(Debug, Args)]
struct Update {
    /// The user
    user: String,
    /// A role; repeat it: these are all the roles afterwards
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// Ask for a new password
    #[arg(long, conflicts_with = "password_file")]
    new_password: bool,
    /// A file with a new password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Refuse log-in
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// Allow log-in again
    #[arg(long)]
    enable: bool,
}

const COLUMNS: [Column; 5] = [
    plain("ID", "/id"),
    plain("NAME", "/name"),
    plain("ROLES", "/roles"),
    plain("DISABLED", "/disabled"),
    moment("MADE (UTC)", "/created_at"),
];
const DETAIL: Detail = Detail {
    fields: &[
        plain("Id", "/id"),
        plain("Name", "/name"),
        plain("Roles", "/roles"),
        plain("Disabled", "/disabled"),
        moment("Made", "/created_at"),
    ],
    tables: &[],
    copy: None,
};

impl User {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.connection.run(async |on| self.verb.run(on).await).await
    }
}

impl Verb {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        match self {
            Self::List => on.list(&on.api.get(&["users"], &[]).await?, &COLUMNS),
            Self::Create { name, role, password_file } => {
                let password = password(password_file.as_deref())?;
                let body = json!({ "name": name, "password": password.as_str(), "roles": role });
                on.detail(&on.api.send(Method::POST, &["users"], &body).await?, &DETAIL)
            }
            Self::Update(update) => update.run(on).await,
        }
    }
}

impl Update {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        let id = on.id(&list::USER, &self.user).await?;
        let mut body = Map::new();
        if !self.role.is_empty() {
            body.insert("roles".to_owned(), json!(self.role));
        }
        if self.new_password || self.password_file.is_some() {
            let password = password(self.password_file.as_deref())?;
            body.insert("password".to_owned(), json!(password.as_str()));
        }
        if self.disable || self.enable {
            body.insert("disabled".to_owned(), Value::Bool(self.disable));
        }
        on.detail(&on.api.send(Method::PATCH, &["users", &id], &body.into()).await?, &DETAIL)
    }
}

fn password(file: Option<&Path>) -> anyhow::Result<zeroize::Zeroizing<String>> {
    secret::chosen(file, "New password", "--password-file")
}
