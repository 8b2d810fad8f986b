//! Where the tools write: a new file or standard output. What is there is written over only when that was asked for,
//! and then it is the old or the new file at each moment, never half of one.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};

use crate::cli::file;

/// Where to.
#[derive(Debug)]
pub enum Destination {
    /// A file that was not there when this was made.
    New(PathBuf),
    /// A file that may be there.
    Over(PathBuf),
    /// The terminal, or whatever standard output was led into.
    StandardOutput,
}

/// What happens to a file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is written.
    Stays,
    /// It is written over.
    IsReplaced,
}

impl Existing {
    /// As `--force` says.
    pub fn by(force: bool) -> Self {
        if force { Self::IsReplaced } else { Self::Stays }
    }
}

/// Who may read the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everybody.
    Open,
    /// Its owner only: there is a private key in it.
    Secret,
}

impl Destination {
    /// Standard output when no path is given, or `-`.
    ///
    /// # Errors
    /// A file is there already, and was not meant to be written over.
    pub fn new(path: Option<&Path>, existing: Existing) -> anyhow::Result<Self> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::StandardOutput);
        };
        if existing == Existing::IsReplaced {
            if path.is_dir() {
                bail!("{} is a directory", path.display());
            }
            return Ok(Self::Over(path.to_owned()));
        }
        file::check_new(path).map_err(|error| anyhow!("{error:#}, or write over it with --force"))?;
        Ok(Self::New(path.to_owned()))
    }

    /// Whether the result goes to standard output.
    pub fn is_standard_output(&self) -> bool {
        matches!(self, Self::StandardOutput)
    }

    /// Whether the result would be shown on a terminal.
    pub fn is_terminal(&self) -> bool {
        self.is_standard_output() && io::stdout().is_terminal()
    }

    /// Writes it.
    pub fn write(&self, bytes: &[u8], mode: Mode) -> anyhow::Result<()> {
        match self {
            Self::New(path) => match mode {
                Mode::Open => file::write(path, bytes),
                Mode::Secret => file::write_secret(path, bytes),
            },
            Self::Over(path) => {
                replace(path, bytes, mode).with_context(|| format!("cannot write {}", path.display()))
            }
            Self::StandardOutput => {
                let mut out = io::stdout().lock();
                Ok(out.write_all(bytes).and_then(|()| out.flush())?)
            }
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New(path) | Self::Over(path) => f.write_str(&pki::name::inert(&path.display().to_string())),
            Self::StandardOutput => f.write_str("standard output"),
        }
    }
}

/// Writes beside it and gives it the name: the mode is that of the new file, and nobody who had the old one open reads
/// the new one.
fn replace(path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let mode = match mode {
        Mode::Open => 0o644,
        Mode::Secret => 0o600,
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let named = written.and_then(|()| std::fs::rename(&beside, path));
    if named.is_err() {
        // What could not get its name must not stay: there may be a key in it.
        let _ = std::fs::remove_file(&beside);
    }
    named
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_written_over_only_by_force_and_gets_its_own_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Destination::new(Some(&path), Existing::Stays).is_err());
        Destination::new(Some(&path), Existing::IsReplaced).unwrap().write(b"new", Mode::Secret).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(Destination::new(Some(directory.path()), Existing::IsReplaced).is_err());
    }

    #[test]
    fn a_dash_is_standard_output() {
        assert!(Destination::new(Some(Path::new("-")), Existing::Stays).unwrap().is_standard_output());
        assert!(Destination::new(None, Existing::Stays).unwrap().is_standard_output());
    }
}
