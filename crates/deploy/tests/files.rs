//! The target `files`, from outside, with and without a program that uses the files.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use claviger_deploy::files::Files;
use claviger_deploy::{DeployError, Material, Settings, Target, connector};
use pki::{Certificate, PrivateKey};
use tempfile::TempDir;
use testkit::{Authority, TestSigner};

const FILES: [&str; 4] = ["privkey.pem", "chain.pem", "fullchain.pem", "cert.pem"];

fn files() -> &'static dyn Target {
    connector("files").unwrap()
}

fn settings(directory: &Path, more: &[(&str, &str)]) -> Settings {
    let directory = ("directory", directory.to_str().unwrap());
    let all = std::iter::once(&directory).chain(more);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

struct Pair {
    certificate: Certificate,
    chain: Vec<Certificate>,
    key: PrivateKey,
}

impl Pair {
    fn new() -> Self {
        let (authority, key) = (Authority::new(), TestSigner::ec());
        Self {
            certificate: authority.issue(&["a.example"], &key),
            chain: vec![authority.intermediate],
            key: key.private_key(),
        }
    }

    fn material(&self) -> Material<'_> {
        Material { certificate: &self.certificate, chain: &self.chain, key: Some(&self.key), proven: false }
    }

    fn install(&self, settings: &Settings) -> Result<bool, DeployError> {
        files().install(settings, &self.material()).map(|installed| installed.changed)
    }

    fn put_back(&self, settings: &Settings) -> Result<(), DeployError> {
        files().put_back(settings, self.certificate.fingerprint())
    }
}

/// Every file with its content and mode.
fn tree(directory: &Path) -> BTreeMap<String, (Vec<u8>, u32)> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let file = |entry: fs::DirEntry| {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
        let name = entry.file_name().into_string().unwrap();
        (name, (fs::read(entry.path()).unwrap(), mode))
    };
    entries.map(file).collect()
}

/// The four files themselves.
fn current(directory: &Path) -> Vec<(Vec<u8>, u32)> {
    let tree = tree(directory);
    FILES.iter().filter_map(|name| tree.get(*name).cloned()).collect()
}

fn previous(directory: &Path) -> Vec<(Vec<u8>, u32)> {
    let tree = tree(directory);
    let name = |name: &&str| tree.get(&format!("{name}.previous")).cloned();
    FILES.iter().filter_map(name).collect()
}

fn no_marks(directory: &Path) {
    let hidden: Vec<String> = tree(directory).into_keys().filter(|name| name.starts_with('.')).collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

#[test]
fn installs_keeps_and_puts_back() {
    let home = TempDir::new().unwrap();
    let directory = home.path().join("tls");
    let settings = settings(&directory, &[("key_mode", "0640")]);
    let (first, second) = (Pair::new(), Pair::new());

    assert!(first.install(&settings).unwrap());
    let one = current(&directory);
    assert_eq!(one.iter().map(|(_, mode)| *mode).collect::<Vec<_>>(), [0o640, 0o644, 0o644, 0o644]);
    let leaf = pki::format::pem_write::certificate(first.certificate.der());
    let above = pki::format::pem_write::certificate(first.chain[0].der());
    assert_eq!(one[1].0, above.as_bytes());
    assert_eq!(one[2].0, format!("{leaf}{above}").as_bytes());
    assert_eq!(one[3].0, leaf.as_bytes());
    assert_eq!(one[0].0, pki::format::pem_write::private_key(&first.key).as_bytes());
    assert!(previous(&directory).is_empty());

    assert!(!first.install(&settings).unwrap());
    assert!(second.install(&settings).unwrap());
    let two = current(&directory);
    assert_eq!(previous(&directory), one);
    assert!(!second.install(&settings).unwrap());
    assert_eq!(previous(&directory), one);

    first.put_back(&settings).unwrap();
    assert_eq!(current(&directory), two);
    for _ in 0..2 {
        second.put_back(&settings).unwrap();
        assert_eq!(current(&directory), one);
        assert_eq!(previous(&directory), one);
    }
    assert!(second.install(&settings).unwrap());
    assert_eq!((current(&directory), previous(&directory)), (two, one));
    no_marks(&directory);
}

#[test]
fn the_first_one_put_back_leaves_nothing() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("other.pem"), "theirs").unwrap();
    let settings = settings(home.path(), &[]);
    let pair = Pair::new();
    pair.install(&settings).unwrap();
    pair.put_back(&settings).unwrap();
    assert_eq!(tree(home.path()).into_keys().collect::<Vec<_>>(), ["other.pem"]);
}

