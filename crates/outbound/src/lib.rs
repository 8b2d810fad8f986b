//! The only way out of the server: guarded TCP connections and TLS handshakes that look at what is served.
//!
//! Whoever dials says where the address comes from ([`Origin`]): an operator may mean a private network; an address
//! found in data (a certificate, a redirect) never does, and is checked where it counts, on the address that is then
//! connected to. It must not know our nouns, and it judges no certificate: [`probe`] tells what was seen.
//!
//! The HTTP client for CAs and revocation lists has its place here, in `http.rs`, on top of [`Dialer::connect`]; the
//! edge's connections to backends and the database's are the only ones that are made elsewhere.
//!
//! Start reading at [`Dialer`], then [`probe`].

mod address;
mod dialer;
pub mod probe;
mod public;

pub use address::HostAndPort;
pub use dialer::{Dialer, Limits, Origin};
pub use probe::{Offer, Probe, Seen};
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
    /// An address found in data leads into a network that is not public, or to a port of another service.
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
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
