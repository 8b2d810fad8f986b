//! Create a certificate: one form, two buttons, self-signed or as a request (the appliance's words).

use app::certificate::NewSelfSigned;
use app::csr::{KeyChoice, NewCsr};
use askama::Template;
use axum::extract::Query;
use domain::id::TokenId;
use domain::permission::uses;
use domain::token::TokenState;
use pki::name::{Attribute, AttributeType};
use pki::{DistinguishedName, KeyAlgorithm, KeyId, Refusal, SubjectAltName};
use serde::Deserialize;

use crate::Problem;
use crate::body::PageFields;
use crate::page::field::{Choice, Control, choice};
use crate::page::form::Form;
use crate::page::words::{listed, safe};
use crate::page::{Entered, Flash, Frame, Input, Page, Place, Visit, Wrong, go, render, render_refused};

#[derive(Template)]
#[template(path = "certificate/new.html")]
struct NewPage {
    frame: Frame,
    wrong: Wrong,
    friendly_name: Input,
    key: Input,
    token: Input,
    advice: Vec<(&'static str, &'static str)>,
    country: Input,
    state: Input,
    locality: Input,
    organization: Input,
    unit: Input,
    common_name: Input,
    more_open: bool,
    serial_number: Input,
    other: Input,
    names: Vec<String>,
    new_name: Input,
    days: Input,
}

crate::page::refusing!(NewPage);

/// What stands after `?`.
#[derive(Deserialize)]
pub struct Where {
    /// The key that the request is for.
    #[serde(default)]
    key: String,
}

/// The subject's own fields: the name in the form, and what it says. In the order in which they are encoded.
const SUBJECT: [(&str, AttributeType); 7] = [
    ("country", AttributeType::Country),
    ("state", AttributeType::State),
    ("locality", AttributeType::Locality),
    ("organization", AttributeType::Organization),
    ("unit", AttributeType::OrganizationalUnit),
    ("common_name", AttributeType::CommonName),
    ("serial_number", AttributeType::SerialNumber),
];

type Maker = Visit<uses::ManageTlsCertificates>;

/// What the two key fields offer.
struct Offer {
    keys: Vec<Choice>,
    tokens: Vec<Choice>,
}

/// `GET /certificates/new`.
pub async fn form(visit: Maker, Query(place): Query<Where>) -> Page {
    let offer = offer(&visit, &place.key).await?;
    let names = Vec::new();
    render(&page(&visit, offer, &Entered::default(), (names, Wrong::default())))
}

async fn offer(visit: &Maker, wanted: &str) -> Result<Offer, Problem> {
    let mut keys = Vec::new();
    let mut tokens = vec![choice("system", "system: works with nobody there")];
    if let Some(see) = visit.permit().also(uses::ViewKeys) {
        if let Ok(id) = wanted.parse::<KeyId>() {
            let view = app::key::find(visit.app(), &see, &id).await?;
            let label = format!("{} (the key “{}”)", view.key.algorithm.label(), safe(&view.key.label));
            keys.push(choice(format!("key:{id}"), label));
        }
        let others = app::token::summaries(visit.app(), &see).await?;
        let others = others.iter().filter(|view| view.token.id != TokenId::system());
        tokens.extend(others.map(|view| {
            let state = if view.state == TokenState::LoggedIn {
                "needs its PIN after a restart"
            } else {
                "log it in first"
            };
            choice(view.token.id.as_str(), format!("{}: {state}", safe(&view.token.label)))
        }));
    }
    keys.extend(KeyAlgorithm::ALL.iter().map(|kind| {
        let suggested = if *kind == KeyAlgorithm::EcP256 { " (suggested)" } else { "" };
        choice(kind.name(), format!("{}{suggested}", kind.label()))
    }));
    Ok(Offer { keys, tokens })
}

