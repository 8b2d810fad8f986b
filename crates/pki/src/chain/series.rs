//! Chains of many certificates, most of which share their issuers: the way up from an issuer is searched once.

use std::collections::HashMap;

use super::finding::findings;
use super::search::Outcome;
use super::{Chain, Pool, build};
use crate::{Certificate, UnixTime};

/// The issuer's name and key identifier, as a certificate gives them.
type Named = (Vec<u8>, Option<Vec<u8>>);

/// Builds chains as [`build`] does, and remembers the way up from each issuer. For a certificate whose issuer was seen
/// before, only its own signature is checked.
#[derive(Debug)]
pub struct Series {
    pool: Pool,
    now: UnixTime,
    /// From the issuer up to the root, both included; only ways that are whole and valid now, which no other beats.
    ways: HashMap<Named, Vec<Certificate>>,
}

impl Series {
    /// Issuers are looked up in `pool`.
    pub fn new(pool: Pool, now: UnixTime) -> Self {
        Self { pool, now, ways: HashMap::new() }
    }

    /// Adds an issuer; it may show better ways than those that are remembered.
    pub fn learn(&mut self, certificate: Certificate) {
        self.pool.add(certificate);
        self.ways.clear();
    }

    /// The chain of one certificate: that of [`build`].
    pub fn chain(&mut self, leaf: &Certificate) -> Chain {
        let named = (leaf.issuer().der().to_vec(), leaf.authority_key_id().map(<[u8]>::to_vec));
        if let Some(chain) = self.ways.get(&named).and_then(|way| self.along(leaf, way)) {
            return chain;
        }
        let chain = build(leaf, &self.pool, self.now);
        if let Some(way) = way_up(&chain, self.now) {
            self.ways.insert(named, way);
        }
        chain
    }

    /// The chain along a known way, if the certificate begins it and does not stand on it.
    fn along(&self, leaf: &Certificate, way: &[Certificate]) -> Option<Chain> {
        let is_on_it = way.iter().any(|member| member.subject() == leaf.subject());
        let (root, between) = way.split_last()?;
        if is_on_it || !leaf.is_signed_by(way.first()?) {
            return None;
        }
        let served = [std::slice::from_ref(leaf), between].concat();
        let mut chain = Chain { served, root: Some(root.clone()), findings: Vec::new() };
        chain.findings = findings(&chain, Outcome::default(), self.now);
        Some(chain)
    }
}

fn way_up(chain: &Chain, now: UnixTime) -> Option<Vec<Certificate>> {
    let root = chain.root.as_ref()?;
    let way: Vec<Certificate> = chain.served.iter().skip(1).chain([root]).cloned().collect();
    let leads_itself = chain.served.first() == Some(root);
    (!leads_itself && way.iter().all(|member| member.is_valid_at(now))).then_some(way)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issue::{self, Purpose, Template};
    use crate::name::{Attribute, AttributeType};
    use crate::testing::{self, TestSigner};
    use crate::{DistinguishedName, KeyAlgorithm, Signer};

    const NOW: UnixTime = UnixTime(1_795_305_600);
    const DAY: i64 = 86_400;

    fn name(text: &str) -> DistinguishedName {
        DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, text)]).unwrap()
    }

    fn key() -> TestSigner {
        testing::signer(KeyAlgorithm::Ed25519)
    }

    fn signed(
        subject: &str,
        of: &TestSigner,
        (issuer, by): (&str, &TestSigner),
        purpose: Purpose,
    ) -> Certificate {
        let days = if matches!(purpose, Purpose::TlsServer) { 30 } else { 20 };
        let template = Template {
            serial: vec![1],
            issuer: name(issuer),
            subject: name(subject),
            public_key: of.public_key().clone(),
            not_before: NOW.plus(-DAY),
            not_after: NOW.plus(days * DAY),
            names: Vec::new(),
            purpose,
            authority_key_id: None,
            ca_issuers_url: None,
        };
        let tbs = issue::to_be_signed(&template, by.algorithm().certificate_scheme()).unwrap();
        Certificate::parse(&issue::sign(&tbs, by).unwrap()).unwrap()
    }

    fn is_same(one: &Chain, other: &Chain) -> bool {
        (&one.served, &one.root, &one.findings) == (&other.served, &other.root, &other.findings)
    }

    #[test]
    fn every_chain_is_that_of_build_also_for_impostors_and_after_learning() {
        let (above, below, impostor) = (key(), key(), key());
        let root = signed("Root", &above, ("Root", &above), Purpose::Root);
        let issuing = signed("Issuing", &below, ("Root", &above), Purpose::Intermediate { path_len: 0 });
        let leaf = |host: &str, by: &TestSigner| signed(host, &key(), ("Issuing", by), Purpose::TlsServer);
        // The second is signed by somebody who only bears the issuer's name.
        let leaves = [leaf("a", &below), leaf("b", &impostor), leaf("c", &below), leaf("Issuing", &below)];
        let mut known = Pool::new([issuing.clone()]);
        let mut series = Series::new(known.clone(), NOW);
        for round in 0..3 {
            for one in leaves.iter().chain([&issuing, &root]) {
                let chain = series.chain(one);
                assert!(is_same(&chain, &build(one, &known, NOW)), "round {round}: {one:?} {chain:?}");
            }
            if round == 0 {
                assert!(series.ways.is_empty(), "a way that does not reach a root is not remembered");
                known.add(root.clone());
                series.learn(root.clone());
            }
        }
        assert!(!series.ways.is_empty());
        let codes: Vec<_> = series.chain(&leaves[2]).findings.iter().map(|finding| finding.code).collect();
        assert!(codes.contains(&"chain.expires_before_leaf"), "findings are those of this leaf: {codes:?}");
    }
}
