//! The passphrase of what is encrypted: from a file, else typed by whoever is there.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use pki::format::{KdfBudget, MAX_PASSPHRASES};
use zeroize::Zeroizing;

use crate::cli::secret;
use crate::server::secret_file;

/// How often somebody may type it wrong.
const TRIES: usize = 3;

/// Passphrases for what is read.
pub struct Passphrases {
    /// Those given, then those that were typed: files that come together mostly have the same.
    known: RefCell<Vec<Zeroizing<String>>>,
    may_ask: bool,
}

/// What became of an attempt to open something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is open, or is refused for another reason.
    Settled,
    /// It is encrypted, or something in it is, at this place, and no passphrase fitted.
    Locked(String),
}

impl Opened {
    /// Reads it off the code and the place of a refusal.
    pub fn by(code: &str, place: &str) -> Self {
        match code {
            "pass.needed" | "pass.wrong" => Self::Locked(place.to_owned()),
            _ => Self::Settled,
        }
    }
}

/// What one file may take for deriving keys: as much as it may with one passphrase, and again for each.
pub fn budget(passphrases: &[&str]) -> KdfBudget {
    KdfBudget::times(1 + u32::try_from(passphrases.len()).unwrap_or(u32::MAX))
}

impl Passphrases {
    /// Takes the passphrases in the files that are named. Unlike a new one, each may be empty.
    pub fn new(files: &[PathBuf], may_ask: MayAsk) -> anyhow::Result<Self> {
        if files.len() > MAX_PASSPHRASES {
            bail!("{} passphrases are more than {MAX_PASSPHRASES}", files.len());
        }
        let given = files.iter().map(|file| read_file(file)).collect::<anyhow::Result<_>>()?;
        let may_ask = may_ask == MayAsk::IfSomebodyIsThere && secret::can_ask();
        Ok(Self { known: RefCell::new(given), may_ask })
    }

    /// Tries with none, with those that are known, then with what is typed.
    pub fn open<T>(
        &self,
        name: &str,
        attempt: impl Fn(&[&str]) -> T,
        state: impl Fn(&T) -> Opened,
    ) -> anyhow::Result<T> {
        let open = attempt(&[]);
        let Opened::Locked(place) = state(&open) else { return Ok(open) };
        let known = self.known.borrow().clone();
        if known.is_empty() && !self.may_ask {
            return Ok(open);
        }
        let mut trial = Trial { given: known, result: open, place, is_partly_open: false };
        if !trial.given.is_empty() && trial.again(&attempt, &state) == Outcome::Open {
            return Ok(trial.result);
        }
        let mut left = if self.may_ask { TRIES } else { 0 };
        while left > 0 {
            trial.given.push(secret::ask(&trial.question(name))?);
            match trial.again(&attempt, &state) {
                Outcome::Open => {
                    *self.known.borrow_mut() = trial.given;
                    break;
                }
                Outcome::Further => left = TRIES,
                Outcome::Same => {
                    eprintln!("It does not fit.");
                    left -= 1;
                }
            }
        }
        Ok(trial.result)
    }
}

/// One thing while it is tried.
struct Trial<T> {
    /// What it is tried with.
    given: Vec<Zeroizing<String>>,
    result: T,
    /// What is still locked.
    place: String,
    /// Something in it was opened, and something else is locked.
    is_partly_open: bool,
}

/// What a try has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Open,
    /// What was locked is open, something else is locked.
    Further,
    Same,
}

impl<T> Trial<T> {
    fn again(&mut self, attempt: impl Fn(&[&str]) -> T, state: impl Fn(&T) -> Opened) -> Outcome {
        // The latest matter most.
        let surplus = self.given.len().saturating_sub(MAX_PASSPHRASES);
        self.given.drain(..surplus);
        let given: Vec<&str> = self.given.iter().map(|text| text.as_str()).collect();
        self.result = attempt(&given);
        let Opened::Locked(place) = state(&self.result) else { return Outcome::Open };
        if place == self.place {
            return Outcome::Same;
        }
        self.place = place;
        self.is_partly_open = true;
        Outcome::Further
    }

    fn question(&self, name: &str) -> String {
        match self.is_partly_open {
            false => format!("Passphrase of {name}"),
            true => format!("Passphrase of {name}, {}, which has another one", self.place),
        }
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
        let attempt = |tried: &[&str]| match right {
            Some(right) => tried.iter().find(|one| **one == right).map(|one| (*one).to_owned()),
            None => tried.is_empty().then(|| "nothing".to_owned()),
        };
        let state = |found: &Option<String>| match found {
            Some(_) => Opened::Settled,
            None => Opened::Locked(String::new()),
        };
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

    #[test]
    fn the_next_question_says_what_is_still_locked() {
        let attempt = |tried: &[&str]| tried.len();
        let state = |count: &usize| match count {
            0 => Opened::Locked(String::new()),
            1 => Opened::Locked("entry 2".to_owned()),
            _ => Opened::Settled,
        };
        let mut trial = Trial { given: Vec::new(), result: 0, place: String::new(), is_partly_open: false };
        assert_eq!(trial.question("a.jks"), "Passphrase of a.jks");
        trial.given.push(Zeroizing::new("store".to_owned()));
        assert_eq!(trial.again(attempt, state), Outcome::Further);
        assert_eq!(trial.question("a.jks"), "Passphrase of a.jks, entry 2, which has another one");
        assert_eq!(trial.again(attempt, state), Outcome::Same);
        trial.given.push(Zeroizing::new("key".to_owned()));
        assert_eq!(trial.again(attempt, state), Outcome::Open);
        trial.given.resize_with(20, Default::default);
        trial.again(attempt, state);
        assert_eq!((trial.result, trial.given.len()), (MAX_PASSPHRASES, MAX_PASSPHRASES));
    }
}
