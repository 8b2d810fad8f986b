//! A refusal as a page: what was wrong, what to do, and a way back.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, header};

use crate::Problem;
use crate::page::words::sentence;
use crate::page::{asset, form};

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    version: &'a str,
    title: &'a str,
    what: String,
    repair: &'a str,
    code: &'a str,
    fields: Vec<String>,
}

/// Draws a refusal; it needs nobody to be logged in.
pub fn draw(problem: &Problem) -> Response {
    let page = ProblemPage {
        version: &asset::VERSION,
        title: &problem.title,
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
