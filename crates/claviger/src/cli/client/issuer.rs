//! `issuer`: who turns requests into certificates.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::connection::Connection;
use super::detail::Detail;
use super::session::Session;
use super::table::{Column, duration, moment, plain};

/// Issuers turn requests into certificates: the CA in this server, CAs asked by hand, or the key itself.
#[derive(Debug, Args)]
#[command(after_help = "Example: claviger issuer list")]
pub struct Issuer {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List issuers
    #[command(after_help = "Example: claviger issuer list")]
    List,
    /// Show an issuer with its CA certificates
    #[command(after_help = "Example: claviger issuer show internal")]
    Show {
        /// The issuer's id
        issuer: String,
    },
    /// Add an issuer
    #[command(after_help = "Example: claviger issuer create bank-ca --label \"The bank's CA\" --kind manual")]
    Create {
        /// Its id: 1 to 64 of a-z, 0-9, - and _
        issuer: String,
        /// Its name on pages; the id if left out
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// manual (a person takes requests to the CA), internal (a CA in this server) or self_signed
        #[arg(long, value_name = "KIND")]
        kind: String,
    },
    /// Let an issuer issue no more
    #[command(after_help = "Example: claviger issuer withdraw bank-ca")]
    Withdraw {
        /// The issuer's id
        issuer: String,
    },
    /// Let a withdrawn issuer issue again
    #[command(after_help = "Example: claviger issuer resume bank-ca")]
    Resume {
        /// The issuer's id
        issuer: String,
    },
    /// List profiles: what certificates may be like
    #[command(after_help = "Example: claviger issuer profiles")]
    Profiles,
}

const COLUMNS: [Column; 5] = [
    plain("ID", "/id"),
    plain("NAME", "/label"),
    plain("KIND", "/kind"),
    plain("WITHDRAWN", "/withdrawn"),
    plain("LINEAGES", "/lineages"),
];
const PROFILES: [Column; 6] = [
    plain("ID", "/id"),
    plain("NAME", "/label"),
    plain("USAGE", "/usage"),
    duration("LIFETIME", "/lifetime"),
    duration("AT MOST", "/lifetime_max"),
    plain("ALGORITHMS", "/algorithms"),
];
const DETAIL: Detail = Detail {
    fields: &[
        plain("Id", "/id"),
        plain("Name", "/label"),
        plain("Kind", "/kind"),
        plain("About", "/help"),
        plain("Withdrawn", "/withdrawn"),
        plain("Lineages", "/lineages"),
        moment("Made", "/created_at"),
        plain("Root", "/root/subject"),
        plain("Root's hash", "/root/hash"),
        moment("Root ends", "/root/not_after"),
        plain("Intermediate", "/intermediate/subject"),
        plain("Its hash", "/intermediate/hash"),
        moment("It ends", "/intermediate/not_after"),
    ],
    tables: &[],
    copy: None,
};

impl Issuer {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.connection.run(async |on| self.verb.run(on).await).await
    }
}

impl Verb {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        match self {
            Self::List => on.list(&on.api.get(&["issuers"], &[]).await?, &COLUMNS),
            Self::Show { issuer } => on.detail(&on.api.get(&["issuers", &issuer], &[]).await?, &DETAIL),
            Self::Create { issuer, label, kind } => {
                let label = label.unwrap_or_else(|| issuer.clone());
                let body = json!({ "id": issuer, "label": label, "kind": kind });
                on.detail(&on.api.send(Method::POST, &["issuers"], &body).await?, &DETAIL)
            }
            Self::Withdraw { issuer } => {
                let answer =
                    on.api.send(Method::PATCH, &["issuers", &issuer], &json!({ "withdrawn": true })).await?;
                on.done(&answer, &format!("{issuer} issues no more."))
            }
            Self::Resume { issuer } => {
                let answer =
                    on.api.send(Method::PATCH, &["issuers", &issuer], &json!({ "withdrawn": false })).await?;
                on.done(&answer, &format!("{issuer} issues again."))
            }
            Self::Profiles => on.list(&on.api.get(&["profiles"], &[]).await?, &PROFILES),
        }
    }
}
