//! The one way to a chain of what is known here: for import, what is served, export, installation and every page.
//!
//! Issuers are looked up in the store by name, level by level, and [`pki::chain`] finds the best way among them.

use std::collections::{HashMap, HashSet, VecDeque};

use pki::chain::{Allowance, Chain, Pool, Series};
use pki::{Certificate, DistinguishedName, UnixTime};
use store::Tx;

use crate::Error;

/// Most certificates that are looked up for one chain; a cross-signed thicket is cut off here.
const MOST: usize = 64;
/// Most certificates of CAs whose names are compared where none has the very octets of an issuer's name.
const MOST_COMPARED: u32 = 1_000;

/// Builds the chain of one leaf.
pub fn of(tx: &Tx<'_>, leaf: &Certificate, now: UnixTime) -> Result<Chain, Error> {
    Chains::new(tx, now).of(leaf)
}

/// The same, where these certificates are known too, although they are not stored.
pub(crate) fn with(
    tx: &Tx<'_>,
    leaf: &Certificate,
    along: &[Certificate],
    now: UnixTime,
) -> Result<Chain, Error> {
    Chains::with(tx, along, now).of(leaf)
}

/// Chains of many certificates: the store is asked once for each name, however many bear that of their issuer, and what
/// was checked above one leaf is not checked again for the next.
pub(crate) struct Chains<'a> {
    tx: &'a Tx<'a>,
    /// The issuers' names of the CAs that are known beside those in the store, by their subject.
    along: HashMap<Vec<u8>, Vec<DistinguishedName>>,
    asked: HashSet<Vec<u8>>,
    /// The CAs in the store by their subject, once names had to be compared.
    compared: Option<HashMap<Vec<u8>, Vec<Certificate>>>,
    series: Series<'static>,
}

impl<'a> Chains<'a> {
    /// Begins with what is stored.
    pub(crate) fn new(tx: &'a Tx<'a>, now: UnixTime) -> Self {
        Self::with(tx, [], now)
    }

    /// Begins with what is stored, and these.
    pub(crate) fn with<'c>(
        tx: &'a Tx<'a>,
        along: impl IntoIterator<Item = &'c Certificate>,
        now: UnixTime,
    ) -> Self {
        let mut pool = Pool::default();
        let mut names: HashMap<Vec<u8>, Vec<DistinguishedName>> = HashMap::new();
        for certificate in along {
            if pool.add(certificate.clone()) {
                names
                    .entry(certificate.subject().canonical())
                    .or_default()
                    .push(certificate.issuer().clone());
            }
        }
        let series = Series::learning(pool, now);
        Self { tx, along: names, asked: HashSet::new(), compared: None, series }
    }

    /// Bounds what all chains from now on cost together.
    pub(crate) fn within(self, allowance: Allowance) -> Self {
        Self { series: self.series.within(allowance), ..self }
    }

    /// What is left for further chains.
    pub(crate) fn left(&self) -> Allowance {
        self.series.left()
    }

    /// Where all of it is read.
    pub(crate) fn tx(&self) -> &'a Tx<'a> {
        self.tx
    }

    /// The chain of one certificate.
    pub(crate) fn of(&mut self, leaf: &Certificate) -> Result<Chain, Error> {
        self.learn(leaf.issuer())?;
        Ok(self.series.chain(leaf))
    }

    /// Looks issuers up by name, level by level.
    fn learn(&mut self, issuer: &DistinguishedName) -> Result<(), Error> {
        if self.asked.contains(issuer.der()) {
            return Ok(());
        }
        let mut names = VecDeque::from([issuer.clone()]);
        let mut found = 0;
        while let Some(name) = names.pop_front() {
            if found >= MOST || !self.asked.insert(name.der().to_vec()) {
                continue;
            }
            names.extend(self.along.get(&name.canonical()).into_iter().flatten().cloned());
            let stored = self.stored(&name)?;
            if stored.is_empty() {
                // Who bears the name and is no CA leads nowhere, but it is said that it is he.
                let others = store::certificate::others_named(self.tx, name.der())?;
                others.into_iter().for_each(|other| self.series.learn(other));
            }
            for certificate in stored {
                found += 1;
                names.push_back(certificate.issuer().clone());
                self.series.learn(certificate);
            }
        }
        Ok(())
    }

    /// The CAs with this name. One that is spelled otherwise is the same (RFC 5280, 7.1), but is found by comparing only.
    fn stored(&mut self, name: &DistinguishedName) -> Result<Vec<Certificate>, Error> {
        let found = store::certificate::issuers_named(self.tx, name.der())?;
        if !found.is_empty() {
            return Ok(found);
        }
        let mut compared = match self.compared.take() {
            Some(compared) => compared,
            None => by_subject(store::certificate::authorities(self.tx, MOST_COMPARED)?),
        };
        let same = compared.remove(&name.canonical()).unwrap_or_default();
        self.compared = Some(compared);
        Ok(same)
    }
}

fn by_subject(certificates: Vec<Certificate>) -> HashMap<Vec<u8>, Vec<Certificate>> {
    let mut sorted: HashMap<Vec<u8>, Vec<Certificate>> = HashMap::new();
    for certificate in certificates {
        sorted.entry(certificate.subject().canonical()).or_default().push(certificate);
    }
    sorted
}
