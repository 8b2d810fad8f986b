//! Who may do what: the one table of permissions, and the only maker of [`Authorized`] values.
//!
//! X-Road's names and roles stand as they are (`XROAD.md` 1.8); ours follow in the same form.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use crate::Actor;

/// What somebody is trusted with. X-Road's five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Keys, issuers, exports, approvals.
    SecurityOfficer,
    /// Targets, settings, users, backups.
    SystemAdministrator,
    /// SIGN keys and registration, revocation.
    RegistrationOfficer,
    /// TLS keys and certificates of services.
    ServiceAdministrator,
    /// Sees, changes nothing.
    Observer,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 5] = [
        Self::SecurityOfficer,
        Self::SystemAdministrator,
        Self::RegistrationOfficer,
        Self::ServiceAdministrator,
        Self::Observer,
    ];

    /// X-Road's name of the role, used in the API and the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::SecurityOfficer => "XROAD_SECURITY_OFFICER",
            Self::SystemAdministrator => "XROAD_SYSTEM_ADMINISTRATOR",
            Self::RegistrationOfficer => "XROAD_REGISTRATION_OFFICER",
            Self::ServiceAdministrator => "XROAD_SERVICE_ADMINISTRATOR",
            Self::Observer => "XROAD_SECURITYSERVER_OBSERVER",
        }
    }

    /// The name on a page.
    pub fn label(self) -> &'static str {
        match self {
            Self::SecurityOfficer => "Security officer",
            Self::SystemAdministrator => "System administrator",
            Self::RegistrationOfficer => "Registration officer",
            Self::ServiceAdministrator => "Service administrator",
            Self::Observer => "Observer",
        }
    }
}

/// A name that is no role's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a role")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or(UnknownRole)
    }
}

/// Who holds a permission without having a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    Nobody,
    Scheduler,
    Edge,
    Installer,
    /// Whoever is logged in, whatever his roles.
    Everybody,
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $kind:ident $name:literal [$($role:ident)*] $own:ident;)*) => {
        /// One thing that somebody may be allowed to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Permission { $($(#[$doc])* $kind,)* }

        impl Permission {
            /// Every permission.
            pub const ALL: &'static [Permission] = &[$(Self::$kind,)*];

            /// The stable name, X-Road's where X-Road has it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The roles that hold it.
            pub fn roles(self) -> &'static [Role] {
                match self { $(Self::$kind => &[$(Role::$role,)*],)* }
            }

            fn own(self) -> Own {
                match self { $(Self::$kind => Own::$own,)* }
            }
        }

        /// Permissions as types, so that a function can ask for one in its signature.
        pub mod uses {
            use super::{Permission, Use};
            $(
                $(#[$doc])*
                #[derive(Clone, Copy, Debug, Default)]
                pub struct $kind;
                impl Use for $kind {
                    const PERMISSION: Permission = Permission::$kind;
                }
            )*
        }
    };
}

permissions! {
    // X-Road's (XROAD.md 1.8).
    /// See tokens and keys.
    ViewKeys "VIEW_KEYS" [SecurityOfficer SystemAdministrator RegistrationOfficer Observer] Nobody;
    /// Log tokens in and out.
    ActivateToken "ACTIVATE_DEACTIVATE_TOKEN" [SecurityOfficer SystemAdministrator] Installer;
    /// Change a token's PIN.
    UpdateTokenPin "UPDATE_TOKEN_PIN" [SystemAdministrator] Installer;
    /// Name a token.
    EditTokenName "EDIT_TOKEN_FRIENDLY_NAME" [SecurityOfficer SystemAdministrator RegistrationOfficer] Nobody;
    /// See API keys.
    ViewApiKeys "VIEW_API_KEYS" [SystemAdministrator Observer] Nobody;
    /// Make an API key.
    CreateApiKey "CREATE_API_KEY" [SystemAdministrator] Installer;
    /// Change an API key's roles.
    UpdateApiKey "UPDATE_API_KEY" [SystemAdministrator] Nobody;
    /// Revoke an API key.
    RevokeApiKey "REVOKE_API_KEY" [SystemAdministrator] Nobody;
    // Ours (DESIGN section 7).
    /// See who one is, log out.
    SeeOneself "SEE_ONESELF" [] Everybody;
    /// See certificates, CSRs, lineages, issuers, targets, jobs and findings.
    ViewCertificates "VIEW_CERTIFICATES" [SecurityOfficer SystemAdministrator RegistrationOfficer ServiceAdministrator Observer] Scheduler;
    /// Make, import, renew and rekey TLS keys and certificates; choose the default certificate.
    ManageTlsCertificates "MANAGE_TLS_CERTIFICATES" [SecurityOfficer SystemAdministrator ServiceAdministrator] Scheduler;
    /// Bring a deleted key back while it is still sealed.
    RestoreKey "RESTORE_KEY" [SecurityOfficer] Nobody;
    /// Export certificates and chains.
    ExportCertificate "EXPORT_CERTIFICATE" [SecurityOfficer SystemAdministrator ServiceAdministrator] Nobody;
    /// Export a private key to a person.
    ExportPrivateKey "EXPORT_PRIVATE_KEY" [SecurityOfficer] Nobody;
    /// Make, change and withdraw issuers and profiles; trust anchors.
    ManageIssuers "MANAGE_ISSUERS" [SecurityOfficer] Nobody;
    /// Make, change and remove targets.
    ManageTargets "MANAGE_TARGETS" [SystemAdministrator] Nobody;
    /// See settings.
    ViewSettings "VIEW_SETTINGS" [SystemAdministrator] Nobody;
    /// Change settings; take backups.
    ManageSettings "MANAGE_SETTINGS" [SystemAdministrator] Installer;
    /// See users.
    ViewUsers "VIEW_USERS" [SystemAdministrator] Nobody;
    /// Make, change and disable users.
    ManageUsers "MANAGE_USERS" [SystemAdministrator] Installer;
    /// Unlock a token that is locked after wrong PINs.
    UnlockToken "UNLOCK_TOKEN" [SecurityOfficer] Nobody;
    /// Read the audit log.
    ViewAuditLog "VIEW_AUDIT_LOG" [SecurityOfficer Observer] Nobody;
    // What the server does by itself.
    /// Sign a certificate with a key of the internal CA, for an order that was authorized.
    IssueCertificate "ISSUE_CERTIFICATE" [SecurityOfficer SystemAdministrator ServiceAdministrator] Scheduler;
    /// Sign TLS handshakes.
    ServeTls "SERVE_TLS" [] Edge;
    /// Install a key and certificate on a target and verify it from outside.
    Deploy "DEPLOY" [SecurityOfficer SystemAdministrator ServiceAdministrator] Scheduler;
    /// Run the clockwork: due lineages, jobs, retirement.
    RunSchedule "RUN_SCHEDULE" [] Scheduler;
}

