//! `docs/codes.md` is complete and true: every code of a refusal or finding stands there, and nothing else does.

use std::collections::BTreeSet;

use super::Repository;

const TABLE: &str = "docs/codes.md";
/// What comes before a code where a refusal is made outside of `pki`.
const MAKERS: [&str; 3] = ["Refusal::new(", "Error::conflict(", "refusal("];
/// The last section is about codes that nobody says yet.
const LATER: &str = "## Named in the design";

pub fn check(repository: &Repository) -> Vec<String> {
    let table = repository.text(TABLE).unwrap_or_default();
    let (now, later) = table.split_once(LATER).unwrap_or((table, ""));
    let (listed, announced) = (codes_in_backticks(now), codes_in_backticks(later));
    let subjects: BTreeSet<&str> = listed.iter().filter_map(|code| code.split('.').next()).collect();
    let (mut written, mut composed) = (BTreeSet::new(), BTreeSet::new());
    let mut findings = Vec::new();
    for file in &repository.texts {
        if !file.path.starts_with("crates/") || !file.path.contains("/src/") || !file.path.ends_with(".rs") {
            continue;
        }
        // `format!("deployment.{state}")` says every code of its subject.
        composed.extend(literals(&file.text).filter_map(|(_, text)| Some(text.split_once(".{")?.0)));
        // In `pki` nothing else looks like a code; elsewhere transactions and audit actions do.
        let everything = file.path.starts_with("crates/pki/");
        for (before, code) in literals(&file.text).filter(|(_, literal)| is_code(literal)) {
            written.insert(code);
            let said = everything || MAKERS.iter().any(|maker| before.trim_end().ends_with(maker));
            let subject = code.split('.').next().unwrap_or(code);
            if said && subjects.contains(subject) && !listed.contains(code) {
                findings.push(format!("{}: {TABLE} does not list {code}", file.path));
            }
        }
    }
    let is_composed = |code: &str| code.split('.').next().is_some_and(|subject| composed.contains(subject));
    let unsaid = listed.iter().filter(|code| !written.contains(*code) && !is_composed(code));
    findings.extend(unsaid.map(|code| format!("{TABLE}: nobody says {code}")));
    let said_now = announced.iter().filter(|code| written.contains(*code));
    findings.extend(said_now.map(|code| format!("{TABLE}: {code} is said already")));
    findings.sort();
    findings.dedup();
    findings
}

/// `subject.what`, or `subject.what.which`.
fn is_code(text: &str) -> bool {
    let word = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_lowercase())
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    (2..=3).contains(&text.split('.').count()) && text.split('.').all(word)
}

/// The codes in the first cells of the tables, and in the sentences of the last section.
fn codes_in_backticks(text: &str) -> BTreeSet<&str> {
    let mut codes = BTreeSet::new();
    for line in text.lines() {
        let cell = match line.strip_prefix('|') {
            Some(row) => row.split('|').next().unwrap_or(row),
            None if text.starts_with("##") || !text.contains("| code |") => line,
            None => continue,
        };
        codes.extend(cell.split('`').skip(1).step_by(2).filter(|code| is_code(code)));
    }
    codes
}

/// Every string literal on one line, with what stands before it.
fn literals(source: &str) -> impl Iterator<Item = (&str, &str)> {
    let quotes: Vec<usize> = source.match_indices('"').map(|(at, _)| at).collect();
    // A code has no quotes in it, so any two neighbouring quotes may enclose one.
    quotes
        .windows(2)
        .map(|pair| (&source[..pair[0]], &source[pair[0] + 1..pair[1]]))
        .collect::<Vec<_>>()
        .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::Text;

    fn repository(table: &str, path: &str, source: &str) -> Repository {
        let text = |path: &str, text: &str| Text { path: path.to_owned(), text: text.to_owned() };
        Repository {
            packages: Vec::new(),
            texts: vec![text(TABLE, table), text(path, source)],
            sources: Vec::new(),
            root: String::new(),
        }
    }

    const LIST: &str = "| code | kind |\n|---|---|\n| `key.weak` | refusal, see `key.other` |\n\n## Named in the design\n\n`key.later`.\n";

    #[test]
    fn a_list_that_is_complete_and_true_passes() {
        let source = "Refusal::new(\n    \"key.weak\", what)";
        assert_eq!(check(&repository(LIST, "crates/app/src/key.rs", source)), [""; 0]);
    }

    #[test]
    fn what_is_not_listed_or_not_said_is_found() {
        let missing = check(&repository(LIST, "crates/pki/src/key.rs", "\"key.weak\" \"key.new\""));
        assert_eq!(missing, ["crates/pki/src/key.rs: docs/codes.md does not list key.new"]);
        // Elsewhere a name of a transaction may look the same.
        assert_eq!(
            check(&repository(LIST, "crates/app/src/key.rs", "\"key.weak\" tx(\"key.new\")")),
            [""; 0]
        );
        let unsaid = check(&repository(LIST, "crates/app/src/key.rs", ""));
        assert_eq!(unsaid, ["docs/codes.md: nobody says key.weak"]);
        assert_eq!(check(&repository(LIST, "crates/app/src/key.rs", "format!(\"key.{what}\")")), [""; 0]);
        let already = check(&repository(LIST, "crates/pki/src/key.rs", "\"key.weak\" \"key.later\""));
        assert!(already.contains(&"docs/codes.md: key.later is said already".to_owned()), "{already:?}");
    }

    #[test]
    fn codes_are_told_from_other_texts() {
        for code in ["key.weak", "key.weak.roca", "p12.no_mac"] {
            assert!(is_code(code), "{code}");
        }
        for other in ["key", "1.2.840", "a.b.c.d", "Key.weak", "key.", "key weak.x", "a-b.example"] {
            assert!(!is_code(other), "{other}");
        }
    }
}
