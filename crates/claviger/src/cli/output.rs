//! Writing to standard output. What people and programs read goes there; what went wrong goes to standard error.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes one line and flushes it, so that whoever reads a pipe has it at once.
pub fn line(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Writes a value as one line of JSON.
pub fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    Ok(line(serde_json::to_string(value)?)?)
}

/// Writes a text as it is, at once.
pub fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says on standard error why a command line makes no sense; the code is clap's for that.
pub fn wrong_usage(error: &anyhow::Error) -> std::process::ExitCode {
    eprintln!("claviger: {error:#}");
    std::process::ExitCode::from(2)
}
