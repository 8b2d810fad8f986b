//! Java's own key stores, JKS and JCEKS, as `keytool` wrote them before Java 9: private keys with their chains, and
//! trusted certificates, each under an alias.
//!
//! The layout is read in `jks/store.rs`, keys are opened in `jks/protection.rs`. A digest over everything, keyed with
//! the passphrase of the store, is checked before anything is believed.

mod java_object;
mod protection;
mod store;

use super::faults::Faults;
use super::kdf::KdfBudget;
use super::passphrases::{Forms, Lock};
use super::pbe;
use super::{Format, Item, Object, Reading};
use crate::name::{inert, shortened};
use crate::{Certificate, Finding, PrivateKey, Refusal, Severity};
use store::{Entry, Kind, Store};
pub(super) use store::{JKS_MAGIC as MAGIC, digest};

pub(super) const JKS: Format = Format { name: "jks", sniff: is_jks, charge, read };

pub(super) const JCEKS: Format = Format { name: "jceks", sniff: is_jceks, charge, read };

/// Characters of an alias that are shown where its key stays closed.
const ALIAS_SHOWN: usize = 64;

fn is_jks(bytes: &[u8]) -> bool {
    bytes.starts_with(&store::JKS_MAGIC)
}

fn is_jceks(bytes: &[u8]) -> bool {
    bytes.starts_with(&store::JCEKS_MAGIC)
}

fn charge(bytes: &[u8], budget: &mut KdfBudget) -> Result<(), Refusal> {
    // A passphrase of up to 39 octets; what a longer one adds is charged when it is known.
    charge_keys(&Store::parse(bytes)?, 1, budget)
}

fn charge_keys(store: &Store<'_>, times: u64, budget: &mut KdfBudget) -> Result<(), Refusal> {
    for entry in &store.entries {
        if let Kind::Key { protected, .. } = &entry.kind {
            let cost = protection::cost(protected).map_err(|refusal| entry.locate(refusal))?;
            budget.charge(cost.times(times))?;
        }
    }
    Ok(())
}

fn read(bytes: &[u8], reading: &mut Reading<'_>) -> Result<(), Refusal> {
    let store = Store::parse(bytes)?;
    let opened = reading.open(&Lock::free(), |passphrase| {
        if store.is_authentic(passphrase) {
            Ok(protection::blocks(passphrase))
        } else {
            Err(pbe::wrong_passphrase())
        }
    })?;
    let blocks = opened.ok_or_else(|| reading.closed("the key store is locked with a passphrase"))?;
    charge_keys(&store, blocks - 1, &mut reading.budget)?;
    let before = reading.contents.items.len();
    let mut faults = Faults::default();
    for entry in &store.entries {
        read_entry(entry, blocks, reading, &mut faults)?;
    }
    if reading.contents.items.len() == before && faults.is_empty() {
        let what = "there is neither a certificate nor a private key in the key store";
        return Err(Refusal::new("input.empty", what, "Choose another file."));
    }
    if store.entries.iter().any(|entry| matches!(entry.kind, Kind::Key { .. })) {
        let what = "the key store encrypts its private keys in a way that no longer protects them well";
        reading.contents.findings.push(pbe::weak(what));
    }
    faults.settle(&mut reading.contents)
}

/// `charged` is the weight of one try for each key.
fn read_entry(
    entry: &Entry<'_>,
    charged: u64,
    reading: &mut Reading<'_>,
    faults: &mut Faults,
) -> Result<(), Refusal> {
    let mut add = |read: Result<Object, Refusal>, name: Option<&String>, reading: &mut Reading<'_>| match read
    {
        Ok(object) => {
            reading.contents.items.push(Item { object, friendly_name: name.cloned() });
            Ok(())
        }
        Err(refusal) => faults.note(entry.locate(refusal)),
    };
    let certificate = |der: &[u8]| Certificate::parse(der).map(Object::Certificate);
    match &entry.kind {
        Kind::Key { protected, chain } => {
            let key = read_key(entry, protected, charged, reading);
            add(key.map(Object::PrivateKey), Some(&entry.alias), reading)?;
            for (place, der) in chain.iter().enumerate() {
                // The alias belongs to the key and its own certificate, not to those who issued it.
                add(certificate(der), Some(&entry.alias).filter(|_| place == 0), reading)?;
            }
        }
        Kind::Anchor(der) => add(certificate(der), Some(&entry.alias), reading)?,
        Kind::Sealed => reading.contents.findings.push(secret_key_left_out(entry)),
    }
    Ok(())
}

fn read_key(
    entry: &Entry<'_>,
    protected: &[u8],
    charged: u64,
    reading: &mut Reading<'_>,
) -> Result<PrivateKey, Refusal> {
    let cost = protection::cost(protected)?;
    let lock = Lock { forms: Forms::Usual, cost, weight: protection::blocks, charged };
    let opened = reading.open(&lock, |passphrase| protection::open(protected, passphrase))?;
    let plain = opened.ok_or_else(|| another_passphrase(entry))?;
    super::check_key(&plain)?;
    PrivateKey::from_pkcs8_der(&plain)
}

/// The store is authentic, so that its key has a passphrase of its own.
fn another_passphrase(entry: &Entry<'_>) -> Refusal {
    let name = inert(&entry.alias);
    let name = shortened(&name, ALIAS_SHOWN);
    pbe::another_passphrase(format!("what was given opens the key store, but not its key “{name}”"))
}

fn secret_key_left_out(entry: &Entry<'_>) -> Finding {
    Finding {
        code: "jks.secret_key",
        severity: Severity::Warning,
        what: "a secret key, which belongs to no certificate, was left out".to_owned(),
        place: entry.place(),
        repair: "Nothing, if you came for certificates and their private keys.".to_owned(),
    }
}

#[cfg(test)]
mod tests;
