//! The passphrase of what is encrypted: from a file, else typed by whoever is there.

use std::cell::RefCell;
use std::path::Path;

use anyhow::Context;
use zeroize::Zeroizing;

use crate::cli::secret;
use crate::server::secret_file;

/// How often somebody may type it wrong.
const TRIES: usize = 3;

/// Passphrases for what is read.
pub struct Passphrases {
    /// The one given, then those that were typed: files that come together mostly have the same.
    known: RefCell<Vec<Zeroizing<String>>>,
    may_ask: bool,
}

/// What became of an attempt to open something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is open, or is refused for another reason.
    Settled,
    /// It is encrypted, and no passphrase fitted.
    Locked,
}

impl Opened {
    /// Reads it off the code of a refusal.
    pub fn by(code: Option<&str>) -> Self {
        match code {
            Some("pass.needed" | "pass.wrong") => Self::Locked,
            Some(_) | None => Self::Settled,
        }
    }
}

impl Passphrases {
    /// Takes the passphrase in the file, if one is named. Unlike a new one, it may be empty.
    pub fn new(file: Option<&Path>, may_ask: MayAsk) -> anyhow::Result<Self> {
        let given = file.map(read_file).transpose()?;
        let may_ask = may_ask == MayAsk::IfSomebodyIsThere && secret::can_ask();
        Ok(Self { known: RefCell::new(given.into_iter().collect()), may_ask })
    }

    /// Tries with none, or with each that is known, then with what is typed.
    pub fn open<T>(
        &self,
        name: &str,
        attempt: impl Fn(Option<&str>) -> T,
        state: impl Fn(&T) -> Opened,
    ) -> anyhow::Result<T> {
        let mut result = None;
        for passphrase in self.known.borrow().iter() {
            let tried = attempt(Some(passphrase));
            if state(&tried) == Opened::Settled {
                return Ok(tried);
            }
            result = Some(tried);
        }
        // What needs none, or the empty one, may lie beside what needs one.
        let open = attempt(None);
        let mut result = match result {
            Some(locked) if state(&open) == Opened::Locked => locked,
            Some(_) | None => open,
        };
        for _ in 0..TRIES {
            if !self.may_ask || state(&result) == Opened::Settled {
                break;
            }
            let typed = secret::ask(&format!("Passphrase of {name}"))?;
            result = attempt(Some(&typed));
            if state(&result) == Opened::Settled {
                self.known.borrow_mut().push(typed);
                break;
            }
            eprintln!("It does not fit.");
        }
        Ok(result)
    }
}

/// Whether a person may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayAsk {
    /// On a terminal.
    IfSomebodyIsThere,
    /// A program reads the answer.
    Never,
}

fn read_file(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let read = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = Zeroizing::new(read);
    let line = text.strip_prefix(secret_file::MARK).unwrap_or(&text);
    let line = line.strip_suffix('\n').unwrap_or(line);
    Ok(Zeroizing::new(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(known: &[&str]) -> Passphrases {
        let known = known.iter().map(|one| Zeroizing::new((*one).to_owned())).collect();
        Passphrases { known: RefCell::new(known), may_ask: false }
    }

    fn opened_by(known: &[&str], right: Option<&str>) -> Option<String> {
        let attempt = |tried: Option<&str>| (tried == right).then(|| tried.unwrap_or("nothing").to_owned());
        let state = |found: &Option<String>| found.as_ref().map_or(Opened::Locked, |_| Opened::Settled);
        with(known).open("x", attempt, state).unwrap()
    }

    #[test]
    fn each_known_one_is_tried_and_an_empty_one_is_one() {
        assert_eq!(opened_by(&["a", "b"], Some("b")).as_deref(), Some("b"));
        assert_eq!(opened_by(&[""], Some("")).as_deref(), Some(""));
        assert_eq!(opened_by(&[], None).as_deref(), Some("nothing"));
        assert_eq!(opened_by(&["a"], None).as_deref(), Some("nothing"));
        assert_eq!(opened_by(&["a"], Some("b")), None);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pass");
        for (written, read) in
            [("a b\r\n", "a b"), ("\n", ""), ("", ""), ("x\n\n", "x\n"), ("\u{feff}a\r\n", "a")]
        {
            std::fs::write(&path, written).unwrap();
            assert_eq!(read_file(&path).unwrap().as_str(), read);
        }
    }
}
