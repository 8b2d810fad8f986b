//! `convert FILE... --to FORM`: whatever came in, in the form that another program or device reads.
//!
//! A private key leaves encrypted unless somebody says `--open-key`, into a file of its owner's only, and never onto a
//! terminal in the open. What does not go along is said.

mod form;
mod selection;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use pki::format::pkcs12_write::Strength;
use pki::{Refusal, Severity};
use zeroize::Zeroizing;

use self::form::{Form, Protection, Written};
use self::selection::{Selection, Wish};
use super::destination::{Destination, Existing, Mode};
use super::input::{self, Input};
use super::material::Material;
use super::passphrase::{MayAsk, Passphrases};
use super::report;
use crate::cli::{output, secret};

/// Characters under which a passphrase is said to be short.
const SHORT: usize = 12;
/// What `keytool` demands of the passphrase of a JKS file.
const JKS_SHORTEST: usize = 6;

/// Writes certificates and keys in another form.
#[derive(Debug, Args)]
#[command(after_help = "\
The chain is put in order, the leaf first; the root is left out unless it is asked for.
With a private key among the files, the chain is that of the key's certificate.
With --key, what cannot be used beside that key in its file is left out.
A private key is encrypted unless you say --open-key; only the owner may read the file.
Passphrases are asked for on a terminal; a new one is typed twice.
Exit code: 0 it was written, 1 something was refused, 2 wrong usage.

Examples:
  claviger convert shop.p12 --to pem --no-key --out fullchain.pem
  claviger convert shop.p12 --to pkcs8 --out shop.key --open-key
  claviger convert leaf.pem chain.p7b shop.key --to p12 --out shop.pfx --name \"Web shop\"
  claviger convert old.jks --key web --to p12 --out w.p12 --passphrase-file a --passphrase-file b
  claviger convert root.pem --to jks-trust --out trust.jks
  claviger convert shop.example:443 --to p7b --out shop.p7b")]
pub struct Convert {
    #[command(flatten)]
    input: Input,
    /// The form to write
    #[arg(long, value_enum, value_name = "FORM")]
    to: Form,
    /// The file to write; - or none is standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    /// A file with the passphrase for what is written
    #[arg(long, value_name = "FILE", conflicts_with = "open_key")]
    out_passphrase_file: Option<PathBuf>,
    /// Which private key, when there are several: its id or the beginning of it, its friendly name, or the name of
    /// its certificate
    #[arg(long, value_name = "ID|NAME")]
    key: Option<String>,
    /// The friendly name in PKCS#12; otherwise it stays what it was
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<String>,
    /// Take the root along too
    #[arg(long)]
    with_root: bool,
    /// Take every certificate, in the order given, not only the chain
    #[arg(long)]
    all: bool,
    /// Leave the private key out
    #[arg(long, conflicts_with = "open_key")]
    no_key: bool,
    /// Write the private key without encryption
    #[arg(long)]
    open_key: bool,
    /// PKCS#12 for old devices: 3DES and SHA-1, easier to guess
    #[arg(long)]
    legacy: bool,
}

