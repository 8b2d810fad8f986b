//! Lists: a page at a time, by cursor, filtered on the server.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use pki::Refusal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Problem, Web};

/// Rows of a page unless asked otherwise.
const USUAL: u32 = 100;
/// The most rows of a page.
const MOST: u32 = 1_000;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listing<T> {
    /// The rows.
    pub items: Vec<T>,
    /// What to send as `after` for the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The parameters after `?` as a type. Unknown ones are refused by the type: 400 `input.query`.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Web> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _web: &Web) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(error) => {
                let text: String = error.body_text().chars().filter(|c| !c.is_control()).take(300).collect();
                let repair = "The API's description says which parameters there are.";
                Err(Problem::bad_request("input.query", text, repair))
            }
        }
    }
}

/// Which page is asked for; a part of each list's own parameters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    limit: Option<u32>,
    after: Option<String>,
}

impl Paging {
    /// From the two parameters of a list that has more.
    pub fn new(limit: Option<u32>, after: Option<String>) -> Self {
        Self { limit, after }
    }

    /// How many rows are wanted.
    pub fn limit(&self) -> usize {
        self.rows() as usize
    }

    fn rows(&self) -> u32 {
        self.limit.unwrap_or(USUAL).clamp(1, MOST)
    }

    /// What the store is asked for: one row more than wanted, which tells whether there is a next page. An empty place
    /// counts as left out.
    pub fn page(&self) -> app::Page {
        app::Page { after: self.after.clone().filter(|after| !after.is_empty()), limit: self.rows() + 1 }
    }

    /// Cuts the row too many off, and says where the next page begins.
    pub fn cut<T, J>(
        &self,
        mut rows: Vec<T>,
        cursor: impl Fn(&T) -> String,
        json: impl Fn(T) -> J,
    ) -> Listing<J> {
        let is_last = rows.len() <= self.limit();
        rows.truncate(self.limit());
        let next = rows.last().filter(|_| !is_last).map(cursor);
        Listing { items: rows.into_iter().map(json).collect(), next }
    }
}

/// Reads a parameter or field that must name one of ours.
pub fn parse<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, Problem>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| {
        let repair = "The API's description says what may stand here.";
        Problem::field(name, Refusal::new("input.value", error.to_string(), repair))
    })
}

/// The same for one that may be left out; an empty text counts as left out.
pub fn parse_some<T: std::str::FromStr>(name: &str, text: Option<&str>) -> Result<Option<T>, Problem>
where
    T::Err: std::fmt::Display,
{
    text.filter(|text| !text.is_empty()).map(|text| parse(name, text)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_has_no_next() {
        let paging = Paging::new(Some(2), None);
        assert_eq!(paging.page().limit, 3);
        let page = paging.cut(vec![1, 2, 3], ToString::to_string, |row| row);
        assert_eq!((page.items, page.next), (vec![1, 2], Some("2".to_owned())));
        let last = paging.cut(vec![1, 2], ToString::to_string, |row| row);
        assert_eq!((last.items, last.next), (vec![1, 2], None));
    }

    #[test]
    fn nobody_asks_for_everything_at_once() {
        assert_eq!(Paging::new(Some(u32::MAX), None).limit(), 1_000);
        assert_eq!(Paging::new(Some(0), None).limit(), 1);
    }
}
