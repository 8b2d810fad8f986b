//! What the tools read: files or standard input, the moment to judge by, a passphrase.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::Args;
use pki::UnixTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use crate::cli::secret;

/// The files that a tool reads, and how it judges them.
#[derive(Debug, Args)]
pub struct Input {
    /// Files to read, of any format and in any order; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Judge as of this moment instead of now
    #[arg(long, value_name = "RFC3339", value_parser = parse_moment)]
    at: Option<UnixTime>,
    /// A file that holds the passphrase of what is encrypted
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// A file that was read.
pub struct Source {
    /// What it is called in the output, safe to show.
    pub name: String,
    /// Its bytes; they may hold a private key.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl Input {
    /// The moment to judge by.
    pub fn moment(&self) -> UnixTime {
        self.at.unwrap_or_else(now)
    }

    /// Reads every file.
    pub fn read(&self) -> anyhow::Result<Vec<Source>> {
        self.files.iter().map(|path| read(path)).collect()
    }

    /// The passphrase, if a file with one was named.
    pub fn passphrase(&self) -> anyhow::Result<Option<Zeroizing<String>>> {
        self.passphrase_file.as_deref().map(secret::read_file).transpose()
    }
}

/// Reads one byte more than is taken, at most: that one is enough to refuse the file.
fn read(path: &Path) -> anyhow::Result<Source> {
    let limit = pki::format::MAX_INPUT as u64 + 1;
    let mut bytes = Zeroizing::new(Vec::new());
    if path == Path::new("-") {
        let read = io::stdin().lock().take(limit).read_to_end(&mut bytes);
        read.context("cannot read standard input")?;
        return Ok(Source { name: "standard input".to_owned(), bytes });
    }
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Source { name: pki::name::inert(&path.display().to_string()).into_owned(), bytes })
}

fn parse_moment(text: &str) -> Result<UnixTime, String> {
    let moment = OffsetDateTime::parse(text, &Rfc3339);
    let moment = moment.map_err(|_| "write it like 2026-11-22T00:00:00Z".to_owned())?;
    Ok(UnixTime(moment.unix_timestamp()))
}

/// The system's clock.
fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_with_its_offset() {
        assert_eq!(parse_moment("2026-11-22T02:00:00+02:00"), Ok(UnixTime(1_795_305_600)));
        assert!(parse_moment("2026-11-22").is_err());
    }
}
