//! What every page shares: the frame, answers to forms, times, fields, plots, downloads and the embedded assets.
//!
//! A page is a template and the struct that fills it, in `<noun>/page.rs`. Structs hold finished words: templates
//! decide where something stands, never what it says. Start reading at [`frame::Frame`], then [`form`].

pub mod asset;
pub mod chain;
pub mod confirm;
pub mod download;
pub mod field;
pub mod finding;
pub mod flash;
pub mod form;
pub mod frame;
pub mod list;
pub mod plot;
pub mod problem;
pub mod routes;
pub mod rows;
pub mod simple;
pub mod visit;
pub mod when;
pub mod words;

use askama::Template;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::{HeaderValue, header};
use pki::Refusal;

use crate::Problem;

pub use field::Input;
pub use flash::Flash;
pub use form::{Entered, Wrong};
pub use frame::{Frame, Place};
pub use visit::Visit;
pub use when::When;

/// What a page's handler answers.
pub type Page = Result<Response, Problem>;

/// Renders a page. It is never kept by browsers or proxies: it was made for one person at one moment. The answer to
/// the last action has then been shown, so its cookie ends.
pub fn render(template: &impl Template) -> Page {
    match template.render() {
        Ok(html) => {
            let mut answer = Html(html).into_response();
            answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            answer.headers_mut().append(header::SET_COOKIE, Flash::gone());
            Ok(answer)
        }
        Err(error) => Err(app::Error::internal("a page could not be rendered", &error).into()),
    }
}

/// A page that shows a form again with what was wrong.
pub trait Refusing: Template {
    /// What was wrong.
    fn wrong(&self) -> &Wrong;
}

/// Declares pages that hold what was wrong in a field `wrong`.
macro_rules! refusing {
    ($($page:ty),+) => {$(
        impl $crate::page::Refusing for $page {
            fn wrong(&self) -> &$crate::page::Wrong {
                &self.wrong
            }
        }
    )+};
}
pub(crate) use refusing;

/// A form that was refused without a [`Problem`], for the guard to record on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormRefused {
    /// The stable code of the refusal.
    pub(crate) code: String,
    /// Whether `app` has it in its audit log already; what a page refuses by itself, is not.
    pub(crate) recorded: bool,
}

/// Renders a page and says in the status that what was sent was not taken.
pub fn render_refused(page: &impl Refusing) -> Page {
    let mut answer = render(page)?;
    *answer.status_mut() = http::StatusCode::BAD_REQUEST;
    answer.extensions_mut().insert(page.wrong().noted());
    Ok(answer)
}

/// Sends the browser on with a refusal of what it posted, as a sentence on the next page.
pub fn go_refused(address: &str, refusal: &Refusal) -> Response {
    let mut answer = go(address, Flash::bad(form::both(refusal)));
    answer.extensions_mut().insert(FormRefused { code: refusal.code.to_owned(), recorded: false });
    answer
}

/// Sends the browser on with an answer to what it posted, so that reloading does not post again.
pub fn go(address: &str, flash: Flash) -> Response {
    let mut answer = Redirect::to(address).into_response();
    answer.headers_mut().append(header::SET_COOKIE, flash.cookie());
    answer
}