/// A permission as a type.
pub trait Use: Send + Sync + 'static {
    /// The permission that the type stands for.
    const PERMISSION: Permission;
}

/// Proof that the actor may do `U`. Only [`authorize`] makes one.
#[derive(Clone, Debug)]
pub struct Authorized<U: Use> {
    actor: Actor,
    object: String,
    of: PhantomData<U>,
}

impl<U: Use> Authorized<U> {
    /// Who may.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What it was asked for: an object's id, or empty for all of a kind.
    pub fn object(&self) -> &str {
        &self.object
    }
}

/// The actor may not do this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{actor} may not {}", .permission.name())]
pub struct NotPermitted {
    /// What was asked for.
    pub permission: Permission,
    /// Who asked.
    pub actor: String,
}

/// Decides whether the actor may do `U` to the object (its id; empty for all of a kind).
pub fn authorize<U: Use>(actor: &Actor, _use: U, object: &str) -> Result<Authorized<U>, NotPermitted> {
    if may(actor, U::PERMISSION) {
        Ok(Authorized { actor: actor.clone(), object: object.to_owned(), of: PhantomData })
    } else {
        Err(NotPermitted { permission: U::PERMISSION, actor: actor.name() })
    }
}

/// Whether the actor may, for pages that show only what can be used.
pub fn may(actor: &Actor, permission: Permission) -> bool {
    match actor {
        Actor::User { roles, .. } | Actor::ApiKey { roles, .. } => {
            permission.own() == Own::Everybody || permission.roles().iter().any(|role| roles.contains(role))
        }
        Actor::Scheduler => permission.own() == Own::Scheduler,
        Actor::Edge => permission.own() == Own::Edge,
        Actor::Installer => permission.own() == Own::Installer,
    }
}

/// The names of all permissions that the actor has, as `/user` answers them.
pub fn permissions_of(actor: &Actor) -> BTreeSet<&'static str> {
    let held = Permission::ALL.iter().filter(|permission| may(actor, **permission));
    held.map(|permission| permission.name()).collect()
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(role: Role) -> Actor {
        Actor::ApiKey { id: crate::id::ApiKeyId::of("k"), roles: BTreeSet::from([role]) }
    }

    #[test]
    fn only_the_holder_gets_a_proof() {
        assert!(authorize(&user(Role::SecurityOfficer), uses::ExportPrivateKey, "").is_ok());
        let refused = authorize(&user(Role::SystemAdministrator), uses::ExportPrivateKey, "").unwrap_err();
        assert_eq!(refused.permission, Permission::ExportPrivateKey);
    }

    #[test]
    fn nobody_but_the_edge_signs_handshakes_and_the_edge_does_nothing_else() {
        for role in Role::ALL {
            assert!(!may(&user(role), Permission::ServeTls));
        }
        let edge: Vec<_> = Permission::ALL.iter().filter(|p| may(&Actor::Edge, **p)).collect();
        assert_eq!(edge, [&Permission::ServeTls]);
    }

    #[test]
    fn an_actor_without_roles_sees_only_himself() {
        let nobody = Actor::ApiKey { id: crate::id::ApiKeyId::of("k"), roles: BTreeSet::new() };
        assert_eq!(permissions_of(&nobody), BTreeSet::from(["SEE_ONESELF"]));
    }
}
