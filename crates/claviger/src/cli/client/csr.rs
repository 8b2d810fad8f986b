//! `csr`: certificate requests on the server, and the helper that makes one without a server.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value};

use super::connection::Connection;
use super::detail::Detail;
use super::list::{self, Page};
use super::material::{self, Identity, KeyChoice, put};
use super::session::{Output, Session};
use super::table::{Column, moment, named, plain};
use crate::cli::offline::console::New;
use crate::cli::{file, output};

/// Certificate requests (CSRs): made here, sent to a CA by hand, answered by `claviger cert import`.
#[derive(Debug, Args)]
#[command(after_help = "\
`create` makes a CSR on the server, whose keys never leave it. `new` makes a key and a CSR as files on this machine,
without any server.

Example: claviger csr create \"shop 2027\" --subject \"O=Acme, Inc.\" --subject CN=shop.example")]
pub struct Csr {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List CSRs
    #[command(after_help = "Example: claviger csr list --state waiting")]
    List(List),
    /// Show a CSR with the text to paste into a CA's form
    #[command(after_help = "Example: claviger csr show \"shop 2027\"")]
    Show {
        /// The CSR: its id or name
        csr: String,
    },
    /// Make a CSR on the server, with a new key or one that is there
    #[command(after_help = "\
Example: claviger csr create \"shop 2027\" --subject \"O=Acme, Inc.\" --subject CN=shop.example \\
      --name www.shop.example --out shop.csr")]
    Create(Create),
    /// Make a key and a CSR as files, without a server
    New(New),
    /// Write a CSR into a file, the same bytes each time
    #[command(after_help = "Example: claviger csr file \"shop 2027\" --out shop.csr")]
    File(AsFile),
    /// Give a CSR up; its key stays
    #[command(after_help = "Example: claviger csr withdraw \"shop 2027\"")]
    Withdraw {
        /// The CSR: its id or name
        csr: String,
    },
}

#[derive(Debug, Args)]
struct List {
    /// Only these: waiting, fulfilled or withdrawn
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only those of this key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Only those of this lineage
    #[arg(long, value_name = "LINEAGE")]
    lineage: Option<String>,
    /// Only those whose name holds this
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    #[command(flatten)]
    page: Page,
}

#[derive(Debug, Args)]
struct Create {
    /// Its name; a new key gets it too
    friendly_name: String,
    #[command(flatten)]
    identity: Identity,
    #[command(flatten)]
    key: KeyChoice,
    /// The lineage that it would renew
    #[arg(long, value_name = "LINEAGE")]
    lineage: Option<String>,
    /// Write it into a file too, as PEM
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct AsFile {
    /// The CSR: its id or name
    csr: String,
    /// The file to make; standard output if left out
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// DER instead of PEM
    #[arg(long)]
    der: bool,
}

const COLUMNS: [Column; 6] = [
    plain("ID", "/id"),
    plain("NAME", "/friendly_name"),
    plain("SUBJECT", "/subject"),
    plain("NAMES", "/subject_alternative_names"),
    plain("STATE", "/state"),
    moment("MADE (UTC)", "/created_at"),
];
const DETAIL: Detail = Detail {
    fields: &[
        plain("Id", "/id"),
        plain("Name", "/friendly_name"),
        plain("Subject", "/subject"),
        plain("Names", "/subject_alternative_names"),
        plain("Key", "/key"),
        plain("Algorithm", "/key_algorithm"),
        plain("SHA-256", "/fingerprint"),
        plain("State", "/state"),
        named("Lineage", "/lineage_name", "/lineage"),
        moment("Made", "/created_at"),
    ],
    tables: &[],
    copy: Some("/pem"),
};
const CREATED: Detail = Detail {
    fields: &[
        plain("Id", "/csr/id"),
        plain("Name", "/csr/friendly_name"),
        plain("Subject", "/csr/subject"),
        plain("Names", "/csr/subject_alternative_names"),
        plain("Added", "/added_name"),
        plain("Key", "/csr/key"),
        plain("Algorithm", "/csr/key_algorithm"),
        plain("SHA-256", "/csr/fingerprint"),
    ],
    tables: &[],
    copy: Some("/csr/pem"),
};

impl Csr {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        if let Verb::New(new) = self.verb {
            return new.run();
        }
        self.connection.run(async |on| self.verb.run(on).await).await
    }
}

impl Verb {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.run(on).await,
            Self::Show { csr } => on.show(&list::CSR, &csr, &DETAIL).await,
            Self::Create(wanted) => wanted.run(on).await,
            Self::New(new) => new.run().map(drop),
            Self::File(wanted) => wanted.run(on).await,
            Self::Withdraw { csr } => {
                on.remove(&list::CSR, &csr, "The CSR is withdrawn; its key stays.").await
            }
        }
    }
}

impl List {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        let key = match &self.key {
            Some(key) => Some(on.id(&list::KEY, key).await?),
            None => None,
        };
        let lineage = material::lineage(on, self.lineage.as_deref()).await?;
        let filters = [("state", self.state), ("key", key), ("lineage", lineage), ("text", self.text)];
        on.list(&on.api.get(&["csrs"], &self.page.with(filters)).await?, &COLUMNS)
    }
}

impl Create {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        if let Some(out) = &self.out {
            file::check_new(out)?;
        }
        let mut body =
            Map::from_iter([("friendly_name".to_owned(), Value::from(self.friendly_name.as_str()))]);
        self.identity.put(&mut body);
        self.key.put(on, &mut body).await?;
        put(&mut body, [("lineage", material::lineage(on, self.lineage.as_deref()).await?)]);
        let answer = on.api.send(Method::POST, &["csrs"], &body.into()).await?;
        if let Some(out) = &self.out {
            let pem = answer.value.pointer("/csr/pem").and_then(Value::as_str).unwrap_or_default();
            file::write(out, pem.as_bytes())?;
        }
        on.detail(&answer, &CREATED)?;
        if on.output == Output::People {
            output::line("\nSend it to the CA; `claviger cert import` takes the answer.")?;
        }
        Ok(())
    }
}

impl AsFile {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        let id = on.id(&list::CSR, &self.csr).await?;
        let format = if self.der { "DER" } else { "PEM" };
        let bytes = on.api.download(&["csrs", &id, "file"], &[("format", format.to_owned())]).await?;
        file::write_or_print(self.out.as_deref(), &bytes)
    }
}
