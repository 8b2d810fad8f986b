//! Certificates and private keys in PKCS#12 (RFC 7292; RFC 9579 for PBMAC1): `.p12`, `.pfx`. DER or BER.
//!
//! First the MAC over everything, with what was typed: a file is not looked into before it is known to be whole and
//! the passphrase right. One budget pays for all derivations; what can be seen from outside is charged before the
//! first of them, what lies in an encrypted part when it comes to light.
//!
//! Start reading at [`read`]. `mac.rs` holds the MAC, `bag.rs` the parts and what lies in them.

mod bag;
mod mac;

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::faults::Faults;
use super::kdf::KdfBudget;
use super::passphrases::{Forms, Lock};
use super::pbe;
use super::pkcs7::{self, ContentInfo, begins_with_content_type, inside};
use super::{Format, Item, Object, Reading, ber, check_key, pkcs8};
use crate::tlv::{self, Reader, Tlv, tag};
use crate::{Certificate, Crl, Finding, PrivateKey, Refusal, Severity};
use bag::{Bag, Contents, Safe};
use mac::Mac;

pub(super) const FORMAT: Format = Format { name: "pkcs12", sniff: is_pkcs12, charge, read };

/// Octets of one file: what may be in it has room, and everything that is decrypted stays small.
const MAX_FILE: usize = 3 * 1024 * 1024;
/// Certificates in one file beside private keys, at most.
const MAX_CERTIFICATES: usize = 50;
/// Certificates in a trust store, which has no keys, at most: Java's own has some 150.
const MAX_TRUSTED: usize = 1000;
/// Private keys in one file, at most.
const MAX_KEYS: usize = 50;

/// Version 3, the only one.
const VERSION: [u8; 3] = [tag::INTEGER, 1, 3];

/// `SEQUENCE { 3, SEQUENCE { contentType, ... } ... }`
fn is_pkcs12(bytes: &[u8]) -> bool {
    ber::inside(bytes, tag::SEQUENCE)
        .and_then(|fields| fields.strip_prefix(&VERSION))
        .and_then(|fields| ber::inside(fields, tag::SEQUENCE))
        .is_some_and(begins_with_content_type)
}

fn charge(bytes: &[u8], budget: &mut KdfBudget) -> Result<(), Refusal> {
    let file = File::open(bytes)?;
    budget.charge(file.mac.cost())?;
    for safe in bag::safes(&file.safes)? {
        match safe {
            Safe::Sealed { algorithm, .. } => budget.charge(pbe::cost(Reader::new(algorithm.value))?)?,
            Safe::Open(octets) => {
                let contents = ber::normalise(octets)?;
                bag::visit(&contents, &mut |bag| match bag.contents {
                    Contents::SealedKey { algorithm, .. } => {
                        budget.charge(pbe::cost(Reader::new(algorithm.value))?)
                    }
                    Contents::Key(_) | Contents::Certificate(_) | Contents::Crl(_) | Contents::Other(_) => {
                        Ok(())
                    }
                })?;
            }
            Safe::Foreign => {}
        }
    }
    Ok(())
}

fn read(bytes: &[u8], reading: &mut Reading<'_>) -> Result<(), Refusal> {
    let file = File::open(bytes)?;
    unlock(&file, reading)?;
    let first = reading.contents.items.len();
    let mut opening = Opening {
        reading,
        certificates: 0,
        keys: 0,
        is_weak: file.mac.is_weak(),
        has_open_key: false,
        left_out: BTreeMap::new(),
        faults: Faults::default(),
    };
    for (place, safe) in bag::safes(&file.safes)?.iter().enumerate() {
        opening.safe(safe, place + 1)?;
    }
    let faults = opening.tell();
    let items = &mut reading.contents.items[first..];
    if items.is_empty() && faults.is_empty() {
        return Err(no_content("there is neither a certificate nor a private key in the PKCS#12 file"));
    }
    share_names(items);
    faults.settle(&mut reading.contents)
}

/// PFX (RFC 7292, section 4).
struct File {
    mac: Mac,
    /// What the MAC is over: the content octets, with nothing done to them but that their pieces were joined.
    authenticated: Zeroizing<Vec<u8>>,
    /// The same as DER: AuthenticatedSafe.
    safes: Zeroizing<Vec<u8>>,
}

impl File {
    fn open(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_FILE {
            let what = format!("the PKCS#12 file has {} bytes; at most {MAX_FILE} are taken", bytes.len());
            return Err(Refusal::new("input.too_large", what, "Split it into several files."));
        }
        let der = ber::normalise(bytes)?;
        let mut fields = Reader::new(tlv::only(&der, tag::SEQUENCE)?.value);
        fields.expect(tag::INTEGER)?;
        let authenticated = authenticated_octets(fields.expect(tag::SEQUENCE)?)?;
        let mac = fields.optional(tag::SEQUENCE)?.ok_or_else(no_mac)?;
        fields.end()?;
        let safes = ber::normalise(authenticated)?;
        Ok(Self { mac: Mac::read(mac.value)?, authenticated: Zeroizing::new(authenticated.to_vec()), safes })
    }
}

