//! `csr new`: a key and a CSR to files, by questions or by options, without a server.
//!
//! The key is made in a software token that lives as long as the command, and leaves it only encrypted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};
use domain::clock::random_bytes;
use domain::id::{TokenId, UserId};
use domain::key::Exportable;
use domain::permission::uses;
use domain::{Actor, permission};
use pki::csr::{CsrRequest, KeyUsageProfile};
use pki::format::{Item, pem_write, pkcs8_write};
use pki::name::{Attribute, AttributeType};
use pki::{Csr, DistinguishedName, KeyAlgorithm, PrivateKey, Refusal, Signer, SubjectAltName};
use zeroize::Zeroizing;

use crate::cli::{file, output, question, secret};
use crate::server::world::SystemRandom;

/// Makes a key and a CSR without a server.
#[derive(Debug, Args)]
#[command(after_help = "\
On a terminal, what is not given is asked for. Nothing that is there is written over.

Examples:
  claviger csr new --key-out shop.key --csr-out shop.csr
  claviger csr new --key-out shop.key --csr-out shop.csr --passphrase-file pass \\
      --subject C=FI --subject \"O=Acme, Inc.\" --subject CN=shop.example")]
pub struct New {
    /// Where the new private key goes, as encrypted PKCS#8
    #[arg(long, value_name = "FILE", required_unless_present = "key", conflicts_with = "key")]
    key_out: Option<PathBuf>,
    /// Use the private key of this file instead of making one
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Where the CSR goes, as PEM
    #[arg(long, value_name = "FILE")]
    csr_out: PathBuf,
    /// A file with the passphrase of the key
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// What the key is for
    #[arg(long, value_enum, default_value = "tls")]
    usage: Usage,
    /// Kind of the new key: ec-p256, ec-p384, ed25519, rsa-2048, rsa-3072 or rsa-4096
    #[arg(long, value_name = "NAME", default_value = "ec-p256", conflicts_with = "key")]
    algorithm: KeyAlgorithm,
    /// One part of the subject, like CN=shop.example; repeat it, in the order wanted
    #[arg(long, value_name = "TYPE=VALUE", value_parser = crate::cli::subject::parse)]
    subject: Vec<Attribute>,
    /// An alternative name: host name, IP address, e-mail address or URI; repeat it
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Vec<SubjectAltName>,
}

/// What a key is for; decides the key usages that the CSR asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Usage {
    /// A TLS server.
    Tls,
    /// Signing documents or messages.
    Sign,
    /// X-Road's authentication of servers.
    Auth,
}