fn page(visit: &Maker, offer: Offer, entered: &Entered, (names, wrong): (Vec<String>, Wrong)) -> NewPage {
    let form = Form::new(entered, &wrong);
    let line = |name, label, hint: &str| form.put(Input::line(name, label).hint(hint));
    let more_open = !entered.text("serial_number").is_empty()
        || !entered.text("other").is_empty()
        || !wrong.about("other").is_empty();
    NewPage {
        frame: visit.frame("Create a certificate", Place::Certificates),
        friendly_name: line(
            "friendly_name",
            "Certificate Friendly Name",
            "Only you see it. Unique, in words that you will know again: the primary host name, or month and year.",
        ),
        key: form.put(
            Input::select("key", "Key", offer.keys)
                .hint("Ask your certificate authority which kinds it takes."),
        ),
        token: form
            .put(Input::select("token", "Token", offer.tokens).hint("Where a new key is made and stays.")),
        advice: KeyAlgorithm::ALL.iter().map(|kind| (kind.label(), kind.advice())).collect(),
        country: line("country", "Country", "Two letters: FI, US."),
        state: line("state", "State/Province", "In full, not shortened."),
        locality: line("locality", "City (Locality)", ""),
        organization: line(
            "organization",
            "Organization",
            "Comma, quotes and accents come out as you type them.",
        ),
        unit: line("unit", "Organizational Unit", ""),
        common_name: line(
            "common_name",
            "Name (Common Name)",
            "A host name here becomes the first alternative name by itself.",
        ),
        more_open,
        serial_number: line(
            "serial_number",
            "serialNumber",
            "Of the subject: a register code or a device's number.",
        ),
        other: form.put(
            Input::new("other", "Other attributes", Control::Area(3)).hint(
                "One a line, name or object identifier before the equals sign: 2.5.4.97=NTRFI-1234567-8",
            ),
        ),
        new_name: new_name(&wrong, entered),
        days: form.put(
            Input::line("days", "Days valid")
                .value("365")
                .with("inputmode", "numeric")
                .hint("Only for a self-signed certificate; a certificate authority decides by itself."),
        ),
        names,
        wrong,
    }
}

fn new_name(wrong: &Wrong, entered: &Entered) -> Input {
    let input = Input::line("new_name", "Subject Alternative Names")
        .hint("Host names (also *.name), IP addresses, e-mail addresses, URIs. Click Add after each.")
        .with("data-enter", "san-add");
    // What was added is on the list; only what could not be added stays in the field.
    let kept = if wrong.about("new_name").is_empty() { "" } else { entered.text("new_name") };
    wrong.mark(input.value(kept))
}

/// `POST /certificates/new`: adds or removes a name and stores nothing, or makes what the button says.
pub async fn create(visit: Maker, Query(place): Query<Where>, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    let button = entered.text("do").to_owned();
    let wanted = entered.text("key").strip_prefix("key:").map_or(place.key, str::to_owned);
    let mut names = entered.all("san");
    if let Some(index) = button.strip_prefix("remove ").and_then(|index| index.parse::<usize>().ok()) {
        if index < names.len() {
            names.remove(index);
        }
        let offer = offer(&visit, &wanted).await?;
        return render(&page(&visit, offer, &entered, (names, Wrong::default())));
    }
    // A name that was typed and not added yet is meant too.
    let wrong = add(&mut names, entered.text("new_name"));
    let made = match (wrong.is_empty(), button.as_str()) {
        (true, "request") => request(&visit, &entered, &names).await?,
        (true, "self_signed") => self_sign(&visit, &entered, &names).await?,
        (true, _) => {
            let offer = offer(&visit, &wanted).await?;
            return render(&page(&visit, offer, &entered, (names, wrong)));
        }
        (false, _) => Err(wrong),
    };
    match made {
        Ok(text) => Ok(go("/certificates", Flash::good(text))),
        Err(wrong) => {
            let wrong = wrong.and(further(&entered));
            let offer = offer(&visit, &wanted).await?;
            render_refused(&page(&visit, offer, &entered, (names, wrong)))
        }
    }
}

