//! Our own CA: an intermediate, kept online, signs leaves by profile.

use domain::Random;
use domain::connector::Field;
use domain::issuer::IssuerKind;
use pki::issue::{self, Template};
use pki::{Certificate, Signer};

use crate::{Answer, AuthorityCertificates, Issuer, IssuerError, Wanted, authority, leaf};

/// The connector.
pub(crate) struct Internal;

impl Issuer for Internal {
    fn kind(&self) -> IssuerKind {
        IssuerKind::Internal
    }

    fn help(&self) -> &'static str {
        "This server's own CA signs at once. Clients must trust its root."
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn prepare(
        &self,
        wanted: &Wanted<'_>,
        authority: Option<&AuthorityCertificates>,
        random: &dyn Random,
    ) -> Result<Answer, IssuerError> {
        let authority = authority.ok_or(IssuerError::NoAuthority)?;
        authority.check(wanted.now)?;
        let purpose = leaf::check(wanted)?;
        let intermediate = &authority.intermediate;
        let (not_before, not_after) = authority::validity(wanted.now, wanted.lifetime);
        let template = Template {
            serial: authority::serial(random),
            issuer: intermediate.subject().clone(),
            subject: wanted.subject.clone(),
            public_key: wanted.csr.public_key().clone(),
            // A leaf lives within the life of its issuers: clients check each of them at the same moment.
            not_before: not_before.max(intermediate.not_before()).max(authority.root.not_before()),
            not_after: not_after.min(intermediate.not_after()).min(authority.root.not_after()),
            names: wanted.names.to_vec(),
            purpose,
            authority_key_id: Some(authority::key_id_of(intermediate)),
            ca_issuers_url: authority.ca_issuers_url.clone(),
        };
        Ok(leaf::prepare(wanted, &template, intermediate.public_key())?)
    }

