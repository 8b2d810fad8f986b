//! Settings: what this server is, its limits, its versions.

use app::setting::Settings;
use askama::Template;
use domain::Permission;
use domain::installation::Identity;
use domain::permission::uses;

use crate::Problem;
use crate::body::PageFields;
use crate::page::form::Form;
use crate::page::rows::Fact;
use crate::page::words::safe;
use crate::page::{Entered, Flash, Frame, Input, Page, Place, Visit, Wrong, go, render, render_refused};

#[derive(Template)]
#[template(path = "setting/list.html")]
struct SettingsPage {
    frame: Frame,
    state: String,
    wrong: Wrong,
    cards: Vec<(&'static str, Vec<Fact>)>,
    inputs: Vec<Input>,
}

crate::page::refusing!(SettingsPage);

/// `GET /settings`.
pub async fn show(visit: Visit<uses::ViewSettings>) -> Page {
    let settings = app::setting::all(visit.app(), visit.by()).await?;
    let frame = visit.frame("Settings", Place::Settings);
    let start = Entered::from(values(&settings.identity));
    render(&page(frame, visit.app(), &settings, (&start, Wrong::default())))
}

fn values(identity: &Identity) -> Vec<(String, String)> {
    let pairs = [
        ("environment", &identity.environment),
        ("instance", &identity.instance),
        ("member_class", &identity.member_class),
        ("member_code", &identity.member_code),
        ("owner_name", &identity.owner_name),
        ("server_code", &identity.server_code),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.clone())).into()
}

/// The fields of an X-Road identity, here and at the first start.
pub fn identity_inputs() -> [Input; 5] {
    [
        Input::line("instance", "X-Road instance").hint("For example DEV."),
        Input::line("member_class", "Member class").hint("For example COM or GOV."),
        Input::line("member_code", "Member code"),
        Input::line("owner_name", "Name of the member"),
        Input::line("server_code", "Server code").hint("For example SS0."),
    ]
}

/// The identity that was entered.
pub fn identity_of(entered: &Entered) -> Identity {
    let text = |name| entered.text(name).to_owned();
    Identity {
        environment: text("environment"),
        instance: text("instance"),
        member_class: text("member_class"),
        member_code: text("member_code"),
        owner_name: text("owner_name"),
        server_code: text("server_code"),
    }
}

fn page(
    frame: Frame,
    app: &app::App,
    settings: &Settings,
    (entered, wrong): (&Entered, Wrong),
) -> SettingsPage {
    let form = Form::new(entered, &wrong);
    let inputs = identity_inputs().map(|input| form.put(input));
    SettingsPage {
        state: state(&settings.identity),
        cards: vec![
            ("Identity", identity_facts(&settings.identity)),
            ("Limits", limits(app, settings)),
            ("This server", about(app, settings)),
        ],
        inputs: inputs.into(),
        wrong,
        frame,
    }
}

/// What this server is, in one line.
fn state(identity: &Identity) -> String {
    let environment = format!(
        "Environment {}, which was chosen at the first start and stays.",
        safe(&identity.environment)
    );
    if identity.instance.is_empty() {
        environment
    } else {
        format!("{}. {environment}", safe(&identity.title()))
    }
}

fn identity_facts(identity: &Identity) -> Vec<Fact> {
    let all = values(identity).into_iter().filter(|(_, value)| !value.is_empty());
    all.map(|(name, value)| Fact::new(label(&name), safe(&value))).collect()
}

fn label(name: &str) -> &'static str {
    match name {
        "environment" => "Environment",
        "instance" => "X-Road instance",
        "member_class" => "Member class",
        "member_code" => "Member code",
        "owner_name" => "Name of the member",
        _ => "Server code",
    }
}

fn limits(app: &app::App, settings: &Settings) -> Vec<Fact> {
    let policy = app.config().pin_policy;
    vec![
        Fact::new("Wrong PINs until a token locks", settings.pin_tries.to_string()),
        Fact::new("A PIN needs", format!("{} characters of {} kinds", policy.min_length, policy.min_classes)),
        Fact::new("A password needs", format!("{} characters", domain::user::PASSWORD_MIN)),
        Fact::new("A session ends", "after 15 minutes without a request, 8 hours in any case"),
        Fact::new("An upload holds at most", "10 MB"),
    ]
}

fn about(app: &app::App, settings: &Settings) -> Vec<Fact> {
    let snapshot = app.snapshots().borrow().version;
    vec![
        Fact::new("Version", env!("CARGO_PKG_VERSION")),
        Fact::new("Database", engine_words(settings.engine)),
        Fact::new("Address", safe(&settings.base_url)),
        Fact::new("What the edge serves", format!("set number {snapshot} since the start")),
        Fact::new("Health", "GET /healthz and /readyz on the metrics port say whether it works"),
    ]
}

/// The database as its makers write it.
fn engine_words(engine: &str) -> &str {
    match engine {
        "sqlite" => "SQLite",
        "postgres" | "postgresql" => "PostgreSQL",
        other => other,
    }
}

/// `POST /settings`.
pub async fn update(visit: Visit<uses::ManageSettings>, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    let see = visit
        .permit()
        .also(uses::ViewSettings)
        .ok_or_else(|| Problem::forbidden(Permission::ViewSettings))?;
    let settings = app::setting::all(visit.app(), &see).await?;
    let identity = Identity { environment: settings.identity.environment.clone(), ..identity_of(&entered) };
    match app::setting::update(visit.app(), visit.by(), identity).await {
        Ok(_) => Ok(go("/settings", Flash::good("The settings were saved."))),
        Err(error) => {
            let names = ["instance", "member_class", "member_code", "owner_name", "server_code"];
            let wrong =
                Wrong::of(error)?.placed(|refusal| names.into_iter().find(|name| *name == refusal.place));
            let frame = visit.frame("Settings", Place::Settings);
            render_refused(&page(frame, visit.app(), &settings, (&entered, wrong)))
        }
    }
}
