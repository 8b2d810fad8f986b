//! Certificate, chain, full chain and key as PEM files in a directory; with the preset `nginx`, tested and reloaded.
//!
//! Every file is replaced by a rename. All of them are on disk before the first rename; what was there before is kept
//! beside each as `<name>.previous` until the next good version comes. A mark in the directory says that it is being
//! changed: whoever finds it after a crash does not take the half-changed files for good ones.

mod folder;
mod nginx;
mod place;
mod program;
mod turn;

use std::path::{Path, PathBuf};

use domain::connector::{self, Field, FieldKind};
use pki::format::pem_write;
use pki::{Fingerprint, Refusal};
use zeroize::Zeroizing;

use crate::{About, DeployError, Installed, Material, Settings, Target};
use folder::{Folder, Keep, NewFile};
use nginx::Nginx;
use place::Place;
use turn::Turn;

const KEY_MODES: &[&str] = &["0600", "0640", "0400", "0440"];
const FILE_MODES: &[&str] = &["0644", "0640", "0600", "0444"];
const PRESETS: &[&str] = &["none", "nginx"];
/// Where nginx may be. Settings only choose from these: who may change a target must not get to run any program.
const NGINX_BINARIES: &[&str] =
    &["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx", "/opt/nginx/sbin/nginx"];

const FIELDS: &[Field] = &[
    Field::required("directory", FieldKind::Path, ("Directory", "Where the files go: an absolute path. Its last part is created when it is missing.")),
    Field::optional("certificate_file", FieldKind::Text, ("Certificate file", "The name of the file with the certificate alone.")).or("cert.pem"),
    Field::optional("chain_file", FieldKind::Text, ("Chain file", "The name of the file with the intermediates.")).or("chain.pem"),
    Field::optional("fullchain_file", FieldKind::Text, ("Full chain file", "The name of the file with the certificate and the intermediates; nginx wants this one.")).or("fullchain.pem"),
    Field::optional("key_file", FieldKind::Text, ("Key file", "The name of the file with the private key.")).or("privkey.pem"),
    Field::optional("key_mode", FieldKind::Choice(KEY_MODES), ("Mode of the key", "Who may read the private key.")).or("0600"),
    Field::optional("file_mode", FieldKind::Choice(FILE_MODES), ("Mode of the others", "Who may read the other files.")).or("0644"),
    Field::optional("preset", FieldKind::Choice(PRESETS), ("Program", "Which program uses the files: it is asked whether it takes them, and told to load them. None only writes the files.")).or("none"),
    Field::optional("nginx_binary", FieldKind::Choice(NGINX_BINARIES), ("nginx", "The nginx program, for its own test of the configuration. Left out: the first of these that is there.")),
    Field::optional("nginx_conf", FieldKind::Path, ("nginx configuration", "The configuration file, if it is not the one that was built in.")),
    Field::optional("nginx_prefix", FieldKind::Path, ("nginx prefix", "The prefix directory, if it is not the one that was built in.")),
    Field::optional("pid_file", FieldKind::Path, ("Pid file", "Where nginx writes the number of its main process.")).or("/run/nginx.pid"),
];

const ABOUT: About = About {
    kind: "files",
    label: "Files on this machine",
    help: "Writes the certificate, its chain and its key as PEM files into a directory and keeps the ones before. \
           With the preset nginx, the configuration is tested first and nginx is reloaded after; when the test \
           fails, the files before are put back.",
    fields: FIELDS,
};

/// The kind `files`.
#[derive(Debug, Default)]
pub struct Files {
    /// What is run instead of nginx.
    stand_in: Option<PathBuf>,
}

impl Target for Files {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, settings: &Settings) -> Result<Settings, Vec<Refusal>> {
        let checked = connector::check(FIELDS, settings)?;
        self.parse(&checked)?;
        Ok(checked)
    }

    fn own_place(&self, settings: &Settings) -> Option<PathBuf> {
        self.place(settings).ok().map(|place| turn::real(&place.directory))
    }

    fn shares(&self, settings: &Settings) -> Vec<String> {
        self.place(settings).map(|place| turn::names(&place)).unwrap_or_default()
    }

    fn install(&self, settings: &Settings, material: &Material<'_>) -> Result<Installed, DeployError> {
        let place = self.place(settings)?;
        if material.key.is_some_and(|key| key.id() != material.certificate.key_id()) {
            return Err(DeployError::KeyMismatch);
        }
        let folder = Folder::open(&place)?;
        let _turn = Turn::take(&place);
        let new = NewFiles::of(material);
        let files = new.list(&place);
        folder.check(&files)?;
        let changed = !folder.holds(&files)?;
        let replaced = match changed {
            true => {
                let keep = if material.proven { Keep::WhatStandsThere } else { Keep::AnotherCertificate };
                folder.replace(&files, material.certificate.fingerprint(), keep)
            }
            false => Ok(()),
        };
        let used = replaced.and_then(|()| use_them(place.nginx.as_ref()));
        match used {
            Ok(()) => folder.settle()?,
            Err(error) => return Err(back_again(&folder, error)),
        }
        Ok(Installed { changed })
    }

    fn put_back(&self, settings: &Settings, certificate: Fingerprint) -> Result<(), DeployError> {
        let place = self.place(settings)?;
        let folder = Folder::open(&place)?;
        let _turn = Turn::take(&place);
        if !folder.is_changing()? && folder.certificate() != Some(certificate) {
            return Ok(());
        }
        folder.put_back()?;
        use_them(place.nginx.as_ref())
    }
}

