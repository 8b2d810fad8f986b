//! Everything that comes in as a file: the content decides what it is, never its name.
//!
//! One file per format, and one row in `FORMATS`. Limits come before parsing; the cost of key derivation is read
//! and summed before anything is derived.

mod ber;
mod cipher;
mod dek_info;
pub(crate) mod der;
mod faults;
mod jks;
pub mod jks_write;
pub(crate) mod kdf;
mod openssl_trusted;
mod passphrases;
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

use crate::certificate::Outline;
use crate::tlv::{Reader, tag};
use crate::{Certificate, Crl, Csr, Finding, PrivateKey, Refusal};
pub use kdf::KdfBudget;
pub use passphrases::MAX_PASSPHRASES;
use passphrases::Passphrases;
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
/// Refused certificates of which something is shown, at most.
const MAX_OUTLINES: usize = 200;
/// Octets of a passphrase, at most: old formats hash it again and again.
const MAX_PASSPHRASE: usize = 1024;

/// What a file held.
#[derive(Default)]
pub struct Contents {
    /// Which format it was in: `pem`, `der-certificate`, `der-csr`, `der-crl`, `pkcs8`, `pkcs8-encrypted`, `pkcs1`, `sec1`,
    /// `pkcs7`, `pkcs12`, `jks`, `jceks`.
    pub format: &'static str,
    /// What was in it, in its order.
    pub items: Vec<Item>,
    /// What was odd about the file itself.
    pub findings: Vec<Finding>,
    /// Of a file that is refused: what else is wrong with it.
    pub(crate) more_refusals: Vec<Refusal>,
    /// Of a file that is refused: only parts of it are wrong, and all others were read.
    is_looked_through: bool,
    /// Of a file that is refused: certificates that are the reason, each with the number of items before it.
    pub(crate) outlines: Vec<(usize, Outline)>,
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
    passphrases: Passphrases<'a>,
    /// What is left for deriving keys; every derivation is charged before it begins.
    budget: KdfBudget,
    /// What is left for trying further passphrases.
    further: KdfBudget,
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

