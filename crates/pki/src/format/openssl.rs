//! Runs `openssl`, which judges from outside what the formats read.

#![expect(clippy::disallowed_types, reason = "a test asks another implementation")]

use std::io::Write;
use std::process::{Command, Stdio};

/// What `openssl` prints for this input; old ciphers included.
pub(super) fn openssl(command: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .arg(command)
        .args(["-provider", "legacy", "-provider", "default"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {command} {arguments:?}: {complaint}");
    output.stdout
}
