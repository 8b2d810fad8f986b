//! `cert export`: a certificate, its chain and, under a passphrase, its private key into a file; or several certificates.

use std::path::PathBuf;

use anyhow::bail;
use app::certificate::{ExportForm, Part};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::client::api::Fetched;
use crate::cli::client::material::put;
use crate::cli::client::session::Session;
use crate::cli::client::{detail, list};
use crate::cli::ink::Ink;
use crate::cli::{file, secret};

/// What goes into the file, and where it goes.
#[derive(Debug, Args)]
pub struct Export {
    /// The certificate; several go into one file, without private keys
    #[arg(value_name = "CERTIFICATE", required = true)]
    certificates: Vec<String>,
    /// The certificate: der, pem; with its chain: fullchain, p7b, p7b-pem; the chain: chain; with the private key: p12;
    /// the private key: key, pkcs8; ready for a server: nginx, apache, haproxy, xroad; a trust store with the root: jks,
    /// p12-trust; or auto, what is fitting
    #[arg(long, value_name = "FORM", default_value = "pem", value_parser = form)]
    form: ExportForm,
    /// Which certificates above it: all (but the root), none, or some of them with commas between [default: as the form
    /// has it]
    #[arg(long, value_name = "LIST")]
    members: Option<String>,
    /// The root too, where the chain goes in
    #[arg(long)]
    root: bool,
    /// The private key too, where the form leaves the choice
    #[arg(long)]
    key: bool,
    /// A file with the passphrase: of the private key, 12 or more characters, asked for if left out; of a trust store, 6 or
    /// more, changeit if left out
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// PKCS#12 with 3DES and SHA-1, for a device that reads nothing newer
    #[arg(long)]
    legacy: bool,
    /// The file to make; standard output if left out and no private key goes along
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn form(text: &str) -> Result<ExportForm, String> {
    text.parse().map_err(|_| {
        let names: Vec<&str> = ExportForm::ALL.iter().map(|form| form.name()).collect();
        format!("it is none of {}", names.join(", "))
    })
}

impl Export {
    /// Runs it.
    pub async fn run(self, on: &Session) -> anyhow::Result<()> {
        let with_key = match self.form.key() {
            Part::Always => true,
            Part::IfWanted => self.key,
            Part::Never if self.key => bail!("{} holds no private key; choose p12, pkcs8 or pem", self.form),
            Part::Never => false,
        };
        let mut hashes = Vec::new();
        for certificate in &self.certificates {
            hashes.push(on.id(&list::CERTIFICATE, certificate).await?);
        }
        let has_own_passphrase = self.form.is_trust_store() && self.passphrase_file.is_some();
        let hash = match hashes.as_slice() {
            [one] if !has_own_passphrase => one.clone(),
            _ => return self.together(on, &hashes, with_key).await,
        };
        let members = self.members(on).await?;
        if with_key { self.secret(on, &hash, members).await } else { self.public(on, &hash, members).await }
    }

    /// The members by their hashes; what is no list of them stays a word.
    async fn members(&self, on: &Session) -> anyhow::Result<Option<Members>> {
        Ok(match self.members.as_deref() {
            None => None,
            Some("all") => Some(Members::All),
            Some("none") => Some(Members::These(Vec::new())),
            Some(names) => {
                let mut hashes = Vec::new();
                for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                    hashes.push(on.id(&list::CERTIFICATE, name).await?);
                }
                Some(Members::These(hashes))
            }
        })
    }

    async fn public(self, on: &Session, hash: &str, members: Option<Members>) -> anyhow::Result<()> {
        if self.legacy || self.passphrase_file.is_some() {
            bail!("{NOTHING_TO_ENCRYPT}");
        }
        let mut query = vec![("form", self.form.name().to_owned())];
        query.extend(self.root.then(|| ("root", "true".to_owned())));
        query.extend(members.map(|members| ("members", members.word())));
        let bytes = on.api.download(&["certificates", hash, "file"], &query).await?;
        file::write_or_print(self.out.as_deref(), &bytes)?;
        self.out.as_deref().map_or(Ok(()), |out| on.wrote(out))
    }

    /// Several in one file, or a trust store under a passphrase of its own: the passphrase goes in a body, never in an
    /// address.
    async fn together(self, on: &Session, hashes: &[String], with_key: bool) -> anyhow::Result<()> {
        if with_key {
            bail!("private keys are exported one by one");
        }
        if self.legacy || (self.passphrase_file.is_some() && !self.form.is_trust_store()) {
            bail!("{NOTHING_TO_ENCRYPT}");
        }
        self.out.as_deref().map(file::check_new).transpose()?;
        let mut body = Map::from_iter([("certificates".to_owned(), json!(hashes))]);
        put(&mut body, [("form", Some(self.form.name().to_owned())), ("members", self.members.clone())]);
        if self.root {
            body.insert("root".to_owned(), json!(true));
        }
        if let Some(path) = &self.passphrase_file {
            body.insert("passphrase".to_owned(), json!(secret::read_file(path)?.as_str()));
        }
        let path = ["certificates", "export"];
        let Fetched { bytes, findings } = on.api.fetch_with_findings(&path, &Value::Object(body)).await?;
        file::write_or_print(self.out.as_deref(), &bytes)?;
        tell(&findings);
        self.out.as_deref().map_or(Ok(()), |out| on.wrote(out))
    }

    /// The file is refused before the key leaves: an export is in the audit log for ever.
    async fn secret(self, on: &Session, hash: &str, members: Option<Members>) -> anyhow::Result<()> {
        let Some(out) = &self.out else { bail!("give --out FILE: a private key is not printed") };
        file::check_new(out)?;
        let passphrase =
            secret::chosen(self.passphrase_file.as_deref(), "Passphrase for the file", "--passphrase-file")?;
        let mut body = Map::new();
        put(&mut body, [("form", Some(self.form.name().to_owned()))]);
        body.insert("passphrase".to_owned(), json!(passphrase.as_str()));
        body.insert("legacy".to_owned(), json!(self.legacy));
        match members {
            Some(Members::These(hashes)) => drop(body.insert("members".to_owned(), json!(hashes))),
            Some(Members::All) | None => {}
        }
        if self.root {
            body.insert("root".to_owned(), json!(true));
        }
        let path = ["certificates", hash, "export"];
        let Fetched { bytes, findings } = on.api.fetch_with_findings(&path, &Value::Object(body)).await?;
        file::write_secret(out, &bytes)?;
        tell(&findings);
        on.wrote(out)
    }
}

const NOTHING_TO_ENCRYPT: &str =
    "there is nothing to encrypt without the private key; add --key, or choose p12";

/// What the server says about the file, beside it.
fn tell(findings: &[Value]) {
    if !findings.is_empty() {
        eprintln!("{}", detail::findings(findings, Ink::for_errors()).trim_matches('\n'));
    }
}

/// Which certificates above the leaf go in.
enum Members {
    All,
    These(Vec<String>),
}

impl Members {
    fn word(self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::These(hashes) if hashes.is_empty() => "none".to_owned(),
            Self::These(hashes) => hashes.join(","),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_named_or_all_are_said() {
        assert_eq!(form("p12"), Ok(ExportForm::Pkcs12));
        assert!(form("pfx").unwrap_err().contains("auto, der, pem"));
    }
}
