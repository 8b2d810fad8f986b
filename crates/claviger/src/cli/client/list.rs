//! Lists: which page is wanted, and how things are found by their names.

use clap::Args;

/// Which rows of a long list.
#[derive(Debug, Args)]
pub struct Page {
    /// Rows at once, 1 to 1000
    #[arg(long, value_name = "ROWS", default_value_t = 100)]
    limit: u32,
    /// Where to go on, as the list before said
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

/// The parameters of a request.
pub type Query = Vec<(&'static str, String)>;

impl Page {
    /// The page and these filters, as far as they are given.
    pub fn with(&self, filters: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Query {
        let given = filters.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let after = self.after.clone().map(|after| ("after", after));
        [("limit", self.limit.to_string())].into_iter().chain(after).chain(given).collect()
    }
}

/// A kind of thing that people call by a name.
pub struct Kind {
    /// What it is called on the command line.
    pub noun: &'static str,
    /// Its list in the API.
    pub path: &'static str,
    /// The field of its id.
    pub id: &'static str,
    /// The field of its name.
    pub name: &'static str,
    /// Whether a text is an id already.
    pub is_id: fn(&str) -> bool,
    /// What the list is asked with, always.
    pub query: &'static [(&'static str, &'static str)],
    /// Whether the list is paged and searched by text.
    pub length: Length,
}

/// How long a list may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// A few; all at once.
    Short,
    /// Any; page by page.
    Long,
}

impl Kind {
    /// Asks for everything.
    pub fn all(&self) -> Query {
        let mut query: Query = self.query.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        if self.length == Length::Long {
            query.push(("limit", "1000".to_owned()));
        }
        query
    }

    /// Asks for what may have this name.
    pub fn by_name(&self, name: &str) -> Query {
        let mut query = self.all();
        if self.length == Length::Long {
            query.push(("text", name.to_owned()));
        }
        query
    }

    /// Whether a text may be the beginning of an id that is a hash.
    pub fn has_prefix(&self, text: &str) -> bool {
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_hex && text.len() >= 8 && matches!(self.noun, "key" | "cert")
    }
}

/// Keys.
pub const KEY: Kind = Kind {
    noun: "key",
    path: "private-keys",
    id: "id",
    name: "label",
    is_id: is_hash,
    query: &[],
    length: Length::Long,
};
/// CSRs.
pub const CSR: Kind = Kind {
    noun: "csr",
    path: "csrs",
    id: "id",
    name: "friendly_name",
    is_id: |text| text.starts_with("csr-"),
    query: &[],
    length: Length::Long,
};
/// Certificates.
pub const CERTIFICATE: Kind = Kind {
    noun: "cert",
    path: "certificates",
    id: "hash",
    name: "friendly_name",
    is_id: is_hash,
    query: &[("include_ca", "true")],
    length: Length::Long,
};
/// Lineages.
pub const LINEAGE: Kind = Kind {
    noun: "lineage",
    path: "lineages",
    id: "id",
    name: "name",
    is_id: |text| text.starts_with("lin-"),
    query: &[],
    length: Length::Long,
};
/// Targets.
pub const TARGET: Kind = Kind {
    noun: "target",
    path: "targets",
    id: "id",
    name: "label",
    is_id: |text| text == "edge" || text.starts_with("tgt-"),
    query: &[],
    length: Length::Short,
};
/// Users.
pub const USER: Kind = Kind {
    noun: "user",
    path: "users",
    id: "id",
    name: "name",
    is_id: |text| text.starts_with("usr-"),
    query: &[],
    length: Length::Short,
};

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_that_are_not_given_are_not_sent() {
        let page = Page { limit: 5, after: None };
        let query = page.with([("state", Some("waiting".to_owned())), ("key", None)]);
        assert_eq!(query, [("limit", "5".to_owned()), ("state", "waiting".to_owned())]);
    }

    #[test]
    fn hashes_are_known_by_their_beginning_and_names_are_not() {
        assert!((KEY.is_id)(&"ab".repeat(32)) && CERTIFICATE.has_prefix("0123abcd"));
        assert!(
            !CERTIFICATE.has_prefix("0123abc")
                && !LINEAGE.has_prefix("0123abcd")
                && !KEY.has_prefix("shop.example")
        );
    }
}
