//! What no tracked file may hold: paths of one machine, and download addresses in npm's lock file.

use super::{Repository, Text};

/// Beginnings of paths that exist on the machines where this is built. Spelled in halves, so that this file
/// is not found by its own check.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/.")];

pub fn check(repository: &Repository) -> Vec<String> {
    let mut findings = Vec::new();
    for file in &repository.texts {
        check_machine_paths(file, &repository.root, &mut findings);
        if file.path.ends_with("package-lock.json") && file.text.contains("\"resolved\"") {
            findings.push(format!(
                "{}: holds download addresses; npm run in its folder leaves them out",
                file.path
            ));
        }
    }
    findings
}

fn check_machine_paths(file: &Text, root: &str, findings: &mut Vec<String>) {
    for (i, line) in file.text.lines().enumerate() {
        if MACHINE_PATHS.iter().any(|path| has_path(line, path)) || has_path(line, &format!("{root}/")) {
            findings.push(format!("{}:{}: a path of one machine", file.path, i + 1));
        }
    }
}

/// Whether the path stands in the line from its root on, not as the end of a longer path or address.
fn has_path(line: &str, path: &str) -> bool {
    line.match_indices(path)
        .any(|(i, _)| !line[..i].ends_with(|c: char| c.is_alphanumeric() || "-_.~".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_addresses() {
        let path = MACHINE_PATHS[0];
        assert!(has_path(&format!("cd {path}x"), path));
        assert!(has_path(&format!("\"{path}\""), path));
        assert!(!has_path(&format!("https://example.org{path}x"), path));
        assert!(!has_path("/workshop/", path));
    }

    #[test]
    fn findings_name_the_line() {
        let file = Text { path: "README.md".to_owned(), text: "one\nls /here/checkout/target\n".to_owned() };
        let mut findings = Vec::new();
        check_machine_paths(&file, "/here/checkout", &mut findings);
        assert_eq!(findings, ["README.md:2: a path of one machine"]);
    }
}
