//! The first start: the code, the form, and the recovery passphrase that is shown once.

use app::setup::Install;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect};
use domain::installation::Identity;
use pki::Refusal;
use zeroize::Zeroizing;

use crate::Web;
use crate::body::PageFields;
use crate::page::field::choice;
use crate::page::form::Form;
use crate::page::{Entered, Flash, Input, Page, Wrong, asset, go, render, render_refused};
use crate::setting::page::{identity_inputs, identity_of};
use crate::token::page::differs;

#[derive(Template)]
#[template(path = "setup/code.html")]
struct CodePage {
    version: &'static str,
    wrong: Wrong,
    code: Input,
}

#[derive(Template)]
#[template(path = "setup/form.html")]
struct FormPage {
    version: &'static str,
    wrong: Wrong,
    code: String,
    admin_name: Input,
    admin_password: Input,
    environment: Input,
    environment_name: Input,
    xroad_open: bool,
    instance: Input,
    member_class: Input,
    member_code: Input,
    owner_name: Input,
    server_code: Input,
    pin: Input,
    pin_again: Input,
}

crate::page::refusing!(CodePage, FormPage);

#[derive(Template)]
#[template(path = "setup/recovery.html")]
struct RecoveryPage {
    version: &'static str,
    passphrase: String,
}

/// The choice for an environment with a name of its own.
const OTHER: &str = "other";

fn identity(entered: &Entered) -> Identity {
    let identity = identity_of(entered);
    if identity.environment != OTHER {
        return identity;
    }
    Identity { environment: entered.text("environment_name").to_owned(), ..identity }
}

fn code_page(wrong: Wrong) -> CodePage {
    let code =
        Input::line("code", "One-time code").complete("one-time-code").with("data-fragment", "send").needed();
    CodePage { version: &asset::VERSION, code: wrong.mark(code), wrong }
}

fn form_page(entered: &Entered, wrong: Wrong) -> FormPage {
    let form = Form::new(entered, &wrong);
    let [instance, member_class, member_code, owner_name, server_code] =
        identity_inputs().map(|input| form.put(input));
    let environments = vec![
        choice("production", "production"),
        choice("test", "test"),
        choice(OTHER, "another: write its name beside"),
    ];
    FormPage {
        version: &asset::VERSION,
        code: entered.text("code").to_owned(),
        admin_name: form.put(
            Input::line("admin_name", "Name")
                .complete("username")
                .hint("Small letters, digits, . - _ @")
                .needed(),
        ),
        admin_password: form
            .put(Input::secret("admin_password", "Password").hint("12 or more characters.").needed()),
        environment: form.put(
            Input::select("environment", "Environment", environments)
                .hint("Keys of test and production never mix; it stays for ever."),
        ),
        environment_name: form.put(
            Input::line("environment_name", "Name of another environment")
                .hint("Only if it is neither production nor test."),
        ),
        xroad_open: !entered.text("instance").is_empty(),
        instance,
        member_class,
        member_code,
        owner_name,
        server_code,
        pin: form.put(
            Input::secret("pin", "PIN")
                .hint("10 or more characters of three kinds: digits, upper case, lower case, others.")
                .needed(),
        ),
        pin_again: form.put(Input::secret("pin_again", "PIN again").needed()),
        wrong,
    }
}

/// `GET /setup`.
pub async fn show(State(web): State<Web>) -> Page {
    if app::setup::is_installed(web.app()).await? {
        return Ok(done());
    }
    render(&code_page(Wrong::default()))
}

fn done() -> axum::response::Response {
    go("/login", Flash::warn("The first start was finished before. Log in as an administrator."))
}

fn wrong_code() -> Wrong {
    let repair = "Use the newest link that the server printed.";
    Wrong::field("code", Refusal::new("setup.code", "the setup code is not right", repair))
}

/// `POST /setup/code`: the code alone, then the form.
pub async fn enter(State(web): State<Web>, PageFields(fields): PageFields) -> Page {
    if app::setup::is_installed(web.app()).await? {
        return Ok(done());
    }
    let entered = Entered(fields);
    if !web.app().setup_code().is(entered.text("code")) {
        return render_refused(&code_page(wrong_code()));
    }
    let start = Entered::from(vec![("code".to_owned(), entered.text("code").to_owned())]);
    render(&form_page(&start, Wrong::default()))
}

/// `POST /setup`: does the first start, and shows the recovery passphrase.
pub async fn install(State(web): State<Web>, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    if app::setup::is_installed(web.app()).await? {
        return Ok(done());
    }
    let input = Install {
        admin_name: entered.text("admin_name").to_owned(),
        admin_password: Zeroizing::new(entered.exact("admin_password").to_owned()),
        identity: identity(&entered),
        pin: Zeroizing::new(entered.exact("pin").to_owned()),
        recovery: None,
    };
    if entered.exact("pin") != entered.exact("pin_again") {
        let wrong = Wrong::fields(app::setup::complaints(web.app(), &input));
        let wrong = wrong.and(vec![("pin_again".to_owned(), differs())]);
        return render_refused(&form_page(&entered, wrong));
    }
    match app::setup::install(web.app(), Some(entered.text("code")), input).await {
        Ok(installed) => {
            let passphrase = installed.recovery.to_string();
            render(&RecoveryPage { version: &asset::VERSION, passphrase })
        }
        Err(app::Error::Refused(refusal)) if refusal.code == "setup.code" => {
            render_refused(&code_page(wrong_code()))
        }
        Err(app::Error::Conflict(refusal)) if refusal.code == "setup.done" => {
            Ok(Redirect::to("/login").into_response())
        }
        Err(error) => render_refused(&form_page(&entered, Wrong::of(error)?)),
    }
}
