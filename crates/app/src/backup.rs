//! Backups: the database as of one moment, with the instance key sealed to the recovery passphrase. File and
//! passphrase are enough to sign again on an empty machine.
//!
//! The file: `CLAVIGER BACKUP 1`, the recovery block, its length first; the database; an HMAC over all of it, keyed
//! from the instance key, so that a file that was edited is not restored.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::audit::{Action, Event};
use domain::clock::random_bytes;
use domain::permission::uses;
use domain::{Actor, Authorized};
use pki::Refusal;
use pki::identity::hex;
use pki::seal::{SealKey, associated, open, seal};
use token::{InstanceKey, label};
use zeroize::Zeroizing;

use crate::{App, Error, access, act};

/// The sealed instance key in the data directory.
pub const RECOVERY_FILE: &str = "recovery.sealed";
const MAGIC: &[u8] = b"CLAVIGER BACKUP 1\n";
const MAC: usize = 32;
const CHUNK: usize = 1 << 16;

/// Seals the instance key to the recovery passphrase, which is made here when none is given, and answers it.
pub(crate) async fn arm_recovery(
    app: &App,
    given: Option<Zeroizing<String>>,
) -> Result<Zeroizing<String>, Error> {
    let passphrase = given.unwrap_or_else(|| make_passphrase(app));
    let (salt, nonce) = (random_bytes::<16>(app.random()), random_bytes::<12>(app.random()));
    let (secret, instance) = (passphrase.clone(), Arc::clone(app.instance()));
    let sealed = app
        .deriving(move || {
            let key = derive(&secret, &salt)?;
            Ok::<_, Error>(seal(&key, nonce, &bound(), instance.bytes()))
        })
        .await??;
    let text = format!("claviger recovery 1\n{}\n{}\n", hex(&salt), hex(&sealed));
    let path = app.config().data.join(RECOVERY_FILE);
    app.blocking(move || write_private(&path, text.as_bytes()))
        .await?
        .map_err(|error| failed("recovery file", &error))?;
    Ok(passphrase)
}

/// Makes a new recovery passphrase in place of one that was lost, and answers it once. Backups that were taken before
/// keep the passphrase of their time.
pub async fn renew_recovery(
    app: &App,
    by: &Authorized<uses::ManageSettings>,
) -> Result<Zeroizing<String>, Error> {
    act::audited(app, by.actor(), Action::RecoveryRenew, "", async {
        let passphrase = arm_recovery(app, None).await?;
        let event = Event::done(app.now(), by.actor(), Action::RecoveryRenew, "");
        app.commit("recovery.renew", move |tx| act::record(tx, &event)).await?;
        Ok(passphrase)
    })
    .await
}

/// 125 random bits in five groups of five letters and digits that are not mistaken for each other.
fn make_passphrase(app: &App) -> Zeroizing<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes = Zeroizing::new(random_bytes::<25>(app.random()));
    let groups: Vec<String> = bytes
        .chunks(5)
        .map(|group| group.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
        .collect();
    Zeroizing::new(groups.join("-"))
}

fn derive(passphrase: &str, salt: &[u8]) -> Result<SealKey, Error> {
    let mut key = Zeroizing::new([0; 32]);
    access::argon()
        .hash_password_into(passphrase.trim().as_bytes(), salt, &mut *key)
        .map_err(|error| Error::internal("the recovery key could not be derived", &error))?;
    Ok(SealKey::new(*key))
}

fn bound() -> Vec<u8> {
    associated("recovery", "instance", "key", 1, "")
}

/// Takes a backup into a new file of mode 0600, while the server goes on.
pub async fn take(app: &App, by: &Authorized<uses::ManageSettings>, to: PathBuf) -> Result<(), Error> {
    act::audited(app, by.actor(), Action::BackupCreate, "", async {
        let recovery = std::fs::read(app.config().data.join(RECOVERY_FILE)).map_err(|_| {
            let what = "the sealed instance key (recovery.sealed) is not in the data directory";
            Error::conflict("backup.recovery", what, "Put it back from another backup.")
        })?;
        if to.exists() {
            let what = format!("{} is there already", to.display());
            return Err(Error::conflict("backup.exists", what, "Name a new file."));
        }
        // Only what is committed before the copy begins is surely in it.
        let held = app.read("backup.keys", |tx| Ok(store::key::not_backed_up(tx)?)).await?;
        let mark = pki::identity::hex(&random_bytes::<6>(app.random()));
        let staged = to.with_extension(format!("{mark}.new"));
        if let Err(error) = app.store().backup_to(&staged).await {
            // What was copied so far is of no use; that it cannot be removed changes nothing.
            let _ = std::fs::remove_file(&staged);
            return Err(not_taken(&error));
        }
        let (mac_key, path) = (app.instance().derive(label::BACKUP), staged.clone());
        let written = app.blocking(move || write_backup(&path, &to, &recovery, &mac_key)).await?;
        // The copy of the database goes in any case; a failure to remove it is no failure of the backup.
        let _ = std::fs::remove_file(&staged);
        written.map_err(|error| failed("backup", &error))?;
        let event = Event::done(app.now(), by.actor(), Action::BackupCreate, "");
        app.commit("backup.record", move |tx| {
            store::key::mark_backed_up(tx, &held)?;
            act::record(tx, &event)
        })
        .await
    })
    .await
}

fn not_taken(error: &store::Error) -> Error {
    let (what, repair) = if matches!(error, store::Error::NotSqlite) {
        ("this database is on PostgreSQL", "Use pg_dump, and keep instance.key beside it.")
    } else {
        ("the database could not be copied", "Check the directory, its rights and the free space.")
    };
    Error::conflict("backup.database", format!("{what}: {error}"), repair)
}

