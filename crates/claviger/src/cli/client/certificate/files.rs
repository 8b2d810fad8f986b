//! The files of an import, each with the name that refusals say.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use pki::format::MAX_INPUT;
use pki::name::inert;
use zeroize::Zeroizing;

use crate::cli::limited;

/// A file that was read.
pub struct Named {
    /// What it is called: its name, or its path where several have that name.
    pub name: String,
    /// What is in it; it may be a private key.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// Reads files; `-` is standard input. What has nothing in it is refused here: among others nobody would miss it.
pub fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<Named>> {
    let (mut known, mut twice) = (HashSet::new(), HashSet::new());
    for name in paths.iter().map(|path| short(path)) {
        if !known.insert(name.clone()) {
            twice.insert(name);
        }
    }
    let name = |path: &Path| match short(path) {
        short if twice.contains(&short) => path.display().to_string(),
        short => short,
    };
    paths.iter().map(|path| Ok(Named { name: name(path), bytes: read_one(path)? })).collect()
}

fn short(path: &Path) -> String {
    match path.file_name() {
        _ if path == Path::new("-") => "standard input".to_owned(),
        Some(name) => name.to_string_lossy().into_owned(),
        None => path.display().to_string(),
    }
}

fn read_one(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let shown = match path == Path::new("-") {
        true => "standard input".to_owned(),
        false => inert(&path.display().to_string()).into_owned(),
    };
    let read = match path == Path::new("-") {
        true => limited::read(io::stdin().lock(), MAX_INPUT),
        false => File::open(path).and_then(|file| limited::read_file(file, MAX_INPUT)),
    };
    let bytes = read.with_context(|| format!("cannot read {shown}"))?;
    if bytes.is_empty() {
        bail!("there is nothing in {shown}");
    }
    if bytes.len() > MAX_INPUT {
        bail!("{shown} has more than {} MB; no file with more is taken", MAX_INPUT / 1_000_000);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_by_their_names_and_by_their_paths_where_those_are_not_enough() {
        let place = tempfile::tempdir().unwrap();
        let paths = ["a/cert.pem", "b/cert.pem", "b/key.pem"].map(|name| place.path().join(name));
        for path in &paths {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let names: Vec<String> = read(&paths).unwrap().into_iter().map(|file| file.name).collect();
        let whole = |path: &PathBuf| path.display().to_string();
        assert_eq!(names, [whole(&paths[0]), whole(&paths[1]), "key.pem".to_owned()]);
    }

    #[test]
    fn what_is_empty_or_too_large_is_refused_with_its_name() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.pem");
        let refused = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read(std::slice::from_ref(&path)).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(refused(b"").ends_with("a.pem"));
        assert!(refused(&vec![b'a'; MAX_INPUT + 1]).contains("a.pem has more than 10 MB"));
        assert_eq!(refused(&vec![b'a'; MAX_INPUT]), "");
    }
}
