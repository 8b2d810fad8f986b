//! What several verbs ask for alike: a subject with names, and a key.

use clap::Args;
use pki::name::Attribute;
use serde_json::{Map, Value, json};

use super::list;
use super::session::Session;

/// Whom a certificate shall speak for.
#[derive(Debug, Args)]
pub struct Identity {
    /// One part of the subject, like CN=shop.example or 2.5.4.97=ID; repeat it, in the order wanted
    #[arg(long, value_name = "TYPE=VALUE", value_parser = crate::cli::subject::parse)]
    subject: Vec<Attribute>,
    /// An alternative name: host name, IP address, e-mail address or URI; repeat it
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
}

impl Identity {
    /// Writes it into a request.
    pub fn put(&self, body: &mut Map<String, Value>) {
        let attribute = |one: &Attribute| json!({ "type": one.kind.short_name(), "value": one.value });
        body.insert("subject".to_owned(), self.subject.iter().map(attribute).collect());
        body.insert("names".to_owned(), json!(self.name));
    }
}

/// The key that is certified: one that is on the server, or a new one.
#[derive(Debug, Args)]
pub struct KeyChoice {
    /// Use this key of the server instead of making one
    #[arg(long, value_name = "KEY", conflicts_with_all = ["algorithm", "token"])]
    key: Option<String>,
    /// Kind of the new key: ec-p256 (if left out), ec-p384, ed25519, rsa-2048, rsa-3072 or rsa-4096
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    /// The token that makes and holds the new key: 0 or system (if left out)
    #[arg(long, value_name = "ID")]
    token: Option<String>,
}

impl KeyChoice {
    /// Writes it into a request.
    pub async fn put(&self, on: &Session, body: &mut Map<String, Value>) -> anyhow::Result<()> {
        if let Some(key) = &self.key {
            body.insert("key".to_owned(), json!(on.id(&list::KEY, key).await?));
        }
        put(body, [("algorithm", self.algorithm.clone()), ("token", self.token.clone())]);
        Ok(())
    }
}

/// Writes texts into a request, as far as they are given.
pub fn put(body: &mut Map<String, Value>, fields: impl IntoIterator<Item = (&'static str, Option<String>)>) {
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))));
    body.extend(given);
}

/// The lineage that an answer or request belongs to, by its id.
pub async fn lineage(on: &Session, named: Option<&str>) -> anyhow::Result<Option<String>> {
    match named {
        Some(named) => on.id(&list::LINEAGE, named).await.map(Some),
        None => Ok(None),
    }
}
