//! Which crate may use which: the walls between the rooms.

use serde_json::Value;

use super::{Repository, crate_of};

/// Each crate's only allowed neighbours. The folder is the crate's name.
const MAY_USE: &[(&str, &[&str])] = &[
    ("pki", &[]),
    ("domain", &["pki"]),
    ("outbound", &[]),
    ("token", &["domain", "pki"]),
    ("issuer", &["domain", "pki", "outbound"]),
    ("deploy", &["domain", "pki", "outbound"]),
    ("store", &["domain", "pki"]),
    ("app", &["pki", "domain", "outbound", "token", "issuer", "deploy", "store"]),
    ("web", &["app", "domain", "pki"]),
    ("edge", &["domain", "pki"]),
    ("claviger", &["pki", "domain", "outbound", "token", "issuer", "deploy", "store", "app", "web", "edge"]),
    ("testkit", BELOW_TESTKIT),
    ("xtask", &[]),
];

/// What the test kit is made of. Unit tests of these crates would see two copies of their own types through
/// it, so they use it from their `tests/` folders only.
const BELOW_TESTKIT: &[&str] = &["pki", "domain", "outbound", "token", "issuer", "deploy", "store"];

pub fn check(repository: &Repository) -> Vec<String> {
    let mut findings = Vec::new();
    for package in &repository.packages {
        check_package(package, &mut findings);
    }
    for source in &repository.sources {
        let name = crate_of(&source.path);
        if BELOW_TESTKIT.contains(&name) && source.path.starts_with(&format!("crates/{name}/src/")) {
            for (i, line) in source.code.lines().enumerate().filter(|(_, line)| names_testkit(line)) {
                let place = format!("{}:{}", source.path, i + 1);
                findings.push(format!(
                    "{place}: only the files in crates/{name}/tests may use testkit: {}",
                    line.trim()
                ));
            }
        }
    }
    findings
}

fn names_testkit(line: &str) -> bool {
    line.contains("testkit::") || line.trim_start().starts_with("use testkit")
}

fn check_package(package: &Value, findings: &mut Vec<String>) {
    let Some(name) = package["name"].as_str().and_then(folder_of) else {
        findings.push(format!("{}: a package is named claviger-<folder>", package["name"]));
        return;
    };
    let Some((_, allowed)) = MAY_USE.iter().find(|(folder, _)| *folder == name) else {
        findings
            .push(format!("crates/{name}: a new crate needs a row in the table of xtask/src/tidy/arrows.rs"));
        return;
    };
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let Some(neighbour) = ours(dependency) else {
            continue;
        };
        let is_dev = dependency["kind"] == "dev";
        // Its own crate with the features that its tests need.
        let is_for_tests = is_dev && (neighbour == "testkit" || neighbour == name);
        if !is_for_tests && !allowed.contains(&neighbour) {
            findings.push(format!("crates/{name}/Cargo.toml: {name} may not use {neighbour}"));
        }
    }
}

/// The folder of a dependency that is one of our own crates.
fn ours(dependency: &Value) -> Option<&str> {
    dependency["path"].as_str()?;
    folder_of(dependency["name"].as_str()?)
}

fn folder_of(package: &str) -> Option<&str> {
    match package {
        "claviger" | "xtask" => Some(package),
        _ => package.strip_prefix("claviger-"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn findings(name: &str, dependencies: &Value) -> Vec<String> {
        let mut findings = Vec::new();
        check_package(&json!({ "name": name, "dependencies": dependencies }), &mut findings);
        findings
    }

    fn uses(name: &str, kind: &Value) -> Value {
        json!([{ "name": name, "path": "somewhere", "kind": kind }])
    }

    #[test]
    fn allowed_and_forbidden_arrows() {
        let normal = Value::Null;
        assert!(findings("claviger-web", &uses("claviger-app", &normal)).is_empty());
        let found = findings("claviger-web", &uses("claviger-store", &normal));
        assert_eq!(found, ["crates/web/Cargo.toml: web may not use store"]);
        assert_eq!(findings("claviger-pki", &uses("claviger-domain", &json!("dev"))).len(), 1);
        assert_eq!(findings("xtask", &uses("claviger-pki", &normal)).len(), 1);
    }

    #[test]
    fn the_test_kit_is_for_tests() {
        assert!(findings("claviger-store", &uses("claviger-testkit", &json!("dev"))).is_empty());
        assert_eq!(findings("claviger-app", &uses("claviger-testkit", &Value::Null)).len(), 1);
        assert_eq!(findings("claviger-testkit", &uses("claviger-app", &Value::Null)).len(), 1);
    }

    #[test]
    fn crates_of_others_are_not_checked_here() {
        assert!(findings("claviger-pki", &json!([{ "name": "claviger-like", "kind": null }])).is_empty());
    }

    #[test]
    fn unknown_crates_and_names() {
        assert_eq!(findings("claviger-common", &json!([])).len(), 1);
        assert_eq!(findings("helpers", &json!([])).len(), 1);
    }

    #[test]
    fn finds_the_test_kit_in_code() {
        assert!(names_testkit("    let db = testkit::database();"));
        assert!(names_testkit("use testkit as kit;"));
        assert!(!names_testkit("let testkit = 1;"));
    }
}