/// What else is wrong with a form that was refused: a person mends it all at once.
fn further(entered: &Entered) -> Vec<(String, Refusal)> {
    let label = domain::key::parse_label(entered.text("friendly_name")).err();
    let label = label.into_iter().map(|refusal| ("friendly_name".to_owned(), refusal));
    let subject = SUBJECT.iter().filter_map(|(name, kind)| {
        let attribute = Attribute::new(kind.clone(), entered.text(name));
        let refusal = DistinguishedName::from_attributes(vec![attribute]).err()?;
        Some(((*name).to_owned(), refusal))
    });
    label.chain(subject).collect()
}

/// Puts what was typed onto the list, as typed; what is no name is refused.
fn add(names: &mut Vec<String>, typed: &str) -> Wrong {
    match SubjectAltName::parse_list(typed) {
        Ok(_) => {
            for part in typed.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
                if !names.iter().any(|name| name == part) {
                    names.push(part.to_owned());
                }
            }
            Wrong::default()
        }
        Err(refused) => {
            Wrong::fields(refused.into_iter().map(|(_, refusal)| ("new_name".to_owned(), refusal)).collect())
        }
    }
}

/// What both buttons need, or what is wrong with it.
struct Asked {
    key: KeyChoice,
    subject: Vec<Attribute>,
    names: Vec<SubjectAltName>,
}

fn read(entered: &Entered, names: &[String]) -> Result<Asked, Wrong> {
    let mut wrong = Vec::new();
    let names = SubjectAltName::parse_list(&names.join("\n")).unwrap_or_else(|refused| {
        wrong.extend(refused.into_iter().map(|(_, refusal)| ("new_name".to_owned(), refusal)));
        Vec::new()
    });
    let mut subject: Vec<Attribute> =
        SUBJECT.iter().map(|(name, kind)| Attribute::new(kind.clone(), entered.text(name))).collect();
    for line in entered.text("other").lines().map(str::trim).filter(|line| !line.is_empty()) {
        match other(line) {
            Ok(attribute) => subject.push(attribute),
            Err(refusal) => wrong.push(("other".to_owned(), refusal)),
        }
    }
    let key = key_choice(entered).map_err(|refusal| wrong.push(("key".to_owned(), refusal)));
    match key {
        Ok(key) if wrong.is_empty() => Ok(Asked { key, subject, names }),
        Ok(_) | Err(()) => Err(Wrong::fields(wrong)),
    }
}

fn other(line: &str) -> Result<Attribute, Refusal> {
    let Some((kind, value)) = line.split_once('=') else {
        let what = format!("“{}” has no equals sign", safe(line));
        return Err(Refusal::new("name.attribute", what, "Write name=value, one a line."));
    };
    Ok(Attribute::new(kind.parse::<AttributeType>()?, value.trim()))
}

fn key_choice(entered: &Entered) -> Result<KeyChoice, Refusal> {
    let wrong = |what: &str| Refusal::new("key.choice", what, "Choose a key from the list.");
    let text = entered.text("key");
    if let Some(id) = text.strip_prefix("key:") {
        return id.parse().map(KeyChoice::Existing).map_err(|_| wrong("this is not a key"));
    }
    let algorithm = text.parse().map_err(|_| wrong("this kind of key is not made here"))?;
    let token = match entered.text("token") {
        "" => TokenId::system(),
        id => id.parse().map_err(|_| wrong("this is not a token"))?,
    };
    Ok(KeyChoice::New { algorithm, token })
}