impl Convert {
    /// Runs it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if let Err(error) = self.check() {
            return Ok(output::wrong_usage(&error));
        }
        let passphrases = Passphrases::new(&self.input.passphrase_file, MayAsk::IfSomebodyIsThere);
        let (passphrases, sources) = match (passphrases, self.input.read()) {
            (Ok(passphrases), Ok(sources)) => (passphrases, sources),
            (Err(error), _) | (_, Err(error)) => return Ok(output::wrong_usage(&error)),
        };
        let destination = Destination::new(self.out.as_deref(), Existing::by(self.force))?;
        let is_wanted_in =
            |file: &Material| self.key.as_deref().is_some_and(|wanted| selection::has_key(file, wanted));
        let material = Material::read_for(&sources, &passphrases, is_wanted_in)?;
        if !material.refusals.is_empty() {
            material.refusals.into_iter().for_each(report::tell);
            return Ok(ExitCode::FAILURE);
        }
        let selection = match selection::choose(&material, &self.wish())? {
            Ok(selection) => selection,
            Err(refusal) => return Ok(refused(refusal)),
        };
        let protection = match self.protection(&selection, &destination) {
            Ok(protection) => protection,
            Err(error) => return Ok(output::wrong_usage(&error)),
        };
        match form::write(self.to, &selection, &protection, input::now()) {
            Ok(written) => self.finish(&written, &selection, &destination),
            Err(refusal) => Ok(refused(refusal)),
        }
    }

    /// What can be wrong before anything is read.
    fn check(&self) -> anyhow::Result<()> {
        if self.legacy && self.to != Form::P12 {
            bail!("--legacy is for --to p12");
        }
        if self.open_key && !self.to.may_hold_open_key() {
            bail!("--open-key is for --to pem, pkcs8, pkcs8-der, pkcs1 and sec1");
        }
        if self.no_key && self.to.is_key_alone() {
            bail!("--no-key leaves nothing to write in this form");
        }
        if matches!(self.to, Form::Pkcs1 | Form::Sec1) && !self.open_key {
            bail!(
                "this form has no encryption worth the name: say --open-key, or take --to pkcs8, which is encrypted"
            );
        }
        if self.out_passphrase_file.is_some() && !self.to.takes_passphrase() {
            bail!("nothing in this form is encrypted: leave --out-passphrase-file out");
        }
        Ok(())
    }

    fn wish(&self) -> Wish<'_> {
        Wish {
            form: self.to,
            key: self.key.as_deref(),
            name: self.name.as_deref(),
            takes_key: !self.no_key && self.to.takes_key(),
            takes_root: self.with_root,
            takes_all: self.all,
            now: input::now(),
        }
    }

    /// How what is written is protected; asks for what is missing.
    fn protection(&self, selection: &Selection<'_>, destination: &Destination) -> anyhow::Result<Protection> {
        if destination.is_terminal() && self.to.is_binary() {
            bail!("this is no text; give --out FILE");
        }
        if self.open_key && selection.key.is_some() {
            if destination.is_terminal() {
                bail!("an open private key is not shown on a terminal; give --out FILE");
            }
            return Ok(Protection::None);
        }
        if !self.to.takes_passphrase() || (selection.key.is_none() && !self.to.is_always_protected()) {
            return Ok(Protection::None);
        }
        let passphrase = self.new_passphrase()?;
        let length = passphrase.chars().count();
        if self.to == Form::JksTrust && length < JKS_SHORTEST {
            bail!("keytool takes no passphrase under {JKS_SHORTEST} characters");
        }
        if selection.key.is_some() && length < SHORT {
            eprintln!(
                "Mind: the passphrase has under {SHORT} characters. Whoever gets the file can try them all."
            );
        }
        if self.to != Form::Pem && !self.to.is_key_alone() && !passphrase.is_ascii() {
            eprintln!("Mind: Java's keytool and some devices take only the characters of a US keyboard.");
        }
        Ok(Protection::Passphrase(passphrase, if self.legacy { Strength::Legacy } else { Strength::Modern }))
    }

    fn new_passphrase(&self) -> anyhow::Result<Zeroizing<String>> {
        let file = self.out_passphrase_file.as_deref();
        if file.is_none() && !secret::can_ask() {
            let other = match (self.to.may_hold_open_key(), self.to.is_key_alone()) {
                (true, false) => ", --no-key, or --open-key",
                (true, true) => ", or --open-key",
                (false, _) => "",
            };
            bail!("there is no terminal to ask for a passphrase on; give --out-passphrase-file FILE{other}");
        }
        secret::chosen(file, "New passphrase for what is written", "--out-passphrase-file")
            .context("the passphrase for what is written")
    }

    fn finish(
        &self,
        written: &Written,
        selection: &Selection<'_>,
        destination: &Destination,
    ) -> anyhow::Result<ExitCode> {
        let has_key = selection.key.is_some();
        destination.write(&written.bytes, if has_key { Mode::Secret } else { Mode::Open })?;
        eprintln!("{destination}: {}.", written.parts.join(", "));
        if has_key && !destination.is_standard_output() {
            eprintln!("  Only its owner may read the file.");
        }
        if has_key && self.open_key {
            eprintln!("  The private key in it is not encrypted: whoever can read it is the server.");
        }
        if !has_key && self.to == Form::P12 {
            let why = if self.no_key { "it was left out" } else { "there was none in what was given" };
            eprintln!("Mind: no private key is in it: {why}.");
        }
        if self.legacy {
            eprintln!(
                "Mind: 3DES and SHA-1 are for devices that read nothing newer. Whoever gets this file can guess its \
                 passphrase far faster: carry it over, then delete it."
            );
        }
        if selection.key.is_some_and(|key| key.object.had_pss_mark()) {
            eprintln!(
                "Mind: the private key was marked for RSASSA-PSS alone; it is written as an ordinary RSA key."
            );
        }
        for left_out in selection.left_out.iter().chain(&written.left_out) {
            eprintln!("Left out: {left_out}.");
        }
        for refusal in selection.refused() {
            eprintln!("Left out: {}: {}.", refusal.place, refusal.what);
        }
        for finding in selection.findings.iter().filter(|finding| finding.severity > Severity::Info) {
            eprintln!("{}: {} {}", finding.severity, report::sentence(&finding.what), finding.repair);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn refused(refusal: Refusal) -> ExitCode {
    report::tell(refusal);
    ExitCode::FAILURE
}

/// A name for key and certificate that can be shown as it stands.
fn parse_name(text: &str) -> anyhow::Result<String> {
    let name = text.trim();
    if name.is_empty() || pki::name::inert(name) != name {
        return Err(anyhow!("write a name that can be seen, on one line"));
    }
    Ok(name.to_owned())
}
