//! Says in sentences how a chain was built and why it is the one.

use pki::chain::Arranged;
use pki::{Certificate, KeyId, Refusal};

use super::report::counted;

/// Whether the root goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// As servers send it.
    LeftOut,
    /// Because it was asked for.
    Written,
}

/// Why a certificate is the leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is no other.
    Only,
    /// Its private key is there.
    Key,
    /// It stands below the others.
    Lowest,
}

impl Why {
    /// As the chain's builder decides.
    pub fn of(certificates: &[Certificate], key: Option<&KeyId>) -> Self {
        let is_only = certificates.windows(2).all(|pair| pair[0] == pair[1]);
        let has_key = key.is_some_and(|key| certificates.iter().any(|one| one.key_id() == *key));
        match (is_only, has_key) {
            (true, _) => Self::Only,
            (false, true) => Self::Key,
            (false, false) => Self::Lowest,
        }
    }
}

/// What was done, in the order in which it was done.
pub fn sentences(arranged: &Arranged, why: Why, root: Root) -> Vec<String> {
    let Some(leaf) = &arranged.leaf else { return Vec::new() };
    let mut sentences = vec![leaf_sentence(leaf, why)];
    let members = members(arranged);
    sentences.extend(members.windows(2).map(|pair| step(pair[0], pair[1])));
    sentences.extend(top_sentence(arranged, root));
    sentences.extend(arranged.unrelated.iter().map(|stranger| stranger_sentence(stranger, &members)));
    sentences.extend(end_sentence(&members));
    sentences
}

/// What the validation said, once the root is known.
pub fn verdict_sentence(
    arranged: &Arranged,
    verdict: Option<&Result<(), Refusal>>,
    lists: usize,
) -> Option<String> {
    let root = arranged.chain.root.as_ref()?.display_name();
    Some(match verdict? {
        Ok(()) if lists > 0 => format!(
            "Checked as RFC 5280 prescribes, with {}: who trusts {root} accepts it.",
            counted(lists, "revocation list")
        ),
        Ok(()) => format!("Checked as RFC 5280 prescribes: who trusts {root} accepts it."),
        Err(refusal) => {
            format!("Checked as RFC 5280 prescribes: who trusts {root} refuses it ({}).", refusal.code)
        }
    })
}

/// The way up, the root included.
fn members(arranged: &Arranged) -> Vec<&Certificate> {
    let chain = &arranged.chain;
    chain.served.iter().chain(chain.root.iter().filter(|root| !chain.served.contains(root))).collect()
}

fn leaf_sentence(leaf: &Certificate, why: Why) -> String {
    let name = leaf.display_name();
    match why {
        Why::Only => format!("{name} is the only certificate, and so the leaf."),
        Why::Key => format!("{name} is the leaf: the private key that was given is its key."),
        Why::Lowest if leaf.is_ca() => format!("{name} is the lowest: it issued none of the others."),
        Why::Lowest => format!("{name} is the leaf: it is no CA, and issued none of the others."),
    }
}

fn step(below: &Certificate, above: &Certificate) -> String {
    let has_ids = below.authority_key_id().is_some() && above.subject_key_id().is_some();
    let fit = if has_ids { "name, key identifier and signature fit" } else { "name and signature fit" };
    format!("{} issued {}: {fit}.", above.display_name(), below.display_name())
}

fn top_sentence(arranged: &Arranged, wish: Root) -> Option<String> {
    let chain = &arranged.chain;
    Some(match &chain.root {
        Some(root) if chain.served.contains(root) => {
            format!("{} issued itself, so that nothing stands above it.", root.display_name())
        }
        Some(root) => {
            let name = root.display_name();
            match wish {
                Root::LeftOut => format!(
                    "{name} issued itself: it is the root. Clients have it, or do not trust it; it is not sent."
                ),
                Root::Written => {
                    format!("{name} issued itself: it is the root. It was asked for, and goes along.")
                }
            }
        }
        None => {
            let top = chain.served.last()?;
            format!("{} was issued by {}, whose certificate is not there.", top.display_name(), top.issuer())
        }
    })
}

/// Why a certificate is not in the chain.
fn stranger_sentence(stranger: &Certificate, members: &[&Certificate]) -> String {
    let name = stranger.display_name();
    let twin = members
        .iter()
        .find(|member| member.subject() == stranger.subject() && member.key_id() == stranger.key_id());
    let leaf = members.first().copied();
    if let Some(leaf) = twin.copied().filter(|twin| Some(*twin) == leaf) {
        return beside_leaf(stranger, leaf);
    }
    if let Some(twin) = twin {
        return format!(
            "{name}, issued by {}, was left out: the certificate of the same name and key that {} issued is the better way.",
            stranger.issuer(),
            twin.issuer()
        );
    }
    if !stranger.is_ca() {
        return format!("{name} was left out: it is no CA, so it issued nothing here.");
    }
    match members.iter().find(|member| member.issuer() == stranger.subject()) {
        Some(member) if names_another_key(member, stranger) => format!(
            "{name} was left out: it has the name of the issuer of {}, and another key identifier than is named there.",
            member.display_name()
        ),
        Some(member) => format!(
            "{name} was left out: it has the name of the issuer of {}, but did not sign it.",
            member.display_name()
        ),
        None => format!("{name} was left out: it issued nothing in this chain."),
    }
}

/// Why a certificate of the leaf's name and key is not the leaf: of those that are valid the one that ends last is.
fn beside_leaf(stranger: &Certificate, leaf: &Certificate) -> String {
    let (name, end) = (stranger.display_name(), stranger.not_after());
    if leaf.is_ca() || end == leaf.not_after() {
        format!(
            "{name}, issued by {}, was left out: the leaf has the same name and key, and came first.",
            stranger.issuer()
        )
    } else if end < leaf.not_after() {
        format!(
            "{name}, which ends on {end}, was left out: the leaf has the same name and key, and ends later."
        )
    } else {
        let start = stranger.not_before();
        format!(
            "{name}, valid only from {start} on, was left out: the leaf has the same name and key, and is valid now."
        )
    }
}

fn names_another_key(below: &Certificate, above: &Certificate) -> bool {
    below.authority_key_id().zip(above.subject_key_id()).is_some_and(|(named, own)| named != own)
}

fn end_sentence(members: &[&Certificate]) -> Option<String> {
    let first = members.iter().min_by_key(|member| member.not_after())?;
    let end = first.not_after();
    Some(format!("The first of them to end is {}, on {end}.", first.display_name()))
}
