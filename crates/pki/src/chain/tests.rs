use super::*;
use crate::issue::{self, Purpose, Template};
use crate::name::{Attribute, AttributeType};
use crate::testing::{self, TestSigner};
use crate::{DistinguishedName, KeyAlgorithm, Severity, Signer, path};

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
    fn issue(&self, wanted: Template) -> Certificate {
        let template = Template { issuer: self.name.clone(), ..wanted };
        let to_be_signed = issue::to_be_signed(&template, self.key.algorithm().certificate_scheme()).unwrap();
        Certificate::parse(&issue::sign(&to_be_signed, &self.key).unwrap()).unwrap()
    }

    fn leaf(&self) -> Certificate {
        let key = testing::signer(KeyAlgorithm::Ed25519);
        self.issue(template(name("a.example"), &key, Purpose::TlsServer, 30))
    }

    fn certify(&self, other: &Ca, days: i64) -> Certificate {
        self.issue(template(other.name.clone(), &other.key, Purpose::Intermediate { path_len: 3 }, days))
    }

    fn root(&self, days: i64) -> Certificate {
        self.issue(template(self.name.clone(), &self.key, Purpose::Root, days))
    }
}

fn template(subject: DistinguishedName, key: &TestSigner, purpose: Purpose, days: i64) -> Template {
    let server = matches!(purpose, Purpose::TlsServer);
    Template {
        serial: vec![1],
        issuer: subject.clone(),
        subject,
        public_key: key.public_key().clone(),
        not_before: NOW.plus(-100 * DAY),
        not_after: NOW.plus(days * DAY),
        names: if server { vec!["a.example".parse().unwrap()] } else { Vec::new() },
        purpose,
        authority_key_id: None,
        ca_issuers_url: None,
    }
}

fn build(leaf: &Certificate, known: &Pool, now: UnixTime) -> Chain {
    super::build(leaf, &Known::among(known), &Options::new(now, path::Purpose::Any))
}

fn codes(chain: &Chain) -> Vec<&'static str> {
    chain.findings.iter().map(|finding| finding.code).collect()
}

fn pool(known: &[&Certificate]) -> Pool {
    Pool::new(known.iter().map(|certificate| (*certificate).clone()))
}

#[test]
fn the_gap_closes_as_certificates_are_imported() {
    let (root, issuing) = (ca("Root"), ca("Issuing"));
    let (leaf, intermediate, anchor) = (issuing.leaf(), root.certify(&issuing, 300), root.root(3000));
    let alone = build(&leaf, &pool(&[]), NOW);
    assert_eq!((alone.served.len(), codes(&alone)), (1, vec!["chain.incomplete"]));
    assert!(alone.findings[0].what.contains("CN=Issuing"));
    let with_intermediate = build(&leaf, &pool(&[&intermediate]), NOW);
    assert_eq!(with_intermediate.served, [leaf.clone(), intermediate.clone()]);
    assert_eq!(codes(&with_intermediate), ["chain.root_missing"]);
    let whole = build(&leaf, &pool(&[&anchor, &intermediate]), NOW);
    assert_eq!(whole.served, [leaf, intermediate]);
    assert_eq!(whole.root, Some(anchor));
    assert!(whole.is_complete() && whole.findings.is_empty());
}

#[test]
fn a_self_signed_leaf_is_its_own_root() {
    let key = testing::signer(KeyAlgorithm::EcP256);
    let wanted = template(name("a.example"), &key, Purpose::TlsServer, 30);
    let to_be_signed = issue::to_be_signed(&wanted, key.algorithm().certificate_scheme()).unwrap();
    let leaf = Certificate::parse(&issue::sign(&to_be_signed, &key).unwrap()).unwrap();
    let chain = build(&leaf, &pool(&[]), NOW);
    assert_eq!((chain.served, chain.root), (vec![leaf.clone()], Some(leaf)));
    assert!(chain.findings.is_empty());
}

#[test]
fn of_two_ways_the_valid_one_is_taken() {
    let (old, new, issuing) = (ca("Old root"), ca("New root"), ca("Issuing"));
    let leaf = issuing.leaf();
    let (by_old, by_new) = (old.certify(&issuing, -1), new.certify(&issuing, 300));
    let (old_root, new_root) = (old.root(-1), new.root(3000));
    for known in [[&by_old, &by_new, &old_root, &new_root], [&new_root, &old_root, &by_new, &by_old]] {
        let chain = build(&leaf, &pool(&known), NOW);
        assert_eq!(chain.served, [leaf.clone(), by_new.clone()]);
        assert_eq!(chain.root, Some(new_root.clone()));
        assert!(chain.findings.is_empty());
    }
    let expired = build(&leaf, &pool(&[&by_old, &old_root]), NOW);
    assert_eq!(codes(&expired), ["chain.expired", "chain.expired"]);
}

