//! Installs what the tests need and this machine lacks: Debian packages, programs from PyPI, npm and
//! crates.io. Everything but Debian's packages goes into folders of the checkout.
//!
//! The tests trust that these programs are there: one that cannot be installed is an error, never a skip.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::command::{command, read, run, works};

/// Peers, judges and servers that the tests start.
const DEBIAN_PACKAGES: &[&str] = &[
    "chromium",
    "chromium-driver",
    "curl",
    "gcc",
    "gnutls-bin",
    "libnss3-tools",
    "nginx-light",
    "openjdk-17-jre-headless",
    "opensc",
    "openssl",
    "postgresql",
    "softhsm2",
    "sqlite3",
];

const CARGO_DENY_VERSION: &str = "0.20.2";

/// Asked by Debian's packages before they start a service; 101 means no.
const POLICY_FILE: &str = "/usr/sbin/policy-rc.d";
const POLICY: &str = "#!/bin/sh\nexit 101\n";

/// Installs everything that is missing.
pub fn install(root: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder(root)).context("could not make the folder .tools")?;
    install_debian_packages(root)?;
    install_python_programs(root)?;
    fetch_badkeys_samples(root)?;
    install_node_modules(root)?;
    install_cargo_deny(root)
}

/// The command for cargo-deny, wherever it is.
pub fn cargo_deny(root: &Path) -> PathBuf {
    let ours = folder(root).join("bin/cargo-deny");
    if ours.exists() { ours } else { PathBuf::from("cargo-deny") }
}

fn folder(root: &Path) -> PathBuf {
    root.join(".tools")
}

