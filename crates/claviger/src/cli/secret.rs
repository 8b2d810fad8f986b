//! Passwords, PINs and passphrases: from a file or typed on a terminal, never from the command line, which every user
//! of the machine can read.

use std::io::{self, IsTerminal};
use std::path::Path;

use anyhow::{Context, bail};
use zeroize::Zeroizing;

/// Reads a secret that stands alone in a file.
pub fn read_file(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    crate::server::secret_file::read_line(path)
}

/// Whether somebody is there to ask.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks once, without showing what is typed.
pub fn ask(prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    let typed = rpassword::prompt_password(format!("{prompt}: ")).context("cannot ask on the terminal")?;
    Ok(Zeroizing::new(typed))
}

/// The secret in the file, or what somebody types; `option` is how a program gives the file.
pub fn wanted(file: Option<&Path>, prompt: &str, option: &str) -> anyhow::Result<Zeroizing<String>> {
    match file {
        Some(path) => read_file(path),
        None if can_ask() => ask(prompt),
        None => bail!("there is no terminal to ask on; give {option} FILE"),
    }
}

/// The same for a secret that is new: typed twice, and not empty.
pub fn chosen(file: Option<&Path>, prompt: &str, option: &str) -> anyhow::Result<Zeroizing<String>> {
    let first = wanted(file, prompt, option)?;
    if first.is_empty() {
        bail!("it must not be empty");
    }
    if first.contains(char::is_control) {
        bail!("it must be one line, of characters that can be typed");
    }
    if file.is_none() && *ask("The same again")? != *first {
        bail!("the two are not the same");
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_gives_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pin");
        std::fs::write(&path, "Secret 1234\n").unwrap();
        assert_eq!(chosen(Some(&path), "PIN", "--pin-file").unwrap().as_str(), "Secret 1234");
        for bad in ["", "a\nb", "a\0b"] {
            std::fs::write(&path, bad).unwrap();
            assert!(chosen(Some(&path), "PIN", "--pin-file").is_err(), "{bad:?}");
        }
    }
}
