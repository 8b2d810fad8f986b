//! `cert`: certificates, from import to export.

mod export;
mod files;
mod import;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use self::export::Export;
use self::import::Import;
use super::connection::Connection;
use super::detail::{Detail, Section};
use super::follow::Wait;
use super::lineage::Change;
use super::list::{self, Page};
use super::material::{self, Identity, KeyChoice};
use super::session::Session;
use super::table::{Column, findings, hash, moment, named, plain};

/// Certificates. One is named by its hash, its name, or the first digits of its hash.
#[derive(Debug, Args)]
#[command(after_help = "Example: claviger cert import answer.pem intermediate.pem")]
pub struct Certificate {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List certificates, the next to end first
    #[command(after_help = "Example: claviger cert list --all")]
    List(List),
    /// Show a certificate: its chain, where it is served, what is wrong with it
    #[command(after_help = "Example: claviger cert show shop.example")]
    Show {
        /// The certificate
        certificate: String,
    },
    /// Import a CA's answer, or certificates with their key; any order, any format
    #[command(after_help = "\
The answer finds its key and its request by itself, however old they are. PEM, DER, PKCS#7, PKCS#12 and Java key stores
are told by their content.

Examples:
  claviger cert import answer.pem --preview
  claviger cert import answer.pem intermediate.pem
  claviger cert import site.p12 --passphrase-file pass.txt
  claviger cert import site.key fullchain.pem --friendly-name \"old nginx\"")]
    Import(Import),
    /// Write a certificate, its chain or its private key into a file, in the form that somebody else wants
    #[command(after_help = "\
A private key leaves only under a passphrase of 12 or more characters, and that it left is recorded on it for ever.
Several certificates, up to 100, go into one file as pem, p7b, p7b-pem, or the trust stores jks and p12-trust.

Examples:
  claviger cert export shop.example --form fullchain --out fullchain.pem
  claviger cert export shop.example --form p12 --passphrase-file pass.txt --out shop.p12
  claviger cert export shop.example --form nginx --key --passphrase-file pass.txt --out shop.tar.gz
  claviger cert export shop.example --form p7b --members all --root --out shop.p7b
  claviger cert export shop.example mail.example --form pem --members all --out both.pem
  claviger cert export shop.example mail.example --form jks --passphrase-file pass.txt --out trust.jks")]
    Export(Export),
    /// Make a self-signed certificate
    #[command(after_help = "Example: claviger cert self-sign test --subject CN=test.example --days 30")]
    SelfSign(SelfSign),
    /// Give a certificate another name
    #[command(after_help = "Example: claviger cert rename 3f9a12cd77e0b1a4 \"shop, until 2027\"")]
    Rename {
        /// The certificate
        certificate: String,
        /// The new name
        name: String,
    },
    /// Make the edge answer with it when no name fits
    #[command(after_help = "Example: claviger cert default shop.example")]
    Default {
        /// The certificate
        certificate: String,
    },
    /// Make it the current one of its lineage: it is installed on every target
    #[command(after_help = "Example: claviger cert activate 3f9a12cd77e0b1a4")]
    Activate {
        /// The certificate
        certificate: String,
    },
    /// Fetch what is missing in its chain from where its certificates say that it can be had
    #[command(after_help = "\
What is fetched is kept only if it issued the certificate below it; a root is told and not kept.
Exit code 1 when a link is still missing.

Example: claviger cert complete shop.example")]
    Complete {
        /// The certificate
        certificate: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Remove it from view; its key stays
    #[command(after_help = "Example: claviger cert retire 3f9a12cd77e0b1a4")]
    Retire {
        /// The certificate
        certificate: String,
    },
    /// Carry it on: make a lineage that renews it, or change the one that it founded
    #[command(after_help = "Example: claviger cert adopt \"old nginx\" --issuer internal --target nginx")]
    Adopt {
        /// The certificate
        certificate: String,
        #[command(flatten)]
        change: Change,
    },
}

#[derive(Debug, Args)]
struct List {
    /// Only those whose name holds this
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Only these: issued, installed, verified, superseded, retired or revoked
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only those of this lineage
    #[arg(long, value_name = "LINEAGE")]
    lineage: Option<String>,
    /// Only those of this environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// CA certificates too
    #[arg(long)]
    all: bool,
    /// not_after (if left out) or friendly_name
    #[arg(long, value_name = "FIELD")]
    order: Option<String>,
    #[command(flatten)]
    page: Page,
}

#[derive(Debug, Args)]
struct SelfSign {
    /// Its name; a new key gets it too
    friendly_name: String,
    #[command(flatten)]
    identity: Identity,
    #[command(flatten)]
    key: KeyChoice,
    /// Days of validity, 1 to 3650
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    days: u32,
}

