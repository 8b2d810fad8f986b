//! What came with a form, and what was wrong with it: values are kept, errors stand beside their fields and on top.

use app::Error;
use askama::Template;
use askama::filters::HtmlSafe;
use pki::Refusal;

use crate::Problem;
use crate::body::Fields;
use crate::page::FormRefused;
use crate::page::field::Input;
use crate::page::words::sentence;

/// The fields of a form as they were sent, in their order; a name may come more than once. Among them are passwords and
/// PINs: all of it is wiped when it is dropped.
#[derive(Clone, Default)]
pub struct Entered(pub Fields);

impl From<Vec<(String, String)>> for Entered {
    fn from(fields: Vec<(String, String)>) -> Self {
        Self(fields.into())
    }
}

impl Entered {
    /// The first value of this name without blanks around it; empty when there is none.
    pub fn text(&self, name: &str) -> &str {
        self.exact(name).trim()
    }

    /// The first value of this name as it was typed: for passwords, of which blanks are a part.
    pub fn exact(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// All values of this name that are not blank.
    pub fn all(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.trim());
        values.filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }

    /// Whether a box of this name was ticked, or a button of this name pressed.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// The value, unless it is blank.
    pub fn some(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// Fills a field in with what was entered before, if the form was sent; a default stays otherwise.
    pub fn fill(&self, input: Input) -> Input {
        if self.0.is_empty() {
            return input;
        }
        let values: Vec<String> = self
            .0
            .iter()
            .filter(|(key, _)| key == input.name())
            .map(|(_, value)| value.trim().to_owned())
            .collect();
        input.chosen(&values)
    }
}

/// What was wrong with a form. Nothing was stored.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "part/wrong.html")]
pub struct Wrong {
    /// By field.
    fields: Vec<(String, Refusal)>,
    /// About the whole.
    rest: Vec<Refusal>,
    /// Where the repair is: address and words of a button.
    link: Option<(String, String)>,
    /// Whether `app` refused it, and has it in its audit log.
    by_app: bool,
}

impl HtmlSafe for Wrong {}

impl Wrong {
    /// One field.
    pub fn field(name: &str, refusal: Refusal) -> Self {
        Self { fields: vec![(name.to_owned(), refusal)], ..Self::default() }
    }

    /// Several fields.
    pub fn fields(fields: Vec<(String, Refusal)>) -> Self {
        Self { fields, ..Self::default() }
    }

    /// The form as a whole.
    pub fn whole(refusal: Refusal) -> Self {
        Self { rest: vec![refusal], ..Self::default() }
    }

    /// Sorts an error of `app`: what a person can mend in the form becomes `Wrong`, the rest is another page.
    pub fn of(error: Error) -> Result<Self, Problem> {
        Ok(Self { by_app: true, ..Self::sorted(error)? })
    }

    fn sorted(error: Error) -> Result<Self, Problem> {
        match error {
            Error::Invalid(fields) => Ok(Self::fields(fields)),
            Error::Refused(refusal) | Error::Conflict(refusal) => Ok(Self::whole(refusal)),
            Error::Throttled { until, what } => {
                let repair = format!("Wait until {}.", crate::page::when::utc_words(until));
                Ok(Self::whole(Refusal::new("throttled", what, repair)))
            }
            Error::TokenUnavailable { ref token } => {
                let link = Some((format!("/tokens/{token}/log-in"), "Log in".to_owned()));
                let repair = "Log the token in with its PIN, then try again.";
                Ok(Self {
                    link,
                    ..Self::whole(Refusal::new("token_not_available", error.to_string(), repair))
                })
            }
            Error::NotPermitted(_) | Error::NotFound { .. } | Error::Busy | Error::Internal { .. } => {
                Err(error.into())
            }
        }
    }

    /// What the guard is told of it.
    pub(super) fn noted(&self) -> FormRefused {
        let all = self.fields.iter().map(|(_, refusal)| refusal).chain(&self.rest);
        let codes: Vec<&str> = all.map(|refusal| refusal.code).collect();
        let code = match codes.as_slice() {
            [only] => *only,
            [] | [_, _, ..] => "validation_failure",
        };
        FormRefused { code: code.to_owned(), recorded: self.by_app }
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.rest.is_empty()
    }

    /// Adds what else is wrong, for fields of which nothing was said yet.
    #[must_use]
    pub fn and(mut self, more: Vec<(String, Refusal)>) -> Self {
        for (name, refusal) in more {
            if self.about(&name).is_empty() {
                self.fields.push((name, refusal));
            }
        }
        self
    }

    /// Gives the refusals of one field another name: that of the field on this page.
    #[must_use]
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        for (name, _) in &mut self.fields {
            if name == from {
                *name = to.to_owned();
            }
        }
        self
    }

    /// Moves refusals of the whole to the field that they are about, where that can be told.
    #[must_use]
    pub fn placed(mut self, field_of: impl Fn(&Refusal) -> Option<&'static str>) -> Self {
        let (moved, rest): (Vec<_>, Vec<_>) =
            self.rest.drain(..).partition(|refusal| field_of(refusal).is_some());
        let moved =
            moved.into_iter().filter_map(|refusal| field_of(&refusal).map(|name| (name.to_owned(), refusal)));
        self.fields.extend(moved.collect::<Vec<_>>());
        self.rest = rest;
        self
    }

