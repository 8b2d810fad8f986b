//! Certificates and revocation lists by a script: the input chooses who issues what, with which extensions, and what is
//! asked of the path. All signatures hold, or the search would end at the first one.

#[path = "../../crates/pki/tests/maker/mod.rs"]
#[expect(dead_code, reason = "shared with the tests of pki, which need all of it")]
mod maker;

use pki::chain::{self, Chain, MAX_LENGTH, Pool};
use pki::path::{Anchors, Known, Options, Policies, Purpose, Revocation};
use pki::{Certificate, Crl, SubjectAltName};

use maker::{CRITICAL, ED25519, Fields, dns_names, extension, key, name, seq, spki, tlv};

use crate::{NOW, assert_inert, check_arranged, check_crl};

const MAX_CERTIFICATES: usize = 8;
const MAX_LISTS: usize = 2;
const MAX_EXTENSIONS: usize = 4;
/// Subjects, and keys: few, so that they meet.
const ACTORS: u8 = 6;
const TIMES: [(&str, &str); 4] = [
    ("20261101000000Z", "20261231000000Z"),
    ("20200101000000Z", "20400101000000Z"),
    ("20200101000000Z", "20210101000000Z"),
    ("20300101000000Z", "20310101000000Z"),
];

/// Makes what the script says, and asks for chains and paths in all of it.
pub fn play(bytes: &[u8]) {
    let mut script = Script(bytes);
    let question = Question::read(&mut script);
    let count = 1 + script.below(MAX_CERTIFICATES as u8) as usize;
    let made: Vec<Vec<u8>> = (0..count).map(|_| script.certificate()).collect();
    let lists: Vec<Vec<u8>> = (0..script.below(MAX_LISTS as u8 + 1)).map(|_| script.list()).collect();
    // Extensions come from the input as they are: what is refused for them is out.
    let certificates: Vec<Certificate> = made.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
    let crls: Vec<Crl> = lists.iter().filter_map(|der| Crl::parse(der).ok()).collect();
    crls.iter().for_each(check_crl);
    let Some(leaf) = certificates.first() else { return };
    check_arranged(&certificates, &chain::arrange(certificates.clone(), NOW));
    let (anchors, rest): (Vec<_>, Vec<_>) =
        certificates.iter().skip(1).cloned().partition(|one| question.is_trusted(one));
    let (anchors, intermediates) = (Pool::new(anchors), Pool::new(rest));
    let known = Known { intermediates: &intermediates, anchors: Anchors::Only(&anchors), crls: &crls };
    question.ask(leaf, &known, &certificates);
}

/// What is asked of the path.
struct Question {
    purpose: Purpose,
    policies: Policies,
    revocation: Revocation,
    peers: Vec<SubjectAltName>,
    max_intermediates: Option<usize>,
    trusted: u8,
}

impl Question {
    fn read(script: &mut Script<'_>) -> Self {
        let flags = script.octet();
        let purpose = [Purpose::Server, Purpose::Client, Purpose::Any, Purpose::Any][usize::from(flags & 3)];
        let revocation = [Revocation::Ignored, Revocation::Known, Revocation::Required, Revocation::Known]
            [usize::from(flags >> 2 & 3)];
        let policies = Policies {
            wanted: if flags & 0x10 == 0 { Vec::new() } else { vec!["1.2.3".to_owned(), "1.2.4".to_owned()] },
            require_explicit: flags & 0x20 != 0,
            inhibit_mapping: flags & 0x40 != 0,
            inhibit_any: flags & 0x80 != 0,
        };
        let more = script.octet();
        let peers =
            if more & 1 == 0 { Vec::new() } else { vec![SubjectAltName::Dns("a.example".to_owned())] };
        let max_intermediates = (more & 2 != 0).then_some(usize::from(more >> 2 & 3));
        Self { purpose, policies, revocation, peers, max_intermediates, trusted: script.octet() }
    }

    /// Who is trusted is chosen by a bit for each subject.
    fn is_trusted(&self, certificate: &Certificate) -> bool {
        (0..ACTORS).any(|actor| {
            self.trusted >> actor & 1 == 1 && certificate.subject().der() == name(&subject(actor))
        })
    }

