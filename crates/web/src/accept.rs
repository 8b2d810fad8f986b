//! Whether a caller can read what the API answers (`Accept`; RFC 9110, 12.5.1).

use http::header::ACCEPT;
use http::{HeaderMap, StatusCode};

use crate::Problem;
use crate::routes::{Kind, Row, Shape};

/// The ranges that JSON and problems are within.
const READ: [&str; 4] = ["*/*", "application/*", "application/json", "application/problem+json"];

/// Refuses a caller of the API who cannot read JSON, before anything is done: 406. Files and streams are sent as what
/// they are, whatever was asked for.
pub(crate) fn expect_acceptable(headers: &HeaderMap, row: &Row) -> Result<(), Problem> {
    let is_file = row.outputs().iter().any(|(_, shape)| matches!(shape, Some(Shape::File(_))));
    if row.kind() == Kind::Page || is_file || accepts_json(headers) {
        return Ok(());
    }
    let what = "this is answered as JSON, which the request does not accept";
    let repair = "Send the header Accept: application/json, or none.";
    Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "request.accept", what, repair))
}

/// Without a header, or with an empty one, everything is accepted.
fn accepts_json(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT).into_iter().map(|line| line.to_str().unwrap_or_default());
    let mut ranges =
        lines.flat_map(|line| line.split(',')).filter(|range| !range.trim().is_empty()).peekable();
    ranges.peek().is_none() || ranges.any(is_json)
}

fn is_json(range: &str) -> bool {
    let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
    let is_read = parts.next().is_some_and(|range| READ.contains(&range.as_str()));
    let quality = parts.find_map(|part| part.strip_prefix("q=").map(str::to_owned));
    is_read && quality.is_none_or(|quality| quality.parse() != Ok(0.0_f32))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn json_is_within_these_ranges() {
        for (lines, accepts) in [
            (&[][..], true),
            (&[""], true),
            (&["*/*"], true),
            (&["Application/JSON; charset=utf-8"], true),
            (&["text/html, application/*;q=0.1"], true),
            (&["image/png", "application/problem+json"], true),
            (&["image/png"], false),
            (&["application/xml, text/*"], false),
            (&["application/json;q=0, image/png"], false),
            (&["application/json; q=0.000"], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(ACCEPT, HeaderValue::from_static(line));
            }
            assert_eq!(accepts_json(&headers), accepts, "{lines:?}");
        }
    }
}
