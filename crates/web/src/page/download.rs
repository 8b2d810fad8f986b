//! Lists as files: CSV that no spreadsheet takes for a formula, and JSON; and files that an action answers.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::{Map, Value};

use crate::Problem;

/// A list on its way into a file.
pub struct Sheet {
    name: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Sheet {
    /// An empty sheet; `name` becomes the file's name.
    pub fn new(name: &'static str, columns: impl Into<Vec<&'static str>>) -> Self {
        Self { name, columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row, in the order of the columns.
    pub fn row(&mut self, cells: impl Into<Vec<String>>) {
        self.rows.push(cells.into());
    }

    /// The sheet in the format that the address asked for; none when it asked for the page.
    pub fn answer(&self, format: &str) -> Option<Response> {
        match format {
            "csv" => Some(attachment(
                &format!("{}.csv", self.name),
                "text/csv; charset=utf-8",
                self.csv().into_bytes(),
            )),
            "json" => {
                Some(attachment(&format!("{}.json", self.name), "application/json", self.json().into_bytes()))
            }
            _ => None,
        }
    }

    fn csv(&self) -> String {
        let line = |cells: Vec<String>| {
            cells.iter().map(|cell| csv_cell(cell)).collect::<Vec<_>>().join(",") + "\r\n"
        };
        let head = line(self.columns.iter().map(|name| (*name).to_owned()).collect());
        self.rows.iter().fold(head, |text, row| text + &line(row.clone()))
    }

    fn json(&self) -> String {
        let object = |row: &Vec<String>| {
            let pairs = self
                .columns
                .iter()
                .zip(row)
                .map(|(name, cell)| ((*name).to_owned(), Value::from(cell.as_str())));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        Value::Array(self.rows.iter().map(object).collect()).to_string()
    }
}

/// A cell that a spreadsheet shows and does not run (RFC 4180; ASVS 1.2.10): what starts like a formula gets `'`.
fn csv_cell(text: &str) -> String {
    let text: String = text.chars().map(|c| if c == '\0' { '\u{fffd}' } else { c }).collect();
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if text.contains([',', '"', '\r', '\n', ';']) || !guard.is_empty() {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// A file that the browser saves and keeps nowhere else. The name is one of ours, made of letters, digits, `.-_`.
pub fn attachment(name: &str, media_type: &str, bytes: Vec<u8>) -> Response {
    let tame: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{tame}\""));
    let Ok(media_type) = HeaderValue::from_str(media_type) else {
        return Problem::from(app::Error::internal("a media type that is none", &media_type)).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment"))),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_starts_a_formula() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=HYPERLINK(\"x\",\"y\")"] {
            let out = csv_cell(cell);
            assert!(out.starts_with("\"'"), "{out}");
        }
        assert_eq!(csv_cell("a-b"), "a-b");
        assert_eq!(csv_cell("Acme, \"Inc\""), "\"Acme, \"\"Inc\"\"\"");
    }

    #[test]
    fn both_files_hold_the_same() {
        let mut sheet = Sheet::new("x", ["name", "ends"]);
        sheet.row(["a\nb".to_owned(), "2027".to_owned()]);
        assert_eq!(sheet.csv(), "name,ends\r\n\"a\nb\",2027\r\n");
        assert_eq!(sheet.json(), r#"[{"ends":"2027","name":"a\nb"}]"#);
    }

    #[test]
    fn a_hostile_file_name_stays_in_its_header() {
        let answer = attachment("a\"\r\nSet-Cookie: x/../é.pem", "application/x-pem-file", Vec::new());
        assert_eq!(
            answer.headers()[header::CONTENT_DISPOSITION],
            "attachment; filename=\"a___Set-Cookie__x_..__.pem\""
        );
    }
}
