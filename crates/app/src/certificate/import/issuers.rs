//! The chain of each brought certificate, built from what came along and what is known here.

use std::collections::{HashMap, HashSet, VecDeque};

use pki::chain::{Chain, Pool, Series};
use pki::{Certificate, UnixTime};
use store::Tx;

use super::read::BroughtCertificate;
use crate::Error;

/// Most issuers that are looked up for one certificate; a cross-signed thicket is cut off here.
const MOST: usize = 64;

/// The CAs among which issuers are looked up. The store is asked once for each name, however many certificates bear
/// that of their issuer.
pub(super) struct Issuers<'a> {
    tx: &'a Tx<'a>,
    /// The issuers' names of the CAs that came along, by the subject.
    along: HashMap<&'a [u8], Vec<&'a [u8]>>,
    asked: HashSet<Vec<u8>>,
    series: Series,
}

impl<'a> Issuers<'a> {
    /// Begins with what came along.
    pub(super) fn new(tx: &'a Tx<'a>, brought: &'a [BroughtCertificate], now: UnixTime) -> Self {
        let mut along: HashMap<&[u8], Vec<&[u8]>> = HashMap::new();
        let mut pool = Pool::default();
        for certificate in brought.iter().map(|one| &one.certificate) {
            if certificate.is_ca() || certificate.is_self_signed() {
                along.entry(certificate.subject().der()).or_default().push(certificate.issuer().der());
                pool.add(certificate.clone());
            }
        }
        Self { tx, along, asked: HashSet::new(), series: Series::new(pool, now) }
    }

    /// The chain of one certificate, as it would be served once all of them are stored.
    pub(super) fn chain(&mut self, certificate: &Certificate) -> Result<Chain, Error> {
        self.learn(certificate.issuer().der())?;
        Ok(self.series.chain(certificate))
    }

    /// Looks issuers up by name, level by level.
    fn learn(&mut self, name: &[u8]) -> Result<(), Error> {
        if self.asked.contains(name) {
            return Ok(());
        }
        let mut names = VecDeque::from([name.to_vec()]);
        let mut found = 0;
        while let Some(name) = names.pop_front() {
            if found >= MOST || !self.asked.insert(name.clone()) {
                continue;
            }
            let along = self.along.get(name.as_slice()).into_iter().flatten();
            names.extend(along.map(|issuer| issuer.to_vec()));
            for entry in store::certificate::by_subject(self.tx, &name)? {
                found += 1;
                names.push_back(entry.certificate.issuer().der().to_vec());
                self.series.learn(entry.certificate);
            }
        }
        Ok(())
    }
}
