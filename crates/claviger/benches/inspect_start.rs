//! CPU of `inspect` with one PEM, the start of the program included.
//!
//! `cargo bench --package claviger --bench inspect_start [-- COUNT]`. Run by hand; the goal is under 10 ms.

#![expect(clippy::print_stdout, reason = "it prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on may end")]

use std::path::Path;
use std::process::{Command, Stdio};

/// Clock ticks in a second, as every Linux has it for `/proc`.
const TICKS: f64 = 100.0;

fn main() {
    let count = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(500);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.pem");
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
    openssl.args(["-days", "30", "-subj", "/CN=shop.example", "-keyout", "/dev/null", "-out"]).arg(&path);
    assert!(openssl.stderr(Stdio::null()).status().unwrap().success());
    for (name, arguments) in
        [("--version", vec!["--version"]), ("inspect", vec!["inspect", path.to_str().unwrap()])]
    {
        println!("{name:<10} {:.2} ms of CPU, mean of {count}", mean(&arguments, count, folder.path()));
    }
}

/// Milliseconds of CPU, user and system, of all children of this process, over their number.
fn mean(arguments: &[&str], count: u32, folder: &Path) -> f64 {
    let before = children();
    for _ in 0..count {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
        command.args(arguments).current_dir(folder).stdout(Stdio::null());
        assert!(command.status().unwrap().success());
    }
    (children() - before) / TICKS * 1_000.0 / f64::from(count)
}

/// Ticks of the children that have ended: the 16th and 17th field, counted behind the name in parentheses.
fn children() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[13].parse::<f64>().unwrap() + fields[14].parse::<f64>().unwrap()
}
