//! What is wrong with single parts of a file, which can be told apart from the others.

use super::{Contents, MAX_KEYS, is_of_whole_file};
use crate::Refusal;

/// Refused parts after which no more are read. As many as there may be private keys: a refused one may have cost as much.
const MAX_FAULTS: usize = MAX_KEYS;

/// The faults so far. One refuses the file; the other parts are read all the same, so that who looks at the file sees
/// all of it at once.
#[derive(Default)]
pub(super) struct Faults(Vec<Refusal>);

impl Faults {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Goes on after a fault. Refuses what counts for the whole file, and too many faults: then nothing more is read.
    pub(super) fn note(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        let is_enough = is_of_whole_file(&refusal) || self.0.len() == MAX_FAULTS;
        self.0.push(refusal);
        // What was wrong first is the first thing to say.
        if is_enough { Err(self.0.swap_remove(0)) } else { Ok(()) }
    }

    /// Ends a file that was looked through to its end. Refuses its first fault.
    pub(super) fn settle(self, contents: &mut Contents) -> Result<(), Refusal> {
        let mut refusals = self.0.into_iter();
        let Some(first) = refusals.next() else { return Ok(()) };
        contents.more_refusals.extend(refusals);
        contents.is_looked_through = true;
        Err(first)
    }
}
