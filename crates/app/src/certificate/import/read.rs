//! What is in the files: certificates, keys, requests and revocation lists, each once, with the names that the files
//! give them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use domain::Moment;
use domain::key::parse_label;
use pki::chain::{arrange, refuse_crowd};
use pki::format::{
    Item, KdfBudget, MAX_CRLS, MAX_CSRS, MAX_KEYS, MAX_PARTS, MAX_PASSPHRASES, Object, read_within,
};
use pki::name::inert;
use pki::{Certificate, Crl, Csr, Finding, Fingerprint, KeyId, PrivateKey, Refusal};
use zeroize::Zeroizing;

use super::{ImportFile, MOST};
use crate::{App, Error};

/// What all files and passphrases of one import may take for deriving keys: as much as so many files at their limit.
const FILES_PAID: u32 = 5;

/// What the files hold. Private keys are wiped when it is dropped.
pub struct Brought {
    /// The certificates, each once: leaves first, then intermediates, then roots.
    pub certificates: Vec<BroughtCertificate>,
    /// The private keys, each once.
    pub keys: Vec<BroughtKey>,
    /// Requests; they are shown and not stored.
    pub csrs: Vec<Csr>,
    /// Revocation lists; they are shown and not stored.
    pub crls: Vec<Crl>,
    /// What was noticed about the files themselves, and what was put right.
    pub findings: Vec<Finding>,
}

/// A certificate out of a file.
#[derive(Clone)]
pub struct BroughtCertificate {
    /// The certificate.
    pub certificate: Certificate,
    /// What the file calls it, without characters that cannot be seen.
    pub name: Option<String>,
}

/// A private key out of a file.
pub struct BroughtKey {
    /// The key.
    pub private: PrivateKey,
    /// What the file calls it, without characters that cannot be seen.
    pub name: Option<String>,
}

impl Brought {
    /// The private key with this id.
    pub fn key(&self, id: &KeyId) -> Option<&BroughtKey> {
        self.keys.iter().find(|key| key.private.id() == *id)
    }

    /// What an event of it is about: the first certificate, else the first key.
    pub(super) fn object(&self) -> String {
        let first = self.certificates.first().map(|one| one.certificate.fingerprint().to_string());
        first.or_else(|| self.keys.first().map(|key| key.private.id().to_string())).unwrap_or_default()
    }

    /// How much memory it takes, about, in bytes.
    pub(super) fn size(&self) -> usize {
        // A parsed certificate takes about three times its DER, and each of its small parts some hundred octets.
        let taken = |certificate: &Certificate| certificate.der().len() * 4 + certificate.parts() * 100;
        let certificates: usize = self.certificates.iter().map(|one| taken(&one.certificate)).sum();
        let requests: usize = self.csrs.iter().map(|csr| csr.der().len() * 4).sum();
        let lists: usize = self.crls.iter().map(|crl| crl.der().len() * 4).sum();
        certificates + requests + lists + self.keys.len() * 16_000
    }
}

/// Reads every file, on a thread where deriving keys is allowed.
pub(super) async fn all(
    app: &App,
    files: Vec<ImportFile>,
    passphrases: Vec<Zeroizing<String>>,
) -> Result<Brought, Error> {
    let now = app.now();
    Ok(app.deriving(move || read_all(&files, &passphrases, now)).await??)
}

fn read_all(
    files: &[ImportFile],
    passphrases: &[Zeroizing<String>],
    now: Moment,
) -> Result<Brought, Refusal> {
    let given: Vec<&str> =
        passphrases.iter().map(|text| text.as_str()).filter(|text| !text.is_empty()).collect();
    if given.len() > MAX_PASSPHRASES {
        let what = format!("{} passphrases are more than {MAX_PASSPHRASES}", given.len());
        return Err(Refusal::new("limit.kdf_cost", what, "Import the files in several parts."));
    }
    let mut reading = Reading { budget: KdfBudget::times(FILES_PAID), ..Reading::default() };
    let filled = || files.iter().enumerate().filter(|(_, file)| !file.bytes.is_empty());
    for (index, file) in filled() {
        let read = reading.file(&file.bytes, &given);
        read.map_err(|refusal| if files.len() > 1 { located(refusal, file, index) } else { refusal })?;
    }
    if filled().next().is_none() {
        let what = "there is nothing in it";
        return Err(Refusal::new("input.empty", what, "Choose a file, or paste its text."));
    }
    reading.sorted(now)
}

/// Says in which of several files it was.
fn located(refusal: Refusal, file: &ImportFile, index: usize) -> Refusal {
    let name = match file.name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
        Some(name) => inert(&name.chars().take(100).collect::<String>()).into_owned(),
        None => format!("file {}", index + 1),
    };
    let place = if refusal.place.is_empty() { name } else { format!("{name}, {}", refusal.place) };
    refusal.at(place)
}

/// The files while they are read, in their order.
#[derive(Default)]
struct Reading {
    /// What may still be spent on deriving keys, for all files and passphrases together.
    budget: KdfBudget,
    certificates: Vec<BroughtCertificate>,
    keys: Vec<BroughtKey>,
    /// How many keys were read, the same one again counted.
    keys_read: usize,
    csrs: Vec<Csr>,
    crls: Vec<Crl>,
    findings: Vec<Finding>,
}

impl Reading {
    fn file(&mut self, bytes: &[u8], passphrases: &[&str]) -> Result<(), Refusal> {
        let contents = read_within(bytes, passphrases, &mut self.budget)?;
        self.findings.extend(contents.findings);
        contents.items.into_iter().for_each(|item| self.add(item));
        self.refuse_too_much()
    }

