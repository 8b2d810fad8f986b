//! The rules of the house that no other program checks. Each module is one of them, and gives findings:
//! one line of text each, with the place it is about.

mod arrows;
mod codes;
mod docs;
mod files;
mod manifests;
mod modules;
mod sizes;
mod source;
mod sql;
mod words;

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::command::{command, read};
use source::Source;

/// The repository as the checks see it.
struct Repository {
    /// Our packages, as `cargo metadata` describes them.
    packages: Vec<Value>,
    /// Every text file that is tracked, or would be.
    texts: Vec<Text>,
    /// Every Rust file under `crates/`, `xtask/` and `fuzz/`.
    sources: Vec<Source>,
    /// The folder of this checkout.
    root: String,
}

/// A file and what is in it.
struct Text {
    /// The path inside the repository, with forward slashes.
    path: String,
    /// The content.
    text: String,
}

type Check = fn(&Repository) -> Vec<String>;

const CHECKS: &[(&str, Check)] = &[
    ("arrows between crates", arrows::check),
    ("manifests", manifests::check),
    ("sizes", sizes::check),
    ("words", words::check),
    ("SQL only in store", sql::check),
    ("modules and migrations", modules::check),
    ("files", files::check),
    ("docs", docs::check),
    ("codes", codes::check),
];

/// Runs every check, prints every finding, and fails when there is one.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let repository = Repository::read(root)?;
    let mut findings = 0;
    for (name, check) in CHECKS {
        for finding in check(&repository) {
            println!("{finding} [{name}]");
            findings += 1;
        }
    }
    if findings > 0 {
        bail!("tidy found {findings} breaches of the rules of the house");
    }
    println!("tidy: {} files, {} checks, nothing found", repository.texts.len(), CHECKS.len());
    Ok(())
}

impl Repository {
    fn read(root: &Path) -> anyhow::Result<Self> {
        let arguments = ["metadata", "--format-version=1", "--no-deps", "--offline"];
        let metadata: Value = serde_json::from_str(&read(&mut command(root, "cargo", &arguments))?)
            .context("cargo metadata is not JSON")?;
        let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
        let texts = read_texts(root)?;
        let sources = texts.iter().filter(|file| is_our_rust(&file.path)).map(Source::parse).collect();
        Ok(Self { packages, texts, sources, root: root.to_string_lossy().into_owned() })
    }

    fn text(&self, path: &str) -> Option<&str> {
        self.texts.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }
}

fn read_texts(root: &Path) -> anyhow::Result<Vec<Text>> {
    let list =
        read(&mut command(root, "git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))
            .context("tidy reads the list of files from git")?;
    let mut texts = Vec::new();
    for path in list.split('\0').filter(|path| !path.is_empty()) {
        // What is not UTF-8 is not text; what is listed but gone is being deleted.
        if let Ok(text) = fs::read_to_string(root.join(path)) {
            texts.push(Text { path: path.to_owned(), text });
        }
    }
    Ok(texts)
}

fn is_our_rust(path: &str) -> bool {
    path.ends_with(".rs") && ["crates/", "xtask/", "fuzz/"].iter().any(|folder| path.starts_with(folder))
}

/// The folder of the crate that a file belongs to: `pki` for `crates/pki/src/lib.rs`.
fn crate_of(path: &str) -> &str {
    let path = path.strip_prefix("crates/").unwrap_or(path);
    path.split('/').next().unwrap_or(path)
}
