//! EC private keys as SEC1 ECPrivateKey (RFC 5915) in DER.

use super::{Format, Object, Reading, check_key, fields, no_cost};
use crate::tlv::tag;
use crate::{PrivateKey, Refusal};

pub(super) const FORMAT: Format = Format { name: "sec1", sniff: is_sec1, charge: no_cost, read };

/// Version and the private number.
fn is_sec1(der: &[u8]) -> bool {
    fields(der).is_some_and(|mut fields| {
        fields.expect(tag::INTEGER).is_ok() && fields.expect(tag::OCTET_STRING).is_ok()
    })
}

fn read(der: &[u8], reading: &mut Reading<'_>) -> Result<(), Refusal> {
    check_key(der)?;
    reading.add(Object::PrivateKey(PrivateKey::from_sec1_der(der)?))
}
