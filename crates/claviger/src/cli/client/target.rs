//! `target`: places that need certificates.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use pki::name::inert;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::api::{Answer, items, text};
use super::connection::Connection;
use super::detail::{Detail, Section};
use super::follow::{LedTo, Wait};
use super::list;
use super::material::put;
use super::session::{Output, Session};
use super::table::{Column, hash, moment, plain};
use crate::cli::ink::Ink;
use crate::cli::{output, secret};

/// Targets are places that need certificates: an nginx, a directory, the edge. One is named by its id or its name.
#[derive(Debug, Args)]
#[command(after_help = "Example: claviger target kinds")]
pub struct Target {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List targets
    #[command(after_help = "Example: claviger target list")]
    List,
    /// Show a target: its settings, what is installed, what was seen from outside
    #[command(after_help = "Example: claviger target show nginx")]
    Show {
        /// The target
        target: String,
    },
    /// List the kinds of targets with their settings
    #[command(after_help = "Example: claviger target kinds")]
    Kinds,
    /// Add a target
    #[command(after_help = "\
Example: claviger target create nginx --kind files --set directory=/etc/nginx/tls --set preset=nginx \\
      --address shop.example:443")]
    Create {
        /// Its name
        label: String,
        /// Its kind, as `claviger target kinds` lists it
        #[arg(long, value_name = "KIND")]
        kind: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Change a target; what is not said stays
    #[command(
        after_help = "Example: claviger target update nginx --address shop.example:443 --address [2001:db8::1]:443"
    )]
    Update {
        /// The target
        target: String,
        /// A new name
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Remove a target; what is installed there stays
    #[command(after_help = "Example: claviger target retire nginx")]
    Retire {
        /// The target
        target: String,
    },
    /// Install a lineage's current certificate again, and look at it from outside
    #[command(after_help = "Example: claviger target deploy nginx shop")]
    Deploy {
        /// The target
        target: String,
        /// The lineage
        lineage: String,
        #[command(flatten)]
        wait: Wait,
    },
}

#[derive(Debug, Args)]
struct Settings {
    /// A setting, as its kind describes it; repeat it
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,
    /// A secret setting, from a file; repeat it
    #[arg(long = "set-file", value_name = "NAME=FILE", value_parser = parse_setting)]
    set_file: Vec<(String, String)>,
    /// host:port at which it serves, to look at from outside; repeat it
    #[arg(long, value_name = "ADDRESS")]
    address: Vec<String>,
}

const COLUMNS: [Column; 5] = [
    plain("ID", "/id"),
    plain("NAME", "/label"),
    plain("KIND", "/kind"),
    plain("ADDRESSES", "/addresses"),
    plain("LINEAGES", "/lineages"),
];
const DETAIL: Detail = Detail {
    fields: &[
        plain("Id", "/id"),
        plain("Name", "/label"),
        plain("Kind", "/kind"),
        plain("Addresses", "/addresses"),
        moment("Made", "/created_at"),
    ],
    tables: &[
        Section {
            title: "Lineages",
            pointer: "/lineages",
            columns: &[plain("ID", "/id"), plain("NAME", "/name")],
        },
        Section {
            title: "Installed",
            pointer: "/deployments",
            columns: &[
                plain("LINEAGE", "/lineage_name"),
                hash("CERTIFICATE", "/certificate"),
                plain("STATE", "/state"),
                moment("SINCE (UTC)", "/changed_at"),
                plain("TROUBLE", "/trouble"),
            ],
        },
        Section {
            title: "Seen from outside",
            pointer: "/endpoints",
            columns: &[
                plain("ADDRESS", "/address"),
                plain("NAME", "/name"),
                hash("CERTIFICATE", "/certificate"),
                moment("SEEN (UTC)", "/seen_at"),
                plain("TROUBLE", "/trouble"),
            ],
        },
    ],
    copy: None,
};

impl Target {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.connection.run(async |on| self.verb.run(on).await).await
    }
}

