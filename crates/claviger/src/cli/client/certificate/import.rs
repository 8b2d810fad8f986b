//! `cert import`: files in; what would be done with them, or what was.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::COLUMNS;
use crate::cli::client::api::{Answer, items, text};
use crate::cli::client::detail;
use crate::cli::client::material::{self, put};
use crate::cli::client::refused::Refused;
use crate::cli::client::session::{Output, Session};
use crate::cli::client::table::{self, Column, hash, moment, plain};
use crate::cli::ink::Ink;
use crate::cli::{output, secret};

#[derive(Debug, Args)]
pub struct Import {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Say what would be done, and store nothing
    #[arg(long)]
    preview: bool,
    /// The hash that a preview showed: refused if anything else would be done by now
    #[arg(long, value_name = "HASH", conflicts_with = "preview")]
    confirm: Option<String>,
    /// The id of the private key that is taken, where the files hold several; the preview shows them
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A file with a passphrase of what is encrypted; repeat it where files have different ones; asked for if left out
    #[arg(long, value_name = "FILE")]
    passphrase_file: Vec<PathBuf>,
    /// Its name; that of its request, file or key, or its common name, if left out
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

const FOUND: [Column; 6] = [
    plain("KIND", "/role"),
    plain("ISSUED TO", "/subject"),
    plain("ISSUED BY", "/issuer"),
    moment("EXPIRATION (UTC)", "/not_after"),
    plain("PRIVATE KEY", "/private_key"),
    plain("WHAT HAPPENS", "/fate"),
];
const KEYS: [Column; 5] = [
    plain("KEY", "/id"),
    plain("ALGORITHM", "/algorithm"),
    plain("NAME", "/friendly_name"),
    plain("FITS", "/fits"),
    plain("TAKEN", "/chosen"),
];
const CSRS: [Column; 2] = [hash("REQUEST (NOT STORED)", "/fingerprint"), plain("SUBJECT", "/subject")];
const CRLS: [Column; 3] = [
    hash("REVOCATION LIST (NOT STORED)", "/fingerprint"),
    plain("ISSUER", "/issuer"),
    plain("REVOKED", "/revoked"),
];

impl Import {
    /// Runs it.
    pub async fn run(self, on: &Session) -> anyhow::Result<()> {
        let given = self.passphrase_file.iter().map(|path| secret::read_file(path));
        let given: Vec<_> = given.collect::<anyhow::Result<_>>()?;
        let mut body = self.body(on).await?;
        let path: &[&str] = if self.preview { &["certificates", "preview"] } else { &["certificates"] };
        let answer = match send(on, path, &mut body, &given).await {
            Err(error) if given.is_empty() && needs_passphrase(&error) && secret::can_ask() => {
                let asked = secret::ask("Passphrase of the files")?;
                send(on, path, &mut body, &[asked]).await?
            }
            sent => sent?,
        };
        if text(&answer.value, "kind") == "certificate.import" {
            return on.watch(text(&answer.value, "id")).await;
        }
        match on.output {
            Output::Json => output::line(&answer.text)?,
            Output::People if self.preview => output::text(&previewed(&answer.value, Ink::for_output()))?,
            Output::People => output::text(&imported(&answer.value, Ink::for_output()))?,
        }
        // What would be refused is no success, although the preview is one.
        match answer.value.pointer("/refusal/code").and_then(Value::as_str) {
            Some(code) if self.preview => {
                anyhow::bail!("the import would be refused: {}", pki::name::inert(code))
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn body(&self, on: &Session) -> anyhow::Result<Map<String, Value>> {
        let mut files = Vec::with_capacity(self.files.len());
        for path in &self.files {
            let bytes = std::fs::read(path).map(Zeroizing::new);
            files.push(packed(&bytes.with_context(|| format!("cannot read {}", path.display()))?));
        }
        let mut body = Map::from_iter([("files".to_owned(), Value::Array(files))]);
        let lineage = material::lineage(on, self.lineage.as_deref()).await?;
        let said = [
            ("friendly_name", self.friendly_name.clone()),
            ("token", self.token.clone()),
            ("lineage", lineage),
            ("exportable", self.exportable.clone()),
            ("key", self.key.clone()),
            ("preview", self.confirm.clone()),
        ];
        put(&mut body, said);
        Ok(body)
    }
}

/// PEM as it is, so that a large collection stays small; anything else in base64.
fn packed(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains("-----BEGIN") => Value::from(text),
        Ok(_) | Err(_) => Value::from(material::base64(bytes)),
    }
}

async fn send(
    on: &Session,
    path: &[&str],
    body: &mut Map<String, Value>,
    passphrases: &[Zeroizing<String>],
) -> anyhow::Result<Answer> {
    if !passphrases.is_empty() {
        let texts: Vec<&str> = passphrases.iter().map(|one| one.as_str()).collect();
        body.insert("passphrases".to_owned(), json!(texts));
    }
    on.api.send(Method::POST, path, &Value::Object(body.clone())).await
}

fn needs_passphrase(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.code() == "pass.needed")
}

fn part<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).map_or(&[][..], items)
}

