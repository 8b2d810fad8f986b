//! Audit events: who did what to what, and how it ended. Only fields of the allow-list below can be said.

use crate::Actor;
use crate::clock::Moment;
use crate::names;

names! {
    /// What was done or tried.
    Action {
        /// The first start.
        Installed "system.install",
        /// A person logged in.
        LogIn "session.log_in",
        /// A person logged out.
        LogOut "session.log_out",
        /// A user was made.
        UserCreate "user.create",
        /// A user's roles, password or state were changed.
        UserUpdate "user.update",
        /// An API key was made.
        ApiKeyCreate "api_key.create",
        /// An API key's roles were changed.
        ApiKeyUpdate "api_key.update",
        /// An API key was revoked.
        ApiKeyRevoke "api_key.revoke",
        /// A token's PIN was entered.
        TokenLogIn "token.log_in",
        /// A token was logged out.
        TokenLogOut "token.log_out",
        /// A token's PIN was changed.
        TokenPinChange "token.pin_change",
        /// A token was named.
        TokenRename "token.rename",
        /// A locked token was unlocked.
        TokenUnlock "token.unlock",
        /// A key was made.
        KeyGenerate "key.generate",
        /// A key was named, or its freedom lowered.
        KeyUpdate "key.update",
        /// A key was deleted: retired for the keep time.
        KeyRetire "key.retire",
        /// A retired key was brought back.
        KeyRestore "key.restore",
        /// The sealed bytes of a key were removed after the keep time.
        KeyDestroy "key.destroy",
        /// A private key was handed out.
        KeyExport "key.export",
        /// A CSR was made.
        CsrCreate "csr.create",
        /// A CSR was given up.
        CsrWithdraw "csr.withdraw",
        /// A self-signed certificate was made.
        CertificateSelfSign "certificate.self_sign",
        /// Certificates, and perhaps a key, were imported.
        CertificateImport "certificate.import",
        /// What is missing in a certificate's chain was asked for.
        CertificateComplete "certificate.complete",
        /// It was fetched and stored, or could not be.
        CertificateFetch "certificate.fetch",
        /// A certificate got another friendly name.
        CertificateRename "certificate.rename",
        /// A certificate was removed from view.
        CertificateRetire "certificate.retire",
        /// The default certificate was chosen.
        CertificateDefault "certificate.default",
        /// A certificate became its lineage's current one by a person's choice.
        CertificateActivate "certificate.activate",
        /// A certificate was issued by our CA.
        CertificateIssue "certificate.issue",
        /// A CA of ours was made.
        AuthorityCreate "authority.create",
        /// An issuer was made.
        IssuerCreate "issuer.create",
        /// An issuer was withdrawn or taken up again.
        IssuerUpdate "issuer.update",
        /// A lineage was made.
        LineageCreate "lineage.create",
        /// A lineage was changed.
        LineageUpdate "lineage.update",
        /// A lineage was removed; its certificates stay.
        LineageRetire "lineage.retire",
        /// A renewal was asked for.
        LineageRenew "lineage.renew",
        /// A rekey was asked for.
        LineageRekey "lineage.rekey",
        /// An order was made for a lineage: key and CSR are there, the intent is stored.
        OrderCreate "order.create",
        /// An order was given up.
        OrderFail "order.fail",
        /// A target was made.
        TargetCreate "target.create",
        /// A target was changed.
        TargetUpdate "target.update",
        /// A target was removed.
        TargetRetire "target.retire",
        /// A lineage's targets are given the chain as it is now, because it is another than they have.
        DeploymentPlan "deployment.plan",
        /// A certificate was installed on a target.
        DeploymentInstall "deployment.install",
        /// It was seen from outside.
        DeploymentVerify "deployment.verify",
        /// It failed, or the one before was put back.
        DeploymentFail "deployment.fail",
        /// A setting was changed.
        SettingUpdate "setting.update",
        /// A backup was taken.
        BackupCreate "backup.create",
        /// A backup was restored.
        BackupRestore "backup.restore",
        /// A new recovery passphrase was made.
        RecoveryRenew "recovery.renew",
        /// Files were looked into before somebody sends them to support.
        SupportCheck "support.check",
        /// A job was asked for again or given up.
        JobUpdate "job.update",
        /// Something was asked for that no other action names.
        Request "request",
    }
}

names! {
    /// How it ended.
    Outcome {
        /// It was done.
        Done "done",
        /// It was refused: not permitted, or not possible as asked.
        Refused "refused",
        /// It failed.
        Failed "failed",
    }
}