fn install_debian_packages(root: &Path) -> anyhow::Result<()> {
    let missing: Vec<&str> =
        DEBIAN_PACKAGES.iter().copied().filter(|package| !is_installed(root, package)).collect();
    if missing.is_empty() {
        println!("Debian packages: all there");
        return Ok(());
    }
    println!("Debian packages: installing {}", missing.join(" "));
    if read(&mut command(root, "id", &["-u"]))?.trim() != "0" {
        bail!(
            "only root can install Debian packages; install them yourself: apt-get install {}",
            missing.join(" ")
        );
    }
    let _policy = NoServices::begin()?;
    run(&mut command(root, "apt-get", &["update", "-qq"]))?;
    let mut install = command(root, "apt-get", &["install", "-y", "-qq", "--no-install-recommends"]);
    run(install.args(missing).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn is_installed(root: &Path, package: &str) -> bool {
    let mut query = command(root, "dpkg-query", &["--show", "--showformat=${db:Status-Status}", package]);
    read(&mut query).is_ok_and(|status| status == "installed")
}

/// While this value lives, packages start no service; then the machine's own rule is back.
struct NoServices {
    before: Option<(String, fs::Permissions)>,
}

impl NoServices {
    fn begin() -> anyhow::Result<Self> {
        let before = match fs::read_to_string(POLICY_FILE) {
            Ok(text) => Some((text, fs::metadata(POLICY_FILE)?.permissions())),
            Err(_) => None,
        };
        fs::write(POLICY_FILE, POLICY)
            .and_then(|()| fs::set_permissions(POLICY_FILE, fs::Permissions::from_mode(0o755)))
            .context("could not keep packages from starting services")?;
        Ok(Self { before })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        let restored = match self.before.take() {
            Some((text, permissions)) => {
                fs::write(POLICY_FILE, text).and_then(|()| fs::set_permissions(POLICY_FILE, permissions))
            }
            None => fs::remove_file(POLICY_FILE),
        };
        if let Err(error) = restored {
            eprintln!("warning: {POLICY_FILE} still keeps packages from starting services: {error}");
        }
    }
}

fn install_python_programs(root: &Path) -> anyhow::Result<()> {
    let wanted = fs::read_to_string(root.join("tests/requirements.txt"))
        .context("could not read tests/requirements.txt")?;
    let venv = folder(root).join("venv");
    let stamp = Stamp { file: venv.join("installed.txt"), wanted };
    if stamp.is_current() && works(&mut command(root, venv.join("bin/python"), &["--version"])) {
        println!("Python programs: all there");
        return Ok(());
    }
    println!("Python programs: installing tests/requirements.txt");
    run(command(root, "python3", &["-m", "venv", "--clear"]).arg(&venv))
        .context("could not make a Python environment (Debian's package for it is python3-venv)")?;
    let arguments =
        ["install", "--quiet", "--disable-pip-version-check", "--requirement", "tests/requirements.txt"];
    run(&mut command(root, venv.join("bin/pip"), &arguments))?;
    stamp.set()
}

/// The weak keys that badkeys tests itself with: its source package has them, the installed one has not.
fn fetch_badkeys_samples(root: &Path) -> anyhow::Result<()> {
    let requirements = fs::read_to_string(root.join("tests/requirements.txt"))
        .context("could not read tests/requirements.txt")?;
    let wanted = requirements.lines().find(|line| line.starts_with("badkeys=="));
    let wanted = wanted.context("tests/requirements.txt names no version of badkeys")?;
    let samples = folder(root).join("badkeys");
    let stamp = Stamp { file: samples.join("fetched.txt"), wanted: wanted.to_owned() };
    if stamp.is_current() {
        println!("badkeys' samples: all there");
        return Ok(());
    }
    println!("badkeys' samples: fetching {wanted}");
    let fetched = folder(root).join("badkeys-source");
    for old in [&samples, &fetched].into_iter().filter(|old| old.exists()) {
        fs::remove_dir_all(old).with_context(|| format!("could not remove {}", old.display()))?;
    }
    let arguments =
        ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:"];
    let mut download = command(root, folder(root).join("venv/bin/pip"), &arguments);
    run(download.arg("--dest").arg(&fetched).arg(wanted))?;
    let archive = fs::read_dir(&fetched)?.next().context("pip fetched nothing")??.path();
    fs::create_dir(&samples).with_context(|| format!("could not make {}", samples.display()))?;
    let mut unpack = command(root, "tar", &["--extract", "--strip-components=1", "--file"]);
    run(unpack.arg(&archive).arg("--directory").arg(&samples))?;
    fs::remove_dir_all(&fetched).context("could not remove what fetching badkeys left")?;
    stamp.set()
}

fn install_node_modules(root: &Path) -> anyhow::Result<()> {
    let browser = root.join("tests/browser");
    let wanted = fs::read_to_string(browser.join("package-lock.json"))
        .context("could not read tests/browser/package-lock.json")?;
    let stamp = Stamp { file: browser.join("node_modules/installed.txt"), wanted };
    if stamp.is_current() {
        println!("npm packages: all there");
        return Ok(());
    }
    println!("npm packages: installing tests/browser/package-lock.json");
    run(&mut command(&browser, "npm", &["ci", "--no-audit", "--no-fund"]))
        .context("the browser tests need npm and node 20 or later")?;
    stamp.set()
}

fn install_cargo_deny(root: &Path) -> anyhow::Result<()> {
    if works(&mut command(root, cargo_deny(root), &["--version"])) {
        println!("cargo-deny: there");
        return Ok(());
    }
    println!("cargo-deny: building {CARGO_DENY_VERSION}");
    let arguments = ["install", "--locked", "--debug", "--quiet", "--version", CARGO_DENY_VERSION, "--root"];
    // Its own target folder, so that the build does not wait for, or disturb, the checkout's.
    let target = folder(root).join("target");
    let mut install = command(root, "cargo", &arguments);
    run(install.arg(folder(root)).arg("cargo-deny").env("CARGO_TARGET_DIR", &target))?;
    fs::remove_dir_all(&target).context("could not remove what building cargo-deny left")
}

/// A file that says what was installed beside it.
struct Stamp {
    file: PathBuf,
    wanted: String,
}

impl Stamp {
    fn is_current(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|text| text == self.wanted)
    }

    fn set(&self) -> anyhow::Result<()> {
        fs::write(&self.file, &self.wanted)
            .with_context(|| format!("could not write {}", self.file.display()))
    }
}