impl Files {
    /// With the nginx of this machine.
    pub const fn new() -> Self {
        Self { stand_in: None }
    }

    /// With another program in nginx's place, whatever the settings say. For tests: [`crate::registry`] has none, and
    /// no setting leads here.
    pub const fn with_stand_in(program: PathBuf) -> Self {
        Self { stand_in: Some(program) }
    }

    fn place(&self, settings: &Settings) -> Result<Place, DeployError> {
        let checked = connector::check(FIELDS, settings).map_err(DeployError::Settings)?;
        self.parse(&checked).map_err(DeployError::Settings)
    }

    fn parse(&self, checked: &Settings) -> Result<Place, Vec<Refusal>> {
        Place::parse(checked, self.nginx_binary(checked))
    }

    /// The program for these settings, of which the choice was checked.
    fn nginx_binary(&self, checked: &Settings) -> PathBuf {
        if let Some(program) = &self.stand_in {
            return program.clone();
        }
        let chosen = checked.get("nginx_binary").map(String::as_str);
        PathBuf::from(chosen.unwrap_or_else(|| first_that_exists(NGINX_BINARIES)))
    }
}

/// The first when none exists: running it says what is wrong.
fn first_that_exists(programs: &[&'static str]) -> &'static str {
    let found = programs.iter().find(|program| Path::new(program).exists());
    found.or(programs.first()).copied().unwrap_or_default()
}

/// Asks the program whether it takes the files, and tells it to.
fn use_them(nginx: Option<&Nginx>) -> Result<(), DeployError> {
    let Some(nginx) = nginx else { return Ok(()) };
    nginx.test()?;
    nginx.reload()
}

/// Puts the files before in their places, if they were changed. The program still runs with them.
fn back_again(folder: &Folder<'_>, first: DeployError) -> DeployError {
    let back = match folder.is_changing() {
        Ok(true) => folder.put_back(),
        Ok(false) => folder.clear(),
        Err(error) => Err(error),
    };
    match back {
        Ok(()) => first,
        Err(then) => DeployError::HalfDone { first: Box::new(first), then: Box::new(then) },
    }
}

/// What is to stand in the files.
struct NewFiles {
    certificate: String,
    chain: String,
    fullchain: String,
    key: Option<Zeroizing<String>>,
}

impl NewFiles {
    fn of(material: &Material<'_>) -> Self {
        let certificate = pem_write::certificate(material.certificate.der());
        let chain = pem_write::chain(material.chain.iter().map(pki::Certificate::der));
        Self {
            fullchain: format!("{certificate}{chain}"),
            certificate,
            chain,
            key: material.key.map(pem_write::private_key),
        }
    }

    /// The key first: whoever loads in between finds a pair that does not match and keeps what it has.
    fn list<'a>(&'a self, place: &'a Place) -> Vec<NewFile<'a>> {
        let file = |name, content: &'a str, mode| NewFile { name, content: content.as_bytes(), mode };
        let key = self.key.as_ref();
        let key = key.map(|key| file(&place.names.key, key.as_str(), place.key_mode));
        let others = [
            file(&place.names.chain, &self.chain, place.file_mode),
            file(&place.names.fullchain, &self.fullchain, place.file_mode),
            file(&place.names.certificate, &self.certificate, place.file_mode),
        ];
        key.into_iter().chain(others).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_has_one_name_however_it_is_written() {
        let home = tempfile::tempdir().unwrap();
        let link = home.path().join("link");
        std::os::unix::fs::symlink(home.path(), &link).unwrap();
        let shares = |home: &Path, directory: &str| {
            let path = |name: &str| home.join(name).to_str().unwrap().to_owned();
            let names = [("directory", directory), ("pid_file", "nginx.pid"), ("nginx_conf", "nginx.conf")];
            let mut settings: Settings =
                names.into_iter().map(|(setting, name)| (setting.to_owned(), path(name))).collect();
            settings.insert("preset".to_owned(), "nginx".to_owned());
            Files::new().shares(&settings)
        };
        let one = shares(home.path(), "one");
        assert_eq!(one.len(), 3);
        assert_eq!(shares(&link, "./one/"), one);
        let two = shares(home.path(), "two");
        assert_ne!(two[0], one[0]);
        assert_eq!(two[1..], one[1..]);
    }

    #[test]
    fn nginx_is_the_first_that_is_there_unless_one_is_chosen() {
        assert_eq!(first_that_exists(&["/no/such/nginx", "/", "/proc"]), "/");
        assert_eq!(first_that_exists(&["/no/such/nginx", "/nor/this"]), "/no/such/nginx");
        let chosen = Settings::from([("nginx_binary".to_owned(), NGINX_BINARIES[3].to_owned())]);
        assert_eq!(Files::new().nginx_binary(&chosen), Path::new(NGINX_BINARIES[3]));
    }
}
