//! No file and no function is too long to be read. Unit tests and generated files are not counted.

use super::Repository;
use super::source::Source;

const MAX_FILE: usize = 800;
const MAX_FUNCTION: usize = 80;

pub fn check(repository: &Repository) -> Vec<String> {
    let mut findings = Vec::new();
    for source in &repository.sources {
        check_file(source, &mut findings);
        check_functions(source, &mut findings);
    }
    findings
}

fn check_file(source: &Source, findings: &mut Vec<String>) {
    let lines = source.lines().count();
    if lines > MAX_FILE && !source.path.contains("/generated/") {
        findings
            .push(format!("{}: {lines} lines without tests, at most {MAX_FILE} are allowed", source.path));
    }
}

fn check_functions(source: &Source, findings: &mut Vec<String>) {
    let lines: Vec<(usize, &str)> = source.lines().collect();
    for (i, (number, line)) in lines.iter().enumerate() {
        if let Some(name) = function_name(line) {
            let length = count_body_lines(lines[i..].iter().map(|(_, line)| *line));
            if length > MAX_FUNCTION {
                let place = format!("{}:{number}", source.path);
                findings.push(format!(
                    "{place}: {name} has {length} lines of code, at most {MAX_FUNCTION} are allowed"
                ));
            }
        }
    }
}

/// The name of the function whose head begins on this line.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    Some(&after[..end]).filter(|name| !name.is_empty())
}

/// Counts the lines with code between a function's braces, from the line of its head on.
fn count_body_lines<'a>(lines: impl Iterator<Item = &'a str>) -> usize {
    let mut depth = 0_usize;
    let mut brackets = 0_usize;
    let mut count = 0;
    for line in lines {
        let began_inside = depth > 0;
        for c in line.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets = brackets.saturating_sub(1),
                // A head that ends so has no body.
                ';' if depth == 0 && brackets == 0 => return 0,
                _ => {}
            }
            if c == '}' && depth == 0 {
                return count;
            }
        }
        if began_inside && !line.trim().is_empty() {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::source::source;
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        let source = source("crates/x/src/lib.rs", text);
        let mut findings = Vec::new();
        check_file(&source, &mut findings);
        check_functions(&source, &mut findings);
        findings
    }

    #[test]
    fn counts_a_body_without_blank_lines_and_comments() {
        let text = "pub fn a(x: [u8; 2]) -> u8 {\n    let y = 1;\n\n    // why\n    if x {\n        2\n    }\n}\nfn b() {}\n";
        let source = source("crates/x/src/lib.rs", text);
        assert_eq!(count_body_lines(source.code.lines()), 4);
        assert_eq!(count_body_lines("fn a(&self);\nfn b() {\n1\n}".lines()), 0);
    }

    #[test]
    fn finds_the_names_of_functions() {
        assert_eq!(function_name("    pub(crate) async fn order<T>(x: T) {"), Some("order"));
        assert_eq!(function_name("let f: fn (u8) = g;"), None);
        assert_eq!(function_name("let my_fn = 1;"), None);
    }

    #[test]
    fn long_functions_are_refused_but_not_in_tests() {
        let body = "    x();\n".repeat(MAX_FUNCTION);
        assert!(findings(&format!("fn a() {{\n{body}}}\n")).is_empty());
        let long = format!("fn a() {{\n{body}    y();\n}}\n");
        assert_eq!(
            findings(&long),
            ["crates/x/src/lib.rs:1: a has 81 lines of code, at most 80 are allowed"]
        );
        assert!(findings(&format!("#[cfg(test)]\nmod tests {{\n{long}}}\n")).is_empty());
    }

    #[test]
    fn long_files_are_refused_but_not_for_their_tests() {
        let full = "//! x\n".repeat(MAX_FILE);
        assert!(findings(&format!("{full}#[cfg(test)]\nmod tests {{\n}}\n")).is_empty());
        assert_eq!(findings(&format!("{full}\n")).len(), 1);
    }
}
