//! A person carries the CSR to a CA and brings the answer.

use domain::Random;
use domain::connector::Field;
use domain::issuer::IssuerKind;
use pki::{Certificate, Signer};

use crate::{Answer, AuthorityCertificates, Issuer, IssuerError, Wanted};

/// The connector.
pub(crate) struct Manual;

impl Issuer for Manual {
    fn kind(&self) -> IssuerKind {
        IssuerKind::Manual
    }

    fn help(&self) -> &'static str {
        "You send the request to a CA yourself and import what it answers."
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn prepare(
        &self,
        wanted: &Wanted<'_>,
        _authority: Option<&AuthorityCertificates>,
        _random: &dyn Random,
    ) -> Result<Answer, IssuerError> {
        let fingerprint = wanted.csr.fingerprint().to_string();
        let short = fingerprint.get(..16).unwrap_or(&fingerprint);
        Ok(Answer::WaitForPerson(format!(
            "Send the request {short} to the CA, and import the certificate that it answers with."
        )))
    }

    fn finish(
        &self,
        _intent: &[u8],
        _authority: Option<&AuthorityCertificates>,
        _signer: &dyn Signer,
    ) -> Result<Certificate, IssuerError> {
        Err(IssuerError::SignsNothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Counting, Order};

    #[test]
    fn says_what_to_do_with_which_request_and_signs_nothing() {
        let key = testing::signer();
        let order = Order::of(&key);
        let answer = Manual.prepare(&order.wanted(), None, &Counting::new()).unwrap();
        let Answer::WaitForPerson(what) = answer else { panic!("it must wait") };
        assert!(what.contains(&order.csr.fingerprint().to_string()[..16]));
        assert_eq!(Manual.finish(&[], None, &key).err(), Some(IssuerError::SignsNothing));
    }
}
