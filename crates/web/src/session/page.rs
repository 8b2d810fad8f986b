//! Log in, log out, change one's own password.

use app::access::LoggedIn;
use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::permission::uses;
use http::HeaderMap;
use http::request::Parts;
use pki::Refusal;
use serde::Deserialize;

use crate::body::PageFields;
use crate::page::simple::Simple;
use crate::page::{
    Entered, Flash, Frame, Input, Page, Place, Visit, Wrong, asset, go, render, render_refused,
};
use crate::token::page::differs;
use crate::{Web, access};

#[derive(Template)]
#[template(path = "session/log_in.html")]
struct LogInPage {
    version: &'static str,
    flash: Option<Flash>,
    wrong: Wrong,
    next: String,
    name: Input,
    password: Input,
    code: Input,
    code_open: bool,
}

crate::page::refusing!(LogInPage);

/// What stands after `?`.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    next: String,
}

fn page(next: &str, flash: Option<Flash>, entered: &Entered, wrong: Wrong) -> LogInPage {
    LogInPage {
        version: &asset::VERSION,
        flash,
        next: own_path(next).to_owned(),
        name: Input::line("name", "Name").complete("username").value(entered.text("name")).needed(),
        password: Input::secret("password", "Password").complete("current-password").needed(),
        code: Input::secret("code", "One-time code")
            .complete("one-time-code")
            .with("data-fragment", "send")
            .needed(),
        code_open: entered.has("code"),
        wrong,
    }
}

/// Only a path of this server: no other site can send a person on after the log-in.
fn own_path(next: &str) -> &str {
    let is_own = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t']);
    if is_own && !next.starts_with("/login") { next } else { "/" }
}

/// `GET /login`.
pub async fn form(State(web): State<Web>, Query(asked): Query<Asked>, headers: HeaderMap) -> Page {
    if !app::setup::is_installed(web.app()).await? {
        return Ok(Redirect::to("/setup").into_response());
    }
    render(&page(&asked.next, Flash::of(&headers), &Entered::default(), Wrong::default()))
}

/// `POST /login`: by name and password, or by a one-time code.
pub async fn log_in(State(web): State<Web>, parts: Parts, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    let address = access::address_text(&parts.extensions);
    let code = entered.text("code");
    let tried = if code.is_empty() {
        app::access::log_in(web.app(), entered.text("name"), entered.exact("password"), &address).await
    } else {
        app::access::log_in_by_code(web.app(), code, &address).await
    };
    match tried {
        Ok(session) => Ok(opened(&session, own_path(entered.text("next")))),
        Err(error) => {
            let wrong = Wrong::of(error)?;
            render_refused(&page(entered.text("next"), None, &entered, wrong))
        }
    }
}

/// The new session's cookies, and on to where the person wanted to go.
fn opened(session: &LoggedIn, next: &str) -> Response {
    let mut answer = Redirect::to(next).into_response();
    access::put_cookies(&mut answer, access::session_cookies(session));
    answer
}

/// `POST /logout`.
pub async fn log_out(visit: Visit<uses::SeeOneself>, _fields: PageFields) -> Page {
    if let Some(secret) = visit.permit().recognised().session_secret() {
        app::access::log_out(visit.app(), visit.by(), secret).await?;
    }
    let mut answer = go("/login", Flash::good("You are logged out."));
    access::put_cookies(&mut answer, access::cookies_gone());
    Ok(answer)
}

fn password_form(frame: Frame) -> Simple {
    Simple::new(frame, "Your password", "/password")
        .words("Other sessions of yours end when it is changed.")
        .verb("Change the password")
        .input(Input::secret("old", "Password now").complete("current-password").needed())
        .input(Input::secret("new", "New password").hint("12 or more characters.").needed())
        .input(Input::secret("again", "New password again").needed())
}

/// `GET /password`.
pub async fn password(visit: Visit<uses::SeeOneself>) -> Page {
    password_form(visit.frame("Change password", Place::Account)).show()
}

/// `POST /password`.
pub async fn change_password(visit: Visit<uses::SeeOneself>, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    let mut form = password_form(visit.frame("Change password", Place::Account));
    if entered.exact("new") != entered.exact("again") {
        return form.again(&entered, Wrong::field("again", differs()));
    }
    match app::user::change_own_password(visit.app(), visit.by(), entered.exact("old"), entered.exact("new"))
        .await
    {
        Ok(()) => Ok(go("/login", Flash::good("The password was changed. Log in with it."))),
        Err(error) => {
            let wrong = Wrong::of(error)?.placed(field_of);
            form.again(&entered, wrong)
        }
    }
}

fn field_of(refusal: &Refusal) -> Option<&'static str> {
    match refusal.code {
        "login_failed" => Some("old"),
        code if code.contains("password") => Some("new"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site_after_the_log_in() {
        for bad in ["//evil.example", "https://evil.example", "\\\\evil", "/\\evil", "", "/login?next=/login"]
        {
            assert_eq!(own_path(bad), "/", "{bad}");
        }
        assert_eq!(own_path("/keys?a=b"), "/keys?a=b");
    }
}
