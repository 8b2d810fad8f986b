//! Every crate begins by saying what it is, and every decision can be found.

use super::{Repository, Text};

const INDEX: &str = "docs/README.md";

pub fn check(repository: &Repository) -> Vec<String> {
    let mut findings = Vec::new();
    for file in repository.texts.iter().filter(|file| is_crate_root(&file.path)) {
        if !file.text.starts_with("//!") {
            findings.push(format!("{}: a crate begins with //! and what it is for", file.path));
        }
    }
    findings.extend(unlinked_decisions(&repository.texts));
    findings
}

fn is_crate_root(path: &str) -> bool {
    let folders: Vec<&str> = path.split('/').collect();
    matches!(
        folders.as_slice(),
        ["crates", _, "src", "lib.rs" | "main.rs"] | ["xtask", "src", "main.rs"] | ["fuzz", "src", "lib.rs"]
    )
}

fn unlinked_decisions(texts: &[Text]) -> Vec<String> {
    let index = texts.iter().find(|file| file.path == INDEX).map_or("", |file| file.text.as_str());
    let mut findings = Vec::new();
    for file in texts {
        if let Some(name) = file.path.strip_prefix("docs/").filter(|name| name.starts_with("decisions/"))
            && name.ends_with(".md")
            && !index.contains(&format!("({name})"))
        {
            findings.push(format!("{}: {INDEX} has no link to it", file.path));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str, text: &str) -> Text {
        Text { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn knows_the_roots_of_crates() {
        assert!(is_crate_root("crates/pki/src/lib.rs") && is_crate_root("xtask/src/main.rs"));
        assert!(!is_crate_root("crates/pki/src/format/lib.rs") && !is_crate_root("crates/pki/src/der.rs"));
    }

    #[test]
    fn decisions_are_linked() {
        let decision = || text("docs/decisions/sqlite.md", "x");
        assert_eq!(unlinked_decisions(&[decision()]).len(), 1);
        assert!(unlinked_decisions(&[decision(), text(INDEX, "- [SQLite](decisions/sqlite.md)")]).is_empty());
    }
}
