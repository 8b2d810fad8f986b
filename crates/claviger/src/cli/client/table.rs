//! Tables for people. Every text passes through `pki`'s inert form: nothing that came from outside moves a cursor.

use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
use pki::name::inert;
use serde_json::Value;

use crate::cli::ink::Ink;

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The heading.
    pub title: &'static str,
    /// Where the value is (RFC 6901).
    pub pointer: &'static str,
    /// Where another value is, for when there is none.
    pub otherwise: &'static str,
    /// How it is shown.
    pub form: Form,
}

/// How a value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is; several with commas between.
    Plain,
    /// The first digits of a hash.
    Hash,
    /// A moment to the minute, in UTC.
    Moment,
    /// How many of each severity.
    Findings,
    /// Seconds as days, hours or minutes.
    Duration,
}

/// Digits of a hash that tell it from others.
const HASH_DIGITS: usize = 16;
/// A terminal that is narrower than this gets the table as wide as it must be.
const NARROWEST: u16 = 40;
/// Items of a list in one cell, at most.
const ITEMS: usize = 3;

/// A column that shows a value as it is.
pub const fn plain(title: &'static str, pointer: &'static str) -> Column {
    column(title, pointer, Form::Plain)
}

/// A column of names; where something has none, its id stands there.
pub const fn named(title: &'static str, name: &'static str, id: &'static str) -> Column {
    Column { otherwise: id, ..plain(title, name) }
}

/// A column of hashes.
pub const fn hash(title: &'static str, pointer: &'static str) -> Column {
    column(title, pointer, Form::Hash)
}

/// A column of moments.
pub const fn moment(title: &'static str, pointer: &'static str) -> Column {
    column(title, pointer, Form::Moment)
}

/// A column of findings.
pub const fn findings(title: &'static str, pointer: &'static str) -> Column {
    column(title, pointer, Form::Findings)
}

/// A column of durations.
pub const fn duration(title: &'static str, pointer: &'static str) -> Column {
    column(title, pointer, Form::Duration)
}

const fn column(title: &'static str, pointer: &'static str, form: Form) -> Column {
    Column { title, pointer, otherwise: pointer, form }
}

/// The table; only as wide as the terminal, or as wide as it must be where there is none.
pub fn render(rows: &[Value], columns: &[Column], ink: Ink) -> String {
    if rows.is_empty() {
        return "There is nothing to list.".to_owned();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // Some terminals do not know their width and say 0.
    if table.width().is_some_and(|width| width >= NARROWEST) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(columns.iter().map(|column| heading(column.title, ink)));
    for row in rows {
        table.add_row(columns.iter().map(|column| cell(row, column)));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

fn heading(title: &str, ink: Ink) -> Cell {
    let cell = Cell::new(title);
    if ink == Ink::PLAIN { cell } else { cell.add_attribute(Attribute::Bold) }
}

/// What stands in one cell; `-` when there is nothing.
pub fn cell(row: &Value, column: &Column) -> String {
    let value = row.pointer(column.pointer).or_else(|| row.pointer(column.otherwise));
    let Some(value) = value else { return "-".to_owned() };
    let text = match column.form {
        Form::Plain => said(value),
        Form::Hash => said(value).chars().take(HASH_DIGITS).collect(),
        Form::Moment => minute(&said(value)),
        Form::Findings => counted(value),
        Form::Duration => value.as_i64().map_or_else(String::new, lasting),
    };
    if text.is_empty() { "-".to_owned() } else { inert(&text).into_owned() }
}

/// A value in words.
pub fn said(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let mut shown: Vec<String> = items.iter().take(ITEMS).map(said).collect();
            if items.len() > ITEMS {
                shown.push(format!("and {} more", items.len() - ITEMS));
            }
            shown.join(", ")
        }
        Value::Object(fields) => {
            let name = ["name", "label", "friendly_name", "address", "id", "hash"];
            name.iter().find_map(|name| fields.get(*name)).map(said).unwrap_or_default()
        }
    }
}

/// `2027-01-31T23:59:00Z` as `2027-01-31 23:59`.
fn minute(moment: &str) -> String {
    match (moment.get(..10), moment.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute}"),
        _ => moment.to_owned(),
    }
}

fn counted(findings: &Value) -> String {
    let all = findings.as_array().map_or(&[][..], Vec::as_slice);
    let count = |severity: &str| all.iter().filter(|finding| finding["severity"] == severity).count();
    let parts = ["error", "warning", "info"].map(|severity| (severity, count(severity)));
    let shown =
        parts.iter().filter(|(_, count)| *count > 0).map(|(severity, count)| format!("{count} {severity}"));
    shown.collect::<Vec<_>>().join(", ")
}

fn lasting(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    match seconds {
        whole if whole % DAY == 0 => format!("{} d", whole / DAY),
        whole if whole % HOUR == 0 => format!("{} h", whole / HOUR),
        whole if whole % MINUTE == 0 => format!("{} min", whole / MINUTE),
        odd => format!("{odd} s"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_stand_under_their_headings_and_nothing_moves_the_cursor() {
        let rows = [
            json!({ "id": "lin-1", "name": "shop\u{1b}[2J", "names": ["a", "b", "c", "d"], "due": "2027-01-31T23:59:00Z" }),
            json!({ "id": "lin-2", "name": null, "names": [], "findings": [{ "severity": "error" }, { "severity": "info" }] }),
        ];
        let columns = [
            plain("ID", "/id"),
            plain("NAME", "/name"),
            plain("FOR", "/names"),
            moment("DUE", "/due"),
            findings("WRONG", "/findings"),
        ];
        let text = render(&rows, &columns, Ink::PLAIN);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        let second: Vec<&str> = lines[1].split("  ").map(str::trim).filter(|part| !part.is_empty()).collect();
        assert_eq!(second, ["lin-1", "shop\\u{1b}[2J", "a, b, c, and 1 more", "2027-01-31 23:59", "-"]);
        assert!(lines[2].ends_with("1 error, 1 info") && !text.contains('\u{1b}'));
    }

    #[test]
    fn an_id_stands_only_where_there_is_no_name() {
        let column = named("OF", "/subject_name", "/subject");
        assert_eq!(
            cell(&json!({ "subject": "dep-1", "subject_name": "shop on nginx" }), &column),
            "shop on nginx"
        );
        assert_eq!(cell(&json!({ "subject": "dep-1" }), &column), "dep-1");
        assert_eq!(cell(&json!({}), &column), "-");
    }

    #[test]
    fn a_lifetime_is_said_in_its_own_unit() {
        assert_eq!(
            [lasting(86_400 * 90), lasting(7_200), lasting(60), lasting(61)],
            ["90 d", "2 h", "1 min", "61 s"]
        );
    }
}