    fn options(&self) -> Options<'_> {
        Options {
            peers: &self.peers,
            policies: self.policies.clone(),
            revocation: self.revocation,
            max_intermediates: self.max_intermediates,
            ..Options::new(NOW, self.purpose)
        }
    }

    fn ask(&self, leaf: &Certificate, known: &Known<'_>, certificates: &[Certificate]) {
        let chain = chain::build(leaf, known, &self.options());
        chain.findings.iter().for_each(assert_inert);
        match &chain.verdict {
            Ok(()) => {
                self.check(leaf, &chain, certificates);
                let lax = Options { revocation: Revocation::Ignored, peers: &[], ..self.options() };
                assert_eq!(chain::build(leaf, known, &lax).verdict, Ok(()), "who asks for less gets less");
            }
            Err(refusal) => assert_inert(&refusal.clone().into()),
        }
        // What is chosen to be served, whoever is trusted: the chain of the same leaf, and a root that signed itself.
        let served = chain::build(leaf, &Known { anchors: Anchors::Roots, ..*known }, &self.options());
        assert_eq!(served.served.first(), Some(leaf));
        assert!(served.root.iter().all(Certificate::is_self_signed), "a root that is none");
        assert!(served.verdict.is_err() || served.is_complete(), "no root, and yet it holds");
    }

    fn check(&self, leaf: &Certificate, chain: &Chain, certificates: &[Certificate]) {
        let found = &chain.served;
        let Some(anchor) = &chain.root else { panic!("a path that holds, and ends nowhere") };
        assert_eq!(found.first(), Some(leaf));
        assert!(found.len() <= MAX_LENGTH);
        if leaf != anchor {
            assert!(self.is_trusted(anchor), "an anchor that nobody trusts");
            let issuers = found.iter().skip(1).chain([anchor]);
            for (certificate, issuer) in found.iter().zip(issuers) {
                assert!(certificate.is_signed_by(issuer) && issuer.is_ca(), "a path with a gap");
                assert!(certificates.contains(issuer));
            }
        }
        assert!(found.iter().all(|one| one.is_valid_at(NOW)), "a path that does not hold now");
        for peer in &self.peers {
            assert!(leaf.covers_host(&peer.to_string()), "a leaf that does not have the name");
        }
    }
}

fn subject(actor: u8) -> String {
    format!("{}", char::from(b'A' + actor))
}