impl New {
    /// Runs it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        for path in self.key_out.iter().chain([&self.csr_out]) {
            if let Err(error) = file::check_new(path) {
                return Ok(output::wrong_usage(&error));
            }
        }
        let (subject, names) = self.wishes()?;
        let subject = DistinguishedName::from_attributes(subject).map_err(said)?;
        let (names, added) = match self.usage {
            Usage::Tls => pki::san::with_common_name(&subject, names),
            Usage::Sign | Usage::Auth => (names, None),
        };
        if subject.is_empty() && names.is_empty() {
            bail!("a CSR needs a subject or a name; give --subject CN=... or --name ...");
        }
        // The signer works as long as its token is there.
        let desk = Desk::new();
        let made = self.key(&desk)?;
        let request = CsrRequest { subject, names, usage: self.usage.profile() };
        let csr = Csr::parse(&pki::csr::build(&request, made.signer.as_ref())?).map_err(said)?;
        self.write(&made, &csr)?;
        if let Some(name) = added {
            output::line(format_args!("The common name became the first alternative name: {name}"))?;
        }
        self.tell(&csr)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Subject and names, from the options, or asked for when there are none and somebody is there.
    fn wishes(&self) -> anyhow::Result<(Vec<Attribute>, Vec<SubjectAltName>)> {
        if !self.subject.is_empty() || !self.name.is_empty() || !secret::can_ask() {
            return Ok((self.subject.clone(), self.name.clone()));
        }
        let questions = [
            (AttributeType::Country, "Country, two letters"),
            (AttributeType::State, "State or province, in full"),
            (AttributeType::Locality, "Town"),
            (AttributeType::Organization, "Organisation"),
            (AttributeType::OrganizationalUnit, "Unit of the organisation"),
            (AttributeType::SerialNumber, "Serial number of the subject"),
            (AttributeType::CommonName, "Common name, the host name of a server"),
        ];
        eprintln!("Press Enter to leave a part out.");
        let mut subject = Vec::new();
        for (kind, prompt) in questions {
            subject.push(Attribute::new(kind, question::line(prompt)?));
        }
        let names = question::line("Alternative names, with commas between")?;
        let names = SubjectAltName::parse_list(&names);
        let names = names
            .map_err(|mut wrong| wrong.pop().map_or_else(|| anyhow!("no names"), |(_, why)| said(why)))?;
        Ok((subject, names))
    }

    fn key(&self, desk: &Desk) -> anyhow::Result<Made> {
        match &self.key {
            Some(path) => self.read_key(path, desk),
            None => {
                let passphrase = secret::chosen(
                    self.passphrase_file.as_deref(),
                    "New passphrase of the key",
                    "--passphrase-file",
                )?;
                let (signer, key) = desk.generate(self.algorithm)?;
                let salt = random_bytes(&SystemRandom);
                let encrypted = pkcs8_write::encrypt(&key, &passphrase, salt, random_bytes(&SystemRandom));
                Ok(Made { signer, encrypted: Some(encrypted) })
            }
        }
    }

    fn read_key(&self, path: &Path, desk: &Desk) -> anyhow::Result<Made> {
        let read = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let bytes = Zeroizing::new(read);
        let mut passphrase = self.passphrase_file.as_deref().map(secret::read_file).transpose()?;
        let mut contents = pki::format::read(&bytes, passphrase.as_ref().map(|secret| secret.as_str()));
        if contents.as_ref().is_err_and(|refusal| refusal.code == "pass.needed") && passphrase.is_none() {
            passphrase = Some(secret::wanted(None, "Passphrase of the key", "--passphrase-file")?);
            contents = pki::format::read(&bytes, passphrase.as_ref().map(|secret| secret.as_str()));
        }
        let items = contents.map_err(said)?.items;
        let key = items.into_iter().find_map(Item::into_private_key);
        let key = key.ok_or_else(|| anyhow!("there is no private key in {}", path.display()))?;
        Ok(Made { signer: desk.take(&key)?, encrypted: None })
    }

    /// The key first: a CSR whose key was lost would be worth nothing.
    fn write(&self, made: &Made, csr: &Csr) -> anyhow::Result<()> {
        if let Some((path, der)) = self.key_out.as_deref().zip(made.encrypted.as_ref()) {
            file::write_secret(path, pem_write::encrypted_key(der).as_bytes())?;
        }
        file::write(&self.csr_out, csr.to_pem().as_bytes())
    }

    fn tell(&self, csr: &Csr) -> anyhow::Result<()> {
        if let Some(path) = &self.key_out {
            output::line(format_args!("{}: {}, encrypted", path.display(), csr.public_key().label()))?;
        }
        output::line(format_args!("{}: {}", self.csr_out.display(), csr.subject()))?;
        // Only servers are found by their names.
        let matters =
            |finding: &pki::Finding| self.usage == Usage::Tls || finding.code != "csr.cn_not_in_san";
        for finding in csr.findings().into_iter().filter(matters) {
            output::line(format_args!("{}: {}. {}", finding.severity, finding.what, finding.repair))?;
        }
        Ok(())
    }
}

impl Usage {
    fn profile(self) -> KeyUsageProfile {
        match self {
            Self::Tls => KeyUsageProfile::Tls,
            Self::Sign => KeyUsageProfile::Sign,
            Self::Auth => KeyUsageProfile::Auth,
        }
    }
}

/// A key that signs, and what is written of it.
struct Made {
    signer: Arc<dyn Signer>,
    encrypted: Option<Zeroizing<Vec<u8>>>,
}

/// A software token for one command, and the person at the console, whose own key it is.
struct Desk {
    token: token::Session,
    person: Actor,
}

impl Desk {
    fn new() -> Self {
        let data_key = token::DataKey::generate(&SystemRandom);
        let person = Actor::User {
            id: UserId::of("console"),
            name: "console".to_owned(),
            roles: BTreeSet::from([permission::Role::SecurityOfficer]),
        };
        Self { token: token::Session::new(TokenId::of("console"), data_key), person }
    }

