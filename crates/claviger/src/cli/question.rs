//! Questions to a person on the terminal. They go to standard error, so that standard output stays the answer's.

use std::io::{self, Write};

use anyhow::Context;

/// Asks for a line; empty when the person only presses Enter, or has gone.
pub fn line(prompt: &str) -> anyhow::Result<String> {
    let mut err = io::stderr().lock();
    write!(err, "{prompt}: ").and_then(|()| err.flush()).context("cannot ask on the terminal")?;
    let mut typed = String::new();
    io::stdin().read_line(&mut typed).context("cannot read from the terminal")?;
    Ok(typed.trim().to_owned())
}

/// Asks for a yes; anything else is a no.
pub fn is_yes(prompt: &str) -> anyhow::Result<bool> {
    let answer = line(&format!("{prompt} [yes/no]"))?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}
