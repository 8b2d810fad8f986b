//! One field of a form: label, control, hint and what was wrong with it, tied together for screen readers.

use askama::Template;
use askama::filters::HtmlSafe;
use domain::connector::{Field, FieldKind, Need, Secrecy};

use crate::page::words::{listed, safe};

/// What somebody can choose.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub label: String,
    /// Whether it is chosen now.
    pub chosen: bool,
}

/// The kind of control.
#[derive(Clone, Debug)]
pub enum Control {
    /// One line; the text is the `type` of the input.
    Line(&'static str),
    /// Several lines.
    Area(u8),
    /// One of several, in a list that opens.
    Select(Vec<Choice>),
    /// One of several, all seen.
    Radios(Vec<Choice>),
    /// Any of several.
    Checks(Vec<Choice>),
    /// Yes or no.
    Check,
    /// One or more files.
    Files,
}

/// A field as it is drawn.
#[derive(Clone, Debug, Template)]
#[template(path = "part/field.html")]
pub struct Input {
    name: String,
    label: String,
    control: Control,
    value: String,
    hint: String,
    wrong: Vec<String>,
    needed: bool,
    complete: &'static str,
    extra: Vec<(&'static str, String)>,
}

impl HtmlSafe for Input {}

impl Input {
    /// A field with nothing in it.
    pub fn new(name: &str, label: &str, control: Control) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            control,
            value: String::new(),
            hint: String::new(),
            wrong: Vec::new(),
            needed: false,
            complete: "off",
            extra: Vec::new(),
        }
    }

    /// One line of text.
    pub fn line(name: &str, label: &str) -> Self {
        Self::new(name, label, Control::Line("text"))
    }

    /// A password, PIN or passphrase: what was entered is never filled in again.
    pub fn secret(name: &str, label: &str) -> Self {
        Self::new(name, label, Control::Line("password")).complete("new-password")
    }

    /// One of several.
    pub fn select(name: &str, label: &str, choices: Vec<Choice>) -> Self {
        Self::new(name, label, Control::Select(choices))
    }

    /// The hint beside it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// It must be filled in.
    #[must_use]
    pub fn needed(mut self) -> Self {
        self.needed = true;
        self
    }

    /// What the browser may fill in (HTML's `autocomplete`).
    #[must_use]
    pub fn complete(mut self, complete: &'static str) -> Self {
        self.complete = complete;
        self
    }

    /// One attribute more, for the script.
    #[must_use]
    pub fn with(mut self, attribute: &'static str, value: impl Into<String>) -> Self {
        self.extra.push((attribute, value.into()));
        self
    }

    /// What stands in it. Secrets stay empty.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        if !matches!(self.control, Control::Line("password") | Control::Files) {
            self.value = value.into();
        }
        self
    }

    /// The values that are chosen, for controls with choices; others take the first as their text.
    #[must_use]
    pub fn chosen(mut self, values: &[String]) -> Self {
        match &mut self.control {
            Control::Select(choices) | Control::Radios(choices) | Control::Checks(choices) => {
                for choice in choices {
                    choice.chosen = values.contains(&choice.value);
                }
                self
            }
            Control::Line(_) | Control::Area(_) | Control::Check | Control::Files => {
                self.value(values.first().cloned().unwrap_or_default())
            }
        }
    }

    /// What was wrong with it, whole sentences.
    #[must_use]
    pub fn wrong(mut self, wrong: Vec<String>) -> Self {
        self.wrong = wrong;
        self
    }

    /// Says beside it what is stored now, where somebody else was faster. Secrets and files are not told.
    #[must_use]
    pub fn stored(mut self, values: &[String]) -> Self {
        let shown: Vec<String> = match &self.control {
            Control::Select(choices) | Control::Radios(choices) | Control::Checks(choices) => {
                let label = |value: &String| choices.iter().find(|choice| choice.value == *value);
                values
                    .iter()
                    .map(|value| label(value).map_or_else(|| safe(value), |it| it.label.clone()))
                    .collect()
            }
            Control::Check => vec![if values.is_empty() { "no" } else { "yes" }.to_owned()],
            Control::Line("password") | Control::Files => return self,
            Control::Line(_) | Control::Area(_) => values.iter().map(|value| safe(value)).collect(),
        };
        self.wrong.push(format!("Stored now: {}.", listed(&shown)));
        self
    }

    /// Its name, as the form sends it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ids of hint and complaint, for `aria-describedby`.
    fn described(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("f-{}-hint", self.name));
        let wrong = (!self.wrong.is_empty()).then(|| format!("f-{}-wrong", self.name));
        wrong.into_iter().chain(hint).collect::<Vec<_>>().join(" ")
    }
}

