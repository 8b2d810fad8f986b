//! Which clients cannot build a chain from what is sent, and why. Others may: a browser keeps intermediates, looks for
//! other ways, and has its own list of roots; a library in a device mostly does none of this.
//!
//! RSA keys under 2048 bits are no part of this: no certificate with one is let in.

use super::Chain;
use crate::path;
use crate::path::search::Budget;
use crate::signature_algorithm::Digest;
use crate::{Certificate, Finding, Refusal, Role, Severity, UnixTime};

/// All that check what RFC 5280 tells them to.
const EVERYBODY: &str = "TLS clients";
/// They go up from the leaf through the certificates that were sent, and nowhere else.
const FOLLOWERS: &str =
    "OpenSSL 1.0, GnuTLS before 3.6.14 and LibreSSL before 3.2, which follow only what is sent,";
/// Chrome 57, Firefox 52, Safari 11, Go 1.18, Java 17, OpenSSL 3.0, and what came after.
const WITHOUT_SHA1: &str = "Chrome, Firefox, Safari, Go, Java and OpenSSL 3";
/// They apply the extended key usage of a CA to what it issued.
const NESTING: &str = "Windows, Chrome, Firefox, Go and OpenSSL";
/// They compare the issuer and serial number in an authority key identifier with the certificate above.
const COMPARING: &str = "OpenSSL, and what is built on it,";
/// They count for every CA, also one that an administrator added.
const APPLE: &str = "Apple's systems";

/// 2019-07-01, from which on Apple's systems take no longer-lived server certificate.
const APPLE_SINCE: UnixTime = UnixTime(1_561_939_200);
const APPLE_DAYS: i64 = 825;
const DAY: i64 = 86_400;

/// What stands in the way of some clients.
struct Obstacle<'a> {
    clients: &'static str,
    why: String,
    member: &'a Certificate,
    repair: &'static str,
}

pub(super) fn findings(chain: &Chain, now: UnixTime, budget: &mut Budget) -> Vec<Finding> {
    let Some(leaf) = chain.served.first() else { return Vec::new() };
    if chain.root.as_ref() == Some(leaf) {
        // It is its own root: there is nothing to build.
        return Vec::new();
    }
    let mut obstacles = Vec::new();
    obstacles.extend(expired_way(chain, now));
    obstacles.extend(chain.served.iter().filter(|member| is_sha1(member)).map(sha1));
    obstacles.extend(wrong_usage(chain, leaf));
    obstacles.extend(short_path(chain));
    obstacles.extend(long_life(leaf));
    obstacles.extend(other_certificate(chain));
    let fault = fault(chain, leaf, budget).and_then(refused_by_everybody);
    obstacles.into_iter().map(Finding::from).chain(fault).collect()
}

impl From<Obstacle<'_>> for Finding {
    fn from(obstacle: Obstacle<'_>) -> Self {
        Self {
            code: "chain.client_cannot_build",
            severity: Severity::Warning,
            what: format!("{} cannot build this chain: {}", obstacle.clients, obstacle.why),
            place: obstacle.member.display_name(),
            repair: obstacle.repair.to_owned(),
        }
    }
}

/// The only way that is sent leads over an expired certificate, mostly a cross-sign to a root that went before. Where
/// the root is known, `chain.expired` says it all: then the way is closed to everybody.
fn expired_way(chain: &Chain, now: UnixTime) -> Option<Obstacle<'_>> {
    if chain.is_complete() {
        return None;
    }
    let member = chain.served.iter().skip(1).find(|member| member.not_after() < now)?;
    Some(Obstacle {
        clients: FOLLOWERS,
        why: format!(
            "it leads over {}, which expired on {}, and no other way to a root is known here",
            member.display_name(),
            member.not_after()
        ),
        member,
        repair: "Import the CA's own root and current intermediate; the expired one is then no longer sent.",
    })
}

fn is_sha1(member: &Certificate) -> bool {
    member.has_digest(Digest::Sha1) && !member.is_self_signed()
}

