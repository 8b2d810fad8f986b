//! Lists by address: what is searched for, how it is sorted, where a page of it begins, and as which file.

use askama::Template;
use askama::filters::HtmlSafe;
use serde::Deserialize;

use crate::page::words::escape;

/// Rows of one page of a list.
pub const PAGE: u32 = 100;
/// Rows of a file: as many as one person could mean.
pub const FILE: u32 = 20_000;

/// What stands after `?`. Everything is optional; what a list does not know is ignored.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Asked {
    /// Words to look for.
    #[serde(default)]
    pub q: String,
    /// The column to sort by.
    #[serde(default)]
    pub sort: String,
    /// Only rows in this state, where a list has states.
    #[serde(default)]
    pub state: String,
    /// Where the page begins.
    #[serde(default)]
    pub after: String,
    /// `csv` or `json` for a file.
    #[serde(default)]
    pub format: String,
}

impl Asked {
    /// The words, unless there are none.
    pub fn words(&self) -> Option<String> {
        Some(self.q.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// Where to begin and how much: one row more than is shown, to know whether more follows.
    pub fn page(&self) -> app::Page {
        let after = Some(self.after.clone()).filter(|after| !after.is_empty() && self.format.is_empty());
        app::Page { after, limit: if self.is_file() { FILE } else { PAGE + 1 } }
    }

    /// Whether a file is asked for.
    pub fn is_file(&self) -> bool {
        matches!(self.format.as_str(), "csv" | "json")
    }

    /// The same list with another beginning and format.
    pub fn address(&self, path: &str, after: &str, format: &str) -> String {
        let parts = [
            ("q", self.q.trim()),
            ("state", &self.state),
            ("sort", &self.sort),
            ("after", after),
            ("format", format),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", escape(value)))
            .collect();
        if parts.is_empty() { path.to_owned() } else { format!("{path}?{}", parts.join("&")) }
    }
}

/// The search field above a list, and the links below it.
#[derive(Clone, Debug, Template)]
#[template(path = "part/list.html")]
pub struct List {
    path: &'static str,
    asked: Asked,
    next: Option<String>,
    sorts: &'static [(&'static str, &'static str)],
    states: &'static [(&'static str, &'static str)],
    form: Option<&'static str>,
}

impl HtmlSafe for List {}

impl List {
    /// The controls of a list at `path`.
    pub fn new(path: &'static str, asked: &Asked) -> Self {
        Self { path, asked: asked.clone(), next: None, sorts: &[], states: &[], form: None }
    }

    /// The columns that it can be sorted by: name in the address and words; the first is the default.
    #[must_use]
    pub fn sorts(self, sorts: &'static [(&'static str, &'static str)]) -> Self {
        Self { sorts, ..self }
    }

    /// The states that it can be narrowed to.
    #[must_use]
    pub fn states(self, states: &'static [(&'static str, &'static str)]) -> Self {
        Self { states, ..self }
    }

    /// The controls belong to the form with this id and send it along, with what is ticked in it: the field `go` holds
    /// the address that is wanted, or `show` for what stands in the fields.
    #[must_use]
    pub fn within(self, form: &'static str) -> Self {
        Self { form: Some(form), ..self }
    }

    /// Cuts the row that only shows that more follows, and remembers where the next page begins.
    pub fn cut<T>(&mut self, rows: &mut Vec<T>, cursor: impl Fn(&T) -> String) {
        let most = PAGE as usize;
        if !self.asked.is_file() && rows.len() > most {
            rows.truncate(most);
            self.next = rows.last().map(cursor);
        }
    }

    /// The same for rows that are all at hand: those of this page, after the one where the page before ended.
    pub fn window<'r, T>(&mut self, rows: &'r [T], cursor: impl Fn(&T) -> String) -> &'r [T] {
        let after = &self.asked.after;
        let before = rows.iter().position(|row| !after.is_empty() && cursor(row) == *after);
        let rows = rows.get(before.map_or(0, |at| at + 1)..).unwrap_or_default();
        let page = rows.get(..PAGE as usize).unwrap_or(rows);
        self.next = page.last().filter(|_| page.len() < rows.len()).map(cursor);
        page
    }

    fn following(&self) -> Option<String> {
        self.next.as_ref().map(|next| self.asked.address(self.path, next, ""))
    }

    fn first(&self) -> Option<String> {
        (!self.asked.after.is_empty()).then(|| self.asked.address(self.path, "", ""))
    }

    fn file(&self, format: &str) -> String {
        self.asked.address(self.path, "", format)
    }

    /// Whether somebody looked for something.
    pub fn is_narrowed(&self) -> bool {
        self.asked.words().is_some() || !self.asked.state.is_empty()
    }
}

/// Whether any of the texts holds the words, without regard to case.
pub fn matches(words: Option<&str>, texts: &[&str]) -> bool {
    let Some(words) = words.map(str::to_lowercase) else { return true };
    texts.iter().any(|text| text.to_lowercase().contains(&words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_where_the_next_begins() {
        let asked = Asked { q: "a&b=c".into(), ..Asked::default() };
        let mut list = List::new("/csrs", &asked);
        let mut rows: Vec<u32> = (0..=PAGE).collect();
        list.cut(&mut rows, u32::to_string);
        assert_eq!(rows.len(), PAGE as usize);
        assert_eq!(list.following().as_deref(), Some("/csrs?q=a%26b%3Dc&after=99"));
        let many: Vec<u32> = (0..=PAGE).collect();
        let mut list = List::new("/users", &Asked::default());
        assert_eq!(list.window(&many, u32::to_string).len(), PAGE as usize);
        assert_eq!(list.following().as_deref(), Some("/users?after=99"));
        let mut list = List::new("/users", &Asked { after: "99".into(), ..Asked::default() });
        assert_eq!(list.window(&many, u32::to_string), [PAGE]);
        assert_eq!((list.following(), list.first().as_deref()), (None, Some("/users")));
        let mut few = vec![1, 2];
        let mut list = List::new("/csrs", &asked);
        list.cut(&mut few, u32::to_string);
        assert_eq!(list.following(), None);
    }
}
