//! `cert import`: files in; what would be done with them, or what was.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use pki::name::inert;
use serde_json::Value;
use zeroize::Zeroizing;

use super::COLUMNS;
use super::files::{self, Named};
use crate::cli::client::api::{Answer, items, text};
use crate::cli::client::form::{Form, Part};
use crate::cli::client::refused::Refused;
use crate::cli::client::session::{Output, Session};
use crate::cli::client::table::{self, Column, hash, moment, plain};
use crate::cli::client::{detail, material};
use crate::cli::ink::Ink;
use crate::cli::{output, secret};

#[derive(Debug, Args)]
pub struct Import {
    /// The files; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Say what would be done, and store nothing
    #[arg(long)]
    preview: bool,
    /// The hash that a preview showed: refused if anything else would be done by now
    #[arg(long, value_name = "HASH", conflicts_with = "preview")]
    confirm: Option<String>,
    /// The private key that is taken, where the files hold several: its id, four or more of its first digits, or its name
    /// in the file; the preview shows them
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
        let mut import =
            Sent { on, files: files::read(&self.files)?, fields: self.fields(on).await?, passphrases: given };
        if let Some(named) = &self.key {
            let key = if is_id(named) { named.clone() } else { import.key(named).await? };
            import.fields.push(("key", key));
        }
        let answer = import.send(if self.preview { PREVIEW } else { &["certificates"] }).await?;
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
                anyhow::bail!("the import would be refused: {}", inert(code))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What is said beside the files.
    async fn fields(&self, on: &Session) -> anyhow::Result<Vec<(&'static str, String)>> {
        let said = [
            ("friendly_name", self.friendly_name.clone()),
            ("token", self.token.clone()),
            ("lineage", material::lineage(on, self.lineage.as_deref()).await?),
            ("exportable", self.exportable.clone()),
            ("preview", self.confirm.clone()),
        ];
        Ok(said.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }
}

const PREVIEW: &[&str] = &["certificates", "preview"];

/// What is sent: perhaps twice, where a passphrase or a key turns out to be needed.
struct Sent<'a> {
    on: &'a Session,
    files: Vec<Named>,
    fields: Vec<(&'static str, String)>,
    passphrases: Vec<Zeroizing<String>>,
}

impl Sent<'_> {
    /// Sends it; on a terminal, a passphrase that is missing is asked for.
    async fn send(&mut self, path: &[&str]) -> anyhow::Result<Answer> {
        match self.on.api.upload(path, self.form()?).await {
            Err(error) if self.passphrases.is_empty() && needs_passphrase(&error) && secret::can_ask() => {
                self.passphrases.push(secret::ask("Passphrase of the files")?);
                self.on.api.upload(path, self.form()?).await
            }
            sent => sent,
        }
    }

    fn form(&self) -> anyhow::Result<Form> {
        let files = self.files.iter().map(|file| Part::file(&file.name, &file.bytes));
        let fields = self.fields.iter().map(|(name, value)| Part::text(name, value));
        let passphrases = self.passphrases.iter().map(|one| Part::text("passphrase", one.as_str()));
        Form::write(&files.chain(fields).chain(passphrases).collect::<Vec<_>>())
    }

    /// The id of the private key among the files that somebody named.
    async fn key(&mut self, named: &str) -> anyhow::Result<String> {
        let preview = self.send(PREVIEW).await?;
        chosen(part(&preview.value, "keys"), named)
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The one of these keys that has this name, or an id that begins like this.
fn chosen(keys: &[Value], named: &str) -> anyhow::Result<String> {
    const FEWEST_DIGITS: usize = 4;
    let digits = named.to_ascii_lowercase();
    let is_meant = |key: &&Value| {
        let begins = digits.len() >= FEWEST_DIGITS && text(key, "id").starts_with(&digits);
        begins || text(key, "friendly_name") == named
    };
    let found: Vec<&Value> = keys.iter().filter(is_meant).collect();
    let trouble = match found.as_slice() {
        [one] => return Ok(text(one, "id").to_owned()),
        [] => format!("no private key in the files is called {named:?} or has an id that begins like that"),
        several => format!("{} private keys in the files fit {named:?}", several.len()),
    };
    let line = |key: &Value| format!("{} {}", inert(text(key, "id")), inert(text(key, "friendly_name")));
    let lines: Vec<String> = keys.iter().map(|key| format!("\n  {}", line(key).trim_end())).collect();
    match lines.as_slice() {
        [] => bail!("{trouble}: there is none"),
        lines => bail!("{trouble}; they hold these:{}", lines.concat()),
    }
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
        let name = inert(text(certificate, "subject")).into_owned();
        let lineage = [text(certificate, "lineage_name"), text(certificate, "reason")];
        let lineage: Vec<_> =
            lineage.iter().filter(|text| !text.is_empty()).map(|text| inert(text)).collect();
        if !lineage.is_empty() {
            said.push_str(&format!("{name}: {}\n", lineage.join(": ")));
        }
        let how = match text(certificate, "fate") {
            "renews" | "founds" => "served with",
            _ => "its chain has",
        };
        for member in part(certificate, "chain").iter().skip(1) {
            said.push_str(&format!("{name}: {how} {}\n", inert(text(member, "subject"))));
        }
        let missing = part(certificate, "missing_at").iter().filter_map(Value::as_str);
        for address in missing.map(inert) {
            said.push_str(&format!("{name}: what is missing can be fetched from {address}\n"));
        }
    }
    said.push_str(&detail::findings(&all_findings(value), ink));
    match value.pointer("/refusal/detail").and_then(Value::as_str) {
        Some(refusal) => said.push_str(&format!("\nIt would be refused. {}\n", inert(refusal))),
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
            text.push_str(&format!("{label}: {}\n", inert(id)));
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
    use serde_json::json;

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
    fn a_key_is_found_by_its_name_or_its_first_digits_and_else_the_keys_are_told() {
        let key = |id: &str, name: &str| json!({ "id": id, "friendly_name": name });
        let keys = [key("abcd11", "shop"), key("abcd22", "mail"), key("ef0123", "shop")];
        assert_eq!(chosen(&keys, "ABCD1").unwrap(), "abcd11");
        assert_eq!(chosen(&keys, "mail").unwrap(), "abcd22");
        for (named, said) in
            [("abcd", "2 private"), ("shop", "2 private"), ("ef0", "no private"), ("", "no private")]
        {
            let refused = chosen(&keys, named).unwrap_err().to_string();
            assert!(
                refused.contains(said) && refused.ends_with("\n  abcd11 shop\n  abcd22 mail\n  ef0123 shop"),
                "{refused}"
            );
        }
        assert!(chosen(&[], "abcd").unwrap_err().to_string().ends_with("there is none"));
    }
}
