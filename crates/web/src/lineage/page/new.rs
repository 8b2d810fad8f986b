//! A new lineage.

use app::lineage::NewLineage;
use askama::Template;
use domain::id::{IssuerId, ProfileId, TargetId, TokenId};
use domain::key::Exportable;
use domain::lineage::AtRenewal;
use domain::permission::uses;
use pki::name::{Attribute, AttributeType};
use pki::{KeyAlgorithm, Refusal, SubjectAltName};

use super::offer::{
    Offer, backend, further_inputs, issuer_input, key_inputs, lifetime, profile_input, targets_input,
};
use crate::body::PageFields;
use crate::page::field::Control;
use crate::page::form::Form;
use crate::page::words::safe;
use crate::page::{Entered, Flash, Frame, Input, Page, Place, Visit, Wrong, go, render, render_refused};

/// A form in several cards; also for changing a lineage.
#[derive(Template)]
#[template(path = "lineage/new.html")]
pub(super) struct Cards {
    pub(super) frame: Frame,
    pub(super) words: &'static str,
    pub(super) wrong: Wrong,
    pub(super) action: String,
    /// The state of the lineage that whoever fills the form in has seen; empty for a new one.
    pub(super) revision: String,
    pub(super) verb: &'static str,
    pub(super) back: String,
    pub(super) cards: Vec<(&'static str, Vec<Input>)>,
}

crate::page::refusing!(Cards);

impl Cards {
    /// Puts what was entered and what was wrong into every field.
    pub(super) fn filled(mut self, entered: &Entered, wrong: Wrong) -> Self {
        let form = Form::new(entered, &wrong);
        for (_, inputs) in &mut self.cards {
            *inputs = inputs.drain(..).map(|input| form.put(input)).collect();
        }
        Self { wrong, ..self }
    }

    /// Says at every field that was entered otherwise what is stored now.
    pub(super) fn beside(mut self, entered: &Entered, stored: &Entered) -> Self {
        let values = |of: &Entered, name: &str| {
            let mut values = of.all(name);
            values.sort();
            values
        };
        let differs = |input: &Input| values(entered, input.name()) != values(stored, input.name());
        for input in self.cards.iter_mut().flat_map(|(_, inputs)| inputs).filter(|input| differs(input)) {
            *input = input.clone().stored(&stored.all(input.name()));
        }
        self
    }
}

type Maker = Visit<uses::ManageTlsCertificates>;

const SUBJECT: [(&str, &str, AttributeType); 6] = [
    ("country", "Country", AttributeType::Country),
    ("state", "State/Province", AttributeType::State),
    ("locality", "City (Locality)", AttributeType::Locality),
    ("organization", "Organization", AttributeType::Organization),
    ("unit", "Organizational Unit", AttributeType::OrganizationalUnit),
    ("common_name", "Name (Common Name)", AttributeType::CommonName),
];

fn page(visit: &Maker, offer: &Offer) -> Cards {
    let mut purpose = vec![
        Input::line("name", "Name").hint("Unique, in words that you will know again.").needed(),
        Input::new("names", "Names in the certificate", Control::Area(4))
            .hint("One a line: host names (also *.name), IP addresses, e-mail addresses, URIs."),
        Input::line("owner", "Owner")
            .hint("For whom it speaks: an X-Road client identifier or free text. May stay empty."),
    ];
    let subject = SUBJECT.iter().map(|(name, label, _)| Input::line(name, label)).collect();
    purpose.push(issuer_input(offer));
    purpose.push(profile_input(offer));
    let mut rule = key_inputs(offer);
    rule.extend(further_inputs());
    Cards {
        frame: visit.frame("New lineage", Place::Lineages),
        words: "A renewable series of certificates behind a set of names: issued now, renewed in time, installed on its targets.",
        wrong: Wrong::default(),
        action: "/lineages/new".to_owned(),
        revision: String::new(),
        verb: "Make the lineage",
        back: "/lineages".to_owned(),
        cards: vec![
            ("What it is for", purpose),
            // As by the command line: who wants it elsewhere only takes the tick away.
            ("Where it goes", vec![targets_input(offer).chosen(&[TargetId::edge().to_string()])]),
            ("Subject Name", subject),
            ("Keys and renewal", rule),
        ],
    }
}

/// `GET /lineages/new`.
pub async fn form(visit: Maker) -> Page {
    render(&page(&visit, &Offer::load(&visit).await?))
}

/// `POST /lineages/new`.
pub async fn create(visit: Maker, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    let wrong = match read(&entered) {
        Ok(input) => match app::lineage::create(visit.app(), visit.by(), input).await {
            Ok(view) => {
                let text = format!(
                    "The lineage “{}” was made; its first certificate is being ordered.",
                    safe(&view.lineage.name)
                );
                return Ok(go(&format!("/lineages/{}", view.lineage.id), Flash::good(text)));
            }
            Err(error) => Wrong::of(error)?.placed(field_of),
        },
        Err(wrong) => wrong,
    };
    let offer = Offer::load(&visit).await?;
    render_refused(&page(&visit, &offer).filled(&entered, wrong))
}

fn read(entered: &Entered) -> Result<NewLineage, Wrong> {
    let mut wrong = Vec::new();
    let names = SubjectAltName::parse_list(entered.text("names")).unwrap_or_else(|refused| {
        wrong.extend(refused.into_iter().map(|(line, refusal)| {
            ("names".to_owned(), Refusal { what: format!("line {line}: {}", refusal.what), ..refusal })
        }));
        Vec::new()
    });
    let lifetime = lifetime(entered).unwrap_or_else(|refused| {
        wrong.push(refused);
        None
    });
    if !wrong.is_empty() {
        return Err(Wrong::fields(wrong));
    }
    let subject = SUBJECT.iter().map(|(name, _, kind)| Attribute::new(kind.clone(), entered.text(name)));
    Ok(NewLineage {
        name: entered.text("name").to_owned(),
        subject: subject.collect(),
        names,
        owner: entered.text("owner").to_owned(),
        token: entered.text("token").parse().unwrap_or_else(|_| TokenId::system()),
        algorithm: entered.text("algorithm").parse().unwrap_or(KeyAlgorithm::EcP256),
        at_renewal: entered.text("at_renewal").parse().unwrap_or(AtRenewal::NewKey),
        exportable: entered.text("exportable").parse::<Exportable>().ok(),
        issuer: entered.text("issuer").parse().unwrap_or_else(|_| IssuerId::of("")),
        profile: entered.text("profile").parse().unwrap_or_else(|_| ProfileId::of("")),
        lifetime,
        targets: entered.all("targets").iter().filter_map(|target| target.parse().ok()).collect(),
        backend: backend(entered),
    })
}

/// The field that a refusal of the whole is about.
pub(super) fn field_of(refusal: &Refusal) -> Option<&'static str> {
    let by_place = SUBJECT.iter().find(|(_, _, kind)| kind.short_name() == refusal.place);
    match refusal.code {
        "lineage.name_taken" => Some("name"),
        "profile.lifetime" => Some("days"),
        "profile.algorithm" => Some("algorithm"),
        "cert.no_name" | "limit.san_count" => Some("names"),
        code if code.starts_with("san.") => Some("names"),
        code if code.starts_with("name.") && refusal.place.is_empty() => Some("name"),
        code if code.contains("backend") => Some("backend"),
        code if code.contains("owner") => Some("owner"),
        _ => by_place.map(|(name, _, _)| *name),
    }
}
