//! Moments for people: absolute with UTC on hover, and in words how far away.

use askama::Template;
use askama::filters::HtmlSafe;
use domain::Moment;
use domain::clock::{DAY, HOUR, MINUTE, SECOND};
use pki::UnixTime;

/// A moment as a page shows it. With the script it turns to the viewer's zone.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<time datetime="{{ machine }}" title="{{ utc }}">{{ utc }}</time> <span class="soft">{{ words }}</span>"#,
    ext = "html"
)]
pub struct When {
    machine: String,
    utc: String,
    words: String,
}

impl HtmlSafe for When {}

impl When {
    /// Shows `at` as seen from `now`.
    pub fn new(at: Moment, now: Moment) -> Self {
        let seconds = UnixTime(at.0.div_euclid(SECOND));
        let machine = seconds.to_string();
        let utc = utc(&machine);
        Self { machine, utc, words: relative(at.since(now)) }
    }

    /// Shows a moment of a certificate.
    pub fn unix(at: UnixTime, now: Moment) -> Self {
        Self::new(Moment::from(at), now)
    }
}

/// `2027-02-28 12:04 UTC`, for sentences, sheets and titles.
pub fn utc_words(at: Moment) -> String {
    utc(&at.unix().to_string())
}

fn utc(machine: &str) -> String {
    match (machine.get(..10), machine.get(11..16)) {
        (Some(day), Some(clock)) if machine.len() == 20 => format!("{day} {clock} UTC"),
        _ => machine.to_owned(),
    }
}

/// How far away, in the two-sided words of a person: `in 99 days`, `40 seconds ago`, `now`.
pub fn relative(milliseconds: i64) -> String {
    let distance = milliseconds.unsigned_abs();
    if distance < SECOND.unsigned_abs() {
        return "now".to_owned();
    }
    let words = span(milliseconds);
    if milliseconds > 0 { format!("in {words}") } else { format!("{words} ago") }
}

/// A span of milliseconds in its largest fitting unit, without its sign.
pub fn span(milliseconds: i64) -> String {
    const UNITS: [(i64, &str); 5] =
        [(365 * DAY, "year"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second")];
    let distance = milliseconds.unsigned_abs();
    for (unit, name) in UNITS {
        let unit = unit.unsigned_abs();
        // Two of a unit before it is used: "45 days" and "36 hours" say more than "1 month" and "1 day".
        if distance >= 2 * unit || (unit == SECOND.unsigned_abs() && distance >= unit) {
            return counted(distance / unit, name);
        }
    }
    "no time".to_owned()
}

/// `1 day`, `2 days`.
pub fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{} {noun}s", number(count)) }
}

/// `10,000`: digits in groups of three.
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let grouped = digits.char_indices().flat_map(|(at, digit)| {
        let is_start = at > 0 && (digits.len() - at).is_multiple_of(3);
        is_start.then_some(',').into_iter().chain([digit])
    });
    grouped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_can_be_read() {
        let read = [0, 999, 1_000, 10_001, 1_234_567].map(number);
        assert_eq!(read, ["0", "999", "1,000", "10,001", "1,234,567"]);
        assert_eq!((counted(1, "key"), counted(10_000, "key")), ("1 key".into(), "10,000 keys".into()));
    }

    #[test]
    fn says_how_far_away_on_both_sides() {
        for (milliseconds, words) in [
            (0, "now"),
            (999, "now"),
            (-40 * SECOND, "40 seconds ago"),
            (90 * SECOND, "in 90 seconds"),
            (2 * HOUR, "in 2 hours"),
            (-36 * HOUR, "36 hours ago"),
            (99 * DAY, "in 99 days"),
            (4 * 365 * DAY, "in 4 years"),
            (i64::MIN, "292,471,208 years ago"),
        ] {
            assert_eq!(relative(milliseconds), words);
        }
    }

    #[test]
    fn shows_utc_and_keeps_the_machine_form() {
        let html = When::new(Moment(1_800_000_000_000), Moment(1_799_999_960_000)).to_string();
        assert!(html.contains(r#"datetime="2027-01-15T08:00:00Z""#), "{html}");
        assert!(html.contains("2027-01-15 08:00 UTC") && html.contains("in 40 seconds"), "{html}");
    }
}