#[test]
fn a_longer_chain_for_the_same_leaf_does_not_push_out_the_good_version() {
    let home = TempDir::new().unwrap();
    let settings = settings(home.path(), &[]);
    let (first, mut second) = (Pair::new(), Pair::new());
    let chain = std::mem::take(&mut second.chain);
    first.install(&settings).unwrap();
    let one = current(home.path());
    second.install(&settings).unwrap();
    second.chain = chain;
    assert!(second.install(&settings).unwrap());
    assert_eq!(previous(home.path()), one);
    second.put_back(&settings).unwrap();
    assert_eq!(current(home.path()), one);
}

#[test]
fn a_site_with_the_same_certificate_that_was_there_before_us_comes_back() {
    let home = TempDir::new().unwrap();
    let settings = settings(home.path(), &[]);
    let pair = Pair::new();
    pair.install(&settings).unwrap();
    // As its owner wrote it: the same certificate, in other words.
    for name in FILES {
        let place = home.path().join(name);
        let text = format!("# mine\n{}", fs::read_to_string(&place).unwrap());
        fs::write(place, text).unwrap();
    }
    let theirs = current(home.path());
    assert!(pair.install(&settings).unwrap());
    pair.put_back(&settings).unwrap();
    assert_eq!(current(home.path()), theirs);
}

#[test]
fn a_longer_chain_for_a_leaf_that_was_in_use_keeps_the_version_before() {
    let home = TempDir::new().unwrap();
    let settings = settings(home.path(), &[]);
    let (first, mut second) = (Pair::new(), Pair::new());
    let chain = std::mem::take(&mut second.chain);
    first.install(&settings).unwrap();
    second.install(&settings).unwrap();
    let short = current(home.path());
    second.chain = chain;
    let proven = Material { proven: true, ..second.material() };
    assert!(files().install(&settings, &proven).unwrap().changed);
    let long = current(home.path());
    assert_eq!(previous(home.path()), short, "what was served, not the certificate before it");
    assert!(!files().install(&settings, &proven).unwrap().changed);
    assert_eq!((current(home.path()), previous(home.path())), (long, short.clone()));
    for _ in 0..2 {
        second.put_back(&settings).unwrap();
        assert_eq!(current(home.path()), short);
    }
    no_marks(home.path());
}

/// What a kill leaves after `renamed` of the four files were replaced.
fn killed(directory: &Path, first: &Pair, second: &Pair, renamed: usize) -> Settings {
    let settings = settings(directory, &[]);
    first.install(&settings).unwrap();
    let elsewhere = TempDir::new().unwrap();
    second.install(&self::settings(elsewhere.path(), &[])).unwrap();
    for name in FILES {
        fs::copy(directory.join(name), directory.join(format!("{name}.previous"))).unwrap();
        fs::write(directory.join(format!(".{name}.staging")), "half of it").unwrap();
    }
    fs::write(directory.join(".cert.pem.changing"), "x").unwrap();
    for name in &FILES[..renamed] {
        fs::copy(elsewhere.path().join(name), directory.join(name)).unwrap();
    }
    settings
}

#[test]
fn goes_on_after_a_kill_and_never_keeps_half_a_version() {
    for renamed in 0..=4 {
        let (first, second, third) = (Pair::new(), Pair::new(), Pair::new());
        for next in [&second, &third] {
            let home = TempDir::new().unwrap();
            let settings = killed(home.path(), &first, &second, renamed);
            let one = previous(home.path());
            next.install(&settings).unwrap();
            assert_eq!(
                current(home.path())[3].0,
                pki::format::pem_write::certificate(next.certificate.der()).as_bytes()
            );
            assert_eq!(previous(home.path()), one, "{renamed}");
            no_marks(home.path());
            next.put_back(&settings).unwrap();
            assert_eq!(current(home.path()), one, "{renamed}");
        }
        let home = TempDir::new().unwrap();
        let settings = killed(home.path(), &first, &second, renamed);
        let one = previous(home.path());
        second.put_back(&settings).unwrap();
        assert_eq!(current(home.path()), one, "{renamed}");
        no_marks(home.path());
    }
}

#[test]
fn refuses_names_and_directories_that_lead_elsewhere() {
    let home = TempDir::new().unwrap();
    let name = |value: &str| files().check(&settings(home.path(), &[("key_file", value)]));
    for bad in [
        "a/b",
        "../key.pem",
        "..",
        ".",
        ".hidden",
        "-oProxyCommand",
        "a\nb",
        "a\0b",
        "a b",
        "cert.pem",
        "x.previous",
    ] {
        let refusals = name(bad).unwrap_err();
        assert_eq!((refusals.len(), refusals[0].code), (1, "setting.value"), "{bad:?}");
    }
    assert_eq!(name("key.pem").unwrap()["fullchain_file"], "fullchain.pem");
    for bad in ["relative", "/", "/etc/../root", "/a\nb", ""] {
        let refusals = files().check(&settings(Path::new(bad), &[])).unwrap_err();
        assert_eq!(refusals[0].place, "directory", "{bad:?}");
    }
    let bad = settings(home.path(), &[("key_mode", "0666"), ("preset", "sh -c"), ("colour", "red")]);
    assert_eq!(files().check(&bad).unwrap_err().len(), 3);
    let refused = Pair::new().install(&bad);
    assert!(matches!(refused, Err(DeployError::Settings(refusals)) if refusals.len() == 3));
    assert!(tree(home.path()).is_empty());
}

