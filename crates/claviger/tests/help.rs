//! The help of every command is what it was: whoever changes an option sees it in `help.txt`, and so do reviewers.
//!
//! After a change that is meant: `CLAVIGER_REWRITE_HELP=1 cargo test -p claviger --test help`.

#![expect(clippy::unwrap_used, reason = "tests stop at surprises")]

use std::path::Path;
use std::process::Command;

#[test]
fn the_help_of_every_command_is_the_pinned_one() {
    let mut text = String::new();
    collect(&[], &mut text);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help.txt");
    if std::env::var_os("CLAVIGER_REWRITE_HELP").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    let pinned = std::fs::read_to_string(&golden).unwrap();
    let different = text.lines().zip(pinned.lines()).position(|(now, then)| now != then);
    let line = different.unwrap_or_else(|| text.lines().count().min(pinned.lines().count()));
    let around =
        |text: &str| text.lines().skip(line.saturating_sub(3)).take(7).collect::<Vec<_>>().join("\n");
    assert!(text == pinned, "line {}:\n{}\n--- but pinned is\n{}", line + 1, around(&text), around(&pinned));
}

#[test]
fn every_command_says_what_it_is_for_and_every_verb_gives_an_example() {
    let mut text = String::new();
    collect(&[], &mut text);
    for part in text.split("\n$ ").skip(1) {
        let (command, help) = part.split_once('\n').unwrap();
        assert!(help.len() > 40 && !help.starts_with("Usage"), "{command} does not say what it is for");
        let words: Vec<&str> = command.split_whitespace().collect();
        let is_client_verb = NOUNS.contains(&words[1]) && words.len() == 4;
        assert!(!is_client_verb || help.contains("Example"), "{command} gives no example");
    }
}

const NOUNS: [&str; 11] =
    ["token", "key", "csr", "cert", "issuer", "lineage", "target", "user", "api-key", "job", "support"];

/// The help of a command and of everything below it.
fn collect(command: &[&str], text: &mut String) {
    let help = help(command);
    text.push_str(&format!(
        "\n$ claviger {}--help\n{help}",
        command.iter().map(|word| format!("{word} ")).collect::<String>()
    ));
    let below = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let lines = below.lines().take_while(|line| line.starts_with("  "));
    // Wrapped descriptions are indented further.
    let names =
        lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| *name != "help") {
        collect(&[command, &[name]].concat(), text);
    }
}

fn help(command: &[&str]) -> String {
    let mut run = Command::new(env!("CARGO_BIN_EXE_claviger"));
    // Nothing of whoever runs the tests: neither a width nor variables that options take.
    let output = run.env_clear().env("COLUMNS", "100").args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
