//! The chain of a certificate, built from what is known here.

use std::collections::{BTreeSet, VecDeque};

use pki::chain::{Chain, Pool};
use pki::{Certificate, UnixTime};
use store::Tx;

use crate::Error;

/// Most certificates that are looked at for one chain; a cross-signed thicket is cut off here.
const MOST: usize = 64;

/// Builds the chain of a leaf by looking up issuers by name, level by level.
pub fn of(tx: &Tx<'_>, leaf: &Certificate, now: UnixTime) -> Result<Chain, Error> {
    Ok(pki::chain::build(leaf, &Pool::new(known_issuers(tx, leaf)?), now))
}

fn known_issuers(tx: &Tx<'_>, leaf: &Certificate) -> Result<Vec<Certificate>, Error> {
    let mut known = Vec::new();
    let mut asked = BTreeSet::new();
    let mut names = VecDeque::from([leaf.issuer().der().to_vec()]);
    while let Some(name) = names.pop_front() {
        if known.len() >= MOST || !asked.insert(name.clone()) {
            continue;
        }
        for entry in store::certificate::by_subject(tx, &name)? {
            names.push_back(entry.certificate.issuer().der().to_vec());
            known.push(entry.certificate);
        }
    }
    known.truncate(MOST);
    Ok(known)
}