    /// Each file kept to its limits; several together may not.
    fn refuse_too_much(&self) -> Result<(), Refusal> {
        let parts: usize = self.certificates.iter().map(|one| one.certificate.parts()).sum();
        let counts = [
            (parts, MAX_PARTS, "limit.cert_count", "names and other parts of certificates"),
            (self.keys_read, MAX_KEYS, "limit.key_count", "private keys"),
            (self.csrs.len(), MAX_CSRS, "limit.csr_count", "certificate requests"),
            (self.crls.len(), MAX_CRLS, "limit.crl_count", "revocation lists"),
        ];
        match counts.into_iter().find(|(count, most, ..)| count > most) {
            Some((_, most, code, what)) => {
                let what = format!("the files hold more than {most} {what} together");
                Err(Refusal::new(code, what, "Import the files in several parts."))
            }
            None => Ok(()),
        }
    }

    fn add(&mut self, item: Item) {
        let name = item.friendly_name.as_deref().and_then(kept_name);
        match item.object {
            Object::Certificate(certificate) => {
                self.certificates.push(BroughtCertificate { certificate, name });
            }
            Object::PrivateKey(private) => {
                self.keys_read += 1;
                match self.keys.iter_mut().find(|key| key.private.id() == private.id()) {
                    Some(known) => known.name = known.name.take().or(name),
                    None => self.keys.push(BroughtKey { private, name }),
                }
            }
            Object::Csr(csr) => self.csrs.push(csr),
            Object::Crl(crl) => self.crls.push(crl),
        }
    }

    fn sorted(mut self, now: Moment) -> Result<Brought, Refusal> {
        if self.certificates.len() > MOST {
            let what = format!("{} certificates are more than {MOST}", self.certificates.len());
            return Err(Refusal::new("limit.cert_count", what, "Import them in several parts."));
        }
        self.findings.extend(repaired(&self.certificates, now)?);
        let mut certificates = each_once(self.certificates);
        refuse_crowd(certificates.iter().map(|one| &one.certificate))?;
        certificates.sort_by_key(|one| (one.certificate.is_ca(), one.certificate.is_self_signed()));
        Ok(Brought {
            certificates,
            keys: self.keys,
            csrs: self.csrs,
            crls: self.crls,
            findings: self.findings,
        })
    }
}

/// The first of each; a name that only a later copy has is kept.
fn each_once(all: Vec<BroughtCertificate>) -> Vec<BroughtCertificate> {
    let mut places: BTreeMap<Fingerprint, usize> = BTreeMap::new();
    let mut kept: Vec<BroughtCertificate> = Vec::with_capacity(all.len());
    for one in all {
        match places.get(&one.certificate.fingerprint()) {
            Some(place) => kept[*place].name = kept[*place].name.take().or(one.name),
            None => {
                places.insert(one.certificate.fingerprint(), kept.len());
                kept.push(one);
            }
        }
    }
    kept
}

/// A name out of a file as a friendly name: what cannot be seen is taken out, what is too long is cut.
fn kept_name(raw: &str) -> Option<String> {
    let is_seen = |c: &char| matches!(inert(c.encode_utf8(&mut [0; 4])), Cow::Borrowed(_));
    let seen: String = raw.chars().filter(is_seen).collect();
    parse_label(&seen.trim().chars().take(100).collect::<String>()).ok()
}

/// What was put right about the files of one certificate and its chain. What is wrong with the chain itself is said
/// with the certificate, where those that were known before count too.
///
/// # Errors
/// `chain.budget`: what makes the search of the file's own chain endless is nothing to keep.
fn repaired(brought: &[BroughtCertificate], now: Moment) -> Result<Vec<Finding>, Refusal> {
    let certificates = || brought.iter().map(|one| &one.certificate);
    let leaves: BTreeSet<Fingerprint> =
        certificates().filter(|one| !one.is_ca()).map(Certificate::fingerprint).collect();
    // Several are a collection: it has no order.
    if leaves.len() != 1 || brought.len() < 2 {
        return Ok(Vec::new());
    }
    let chain = arrange(certificates().cloned().collect(), now.unix()).chain;
    let is_complete = chain.is_complete();
    if let Err(refusal) = chain.verdict
        && !is_complete
        && refusal.code == "chain.budget"
    {
        return Err(refusal);
    }
    let mut findings = chain.findings;
    findings.retain(|finding| matches!(finding.code, "chain.reordered" | "chain.deduplicated"));
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_out_of_a_file_is_kept_without_what_cannot_be_seen() {
        assert_eq!(kept_name(" pay \u{202e}gro.elpmaxe\r\n").as_deref(), Some("pay gro.elpmaxe"));
        assert_eq!(kept_name("<b>=1+1</b>").as_deref(), Some("<b>=1+1</b>"));
        assert_eq!(kept_name("\u{0}\u{7}\n"), None);
        assert_eq!(kept_name(&"é".repeat(500)).map(|name| name.chars().count()), Some(100));
    }

    #[test]
    fn a_refusal_says_in_which_file_it_was() {
        let file = |name: Option<&str>| ImportFile {
            name: name.map(str::to_owned),
            bytes: Zeroizing::new(b"garbage".to_vec()),
        };
        let refused = |files: &[ImportFile]| read_all(files, &[], Moment(0)).err().unwrap();
        assert_eq!(refused(&[file(Some("a.pem"))]).place, "");
        assert_eq!(refused(&[file(None), file(None)]).place, "file 1");
        assert_eq!(
            refused(&[ImportFile::from(Vec::new()), file(Some("b\u{202e}.pem"))]).place,
            "b\\u{202e}.pem"
        );
        assert_eq!(refused(&[ImportFile::from(Vec::new())]).code, "input.empty");
    }
}
