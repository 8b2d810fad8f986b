//! The frame around a page: title, navigation, the person, and the answer to what was done last.

use domain::permission::may;
use domain::{Actor, Moment, Permission};

use crate::page::{Flash, asset};

/// Which entry of the navigation a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first page.
    Overview,
    /// Tokens and their keys.
    Keys,
    /// Certificates.
    Certificates,
    /// Certificate requests.
    Csrs,
    /// Lineages.
    Lineages,
    /// Issuers.
    Issuers,
    /// Targets.
    Targets,
    /// Users.
    Users,
    /// API keys.
    ApiKeys,
    /// The audit log.
    Audit,
    /// Settings.
    Settings,
    /// What may be sent to support.
    Support,
    /// One's own password.
    Account,
    /// None of them.
    Elsewhere,
}

struct Entry {
    place: Place,
    address: &'static str,
    words: &'static str,
    needs: Permission,
}

const fn entry(place: Place, address: &'static str, words: &'static str, needs: Permission) -> Entry {
    Entry { place, address, words, needs }
}

/// The groups of the navigation; the appliance's path "Security > Certificates" can be followed in it.
const GROUPS: [(&str, &[Entry]); 5] = [
    ("", &[entry(Place::Overview, "/", "Overview", Permission::ViewCertificates)]),
    (
        "Security",
        &[
            entry(Place::Keys, "/keys", "Keys and certificates", Permission::ViewKeys),
            entry(Place::Certificates, "/certificates", "Certificates", Permission::ViewCertificates),
            entry(Place::Csrs, "/csrs", "Certificate requests", Permission::ViewCertificates),
            entry(Place::Lineages, "/lineages", "Lineages", Permission::ViewCertificates),
        ],
    ),
    ("Where they come from", &[entry(Place::Issuers, "/issuers", "Issuers", Permission::ViewCertificates)]),
    ("Where they go", &[entry(Place::Targets, "/targets", "Targets", Permission::ViewCertificates)]),
    (
        "This server",
        &[
            entry(Place::Users, "/users", "Users", Permission::ViewUsers),
            entry(Place::ApiKeys, "/api-keys", "API keys", Permission::ViewApiKeys),
            entry(Place::Audit, "/audit", "Audit log", Permission::ViewAuditLog),
            entry(Place::Settings, "/settings", "Settings", Permission::ViewSettings),
            entry(Place::Support, "/support", "Support", Permission::ExportCertificate),
        ],
    ),
];

/// One link of the navigation, as the template draws it.
pub struct Link {
    /// Where it goes.
    pub address: &'static str,
    /// What is read.
    pub words: &'static str,
    /// Whether it is the page that is shown.
    pub here: bool,
}

/// The frame.
#[derive(Clone)]
pub struct Frame {
    /// The title, also the page's one `h1` unless the page says otherwise.
    pub title: String,
    /// The hidden field that forms send back.
    pub csrf: String,
    /// How the last action ended.
    pub flash: Option<Flash>,
    /// When the page is made.
    pub now: Moment,
    place: Place,
    actor: Actor,
}

impl Frame {
    /// A frame for this actor.
    pub fn new(title: impl Into<String>, place: Place, actor: &Actor, now: Moment) -> Self {
        Self { title: title.into(), csrf: String::new(), flash: None, now, place, actor: actor.clone() }
    }

    /// Whether the actor may, so that nothing is shown that cannot be used.
    pub fn may(&self, permission: Permission) -> bool {
        may(&self.actor, permission)
    }

    /// Who is logged in.
    pub fn who(&self) -> String {
        match &self.actor {
            Actor::User { name, .. } => name.clone(),
            Actor::ApiKey { .. } | Actor::Scheduler | Actor::Edge | Actor::Installer => self.actor.name(),
        }
    }

    /// The navigation: headings with their links, only what the actor may see.
    pub fn groups(&self) -> Vec<(&'static str, Vec<Link>)> {
        let link = |entry: &Entry| Link {
            address: entry.address,
            words: entry.words,
            here: entry.place == self.place,
        };
        let seen = |entries: &'static [Entry]| {
            entries.iter().filter(|entry| self.may(entry.needs)).map(link).collect()
        };
        let groups = GROUPS.into_iter().map(|(heading, entries)| (heading, seen(entries)));
        groups.filter(|(_, links): &(_, Vec<Link>)| !links.is_empty()).collect()
    }

    /// Whether the page is one's own account.
    pub fn is_account(&self) -> bool {
        self.place == Place::Account
    }

    /// Changes with the assets.
    pub fn version(&self) -> &'static str {
        asset::VERSION.as_str()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::Role;
    use domain::id::UserId;

    use super::*;

    fn addresses(roles: &[Role]) -> Vec<&'static str> {
        let roles = roles.iter().copied().collect::<BTreeSet<_>>();
        let actor = Actor::User { id: UserId::of("usr-1"), name: "ada".into(), roles };
        let frame = Frame::new("x", Place::Certificates, &actor, Moment(0));
        frame.groups().into_iter().flat_map(|(_, links)| links).map(|link| link.address).collect()
    }

    #[test]
    fn only_what_the_actor_may_see_is_in_the_navigation() {
        let service = addresses(&[Role::ServiceAdministrator]);
        assert!(
            service.contains(&"/certificates") && !service.contains(&"/keys") && !service.contains(&"/audit")
        );
        assert!(addresses(&[Role::Observer]).contains(&"/audit"));
        assert!(addresses(&[]).is_empty());
    }
}