fn sha1(member: &Certificate) -> Obstacle<'_> {
    Obstacle {
        clients: WITHOUT_SHA1,
        why: format!("{} is signed with SHA-1", member.display_name()),
        member,
        repair: "Ask the issuer for certificates signed with SHA-256.",
    }
}

/// The leaf names hosts, and it or a CA above it may not be used for TLS servers.
fn wrong_usage<'a>(chain: &'a Chain, leaf: &'a Certificate) -> Option<Obstacle<'a>> {
    let serves = |member: &Certificate| member.allows("serverAuth");
    if leaf.is_ca() || !leaf.names().iter().any(|name| name.dns().is_some()) {
        return None;
    }
    if !serves(leaf) {
        let why = "the extended key usage of the leaf does not allow TLS servers (serverAuth)".to_owned();
        return Some(Obstacle {
            clients: EVERYBODY,
            why,
            member: leaf,
            repair: "Ask for a certificate with serverAuth.",
        });
    }
    let member = chain.served.iter().skip(1).find(|member| !serves(member))?;
    Some(Obstacle {
        clients: NESTING,
        why: format!("the CA {} may not issue for TLS servers (serverAuth)", member.display_name()),
        member,
        repair: "Order from a CA of the issuer that is meant for TLS servers.",
    })
}

/// More CAs stand below one than its path length allows (RFC 5280, 6.1.4). Those that name themselves as issuer do not
/// count.
fn short_path(chain: &Chain) -> Option<Obstacle<'_>> {
    let mut below = 0;
    for member in cas(chain) {
        if member.path_len().is_some_and(|longest| longest < below) {
            return Some(Obstacle {
                clients: EVERYBODY,
                why: format!("more CAs stand below {} than its path length allows", member.display_name()),
                member,
                repair: "Ask the CA for an intermediate that may issue.",
            });
        }
        below += u32::from(!member.is_self_issued());
    }
    None
}

/// A certificate says by issuer and serial number which certificate its CA has, and that is another one: the CA renewed its
/// own since, or there is a cross-sign.
fn other_certificate(chain: &Chain) -> Option<Obstacle<'_>> {
    let mut pairs = chain.served.iter().zip(cas(chain));
    let (member, issuer) = pairs.find(|(member, issuer)| member.names_other_certificate(issuer))?;
    Some(Obstacle {
        clients: COMPARING,
        why: format!(
            "{} says by issuer and serial number that another certificate of {} issued it than the one here",
            member.display_name(),
            issuer.display_name()
        ),
        member,
        repair: "Import that certificate of the CA, or ask the CA for one that names its key alone.",
    })
}

/// What others tell of the certificates, or [`findings`] by itself.
const TOLD: [&str; 3] = ["chain.expired", "chain.path_length", "sig.sha1"];

/// Whatever else RFC 5280 finds wrong with the chain above the leaf, so that nobody accepts it: a CA that may not speak for
/// these names, for one.
fn refused_by_everybody(refusal: Refusal) -> Option<Finding> {
    (!TOLD.contains(&refusal.code)).then(|| Finding {
        code: "chain.client_cannot_build",
        severity: Severity::Warning,
        what: format!("{EVERYBODY} cannot build this chain: {}", refusal.what),
        place: refusal.place,
        repair: refusal.repair,
    })
}

/// The CAs above the leaf, the root last.
fn cas(chain: &Chain) -> impl Iterator<Item = &Certificate> {
    chain.served.iter().skip(1).chain(&chain.root)
}

/// Why the chain does not hold for who trusts the last of it, at a moment when all of it is valid, if there is one: what
/// has expired is said elsewhere.
fn fault(chain: &Chain, leaf: &Certificate, budget: &mut Budget) -> Option<Refusal> {
    if chain.verdict.is_ok() {
        return None;
    }
    let way: Vec<Certificate> = [leaf].into_iter().chain(cas(chain)).cloned().collect();
    let at = way.iter().map(Certificate::not_before).max()?;
    (way.len() > 1).then(|| path::fault_above(&way, at, budget)).flatten()
}

