//! The data directory: what is in it, who may read it, and the instance key.

use std::fs::{File, Permissions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use domain::Random;
use store::Database;
use token::InstanceKey;
use zeroize::Zeroizing;

use super::secret_file;

const KEY_FILE: &str = "instance.key";
const DATABASE_FILE: &str = "claviger.db";
const CONFIG_FILE: &str = "claviger.toml";
const LOCK_FILE: &str = "claviger.lock";

/// A data directory that only its owner may use.
#[derive(Clone, Debug)]
pub struct DataDirectory {
    path: PathBuf,
}

/// Held while a server, or what must not run beside one, works on the directory.
pub struct Lock(#[expect(dead_code, reason = "held for its drop")] File);

impl DataDirectory {
    /// Takes a directory that is there. An empty one is closed to others; a used one must be closed already.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let mut entries =
            std::fs::read_dir(path).with_context(|| format!("cannot read the data directory {shown}"))?;
        if entries.next().is_none() {
            let closed = std::fs::set_permissions(path, Permissions::from_mode(0o700));
            closed.with_context(|| format!("cannot close {shown} to others"))?;
        }
        let directory = Self { path: path.to_owned() };
        secret_file::check_mode(path)?;
        for secret in [directory.key_file(), directory.database_file()] {
            if secret.exists() {
                secret_file::check_mode(&secret)?;
            }
        }
        Ok(directory)
    }

    /// The same, and makes the directory when it is not there.
    pub fn open_or_make(path: &Path) -> anyhow::Result<Self> {
        if !path.exists() {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
            made.with_context(|| format!("cannot make the data directory {}", path.display()))?;
        }
        Self::open(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing is in it but what a start leaves before there are data.
    pub fn is_unused(&self) -> bool {
        !self.key_file().exists() && !self.database_file().exists()
    }

    /// The instance key's file.
    pub fn key_file(&self) -> PathBuf {
        self.path.join(KEY_FILE)
    }

    /// SQLite's file, where the database is not elsewhere.
    pub fn database_file(&self) -> PathBuf {
        self.path.join(DATABASE_FILE)
    }

    /// The configuration file that is read when no other is named.
    pub fn config_file(&self) -> PathBuf {
        self.path.join(CONFIG_FILE)
    }

    /// Makes sure that a new SQLite file is closed to others from its first byte on; SQLite gives its side files the
    /// mode of the file itself.
    pub fn prepare(&self, database: &Database) -> anyhow::Result<()> {
        match database {
            Database::Sqlite(path) if !path.exists() => secret_file::create(path, b""),
            Database::Sqlite(_) | Database::Postgres(_) => Ok(()),
        }
    }

    /// Takes the directory for this process alone.
    pub fn lock(&self) -> anyhow::Result<Lock> {
        let path = self.path.join(LOCK_FILE);
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => {
                bail!("another claviger uses {}; stop it first", self.path.display())
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    /// The instance key of an installation that is there: the systemd credential `instance.key` if there is one, else
    /// the file in the directory.
    pub fn instance_key(&self) -> anyhow::Result<InstanceKey> {
        if let Some(credential) = credential() {
            // systemd closes it to others by its own means, with a mode of its own.
            return read_key(&credential);
        }
        let file = self.key_file();
        if !file.exists() {
            bail!(
                "the instance key {} is not there, and without it nothing in the database opens; put it back, or restore \
                 a backup with its recovery passphrase into an empty directory",
                file.display()
            );
        }
        secret_file::check_mode(&file)?;
        read_key(&file)
    }

    /// The same; a directory without data gets a new key.
    pub fn instance_key_or_new(&self, random: &dyn Random) -> anyhow::Result<InstanceKey> {
        if credential().is_some() || !self.is_unused() {
            if self.key_file().exists() {
                secret_file::sweep(&self.key_file());
            }
            return self.instance_key();
        }
        let key = InstanceKey::generate(random);
        let text = Zeroizing::new(format!("{}\n", &*Zeroizing::new(pki::identity::hex(key.bytes()))));
        secret_file::create(&self.key_file(), text.as_bytes())?;
        Ok(key)
    }
}

/// The instance key as systemd gives it (`LoadCredential=instance.key:...`).
fn credential() -> Option<PathBuf> {
    let directory = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?);
    Some(directory.join(KEY_FILE)).filter(|file| file.exists())
}

/// Reads 32 bytes, as they are or in hexadecimal.
fn read_key(file: &Path) -> anyhow::Result<InstanceKey> {
    let read =
        std::fs::read(file).with_context(|| format!("cannot read the instance key {}", file.display()))?;
    let bytes = Zeroizing::new(read);
    let key = <[u8; 32]>::try_from(bytes.as_slice()).ok().or_else(|| from_hex(bytes.trim_ascii()));
    match key {
        Some(key) => Ok(InstanceKey::from_bytes(key)),
        None => bail!("{} does not hold 32 bytes, as they are or in hexadecimal", file.display()),
    }
}

fn from_hex(text: &[u8]) -> Option<[u8; 32]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::world::SystemRandom;
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_directory_and_its_key_are_closed_to_others() {
        let parent = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open_or_make(&parent.path().join("data")).unwrap();
        let key = directory.instance_key_or_new(&SystemRandom).unwrap();
        assert_eq!((mode(directory.path()), mode(&directory.key_file())), (0o700, 0o600));
        assert_eq!(directory.instance_key().unwrap().bytes(), key.bytes());
        assert_eq!(directory.instance_key_or_new(&SystemRandom).unwrap().bytes(), key.bytes());
    }

    #[test]
    fn a_used_directory_that_is_open_is_refused() {
        let data = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(data.path()).unwrap();
        directory.instance_key_or_new(&SystemRandom).unwrap();
        std::fs::set_permissions(data.path(), Permissions::from_mode(0o755)).unwrap();
        assert!(DataDirectory::open(data.path()).unwrap_err().to_string().contains("chmod 0700"));
        std::fs::set_permissions(data.path(), Permissions::from_mode(0o700)).unwrap();
        std::fs::set_permissions(directory.key_file(), Permissions::from_mode(0o604)).unwrap();
        assert!(DataDirectory::open(data.path()).unwrap_err().to_string().contains("chmod 0600"));
    }

    #[test]
    fn a_lost_key_beside_a_database_is_never_made_anew() {
        let data = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(data.path()).unwrap();
        directory.prepare(&Database::Sqlite(directory.database_file())).unwrap();
        assert!(directory.instance_key_or_new(&SystemRandom).is_err());
        assert!(!directory.key_file().exists());
    }

    #[test]
    fn a_start_that_was_killed_at_the_key_does_not_stop_the_next() {
        let data = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(data.path()).unwrap();
        let left = data.path().join(format!(".{KEY_FILE}.1.new"));
        std::fs::write(&left, "").unwrap();
        assert!(directory.is_unused());
        let key = directory.instance_key_or_new(&SystemRandom).unwrap();
        assert!(!left.exists());
        // Killed after the key had its name: the second name goes at the next start.
        std::fs::hard_link(directory.key_file(), &left).unwrap();
        assert_eq!(directory.instance_key_or_new(&SystemRandom).unwrap().bytes(), key.bytes());
        assert!(!left.exists());
    }

    #[test]
    fn the_key_may_be_raw_or_hexadecimal_but_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("key");
        std::fs::write(&file, [0xab; 32]).unwrap();
        assert_eq!(read_key(&file).unwrap().bytes(), &[0xab; 32]);
        std::fs::write(&file, format!("{}\n", "Ab".repeat(32))).unwrap();
        assert_eq!(read_key(&file).unwrap().bytes(), &[0xab; 32]);
        for wrong in ["", "ab", &"xy".repeat(32), &"ab".repeat(33)] {
            std::fs::write(&file, wrong).unwrap();
            assert!(read_key(&file).is_err(), "{wrong}");
        }
    }

    #[test]
    fn two_servers_never_share_a_directory() {
        let data = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(data.path()).unwrap();
        let held = directory.lock().unwrap();
        assert!(directory.lock().is_err());
        drop(held);
        assert!(directory.lock().is_ok());
    }
}
