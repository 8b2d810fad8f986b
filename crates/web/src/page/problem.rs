//! A refusal as a page: what was wrong, what to do, and a way back.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::Problem;
use crate::page::words::sentence;
use crate::page::{asset, form};

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    version: &'a str,
    title: &'a str,
    /// What it means for what is stored.
    meaning: &'static str,
    what: String,
    repair: &'a str,
    code: &'a str,
    fields: Vec<String>,
}

/// Draws a refusal; it needs nobody to be logged in.
pub fn draw(problem: &Problem) -> Response {
    let page = ProblemPage {
        version: &asset::VERSION,
        title: title(problem),
        meaning: meaning(problem),
        what: sentence(&problem.what),
        repair: &problem.repair,
        code: &problem.code,
        fields: problem.fields.iter().map(|(_, refusal)| form::both(refusal)).collect(),
    };
    let body = page.render().unwrap_or_else(|_| sentence(&problem.what));
    let mut answer = (problem.status, Html(body)).into_response();
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The words above the refusal; HTTP's own names of its states say little to a person.
fn title(problem: &Problem) -> &str {
    match problem.status {
        StatusCode::NOT_FOUND => "Nothing is here",
        StatusCode::FORBIDDEN => "You may not do this",
        StatusCode::TOO_MANY_REQUESTS => "Too many at once",
        StatusCode::INTERNAL_SERVER_ERROR => "Something broke in this server",
        StatusCode::SERVICE_UNAVAILABLE => "This server is busy",
        _ => problem.title(),
    }
}

fn meaning(problem: &Problem) -> &'static str {
    match problem.status {
        StatusCode::NOT_FOUND => "What you look for was removed, or was never here.",
        _ => "This was not done, and nothing has been changed.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn says_what_and_how_to_go_on_and_nothing_acts() {
        let problem = Problem::bad_request("input.odd", "odd <script>alert(1)</script>", "Mend it.");
        let answer = draw(&problem);
        assert_eq!(answer.status(), 400);
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let html = String::from_utf8(body.to_vec()).unwrap();
        assert!(!html.contains("<script>alert") && html.contains("Mend it.") && html.contains("input.odd"));
    }
}