fn failed(what: &str, error: &std::io::Error) -> Error {
    let text = format!("the {what} could not be written: {error}");
    Error::conflict("backup.file", text, "Check the directory, its rights and the free space.")
}

fn write_backup(database: &Path, to: &Path, recovery: &[u8], mac_key: &[u8; 32]) -> std::io::Result<()> {
    let mut mac = pki::seal::Hmac::new(mac_key);
    let mut out = new_private(to)?;
    let length = u32::try_from(recovery.len()).map_err(std::io::Error::other)?.to_be_bytes();
    for part in [MAGIC, &length, recovery] {
        mac.update(part);
        out.write_all(part)?;
    }
    let mut from = File::open(database)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        mac.update(&chunk[..read]);
        out.write_all(&chunk[..read])?;
    }
    out.write_all(&mac.finish())?;
    out.sync_all()?;
    match to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

/// A backup that was opened with its passphrase and proved whole.
pub struct Opened {
    /// The instance key.
    pub instance: InstanceKey,
    /// The recovery block, for the new data directory.
    pub recovery: Vec<u8>,
    file: File,
    start: u64,
    end: u64,
}

/// Opens a backup. Nothing is written.
pub fn open_backup(from: &Path, passphrase: &str) -> Result<Opened, Error> {
    let mut file = File::open(from).map_err(|error| {
        let what = format!("{} cannot be read: {error}", from.display());
        Error::conflict("backup.file", what, "Name the backup file.")
    })?;
    let (recovery, start, end) = read_head(&mut file).map_err(|_| damaged())?.ok_or_else(damaged)?;
    let instance = unseal(&recovery, passphrase)?;
    if !is_whole(&mut file, end, &instance).map_err(|_| damaged())? {
        return Err(damaged());
    }
    Ok(Opened { instance, recovery, file, start, end })
}

fn damaged() -> Error {
    let what = "this is no backup of Claviger, or it is damaged";
    Refusal::new("backup.damaged", what, "Use another copy of it.").into()
}

type Head = Option<(Vec<u8>, u64, u64)>;

fn read_head(file: &mut File) -> std::io::Result<Head> {
    let mut magic = vec![0; MAGIC.len()];
    file.read_exact(&mut magic)?;
    let mut length = [0; 4];
    file.read_exact(&mut length)?;
    let length = u64::from(u32::from_be_bytes(length));
    if magic != MAGIC || length > 4_096 {
        return Ok(None);
    }
    let mut recovery = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
    file.read_exact(&mut recovery)?;
    let (start, size) = (file.stream_position()?, file.metadata()?.len());
    let end = size.saturating_sub(MAC as u64);
    Ok((end > start).then_some((recovery, start, end)))
}

fn unseal(recovery: &[u8], passphrase: &str) -> Result<InstanceKey, Error> {
    let text = std::str::from_utf8(recovery).map_err(|_| damaged())?;
    let mut lines = text.lines().skip(1);
    let part = |line: Option<&str>| line.and_then(unhex).ok_or_else(damaged);
    let (salt, sealed) = (part(lines.next())?, part(lines.next())?);
    let key = derive(passphrase, &salt)?;
    let bytes = open(&key, &bound(), &sealed).map_err(|_| {
        Refusal::new(
            "pass.wrong",
            "the recovery passphrase does not open this backup",
            "Check the passphrase.",
        )
    })?;
    let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| damaged())?;
    Ok(InstanceKey::from_bytes(bytes))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn is_whole(file: &mut File, end: u64, instance: &InstanceKey) -> std::io::Result<bool> {
    file.seek(SeekFrom::Start(0))?;
    let mut mac = pki::seal::Hmac::new(instance.derive(label::BACKUP).as_slice());
    copy_part(file, end, |chunk| {
        mac.update(chunk);
        Ok(())
    })?;
    let mut kept = [0; MAC];
    file.read_exact(&mut kept)?;
    Ok(pki::seal::constant_time_eq(&mac.finish(), &kept))
}

fn copy_part(
    file: &mut File,
    mut left: u64,
    mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        file.read_exact(&mut chunk[..most])?;
        take(&chunk[..most])?;
        left -= most as u64;
    }
    Ok(())
}

impl Opened {
    /// Writes database and recovery block into a data directory; the caller writes the instance key.
    pub fn write_to(&mut self, database: &Path, recovery: &Path) -> Result<(), Error> {
        self.write(database, recovery).map_err(|error| failed("restored data", &error))
    }

    fn write(&mut self, database: &Path, recovery: &Path) -> std::io::Result<()> {
        let mut out = new_private(database)?;
        self.file.seek(SeekFrom::Start(self.start))?;
        copy_part(&mut self.file, self.end - self.start, |chunk| out.write_all(chunk))?;
        out.sync_all()?;
        write_private(recovery, &self.recovery)
    }
}

/// Records that this database came from a backup.
pub async fn record_restore(app: &App) -> Result<(), Error> {
    let event = Event::done(app.now(), &Actor::Installer, Action::BackupRestore, "");
    app.commit("backup.restored", move |tx| act::record(tx, &event)).await
}

fn new_private(path: &Path) -> std::io::Result<File> {
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let staged = path.with_extension("new");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&staged)?;
    keep_owner(&file, path);
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&staged, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

/// A command that root runs must not take a file away from the server's own user, whose directory it is.
fn keep_owner(file: &File, path: &Path) {
    let owner = path.parent().and_then(|directory| directory.metadata().ok());
    if let (Some(owner), Ok(own)) = (owner, file.metadata())
        && owner.uid() != own.uid()
    {
        // Only root may give files away; anybody else keeps what he can write.
        let _ = std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()));
    }
}