const COLUMNS: [Column; 6] = [
    hash("HASH", "/hash"),
    plain("NAME", "/friendly_name"),
    plain("FOR", "/subject_alternative_names"),
    moment("ENDS (UTC)", "/not_after"),
    plain("STATE", "/state"),
    findings("WRONG", "/findings"),
];
const DETAIL: Detail = Detail {
    fields: &[
        plain("Hash", "/hash"),
        plain("Name", "/friendly_name"),
        plain("Subject", "/subject"),
        plain("Issuer", "/issuer"),
        plain("Serial", "/serial"),
        plain("For", "/subject_alternative_names"),
        moment("Begins", "/not_before"),
        moment("Ends", "/not_after"),
        plain("Role", "/role"),
        plain("Key", "/key"),
        plain("Key is here", "/has_key"),
        plain("Algorithm", "/key_algorithm"),
        plain("Signature", "/signature_algorithm"),
        plain("Source", "/source"),
        plain("State", "/state"),
        named("Lineage", "/lineage_name", "/lineage"),
        plain("Current", "/is_current"),
        plain("Default", "/is_default"),
    ],
    tables: &[
        Section { title: "Chain, the leaf first", pointer: "/chain", columns: &CHAIN },
        Section {
            title: "Served",
            pointer: "/endpoints",
            columns: &[
                plain("ADDRESS", "/address"),
                plain("NAME", "/name"),
                hash("CERTIFICATE", "/certificate"),
                moment("SEEN (UTC)", "/seen_at"),
                plain("TROUBLE", "/trouble"),
            ],
        },
        Section {
            title: "History of its lineage",
            pointer: "/history",
            columns: &[
                hash("HASH", "/hash"),
                moment("BEGINS", "/not_before"),
                moment("ENDS", "/not_after"),
                plain("STATE", "/state"),
            ],
        },
    ],
    copy: None,
};
const CHAIN: [Column; 3] =
    [hash("HASH", "/hash"), plain("SUBJECT", "/subject"), moment("ENDS (UTC)", "/not_after")];
const MADE: Detail = Detail {
    fields: &[
        plain("Hash", "/certificate/hash"),
        plain("Name", "/certificate/friendly_name"),
        plain("Subject", "/certificate/subject"),
        plain("For", "/certificate/subject_alternative_names"),
        plain("Added", "/added_name"),
        moment("Ends", "/certificate/not_after"),
        plain("Key", "/certificate/key"),
    ],
    tables: &[],
    copy: None,
};

impl Certificate {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.connection.run(async |on| self.verb.run(on).await).await
    }
}

impl Verb {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.run(on).await,
            Self::Show { certificate } => on.show(&list::CERTIFICATE, &certificate, &DETAIL).await,
            Self::Import(import) => import.run(on).await,
            Self::Export(export) => export.run(on).await,
            Self::SelfSign(wanted) => wanted.run(on).await,
            Self::Rename { certificate, name } => {
                let hash = on.id(&list::CERTIFICATE, &certificate).await?;
                let change = json!({ "friendly_name": name });
                let answer = on.api.send(Method::PATCH, &["certificates", &hash], &change).await?;
                on.done(&answer, "The certificate has its new name.")
            }
            Self::Default { certificate } => {
                change(on, Method::PUT, &certificate, Some("default"), DEFAULT_NOW).await
            }
            Self::Activate { certificate } => {
                let said = "It is the current certificate of its lineage now; its targets get it.";
                change(on, Method::PUT, &certificate, Some("activate"), said).await
            }
            Self::Complete { certificate, wait } => {
                let hash = on.id(&list::CERTIFICATE, &certificate).await?;
                let begun = on.api.call(Method::POST, &["certificates", &hash, "complete"]).await?;
                on.follow_alone(&begun, &wait).await
            }
            Self::Retire { certificate } => {
                change(on, Method::DELETE, &certificate, None, "The certificate is retired; its key stays.")
                    .await
            }
            Self::Adopt { certificate, change } => {
                let hash = on.id(&list::CERTIFICATE, &certificate).await?;
                let body = change.body(on).await?;
                let answer =
                    on.api.send(Method::POST, &["certificates", &hash, "lineage"], &body.into()).await?;
                on.detail(&answer, &super::lineage::DETAIL)
            }
        }
    }
}

/// The API's own port chooses in the same way, so that a client that pinned the certificate before is locked out.
const DEFAULT_NOW: &str = "It is the default certificate now. The pages and the API show it too, unless another one has \
                           their name: whoever pinned the one before needs its SHA-256.";

async fn change(
    on: &Session,
    method: Method,
    named: &str,
    to: Option<&str>,
    said: &str,
) -> anyhow::Result<()> {
    let hash = on.id(&list::CERTIFICATE, named).await?;
    let path: Vec<&str> = ["certificates", &hash].into_iter().chain(to).collect();
    let answer = on.api.call(method, &path).await?;
    on.done(&answer, said)
}

impl List {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        let lineage = material::lineage(on, self.lineage.as_deref()).await?;
        let filters = [
            ("text", self.text),
            ("state", self.state),
            ("lineage", lineage),
            ("environment", self.environment),
            ("include_ca", self.all.then(|| "true".to_owned())),
            ("order", self.order),
        ];
        on.list(&on.api.get(&["certificates"], &self.page.with(filters)).await?, &COLUMNS)
    }
}

impl SelfSign {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        let mut body = Map::from_iter([
            ("friendly_name".to_owned(), Value::from(self.friendly_name.as_str())),
            ("days".to_owned(), Value::from(self.days)),
        ]);
        self.identity.put(&mut body);
        self.key.put(on, &mut body).await?;
        let answer = on.api.send(Method::POST, &["certificates", "self-signed"], &body.into()).await?;
        on.detail(&answer, &MADE)
    }
}
