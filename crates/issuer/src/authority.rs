//! The CAs of an internal issuer: a root that signs once, and an intermediate that signs leaves.
//!
//! Both are made when the issuer is first used: the caller generates the keys, signs
//! [`root_template`] with the root's key and [`intermediate_template`] too, and stores both.

use domain::clock::random_bytes;
use domain::{Moment, Random};
use pki::issue::{Purpose, Template, subject_key_id};
use pki::name::{Attribute, AttributeType};
use pki::{Certificate, DistinguishedName, PublicKey, Refusal, Role, UnixTime};

/// A year of 365 and a quarter days.
const YEAR: i64 = 31_557_600;
/// Validity of a root in seconds.
pub const ROOT_LIFETIME: i64 = 20 * YEAR;
/// Validity of an intermediate in seconds; it never outlives its root.
pub const INTERMEDIATE_LIFETIME: i64 = 10 * YEAR;

/// The most characters of a common name (RFC 5280, appendix A.1).
const MAX_COMMON_NAME: usize = 64;
/// By how much certificates are dated back, for clients whose clocks are late.
const BACKDATE: i64 = 60;
/// Certificates that live no longer than this are not dated back: it would cost too much of their lives.
const SHORT: i64 = 3_600;

/// The certificates of an internal issuer.
#[derive(Clone)]
pub struct AuthorityCertificates {
    /// The root.
    pub root: Certificate,
    /// The intermediate, whose key signs leaves.
    pub intermediate: Certificate,
    /// Where clients can fetch the intermediate; written into leaves. None when no address is configured.
    pub ca_issuers_url: Option<String>,
}

/// What the root will say: `CN=<label> Root CA`, 20 years, signed by its own key.
pub fn root_template(
    label: &str,
    public_key: PublicKey,
    now: Moment,
    random: &dyn Random,
) -> Result<Template, Refusal> {
    let name = ca_name(label, " Root CA")?;
    let (not_before, not_after) = validity(now, ROOT_LIFETIME);
    // Its own: not asked of a root, and it helps clients that look issuers up by it.
    let authority_key_id = Some(subject_key_id(&public_key));
    Ok(Template {
        serial: serial(random),
        issuer: name.clone(),
        subject: name,
        public_key,
        not_before,
        not_after,
        names: Vec::new(),
        purpose: Purpose::Root,
        authority_key_id,
        ca_issuers_url: None,
    })
}

/// What the intermediate will say: `CN=<label> Intermediate CA`, 10 years or until the root ends, no CA below it.
///
/// Refuses `issuer.ended` and `issuer.not_yet_valid` for a root that is not valid now, `issuer.authority` for one that
/// is none.
pub fn intermediate_template(
    label: &str,
    public_key: PublicKey,
    root: &Certificate,
    now: Moment,
    random: &dyn Random,
) -> Result<Template, Refusal> {
    if root.role() != Role::Root {
        return Err(no_authority("the certificate that should sign the intermediate is no root"));
    }
    check_valid(root, "root", now)?;
    let (not_before, not_after) = validity(now, INTERMEDIATE_LIFETIME);
    Ok(Template {
        serial: serial(random),
        issuer: root.subject().clone(),
        subject: ca_name(label, " Intermediate CA")?,
        public_key,
        not_before: not_before.max(root.not_before()),
        not_after: not_after.min(root.not_after()),
        names: Vec::new(),
        purpose: Purpose::Intermediate { path_len: 0 },
        authority_key_id: Some(key_id_of(root)),
        ca_issuers_url: None,
    })
}

impl AuthorityCertificates {
    /// Refuses a pair that cannot issue now, so that no certificate is made that no client takes.
    pub(crate) fn check(&self, now: Moment) -> Result<(), Refusal> {
        let (root, intermediate) = (&self.root, &self.intermediate);
        if !root.is_ca() || intermediate.role() != Role::Intermediate {
            return Err(no_authority("the internal CA's certificates are no CAs"));
        }
        let names_root = intermediate.issuer() == root.subject()
            && intermediate.authority_key_id().is_none_or(|id| Some(id) == root.subject_key_id());
        if !names_root {
            return Err(no_authority("the intermediate of the internal CA was not issued by its root"));
        }
        check_valid(root, "root", now)?;
        check_valid(intermediate, "intermediate", now)
    }
}