#[test]
fn a_cross_sign_that_has_ended_is_not_sent() {
    let (older, root, issuing) = (ca("Older root"), ca("Root"), ca("Issuing"));
    let (leaf, intermediate) = (issuing.leaf(), root.certify(&issuing, 300));
    let (ended, older_root) = (older.certify(&root, -1), older.root(3000));
    for known in [vec![&intermediate, &ended], vec![&ended, &older_root, &intermediate]] {
        let chain = build(&leaf, &pool(&known), NOW);
        assert_eq!(
            (chain.served.clone(), chain.root.clone()),
            (vec![leaf.clone(), intermediate.clone()], None)
        );
        assert_eq!(codes(&chain), ["chain.expired"]);
        let found = &chain.findings[0];
        assert_eq!((found.severity, found.place.as_str()), (Severity::Warning, "Issuing"));
        assert!(found.what.contains("“Root”") && found.what.ends_with("it is not sent"), "{found:?}");
        assert_eq!(chain.verdict.unwrap_err().code, "chain.untrusted");
    }
    // With the root itself, nothing is wrong; without what ended, only the root is missing.
    let own = root.root(3000);
    let chain = build(&leaf, &pool(&[&ended, &older_root, &intermediate, &own]), NOW);
    assert_eq!((chain.root, codes(&build(&leaf, &pool(&[&intermediate, &own]), NOW))), (Some(own), vec![]));
    assert!(chain.findings.is_empty(), "{:?}", chain.findings);
    assert_eq!(codes(&build(&leaf, &pool(&[&intermediate]), NOW)), ["chain.root_missing"]);
    // Whoever issued the leaf is needed, whatever became of him; and so is a root that has ended.
    let chain = build(&leaf, &pool(&[&root.certify(&issuing, -1), &root.root(3000)]), NOW);
    assert_eq!((chain.served.len(), codes(&chain)), (2, vec!["chain.expired"]));
    assert_eq!(chain.findings[0].severity, Severity::Error);
    let chain = build(&leaf, &pool(&[&intermediate, &root.root(-1)]), NOW);
    assert_eq!((chain.root.is_some(), codes(&chain)), (true, vec!["chain.expired"]));
}

#[test]
fn the_shortest_complete_way_is_taken_and_a_cross_signed_root_is_no_loop() {
    let (root, older, issuing) = (ca("Root"), ca("Older root"), ca("Issuing"));
    let leaf = issuing.leaf();
    let (intermediate, anchor) = (root.certify(&issuing, 300), root.root(3000));
    let (crossed, older_anchor) = (older.certify(&root, 400), older.root(500));
    let chain = build(&leaf, &pool(&[&crossed, &older_anchor, &intermediate, &anchor]), NOW);
    assert_eq!((chain.served.len(), chain.root), (2, Some(anchor)));
    let through_the_cross = build(&leaf, &pool(&[&crossed, &older_anchor, &intermediate]), NOW);
    assert_eq!((through_the_cross.served.len(), through_the_cross.root), (3, Some(older_anchor)));
    assert!(through_the_cross.findings.is_empty());
}

#[test]
fn only_those_who_may_issue_and_did_are_taken() {
    let (root, impostor) = (ca("Root"), ca("Root"));
    let leaf = root.leaf();
    assert_eq!(codes(&build(&leaf, &pool(&[&impostor.root(3000)]), NOW)), ["chain.incomplete"]);
    let no_ca = root.issue(template(root.name.clone(), &root.key, Purpose::TlsServer, 30));
    let chain = build(&leaf, &pool(&[&no_ca]), NOW);
    assert_eq!((codes(&chain), chain.served.len()), (vec!["chain.not_ca"], 1));
}