#[test]
fn follows_no_link_and_makes_no_tree() {
    let (home, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let pair = Pair::new();
    let theirs = outside.path().join("theirs");
    fs::write(&theirs, "theirs").unwrap();
    symlink(&theirs, home.path().join("privkey.pem")).unwrap();
    let refused = pair.install(&settings(home.path(), &[])).unwrap_err();
    assert!(matches!(&refused, DeployError::NotAFile(path) if path.ends_with("privkey.pem")), "{refused}");
    assert_eq!(fs::read(&theirs).unwrap(), b"theirs");
    assert_eq!(tree(home.path()).len(), 1);

    let link = outside.path().join("link");
    symlink(home.path(), &link).unwrap();
    for bad in [link, theirs, home.path().join("no/where")] {
        let refused = pair.install(&settings(&bad, &[])).unwrap_err();
        assert!(matches!(&refused, DeployError::Directory(path, _) if *path == bad), "{refused}");
        assert!(!refused.repair().is_empty());
    }
}

#[test]
fn the_key_is_the_certificates_own() {
    let home = TempDir::new().unwrap();
    let settings = settings(home.path(), &[]);
    let (pair, other) = (Pair::new(), Pair::new());
    let wrong = Material { key: Some(&other.key), ..pair.material() };
    assert!(matches!(files().install(&settings, &wrong), Err(DeployError::KeyMismatch)));
    let without = Material { key: None, ..pair.material() };
    assert!(matches!(files().install(&settings, &without), Err(DeployError::KeyMissing(_))));
    assert!(tree(home.path()).is_empty());
    fs::write(home.path().join("privkey.pem"), "made here").unwrap();
    files().install(&settings, &without).unwrap();
    assert_eq!(current(home.path())[0].0, b"made here");
    pair.put_back(&settings).unwrap();
    assert_eq!(current(home.path()).len(), 1);
}

/// A stand-in for nginx: refuses while a file `refuse` stands beside it, says so when it is told to reload.
struct FakeNginx {
    home: TempDir,
    process: Child,
    says: BufReader<ChildStdout>,
}

const SCRIPT: &str = r#"#!/bin/sh
home=${0%/*}
if [ "$1" = -t ]; then
    printf '%s\n' "$@" > "$home/asked"
    for site in "$home"/sites/*; do
        [ -e "$site/cert.pem" ] || continue
        for pair in 0 1 none; do
            known="$home/known/${site##*/}/$pair"
            cmp -s "$known/cert.pem" "$site/cert.pem" && cmp -s "$known/privkey.pem" "$site/privkey.pem" && break
        done
        [ $pair != none ] || { echo "$site: key values mismatch" >&2; exit 1; }
    done
    [ -e "$home/refuse" ] || exit 0
    echo 'nginx: [emerg] unknown directive "serverr"' >&2
    exit 1
fi
trap 'echo reloaded' HUP
echo $$ > "$home/nginx.pid"
echo ready
while :; do sleep 1 & wait $!; done
"#;

impl FakeNginx {
    fn start() -> Self {
        let home = TempDir::new().unwrap();
        let program = home.path().join("nginx");
        fs::write(&program, SCRIPT).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut process = Command::new(&program).stdout(Stdio::piped()).spawn().unwrap();
        let says = BufReader::new(process.stdout.take().unwrap());
        let mut fake = Self { home, process, says };
        assert_eq!(fake.says(), "ready");
        fake
    }

    fn says(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn settings(&self, directory: &Path) -> Settings {
        let pid = self.at("nginx.pid");
        let pid = pid.to_str().unwrap();
        let conf = ("nginx_conf", "/a conf;rm -rf $HOME");
        settings(directory, &[("preset", "nginx"), conf, ("pid_file", pid)])
    }

    fn target(&self) -> Files {
        Files::with_stand_in(self.at("nginx"))
    }

    fn install(&self, pair: &Pair, settings: &Settings) -> Result<bool, DeployError> {
        self.target().install(settings, &pair.material()).map(|installed| installed.changed)
    }
}

impl Drop for FakeNginx {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn nginx_is_asked_before_and_told_after() {
    let (home, mut nginx) = (TempDir::new().unwrap(), FakeNginx::start());
    let settings = nginx.settings(home.path());
    let (first, second) = (Pair::new(), Pair::new());
    nginx.install(&first, &settings).unwrap();
    assert_eq!(nginx.says(), "reloaded");
    assert_eq!(fs::read_to_string(nginx.at("asked")).unwrap(), "-t\n-c\n/a conf;rm -rf $HOME\n");
    let one = current(home.path());

    fs::write(nginx.at("refuse"), "").unwrap();
    let refused = nginx.install(&second, &settings).unwrap_err();
    assert!(
        matches!(&refused, DeployError::Refused { said } if said.contains("unknown directive")),
        "{refused}"
    );
    assert_eq!(current(home.path()), one);
    no_marks(home.path());
    // Files that are in use already stay, whatever is wrong with the rest of the configuration.
    assert!(matches!(nginx.install(&first, &settings), Err(DeployError::Refused { .. })));
    assert_eq!(current(home.path()), one);

    fs::remove_file(nginx.at("refuse")).unwrap();
    nginx.install(&second, &settings).unwrap();
    assert_eq!(nginx.says(), "reloaded");
    nginx.target().put_back(&settings, second.certificate.fingerprint()).unwrap();
    assert_eq!(nginx.says(), "reloaded");
    assert_eq!(current(home.path()), one);
}

#[test]
fn nobody_else_is_signalled() {
    let (home, nginx) = (TempDir::new().unwrap(), FakeNginx::start());
    let settings = nginx.settings(home.path());
    let ours = std::process::id().to_string();
    for bad in [ours.as_str(), "1", "0", "-1", "2147483647", "99999999999", "nginx", ""] {
        fs::write(nginx.at("nginx.pid"), bad).unwrap();
        let refused = nginx.install(&Pair::new(), &settings).unwrap_err();
        assert!(matches!(refused, DeployError::NotRunning { .. }), "{bad}: {refused}");
        assert!(tree(home.path()).is_empty(), "{bad}");
    }
    fs::remove_file(nginx.at("nginx.pid")).unwrap();
    assert!(matches!(nginx.install(&Pair::new(), &settings), Err(DeployError::NotRunning { .. })));
    fs::remove_file(nginx.at("nginx")).unwrap();
    let refused = nginx.install(&Pair::new(), &settings).unwrap_err();
    assert!(matches!(refused, DeployError::Program { .. }), "{refused}");
    assert!(tree(home.path()).is_empty());
}

/// Who may change a target chooses among the usual places of nginx, and runs nothing else.
#[test]
fn no_setting_names_a_program() {
    let (home, nginx) = (TempDir::new().unwrap(), FakeNginx::start());
    let program = nginx.at("nginx");
    for bad in [program.to_str().unwrap(), "/bin/sh", "/usr/sbin/../../bin/sh", "nginx", "/usr/sbin/nginx -g"]
    {
        let mut settings = nginx.settings(home.path());
        settings.insert("nginx_binary".to_owned(), bad.to_owned());
        let refusals = files().check(&settings).unwrap_err();
        assert_eq!((refusals.len(), refusals[0].place.as_str()), (1, "nginx_binary"), "{bad}");
        assert!(matches!(Pair::new().install(&settings), Err(DeployError::Settings(_))), "{bad}");
        let certificate = Pair::new().certificate.fingerprint();
        assert!(matches!(files().put_back(&settings, certificate), Err(DeployError::Settings(_))), "{bad}");
    }
    assert!(!nginx.at("asked").exists() && tree(home.path()).is_empty());
    let mut settings = nginx.settings(home.path());
    assert!(!files().check(&settings).unwrap().contains_key("nginx_binary"));
    settings.insert("nginx_binary".to_owned(), "/usr/local/sbin/nginx".to_owned());
    files().check(&settings).unwrap();
}

/// nginx reads the pairs of all its sites when it is asked about one.
#[test]
fn the_sites_of_one_nginx_are_changed_one_after_the_other() {
    const SITES: usize = 6;
    let nginx = FakeNginx::start();
    let pairs: Vec<[Pair; 2]> = (0..SITES).map(|_| [Pair::new(), Pair::new()]).collect();
    for (site, both) in pairs.iter().enumerate() {
        for (n, pair) in both.iter().enumerate() {
            let known = nginx.at(&format!("known/{site}/{n}"));
            fs::create_dir_all(&known).unwrap();
            pair.install(&settings(&known, &[])).unwrap();
        }
        fs::create_dir_all(nginx.at(&format!("sites/{site}"))).unwrap();
    }
    std::thread::scope(|scope| {
        for (site, both) in pairs.iter().enumerate() {
            let nginx = &nginx;
            scope.spawn(move || {
                let settings = nginx.settings(&nginx.at(&format!("sites/{site}")));
                for round in 0..6 {
                    nginx.install(&both[round % 2], &settings).expect("nobody else's half is seen");
                }
                nginx.target().put_back(&settings, both[1].certificate.fingerprint()).expect("nor now");
            });
        }
    });
}
