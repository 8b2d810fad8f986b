//! Lineages: the renewable series behind one purpose.

use std::collections::BTreeSet;

use pki::identity::sha256;
use pki::{DistinguishedName, Fingerprint, KeyAlgorithm, SubjectAltName};

use crate::clock::Moment;
use crate::id::{IssuerId, LineageId, ProfileId, TargetId, TokenId};
use crate::key::{Exportable, KeyUsage};
use crate::names;

names! {
    /// Whether a renewal makes a new key.
    AtRenewal {
        /// A new key each time.
        NewKey "new_key",
        /// The same key as long as it is sound.
        KeepKey "keep_key",
    }
}

/// Which keys a lineage uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRule {
    /// The token that makes and holds them.
    pub token: TokenId,
    /// Kind and size.
    pub algorithm: KeyAlgorithm,
    /// Whether a renewal makes a new one.
    pub at_renewal: AtRenewal,
    /// When they may leave.
    pub exportable: Exportable,
}

/// Where the edge passes the bytes of a lineage's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// `host:port` of a TCP server.
    pub address: String,
    /// Whether a PROXY v2 header tells it the client's address.
    pub proxy_protocol: bool,
}

/// A lineage.
#[derive(Clone, Debug, PartialEq)]
pub struct Lineage {
    /// Its id.
    pub id: LineageId,
    /// The name that a person gave it; unique.
    pub name: String,
    /// The subject of its certificates.
    pub subject: DistinguishedName,
    /// The names in its certificates.
    pub names: Vec<SubjectAltName>,
    /// What its certificates are for.
    pub usage: KeyUsage,
    /// For whom it speaks: an X-Road client identifier or free text; may be empty.
    pub owner: String,
    /// The environment; test and production never mix.
    pub environment: String,
    /// Which keys.
    pub key_rule: KeyRule,
    /// Who issues.
    pub issuer: IssuerId,
    /// What may be in the certificates.
    pub profile: ProfileId,
    /// Lifetime in seconds that is asked for; none means the profile's.
    pub lifetime: Option<i64>,
    /// Where they are installed.
    pub targets: Vec<TargetId>,
    /// Where the edge passes the bytes; none means the status page.
    pub backend: Option<Backend>,
    /// The current certificate.
    pub current: Option<Fingerprint>,
    /// When the next renewal is due; none while there is nothing to renew by itself.
    pub due: Option<Moment>,
    /// Renewals that failed since the last that did not.
    pub failures: u32,
    /// Why the last renewal failed, or what a person must do; empty when all is well.
    pub trouble: String,
    /// When it was made.
    pub created: Moment,
    /// Grows with each change; a stale writer is refused.
    pub version: i64,
}

/// Names the state of all that a person can change of a lineage: whoever changes it says which state he saw.
pub type Revision = Fingerprint;

impl Lineage {
    /// The state of what a person can change, hashed in one canonical text: every part after its length. What happens by
    /// itself (a new certificate, a due time, a failure) is no part of it: nobody's form grows stale by a renewal.
    pub fn revision(&self) -> Revision {
        let rule = &self.key_rule;
        let lifetime = self.lifetime.map(|seconds| seconds.to_string()).unwrap_or_default();
        let (address, proxy_protocol) = match &self.backend {
            Some(Backend { address, proxy_protocol: true }) => (address.as_str(), "proxy"),
            Some(Backend { address, proxy_protocol: false }) => (address.as_str(), ""),
            None => ("", ""),
        };
        let parts = [
            &self.name,
            &self.owner,
            self.issuer.as_str(),
            self.profile.as_str(),
            &lifetime,
            rule.token.as_str(),
            rule.algorithm.name(),
            rule.at_renewal.name(),
            rule.exportable.name(),
            address,
            proxy_protocol,
        ];
        // Their order means nothing.
        let targets: BTreeSet<&str> = self.targets.iter().map(TargetId::as_str).collect();
        let mut text = b"claviger lineage 1\n".to_vec();
        for part in parts.into_iter().chain(targets) {
            text.extend((part.len() as u64).to_be_bytes());
            text.extend(part.as_bytes());
        }
        Fingerprint(sha256(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineage() -> Lineage {
        Lineage {
            id: LineageId::of("lin-a"),
            name: "shop".to_owned(),
            subject: DistinguishedName::from_attributes(Vec::new()).unwrap(),
            names: Vec::new(),
            usage: KeyUsage::Tls,
            owner: "team".to_owned(),
            environment: "test".to_owned(),
            key_rule: KeyRule {
                token: TokenId::system(),
                algorithm: KeyAlgorithm::EcP256,
                at_renewal: AtRenewal::NewKey,
                exportable: Exportable::WithPassphrase,
            },
            issuer: IssuerId::of("internal"),
            profile: ProfileId::of("tls"),
            lifetime: Some(90),
            targets: vec![TargetId::of("edge"), TargetId::of("nginx")],
            backend: Some(Backend { address: "10.0.0.1:80".to_owned(), proxy_protocol: false }),
            current: None,
            due: Some(Moment(1)),
            failures: 0,
            trouble: String::new(),
            created: Moment(0),
            version: 1,
        }
    }

    #[test]
    fn what_a_person_changes_makes_another_revision() {
        let changes: [fn(&mut Lineage); 14] = [
            |one| one.name = "shop 2".to_owned(),
            |one| one.owner = String::new(),
            |one| (one.name, one.owner) = ("sho".to_owned(), "pteam".to_owned()),
            |one| one.issuer = IssuerId::of("manual"),
            |one| one.profile = ProfileId::of("other"),
            |one| one.lifetime = None,
            |one| one.key_rule.token = TokenId::soft(),
            |one| one.key_rule.algorithm = KeyAlgorithm::EcP384,
            |one| one.key_rule.at_renewal = AtRenewal::KeepKey,
            |one| one.key_rule.exportable = Exportable::Never,
            |one| drop(one.targets.pop()),
            |one| one.targets.clear(),
            |one| one.backend = None,
            |one| one.backend = Some(Backend { address: "10.0.0.1:80".to_owned(), proxy_protocol: true }),
        ];
        let mut seen = vec![lineage().revision()];
        for change in changes {
            let mut changed = lineage();
            change(&mut changed);
            assert!(!seen.contains(&changed.revision()), "{changed:?}");
            seen.push(changed.revision());
        }
    }

    #[test]
    fn what_happens_by_itself_makes_none() {
        let mut renewed = lineage();
        renewed.targets.reverse();
        renewed.current = Some(Fingerprint([1; 32]));
        renewed.due = None;
        renewed.failures = 3;
        renewed.trouble = "the issuer did not answer".to_owned();
        renewed.version = 9;
        assert_eq!(renewed.revision(), lineage().revision());
    }
}