names! {
    /// The only things that an event may say beside actor, action, object and outcome. None can hold a secret.
    Field {
        /// The address that the request came from, or that was asked.
        Address "address",
        /// A key algorithm.
        Algorithm "algorithm",
        /// A certificate's fingerprint.
        Certificate "certificate",
        /// How many.
        Count "count",
        /// A CSR's id.
        Csr "csr",
        /// A deployment's id.
        Deployment "deployment",
        /// An environment.
        Environment "environment",
        /// When a private key may leave.
        Exportable "exportable",
        /// A file format.
        Format "format",
        /// A friendly name.
        Label "label",
        /// An issuer.
        Issuer "issuer",
        /// A key's id.
        Key "key",
        /// A lineage's id.
        Lineage "lineage",
        /// A permission's name.
        Permission "permission",
        /// A profile.
        Profile "profile",
        /// Why it was done.
        Reason "reason",
        /// Names of roles.
        Roles "roles",
        /// A serial number in hexadecimal.
        Serial "serial",
        /// The name of a setting.
        Setting "setting",
        /// A subject in text.
        Subject "subject",
        /// A target's id.
        Target "target",
        /// A token's id.
        Token "token",
        /// A user's name.
        User "user",
    }
}

/// An event, before the store gives it a number and chains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// Who, as [`Actor::name`] writes it.
    pub actor: String,
    /// What was done or tried.
    pub action: Action,
    /// To what: an id, or empty.
    pub object: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The code of the refusal or failure; empty when it was done.
    pub code: String,
    /// What else is said.
    pub fields: Vec<(Field, String)>,
}

impl Event {
    /// Something that was done.
    pub fn done(at: Moment, actor: &Actor, action: Action, object: impl Into<String>) -> Self {
        Self {
            at,
            actor: actor.name(),
            action,
            object: object.into(),
            outcome: Outcome::Done,
            code: String::new(),
            fields: Vec::new(),
        }
    }

    /// Something that was refused.
    pub fn refused(at: Moment, actor: &Actor, action: Action, object: impl Into<String>, code: &str) -> Self {
        Self { outcome: Outcome::Refused, code: code.to_owned(), ..Self::done(at, actor, action, object) }
    }

    /// Says one thing more. Values are cut at 300 characters.
    #[must_use]
    pub fn with(mut self, field: Field, value: impl ToString) -> Self {
        self.fields.push((field, value.to_string().chars().take(300).collect()));
        self
    }

    /// The fields as one text, `name=value` joined by line feeds; values cannot hold line feeds.
    pub fn fields_text(&self) -> String {
        let clean = |value: &str| value.replace(|c: char| c.is_control(), "\u{fffd}");
        let lines: Vec<String> =
            self.fields.iter().map(|(field, value)| format!("{field}={}", clean(value))).collect();
        lines.join("\n")
    }

    /// The bytes that are chained: every part after its length, so that no two events read the same.
    pub fn canonical(&self, seq: i64) -> Vec<u8> {
        canonical(
            seq,
            self.at,
            [&self.actor, self.action.name(), &self.object, self.outcome.name(), &self.code],
            &self.fields_text(),
        )
    }
}

/// The canonical bytes of an event from its stored texts (actor, action, object, outcome, code), for verifying.
pub fn canonical(seq: i64, at: Moment, texts: [&str; 5], fields: &str) -> Vec<u8> {
    let mut bytes = b"claviger audit 1\n".to_vec();
    bytes.extend(seq.to_be_bytes());
    bytes.extend(at.0.to_be_bytes());
    for text in texts.into_iter().chain([fields]) {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// The MAC that chains an event to the one before it.
pub fn chain(key: &[u8; 32], before: &[u8], canonical: &[u8]) -> [u8; 32] {
    pki::seal::hmac_sha256(key, &[before, canonical])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_letter_between_fields_changes_the_bytes() {
        let event = |actor: &str, object: &str| Event {
            actor: actor.to_owned(),
            ..Event::done(Moment(1), &Actor::Scheduler, Action::KeyGenerate, object)
        };
        assert_ne!(event("ab", "c").canonical(1), event("a", "bc").canonical(1));
        assert_ne!(event("ab", "c").canonical(1), event("ab", "c").canonical(2));
    }

    #[test]
    fn a_value_cannot_forge_a_field() {
        let event = Event::done(Moment(1), &Actor::Scheduler, Action::KeyGenerate, "x")
            .with(Field::Label, "a\nkey=b");
        assert_eq!(event.fields_text().lines().count(), 1);
    }
}