    fn generate(&self, algorithm: KeyAlgorithm) -> anyhow::Result<(Arc<dyn Signer>, PrivateKey)> {
        let (_, sealed) = self.token.generate(algorithm, Exportable::WithPassphrase, &SystemRandom)?;
        let export = permission::authorize(&self.person, uses::ExportPrivateKey, "")?;
        let key = self.token.export(&sealed, &export)?;
        Ok((self.signer(&sealed)?, key))
    }

    fn take(&self, key: &PrivateKey) -> anyhow::Result<Arc<dyn Signer>> {
        self.signer(&self.token.import(key, Exportable::Never, &SystemRandom)?)
    }

    fn signer(&self, sealed: &domain::key::SealedKey) -> anyhow::Result<Arc<dyn Signer>> {
        let manage = permission::authorize(&self.person, uses::ManageTlsCertificates, "")?;
        Ok(self.token.signer(sealed, &manage)?)
    }
}

fn parse_name(text: &str) -> Result<SubjectAltName, String> {
    SubjectAltName::parse(text).map_err(|refusal| format!("{} {}", refusal.what, refusal.repair))
}

/// A refusal as people read it: what, where, what to do.
fn said(refusal: Refusal) -> anyhow::Error {
    let place = if refusal.place.is_empty() { String::new() } else { format!(" ({})", refusal.place) };
    anyhow!("{}{place}. {}", refusal.what, refusal.repair)
}

#[cfg(test)]
mod tests {
    use pki::format::Object;

    use super::*;

    fn new(directory: &Path, usage: Usage) -> New {
        std::fs::write(directory.join("pass"), "geheim 1\n").unwrap();
        New {
            key_out: Some(directory.join("key")),
            key: None,
            csr_out: directory.join("csr"),
            passphrase_file: Some(directory.join("pass")),
            usage,
            algorithm: KeyAlgorithm::EcP256,
            subject: vec![
                Attribute::new(AttributeType::Organization, "Acme, \"Inc.\""),
                Attribute::new(AttributeType::CommonName, "shop.example"),
            ],
            name: vec![SubjectAltName::Dns("www.shop.example".to_owned())],
        }
    }

    fn csr(path: &Path) -> Csr {
        let items = pki::format::read(&std::fs::read(path).unwrap(), None).unwrap().items;
        match items.into_iter().next().map(|item| item.object) {
            Some(Object::Csr(csr)) => csr,
            _ => panic!("no CSR in {}", path.display()),
        }
    }

    #[test]
    fn the_key_is_encrypted_and_the_csr_is_its() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        new(directory.path(), Usage::Tls).run().unwrap();
        let made = csr(&directory.path().join("csr"));
        assert_eq!(made.subject().common_name(), Some("shop.example"));
        let names: Vec<String> = made.names().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["shop.example", "www.shop.example"]);
        let key = directory.path().join("key");
        assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let bytes = std::fs::read(&key).unwrap();
        assert_eq!(pki::format::read(&bytes, None).err().unwrap().code, "pass.needed");
        let items = pki::format::read(&bytes, Some("geheim 1")).unwrap().items;
        let key = items.into_iter().find_map(Item::into_private_key).unwrap();
        assert_eq!(key.id(), made.public_key().id());
    }

    #[test]
    fn a_key_that_is_there_is_used_again() {
        let directory = tempfile::tempdir().unwrap();
        new(directory.path(), Usage::Tls).run().unwrap();
        let first = csr(&directory.path().join("csr"));
        let again = New {
            key: Some(directory.path().join("key")),
            key_out: None,
            csr_out: directory.path().join("second"),
            ..new(directory.path(), Usage::Sign)
        };
        again.run().unwrap();
        let second = csr(&directory.path().join("second"));
        assert_eq!(second.public_key().id(), first.public_key().id());
        assert_eq!(second.extended_key_usages(), [""; 0]);
        assert_eq!(second.names().len(), 1);
    }

    #[test]
    fn nothing_that_is_there_is_written_over() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("csr"), "mine").unwrap();
        new(directory.path(), Usage::Tls).run().unwrap();
        assert_eq!(std::fs::read_to_string(directory.path().join("csr")).unwrap(), "mine");
        assert!(!directory.path().join("key").exists());
    }
}
