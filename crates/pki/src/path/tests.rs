use super::*;
use crate::chain;
use crate::crl::tests::Draft;
use crate::issue::{self, Template};
use crate::name::{Attribute, AttributeType};
use crate::testing::{self, TestSigner};
use crate::{DistinguishedName, KeyAlgorithm, Signer};

const NOW: UnixTime = UnixTime(1_795_305_600);
const DAY: i64 = 86_400;

/// A CA with a name and a key, so that it can be certified in several ways.
struct Ca {
    name: DistinguishedName,
    key: TestSigner,
}

fn ca(common_name: &str) -> Ca {
    Ca { name: name(common_name), key: testing::signer(KeyAlgorithm::Ed25519) }
}

fn name(common_name: &str) -> DistinguishedName {
    DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, common_name)]).unwrap()
}

impl Ca {
    fn issue(&self, subject: DistinguishedName, key: &TestSigner, purpose: issue::Purpose) -> Certificate {
        let has_host = purpose == issue::Purpose::TlsServer;
        self.sign(Template {
            serial: vec![5],
            issuer: self.name.clone(),
            subject,
            public_key: key.public_key().clone(),
            not_before: NOW.plus(-DAY),
            not_after: NOW.plus(30 * DAY),
            names: if has_host { vec!["a.example".parse().unwrap()] } else { Vec::new() },
            purpose,
            authority_key_id: Some(issue::subject_key_id(self.key.public_key())),
            ca_issuers_url: None,
        })
    }

    fn sign(&self, template: Template) -> Certificate {
        let signed = issue::to_be_signed(&template, self.key.algorithm().certificate_scheme()).unwrap();
        Certificate::parse(&issue::sign(&signed, &self.key).unwrap()).unwrap()
    }

    fn leaf(&self) -> Certificate {
        self.issue(name("a.example"), &testing::signer(KeyAlgorithm::Ed25519), issue::Purpose::TlsServer)
    }

    fn certify(&self, other: &Ca, path_len: u8) -> Certificate {
        self.issue(other.name.clone(), &other.key, issue::Purpose::Intermediate { path_len })
    }

    fn root(&self) -> Certificate {
        self.issue(self.name.clone(), &self.key, issue::Purpose::Root)
    }
}

fn pool(certificates: &[&Certificate]) -> Pool {
    Pool::new(certificates.iter().map(|one| (*one).clone()))
}

/// A path that holds.
#[derive(Debug)]
struct Path {
    /// The leaf first; without the anchor.
    certificates: Vec<Certificate>,
    anchor: Option<Certificate>,
}

/// The answer for a TLS server, or its code.
fn ask(
    leaf: &Certificate,
    between: &[&Certificate],
    anchors: &[&Certificate],
    crls: &[Crl],
) -> Result<Path, &'static str> {
    ask_for(leaf, between, anchors, crls, &Options::new(NOW, Purpose::Server))
}

fn ask_for(
    leaf: &Certificate,
    between: &[&Certificate],
    anchors: &[&Certificate],
    crls: &[Crl],
    options: &Options<'_>,
) -> Result<Path, &'static str> {
    let (intermediates, anchors) = (pool(between), pool(anchors));
    let known = Known { intermediates: &intermediates, anchors: Anchors::Only(&anchors), crls };
    let chain = chain::build(leaf, &known, options);
    chain.verdict.map_err(|refusal| refusal.code)?;
    Ok(Path { certificates: chain.served, anchor: chain.root })
}

