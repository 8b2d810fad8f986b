//! What is ticked in the list of certificates. It goes along from page to page and from search to search in the
//! address, so that certificates of several pages can be exported or removed together, with and without the script.

use app::certificate::MOST_TOGETHER;
use axum::extract::Query;
use pki::{Fingerprint, Refusal};

use crate::page::Entered;
use crate::page::list::Asked;

/// The list's address.
const LIST: &str = "/certificates";
/// Ticks in an address.
const TICK: &str = "tick";

/// What is ticked, each once, in the order in which it was ticked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticks(Vec<Fingerprint>);

impl Ticks {
    /// Those in an address; what is no fingerprint is left out.
    pub fn in_address(pairs: &[(String, String)]) -> Self {
        Self::of(pairs.iter().filter(|(name, _)| name == TICK).map(|(_, value)| value.as_str()))
    }

    /// Those in the list's form.
    pub fn in_form(entered: &Entered) -> Self {
        let all = entered.all("selected");
        Self::of(all.iter().map(String::as_str))
    }

    fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let mut ticks = Self::default();
        for id in texts.filter_map(|text| text.parse().ok()) {
            if !ticks.holds(&id) {
                ticks.0.push(id);
            }
        }
        ticks
    }

    /// All of them.
    pub fn all(&self) -> &[Fingerprint] {
        &self.0
    }

    /// Whether this one is ticked.
    pub fn holds(&self, id: &Fingerprint) -> bool {
        self.0.contains(id)
    }

    /// Refuses more than go into one file, and fit in an address.
    ///
    /// # Errors
    /// `limit.cert_count`, and those that are kept.
    pub fn check(self) -> Result<Self, (Refusal, Self)> {
        if self.0.len() <= MOST_TOGETHER {
            return Ok(self);
        }
        let what = format!("{} certificates are ticked; at most {MOST_TOGETHER} go together", self.0.len());
        let repair =
            format!("The first {MOST_TOGETHER} are still ticked: export them, then tick the others.");
        let kept = self.0.into_iter().take(MOST_TOGETHER).collect();
        Err((Refusal::new("limit.cert_count", what, repair), Self(kept)))
    }

    /// A page of the list with these ticks. Of the address only what belongs to the list is taken.
    pub fn on(&self, address: &str) -> String {
        let query = address.strip_prefix(LIST).and_then(|rest| rest.strip_prefix('?')).unwrap_or_default();
        let asked = format!("/?{query}").parse().ok().and_then(|uri| Query::<Asked>::try_from_uri(&uri).ok());
        self.of_list(&asked.map(|Query(asked)| asked).unwrap_or_default())
    }

    /// The list that is asked for, with these ticks.
    pub fn of_list(&self, asked: &Asked) -> String {
        let page = asked.address(LIST, &asked.after, "");
        let ticks = self.query(TICK);
        match (ticks.is_empty(), page.contains('?')) {
            (true, _) => page,
            (false, true) => format!("{page}&{ticks}"),
            (false, false) => format!("{page}?{ticks}"),
        }
    }

    /// All of them as parameters of this name.
    pub fn query(&self, name: &str) -> String {
        let parts: Vec<String> = self.0.iter().map(|id| format!("{name}={id}")).collect();
        parts.join("&")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<Fingerprint> {
        (0..count).map(|number| Fingerprint::of_der(&number.to_be_bytes())).collect()
    }

    #[test]
    fn each_is_kept_once_and_goes_along_to_any_page_of_this_list_only() {
        let [one, two] = ids(2)[..] else { unreachable!() };
        let pairs = [(TICK, one.to_string()), ("q", "a".into()), (TICK, "x".into()), (TICK, two.to_string())];
        let mut pairs = pairs.map(|(name, value)| (name.to_owned(), value)).to_vec();
        pairs.push((TICK.to_owned(), one.to_string()));
        let ticks = Ticks::in_address(&pairs);
        assert_eq!(ticks.all(), [one, two]);
        let both = format!("tick={one}&tick={two}");
        assert_eq!(ticks.on("/certificates"), format!("/certificates?{both}"));
        assert_eq!(
            ticks.on("/certificates?q=a%26b&after=c&odd=1"),
            format!("/certificates?q=a%26b&after=c&{both}")
        );
        assert_eq!(ticks.on("https://evil.example/?q=a"), format!("/certificates?{both}"));
        assert_eq!(Ticks::default().on("/certificates?sort=name"), "/certificates?sort=name");
    }

    #[test]
    fn a_hundred_go_together_and_their_address_is_short_enough() {
        let hundred = Ticks(ids(MOST_TOGETHER)).check().unwrap();
        assert!(hundred.on("/certificates").len() < 8 * 1024 - 500, "{}", hundred.on("/certificates").len());
        let (refusal, kept) = Ticks(ids(MOST_TOGETHER + 1)).check().unwrap_err();
        assert_eq!((refusal.code, kept), ("limit.cert_count", hundred));
    }
}
