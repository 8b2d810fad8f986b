//! Whose turn it is where several targets meet: in a directory, and at one nginx, which reads the pairs of all its sites
//! whenever it is asked about one.
//!
//! Within this process whoever calls takes turns by [`names`]. Another process is kept out by advisory locks.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::place::Place;

/// Longer than any deployment takes. A lock that is held longer is nobody's who deploys, and anybody on this machine may
/// take one: then we go on without it.
const PATIENCE: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(5);

/// What others may share with this target, by names that are the same for all of them.
pub(super) fn names(place: &Place) -> Vec<String> {
    let mut names = vec![format!("directory {}", real(&place.directory).display())];
    if let Some(nginx) = &place.nginx {
        names.push(format!("pid file {}", real(&nginx.pid_file).display()));
        names.push(match &nginx.conf {
            Some(conf) => format!("configuration {}", real(conf).display()),
            None => format!("configuration of {}", real(&nginx.binary).display()),
        });
    }
    names
}

/// Locks that are held until this is dropped.
pub(super) struct Turn {
    _held: Vec<File>,
}

impl Turn {
    /// Waits for the locks, always in the same order.
    pub(super) fn take(place: &Place) -> Self {
        let pid_directory = place.nginx.as_ref().and_then(|nginx| nginx.pid_file.parent());
        let mut paths: Vec<PathBuf> =
            std::iter::once(place.directory.as_path()).chain(pid_directory).map(real).collect();
        paths.sort();
        paths.dedup();
        let end = Instant::now() + PATIENCE;
        Self { _held: paths.iter().filter_map(|path| lock(path, end)).collect() }
    }
}

/// None where there is nothing that can be locked, or not in time.
fn lock(path: &Path, end: Instant) -> Option<File> {
    let file = File::open(path).ok().filter(|file| file.metadata().is_ok_and(|found| found.is_dir()))?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Some(file),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) if Instant::now() < end => {
                thread::sleep(LOOK);
            }
            Err(_) => return None,
        }
    }
}

/// The path without links, also of what is not there yet in a directory that is.
pub(super) fn real(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let plain: PathBuf = path.components().collect();
    match (plain.parent().and_then(|parent| parent.canonicalize().ok()), plain.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        (_, _) => plain,
    }
}
