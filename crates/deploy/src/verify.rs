//! Looks from outside whether a certificate is served: "renewed" is not "served".
//!
//! Real handshakes to every address of a target, with each name, never resumed, offering only signatures of the
//! certificate's own kind, so that RSA and ECDSA siblings can both be proven.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use outbound::{Dialer, Doubt, Offer, Origin, OutboundError, Probe, Seen};
use pki::{Certificate, Fingerprint, KeyAlgorithm, SubjectAltName};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long one handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long is waited for the chain once the leaf is there: the same leaf may have been served before.
const CHAIN: Duration = Duration::from_secs(3);
/// How many are made at once.
const AT_ONCE: usize = 16;
/// The label that stands for any name under a wildcard.
const ANY_LABEL: &str = "claviger-check";

/// What should be seen.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The leaf.
    pub certificate: &'a Certificate,
    /// The intermediates that were installed with it.
    pub chain: &'a [Certificate],
    /// The names to ask for; for a wildcard, one name under it.
    pub names: &'a [SubjectAltName],
}

/// What was seen at one address by one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointLook {
    /// `host:port` as it was entered; where the host has several addresses, followed by the one meant.
    pub address: String,
    /// The name that was asked for; empty when none was.
    pub name: String,
    /// The certificate that was served; none when there was no handshake.
    pub certificate: Option<Fingerprint>,
    /// Why this is not what was expected; empty when it is.
    pub trouble: String,
    /// What will trouble some clients all the same; empty when nothing does.
    pub warning: String,
}

impl EndpointLook {
    /// Whether the expected certificate is served there.
    pub fn is_good(&self) -> bool {
        self.trouble.is_empty()
    }
}

/// How long to look again: a reload takes a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From the first look to the beginning of the last.
    pub total: Duration,
    /// Between two looks.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { total: Duration::from_secs(15), pause: Duration::from_millis(200) }
    }
}

/// Looks until the certificate is served at every address by every name with its whole chain, or until patience ends;
/// answers the last look. For a chain that is never sent it does not wait that long: not every server is set up to. Without addresses there is nothing to see, and the answer is empty: that proves nothing.
pub async fn verify_within(
    dialer: &Dialer,
    addresses: &[String],
    expected: &Expected<'_>,
    patience: Patience,
) -> Vec<EndpointLook> {
    let end = Instant::now() + patience.total;
    let mut chain_until = None;
    loop {
        // The last look has its time too.
        let deadline = end.max(Instant::now() + HANDSHAKE);
        let looks = verify(dialer, addresses, expected, deadline).await;
        let now = Instant::now();
        if looks.iter().all(EndpointLook::is_good) {
            let chain_until = *chain_until.get_or_insert((now + CHAIN).min(end));
            if looks.iter().all(|look| look.warning.is_empty()) || now + patience.pause >= chain_until {
                return looks;
            }
        } else if now + patience.pause >= end {
            return looks;
        }
        tokio::time::sleep(patience.pause).await;
    }
}

/// Looks once at every address (each A and AAAA of it) by every name, in that order.
pub async fn verify(
    dialer: &Dialer,
    addresses: &[String],
    expected: &Expected<'_>,
    deadline: Instant,
) -> Vec<EndpointLook> {
    let names = names_to_ask(expected.names);
    let offer = offer(expected.certificate);
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut looks = JoinSet::new();
    let mut all: Vec<Option<EndpointLook>> = Vec::new();
    for address in addresses {
        let found = dialer.resolve(address, Origin::Operator, deadline).await;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                all.extend(names.iter().map(|name| Some(nothing_seen(address, name, &error))));
                continue;
            }
        };
        for (socket, name) in found.iter().flat_map(|socket| names.iter().map(move |name| (socket, name))) {
            let handshake =
                Handshake { dialer: dialer.clone(), socket: *socket, name: name.clone(), offer, deadline };
            let (turns, place) = (Arc::clone(&turns), all.len());
            let shown =
                if found.len() == 1 { address.clone() } else { format!("{address} ({})", socket.ip()) };
            all.push(Some(nothing_seen(&shown, name, &OutboundError::Deadline)));
            looks.spawn(async move {
                // The semaphore is never closed.
                let _turn = turns.acquire().await;
                (place, handshake.look().await)
            });
        }
    }
    while let Some(looked) = looks.join_next().await {
        // A look that panicked stays as one that saw nothing.
        let Ok((place, seen)) = looked else { continue };
        if let Some(Some(look)) = all.get_mut(place) {
            judge(look, seen, expected);
        }
    }
    all.into_iter().flatten().collect()
}