impl Verb {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        match self {
            Self::List => on.list(&on.api.get(&["targets"], &[]).await?, &COLUMNS),
            Self::Show { target } => {
                let id = on.id(&list::TARGET, &target).await?;
                show(on, &on.api.get(&["targets", &id], &[]).await?)
            }
            Self::Kinds => kinds(on, &on.api.get(&["target-kinds"], &[]).await?),
            Self::Create { label, kind, settings } => {
                let body = json!({
                    "label": label, "kind": kind, "settings": settings.settings()?, "addresses": settings.address,
                });
                show(on, &on.api.send(Method::POST, &["targets"], &body).await?)
            }
            Self::Update { target, rename, settings } => update(on, &target, rename, &settings).await,
            Self::Retire { target } => {
                on.remove(&list::TARGET, &target, "The target is removed; what is installed there stays.")
                    .await
            }
            Self::Deploy { target, lineage, wait } => {
                let target = on.id(&list::TARGET, &target).await?;
                let lineage = on.id(&list::LINEAGE, &lineage).await?;
                let body = json!({ "lineage": lineage });
                let begun = on.api.send(Method::POST, &["targets", &target, "deployments"], &body).await?;
                on.follow(&begun, &LedTo { lineage: &lineage, before: None, target: Some(&target) }, &wait)
                    .await
            }
        }
    }
}

/// The API takes all settings at once: those that are not said are sent as they are.
async fn update(
    on: &Session,
    named: &str,
    rename: Option<String>,
    settings: &Settings,
) -> anyhow::Result<()> {
    let id = on.id(&list::TARGET, named).await?;
    let mut body = Map::new();
    put(&mut body, [("label", rename)]);
    let changed = settings.settings()?;
    if !changed.is_empty() {
        let held = on.api.get(&["targets", &id], &[]).await?;
        let mut all = held.value.get("settings").and_then(Value::as_object).cloned().unwrap_or_default();
        all.extend(changed.into_iter().map(|(name, value)| (name, Value::from(value))));
        body.insert("settings".to_owned(), all.into());
    }
    if !settings.address.is_empty() {
        body.insert("addresses".to_owned(), json!(settings.address));
    }
    show(on, &on.api.send(Method::PATCH, &["targets", &id], &body.into()).await?)
}

fn show(on: &Session, answer: &Answer) -> anyhow::Result<()> {
    on.detail(answer, &DETAIL)?;
    let settings = answer.value.get("settings").and_then(Value::as_object);
    if let (Output::People, Some(settings)) = (on.output, settings.filter(|settings| !settings.is_empty())) {
        let mut text = format!("\n{}\n", Ink::for_output().strong("Settings"));
        for (name, value) in settings {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{}={}", inert(name), inert(value.as_str().unwrap_or_default()));
        }
        output::text(&text)?;
    }
    Ok(())
}

fn kinds(on: &Session, answer: &Answer) -> anyhow::Result<()> {
    if on.output == Output::Json {
        return Ok(output::line(&answer.text)?);
    }
    let ink = Ink::for_output();
    let mut page = String::new();
    for kind in items(&answer.value) {
        let _ = writeln!(
            page,
            "{}  {}\n  {}",
            ink.strong(text(kind, "kind")),
            text(kind, "label"),
            text(kind, "help")
        );
        for field in kind.get("fields").map_or(&[][..], items) {
            let need = match (field["required"].as_bool(), field.get("default").and_then(Value::as_str)) {
                (Some(true), _) => "must be set".to_owned(),
                (_, Some(default)) => format!("{default} if left out"),
                (_, None) => "may be left out".to_owned(),
            };
            let _ = writeln!(page, "  --set {}=...  {} ({need})", text(field, "name"), text(field, "help"));
        }
        page.push('\n');
    }
    Ok(output::text(page.trim_end_matches('\n')).and_then(|()| output::line(""))?)
}

impl Settings {
    fn settings(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let mut settings: BTreeMap<String, String> = self.set.iter().cloned().collect();
        for (name, file) in &self.set_file {
            settings.insert(name.clone(), secret::read_file(&PathBuf::from(file))?.to_string());
        }
        Ok(settings)
    }
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write it like name=value".to_owned())
}