#[test]
fn a_sound_path_is_found_in_any_order() {
    let (root, first, second) = (ca("Root"), ca("First"), ca("Second"));
    let (anchor, upper, lower, leaf) =
        (root.root(), root.certify(&first, 1), first.certify(&second, 0), second.leaf());
    for between in [[&upper, &lower], [&lower, &upper]] {
        let path = ask(&leaf, &between, &[&anchor], &[]).unwrap();
        assert_eq!(path.certificates, [leaf.clone(), lower.clone(), upper.clone()]);
        assert_eq!(path.anchor.as_ref(), Some(&anchor));
    }
    assert_eq!(ask(&leaf, &[&lower], &[&anchor], &[]).unwrap_err(), "chain.untrusted");
    assert_eq!(ask(&leaf, &[&lower, &upper], &[], &[]).unwrap_err(), "chain.untrusted");
    let swapped = ask(&leaf, &[&anchor, &lower], &[&upper], &[]).unwrap();
    assert_eq!((swapped.certificates.len(), swapped.anchor), (2, Some(upper)));
    assert_eq!(
        ask_for(&anchor, &[], &[&anchor], &[], &Options::new(NOW, Purpose::Any)).unwrap().anchor,
        Some(anchor)
    );
}

#[test]
fn time_length_purpose_and_name_are_asked() {
    let (root, issuing) = (ca("Root"), ca("Issuing"));
    let (anchor, between, leaf) = (root.root(), root.certify(&issuing, 0), issuing.leaf());
    let code = |options: &Options<'_>| ask_for(&leaf, &[&between], &[&anchor], &[], options).err();
    let server = Options::new(NOW, Purpose::Server);
    assert_eq!(code(&server), None);
    assert_eq!(code(&Options::new(NOW.plus(31 * DAY), Purpose::Server)), Some("cert.expired"));
    assert_eq!(code(&Options::new(NOW.plus(-2 * DAY), Purpose::Any)), Some("cert.not_yet_valid"));
    assert_eq!(code(&Options::new(NOW, Purpose::Client)), Some("cert.purpose"));
    assert_eq!(code(&Options { max_intermediates: Some(0), ..server.clone() }), Some("chain.path_length"));
    assert_eq!(
        code(&Options { revocation: Revocation::Required, ..server.clone() }),
        Some("cert.revocation_unknown")
    );
    let peers = ["a.example", "A.EXAMPLE"].map(|host| SubjectAltName::Dns(host.to_owned()));
    assert_eq!(code(&Options { peers: &peers, ..server.clone() }), None);
    let peers = ["a.example", "b.example"].map(|host| SubjectAltName::Dns(host.to_owned()));
    assert_eq!(code(&Options { peers: &peers, ..server }), Some("cert.name_mismatch"));
}

#[test]
fn a_ca_issues_only_where_it_may() {
    let (root, first, second) = (ca("Root"), ca("First"), ca("Second"));
    let (anchor, upper, lower, leaf) =
        (root.root(), root.certify(&first, 0), first.certify(&second, 0), second.leaf());
    assert_eq!(ask(&leaf, &[&upper, &lower], &[&anchor], &[]).unwrap_err(), "chain.path_length");
    // A leaf that signs is no CA, so it is not even a candidate; that it did is said.
    let end = root.issue(second.name.clone(), &second.key, issue::Purpose::TlsServer);
    assert_eq!(ask(&leaf, &[&end], &[&anchor], &[]).unwrap_err(), "chain.not_ca");
    let stranger = ca("Second");
    let end = root.issue(stranger.name.clone(), &stranger.key, issue::Purpose::TlsServer);
    assert_eq!(ask(&leaf, &[&end], &[&anchor], &[]).unwrap_err(), "chain.untrusted");
}