struct Handshake {
    dialer: Dialer,
    socket: SocketAddr,
    name: String,
    offer: Offer,
    deadline: Instant,
}

impl Handshake {
    async fn look(self) -> Result<Seen, OutboundError> {
        let address = self.socket.to_string();
        let probe = Probe {
            address: &address,
            origin: Origin::Operator,
            server_name: Some(self.name.as_str()).filter(|name| !name.is_empty()),
            offer: self.offer,
            doubt: Doubt::Refuse,
        };
        let deadline = self.deadline.min(Instant::now() + HANDSHAKE);
        self.dialer.probe(&probe, deadline).await
    }
}

fn judge(look: &mut EndpointLook, seen: Result<Seen, OutboundError>, expected: &Expected<'_>) {
    let seen = match seen {
        Ok(seen) => seen,
        Err(error) => {
            look.trouble = error.chain();
            return;
        }
    };
    look.certificate = seen.chain.first().map(|leaf| Fingerprint::of_der(leaf));
    look.trouble = match look.certificate {
        Some(served) if served == expected.certificate.fingerprint() => String::new(),
        Some(served) => format!("another certificate is served, {served}"),
        None => "no certificate is served".to_owned(),
    };
    let missing = expected.chain.iter().find(|installed| !sends(&seen, installed));
    if let Some(missing) = missing.filter(|_| look.is_good()) {
        look.warning = format!(
            "the intermediate {} is not sent, so that clients that do not know it refuse the certificate",
            missing.display_name()
        );
    }
}

fn sends(seen: &Seen, certificate: &Certificate) -> bool {
    seen.chain.iter().any(|sent| sent == certificate.der())
}

fn nothing_seen(address: &str, name: &str, error: &OutboundError) -> EndpointLook {
    EndpointLook {
        address: address.to_owned(),
        name: name.to_owned(),
        certificate: None,
        trouble: error.chain(),
        warning: String::new(),
    }
}

/// Each DNS name once, one name under each wildcard; no name at all for a certificate without DNS names.
fn names_to_ask(names: &[SubjectAltName]) -> Vec<String> {
    let mut ask: Vec<String> = Vec::new();
    for name in names.iter().filter_map(SubjectAltName::dns) {
        let name = match name.strip_prefix("*.") {
            Some(parent) => format!("{ANY_LABEL}.{parent}"),
            None => name.to_owned(),
        };
        if !ask.contains(&name) {
            ask.push(name);
        }
    }
    if ask.is_empty() {
        ask.push(String::new());
    }
    ask
}

fn offer(certificate: &Certificate) -> Offer {
    match certificate.public_key().algorithm() {
        Some(KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384) => Offer::EcdsaOnly,
        Some(KeyAlgorithm::Ed25519) => Offer::Ed25519Only,
        Some(KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096) => Offer::RsaOnly,
        // A kind that we do not make: it can only be seen among all.
        None => Offer::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_asked_by_a_name_under_it() {
        let names = ["a.example", "*.a.example", "A.example", "192.0.2.1"]
            .map(|name| SubjectAltName::parse(name).unwrap());
        assert_eq!(names_to_ask(&names), ["a.example", "claviger-check.a.example"]);
        assert_eq!(names_to_ask(&names[3..]), [""]);
    }
}
