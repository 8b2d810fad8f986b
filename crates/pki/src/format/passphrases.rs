//! The passphrases that a file is tried with: what is encrypted in it may need several, as the key in a Java key store.
//!
//! Each encrypted thing is tried with the one that opened the last thing first, then with the others in their order. The
//! first try is charged with the file, each further one before it is made.

use super::kdf::{self, Cost};
use super::pbe::{self, Form, Passphrase};
use super::{MAX_PASSPHRASE, Reading};
use crate::Refusal;

/// Passphrases that a file is tried with, at most.
pub const MAX_PASSPHRASES: usize = 10;

/// What was typed, each once.
pub(super) struct Passphrases<'a> {
    texts: Vec<&'a str>,
    /// What opened the last thing; it may also be the empty one, which nobody typed.
    last: Option<Candidate<'a>>,
}

/// One passphrase in one of its forms.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Candidate<'a> {
    text: &'a str,
    form: Form,
}

/// Which forms of a passphrase may open a thing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Forms {
    /// There is only one.
    Usual,
    /// Every form of each.
    Every,
    /// Every form of each, and of the empty one: PKCS#12 that has no passphrase is under that.
    EveryAndEmpty,
}

/// A thing that is encrypted.
pub(super) struct Lock {
    pub(super) forms: Forms,
    /// What a try costs that has the weight one.
    pub(super) cost: Cost,
    /// How often a try with this passphrase costs that.
    pub(super) weight: fn(&Passphrase<'_>) -> u64,
    /// The weight of a first try that was charged already.
    pub(super) charged: u64,
}

impl Lock {
    /// Every try costs the same, and the first was charged.
    pub(super) fn charged(forms: Forms, cost: Cost) -> Self {
        Self { forms, cost, weight: |_| 1, charged: 1 }
    }

    /// Tries cost nothing that would be worth counting.
    pub(super) fn free() -> Self {
        Self::charged(Forms::Usual, Cost::Iterations(0))
    }
}

impl<'a> Passphrases<'a> {
    /// Refuses `limit.kdf_cost`: there are too many; `input.too_large`: one is no passphrase.
    pub(super) fn new(given: &[&'a str]) -> Result<Self, Refusal> {
        if given.len() > MAX_PASSPHRASES {
            let what = format!("{} passphrases are more than {MAX_PASSPHRASES}", given.len());
            return Err(Refusal::new("limit.kdf_cost", what, "Give those that the file needs."));
        }
        if given.iter().any(|text| text.len() > MAX_PASSPHRASE) {
            let what = format!("the passphrase is longer than {MAX_PASSPHRASE} bytes");
            return Err(Refusal::new(
                "input.too_large",
                what,
                "Look whether a file was pasted in its place.",
            ));
        }
        let mut texts: Vec<&str> = Vec::with_capacity(given.len());
        for text in given {
            if !texts.contains(text) {
                texts.push(text);
            }
        }
        Ok(Self { texts, last: None })
    }

    /// What is tried, in this order, each once.
    fn candidates(&self, forms: Forms) -> Vec<Candidate<'a>> {
        let usual = |text: &&'a str| Candidate { text, form: Form::Usual };
        let unusual = |text: &&'a str| Candidate { text, form: Form::Unusual };
        let last = self.last.map(|last| if forms == Forms::Usual { usual(&last.text) } else { last });
        let odd = self.texts.iter().map(unusual).filter(|_| forms != Forms::Usual);
        let empty = [usual(&""), unusual(&"")].into_iter().filter(|_| forms == Forms::EveryAndEmpty);
        let mut candidates = Vec::new();
        for one in last.into_iter().chain(self.texts.iter().map(usual)).chain(odd).chain(empty) {
            if !candidates.contains(&one) {
                candidates.push(one);
            }
        }
        candidates
    }

    /// Whether somebody typed just this.
    fn is_typed(&self, candidate: Candidate<'_>) -> bool {
        candidate.form == Form::Usual && self.texts.contains(&candidate.text)
    }
}

impl Reading<'_> {
    /// Tries passphrase after passphrase; `None`: none fits. `attempt` refuses `pass.wrong` where one does not.
    ///
    /// Refuses as `attempt` does, and `limit.kdf_cost`: not all that were typed could be tried.
    pub(super) fn open<T>(
        &mut self,
        lock: &Lock,
        mut attempt: impl FnMut(&Passphrase<'_>) -> Result<T, Refusal>,
    ) -> Result<Option<T>, Refusal> {
        let mut charged = Some(lock.charged);
        for candidate in self.passphrases.candidates(lock.forms) {
            let Some(passphrase) = Passphrase::in_form(candidate.text, candidate.form) else { continue };
            let weight = (lock.weight)(&passphrase);
            let paid = match charged.take() {
                Some(charged) => self.budget.charge(lock.cost.times(weight.saturating_sub(charged))),
                None => self.charge_further(lock.cost.times(weight)),
            };
            match paid {
                Ok(()) => {}
                Err(refusal) if self.passphrases.is_typed(candidate) => return Err(refusal),
                // What hardly ever fits is not worth a refusal of its own.
                Err(_) => return Ok(None),
            }
            match attempt(&passphrase) {
                Ok(opened) => {
                    self.passphrases.last = Some(candidate);
                    return Ok(Some(opened));
                }
                Err(refusal) if refusal.code == pbe::WRONG => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(None)
    }

    /// Whether no passphrase was given.
    pub(super) fn has_no_passphrase(&self) -> bool {
        self.passphrases.texts.is_empty()
    }

    /// Why what no passphrase fits stays closed; `what` says that it is encrypted.
    pub(super) fn closed(&self, what: &str) -> Refusal {
        if self.has_no_passphrase() {
            return pbe::passphrase_needed(what);
        }
        if self.passphrases.last.is_none() {
            return pbe::wrong_passphrase();
        }
        pbe::another_passphrase("what was given opens something else in the file, but not this")
    }

    /// Pays a try after the first: of what the other passphrases brought along, then of what the file leaves.
    fn charge_further(&mut self, cost: Cost) -> Result<(), Refusal> {
        let paid = self.further.charge(cost).or_else(|_| self.budget.charge(cost));
        paid.map_err(|_| kdf::too_many_tries())
    }
}

#[cfg(test)]
mod tests;