#[test]
fn of_two_ways_the_one_that_holds_is_taken() {
    let (old, new, issuing) = (ca("Old"), ca("New"), ca("Issuing"));
    let leaf = issuing.leaf();
    let by_new = new.certify(&issuing, 0);
    let mut expired = Template { not_after: NOW.plus(-1), ..template(&old, &issuing) };
    let by_old = old.sign(expired.clone());
    expired.not_after = NOW.plus(9999 * DAY);
    expired.not_before = NOW.plus(-9999 * DAY);
    let (old_root, new_root) = (old.root(), new.root());
    let path = ask(&leaf, &[&by_old, &by_new], &[&old_root, &new_root], &[]).unwrap();
    assert_eq!(path.anchor.as_ref(), Some(&new_root));
    assert_eq!(ask(&leaf, &[&by_old], &[&old_root], &[]).unwrap_err(), "chain.expired");
    // The likeliest way leads to the old root, whose list has the intermediate on it; the other way holds.
    let by_old = old.sign(expired);
    let crl = Draft::new(&old.name).with(&[7], &[]).crl(&old.key);
    let both = ask(&leaf, &[&by_old, &by_new], &[&old_root, &new_root], std::slice::from_ref(&crl)).unwrap();
    assert_eq!(both.anchor, Some(new_root));
    assert_eq!(ask(&leaf, &[&by_old], &[&old_root], &[crl]).unwrap_err(), "cert.revoked");
}

fn template(issuer: &Ca, subject: &Ca) -> Template {
    Template {
        serial: vec![7],
        issuer: issuer.name.clone(),
        subject: subject.name.clone(),
        public_key: subject.key.public_key().clone(),
        not_before: NOW.plus(-DAY),
        not_after: NOW.plus(30 * DAY),
        names: Vec::new(),
        purpose: issue::Purpose::Intermediate { path_len: 0 },
        authority_key_id: Some(issue::subject_key_id(issuer.key.public_key())),
        ca_issuers_url: None,
    }
}

#[test]
fn lists_decide_only_when_they_can_be_relied_upon() {
    let (root, stranger) = (ca("Root"), ca("Root"));
    let (anchor, leaf) = (root.root(), root.leaf());
    let code = |crl: Crl| ask(&leaf, &[], &[&anchor], &[crl]).err();
    let (clean, revoking) = (Draft::new(&root.name), Draft::new(&root.name).with(&[5], &[]));
    assert_eq!(code(clean.crl(&root.key)), None);
    assert_eq!(code(revoking.crl(&root.key)), Some("cert.revoked"));
    assert_eq!(code(clean.crl(&stranger.key)), Some("cert.revocation_unknown"), "signed by somebody else");
    let old = Draft { next_update: "261110000000Z", ..clean.clone() };
    assert_eq!(code(old.crl(&root.key)), Some("cert.revocation_unknown"));
    assert_eq!(
        code(Draft::new(&name("Another")).with(&[5], &[]).crl(&root.key)),
        None,
        "about somebody else"
    );
    let ignored = Options { revocation: Revocation::Ignored, ..Options::new(NOW, Purpose::Server) };
    let crl = [revoking.crl(&root.key)];
    assert!(ask_for(&leaf, &[], &[&anchor], &crl, &ignored).is_ok());
    let both = [clean.crl(&stranger.key), revoking.crl(&root.key)];
    assert_eq!(ask(&leaf, &[], &[&anchor], &both).unwrap_err(), "cert.revoked");
}

#[test]
fn a_thicket_ends_within_the_budget() {
    // Sixty CAs with one name, each certified by its neighbours, none by the root; and twelve that all certify each other.
    let (root, leaf_ca) = (ca("Root"), ca("Thicket"));
    let same: Vec<Ca> = (0..60).map(|_| ca("Thicket")).collect();
    let mut known: Vec<Certificate> =
        same.iter().zip(same.iter().skip(1)).map(|(one, other)| one.certify(other, 9)).collect();
    known.extend(same.iter().map(|one| one.certify(&leaf_ca, 9)));
    let maze: Vec<Ca> = (0..10).map(|number| ca(&format!("Maze {number}"))).collect();
    for issuer in &maze {
        known.extend(
            maze.iter().filter(|other| other.name != issuer.name).map(|other| issuer.certify(other, 9)),
        );
    }
    known.push(same[59].certify(&maze[0], 9));
    let (known, anchors) = (Pool::new(known), pool(&[&root.root()]));
    let known = Known { intermediates: &known, anchors: Anchors::Only(&anchors), crls: &[] };
    for leaf in [leaf_ca.leaf(), maze[0].leaf()] {
        let mut budget = search::Budget::new(search::Memory::default());
        let verdict = best(&leaf, &known, &Options::new(NOW, Purpose::Server), &mut budget).verdict;
        let code = verdict.unwrap_err().code;
        assert!(matches!(code, "chain.budget" | "chain.untrusted"), "{code}");
        // A hundred checks of 50 units, a thousand steps of 5, and the look-ups in between.
        assert!(budget.spent() < 50_000, "{}", budget.spent());
    }
}