/// The field for a connector's own setting; `prefix` keeps its name apart from ours.
pub fn of_setting(field: &Field, prefix: &str) -> Input {
    let name = format!("{prefix}{}", field.name);
    let input = match field.kind {
        FieldKind::Choice(names) => Input::select(&name, field.label, choices(names, field.need)),
        FieldKind::Flag => Input::select(&name, field.label, yes_or_no()),
        FieldKind::AddressList => Input::new(&name, field.label, Control::Area(3)),
        FieldKind::Number => Input::line(&name, field.label).with("inputmode", "numeric"),
        FieldKind::Text | FieldKind::Path | FieldKind::Address => match field.secrecy {
            Secrecy::Plain => Input::line(&name, field.label),
            Secrecy::Secret => Input::secret(&name, field.label),
        },
    };
    let input = input.hint(field.help).chosen(&[field.default.unwrap_or_default().to_owned()]);
    match (field.need, field.default) {
        (Need::Required, None) => input.needed(),
        (Need::Required, Some(_)) | (Need::Optional, _) => input,
    }
}

fn choices(names: &[&str], need: Need) -> Vec<Choice> {
    let none = (need == Need::Optional).then(|| choice("", "not set"));
    none.into_iter().chain(names.iter().map(|name| choice(*name, *name))).collect()
}

fn yes_or_no() -> Vec<Choice> {
    vec![choice("", "not set"), choice("true", "yes"), choice("false", "no")]
}

/// A choice that is not chosen.
pub fn choice(value: impl Into<String>, label: impl Into<String>) -> Choice {
    Choice { value: value.into(), label: label.into(), chosen: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_filled_in_again() {
        let html = Input::secret("pin", "PIN").value("hunter2").chosen(&["hunter2".into()]).to_string();
        assert!(html.contains(r#"type="password""#) && !html.contains("hunter2"), "{html}");
    }

    #[test]
    fn label_hint_and_complaint_belong_to_the_control() {
        let html =
            Input::line("c", "Country").hint("Two letters.").wrong(vec!["Too <long>.".into()]).to_string();
        for part in [r#"<label for="f-c">"#, r#"id="f-c""#, r#"aria-describedby="f-c-wrong f-c-hint""#] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(html.contains(r#"aria-invalid="true""#) && !html.contains("<long>"), "{html}");
    }

    #[test]
    fn what_is_stored_now_stands_beside_what_was_typed() {
        let stored = |input: Input, values: &[&str]| {
            let values: Vec<String> = values.iter().map(|&value| value.to_owned()).collect();
            input.stored(&values).to_string()
        };
        let line = stored(Input::line("b", "Behind").value("mine"), &["<theirs>"]);
        assert!(line.contains(r#"value="mine""#) && line.contains("Stored now: &#60;theirs&#62;."), "{line}");
        let choices = || vec![choice("edge", "This edge"), choice("n", "nginx")];
        let checks = stored(Input::new("t", "Targets", Control::Checks(choices())), &["edge", "gone"]);
        assert!(checks.contains("Stored now: This edge and gone."), "{checks}");
        let none = stored(Input::new("t", "Targets", Control::Checks(choices())), &[]);
        assert!(none.contains("Stored now: nothing."), "{none}");
        let check = stored(Input::new("p", "PROXY", Control::Check), &["yes"]);
        assert!(check.contains("Stored now: yes."), "{check}");
        assert!(!stored(Input::secret("s", "PIN"), &["hunter2"]).contains("hunter2"));
    }

    #[test]
    fn a_connectors_setting_becomes_a_field() {
        let field = Field::required("mode", FieldKind::Choice(&["one", "two"]), ("Mode", "How.")).or("two");
        let html = of_setting(&field, "set-").to_string();
        assert!(
            html.contains(r#"name="set-mode""#) && html.contains(r#"<option value="two" selected>"#),
            "{html}"
        );
    }
}
