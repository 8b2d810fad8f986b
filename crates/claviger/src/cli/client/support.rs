//! `support`: what may be sent to support, and what may not.

use std::fs::{DirEntry, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use app::support::{Offered, look};
use clap::{Args, Subcommand};
use serde_json::json;
use zeroize::Zeroizing;

use super::connection::Connection;
use super::list;
use super::session::Session;
use crate::cli::offline::report::{counted, findings_json, tell};
use crate::cli::{file, limited, output};

/// Files that are looked into at once, octets in all.
const MOST: usize = 64 << 20;

/// What may be sent to support: certificates, chains and their state. Never a private key.
#[derive(Debug, Args)]
#[command(after_help = "Example: claviger support bundle --out support.zip")]
pub struct Support {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write the support bundle: every certificate and chain, and their state in words
    #[command(after_help = "Example: claviger support bundle --certificate shop.example --out support.zip")]
    Bundle(Papers),
    /// Look into files for private keys before you send them; on this machine, without a server
    #[command(after_help = "\
Keys are found in any form, renamed, encrypted, packed and packed again. Exit code 1: do not send this.

Example: claviger support check screenshot.png certificates.zip logs/")]
    Check {
        /// Files, folders with all that is in them, or - for the standard input
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Papers {
    /// Only this certificate and its chain
    #[arg(long, value_name = "CERTIFICATE")]
    certificate: Option<String>,
    /// The file to make
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Support {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Verb::Bundle(papers) => self.connection.run(async |on| papers.run(on).await).await,
            Verb::Check { files } => check(&files, self.connection.wants_json()),
        }
    }
}

impl Papers {
    async fn run(self, on: &Session) -> anyhow::Result<()> {
        file::check_new(&self.out)?;
        let mut query = Vec::new();
        if let Some(named) = &self.certificate {
            query.push(("certificate", on.id(&list::CERTIFICATE, named).await?));
        }
        let bytes = on.api.download(&["support", "bundle"], &query).await?;
        file::write(&self.out, &bytes)?;
        on.wrote(&self.out)
    }
}

fn check(paths: &[PathBuf], is_json: bool) -> anyhow::Result<ExitCode> {
    let mut gathered = Gathered { files: Vec::new(), left: MOST };
    for path in paths {
        gathered.add(path)?;
    }
    let files = gathered.files;
    if files.is_empty() {
        bail!("there is no file in it to look into");
    }
    match look(&files, None) {
        Ok(looked) if is_json => {
            output::json(&json!({ "accepted": true, "files": looked.files, "findings": [] }))?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(looked) => {
            let (sent, parts) = (counted(files.len(), "file"), counted(looked.files, "part"));
            output::line(format_args!(
                "No private key was found in {sent}: {parts} looked into, those inside archives and encoded text included."
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            if is_json {
                let findings = findings_json(&[refusal.clone().into()]);
                output::json(&json!({ "accepted": false, "findings": findings }))?;
            }
            tell(refusal);
            Ok(ExitCode::FAILURE)
        }
    }
}

/// What is to be looked into.
struct Gathered {
    files: Vec<Offered>,
    /// Octets for which there is still room.
    left: usize,
}

impl Gathered {
    /// Adds a file, or all files of a folder; links are followed only where they are named themselves, so that no
    /// folder is walked twice.
    fn add(&mut self, path: &Path) -> anyhow::Result<()> {
        if path == Path::new("-") {
            let read = limited::read(io::stdin().lock(), self.left);
            return self.keep(read, "the standard input".to_owned(), path);
        }
        if !path.is_dir() {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            return self.read(name, path);
        }
        let mut folders = vec![path.to_owned()];
        while let Some(folder) = folders.pop() {
            self.add_folder(path, &folder, &mut folders)?;
        }
        Ok(())
    }

    fn add_folder(&mut self, top: &Path, folder: &Path, folders: &mut Vec<PathBuf>) -> anyhow::Result<()> {
        let what = || format!("cannot read {}", folder.display());
        let entries: std::io::Result<Vec<_>> = std::fs::read_dir(folder).with_context(what)?.collect();
        let mut entries = entries.with_context(what)?;
        entries.sort_by_key(DirEntry::file_name);
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type().with_context(what)?);
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() || kind.is_symlink() && path.is_file() {
                let inside = path.strip_prefix(top).unwrap_or(&path).to_string_lossy().into_owned();
                self.read(inside, &path)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, name: String, path: &Path) -> anyhow::Result<()> {
        let read = File::open(path).and_then(|file| limited::read_file(file, self.left));
        self.keep(read, name, path)
    }

    fn keep(
        &mut self,
        read: io::Result<Zeroizing<Vec<u8>>>,
        name: String,
        path: &Path,
    ) -> anyhow::Result<()> {
        let bytes = read.with_context(|| format!("cannot read {}", path.display()))?;
        let Some(left) = self.left.checked_sub(bytes.len()) else {
            bail!("these files have more than {} MiB together; look into fewer at once", MOST >> 20);
        };
        self.left = left;
        self.files.push(Offered { name, bytes });
        Ok(())
    }
}
