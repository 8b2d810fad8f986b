//! `lineage`: renewable series of certificates.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::connection::Connection;
use super::detail::{Detail, Section};
use super::follow::{self, LedTo, Wait};
use super::list::{self, Page};
use super::material::{Identity, put};
use super::session::Session;
use super::table::{Column, duration, hash, moment, plain};

/// Lineages: series of certificates that renew themselves. One is named by its id or its name.
#[derive(Debug, Args)]
#[command(after_help = "Example: claviger lineage rekey shop")]
pub struct Lineage {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List lineages
    #[command(after_help = "Example: claviger lineage list --trouble")]
    List(List),
    /// Show a lineage: its certificates, where they are installed, what is under way
    #[command(after_help = "Example: claviger lineage show shop")]
    Show {
        /// The lineage
        lineage: String,
    },
    /// Make a lineage; its first certificate is ordered at once
    #[command(after_help = "\
Example: claviger lineage create shop --name shop.example --name www.shop.example --issuer internal \\
      --target edge --target nginx --lifetime 90d")]
    Create(Create),
    /// Change a lineage; what is not said stays
    #[command(
        after_help = "Example: claviger lineage update shop --target edge --target nginx --backend 127.0.0.1:8080"
    )]
    Update {
        /// The lineage
        lineage: String,
        /// The revision that `lineage show` said: nothing is changed if somebody was faster
        #[arg(long, value_name = "REVISION")]
        revision: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// Get a new certificate now, and see it installed
    #[command(after_help = "Example: claviger lineage renew shop")]
    Renew {
        /// The lineage
        lineage: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Get a new key and certificate now, and see them installed
    #[command(after_help = "Example: claviger lineage rekey shop")]
    Rekey {
        /// The lineage
        lineage: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Remove a lineage; its certificates stay
    #[command(after_help = "Example: claviger lineage retire \"old shop\"")]
    Retire {
        /// The lineage
        lineage: String,
    },
}

#[derive(Debug, Args)]
struct List {
    /// Only those whose name holds this
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Only those of this issuer
    #[arg(long, value_name = "ID")]
    issuer: Option<String>,
    /// Only those of this environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Only those in trouble
    #[arg(long)]
    trouble: bool,
    #[command(flatten)]
    page: Page,
}

#[derive(Debug, Args)]
struct Create {
    /// Its name
    lineage: String,
    #[command(flatten)]
    identity: Identity,
    #[command(flatten)]
    rules: Rules,
}

/// What can be changed of a lineage.
#[derive(Debug, Args)]
pub struct Change {
    /// A new name
    #[arg(long, value_name = "NAME")]
    rename: Option<String>,
    #[command(flatten)]
    rules: Rules,
}

/// How a lineage goes on.
#[derive(Debug, Args)]
struct Rules {
    /// For whom it speaks: a team, or an X-Road client identifier
    #[arg(long, value_name = "TEXT")]
    owner: Option<String>,
    /// Who issues: internal, self-signed, manual, or what `claviger issuer list` shows
    #[arg(long, value_name = "ID")]
    issuer: Option<String>,
    /// What may be in the certificates, as `claviger issuer profiles` lists it
    #[arg(long, value_name = "ID")]
    certificate_profile: Option<String>,
    /// How long certificates live, like 90d, 12h, 30min or 3600s; "default" is the profile's
    #[arg(long, value_name = "TIME", value_parser = parse_lifetime)]
    lifetime: Option<Lifetime>,
    /// The token that makes and holds its keys: 0 or system
    #[arg(long, value_name = "ID")]
    token: Option<String>,
    /// Kind of its keys: ec-p256, ec-p384, ed25519, rsa-2048, rsa-3072 or rsa-4096
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    /// Whether a renewal makes a new key: new_key or keep_key
    #[arg(long, value_name = "WHAT")]
    at_renewal: Option<String>,
    /// When its keys may leave: never, to_targets or with_passphrase
    #[arg(long, value_name = "WHEN")]
    exportable: Option<String>,
    /// Where it is installed; repeat it
    #[arg(long, value_name = "TARGET")]
    target: Vec<String>,
    /// Where the edge passes the bytes, host:port; "none" is the status page
    #[arg(long, value_name = "ADDRESS")]
    backend: Option<String>,
    /// Tell the backend the client's address by a PROXY v2 header
    #[arg(long, requires = "backend")]
    proxy_protocol: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lifetime {
    Profile,
    Seconds(i64),
}

const COLUMNS: [Column; 7] = [
    plain("ID", "/id"),
    plain("NAME", "/name"),
    plain("FOR", "/names"),
    plain("ISSUER", "/issuer_label"),
    moment("ENDS (UTC)", "/current/not_after"),
    moment("DUE (UTC)", "/due_at"),
    plain("TROUBLE", "/trouble"),
];
/// A lineage with all that is known of it.
pub const DETAIL: Detail = Detail {
    fields: &[
        plain("Id", "/id"),
        plain("Name", "/name"),
        plain("Revision", "/revision"),
        plain("Subject", "/subject"),
        plain("For", "/names"),
        plain("Owner", "/owner"),
        plain("Environment", "/environment"),
        plain("Issuer", "/issuer_label"),
        plain("Profile", "/profile"),
        duration("Lifetime", "/lifetime"),
        plain("Token", "/token"),
        plain("Algorithm", "/algorithm"),
        plain("At renewal", "/at_renewal"),
        plain("Exportable", "/exportable"),
        plain("Targets", "/target_labels"),
        plain("Backend", "/backend/address"),
        plain("Certificate", "/current/hash"),
        moment("Ends", "/current/not_after"),
        moment("Due", "/due_at"),
        plain("Under way", "/order/reason"),
        plain("Waiting CSR", "/order/csr"),
        plain("Trouble", "/trouble"),
    ],
    tables: &[
        Section {
            title: "Installed",
            pointer: "/deployments",
            columns: &[
                plain("TARGET", "/target_label"),
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
        Section {
            title: "History",
            pointer: "/history",
            columns: &[
                hash("HASH", "/hash"),
                moment("BEGINS (UTC)", "/not_before"),
                moment("ENDS (UTC)", "/not_after"),
                plain("STATE", "/state"),
            ],
        },
    ],
    copy: None,
};

impl Lineage {
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
                    ("text", list.text),
                    ("issuer", list.issuer),
                    ("environment", list.environment),
                    ("trouble", list.trouble.then(|| "true".to_owned())),
                ];
                on.list(&on.api.get(&["lineages"], &list.page.with(filters)).await?, &COLUMNS)
            }
            Self::Show { lineage } => on.show(&list::LINEAGE, &lineage, &DETAIL).await,
            Self::Create(wanted) => {
                let mut body = wanted.rules.body(on).await?;
                wanted.identity.put(&mut body);
                put(&mut body, [("name", Some(wanted.lineage))]);
                on.detail(&on.api.send(Method::POST, &["lineages"], &body.into()).await?, &DETAIL)
            }
            Self::Update { lineage, revision, change } => {
                let id = on.id(&list::LINEAGE, &lineage).await?;
                let mut body = change.body(on).await?;
                put(&mut body, [("revision", revision)]);
                on.detail(&on.api.send(Method::PATCH, &["lineages", &id], &body.into()).await?, &DETAIL)
            }
            Self::Renew { lineage, wait } => again(on, &lineage, "renew", &wait).await,
            Self::Rekey { lineage, wait } => again(on, &lineage, "rekey", &wait).await,
            Self::Retire { lineage } => {
                on.remove(&list::LINEAGE, &lineage, "The lineage is removed; its certificates stay.").await
            }
        }
    }
}

async fn again(on: &Session, named: &str, verb: &str, wait: &Wait) -> anyhow::Result<()> {
    let id = on.id(&list::LINEAGE, named).await?;
    let now = on.api.get(&["lineages", &id], &[]).await?;
    let before = follow::current(&now.value).map(str::to_owned);
    let begun = on.api.call(Method::POST, &["lineages", &id, verb]).await?;
    on.follow(&begun, &LedTo { lineage: &id, before, target: None }, wait).await
}

impl Change {
    /// The request that changes a lineage, or founds one on a certificate.
    pub async fn body(&self, on: &Session) -> anyhow::Result<Map<String, Value>> {
        let mut body = self.rules.body(on).await?;
        put(&mut body, [("name", self.rename.clone())]);
        Ok(body)
    }
}

impl Rules {
    async fn body(&self, on: &Session) -> anyhow::Result<Map<String, Value>> {
        let mut body = Map::new();
        let texts = [
            ("owner", &self.owner),
            ("issuer", &self.issuer),
            ("profile", &self.certificate_profile),
            ("token", &self.token),
            ("algorithm", &self.algorithm),
            ("at_renewal", &self.at_renewal),
            ("exportable", &self.exportable),
        ];
        put(&mut body, texts.map(|(name, value)| (name, value.clone())));
        match self.lifetime {
            Some(Lifetime::Seconds(seconds)) => drop(body.insert("lifetime".to_owned(), json!(seconds))),
            Some(Lifetime::Profile) => drop(body.insert("lifetime".to_owned(), Value::Null)),
            None => {}
        }
        if !self.target.is_empty() {
            let mut targets = Vec::with_capacity(self.target.len());
            for target in &self.target {
                targets.push(on.id(&list::TARGET, target).await?);
            }
            body.insert("targets".to_owned(), json!(targets));
        }
        match self.backend.as_deref() {
            Some("none") => drop(body.insert("backend".to_owned(), Value::Null)),
            Some(address) => {
                let backend = json!({ "address": address, "proxy_protocol": self.proxy_protocol });
                body.insert("backend".to_owned(), backend);
            }
            None => {}
        }
        Ok(body)
    }
}

/// `90d`, `12h`, `30min`, `3600s`, or `default`.
fn parse_lifetime(text: &str) -> Result<Lifetime, String> {
    if text == "default" {
        return Ok(Lifetime::Profile);
    }
    let wrong = || "write it like 90d, 12h, 30min or 3600s".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "d" => 86_400,
        "h" => 3_600,
        "min" => 60,
        "s" => 1,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<i64>().ok().and_then(|number| number.checked_mul(factor));
    seconds.filter(|seconds| *seconds > 0).map(Lifetime::Seconds).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_have_a_unit() {
        assert_eq!(parse_lifetime("90d"), Ok(Lifetime::Seconds(90 * 86_400)));
        assert_eq!(parse_lifetime("1min"), Ok(Lifetime::Seconds(60)));
        assert_eq!(parse_lifetime("default"), Ok(Lifetime::Profile));
        for bad in ["", "90", "d", "0s", "-1d", "99999999999999999d", "1y"] {
            assert!(parse_lifetime(bad).is_err(), "{bad}");
        }
    }
}
