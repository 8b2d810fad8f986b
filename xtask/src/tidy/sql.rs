//! Only `store` speaks SQL.

use super::source::Source;
use super::{Repository, crate_of};

pub fn check(repository: &Repository) -> Vec<String> {
    let mut findings = Vec::new();
    for source in repository.sources.iter().filter(|source| is_kept_from_sql(&source.path)) {
        check_source(source, &mut findings);
    }
    findings
}

fn is_kept_from_sql(path: &str) -> bool {
    path.starts_with("crates/") && crate_of(path) != "store"
}

fn check_source(source: &Source, findings: &mut Vec<String>) {
    let last = source.lines().count();
    for (line, text) in source.strings.iter().filter(|(line, _)| *line <= last) {
        if is_sql(text) {
            findings.push(format!("{}:{line}: SQL outside of store", source.path));
        }
    }
}

/// Whether a text is a statement and not a sentence that begins with the same word.
fn is_sql(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["INSERT", "INTO", ..] | ["DELETE", "FROM", ..] | ["SELECT", "1", ..] => true,
        ["SELECT", rest @ ..] => rest.contains(&"FROM"),
        ["UPDATE", rest @ ..] => rest.contains(&"SET"),
        ["CREATE" | "ALTER" | "DROP", kind, ..] => ["TABLE", "INDEX", "UNIQUE"].contains(kind),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::source;
    use super::*;

    #[test]
    fn statements_are_told_from_sentences() {
        for statement in
            ["SELECT a\n  FROM b", "INSERT INTO a", " UPDATE a SET b = 1", "DELETE FROM a", "DROP TABLE a"]
        {
            assert!(is_sql(statement), "{statement}");
        }
        for sentence in ["SELECT A TOKEN", "Select a key from the list", "UPDATE available", "", "CREATE KEY"]
        {
            assert!(!is_sql(sentence), "{sentence}");
        }
    }

    #[test]
    fn tests_and_store_may() {
        assert!(!is_kept_from_sql("crates/store/src/lib.rs"));
        assert!(is_kept_from_sql("crates/app/src/lib.rs"));
        let text = "const A: &str = \"DELETE FROM a\";\n#[cfg(test)]\nmod tests {\n    const B: &str = \"DELETE FROM b\";\n}\n";
        let mut findings = Vec::new();
        check_source(&source("crates/app/src/lib.rs", text), &mut findings);
        assert_eq!(findings, ["crates/app/src/lib.rs:1: SQL outside of store"]);
    }
}