fn authenticated_octets(auth_safe: Tlv<'_>) -> Result<&[u8], Refusal> {
    let info = ContentInfo::read(auth_safe.value)?;
    match (info.kind, info.content) {
        (Some(pkcs7::DATA), Some(Tlv { tag: tag::OCTET_STRING, value, .. })) if !value.is_empty() => {
            Ok(value)
        }
        (Some(pkcs7::SIGNED_DATA), Some(_)) => {
            let what = "the PKCS#12 file is protected by a signature instead of a passphrase";
            Err(Refusal::new("p12.content", what, "Export it again, protected by a passphrase."))
        }
        (_, Some(_) | None) => Err(no_content("the PKCS#12 file has no content")),
    }
}

/// Finds the passphrase that the MAC was made with. Nothing typed may mean that there is none.
fn unlock(file: &File, reading: &mut Reading<'_>) -> Result<(), Refusal> {
    let lock = Lock::charged(Forms::EveryAndEmpty, file.mac.cost());
    let opened = reading.open(&lock, |passphrase| {
        if file.mac.holds(passphrase, &file.authenticated) { Ok(()) } else { Err(pbe::wrong_passphrase()) }
    })?;
    opened.ok_or_else(|| reading.closed("the PKCS#12 file is protected by a passphrase"))
}

/// A file whose MAC holds, while its parts are taken out.
struct Opening<'r, 'p> {
    reading: &'r mut Reading<'p>,
    certificates: usize,
    keys: usize,
    /// Something is protected in a way that no longer protects.
    is_weak: bool,
    /// A private key lies open in the file.
    has_open_key: bool,
    /// What was not taken, and how often.
    left_out: BTreeMap<&'static str, usize>,
    faults: Faults,
}

/// How a bag stood in the file.
#[derive(Clone, Copy)]
enum Origin {
    /// For everybody to see; what it costs was charged at the start.
    Open,
    /// In an encrypted part.
    Sealed,
}

impl Opening<'_, '_> {
    fn safe(&mut self, safe: &Safe<'_>, number: usize) -> Result<(), Refusal> {
        match safe {
            Safe::Open(octets) => {
                let contents = ber::normalise(octets)?;
                bag::visit(&contents, &mut |bag| self.take(bag, Origin::Open))
            }
            Safe::Sealed { algorithm, data } => {
                // The MAC holds, so it is whole: what makes no sense was encrypted with another passphrase.
                let contents = self.decrypt(*algorithm, data, |plain| ber::normalise(&plain).ok())?;
                let Some(contents) = contents else {
                    return self.faults.note(self.closed(&format!("part {number}")));
                };
                bag::visit(&contents, &mut |bag| self.take(bag, Origin::Sealed))
            }
            Safe::Foreign => {
                self.leave_out("part that only the holder of a certificate can open");
                Ok(())
            }
        }
    }

    /// What is wrong with a bag concerns it alone: the MAC holds, the file is as it was made.
    fn take(&mut self, bag: Bag<'_>, origin: Origin) -> Result<(), Refusal> {
        match self.open_bag(bag, origin) {
            Ok(()) => Ok(()),
            Err(refusal) => self.faults.note(refusal),
        }
    }

    fn open_bag(&mut self, bag: Bag<'_>, origin: Origin) -> Result<(), Refusal> {
        let object = match bag.contents {
            Contents::Certificate(der) => self.certificate(der)?,
            Contents::Crl(der) => {
                Object::Crl(Crl::parse(der).map_err(|refusal| inside(refusal, "revocation list"))?)
            }
            Contents::Key(der) => {
                if let Origin::Open = origin {
                    self.has_open_key = true;
                }
                self.key(der)?
            }
            Contents::SealedKey { algorithm, data } => {
                if let Origin::Sealed = origin {
                    self.reading.budget.charge(pbe::cost(Reader::new(algorithm.value))?)?;
                }
                self.sealed_key(algorithm, data)?
            }
            Contents::Other(what) => {
                self.leave_out(what);
                return Ok(());
            }
        };
        self.reading.contents.items.push(Item { object, friendly_name: bag.friendly_name });
        Ok(())
    }

    fn certificate(&mut self, der: &[u8]) -> Result<Object, Refusal> {
        self.certificates += 1;
        self.check_certificates()?;
        let certificate = Certificate::parse(der)
            .map_err(|refusal| inside(refusal, &format!("certificate {}", self.certificates)))?;
        Ok(Object::Certificate(certificate))
    }

    fn check_certificates(&self) -> Result<(), Refusal> {
        let (most, what) = match self.keys {
            0 => (MAX_TRUSTED, "more than"),
            _ => (MAX_CERTIFICATES, "private keys and more than"),
        };
        if self.certificates <= most {
            return Ok(());
        }
        let what = format!("the PKCS#12 file holds {what} {most} certificates");
        Err(Refusal::new("limit.cert_count", what, "Send the certificates as PEM or PKCS#7."))
    }

