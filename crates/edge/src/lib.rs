//! Whatever listens with TLS: the edge that serves lineages' certificates, and the listener of our own UI and API.
//!
//! It receives snapshots by a watch channel, keeps the last good one, and asks for a signer at each handshake; it
//! must not know the database, the tokens, our JSON or our pages (the UI's router is given to it). Private keys never
//! come here: a key is a [`pki::KeyId`] and whatever [`domain::Signers`] answers for it.
//!
//! The only connections that it opens are to the backends that an operator entered.
//!
//! A process needs one file descriptor for each client connection and one more for each connection to a backend:
//! raise the limit of open files (`LimitNOFILE=` in systemd, `ulimit -n`) above the sum of the caps. When it is
//! reached, accepting pauses and goes on as soon as connections end.
//!
//! Start reading at [`Resolver`], then [`serve_edge`], then [`serve_http`].

mod accept;
mod activity;
mod backend;
mod body;
mod caps;
mod counters;
mod http;
mod passthrough;
mod proxy_protocol;
mod resolver;
mod signing;
mod snapshot_check;
mod status_page;
mod tls;

pub use body::{BodyError, BodyPace};
pub use caps::Limits;
pub use counters::{EdgeCounters, HandshakeFailure};
pub use http::{HttpLimits, PeerAddress, serve_http};
pub use passthrough::{EdgeConfig, serve_edge};
pub use resolver::{Resolver, Seen, Sources};
pub use snapshot_check::SnapshotRefused;
pub use tls::ui_config;
