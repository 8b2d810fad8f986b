//! Chains of many certificates, most of which share their issuers: what was found out above one leaf is not found out
//! again for the next.

use std::borrow::Cow;

use super::finding::findings;
use super::obstacle::{not_sent, obstacle};
use super::{Chain, Pool};
use crate::path::search::{Budget, Memory};
use crate::path::{self, Anchors, Best, Known, Options, Purpose};
use crate::{Certificate, Crl, Finding, UnixTime};

/// Builds chains, one after the other. For a certificate whose issuers were met before, only its own signature is
/// checked.
pub struct Series<'a> {
    pool: Cow<'a, Pool>,
    anchors: Anchors<'a>,
    crls: &'a [Crl],
    options: Options<'a>,
    allowance: Allowance,
    memory: Memory,
}

/// What all chains of a series may cost together: about microseconds of one core. Each search has its own bounds, but who
/// sends ten thousand certificates asks for ten thousand searches. When it is used up, chains end at their leaves
/// (`chain.budget`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance(Option<u64>);

impl Allowance {
    /// For what was taken before, and cost no more than [`Self::OF_FILE`] when it came.
    pub const UNLIMITED: Self = Self(None);
    /// For what one file brings: 12,000 signatures with P-256, 3,000 with P-384, many more with RSA.
    pub const OF_FILE: Self = Self(Some(1_000_000));

    pub(crate) fn is_used_up(self) -> bool {
        self.0 == Some(0)
    }

    pub(crate) fn less(self, spent: u64) -> Self {
        Self(self.0.map(|left| left.saturating_sub(spent)))
    }
}

impl<'a> Series<'a> {
    /// Begins with what is known, and what is asked.
    pub fn new(known: Known<'a>, options: Options<'a>) -> Self {
        let Known { intermediates, anchors, crls } = known;
        let (pool, memory) = (Cow::Borrowed(intermediates), Memory::default());
        Self { pool, anchors, crls, options, allowance: Allowance::UNLIMITED, memory }
    }

    /// Begins with certificates that are learned one by one, to build what can be served now.
    pub fn learning(pool: Pool, now: UnixTime) -> Self {
        let options = Options::new(now, Purpose::Any);
        let (pool, memory) = (Cow::Owned(pool), Memory::default());
        let allowance = Allowance::UNLIMITED;
        Self { pool, anchors: Anchors::Roots, crls: &[], options, allowance, memory }
    }

    /// Bounds what all chains from now on cost together.
    #[must_use]
    pub fn within(self, allowance: Allowance) -> Self {
        Self { allowance, ..self }
    }

    /// What is left for further chains.
    pub fn left(&self) -> Allowance {
        self.allowance
    }

    /// Adds an issuer; it may show better ways.
    pub fn learn(&mut self, certificate: Certificate) {
        if self.pool.to_mut().add(certificate) {
            self.memory.forget_candidates();
        }
    }

    /// The best chain of one certificate: see [`super::build`].
    pub fn chain(&mut self, leaf: &Certificate) -> Chain {
        let known = Known { intermediates: &self.pool, anchors: self.anchors, crls: self.crls };
        let is_used_up = self.allowance.is_used_up();
        let mut budget = Budget::within(self.allowance, std::mem::take(&mut self.memory));
        let best = path::best(leaf, &known, &self.options, &mut budget);
        let ended = Ended { is_looped: best.is_looped, is_exhausted: best.is_exhausted, is_used_up };
        let mut chain = Chain::from(best);
        self.allowance = budget.left_of(self.allowance);
        let mut again = Budget::within(self.allowance, budget.memory);
        let obstacle = if ended.is_exhausted { None } else { obstacle(&chain, &self.pool, &mut again) };
        chain.findings = findings(&chain, ended, obstacle.as_ref(), self.options.at, &mut again);
        if let Some(obstacle) = obstacle {
            chain.verdict = Err(obstacle);
        }
        if let Some(found) = not_sent(&chain, &self.pool, &mut again) {
            let gap = |one: &&mut Finding| one.code == "chain.root_missing";
            chain.findings.iter_mut().filter(gap).for_each(|one| *one = found.clone());
        }
        self.allowance = again.left_of(self.allowance);
        self.memory = again.memory;
        self.memory.forget(leaf);
        chain
    }
}

/// How a search ended.
#[derive(Clone, Copy)]
pub(super) struct Ended {
    pub(super) is_looped: bool,
    pub(super) is_exhausted: bool,
    /// Those before it in the series had left nothing for it.
    pub(super) is_used_up: bool,
}

