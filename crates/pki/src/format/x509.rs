//! A certificate, a certificate request (PKCS#10) or a CRL, alone, in DER.

use super::{Format, Object, Reading, begins_with_oid, fields, no_cost};
use crate::tlv::{Reader, Tlv, tag};
use crate::{Certificate, Crl, Csr, Refusal};

pub(super) const CERTIFICATE: Format =
    Format { name: "der-certificate", sniff: is_certificate, charge: no_cost, read: read_certificate };

pub(super) const CSR: Format = Format { name: "der-csr", sniff: is_csr, charge: no_cost, read: read_csr };

pub(super) const CRL: Format = Format { name: "der-crl", sniff: is_crl, charge: no_cost, read: read_crl };

fn read_certificate(der: &[u8], reading: &mut Reading<'_>) -> Result<(), Refusal> {
    let certificate = Certificate::parse(der).inspect_err(|_| reading.outline(der))?;
    reading.add(Object::Certificate(certificate))
}

fn read_csr(der: &[u8], reading: &mut Reading<'_>) -> Result<(), Refusal> {
    super::der::check(der)?;
    reading.add(Object::Csr(Csr::parse(der)?))
}

fn read_crl(der: &[u8], reading: &mut Reading<'_>) -> Result<(), Refusal> {
    reading.add(Object::Crl(Crl::parse(der)?))
}

/// All are `SEQUENCE { SEQUENCE, AlgorithmIdentifier, BIT STRING }`.
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
            // Name and validity follow; in a CRL it would be a name and a time.
            let has_algorithm =
                inner.expect(tag::SEQUENCE).is_ok_and(|algorithm| begins_with_oid(algorithm.value));
            has_algorithm && inner.expect(tag::SEQUENCE).is_ok() && inner.expect(tag::SEQUENCE).is_ok()
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

/// The signed part begins with the version (not in version 1), an algorithm, a name and a time.
fn is_crl(der: &[u8]) -> bool {
    let Some(mut inner) = signed(der) else {
        return false;
    };
    let begins = inner.optional(tag::INTEGER).is_ok()
        && inner.expect(tag::SEQUENCE).is_ok_and(|algorithm| begins_with_oid(algorithm.value))
        && inner.expect(tag::SEQUENCE).is_ok();
    begins && inner.any().is_ok_and(|time| matches!(time.tag, tag::UTC_TIME | tag::GENERALIZED_TIME))
}
