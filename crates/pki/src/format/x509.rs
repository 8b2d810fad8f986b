//! A certificate or a certificate request (PKCS#10), alone, in DER.

use super::{Contents, Format, Item, begins_with_oid, fields, no_cost};
use crate::tlv::{Reader, Tlv, tag};
use crate::{Certificate, Csr, Refusal};

pub(super) const CERTIFICATE: Format =
    Format { name: "der-certificate", sniff: is_certificate, charge: no_cost, read: read_certificate };

pub(super) const CSR: Format = Format { name: "der-csr", sniff: is_csr, charge: no_cost, read: read_csr };

fn read_certificate(der: &[u8], _: Option<&str>, contents: &mut Contents) -> Result<(), Refusal> {
    contents.items.push(Item::Certificate(Certificate::parse(der)?));
    Ok(())
}

fn read_csr(der: &[u8], _: Option<&str>, contents: &mut Contents) -> Result<(), Refusal> {
    super::der::check(der)?;
    contents.items.push(Item::Csr(Csr::parse(der)?));
    Ok(())
}

/// Both are `SEQUENCE { SEQUENCE, AlgorithmIdentifier, BIT STRING }`.
fn signed(der: &[u8]) -> Option<Reader<'_>> {
    let mut outer = fields(der)?;
    let inner = outer.expect(tag::SEQUENCE).ok()?;
    outer.expect(tag::SEQUENCE).ok()?;
    outer.expect(tag::BIT_STRING).ok()?;
    Some(Reader::new(inner.value))
}

/// The signed part begins with the version, or in version 1 with the serial number and an algorithm.
fn is_certificate(der: &[u8]) -> bool {
    let Some(mut inner) = signed(der) else {
        return false;
    };
    match inner.any() {
        Ok(Tlv { tag: 0xa0, .. }) => true,
        Ok(Tlv { tag: tag::INTEGER, .. }) => {
            inner.expect(tag::SEQUENCE).is_ok_and(|algorithm| begins_with_oid(algorithm.value))
        }
        Ok(_) | Err(_) => false,
    }
}

/// The signed part begins with the version, a name and a public key.
fn is_csr(der: &[u8]) -> bool {
    let Some(mut inner) = signed(der) else {
        return false;
    };
    let begins = inner.expect(tag::INTEGER).is_ok()
        && inner.expect(tag::SEQUENCE).is_ok_and(|subject| !begins_with_oid(subject.value));
    begins && inner.expect(tag::SEQUENCE).is_ok_and(|key| key.value.first() == Some(&tag::SEQUENCE))
}
