//! `cert`: certificates, from import to export.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::api::Answer;
use super::connection::Connection;
use super::detail::{self, Detail, Section};
use super::lineage::Change;
use super::list::{self, Page};
use super::material::{self, Identity, KeyChoice, put};
use super::refused::Refused;
use super::session::{Output, Session, items, text};
use super::table::{self, Column, findings, hash, moment, plain};
use crate::cli::ink::Ink;
use crate::cli::{file, output, secret};

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
    /// Import a CA's answer, or certificates with their key; any order, PEM or DER
    #[command(after_help = "\
The answer finds its key and its request by itself, however old they are.

Examples:
  claviger cert import answer.pem
  claviger cert import site.key fullchain.pem --friendly-name \"old nginx\"")]
    Import(Import),
    /// Write a certificate or its chain into a file
    #[command(after_help = "Example: claviger cert export shop.example --form fullchain --out fullchain.pem")]
    Export(Export),
    /// Make a self-signed certificate
    #[command(after_help = "Example: claviger cert self-sign test --subject CN=test.example --days 30")]
    SelfSign(SelfSign),
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
struct Import {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// A file with the passphrase of what is encrypted; it is asked for if left out
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Its name; that of its request or key, or its common name, if left out
    #[arg(long, value_name = "NAME")]
    friendly_name: Option<String>,
    /// The token that takes a private key: 0 or system (if left out)
    #[arg(long, value_name = "ID")]
    token: Option<String>,
    /// The lineage that the answer is for; found by key or request if left out
    #[arg(long, value_name = "LINEAGE")]
    lineage: Option<String>,
    /// When an imported key may leave: never, to_targets or with_passphrase (if left out)
    #[arg(long, value_name = "WHEN")]
    exportable: Option<String>,
}

#[derive(Debug, Args)]
struct Export {
    /// The certificate
    certificate: String,
    /// pem (if left out), der, chain or fullchain
    #[arg(long, value_name = "FORM", default_value = "pem")]
    form: String,
    /// The root too, in chain and fullchain
    #[arg(long)]
    root: bool,
    /// The file to make; standard output if left out
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
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
    /// The lineage that it renews
    #[arg(long, value_name = "LINEAGE")]
    lineage: Option<String>,
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
        plain("Lineage", "/lineage"),
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
        let on = self.connection.open().await?;
        let result = self.verb.run(&on).await;
        on.ended(result)
    }
}

impl Verb {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.run(on).await,
            Self::Show { certificate } => {
                let hash = on.id(&list::CERTIFICATE, &certificate).await?;
                on.detail(&on.api.get(&["certificates", &hash], &[]).await?, &DETAIL)
            }
            Self::Import(import) => import.run(on).await,
            Self::Export(export) => export.run(on).await,
            Self::SelfSign(wanted) => wanted.run(on).await,
            Self::Default { certificate } => {
                change(on, Method::PUT, &certificate, Some("default"), "It is the default certificate now.")
                    .await
            }
            Self::Activate { certificate } => {
                let said = "It is the current certificate of its lineage now; its targets get it.";
                change(on, Method::PUT, &certificate, Some("activate"), said).await
            }
            Self::Retire { certificate } => {
                change(on, Method::DELETE, &certificate, None, "The certificate is retired; its key stays.")
                    .await
            }
            Self::Adopt { certificate, change } => {
                let hash = on.id(&list::CERTIFICATE, &certificate).await?;
                let body = change.body(on).await?;
                let answer = on.api.send(Method::POST, &["certificates", &hash, "lineage"], &body).await?;
                on.detail(&answer, &super::lineage::DETAIL)
            }
        }
    }
}

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