/// What an import would do: what was found, why it would be refused, and the hash to confirm it by.
fn previewed(value: &Value, ink: Ink) -> String {
    let mut said = String::new();
    let tables: [(&str, &[Column]); 4] =
        [("certificates", &FOUND), ("keys", &KEYS), ("csrs", &CSRS), ("crls", &CRLS)];
    for (name, columns) in tables.into_iter().filter(|(name, _)| !part(value, name).is_empty()) {
        let rows: Vec<Value> = part(value, name).iter().map(in_words).collect();
        said.push_str(&table::render(&rows, columns, ink));
        said.push_str("\n\n");
    }
    for certificate in part(value, "certificates") {
        let name = pki::name::inert(text(certificate, "subject")).into_owned();
        let lineage = [text(certificate, "lineage_name"), text(certificate, "reason")];
        let lineage: Vec<_> =
            lineage.iter().filter(|text| !text.is_empty()).map(|text| pki::name::inert(text)).collect();
        if !lineage.is_empty() {
            said.push_str(&format!("{name}: {}\n", lineage.join(": ")));
        }
        let how = match text(certificate, "fate") {
            "renews" | "founds" => "served with",
            _ => "its chain has",
        };
        for member in part(certificate, "chain").iter().skip(1) {
            said.push_str(&format!("{name}: {how} {}\n", pki::name::inert(text(member, "subject"))));
        }
        let missing = part(certificate, "missing_at").iter().filter_map(Value::as_str);
        for address in missing.map(pki::name::inert) {
            said.push_str(&format!("{name}: what is missing can be fetched from {address}\n"));
        }
    }
    said.push_str(&detail::findings(&all_findings(value), ink));
    match value.pointer("/refusal/detail").and_then(Value::as_str) {
        Some(refusal) => said.push_str(&format!("\nIt would be refused. {}\n", pki::name::inert(refusal))),
        None => said.push_str(&format!(
            "\nNothing is stored yet. To do exactly this, add: --confirm {}\n",
            text(value, "hash")
        )),
    }
    said
}

/// A row in words: what happens to a certificate, and where its key is; what a key fits, here too.
fn in_words(row: &Value) -> Value {
    let mut row = row.clone();
    if text(&row, "private_key") == "not_taken" {
        row["private_key"] = Value::from("in the files, not taken");
    }
    let here: Vec<Value> = part(&row, "fits_here").to_vec();
    if let (Some(fits), false) = (row.get_mut("fits").and_then(Value::as_array_mut), here.is_empty()) {
        fits.extend(here.iter().filter_map(Value::as_str).map(|hash| Value::from(format!("{hash} (here)"))));
    }
    let words = match text(&row, "fate") {
        "renews" => "renews its lineage",
        "founds" => "founds a lineage",
        "kept" => "is kept in its lineage, not used",
        "for_chains" => "is kept for chains",
        "alone" => "is kept, not used",
        _ => return row,
    };
    row["fate"] = Value::from(words);
    row
}

/// What came of an import: the certificates, what they answered, and what is to be done about them.
fn imported(value: &Value, ink: Ink) -> String {
    let certificates = part(value, "certificates");
    let mut text = String::new();
    if !certificates.is_empty() {
        text.push_str(&table::render(certificates, &COLUMNS, ink));
        text.push('\n');
    }
    let said = [
        ("private key", part(value, "keys")),
        ("request answered", part(value, "fulfilled")),
        ("current certificate now of lineage", part(value, "became_current")),
        ("what is missing in the chain is being fetched by", part(value, "fetching")),
    ];
    for (label, ids) in said {
        for id in ids.iter().filter_map(Value::as_str) {
            text.push_str(&format!("{label}: {}\n", pki::name::inert(id)));
        }
    }
    text.push_str(&detail::findings(&all_findings(value), ink));
    text
}

/// The findings of the files and of each certificate, each once.
fn all_findings(value: &Value) -> Vec<Value> {
    let of_certificates =
        part(value, "certificates").iter().flat_map(|certificate| part(certificate, "findings"));
    let mut all: Vec<Value> = Vec::new();
    for finding in part(value, "findings").iter().chain(of_certificates) {
        let is_known = all
            .iter()
            .any(|known| ["code", "where"].iter().all(|field| text(known, field) == text(finding, field)));
        if !is_known {
            all.push(finding.clone());
        }
    }
    all
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

    #[test]
    fn a_preview_says_how_to_confirm_it_or_why_not() {
        let value = json!({ "hash": "ab12", "certificates": [{ "role": "server", "subject": "CN=a\u{202e}b",
            "issuer": "CN=ca", "not_after": "2027-01-01T00:00:00Z", "private_key": "here", "fate": "renews",
            "lineage_name": "shop", "chain": [{ "subject": "CN=a" }, { "subject": "CN=ca" }], "findings": [] }] });
        let text = previewed(&value, Ink::PLAIN);
        assert!(text.contains("--confirm ab12") && text.contains("served with CN=ca"), "{text}");
        assert!(!text.contains('\u{202e}'), "{text}");
        let refused = previewed(
            &json!({ "refusal": { "code": "import.csr", "detail": "It is a request." } }),
            Ink::PLAIN,
        );
        assert!(refused.contains("would be refused. It is a request.") && !refused.contains("--confirm"));
    }

    #[test]
    fn a_preview_says_what_a_key_fits_and_that_another_is_taken() {
        let kept = json!({ "role": "server", "subject": "CN=a", "private_key": "not_taken", "fate": "alone",
            "chain": [{ "subject": "CN=a" }, { "subject": "CN=ca" }], "findings": [] });
        let value = json!({ "hash": "ab12", "certificates": [kept],
            "keys": [{ "id": "k1", "algorithm": "ec", "fits": [], "fits_here": ["c0ffee"], "chosen": true }] });
        let text = previewed(&value, Ink::PLAIN);
        assert!(text.contains("c0ffee (here)") && text.contains("in the files, not taken"), "{text}");
        assert!(text.contains("its chain has CN=ca") && !text.contains("served with"), "{text}");
    }

    #[test]
    fn text_travels_as_text_and_bytes_in_base64() {
        assert_eq!(packed(b"-----BEGIN X-----\n"), json!("-----BEGIN X-----\n"));
        assert_eq!(packed(&[0x30, 0x82, 0xff]), json!("MIL/"));
    }
}
