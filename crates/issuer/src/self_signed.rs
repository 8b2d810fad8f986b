//! A key that signs its own certificate: for tests, for the first start, for what no CA knows.

use domain::Random;
use domain::connector::Field;
use domain::issuer::IssuerKind;
use pki::issue::{self, Template};
use pki::name::{Attribute, AttributeType};
use pki::{Certificate, DistinguishedName, Refusal, Signer};

use crate::{Answer, AuthorityCertificates, Issuer, IssuerError, Wanted, authority, leaf};

/// The connector.
pub(crate) struct SelfSigned;

impl Issuer for SelfSigned {
    fn kind(&self) -> IssuerKind {
        IssuerKind::SelfSigned
    }

    fn help(&self) -> &'static str {
        "The key signs its own certificate. Clients warn until they are told to trust exactly this one."
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn prepare(
        &self,
        wanted: &Wanted<'_>,
        _authority: Option<&AuthorityCertificates>,
        random: &dyn Random,
    ) -> Result<Answer, IssuerError> {
        let purpose = leaf::check(wanted)?;
        let (not_before, not_after) = authority::validity(wanted.now, wanted.lifetime);
        let subject = subject(wanted)?;
        let template = Template {
            serial: authority::serial(random),
            issuer: subject.clone(),
            subject,
            public_key: wanted.csr.public_key().clone(),
            not_before,
            not_after,
            names: wanted.names.to_vec(),
            purpose,
            // Its own: only a CA may leave it out (RFC 5280, 4.2.1.1).
            authority_key_id: Some(issue::subject_key_id(wanted.csr.public_key())),
            ca_issuers_url: None,
        };
        Ok(leaf::prepare(wanted, &template, wanted.csr.public_key())?)
    }

    fn finish(
        &self,
        intent: &[u8],
        _authority: Option<&AuthorityCertificates>,
        signer: &dyn Signer,
    ) -> Result<Certificate, IssuerError> {
        let certificate =
            Certificate::parse(&issue::sign(intent, signer)?).map_err(|_| IssuerError::Unsound)?;
        if certificate.is_self_signed() { Ok(certificate) } else { Err(IssuerError::Unsound) }
    }
}

/// The subject that was ordered. It is the issuer too, and an issuer must have a name (RFC 5280, 4.1.2.4): where none
/// was given, the first alternative name is it.
fn subject(wanted: &Wanted<'_>) -> Result<DistinguishedName, Refusal> {
    let Some(first) = wanted.names.first().filter(|_| wanted.subject.is_empty()) else {
        return Ok(wanted.subject.clone());
    };
    let name: String = first.to_string().chars().take(64).collect();
    DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, name)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Counting, Order, prepared};

    #[test]
    fn the_key_signs_its_own_certificate_which_is_no_ca() {
        let key = testing::signer();
        let order = Order::of(&key);
        let intent = prepared(SelfSigned.prepare(&order.wanted(), None, &Counting::new()));
        assert_eq!(intent.key, key.public_key().id());
        let certificate = SelfSigned.finish(&intent.to_be_signed, None, &key).unwrap();
        assert!(certificate.is_self_signed() && !certificate.is_ca());
        assert_eq!((certificate.subject(), certificate.issuer()), (&order.subject, &order.subject));
        assert_eq!(certificate.names(), order.names);
        assert_eq!(certificate.serial(), intent.serial);
        assert_eq!(certificate.extended_key_usages(), ["serverAuth"]);
    }

    #[test]
    fn without_a_subject_it_is_named_by_its_first_name() {
        let key = testing::signer();
        let order =
            Order { subject: DistinguishedName::from_attributes(Vec::new()).unwrap(), ..Order::of(&key) };
        let intent = prepared(SelfSigned.prepare(&order.wanted(), None, &Counting::new()));
        let certificate = SelfSigned.finish(&intent.to_be_signed, None, &key).unwrap();
        let first = order.names[0].to_string();
        assert_eq!(certificate.subject().common_name(), Some(first.as_str()));
        assert!(certificate.is_self_signed());
    }

    #[test]
    fn another_key_cannot_finish_it() {
        let order = Order::of(&testing::signer());
        let intent = prepared(SelfSigned.prepare(&order.wanted(), None, &Counting::new()));
        let finished = SelfSigned.finish(&intent.to_be_signed, None, &testing::signer());
        assert_eq!(finished.err(), Some(IssuerError::Unsound));
    }
}
