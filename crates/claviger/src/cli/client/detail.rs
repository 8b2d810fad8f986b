//! One thing with all that is known of it, for people: fields, then tables, then findings.

use std::fmt::Write;

use pki::name::inert;
use serde_json::Value;

use super::api::items;
use super::table::{self, Column};
use crate::cli::ink::Ink;

/// What is shown of a thing, in which order.
pub struct Detail {
    /// The fields on top; those without a value are left out.
    pub fields: &'static [Column],
    /// The tables below; empty ones are left out.
    pub tables: &'static [Section],
    /// A text to copy, shown as it is at the end.
    pub copy: Option<&'static str>,
}

/// A table under its heading.
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// Where its rows are.
    pub pointer: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
}

impl Detail {
    /// The text. Writing into a String cannot fail.
    pub fn render(&self, value: &Value, ink: Ink) -> String {
        let mut text = String::new();
        let width = self.fields.iter().map(|field| field.title.chars().count()).max().unwrap_or(0);
        for field in self.fields {
            let shown = table::cell(value, field);
            if shown != "-" {
                let _ = writeln!(text, "{:<width$}  {shown}", field.title);
            }
        }
        for section in self.tables {
            let rows = value.pointer(section.pointer).map_or(&[][..], items);
            if !rows.is_empty() {
                let _ = writeln!(text, "\n{}", ink.strong(section.title));
                let _ = writeln!(text, "{}", table::render(rows, section.columns, ink));
            }
        }
        text.push_str(&findings(value.get("findings").map_or(&[][..], items), ink));
        if let Some(copy) = self.copy.and_then(|pointer| value.pointer(pointer)?.as_str()) {
            let lines = copy.lines().map(inert);
            let _ = writeln!(text, "\n{}", lines.collect::<Vec<_>>().join("\n"));
        }
        text
    }
}

/// Findings: severity, sentence, place, repair, and the code small.
pub fn findings(findings: &[Value], ink: Ink) -> String {
    let mut text = String::new();
    for finding in findings {
        let field = |name| inert(super::api::text(finding, name)).into_owned();
        let severity = match field("severity").as_str() {
            "error" => ink.severity(pki::Severity::Error),
            "warning" => ink.severity(pki::Severity::Warning),
            _ => ink.severity(pki::Severity::Info),
        };
        let _ = writeln!(text, "\n{severity}: {}", crate::cli::offline::report::sentence(&field("what")));
        for line in [field("where"), field("repair")].iter().filter(|line| !line.is_empty()) {
            let _ = writeln!(text, "  {line}");
        }
        let _ = writeln!(text, "  {}", ink.faint(field("code")));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::client::table::plain;

    #[test]
    fn what_is_not_there_is_not_shown() {
        const DETAIL: Detail = Detail {
            fields: &[plain("Name", "/name"), plain("Owner", "/owner")],
            tables: &[Section { title: "History", pointer: "/history", columns: &[plain("ID", "/id")] }],
            copy: Some("/pem"),
        };
        let value = json!({ "name": "shop", "pem": "A\nB\u{1b}\n", "findings": [
            { "code": "x.y", "severity": "warning", "what": "odd", "where": "here", "repair": "Mend it." }
        ] });
        let text = DETAIL.render(&value, Ink::PLAIN);
        assert_eq!(text, "Name   shop\n\nwarning: Odd.\n  here\n  Mend it.\n  x.y\n\nA\nB\\u{1b}\n");
    }
}