    /// Keeps what can be shown of a certificate that is refused.
    fn outline(&mut self, der: &[u8]) {
        if self.contents.outlines.len() < MAX_OUTLINES {
            let outline = Outline::read(der).map(|outline| (self.contents.items.len(), outline));
            self.contents.outlines.extend(outline);
        }
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
    read_within(bytes, passphrase.as_slice(), &mut KdfBudget::new())
}

/// As [`read`], with up to [`MAX_PASSPHRASES`]: each encrypted thing in the file is tried with the one that opened the
/// last thing, then with the others. Several files share what may be spent on deriving keys; no file may take more of
/// it than it may alone, and as much again for each passphrase.
///
/// # Errors
/// As [`read`]; `limit.kdf_cost` also when what is left of the budget is too little, and for too many passphrases.
pub fn read_within(bytes: &[u8], passphrases: &[&str], budget: &mut KdfBudget) -> Result<Contents, Refusal> {
    let (contents, done) = read_partly(bytes, passphrases, budget);
    done.map(|()| contents)
}

/// As [`read_within`], for somebody who wants one thing out of the file by its name: also why other things in it cannot
/// be used. Who uses the contents must have found in them what was wanted, and say what was left out.
///
/// # Errors
/// As [`read_within`], unless only parts of the file are wrong and something else is in it.
pub fn read_usable(
    bytes: &[u8],
    passphrases: &[&str],
    budget: &mut KdfBudget,
) -> Result<(Contents, Vec<Refusal>), Refusal> {
    let (mut contents, done) = read_partly(bytes, passphrases, budget);
    match done {
        Ok(()) => Ok((contents, Vec::new())),
        Err(first) if contents.is_looked_through && !contents.items.is_empty() => {
            let more = std::mem::take(&mut contents.more_refusals);
            Ok((contents, std::iter::once(first).chain(more).collect()))
        }
        Err(refusal) => Err(refusal),
    }
}

/// As [`read_within`]; of a file that is refused with what was read before the fault, to be shown and nothing else.
pub(crate) fn read_partly(
    bytes: &[u8],
    passphrases: &[&str],
    budget: &mut KdfBudget,
) -> (Contents, Result<(), Refusal>) {
    let bare = if bytes.len() > MAX_INPUT { None } else { pem::of_bare_base64(bytes) };
    let bytes = bare.as_ref().map_or(bytes, |der| der.as_slice());
    let found = check_size(bytes).and_then(|()| Passphrases::new(passphrases)).and_then(|passphrases| {
        let format = FORMATS.iter().find(|format| (format.sniff)(bytes));
        Ok((passphrases, format.ok_or_else(|| unrecognised(bytes))?))
    });
    let mut contents = Contents::default();
    let (given, format) = match found {
        Ok(found) => found,
        Err(refusal) => return (contents, Err(refusal)),
    };
    contents.format = format.name;
    let mut reading = Reading {
        passphrases: given,
        budget: budget.draw(1),
        further: budget.draw(passphrases.len()),
        tally: Tally::default(),
        contents,
    };
    let done = (format.charge)(bytes, &mut reading.budget).and_then(|()| (format.read)(bytes, &mut reading));
    budget.settle(&reading.budget);
    budget.settle(&reading.further);
    reading.contents.findings.extend(reading.contents.items.iter().filter_map(of_key));
    (reading.contents, done)
}

/// What is to be said of a private key itself.
fn of_key(item: &Item) -> Option<Finding> {
    match &item.object {
        Object::PrivateKey(key) => key.finding(),
        Object::Certificate(_) | Object::Csr(_) | Object::Crl(_) => None,
    }
}

/// Refuses what is too little or too much to be looked at.
fn check_size(bytes: &[u8]) -> Result<(), Refusal> {
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
    Ok(())
}

/// Whether it is refused for how much there is in the file, not for one thing in it.
pub(crate) fn is_of_whole_file(refusal: &Refusal) -> bool {
    let codes =
        ["limit.cert_count", "limit.key_count", "limit.csr_count", "limit.crl_count", "limit.kdf_cost"];
    codes.contains(&refusal.code)
}

/// Says as closely as possible why nothing fits.
fn unrecognised(bytes: &[u8]) -> Refusal {
    if bytes[0] == tag::SEQUENCE
        && let Err(refusal) = der::check(bytes)
    {
        return refusal;
    }
    if let Some(archive) = archive(bytes) {
        let what = format!("this is {archive}; archives are not opened here");
        return Refusal::new("input.unrecognised", what, "Unpack it, and send the files that are in it.");
    }
    if bytes.windows(5).any(|five| five == b"-----") {
        let what = "there are dashes, but no line like -----BEGIN CERTIFICATE-----";
        return Refusal::new("pem.none", what, "Copy the whole text, with its BEGIN and END lines.");
    }
    if pem::is_bare_base64(bytes) {
        let what = "this is base64 without its BEGIN and END lines, and damaged or cut off";
        let repair = "Copy it again from its first letter to its last, with all \"=\" at the end.";
        return Refusal::new("pem.none", what, repair);
    }
    Refusal::new(
        "input.unrecognised",
        "this is none of the formats that are read here",
        "Send certificates, certificate requests, revocation lists or private keys as PEM, DER, PKCS#7, PKCS#12 or a Java \
         key store.",
    )
}

/// What kind of archive begins here: CAs and other servers send certificates in them.
fn archive(bytes: &[u8]) -> Option<&'static str> {
    const KINDS: [(usize, &[u8], &str); 8] = [
        (0, b"PK\x03\x04", "a zip archive"),
        (0, b"PK\x05\x06", "an empty zip archive"),
        (0, &[0x1f, 0x8b], "a gzip archive"),
        (257, b"ustar", "a tar archive"),
        (0, &[0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], "a 7z archive"),
        (0, b"Rar!\x1a\x07", "a RAR archive"),
        (0, b"BZh", "a bzip2 archive"),
        (0, &[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], "an xz archive"),
    ];
    let begins =
        |(at, magic, _): &&(usize, &[u8], &str)| bytes.get(*at..).is_some_and(|rest| rest.starts_with(magic));
    KINDS.iter().find(begins).map(|(_, _, name)| *name)
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
