//! The only way out of the server: guarded TCP connections, documents by HTTP, and TLS handshakes that look at what is
//! served.
//!
//! Whoever dials says where the address comes from ([`Origin`]): an operator may mean a private network; an address
//! found in data (a certificate, a redirect) never does, unless the operator permits its network, and is checked where
//! it counts, on the address that is then connected to. It must not know our nouns, and it judges no certificate that
//! is looked at: [`probe`] tells what was seen.
//!
//! The edge's connections to backends and the database's are the only ones that are made elsewhere.
//!
//! Start reading at [`Dialer`], then [`fetch`] and [`probe`].

mod address;
mod dialer;
pub mod fetch;
mod possession;
pub mod probe;
mod public;

pub use address::HostAndPort;
pub use dialer::{Dialer, Limits, Origin};
pub use fetch::{FetchError, FetchLimits, Fetched, NotFetched};
pub use ipnet::IpNet;
pub use possession::Possession;
pub use probe::{Doubt, Offer, Probe, Seen};
pub use public::is_public;

use std::net::{IpAddr, SocketAddr};

/// Why nothing was reached, or nothing was seen.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// It is not `host:port`.
    #[error("the address is not of the form host:port")]
    Address,
    /// The host has no address, or the name service does not answer.
    #[error("the host name cannot be resolved")]
    Resolve(#[source] std::io::Error),
    /// An address found in data leads into a network that is neither public nor permitted.
    #[error("the address leads to {0}, where data may not send us")]
    Blocked(IpAddr),
    /// A port that data may not send us to.
    #[error("data may not send us to port {0}")]
    BlockedPort(u16),
    /// Nobody takes the connection.
    #[error("no connection to {address}")]
    Connect {
        /// Where to.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The deadline passed.
    #[error("no answer in time")]
    Deadline,
    /// The name to ask for is not one that TLS can ask for.
    #[error("the name cannot be asked for in TLS")]
    ServerName,
    /// The TLS handshake failed.
    #[error("the TLS handshake failed")]
    Handshake(#[source] std::io::Error),
}

impl OutboundError {
    /// The error and everything under it in one line, for people.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
