//! `/api/v1/audit-events`: see them, and verify their chain.

use std::collections::BTreeMap;

use app::filter::AuditFilter;
use axum::Json;
use axum::extract::State;
use domain::Moment;
use domain::audit::{Action, Outcome};
use domain::permission::uses;
use pki::Refusal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::list::{Asked, Listing, Paging, parse_some};
use crate::routes::Parameter;
use crate::{Permit, Problem, Web};

/// The parameters of the list.
pub const ASKED: [Parameter; 8] = [
    Parameter::LIMIT,
    Parameter::AFTER,
    Parameter::id("actor", "Only events of this actor, `user:NAME` or `api-key:ID`."),
    Parameter::one_of("action", Action::NAMES, "Only this action, `key.generate` say."),
    Parameter::id("object", "Only events of the object with this id."),
    Parameter::one_of("outcome", Outcome::NAMES, "`done`, `refused` or `failed`."),
    Parameter::id("from", "From this moment on, RFC 3339."),
    Parameter::id("until", "Before this moment, RFC 3339."),
];

/// Which events.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedEvents {
    limit: Option<u32>,
    after: Option<String>,
    actor: Option<String>,
    action: Option<String>,
    object: Option<String>,
    outcome: Option<String>,
    from: Option<String>,
    until: Option<String>,
}

/// Who did what to what, and how it ended.
#[derive(Serialize, ToSchema)]
pub struct AuditEvent {
    /// Its number; the first is 1.
    seq: i64,
    /// When.
    at: String,
    /// Who.
    actor: String,
    /// What was done or tried.
    action: String,
    /// To what: an id, or empty.
    object: String,
    /// `done`, `refused` or `failed`.
    outcome: String,
    /// The code of the refusal or failure; left out when it was done.
    #[serde(skip_serializing_if = "String::is_empty")]
    code: String,
    /// What else is said, by name.
    fields: BTreeMap<String, String>,
    /// The MAC that chains it to the one before.
    mac: String,
}

/// A chain that holds.
#[derive(Serialize, ToSchema)]
pub struct Verification {
    /// How many events there are.
    events: i64,
    /// The MAC of the last one.
    head: String,
}

/// `GET /audit-events`, newest first
pub async fn list(
    State(web): State<Web>,
    by: Permit<uses::ViewAuditLog>,
    Asked(asked): Asked<AskedEvents>,
) -> Result<Json<Listing<AuditEvent>>, Problem> {
    let filter = AuditFilter {
        actor: asked.actor,
        action: parse_some("action", asked.action.as_deref())?,
        object: asked.object,
        outcome: parse_some("outcome", asked.outcome.as_deref())?,
        from: asked.from.as_deref().map(|text| moment("from", text)).transpose()?,
        until: asked.until.as_deref().map(|text| moment("until", text)).transpose()?,
    };
    let before = parse_some::<i64>("after", asked.after.as_deref())?;
    let paging = Paging::new(asked.limit, None);
    let events = app::audit::list(web.app(), &by, filter, before, paging.page().limit).await?;
    let json = |event: app::audit::StoredEvent| AuditEvent {
        seq: event.seq,
        at: event.at.to_string(),
        actor: event.actor,
        action: event.action,
        object: event.object,
        outcome: event.outcome,
        code: event.code,
        fields: fields(&event.fields),
        mac: pki::identity::hex(&event.mac),
    };
    Ok(Json(paging.cut(events, |event| event.seq.to_string(), json)))
}

/// `GET /audit-events/verification`
pub async fn verify(
    State(web): State<Web>,
    by: Permit<uses::ViewAuditLog>,
) -> Result<Json<Verification>, Problem> {
    let verified = app::audit::verify(web.app(), &by).await?;
    Ok(Json(Verification { events: verified.events, head: verified.head }))
}

/// `name=value` on a line each, as events are stored.
fn fields(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn moment(field: &str, text: &str) -> Result<Moment, Problem> {
    let format = &time::format_description::well_known::Rfc3339;
    let parsed = time::OffsetDateTime::parse(text, format).ok();
    let milliseconds =
        parsed.and_then(|moment| i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok());
    milliseconds.map(Moment).ok_or_else(|| {
        let what = "this is not a moment";
        Problem::field(field, Refusal::new("input.value", what, "Write it like 2027-01-31T23:59:00Z."))
    })
}
