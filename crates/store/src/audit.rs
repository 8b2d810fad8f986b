//! The audit log: numbered without a gap and chained, so that a changed, missing, moved or cut-off event is found.
//!
//! Each event's MAC covers the event and the MAC of the one before it, under a key that is not in the database. The
//! head, number and MAC of the last event, stands in a row of its own, and also in a file that `app` writes.

use domain::Moment;
use domain::audit::{Action, Event, Outcome, canonical, chain};

use crate::select::Select;
use crate::tx::Row;
use crate::{Error, Tx};

const EVENT: &str = "SELECT seq, at, actor, action, object, outcome, code, fields, mac FROM audit_event";

/// How many events are verified at a time.
const CHUNK: i64 = 1_000;

/// A stored event: the texts as they are stored, which is what the chain covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number; the first is 1.
    pub seq: i64,
    /// When.
    pub at: Moment,
    /// Who.
    pub actor: String,
    /// What was done or tried, by its name.
    pub action: String,
    /// To what.
    pub object: String,
    /// How it ended, by its name.
    pub outcome: String,
    /// The code of the refusal or failure.
    pub code: String,
    /// What else is said, `name=value` on a line each.
    pub fields: String,
    /// The MAC that chains it.
    pub mac: [u8; 32],
}

/// Which events are listed. All that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By this actor, exactly.
    pub actor: Option<String>,
    /// Of this action.
    pub action: Option<Action>,
    /// To this object, exactly.
    pub object: Option<String>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// From this moment on.
    pub from: Option<Moment>,
    /// Before this moment.
    pub until: Option<Moment>,
}

/// Stores an event as the next of the chain; answers its number. Others that record wait until this is committed, so
/// it comes last in a transaction.
pub fn record(tx: &Tx<'_>, event: &Event) -> Result<i64, Error> {
    let (last, before) = held_head(tx)?;
    let seq = last + 1;
    let mac = chain(&tx.keys().audit, &before, &event.canonical(seq));
    tx.exec(
        "INSERT INTO audit_event (seq, at, actor, action, object, outcome, code, fields, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            &seq,
            &event.at.0,
            &event.actor,
            &event.action.name(),
            &event.object,
            &event.outcome.name(),
            &event.code,
            &event.fields_text(),
            &mac.as_slice(),
        ],
    )?;
    tx.update(
        "audit head",
        "UPDATE audit_head SET seq = $1, mac = $2 WHERE id = 1",
        &[&seq, &mac.as_slice()],
    )?;
    Ok(seq)
}

/// The head, which nobody else moves until the end of the transaction; made with the first event.
fn held_head(tx: &Tx<'_>) -> Result<(i64, [u8; 32]), Error> {
    let sql = format!("SELECT seq, mac FROM audit_head WHERE id = 1{}", tx.for_update());
    if let Some(head) = tx.one(&sql, &[], read_head)? {
        return Ok(head);
    }
    let none = [0_u8; 32];
    tx.exec(
        "INSERT INTO audit_head (id, seq, mac) VALUES (1, 0, $1) ON CONFLICT (id) DO NOTHING",
        &[&none.as_slice()],
    )?;
    Ok(tx.one(&sql, &[], read_head)?.unwrap_or((0, none)))
}

/// Events, the newest first, from before the number `before` on.
pub fn page(
    tx: &Tx<'_>,
    filter: &AuditFilter,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<StoredEvent>, Error> {
    let mut select = Select::new(EVENT);
    select.maybe("seq < {}", before);
    select.maybe("actor = {}", filter.actor.as_deref());
    select.maybe("action = {}", filter.action.map(Action::name));
    select.maybe("object = {}", filter.object.as_deref());
    select.maybe("outcome = {}", filter.outcome.map(Outcome::name));
    select.maybe("at >= {}", filter.from.map(|from| from.0));
    select.maybe("at < {}", filter.until.map(|until| until.0));
    select.rows(tx, "seq DESC", limit, read)
}

/// Number and MAC of the last event; 0 and zeros when there is none.
pub fn head(tx: &Tx<'_>) -> Result<(i64, [u8; 32]), Error> {
    let head = tx.one("SELECT seq, mac FROM audit_head WHERE id = 1", &[], read_head)?;
    Ok(head.unwrap_or((0, [0; 32])))
}

/// Where the chain is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {seq}: {what}")]
pub struct Broken {
    /// The first number at which it shows.
    pub seq: i64,
    /// What is wrong.
    pub what: &'static str,
}

/// Walks the whole chain, and compares it with a head that was written down elsewhere (it may be older than the last
/// event). Answers how many events there are, or where the chain is broken.
pub fn verify(tx: &Tx<'_>, expected_head: Option<(i64, [u8; 32])>) -> Result<Result<i64, Broken>, Error> {
    let mut walk = Walk { last: 0, mac: [0; 32], expected: expected_head };
    loop {
        let events =
            tx.rows(&format!("{EVENT} WHERE seq > $1 ORDER BY seq LIMIT $2"), &[&walk.last, &CHUNK], read)?;
        if events.is_empty() {
            break;
        }
        if let Some(broken) = events.iter().find_map(|event| walk.step(&tx.keys().audit, event).err()) {
            return Ok(Err(broken));
        }
    }
    // Numbers below 1 would never be walked over.
    if tx.number("SELECT count(*) AS n FROM audit_event WHERE seq < 1", &[])? > 0 {
        return Ok(Err(Broken { seq: 0, what: "there are events with numbers that were never given" }));
    }
    let stored = head(tx)?;
    Ok(walk.end(stored))
}

struct Walk {
    last: i64,
    mac: [u8; 32],
    expected: Option<(i64, [u8; 32])>,
}

impl Walk {
    fn step(&mut self, key: &[u8; 32], event: &StoredEvent) -> Result<(), Broken> {
        let seq = self.last + 1;
        if event.seq != seq {
            return Err(Broken { seq, what: "it is missing" });
        }
        let texts =
            [&event.actor, &event.action, &event.object, &event.outcome, &event.code].map(String::as_str);
        let mac = chain(key, &self.mac, &canonical(seq, event.at, texts, &event.fields));
        if !pki::seal::constant_time_eq(&mac, &event.mac) {
            return Err(Broken { seq, what: "it was changed, moved, or put in" });
        }
        if self.expected.is_some_and(|(expected, head)| expected == seq && head != mac) {
            return Err(Broken { seq, what: "it is not the one that was written down beside the database" });
        }
        self.last = seq;
        self.mac = mac;
        Ok(())
    }

    fn end(self, stored: (i64, [u8; 32])) -> Result<i64, Broken> {
        let cut = |seq| Err(Broken { seq, what: "it was cut off, with all that came after" });
        if self.expected.is_some_and(|(expected, _)| expected > self.last) || stored.0 > self.last {
            return cut(self.last + 1);
        }
        if stored != (self.last, self.mac) {
            return Err(Broken { seq: self.last, what: "the stored head is not the last event" });
        }
        Ok(self.last)
    }
}

fn read_head(row: &Row<'_>) -> Result<(i64, [u8; 32]), Error> {
    Ok((row.at("seq")?, row.hash("audit_head", "mac")?))
}

fn read(row: &Row<'_>) -> Result<StoredEvent, Error> {
    Ok(StoredEvent {
        seq: row.at("seq")?,
        at: row.moment("at")?,
        actor: row.at("actor")?,
        action: row.at("action")?,
        object: row.at("object")?,
        outcome: row.at("outcome")?,
        code: row.at("code")?,
        fields: row.at("fields")?,
        mac: row.hash("audit_event", "mac")?,
    })
}
