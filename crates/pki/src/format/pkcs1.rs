//! RSA private keys as PKCS#1 RSAPrivateKey (RFC 8017, A.1.2) in DER.

use super::{Format, Object, Reading, check_key, fields, no_cost};
use crate::tlv::tag;
use crate::{PrivateKey, Refusal};

pub(super) const FORMAT: Format = Format { name: "pkcs1", sniff: is_pkcs1, charge: no_cost, read };

/// Version, modulus, exponents, primes and the rest: nine integers. A DSA key of OpenSSL has six.
fn is_pkcs1(der: &[u8]) -> bool {
    fields(der).is_some_and(|mut fields| (0..9).all(|_| fields.expect(tag::INTEGER).is_ok()))
}

fn read(der: &[u8], reading: &mut Reading<'_>) -> Result<(), Refusal> {
    check_key(der)?;
    reading.add(Object::PrivateKey(PrivateKey::from_pkcs1_der(der)?))
}
