//! `key`: private keys on the server. They stay there, unless they are exported under a passphrase.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::connection::Connection;
use super::detail::{Detail, Section};
use super::list::{self, Page};
use super::material::put;
use super::session::Session;
use super::table::{Column, hash, moment, plain};
use crate::cli::{file, secret};

/// Private keys of every usage. A key is named by its id, its name, or the first digits of its id.
#[derive(Debug, Args)]
#[command(after_help = "Example: claviger key generate \"shop 2027\" --algorithm ec-p256")]
pub struct Key {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List keys
    #[command(after_help = "Example: claviger key list --state retired")]
    List(List),
    /// Show a key with its CSRs and certificates
    #[command(after_help = "Example: claviger key show \"shop 2027\"")]
    Show {
        /// The key
        key: String,
    },
    /// Make a key
    #[command(after_help = "Example: claviger key generate \"shop 2027\" --exportable never")]
    Generate(Generate),
    /// Give a key another name
    #[command(after_help = "Example: claviger key rename \"shop 2027\" \"old shop\"")]
    Rename {
        /// The key
        key: String,
        /// The new name
        name: String,
    },
    /// Lower when a key may leave its token; this can never be taken back
    #[command(after_help = "Example: claviger key lower \"shop 2027\" never")]
    Lower {
        /// The key
        key: String,
        /// never, or to_targets
        exportable: String,
    },
    /// Delete a key; it can be restored for 30 days, or 400 while one of its CSRs waits
    #[command(after_help = "Example: claviger key retire \"old shop\"")]
    Retire {
        /// The key
        key: String,
    },
    /// Bring a retired key back
    #[command(after_help = "Example: claviger key restore \"old shop\"")]
    Restore {
        /// The key
        key: String,
    },
    /// Write a private key into a file, as PKCS#8 encrypted with a passphrase
    #[command(
        after_help = "Example: claviger key export \"shop 2027\" --out shop.key --passphrase-file pass"
    )]
    Export(Export),
}

#[derive(Debug, Args)]
struct List {
    /// Only keys of this token
    #[arg(long, value_name = "ID")]
    token: Option<String>,
    /// Only keys for this: tls, sign, auth, ca, account or node
    #[arg(long, value_name = "USAGE")]
    usage: Option<String>,
    /// Only keys in this state: active, retired, compromised or destroyed
    #[arg(long, value_name = "STATE", default_value = "active")]
    state: String,
    /// Only keys whose name holds this
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    #[command(flatten)]
    page: Page,
}

#[derive(Debug, Args)]
struct Generate {
    /// Its name
    name: String,
    /// ec-p256 (if left out), ec-p384, ed25519, rsa-2048, rsa-3072 or rsa-4096
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    /// The token: 0 or system (if left out)
    #[arg(long, value_name = "ID")]
    token: Option<String>,
    /// When it may leave: never, to_targets or with_passphrase (if left out)
    #[arg(long, value_name = "WHEN")]
    exportable: Option<String>,
}

#[derive(Debug, Args)]
struct Export {
    /// The key
    key: String,
    /// The file to make
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A file with the passphrase, 12 or more characters; it is asked for if left out
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// DER instead of PEM
    #[arg(long)]
    der: bool,
}

const COLUMNS: [Column; 7] = [
    hash("ID", "/id"),
    plain("NAME", "/label"),
    plain("TOKEN", "/token"),
    plain("USAGE", "/usage"),
    plain("ALGORITHM", "/algorithm"),
    plain("STATE", "/state"),
    plain("EXPORTABLE", "/exportable"),
];
const DETAIL: Detail = Detail {
    fields: &[
        plain("Id", "/id"),
        plain("Name", "/label"),
        plain("Token", "/token"),
        plain("Usage", "/usage"),
        plain("Algorithm", "/algorithm"),
        plain("Exportable", "/exportable"),
        plain("Born", "/born"),
        plain("Durability", "/durability"),
        plain("State", "/state"),
        moment("Made", "/created_at"),
        moment("Retired", "/retired_at"),
        moment("Exported", "/exported_at"),
    ],
    tables: &[
        Section {
            title: "Certificate requests",
            pointer: "/csrs",
            columns: &[plain("ID", "/id"), plain("NAME", "/friendly_name"), plain("STATE", "/state")],
        },
        Section {
            title: "Certificates",
            pointer: "/certificates",
            columns: &[
                hash("HASH", "/hash"),
                plain("NAME", "/friendly_name"),
                moment("ENDS (UTC)", "/not_after"),
            ],
        },
    ],
    copy: None,
};

impl Key {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.connection.run(async |on| self.verb.run(on).await).await
    }
}

impl Verb {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        match self {
            Self::List(list) => {
                let filters = [
                    ("token", list.token),
                    ("usage", list.usage),
                    ("state", Some(list.state)),
                    ("text", list.text),
                ];
                on.list(&on.api.get(&["private-keys"], &list.page.with(filters)).await?, &COLUMNS)
            }
            Self::Show { key } => on.show(&list::KEY, &key, &DETAIL).await,
            Self::Generate(wanted) => generate(on, wanted).await,
            Self::Rename { key, name } => {
                change(on, &key, &json!({ "label": name }), "The key has its new name.").await
            }
            Self::Lower { key, exportable } => {
                change(on, &key, &json!({ "exportable": exportable }), "The key may leave less freely now.")
                    .await
            }
            Self::Retire { key } => {
                on.remove(
                    &list::KEY,
                    &key,
                    "The key is retired. `claviger key restore` brings it back while it is kept.",
                )
                .await
            }
            Self::Restore { key } => {
                let id = on.id(&list::KEY, &key).await?;
                let answer = on.api.call(Method::POST, &["private-keys", &id, "restore"]).await?;
                on.done(&answer, "The key is back.")
            }
            Self::Export(wanted) => export(on, wanted).await,
        }
    }
}

async fn generate(on: &Session, wanted: Generate) -> anyhow::Result<()> {
    let mut body = Map::from_iter([("label".to_owned(), Value::from(wanted.name.as_str()))]);
    put(
        &mut body,
        [("algorithm", wanted.algorithm), ("token", wanted.token), ("exportable", wanted.exportable)],
    );
    let answer = on.api.send(Method::POST, &["private-keys"], &body.into()).await?;
    on.detail(&answer, &DETAIL)
}

async fn change(on: &Session, key: &str, body: &Value, said: &str) -> anyhow::Result<()> {
    let id = on.id(&list::KEY, key).await?;
    let answer = on.api.send(Method::PATCH, &["private-keys", &id], body).await?;
    on.done(&answer, said)
}

/// The file is refused before the key leaves: an export is in the audit log for ever.
async fn export(on: &Session, wanted: Export) -> anyhow::Result<()> {
    file::check_new(&wanted.out)?;
    let id = on.id(&list::KEY, &wanted.key).await?;
    let passphrase =
        secret::chosen(wanted.passphrase_file.as_deref(), "Passphrase for the file", "--passphrase-file")?;
    let form = if wanted.der { "der" } else { "pem" };
    let body = json!({ "passphrase": passphrase.as_str(), "form": form });
    let bytes = on.api.fetch(&["private-keys", &id, "export"], &body).await?;
    file::write_secret(&wanted.out, &bytes)?;
    on.wrote(&wanted.out)
}
