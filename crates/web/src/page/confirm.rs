//! The page before something that cannot be taken back: it says what is lost and asks for the name.

use askama::Template;
use pki::Refusal;

use crate::page::{Entered, Frame, Page, Wrong, render, render_refused};

/// A question before an action.
#[derive(Template)]
#[template(path = "confirm.html")]
pub struct Confirm {
    frame: Frame,
    /// What is lost, whole sentences.
    lost: Vec<String>,
    /// What has to be typed; nothing has to when the action can be taken back.
    word: String,
    /// Where the form goes.
    action: String,
    /// The words of the button.
    verb: &'static str,
    /// Where "Back" leads.
    back: String,
    hidden: Vec<(&'static str, String)>,
    wrong: Wrong,
}

crate::page::refusing!(Confirm);

impl Confirm {
    /// A question; the form goes to `action`.
    pub fn new(frame: Frame, verb: &'static str, action: impl Into<String>) -> Self {
        Self {
            frame,
            lost: Vec::new(),
            word: String::new(),
            action: action.into(),
            verb,
            back: "/".to_owned(),
            hidden: Vec::new(),
            wrong: Wrong::default(),
        }
    }

    /// Says one thing that is lost.
    #[must_use]
    pub fn loses(mut self, what: impl Into<String>) -> Self {
        self.lost.push(what.into());
        self
    }

    /// Asks for this word.
    #[must_use]
    pub fn asks_for(mut self, word: impl Into<String>) -> Self {
        self.word = word.into();
        self
    }

    /// Where "Back" leads.
    #[must_use]
    pub fn back(mut self, address: impl Into<String>) -> Self {
        self.back = address.into();
        self
    }

    /// A value that the form carries along.
    #[must_use]
    pub fn carries(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.hidden.push((name, value.into()));
        self
    }

    /// Shows the question.
    pub fn show(&self) -> Page {
        render(self)
    }

    /// Whether what was typed is the word; none when it is, else the question again with what was wrong.
    pub fn check(mut self, entered: &Entered) -> Option<Page> {
        if entered.text("confirm") == self.word {
            return None;
        }
        let repair = format!("Type {} to go on.", self.word);
        self.wrong = Wrong::field("confirm", Refusal::new("confirm.name", "that is not the name", repair));
        Some(render_refused(&self))
    }

    /// The question again, with a refusal.
    pub fn refused(mut self, error: app::Error) -> Page {
        self.wrong = Wrong::of(error)?;
        render_refused(&self)
    }
}
