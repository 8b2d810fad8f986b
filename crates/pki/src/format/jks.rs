//! Java's own key stores, JKS and JCEKS, as `keytool` wrote them before Java 9: private keys with their chains, and
//! trusted certificates, each under an alias.
//!
//! The layout is read in `jks/store.rs`, keys are opened in `jks/protection.rs`. A digest over everything, keyed with
//! the passphrase of the store, is checked before anything is believed.

mod java_object;
mod protection;
mod store;

use super::kdf::KdfBudget;
use super::pbe::{self, Passphrase};
use super::{Format, Item, Object, Reading};
use crate::{Certificate, Finding, PrivateKey, Refusal, Severity};
use store::{Entry, Kind, Store};
pub(super) use store::{JKS_MAGIC as MAGIC, digest};

pub(super) const JKS: Format = Format { name: "jks", sniff: is_jks, charge, read };

pub(super) const JCEKS: Format = Format { name: "jceks", sniff: is_jceks, charge, read };

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
    let Some(passphrase) = reading.passphrase.map(Passphrase::new) else {
        return Err(pbe::passphrase_needed("the key store is locked with a passphrase"));
    };
    charge_keys(&store, protection::extra_blocks(&passphrase), &mut reading.budget)?;
    if !store.is_authentic(&passphrase) {
        return Err(pbe::wrong_passphrase());
    }
    let before = reading.contents.items.len();
    for entry in &store.entries {
        read_entry(entry, &passphrase, reading).map_err(|refusal| entry.locate(refusal))?;
    }
    if reading.contents.items.len() == before {
        let what = "there is neither a certificate nor a private key in the key store";
        return Err(Refusal::new("input.empty", what, "Choose another file."));
    }
    if store.entries.iter().any(|entry| matches!(entry.kind, Kind::Key { .. })) {
        let what = "the key store encrypts its private keys in a way that no longer protects them well";
        reading.contents.findings.push(pbe::weak(what));
    }
    Ok(())
}

fn read_entry(
    entry: &Entry<'_>,
    passphrase: &Passphrase<'_>,
    reading: &mut Reading<'_>,
) -> Result<(), Refusal> {
    let mut add = |object, name: Option<&String>| {
        reading.contents.items.push(Item { object, friendly_name: name.cloned() });
    };
    match &entry.kind {
        Kind::Key { protected, chain } => {
            let plain = protection::open(protected, passphrase)?;
            super::check_key(&plain)?;
            add(Object::PrivateKey(PrivateKey::from_pkcs8_der(&plain)?), Some(&entry.alias));
            for (place, der) in chain.iter().enumerate() {
                // The alias belongs to the key and its own certificate, not to those who issued it.
                add(Object::Certificate(Certificate::parse(der)?), Some(&entry.alias).filter(|_| place == 0));
            }
        }
        Kind::Anchor(der) => add(Object::Certificate(Certificate::parse(der)?), Some(&entry.alias)),
        Kind::Sealed => reading.contents.findings.push(secret_key_left_out(entry)),
    }
    Ok(())
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