impl Import {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        let given = self.passphrase_file.as_deref().map(secret::read_file).transpose()?;
        let mut body = self.body(on).await?;
        let answer = match send(on, &mut body, given.as_ref()).await {
            Err(error) if given.is_none() && needs_passphrase(&error) && secret::can_ask() => {
                let asked = secret::ask("Passphrase of the files")?;
                send(on, &mut body, Some(&asked)).await?
            }
            sent => sent?,
        };
        match on.output {
            Output::Json => Ok(output::line(&answer.text)?),
            Output::People => Ok(output::text(&imported(&answer.value, Ink::for_output()))?),
        }
    }

    async fn body(&self, on: &Session) -> anyhow::Result<Map<String, Value>> {
        let mut files = Vec::with_capacity(self.files.len());
        for path in &self.files {
            let bytes = std::fs::read(path).map(Zeroizing::new);
            let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
            files.push(Value::from(material::base64(&bytes)));
        }
        let mut body = Map::from_iter([("files".to_owned(), Value::Array(files))]);
        let lineage = material::lineage(on, self.lineage.as_deref()).await?;
        let said = [
            ("friendly_name", self.friendly_name.clone()),
            ("token", self.token.clone()),
            ("lineage", lineage),
            ("exportable", self.exportable.clone()),
        ];
        put(&mut body, said);
        Ok(body)
    }
}

async fn send(
    on: &Session,
    body: &mut Map<String, Value>,
    passphrase: Option<&Zeroizing<String>>,
) -> anyhow::Result<Answer> {
    if let Some(passphrase) = passphrase {
        body.insert("passphrase".to_owned(), json!(passphrase.as_str()));
    }
    on.api.send(Method::POST, &["certificates"], &Value::Object(body.clone())).await
}

fn needs_passphrase(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.code() == "pass.needed")
}

/// What came of an import: the certificates, what they answered, and what is to be done about them.
fn imported(value: &Value, ink: Ink) -> String {
    let part = |name| value.get(name).map_or(&[][..], items);
    let certificates = part("certificates");
    let mut text = String::new();
    if !certificates.is_empty() {
        text.push_str(&table::render(certificates, &COLUMNS, ink));
        text.push('\n');
    }
    let said = [
        ("private key", part("keys")),
        ("request answered", part("fulfilled")),
        ("current certificate now of lineage", part("became_current")),
    ];
    for (label, ids) in said {
        for id in ids.iter().filter_map(Value::as_str) {
            text.push_str(&format!("{label}: {}\n", pki::name::inert(id)));
        }
    }
    let of_certificates =
        certificates.iter().flat_map(|certificate| certificate.get("findings").map_or(&[][..], items));
    let mut all: Vec<Value> = Vec::new();
    for finding in part("findings").iter().chain(of_certificates) {
        let is_known = all.iter().any(|known| {
            ["code", "where"].iter().all(|field| self::text(known, field) == self::text(finding, field))
        });
        if !is_known {
            all.push(finding.clone());
        }
    }
    text.push_str(&detail::findings(&all, ink));
    text
}

impl Export {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        let hash = on.id(&list::CERTIFICATE, &self.certificate).await?;
        let root = self.root.then(|| ("root", "true".to_owned()));
        let query: Vec<_> = [("form", self.form)].into_iter().chain(root).collect();
        let bytes = on.api.download(&["certificates", &hash, "file"], &query).await?;
        file::write_or_print(self.out.as_deref(), &bytes)
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
        put(&mut body, [("lineage", material::lineage(on, self.lineage.as_deref()).await?)]);
        let answer = on.api.send(Method::POST, &["certificates", "self-signed"], &body.into()).await?;
        on.detail(&answer, &MADE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_says_each_finding_once() {
        let finding = json!({ "code": "chain.incomplete", "severity": "error", "what": "a link is missing",
            "where": "CN=a", "repair": "Import it." });
        let value = json!({
            "certificates": [{ "hash": "ab", "friendly_name": "shop", "findings": [finding.clone()] }],
            "fulfilled": ["csr-1"], "became_current": ["lin-1"], "keys": [], "findings": [finding],
        });
        let text = imported(&value, Ink::PLAIN);
        assert_eq!(text.matches("chain.incomplete").count(), 1, "{text}");
        assert!(text.contains("request answered: csr-1\n") && text.contains("of lineage: lin-1\n"), "{text}");
    }
}