#[test]
fn an_issuer_that_is_here_and_may_not_issue_is_named_and_not_missed() {
    let (root, issuing, impostor) = (ca("Root"), ca("Issuing"), ca("Issuing"));
    let (leaf, anchor) = (issuing.leaf(), root.root(3000));
    let no_ca = root.issue(template(issuing.name.clone(), &issuing.key, Purpose::TlsServer, 300));
    let chain = build(&leaf, &pool(&[&no_ca, &anchor]), NOW);
    let finding = &chain.findings[0];
    assert_eq!((codes(&chain), finding.severity), (vec!["chain.not_ca"], Severity::Warning));
    assert_eq!(finding.place, "Issuing");
    assert!(finding.what.contains("a.example") && finding.what.contains("basicConstraints"), "{finding:?}");
    assert!(!finding.repair.contains("missing"), "{finding:?}");
    assert_eq!(chain.verdict.unwrap_err().code, "chain.not_ca");
    // The same name and another key: that one signed nothing, so the true one is what is missing.
    let other = root.issue(template(impostor.name.clone(), &impostor.key, Purpose::TlsServer, 300));
    assert_eq!(codes(&build(&leaf, &pool(&[&other, &anchor]), NOW)), ["chain.incomplete"]);
    // The right certificate of the same CA beside it: nothing is wrong.
    let intermediate = root.certify(&issuing, 300);
    assert!(codes(&build(&leaf, &pool(&[&no_ca, &intermediate, &anchor]), NOW)).is_empty());
}

#[test]
fn a_ca_whose_key_usage_forbids_it_to_issue_is_named() {
    let (root, issuing) = (ca("Root"), ca("Issuing"));
    let (leaf, anchor) = (issuing.leaf(), root.root(3000));
    let silent = without_cert_sign(&issuing, &root);
    let chain = build(&leaf, &pool(&[&silent, &anchor]), NOW);
    assert_eq!((codes(&chain), chain.served.len()), (vec!["chain.key_usage"], 1));
    assert!(chain.findings[0].what.contains("keyCertSign"), "{:?}", chain.findings);
    // One step further up it is the same.
    let below = ca("Below");
    let lower = issuing.certify(&below, 200);
    let chain = build(&below.leaf(), &pool(&[&lower, &silent, &anchor]), NOW);
    assert_eq!((chain.served.len(), codes(&chain)), (2, vec!["chain.key_usage"]));
}

/// A CA's certificate with cRLSign alone as its key usage.
fn without_cert_sign(certified: &Ca, by: &Ca) -> Certificate {
    let below = Purpose::Intermediate { path_len: 3 };
    let wanted = template(certified.name.clone(), &certified.key, below, 300);
    let wanted = Template { issuer: by.name.clone(), ..wanted };
    let mut tbs = issue::to_be_signed(&wanted, by.key.algorithm().certificate_scheme()).unwrap();
    // A BIT STRING of one octet: keyCertSign and cRLSign are its bits 5 and 6.
    let at = tbs.windows(4).position(|window| window == [0x03, 0x02, 0x01, 0x06]).unwrap();
    tbs[at + 3] = 0x02;
    Certificate::parse(&issue::sign(&tbs, &by.key).unwrap()).unwrap()
}

#[test]
fn a_member_that_ends_before_the_leaf_is_told() {
    let (root, issuing) = (ca("Root"), ca("Issuing"));
    let (leaf, intermediate, anchor) = (issuing.leaf(), root.certify(&issuing, 10), root.root(20));
    let chain = build(&leaf, &pool(&[&intermediate, &anchor]), NOW);
    assert_eq!(codes(&chain), ["chain.expires_before_leaf", "chain.expires_before_leaf"]);
    assert_eq!(chain.ends(), Some(intermediate.not_after()));
    assert!(chain.findings[1].what.ends_with(&format!("good until {}", intermediate.not_after())));
    for (finding, name) in chain.findings.iter().zip(["Issuing", "Root"]) {
        assert!(finding.what.starts_with(&format!("the CA certificate “{name}” ends on ")), "{finding:?}");
    }
    let later = build(&leaf, &pool(&[&intermediate, &anchor]), NOW.plus(15 * DAY));
    assert_eq!(codes(&later), ["chain.expired", "chain.expires_before_leaf"]);
}

#[test]
fn a_long_way_ends_at_the_limit() {
    let cas: Vec<Ca> = (0..14).map(|number| ca(&format!("CA {number}"))).collect();
    let mut known = vec![cas[13].root(3000)];
    known.extend(cas.windows(2).map(|pair| pair[1].certify(&pair[0], 300)));
    let chain = build(&cas[0].leaf(), &Pool::new(known), NOW);
    assert_eq!(chain.served.len(), MAX_LENGTH);
    // More of them stand below the last than its path length allows.
    assert_eq!(codes(&chain), ["chain.budget", "chain.client_cannot_build"]);
    let finding = &chain.findings[0];
    assert_eq!((finding.severity, finding.place.as_str()), (Severity::Error, "CA 9"));
    assert!(finding.what.contains("longer than 10 certificates"), "{finding:?}");
    assert_eq!((chain.gap(), chain.verdict.as_ref().unwrap_err().code), (None, "chain.budget"));
    // Ten and no more are known: there the next one is what is missing.
    let known = cas.windows(2).take(9).map(|pair| pair[1].certify(&pair[0], 300));
    let chain = build(&cas[0].leaf(), &Pool::new(known), NOW);
    assert_eq!((chain.served.len(), codes(&chain)[0]), (MAX_LENGTH, "chain.root_missing"));
}

