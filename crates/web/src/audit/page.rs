//! The audit log: who did what, filtered and paged, as a file, and verified.

use app::audit::StoredEvent;
use app::filter::AuditFilter;
use askama::Template;
use axum::extract::Query;
use domain::audit::{Action, Outcome};
use domain::permission::uses;
use serde::Deserialize;

use crate::body::PageFields;
use crate::page::download::Sheet;
use crate::page::field::{Choice, choice};
use crate::page::finding::Badge;
use crate::page::list::{FILE, PAGE};
use crate::page::words::{escape, safe};
use crate::page::{Flash, Frame, Input, Page, Place, Visit, When, go, render};

#[derive(Template)]
#[template(path = "audit/list.html")]
struct AuditPage {
    frame: Frame,
    state: String,
    actor: Input,
    action: Input,
    object: Input,
    outcome: Input,
    first: Option<String>,
    next: Option<String>,
    csv: String,
    json: String,
    rows: Vec<Row>,
}

struct Row {
    number: i64,
    at: When,
    actor: String,
    action: String,
    object: String,
    /// Where the object is shown; empty when it has no page.
    address: String,
    badge: Badge,
    code: String,
    fields: Vec<String>,
}

/// What stands after `?`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    actor: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    object: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    before: String,
    #[serde(default)]
    format: String,
}

impl Asked {
    fn filter(&self) -> AuditFilter {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        AuditFilter {
            actor: some(&self.actor),
            action: self.action.parse().ok(),
            object: some(&self.object),
            outcome: self.outcome.parse().ok(),
            ..AuditFilter::default()
        }
    }

    fn address(&self, before: &str, format: &str) -> String {
        let parts = [
            ("actor", self.actor.trim()),
            ("action", &self.action),
            ("object", self.object.trim()),
            ("outcome", &self.outcome),
            ("before", before),
            ("format", format),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", escape(value)))
            .collect();
        if parts.is_empty() { "/audit".to_owned() } else { format!("/audit?{}", parts.join("&")) }
    }
}

/// `GET /audit`.
pub async fn list(visit: Visit<uses::ViewAuditLog>, Query(asked): Query<Asked>) -> Page {
    let is_file = matches!(asked.format.as_str(), "csv" | "json");
    let limit = if is_file { FILE } else { PAGE + 1 };
    let before = asked.before.parse().ok().filter(|_| !is_file);
    let mut events = app::audit::list(visit.app(), visit.by(), asked.filter(), before, limit).await?;
    if let Some(file) = sheet(&events).answer(&asked.format) {
        return Ok(file);
    }
    let more = events.len() > PAGE as usize;
    events.truncate(PAGE as usize);
    let next = events.last().filter(|_| more).map(|last| asked.address(&last.seq.to_string(), ""));
    let frame = visit.frame("Audit log", Place::Audit);
    let rows = events.iter().map(|event| row(event, &frame)).collect();
    render(&AuditPage {
        state: "Who did what to what, and how it ended. Every event is chained to the one before it."
            .to_owned(),
        actor: Input::line("actor", "Who").value(&asked.actor),
        action: Input::select("action", "What", names(Action::ALL.iter().map(|one| one.name())))
            .chosen(std::slice::from_ref(&asked.action)),
        object: Input::line("object", "To what").value(&asked.object),
        outcome: Input::select("outcome", "Outcome", names(Outcome::ALL.iter().map(|one| one.name())))
            .chosen(std::slice::from_ref(&asked.outcome)),
        first: before.map(|_: i64| asked.address("", "")),
        next,
        csv: asked.address("", "csv"),
        json: asked.address("", "json"),
        rows,
        frame,
    })
}

fn names(names: impl Iterator<Item = &'static str>) -> Vec<Choice> {
    std::iter::once(choice("", "all")).chain(names.map(|name| choice(name, name))).collect()
}

fn row(event: &StoredEvent, frame: &Frame) -> Row {
    let badge = match event.outcome.parse::<Outcome>() {
        Ok(Outcome::Done) => Badge::good("done"),
        Ok(Outcome::Refused) => Badge::warn("refused"),
        Ok(Outcome::Failed) => Badge::bad("failed"),
        Err(_) => Badge::plain(safe(&event.outcome)),
    };
    Row {
        number: event.seq,
        at: When::new(event.at, frame.now),
        actor: safe(&event.actor),
        action: safe(&event.action),
        object: shortened(&safe(&event.object)),
        address: address_of(&event.action, &event.object),
        badge,
        code: safe(&event.code),
        fields: event.fields.lines().map(|line| told(&safe(line))).collect(),
    }
}

/// Digits of a hash that are shown; the files have them all.
const DIGITS: usize = 16;

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn shortened(text: &str) -> String {
    if is_hash(text) { format!("{}…", text.get(..DIGITS).unwrap_or_default()) } else { text.to_owned() }
}

/// `lineage: lin-...`, of the `lineage=lin-...` that is kept.
fn told(line: &str) -> String {
    match line.split_once('=') {
        Some((name, value)) => format!("{}: {}", name.replace('_', " "), shortened(value)),
        None => line.to_owned(),
    }
}

/// The page of what was acted on, by the noun of the action and the kind of its id.
fn address_of(action: &str, object: &str) -> String {
    let noun = action.split('.').next().unwrap_or_default();
    let list = match object.split('-').next().unwrap_or_default() {
        "lin" => "lineages",
        "csr" => "csrs",
        _ if noun == "certificate" && is_hash(object) => "certificates",
        _ if noun == "key" && action != "key.export" && is_hash(object) => "keys",
        _ => return String::new(),
    };
    let is_plain = object.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_plain { format!("/{list}/{object}") } else { String::new() }
}

fn sheet(events: &[StoredEvent]) -> Sheet {
    let mut sheet = Sheet::new(
        "audit",
        ["number", "at", "actor", "action", "object", "outcome", "code", "fields", "mac"],
    );
    for event in events {
        sheet.row([
            event.seq.to_string(),
            event.at.to_string(),
            safe(&event.actor),
            event.action.clone(),
            safe(&event.object),
            event.outcome.clone(),
            safe(&event.code),
            event.fields.lines().map(safe).collect::<Vec<_>>().join("; "),
            pki::identity::hex(&event.mac),
        ]);
    }
    sheet
}

/// `POST /audit/verify`.
pub async fn verify(visit: Visit<uses::ViewAuditLog>, _fields: PageFields) -> Page {
    let flash = match app::audit::verify(visit.app(), visit.by()).await {
        Ok(verified) => {
            let head: String = verified.head.chars().take(16).collect();
            Flash::good(format!(
                "All {} events are in order; the last one is chained as {head}….",
                verified.events
            ))
        }
        Err(app::Error::Refused(refusal)) => Flash::bad(crate::page::form::both(&refusal)),
        Err(other) => return Err(other.into()),
    };
    Ok(go("/audit", flash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acted_on_is_led_to_and_long_hashes_are_cut() {
        let hash = "ab".repeat(32);
        assert_eq!(address_of("certificate.import", &hash), format!("/certificates/{hash}"));
        assert_eq!(address_of("key.retire", &hash), format!("/keys/{hash}"));
        assert_eq!(address_of("lineage.create", "lin-3na2"), "/lineages/lin-3na2");
        for (action, object) in
            [("session.log_in", "usr-x"), ("csr.create", ""), ("lineage.create", "lin-/x\"x")]
        {
            assert_eq!(address_of(action, object), "", "{action} {object}");
        }
        assert_eq!(told(&format!("certificate={hash}")), "certificate: abababababababab…");
        assert_eq!(told("label=a=b"), "label: a=b");
    }
}
