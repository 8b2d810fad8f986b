//! A page that is one form with one card.

use askama::Template;

use crate::page::form::Form;
use crate::page::{Entered, Frame, Input, Page, Wrong, render, render_refused};

/// A form on a page of its own.
#[derive(Template)]
#[template(path = "simple.html")]
pub struct Simple {
    frame: Frame,
    words: String,
    heading: String,
    action: String,
    verb: &'static str,
    back: String,
    inputs: Vec<Input>,
    wrong: Wrong,
}

crate::page::refusing!(Simple);

impl Simple {
    /// A form that goes to `action`; `heading` names what it is about.
    pub fn new(frame: Frame, heading: impl Into<String>, action: impl Into<String>) -> Self {
        Self {
            frame,
            words: String::new(),
            heading: heading.into(),
            action: action.into(),
            verb: "Save",
            back: "/".to_owned(),
            inputs: Vec::new(),
            wrong: Wrong::default(),
        }
    }

    /// The line under the title.
    #[must_use]
    pub fn words(self, words: impl Into<String>) -> Self {
        Self { words: words.into(), ..self }
    }

    /// The words of the button.
    #[must_use]
    pub fn verb(self, verb: &'static str) -> Self {
        Self { verb, ..self }
    }

    /// Where "Back" leads.
    #[must_use]
    pub fn back(self, back: impl Into<String>) -> Self {
        Self { back: back.into(), ..self }
    }

    /// One field more.
    #[must_use]
    pub fn input(mut self, input: Input) -> Self {
        self.inputs.push(input);
        self
    }

    /// Fills the fields in with what is there.
    #[must_use]
    pub fn filled(mut self, entered: &Entered) -> Self {
        self.inputs = self.inputs.drain(..).map(|input| entered.fill(input)).collect();
        self
    }

    /// Shows the form.
    pub fn show(&self) -> Page {
        render(self)
    }

    /// Shows it again with what was wrong; what was entered is kept, but for secrets.
    pub fn refused(mut self, entered: &Entered, error: app::Error) -> Page {
        let wrong = Wrong::of(error)?;
        self.again(entered, wrong)
    }

    /// The same for what a page finds wrong by itself.
    pub fn again(&mut self, entered: &Entered, wrong: Wrong) -> Page {
        let form = Form::new(entered, &wrong);
        self.inputs = self.inputs.drain(..).map(|input| form.put(input)).collect();
        self.wrong = wrong;
        render_refused(self)
    }
}