    fn finish(
        &self,
        intent: &[u8],
        authority: Option<&AuthorityCertificates>,
        signer: &dyn Signer,
    ) -> Result<Certificate, IssuerError> {
        let authority = authority.ok_or(IssuerError::NoAuthority)?;
        let certificate =
            Certificate::parse(&issue::sign(intent, signer)?).map_err(|_| IssuerError::Unsound)?;
        if certificate.is_signed_by(&authority.intermediate) {
            Ok(certificate)
        } else {
            Err(IssuerError::Unsound)
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::clock::{DAY, HOUR};
    use domain::issuer::Profile;
    use domain::key::KeyUsage;
    use domain::{Moment, Random};
    use pki::{DistinguishedName, KeyAlgorithm, Role, SubjectAltName};

    use super::*;
    use crate::testing::{self, Authority, Counting, NOW, Order, prepared};

    fn refused(order: &Order, authority: &Authority) -> &'static str {
        match Internal.prepare(&order.wanted(), Some(&authority.certificates), &Counting::new()) {
            Err(IssuerError::Refused(refusal)) => refusal.code,
            Err(_) => "another error",
            Ok(_) => "prepared",
        }
    }

    fn issued(order: &Order, authority: &Authority, random: &dyn Random) -> Certificate {
        let certificates = Some(&authority.certificates);
        let intent = prepared(Internal.prepare(&order.wanted(), certificates, random));
        assert_eq!(intent.key, authority.key.public_key().id());
        let certificate = Internal.finish(&intent.to_be_signed, certificates, &authority.key).unwrap();
        assert_eq!(certificate.serial(), intent.serial);
        certificate
    }

    #[test]
    fn a_leaf_says_what_was_ordered_and_for_how_long() {
        let authority = Authority::new();
        let order = Order::of(&testing::signer());
        let leaf = issued(&order, &authority, &Counting::new());
        assert!(leaf.is_signed_by(&authority.certificates.intermediate));
        assert!(authority.certificates.intermediate.is_signed_by(&authority.certificates.root));
        assert_eq!((leaf.subject(), leaf.names()), (&order.subject, &*order.names));
        assert_eq!((leaf.role(), leaf.key_id()), (Role::Server, order.csr.public_key().id()));
        assert_eq!(leaf.not_after().since(leaf.not_before()) + 1, order.lifetime);
        assert_eq!(leaf.not_before(), NOW.unix().plus(-60));
        assert_eq!(leaf.ca_issuer_urls(), ["http://ca.example/intermediate.crt"]);
    }

    #[test]
    fn the_subject_comes_from_the_order_and_only_the_key_from_the_csr() {
        let authority = Authority::new();
        let key = testing::signer();
        let csr = testing::csr(&key, &testing::name("somebody else"), &["a.example"]);
        let order = Order { csr, ..Order::of(&key) };
        let leaf = issued(&order, &authority, &Counting::new());
        assert_eq!(leaf.subject(), &testing::name("a.example"));
    }

    #[test]
    fn the_csr_must_ask_for_exactly_the_names_that_were_ordered() {
        let authority = Authority::new();
        let key = testing::signer();
        for asked in [&["a.example", "evil.example"][..], &["evil.example"], &[]] {
            let csr = testing::csr(&key, &testing::name("a.example"), asked);
            assert_eq!(refused(&Order { csr, ..Order::of(&key) }, &authority), "csr.names", "{asked:?}");
        }
        let names = SubjectAltName::parse_list("b.example,a.example").unwrap();
        let csr = testing::csr(&key, &testing::name("a.example"), &["a.example", "b.example"]);
        assert_eq!(refused(&Order { csr, names, ..Order::of(&key) }, &authority), "prepared");
    }

    #[test]
    fn the_profile_decides_about_key_lifetime_and_usage() {
        let authority = Authority::new();
        let order = || Order::of(&testing::signer());
        let profile = |change: fn(&mut Profile)| {
            let mut order = order();
            change(&mut order.profile);
            order
        };
        assert_eq!(refused(&Order { lifetime: 399 * 86_400, ..order() }, &authority), "profile.lifetime");
        assert_eq!(refused(&Order { lifetime: 0, ..order() }, &authority), "profile.lifetime");
        let rsa_only = profile(|profile| profile.algorithms = vec![KeyAlgorithm::Rsa2048]);
        assert_eq!(refused(&rsa_only, &authority), "profile.algorithm");
        assert_eq!(refused(&profile(|profile| profile.usage = KeyUsage::Ca), &authority), "profile.usage");
        let usages = |change| issued(&profile(change), &authority, &Counting::new()).extended_key_usages();
        assert_eq!(usages(|profile| profile.client_auth = true), ["serverAuth", "clientAuth"]);
        assert_eq!(usages(|profile| profile.usage = KeyUsage::Auth), ["serverAuth", "clientAuth"]);
        let sign = issued(&profile(|profile| profile.usage = KeyUsage::Sign), &authority, &Counting::new());
        assert_eq!(sign.role(), Role::Sign);
    }

    #[test]
    fn a_leaf_never_outlives_the_ca() {
        let authority = Authority::new();
        let end = Moment::from(authority.certificates.intermediate.not_after());
        let order = |now| Order { now, ..Order::of(&testing::signer()) };
        let last = issued(&order(end.plus(-DAY)), &authority, &Counting::new());
        assert_eq!(last.not_after(), end.unix());
        assert_eq!(refused(&order(end), &authority), "prepared");
        assert_eq!(refused(&order(end.plus(1_000)), &authority), "issuer.ended");
        assert_eq!(refused(&order(NOW.plus(-HOUR)), &authority), "issuer.not_yet_valid");
        let first = issued(&order(NOW), &authority, &Counting::new());
        assert!(first.not_before() >= authority.certificates.intermediate.not_before());
    }

    #[test]
    fn only_the_intermediate_can_finish_what_was_prepared() {
        let authority = Authority::new();
        let order = Order::of(&testing::signer());
        let certificates = Some(&authority.certificates);
        let intent = prepared(Internal.prepare(&order.wanted(), certificates, &Counting::new()));
        let finished = |intent: &[u8], certificates, key| Internal.finish(intent, certificates, key).err();
        let stranger = testing::signer();
        assert_eq!(finished(&intent.to_be_signed, certificates, &stranger), Some(IssuerError::Unsound));
        let other = Authority::new();
        let elsewhere = finished(&intent.to_be_signed, Some(&other.certificates), &other.key);
        assert_eq!(elsewhere, Some(IssuerError::Unsound));
        assert_eq!(finished(&intent.to_be_signed, None, &authority.key), Some(IssuerError::NoAuthority));
        let damaged = &intent.to_be_signed[..100];
        assert!(matches!(finished(damaged, certificates, &authority.key), Some(IssuerError::NotSigned(_))));
    }

    #[test]
    fn without_its_certificates_the_ca_says_so() {
        let order = Order::of(&testing::signer());
        let answer = Internal.prepare(&order.wanted(), None, &Counting::new());
        assert_eq!(answer, Err(IssuerError::NoAuthority));
    }

    #[test]
    fn a_pair_that_does_not_belong_together_issues_nothing() {
        let mut authority = Authority::new();
        authority.certificates.root = testing::unrelated_root();
        assert_eq!(refused(&Order::of(&testing::signer()), &authority), "issuer.authority");
        let mut swapped = Authority::new().certificates;
        std::mem::swap(&mut swapped.root, &mut swapped.intermediate);
        let swapped = Authority { certificates: swapped, ..Authority::new() };
        assert_eq!(refused(&Order::of(&testing::signer()), &swapped), "issuer.authority");
    }

    #[test]
    fn a_certificate_for_nobody_is_refused() {
        let key = testing::signer();
        let nobody = DistinguishedName::from_attributes(Vec::new()).unwrap();
        let csr = testing::csr(&key, &nobody, &[]);
        let order = Order { csr, subject: nobody, names: Vec::new(), ..Order::of(&key) };
        assert_eq!(refused(&order, &Authority::new()), "cert.no_name");
    }
}
