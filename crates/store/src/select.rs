//! Lists: a query that filters build up, and pages by the last row that was seen.

use crate::text::storable;
use crate::tx::{Arg, Row};
use crate::{Error, Tx};

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it continues: what the noun's `cursor` said of the last row; none for the first page.
    pub after: Option<String>,
    /// Most rows of it.
    pub limit: u32,
}

impl Page {
    /// The first page.
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }
}

/// A query with its values. Conditions are texts of ours, in which `{}` stands for the value.
pub(crate) struct Select<'a> {
    sql: String,
    args: Vec<Box<dyn Arg + 'a>>,
    joint: &'static str,
}

impl<'a> Select<'a> {
    /// Begins with everything before WHERE.
    pub(crate) fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), args: Vec::new(), joint: " WHERE " }
    }

    /// Adds a condition without a value.
    pub(crate) fn only(&mut self, condition: &str) -> &mut Self {
        self.sql.push_str(self.joint);
        self.sql.push_str(condition);
        self.joint = " AND ";
        self
    }

    /// Adds a condition with one value, which may stand in it several times.
    pub(crate) fn filter(&mut self, condition: &str, value: impl Arg + 'a) -> &mut Self {
        self.args.push(Box::new(value));
        let place = format!("${}", self.args.len());
        self.only(&condition.replace("{}", &place))
    }

    /// The same, if there is a value.
    pub(crate) fn maybe(&mut self, condition: &str, value: Option<impl Arg + 'a>) -> &mut Self {
        match value {
            Some(value) => self.filter(condition, value),
            None => self,
        }
    }

    /// Keeps what has the text in its `search` column, without regard to case.
    pub(crate) fn search(&mut self, condition: &str, text: Option<&str>) -> &mut Self {
        match text.map(str::trim) {
            Some(text) if !text.is_empty() => self.filter(condition, pattern(text)),
            Some(_) | None => self,
        }
    }

    /// Continues after two values, in the order that `comparison` says (`(a, b) > ({1}, {2})`).
    pub(crate) fn after(
        &mut self,
        comparison: &str,
        first: impl Arg + 'a,
        second: impl Arg + 'a,
    ) -> &mut Self {
        self.args.push(Box::new(first));
        self.args.push(Box::new(second));
        let places = [self.args.len() - 1, self.args.len()].map(|place| format!("${place}"));
        self.only(&comparison.replace("{1}", &places[0]).replace("{2}", &places[1]))
    }

    /// Reads the rows in this order.
    pub(crate) fn rows<T>(
        &mut self,
        tx: &Tx<'_>,
        order: &str,
        limit: u32,
        read: impl Fn(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.args.push(Box::new(i64::from(limit)));
        let sql = format!("{} ORDER BY {order} LIMIT ${}", self.sql, self.args.len());
        let args: Vec<&dyn Arg> = self.args.iter().map(|arg| &**arg as &dyn Arg).collect();
        tx.rows(&sql, &args, read)
    }
}

/// The condition for [`Select::search`] where there is one column.
pub(crate) const SEARCH: &str = "search LIKE {} ESCAPE '\\'";

fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// What is searched: the texts in lower case, a line each.
pub(crate) fn searchable(texts: &[&str]) -> String {
    storable(&texts.join("\n").to_lowercase())
}

/// Writes where a list continues. Ids have no colon.
pub(crate) fn cursor(id: &str, sorted_by: impl std::fmt::Display) -> String {
    format!("{id}:{sorted_by}")
}

/// Reads it again: the id, and what the list is sorted by.
pub(crate) fn read_cursor(cursor: &str) -> Result<(&str, &str), Error> {
    cursor.split_once(':').ok_or(Error::Cursor)
}

/// The same for lists that are sorted by a moment.
pub(crate) fn read_time_cursor(cursor: &str) -> Result<(&str, i64), Error> {
    let (id, moment) = read_cursor(cursor)?;
    Ok((id, moment.parse().map_err(|_| Error::Cursor)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_searched_text_is_no_pattern() {
        assert_eq!(pattern("50%_A\\"), "%50\\%\\_a\\\\%");
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        assert!(matches!(read_cursor(&cursor("ab", "x: y")), Ok(("ab", "x: y"))));
        assert!(matches!(read_time_cursor("ab:12"), Ok(("ab", 12))));
        assert!(matches!(read_time_cursor("ab:x"), Err(Error::Cursor)));
        assert!(matches!(read_cursor("ab"), Err(Error::Cursor)));
    }
}