    fn sealed_key(&mut self, algorithm: Tlv<'_>, data: &[u8]) -> Result<Object, Refusal> {
        self.count_key()?;
        let plain = self.decrypt(algorithm, data, |plain| pkcs8::is_plain(&plain).then_some(plain))?;
        let plain = plain.ok_or_else(|| self.closed(&format!("private key {}", self.keys)))?;
        self.parse_key(&plain)
    }

    fn key(&mut self, der: &[u8]) -> Result<Object, Refusal> {
        self.count_key()?;
        self.parse_key(der)
    }

    /// Counted before anything is derived for it.
    fn count_key(&mut self) -> Result<(), Refusal> {
        self.keys += 1;
        if self.keys > MAX_KEYS {
            let what = format!("the PKCS#12 file holds more than {MAX_KEYS} private keys");
            return Err(Refusal::new("limit.key_count", what, "Split it into several files."));
        }
        self.check_certificates()
    }

    fn parse_key(&self, der: &[u8]) -> Result<Object, Refusal> {
        check_key(der)
            .and_then(|()| PrivateKey::from_pkcs8_der(der))
            .map(Object::PrivateKey)
            .map_err(|refusal| inside(refusal, &format!("private key {}", self.keys)))
    }

    /// What one try costs must have been charged. `None`: with no passphrase comes out what makes sense.
    fn decrypt(
        &mut self,
        algorithm: Tlv<'_>,
        data: &[u8],
        sense: impl Fn(Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
        let fields = Reader::new(algorithm.value);
        self.is_weak |= pbe::is_weak(fields);
        let lock = Lock::charged(pbe::forms(fields), pbe::cost(fields)?);
        self.reading.open(&lock, |passphrase| {
            let plain = pbe::decrypt(algorithm.whole, passphrase, data)?;
            sense(plain).ok_or_else(pbe::wrong_passphrase)
        })
    }

    /// Why a part that has another passphrase than the file stays closed.
    fn closed(&self, part: &str) -> Refusal {
        let refusal = if self.reading.has_no_passphrase() {
            pbe::passphrase_needed("the PKCS#12 file has an empty passphrase, but not everything in it")
        } else {
            pbe::another_passphrase("what was given opens the PKCS#12 file, but not everything in it")
        };
        refusal.at(part.to_owned())
    }

    fn leave_out(&mut self, what: &'static str) {
        *self.left_out.entry(what).or_default() += 1;
    }

    /// What is to be said about the file as a whole.
    fn tell(self) -> Faults {
        let findings = &mut self.reading.contents.findings;
        if self.is_weak {
            findings.push(legacy());
        }
        if self.has_open_key {
            findings.push(unencrypted());
        }
        findings.extend(self.left_out.into_iter().map(|(what, count)| left_out(what, count)));
        self.faults
    }
}

/// Key and certificate of one pair have one name: what only one of them was given, the other gets as well.
fn share_names(items: &mut [Item]) {
    let named: Vec<_> =
        items.iter().filter_map(|item| Some((bag::key_id(item)?, item.friendly_name.clone()?))).collect();
    for item in items.iter_mut().filter(|item| item.friendly_name.is_none()) {
        let key = bag::key_id(item);
        let partner = named.iter().find(|(id, _)| Some(*id) == key);
        item.friendly_name = partner.map(|(_, name)| name.clone());
    }
}

fn no_content(what: &str) -> Refusal {
    Refusal::new("p12.content", what, "Export the certificate and its key again.")
}

fn no_mac() -> Refusal {
    let what = "the PKCS#12 file has no MAC: anybody could have changed it";
    Refusal::new("p12.no_mac", what, "Export it again with a passphrase and its MAC.")
}

fn legacy() -> Finding {
    Finding {
        code: "p12.legacy",
        severity: Severity::Warning,
        what: "the PKCS#12 file is protected in an old way (RC2, DES, 3DES or a MAC with SHA-1)".to_owned(),
        place: String::new(),
        repair: "Delete the file once it is imported; if it must be kept, export it anew.".to_owned(),
    }
}

fn unencrypted() -> Finding {
    Finding {
        code: "p12.unencrypted",
        severity: Severity::Warning,
        what: "the private key lies open in the PKCS#12 file: whoever had the file has the key".to_owned(),
        place: String::new(),
        repair: "Make a new key if anybody else may have seen the file.".to_owned(),
    }
}

fn left_out(what: &str, count: usize) -> Finding {
    Finding {
        code: "p12.left_out",
        severity: Severity::Warning,
        what: format!("what is not read here was left out: {what} ({count})"),
        place: String::new(),
        repair: "Nothing, if you do not need it.".to_owned(),
    }
}

#[cfg(test)]
mod tests;