#[test]
fn a_ladder_of_twins_is_left_when_the_steps_are_used_up() {
    // Four rungs of eight certificates each: 4,096 ways to nowhere.
    let rungs: Vec<Ca> = (0..5).map(|number| ca(&format!("Rung {number}"))).collect();
    let known =
        Pool::new(rungs.windows(2).flat_map(|pair| (0..8).map(|extra| pair[1].certify(&pair[0], 9 + extra))));
    assert_eq!(known.candidates(&rungs[0].leaf()).count(), 8, "twins are certificates of their own");
    let mut seen = 0;
    let mut budget = search::Budget::new(search::Memory::default());
    let up = (&known, Anchors::Roots);
    search::walk(&rungs[0].leaf(), up, NOW, &mut budget, &mut |_, _, _| {
        seen += 1;
        ControlFlow::Continue(())
    });
    assert!(budget.is_exhausted && (100..1_001).contains(&seen), "{seen}");
}

/// `openssl ca -gencrl` writes none unless it is told to; deltas alone need it.
#[test]
fn a_list_without_a_number_decides_where_forms_are_not_judged() {
    let root = ca("Root");
    let (anchor, leaf) = (root.root(), root.leaf());
    let code = |draft: Draft, purpose| {
        let crl = Draft { extensions: draft.extensions[1..].to_vec(), ..draft }.crl(&root.key);
        let options = Options { revocation: Revocation::Known, ..Options::new(NOW, purpose) };
        ask_for(&leaf, &[], &[&anchor], &[crl], &options).err()
    };
    let clean = || Draft::new(&root.name).with(&[6], &[]);
    assert_eq!(code(clean(), Purpose::Any), None);
    assert_eq!(code(clean().with(&[5], &[]), Purpose::Any), Some("cert.revoked"));
    assert_eq!(code(clean(), Purpose::Server), Some("cert.revocation_unknown"));
}

#[test]
fn a_client_judges_what_is_served() {
    let (root, issuing) = (ca("Root"), ca("Issuing"));
    let (anchor, between, leaf) = (root.root(), root.certify(&issuing, 0), issuing.leaf());
    let known = pool(&[&anchor, &between]);
    let options = Options::new(NOW, Purpose::Server);
    let ask = |leaf: &Certificate, known: &Pool, options: &Options<'_>| {
        chain::build(leaf, &Known::among(known), options)
    };
    let chain = ask(&leaf, &known, &options);
    assert_eq!(
        (chain.served, chain.root, chain.verdict),
        (vec![leaf.clone(), between.clone()], Some(anchor), Ok(()))
    );
    let rootless = ask(&leaf, &pool(&[&between]), &options);
    assert_eq!(rootless.verdict.unwrap_err().code, "chain.untrusted");
    let own = ca("a.example");
    let pinned = own.issue(own.name.clone(), &own.key, issue::Purpose::TlsServer);
    let chain = ask(&pinned, &pool(&[]), &options);
    assert_eq!((chain.verdict, chain.root), (Ok(()), Some(pinned.clone())));
    let later = Options::new(NOW.plus(31 * DAY), Purpose::Server);
    assert_eq!(ask(&pinned, &pool(&[]), &later).verdict.unwrap_err().code, "cert.expired");
}
