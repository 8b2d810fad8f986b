//! The directory: which files stand there, how they are replaced, and how they come back.
//!
//! Names beside a file `a`: `a.previous` is the last good version, `.a.staging` is being written, `.a.between` is on its
//! way to `a`. The mark `.<certificate file>.changing` stands there while the files may be of two versions.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use pki::Fingerprint;
use pki::format::{self, Item};
use zeroize::Zeroizing;

use super::place::{Names, Place};
use crate::DeployError;

/// The most that is read of a file that stands there.
const MAX_SIZE: u64 = 1024 * 1024;
const DIRECTORY_MODE: u32 = 0o755;

/// A file to be put into its place.
pub(super) struct NewFile<'a> {
    pub(super) name: &'a str,
    pub(super) content: &'a [u8],
    pub(super) mode: u32,
}

/// What of the files that stand there is kept as the last good version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Files of another certificate: those of the same one were never proven.
    AnotherCertificate,
    /// Whatever stands there: it was proven.
    WhatStandsThere,
}

/// A directory that is there, and the names of the files in it.
pub(super) struct Folder<'a> {
    path: &'a Path,
    names: &'a Names,
}

impl<'a> Folder<'a> {
    /// Opens the directory; creates its last part.
    pub(super) fn open(place: &'a Place) -> Result<Self, DeployError> {
        let path = place.directory.as_path();
        let unusable = |source| DeployError::Directory(path.to_owned(), source);
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(unusable(None)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let made = DirBuilder::new().mode(DIRECTORY_MODE).create(path);
                made.map_err(|error| unusable(Some(error)))?;
                path.parent().map_or(Ok(()), sync_directory)?;
            }
            Err(error) => return Err(unusable(Some(error))),
        }
        let names = &place.names;
        Ok(Self { path, names })
    }

    /// Refuses what must not be replaced, before anything is.
    pub(super) fn check(&self, files: &[NewFile<'_>]) -> Result<(), DeployError> {
        for name in self.names.all() {
            for path in [self.at(name), self.previous(name)] {
                if let Some(found) = metadata(&path)?
                    && !found.is_file()
                {
                    return Err(DeployError::NotAFile(path));
                }
            }
        }
        let key = self.names.key.as_str();
        let given = files.iter().any(|file| file.name == key);
        if !given && metadata(&self.at(key))?.is_none() {
            return Err(DeployError::KeyMissing(self.at(key)));
        }
        Ok(())
    }

    /// Whether exactly these files stand there.
    pub(super) fn holds(&self, files: &[NewFile<'_>]) -> Result<bool, DeployError> {
        for file in files {
            let path = self.at(file.name);
            let Some(found) = metadata(&path)? else {
                return Ok(false);
            };
            let same_mode = found.mode() & 0o7777 == file.mode;
            if !same_mode || found.len() != file.content.len() as u64 || *read(&path)? != file.content {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts the files into their places. What stood there is kept, if it is whole and `keep` says so.
    /// Leaves the mark: [`Folder::settle`] removes it when the new files are in use.
    pub(super) fn replace(
        &self,
        files: &[NewFile<'_>],
        certificate: Fingerprint,
        keep: Keep,
    ) -> Result<(), DeployError> {
        for file in files {
            self.stage(file)?;
        }
        if !self.is_changing()? {
            if self.is_version(certificate, keep)? {
                self.keep()?;
            }
            self.mark(certificate)?;
        }
        for file in files {
            rename(&self.staging(file.name), &self.at(file.name))?;
        }
        sync_directory(self.path)
    }

    /// Whether what stands there is kept. Where nothing was kept yet, it is: a site that was there before us must come back.
    fn is_version(&self, new: Fingerprint, keep: Keep) -> Result<bool, DeployError> {
        let is_first = metadata(&self.previous(&self.names.certificate))?.is_none();
        Ok(is_first || keep == Keep::WhatStandsThere || self.certificate() != Some(new))
    }

    /// Whether the files may be of two versions.
    pub(super) fn is_changing(&self) -> Result<bool, DeployError> {
        metadata(&self.changing()).map(|found| found.is_some())
    }

    /// The files are whole and in use.
    pub(super) fn settle(&self) -> Result<(), DeployError> {
        self.clear()?;
        remove(&self.changing())?;
        sync_directory(self.path)
    }

    /// The certificate that stands there; none when there is none that can be read.
    pub(super) fn certificate(&self) -> Option<Fingerprint> {
        let content = read(&self.at(&self.names.certificate)).ok()?;
        let contents = format::read(&content, None).ok()?;
        contents
            .items
            .into_iter()
            .find_map(Item::into_certificate)
            .map(|certificate| certificate.fingerprint())
    }

    /// Puts the last good version back, exactly as it was; a file that was not there is removed. Run again, also
    /// after it was killed, it ends in the same state.
    pub(super) fn put_back(&self) -> Result<(), DeployError> {
        if !self.is_changing()? {
            self.mark(Fingerprint([0; 32]))?;
        }
        for name in self.names.all() {
            let (place, previous) = (self.at(name), self.previous(name));
            match metadata(&previous)? {
                Some(_) => self.duplicate(&previous, &place)?,
                None => remove(&place)?,
            }
        }
        sync_directory(self.path)?;
        self.settle()
    }

    /// Removes what was staged and is not wanted any more: there may be a key in it.
    pub(super) fn clear(&self) -> Result<(), DeployError> {
        for name in self.names.all() {
            remove(&self.staging(name))?;
            remove(&self.between(&self.at(name)))?;
            remove(&self.between(&self.previous(name)))?;
        }
        Ok(())
    }

    /// Keeps what stands there as the last good version.
    fn keep(&self) -> Result<(), DeployError> {
        for name in self.names.all() {
            let (place, previous) = (self.at(name), self.previous(name));
            match metadata(&place)? {
                Some(_) => self.duplicate(&place, &previous)?,
                None => remove(&previous)?,
            }
        }
        sync_directory(self.path)
    }

    /// Makes `to` the same file as `from`, with its owner, mode and times; a copy where that cannot be.
    fn duplicate(&self, from: &Path, to: &Path) -> Result<(), DeployError> {
        let between = self.between(to);
        remove(&between)?;
        if fs::hard_link(from, &between).is_err() {
            let mode = metadata(from)?.map_or(0o600, |found| found.mode() & 0o7777);
            write_new(&between, &read(from)?, mode)?;
        }
        rename(&between, to)?;
        // A rename between two names of one file leaves both.
        remove(&between)
    }

    fn stage(&self, file: &NewFile<'_>) -> Result<(), DeployError> {
        let path = self.staging(file.name);
        remove(&path)?;
        write_new(&path, file.content, file.mode)
    }

    fn mark(&self, certificate: Fingerprint) -> Result<(), DeployError> {
        write_new(&self.changing(), format!("{certificate}\n").as_bytes(), 0o600)?;
        sync_directory(self.path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn previous(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.previous"))
    }

    fn staging(&self, name: &str) -> PathBuf {
        self.path.join(format!(".{name}.staging"))
    }

    /// Of the file itself: another target may be at work in the same directory.
    fn between(&self, to: &Path) -> PathBuf {
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        self.path.join(format!(".{name}.between"))
    }

    fn changing(&self) -> PathBuf {
        self.path.join(format!(".{}.changing", self.names.certificate))
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DeployError {
    let path = path.to_owned();
    move |source| DeployError::File { doing, path, source }
}

/// Of the file itself, links not followed; none when there is none.
fn metadata(path: &Path) -> Result<Option<fs::Metadata>, DeployError> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("look at", path)(error)),
    }
}

/// The content may be a private key.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, DeployError> {
    let mut file = File::open(path).map_err(failed("open", path))?.take(MAX_SIZE);
    // Room for all of it, so that no copy is left behind by growing.
    let size = file.get_ref().metadata().map_or(0, |found| found.len().min(MAX_SIZE));
    let mut content = Zeroizing::new(Vec::with_capacity(size as usize + 1));
    file.read_to_end(&mut content).map_err(failed("read", path))?;
    Ok(content)
}

/// Writes a file that is not there yet, with exactly this mode, down to the disk.
fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<(), DeployError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(failed("create", path))?;
    // The account's mask may have taken bits away.
    let mode = file.set_permissions(Permissions::from_mode(mode));
    let written = mode.and_then(|()| file.write_all(content)).and_then(|()| file.sync_all());
    written.map_err(failed("write", path))
}

fn rename(from: &Path, to: &Path) -> Result<(), DeployError> {
    fs::rename(from, to).map_err(failed("replace", to))
}

fn remove(path: &Path) -> Result<(), DeployError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("remove", path)(error)),
    }
}

fn sync_directory(path: &Path) -> Result<(), DeployError> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(failed("write", path))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::Settings;

    const SITES: usize = 8;

    fn place(directory: &Path, site: usize) -> Place {
        let file = |kind: &str| (format!("{kind}_file"), format!("{kind}{site}.pem"));
        let mut settings: Settings =
            ["certificate", "chain", "fullchain", "key"].into_iter().map(file).collect();
        settings.insert("directory".to_owned(), directory.to_str().unwrap().to_owned());
        Place::parse(&settings, PathBuf::new()).unwrap()
    }

    #[test]
    fn two_in_one_directory_at_once_keep_their_own_files() {
        let home = tempfile::tempdir().unwrap();
        let barrier = Barrier::new(SITES);
        std::thread::scope(|scope| {
            for site in 0..SITES {
                let (home, barrier) = (home.path(), &barrier);
                scope.spawn(move || {
                    let place = place(home, site);
                    let folder = Folder::open(&place).unwrap();
                    barrier.wait();
                    for round in 0..20_u8 {
                        let content = format!("{site} {round}");
                        let file = |name| NewFile { name, content: content.as_bytes(), mode: 0o600 };
                        folder
                            .replace(
                                &place.names.all().map(file),
                                Fingerprint([round; 32]),
                                Keep::WhatStandsThere,
                            )
                            .and_then(|()| folder.settle())
                            .expect("nobody else's file is in the way");
                    }
                    for name in place.names.all() {
                        let kept = fs::read_to_string(folder.previous(name)).unwrap();
                        assert_eq!(kept, format!("{site} 18"));
                    }
                });
            }
        });
    }
}
