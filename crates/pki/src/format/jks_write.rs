//! Writes trust stores for Java programs of before Java 9: JKS, version 2, with trusted certificates and no keys.

use std::collections::{HashMap, HashSet};

use super::jks;
use super::pbe::Passphrase;
use crate::{Certificate, UnixTime};

const VERSION: u32 = 2;
const TRUSTED_CERTIFICATE: u32 = 2;
/// Characters of an alias, at most.
const MAX_ALIAS: usize = 64;

/// Writes a JKS trust store (`keytool` lists each as `trustedCertEntry`). The names become aliases as [`aliases`]
/// makes them; `created` is shown with every entry. The passphrase guards against accidents only: it is hashed once.
pub fn trust_store(anchors: &[(String, Certificate)], passphrase: &str, created: UnixTime) -> Vec<u8> {
    let names: Vec<&str> = anchors.iter().map(|(name, _)| name.as_str()).collect();
    let mut out = jks::MAGIC.to_vec();
    push_number(&mut out, VERSION);
    // Fewer than 2^32 certificates fit the memory.
    push_number(&mut out, anchors.len() as u32);
    let milliseconds = created.0.saturating_mul(1000);
    for (alias, (_, certificate)) in aliases(&names).iter().zip(anchors) {
        push_number(&mut out, TRUSTED_CERTIFICATE);
        push_text(&mut out, alias);
        out.extend_from_slice(&milliseconds.to_be_bytes());
        push_text(&mut out, "X.509");
        // A certificate is at most some ten thousand octets long.
        push_number(&mut out, certificate.der().len() as u32);
        out.extend_from_slice(certificate.der());
    }
    let digest = jks::digest(&Passphrase::new(passphrase), &out);
    out.extend_from_slice(&digest);
    out
}

/// Aliases that every version of Java takes for different: lower case, ASCII letters, digits, dots and hyphens, each
/// one once.
pub fn aliases(names: &[&str]) -> Vec<String> {
    let mut taken = HashSet::new();
    // Where to go on counting, so that many equal names stay cheap.
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut unique = |name: &&str| {
        let plain = plain(name);
        let count = counts.entry(plain.clone()).or_insert(0);
        loop {
            *count += 1;
            let alias = if *count == 1 { plain.clone() } else { format!("{plain}-{count}") };
            if taken.insert(alias.clone()) {
                return alias;
            }
        }
    };
    names.iter().map(&mut unique).collect()
}

/// Runs of other characters become one hyphen.
fn plain(name: &str) -> String {
    let mut out = String::new();
    for character in name.chars() {
        match character.to_ascii_lowercase() {
            kept @ ('a'..='z' | '0'..='9' | '.') => out.push(kept),
            _ if out.ends_with('-') || out.is_empty() => {}
            _ => out.push('-'),
        }
        if out.len() == MAX_ALIAS {
            break;
        }
    }
    let out = out.trim_end_matches('-');
    if out.is_empty() { "anchor".to_owned() } else { out.to_owned() }
}

fn push_number(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_be_bytes());
}

/// Only ASCII, and short: its length fits 16 bits, and it reads the same in Java's own UTF-8.
fn push_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}
