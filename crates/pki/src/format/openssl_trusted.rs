//! `TRUSTED CERTIFICATE`, as `openssl x509 -trustout` writes it: a certificate, and after it for what OpenSSL should
//! trust it. Only the certificate is taken. It exists in PEM only: its label tells what follows the certificate.

use super::{Format, Reading, no_cost, x509};
use crate::Refusal;
use crate::tlv::{Reader, tag};

pub(super) const FORMAT: Format =
    Format { name: "openssl-trusted", sniff: x509::CERTIFICATE.sniff, charge: no_cost, read };

fn read(der: &[u8], reading: &mut Reading<'_>) -> Result<(), Refusal> {
    let mut parts = Reader::new(der);
    let certificate = parts.any()?;
    // CertAux, or nothing.
    parts.optional(tag::SEQUENCE)?;
    parts.end()?;
    (x509::CERTIFICATE.read)(certificate.whole, reading)
}
