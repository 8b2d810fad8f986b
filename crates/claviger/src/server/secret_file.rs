//! Files that only their owner may read.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use zeroize::Zeroizing;

/// The mode of every secret file: its owner reads and writes it, nobody else anything.
pub const MODE: u32 = 0o600;

/// What Windows' editors put in front of a text; it does not belong to a secret.
pub const MARK: char = '\u{feff}';

/// How the name ends under which a file is written first.
const STAGED: &str = ".new";

/// Makes a secret file that is not there yet, durably: whenever the process is killed, it is there whole or not at all.
pub fn create(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let staged = staged(path, &std::process::id().to_string());
    let made = stage(&staged, bytes).and_then(|()| {
        // Unlike a rename, a link never takes the place of a file that is there.
        let linked = std::fs::hard_link(&staged, path);
        std::fs::remove_file(&staged)?;
        linked
    });
    made.with_context(|| format!("cannot write {}", path.display()))?;
    sweep(path);
    sync_directory(path)
}

/// Writes a secret file, over one that is there.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(MODE);
    fill(&options, path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    sync_directory(path)
}

/// Removes what a [`create`] that was killed left beside a file. Whoever is at creating it just now fails in any case,
/// so call it only when the file is there.
pub fn sweep(path: &Path) {
    let start = format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy());
    for entry in std::fs::read_dir(directory_of(path)).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let is_left =
            found.to_str().is_some_and(|found| found.starts_with(&start) && found.ends_with(STAGED));
        if is_left && let Err(error) = std::fs::remove_file(entry.path()) {
            tracing::warn!(%error, file = %entry.path().display(), "a leftover could not be removed");
        }
    }
}

/// Where a file is written before it gets its name. Each process has its own place: what one is still writing must
/// not be what another gives the name to.
fn staged(path: &Path, process: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    directory_of(path).join(format!(".{name}.{process}{STAGED}"))
}

fn stage(staged: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // A process with the same number may have been killed here. Written over it would be wrong: it may be linked.
    match std::fs::remove_file(staged) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(MODE);
    fill(&options, staged, bytes)
}

fn fill(options: &OpenOptions, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = options.open(path)?;
    // A file that was there keeps its mode when it is opened: close it to others before anything is in it.
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_directory(path: &Path) -> anyhow::Result<()> {
    let directory = directory_of(path);
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.with_context(|| format!("cannot write to {}", directory.display()))
}

/// Refuses a file or directory that others than its owner may use, and says how to close it.
pub fn check_mode(path: &Path) -> anyhow::Result<()> {
    let metadata = path.metadata().with_context(|| format!("cannot look at {}", path.display()))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let wanted = if metadata.is_dir() { 0o700 } else { MODE };
    let shown = path.display();
    bail!("{shown} is open to others (its mode is {mode:04o}); close it: chmod {wanted:04o} {shown}")
}

/// Reads a password, PIN or passphrase that stands alone in a file; the line's end does not belong to it.
pub fn read_line(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let read = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = Zeroizing::new(read);
    let line = text.strip_prefix(MARK).unwrap_or(&text);
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        bail!("{} is empty", path.display());
    }
    Ok(Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_written_is_closed_to_others_also_over_an_open_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        std::fs::write(&path, "old and longer").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!((mode(&path), std::fs::read(&path).unwrap()), (0o600, b"new".to_vec()));
        assert!(create(&path, b"other").is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn what_a_killed_process_left_is_never_taken_for_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        // Half written by a process with our number and by another; one that was killed after it gave the name.
        let own = staged(&path, &std::process::id().to_string());
        std::fs::write(&own, "ha").unwrap();
        std::fs::write(staged(&path, "0"), "").unwrap();
        create(&path, b"whole").unwrap();
        assert_eq!((mode(&path), std::fs::read(&path).unwrap()), (0o600, b"whole".to_vec()));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        std::fs::hard_link(&path, &own).unwrap();
        assert!(create(&path, b"other").is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_open_file_is_refused_with_the_command_that_closes_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        create(&path, b"x").unwrap();
        check_mode(&path).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let text = check_mode(&path).unwrap_err().to_string();
        assert!(text.contains("0640") && text.contains(&format!("chmod 0600 {}", path.display())), "{text}");
    }

    #[test]
    fn the_end_of_the_line_does_not_belong_to_a_password() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        for (written, read) in [("a b \n", "a b "), ("a\r\n", "a"), ("a", "a"), ("\u{feff}a\n", "a")] {
            std::fs::write(&path, written).unwrap();
            assert_eq!(read_line(&path).unwrap().as_str(), read);
        }
        std::fs::write(&path, "\n").unwrap();
        assert!(read_line(&path).is_err());
    }
}
