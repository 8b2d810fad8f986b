//! What the edge counts, for metrics: a fixed set, never by name or address.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeFailure {
    /// It was not done at the deadline; most of these never sent a byte.
    Deadline,
    /// The other side closed.
    Closed,
    /// What came is not TLS, or TLS that we do not speak.
    Protocol,
    /// There is no certificate to serve, or its key cannot sign now.
    NoCertificate,
}

impl HandshakeFailure {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Deadline, Self::Closed, Self::Protocol, Self::NoCertificate];

    /// The stable name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::NoCertificate => "no_certificate",
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Deadline => 0,
            Self::Closed => 1,
            Self::Protocol => 2,
            Self::NoCertificate => 3,
        }
    }
}

impl From<&io::Error> for HandshakeFailure {
    fn from(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            // What rustls says when the resolver answered none, and when a key answered no signature.
            Some(rustls::Error::General(_)) => Self::NoCertificate,
            Some(_) => Self::Protocol,
            None => Self::Closed,
        }
    }
}

/// The edge's counters. Totals only grow while the process lives.
#[derive(Debug, Default)]
pub struct EdgeCounters {
    handshakes: AtomicU64,
    failed: [AtomicU64; HandshakeFailure::ALL.len()],
    connections: AtomicU64,
    backend_failures: AtomicU64,
}

/// Counts a connection as open until it is dropped.
pub(crate) struct OpenConnection<'a>(&'a EdgeCounters);

impl EdgeCounters {
    /// Handshakes that were done.
    pub fn handshakes(&self) -> u64 {
        self.handshakes.load(Ordering::Relaxed)
    }

    /// Handshakes that failed in this way.
    pub fn failed(&self, kind: HandshakeFailure) -> u64 {
        self.failed[kind.index()].load(Ordering::Relaxed)
    }

    /// Connections open now, handshakes not yet done included.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Connections whose backend could not be reached.
    pub fn backend_failures(&self) -> u64 {
        self.backend_failures.load(Ordering::Relaxed)
    }

    pub(crate) fn count_handshake(&self) {
        self.handshakes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_failed(&self, kind: HandshakeFailure) {
        self.failed[kind.index()].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_backend_failure(&self) {
        self.backend_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn open(&self) -> OpenConnection<'_> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        OpenConnection(self)
    }
}

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
