//! What may stand after `?`.

/// A parameter, what it takes, and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What it means.
    pub meaning: &'static str,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// A text.
    Text,
    /// A text that is not empty: an id, or where a list goes on.
    Id,
    /// A number of rows.
    Rows,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

impl Parameter {
    /// How many rows a page has.
    pub const LIMIT: Self =
        Self { name: "limit", takes: Takes::Rows, meaning: "Rows of a page, 1 to 1000; 100 if left out." };
    /// Where a page begins.
    pub const AFTER: Self = Self::id("after", "The `next` of the page before.");

    /// One that takes any text.
    pub const fn text(name: &'static str, meaning: &'static str) -> Self {
        Self { name, takes: Takes::Text, meaning }
    }

    /// One that takes an id, a hash, or something else of ours.
    pub const fn id(name: &'static str, meaning: &'static str) -> Self {
        Self { name, takes: Takes::Id, meaning }
    }

    /// One that is on or off.
    pub const fn flag(name: &'static str, meaning: &'static str) -> Self {
        Self { name, takes: Takes::Flag, meaning }
    }

    /// One that takes one of a few words.
    pub const fn one_of(name: &'static str, words: &'static [&'static str], meaning: &'static str) -> Self {
        Self { name, takes: Takes::OneOf(words), meaning }
    }
}
