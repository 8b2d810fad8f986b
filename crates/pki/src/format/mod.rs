//! Everything that comes in as a file: the content decides what it is, never its name.
//!
//! One file per format, and one row in `FORMATS`. Limits come before parsing; the cost of key derivation is read
//! and summed before anything is derived.

mod ber;
mod cipher;
mod dek_info;
pub(crate) mod der;
mod jks;
pub mod jks_write;
pub(crate) mod kdf;
mod openssl_trusted;
mod pbe;
mod pbes2;
mod pem;
pub mod pem_write;
mod pkcs1;
mod pkcs12;
pub mod pkcs12_write;
mod pkcs7;
pub mod pkcs7_write;
mod pkcs8;
pub mod pkcs8_write;
mod sec1;
mod tally;
pub mod traditional_write;
mod x509;

use crate::tlv::{Reader, tag};
use crate::{Certificate, Crl, Csr, Finding, PrivateKey, Refusal};
pub use kdf::KdfBudget;
use tally::Tally;
pub use tally::{MAX_CRLS, MAX_CSRS, MAX_KEYS};

/// The largest file that is looked at, in bytes.
pub const MAX_INPUT: usize = 10_000_000;
/// Certificates in one file, at most.
pub const MAX_CERTIFICATES: usize = 10_000;
/// Small parts ([`Certificate::parts`]) of all certificates in one file, at most: twenty-five in each of as many as are
/// taken.
pub const MAX_PARTS: usize = 25 * MAX_CERTIFICATES;
/// Octets of one private key in DER, at most.
const MAX_KEY: usize = 13_000;
/// Octets of a passphrase, at most: old formats hash it again and again.
const MAX_PASSPHRASE: usize = 1024;

/// What a file held.
pub struct Contents {
    /// Which format it was in: `pem`, `der-certificate`, `der-csr`, `der-crl`, `pkcs8`, `pkcs8-encrypted`, `pkcs1`, `sec1`,
    /// `pkcs7`, `pkcs12`, `jks`, `jceks`.
    pub format: &'static str,
    /// What was in it, in its order.
    pub items: Vec<Item>,
    /// What was odd about the file itself.
    pub findings: Vec<Finding>,
}

/// One thing out of a file, with the name that the file gives it.
pub struct Item {
    /// What it is.
    pub object: Object,
    /// What the file calls it, as it stands there (PKCS#12 `friendlyName`, the alias of a Java key store): any
    /// characters, never to be trusted.
    pub friendly_name: Option<String>,
}

/// What can come out of a file.
pub enum Object {
    /// A certificate.
    Certificate(Certificate),
    /// A private key.
    PrivateKey(PrivateKey),
    /// A certificate request.
    Csr(Csr),
    /// A certificate revocation list.
    Crl(Crl),
}

impl From<Object> for Item {
    /// A thing that its file gives no name.
    fn from(object: Object) -> Self {
        Self { object, friendly_name: None }
    }
}

impl Item {
    /// The certificate, if it is one.
    pub fn into_certificate(self) -> Option<Certificate> {
        match self.object {
            Object::Certificate(certificate) => Some(certificate),
            Object::PrivateKey(_) | Object::Csr(_) | Object::Crl(_) => None,
        }
    }

    /// The private key, if it is one.
    pub fn into_private_key(self) -> Option<PrivateKey> {
        match self.object {
            Object::PrivateKey(key) => Some(key),
            Object::Certificate(_) | Object::Csr(_) | Object::Crl(_) => None,
        }
    }
}

/// A file while it is read.
struct Reading<'a> {
    passphrase: Option<&'a str>,
    /// What is left for deriving keys; every derivation is charged before it begins.
    budget: KdfBudget,
    tally: Tally,
    contents: Contents,
}

impl Reading<'_> {
    /// Adds what has no name of its own. Refuses `limit.*`: there is too much of it.
    fn add(&mut self, object: Object) -> Result<(), Refusal> {
        self.tally.count(&object)?;
        self.contents.items.push(object.into());
        Ok(())
    }
}

/// One format: how it is recognised and how it is read.
struct Format {
    name: &'static str,
    /// Whether the bytes look like it; cheap, and never wrong about another format of the list.
    sniff: fn(&[u8]) -> bool,
    /// Charges what deriving keys for it would cost, as far as that can be seen from outside, and refuses parameters
    /// that make no sense.
    charge: fn(&[u8], &mut KdfBudget) -> Result<(), Refusal>,
    /// Reads it; called after `charge` only.
    read: ReadFormat,
}

