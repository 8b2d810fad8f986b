//! Nothing is left outside the lists: every Rust file is somebody's module, and every migration is written
//! for both databases.

use std::collections::BTreeSet;

use super::Repository;
use super::source::Source;

pub fn check(repository: &Repository) -> Vec<String> {
    let mut findings = orphans(&repository.sources);
    let paths: BTreeSet<&str> = repository.texts.iter().map(|file| file.path.as_str()).collect();
    findings.extend(half_migrations(&paths));
    findings
}

/// Files under `src/` that no parent names: the compiler never sees them.
fn orphans(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let Some((parents, name)) = parents(&source.path) else {
            continue;
        };
        let mut present = sources.iter().filter(|other| parents.contains(&other.path));
        if !present.any(|parent| declares(parent, name)) {
            findings.push(format!("{}: no file says `mod {name};`", source.path));
        }
    }
    findings
}

/// The files that may declare the module in this file, and the module's name.
fn parents(path: &str) -> Option<(Vec<String>, &str)> {
    let (_, inside) = path.split_once("/src/")?;
    if ["lib.rs", "main.rs"].contains(&inside) || inside.starts_with("bin/") {
        return None;
    }
    let path = path.strip_suffix("/mod.rs").or_else(|| path.strip_suffix(".rs"))?;
    let (folder, name) = path.rsplit_once('/')?;
    let mut parents = vec![format!("{folder}/mod.rs"), format!("{folder}.rs")];
    if folder.ends_with("/src") {
        parents = vec![format!("{folder}/lib.rs"), format!("{folder}/main.rs")];
    }
    Some((parents, name))
}

fn declares(parent: &Source, name: &str) -> bool {
    let declaration = format!("mod {name};");
    parent.code.lines().any(|line| {
        let line = line.trim();
        line == declaration || line.ends_with(&format!(" {declaration}"))
    })
}

fn half_migrations(paths: &BTreeSet<&str>) -> Vec<String> {
    let twins = [("/sqlite.sql", "/postgres.sql"), ("/postgres.sql", "/sqlite.sql")];
    let mut findings = Vec::new();
    for path in paths.iter().filter(|path| path.starts_with("crates/store/migrations/")) {
        for (this, other) in twins {
            if let Some(folder) = path.strip_suffix(this)
                && !paths.contains(format!("{folder}{other}").as_str())
            {
                findings.push(format!("{path}: the same migration for the other database is missing"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::source::source;
    use super::*;

    #[test]
    fn every_file_has_a_parent_that_names_it() {
        let sources = [
            source("crates/x/src/lib.rs", "pub mod a;\nmod b;\n// mod lost;\n"),
            source("crates/x/src/a.rs", "#[cfg(test)]\nmod tests;\n"),
            source("crates/x/src/a/tests.rs", ""),
            source("crates/x/src/b/mod.rs", "pub(crate) mod c;\n"),
            source("crates/x/src/b/c.rs", ""),
            source("crates/x/src/lost.rs", ""),
            source("crates/x/tests/story.rs", ""),
        ];
        assert_eq!(orphans(&sources), ["crates/x/src/lost.rs: no file says `mod lost;`"]);
    }

    #[test]
    fn migrations_come_in_pairs() {
        let both = ["crates/store/migrations/1_a/sqlite.sql", "crates/store/migrations/1_a/postgres.sql"];
        assert!(half_migrations(&BTreeSet::from(both)).is_empty());
        assert_eq!(half_migrations(&BTreeSet::from([both[0]])).len(), 1);
    }
}
