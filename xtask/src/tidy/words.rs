//! Words that the house does not use, as names of types, functions and tables, and code that is not there yet.

use super::Repository;
use super::source::Source;

/// Words that no type and no table has in its name.
const FORBIDDEN_WORDS: &[&str] = &[
    "bundle", "cert", "certs", "data", "helper", "helpers", "info", "infos", "keystore", "manager", "ssl",
    "util", "utils",
];

/// Names that a standard, the glossary or a trait of a library gives to a structure which we read or write by that name.
const STANDARD_NAMES: &[&str] = &[
    "CertId",
    "CertStatus",
    "ContentInfo",
    "Data",
    "DataDirectory",
    "DataKey",
    "EncapsulatedContentInfo",
    "EncryptedContentInfo",
    "EncryptedData",
    "EncryptedPrivateKeyInfo",
    "MacData",
    "OneAsymmetricKey",
    "PrivateKeyInfo",
    "ResponseData",
    "RevokedInfo",
    "SignedData",
    "SignerInfo",
    "SubjectPublicKeyInfo",
];

/// Beginnings that say nothing about what a function does.
const FORBIDDEN_BEGINNINGS: &[&str] = &["do_", "get_", "handle_", "process_"];

const TYPE_KEYWORDS: &[&str] = &["struct", "enum", "trait", "type", "union"];

/// Spelled in halves, so that this file is not found by its own check.
const UNWRITTEN: &[&str] = &[concat!("todo", "!"), concat!("unimplemented", "!")];

pub fn check(repository: &Repository) -> Vec<String> {
    let mut findings = Vec::new();
    for source in &repository.sources {
        check_source(source, &mut findings);
    }
    for file in repository.texts.iter().filter(|file| file.path.ends_with(".sql")) {
        for (i, line) in file.text.lines().enumerate() {
            if let Some(name) = table_name(line).filter(|name| has_forbidden_word(name)) {
                findings.push(format!("{}:{}: {name} is not a name for a table", file.path, i + 1));
            }
        }
    }
    findings
}

fn check_source(source: &Source, findings: &mut Vec<String>) {
    for (number, line) in source.lines() {
        let place = format!("{}:{number}", source.path);
        let names: Vec<&str> = identifiers(line).collect();
        for pair in names.windows(2) {
            let (keyword, name) = (pair[0], pair[1]);
            if TYPE_KEYWORDS.contains(&keyword) && !STANDARD_NAMES.contains(&name) && has_forbidden_word(name)
            {
                findings.push(format!("{place}: {name} is not a name for a type"));
            }
            if keyword == "fn" && FORBIDDEN_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning)) {
                findings.push(format!("{place}: {name} does not say what the function does"));
            }
        }
    }
    for (i, line) in source.code.lines().enumerate() {
        if UNWRITTEN.iter().any(|word| line.contains(word)) {
            findings.push(format!("{}:{}: code that is not written yet", source.path, i + 1));
        }
    }
}

fn identifiers(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

fn has_forbidden_word(name: &str) -> bool {
    let words = words(name);
    let pairs = words.windows(2).map(|pair| pair.concat());
    words.iter().cloned().chain(pairs).any(|word| FORBIDDEN_WORDS.contains(&word.as_str()))
}

/// The words of a name in either style, in lower case: `TlsSession` and `tls_session` give `tls`, `session`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous = ' ';
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && !previous.is_uppercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c != '_') {
            word.extend(c.to_lowercase());
        }
        previous = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn table_name(line: &str) -> Option<&str> {
    let mut names = identifiers(line);
    let create = names.next()?.eq_ignore_ascii_case("create");
    let table = names.next()?.eq_ignore_ascii_case("table");
    let name = names.find(|name| !["if", "not", "exists"].contains(&name.to_ascii_lowercase().as_str()))?;
    (create && table).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::super::source::source;
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check_source(&source("crates/x/src/lib.rs", text), &mut findings);
        findings
    }

    #[test]
    fn splits_names_of_both_styles() {
        assert_eq!(words("KeyStore2"), ["key", "store2"]);
        assert_eq!(words("audit_event"), ["audit", "event"]);
        assert_eq!(words("TLSInfo"), ["tlsinfo"]);
    }

    #[test]
    fn types_with_empty_words_are_found() {
        assert_eq!(findings("pub struct TokenManager;").len(), 1);
        assert_eq!(findings("enum KeyStore {}").len(), 1);
        assert_eq!(findings("type CertId2 = u8;").len(), 1);
        assert!(findings("struct SubjectPublicKeyInfo;\nstruct Certificate;\nstruct Database;").is_empty());
        assert!(findings("// struct TokenManager\nlet x = \"struct TokenManager\";").is_empty());
    }

    #[test]
    fn functions_say_what_they_do() {
        assert_eq!(findings("fn process_order() {}\npub fn get_key() {}").len(), 2);
        assert!(findings("fn dominate() {}\nfn data() {}").is_empty());
    }

    #[test]
    fn unwritten_code_is_found_in_tests_too() {
        let text = format!("#[cfg(test)]\nmod tests {{\n    fn a() {{ {}() }}\n}}\n", UNWRITTEN[0]);
        assert_eq!(findings(&text), ["crates/x/src/lib.rs:3: code that is not written yet"]);
    }

    #[test]
    fn names_of_tables() {
        assert_eq!(table_name("CREATE TABLE IF NOT EXISTS audit_event ("), Some("audit_event"));
        assert_eq!(table_name("create table cert_data("), Some("cert_data"));
        assert_eq!(table_name("CREATE INDEX a ON b"), None);
    }
}