fn long_life(leaf: &Certificate) -> Option<Obstacle<'_>> {
    let seconds = leaf.not_after().since(leaf.not_before()).saturating_add(1);
    let applies = leaf.role() == Role::Server && leaf.not_before() >= APPLE_SINCE;
    (applies && seconds > APPLE_DAYS * DAY).then(|| Obstacle {
        clients: APPLE,
        why: format!("the leaf is valid for more than {APPLE_DAYS} days, whoever issued it"),
        member: leaf,
        repair: "Order one with a shorter life.",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issue::{self, Purpose, Template};
    use crate::name::{Attribute, AttributeType};
    use crate::path::search::Memory;
    use crate::testing::{self, TestSigner};
    use crate::{DistinguishedName, KeyAlgorithm, Signer};

    const NOW: UnixTime = UnixTime(1_795_305_600);

    fn name(common_name: &str) -> DistinguishedName {
        DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, common_name)])
            .unwrap()
    }

    /// The DER of a certificate that lives for so many days around now.
    fn der(subject: &str, issuer: &str, purpose: Purpose, days: i64, key: &TestSigner) -> Vec<u8> {
        let template = Template {
            serial: vec![1],
            issuer: name(issuer),
            subject: name(subject),
            public_key: key.public_key().clone(),
            not_before: NOW.plus(-10 * DAY),
            not_after: NOW.plus((days - 10) * DAY - 1),
            names: vec!["a.example".parse().unwrap()],
            purpose,
            authority_key_id: None,
            ca_issuers_url: None,
        };
        let scheme = key.algorithm().certificate_scheme();
        issue::sign(&issue::to_be_signed(&template, scheme).unwrap(), key).unwrap()
    }

    /// The certificate with some of its octets replaced; its signature is not looked at here.
    fn patched(der: &[u8], from: &[u8], to: &[u8]) -> Certificate {
        let mut out = der.to_vec();
        let places: Vec<usize> =
            (0..der.len() - from.len()).filter(|at| der[*at..].starts_with(from)).collect();
        assert!(!places.is_empty() && from.len() == to.len());
        places.iter().for_each(|at| out[*at..at + to.len()].copy_from_slice(to));
        Certificate::parse(&out).unwrap()
    }

    fn leaf(key: &TestSigner) -> Certificate {
        Certificate::parse(&der("a.example", "CA", Purpose::TlsServer, 90, key)).unwrap()
    }

    fn ca(path_len: u8, days: i64, key: &TestSigner) -> Certificate {
        Certificate::parse(&der("CA", "Root", Purpose::Intermediate { path_len }, days, key)).unwrap()
    }

    /// What is found about a chain that does not hold, and whose root is known or not.
    fn found(served: &[&Certificate], root: Option<&Certificate>) -> Vec<Finding> {
        let served = served.iter().map(|member| (*member).clone()).collect();
        let verdict = Err(Refusal::new("chain.untrusted", "not asked here", ""));
        let chain = Chain { served, root: root.cloned(), verdict, findings: Vec::new() };
        findings(&chain, NOW, &mut Budget::new(Memory::default()))
    }

    /// The first words of it, and about which member it is.
    fn said(served: &[&Certificate], root: Option<&Certificate>) -> Vec<(String, String)> {
        let found = found(served, root);
        assert!(found.iter().all(|one| one.code == "chain.client_cannot_build" && !one.repair.is_empty()));
        let who = |finding: &Finding| finding.what.split(' ').next().unwrap_or_default().to_owned();
        found.iter().map(|finding| (who(finding), finding.place.clone())).collect()
    }

    fn one(who: &str, place: &str) -> Vec<(String, String)> {
        vec![(who.to_owned(), place.to_owned())]
    }

    #[test]
    fn a_sound_chain_is_for_everybody() {
        let key = testing::signer(KeyAlgorithm::EcP256);
        let root = Certificate::parse(&der("Root", "Root", Purpose::Root, 4000, &key)).unwrap();
        assert_eq!(said(&[&leaf(&key), &ca(0, 300, &key)], Some(&root)), []);
        assert_eq!(said(&[&root], Some(&root)), []);
        assert_eq!(said(&[], None), []);
    }

    #[test]
    fn an_expired_cross_sign_stops_those_who_follow_what_is_sent() {
        let key = testing::signer(KeyAlgorithm::EcP256);
        let root = Certificate::parse(&der("Root", "Root", Purpose::Root, 4000, &key)).unwrap();
        let (leaf, expired) = (leaf(&key), ca(0, 5, &key));
        assert_eq!(said(&[&leaf, &expired], None), one("OpenSSL", "CA"));
        assert_eq!(said(&[&leaf, &expired], Some(&root)), []);
    }

    #[test]
    fn sha1_is_refused_by_most_except_over_a_root() {
        let key = testing::signer(KeyAlgorithm::Rsa2048);
        let sha256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b];
        let sha1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5];
        let old_ca = patched(ca(0, 300, &key).der(), sha256, sha1);
        assert_eq!(said(&[&leaf(&key), &old_ca], None), one("Chrome,", "CA"));
        let old_leaf = patched(leaf(&key).der(), sha256, sha1);
        assert_eq!(said(&[&old_leaf, &ca(0, 300, &key)], None), one("Chrome,", "a.example"));
        let old_root = patched(&der("Root", "Root", Purpose::Root, 4000, &key), sha256, sha1);
        assert_eq!(said(&[&leaf(&key), &ca(0, 300, &key)], Some(&old_root)), []);
    }

    #[test]
    fn usages_must_allow_servers_all_the_way_up() {
        let key = testing::signer(KeyAlgorithm::EcP256);
        let server_auth: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
        let code_signing: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];
        let no_server = patched(leaf(&key).der(), server_auth, code_signing);
        assert_eq!(said(&[&no_server, &ca(0, 300, &key)], None), one("TLS", "a.example"));
        let other_ca = patched(&der("CA", "Root", Purpose::TlsServer, 90, &key), server_auth, code_signing);
        // It is no CA, either.
        let both = [one("Windows,", "CA"), one("TLS", "CA")].concat();
        assert_eq!(said(&[&leaf(&key), &other_ca], None), both);
    }

    #[test]
    fn what_rfc_5280_refuses_is_told() {
        let key = testing::signer(KeyAlgorithm::EcP256);
        let root = Certificate::parse(&der("Root", "Root", Purpose::Root, 4000, &key)).unwrap();
        let (leaf, ca) = (leaf(&key), ca(0, 300, &key));
        assert_eq!(found(&[&leaf, &ca], Some(&root)), []);
        // keyUsage of the CA: digitalSignature instead of keyCertSign and cRLSign.
        let no_cert_sign = patched(ca.der(), &[0x03, 0x02, 0x01, 0x06], &[0x03, 0x02, 0x07, 0x80]);
        let found = found(&[&leaf, &no_cert_sign], Some(&root));
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((found.code, found.severity), ("chain.client_cannot_build", Severity::Warning));
        assert!(found.what.starts_with(EVERYBODY) && !found.repair.is_empty(), "{}", found.what);
    }

    #[test]
    fn path_lengths_and_long_lives_are_told() {
        let key = testing::signer(KeyAlgorithm::EcP256);
        let upper =
            Certificate::parse(&der("Upper", "Root", Purpose::Intermediate { path_len: 0 }, 300, &key));
        let upper = upper.unwrap();
        assert_eq!(said(&[&leaf(&key), &ca(0, 300, &key), &upper], None), one("TLS", "Upper"));
        assert_eq!(said(&[&leaf(&key), &ca(0, 300, &key)], Some(&upper)), one("TLS", "Upper"), "a root, too");
        assert_eq!(said(&[&leaf(&key), &ca(0, 300, &key)], None), []);
        let life =
            |days| Certificate::parse(&der("a.example", "CA", Purpose::TlsServer, days, &key)).unwrap();
        assert_eq!(said(&[&life(825), &ca(0, 4000, &key)], None), []);
        assert_eq!(said(&[&life(826), &ca(0, 4000, &key)], None), one("Apple's", "a.example"));
    }
}
