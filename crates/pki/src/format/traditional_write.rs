//! Writes private keys in the forms before PKCS#8, for programs that read nothing else: PKCS#1 for RSA (RFC 8017,
//! A.1.2), SEC1 for EC (RFC 5915). Both are open: nothing protects them but the file's mode.

use zeroize::Zeroizing;

use super::pem_write;
use crate::tlv::{self, Reader, tag};
use crate::{KeyAlgorithm, PrivateKey};

/// RSAPrivateKey in PEM, `RSA PRIVATE KEY`; `None` when the key is no RSA key.
pub fn pkcs1(key: &PrivateKey) -> Option<Zeroizing<String>> {
    let (_, inner) = key.algorithm().is_rsa().then(|| parts(key))??;
    Some(Zeroizing::new(pem_write::block("RSA PRIVATE KEY", inner)))
}

/// ECPrivateKey with its curve in PEM, `EC PRIVATE KEY`; `None` when the key is no EC key.
pub fn sec1(key: &PrivateKey) -> Option<Zeroizing<String>> {
    let is_ec = matches!(key.algorithm(), KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384);
    let (curve, inner) = is_ec.then(|| parts(key))??;
    let mut reader = Reader::new(tlv::only(inner, tag::SEQUENCE).ok()?.value);
    let version = reader.expect(tag::INTEGER).ok()?.whole;
    let scalar = reader.expect(tag::OCTET_STRING).ok()?.whole;
    // Within PKCS#8 the curve stands outside; alone, the key must name it itself.
    reader.optional(tag::constructed(0)).ok()?;
    let public_key = reader.optional(tag::constructed(1)).ok()?.map_or(&[][..], |element| element.whole);
    let named = tlv::tlv(tag::constructed(0), &[curve]);
    let der = Zeroizing::new(tlv::sequence(&[version, scalar, &named, public_key]));
    Some(Zeroizing::new(pem_write::block("EC PRIVATE KEY", &der)))
}

/// The parameters of the algorithm, and the key inside the PKCS#8. What we hold is sound: `None` does not happen.
fn parts(key: &PrivateKey) -> Option<(&[u8], &[u8])> {
    let mut outer = Reader::new(tlv::only(key.pkcs8_der(), tag::SEQUENCE).ok()?.value);
    outer.expect(tag::INTEGER).ok()?;
    let mut identifier = Reader::new(outer.expect(tag::SEQUENCE).ok()?.value);
    identifier.expect(tag::OID).ok()?;
    let parameters = if identifier.is_empty() { &[][..] } else { identifier.any().ok()?.whole };
    Some((parameters, outer.expect(tag::OCTET_STRING).ok()?.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{self, Item};
    use crate::testing;

    #[test]
    fn each_kind_has_its_own_form_and_is_read_back() {
        for algorithm in KeyAlgorithm::ALL {
            let key = PrivateKey::from_pkcs8_der(&testing::pkcs8(algorithm)).unwrap();
            let forms = [pkcs1(&key), sec1(&key)];
            let is_ed25519 = algorithm == KeyAlgorithm::Ed25519;
            assert_eq!(forms.iter().flatten().count(), usize::from(!is_ed25519), "{algorithm:?}");
            assert_eq!(forms[0].is_some(), algorithm.is_rsa());
            for text in forms.iter().flatten() {
                let items = format::read(text.as_bytes(), None).unwrap().items;
                let read = items.into_iter().find_map(Item::into_private_key).unwrap();
                assert_eq!(read.pkcs8_der(), key.pkcs8_der());
            }
        }
    }
}