#[test]
fn a_maze_of_cross_signatures_ends_within_the_budget() {
    // Twelve CAs, each certified by each other one, and no root.
    let cas: Vec<Ca> = (0..12).map(|number| ca(&format!("CA {number}"))).collect();
    let mut known = Pool::default();
    for issuer in &cas {
        for subject in cas.iter().filter(|subject| subject.name != issuer.name) {
            known.add(issuer.certify(subject, 300));
        }
    }
    let chain = build(&cas[0].leaf(), &known, NOW);
    assert!(codes(&chain).contains(&"chain.budget"), "{:?}", codes(&chain));
}

#[test]
fn the_certificate_of_the_key_is_the_leaf() {
    let (one, other) = (ca("Root").leaf(), ca("Root").leaf());
    let both = vec![one.clone(), other.clone()];
    assert_eq!(arrange(both.clone(), NOW).leaf, Some(one));
    let arranged = arrange_for(both, Some(&other.key_id()), NOW);
    assert_eq!(arranged.leaf, Some(other));
    assert_eq!(arranged.unrelated.len(), 1);
    assert!(codes(&arranged.chain).contains(&"chain.unrelated"));
    assert_eq!(arrange(Vec::new(), NOW).leaf, None);
}

#[test]
fn a_file_of_cas_is_led_by_the_lowest() {
    let (root, issuing) = (ca("Root"), ca("Issuing"));
    let (intermediate, anchor) = (root.certify(&issuing, 300), root.root(3000));
    let arranged = arrange(vec![anchor.clone(), intermediate.clone()], NOW);
    assert_eq!(arranged.leaf, Some(intermediate));
    assert_eq!(arranged.chain.root, Some(anchor));
    assert_eq!(codes(&arranged.chain), ["chain.reordered"]);
}

#[test]
fn a_ca_by_itself_lacks_only_its_root() {
    let (root, issuing) = (ca("Root"), ca("Issuing"));
    let intermediate = root.certify(&issuing, 300);
    assert_eq!(codes(&build(&intermediate, &pool(&[]), NOW)), ["chain.root_missing"]);
    assert_eq!(codes(&build(&issuing.leaf(), &pool(&[]), NOW)), ["chain.incomplete"]);
}

#[test]
fn another_certificate_of_a_ca_in_the_chain_is_no_missing_link() {
    let (root, other, issuing, far) = (ca("Root"), ca("Other"), ca("Issuing"), ca("Far"));
    let (leaf, good, expired) = (issuing.leaf(), root.certify(&issuing, 300), other.certify(&issuing, -1));
    let arranged = arrange(vec![leaf.clone(), good.clone(), expired.clone()], NOW);
    assert_eq!((arranged.chain.served.len(), arranged.unrelated.len()), (2, 1));
    assert_eq!(codes(&arranged.chain), ["chain.root_missing", "chain.unrelated"]);
    // A CA from elsewhere may stand above a link that is missing.
    let arranged = arrange(vec![leaf, good, expired, root.certify(&far, 300)], NOW);
    assert_eq!(codes(&arranged.chain), ["chain.incomplete", "chain.unrelated"]);
}

#[test]
fn of_two_leaves_of_one_key_the_one_that_is_good_longest_is_taken() {
    let (issuing, key) = (ca("Issuing"), testing::signer(KeyAlgorithm::Ed25519));
    let leaf = |days: i64| issuing.issue(template(name("a.example"), &key, Purpose::TlsServer, days));
    let (expired, sooner, later) = (leaf(-1), leaf(30), leaf(60));
    let early = issuing.issue(Template {
        not_before: NOW.plus(DAY),
        ..template(name("a.example"), &key, Purpose::TlsServer, 90)
    });
    let other = issuing.leaf();
    for file in [[&expired, &sooner, &later, &early], [&early, &later, &sooner, &expired]] {
        let mut file: Vec<_> = file.into_iter().cloned().collect();
        assert_eq!(arrange(file.clone(), NOW).leaf.as_ref(), Some(&later));
        file.insert(0, other.clone());
        assert_eq!(arrange_for(file.clone(), Some(&later.key_id()), NOW).leaf.as_ref(), Some(&later));
        assert_eq!(arrange(file, NOW).leaf.as_ref(), Some(&other), "of another key: the first");
    }
}