impl From<Best> for Chain {
    /// Puts the root apart; a leaf that is trusted itself is both.
    fn from(best: Best) -> Self {
        let mut served = best.way;
        let root = served.last().filter(|_| best.is_anchored).cloned();
        if root.is_some() && served.len() > 1 {
            served.pop();
        }
        Self { served, root, verdict: best.verdict, findings: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain;
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

    fn alone(leaf: &Certificate, known: &Pool) -> Chain {
        chain::build(leaf, &Known::among(known), &Options::new(NOW, path::Purpose::Any))
    }

    fn is_same(one: &Chain, other: &Chain) -> bool {
        let all = |chain: &Chain| {
            (chain.served.clone(), chain.root.clone(), chain.verdict.clone(), chain.findings.clone())
        };
        all(one) == all(other)
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
        let mut series = Series::learning(known.clone(), NOW);
        for round in 0..3 {
            for one in leaves.iter().chain([&issuing, &root]) {
                let chain = series.chain(one);
                assert!(is_same(&chain, &alone(one, &known)), "round {round}: {one:?} {chain:?}");
            }
            if round == 0 {
                known.add(root.clone());
                series.learn(root.clone());
            }
        }
        let codes: Vec<_> = series.chain(&leaves[2]).findings.iter().map(|finding| finding.code).collect();
        assert!(codes.contains(&"chain.expires_before_leaf"), "findings are those of this leaf: {codes:?}");
    }

    #[test]
    fn a_key_with_many_certificates_is_asked_once() {
        let (above, below) = (key(), key());
        let twins: Vec<_> = (0..30)
            .map(|number| {
                let issuer = format!("Above {number}");
                signed("Issuing", &below, (&issuer, &above), Purpose::Intermediate { path_len: 0 })
            })
            .collect();
        let mut series = Series::learning(Pool::new(twins), NOW);
        let ca = signed("Below", &key(), ("Issuing", &below), Purpose::Intermediate { path_len: 0 });
        assert_eq!(series.chain(&ca).served.len(), 2);
        assert_eq!(series.memory.signatures(), 1);
    }

    #[test]
    fn all_chains_of_a_file_share_one_allowance() {
        let (above, below) = (key(), key());
        let known = || {
            let impostors = (0..4).map(|_| signed("Lost", &key(), ("Root", &above), Purpose::Root));
            let root = signed("Root", &above, ("Root", &above), Purpose::Root);
            let issuing = signed("Issuing", &below, ("Root", &above), Purpose::Intermediate { path_len: 0 });
            Pool::new(impostors.chain([root, issuing]))
        };
        let honest = || signed("a", &key(), ("Issuing", &below), Purpose::TlsServer);
        // Whoever signed it is not here; four bear his name.
        let lost = || signed("b", &key(), ("Lost", &below), Purpose::TlsServer);
        let mut series = Series::learning(known(), NOW).within(Allowance(Some(3_000)));
        assert_eq!(series.chain(&honest()).verdict, Ok(()));
        let searched = (0..100).take_while(|_| series.chain(&lost()).gap().is_some()).count();
        assert!((10..16).contains(&searched), "four checks each, about 200 units: {searched}");
        assert!(series.left().is_used_up());
        let chain = series.chain(&honest());
        assert_eq!(chain.verdict.unwrap_err().code, "chain.budget");
        assert_eq!((chain.served.len(), chain.findings[0].code), (1, "chain.budget"));
        assert!(chain.findings[0].what.contains("as much as one file may"), "{:?}", chain.findings);
        // Who did not come in a file has no such bound.
        let mut series = Series::learning(known(), NOW);
        assert!((0..100).all(|_| series.chain(&lost()).gap().is_some()));
        assert_eq!(series.left(), Allowance::UNLIMITED);
    }

    #[test]
    fn what_is_remembered_does_not_grow_with_the_leaves() {
        let (above, below) = (key(), key());
        let root = signed("Root", &above, ("Root", &above), Purpose::Root);
        let issuing = signed("Issuing", &below, ("Root", &above), Purpose::Intermediate { path_len: 0 });
        let mut series = Series::learning(Pool::new([root, issuing]), NOW);
        for number in 0..20 {
            let leaf = signed(&format!("{number}"), &key(), ("Issuing", &below), Purpose::TlsServer);
            assert_eq!(series.chain(&leaf).verdict, Ok(()));
            // The root's own signature, and the intermediate's; not those of the leaves.
            assert_eq!(series.memory.signatures(), 2, "after {number}");
        }
    }
}