/// The input, octet by octet; zeros after its end.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn octet(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn below(&mut self, limit: u8) -> u8 {
        self.octet() % limit
    }

    /// Up to so many octets, as they are.
    fn raw(&mut self, limit: u8) -> Vec<u8> {
        let length = usize::from(self.below(limit)).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken.to_vec()
    }

    fn certificate(&mut self) -> Vec<u8> {
        let (who, issuer) = (self.octet(), self.octet());
        let flags = self.octet();
        let (not_before, not_after) = TIMES[usize::from(flags & 3)];
        let key_of_issuer = if flags & 4 == 0 { issuer % ACTORS } else { self.below(ACTORS) };
        let mut extensions: Vec<Vec<u8>> =
            (0..self.below(MAX_EXTENSIONS as u8 + 1)).map(|_| self.extension()).collect();
        if flags & 8 == 0 {
            let path_length = if flags & 16 == 0 { Vec::new() } else { vec![2, 1, self.below(4)] };
            extensions.push(extension(19, CRITICAL, &seq(&[CRITICAL, &path_length])));
        }
        if flags & 32 == 0 {
            extensions.push(dns_names(&["a.example"]));
        }
        Fields {
            serial: vec![1 + self.below(4)],
            issuer: name(&subject(issuer % ACTORS)),
            subject: name(&subject(who % ACTORS)),
            spki: spki(100 + who % ACTORS + ACTORS * (flags >> 7)),
            not_before: not_before.to_owned(),
            not_after: not_after.to_owned(),
            extensions,
            signer: 100 + key_of_issuer,
            ..Fields::server()
        }
        .der()
    }

    /// One that is well made, or anything at all under an identifier that means something.
    fn extension(&mut self) -> Vec<u8> {
        let kind = self.octet();
        let critical = if kind & 0x80 == 0 { &[][..] } else { CRITICAL };
        match kind & 0x0f {
            0 => extension(15, critical, &[3, 2, 0, self.octet()]),
            1 => extension(30, critical, &self.name_constraints()),
            2 => extension(32, critical, &self.policies()),
            3 => extension(33, critical, &seq(&[&seq(&[&self.policy(), &self.policy()])])),
            4 => extension(
                36,
                critical,
                &seq(&[&tlv(0x80, &[&[self.below(4)]]), &tlv(0x81, &[&[self.below(4)]])]),
            ),
            5 => extension(54, critical, &[2, 1, self.below(4)]),
            6 => extension(14, critical, &tlv(4, &[&[self.below(ACTORS)]])),
            7 => extension(35, critical, &seq(&[&tlv(0x80, &[&[self.below(ACTORS)]])])),
            8 => extension(37, critical, &seq(&[&[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, self.below(10)]])),
            9 => extension(17, critical, &seq(&[&self.general_name(), &self.general_name()])),
            10 => extension(31, critical, &self.raw(60)),
            11 => extension(30, critical, &self.raw(60)),
            12 => extension(17, critical, &self.raw(60)),
            13 => extension(32, critical, &self.raw(60)),
            _ => extension(self.octet(), critical, &self.raw(60)),
        }
    }

    fn name_constraints(&mut self) -> Vec<u8> {
        let mut subtrees = |tag: u8| {
            let names: Vec<u8> = (0..self.below(3)).flat_map(|_| seq(&[&self.general_name()])).collect();
            if names.is_empty() { Vec::new() } else { tlv(tag, &[&names]) }
        };
        let (permitted, excluded) = (subtrees(0xa0), subtrees(0xa1));
        seq(&[&permitted, &excluded])
    }

    fn general_name(&mut self) -> Vec<u8> {
        const TEXTS: [&str; 8] =
            ["a.example", ".example", "example", "", "b.a.example", "x@a.example", "*.example", "."];
        let kind = self.octet();
        let text = TEXTS[usize::from(kind >> 5)];
        match kind & 7 {
            0 => tlv(0x82, &[text.as_bytes()]),
            1 => tlv(0x81, &[text.as_bytes()]),
            2 => tlv(0x86, &[b"http://", text.as_bytes()]),
            3 => tlv(0x87, &[&[192, 0, 2, self.octet()], &[255, 255, 255, 0]]),
            4 => tlv(0x87, &[&[192, 0, 2, self.octet()]]),
            5 => tlv(0xa4, &[&name(&subject(self.below(ACTORS)))]),
            6 => tlv(0x82, &[&self.raw(20)]),
            _ => tlv(0x80 | self.octet() & 0x3f, &[&self.raw(20)]),
        }
    }

    fn policies(&mut self) -> Vec<u8> {
        let policies: Vec<u8> = (0..=self.below(3)).flat_map(|_| seq(&[&self.policy()])).collect();
        seq(&[&policies])
    }

    fn policy(&mut self) -> Vec<u8> {
        match self.below(5) {
            4 => vec![6, 4, 0x55, 0x1d, 0x20, 0],
            arc => vec![6, 2, 0x2a, 3 + arc],
        }
    }

    fn list(&mut self) -> Vec<u8> {
        let (issuer, flags) = (self.below(ACTORS), self.octet());
        let (from, to) = TIMES[usize::from(flags & 3)];
        let time = |text: &str| tlv(0x18, &[text.as_bytes()]);
        let mut entries = Vec::new();
        for _ in 0..self.below(3) {
            let entry_extensions = if self.octet() & 1 == 0 {
                Vec::new()
            } else {
                seq(&[&extension(21, &[], &[10, 1, self.below(12)]), &self.extension()])
            };
            entries.extend(seq(&[&[2, 1, 1 + self.below(4)], &time(from), &entry_extensions]));
        }
        let entries = if entries.is_empty() { Vec::new() } else { seq(&[&entries]) };
        let mut extensions = extension(20, &[], &[2, 1, self.below(4)]);
        for _ in 0..self.below(3) {
            extensions.extend(match self.below(4) {
                0 => extension(28, CRITICAL, &self.raw(60)),
                1 => extension(27, CRITICAL, &[2, 1, self.below(4)]),
                2 => extension(28, CRITICAL, &seq(&[&tlv(0x81 + self.below(5), &[&[0xff]])])),
                _ => self.extension(),
            });
        }
        let signed = seq(&[
            &[2, 1, 1],
            ED25519,
            &name(&subject(issuer)),
            &time(from),
            &time(to),
            &entries,
            &tlv(0xa0, &[&seq(&[&extensions])]),
        ]);
        let signature = key(100 + issuer).sign(&signed);
        seq(&[&signed, ED25519, &tlv(3, &[&[0], signature.as_ref()])])
    }
}