    /// What was wrong with this field, whole sentences.
    pub fn about(&self, name: &str) -> Vec<String> {
        let own = |field: &str| {
            field == name || field.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        self.fields
            .iter()
            .filter(|(field, _)| own(field))
            .map(|(name, refusal)| both(&beside(name, refusal)))
            .collect()
    }

    /// Puts the complaints about it into a field.
    pub fn mark(&self, input: Input) -> Input {
        let wrong = self.about(input.name());
        input.wrong(wrong)
    }

    fn headline(&self) -> String {
        match self.fields.len() {
            0 => self.rest.first().map(what_and_where).unwrap_or_default(),
            1 => "One field needs another look. Nothing has been stored.".to_owned(),
            count => format!("{count} fields need another look. Nothing has been stored."),
        }
    }

    /// Anchor and sentence of each complaint.
    fn lines(&self) -> Vec<(String, String)> {
        let anchor = |name: &str| name.split(['.', '[']).next().unwrap_or(name).to_owned();
        let line =
            |(name, refusal): &(String, Refusal)| (anchor(name), what_and_where(&beside(name, refusal)));
        self.fields.iter().map(line).collect()
    }

    /// What is wrong with the whole, or only what to do where the headline says the rest; each with its code.
    fn others(&self) -> Vec<(String, &'static str)> {
        let is_said = |index: usize| self.fields.is_empty() && index == 0;
        let text = |(index, refusal): (usize, &Refusal)| {
            (if is_said(index) { refusal.repair.clone() } else { both(refusal) }, refusal.code)
        };
        self.rest.iter().enumerate().map(text).collect()
    }

    /// That nothing was stored, where the headline does not say it.
    fn unsaid(&self) -> &'static str {
        // Who may not in had nothing to store.
        let is_about_entry =
            |one: &Refusal| matches!(one.code, "login_failed" | "throttled") || one.code.starts_with("pin_");
        let is_said = !self.fields.is_empty() || self.rest.iter().any(is_about_entry);
        if is_said { "" } else { "Nothing has been stored." }
    }
}

/// A refusal as it stands beside its field: the field, or its short name in a subject, need not be named once more.
fn beside(field: &str, refusal: &Refusal) -> Refusal {
    const LONGEST_SHORT_NAME: usize = 2;
    let is_said = refusal.place == field || refusal.place.len() <= LONGEST_SHORT_NAME;
    if is_said { refusal.clone().at("") } else { refusal.clone() }
}

/// What is wrong, where if that is said, and what to do.
pub fn both(refusal: &Refusal) -> String {
    format!("{} {}", what_and_where(refusal), refusal.repair).trim_end().to_owned()
}

/// What is wrong, and where if that is said.
fn what_and_where(refusal: &Refusal) -> String {
    let (what, place) = (refusal.what.trim_end_matches('.'), crate::page::words::safe(&refusal.place));
    if place.is_empty() || what.contains(&refusal.place) {
        return sentence(what);
    }
    // Two brackets behind each other are hard to read.
    sentence(&if what.ends_with(')') { format!("{place}: {what}") } else { format!("{what} ({place})") })
}

/// A form being drawn: what was entered and what was wrong, put into each field.
#[derive(Clone, Copy)]
pub struct Form<'a> {
    entered: &'a Entered,
    wrong: &'a Wrong,
}

impl<'a> Form<'a> {
    /// Pairs the two.
    pub fn new(entered: &'a Entered, wrong: &'a Wrong) -> Self {
        Self { entered, wrong }
    }

    /// The field with both in it.
    pub fn put(&self, input: Input) -> Input {
        self.wrong.mark(self.entered.fill(input))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_field_keeps_its_value_and_says_why_beside_it_and_on_top() {
        let entered =
            Entered::from(vec![("country".into(), "Finland".into()), ("pin".into(), "hunter2".into())]);
        let refusal = Refusal::new("name.country", "a country has two letters", "Did you mean FI?");
        let wrong = Wrong::field("country", refusal);
        let html = Form::new(&entered, &wrong).put(Input::line("country", "Country")).to_string();
        assert!(
            html.contains(r#"value="Finland""#)
                && html.contains("A country has two letters. Did you mean FI?")
        );
        let top = wrong.to_string();
        assert!(top.contains(r##"href="#f-country""##) && top.contains("Nothing has been stored"), "{top}");
    }

    #[test]
    fn what_is_wrong_with_the_whole_is_the_headline_with_its_place_and_the_repair_below() {
        let refusal =
            Refusal::new("pem.truncated", "a block has no END line", "Copy all of it.").at("a.pem, line 1");
        let top = Wrong::whole(refusal).to_string();
        assert!(top.contains("<strong>A block has no END line (a.pem, line 1).</strong>"), "{top}");
        assert_eq!(top.matches("no END line").count(), 1, "{top}");
        assert!(top.contains("Copy all of it.") && top.contains("Nothing has been stored."), "{top}");
    }

    #[test]
    fn lines_of_a_list_are_marked_at_the_list() {
        let wrong = Wrong::fields(vec![(
            "names[2]".into(),
            Refusal::new("san.syntax", "line 3 is no name", "Mend it."),
        )]);
        assert_eq!(wrong.about("names"), ["Line 3 is no name. Mend it."]);
        assert!(wrong.about("name").is_empty());
    }
}
