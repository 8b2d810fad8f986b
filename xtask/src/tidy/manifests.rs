//! Every crate says in its manifest what it is for and takes the workspace's lints.

use serde_json::Value;

use super::Repository;

pub fn check(repository: &Repository) -> Vec<String> {
    let mut findings = Vec::new();
    for package in &repository.packages {
        let path = manifest_path(package, &repository.root);
        if package["description"].as_str().unwrap_or_default().trim().is_empty() {
            findings.push(format!("{path}: the description is missing"));
        }
        if !repository.text(&path).is_some_and(takes_workspace_lints) {
            findings.push(format!("{path}: [lints] workspace = true is missing"));
        }
    }
    findings
}

fn manifest_path(package: &Value, root: &str) -> String {
    let path = package["manifest_path"].as_str().unwrap_or_default();
    path.strip_prefix(root).unwrap_or(path).trim_start_matches('/').to_owned()
}

fn takes_workspace_lints(manifest: &str) -> bool {
    let section = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    section.take_while(|line| !line.starts_with('[')).any(|line| line.replace(' ', "") == "workspace=true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_line_in_its_section_only() {
        assert!(takes_workspace_lints("[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n"));
        assert!(!takes_workspace_lints("[package]\nversion.workspace = true\n"));
        assert!(!takes_workspace_lints("[lints]\n[dependencies.x]\nworkspace = true\n"));
    }

    #[test]
    fn reports_what_is_missing() {
        let package = serde_json::json!({ "manifest_path": "/r/crates/x/Cargo.toml", "description": " " });
        let repository = Repository {
            packages: vec![package],
            texts: Vec::new(),
            sources: Vec::new(),
            root: "/r".to_owned(),
        };
        let findings = check(&repository);
        assert_eq!(findings.len(), 2);
        assert!(findings.iter().all(|finding| finding.starts_with("crates/x/Cargo.toml: ")));
    }
}
