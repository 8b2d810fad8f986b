//! `claviger support check`, as people run it before they send something: files, folders, the standard input, and what
//! Claviger itself leaves on a disk.

#![expect(clippy::unwrap_used, reason = "tests stop at surprises")]

#[path = "common/workshop.rs"]
mod workshop;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use workshop::{claviger, json};

fn check(files: &[&Path]) -> Output {
    claviger().args(["support", "check", "--json"]).args(files).output().unwrap()
}

/// The code of the refusal, and where.
fn refusal(output: &Output) -> (String, String) {
    let answer = json(output);
    assert_eq!((output.status.code(), &answer["accepted"]), (Some(1), &false.into()), "{answer}");
    let finding = &answer["findings"][0];
    let text = |field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    (text("code"), text("where"))
}

#[test]
fn a_folder_is_looked_into_with_all_that_is_in_it() {
    let home = tempfile::tempdir().unwrap();
    let inner = home.path().join("logs/old");
    fs::create_dir_all(&inner).unwrap();
    let empty = check(&[home.path()]);
    assert!(!empty.status.success() && String::from_utf8_lossy(&empty.stderr).contains("no file"));
    fs::write(home.path().join("notes.txt"), "hello").unwrap();
    fs::write(inner.join("more.txt"), "hello").unwrap();
    std::os::unix::fs::symlink(home.path(), inner.join("round")).unwrap();
    let fine = check(&[home.path()]);
    assert_eq!((fine.status.code(), &json(&fine)["files"]), (Some(0), &2.into()));
    fs::write(inner.join("holiday.jpg"), "-----BEGIN EC PRIVATE KEY-----\n").unwrap();
    let found = refusal(&check(&[home.path()]));
    assert_eq!(found, ("support.private_key".to_owned(), "logs/old/holiday.jpg".to_owned()));
}

#[test]
fn the_standard_input_is_looked_into() {
    let run = |input: &[u8]| {
        let mut command = claviger();
        command.args(["support", "check", "--json", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    };
    assert_eq!(run(b"hello").status.code(), Some(0));
    let found = refusal(&run(b"-----BEGIN PRIVATE KEY-----\n"));
    assert_eq!(found, ("support.private_key".to_owned(), "the standard input".to_owned()));
}

#[test]
fn what_a_data_directory_holds_is_not_let_through() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = home.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let key = format!("{}\n", "5e".repeat(32));
    for path in [
        file("instance.key", key.as_bytes()),
        file("copy.txt", key.as_bytes()),
        file("claviger.db", b"SQLite format 3\0 and pages"),
        file("claviger.db-wal", &[0x37, 0x7f, 6, 0x82, 0, 0x2d, 0xe2, 0x18]),
    ] {
        assert_eq!(refusal(&check(&[&path])).0, "support.private_key", "{}", path.display());
    }
}
