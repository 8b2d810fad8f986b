//! What the tools are given: files, standard input or TLS servers; a passphrase; the moment to judge by.

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};
use clap::Args;
use pki::blocklist::MAX_BLOCKLIST;
use pki::format::MAX_INPUT;
use pki::{Blocklist, Refusal, UnixTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::look::{self, Served};
use crate::cli::limited;

/// What a tool reads.
#[derive(Debug, Args)]
pub struct Input {
    /// Files of any format, in any order; - is standard input, HOST:PORT what a TLS server shows
    #[arg(value_name = "FILE", required = true)]
    subjects: Vec<PathBuf>,
    /// A file that holds a passphrase of what is encrypted; repeat it where a store and its key, or several files, have
    /// different ones; on a terminal they are asked for
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Vec<PathBuf>,
    /// The name to ask a TLS server for (SNI) instead of its host; empty asks for none
    #[arg(long, value_name = "NAME")]
    servername: Option<String>,
    /// How long to wait for a TLS server
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

/// How a tool judges, and for whom it prints.
#[derive(Debug, Args)]
pub struct Judging {
    /// Judge as of this moment instead of now
    #[arg(long, value_name = "RFC3339", value_parser = parse_moment)]
    at: Option<UnixTime>,
    /// Refuse keys that are on this list, in the form of the server's `[keys] blocklist`
    #[arg(long, value_name = "FILE")]
    blocklist: Option<PathBuf>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// Something that was read.
pub struct Source {
    /// What it is called in the output, safe to show.
    pub name: String,
    /// What was there.
    pub content: Content,
}

/// What was there.
pub enum Content {
    /// A file's bytes; they may hold a private key.
    File {
        /// All of them.
        bytes: Zeroizing<Vec<u8>>,
        /// Whether other users of this machine may read the file too.
        is_open_to_others: bool,
    },
    /// What a TLS server showed, or why it showed nothing.
    Server(Result<Box<Served>, Refusal>),
}

impl Input {
    /// Reads every file, and looks at every server.
    pub fn read(&self) -> anyhow::Result<Vec<Source>> {
        self.subjects.iter().map(|subject| self.read_one(subject)).collect()
    }

    fn read_one(&self, subject: &Path) -> anyhow::Result<Source> {
        if subject == Path::new("-") {
            let bytes = limited::read(io::stdin().lock(), MAX_INPUT).context("cannot read standard input")?;
            let content = Content::File { bytes, is_open_to_others: false };
            return Ok(Source { name: "standard input".to_owned(), content });
        }
        // A file goes before a server of the same name: `./` in front always means a file.
        let address = if subject.symlink_metadata().is_ok() { None } else { look::address(subject) };
        if let Some(address) = address {
            let seen = look::look(&address, self.servername.as_deref(), Duration::from_secs(self.timeout));
            return Ok(Source { name: address.to_string(), content: Content::Server(seen.map(Box::new)) });
        }
        let name = pki::name::inert(&subject.display().to_string()).into_owned();
        let content = read_file(subject).map_err(|error| cannot_read(&name, error))?;
        Ok(Source { name, content })
    }
}

impl Judging {
    /// The moment to judge by.
    pub fn moment(&self) -> UnixTime {
        self.at.unwrap_or_else(now)
    }

    /// The keys whose private half everybody has, if a list of them is named. One that cannot be read is no list:
    /// going on without it would call good what it is there to find.
    pub fn blocklist(&self) -> anyhow::Result<Option<Blocklist>> {
        let Some(path) = &self.blocklist else { return Ok(None) };
        let name = pki::name::inert(&path.display().to_string()).into_owned();
        let cannot = || format!("the list of known keys cannot be used: {name}");
        let file = File::open(path).with_context(cannot)?;
        let bytes = limited::read_file(file, MAX_BLOCKLIST).with_context(cannot)?;
        Blocklist::parse(&bytes).map(Some).with_context(cannot)
    }
}

fn read_file(path: &Path) -> io::Result<Content> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let is_open_to_others = metadata.is_file() && metadata.permissions().mode() & 0o077 != 0;
    Ok(Content::File { bytes: limited::read_file(file, MAX_INPUT)?, is_open_to_others })
}

fn cannot_read(name: &str, error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound if may_be_host(name) => {
            anyhow!("there is no file {name}; for a TLS server, write {name}:443")
        }
        io::ErrorKind::NotFound if wants_port(name) => {
            anyhow!("there is no file {name}, and no server either: a port is a number from 1 to 65535")
        }
        io::ErrorKind::NotFound => anyhow!("there is no file {name}"),
        io::ErrorKind::IsADirectory => anyhow!("{name} is a directory: name the files in it"),
        _ => anyhow!(error).context(format!("cannot read {name}")),
    }
}

/// Endings that files have and hosts have not.
const ENDINGS: [&str; 14] =
    ["pem", "crt", "cer", "der", "key", "csr", "crl", "p12", "pfx", "p7b", "p7c", "p8", "jks", "txt"];

/// Whether it is written like a server, with a port that is none.
fn wants_port(name: &str) -> bool {
    let port = name.rsplit_once(':').map(|(_, port)| port);
    port.is_some_and(|port| {
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        is_number && !port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

fn may_be_host(name: &str) -> bool {
    let ending = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    !name.contains(['/', ':']) && !ENDINGS.contains(&ending.as_str())
}

/// Reads a moment as RFC 3339 writes it.
pub fn parse_moment(text: &str) -> Result<UnixTime, String> {
    let moment = OffsetDateTime::parse(text, &Rfc3339);
    let moment = moment.map_err(|_| "write it like 2026-11-22T00:00:00Z".to_owned())?;
    Ok(UnixTime(moment.unix_timestamp()))
}

/// The system's clock.
pub fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_a_host_is_taken_for_one() {
        let may_be = ["shop.example", "localhost", "leaf.pem", "dir/leaf", "Shop.PFX"].map(may_be_host);
        assert_eq!(may_be, [true, true, false, false, false]);
    }

    #[test]
    fn a_port_that_is_none_is_told() {
        let wants =
            ["shop.example:99999", "shop.example:0", "shop.example:443", "a.pem", "c:x"].map(wants_port);
        assert_eq!(wants, [true, true, false, false, false]);
    }

    #[test]
    fn a_moment_is_read_with_its_offset() {
        assert_eq!(parse_moment("2026-11-22T02:00:00+02:00"), Ok(UnixTime(1_795_305_600)));
        assert!(parse_moment("2026-11-22").is_err());
    }
}
