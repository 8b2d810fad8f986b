//! What the clients saw, for people and for programs.

use comfy_table::Table;
use domain::Moment;
use pki::Fingerprint;
use serde::Serialize;

use super::client::Tally;

/// The report of a demonstration; its JSON is a contract (DESIGN section 12).
#[derive(Debug, PartialEq, Serialize)]
pub struct Report {
    /// Each site.
    pub sites: Vec<SiteReport>,
    /// Handshakes that ended well.
    pub handshakes: u64,
    /// Handshakes that did not, or whose certificate was not valid for the name.
    pub failed: u64,
    /// Seconds from the order until the last handshake that still saw an old certificate.
    pub seconds_to_last_old: f64,
    /// What went wrong, the first few; not part of the contract while it is empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
}

/// One site in the report.
#[derive(Debug, PartialEq, Serialize)]
pub struct SiteReport {
    /// Its host name.
    pub name: String,
    /// SHA-256 of the certificate before.
    pub old: String,
    /// SHA-256 of the new one.
    pub new: String,
    /// Handshakes with either.
    pub handshakes: u64,
    /// Of them with the new one.
    pub handshakes_new: u64,
}

impl Report {
    /// Sums up a tally. `old` and `new` belong to the names in their order; `ordered` is when the new ones were.
    pub fn of(
        tally: &Tally,
        names: &[&str],
        old: &[Fingerprint],
        new: &[Fingerprint],
        ordered: Moment,
    ) -> Self {
        let mut sites = Vec::with_capacity(names.len());
        let mut last_old = ordered.0;
        for ((name, old), new) in names.iter().zip(old).zip(new) {
            last_old = last_old.max(tally.last_seen(name, old));
            sites.push(SiteReport {
                name: (*name).to_owned(),
                old: old.to_string(),
                new: new.to_string(),
                handshakes: tally.of_site(name),
                handshakes_new: tally.seen(name, new),
            });
        }
        let milliseconds = u32::try_from(last_old - ordered.0).unwrap_or(u32::MAX);
        Self {
            sites,
            handshakes: tally.handshakes,
            failed: tally.failed,
            seconds_to_last_old: f64::from(milliseconds) / 1_000.0,
            failures: tally.failures.clone(),
        }
    }

    /// The same for people.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["Site", "Certificate before", "New certificate", "Handshakes", "With the new one"]);
        for site in &self.sites {
            table.add_row([
                site.name.clone(),
                shortened(&site.old),
                shortened(&site.new),
                site.handshakes.to_string(),
                site.handshakes_new.to_string(),
            ]);
        }
        let mut text = format!(
            "{table}\n{} handshakes, {} failed; the last old certificate was seen after {:.1} s.",
            self.handshakes, self.failed, self.seconds_to_last_old
        );
        for failure in &self.failures {
            text.push_str(&format!("\n  failed: {failure}"));
        }
        text
    }
}

fn shortened(fingerprint: &str) -> String {
    format!("{}...", fingerprint.chars().take(16).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_as_promised() {
        let (old, new) = (Fingerprint([1; 32]), Fingerprint([2; 32]));
        let mut tally = Tally::default();
        tally.count("a.example", &old, Moment(1_000));
        tally.count("a.example", &old, Moment(3_500));
        tally.count("a.example", &new, Moment(4_000));
        let report = Report::of(&tally, &["a.example"], &[old], &[new], Moment(2_000));
        let json = serde_json::to_value(&report).unwrap();
        let wanted = serde_json::json!({
            "sites": [{"name": "a.example", "old": "01".repeat(32), "new": "02".repeat(32), "handshakes": 3, "handshakes_new": 1}],
            "handshakes": 3,
            "failed": 0,
            "seconds_to_last_old": 1.5,
        });
        assert_eq!(json, wanted);
    }

    #[test]
    fn an_old_certificate_that_was_never_seen_again_took_no_time() {
        let (old, new) = (Fingerprint([1; 32]), Fingerprint([2; 32]));
        let mut tally = Tally::default();
        tally.count("a.example", &old, Moment(1_000));
        tally.count("a.example", &new, Moment(4_000));
        let report = Report::of(&tally, &["a.example"], &[old], &[new], Moment(2_000));
        assert_eq!(report.seconds_to_last_old, 0.0);
    }
}
