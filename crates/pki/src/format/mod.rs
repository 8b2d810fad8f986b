//! Everything that comes in as a file: the content decides what it is, never its name.
//!
//! One file per format, and one row in `FORMATS`. Limits come before parsing; the cost of key derivation is read
//! and summed before anything is derived.

pub(crate) mod der;
pub(crate) mod kdf;
mod pem;
pub mod pem_write;
mod pkcs1;
mod pkcs8;
pub mod pkcs8_write;
mod sec1;
mod x509;

use crate::tlv::{Reader, tag};
use crate::{Certificate, Csr, Finding, PrivateKey, Refusal};
use kdf::KdfBudget;

/// The largest file that is looked at, in bytes.
pub const MAX_INPUT: usize = 10_000_000;
/// Certificates in one file, at most.
pub const MAX_CERTIFICATES: usize = 10_000;
/// Octets of one private key in DER, at most.
const MAX_KEY: usize = 13_000;

/// What a file held.
pub struct Contents {
    /// Which format it was in: `pem`, `der-certificate`, `der-csr`, `pkcs8`, `pkcs8-encrypted`, `pkcs1`, `sec1`.
    pub format: &'static str,
    /// What was in it, in its order.
    pub items: Vec<Item>,
    /// What was odd about the file itself.
    pub findings: Vec<Finding>,
}

/// One thing out of a file.
pub enum Item {
    /// A certificate.
    Certificate(Certificate),
    /// A private key.
    PrivateKey(PrivateKey),
    /// A certificate request.
    Csr(Csr),
}

/// One format: how it is recognised and how it is read.
struct Format {
    name: &'static str,
    /// Whether the bytes look like it; cheap, and never wrong about another format of the list.
    sniff: fn(&[u8]) -> bool,
    /// Charges what deriving keys for it would cost, and refuses parameters that make no sense.
    charge: fn(&[u8], &mut KdfBudget) -> Result<(), Refusal>,
    /// Reads it; called after `charge` only.
    read: ReadFormat,
}

/// Takes the bytes and the passphrase, and adds what it finds to the contents.
type ReadFormat = fn(&[u8], Option<&str>, &mut Contents) -> Result<(), Refusal>;

/// Every format, in the order in which they are tried; those in DER can be told by their first bytes.
const FORMATS: [&Format; 7] = [
    &x509::CERTIFICATE,
    &x509::CSR,
    &pkcs8::PLAIN,
    &pkcs8::ENCRYPTED,
    &pkcs1::FORMAT,
    &sec1::FORMAT,
    &pem::FORMAT,
];

/// Reads a file of any format that we know. CPU: at most about 2 s, when it is encrypted.
///
/// # Errors
/// `input.empty`, `input.too_large`, `input.unrecognised`; `pem.*`, `der.*`; `limit.*`; `key.*`; `pass.needed`
/// when it is encrypted and there is no passphrase, `pass.wrong` when that is wrong or the file is damaged; and
/// every refusal of [`Certificate::parse`] and [`Csr::parse`]. One bad object refuses the whole file.
pub fn read(bytes: &[u8], passphrase: Option<&str>) -> Result<Contents, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::new("input.empty", "the file is empty", "Choose the file again."));
    }
    if bytes.len() > MAX_INPUT {
        let what = format!("the file has {} bytes; at most {MAX_INPUT} are taken", bytes.len());
        return Err(Refusal::new(
            "input.too_large",
            what,
            "Send the certificates and keys without anything else.",
        ));
    }
    let Some(format) = FORMATS.iter().find(|format| (format.sniff)(bytes)) else {
        return Err(unrecognised(bytes));
    };
    let mut contents = Contents { format: format.name, items: Vec::new(), findings: Vec::new() };
    (format.charge)(bytes, &mut KdfBudget::new())?;
    (format.read)(bytes, passphrase, &mut contents)?;
    Ok(contents)
}

/// Says as closely as possible why nothing fits.
fn unrecognised(bytes: &[u8]) -> Refusal {
    if bytes[0] == tag::SEQUENCE
        && let Err(refusal) = der::check(bytes)
    {
        return refusal;
    }
    if bytes.windows(5).any(|five| five == b"-----") {
        let what = "there are dashes, but no line like -----BEGIN CERTIFICATE-----";
        return Refusal::new("pem.none", what, "Copy the whole text, with its BEGIN and END lines.");
    }
    Refusal::new(
        "input.unrecognised",
        "this is none of the formats that are read here",
        "Send a certificate, certificate request or private key in PEM or DER.",
    )
}

/// For formats that derive no keys.
fn no_cost(_: &[u8], _: &mut KdfBudget) -> Result<(), Refusal> {
    Ok(())
}

/// The fields of the outermost SEQUENCE; what follows after it is not looked at.
fn fields(der: &[u8]) -> Option<Reader<'_>> {
    Reader::new(der).expect(tag::SEQUENCE).ok().map(|outer| Reader::new(outer.value))
}

/// Whether the SEQUENCE with this content begins with an object identifier, as an AlgorithmIdentifier does.
fn begins_with_oid(content: &[u8]) -> bool {
    content.first() == Some(&tag::OID)
}

/// The gate for private keys.
fn check_key(der: &[u8]) -> Result<(), Refusal> {
    if der.len() > MAX_KEY {
        let what = format!("the private key has {} bytes; at most {MAX_KEY} are taken", der.len());
        return Err(Refusal::new(
            "input.too_large",
            what,
            "Use an EC key, or an RSA key of up to 8192 bits.",
        ));
    }
    der::check(der)
}

#[cfg(test)]
mod tests;