/// Takes the bytes, and adds what it finds to the contents.
type ReadFormat = fn(&[u8], &mut Reading<'_>) -> Result<(), Refusal>;

/// Every format, in the order in which they are tried; those in DER can be told by their first bytes.
const FORMATS: &[&Format] = &[
    &x509::CERTIFICATE,
    &x509::CSR,
    &x509::CRL,
    &pkcs8::PLAIN,
    &pkcs8::ENCRYPTED,
    &pkcs1::FORMAT,
    &sec1::FORMAT,
    &pkcs7::FORMAT,
    &pkcs12::FORMAT,
    &jks::JKS,
    &jks::JCEKS,
    &pem::FORMAT,
];

/// Reads a file of any format that we know. CPU: at most about 2 s, when it is encrypted.
///
/// # Errors
/// `input.empty`, `input.too_large`, `input.unrecognised`; `pem.*`, `der.*`; `limit.*`; `key.*`; `pass.needed`
/// when it is encrypted and there is no passphrase, `pass.wrong` when that is wrong or the file is damaged; and
/// every refusal of [`Certificate::parse`] and [`Csr::parse`]. One bad object refuses the whole file.
pub fn read(bytes: &[u8], passphrase: Option<&str>) -> Result<Contents, Refusal> {
    read_within(bytes, passphrase, &mut KdfBudget::new())
}

/// As [`read`], where several files, or several tries with one, share what may be spent on deriving keys. No file may
/// take more of it than it may alone.
///
/// # Errors
/// As [`read`]; `limit.kdf_cost` also when what is left of the budget is too little.
pub fn read_within(
    bytes: &[u8],
    passphrase: Option<&str>,
    budget: &mut KdfBudget,
) -> Result<Contents, Refusal> {
    let (contents, done) = read_partly(bytes, passphrase, budget);
    done.map(|()| contents)
}

/// As [`read_within`]; of a file that is refused with what was read before the fault, to be shown and nothing else.
pub(crate) fn read_partly(
    bytes: &[u8],
    passphrase: Option<&str>,
    budget: &mut KdfBudget,
) -> (Contents, Result<(), Refusal>) {
    let found = check_size(bytes, passphrase).and_then(|()| {
        FORMATS.iter().find(|format| (format.sniff)(bytes)).ok_or_else(|| unrecognised(bytes))
    });
    let mut contents = Contents { format: "", items: Vec::new(), findings: Vec::new() };
    let format = match found {
        Ok(format) => format,
        Err(refusal) => return (contents, Err(refusal)),
    };
    contents.format = format.name;
    let mut reading = Reading { passphrase, budget: budget.draw(), tally: Tally::default(), contents };
    let done = (format.charge)(bytes, &mut reading.budget).and_then(|()| (format.read)(bytes, &mut reading));
    budget.settle(&reading.budget);
    (reading.contents, done)
}

/// Refuses what is too little or too much to be looked at.
fn check_size(bytes: &[u8], passphrase: Option<&str>) -> Result<(), Refusal> {
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
    if passphrase.is_some_and(|passphrase| passphrase.len() > MAX_PASSPHRASE) {
        let what = format!("the passphrase is longer than {MAX_PASSPHRASE} bytes");
        return Err(Refusal::new("input.too_large", what, "Look whether a file was pasted in its place."));
    }
    Ok(())
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
    if pem::is_bare_base64(bytes) {
        let what = "this is base64 without the lines that say what it is";
        let repair = "Put -----BEGIN CERTIFICATE----- above it and -----END CERTIFICATE----- below it.";
        return Refusal::new("pem.none", what, repair);
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
    check_key_size(der)?;
    der::check(der)
}

/// The gate for private keys whose encryption leaves nothing else to be seen.
fn check_key_size(der: &[u8]) -> Result<(), Refusal> {
    if der.len() > MAX_KEY {
        let what = format!("the private key has {} bytes; at most {MAX_KEY} are taken", der.len());
        return Err(Refusal::new(
            "input.too_large",
            what,
            "Use an EC key, or an RSA key of up to 8192 bits.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod openssl;
#[cfg(test)]
mod tests;
