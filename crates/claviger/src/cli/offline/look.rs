//! A look at what a TLS server shows: by its name, without a name, and as clients see it that take only RSA, only
//! ECDSA, or only Ed25519.
//!
//! The handshakes go through `outbound`, as everywhere. The address is the operator's own, typed on the command line,
//! so that private networks and loopback are allowed; nothing that is found in a certificate is fetched here.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use outbound::{Dialer, Doubt, HostAndPort, Offer, Origin, OutboundError, Possession, Probe, Seen};
use pki::public_key::PublicKeyKind;
use pki::{Certificate, Refusal};
use tokio::time::Instant;

/// What a TLS server showed.
pub struct Served {
    /// The host that was meant.
    pub host: String,
    /// The name that was asked for (SNI), if one was.
    pub server_name: Option<String>,
    /// The address that answered.
    pub address: SocketAddr,
    /// What a client sees that takes every kind of certificate.
    pub shown: Shown,
    /// What other clients see.
    pub others: Vec<(Client, Result<Shown, OutboundError>)>,
}

/// What one client sees.
pub struct Shown {
    /// `TLS 1.3` or `TLS 1.2`; empty when the handshake ended before that was clear.
    pub protocol: &'static str,
    /// The key exchange, in its registered name; empty when it has none.
    pub key_exchange: String,
    /// The certificates in the order in which they were sent.
    pub chain: Vec<Certificate>,
    /// Those that cannot be taken, and why.
    pub refusals: Vec<Refusal>,
    /// Whether the server has the private key of the first.
    pub possession: Possession,
    /// Why other TLS clients refuse the first; empty when they take it. Safe to show.
    pub refused: String,
    /// Why the handshake did not come to its end; empty when it did. Safe to show.
    pub unfinished: String,
}

/// A client of a special kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Takes only RSA.
    Rsa,
    /// Takes only ECDSA.
    Ecdsa,
    /// Takes only Ed25519.
    Ed25519,
    /// Sends no name.
    WithoutName,
}

impl Client {
    const ALL: [Self; 4] = [Self::Rsa, Self::Ecdsa, Self::Ed25519, Self::WithoutName];

    /// The stable name, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ecdsa => "ecdsa",
            Self::Ed25519 => "ed25519",
            Self::WithoutName => "without_name",
        }
    }

    /// What people call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Rsa => "RSA only",
            Self::Ecdsa => "ECDSA only",
            Self::Ed25519 => "Ed25519 only",
            Self::WithoutName => "Without a name",
        }
    }

    fn offer(self) -> Offer {
        match self {
            Self::Rsa => Offer::RsaOnly,
            Self::Ecdsa => Offer::EcdsaOnly,
            Self::Ed25519 => Offer::Ed25519Only,
            Self::WithoutName => Offer::Any,
        }
    }

    /// The one who sees nothing else than everybody, since the certificate is of that kind.
    fn of(certificate: &Certificate) -> Option<Self> {
        match certificate.public_key().kind() {
            PublicKeyKind::Rsa { .. } => Some(Self::Rsa),
            PublicKeyKind::Ec(_) => Some(Self::Ecdsa),
            PublicKeyKind::Ed25519 => Some(Self::Ed25519),
            PublicKeyKind::Other(_) => None,
        }
    }
}

impl Shown {
    fn new(seen: &Seen) -> Self {
        let mut shown = Self {
            protocol: seen.version,
            key_exchange: seen.key_exchange.clone(),
            chain: Vec::new(),
            refusals: Vec::new(),
            possession: seen.possession.clone(),
            refused: pki::name::inert(&seen.refused).into_owned(),
            unfinished: pki::name::inert(&seen.unfinished).into_owned(),
        };
        for (index, der) in seen.chain.iter().enumerate() {
            match Certificate::parse(der) {
                Ok(certificate) => shown.chain.push(certificate),
                Err(refusal) => {
                    let place = format!("certificate {} of {}", index + 1, seen.chain.len());
                    let place =
                        if refusal.place.is_empty() { place } else { format!("{place}, {}", refusal.place) };
                    shown.refusals.push(refusal.at(place));
                }
            }
        }
        shown
    }
}

/// The address, if it is `host:port` or the `https` address of a page.
pub fn address(subject: &Path) -> Option<HostAndPort> {
    let text = subject.to_str()?;
    let Some(rest) = text.strip_prefix("https://") else {
        return host_and_port(text);
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    host_and_port(authority).or_else(|| host_and_port(&format!("{authority}:443")))
}

/// A host may be written as people write it: `bücher.example` is `xn--bcher-kva.example`.
fn host_and_port(text: &str) -> Option<HostAndPort> {
    if text.is_ascii() {
        return text.parse().ok();
    }
    let (host, port) = text.rsplit_once(':')?;
    let name = pki::san::host_name(host)?;
    format!("{}:{port}", name.dns()?).parse().ok()
}

/// Looks at a server. Without a name to ask for, its host is; an empty name asks for none.
///
/// # Errors
/// `look.address`, `look.resolve`, `look.unreachable`, `look.handshake`.
pub fn look(address: &HostAndPort, name: Option<&str>, patience: Duration) -> Result<Served, Refusal> {
    let name = match name {
        Some(name) => Some(name.to_owned()),
        // An address is no name; TLS has no way to ask for one.
        None if address.literal().is_some() => None,
        None => Some(address.host.trim_end_matches('.').to_owned()),
    };
    let name = name.filter(|name| !name.is_empty());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| refusal(address, &OutboundError::Handshake(error)))?;
    let seen = runtime.block_on(look_at(address, name, patience));
    // A name service that does not answer must not keep the program.
    runtime.shutdown_background();
    seen.map_err(|error| refusal(address, &error))
}