async fn request(
    visit: &Maker,
    entered: &Entered,
    names: &[String],
) -> Result<Result<String, Wrong>, Problem> {
    let asked = match read(entered, names) {
        Ok(asked) => asked,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let input = NewCsr {
        friendly_name: entered.text("friendly_name").to_owned(),
        key: asked.key,
        subject: asked.subject,
        names: asked.names,
        lineage: None,
    };
    match app::csr::create(visit.app(), visit.by(), input).await {
        Ok(made) => {
            let name = safe(&made.entry.friendly_name);
            Ok(Ok(format!(
                "The request “{name}” was made; its key is stored.{} Hand the request data to your certificate authority.",
                said(made.added_name.as_ref())
            )))
        }
        Err(error) => Ok(Err(Wrong::of(error)?.placed(field_of))),
    }
}

async fn self_sign(
    visit: &Maker,
    entered: &Entered,
    names: &[String],
) -> Result<Result<String, Wrong>, Problem> {
    let asked = match read(entered, names) {
        Ok(asked) => asked,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let Ok(days) = entered.text("days").parse() else {
        let refusal =
            Refusal::new("cert.lifetime", "this is not a number of days", "Write a number from 1 to 3650.");
        return Ok(Err(Wrong::field("days", refusal)));
    };
    let input = NewSelfSigned {
        friendly_name: entered.text("friendly_name").to_owned(),
        key: asked.key,
        subject: asked.subject,
        names: asked.names,
        days,
    };
    match app::certificate::self_sign(visit.app(), visit.by(), input).await {
        Ok(made) => {
            let name = safe(&made.view.entry.friendly_name);
            Ok(Ok(format!(
                "The self-signed certificate “{name}” was made.{}",
                said(made.added_name.as_ref())
            )))
        }
        Err(error) => Ok(Err(Wrong::of(error)?.placed(field_of))),
    }
}

/// That the common name was put among the alternative names, if it was.
fn said(added: Option<&SubjectAltName>) -> String {
    let names: Vec<String> = added.iter().map(|name| safe(&name.to_string())).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        " The common name {} is a host name, so it became the first alternative name by itself.",
        listed(&names)
    )
}

/// The field of this form that a refusal of the whole is about.
fn field_of(refusal: &Refusal) -> Option<&'static str> {
    let by_place = SUBJECT.iter().find(|(_, kind)| kind.short_name() == refusal.place);
    match refusal.code {
        "cert.lifetime" => Some("days"),
        "key.label_taken" | "csr.name_taken" | "lineage.name_taken" => Some("friendly_name"),
        code if code.starts_with("san.") || code == "limit.san_count" => Some("new_name"),
        code if code.starts_with("name.") && refusal.place.is_empty() => Some("friendly_name"),
        _ if by_place.is_some() => by_place.map(|(name, _)| *name),
        code if code.starts_with("name.") => Some("other"),
        "cert.no_name" => Some("common_name"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(pairs: &[(&str, &str)]) -> Entered {
        Entered::from(
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn a_name_is_added_once_and_as_typed_and_nonsense_is_refused() {
        let mut names = vec!["a.example".to_owned()];
        assert!(add(&mut names, "a.example, *.B.example").is_empty());
        assert_eq!(names, ["a.example", "*.B.example"]);
        assert!(!add(&mut names, "not a name").is_empty());
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn values_reach_the_subject_exactly_as_typed() {
        let form = entered(&[
            ("key", "rsa-2048"),
            ("organization", "Acme, Inc. \"X\" Ö"),
            ("other", "2.5.4.97=A=B"),
        ]);
        let asked = read(&form, &[]).ok().unwrap();
        let values: Vec<&str> = asked.subject.iter().map(|part| part.value.as_str()).collect();
        assert!(values.contains(&"Acme, Inc. \"X\" Ö") && values.contains(&"A=B"));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let form = entered(&[("country", "Finland"), ("organization", "Acme")]);
        let wrong = add(&mut Vec::new(), "https//x").and(further(&form));
        for name in ["new_name", "friendly_name", "country"] {
            assert_eq!(wrong.about(name).len(), 1, "{name}");
        }
        assert!(wrong.about("organization").is_empty());
    }

    #[test]
    fn a_refusal_finds_its_field() {
        for (code, place, field) in [
            ("name.country", "C", Some("country")),
            ("name.empty", "", Some("friendly_name")),
            ("name.too_long", "O", Some("organization")),
            ("name.not_ascii", "emailAddress", Some("other")),
            ("san.syntax", "x y", Some("new_name")),
            ("csr.name_taken", "", Some("friendly_name")),
            ("token_locked", "", None),
        ] {
            let refusal = Refusal { code, ..Refusal::new("x", "w", "r") }.at(place);
            assert_eq!(field_of(&refusal), field, "{code} {place}");
        }
    }
}
