//! `token`: what holds private keys.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use pki::name::inert;
use reqwest::Method;
use serde_json::{Value, json};

use super::connection::Connection;
use super::detail::{Detail, Section};
use super::session::{Output, Session};
use super::table::{Column, plain};
use crate::cli::{question, secret};

/// Tokens hold private keys and sign with them; a token with a PIN signs only while it is logged in.
#[derive(Debug, Args)]
#[command(after_help = "Example: claviger token login 0")]
pub struct Token {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List tokens and whether they are logged in
    #[command(after_help = "Example: claviger token list")]
    List,
    /// Show a token
    #[command(after_help = "Example: claviger token show 0")]
    Show {
        /// The token's id
        token: String,
    },
    /// Enter the PIN, so that the token signs
    #[command(after_help = "Example: claviger token login 0 --pin-file /run/credentials/pin")]
    Login {
        /// The token's id
        token: String,
        /// A file with the PIN; it is asked for if left out
        #[arg(long, value_name = "FILE")]
        pin_file: Option<PathBuf>,
    },
    /// Stop the token from signing; what it serves stops too
    #[command(after_help = "Example: claviger token logout 0")]
    Logout {
        /// The token's id
        token: String,
        /// Do not ask, whatever stops being served
        #[arg(long)]
        yes: bool,
    },
    /// Change the PIN
    #[command(after_help = "Example: claviger token pin 0")]
    Pin {
        /// The token's id
        token: String,
        /// A file with the PIN as it is; it is asked for if left out
        #[arg(long, value_name = "FILE")]
        pin_file: Option<PathBuf>,
        /// A file with the new PIN; it is asked for if left out
        #[arg(long, value_name = "FILE")]
        new_pin_file: Option<PathBuf>,
    },
    /// Give a token another name
    #[command(after_help = "Example: claviger token rename 0 \"Keys of the shop\"")]
    Rename {
        /// The token's id
        token: String,
        /// The new name
        name: String,
    },
}

const COLUMNS: [Column; 5] = [
    plain("ID", "/id"),
    plain("NAME", "/name"),
    plain("TYPE", "/type"),
    plain("LOGGED IN", "/logged_in"),
    plain("STATUS", "/status"),
];
const DETAIL: Detail = Detail {
    fields: &[
        plain("Id", "/id"),
        plain("Name", "/name"),
        plain("Type", "/type"),
        plain("Logged in", "/logged_in"),
        plain("Status", "/status"),
        plain("Available", "/available"),
    ],
    tables: &[Section {
        title: "Keys for signing and authentication",
        pointer: "/keys",
        columns: &[
            plain("ID", "/id"),
            plain("NAME", "/name"),
            plain("USAGE", "/usage"),
            plain("ALGORITHM", "/key_algorithm"),
        ],
    }],
    copy: None,
};

impl Token {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.connection.run(async |on| self.verb.run(on).await).await
    }
}

impl Verb {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        match self {
            Self::List => on.list(&on.api.get(&["tokens"], &[]).await?, &COLUMNS),
            Self::Show { token } => on.detail(&on.api.get(&["tokens", &token], &[]).await?, &DETAIL),
            Self::Login { token, pin_file } => {
                let pin =
                    secret::wanted(pin_file.as_deref(), &format!("PIN of token {token}"), "--pin-file")?;
                let body = json!({ "password": pin.as_str() });
                let answer = on.api.send(Method::PUT, &["tokens", &token, "login"], &body).await?;
                on.done(&answer, &format!("Token {token} is logged in."))
            }
            Self::Logout { token, yes } => {
                if !yes {
                    confirm_log_out(on, &token).await?;
                }
                let answer = on.api.call(Method::PUT, &["tokens", &token, "logout"]).await?;
                on.done(&answer, &format!("Token {token} is logged out."))
            }
            Self::Pin { token, pin_file, new_pin_file } => {
                let old =
                    secret::wanted(pin_file.as_deref(), &format!("PIN of token {token}"), "--pin-file")?;
                let new = secret::chosen(new_pin_file.as_deref(), "New PIN", "--new-pin-file")?;
                let body = json!({ "old_pin": old.as_str(), "new_pin": new.as_str() });
                let answer = on.api.send(Method::PUT, &["tokens", &token, "pin"], &body).await?;
                on.done(
                    &answer,
                    &format!("Token {token} has the new PIN. It is logged out; log it in with that."),
                )
            }
            Self::Rename { token, name } => {
                let answer =
                    on.api.send(Method::PATCH, &["tokens", &token], &json!({ "name": name })).await?;
                on.done(&answer, &format!("Token {token} is called {name} now."))
            }
        }
    }
}

/// Says what would stop being served, and asks; a program must say that it knows.
async fn confirm_log_out(on: &Session, token: &str) -> anyhow::Result<()> {
    let answer = on.api.get(&["tokens", token, "logout-effects"], &[]).await?;
    let stops = answer.value.get("stops").and_then(Value::as_array).cloned().unwrap_or_default();
    if stops.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = stops.iter().filter_map(Value::as_str).collect();
    let said = format!("these would be answered with the default certificate: {}", inert(&names.join(", ")));
    if on.output == Output::Json || !secret::can_ask() {
        bail!("{said}; say --yes if that is right");
    }
    eprintln!("If token {token} is logged out, {said}.");
    if question::is_yes("Log it out?")? { Ok(()) } else { bail!("token {token} stays logged in") }
}
