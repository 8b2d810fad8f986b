//! What CAs publish at the addresses that certificates name (AIA `caIssuers`, RFC 5280, 4.2.2.1): one certificate in DER,
//! or a collection as PKCS#7 (`.p7c`); some write PEM.

use crate::format::{self, Item, KdfBudget};
use crate::{Certificate, Refusal};

use super::Pool;

/// Certificates of one document that are looked at; a CA's collection has a few.
const MOST: usize = 50;

/// The certificates of a published document, if one of them issued `below`, by name, key identifier and signature.
///
/// Anybody may have written the document: nothing is derived from passphrases for it, and nothing is trusted for being
/// in it.
///
/// # Errors
/// `chain.not_fetched`.
pub fn published(document: &[u8], below: &Certificate) -> Result<Vec<Certificate>, Refusal> {
    let contents = format::read_within(document, &[], &mut KdfBudget::limited(0, 0)).map_err(|refusal| {
        refused(format!("what is there is no certificate that is taken: {}", refusal.what))
    })?;
    let certificates: Vec<Certificate> =
        contents.items.into_iter().filter_map(Item::into_certificate).take(MOST).collect();
    let issuers = Pool::new(certificates.iter().cloned());
    if issuers.candidates(below).any(|issuer| below.is_signed_by(issuer)) {
        return Ok(certificates);
    }
    Err(refused(match certificates.as_slice() {
        [] => "there is no certificate in what is there".to_owned(),
        [only] => format!("the certificate there, of “{}”, did not issue it", only.display_name()),
        several => format!("none of the {} certificates there issued it", several.len()),
    }))
}

fn refused(what: String) -> Refusal {
    let repair = "Get the issuer's certificate from the CA, and import it.";
    Refusal::new("chain.not_fetched", what, repair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{pem_write, pkcs7_write};
    use crate::issue::{self, Purpose, Template};
    use crate::name::{Attribute, AttributeType};
    use crate::testing::{self, TestSigner};
    use crate::{DistinguishedName, KeyAlgorithm, Signer, UnixTime};

    const NOW: UnixTime = UnixTime(1_795_305_600);

    fn signed(
        subject: &str,
        of: &TestSigner,
        (issuer, by): (&str, &TestSigner),
        what: Purpose,
    ) -> Certificate {
        let name = |text: &str| {
            DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, text)]).unwrap()
        };
        let template = Template {
            serial: vec![1],
            issuer: name(issuer),
            subject: name(subject),
            public_key: of.public_key().clone(),
            not_before: NOW.plus(-86_400),
            not_after: NOW.plus(86_400),
            names: Vec::new(),
            purpose: what,
            authority_key_id: None,
            ca_issuers_url: None,
        };
        let tbs = issue::to_be_signed(&template, by.algorithm().certificate_scheme()).unwrap();
        Certificate::parse(&issue::sign(&tbs, by).unwrap()).unwrap()
    }

    #[test]
    fn an_issuer_is_taken_in_every_form_and_who_only_bears_its_name_is_not() {
        let [root, ca, other] = [(); 3].map(|()| testing::signer(KeyAlgorithm::Ed25519));
        let below = Purpose::Intermediate { path_len: 0 };
        let issuer = signed("CA", &ca, ("Root", &root), below);
        let impostor = signed("CA", &other, ("Root", &root), below);
        // The issuer's name and key, in a certificate that lets it issue nothing.
        let powerless = signed("CA", &ca, ("Root", &root), Purpose::TlsServer);
        let leaf = signed("leaf", &other, ("CA", &ca), Purpose::TlsServer);
        let der = issuer.der().to_vec();
        let p7c = pkcs7_write::write([impostor.der(), issuer.der()]);
        let pem = pem_write::chain([issuer.der()]).into_bytes();
        for document in [der, p7c, pem] {
            assert!(published(&document, &leaf).unwrap().contains(&issuer));
        }
        for document in [impostor.der(), powerless.der(), &pkcs7_write::write([leaf.der()]), b"<html>", b""] {
            assert_eq!(published(document, &leaf).unwrap_err().code, "chain.not_fetched");
        }
    }
}
