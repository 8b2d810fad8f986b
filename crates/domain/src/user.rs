//! People and programs that log in.

use std::collections::BTreeSet;

use crate::clock::{DAY, Moment};
use crate::id::{ApiKeyId, UserId};
use crate::permission::Role;

/// A person who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The log-in name; unique without regard to case.
    pub name: String,
    /// What the person is trusted with.
    pub roles: BTreeSet<Role>,
    /// Whether log-in is refused.
    pub disabled: bool,
    /// Since when.
    pub created: Moment,
}

/// A program's key to the API; the secret itself is kept only as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The id, a part of the key.
    pub id: ApiKeyId,
    /// What it is for, in somebody's words; may be empty.
    pub label: String,
    /// What it is trusted with.
    pub roles: BTreeSet<Role>,
    /// Who made it, as audit events name actors.
    pub created_by: String,
    /// When it was made.
    pub created: Moment,
    /// When it ends.
    pub expires: Moment,
    /// When it was last used, to the minute.
    pub last_used: Option<Moment>,
}

/// How long an API key lasts unless said otherwise.
pub const API_KEY_LIFE: i64 = 90 * DAY;

/// Fewest characters of a password (ASVS 6.2.1).
pub const PASSWORD_MIN: usize = 12;

/// Takes a log-in name: lower-cased, so that ten spellings are one user; 1 to 64 of letters, digits, `.`, `-`, `_`, `@`.
pub fn parse_user_name(text: &str) -> Option<String> {
    let name = text.trim().to_lowercase();
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
    ((1..=64).contains(&name.chars().count()) && name.chars().all(allowed)).then_some(name)
}
