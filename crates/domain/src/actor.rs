//! Who does something: a person, a program with an API key, or a part of the server itself.

use std::collections::BTreeSet;
use std::fmt;

use crate::id::{ApiKeyId, UserId};
use crate::permission::Role;

/// Who acts. Made only where somebody was recognised (log-in, API key) or by the server for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person with a session.
    User {
        /// Who.
        id: UserId,
        /// The name that audit events and pages show.
        name: String,
        /// The roles held now.
        roles: BTreeSet<Role>,
    },
    /// A program.
    ApiKey {
        /// Which key.
        id: ApiKeyId,
        /// The roles that the key was given.
        roles: BTreeSet<Role>,
    },
    /// The server's own clockwork: renewals, deployments.
    Scheduler,
    /// The TLS edge, which signs handshakes.
    Edge,
    /// Who holds the data directory: `init`, `restore`, the setup link.
    Installer,
}

impl Actor {
    /// The name in audit events: `user:NAME`, `api-key:ID`, `scheduler`, `edge`, `installer`.
    pub fn name(&self) -> String {
        self.to_string()
    }

    /// The roles held; the server's own actors hold none, they have their permissions by themselves.
    pub fn roles(&self) -> BTreeSet<Role> {
        match self {
            Self::User { roles, .. } | Self::ApiKey { roles, .. } => roles.clone(),
            Self::Scheduler | Self::Edge | Self::Installer => BTreeSet::new(),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { name, .. } => write!(f, "user:{name}"),
            Self::ApiKey { id, .. } => write!(f, "api-key:{id}"),
            Self::Scheduler => f.write_str("scheduler"),
            Self::Edge => f.write_str("edge"),
            Self::Installer => f.write_str("installer"),
        }
    }
}