/// The first and last second of a certificate that lives for `lifetime` seconds, both counted (RFC 5280, 4.1.2.5).
pub(crate) fn validity(now: Moment, lifetime: i64) -> (UnixTime, UnixTime) {
    let backdate = if lifetime > SHORT { BACKDATE } else { 0 };
    let not_before = now.unix().plus(-backdate);
    (not_before, not_before.plus(lifetime - 1))
}

/// 128 random bits. The encoding puts a zero octet before a set top bit, so that all of them count.
pub(crate) fn serial(random: &dyn Random) -> Vec<u8> {
    random_bytes::<16>(random).to_vec()
}

/// The identifier that the certificates of a CA name it by.
pub(crate) fn key_id_of(authority: &Certificate) -> Vec<u8> {
    authority.subject_key_id().map_or_else(|| subject_key_id(authority.public_key()), <[u8]>::to_vec)
}

fn check_valid(authority: &Certificate, which: &str, now: Moment) -> Result<(), Refusal> {
    let now = now.unix();
    if now > authority.not_after() {
        let what = format!("the {which} of the internal CA ended on {}", authority.not_after());
        return Err(Refusal::new("issuer.ended", what, "Withdraw this issuer and make a new internal CA."));
    }
    if now < authority.not_before() {
        let what = format!("the {which} of the internal CA is valid only from {} on", authority.not_before());
        return Err(Refusal::new("issuer.not_yet_valid", what, "Check the clock of this server."));
    }
    Ok(())
}

fn no_authority(what: &str) -> Refusal {
    Refusal::new("issuer.authority", what, "Withdraw this issuer and make a new internal CA.")
}

/// The label is shortened so that the whole fits into a common name.
fn ca_name(label: &str, what: &str) -> Result<DistinguishedName, Refusal> {
    // A label that says CA already does not say it twice.
    let label = label.trim().trim_end_matches(" CA");
    let label: String = label.chars().take(MAX_COMMON_NAME - what.len()).collect();
    let common_name = format!("{}{what}", label.trim());
    DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, common_name)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Counting, NOW};

    #[test]
    fn an_intermediate_never_outlives_its_root() {
        let random = Counting::new();
        let root_key = testing::signer();
        let late = NOW.plus(15 * YEAR * 1_000);
        let template = root_template("Test", testing::public_key(&root_key), NOW, &random).unwrap();
        let root = testing::signed(&template, &root_key);
        let made = |root: &Certificate, now| {
            intermediate_template("Test", testing::public_key(&testing::signer()), root, now, &random)
        };
        let early = made(&root, NOW).unwrap();
        assert_eq!(early.not_after.since(early.not_before) + 1, INTERMEDIATE_LIFETIME);
        assert_eq!(made(&root, late).unwrap().not_after, root.not_after());
        let code = |now| made(&root, now).map_err(|refusal| refusal.code).err();
        assert_eq!(code(NOW.plus(21 * YEAR * 1_000)), Some("issuer.ended"));
        assert_eq!(code(NOW.plus(-YEAR * 1_000)), Some("issuer.not_yet_valid"));
        let intermediate = testing::signed(&early, &root_key);
        assert_eq!(made(&intermediate, NOW).map_err(|refusal| refusal.code).err(), Some("issuer.authority"));
    }

    #[test]
    fn long_labels_are_shortened_to_fit() {
        let random = Counting::new();
        let key = testing::public_key(&testing::signer());
        let template = root_template(&"Ä".repeat(100), key, NOW, &random).unwrap();
        let name = template.subject.common_name().unwrap_or_default().to_owned();
        assert_eq!(name.chars().count(), MAX_COMMON_NAME);
        assert!(name.ends_with(" Root CA"));
    }

    #[test]
    fn a_short_life_is_not_dated_back() {
        let start = NOW.unix();
        assert_eq!(validity(NOW, 60), (start, start.plus(59)));
        assert_eq!(validity(NOW, SHORT), (start, start.plus(SHORT - 1)));
        assert_eq!(validity(NOW, SHORT + 1), (start.plus(-60), start.plus(SHORT - 60)));
    }

    #[test]
    fn every_bit_of_a_serial_is_random() {
        let random = Counting::new();
        let mut ones = [0_u32; 128];
        for _ in 0..1_000 {
            let serial = serial(&random);
            for (bit, count) in ones.iter_mut().enumerate() {
                *count += u32::from(serial[bit / 8] >> (bit % 8) & 1);
            }
        }
        assert!(ones.iter().all(|count| (400..600).contains(count)), "{ones:?}");
    }
}