async fn look_at(
    address: &HostAndPort,
    server_name: Option<String>,
    patience: Duration,
) -> Result<Served, OutboundError> {
    let deadline = Instant::now() + patience;
    let dialer = Dialer::default();
    let first = probe(&dialer, &address.to_string(), server_name.as_deref(), Offer::Any, deadline).await?;
    let shown = Shown::new(&first);
    // The others ask the very address that answered.
    let place = first.address.to_string();
    let same = shown.chain.first().and_then(Client::of);
    let see = async |client: Client| {
        let is_needless = same == Some(client) || (client == Client::WithoutName && server_name.is_none());
        if is_needless {
            return None;
        }
        let name = server_name.as_deref().filter(|_| client != Client::WithoutName);
        let seen = probe(&dialer, &place, name, client.offer(), deadline).await;
        Some((client, seen.map(|seen| Shown::new(&seen))))
    };
    let [rsa, ecdsa, ed25519, nameless] = Client::ALL;
    let others = tokio::join!(see(rsa), see(ecdsa), see(ed25519), see(nameless));
    let others = [others.0, others.1, others.2, others.3].into_iter().flatten().collect();
    Ok(Served { host: address.host.clone(), server_name, address: first.address, shown, others })
}

async fn probe(
    dialer: &Dialer,
    address: &str,
    server_name: Option<&str>,
    offer: Offer,
    deadline: Instant,
) -> Result<Seen, OutboundError> {
    // What other clients refuse is what somebody looks for here: it is shown, with what is doubtful about it.
    let probe = Probe { address, origin: Origin::Operator, server_name, offer, doubt: Doubt::Tell };
    dialer.probe(&probe, deadline).await
}

fn refusal(address: &HostAndPort, error: &OutboundError) -> Refusal {
    let (code, repair) = match error {
        OutboundError::Address | OutboundError::ServerName | OutboundError::Blocked(_) => {
            ("look.address", "Write HOST:PORT; a name for --servername is a host name.")
        }
        OutboundError::BlockedPort(_) => ("look.address", "Write HOST:PORT."),
        OutboundError::Resolve(_) => ("look.resolve", "Look for a misprint, or write the IP address."),
        OutboundError::Connect { .. } | OutboundError::Deadline => {
            ("look.unreachable", "Look whether the server runs, and whether a firewall is in between.")
        }
        OutboundError::Handshake(said) if is_no_tls(said) => {
            let repair = "Look for the port of TLS. STARTTLS, as mail and directory servers have it, is not spoken here.";
            let refusal = Refusal::new("look.handshake", "what answers there does not speak TLS", repair);
            return refusal.at(address.to_string());
        }
        OutboundError::Handshake(_) => (
            "look.handshake",
            "Look whether it speaks TLS on this port, 1.2 or 1.3, and whether it knows the name (--servername).",
        ),
    };
    Refusal::new(code, pki::name::inert(&error.chain()), repair).at(address.to_string())
}

/// Whether the first thing that came is no message of TLS at all.
fn is_no_tls(error: &std::io::Error) -> bool {
    let said = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(said, Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)))
}

/// Whether the certificate fits what was asked for: the name, else the host's address.
pub fn fits(served: &Served, leaf: &Certificate) -> Option<bool> {
    match &served.server_name {
        Some(name) => Some(leaf.covers_host(name)),
        None => served.host.parse::<IpAddr>().ok().map(|_| leaf.covers_host(&served.host)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_told_from_files() {
        for (text, read) in [
            ("shop.example:8443", Some("shop.example:8443")),
            ("[::1]:443", Some("[::1]:443")),
            ("https://Shop.Example/path?x", Some("shop.example:443")),
            ("https://shop.example:8443", Some("shop.example:8443")),
            ("bücher.example:443", Some("xn--bcher-kva.example:443")),
            ("https://bücher.example/x", Some("xn--bcher-kva.example:443")),
            ("shop.example:99999", None),
            ("shop.example", None),
            ("./a:443", None),
            ("http://shop.example:80", None),
            ("shop.pem", None),
        ] {
            let address = address(Path::new(text)).map(|address| address.to_string());
            assert_eq!(address.as_deref(), read, "{text}");
        }
    }
}
